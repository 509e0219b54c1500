#!/usr/bin/env python3
"""The table of what each request needs, in docs/operations/access-control.md, made of the protocol's own tables.

    access_table.py check     exit code 1 when the page says something else than the tables, or a request code has no row
    access_table.py write     writes the table into the page
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CODES, ACCESS, PAGE = ROOT / "plugins/protocol-remoting/codec/request_codes.inc", ROOT / "plugins/protocol-remoting/access/access.inc", ROOT / "docs/operations/access-control.md"
BEGIN, END = "<!-- made by tools/access_table.py write -->\n", "<!-- end -->\n"


def name_text(resource, source, field):
    texts = {
        "Whole": "" if resource == "Cluster" else "`*`",
        "Field": f"`{field}`",
        "FieldIfGiven": f"`{field}`, if given",
        "AckTopic": f"`{field}`",
        "SendTopic": "`b`, else `topic`",
        "Body": f"`{field}` of the body",
        "BodyList": f"each `{field}` of the body",
        "Heartbeat": "consumer groups of the body; Topic: what they subscribe to",
        "Lock": "`consumerGroup` of the body; Topic: those of `mqSet`",
        "Acks": "`c` of each of the body's `acks`; Topic: their `t`",
        "Signed": "",
    }
    return texts[source]


def table():
    codes = re.findall(r'^GANTRY_REQUEST\((\w+), (\d+), "(\w+)"', CODES.read_text(), re.M)
    rows = {}
    for constant, resource, source, field, actions in re.findall(r'^GANTRY_ACCESS\((\w+), (\w+), (\w+), "([\w.]*)", ([^)]+)\)', ACCESS.read_text(), re.M):
        words = " or ".join(action.strip().removeprefix("GANTRY_ACTION_").capitalize() for action in actions.split("|"))
        where = name_text(resource, source, field)
        rows.setdefault(constant, []).append(f"{words} on {resource}" + (f" ({where})" if where else ""))
    lines = ["| code | request | needs |", "|---|---|---|"]
    for constant, number, name in codes:
        if constant not in rows:
            sys.exit(f"{ACCESS.name} has no row for {name} ({number}): say what it needs")
        lines.append(f"| {number} | {name} | {'; '.join(rows[constant])} |")
    return "\n".join(lines) + "\n"


def main():
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command not in ("check", "write"):
        print(__doc__)
        return 2
    page = PAGE.read_text()
    head, rest = page.split(BEGIN)
    wanted = head + BEGIN + table() + END + rest.split(END, 1)[1]
    if command == "write":
        PAGE.write_text(wanted)
    elif page != wanted:
        print(f"{PAGE.relative_to(ROOT)} has another table than the protocol: run tools/access_table.py write")
        return 1
    return 0


sys.exit(main())
