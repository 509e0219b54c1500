#!/usr/bin/env python3
"""kill -9 while messages wait for their delay, become due and are delivered, and are given back.

Each round: several connections send messages with a delay level and give every fourth one back, until the broker is killed. After the last
round the test waits until nothing is due any more and reads everything. Each message whose send was acknowledged was delivered exactly once, each one
whose giving back was acknowledged came again exactly once for each acknowledgement, and nothing came before its time. What was under way when the
broker died may be there or not, and once at most.

Usage: delayed_crash.py GANTRY_BINARY LEVEL [--rounds N] [--seed S]
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

TOPIC, GROUP, QUEUES, CONNECTIONS, IN_FLIGHT = "DelayTopic", "delay-group", 4, 3, 16
SEND_BACK = 36
LEVELS_S = {1: 1, 2: 2}
QUIET_S = 30


class DelayedCrash(kill_rounds.Scenario):
    extra_broker = 'delay_levels = "1s 2s"'

    def __init__(self):
        super().__init__()
        self.sent = {}  # body -> (time of sending, level); acknowledged
        self.tried = set()  # bodies sent, acknowledged or not
        self.back = collections.Counter()  # body -> acknowledged givings back
        self.back_tried = collections.Counter()
        self.arrived, self.again = 0, 0  # messages read at the end

    def clients(self, gantry, number, rng):
        return [threading.Thread(target=worker, args=(gantry, self, f"r{number}c{c}", random.Random(rng.getrandbits(64)))) for c in range(CONNECTIONS)]

    def finish(self, gantry):
        self.arrived, self.again = check(gantry, self)

    def summary(self):
        return (f"{len(self.sent)} delayed messages acknowledged, {self.arrived} delivered; "
                f"{sum(self.back.values())} acknowledged as given back, {self.again} came again")


def worker(gantry, ledger, name, rng):
    """Sends, and gives back some of what was acknowledged, until the connection dies."""
    try:
        conn = remoting.Connection(gantry.port)
        number = 0
        while True:
            under_way = {}
            batch = b""
            for _ in range(IN_FLIGHT):
                number += 1
                level = rng.choice((1, 1, 2))
                body = f"{name}-{number}"
                frame, opaque = conn.frame(remoting.SEND_V2, remoting.send_fields(TOPIC, rng.randrange(QUEUES), f"DELAY\x01{level}"), kill_rounds.body_of(body))
                under_way[opaque] = (body, time.time(), level)
                with ledger.lock:
                    ledger.tried.add(body)
                batch += frame
            conn.send_raw(batch)
            acknowledged = []
            for _ in range(IN_FLIGHT):
                opaque, code, fields, remark, _ = conn.receive()
                body, at, level = under_way.pop(opaque)
                with ledger.lock:
                    if code != 0:
                        ledger.faults.append(f"send answered {code}: {remark}")
                        return
                    ledger.sent[body] = (at, level)
                acknowledged.append((body, int(fields["msgId"][-16:], 16)))
            for body, position in acknowledged[::4]:
                with ledger.lock:
                    ledger.back_tried[body] += 1
                code, _, remark, _ = conn.call(SEND_BACK, {"group": GROUP, "offset": position, "delayLevel": 1, "maxReconsumeTimes": 16})
                with ledger.lock:
                    if code != 0:
                        ledger.faults.append(f"giving back answered {code}: {remark}")
                        return
                    ledger.back[body] += 1
    except remoting.Closed:
        pass


def check(gantry, ledger):
    """Waits until everything that was acknowledged has come, then for what should not come."""
    deadline = time.monotonic() + QUIET_S
    while True:
        arrived, again = ([(kill_rounds.name_of(stored.body), stored.store_ms) for stored in remoting.read_all(gantry.port, GROUP, topic, queues)]
                          for topic, queues in ((TOPIC, QUEUES), (f"%RETRY%{GROUP}", 1)))
        count, count_again = collections.Counter(b for b, _ in arrived), collections.Counter(b for b, _ in again)
        missing = [b for b in ledger.sent if count[b] == 0]
        missing_again = [b for b, n in ledger.back.items() if count_again[b] < n]
        if (not missing and not missing_again) or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    for b in missing[:5]:
        ledger.faults.append(f"'{b}' was acknowledged and is not delivered")
    for b in missing_again[:5]:
        ledger.faults.append(f"'{b}' was given back {ledger.back[b]} times and came {count_again[b]} times")
    for b, n in count.items():
        if n > 1:
            ledger.faults.append(f"'{b}' was delivered {n} times")
        if b not in ledger.tried:
            ledger.faults.append(f"'{b}' was never sent")
    for b, n in count_again.items():
        if n > ledger.back_tried[b]:
            ledger.faults.append(f"'{b}' was given back {ledger.back_tried[b]} times at most and came {n} times")
    for b, ms in arrived:
        if b in ledger.sent:
            at, level = ledger.sent[b]
            # The broker's clock may be read a few milliseconds coarsely.
            if ms < (at + LEVELS_S[level]) * 1000 - 20:
                ledger.faults.append(f"'{b}' of level {level} came {at * 1000 + LEVELS_S[level] * 1000 - ms:.0f} ms early")
    return len(arrived), len(again)


if __name__ == "__main__":
    sys.exit(kill_rounds.main(DelayedCrash()))
