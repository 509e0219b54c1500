#!/usr/bin/env python3
"""The gate is worth something: five ways to break the interface must each be found, by abidiff and by sdk/abi/layout.c, and what is allowed must pass.

Usage: mutated_headers_test.py REPOSITORY
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(sys.argv[1]).resolve()
GATE = ROOT / "tools/abi_gate.py"

# The table that is broken: its size is asserted nowhere in the header, so the gate alone stands in the way.
GET_INT = "  int64_t (*get_int)(const gantry_config *c, const char *key) GANTRY_NOEXCEPT;"
GET_TEXT = "  gantry_str (*get_text)(const gantry_config *c, const char *key) GANTRY_NOEXCEPT;"
LIST_SIZE = "  uint32_t (*list_size)(const gantry_config *c, const char *key) GANTRY_NOEXCEPT;"
LIST_AT = "  gantry_str (*list_at)(const gantry_config *c, const char *key, uint32_t i) GANTRY_NOEXCEPT;"
NEW = "  void (*added)(const gantry_config *c) GANTRY_NOEXCEPT;"
TASK = "  int32_t (*enabled)(const gantry_host *host, int32_t level) GANTRY_NOEXCEPT;"

# name: (file, [(old, new)], found by abidiff, found by the layout assertions)
BROKEN = {
    "append": ("gantry/abi.h", [(LIST_AT, LIST_AT + "\n" + NEW)], True, True),
    "insert": ("gantry/abi.h", [(LIST_SIZE, NEW + "\n" + LIST_SIZE)], True, True),
    "signature": ("gantry/abi.h", [(LIST_SIZE, LIST_SIZE.replace("uint32_t (", "int64_t ("))], True, True),
    "swap": ("gantry/abi.h", [(GET_INT, "@"), (GET_TEXT, GET_INT), ("@", GET_TEXT)], True, True),
    "remove": ("gantry/abi.h", [(LIST_AT, "")], True, True),
    # Macros leave no trace in a dump.
    "constant": ("gantry/abi.h", [("#define GANTRY_E_SYNTAX (-20)", "#define GANTRY_E_SYNTAX (-23)")], False, True),
}
ALLOWED = {
    "unchanged": ("gantry/abi.h", []),
    "new struct": ("gantry/abi.h", [("#define GANTRY_COMPONENT_ESSENTIAL", "typedef struct gantry_new { uint64_t a; } gantry_new;\n#define GANTRY_COMPONENT_ESSENTIAL")]),
    "changed draft": ("gantry/draft/host.h", [(TASK, NEW.replace("gantry_config", "gantry_host") + "\n" + TASK)]),
}


def mutated(folder, file, changes):
    sdk = pathlib.Path(folder) / "sdk"
    shutil.copytree(ROOT / "sdk", sdk)
    text = (sdk / file).read_text()
    for old, new in changes:
        assert text.count(old) == 1, f"{file} has {text.count(old)} times: {old}"
        text = text.replace(old, new)
    (sdk / file).write_text(text)
    return sdk


def found(file, changes):
    """Whether abidiff and whether the assertions object, and what abidiff said; its answer is None where it is not installed."""
    with tempfile.TemporaryDirectory() as folder:
        sdk = mutated(folder, file, changes)
        gate = subprocess.run([sys.executable, GATE, "check", sdk], capture_output=True, text=True, timeout=120)
        assert gate.returncode in (0, 1, 77), gate.stdout + gate.stderr
        header = subprocess.run(["cc", "-std=c11", f"-I{sdk}", "-fsyntax-only", "-x", "c", sdk / file], capture_output=True, text=True, timeout=120)
        assert header.returncode == 0, f"the mutated header does not compile by itself:\n{header.stderr}"
        layout = subprocess.run(["cc", "-std=c11", f"-I{sdk}", "-fsyntax-only", ROOT / "sdk/abi/layout.c"], capture_output=True, text=True, timeout=120)
        return None if gate.returncode == 77 else gate.returncode == 1, layout.returncode != 0, gate.stdout


def main():
    problems, by_abidiff = [], True
    for name, (file, changes, wanted_abidiff, wanted_layout) in BROKEN.items():
        abidiff, layout, text = found(file, changes)
        print(f"{name}: abidiff {'objects' if abidiff else 'does not object'}, assertions {'object' if layout else 'do not object'}")
        by_abidiff = abidiff is not None
        if by_abidiff and abidiff != wanted_abidiff:
            problems.append(f"{name}: abidiff should {'' if wanted_abidiff else 'not '}object:\n{text}")
        if layout != wanted_layout:
            problems.append(f"{name}: the assertions should object")
    for name, (file, changes) in ALLOWED.items():
        abidiff, layout, text = found(file, changes)
        if abidiff or layout:
            problems.append(f"{name} is allowed, and refused:\n{text}")
        if name == "changed draft" and by_abidiff and "drafts differ" not in text:
            problems.append(f"a changed draft is not reported:\n{text}")
    print("\n".join(problems) or "the gate finds what it must")
    return 1 if problems else 0 if by_abidiff else 77


sys.exit(main())
