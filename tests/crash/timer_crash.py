#!/usr/bin/env python3
"""kill -9 while messages wait for due times in any order, are delivered, and are taken back.

Each round: several connections send messages with due times of 0.2 to 4 s ahead and take every fifth one back, until the broker is killed. Some are due
while the broker is down; some are taken back at the very moment when they are due, or by a handle from before a crash. After the last round the test waits
until nothing is due any more and reads everything. Each message whose send was acknowledged was delivered exactly once, unless it was taken back: then
never, if that was acknowledged, and once at most, if its answer was lost. Nothing came before its time. What was under way when the broker died may be there or not, and once at most.

Usage: timer_crash.py GANTRY_BINARY LEVEL [--rounds N] [--seed S]
"""
import collections
import pathlib
import random
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support" / "python"))
import kill_rounds  # noqa: E402
import remoting  # noqa: E402

TOPIC, GROUP, QUEUES, CONNECTIONS, IN_FLIGHT = "TimerTopic", "timer-group", 4, 3, 16
RECALL, ILLEGAL_OPERATION, SYSTEM_BUSY = 370, 604, 2
QUIET_S = 30


class TimerCrash(kill_rounds.Scenario):
    busy_s = (0.1, 0.8)
    ahead_ms = (200, 4000)
    pause_s = (0, 0.02)  # of a connection, between two batches

    def __init__(self):
        super().__init__()
        self.sent = {}  # body -> due time in ms; acknowledged
        self.tried = {}  # the same, acknowledged or not
        self.recalled = set()  # taken back, acknowledged
        self.recall_tried = set()  # asked for, and perhaps done
        self.handles = []  # (due time, body, handle) of messages to be taken back when they are due
        self.late = 0  # refused: delivered already
        self.arrived = 0  # messages read at the end

    def clients(self, gantry, number, rng):
        return [threading.Thread(target=worker, args=(gantry, self, f"r{number}c{c}", random.Random(rng.getrandbits(64)))) for c in range(CONNECTIONS)]

    def finish(self, gantry):
        self.arrived = check(gantry, self)
        if not self.faults and not (self.recalled and self.arrived):
            self.faults.append("nothing was delivered or nothing taken back: this run says nothing")

    def summary(self):
        return f"{len(self.sent)} timed messages acknowledged, {self.arrived} delivered, {len(self.recalled)} taken back, {self.late} asked for too late"

    def fault(self, text):
        with self.lock:
            self.faults.append(text)


def timed(rng, range_ms):
    """A property that asks for a due time that far ahead, and the earliest one it may mean (the clock is that of this machine)."""
    ahead_ms, now_ms = rng.randrange(*range_ms), time.time() * 1000
    kind = rng.choice(("TIMER_DELAY_MS", "TIMER_DELIVER_MS", "__STARTDELIVERTIME", "TIMER_DELAY_SEC"))
    if kind == "TIMER_DELAY_SEC":
        return f"{kind}\x01{ahead_ms // 1000 + 1}", now_ms + (ahead_ms // 1000 + 1) * 1000
    if kind == "TIMER_DELAY_MS":
        return f"{kind}\x01{ahead_ms}", now_ms + ahead_ms
    due_ms = int(now_ms) + ahead_ms
    return f"{kind}\x01{due_ms}", due_ms


def take_back(conn, ledger, body, handle):
    with ledger.lock:
        ledger.recall_tried.add(body)
    code, fields, remark, _ = conn.call(RECALL, {"producerGroup": GROUP, "topic": TOPIC, "recallHandle": handle})
    if code == 0 and fields["msgId"] == body:
        with ledger.lock:
            ledger.recalled.add(body)
    elif code in (ILLEGAL_OPERATION, SYSTEM_BUSY):  # delivered already; the broker has just started
        with ledger.lock:
            ledger.recall_tried.discard(body)
            ledger.late += code == ILLEGAL_OPERATION
    else:
        ledger.fault(f"recall of '{body}' answered {code} {fields}: {remark}")


def around_due(ledger):
    """Takes out the handles whose recall meets the delivery, and forgets those that are long due."""
    now_ms = time.time() * 1000
    with ledger.lock:
        chosen = [(body, handle) for due_ms, body, handle in ledger.handles if abs(due_ms - now_ms) < 8]
        ledger.handles = [each for each in ledger.handles if each[0] - now_ms >= 8]
    return chosen


def worker(gantry, ledger, name, rng):
    """Sends, and takes back some of what was acknowledged, until the connection dies."""
    try:
        conn = remoting.Connection(gantry.port)
        number = 0
        while not ledger.faults:
            under_way = {}
            batch = b""
            for _ in range(IN_FLIGHT):
                number += 1
                body = f"{name}-{number}"
                prop, due_ms = timed(rng, ledger.ahead_ms)
                frame, opaque = conn.frame(remoting.SEND_V2, remoting.send_fields(TOPIC, rng.randrange(QUEUES), f"{prop}\x02UNIQ_KEY\x01{body}"), kill_rounds.body_of(body))
                under_way[opaque] = (body, due_ms)
                with ledger.lock:
                    ledger.tried[body] = due_ms
                batch += frame
            conn.send_raw(batch)
            acknowledged = []
            for _ in range(IN_FLIGHT):
                opaque, code, fields, remark, _ = conn.receive()
                body, due_ms = under_way.pop(opaque)
                if code != 0:
                    return ledger.fault(f"send answered {code}: {remark}")
                if "recallHandle" not in fields:
                    return ledger.fault(f"the answer to '{body}' has no recallHandle")
                with ledger.lock:
                    ledger.sent[body] = due_ms
                acknowledged.append((body, fields["recallHandle"]))
            for body, handle in acknowledged[::5]:
                take_back(conn, ledger, body, handle)
            with ledger.lock:
                ledger.handles += [(ledger.sent[body], body, handle) for body, handle in acknowledged[1::5]]
            for body, handle in around_due(ledger):
                take_back(conn, ledger, body, handle)
            time.sleep(rng.uniform(*ledger.pause_s))
    except remoting.Closed:
        pass


def check(gantry, ledger):
    """Waits until everything that was acknowledged has come and everything that was tried is due, then for what should not come."""
    deadline = time.monotonic() + QUIET_S
    last_due_s = max(ledger.tried.values(), default=0) / 1000
    wanted = [b for b in ledger.sent if b not in ledger.recall_tried]
    while True:
        all_due = time.time() > last_due_s + 0.5
        arrived = [(kill_rounds.name_of(stored.body), stored.store_ms) for stored in remoting.read_all(gantry.port, GROUP, TOPIC, QUEUES)]
        count = collections.Counter(b for b, _ in arrived)
        missing = [b for b in wanted if count[b] == 0]
        if (not missing and all_due) or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    for b in missing[:5]:
        ledger.faults.append(f"'{b}' was acknowledged and is not delivered")
    for b, n in count.items():
        if n > 1:
            ledger.faults.append(f"'{b}' was delivered {n} times")
        if b not in ledger.tried:
            ledger.faults.append(f"'{b}' was never sent")
        if b in ledger.recalled:
            ledger.faults.append(f"'{b}' was taken back and came all the same")
    for b, ms in arrived:
        # The broker's clock may be read a few milliseconds coarsely.
        if b in ledger.tried and ms < ledger.tried[b] - 20:
            ledger.faults.append(f"'{b}' came {ledger.tried[b] - ms:.0f} ms early")
    return len(arrived)


if __name__ == "__main__":
    sys.exit(kill_rounds.main(TimerCrash()))
