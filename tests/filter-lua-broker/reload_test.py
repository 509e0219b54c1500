#!/usr/bin/env python3
"""A named script that is replaced again and again under load: each message is delivered once, and memory stays.

Usage: reload_test.py GANTRY [--rounds N] [--any-memory]
"""
import argparse
import threading

import scripted
from remoting import PULL, SEND_V2, Closed, Connection, records, send_fields

TOPIC = "Reloaded"
MEMORY_SLACK = 12 << 20


def text(version):
    """The same answer every time: by another text, and in another way."""
    ways = ("return tonumber(p.n) % 2 == 0", "local d = p.n:sub(-1)\nreturn d == '0' or d == '2' or d == '4' or d == '6' or d == '8'", "return p.n:match('[02468]$') ~= nil")
    return f"-- version {version}\n{ways[version % len(ways)]}\n"


class Producer(threading.Thread):
    def __init__(self, port):
        super().__init__()
        self.conn, self.stopping, self.sent, self.fault = Connection(port), threading.Event(), 0, None

    def run(self):
        try:
            while not self.stopping.is_set():
                for _ in range(32):
                    self.conn.send(SEND_V2, send_fields(TOPIC, 0, f"n\x01{self.sent}\x02"), b"x" * 64)
                    self.sent += 1
                for _ in range(32):
                    _, code, _, remark, _ = self.conn.receive()
                    assert code == 0, remark
        except (Closed, AssertionError) as error:
            self.fault = error


class Consumer(threading.Thread):
    def __init__(self, port):
        super().__init__()
        self.conn, self.until, self.got, self.fault = Connection(port), None, [], None

    def run(self):
        offset = 0
        try:
            while self.until is None or offset < self.until:
                code, fields, remark, body = self.conn.call(PULL, scripted.lua_pull(TOPIC, "@even", offset, count=64, wait_ms=200))
                assert code in (0, 19, 20), f"{code}: {remark}"
                if code == 0:
                    self.got += [int(record.properties["n"]) for record in records(body)]
                offset = int(fields["nextBeginOffset"])
        except (Closed, AssertionError) as error:
            self.fault = error


def replaced(gantry):
    return (gantry.folder / "gantry.log").read_text(errors="replace").count("@even was replaced")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--any-memory", action="store_true", help="for sanitizers, which keep what was freed")
    options = parser.parse_args()
    with scripted.broker(options.binary) as (gantry, scripts):
        scripts.put("even", text(0))
        gantry.start()
        producer, consumer = Producer(gantry.port), Consumer(gantry.port)
        producer.start()
        scripted.until(lambda: producer.sent != 0 or producer.fault is not None)
        consumer.start()
        warm = 0
        for version in range(1, options.rounds + 1):
            scripts.put("even", text(version))
            scripted.until(lambda: replaced(gantry) >= version or producer.fault is not None or consumer.fault is not None)
            if version == max(options.rounds // 5, 1):
                warm = gantry.resident_bytes()
        grown = gantry.resident_bytes() - warm
        producer.stopping.set()
        producer.join()
        consumer.until = producer.sent
        consumer.join()
        assert producer.fault is None and consumer.fault is None, (producer.fault, consumer.fault)
        wanted = list(range(0, producer.sent, 2))
        assert consumer.got == wanted, f"lost {sorted(set(wanted) - set(consumer.got))[:10]}, {len(consumer.got)} of {len(wanted)} came"
        # And the last text is the one in force.
        scripts.put("even", "return tonumber(p.n) == 1")
        scripted.until(lambda: replaced(gantry) > options.rounds)
        conn = Connection(gantry.port)
        code, _, remark, body = conn.call(PULL, scripted.lua_pull(TOPIC, "@even", 0))
        assert code == 0 and [record.properties["n"] for record in records(body)] == ["1"], (code, remark)
        assert options.any_memory or grown < MEMORY_SLACK, f"memory grew by {grown >> 20} MiB from round {options.rounds // 5} to {options.rounds}"
        assert gantry.stop() == 0
        print(f"{options.rounds} reloads under {producer.sent} messages: {len(consumer.got)} delivered, none lost, none twice; memory {grown / (1 << 20):+.1f} MiB")


main()
