#!/usr/bin/env python3
"""kill -9 while topics and groups are made, used, changed and deleted.

Each client has a topic and a group of its own and goes round: makes them, sends, commits, deletes. After each crash the broker must show what the
last answered request left, or what the one under way would have left: a deleted topic is gone with its offsets, and one made again under its name
shows messages of its own life only.

Usage: admin_crash.py GANTRY_BINARY LEVEL [--rounds N] [--seed S]
"""
import json
import pathlib
import random
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support" / "python"))
import kill_rounds  # noqa: E402
import remoting  # noqa: E402

CLIENTS, QUEUES = 6, 2
UPDATE_TOPIC, DELETE_TOPIC, UPDATE_GROUP, DELETE_GROUP, TOPIC_CONFIG, GROUP_CONFIG, NOT_FOUND, NO_TOPIC, NO_GROUP = 17, 215, 200, 207, 351, 352, 22, 17, 26
GONE = None


class Client:
    """What must be there: a topic's acknowledged bodies by queue and its committed offset, a group's settings. A request under way leaves two possible states."""

    def __init__(self, number):
        self.topic, self.group, self.life = f"AdminTopic{number}", f"admin-group-{number}", 0
        self.states = [GONE]  # of the topic: GONE, or {"bodies": {queue: [..]}, "offset": n or None, "may": body under way}
        self.group_states = [GONE]  # GONE or retryMaxTimes


class AdminCrash(kill_rounds.Scenario):
    rounds = 30
    busy_s = (0.05, 0.5)
    extra_broker = "shards = 3"

    def __init__(self):
        super().__init__()
        self.all = [Client(n) for n in range(CLIENTS)]
        self.deleted = self.sent = 0

    def clients(self, gantry, number, rng):
        return [threading.Thread(target=work, args=(gantry, self, c, random.Random(rng.getrandbits(64)))) for c in self.all]

    def restarted(self, gantry, start_s):
        conn = remoting.Connection(gantry.port)
        for c in self.all:
            check_topic(conn, gantry, self, c)
            check_group(conn, self, c)
        conn.close()

    def finish(self, gantry):
        if self.deleted < CLIENTS:
            self.faults.append(f"only {self.deleted} topics were deleted: the test did not do its work")

    def summary(self):
        return f"{self.sent} messages acknowledged, {self.deleted} topics deleted"


def call(conn, ledger, code, fields, body=b"", fine=(0,)):
    answer, _, remark, _ = conn.call(code, fields, body)
    if answer not in fine:
        with ledger.lock:
            ledger.faults.append(f"request {code} {fields} answered {answer}: {remark}")
        raise remoting.Closed


def work(gantry, ledger, c, rng):
    try:
        conn = remoting.Connection(gantry.port)
        while True:
            if c.states == [GONE]:
                make(conn, ledger, c)
            elif rng.random() < 0.1:
                delete(conn, ledger, c)
            elif rng.random() < 0.2:
                commit(conn, ledger, c)
            elif rng.random() < 0.2:
                change_group(conn, ledger, c, rng)
            else:
                send(conn, ledger, c, rng)
    except remoting.Closed:
        pass


def make(conn, ledger, c):
    c.life += 1
    new = {"bodies": {q: [] for q in range(QUEUES)}, "offset": None, "may": None}
    c.states = [GONE, new]
    call(conn, ledger, UPDATE_TOPIC, {"topic": c.topic, "defaultTopic": "TBW102", "readQueueNums": QUEUES, "writeQueueNums": QUEUES, "perm": 6, "topicFilterType": "SINGLE_TAG", "order": "false"})
    c.states = [new]


def send(conn, ledger, c, rng):
    state, queue = c.states[0], rng.randrange(QUEUES)
    body = f"{c.topic} life {c.life} number {rng.getrandbits(48)}"
    state["may"] = (queue, body)
    call(conn, ledger, remoting.SEND_V2, remoting.send_fields(c.topic, queue), body.encode())
    state["bodies"][queue].append(body)
    state["may"] = None
    with ledger.lock:
        ledger.sent += 1


def commit(conn, ledger, c):
    old = c.states[0]
    new = dict(old, offset=len(old["bodies"][0]))
    c.states, c.group_states = [old, new], c.group_states + [16] if GONE in c.group_states else c.group_states
    call(conn, ledger, remoting.UPDATE_OFFSET, {"consumerGroup": c.group, "topic": c.topic, "queueId": 0, "commitOffset": new["offset"]})
    c.states = [new]
    if GONE in c.group_states:
        c.group_states = [16]  # made by the commit, and written before it


def delete(conn, ledger, c):
    c.states.append(GONE)
    call(conn, ledger, DELETE_TOPIC, {"topic": c.topic})
    c.states = [GONE]
    with ledger.lock:
        ledger.deleted += 1


def change_group(conn, ledger, c, rng):
    if rng.random() < 0.3 and c.group_states != [GONE]:
        topic = c.states[0]
        c.group_states.append(GONE)
        c.states = [topic, dict(topic, offset=None)]
        call(conn, ledger, DELETE_GROUP, {"groupName": c.group, "cleanOffset": "true"})
        c.group_states, c.states = [GONE], [c.states[1]]
        return
    times = rng.randrange(1, 100)
    c.group_states.append(times)
    call(conn, ledger, UPDATE_GROUP, {}, json.dumps({"groupName": c.group, "retryMaxTimes": times}).encode())
    c.group_states = [times]


def seen_topic(conn, gantry, c):
    code, _, remark, _ = conn.call(TOPIC_CONFIG, {"topic": c.topic})
    if code == NO_TOPIC:
        return GONE
    if code != 0:
        raise AssertionError(f"351 answered {code}: {remark}")
    bodies = {q: [] for q in range(QUEUES)}
    for record in remoting.read_all(gantry.port, "TOOLS_CONSUMER", c.topic, QUEUES):
        bodies[record.queue].append(record.body.decode())
    code, fields, _, _ = conn.call(remoting.QUERY_OFFSET, {"consumerGroup": c.group, "topic": c.topic, "queueId": 0, "setZeroIfNotFound": "false"})
    return {"bodies": bodies, "offset": int(fields["offset"]) if code == 0 else None}


def fits(state, seen):
    if state is GONE or seen is GONE:
        return state is seen
    if state["offset"] != seen["offset"]:
        return False
    for queue, bodies in state["bodies"].items():
        more = [state["may"][1]] if state["may"] and state["may"][0] == queue else []
        if seen["bodies"][queue] not in (bodies, bodies + more):
            return False
    return True


def check_topic(conn, gantry, ledger, c):
    seen = seen_topic(conn, gantry, c)
    if not any(fits(state, seen) for state in c.states):
        ledger.faults.append(f"{c.topic}, life {c.life}: seen {seen}, expected one of {c.states}")
    c.states = [GONE if seen is GONE else dict(seen, may=None)]


def check_group(conn, ledger, c):
    code, _, remark, body = conn.call(GROUP_CONFIG, {"group": c.group})
    seen = GONE if code == NO_GROUP else json.loads(body)["retryMaxTimes"] if code == 0 else f"{code}: {remark}"
    if seen not in c.group_states:
        ledger.faults.append(f"{c.group}: seen {seen}, expected one of {c.group_states}")
    c.group_states = [seen]


if __name__ == "__main__":
    sys.exit(kill_rounds.main(AdminCrash()))
