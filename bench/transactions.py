#!/usr/bin/env python3
"""What a committed transaction costs beside an ordinary message: bytes of log, bytes that the process wrote, messages per second.

  transactions.py GANTRY_BINARY [--count 20000] [--body 1024] [--ack durable]
  transactions.py --port P --pid N ...            a broker that runs already (RocketMQ: the Java process)

First `--count` ordinary messages, then as many transactions: half messages and their commits, 256 under way. Bytes written are the kernel's count
(write_bytes of /proc/PID/io), after everything was acknowledged and two seconds have passed; without the zeros that `zero_fill` writes ahead into new
segments. Prints one line per number.
"""
import argparse
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tests" / "support" / "python"))
import remoting  # noqa: E402

BATCH, QUEUES, END_TRANSACTION, COMMIT = 256, 4, 37, 8
GROUP = "transactions-bench"


def answers(conn, n, what):
    for _ in range(n):
        _, code, fields, remark, _ = conn.receive()
        if code != 0:
            raise SystemExit(f"{what} answered {code}: {remark}")
        yield fields


def position(fields):
    return int(fields["msgId"][-16:], 16)


def send(conn, topic, first, n, body, properties, sys_flag):
    batch = b""
    for i in range(first, first + n):
        fields = remoting.send_fields(topic, i % QUEUES, f"UNIQ_KEY\x01{i:032X}\x02{properties}")
        fields["f"] = sys_flag
        batch += conn.frame(remoting.SEND_V2, fields, body)[0]
    conn.send_raw(batch)
    return list(answers(conn, n, "a send"))


def ordinary(conn, first, n, body):
    send(conn, "BenchPlain", first, n, body, "", 0)


def transaction(conn, first, n, body):
    halves = send(conn, "BenchTransaction", first, n, body, f"TRAN_MSG\x01true\x02PGROUP\x01{GROUP}", 4)
    ends = [conn.frame(END_TRANSACTION, {"producerGroup": GROUP, "tranStateTableOffset": half["queueOffset"], "commitLogOffset": position(half), "commitOrRollback": COMMIT,
                                         "fromTransactionCheck": "false", "msgId": "x"})[0] for half in halves]
    conn.send_raw(b"".join(ends))
    list(answers(conn, n, "a commit"))


def written(pid):
    for line in pathlib.Path(f"/proc/{pid}/io").read_text().splitlines():
        if line.startswith("write_bytes"):
            return int(line.split()[1])
    raise SystemExit(f"no write_bytes of process {pid}")


def measure(what, one_batch, port, pid, options):
    conn = remoting.Connection(port, timeout_s=60)
    body = b"x" * options.body
    log_end = lambda: position(send(conn, "BenchMark", 0, 1, b"x", "", 0)[0])  # noqa: E731
    before, log_before, begin = written(pid), log_end(), time.monotonic()
    for first in range(0, options.count, BATCH):
        one_batch(conn, first, min(BATCH, options.count - first), body)
    took = time.monotonic() - begin
    log = log_end() - log_before
    time.sleep(2)
    print(f"{what}: log {log / options.count:.0f} bytes each, written {(written(pid) - before) / options.count:.0f} bytes each, {options.count / took:.0f} per second")
    conn.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", nargs="?")
    parser.add_argument("--port", type=int)
    parser.add_argument("--pid", type=int)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--body", type=int, default=1024)
    parser.add_argument("--ack", default="durable")
    options = parser.parse_args()
    if (options.binary is None) == (options.port is None or options.pid is None):
        parser.error("give a binary, or --port and --pid")
    with tempfile.TemporaryDirectory(prefix="gantry-bench-") as folder:
        gantry = None
        if options.binary is not None:
            gantry = remoting.Gantry(options.binary, folder, options.ack, extra_store='zero_fill = "off"')
            gantry.start()
        port, pid = (gantry.port, gantry.process.pid) if gantry else (options.port, options.pid)
        try:
            measure("ordinary messages", ordinary, port, pid, options)
            measure("committed transactions", transaction, port, pid, options)
        finally:
            if gantry is not None:
                gantry.kill()


if __name__ == "__main__":
    main()
