#!/usr/bin/env python3
"""The checks of compatibility.py find each kind of mistake."""
import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))

import compatibility  # noqa: E402

FILE = compatibility.INTEROP / "go/main.go"
CASES = {"3.5.8": {"old_a": FILE}, "4.9.8": {"a": FILE}, "5.5.0": {"a": FILE, "b": FILE}, "go": {"go_a": FILE}, "cpp": {"cpp_a": FILE}}
CELLS = {"3.5.8": ["old_a"], "java": ["a"], "go": ["go_a"], "cpp": ["cpp_a"]}
ROWS = [compatibility.row("Area", "one", CELLS), compatibility.row("Area", "two", {"3.5.8": "no such call", "4.9.8": "not tested", "5.5.0": ["b"], "go": "not served", "cpp": "not tested"})]


class Compatibility(unittest.TestCase):
    def test_a_map_without_mistakes(self):
        self.assertEqual(compatibility.problems(ROWS, CASES), [])

    def test_a_case_without_a_feature(self):
        self.assertEqual(compatibility.problems(ROWS[:1], CASES), ["case b belongs to no feature"])

    def test_a_case_that_is_not_there(self):
        wrong = compatibility.row("Area", "three", CELLS | {"go": ["go_b", "program:nothing", "program:tls"]})
        self.assertEqual(compatibility.problems([*ROWS, wrong], CASES), ["Area, three: Go v2.1.2 has no case go_b", "Area, three: no program:nothing"])

    def test_cells_that_say_nothing(self):
        for cells in ({"java": ["a"], "go": ["go_a"], "cpp": ["cpp_a"]}, CELLS | {"go": "perhaps"}, CELLS | {"rust": ["a"]}):
            with self.assertRaises(compatibility.Wrong):
                compatibility.row("Area", "four", cells)

    def test_the_page(self):
        page = compatibility.page(ROWS, CASES)
        self.assertIn("| one | [old_a](../tests/interop/go/main.go) | [a](../tests/interop/go/main.go) |", page)
        self.assertIn("| two | *no such call* | *not tested* | [b](../tests/interop/go/main.go) | *not served* | *not tested* |", page)
        self.assertEqual(page.count("## Area"), 1)

    def test_what_is_not_promised_yet_is_in_brackets(self):
        self.assertEqual(compatibility.linked("a", CASES["4.9.8"], compatibility.re.compile("a")), "([a](../tests/interop/go/main.go))")


if __name__ == "__main__":
    unittest.main()
