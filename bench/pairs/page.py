"""Results as Markdown: tables for a terminal, a whole page for the documentation."""

from . import systems as brokers
from .workloads import DURABLE, WARM_UP, WORKLOADS, WRITTEN


def _number(value, digits=1, unit=""):
    if value is None:
        return "-"
    if abs(value) >= 1000 or digits == 0:
        return f"{value:,.0f}{unit}"
    return f"{value:.{digits}f}{unit}"


def _percent(value, digits=1):
    return "-" if value is None else f"{100 * value:.{digits}f}%"


def _ratio(ratio):
    """`12.3 (11.8-12.9)`: median and 95% interval."""
    if ratio is None:
        return "-"
    return f"{ratio['median']:.1f} ({ratio['low']:.1f}-{ratio['high']:.1f})"


def _range(ratio):
    return "-" if ratio is None else f"{ratio['min']:.1f}-{ratio['max']:.1f}"


def _table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]) + "\n"


def _titles(result):
    return {name: system["title"] for name, system in result["systems"].items()}


def _ratio_table(result, summary):
    titles = _titles(result)
    rows = []
    for name, one in summary["workloads"].items():
        for system, ratios in one["ratios"].items():
            rate = _ratio(ratios["rate"])
            if WORKLOADS[name].rate or WORKLOADS[name].capacity_share:
                rate = "-"
            elif one["systems"][summary["base"]]["generator_bound"]:
                rate = f"{rate} [g]" if ratios["rate"] else rate
            rows.append([WORKLOADS[name].title, titles[system], _ratio(ratios["cpu"]), _range(ratios["cpu"]),
                         _ratio(ratios["cpu_machine"]), rate, ratios["cpu"]["pairs"] if ratios["cpu"] else 0])
    return _table(["load", "beside", "CPU per message, times less", "min-max", "same, whole machine",
                   "messages/s, times more", "pairs"], rows)


def _slot_ratio_table(result, summary):
    titles = _titles(result)
    rows = [[measure, titles[system], _ratio(ratio), _range(ratio), ratio["pairs"]]
            for measure, systems in summary["slot_ratios"].items() for system, ratio in systems.items()]
    return _table(["measure", "beside", "times less", "min-max", "pairs"], rows)


def _load_tables(result, summary):
    titles, parts = _titles(result), []
    for name, one in summary["workloads"].items():
        rows = []
        for label, x in [*((titles[s], a) for s, a in one["systems"].items()), ("null server", one["null"])]:
            if x is None or not x["windows"]:
                rows.append([label] + ["-"] * 9)
                continue
            rows.append([label, _number(x["cpu_us"], 2), _number(x["cpu_us_machine"], 2),
                         _number(x["messages_per_s"], 0), _number(x["p50_us"], 0), _number(x["p99_us"], 0),
                         _number(x["p99_9_us"], 0), _percent(x["below_1ms"], 2), _number(x["written_per_body"], 2),
                         x["windows"]])
        parts.append(f"### {WORKLOADS[name].title}\n\n" + _table(
            ["system", "CPU us/message", "whole machine us/message", "messages/s", "p50 us", "p99 us", "p99.9 us",
             "below 1 ms", "bytes written / body bytes", "windows"], rows))
        if "calls" in one:
            parts.append("Per 1,000 messages:\n\n" + _table(
                ["system", "system calls", "context switches", "flushes of the disk",
                 "bytes on the disk / body bytes"],
                [[titles[system], _number(calls["system_calls"], 0), _number(calls["context_switches"], 0),
                  _number(one["systems"][system]["device_flushes"], 1),
                  _number(one["systems"][system]["device_written_per_body"], 2)] for system, calls in one["calls"].items()]))
    return "\n".join(parts)


def _footprint_table(result, summary):
    titles = _titles(result)
    rows = []
    for system, x in summary["footprint"].items():
        rows.append([titles[system], _number(x["start_s"], 2), _number(x["idle_mb"], 0),
                     _number(x["idle_anonymous_mb"], 0), _number(x["loaded_mb"], 0),
                     _number(x["loaded_anonymous_mb"], 0), _number(x["peak_mb"], 0), _percent(x["idle_cpu_share"]),
                     x["slots"]])
    return _table(["system", "start to first accepted message, s", "resident idle, MB", "of it anonymous",
                   "resident after load, MB", "of it anonymous", "peak, MB", "CPU right after load, of a core",
                   "starts"], rows)


