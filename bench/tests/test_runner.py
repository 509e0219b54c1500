#!/usr/bin/env python3
"""The paired runner: test_runner.py FOLDER_OF_TOOLS (ctest passes it)."""

import contextlib
import io
import json
import math
import os
import pathlib
import sys
import tempfile
import unittest

BENCH = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(BENCH))
TOOLS = sys.argv[1] if len(sys.argv) > 1 else ""

import run  # noqa: E402
from pairs import machine, page, stats, systems, workloads  # noqa: E402
from pairs.summary import summarize  # noqa: E402


def window(cpu_us, rate=1000.0, void=(), tail_us=500.0):
    load = {"clean": True, "messages": 1000, "body_bytes": 1_024_000, "messages_per_s": rate, "codes": {},
            "generator_core_share": 0.5, "latency_us": {"p99_9": tail_us}, "histogram_ns": [[100_000, 900], [2_000_000, 100]]}
    return {"load": load, "cpu_us": cpu_us, "cpu_us_machine": 1.1 * cpu_us, "broker_core_share": 0.4, "void": list(void),
            "generator_bound": False, "written_per_body": 1.2, "device_written_per_body": 1.2, "device_flushes": 0.0}


def slot(cpu_us, rate):
    return {"start_s": 0.5, "idle_memory_mb": {"resident": 10}, "loaded_memory_mb": {"resident": 20, "peak": 30},
            "idle_cpu_share": 0.01, "void": [], "windows": {"send-1k": window(cpu_us, rate)},
            "calls": {"send-1k": {"system_calls": 100.0, "context_switches": 5.0}}}


def result_of(rounds):
    """A result with `gantry` at 2 us and RocketMQ ten times dearer, a little dearer still in later rounds."""
    entries = [{"round": n, "flush": "written", "order": [], "null": {"send-1k": window(0.5)},
                "slots": {"gantry": slot(2.0, 4000.0), "rocketmq-4.9.7": slot(20.0 + n, 1000.0)}}
               for n in range(1, rounds + 1)]
    return {"date": "2024-01-01", "commit": "0", "base": "gantry", "workloads": ["send-1k"], "rounds": entries,
            "machine": {"cpu": "c", "cores": 2, "memory_gib": 1, "kernel": "k", "file_system": "f", "mount_options": "o"},
            "systems": {"gantry": {"title": "Gantry", "version": None},
                        "rocketmq-4.9.7": {"title": "RocketMQ 4.9.7", "version": "4.9.7"}},
            "settings": {"rounds": rounds, "seconds": 1, "warm_seconds": 1, "warm_messages": 1, "max_messages": 1,
                         "heap": "2g", "rocketmq_conf": {}, "broker_cpus": "", "generator_cpus": "",
                         "warm_spread": 0.05, "others_limit": 0.05, "quick": False}}


def cpu_ratio(result, **options):
    return summarize(result, **options)["workloads"]["send-1k"]["ratios"]["rocketmq-4.9.7"]["cpu"]


class StatsTest(unittest.TestCase):
    def test_equal_ratios_have_no_spread(self):
        ratio = stats.paired_ratio([(10, 2), (50, 10), (5, 1)])
        for key in ("median", "low", "high", "min", "max"):
            self.assertAlmostEqual(ratio[key], 5)
        self.assertEqual(ratio["pairs"], 3)

    def test_interval_lies_within_the_extremes_and_around_the_median(self):
        ratio = stats.paired_ratio([(n, 1) for n in (8, 9, 10, 11, 12, 30)])
        self.assertTrue(8 <= ratio["low"] <= ratio["median"] <= ratio["high"] <= 30)
        self.assertAlmostEqual(ratio["median"], math.sqrt(110))

    def test_no_pairs_is_no_ratio(self):
        self.assertIsNone(stats.paired_ratio([]))

    def test_histograms_are_joined_before_quantiles_are_read(self):
        joined = stats.merge_histograms([[[10, 98], [20, 1]], [[10, 1], [4000, 100]]])
        self.assertEqual(joined, [(10, 99), (20, 1), (4000, 100)])
        self.assertEqual(stats.quantile(joined, 0.5), 20)
        self.assertEqual(stats.quantile(joined, 0.99), 4000)
        self.assertEqual(stats.share_below(joined, 1000), 0.5)


