"""From the raw results of all rounds to medians, ratios and the list of voided windows."""

from . import stats
from .workloads import WORKLOADS

_NULL_TAIL_LIMIT = 2.0  # a window is void when the null server's p99.9 of its round is this much above its median


def _rounds_of(result, system, workload):
    """Round number -> window."""
    found = {}
    for entry in result["rounds"]:
        window = entry["slots"].get(system, {}).get("windows", {}).get(workload)
        if window:
            found[entry["round"]] = window
    return found


def _noisy_rounds(result, workload):
    """Rounds in which even the null server was slow, with the reason."""
    tails = {}
    for entry in result["rounds"]:
        window = entry.get("null", {}).get(workload)
        if window:
            tails[entry["round"]] = window["load"]["latency_us"]["p99_9"]
    usual = stats.median_or_none(tails.values())
    return {number: f"null server's p99.9 was {tail:.0f} us beside a median of {usual:.0f} us"
            for number, tail in tails.items() if len(tails) > 2 and tail > _NULL_TAIL_LIMIT * usual}


def _void_slots(result, system, flush):
    """Round number -> reasons why the whole slot is void."""
    found = {}
    for entry in result["rounds"]:
        slot = entry["slots"].get(system, {})
        if entry["flush"] == flush and slot.get("void"):
            found[entry["round"]] = slot["void"]
    return found


def _valid(result, system, workload, keep_voided):
    windows = _rounds_of(result, system, workload)
    if keep_voided:
        return windows
    void = {*_noisy_rounds(result, workload), *_void_slots(result, system, WORKLOADS[workload].flush)}
    return {number: window for number, window in windows.items() if not window["void"] and number not in void}


def voided(result, workload):
    """(round, system or None, reason) of everything that does not count."""
    rows = [(number, None, reason) for number, reason in _noisy_rounds(result, workload).items()]
    for system in result["systems"]:
        for number, window in _rounds_of(result, system, workload).items():
            rows += [(number, system, reason) for reason in window["void"]]
    return sorted(rows, key=lambda row: (row[0], row[1] or ""))


def _absolute(windows):
    """Medians over the windows of one system; latency from the joined histograms."""
    loads = [window["load"] for window in windows]
    joined = stats.merge_histograms(load["histogram_ns"] for load in loads)

    def micros(share):
        value = stats.quantile(joined, share)
        return None if value is None else value / 1e3

    return {"windows": len(windows), "messages": sum(load["messages"] for load in loads),
            "cpu_us": stats.median_or_none(w["cpu_us"] for w in windows),
            "cpu_us_machine": stats.median_or_none(w["cpu_us_machine"] for w in windows),
            "messages_per_s": stats.median_or_none(load["messages_per_s"] for load in loads),
            "broker_core_share": stats.median_or_none(w["broker_core_share"] for w in windows),
            "generator_core_share": stats.median_or_none(load["generator_core_share"] for load in loads),
            "generator_bound": sum(w["generator_bound"] for w in windows),
            "device_flushes": stats.median_or_none(w["device_flushes"] for w in windows),
            "device_written_per_body": stats.median_or_none(w["device_written_per_body"] for w in windows),
            "written_per_body": stats.median_or_none(w["written_per_body"] for w in windows),
            "p50_us": micros(0.5), "p99_us": micros(0.99), "p99_9_us": micros(0.999),
            "below_1ms": stats.share_below(joined, 1_000_000)}


def _ratios(result, base, workload, keep_voided):
    """For every other system: how many times more CPU it takes, how many times fewer messages it passes."""
    mine = _valid(result, base, workload, keep_voided)
    found = {}
    for system in result["systems"]:
        if system == base:
            continue
        theirs = _valid(result, system, workload, keep_voided)
        both = sorted(mine.keys() & theirs.keys())
        found[system] = {
            "cpu": stats.paired_ratio([(theirs[n]["cpu_us"], mine[n]["cpu_us"]) for n in both]),
            "cpu_machine": stats.paired_ratio([(theirs[n]["cpu_us_machine"], mine[n]["cpu_us_machine"]) for n in both]),
            "rate": stats.paired_ratio([(mine[n]["load"]["messages_per_s"], theirs[n]["load"]["messages_per_s"])
                                        for n in both])}
    return found


