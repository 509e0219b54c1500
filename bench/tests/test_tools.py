#!/usr/bin/env python3
"""The three tools against each other: test_tools.py LOADGEN NULLSERVER RAWDISK (ctest passes the paths)."""

import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

LOADGEN, NULLSERVER, RAWDISK = (pathlib.Path(path) for path in (sys.argv[1:4] if len(sys.argv) > 3 else ("", "", "")))
LIMIT_S = 30


@contextlib.contextmanager
def null_server(*arguments):
    """Address of a running null server."""
    process = subprocess.Popen([NULLSERVER, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().split()[-1]
    finally:
        process.terminate()
        exit_code = process.wait(LIMIT_S)
        process.stdout.close()
    if exit_code != 0:
        raise AssertionError(f"null server ended with {exit_code}")


def run(tool, *arguments):
    return subprocess.run([tool, *map(str, arguments)], capture_output=True, text=True, timeout=LIMIT_S)


def load(mode, address, *arguments):
    """Exit code and result object of one run."""
    done = run(LOADGEN, mode, "--broker", address, "--json", *arguments)
    return done.returncode, json.loads(done.stdout)


class SendTest(unittest.TestCase):
    def test_count_is_exact_in_both_header_types(self):
        with null_server() as address:
            for header in ("json", "binary"):
                with self.subTest(header):
                    code, result = load("send", address, "--header", header, "--count", 5000, "--size", 100)
                    self.assertEqual(code, 0)
                    self.assertTrue(result["clean"])
                    self.assertEqual(result["messages"], 5000)
                    self.assertEqual(result["requests"], 5000)
                    self.assertEqual(result["body_bytes"], 500_000)
                    self.assertEqual(result["errors"], 0)

    def test_many_topics_by_turns_and_by_zipf(self):
        with null_server() as address:
            for law in ("0", "0.99"):
                with self.subTest(law):
                    code, result = load("send", address, "--topics", 20, "--queues", 7, "--zipf", law, "--count", 3000, "--size", 100)
                    self.assertEqual((code, result["messages"]), (0, 3000))

    def test_numbered_properties_go_with_few_queues_only(self):
        done = run(LOADGEN, "send", "--broker", "127.0.0.1:1", "--topics", 20, "--property", "a=%5")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--topics", done.stderr)

    def test_large_bodies_survive_short_writes(self):
        with null_server() as address:
            code, result = load("send", address, "--count", 200, "--size", 1 << 20, "--depth", 16)
            self.assertEqual((code, result["messages"]), (0, 200))

    def test_time_bounds_a_run(self):
        with null_server() as address:
            code, result = load("send", address, "--seconds", 0.3)
            self.assertEqual(code, 0)
            self.assertGreater(result["messages"], 0)
            self.assertLess(result["elapsed_s"], 5)

    def test_histogram_holds_every_message_and_quantiles_rise(self):
        with null_server() as address:
            _, result = load("send", address, "--count", 3000, "--histogram")
            self.assertEqual(sum(count for _, count in result["histogram_ns"]), 3000)
            latency = result["latency_us"]
            self.assertTrue(0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["p99_9"] <= latency["max"])

    def test_open_loop_keeps_its_rate(self):
        with null_server() as address:
            code, result = load("send", address, "--rate", 2000, "--seconds", 1, "--size", 10)
            self.assertEqual(code, 0)
            # Poisson arrivals: 2000 +- 45 is one standard deviation; 400 is beyond chance.
            self.assertAlmostEqual(result["messages"], 2000, delta=400)

    def test_refused_sends_are_errors_by_code(self):
        with null_server("--refuse-every", "10", "--refuse-code", "2") as address:
            code, result = load("send", address, "--count", 1000, "--no-create", "--queues", 1)
            self.assertEqual(code, 1)
            self.assertFalse(result["clean"])
            # The set-up message is the first of 1001 sends, so 100 of them are refused, all in the run.
            self.assertEqual(result["errors"], 100)
            self.assertEqual(result["messages"], 900)
            self.assertEqual(result["codes"]["2"]["count"], 100)
            self.assertIn("refuse-every", result["codes"]["2"]["remark"])

    def test_topic_is_made_by_a_first_send_where_admin_requests_are_unknown(self):
        with null_server("--refuse-admin") as address:
            done = run(LOADGEN, "send", "--broker", address, "--count", 100, "--json")
            self.assertEqual(done.returncode, 0)
            self.assertIn("code 3", done.stderr)
            self.assertIn("by a first send", done.stderr)
            self.assertEqual(json.loads(done.stdout)["messages"], 100)

    def test_refused_topic_makes_the_run_impossible(self):
        with null_server("--refuse-every", "1", "--refuse-code", "17") as address:
            done = run(LOADGEN, "send", "--broker", address, "--count", 10)
            self.assertEqual(done.returncode, 3)
            self.assertIn("code 17", done.stderr)


class PullTest(unittest.TestCase):
    def test_delivered_messages_are_counted(self):
        with null_server("--pull-messages", "32", "--pull-size", "128") as address:
            code, result = load("pull", address, "--seconds", 0.3, "--connections", 4, "--depth", 4)
            self.assertEqual(code, 0)
            self.assertEqual(result["messages"], 32 * result["requests"])
            self.assertEqual(result["body_bytes"], 128 * result["messages"])
            self.assertEqual(result["misplaced"], 0)

    def test_empty_topic_is_no_result(self):
        with null_server("--pull-messages", "0") as address:
            code, result = load("pull", address, "--seconds", 20)
            self.assertEqual((code, result["messages"]), (1, 0))
            self.assertLess(result["elapsed_s"], 10)


class ProbeTest(unittest.TestCase):
    def test_probe_reports_when_a_message_was_accepted(self):
        with null_server() as address:
            code, result = load("probe", address)
            self.assertEqual(code, 0)
            self.assertGreater(result["accepted_ns"], 0)

    def test_probe_gives_up_and_says_why(self):
        with null_server("--refuse-every", "1", "--refuse-code", "14") as address:
            done = run(LOADGEN, "probe", "--broker", address, "--deadline-seconds", 0.2)
            self.assertEqual(done.returncode, 1)
            self.assertIn("code 14", done.stderr)


class UsageTest(unittest.TestCase):
    def test_usage_errors_exit_with_2(self):
        for arguments in ((), ("send",), ("send", "--broker", "nowhere"), ("send", "--broker", "127.0.0.1:1", "--size", 0)):
            with self.subTest(arguments):
                self.assertEqual(run(LOADGEN, *arguments).returncode, 2)

    def test_nobody_listening_exits_with_3(self):
        with null_server() as address:
            pass
        done = run(LOADGEN, "send", "--broker", address, "--count", 1)
        self.assertEqual(done.returncode, 3)
        self.assertIn(address, done.stderr)


class RawDiskTest(unittest.TestCase):
    def test_writes_and_leaves_nothing_behind(self):
        with tempfile.TemporaryDirectory() as folder:
            for method in ("auto", "buffered"):
                with self.subTest(method):
                    done = run(RAWDISK, "--file", f"{folder}/raw", "--file-size", "4M", "--block", "64K",
                               "--seconds", 0.1, "--method", method, "--json")
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertGreater(json.loads(done.stdout)["writes"], 0)
            self.assertEqual(list(pathlib.Path(folder).iterdir()), [])

    def test_refusals(self):
        self.assertEqual(run(RAWDISK, "--file", "/nonexistent/raw").returncode, 3)
        self.assertEqual(run(RAWDISK, "--file", "raw", "--block", 1000).returncode, 2)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    del sys.argv[1:4]
    unittest.main()
