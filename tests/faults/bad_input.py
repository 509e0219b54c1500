#!/usr/bin/env python3
"""Bytes from strangers: whatever one connection sends, it gets an error or is closed, and everybody else goes on.

Garbage, truncated and oversized frames, lengths that lie, header bombs, half frames that never end, readers that never read. After each
case a well-behaved client must still send and receive, and at the end the broker's memory must be about what it was.

Usage: bad_input.py GANTRY_BINARY
"""
import json
import pathlib
import random
import socket
import struct
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support" / "python"))
import remoting  # noqa: E402

RNG = random.Random(20250101)


def frame(header, body=b"", length=None, mark=None):
    length = 4 + len(header) + len(body) if length is None else length
    mark = len(header) if mark is None else mark
    return struct.pack(">II", length & 0xFFFFFFFF, mark & 0xFFFFFFFF) + header + body


def header(code=310, ext=None, **more):
    fields = {"code": code, "language": "JAVA", "version": 409, "opaque": 1, "flag": 0, "extFields": {} if ext is None else ext}
    fields.update(more)
    return json.dumps(fields).encode()


def send_ext(**change):
    ext = {k: str(v) for k, v in remoting.send_fields("BadInput", 0).items()}
    ext.update(change)
    return ext


BATCH_THAT_LIES = struct.pack(">IIIIi", 1 << 30, 0, 0, 0, 1 << 30) + b"x"

# Bytes after which the connection must be closed or answered with an error code; the name is the promise.
CASES = {
    "random bytes": bytes(RNG.getrandbits(8) for _ in range(4096)),
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "length zero": struct.pack(">I", 0) + b"\0" * 64,
    "length three": struct.pack(">I", 3) + b"\0" * 64,
    "length of 4 GiB": frame(b"{}", length=0xFFFFFFFF),
    "length just above 16 MiB": frame(b"{}", length=(16 << 20) + 1),
    "header longer than its frame": frame(header(), mark=0xFFFFFF),
    "header of unknown type": frame(header(), mark=(7 << 24) | len(header())),
    "empty header": frame(b""),
    "header that is no object": frame(b"[1,2,3]"),
    "header cut in the middle": frame(header()[:-7]),
    "header nested ten thousand deep": frame(b'{"code":310,"extFields":' + b'{"a":' * 10000 + b"1" + b"}" * 10000 + b"}"),
    "header with a hundred thousand fields": frame(header(ext={f"k{i}": "v" for i in range(100_000)})),
    "header with a string of a mebibyte": frame(header(remark="x" * (1 << 20))),
    "header with broken UTF-8 and NULs": frame(b'{"code":310,"opaque":1,"remark":"\xff\xfe\x00"}'),
    "binary header that lies about its lengths": frame(struct.pack(">hBhiiI", 310, 0, 409, 1, 0, 0x7FFFFFFF), mark=(1 << 24) | 17),
    "unknown request code": frame(header(code=31999)),
    "send without fields": frame(header()),
    "numbers that are no numbers": frame(header(ext=send_ext(e="four", f="1e9", g="?"))),
    "queue number of 2^31-1": frame(header(ext=send_ext(e="2147483647")), b"x"),
    "topic that could be a path": frame(header(ext=send_ext(b="../../etc/passwd")), b"x"),
    "topic of a thousand characters": frame(header(ext=send_ext(b="t" * 1000)), b"x"),
    "properties beyond the limit": frame(header(ext=send_ext(i="k\x01" + "v" * 40000)), b"x"),
    "body beyond the limit": frame(header(ext=send_ext()), b"x" * ((4 << 20) + 1)),
    "batch whose inner length lies": frame(header(code=320, ext=send_ext(m="true")), BATCH_THAT_LIES),
    "batch cut in the middle": frame(header(code=320, ext=send_ext(m="true")), struct.pack(">I", 40) + b"\0" * 20),
    "pull with a negative queue": frame(header(code=11, ext={k: str(v) for k, v in remoting.pull_fields("g", "BadInput", -1, 0).items()})),
    "pull far beyond the end": frame(header(code=11, ext={k: str(v) for k, v in remoting.pull_fields("g", "BadInput", 0, 1 << 62).items()})),
    "pull of a negative offset": frame(header(code=11, ext={k: str(v) for k, v in remoting.pull_fields("g", "BadInput", 0, -5).items()})),
    "heartbeat that is no JSON": frame(header(code=34), b"\xde\xad\xbe\xef"),
    "heartbeat nested ten thousand deep": frame(header(code=34), b"[" * 10000),
    "message id of nowhere": frame(header(code=33, ext={"offset": "123456789012345"})),
    "negative message id": frame(header(code=33, ext={"offset": "-1"})),
}
# Cases that RocketMQ answers with a normal outcome rather than with an error.
MAY_SUCCEED = {"pull far beyond the end", "pull of a negative offset", "send without fields"}


