#!/usr/bin/env python3
"""Prints two free loopback ports: one for a name server, one for a broker whose neighbours -2 (VIP) and +1 (HA) are free too."""
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
    candidates = range(15000, 32000)
    for _ in range(1000):
        broker = random.choice(candidates)
        nameserver = broker + 5
        if all(is_free(port) for port in (broker - 2, broker, broker + 1, nameserver)):
            print(nameserver, broker)
            return
    raise SystemExit("no free ports between 15000 and 32000")


if __name__ == "__main__":
    main()
