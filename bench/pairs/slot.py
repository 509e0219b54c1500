"""One slot: a broker is started on an empty store, warmed up, measured under each load, and stopped."""

import csv
import io
import json
import pathlib
import shutil
import subprocess
import tempfile
import time

from . import machine
from .systems import BrokerError
from .workloads import WARM_UP, Workload

_START_DEADLINE_S = 90
_PROBE_S = 2  # after this long without an accepted message, look whether the broker still lives
_STOCK_LIMIT_S = 120
_GRACE_S = 60


class Slot:
    """Measures one running broker. `plan` carries the lengths and limits of the command line."""

    def __init__(self, plan, system, flush):
        self._plan = plan
        self._system = system
        self._flush = flush
        self._broker = None
        self._capacity = None
        self._stocked = set()  # workloads whose messages are stored

    def run(self, workloads):
        """Everything that one slot yields, as plain data."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix="gantry-bench-", dir=self._plan.work_folder))
        try:
            self._broker = self._system.start(folder, self._flush)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        try:
            result = {"start_s": self._wait_ready()}
            time.sleep(self._plan.idle_s)
            result["idle_memory_mb"] = machine.memory_mb(self._broker.pid)
            result["warm_up"] = self._warm_up()
            result["void"] = [] if result["warm_up"]["steady"] else ["the warm-up did not become steady in time"]
            result["windows"] = {w.name: self._window(w) for w in workloads}
            result["loaded_memory_mb"] = machine.memory_mb(self._broker.pid)
            result["calls"] = {w.name: self._count_calls(w) for w in workloads if w.counts_calls}
            result["idle_cpu_share"] = self._idle_cpu()
            return result
        finally:
            self._broker.stop()

    def limits(self, workloads):
        """The same loads without warm-up and extras: for the null server."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix="gantry-bench-", dir=self._plan.work_folder))
        self._broker = self._system.start(folder, self._flush)
        try:
            self._wait_ready()
            self._capacity = self._plan.null_capacity
            self._stocked = {w.name for w in workloads}
            return {w.name: self._measure(w, self._plan.null_s) for w in workloads}
        finally:
            self._broker.stop()

    def _snapshot(self):
        return machine.Snapshot.take(self._broker.pid, self._broker.group, self._plan.work_folder)

    def _generate(self, arguments, wrapper=()):
        """One run of the generator; its result object. Refused replies are in the result, not an exception."""
        pinned = ["taskset", "-c", self._plan.generator_cpus] if self._plan.generator_cpus else []
        command = [*wrapper, *pinned, self._plan.settings.loadgen, *arguments, "--broker", self._broker.address,
                   "--json"]
        longest_s = max(self._plan.window_s, self._plan.warm_window_s, _START_DEADLINE_S, _STOCK_LIMIT_S)
        done = subprocess.run(command, capture_output=True, text=True, timeout=longest_s + _GRACE_S)
        if not done.stdout.strip():
            self._broker.require_alive()
            raise BrokerError(f"{self._system.name}: the generator failed ({done.returncode}): {done.stderr.strip()}")
        return json.loads(done.stdout.splitlines()[-1]), done

    def _wait_ready(self):
        """Seconds from starting the process to the first message that it accepted."""
        arguments = ["probe", "--topic", "Bench_probe", "--queues", "1", "--deadline-seconds", str(_PROBE_S)]
        deadline = time.monotonic() + _START_DEADLINE_S
        while True:
            try:
                result, _ = self._generate(arguments)
                return (result["accepted_ns"] - self._broker.started_ns) / 1e9
            except BrokerError:
                self._broker.require_alive()
                if time.monotonic() > deadline:
                    raise

    def _measure(self, workload, seconds):
        """One window: what the generator says and what the kernel counted meanwhile."""
        arguments = workload.generator_arguments(self._capacity)
        arguments += ["--seconds", str(seconds), "--count", str(self._plan.max_messages), "--histogram"]
        before = self._snapshot()
        load, _ = self._generate(arguments)
        spent = self._snapshot() - before
        messages = max(load["messages"], 1)
        broker_s = spent.process_s if spent.group_s is None else spent.group_s
        others_s = spent.busy_s - spent.kernel_s - broker_s - spent.children_s - spent.own_s
        window = {"load": load, "seconds": spent.at_s,
                  "cpu_us": broker_s / messages * 1e6,
                  "cpu_source": "ticks" if spent.group_s is None else "cgroup",
                  "cpu_us_machine": (spent.busy_s - spent.children_s - spent.own_s) / messages * 1e6,
                  "broker_core_share": broker_s / spent.at_s,
                  "written_per_body": _share(spent.written, load["body_bytes"]),
                  "device_written_per_body": _share(spent.device_written, load["body_bytes"]),
                  "device_flushes": _share(spent.device_flushes, messages / 1000),
                  "stolen_share": spent.stolen_s / spent.at_s, "others_share": others_s / spent.at_s}
        window["void"] = self._reasons_to_void(window)
        window["generator_bound"] = load["generator_core_share"] > self._plan.generator_limit
        return window

    def _reasons_to_void(self, window):
        load, reasons = window["load"], []
        if not load["clean"]:
            codes = ", ".join(f"{one['count']} x code {code}" for code, one in load["codes"].items())
            reasons.append(f"not every reply was a success: {codes or 'none came or some are missing'}")
        if window["stolen_share"] > self._plan.stolen_limit:
            reasons.append(f"the host took {window['stolen_share']:.1%} of a core")
        if window["others_share"] > self._plan.others_limit:
            reasons.append(f"other processes used {window['others_share']:.1%} of a core")
        return reasons

    def _warm_up(self):
        """Loads until enough messages have passed and two windows cost about the same; the history."""
        workload, history, total = WARM_UP[self._flush], [], 0
        deadline = time.monotonic() + self._plan.warm_limit_s
        while True:
            window = self._measure(workload, self._plan.warm_window_s)
            self._broker.require_alive()
            history.append({"messages": window["load"]["messages"], "cpu_us": window["cpu_us"],
                            "errors": window["load"]["errors"]})
            total += window["load"]["messages"]
            self._capacity = window["load"]["messages_per_s"]
            steady = len(history) > 1 and abs(history[-1]["cpu_us"] / history[-2]["cpu_us"] - 1) < self._plan.warm_spread
            if total >= self._plan.warm_messages and steady:
                return {"windows": history, "messages": total, "steady": True}
            if time.monotonic() > deadline:
                return {"windows": history, "messages": total, "steady": False}

    def _stock(self, workload):
        """Stores what the pulls will find."""
        self._stocked.add(workload.name)
        stock = Workload(workload.name, "stock", workload.flush, size=workload.size, properties=workload.properties)
        load, _ = self._generate(stock.generator_arguments() + ["--seconds", str(_STOCK_LIMIT_S), "--count", str(workload.stock)])
        if load["messages"] < workload.stock:
            raise BrokerError(f"{self._system.name}: only {load['messages']} of {workload.stock} messages could be stored")

    def _window(self, workload):
        if workload.mode == "pull" and workload.name not in self._stocked:
            self._stock(workload)
        if self._plan.pre_s > 0:
            self._measure(workload, self._plan.pre_s)
        window = self._measure(workload, self._plan.window_s)
        self._broker.require_alive()
        self._plan.say(f"    {workload.name}: {window['cpu_us']:.2f} us/message, "
                       f"{window['load']['messages_per_s']:,.0f}/s" + "".join(f"; void: {r}" for r in window["void"]))
        return window

    def _count_calls(self, workload):
        """System calls and context switches per 1,000 messages, in a run that is not timed."""
        pid = str(self._broker.pid)
        arguments = workload.generator_arguments(self._capacity) + ["--seconds", str(self._plan.calls_s),
                                                                   "--count", str(self._plan.max_messages)]
        switches = machine.context_switches(pid)
        if shutil.which("perf"):
            tool = ["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-p", pid, "--"]
            load, done = self._generate(arguments, tool)
            calls = _perf_count(done.stderr)
        else:
            load, _ = self._generate(arguments)
            calls = None
        switches = machine.context_switches(pid) - switches
        source = "perf"
        if calls is None and shutil.which("strace"):
            calls, source = self._count_with_strace(pid, arguments, load["messages"])
        per_1000 = max(load["messages"], 1) / 1000
        return {"system_calls": None if calls is None else calls / per_1000, "source": source,
                "context_switches": switches / per_1000}

    def _count_with_strace(self, pid, arguments, messages):
        """strace slows the broker down by far, so its count is scaled to the messages of the undisturbed run."""
        with tempfile.NamedTemporaryFile("r") as table:
            tracer = subprocess.Popen(["strace", "-c", "-U", "calls,name", "-f", "-o", table.name, "-p", pid],
                                      stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                time.sleep(1)
                load, _ = self._generate(arguments)
            finally:
                tracer.send_signal(2)
                tracer.wait(_GRACE_S)
            total = [line.split() for line in table.read().splitlines() if line.endswith("total")]
        if not total or not load["messages"]:
            return None, "strace"
        return int(total[0][0]) * messages / load["messages"], "strace"

    def _idle_cpu(self):
        """Share of a core that the broker uses right after load, with no client connected."""
        if self._plan.idle_s <= 0:
            return None
        before = self._snapshot()
        time.sleep(self._plan.idle_s)
        spent = self._snapshot() - before
        return (spent.process_s if spent.group_s is None else spent.group_s) / spent.at_s


def _share(part, whole):
    return part / whole if part is not None and whole else None


def _perf_count(text):
    """The count in `perf stat -x,` output; None when perf could not count."""
    for row in csv.reader(io.StringIO(text)):
        if len(row) > 2 and row[2].startswith("raw_syscalls"):
            return int(row[0]) if row[0].isdigit() else None
    return None
