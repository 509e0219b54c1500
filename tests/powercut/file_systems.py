#!/usr/bin/env python3
"""The store on real file systems: its contract suite, kill -9 of the store alone and of the whole broker, on an image of each on a loop device.

Prints a table row per file system: engine and kind of I/O that the broker says it has, and what passed. Needs root, loop devices and the mkfs of each
(Debian: e2fsprogs, xfsprogs, btrfs-progs); a file system that cannot be made or mounted is left out with the reason, and 77 is returned when none is left.

Usage: file_systems.py BUILD_FOLDER [--only NAME,...] [--rounds N]
"""
import argparse
import contextlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support" / "python"))
import power_disk  # noqa: E402
import remoting  # noqa: E402

IMAGE_MIB = 1024
HERE = pathlib.Path(__file__).parent
MAKE = {"ext4": ["mkfs.ext4", "-q", "-F"], "xfs": ["mkfs.xfs", "-q", "-f"], "btrfs": ["mkfs.btrfs", "-q", "-f"], "powercut": None}
SMALL = ["--set=segment_size=8388608", "--set=hot_cache=8388608", "--set=checkpoint_every=2097152", "--max-record=2000000"]
OLD_GOES = ["--retention=segment_size=1048576", "--retention=hot_cache=4194304", "--retention=checkpoint_every=1048576", "--retention=retention_bytes=4194304"]
CRASH = ["--level=durable", "--set=segment_size=4194304", "--set=hot_cache=2097152", "--set=checkpoint_every=2097152"]


@contextlib.contextmanager
def mounted(name, build, folder):
    if MAKE[name] is None:
        with power_disk.PowerDisk(build / "tests/powercut/powercut", folder) as disk:
            yield disk.mount
        return
    image, mount = folder / "image", folder / "disk"
    mount.mkdir()
    with open(image, "wb") as out:
        out.truncate(IMAGE_MIB << 20)
    for command in (MAKE[name] + [str(image)], ["mount", "-o", "loop", str(image), str(mount)]):
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise power_disk.NoMount(f"{command[0]} is not installed") from None
        if done.returncode != 0:
            raise power_disk.NoMount(f"{' '.join(command)}: {done.stderr.strip()}")
    try:
        yield mount
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def said_engine(binary, mount, extra):
    """What the broker's banner says about how it writes there."""
    with tempfile.TemporaryDirectory(dir=mount) as folder:
        gantry = remoting.Gantry(binary, folder, "durable", extra_store=extra)
        gantry.start()
        banner = gantry.banner
        assert gantry.stop() == 0
    return re.search(r"engine\s+(.*)", banner).group(1).strip()


def run(command, mount):
    """(exit code, output) with all temporary files on the file system."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, env={**os.environ, "TMPDIR": str(mount)})
    return done.returncode, done.stdout + done.stderr


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--only", default=",".join(MAKE))
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    build, good, ran = options.build.resolve(), True, 0
    plugin = f"--plugin={build}/plugins/store-commitlog.so"
    print(f"Linux {os.uname().release}, images of {IMAGE_MIB} MiB, {options.rounds} rounds of kill -9 each")
    for name in options.only.split(","):
        with tempfile.TemporaryDirectory(prefix="gantry-fs-") as folder:
            try:
                with mounted(name, build, pathlib.Path(folder)) as mount:
                    ran += 1
                    cells = [name, said_engine(build / "gantry", mount, "")]
                    for engine in ("io_uring", "pwrite"):
                        code, said = run([build / "tests/contract/store/store-contract", plugin, "--strongest=durable", f"--set=engine={engine}", "--bases", *SMALL, *OLD_GOES], mount)
                        counts = {word: re.search(rf"\[  {word} +\] (\d+) test", said) for word in ("PASSED", "SKIPPED", "FAILED")}
                        cells.append(", ".join(f"{found.group(1)} {word.lower()}" for word, found in counts.items() if found))
                        crash_code, crash_said = run([build / "tests/crash/store-crash", plugin, f"--set=engine={engine}", f"--rounds={options.rounds}", *CRASH], mount)
                        cells.append("passed" if crash_code == 0 else "FAILED")
                        if code != 0 or crash_code != 0:
                            good = False
                            print(name, engine, "\n", said[-3000:], crash_said[-3000:])
                    code, said = run([sys.executable, HERE.parent / "crash/broker_crash.py", build / "gantry", "durable", "--rounds", options.rounds], mount)
                    count = re.search(r"(\d+) messages", said)
                    cells.append(f"passed, {count.group(1)} messages" if code == 0 else "FAILED")
                    if code != 0:
                        good = False
                        print(said[-4000:])
                    print("| " + " | ".join(cells) + " |", flush=True)
            except power_disk.NoMount as why:
                print(f"{name} left out: {why}")
    if not ran:
        return power_disk.SKIPPED
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
