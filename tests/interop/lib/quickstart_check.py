#!/usr/bin/env python3
"""Compares what the quickstart's producer and consumer printed.

quickstart_check.py PRODUCER_OUT CONSUMER_OUT: exit 0 when the consumer has printed each of the producer's 1,000
messages, with body "Hello RocketMQ <i>" for every i; 1 when some are missing yet; 2 when the output is wrong for good.
"""
import re
import sys

EXPECTED = 1000


def main() -> int:
    with open(sys.argv[1], encoding="utf-8", errors="replace") as file:
        sent = re.findall(r"SendResult \[sendStatus=SEND_OK, msgId=([0-9A-F]+)", file.read())
    if len(sent) != EXPECTED or len(set(sent)) != EXPECTED:
        print(f"the producer printed {len(sent)} sends with SEND_OK, {EXPECTED} expected")
        return 2
    with open(sys.argv[2], encoding="utf-8", errors="replace") as file:
        received = re.findall(r"Receive New Messages: .*?UNIQ_KEY=([0-9A-F]+).*?body=\[([0-9, -]+)\]", file.read())
    bodies = {}
    for message_id, body in received:
        if message_id in bodies:
            print(f"message {message_id} was received twice")
            return 2
        bodies[message_id] = bytes(int(number) for number in body.split(",")).decode()
    missing = [message_id for message_id in sent if message_id not in bodies]
    if missing:
        print(f"{len(missing)} of {EXPECTED} messages have not been received")
        return 1
    wrong = [i for i, message_id in enumerate(sent) if bodies[message_id] != f"Hello RocketMQ {i}"]
    if wrong:
        print(f"message {wrong[0]} has the body {bodies[sent[wrong[0]]]!r}")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
