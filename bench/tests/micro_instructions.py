#!/usr/bin/env python3
"""Instructions per message of gantry-micro-filter's cases, beside those of the same predicate written by hand, against a baseline.

    micro_instructions.py PROGRAM            compares with bench/micro/baseline.json; exit code 1 when a case costs far more, 77 when callgrind is not there
    micro_instructions.py PROGRAM --freeze   writes the baseline anew

Ratios, because compilers and libraries differ in what they make of the same code; and loose ones (half as much again), because what shall be seen is a step that was added
for every message, not a register more.
"""
import json
import pathlib
import re
import shutil
import subprocess
import sys

BASELINE = pathlib.Path(__file__).resolve().parent.parent / "micro/baseline.json"
BY_HAND = "the predicate written by hand"
CASES = ("one property compared by a plugin", "columns ready, compared by a plugin", "three columns, nothing evaluated", "SQL92, one term", "SQL92, three terms", "SQL92, three terms, the deciding one last")
ALLOWED = 1.5
MIB, FEW, MANY = "1", 1, 5
COLLECTED, MESSAGES = re.compile(r"Collected\s*:\s*(\d+)"), re.compile(r"^(\d+) messages", re.M)


def instructions(program, rounds, case):
    done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, str(rounds), MIB, case], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{case}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
    assert case in done.stdout, f"{case}: no such case\n{done.stdout}"
    return int(COLLECTED.search(done.stderr)[1]) / int(MESSAGES.search(done.stdout)[1])


def per_message(program, case):
    """Two runs, so that what is done once does not count."""
    return (instructions(program, MANY, case) - instructions(program, FEW, case)) / (MANY - FEW)


def main():
    program = sys.argv[1]
    if shutil.which("valgrind") is None:
        print("skipped: valgrind is not installed")
        return 77
    by_hand = per_message(program, BY_HAND)
    counts = {case: per_message(program, case) for case in CASES}
    found = {case: round(count / by_hand, 3) for case, count in counts.items()}
    print(f"     {BY_HAND}: {by_hand:.0f} instructions per message")
    if "--freeze" in sys.argv:
        BASELINE.write_text(json.dumps({"beside": BY_HAND, "ratios": found}, indent=2) + "\n")
        return 0
    status = 0
    for case, baseline in json.loads(BASELINE.read_text())["ratios"].items():
        bad = found[case] > baseline * ALLOWED
        status = 1 if bad else status
        print(f"{'FAIL' if bad else 'ok':4} {case}: {counts[case]:.0f} instructions per message, {found[case]} of those by hand, baseline {baseline}")
    if status:
        print("a step was added for every message; when it is meant, run this program with --freeze and say why in the commit")
    return status


if __name__ == "__main__":
    sys.exit(main())
