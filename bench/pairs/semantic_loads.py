"""What applications ask for beyond sends and pulls, as loads over raw requests: transactions, delays, retries, pops.

A load is prepared and run with a number of operations against a broker's port, in topics named by `tag`. It returns what it saw beside the counts that the
runner takes from the kernel. The generator is a Python process: it limits the rate, not what an operation costs the broker.
"""

import dataclasses
import pathlib
import sys
import time
import typing

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "support" / "python"))
import remoting  # noqa: E402

BATCH, QUEUES, BODY_BYTES = 256, 4, 1024
END_TRANSACTION, COMMIT, ROLLBACK = 37, 8, 12
SEND_BACK, POP, ACK = 36, 200050, 200051
DEADLINE_S = 300


class LoadError(Exception):
    """A broker refused or lost something; the text says what."""


def _take(conn, n, what):
    replies = []
    for _ in range(n):
        opaque, code, fields, remark, _ = conn.receive()
        if code != 0:
            raise LoadError(f"{what} answered {code}: {remark}")
        replies.append((opaque, fields))
    return [fields for _, fields in sorted(replies, key=lambda r: r[0])]


def _batches(count):
    return ((first, min(BATCH, count - first)) for first in range(0, count, BATCH))


def _send(conn, topic, first, n, properties, sys_flag=0):
    """`properties(i)` is the text of message i. Replies in the order of the messages."""
    frames = []
    for i in range(first, first + n):
        fields = remoting.send_fields(topic, i % QUEUES, f"UNIQ_KEY\x01{i:032X}\x02{properties(i)}")
        fields["f"] = sys_flag
        frames.append(conn.frame(remoting.SEND_V2, fields, b"x" * BODY_BYTES)[0])
    conn.send_raw(b"".join(frames))
    return _take(conn, n, f"a send to {topic}")


class Tail:
    """Reads a topic from where it was left."""

    def __init__(self, port, group, topic):
        self.conn, self.group, self.topic = remoting.Connection(port, timeout_s=60), group, topic
        self.offsets = [0] * QUEUES

    def read(self, queues=QUEUES):
        """What has come since the last call: (position in the log, record)."""
        out = []
        for queue in range(queues):
            while True:
                code, fields, _, body = self.conn.call(remoting.PULL, remoting.pull_fields(self.group, self.topic, queue, self.offsets[queue], count=32))
                if code != 0:
                    break
                out += zip(_positions(body), remoting.records(body))
                self.offsets[queue] = int(fields["nextBeginOffset"])
        return out

    def read_until(self, count, queues=QUEUES):
        out, deadline = [], time.monotonic() + DEADLINE_S
        while len(out) < count:
            out += self.read(queues)
            if time.monotonic() > deadline:
                raise LoadError(f"{self.topic}: {len(out)} of {count} messages came in {DEADLINE_S} s")
            if len(out) < count:
                time.sleep(0.05)
        return out


def _positions(body):
    at = 0
    while at < len(body):
        yield int.from_bytes(body[at + 28:at + 36], "big")
        at += int.from_bytes(body[at:at + 4], "big")


