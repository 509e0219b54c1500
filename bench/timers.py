#!/usr/bin/env python3
"""What messages that wait cost: resident memory while many wait, and how late they and live traffic are when many are due in the same second.

  timers.py GANTRY_BINARY [--waiting 1000000] [--burst 100000]
  timers.py --port P --pid N ...                               a broker that runs already (RocketMQ: the Java process)

First `--waiting` messages, due in one to two hours, then resident memory beside that after as many ordinary messages. Then `--burst` messages that are all
due within one second; a live sender sends one message after the other before and meanwhile. Bodies have 100 bytes. Prints one line per number.
"""
import argparse
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tests" / "support" / "python"))
import remoting  # noqa: E402

BATCH, QUEUES, BODY_BYTES = 256, 4, 100


def send_many(port, topic, count, prop):
    """Sends `count` messages, one batch of frames after the other; prop(i) is the property string of message i."""
    conn = remoting.Connection(port, timeout_s=60)
    begin = time.monotonic()
    for base in range(0, count, BATCH):
        n = min(BATCH, count - base)
        conn.send_raw(b"".join(conn.frame(remoting.SEND_V2, remoting.send_fields(topic, i % QUEUES, prop(i)), b"x" * BODY_BYTES)[0] for i in range(base, base + n)))
        for _ in range(n):
            _, code, _, remark, _ = conn.receive()
            if code != 0:
                raise SystemExit(f"send to {topic} answered {code}: {remark}")
    conn.close()
    return count / (time.monotonic() - begin)


def resident_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"no resident memory of process {pid}")


def live(conn, topic, until):
    """Round trips of single sends until the time or condition; in ms, sorted."""
    took = []
    while not until():
        begin = time.monotonic()
        code, _, remark, _ = conn.call(remoting.SEND_V2, remoting.send_fields(topic, 0), b"x" * BODY_BYTES)
        if code != 0:
            raise SystemExit(f"live send answered {code}: {remark}")
        took.append((time.monotonic() - begin) * 1000)
        time.sleep(0.001)
    return sorted(took)


def store_times(port, topic):
    """Store times in ms of all messages of a topic."""
    conn, out = remoting.Connection(port, timeout_s=60), []
    for queue in range(QUEUES):
        offset = 0
        while True:
            code, fields, _, body = conn.call(remoting.PULL, remoting.pull_fields("timer-bench", topic, queue, offset, count=1000))
            if code != 0:
                break
            at = 0
            while at < len(body):
                out.append(int.from_bytes(body[at + 56:at + 64], "big"))
                at += int.from_bytes(body[at:at + 4], "big")
            offset = int(fields["nextBeginOffset"])
    conn.close()
    return out


def stored_count(conn, topic):
    return sum(int(conn.call(30, {"topic": topic, "queueId": q})[1]["offset"]) for q in range(QUEUES))


def summary(times):
    return f"p50 {times[len(times) // 2]:.2f} ms, p99 {times[len(times) * 99 // 100]:.2f} ms, max {times[-1]:.2f} ms, {len(times)} sends"


def measure(port, pid, waiting, burst):
    print(f"resident at the start: {resident_mb(pid):.1f} MB")
    send_many(port, "BenchPlain", waiting, lambda i: "")
    plain = resident_mb(pid)
    print(f"resident after {waiting} ordinary messages: {plain:.1f} MB")
    rate = send_many(port, "BenchFar", waiting, lambda i: f"TIMER_DELAY_SEC\x01{3600 + i * 7919 % 3600}")
    time.sleep(2)
    print(f"resident with {waiting} messages waiting: {resident_mb(pid):.1f} MB, {resident_mb(pid) - plain:+.1f} MB for them; sent at {rate:.0f} a second")

    conn = remoting.Connection(port, timeout_s=60)
    due_ms = int(time.time() * 1000) + 5000 + burst // 5  # later than the last one is sent
    send_many(port, "BenchBurst", burst, lambda i: f"TIMER_DELIVER_MS\x01{due_ms + i % 1000}")
    if time.time() * 1000 > due_ms - 2000:
        raise SystemExit("this machine is too slow for the burst; take a smaller one")
    print("live sends before the burst: " + summary(live(conn, "BenchLive", lambda: time.time() * 1000 > due_ms)))
    looked = [0.0, False]

    def all_delivered():
        if time.monotonic() - looked[0] > 0.05:
            looked[:] = time.monotonic(), stored_count(conn, "BenchBurst") >= burst or time.time() * 1000 > due_ms + 60_000
        return looked[1]

    print("live sends during the burst: " + summary(live(conn, "BenchLive", all_delivered)))
    times = sorted(store_times(port, "BenchBurst"))
    early = sum(t < due_ms for t in times)
    print(f"burst: {len(times)} of {burst} delivered, the last one {times[-1] - (due_ms + 999)} ms after the last due time, {early} before the first")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", nargs="?")
    parser.add_argument("--port", type=int)
    parser.add_argument("--pid", type=int)
    parser.add_argument("--waiting", type=int, default=1_000_000)
    parser.add_argument("--burst", type=int, default=100_000)
    options = parser.parse_args()
    if options.binary is None:
        if options.port is None or options.pid is None:
            parser.error("give a binary, or --port and --pid")
        return measure(options.port, options.pid, options.waiting, options.burst)
    with tempfile.TemporaryDirectory(prefix="gantry-bench-") as folder:
        gantry = remoting.Gantry(options.binary, folder, "written")
        gantry.start()
        try:
            measure(gantry.port, gantry.process.pid, options.waiting, options.burst)
        finally:
            gantry.stop()


if __name__ == "__main__":
    main()
