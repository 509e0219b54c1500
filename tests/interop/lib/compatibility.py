#!/usr/bin/env python3
"""Makes docs/compatibility.md from the cases that the client programs register and from features.toml.

  compatibility.py --write     writes the page
  compatibility.py --check     fails when the page is stale, a case belongs to no feature, a feature names a case that its
                               client does not register, or the README's table names a case twice
"""
import pathlib
import re
import sys
import tomllib

INTEROP = pathlib.Path(__file__).resolve().parents[1]
REPOSITORY = INTEROP.parents[1]
PAGE = REPOSITORY / "docs/compatibility.md"
# Where each client's program registers its cases.
SOURCES = {
    "3.5.8": ["java/client3/src"],
    "4.9.8": ["java/client/src", "java/client/src-4x"],
    "5.5.0": ["java/client/src", "java/client/src-5x"],
    "go": ["go"],
    "cpp": ["cpp"],
}
TITLES = {"3.5.8": "Java 3.5.8", "4.9.8": "Java 4.9.8", "5.5.0": "Java 5.5.0", "go": "Go v2.1.2", "cpp": "C++ 2.1.0 (C API)"}
JAVA_CASE = re.compile(r'suite\.add(?:Alone)?\(\s*"([a-z0-9_]+)"')
# How a client's sources register a case; Java's unless it is here.
FILES = {"go": "*.go", "cpp": "*.cpp"}
CASES = {"go": re.compile(r'\{"(go_[a-z0-9_]+)",'), "cpp": re.compile(r'\{"(cpp_[a-z0-9_]+)",')}
PROGRAM = re.compile(r"^run_(\w+)\(\)", re.M)
REASONS = ("no such call", "not tested", "not served")
HEAD = """# Which client features are proven

Made by `python3 tests/interop/lib/compatibility.py --write` from the cases in [tests/interop](../tests/interop/README.md) and
[features.toml](../tests/interop/features.toml). Each cell names the cases that prove the feature with that client's unmodified library; programs of the
suite that run other cases in a setting of their own (TLS, binary headers, ...) are written as *program*. Cases in brackets are not promised yet. An
empty cell says why: *no such call* in the library, *not tested*, *not served* by Gantry.
"""


class Wrong(Exception):
    """The map or a source is not as it must be; the text says where."""


def registered() -> dict[str, dict[str, pathlib.Path]]:
    """Files by case name, by client."""
    found = {}
    for client, folders in SOURCES.items():
        cases = {}
        for folder in folders:
            for file in sorted((INTEROP / folder).rglob(FILES.get(client, "*.java"))):
                for name in CASES.get(client, JAVA_CASE).findall(file.read_text()):
                    if name in cases:
                        raise Wrong(f"{client}: two cases named {name}")
                    cases[name] = file
        found[client] = cases
    return found


def programs() -> set[str]:
    return set(PROGRAM.findall((INTEROP / "lib/clients.sh").read_text()))


def not_yet() -> re.Pattern:
    lines = (re.sub(r"#.*", "", line).strip() for line in (INTEROP / "not-yet.txt").read_text().splitlines())
    return re.compile("|".join(line for line in lines if line) or "(?!)")


def features() -> list[dict]:
    """Rows as {"area", "name", "cells": {client: list of cases, or a reason}}."""
    with open(INTEROP / "features.toml", "rb") as file:
        table = tomllib.load(file)
    return [row(area, name, cells) for area, rows in table.items() for name, cells in rows.items()]


def row(area: str, name: str, cells: dict) -> dict:
    unknown = cells.keys() - SOURCES.keys() - {"java"}
    if unknown:
        raise Wrong(f"{area}, {name}: no client {min(unknown)}")
    made = {}
    for client in SOURCES:
        cell = cells.get(client, cells.get("java") if client in ("4.9.8", "5.5.0") else None)
        if cell is None:
            raise Wrong(f"{area}, {name}: nothing is said of {TITLES[client]}")
        if isinstance(cell, str) and not cell.startswith(REASONS):
            raise Wrong(f"{area}, {name}, {TITLES[client]}: {cell!r} begins with none of {', '.join(REASONS)}")
        made[client] = cell
    return {"area": area, "name": name, "cells": made}


def problems(rows: list[dict], cases: dict[str, dict[str, pathlib.Path]]) -> list[str]:
    """Cases without a feature, and features that name what is not there."""
    found, used, runs = [], set(), programs()
    for one in rows:
        for client, cell in one["cells"].items():
            for name in cell if isinstance(cell, list) else []:
                if name.startswith("program:"):
                    if name.removeprefix("program:") not in runs:
                        found.append(f"{one['area']}, {one['name']}: no {name}")
                elif name not in cases[client]:
                    found.append(f"{one['area']}, {one['name']}: {TITLES[client]} has no case {name}")
                used.add(name)
    missing = sorted({name for of_client in cases.values() for name in of_client} - used)
    return found + [f"case {name} belongs to no feature" for name in missing]


def twice_in_readme() -> list[str]:
    names = []
    for line in (INTEROP / "README.md").read_text().splitlines():
        if line.startswith("| `") and len(line.split(" | ")) == 2:
            names += re.findall(r"`([^`]+)`", line.split(" | ")[0])
    return [f"README.md lists {name} twice" for name in sorted({name for name in names if names.count(name) > 1})]


def page(rows: list[dict], cases: dict[str, dict[str, pathlib.Path]]) -> str:
    text, area, waiting = HEAD, None, not_yet()
    for one in rows:
        if one["area"] != area:
            area = one["area"]
            text += f"\n## {area}\n\n| feature | {' | '.join(TITLES.values())} |\n|---|{'---|' * len(TITLES)}\n"
        text += f"| {one['name']} | " + " | ".join(cell(value, cases[client], waiting) for client, value in one["cells"].items()) + " |\n"
    return text


def cell(value, cases: dict[str, pathlib.Path], waiting: re.Pattern) -> str:
    if isinstance(value, str):
        return f"*{value}*"
    return ", ".join(linked(name, cases, waiting) for name in value)


def linked(name: str, cases: dict[str, pathlib.Path], waiting: re.Pattern) -> str:
    if name.startswith("program:"):
        return f"[*program* {name.removeprefix('program:')}](../tests/interop/lib/clients.sh)"
    link = f"[{name}](../{cases[name].relative_to(REPOSITORY)})"
    return f"({link})" if waiting.fullmatch(name) else link


def main(arguments: list[str]) -> int:
    if arguments not in (["--write"], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        rows, cases = features(), registered()
        found = problems(rows, cases) + twice_in_readme()
        if arguments == ["--write"] and not found:
            PAGE.write_text(page(rows, cases))
        if not found and PAGE.read_text() != page(rows, cases):
            found.append("docs/compatibility.md is stale: run tests/interop/lib/compatibility.py --write")
    except (Wrong, tomllib.TOMLDecodeError, OSError) as error:
        found = [str(error)]
    print("\n".join(found) or "compatibility: every case belongs to a feature, and the page is fresh")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