def transactions(port, count, tag):
    """Half messages, every other one committed."""
    topic, group = f"Transactions{tag}", "semantics-producers"
    conn = remoting.Connection(port, timeout_s=60)
    for first, n in _batches(count):
        halves = _send(conn, topic, first, n, lambda i: f"TRAN_MSG\x01true\x02PGROUP\x01{group}", 4)
        ends = []
        for i, half in enumerate(halves):
            ends.append(conn.frame(END_TRANSACTION, {"producerGroup": group, "tranStateTableOffset": half["queueOffset"], "commitLogOffset": int(half["msgId"][-16:], 16),
                                                     "commitOrRollback": ROLLBACK if i % 2 else COMMIT, "fromTransactionCheck": "false", "msgId": f"{first + i:032X}"})[0])
        conn.send_raw(b"".join(ends))
        _take(conn, n, "the end of a transaction")
    committed = sum((n + 1) // 2 for _, n in _batches(count))
    came = Tail(port, "semantics", topic).read_until(committed)
    if len(came) != committed:
        raise LoadError(f"{len(came)} messages of {committed} committed ones came")
    return {}


def delays(port, count, tag):
    """Messages due evenly over a minute that begins when the last one was sent."""
    topic = f"Delays{tag}"
    conn = remoting.Connection(port, timeout_s=60)
    begin_ms = int(time.time() * 1000) + 3000 + count // 8  # 8,000 a second is what the slowest side takes
    last_ms = begin_ms + min(60_000, max(1000, count // 4))
    for first, n in _batches(count):
        _send(conn, topic, first, n, lambda i: f"TIMER_DELIVER_MS\x01{begin_ms + i * (last_ms - begin_ms) // count}")
    if time.time() * 1000 > begin_ms:
        raise LoadError("the messages were not sent in time; take fewer of them")
    time.sleep(max(0.0, last_ms / 1000 - time.time()))
    late = sorted(record.store_ms - int(record.properties.get("TIMER_DELIVER_MS") or record.properties["TIMER_OUT_MS"]) for _, record in Tail(port, "semantics", topic).read_until(count))
    return {"late p50 ms": late[len(late) // 2], "late p99 ms": late[len(late) * 99 // 100], "earliest ms": late[0]}


def burst(port, count, tag):
    """Messages that are all due within one second, and a sender that goes on meanwhile."""
    topic = f"Burst{tag}"
    conn, live = remoting.Connection(port, timeout_s=60), remoting.Connection(port, timeout_s=60)
    begin_ms = int(time.time() * 1000) + 5000 + count // 8
    for first, n in _batches(count):
        _send(conn, topic, first, n, lambda i: f"TIMER_DELIVER_MS\x01{begin_ms + i % 1000}")
    if time.time() * 1000 > begin_ms:
        raise LoadError("the messages were not sent in time; take fewer of them")
    time.sleep(max(0.0, begin_ms / 1000 - time.time()))
    took, tail, came = [], Tail(port, "semantics", topic), 0
    deadline = time.monotonic() + DEADLINE_S
    while came < count:
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            at = time.monotonic()
            _send(live, f"Live{tag}", 0, 1, lambda i: "")
            took.append((time.monotonic() - at) * 1000)
        came += len(tail.read())
        if time.monotonic() > deadline:
            raise LoadError(f"{came} of {count} messages came in {DEADLINE_S} s")
    took.sort()
    return {"live send p99 ms": round(took[len(took) * 99 // 100], 2), "all there after ms": int(time.time() * 1000) - begin_ms}


def retries(port, count, tag):
    """Each message is consumed, given back twice with the shortest delay, and consumed for the last time."""
    topic, group = f"Retries{tag}", f"semantics-retries-{tag}"
    conn = remoting.Connection(port, timeout_s=60)
    for first, n in _batches(count):
        _send(conn, topic, first, n, lambda i: "")
    tail, queues = Tail(port, group, topic), QUEUES
    for _ in range(2):
        came = tail.read_until(count, queues)
        for first, n in _batches(count):
            frames = [conn.frame(SEND_BACK, {"offset": position, "group": group, "delayLevel": 1, "originMsgId": record.properties["UNIQ_KEY"], "originTopic": record.topic,
                                             "unitMode": "false", "maxReconsumeTimes": 16})[0] for position, record in came[first:first + n]]
            conn.send_raw(b"".join(frames))
            _take(conn, n, "a message given back")
        if queues == QUEUES:
            tail, queues = Tail(port, group, f"%RETRY%{group}"), 1
    tail.read_until(count, 1)
    return {}


def pops(port, count, tag):
    """Popped 32 at a time and acknowledged one by one; every hundredth acknowledgement of a first delivery is lost."""
    topic, group, invisible_ms = f"Pops{tag}", f"semantics-pops-{tag}", 10_000
    conn = remoting.Connection(port, timeout_s=60)
    for first, n in _batches(count):
        _send(conn, topic, first, n, lambda i: "")
    acknowledged, deliveries, deadline = set(), 0, time.monotonic() + DEADLINE_S
    while len(acknowledged) < count:
        if time.monotonic() > deadline:
            raise LoadError(f"{len(acknowledged)} of {count} messages were acknowledged in {DEADLINE_S} s")
        code, fields, remark, body = conn.call(POP, {"consumerGroup": group, "topic": topic, "queueId": -1, "maxMsgNums": 32, "invisibleTime": invisible_ms, "pollTime": 1000,
                                                     "bornTime": int(time.time() * 1000), "initMode": 0, "expType": "TAG", "exp": "*", "order": "false"})
        if code in (209, 210):
            continue
        if code != 0:
            raise LoadError(f"a pop answered {code}: {remark}")
        starts = {tuple(part.split(" ")[:2]): part.split(" ")[2] for part in fields["startOffsetInfo"].split(";")}
        frames = []
        for record in remoting.records(body):
            deliveries += 1
            number = int(record.properties["UNIQ_KEY"], 16)
            if number % 100 == 0 and record.reconsume_times == 0:
                continue
            handle = record.properties.get("POP_CK") or (f"{starts[('0', str(record.queue))]} {fields['popTime']} {fields['invisibleTime']} {fields['reviveQid']} 0 broker-a "
                                                         f"{record.queue} {record.queue_offset}")
            real = topic if handle.split(" ")[4] == "0" else f"%RETRY%{group}_{topic}"
            frames.append(conn.frame(ACK, {"consumerGroup": group, "topic": real, "queueId": handle.split(" ")[6], "offset": handle.split(" ")[7], "extraInfo": handle})[0])
            acknowledged.add(number)
        conn.send_raw(b"".join(frames))
        _take(conn, len(frames), "an acknowledgement")
    return {"deliveries": deliveries}


@dataclasses.dataclass(frozen=True)
class Load:
    name: str
    title: str
    operation: str
    run: typing.Callable
    count: int        # operations by default
    since: tuple = () # first RocketMQ version that can do it
    most_rounds: int = 1000  # one that takes minutes for each system is not repeated as often as the others


LOADS = {load.name: load for load in (
    Load("transactions", "transactions of 1 KiB, every other one committed, the rest rolled back", "transaction", transactions, 50_000),
    Load("delays", "1 KiB messages due evenly over a minute", "message", delays, 1_000_000, (5, 0, 0), most_rounds=1),
    Load("burst", "1 KiB messages due within one second, beside live sends", "message", burst, 100_000, (5, 0, 0)),
    Load("retries", "1 KiB messages given back twice, with a delay of 1 s", "message", retries, 30_000),
    Load("pops", "1 KiB messages popped 32 at a time; 1% of acknowledgements lost", "message", pops, 50_000, (5, 0, 0)),
)}
