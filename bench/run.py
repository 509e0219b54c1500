#!/usr/bin/env python3
"""Measures Gantry beside real RocketMQ brokers on this machine, in pairs.

Every round starts each system once on an empty store, in alternating order, warms it up, loads it with the same
generator and reads what the kernel counted. Results are ratios within rounds. See bench/README.md.
"""

import argparse
import dataclasses
import datetime
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from pairs import machine, page
from pairs.slot import Slot
from pairs.summary import summarize
from pairs.systems import REPOSITORY, BrokerError, NullServer, Settings, make_system
from pairs.workloads import DURABLE, WRITTEN, chosen

FORMAT = 1  # of the raw results; raised when their meaning changes
MIN_FREE_GB = 30
QUICK = {"rounds": 2, "seconds": 3, "warm_seconds": 3, "warm_limit": 15, "warm_messages": 150_000, "idle_seconds": 2}


@dataclasses.dataclass
class Plan:
    """Lengths in seconds and limits as shares of a core."""

    settings: Settings
    work_folder: str
    generator_cpus: str
    window_s: float
    pre_s: float
    warm_window_s: float
    warm_messages: int
    warm_limit_s: float
    idle_s: float
    calls_s: float
    null_s: float
    max_messages: int
    warm_spread: float
    others_limit: float
    stolen_limit: float = 0.02
    generator_limit: float = 0.85
    null_capacity: float = 100_000

    @staticmethod
    def say(text):
        print(text, file=sys.stderr, flush=True)


def key_value(text):
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise argparse.ArgumentTypeError(f"'{text}' is not KEY=VALUE")
    return key, value


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--systems", default="gantry,rocketmq-4.9.7,rocketmq-5.5.0",
        help="comma-separated: gantry, null, rocketmq-VERSION, rocketmq-VERSION-tuned (default: %(default)s)")
    add("--base", help="system that the others are compared with (default: the first)")
    add("--workloads", default="default", help="comma-separated names, 'default' or 'all' (default: %(default)s)")
    add("--gantry", default=str(REPOSITORY / "build/release/gantry"), help="binary (default: build/release/gantry)")
    add("--tools", default=str(REPOSITORY / "build/release/bench"),
        help="folder of gantry-loadgen, gantry-nullserver and gantry-rawdisk (default: build/release/bench)")
    add("--rounds", type=int, default=10, help="pairs per workload (default: %(default)s)")
    add("--seconds", type=float, default=20, help="length of a measured window (default: %(default)s)")
    add("--max-messages", type=int, default=5_000_000, help="end of a window by count (default: %(default)s)")
    add("--warm-messages", type=int, default=500_000, help="least messages of a warm-up (default: %(default)s)")
    add("--warm-seconds", type=float, default=10, help="length of a warm-up window (default: %(default)s)")
    add("--warm-spread", type=float, default=0.05,
        help="largest difference between two windows of a finished warm-up (default: %(default)s)")
    add("--warm-limit", type=float, default=120, help="longest warm-up in seconds (default: %(default)s)")
    add("--idle-seconds", type=float, default=5, help="rest before and after load, for idle figures (default: %(default)s)")
    add("--quick", action="store_true", help="2 rounds of short windows: shows that it works, proves nothing")
    add("--heap", default="2g", help="Java heap of the brokers (default: %(default)s)")
    add("--rocketmq-conf", type=key_value, action="append", default=[], metavar="KEY=VALUE",
        help="line for broker.conf, repeatable")
    add("--broker-cpus", default="", metavar="LIST", help="pin brokers, for example 0 (default: not pinned)")
    add("--generator-cpus", default="", metavar="LIST", help="pin the generator, for example 1 (default: not pinned)")
    add("--work-folder", default=tempfile.gettempdir(), help="where stores are made and removed (default: %(default)s)")
    add("--others-limit", type=float, default=0.05, help="share of a core at which other processes void a window")
    add("--keep-voided", action="store_true", help="let voided windows count; the page says so")
    add("--out", default=str(REPOSITORY / "build/bench-result.json"),
        help="raw results, rewritten after each slot (default: build/bench-result.json)")
    add("--publish", metavar="FILE.md", help="also write the results as a page")
    add("--from", dest="source", metavar="RESULT.json", help="measure nothing, take raw results from this file")
    options = parser.parse_args(arguments)
    if options.quick:
        parser.set_defaults(**QUICK)
        options = parser.parse_args(arguments)
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("--rounds and --seconds must be above 0")
    return parser, options


def find_tools(options):
    """Paths of the three native tools. Raises ValueError naming what is missing and how to build it."""
    found = {}
    for name in ("gantry-loadgen", "gantry-nullserver", "gantry-rawdisk"):
        path = pathlib.Path(options.tools) / name
        if not path.is_file():
            raise ValueError(f"{path} is missing; build it (cmake --build BUILD --target {name}) or name its folder "
                             "with --tools")
        found[name] = str(path.resolve())
    return found


def measure_disk(rawdisk, folder):
    """What one pipelined durable writer reaches in the folder of the stores, on a recycled and a fresh file."""
    found = {}
    for state in ("recycled", "fresh"):
        command = [rawdisk, "--file", f"{folder}/gantry-bench-raw", "--block", "64K", "--depth", "4", "--seconds", "2",
                   "--json"] + (["--fresh"] if state == "fresh" else [])
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
        found[state] = json.loads(done.stdout)
    return found


