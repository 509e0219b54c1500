#!/usr/bin/env python3
"""What transactions, delays, retries and pops cost beside RocketMQ: CPU and bytes written per operation, and how late delays are.

  semantics.py [--gantry build/release/gantry] [--systems gantry,rocketmq-4.9.7,rocketmq-5.5.0] [--loads transactions,retries] [--rounds 3]
               [--scale 1.0] [--publish docs/benchmarks-semantics.md]

Each load of each round starts every system anew, one after the other, the order turning from round to round; warms it with half as many operations in
topics of their own, then measures. CPU is the broker process's, from a control group. Exit: 0, 1 something failed, 2 usage.
"""
import argparse
import collections
import pathlib
import shlex
import statistics
import sys
import tempfile
import time

from pairs import machine, systems
from pairs.semantic_loads import LOADS, LoadError
from pairs.workloads import WRITTEN

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "support" / "python"))
import remoting  # noqa: E402

START_DEADLINE_S = 90


def wait_until_it_takes_messages(running):
    deadline = time.monotonic() + START_DEADLINE_S
    while True:
        running.require_alive()
        try:
            code = remoting.Connection(running.port, timeout_s=10).call(remoting.SEND_V2, remoting.send_fields("BenchStart", 0), b"x")[0]
        except remoting.Closed:
            code = -1
        if code == 0:
            return
        if time.monotonic() > deadline:
            raise LoadError(f"{running.name} takes no messages after {START_DEADLINE_S} s")
        time.sleep(0.1)


def measure(system, load, count, folder):
    running = system.start(folder, WRITTEN)
    try:
        wait_until_it_takes_messages(running)
        load.run(running.port, max(1000, count // 2), "Warm")
        cpu, written, begin = running.group.cpu_s(), machine.written_bytes(running.pid), time.monotonic()
        seen = load.run(running.port, count, "Measured")
        took = time.monotonic() - begin
        time.sleep(2)  # what is written late belongs to it too
        return {"CPU us": (running.group.cpu_s() - cpu) / count * 1e6, "written bytes": (machine.written_bytes(running.pid) - written) / count, "per second": count / took, **seen}
    finally:
        running.stop()


def can(system, load):
    version = system.version() or ""
    return not system.name.startswith("rocketmq") or tuple(map(int, version.split("."))) >= load.since


def page(results, titles, options, counts):
    lines = ["# Transactions, delays, retries and pops", "",
             "Beside real RocketMQ brokers on the same machine, one at a time, in alternation; acknowledged when it has left the process (ASYNC_FLUSH beside `ack = \"written\"`).",
             "The generator is one Python process, so rates say little; CPU is the broker's alone. Medians over rounds, in brackets the smallest and the largest.",
             "\"Times less\" is the median of the ratios within rounds, to Gantry.", ""]
    for name, by_system in results.items():
        load = LOADS[name]
        lines += [f"## {load.title}", "", f"{counts[name]:,} measured in each round.", "",
                  f"| system | CPU us per {load.operation} | times less | bytes written per {load.operation} | other |", "|---|---|---|---|---|"]
        own = by_system.get("gantry", {})
        for system, rounds in by_system.items():
            cpu = [r["CPU us"] for r in rounds.values()]
            ratios = [r["CPU us"] / own[n]["CPU us"] for n, r in rounds.items() if n in own]
            ratio = "" if system == "gantry" or not ratios else f"{statistics.median(ratios):.1f} ({min(ratios):.1f}-{max(ratios):.1f})"
            written = statistics.median(r["written bytes"] for r in rounds.values())
            keys = [k for k in next(iter(rounds.values())) if k not in ("CPU us", "written bytes", "per second")]
            other = ", ".join(f"{k} {statistics.median(r[k] for r in rounds.values()):g}" for k in keys)
            lines.append(f"| {titles[system]} | {statistics.median(cpu):.1f} ({min(cpu):.1f}-{max(cpu):.1f}) | {ratio} | {written:,.0f} | {other} |")
        lines.append("")
    lines += ["## How", "", "```", shlex.join(["bench/semantics.py", *options]), "```", "", f"{time.strftime('%Y-%m-%d')}.", ""]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gantry", default="build/release/gantry")
    parser.add_argument("--systems", default="gantry,rocketmq-4.9.7,rocketmq-5.5.0")
    parser.add_argument("--loads", default=",".join(LOADS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="times the usual number of operations")
    parser.add_argument("--heap", default="2g")
    parser.add_argument("--work-folder", default=tempfile.gettempdir())
    parser.add_argument("--publish", type=pathlib.Path)
    options = parser.parse_args()
    settings = systems.Settings(gantry=str(pathlib.Path(options.gantry).resolve()), loadgen="", nullserver="", heap=options.heap, rocketmq_conf={"waitTimeMillsInSendQueue": "60000"})
    try:
        chosen = [systems.make_system(name, settings) for name in options.systems.split(",")]
        loads = [LOADS[name] for name in options.loads.split(",")]
    except (ValueError, KeyError) as error:
        parser.error(str(error))
    counts = {load.name: max(1000, int(load.count * options.scale)) for load in loads}
    results = collections.OrderedDict((load.name, collections.OrderedDict()) for load in loads)
    for load in loads:
        for system in chosen:
            if can(system, load):
                results[load.name][system.name] = collections.OrderedDict()
    failed = False
    for number in range(options.rounds):
        for load in loads:
            for system in chosen if number % 2 == 0 else chosen[::-1]:
                if number >= load.most_rounds or not can(system, load):
                    continue
                folder = pathlib.Path(tempfile.mkdtemp(prefix="gantry-bench-", dir=options.work_folder))
                try:
                    seen = measure(system, load, counts[load.name], folder)
                except (LoadError, remoting.Closed, systems.BrokerError) as error:
                    print(f"round {number + 1}, {load.name}, {system.name}: FAILED: {error}", flush=True)
                    failed = True
                    continue
                results[load.name][system.name][number] = seen
                print(f"round {number + 1}, {load.name}, {system.name}: " + ", ".join(f"{k} {v:.4g}" for k, v in seen.items()), flush=True)
    for by_system in results.values():
        for name in [n for n, rounds in by_system.items() if not rounds]:
            del by_system[name]
    if options.publish:
        titles = {system.name: system.title for system in chosen}
        options.publish.write_text(page({n: r for n, r in results.items() if r}, titles, sys.argv[1:], counts))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
