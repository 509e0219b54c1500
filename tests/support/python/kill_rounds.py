"""What the crash tests of the whole broker share: rounds of load that end with kill -9, on one data folder.

A test derives from Scenario, says what its clients do and what must be true afterwards, and calls main.
"""
import argparse
import random
import tempfile
import threading
import time
import traceback
import zlib

import remoting

# Small, so that segments roll, checkpoints are written and old messages are read from the disk within seconds.
STORE = 'segment_size = "16 MiB"\ncheckpoint_every = "4 MiB"\nhot_cache = "8 MiB"'


class Scenario:
    """The test's clients and its ledger of what was acknowledged. `faults`, a list of texts, decides; `lock` is for the clients' threads."""

    rounds = 30
    busy_s = (0.05, 0.6)  # how long a round lasts before the kill
    extra_broker = ""
    store = STORE

    def __init__(self):
        self.lock = threading.Lock()
        self.faults = []

    def prepare(self, gantry):
        """Before the first round."""

    def clients(self, gantry, number, rng):
        """The threads of round `number`, not started. Each ends when its connection closes."""
        raise NotImplementedError

    def restarted(self, gantry, start_s):
        """After the kill and the next start, which took start_s."""

    def finish(self, gantry):
        """After the last round, when there were no faults."""

    def summary(self):
        """One line for the log."""
        raise NotImplementedError


def run(scenario, gantry, rounds, rng):
    gantry.start()
    scenario.prepare(gantry)
    for number in range(rounds):
        threads = scenario.clients(gantry, number, rng)
        for thread in threads:
            thread.start()
        time.sleep(rng.uniform(*scenario.busy_s))
        gantry.kill()
        for thread in threads:
            thread.join()
        scenario.restarted(gantry, gantry.start())
        if scenario.faults:
            return
    scenario.finish(gantry)
    if not scenario.faults and gantry.stop() != 0:
        scenario.faults.append("the clean stop did not end with 0")


def main(scenario):
    """Usage: TEST GANTRY_BINARY written|durable [--rounds N] [--seed S]. Returns the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("level", choices=("written", "durable"))
    parser.add_argument("--rounds", type=int, default=scenario.rounds)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    scenario.rounds = options.rounds
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"level {options.level}, {options.rounds} rounds, seed {seed}")
    with tempfile.TemporaryDirectory(prefix="gantry-crash-") as folder:
        gantry = remoting.Gantry(options.binary, folder, options.level, extra_store=scenario.store, extra_broker=scenario.extra_broker)
        # A client thread that ends with an exception is a fault too, and whatever happens no broker is left behind.
        hook, threading.excepthook = threading.excepthook, lambda raised: note(scenario, raised.exc_type, raised.exc_value, raised.exc_traceback)
        try:
            run(scenario, gantry, options.rounds, random.Random(seed))
        except Exception as error:
            note(scenario, type(error), error, error.__traceback__)
        finally:
            threading.excepthook = hook
            if gantry.alive():
                gantry.kill()
        print(scenario.summary())
        for fault in scenario.faults[:20]:
            print("FAULT", fault)
        if scenario.faults:
            print(gantry.log_text())
        print(f"{0 if scenario.faults else 1} passed, {1 if scenario.faults else 0} failed")
        return 1 if scenario.faults else 0


def note(scenario, kind, error, where):
    with scenario.lock:
        scenario.faults.append("".join(traceback.format_exception(kind, error, where)))


# Bodies by name. Two of three are big enough to stay where they are when the message is stored again, one is copied.
def body_of(name):
    size = (0, 600, 5000)[zlib.crc32(name.encode()) % 3]
    return f"{name}\n{(name + ' ') * (size // len(name) + 1)}".encode() if size else name.encode()


def name_of(body):
    name = body.split(b"\n", 1)[0].decode()
    return name if body == body_of(name) else f"<a body of {len(body)} bytes that was not sent: {body[:40]}>"
