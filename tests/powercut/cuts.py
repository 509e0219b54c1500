#!/usr/bin/env python3
"""Power cuts: what a broker acknowledged with ack = "durable" is there after each, exactly as sent.

A broker runs on a disk that forgets, keeps or tears what was not flushed. Several connections send with many requests under way and one
commits offsets; in the midst of a random change of the disk the power goes, and the broker with it. On what the disk has left:

    `gantry store verify` finds nothing wrong; a torn tail is a note
    the broker starts, says how much of an unfinished write it cut, and counts no damage
    every acknowledged message is delivered as it was sent, nothing that nobody sent is, no committed offset has gone back

Of four rounds one is cut while the broker starts or stops. Every disk takes CUTS_PER_DISK rounds and has a configuration of its own (engine,
page cache, retention; every fourth refuses O_DIRECT). A round's choices follow from the seed and the round's number; threads interleave as they happen to, so the disk of
a failure is kept, before and after its start.

Usage: cuts.py GANTRY_BINARY POWERCUT_BINARY [--cuts N] [--seed S] [--disk D] [--minutes M] [--keep FOLDER] [--lie]

--disk D runs only the D-th disk of a seed, --minutes ends early. --lie has flushes that the disk does not do: then the test must fail, and 0 is returned when it does.
"""
import argparse
import json
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support" / "python"))
import ledger  # noqa: E402
import power_disk  # noqa: E402
import remoting  # noqa: E402

CUTS_PER_DISK = 25
FLUSH_US = 400
# Words of the store's log for what no loss of power may bring about.
DAMAGE = re.compile(r"damage|corrupt|not usable|lost|rebuilding", re.IGNORECASE)
KINDS = ("load", "load", "load", "load", "load", "load", "start", "stop")


def store_choices(rng):
    return {"segment_size": '"1 MiB"', "checkpoint_every": '"1 MiB"', "hot_cache": f'"{rng.choice((1, 4))} MiB"', "keep_free": '"1 MiB"', "reserve": '"256 KiB"',
               "engine": f'"{rng.choice(("io_uring", "pwrite"))}"', "direct": f'"{rng.choice(("auto", "off"))}"', "zero_fill": f'"{rng.choice(("auto", "on", "off"))}"',
               "retention_bytes": f'"{rng.choice((0, 6))} MiB"', "flush_interval": '"20ms"', "recycle": str(rng.choice((0, 2)))}


