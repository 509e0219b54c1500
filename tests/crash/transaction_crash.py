#!/usr/bin/env python3
"""kill -9 while transactions are begun, committed, rolled back, left open and asked about.

Each round: several connections send half messages and end them, some twice, some not at all, until the broker is killed; one more connection is a producer
of the group, which the broker asks about what stayed open, also about half messages whose send was never answered. What a transaction shall become is
decided when it is sent, and everybody keeps to it. After the last round the test waits until everything is decided and reads everything. Each message to commit
whose send was acknowledged was delivered exactly once, and the others once at most; of what was to be rolled back or was never decided nothing came, also
not where a commit came after the rollback was acknowledged.

Usage: transaction_crash.py GANTRY_BINARY LEVEL [--rounds N] [--seed S]
"""
import collections
import json
import pathlib
import random
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support" / "python"))
import kill_rounds  # noqa: E402
import remoting  # noqa: E402

TOPIC, READERS, PRODUCERS, QUEUES, CONNECTIONS, IN_FLIGHT = "TransactionTopic", "tx-readers", "tx-group", 4, 3, 16
END_TRANSACTION, CHECK_TRANSACTION_STATE, SYSTEM_BUSY = 37, 39, 2
COMMIT, ROLLBACK = 8, 12
QUIET_S = 40
# What becomes of a transaction, and who says so: its sender, or the producer when it is asked.
PLANS = {"commit": 30, "twice": 15, "rollback": 20, "too-late": 5, "asked-commit": 15, "asked-rollback": 10, "never": 1}
COMMITTED = ("commit", "twice", "asked-commit")


def plan_of(body):
    return body.split(":")[0]


class TransactionCrash(kill_rounds.Scenario):
    busy_s = (0.1, 0.8)
    extra_broker = 'shards = 2\ntransaction_timeout = "300ms"\ntransaction_check_interval = "300ms"\ntransaction_check_max = 60000'

    def __init__(self):
        super().__init__()
        self.sent = set()  # bodies acknowledged
        self.tried = set()
        self.ended = 0  # ends that were acknowledged
        self.asked = 0
        self.arrived = 0  # messages read at the end

    def clients(self, gantry, number, rng):
        senders = [threading.Thread(target=sender, args=(gantry, self, f"r{number}c{c}", random.Random(rng.getrandbits(64)))) for c in range(CONNECTIONS)]
        return senders + [threading.Thread(target=producer, args=(gantry, self))]

    def finish(self, gantry):
        last = threading.Thread(target=producer, args=(gantry, self))
        last.start()
        self.arrived = check(gantry, self)
        gantry.kill()
        last.join()
        gantry.start()
        again = len(remoting.read_all(gantry.port, READERS, TOPIC, QUEUES))
        if again != self.arrived:
            self.faults.append(f"{self.arrived} messages before the last kill, {again} after it")
        if not self.faults and not (self.ended and self.asked and self.arrived):
            self.faults.append("nothing was ended, asked about or delivered: this run says nothing")

    def summary(self):
        return f"{len(self.sent)} half messages acknowledged, {self.ended} ends acknowledged, {self.asked} checks, {self.arrived} delivered"

    def fault(self, text):
        with self.lock:
            self.faults.append(text)


def end_fields(queue_offset, position, state):
    return {"producerGroup": PRODUCERS, "tranStateTableOffset": queue_offset, "commitLogOffset": position, "commitOrRollback": state, "fromTransactionCheck": "false", "msgId": "x"}


def end(conn, ledger, half, state):
    while True:
        code, _, remark, _ = conn.call(END_TRANSACTION, end_fields(*half, state))
        if code == SYSTEM_BUSY:  # the broker has just started
            time.sleep(0.01)
            continue
        if code != 0:
            ledger.fault(f"END_TRANSACTION of {half} answered {code}: {remark}")
        with ledger.lock:
            ledger.ended += code == 0
        return