class SummaryTest(unittest.TestCase):
    def test_ratio_is_the_median_over_rounds(self):
        ratio = cpu_ratio(result_of(3))
        self.assertEqual(ratio["pairs"], 3)
        self.assertAlmostEqual(ratio["median"], 11.0)

    def test_rate_counts_in_favour_of_the_faster(self):
        one = summarize(result_of(3))["workloads"]["send-1k"]["ratios"]["rocketmq-4.9.7"]
        self.assertAlmostEqual(one["rate"]["median"], 4.0)

    def test_start_memory_and_calls_are_paired_too(self):
        result = result_of(3)
        for entry in result["rounds"]:
            entry["slots"]["rocketmq-4.9.7"].update({"start_s": 3.0, "idle_memory_mb": {"resident": 400}})
        ratios = summarize(result)["slot_ratios"]
        self.assertAlmostEqual(ratios["start to first accepted message"]["rocketmq-4.9.7"]["median"], 6.0)
        self.assertAlmostEqual(ratios["resident memory, idle"]["rocketmq-4.9.7"]["median"], 40.0)

    def test_a_void_window_takes_its_pair_out_and_is_listed(self):
        result = result_of(4)
        result["rounds"][1]["slots"]["gantry"]["windows"]["send-1k"]["void"] = ["the host took 9%"]
        self.assertEqual(cpu_ratio(result)["pairs"], 3)
        self.assertEqual(cpu_ratio(result, keep_voided=True)["pairs"], 4)
        self.assertIn((2, "gantry", "the host took 9%"), summarize(result)["workloads"]["send-1k"]["voided"])
        self.assertIn("the host took 9%", page.tables(result, summarize(result)))

    def test_a_slow_null_server_voids_the_round(self):
        result = result_of(4)
        result["rounds"][2]["null"]["send-1k"] = window(0.5, tail_us=5000)
        self.assertEqual(cpu_ratio(result)["pairs"], 3)

    def test_an_unsteady_or_failed_slot_takes_its_pairs_out(self):
        result = result_of(4)
        result["rounds"][0]["slots"]["rocketmq-4.9.7"]["void"] = ["not steady"]
        result["rounds"][1]["slots"]["gantry"] = {"failed": "gantry ended with 1"}
        summary = summarize(result)
        self.assertEqual(cpu_ratio(result)["pairs"], 2)
        self.assertEqual(summary["failed"], [(2, "gantry", "gantry ended with 1")])
        text = page.tables(result, summary)
        self.assertIn("not steady", text)
        self.assertIn("gantry ended with 1", text)


class PageTest(unittest.TestCase):
    def test_page_shows_ratio_interval_configuration_and_commands(self):
        result = result_of(3)
        text = page.whole(result, summarize(result))
        self.assertIn("| 11.0 (10.5-11.5) | 10.5-11.5 |", text)
        self.assertIn("flushDiskType=ASYNC_FLUSH", text)
        self.assertIn('ack = "written"', text)
        self.assertIn("gantry-loadgen send --topic Bench_send_1k --queues 16 --connections 4 --size 1024 --depth 32", text)
        self.assertNotIn("proves nothing", text)

    def test_a_quick_run_says_so(self):
        result = result_of(2)
        result["settings"]["quick"] = True
        self.assertIn("no basis for a claim", page.whole(result, summarize(result)))

    def test_every_table_row_has_the_cells_of_its_head(self):
        for block in page.tables(result_of(2), summarize(result_of(2))).split("\n\n"):
            rows = [line for line in block.splitlines() if line.startswith("|")]
            self.assertLessEqual(len({row.count("|") for row in rows}), 1, block)


class SystemsTest(unittest.TestCase):
    def settings(self):
        return systems.Settings(gantry="gantry", loadgen="", nullserver="")

    def test_flush_classes_reach_the_configurations(self):
        gantry = systems.make_system("gantry", self.settings())
        rocketmq = systems.make_system("rocketmq-5.5.0", self.settings())
        for flush, ack, disk in (("written", "written", "ASYNC_FLUSH"), ("durable", "durable", "SYNC_FLUSH")):
            self.assertIn(f'ack = "{ack}"', gantry.config("d", 1, 2, flush))
            self.assertIn(f"flushDiskType={disk}\n", rocketmq.config("d", 1, 2, flush))

    def test_tuned_differs_from_plain(self):
        plain = systems.make_system("rocketmq-5.5.0", self.settings()).config("d", 1, 2, "written")
        tuned = systems.make_system("rocketmq-5.5.0-tuned", self.settings()).config("d", 1, 2, "written")
        self.assertNotIn("transientStorePoolEnable", plain)
        self.assertIn("transientStorePoolEnable=true\n", tuned)

    def test_unknown_names_are_refused_with_the_known_ones(self):
        with self.assertRaisesRegex(ValueError, "rocketmq-VERSION"):
            systems.make_system("kafka", self.settings())
        with self.assertRaisesRegex(ValueError, "durable-1k"):
            workloads.chosen(["send-2k"])

    def test_order_turns_around(self):
        self.assertEqual(run.order_of(1, ["a", "b", "c"]), ["a", "b", "c"])
        self.assertEqual(run.order_of(2, ["a", "b", "c"]), ["c", "b", "a"])


