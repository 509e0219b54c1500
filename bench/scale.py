#!/usr/bin/env python3
"""What many queues, many idle connections and a long backlog cost.

  scale.py queues      [--many 1000000] [--rounds 5]     throughput and CPU under Zipf with 10 queues and with many; memory and files per idle queue; restart
  scale.py connections [--many 100000]                   memory per connection that only stays open
  scale.py backlog     [--messages 1000000,10000000]     memory, send p99 and restart as the backlog grows
  scale.py cold        [--limit-mb 1024] [--rounds 5]    tail's sends while another group reads a backlog larger than the broker's memory limit

Common: [--gantry build/release/gantry] [--loadgen build/release/bench/gantry-loadgen] [--work-folder /tmp]. Prints one line per number, the raw figures of each
round before the ratio. Two brokers that are compared run side by side and are loaded in turns, so the idle one's cost is part of neither.
"""
import argparse
import json
import os
import pathlib
import random
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support" / "python"))
sys.path.insert(0, str(ROOT / "bench"))
import remoting  # noqa: E402
from pairs import machine  # noqa: E402

QUEUES_PER_TOPIC = 1000
ZIPF = "0.99"


class Broker:
    """A Gantry of its own in a control group of its own."""

    def __init__(self, options, name, extra_protocol=""):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"gantry-scale-{name}-", dir=options.work_folder))
        self.options = options
        self.gantry = remoting.Gantry(str(options.gantry), str(self.folder), "written", extra_protocol=extra_protocol)
        self.gantry.start()

    @property
    def pid(self):
        return self.gantry.process.pid

    def load(self, verb, *arguments, timeout_s=1200):
        """One run of the generator: its result with the CPU time that the broker used, us per message."""
        before = machine.process_cpu_s(self.pid)
        command = [str(self.options.loadgen), verb, "--broker", f"127.0.0.1:{self.gantry.port}", "--json", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s)
        if done.returncode != 0:
            raise SystemExit(f"the generator failed ({done.returncode}): {done.stdout}{done.stderr}")
        result = json.loads(done.stdout.splitlines()[-1])
        result["cpu_us"] = (machine.process_cpu_s(self.pid) - before) / max(result["messages"], 1) * 1e6
        return result

    def memory_mb(self):
        return machine.memory_mb(self.pid)["anonymous"]

    def restart_s(self, end):
        """From exec to the reply of a send."""
        end()
        begin = time.monotonic()
        self.gantry.start(timeout_s=300)
        conn = remoting.Connection(self.gantry.port)
        code, _, remark, _ = conn.call(remoting.SEND_V2, remoting.send_fields("AfterRestart", 0), b"first")
        if code != 0:
            raise SystemExit(f"the first send after a restart answered {code}: {remark}")
        conn.close()
        return time.monotonic() - begin

    def files(self):
        return sum(1 for _, _, names in os.walk(self.folder) for _ in names)

    def remove(self):
        if self.gantry.alive():
            self.gantry.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def quartiles(values):
    values = sorted(values)
    return f"{statistics.median(values):.3f} ({values[0]:.3f}-{values[-1]:.3f}, {len(values)} rounds)"


