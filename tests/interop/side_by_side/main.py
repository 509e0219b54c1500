#!/usr/bin/env python3
"""Sends the same requests to Gantry, RocketMQ 4.9.7 and RocketMQ 5.5.0 and compares all that comes back.

  main.py NAME=BROKER,NAMESERVER ...     NAME: gantry, 4.9.7, 5.5.0; addresses as host:port; all three are needed

Prints a line for each case with the versions that Gantry agrees with; fails on a difference that differences.toml does not
list and, when all cases ran, on a listed one that did not occur. Environment: INTEROP_ONLY and INTEROP_SKIP (regular
expressions for whole case names), SIDE_BY_SIDE_RECORDS (a file for all that was seen, as JSON), SIDE_BY_SIDE_WIDTH (cases
at a time on each side, default 16).
"""
import json
import os
import pathlib
import re
import sys
from concurrent.futures import ThreadPoolExecutor

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))

import cases  # noqa: E402, F401
import compare  # noqa: E402
from registry import CASES, Case  # noqa: E402
from session import Session, SetUpFailed, Side  # noqa: E402


def main(arguments: list[str]) -> int:
    sides = {}
    for argument in arguments:
        parts = re.fullmatch(r"(gantry|4\.9\.7|5\.5\.0)=([^,]+:\d+),([^,]+:\d+)", argument)
        if not parts:
            print(__doc__, file=sys.stderr)
            return 2
        sides[parts[1]] = Side(*parts.groups())
    if len(sides) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    only, skip = re.compile(os.environ.get("INTEROP_ONLY") or ".*"), re.compile(os.environ.get("INTEROP_SKIP") or "(?!)")
    selected = [case for case in CASES if only.fullmatch(case.name) and not skip.fullmatch(case.name)]
    entries = compare.load(HERE / "differences.toml")
    seen = run_all(sides, selected)
    if os.environ.get("SIDE_BY_SIDE_RECORDS"):
        pathlib.Path(os.environ["SIDE_BY_SIDE_RECORDS"]).write_text(json.dumps(seen, indent=1, default=str))
    return report(selected, seen, entries, whole=len(selected) == len(CASES))


def run_all(sides: dict[str, Side], selected: list[Case]) -> dict:
    """Records by case and side."""
    seen = {case.name: {} for case in selected}
    width = int(os.environ.get("SIDE_BY_SIDE_WIDTH") or 16)
    pools = {name: ThreadPoolExecutor(width) for name in sides}
    running = [(case.name, name, pools[name].submit(run_one, side, case)) for case in selected for name, side in sides.items()]
    for case_name, side_name, future in running:
        seen[case_name][side_name] = future.result()
    return seen


def run_one(side: Side, case: Case) -> dict:
    session = None
    try:
        session = Session(side, case.name)
        case.run(session)
        return session.records
    except SetUpFailed as failed:
        return (session.records if session else {}) | {"failed": re.sub(r"\d{9,}", "N", str(failed))}
    except Exception as fault:  # a fault of the case is told with the case
        return {"failed": f"{type(fault).__name__}: {fault}"}
    finally:
        if session:
            session.close()


def report(selected: list[Case], seen: dict, entries: list[compare.Entry], whole: bool) -> int:
    passed = failed = 0
    agreement = {"both": 0, "4.9.7": 0, "5.5.0": 0, "neither": 0}
    for case in selected:
        records = seen[case.name]
        verdict = compare.judge(case.name, records["gantry"], records, entries)
        agreement[verdict.agrees[0] if len(verdict.agrees) == 1 else "both" if verdict.agrees else "neither"] += 1
        if verdict.unlisted:
            failed += 1
            print(f"FAIL {case.name}: " + " | ".join(verdict.unlisted))
        else:
            passed += 1
            print(f"PASS {case.name}: {verdict.sentence()}")
    if whole:
        for entry in entries:
            for what in entry.unused():
                failed += 1
                print(f"FAIL differences.toml: no longer so: {what} (reason: {entry.reason})")
    print("agrees with: " + ", ".join(f"{name} {count}" for name, count in agreement.items()))
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)  # reader threads of connections may still wait
