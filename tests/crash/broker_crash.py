#!/usr/bin/env python3
"""kill -9 at random moments under load: what was acknowledged is there after the restart, exactly as sent.

Each round: several connections send with many requests in flight and one commits offsets, until the broker is killed. After the restart
every acknowledged message of the round is pulled and compared at the queue and offset the reply named, and no committed offset is below the
last acknowledged one. All rounds share one data folder; at the end every message of every round is compared again.

Usage: broker_crash.py GANTRY_BINARY LEVEL [--rounds N] [--seed S]
"""
import pathlib
import random
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support" / "python"))
import kill_rounds  # noqa: E402
import remoting  # noqa: E402

TOPIC, GROUP, QUEUES, CONNECTIONS, IN_FLIGHT = "CrashTopic", "crash-group", 4, 3, 32


class BrokerCrash(kill_rounds.Scenario):
    rounds = 50
    busy_s = (0.02, 0.4)

    def __init__(self):
        super().__init__()
        self.bodies = {}  # (queue, offset) -> body; acknowledged, as all that follows
        self.committed = {}  # queue -> offset
        self.before = set()  # keys of bodies when the round began
        self.slowest_s, self.cut = 0.0, 0

    def prepare(self, gantry):
        prepare(gantry)

    def clients(self, gantry, number, rng):
        self.before = set(self.bodies)
        senders = [threading.Thread(target=sender, args=(gantry, self, f"r{number}c{c}", random.Random(rng.getrandbits(64)))) for c in range(CONNECTIONS)]
        return senders + [threading.Thread(target=committer, args=(gantry, self))]

    def restarted(self, gantry, start_s):
        self.slowest_s = max(self.slowest_s, start_s)
        self.cut += "recovered" in gantry.banner
        verify(gantry, self, set(self.bodies) - self.before)

    def finish(self, gantry):
        verify(gantry, self, set(self.bodies))

    def summary(self):
        return (f"{len(self.bodies)} messages and offsets {self.committed} acknowledged; slowest start {self.slowest_s:.3f} s; "
                f"a torn tail was cut in {self.cut} rounds")


def sender(gantry, ledger, name, rng):
    """Keeps IN_FLIGHT sends under way until the connection dies."""
    under_way, number = {}, 0
    try:
        conn = remoting.Connection(gantry.port)
        while True:
            batch = b""
            while len(under_way) < IN_FLIGHT:
                number += 1
                body = f"{name}-{number}-".encode() + bytes(rng.getrandbits(8) for _ in range(8)) * rng.choice((1, 16, 128, 512))
                frame, opaque = conn.frame(remoting.SEND_V2, remoting.send_fields(TOPIC, rng.randrange(QUEUES)), body)
                under_way[opaque] = body
                batch += frame
            conn.send_raw(batch)
            for _ in range(IN_FLIGHT // 2):
                opaque, code, fields, remark, _ = conn.receive()
                body = under_way.pop(opaque)
                with ledger.lock:
                    if code != 0:
                        ledger.faults.append(f"send answered {code}: {remark}")
                        return
                    key = (int(fields["queueId"]), int(fields["queueOffset"]))
                    if key in ledger.bodies:
                        ledger.faults.append(f"queue {key[0]} offset {key[1]} was given twice")
                    ledger.bodies[key] = body
    except remoting.Closed:
        pass


def committer(gantry, ledger):
    """Commits growing offsets, one at a time, each acknowledged."""
    try:
        conn = remoting.Connection(gantry.port)
        while True:
            for queue in range(QUEUES):
                offset = ledger.committed.get(queue, 0) + 1
                code, _, remark, _ = conn.call(remoting.UPDATE_OFFSET, {"consumerGroup": GROUP, "topic": TOPIC, "queueId": queue, "commitOffset": offset})
                if code != 0:
                    ledger.faults.append(f"commit answered {code}: {remark}")
                    return
                ledger.committed[queue] = offset
    except remoting.Closed:
        pass


def verify(gantry, ledger, wanted):
    """Compares the wanted (queue, offset) with what the broker delivers."""
    conn = remoting.Connection(gantry.port)
    for queue in range(QUEUES):
        offsets = sorted(o for q, o in wanted if q == queue)
        at = 0
        while at < len(offsets):
            offset = offsets[at]
            code, fields, remark, body = conn.call(remoting.PULL, remoting.pull_fields(GROUP, TOPIC, queue, offset))
            if code != 0:
                ledger.faults.append(f"queue {queue} offset {offset}: pull answered {code} {remark} {fields}; {len(offsets) - at} acknowledged messages from here")
                return
            got = dict(remoting.messages(body))
            if offset not in got:
                ledger.faults.append(f"queue {queue} offset {offset}: missing in the reply")
                return
            while at < len(offsets) and offsets[at] in got:
                if got[offsets[at]] != ledger.bodies[(queue, offsets[at])]:
                    ledger.faults.append(f"queue {queue} offset {offsets[at]}: another body than the one acknowledged")
                at += 1
        code, fields, _, _ = conn.call(remoting.QUERY_OFFSET, {"consumerGroup": GROUP, "topic": TOPIC, "queueId": queue})
        if queue in ledger.committed and (code != 0 or int(fields["offset"]) < ledger.committed[queue]):
            ledger.faults.append(f"queue {queue}: offset {ledger.committed[queue]} was committed, now {code} {fields}")
    conn.close()


def prepare(gantry):
    """The topic and the group exist before the first round."""
    conn = remoting.Connection(gantry.port)
    heartbeat = (b'{"clientID":"crash@1","consumerDataSet":[{"groupName":"crash-group","consumeType":"CONSUME_ACTIVELY","messageModel":"CLUSTERING",'
                 b'"consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET","subscriptionDataSet":[]}],"producerDataSet":[]}')
    code, _, remark, _ = conn.call(remoting.HEARTBEAT, {}, heartbeat)
    assert code == 0, remark
    code, _, remark, _ = conn.call(remoting.SEND_V2, remoting.send_fields(TOPIC, 0, default_queues=QUEUES), b"first")
    assert code == 0, remark
    conn.close()


if __name__ == "__main__":
    sys.exit(kill_rounds.main(BrokerCrash()))