def _slot_values(result, system, read):
    values = []
    for entry in result["rounds"]:
        slot = entry["slots"].get(system)
        if slot and "failed" not in slot:
            values.append(read(slot))
    return [value for value in values if value is not None]


def _footprint(result, system):
    """Start time, memory and idle CPU: medians over all slots."""
    def memory(when, part):
        return stats.median_or_none(_slot_values(result, system, lambda slot: slot[when].get(part)))
    return {"start_s": stats.median_or_none(_slot_values(result, system, lambda slot: slot["start_s"])),
            "slots": len(_slot_values(result, system, lambda slot: slot["start_s"])),
            "idle_mb": memory("idle_memory_mb", "resident"), "idle_anonymous_mb": memory("idle_memory_mb", "anonymous"),
            "loaded_mb": memory("loaded_memory_mb", "resident"),
            "loaded_anonymous_mb": memory("loaded_memory_mb", "anonymous"),
            "peak_mb": memory("loaded_memory_mb", "peak"),
            "idle_cpu_share": stats.median_or_none(_slot_values(result, system, lambda slot: slot["idle_cpu_share"]))}


# What is compared per slot, beside the loads: name and where it stands in a slot's data.
SLOT_MEASURES = {
    "start to first accepted message": lambda slot: slot["start_s"],
    "resident memory, idle": lambda slot: slot["idle_memory_mb"].get("resident"),
    "resident memory, after load": lambda slot: slot["loaded_memory_mb"].get("resident"),
    "system calls per message, send 1 KiB 4x32": lambda slot: slot["calls"].get("send-1k", {}).get("system_calls"),
    "system calls per message, durable": lambda slot: slot["calls"].get("durable-1k", {}).get("system_calls"),
    "context switches per message, send 1 KiB 4x32": lambda slot: slot["calls"].get("send-1k", {}).get("context_switches"),
    "context switches per message, durable": lambda slot: slot["calls"].get("durable-1k", {}).get("context_switches"),
}


def _slot_ratios(result, base):
    """For every measure and other system: paired ratio over rounds and flush classes, where both are above 0."""
    found = {}
    for name, read in SLOT_MEASURES.items():
        for system in result["systems"]:
            pairs = []
            for entry in result["rounds"]:
                both = [entry["slots"].get(one) for one in (system, base)]
                values = [read(slot) for slot in both if slot and "failed" not in slot]
                if len(values) == 2 and all(values):
                    pairs.append(tuple(values))
            if system != base and pairs:
                found.setdefault(name, {})[system] = stats.paired_ratio(pairs)
    return found


def _calls(result, system, workload):
    counts = _slot_values(result, system, lambda slot: slot["calls"].get(workload))
    return {key: stats.median_or_none(count[key] for count in counts) for key in ("system_calls", "context_switches")}


def summarize(result, keep_voided=False):
    """Everything that the page shows, as plain data."""
    base = result["base"]
    summary = {"base": base, "kept_voided": keep_voided, "workloads": {},
               "slot_ratios": _slot_ratios(result, base),
               "footprint": {system: _footprint(result, system) for system in result["systems"]}}
    for name in result["workloads"]:
        systems = {system: _absolute(list(_valid(result, system, name, keep_voided).values()))
                   for system in result["systems"]}
        null = [entry["null"][name] for entry in result["rounds"] if name in entry.get("null", {})]
        one = {"systems": systems, "null": _absolute(null) if null else None,
               "ratios": _ratios(result, base, name, keep_voided), "voided": voided(result, name)}
        if WORKLOADS[name].counts_calls:
            one["calls"] = {system: _calls(result, system, name) for system in result["systems"]}
        summary["workloads"][name] = one
    summary["void_slots"] = [(entry["round"], entry["flush"], system, reason) for entry in result["rounds"]
                             for system, slot in entry["slots"].items()
                             for reason in [*slot.get("void", []), *([slot["failed"]] if "failed" in slot else [])]]
    summary["failed"] = [(entry["round"], system, slot["failed"]) for entry in result["rounds"]
                         for system, slot in entry["slots"].items() if "failed" in slot]
    disks = [entry["disk"] for entry in result["rounds"] if entry.get("disk")]
    summary["disk"] = {state: {key: stats.median_or_none(disk[state][key] for disk in disks)
                               for key in ("mb_per_s", "cpu_us_per_mib")} for state in disks[0]} if disks else None
    return summary
