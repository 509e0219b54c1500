#!/usr/bin/env python3
"""The rounds of kill -9 themselves: what a client or a check raises is a fault, and no broker outlives its test.

Usage: kill_rounds_test.py GANTRY_BINARY
"""
import contextlib
import io
import pathlib
import sys
import threading
import unittest
import unittest.mock

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support" / "python"))
import kill_rounds  # noqa: E402

BINARY = sys.argv.pop(1)


class Rounds(kill_rounds.Scenario):
    busy_s = (0.01, 0.02)

    def __init__(self, where):
        super().__init__()
        self.where, self.processes = where, []

    def step(self, gantry, name):
        self.processes.append(gantry.process)
        if name == self.where:
            raise ValueError(f"raised in {name}")

    def prepare(self, gantry):
        self.step(gantry, "prepare")

    def clients(self, gantry, number, rng):
        return [threading.Thread(target=self.step, args=(gantry, "a client"))]

    def restarted(self, gantry, start_s):
        self.step(gantry, "restarted")

    def finish(self, gantry):
        self.step(gantry, "finish")

    def summary(self):
        return f"{len(self.processes)} steps"


class KillRoundsTest(unittest.TestCase):
    def run_rounds(self, where):
        scenario, said = Rounds(where), io.StringIO()
        with unittest.mock.patch.object(sys, "argv", ["rounds", BINARY, "written", "--rounds", "2"]), contextlib.redirect_stdout(said):
            code = kill_rounds.main(scenario)
        self.assertTrue(scenario.processes)
        for process in scenario.processes:
            self.assertIsNotNone(process.returncode, f"a broker is left behind after an exception in {where}")
        return code, said.getvalue(), len(scenario.processes)

    def test_passes_when_nothing_is_raised(self):
        code, said, steps = self.run_rounds("nowhere")
        self.assertEqual((code, steps), (0, 6), said)

    def test_what_is_raised_is_a_fault(self):
        for where in ("prepare", "a client", "restarted", "finish"):
            with self.subTest(where):
                code, said, _ = self.run_rounds(where)
                self.assertEqual(code, 1, said)
                self.assertIn(f"ValueError: raised in {where}", said)

    def test_a_broker_that_does_not_start_is_a_fault(self):
        scenario, said = Rounds("nowhere"), io.StringIO()
        with unittest.mock.patch.object(sys, "argv", ["rounds", "/bin/false", "written", "--rounds", "2"]), contextlib.redirect_stdout(said):
            self.assertEqual(kill_rounds.main(scenario), 1)
        self.assertIn("gantry ended with 1", said.getvalue())


if __name__ == "__main__":
    unittest.main()
