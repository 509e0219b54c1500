#!/usr/bin/env python3
"""One flush or one write of the log that fails, below a broker with ack = "durable": no success after it, ever, and nothing that was acknowledged is lost.

For each error, number of the flush that fails, and way of going on (the kernel lets go of the pages that it could not write; or the power goes):

    every sender is refused; none of the sends and commits that follow, on new connections too, is answered with success
    what was acknowledged before is delivered meanwhile; the log says what has failed and what to do; the broker stops when it is told to
    after the next start all that was acknowledged is there as it was sent, and sends go on

Usage: failed_flush.py GANTRY_BINARY POWERCUT_BINARY [--seed S]
"""
import argparse
import pathlib
import random
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support" / "python"))
import ledger  # noqa: E402
import power_disk  # noqa: E402
import remoting  # noqa: E402

LOG = "*/commitlog/*[0-9]"  # not one that is being made: that one is made again
STORE = 'segment_size = "1 MiB"\ncheckpoint_every = "1 MiB"\nhot_cache = "4 MiB"\nkeep_free = "1 MiB"\nreserve = "256 KiB"\nzero_fill = "off"\nengine = "{}"\ndirect = "{}"'
TRIES = 50


def tries_after(gantry):
    """Sends and commits on connections of their own: texts of those that were answered with success."""
    good = []
    for number in range(TRIES):
        conn = remoting.Connection(gantry.port)
        code, fields, remark, _ = conn.call(remoting.SEND_V2, remoting.send_fields(ledger.TOPIC, number % ledger.QUEUES), b"after the failure")
        if code == 0:
            good.append(f"send {number} after the failure was acknowledged: {fields}")
        elif not remark:
            good.append(f"send {number} was refused with {code} and no reason")
        commit = {"consumerGroup": ledger.GROUP, "topic": ledger.TOPIC, "queueId": 0, "commitOffset": 1_000_000 + number}
        if conn.call(remoting.UPDATE_OFFSET, commit)[0] == 0:
            good.append(f"commit {number} after the failure was acknowledged")
        conn.close()
    return good


def one_case(options, folder, op, error, nth, power_goes, rng):
    folder.mkdir()
    engine, direct = rng.choice(("io_uring", "pwrite")), rng.choice(("auto", "off"))
    case = f"the {nth}th {op} fails with {error}, {engine}, direct {direct}, then {'the power goes' if power_goes else 'the page cache does'}"
    with power_disk.PowerDisk(options.powercut, folder) as disk:
        gantry = remoting.Gantry(options.binary, folder, "durable", extra_store=STORE.format(engine, direct))
        gantry.config.write_text(gantry.config.read_text().replace(f'data_dir = "{folder}/data"', f'data_dir = "{disk.mount}/data"'))
        promised = ledger.Ledger()
        gantry.start()
        try:
            promised.join(gantry.port)
            disk.rule(op, LOG, nth, 1, error)
            threads = promised.threads(gantry.port, "before", rng)
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
                assert not thread.is_alive(), "a client is neither answered nor refused"
            assert disk.met() == 1, f"{disk.met()} requests were met"
            assert gantry.alive(), "the broker ended"
            promised.faults += tries_after(gantry)
            # What is acknowledged stays readable; what failed is not shown.
            promised.verify(gantry.port)
            said = gantry.log_text()
            assert "no more records are accepted" in said and "restart the broker" in said, said
            if rng.random() < 0.5:
                gantry.stop()
            else:
                gantry.kill()
            disk.clear()
            if power_goes:
                disk.cut(rng.getrandbits(63))
                disk.restore()
            else:
                disk.forget_failed()
            gantry.start()
            promised.verify(gantry.port)
            promised.join(gantry.port)
            assert gantry.stop() == 0, gantry.log_text()
        except BaseException:
            print(f"FAULT {case}:\n{gantry.log_text()}")
            raise
        finally:
            if gantry.alive():
                gantry.kill()
    for fault in promised.faults[:10]:
        print(f"FAULT {case}: {fault}")
    print(f"{case}: {len(promised.acknowledged)} acknowledged before it, {promised.refused} senders refused", flush=True)
    return not promised.faults


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("powercut")
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    rng, good, number = random.Random(seed), True, 0
    with tempfile.TemporaryDirectory(prefix="gantry-power-") as folder:
        for op, error in (("fsync", "EIO"), ("fsync", "ENOSPC"), ("write", "EIO"), ("write", "ENOSPC")):
            for power_goes in (False, True):
                for nth in (1 + rng.randrange(5), 10 + rng.randrange(200)):
                    number += 1
                    try:
                        good &= one_case(options, pathlib.Path(folder) / str(number), op, error, nth, power_goes, rng)
                    except power_disk.NoMount as why:
                        print(f"skipped: no file system can be mounted here: {why}")
                        return power_disk.SKIPPED
    print(f"{1 if good else 0} passed, {0 if good else 1} failed")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
