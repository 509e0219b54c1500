#!/usr/bin/env python3
"""How long Gantry takes from exec to the first accepted send with many messages stored: after kill -9 and after a clean stop.

Usage: restart.py [--gantry build/release/gantry] [--loadgen build/release/bench/gantry-loadgen] [--messages 1000000] [--size 1024] [--runs 5]
"""
import argparse
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support" / "python"))
import remoting  # noqa: E402


def first_send_s(gantry):
    """Seconds from exec to the reply of a send."""
    begin = time.monotonic()
    gantry.start(timeout_s=120)
    conn = remoting.Connection(gantry.port)
    code, _, remark, _ = conn.call(remoting.SEND_V2, remoting.send_fields("AfterRestart", 0), b"first")
    assert code == 0, remark
    conn.close()
    return time.monotonic() - begin


def measure(gantry, options):
    subprocess.run([str(options.loadgen), "send", "--broker", f"127.0.0.1:{gantry.port}", "--count", str(options.messages), "--seconds", "600", "--size", str(options.size)],
                   check=True, timeout=700)
    for way, end in (("kill -9", gantry.kill), ("clean stop", gantry.stop)):
        times = []
        for _ in range(options.runs):
            end()
            times.append(first_send_s(gantry))
        print(f"after {way}, {options.messages} messages of {options.size} B stored: min {min(times):.3f} median {statistics.median(times):.3f} max {max(times):.3f} s over {options.runs} runs")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--gantry", default=ROOT / "build/release/gantry")
    parser.add_argument("--loadgen", default=ROOT / "build/release/bench/gantry-loadgen")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gantry-restart-") as folder:
        gantry = remoting.Gantry(str(options.gantry), folder, "written")
        print(f"empty start: {first_send_s(gantry):.3f} s")
        try:
            measure(gantry, options)
        finally:
            if gantry.alive():
                gantry.stop()


if __name__ == "__main__":
    main()
