#!/usr/bin/env python3
"""Prints two free loopback ports: one for a name server, one for a broker whose neighbours -2 (VIP) and +1 (HA) are free too.

With INTEROP_LANE=I/N in the environment they come from the I-th of N parts of the range, so that runs side by side do not take each other's."""
import os
import random
import socket


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def main() -> None:
    # Below the range that the kernel hands out for outgoing connections.
    lane, lanes = map(int, os.environ.get("INTEROP_LANE", "0/1").split("/"))
    size = (32000 - 15000) // lanes
    # The name server's and the neighbours' ports stay within the part too.
    candidates = range(15000 + lane * size + 2, 15000 + (lane + 1) * size - 5)
    for _ in range(1000):
        broker = random.choice(candidates)
        nameserver = broker + 5
        if all(is_free(port) for port in (broker - 2, broker, broker + 1, nameserver)):
            print(nameserver, broker)
            return
    raise SystemExit("no free ports between 15000 and 32000")


if __name__ == "__main__":
    main()