def queues(options):
    topics = max(1, options.many // QUEUES_PER_TOPIC)
    many = min(options.many, QUEUES_PER_TOPIC)
    few, lots = Broker(options, "few"), Broker(options, "many")
    shapes = {few: ["--topic", "Few", "--queues", 10], lots: ["--topic", "Many", "--topics", topics, "--queues", many]}
    try:
        empty_mb = lots.memory_mb()
        conn = remoting.Connection(lots.gantry.port, timeout_s=60)
        for i in range(topics):
            fields = {"topic": f"Many-{i}" if topics > 1 else "Many", "defaultTopic": "TBW102", "readQueueNums": many, "writeQueueNums": many, "perm": 6,
                      "topicFilterType": "SINGLE_TAG", "topicSysFlag": 0, "order": "false"}
            code, _, remark, _ = conn.call(17, fields)
            if code != 0:
                raise SystemExit(f"making topic {i} answered {code}: {remark}")
        conn.close()
        count = topics * many
        print(f"{count} queues, none used: {(lots.memory_mb() - empty_mb) * 1e6 / count:.0f} B of memory each, {lots.files()} files")
        lots.load("send", *shapes[lots], "--size", 100, "--count", count, "--seconds", 600)
        # Until the segment that holds those messages is sealed, its index is in memory too. Other messages push it out.
        few.load("send", *shapes[few], "--size", 100, "--count", 1000, "--seconds", 600)
        few_mb = few.memory_mb()
        for broker in (few, lots):
            broker.load("send", "--topic", "Filler", "--size", 16384, "--count", 60_000, "--seconds", 600)
        grown_mb = lots.memory_mb() - few.memory_mb()
        print(f"{count} queues with one old message each: {grown_mb * 1e6 / count:.0f} B of memory each "
              f"({lots.memory_mb():.1f} MB beside {few.memory_mb():.1f} MB, {few_mb:.1f} before), {lots.files()} files beside {few.files()}")
        rates, costs = [], []
        for number in range(options.rounds + 1):
            got = {}
            for broker in random.sample([few, lots], 2):
                got[broker] = broker.load("send", *shapes[broker], "--no-create", "--zipf", ZIPF, "--size", 1024, "--seconds", options.seconds)
            if number == 0:
                continue  # warm-up
            rates.append(got[lots]["messages_per_s"] / got[few]["messages_per_s"])
            costs.append(got[lots]["cpu_us"] / got[few]["cpu_us"])
            print(f"  round {number}: 10 queues {got[few]['messages_per_s']:.0f}/s {got[few]['cpu_us']:.2f} us; {count} queues {got[lots]['messages_per_s']:.0f}/s {got[lots]['cpu_us']:.2f} us")
        print(f"throughput with {count} queues beside 10, Zipf {ZIPF}: {quartiles(rates)}; CPU per message {quartiles(costs)}")
        for name, end in (("kill -9", lots.gantry.kill), ("clean stop", lots.gantry.stop)):
            print(f"{count} queues, first send after {name}: {lots.restart_s(end):.3f} s; {lots.memory_mb():.1f} MB")
    finally:
        few.remove()
        lots.remove()


def connections(options):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    want = options.many + 200
    if hard < want:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (want, want))
        except (OSError, ValueError):
            raise SystemExit(f"{options.many} connections need {want} open files, the limit is {hard}; run as root or raise `ulimit -n`") from None
    else:
        resource.setrlimit(resource.RLIMIT_NOFILE, (want, hard))
    broker = Broker(options, "connections", f"max_connections = {options.many + 100}")
    open_sockets = []
    try:
        empty = machine.memory_mb(broker.pid)
        begin = time.monotonic()
        frame = remoting.Connection(broker.gantry.port).frame(remoting.ROUTE, {"topic": "TBW102"})[0]
        for i in range(options.many):
            one = socket.socket()
            one.bind((f"127.0.1.{1 + i // 20000}", 0))
            one.connect(("127.0.0.1", broker.gantry.port))
            one.sendall(frame)  # each has been served once
            open_sockets.append(one)
            if i % 64 == 63:
                for earlier in open_sockets[-64:]:
                    if not earlier.recv(65536):
                        raise SystemExit(f"connection {i} was closed by the broker")
        took = time.monotonic() - begin
        full = machine.memory_mb(broker.pid)
        print(f"{options.many} idle connections, each served once, opened in {took:.1f} s: {(full['anonymous'] - empty['anonymous']) * 1e6 / options.many:.0f} B of user memory each, "
              f"{full['resident']:.1f} MB resident")
        before = machine.process_cpu_s(broker.pid)
        time.sleep(20)
        print(f"CPU while they only stay open: {(machine.process_cpu_s(broker.pid) - before) / 20:.3%} of a core")
    finally:
        for one in open_sockets:
            one.close()
        broker.remove()