class Cuts:
    """The rounds of one disk."""

    def __init__(self, options, seed, number, disk, folder, rounds, refuse_direct):
        self.refuse_direct = refuse_direct
        self.options, self.disk, self.rounds, self.folder = options, disk, rounds, folder
        self.seed, self.rng = f"{seed}/{number}", random.Random(f"{seed}/{number}")
        self.choices = store_choices(self.rng)
        self.section = "\n".join(f"{key} = {value}" for key, value in self.choices.items())
        self.gantry = remoting.Gantry(options.binary, folder, "durable", extra_store=self.section, extra_broker='drain_timeout = "2s"')
        text = self.gantry.config.read_text()
        self.gantry.config.write_text(text.replace(f'data_dir = "{folder}/data"', f'data_dir = "{disk.mount}/data"'))
        self.ledger = ledger.Ledger()
        self.done, self.torn_tails, self.joined, self.slowest_s = 0, 0, False, 0.0
        self.changes = {"kept": 0, "dropped": 0, "torn": 0, "names_kept": 0, "names_dropped": 0}

    def run(self, deadline):
        self.start()
        while self.done < self.rounds and not self.ledger.faults and time.monotonic() < deadline:
            rng = random.Random(f"{self.seed}/{self.done}")
            kind = rng.choice(KINDS)
            before = set(self.ledger.acknowledged)
            getattr(self, f"cut_{kind}")(rng)
            self.after(kind, set(self.ledger.acknowledged) - before)
        if not self.ledger.faults:
            self.ledger.verify(self.gantry.port)
        if not self.ledger.faults and self.gantry.stop() != 0:
            self.ledger.fault("the clean stop did not end with 0")

    def start(self):
        self.slowest_s = max(self.slowest_s, self.gantry.start())
        how = "buffered" if self.refuse_direct or self.choices["direct"] == '"off"' else "O_DIRECT"
        if how not in self.gantry.banner:
            self.ledger.fault(f"the banner does not say {how}: {self.gantry.banner}")
        if not self.joined:
            self.ledger.join(self.gantry.port)
            self.joined = True

    def cut(self, rng, most_ms):
        """A change chosen among the next few or many, so that beginnings are met as often as what comes later."""
        after = int(2 ** rng.uniform(0, rng.choice((5, 8, 8, 11))))
        report = self.disk.cut(rng.getrandbits(63), after, rng.randrange(20, most_ms))
        for key, count in report.items():
            self.changes[key] += count

    def load(self, rng):
        threads = self.ledger.threads(self.gantry.port, f"{self.done}", rng)
        for thread in threads:
            thread.start()
        return threads

    def cut_load(self, rng):
        threads = self.load(rng)
        self.cut(rng, 400)
        self.gantry.kill()
        for thread in threads:
            thread.join()

    def cut_start(self, rng):
        """The power goes under load, and again while what it left is opened."""
        self.cut_load(rng)
        self.disk.restore()
        self.in_the_midst(rng, self.start_or_fail)

    def start_or_fail(self):
        try:
            self.gantry.start()
        except AssertionError:
            pass  # the disk fails under it

    def cut_stop(self, rng):
        threads = self.load(rng)
        time.sleep(rng.uniform(0.02, 0.2))
        self.in_the_midst(rng, lambda: self.gantry.stop(30))
        for thread in threads:
            thread.join()

    def in_the_midst(self, rng, act):
        cutter = threading.Thread(target=self.cut, args=(rng, 300))
        cutter.start()
        act()
        cutter.join()
        if self.gantry.alive():
            self.gantry.kill()

    def after(self, kind, fresh):
        self.disk.restore()
        if self.options.keep:
            shutil.rmtree(self.options.keep, ignore_errors=True)
            shutil.copytree(self.disk.mount, self.options.keep)
        log_bytes = (self.folder / "gantry.log").stat().st_size
        self.verify_tool()
        if self.ledger.faults:
            return
        self.start()
        with open(self.folder / "gantry.log", "rb") as log:
            log.seek(log_bytes)
            said = log.read().decode(errors="replace")
        self.torn_tails += "bytes cut at position" in said
        self.ledger.faults += [f"the start speaks of damage: {line}" for line in said.splitlines() if DAMAGE.search(line)]
        conn = remoting.Connection(self.gantry.port)
        info = json.loads(conn.call(28, {})[3])["table"]
        conn.close()
        if info["commitLogBadRecords"] != "0":
            self.ledger.fault(f"{info['commitLogBadRecords']} records count as damaged")
        self.ledger.verify(self.gantry.port, fresh)
        self.ledger.faults[:] = [f"disk {self.seed} round {self.done} ({kind}): {fault}" for fault in self.ledger.faults]
        self.done += 1

    def verify_tool(self):
        done = subprocess.run([self.options.binary, "store", "verify", str(self.disk.mount / "data"), "--json"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            self.ledger.fault(f"gantry store verify ended with {done.returncode}: {done.stdout[-2000:]} {done.stderr[-1000:]}")


def run_disk(options, seed, number, rounds, deadline):
    with tempfile.TemporaryDirectory(prefix="gantry-power-") as folder:
        folder = pathlib.Path(folder)
        refuse_direct = number % 4 == 3
        with power_disk.PowerDisk(options.powercut, folder, f"--flush-us={FLUSH_US}", *(["--no-direct"] if refuse_direct else [])) as disk:
            cuts = Cuts(options, seed, number, disk, folder, rounds, refuse_direct)
            if options.lie:
                disk.lie()
            try:
                cuts.run(deadline)
            except Exception as error:  # whatever it is, it is a fault of this disk
                cuts.ledger.fault(f"disk {seed}/{number} round {cuts.done}: " + "".join(traceback.format_exception(error)))
            finally:
                if cuts.gantry.alive():
                    cuts.gantry.kill()
            if cuts.ledger.faults and not options.lie:
                print(cuts.section)
                print(cuts.gantry.log_text())
                print(disk.log.read_text()[-3000:] if disk.log.exists() else "no cut")
            return cuts


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("powercut")
    parser.add_argument("--cuts", type=int, default=50)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--disk", type=int, default=None)
    parser.add_argument("--minutes", type=float, default=None)
    parser.add_argument("--keep", type=pathlib.Path, default=None)
    parser.add_argument("--lie", action="store_true")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    deadline = time.monotonic() + 60 * options.minutes if options.minutes else float("inf")
    print(f"seed {seed}, {options.cuts} cuts", flush=True)
    done, faults, messages, torn_tails, slowest_s, number = 0, [], 0, 0, 0.0, options.disk or 0
    changes = {}
    begin = time.monotonic()
    while done < options.cuts and not faults and time.monotonic() < deadline:
        try:
            cuts = run_disk(options, seed, number, min(CUTS_PER_DISK, options.cuts - done), deadline)
        except power_disk.NoMount as why:
            print(f"skipped: no file system can be mounted here: {why}")
            return power_disk.SKIPPED
        done += cuts.done
        faults = cuts.ledger.faults
        messages += len(cuts.ledger.acknowledged)
        torn_tails += cuts.torn_tails
        slowest_s = max(slowest_s, cuts.slowest_s)
        for key, count in cuts.changes.items():
            changes[key] = changes.get(key, 0) + count
        if done % 500 == 0 or number % 20 == 19:
            print(f"{done} cuts, {messages} messages acknowledged, {time.monotonic() - begin:.0f} s", flush=True)
        number += 1
        if options.disk is not None:
            break
    print(f"{done} cuts in {time.monotonic() - begin:.0f} s; {messages} messages acknowledged; changes that were not flushed: {changes}; "
          f"a torn tail was cut {torn_tails} times; slowest start {slowest_s:.2f} s")
    for fault in faults[:20]:
        print("FAULT", fault)
    if options.lie:
        found = messages > 0 and any("Traceback" not in fault for fault in faults)  # a broker that did not start proves nothing
        print("the loss was found" if found else "flushes did nothing and nobody noticed")
        return 0 if found else 1
    print(f"{0 if faults else 1} passed, {1 if faults else 0} failed")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
