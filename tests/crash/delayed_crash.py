#!/usr/bin/env python3
"""kill -9 while messages wait for their delay, become due and are delivered, and are given back.

Each round: several connections send messages with a delay level and give every fourth one back, until the broker is killed. After the last
round the test waits until nothing is due any more and reads everything. Each message whose send was acknowledged was delivered exactly once, each one
whose giving back was acknowledged came again exactly once for each acknowledgement, and nothing came before its time. What was under way when the
broker died may be there or not, and once at most.

Usage: delayed_crash.py GANTRY_BINARY LEVEL [--rounds N] [--seed S]
"""
import argparse
import collections
import pathlib
import random
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support" / "python"))
import remoting  # noqa: E402

TOPIC, GROUP, QUEUES, CONNECTIONS, IN_FLIGHT = "DelayTopic", "delay-group", 4, 3, 16
SEND_BACK = 36
LEVELS_S = {1: 1, 2: 2}
QUIET_S = 30


class Ledger:
    def __init__(self):
        self.lock = threading.Lock()
        self.sent = {}  # body -> (time of sending, level); acknowledged
        self.tried = set()  # bodies sent, acknowledged or not
        self.back = collections.Counter()  # body -> acknowledged givings back
        self.back_tried = collections.Counter()
        self.faults = []


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
                frame, opaque = conn.frame(remoting.SEND_V2, remoting.send_fields(TOPIC, rng.randrange(QUEUES), f"DELAY\x01{level}"), body.encode())
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


def stored(body):
    """(body, store time in ms) of each stored message of a pull reply."""
    at = 0
    while at < len(body):
        total = int.from_bytes(body[at:at + 4], "big")
        # Both hosts are IPv4 here, so the body length stands at 84.
        n = int.from_bytes(body[at + 84:at + 88], "big")
        yield body[at + 88:at + 88 + n].decode(), int.from_bytes(body[at + 56:at + 64], "big")
        at += total


def read_all(gantry, topic, queues):
    conn = remoting.Connection(gantry.port)
    out = []
    for queue in range(queues):
        offset = 0
        while True:
            code, fields, _, body = conn.call(remoting.PULL, remoting.pull_fields(GROUP, topic, queue, offset, count=1000))
            if code != 0:
                break
            out += stored(body)
            offset = int(fields["nextBeginOffset"])
    conn.close()
    return out


def check(gantry, ledger):
    """Waits until everything that was acknowledged has come, then for what should not come."""
    deadline = time.monotonic() + QUIET_S
    while True:
        arrived, again = read_all(gantry, TOPIC, QUEUES), read_all(gantry, f"%RETRY%{GROUP}", 1)
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("level", choices=("written", "durable"))
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    rng = random.Random(seed)
    print(f"level {options.level}, {options.rounds} rounds, seed {seed}")
    with tempfile.TemporaryDirectory(prefix="gantry-crash-") as folder:
        gantry = remoting.Gantry(options.binary, folder, options.level, extra_store='segment_size = "16 MiB"\ncheckpoint_every = "4 MiB"\nhot_cache = "8 MiB"',
                                 extra_broker='delay_levels = "1s 2s"')
        ledger = Ledger()
        gantry.start()
        for number in range(options.rounds):
            threads = [threading.Thread(target=worker, args=(gantry, ledger, f"r{number}c{c}", random.Random(rng.getrandbits(64)))) for c in range(CONNECTIONS)]
            for thread in threads:
                thread.start()
            time.sleep(rng.uniform(0.05, 0.6))
            gantry.kill()
            for thread in threads:
                thread.join()
            gantry.start()
            if ledger.faults:
                break
        arrived, again = check(gantry, ledger)
        if not ledger.faults and gantry.stop() != 0:
            ledger.faults.append("the clean stop did not end with 0")
        if ledger.faults:
            gantry.kill() if gantry.alive() else None
        print(f"{len(ledger.sent)} delayed messages acknowledged, {arrived} delivered; {sum(ledger.back.values())} acknowledged as given back, {again} came again")
        for fault in ledger.faults[:20]:
            print("FAULT", fault)
        if ledger.faults:
            print(gantry.log_text())
        print(f"{0 if ledger.faults else 1} passed, {1 if ledger.faults else 0} failed")
        return 1 if ledger.faults else 0


if __name__ == "__main__":
    sys.exit(main())