def backlog(options):
    broker, stored = Broker(options, "backlog"), 0
    try:
        for goal in options.messages:
            while stored < goal:
                stored += broker.load("send", "--topic", "Backlog", "--size", 128, "--count", goal - stored, "--seconds", 3600, timeout_s=3700)["messages"]
            load = broker.load("send", "--topic", "Backlog", "--size", 128, "--rate", 20_000, "--seconds", options.seconds)
            stored += load["messages"]
            memory = broker.memory_mb()
            times = {name: broker.restart_s(end) for name, end in (("kill -9", broker.gantry.kill), ("clean stop", broker.gantry.stop))}
            print(f"backlog of {stored} messages of 128 B: {memory:.1f} MB, sends at 20,000/s p99 {load['latency_us']['p99']:.0f} us, first send {times['kill -9']:.3f} s after kill -9, "
                  f"{times['clean stop']:.3f} s after a clean stop, {broker.memory_mb():.1f} MB then")
    finally:
        broker.remove()


def memory_group(limit_mb):
    """Folder of a new control group with that memory limit, or None."""
    for base in ("/sys/fs/cgroup/memory", "/sys/fs/cgroup"):
        folder = pathlib.Path(base) / f"gantry-scale-{os.getpid()}"
        try:
            folder.mkdir()
        except OSError:
            continue
        for name in ("memory.limit_in_bytes", "memory.max"):
            if (folder / name).exists():
                (folder / name).write_text(str(limit_mb << 20))
                return folder
        folder.rmdir()
    return None


def cold(options):
    group = memory_group(options.limit_mb)
    if group is None:
        raise SystemExit("no control group with a memory limit can be made here; run as root where /sys/fs/cgroup is writable")
    broker = Broker(options, "cold")
    try:
        (group / "cgroup.procs").write_text(str(broker.pid))
        count = (options.limit_mb << 20) * 3 // 1024
        broker.load("send", "--topic", "Cold", "--size", 1024, "--count", count, "--seconds", 1200, timeout_s=1300)
        tail = ["--topic", "Tail", "--size", 1024, "--rate", options.rate, "--seconds", options.seconds]
        ratios = []
        for number in range(options.rounds + 1):
            quiet = broker.load("send", *tail)
            reader = subprocess.Popen([str(options.loadgen), "pull", "--broker", f"127.0.0.1:{broker.gantry.port}", "--topic", "Cold", "--group", "cold_group", "--connections", "2",
                                       "--depth", "1", "--seconds", str(options.seconds + 2), "--json"], stdout=subprocess.PIPE, text=True)
            time.sleep(1)
            busy = broker.load("send", *tail)
            out, _ = reader.communicate(timeout=60)
            read = json.loads(out.splitlines()[-1])
            if number == 0:
                continue
            ratios.append(busy["latency_us"]["p99"] / quiet["latency_us"]["p99"])
            print(f"  round {number}: send p99 quiet {quiet['latency_us']['p99']:.0f} us, beside a cold reader {busy['latency_us']['p99']:.0f} us; it read {read['messages_per_s']:.0f}/s")
        print(f"p99 of sends at {options.rate}/s beside a cold reader, {options.limit_mb} MiB limit, {count} messages of 1 KiB: {quartiles(ratios)} of quiet; "
              f"{broker.memory_mb():.1f} MB used")
    finally:
        broker.remove()
        time.sleep(0.2)
        group.rmdir()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["queues", "connections", "backlog", "cold"])
    parser.add_argument("--gantry", default=ROOT / "build/release/gantry")
    parser.add_argument("--loadgen", default=ROOT / "build/release/bench/gantry-loadgen")
    parser.add_argument("--work-folder", default=tempfile.gettempdir())
    parser.add_argument("--many", type=int)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--messages", type=lambda text: [int(x) for x in text.split(",")], default=[1_000_000, 10_000_000])
    parser.add_argument("--limit-mb", type=int, default=1024)
    parser.add_argument("--rate", type=int, default=10_000, help="of the tail's sends, messages/s")
    options = parser.parse_args()
    if options.many is None:
        options.many = 100_000 if options.what == "connections" else 1_000_000
    {"queues": queues, "connections": connections, "backlog": backlog, "cold": cold}[options.what](options)


if __name__ == "__main__":
    main()