def decide(conn, ledger, body, half):
    plan = plan_of(body)
    if plan in ("commit", "twice"):
        end(conn, ledger, half, COMMIT)
    if plan in ("rollback", "too-late"):
        end(conn, ledger, half, ROLLBACK)
    if plan in ("twice", "too-late"):
        end(conn, ledger, half, COMMIT)


def sender(gantry, ledger, name, rng):
    """Begins transactions and ends those it has to, until the connection dies."""
    try:
        conn = remoting.Connection(gantry.port)
        number = 0
        while not ledger.faults:
            under_way = {}
            batch = b""
            for _ in range(IN_FLIGHT):
                number += 1
                body = f"{rng.choices(list(PLANS), PLANS.values())[0]}:{name}-{number}"
                fields = remoting.send_fields(TOPIC, rng.randrange(QUEUES), f"TRAN_MSG\x01true\x02PGROUP\x01{PRODUCERS}\x02UNIQ_KEY\x01{body}")
                fields["f"] = 4
                frame, opaque = conn.frame(remoting.SEND_V2, fields, kill_rounds.body_of(body))
                under_way[opaque] = body
                with ledger.lock:
                    ledger.tried.add(body)
                batch += frame
            conn.send_raw(batch)
            halves = []
            for _ in range(IN_FLIGHT):
                opaque, code, fields, remark, _ = conn.receive()
                body = under_way.pop(opaque)
                if code != 0:
                    return ledger.fault(f"send answered {code}: {remark}")
                with ledger.lock:
                    ledger.sent.add(body)
                halves.append((body, (int(fields["queueOffset"]), int(fields["msgId"][-16:], 16))))
            for body, half in halves:
                decide(conn, ledger, body, half)
            time.sleep(rng.uniform(0, 0.02))
    except remoting.Closed:
        pass


def producer(gantry, ledger):
    """Answers what the broker asks, until the connection dies."""
    try:
        conn = remoting.Connection(gantry.port, timeout_s=60)
        conn.send(remoting.HEARTBEAT, {}, json.dumps({"clientID": "producer@1", "producerDataSet": [{"groupName": PRODUCERS}], "consumerDataSet": []}).encode())
        while True:
            header, body = conn.receive_any()
            if header["code"] != CHECK_TRANSACTION_STATE or header["flag"] & 1:
                continue
            text = kill_rounds.name_of(next(remoting.records(body)).body)
            with ledger.lock:
                ledger.asked += 1
            plan = plan_of(text)
            if plan == "never":
                continue
            state = COMMIT if plan in COMMITTED else ROLLBACK
            fields = header["extFields"]
            # As clients do it: one way.
            conn.send(END_TRANSACTION, end_fields(fields["tranStateTableOffset"], fields["commitLogOffset"], state), flag=2)
    except remoting.Closed:
        pass


def check(gantry, ledger):
    """Waits until everything that was acknowledged and shall come has come, then for what should not come."""
    deadline = time.monotonic() + QUIET_S
    wanted = [body for body in ledger.sent if plan_of(body) in COMMITTED]
    settled_since = None
    while True:
        with ledger.lock:
            asked = ledger.asked
        arrived = [kill_rounds.name_of(stored.body) for stored in remoting.read_all(gantry.port, READERS, TOPIC, QUEUES)]
        count = collections.Counter(arrived)
        missing = [body for body in wanted if count[body] == 0]
        # Nothing more for some rounds of checks.
        state = (len(arrived), bool(missing))
        if settled_since is None or settled_since[1] != state:
            settled_since = (time.monotonic(), state)
        if (not missing and asked and time.monotonic() - settled_since[0] > 1.5) or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    for body in missing[:5]:
        ledger.faults.append(f"'{body}' is not delivered")
    for body, n in count.items():
        if n > 1:
            ledger.faults.append(f"'{body}' was delivered {n} times")
        if body not in ledger.tried:
            ledger.faults.append(f"'{body}' was never sent")
        if plan_of(body) not in COMMITTED:
            ledger.faults.append(f"'{body}' came all the same")
    return len(arrived)


if __name__ == "__main__":
    sys.exit(kill_rounds.main(TransactionCrash()))
