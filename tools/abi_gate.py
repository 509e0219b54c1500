#!/usr/bin/env python3
"""Keeps the plugin interface as it was promised.

    abi_gate.py check [SDK_DIR]     compares the headers with the frozen dumps; exit code 1 when a promise is broken, 77 when abidiff is not installed
    abi_gate.py freeze [SDK_DIR]    writes the dumps anew: after an addition, or when a draft becomes stable; a review decides

What is promised: every struct and table of sdk/gantry/*.h (the entry contract, ABI major 1) keeps its layout, its order and its signatures; a new one may come.
sdk/gantry/draft may change: differences are reported, so that its changes are seen, and fail nothing. Macros leave no trace in a dump: their values and the
layouts once more are asserted in sdk/abi/layout.c, which needs no tool but the compiler.
"""
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
DUMPS = ROOT / "sdk/abi"  # also when other headers are checked
STRUCT = re.compile(r"^(?:typedef )?struct (gantry_\w+) \{", re.M)
ARCHITECTURES = {"x86_64": "amd-x86_64", "aarch64": "arm-aarch64"}  # as abidw calls them
# Part of the tree, its headers and its dump.
STABLE, DRAFT = ("gantry/*.h", "gantry-1.abi"), ("gantry/draft/*.h", "gantry-draft.abi")


def carrier(sdk, pattern):
    """C source with one exported function per struct, so that a dump reaches all of them."""
    lines, names = [], []
    for header in sorted(sdk.glob(pattern)):
        lines.append(f"#include <{header.relative_to(sdk)}>")
        names += STRUCT.findall(header.read_text())
    return "\n".join(lines + [f"const struct {name} *carry_{name}(void) {{ return 0; }}" for name in names]) + "\n"


def dump(sdk, pattern, to):
    with tempfile.TemporaryDirectory() as folder:
        source, library = pathlib.Path(folder) / "carrier.c", pathlib.Path(folder) / "carrier.so"
        source.write_text(carrier(sdk, pattern))
        subprocess.run(["cc", "-std=c11", "-g", "-O0", "-fPIC", "-shared", f"-I{sdk}", f"-fdebug-prefix-map={folder}=.", source, "-o", library], check=True, timeout=120)
        subprocess.run(["abidw", "--no-corpus-path", "--no-comp-dir-path", "--no-show-locs", "--out-file", to, library], check=True, timeout=120)


def fields(body):
    """(name, type of a function pointer or None) of each member of a struct's text."""
    for declaration in re.sub(r"/\*.*?\*/", "", body, flags=re.S).split(";"):
        text = " ".join(declaration.replace("GANTRY_NOEXCEPT", "").split())
        if function := re.fullmatch(r"(.+?)\(\*(\w+)\)(\(.*\))", text):
            yield function[2], f"{function[1]}(*){function[3]}"
        elif text:
            for name in text.split(","):
                yield re.search(r"(\w+)(?:\[\w+\])?$", name.strip())[1], None


def layout(sdk):
    """C source that asserts sizes, offsets, signatures and the values of macros, as they are in the stable headers now."""
    asserts, out = [], []
    for header in sorted(sdk.glob(STABLE[0])):
        text = header.read_text()
        out.append(f"#include <{header.relative_to(sdk)}>")
        for name in STRUCT.findall(text):
            asserts.append(("sizeof(struct %s) == %%zu" % name, f"sizeof(struct {name})"))
            body = re.search(r"struct %s \{(.*?)^\}" % name, text, re.S | re.M)[1]
            for field, function in fields(body):
                asserts.append((f"offsetof(struct {name}, {field}) == %zu", f"offsetof(struct {name}, {field})"))
                if function:
                    asserts.append((f"_Generic(((struct {name} *)0)->{field}, {function}: 1, default: 0)", None))
        for name, value in re.findall(r'^#define (GANTRY_\w+) (\(?-?\d\w*\)?|"[^"]*")', text, re.M):
            if name == "GANTRY_SDK_VERSION":  # says only with which headers a plugin was built
                continue
            if value.startswith('"'):
                asserts.append((f"__builtin_strcmp({name}, {value}) == 0", None))
            else:
                asserts.append((f"{name} {'>=' if name == 'GANTRY_ABI_MINOR' else '=='} {value}", None))
    with tempfile.TemporaryDirectory() as folder:
        source, program = pathlib.Path(folder) / "print.c", pathlib.Path(folder) / "print"
        prints = "".join(f"  printf(\"{text}\\n\", {value});\n" for text, value in asserts if value)
        source.write_text("\n".join(out) + "\n#include <stdio.h>\nint main(void) {\n" + prints + "}\n")
        subprocess.run(["cc", "-std=c11", f"-I{sdk}", source, "-o", program], check=True, timeout=120)
        printed = iter(subprocess.run([program], capture_output=True, text=True, check=True, timeout=60).stdout.splitlines())
    lines = [f'_Static_assert({next(printed) if value else text}, "frozen");' for text, value in asserts]
    return "/* What plugins were built with: written by tools/abi_gate.py freeze, never by hand. */\n" + "\n".join(out + lines) + "\n"


def compare(sdk, pattern, frozen):
    """Exit code and text of abidiff: 0 is no difference but new structs."""
    with tempfile.TemporaryDirectory() as folder:
        now = pathlib.Path(folder) / "now.abi"
        dump(sdk, pattern, now)
        done = subprocess.run(["abidiff", "--no-added-syms", frozen, now], capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout + done.stderr


def check(sdk):
    if not shutil.which("abidiff") or not shutil.which("abidw"):
        print("abi: abidiff is not installed (apt install abigail-tools); only sdk/abi/layout.c was checked")
        return 77
    if f"architecture='elf-{ARCHITECTURES.get(platform.machine())}'" not in (DUMPS / STABLE[1]).read_text():
        print(f"abi: the dumps are of another machine than {platform.machine()}; only sdk/abi/layout.c was checked")
        return 77
    code, text = compare(sdk, DRAFT[0], DUMPS / DRAFT[1])
    print(f"abi: drafts differ from {DRAFT[1]}, which they may:\n{text}" if code else f"abi: drafts are as in {DRAFT[1]}")
    code, text = compare(sdk, STABLE[0], DUMPS / STABLE[1])
    if code:
        print(f"abi: the stable headers differ from {STABLE[1]} (abidiff says {code}): plugins built before would break. Make a new struct or table instead.\n{text}")
        return 1
    print(f"abi: the stable headers are as in {STABLE[1]}")
    return 0


def main():
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    sdk = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else ROOT / "sdk").resolve()
    if command == "check":
        return check(sdk)
    if command == "freeze":
        for pattern, name in (STABLE, DRAFT):
            dump(sdk, pattern, DUMPS / name)
        (DUMPS / "layout.c").write_text(layout(sdk))
        return 0
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main())
