#!/usr/bin/env python3
"""kill -9 while messages are popped, acknowledged, held back, left alone and delivered again.

Each round: several connections send messages and pop them; most are acknowledged, some get another invisible time, some are left alone, until
the broker is killed. After the last round the test pops and acknowledges until nothing comes any more. Each message whose send was acknowledged was delivered
and acknowledged; none that was acknowledged in time (and whose acknowledgement was answered) was ever delivered after that; what came again has a
delivery count above 0, unless a crash gave it back.

Usage: pop_crash.py GANTRY_BINARY LEVEL [--rounds N] [--seed S]
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

TOPIC, GROUP, QUEUES, SENDERS, POPPERS = "PopTopic", "pop-group", 4, 2, 3
POP, ACK, CHANGE, NO_MESSAGE, POLLING_TIMEOUT = 200050, 200051, 200053, 208, 210
INVISIBLE_MS = 2000
QUIET_S = 60


class PopCrash(kill_rounds.Scenario):
    rounds = 30
    busy_s = (0.1, 1.2)
    extra_broker = "shards = 3"  # pops of one queue come on several

    def __init__(self):
        super().__init__()
        self.sent = set()  # bodies whose send was acknowledged
        self.tried = set()
        self.deliveries = collections.Counter()
        self.done = {}  # body -> when its acknowledgement was answered, well within its time
        self.given_up = set()  # acknowledged late, or without an answer: may come again
        self.again = 0

    def prepare(self, gantry):
        conn = remoting.Connection(gantry.port)
        conn.call(remoting.SEND_V2, remoting.send_fields(TOPIC, 0, default_queues=QUEUES), kill_rounds.body_of("first"))
        self.sent.add("first")
        self.tried.add("first")
        conn.close()

    def clients(self, gantry, number, rng):
        threads = [threading.Thread(target=sender, args=(gantry, self, f"r{number}s{c}", random.Random(rng.getrandbits(64)))) for c in range(SENDERS)]
        return threads + [threading.Thread(target=popper, args=(gantry, self, random.Random(rng.getrandbits(64)))) for _ in range(POPPERS)]

    def finish(self, gantry):
        drain(gantry, self)

    def summary(self):
        return (f"{len(self.sent)} messages acknowledged to senders, {sum(self.deliveries.values())} deliveries, {self.again} of them again, "
                f"{len(self.done)} acknowledged by consumers")


def sender(gantry, ledger, name, rng):
    try:
        conn = remoting.Connection(gantry.port)
        number = 0
        while True:
            number += 1
            body = f"{name}-{number}"
            with ledger.lock:
                ledger.tried.add(body)
            code, _, remark, _ = conn.call(remoting.SEND_V2, remoting.send_fields(TOPIC, rng.randrange(QUEUES)), kill_rounds.body_of(body))
            with ledger.lock:
                if code != 0:
                    ledger.faults.append(f"send answered {code}: {remark}")
                    return
                ledger.sent.add(body)
            time.sleep(0.0005)
    except remoting.Closed:
        pass


class Message:
    """A popped message and the handle that its client would make of the reply."""

    def __init__(self, record, fields, starts):
        self.queue, self.offset, self.count, self.topic = record.queue, record.queue_offset, record.reconsume_times, record.topic
        self.body = kill_rounds.name_of(record.body)
        self.real_topic = TOPIC
        self.handle = record.properties.get("POP_CK")
        if self.handle is None:
            self.handle = f"{starts[('0', self.queue)]} {fields['popTime']} {fields['invisibleTime']} {fields['reviveQid']} 0 broker-a {self.queue} {self.offset}"
        elif self.handle.split(" ")[4] == "1":
            self.real_topic = f"%RETRY%{GROUP}_{TOPIC}"
        self.visible = (int(self.handle.split(" ")[1]) + int(self.handle.split(" ")[2])) / 1000


def pop(conn, ledger, wait_ms, invisible_ms=INVISIBLE_MS):
    """Messages of one pop; each delivery is noted and checked."""
    asked = time.time()
    code, fields, remark, body = conn.call(POP, {"consumerGroup": GROUP, "topic": TOPIC, "queueId": -1, "maxMsgNums": 16, "invisibleTime": invisible_ms, "pollTime": wait_ms,
                                                 "bornTime": int(asked * 1000), "initMode": 0, "expType": "TAG", "exp": "*", "order": "false"})
    if code == POLLING_TIMEOUT:
        return []
    if code != 0:
        raise AssertionError(f"pop answered {code}: {remark}")
    starts = {}
    for part in fields["startOffsetInfo"].split(";"):
        retry, queue, start = part.split(" ")
        starts[(retry, int(queue))] = start
    out = [Message(record, fields, starts) for record in remoting.records(body)]
    with ledger.lock:
        for m in out:
            ledger.deliveries[m.body] += 1
            ledger.again += m.count > 0
            if m.topic != TOPIC:
                ledger.faults.append(f"'{m.body}' came from topic '{m.topic}'")
            if ledger.done.get(m.body, asked + 1) < asked:
                ledger.faults.append(f"'{m.body}' was delivered after it had been acknowledged (queue {m.queue}, offset {m.offset}, count {m.count})")
    return out


def acknowledge(conn, ledger, m):
    with ledger.lock:
        ledger.given_up.add(m.body)  # until the answer is there
    code, _, remark, _ = conn.call(ACK, {"consumerGroup": GROUP, "topic": m.real_topic, "queueId": m.queue, "offset": m.offset, "extraInfo": m.handle})
    with ledger.lock:
        if code != 0:
            ledger.faults.append(f"acknowledgement answered {code}: {remark}")
        elif time.time() < m.visible - 0.5:
            ledger.given_up.discard(m.body)
            ledger.done[m.body] = time.time()


def popper(gantry, ledger, rng):
    try:
        conn = remoting.Connection(gantry.port)
        while True:
            for m in pop(conn, ledger, 200):
                dice = rng.random()
                if dice < 0.7:
                    acknowledge(conn, ledger, m)
                elif dice < 0.8:
                    code, fields, remark, _ = conn.call(CHANGE, {"consumerGroup": GROUP, "topic": m.real_topic, "queueId": m.queue, "offset": m.offset, "extraInfo": m.handle,
                                                                 "invisibleTime": rng.choice((300, 1000, 3000))})
                    if code == 0 and rng.random() < 0.5:
                        m.handle = " ".join([m.handle.split(" ")[0], fields["popTime"], fields["invisibleTime"], fields["reviveQid"]] + m.handle.split(" ")[4:])
                        m.visible = (int(fields["popTime"]) + int(fields["invisibleTime"])) / 1000
                        acknowledge(conn, ledger, m)
                    elif code not in (0, NO_MESSAGE):
                        with ledger.lock:
                            ledger.faults.append(f"changing the invisible time answered {code}: {remark}")
    except remoting.Closed:
        pass
    except AssertionError as error:
        with ledger.lock:
            ledger.faults.append(str(error))


def drain(gantry, ledger):
    """Acknowledges everything that comes until all that was sent is done, then waits for what should not come."""
    conn = remoting.Connection(gantry.port)
    deadline = time.monotonic() + QUIET_S
    quiet_since = time.monotonic()
    while time.monotonic() < deadline and not ledger.faults:
        found = pop(conn, ledger, 500, 20_000)
        for m in found:
            acknowledge(conn, ledger, m)
        if found or not ledger.sent <= set(ledger.done) | ledger.given_up:
            quiet_since = time.monotonic()
        elif time.monotonic() - quiet_since > INVISIBLE_MS / 1000 + 3:
            break
    for body in sorted(ledger.sent - set(ledger.done) - ledger.given_up)[:5]:
        ledger.faults.append(f"'{body}' was acknowledged to its sender and never acknowledged by a consumer; delivered {ledger.deliveries[body]} times")
    for body in sorted(b for b in ledger.sent if ledger.deliveries[b] == 0)[:5]:
        ledger.faults.append(f"'{body}' was acknowledged to its sender and never delivered")
    for body in sorted(set(ledger.deliveries) - ledger.tried)[:5]:
        ledger.faults.append(f"'{body}' was never sent")
    conn.close()


if __name__ == "__main__":
    sys.exit(kill_rounds.main(PopCrash()))
