"""A mounted disk that can lose its power: the program `powercut` and its control socket.

As a program: power_disk.py SOCKET COMMAND... gives one command (control.hpp) and prints the answer.
"""
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

SKIPPED = 77
WAIT_S = 30


class NoMount(Exception):
    """Why file systems cannot be mounted here."""


def tell(path, line):
    with socket.socket(socket.AF_UNIX) as conn:
        conn.settimeout(WAIT_S)
        conn.connect(str(path))
        conn.sendall(line.encode() + b"\n")
        reply = b""
        while not reply.endswith(b"\n"):
            got = conn.recv(4096)
            assert got, f"the disk did not answer {line!r}"
            reply += got
    text = reply.decode().strip()
    assert not text.startswith("error"), text
    return text


class PowerDisk:
    """Use: `with PowerDisk(program, folder) as disk:`; the disk is empty, mounted at disk.mount."""

    def __init__(self, program, folder, *options):
        folder = pathlib.Path(folder)
        self.mount, self.socket, self.log = folder / "disk", folder / "disk.socket", folder / "disk.log"
        self.command = [str(program), str(self.mount), str(self.socket), f"--log={self.log}", *options]
        self.process = None

    def __enter__(self):
        if not os.path.exists("/dev/fuse"):
            raise NoMount("there is no /dev/fuse")
        self.mount.mkdir(exist_ok=True)
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            said = self.process.communicate()[1].strip()
            raise NoMount(said or f"powercut ended with {self.process.returncode}")
        return self

    def __exit__(self, *_):
        # SIGTERM unmounts; a process that still has a file open there would only delay it.
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        subprocess.run(["umount", "-l", str(self.mount)], capture_output=True, check=False)
        for stream in (self.process.stdout, self.process.stderr):
            stream.close()

    def call(self, line):
        return tell(self.socket, line)

    def numbers(self, line):
        words = self.call(line).split()
        return dict(zip(words[::2], map(int, words[1::2])))

    def cut(self, seed, after=0, at_most_ms=0):
        """The power goes in the midst of the after-th change from now; returns what became of the changes that were not flushed."""
        return self.numbers(f"cut {seed} {after} {at_most_ms}")

    def restore(self):
        self.call("restore")

    def rule(self, op, pattern, nth=1, count=1, error="0", delay_ms=0):
        self.call(f"rule {op} {pattern} {nth} {count} {error} {delay_ms}")

    def clear(self):
        self.call("clear")

    def met(self):
        return int(self.call("met"))

    def resize(self, size):
        self.call(f"size {size}")

    def forget_failed(self):
        self.call("forget-failed")

    def lie(self):
        """Flushes do nothing from now on, and say that all is well."""
        self.call("lie")

    def counts(self):
        return self.numbers("counts")


def until(what, done, deadline_s=WAIT_S):
    deadline = time.monotonic() + deadline_s
    while not done():
        assert time.monotonic() < deadline, f"after {deadline_s} s still not: {what}"
        time.sleep(0.01)


if __name__ == "__main__":
    print(tell(sys.argv[1], " ".join(sys.argv[2:])))
