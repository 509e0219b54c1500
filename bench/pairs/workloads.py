"""The loads that are measured."""

import dataclasses

WRITTEN = "written"  # acknowledged when it has left the process: ASYNC_FLUSH beside ack = "written"
DURABLE = "durable"  # acknowledged when it is flushed: SYNC_FLUSH beside ack = "durable"
QUEUES = 16


@dataclasses.dataclass(frozen=True)
class Workload:
    """One load and how it is called in results."""

    name: str
    title: str
    flush: str
    mode: str = "send"
    connections: int = 4
    depth: int = 32
    size: int = 1024
    rate: float = 0  # open loop, messages/s
    capacity_share: float = 0  # open loop at this share of the rate that WARM_UP reached in the same slot
    properties: tuple = ()  # of stored messages, as --property takes them
    expression: str = ""  # SQL92, of pulls
    stock: int = 400_000  # messages stored for the pulls to find
    counts_calls: bool = False  # also count system calls and context switches, in a run of its own

    @property
    def topic(self):
        return "Bench_" + self.name.replace("-", "_")

    def generator_arguments(self, capacity=None):
        """Arguments of gantry-loadgen without address, length and output form."""
        arguments = [self.mode, "--topic", self.topic, "--queues", str(QUEUES),
                     "--connections", str(self.connections)]
        if self.mode == "pull":
            filtered = ["--expression", self.expression] if self.expression else []
            return arguments + ["--depth", str(self.depth), "--batch", "32"] + filtered
        for text in self.properties:
            arguments += ["--property", text]
        arguments += ["--size", str(self.size)]
        rate = self.rate or self.capacity_share * (capacity or 0)
        return arguments + (["--rate", f"{rate:.0f}"] if rate else ["--depth", str(self.depth)])


WORKLOADS = {w.name: w for w in (
    Workload("send-1k", "send 1 KiB, 4 connections x 32 in flight", WRITTEN, counts_calls=True),
    Workload("send-128", "send 128 B, 4 connections x 32 in flight", WRITTEN, size=128),
    Workload("send-1k-16x1", "send 1 KiB, 16 connections x 1 in flight", WRITTEN, connections=16, depth=1),
    Workload("send-1k-1x1", "send 1 KiB, 1 connection x 1 in flight", WRITTEN, connections=1, depth=1),
    Workload("pull-new-128", "pull 32 x 128 B of the newest 60,000 messages, 4 connections x 4 in flight", WRITTEN, mode="pull", depth=4, size=128, stock=60_000),
    Workload("pull-128", "pull 32 x 128 B, 4 connections x 4 in flight", WRITTEN, mode="pull", depth=4, size=128),
    Workload("pull-sql-128", "pull 128 B by three SQL92 terms that every tenth message matches, 4 connections x 4 in flight", WRITTEN, mode="pull", depth=4,
             size=128, properties=("n=%10", "color=red", "price=12.5"), expression="n = 3 AND color = 'red' AND price BETWEEN 10.0 AND 20.5"),
    Workload("durable-1k", "durable send 1 KiB, 4 connections x 32 in flight", DURABLE, counts_calls=True),
    Workload("send-16k", "send 16 KiB, 4 connections x 32 in flight", WRITTEN, size=16384),
    Workload("open-2k", "send 1 KiB, open loop at 2,000/s", WRITTEN, rate=2000),
    Workload("open-20", "send 1 KiB, open loop at 20% of own capacity", WRITTEN, capacity_share=0.2),
    Workload("durable-1k-16x1", "durable send 1 KiB, 16 connections x 1 in flight", DURABLE, connections=16, depth=1),
    Workload("durable-open-2k", "durable send 1 KiB, open loop at 2,000/s", DURABLE, rate=2000),
)}

DEFAULT = ["send-1k", "send-128", "send-1k-16x1", "send-1k-1x1", "pull-new-128", "pull-128", "durable-1k"]

# What every system is warmed up with, in its own topic.
WARM_UP = {flush: Workload("warm-up", "warm-up", flush) for flush in (WRITTEN, DURABLE)}


def chosen(names):
    """Workloads by name; `all` and `default` are lists. Raises ValueError naming an unknown one."""
    picked = []
    for name in names:
        group = {"all": list(WORKLOADS), "default": DEFAULT}.get(name, [name])
        for one in group:
            if one not in WORKLOADS:
                raise ValueError(f"unknown workload '{one}'; there are: all, default, {', '.join(WORKLOADS)}")
            if WORKLOADS[one] not in picked:
                picked.append(WORKLOADS[one])
    return picked