def provoke(port, data):
    """'closed', or the code of the first reply."""
    conn = remoting.Connection(port, timeout_s=10)
    try:
        conn.send_raw(data)
        conn.socket.shutdown(socket.SHUT_WR)
        return conn.receive()[1]
    except (remoting.Closed, OSError):
        return "closed"
    finally:
        conn.close()


def well_behaved(gantry):
    """A send and a pull of what was sent, on a connection of their own."""
    conn = remoting.Connection(gantry.port)
    body = f"good {time.monotonic_ns()}".encode()
    code, fields, remark, _ = conn.call(remoting.SEND_V2, remoting.send_fields("BadInput", 0), body)
    assert code == 0, f"a good send was refused: {code} {remark}"
    code, _, remark, got = conn.call(remoting.PULL, remoting.pull_fields("g", "BadInput", 0, int(fields["queueOffset"])))
    assert code == 0 and [b for _, b in remoting.messages(got)] == [body], f"a good pull failed: {code} {remark}"
    conn.close()


def check_cases(gantry, faults):
    for name, data in CASES.items():
        for port in (gantry.port, gantry.nameserver):
            outcome = provoke(port, data)
            if outcome == 0 and name not in MAY_SUCCEED and port == gantry.port:
                faults.append(f"{name}: answered as a success")
            if not gantry.alive():
                faults.append(f"{name}: the broker died\n{gantry.log_text()}")
                return
        well_behaved(gantry)


def check_mutations(gantry, faults, count=3000):
    """Good frames with a few bytes changed."""
    good = [frame(header(ext=send_ext()), b"body"), frame(header(code=11, ext={k: str(v) for k, v in remoting.pull_fields("g", "BadInput", 0, 0).items()})),
            frame(header(code=34), b'{"clientID":"a","consumerDataSet":[],"producerDataSet":[{"groupName":"p"}]}')]
    for number in range(count):
        data = bytearray(RNG.choice(good))
        for _ in range(RNG.randrange(1, 6)):
            data[RNG.randrange(len(data))] = RNG.getrandbits(8)
        try:
            conn = remoting.Connection(gantry.port if number % 4 else gantry.nameserver)
            conn.send_raw(bytes(data))
            conn.close()
        except remoting.Closed:
            pass
        if not gantry.alive():
            faults.append(f"mutation {number} killed the broker: {bytes(data)!r}\n{gantry.log_text()}")
            return
    well_behaved(gantry)


def check_slow_writers(gantry):
    """Two hundred connections that begin a frame of 16 MiB and send one byte more from time to time."""
    slow = [remoting.Connection(gantry.port) for _ in range(200)]
    for conn in slow:
        conn.send_raw(struct.pack(">I", (16 << 20) - 8) + b"\0")
    for _ in range(20):
        for conn in slow:
            conn.send_raw(b"x")
        well_behaved(gantry)
    for conn in slow:
        conn.close()


def check_deaf_readers(gantry, faults):
    """Ask for far more than is ever read: output must be bounded, and the others served."""
    conn = remoting.Connection(gantry.port)
    for _ in range(16):
        code, _, remark, _ = conn.call(remoting.SEND_V2, remoting.send_fields("Deaf", 0), b"d" * (1 << 20))
        assert code == 0, remark
    conn.close()
    before = gantry.resident_bytes()
    deaf = []
    for _ in range(8):
        conn = remoting.Connection(gantry.port)
        conn.socket.settimeout(2)
        try:
            for number in range(4000):
                conn.send(remoting.PULL, remoting.pull_fields("g", "Deaf", 0, number % 16))
        except remoting.Closed:
            pass  # the broker stopped reading, or closed
        deaf.append(conn)
    well_behaved(gantry)
    grown = gantry.resident_bytes() - before
    if grown > 600 << 20:
        faults.append(f"eight deaf readers cost {grown >> 20} MiB")
    for conn in deaf:
        conn.close()


def main():
    faults = []
    with tempfile.TemporaryDirectory(prefix="gantry-bad-input-") as folder:
        gantry = remoting.Gantry(sys.argv[1], folder, "written", extra_store='segment_size = "64 MiB"\nhot_cache = "32 MiB"')
        gantry.start()
        try:
            well_behaved(gantry)
            check_cases(gantry, faults)
            if not faults:
                check_mutations(gantry, faults)
            if not faults:
                check_slow_writers(gantry)
                check_deaf_readers(gantry, faults)
        finally:
            if gantry.alive() and gantry.stop() != 0:
                faults.append("the clean stop did not end with 0")
    for fault in faults:
        print("FAULT", fault)
    print(f"{len(CASES)} kinds of bad input; {0 if faults else 1} passed, {1 if faults else 0} failed")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
