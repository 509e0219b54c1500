#!/usr/bin/env python3
"""What access control costs a send: the processor time of a broker that takes signed sends with and without [auth], in turns; and with --instructions, under callgrind, the
instructions, of two runs of different length each, so that start and stop cancel out. callgrind does not offer the processor's instructions for SHA-1.

Usage: acl_cost.py GANTRY [--instructions]        the latter needs valgrind
"""
import base64
import hashlib
import hmac
import pathlib
import os
import re
import statistics
import struct
import sys
import tempfile

GANTRY, BODY_BYTES = sys.argv[1], 128
ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/support/python"))
import remoting  # noqa: E402

USER, SECRET, IN_FLIGHT = "sender", "secret-of-the-sender", 32
RULES = f'[[user]]\nname = "{USER}"\nsecret = "{SECRET}"\n[[user.policy]]\nresources = ["Topic:*", "Group:*"]\nactions = ["Pub", "Sub"]\n'


class Signed(remoting.Connection):
    def frame(self, code, fields, body=b"", flag=0):
        fields = {k: str(v) for k, v in fields.items()} | {"AccessKey": USER}
        content = "".join(fields[k] for k in sorted(fields)).encode() + body
        fields["Signature"] = base64.b64encode(hmac.new(SECRET.encode(), content, hashlib.sha1).digest()).decode()
        # As Java's clients write it: compact.
        fields = "".join(f',"{k}":"{v}"' for k, v in fields.items())[1:]
        self.opaque += 1
        header = f'{{"code":{code},"extFields":{{{fields}}},"flag":{flag},"language":"JAVA","opaque":{self.opaque},"serializeTypeCurrentRPC":"JSON","version":409}}'.encode()
        return (4 + len(header) + len(body)).to_bytes(4, "big") + len(header).to_bytes(4, "big") + header + body, self.opaque


def broker(folder, auth, more_store=""):
    rules = pathlib.Path(folder) / "acl.toml"
    rules.write_text(RULES)
    rules.chmod(0o600)
    section = f'\n[auth]\nfile = "{rules}"\nreload_period = "0s"\n' if auth else ""
    return remoting.Gantry(GANTRY, folder, ack="written", extra_store=more_store + section)


def load(gantry, sends, timeout_s):
    """Sends so many messages, IN_FLIGHT at a time, each frame once signed and sent again and again; returns the connection's broker time in seconds."""
    conn = Signed(gantry.port, timeout_s=timeout_s)
    body = b"x" * BODY_BYTES
    fields = remoting.send_fields("cost", 0, "UNIQ_KEY\x017F00000100002A9F0000000000000000\x02WAIT\x01true\x02")
    assert conn.call(remoting.SEND_V2, fields, body)[0] == 0
    frames = b"".join(conn.frame(remoting.SEND_V2, fields, body)[0] for _ in range(IN_FLIGHT))
    before = processor_s(gantry.process.pid)
    for _ in range(sends // IN_FLIGHT):
        conn.send_raw(frames)
        for _ in range(IN_FLIGHT):
            conn._fill(4)
            n = 4 + struct.unpack(">I", conn.buffer[:4])[0]
            conn._fill(n)
            assert b'"code":0,' in conn.buffer[:n], conn.buffer[:n]
            conn.buffer = conn.buffer[n:]
    spent = processor_s(gantry.process.pid) - before
    conn.close()
    return spent


def processor_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def instructions(sends, auth):
    """Of a whole life of the broker."""
    with tempfile.TemporaryDirectory() as folder:
        gantry = broker(folder, auth, 'engine = "pwrite"')  # io_uring is more than valgrind knows
        wrapper = pathlib.Path(folder) / "gantry"
        wrapper.write_text(f'#!/bin/sh\nexec valgrind --tool=callgrind --callgrind-out-file=/dev/null {GANTRY} "$@"\n')
        wrapper.chmod(0o755)
        gantry.binary = str(wrapper)
        gantry.start(timeout_s=120)
        load(gantry, sends, 60)
        assert gantry.stop(timeout_s=120) == 0, gantry.log_text()
        return int(re.search(r"Collected : (\d+)", gantry.log_text())[1])


def microseconds(sends, auth):
    """Processor time of the broker, its system calls included, per send."""
    with tempfile.TemporaryDirectory() as folder:
        gantry = broker(folder, auth)
        gantry.start()
        load(gantry, 20_000, 30)
        spent = load(gantry, sends, 30)
        assert gantry.stop() == 0
        return spent / sends * 1e6


def main():
    if "--instructions" in sys.argv:
        short, long = 2_048, 10_240
        cost = {auth: (instructions(long, auth) - instructions(short, auth)) / (long - short) for auth in (False, True)}
        unit = "instructions"
    else:
        rounds = [(microseconds(100_000, False), microseconds(100_000, True)) for _ in range(5)]
        cost = {auth: statistics.median(one[auth] for one in rounds) for auth in (False, True)}
        unit = "us of processor time"
    for auth in (False, True):
        print(f"access control {'on' if auth else 'off'}: {cost[auth]:.2f} {unit} per send of {BODY_BYTES} bytes, {IN_FLIGHT} in flight")
    print(f"access control costs {cost[True] - cost[False]:.2f}, {100 * (cost[True] / cost[False] - 1):.1f} %")


main()