def order_of(round_number, names):
    """ABC, CBA, ABC, ...: a drift of the machine meets first and last alike."""
    return names if round_number % 2 == 1 else names[::-1]


def require_space(folder):
    free_gb = shutil.disk_usage(folder).free / 1e9
    if free_gb < MIN_FREE_GB:
        raise BrokerError(f"{folder} has {free_gb:.0f} GB free; a slot may need {MIN_FREE_GB}. Choose --work-folder "
                          "elsewhere or lower --seconds and --max-messages")


def run_slot(plan, system, flush, workloads):
    require_space(plan.work_folder)
    plan.say(f"  {system.name}, {flush}")
    try:
        slot = Slot(plan, system, flush).run(workloads)
        for reason in slot["void"]:
            plan.say(f"    void: {reason}")
    except BrokerError as error:
        plan.say(f"    failed: {error}")
        slot = {"failed": str(error)}
    subprocess.run(["sync"], check=False)
    time.sleep(1)
    return slot


def run_round(plan, number, systems, workloads, tools, save):
    """One entry of the results per kind of flush."""
    for flush in (WRITTEN, DURABLE):
        here = [workload for workload in workloads if workload.flush == flush]
        if not here:
            continue
        plan.say(f"round {number}, {flush}")
        entry = {"round": number, "flush": flush, "order": [], "slots": {},
                 "null": Slot(plan, NullServer(plan.settings), flush).limits(here)}
        if flush == DURABLE:
            entry["disk"] = measure_disk(tools["gantry-rawdisk"], plan.work_folder)
        save(entry)
        for name in order_of(number, list(systems)):
            entry["order"].append(name)
            entry["slots"][name] = run_slot(plan, systems[name], flush, here)
            save(None)


def commit_id():
    done = subprocess.run(["git", "-C", str(REPOSITORY), "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def measure(options):
    tools = find_tools(options)
    settings = Settings(gantry=str(pathlib.Path(options.gantry).resolve()), loadgen=tools["gantry-loadgen"],
                        nullserver=tools["gantry-nullserver"], heap=options.heap, broker_cpus=options.broker_cpus,
                        rocketmq_conf=dict(options.rocketmq_conf))
    systems = {name: make_system(name, settings) for name in options.systems.split(",")}
    if "gantry" in systems and not pathlib.Path(settings.gantry).is_file():
        raise ValueError(f"{settings.gantry} is missing; build it or name it with --gantry")
    workloads = chosen(options.workloads.split(","))
    base = options.base or next(iter(systems))
    if base not in systems:
        raise ValueError(f"--base {base} is not among --systems")
    plan = Plan(settings=settings, work_folder=options.work_folder, generator_cpus=options.generator_cpus,
                window_s=options.seconds, pre_s=min(2.0, options.seconds / 4), warm_window_s=options.warm_seconds,
                warm_messages=options.warm_messages, warm_limit_s=options.warm_limit,
                idle_s=options.idle_seconds, calls_s=min(2.0, options.seconds), null_s=min(3.0, options.seconds),
                max_messages=options.max_messages, others_limit=options.others_limit,
                warm_spread=options.warm_spread)
    result = {"format": FORMAT, "date": datetime.date.today().isoformat(), "commit": commit_id(),
              "machine": machine.describe(options.work_folder), "base": base,
              "systems": {name: {"title": system.title, "version": system.version()} for name, system in systems.items()},
              "workloads": [workload.name for workload in workloads],
              "settings": {"rounds": options.rounds, "seconds": options.seconds, "warm_seconds": options.warm_seconds,
                           "warm_messages": options.warm_messages, "max_messages": options.max_messages,
                           "heap": options.heap, "rocketmq_conf": dict(options.rocketmq_conf),
                           "broker_cpus": options.broker_cpus, "generator_cpus": options.generator_cpus,
                           "warm_spread": options.warm_spread, "others_limit": options.others_limit, "quick": options.quick},
              "rounds": []}

    pathlib.Path(options.out).parent.mkdir(parents=True, exist_ok=True)

    def save(entry):
        if entry is not None:
            result["rounds"].append(entry)
        pathlib.Path(options.out).write_text(json.dumps(result) + "\n")

    for number in range(1, options.rounds + 1):
        run_round(plan, number, systems, workloads, tools, save)
    return result


def load_result(path):
    """Raw results of an earlier run. Raises ValueError for anything else."""
    result = json.loads(pathlib.Path(path).read_text())
    if not isinstance(result, dict) or result.get("format") != FORMAT:
        raise ValueError(f"{path} holds no results of this version of run.py")
    return result


def main(arguments=None):
    parser, options = parse_arguments(arguments)
    # An exit that unwinds, so that the brokers started here end too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        result = load_result(options.source) if options.source else measure(options)
    except ValueError as error:
        parser.error(str(error))
    except (BrokerError, OSError) as error:
        print(f"run.py: {error}", file=sys.stderr)
        return 1
    summary = summarize(result, options.keep_voided)
    print(page.tables(result, summary))
    if options.publish:
        pathlib.Path(options.publish).write_text(page.whole(result, summary))
    return 1 if summary["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