def _disk_table(summary):
    if not summary["disk"]:
        return ""
    rows = [[state, _number(x["mb_per_s"], 0), _number(x["cpu_us_per_mib"], 0)] for state, x in summary["disk"].items()]
    return ("### Raw disk\n\n`gantry-rawdisk`, 64 KiB durable writes, 4 in flight:\n\n"
            + _table(["file", "MB/s", "CPU us/MiB"], rows))


def _void_section(result, summary):
    titles = _titles(result)
    rows = [[number, WORKLOADS[name].title, titles.get(system, "all"), reason]
            for name, one in summary["workloads"].items() for number, system, reason in one["voided"]]
    rows += [[number, f"all {flush} loads", titles[system], reason.splitlines()[0]]
             for number, flush, system, reason in summary["void_slots"]]
    rows.sort(key=lambda row: row[0])
    if not rows:
        return "None.\n"
    note = "These **do count** in the tables, by `--keep-voided`.\n\n" if summary["kept_voided"] else ""
    return note + _table(["round", "load", "system", "reason"], rows)


def tables(result, summary):
    """All figures, without the explanations."""
    return "\n".join(["## Ratios\n", _ratio_table(result, summary), _slot_ratio_table(result, summary), "## Loads\n", _load_tables(result, summary),
                      "## Start and memory\n", _footprint_table(result, summary), _disk_table(summary),
                      "## Voided\n", _void_section(result, summary)])


def _machine_table(result):
    machine, settings = result["machine"], result["settings"]
    pins = (f"brokers on {settings['broker_cpus'] or 'all cores'}, "
            f"generator on {settings['generator_cpus'] or 'all cores'}")
    rows = [["processor", f"{machine['cpu']}, {machine['cores']} cores"], ["memory", f"{machine['memory_gib']} GiB"],
            ["kernel", machine["kernel"]], ["store", f"{machine['file_system']} ({machine['mount_options']})"],
            ["cores", pins], ["commit", result["commit"]], ["date", result["date"]],
            ["versions", ", ".join(f"{s['title']}" + (f" ({s['version']})" if n == "gantry" and s["version"] else "")
                                   for n, s in result["systems"].items())]]
    return _table(["", ""], rows)


def _commands(result):
    settings = result["settings"]
    lines = [f"bench/run.py --rounds {settings['rounds']} --seconds {settings['seconds']:g} "
             f"--warm-seconds {settings['warm_seconds']:g} --warm-messages {settings['warm_messages']} \\",
             f"  --systems {','.join(result['systems'])} --workloads {','.join(result['workloads'])}"]
    for flag, value in (("--broker-cpus", settings["broker_cpus"]), ("--generator-cpus", settings["generator_cpus"])):
        if value:
            lines[-1] += f" {flag} {value}"
    for flag, value, usual in (("--warm-spread", settings["warm_spread"], 0.05),
                               ("--others-limit", settings["others_limit"], 0.05)):
        if value != usual:
            lines[-1] += f" {flag} {value:g}"
    for key, value in settings["rocketmq_conf"].items():
        lines[-1] += f" --rocketmq-conf {key}={value}"
    rows = []
    for name in result["workloads"]:
        workload = WORKLOADS[name]
        arguments = " ".join(workload.generator_arguments(capacity=1))
        if workload.capacity_share:
            arguments = arguments.replace("--rate 0", f"--rate R, R = {workload.capacity_share:g} of the warm-up's rate,")
        rows.append([workload.title, f"`gantry-loadgen {arguments} --broker HOST:PORT --seconds {settings['seconds']:g}`"])
    return "```\n" + "\n".join(lines) + "\n```\n\n" + _table(["load", "generator"], rows)


def _configurations(result):
    settings = brokers.Settings(gantry="gantry", loadgen="", nullserver="", heap=result["settings"]["heap"],
                                rocketmq_conf=result["settings"]["rocketmq_conf"])
    parts = []
    if "gantry" in result["systems"]:
        text = brokers.make_system("gantry", settings).config("DIR", "PORT", "NAMESERVER_PORT", WRITTEN)
        parts.append(f"Gantry (`ack = \"{DURABLE}\"` for the durable loads):\n\n```text\n{text}```\n")
    for name in result["systems"]:
        if name.startswith("rocketmq"):
            text = brokers.make_system(name, settings).config("DIR", 0, "NAMESERVER_PORT", WRITTEN)
            text = "".join(f"{line}\n" for line in text.splitlines() if not line.startswith(("listenPort", "haListen")))
            parts.append(f"{_titles(result)[name]} (`flushDiskType=SYNC_FLUSH` for the durable loads):\n\n```\n{text}```\n")
    heap = result["settings"]["heap"]
    options = " ".join(["java", f"-Xms{heap}", f"-Xmx{heap}", *brokers.JVM_OPTIONS])
    return "\n".join(parts) + f"\nBrokers in Java run as:\n\n```\n{options}\n```\n"