class MachineTest(unittest.TestCase):
    def test_snapshots_of_a_working_process_differ(self):
        before = machine.Snapshot.take(os.getpid(), None, "/")
        total = sum(n * n for n in range(2_000_000))
        spent = machine.Snapshot.take(os.getpid(), None, "/") - before
        self.assertGreater(total, 0)
        self.assertGreater(spent.process_s, 0.01)
        self.assertIsNone(spent.group_s)

    def test_memory_is_reported_in_megabytes(self):
        found = machine.memory_mb(os.getpid())
        self.assertTrue(1 < found["resident"] <= found["peak"] < 10_000)


class CommandTest(unittest.TestCase):
    def call(self, *arguments):
        output, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            try:
                code = run.main(list(arguments))
            except SystemExit as ended:
                code = ended.code
        return code, output.getvalue(), errors.getvalue()

    def test_files_that_are_no_results_are_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            for text in ("{}", "nothing", "[]"):
                path = pathlib.Path(folder, "result.json")
                path.write_text(text)
                self.assertEqual(self.call("--from", str(path))[0], 2, text)
            self.assertEqual(self.call("--from", f"{folder}/absent.json")[0], 1)

    def test_missing_tools_are_named(self):
        code, _, errors = self.call("--tools", "/nonexistent")
        self.assertEqual(code, 2)
        self.assertIn("gantry-loadgen is missing", errors)

    def test_missing_gantry_is_named(self):
        code, _, errors = self.call("--tools", TOOLS, "--gantry", "/nonexistent/gantry")
        self.assertEqual(code, 2)
        self.assertIn("/nonexistent/gantry is missing", errors)

    def test_a_broker_that_does_not_start_is_a_failed_slot(self):
        with tempfile.TemporaryDirectory() as folder:
            broken = pathlib.Path(folder) / "gantry"
            broken.write_text("#!/bin/sh\necho no such plugin\nexit 7\n")
            broken.chmod(0o755)
            code, _, errors = self.call(*self.short(folder), "--systems", "gantry", "--gantry", str(broken),
                                        "--workloads", "send-1k")
            self.assertEqual(code, 1)
            self.assertIn("ended with 7", errors)
            self.assertIn("no such plugin", errors)

    @staticmethod
    def short(folder):
        return ["--tools", TOOLS, "--work-folder", folder, "--out", f"{folder}/result.json", "--rounds", "1",
                "--seconds", "0.2", "--warm-seconds", "0.2", "--warm-messages", "1", "--warm-spread", "100",
                "--idle-seconds", "0.1", "--others-limit", "100", "--max-messages", "20000"]

    def test_whole_run_against_the_null_server(self):
        with tempfile.TemporaryDirectory() as folder:
            code, output, errors = self.call(*self.short(folder), "--systems", "null", "--publish", f"{folder}/page.md",
                                             "--workloads", "send-1k,pull-128,durable-1k")
            self.assertEqual(code, 0, errors)
            self.assertIn("## Start and memory", output)
            result = json.loads(pathlib.Path(folder, "result.json").read_text())
            slots = [entry["slots"]["null"] for entry in result["rounds"]]
            self.assertEqual([sorted(one["windows"]) for one in slots], [["pull-128", "send-1k"], ["durable-1k"]])
            for one in slots:
                self.assertGreater(one["start_s"], 0)
                self.assertGreater(one["loaded_memory_mb"]["resident"], 0)
                for measured in one["windows"].values():
                    self.assertGreater(measured["load"]["messages"], 0)
            page_text = pathlib.Path(folder, "page.md").read_text()
            self.assertIn("# Benchmarks", page_text)
            left = [path.name for path in pathlib.Path(folder).iterdir()]
            self.assertEqual(sorted(left), ["page.md", "result.json"])
            again, repeated, _ = self.call("--from", f"{folder}/result.json")
            self.assertEqual((again, repeated), (0, output))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    del sys.argv[1]
    unittest.main()
