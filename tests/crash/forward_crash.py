#!/usr/bin/env python3
"""kill -9 while messages that wait for their due times are copied forward, since retention is over for all that lies around them.

The log keeps 16 MiB. Each round: one connection sends messages that are due after the last round (24 to 34 s ahead with eight rounds) and takes every fifth one back, others send so much that
the log goes past retention several times, until the broker is killed. After the last round traffic goes on until the log begins behind the last
of these messages, so that every one that waits is a copy; some are taken back by the handles of then. Then all must be as in timer_crash.py: delivered exactly once,
not before its time, or never when it was taken back.

Usage: forward_crash.py GANTRY_BINARY LEVEL [--rounds N] [--seed S]
"""
import pathlib
import random
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support" / "python"))
import kill_rounds  # noqa: E402
import remoting  # noqa: E402
import timer_crash  # noqa: E402

TRAFFIC, BODY, IN_FLIGHT = "TrafficTopic", b"t" * 65536, 8
MOVE_ON_S = 15  # all copied by then
LOG_MAX = 64 << 20


class ForwardCrash(timer_crash.TimerCrash):
    rounds = 8
    busy_s = (0.5, 2.0)
    pause_s = (0.1, 0.3)
    store = 'segment_size = "2 MiB"\ncheckpoint_every = "1 MiB"\nhot_cache = "8 MiB"\nretention_bytes = "16 MiB"'

    def __init__(self):
        super().__init__()
        self.moved_mib = self.late_taken_back = 0

    @property
    def ahead_ms(self):
        """Nothing is due before the last round: what is delivered while traffic goes on is dropped before it is read. A round takes 3 s at most."""
        return 3_000 * self.rounds, 3_000 * self.rounds + 10_000

    def clients(self, gantry, number, rng):
        return [threading.Thread(target=timer_crash.worker, args=(gantry, self, f"r{number}c0", random.Random(rng.getrandbits(64)))),
                threading.Thread(target=traffic, args=(gantry, self, lambda: False))]

    def finish(self, gantry):
        gone_after = log_end(gantry)
        deadline = time.monotonic() + MOVE_ON_S
        traffic(gantry, self, lambda: log_begin(gantry) >= gone_after or time.monotonic() > deadline)
        self.moved_mib = log_begin(gantry) >> 20
        if log_begin(gantry) < gone_after:
            self.faults.append(f"the log still begins at {log_begin(gantry)}: what waits before {gone_after} was not copied forward")
        while (size := log_end(gantry) - log_begin(gantry)) > LOG_MAX and time.monotonic() < deadline + MOVE_ON_S:
            time.sleep(0.1)  # copies and retention come behind the traffic
        if size > LOG_MAX:
            self.faults.append(f"the log is {size} bytes long")
        self.take_back_late(gantry)
        timer_crash.QUIET_S = max(self.sent.values()) / 1000 - time.time() + 30
        super().finish(gantry)

    def take_back_late(self, gantry):
        """Some that are not due for a while, by handles that name places which are gone."""
        conn = remoting.Connection(gantry.port)
        chosen = [(body, handle) for due_ms, body, handle in self.handles if due_ms / 1000 > time.time() + 5]
        before = len(self.recalled)
        for body, handle in chosen[:20]:
            timer_crash.take_back(conn, self, body, handle)
        self.late_taken_back = len(self.recalled) - before
        if self.late_taken_back != len(chosen[:20]) or not chosen:
            self.faults.append(f"{self.late_taken_back} of {len(chosen[:20])} copies were taken back")
        conn.close()

    def summary(self):
        return f"{super().summary()}; {self.moved_mib} MiB of log went, {self.late_taken_back} copies taken back by their first handles"


def log_files(gantry):
    # A folder among them marks the log's format.
    return sorted((int(path.name), path) for path in (gantry.folder / "data" / "commitlog").iterdir() if path.name.isdigit() and path.is_file())


def log_begin(gantry):
    """Log position of the first byte of the oldest file."""
    return log_files(gantry)[0][0]


def log_end(gantry):
    last, path = log_files(gantry)[-1]
    return last + path.stat().st_size


def traffic(gantry, ledger, enough):
    """Messages that do not wait, some MiB per second, until the connection dies."""
    try:
        conn = remoting.Connection(gantry.port)
        while not ledger.faults and not enough():
            for _ in range(IN_FLIGHT):
                conn.send(remoting.SEND_V2, remoting.send_fields(TRAFFIC, 0), BODY)
            for _ in range(IN_FLIGHT):
                _, code, _, remark, _ = conn.receive()
                if code != 0:
                    return ledger.fault(f"send answered {code}: {remark}")
            time.sleep(0.03)
    except remoting.Closed:
        pass


if __name__ == "__main__":
    sys.exit(kill_rounds.main(ForwardCrash()))