def _method(result):
    settings = result["settings"]
    return f"""A round starts every system once, on an empty store, one at a time; the order turns around from round to round. In
each slot the broker is warmed up with {WARM_UP[WRITTEN].size}-byte messages until at least
{settings['warm_messages']:,} have passed and two windows of {settings['warm_seconds']:g} s differ by less than
{settings['warm_spread']:.0%} in CPU per message.
All systems are warmed the same way. Then each load runs for {settings['seconds']:g} s or
{settings['max_messages']:,} messages, whichever is first. Pulls read messages stored just before, over and over: {WORKLOADS['pull-128'].stock:,}
where the load does not say how many, which is several times Gantry's caches in memory and lies in RocketMQ's page cache.

- **CPU per message**: user and system time of the broker process, from a control group of its own, over acknowledged
  (or delivered) messages. **Whole machine**: busy time of all cores less the generator and the runner, so that kernel
  threads working for the broker are in it, and so is everything else that ran.
- **Ratio**: median of the ratios within rounds, and in brackets a 95% interval from 10,000 bootstrap resamples;
  min-max is over all pairs. Above 1 is in {_titles(result)[result['base']]}'s favour.
- **Latency**: from sending to the reply in a closed loop; in an open loop from the moment a message was due. Histograms
  of all windows are joined before quantiles are read.
- **Durable** pairs SYNC_FLUSH with `ack = "durable"`; all others pair ASYNC_FLUSH with `ack = "written"`.
- **Start**: from starting the broker's process to the first message that it accepted, asked for every 5 ms. RocketMQ's
  name server is a process of its own, already runs then, and is in none of the figures; Gantry's is inside its process.
- **System calls** are counted by `perf stat -e raw_syscalls:sys_enter` (or `strace -c -f`) in a run of its own,
  context switches from `/proc/PID/task/*/status`. **Flushes** and **bytes on the disk** are the
  disk's own counts during the measured windows: they show that a durable broker flushes, and what it really writes. Those
  of other processes on the same disk are among them, and a write that the page cache still holds is not.
- **Bytes written** are what the kernel charged to the process (`write_bytes` of `/proc/PID/io`). For files written through
  memory maps it charges a whole folio of the page cache each time a flush has made it clean and it is touched again.
- **Null server**: accepts frames and answers with a prepared reply. What it reaches is the limit of sockets and generator.
- A window is **void** when a reply was no success, the host took more than 2% of a core, other processes used more than
  {settings['others_limit']:.0%} of a core, or the null server's p99.9 of that round was above twice its median. Void windows are
  listed and do not count.
"""


_LIMITS = """- Broker and generator share the machine's cores: messages/s is what both reach together. **[g]** marks loads in which
  the generator used more than 85% of a core beside the first system; there the ratio of messages/s is a lower bound.
  CPU per message does not depend on it.
- Closed loops hide waiting: their latency tells about capacity, the open loops tell about latency.
- Loopback has no network card and no packet loss, and its checksums cost nothing.
- A virtual disk may acknowledge a flush faster than a disk that holds its word: compare durable rates with the raw disk's.
- Resident memory counts file pages that are mapped; the anonymous part does not. The Java heap is fixed by `-Xms`/`-Xmx`,
  and a smaller one would be smaller here.
- Ratios travel between machines, absolute figures do not.
"""


def whole(result, summary):
    """The page for the documentation."""
    settings = result["settings"]
    quick = ("\n> Short windows (`--quick`): this shows that the measurement works. It is no basis for a claim.\n"
             if settings["quick"] else "")
    return "\n".join([
        "# Benchmarks\n",
        "Gantry beside real RocketMQ brokers: same machine, same generator, same messages, same flush class, "
        "measured in pairs. `bench/README.md` tells how to repeat it.\n" + quick,
        tables(result, summary),
        "## Machine\n", _machine_table(result),
        "## Commands\n", _commands(result),
        "## Configurations\n", _configurations(result),
        "## How it was measured\n", _method(result),
        "## Limits of the method\n", _LIMITS])
