#!/usr/bin/env python3
"""`gantry plugin list` and `gantry plugin new`.

Usage: commands_test.py GANTRY SAMPLES
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

GANTRY, SAMPLES = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])


def gantry(*arguments, wanted, cwd=None, env=None):
    done = subprocess.run([GANTRY, "plugin", *map(str, arguments)], capture_output=True, text=True, timeout=60, cwd=cwd, env=env)
    assert done.returncode == wanted, f"plugin {arguments}: exit code {done.returncode}, wanted {wanted}\n{done.stdout}{done.stderr}"
    return done


def lists(folder):
    good, broken, empty = folder / "good", folder / "broken", folder / "empty"
    for path in (good, broken, empty):
        path.mkdir()
    shutil.copy(SAMPLES / "sample.so", good / "sample.so")
    shutil.copy(GANTRY.parent / "plugins/filter-sql92.so", good)
    shutil.copy(SAMPLES / "sample.so", broken)
    shutil.copy(SAMPLES / "sample-no-note.so", broken)
    (broken / "text.so").write_text("no plugin at all")
    (broken / "notes.txt").write_text("not looked at")

    # A constructor of a sample leaves a marker when any of its code runs.
    marker = folder / "marker"
    env = dict(os.environ, GANTRY_TEST_MARKER=str(marker))
    rows = {p["name"]: p for p in json.loads(gantry("list", good, "--json", wanted=0, env=env).stdout)["plugins"]}
    assert set(rows) == {"sample", "filter-sql92"}, rows
    wanted = {"id": "test.sample", "kinds": ["protocol"], "version": "1.2.3", "abi": "1.0", "license": "Apache-2.0", "path": str(good / "sample.so"), "state": "found", "refusal": ""}
    assert wanted.items() <= rows["sample"].items(), rows["sample"]
    assert rows["filter-sql92"]["kinds"] == ["filter"] and rows["filter-sql92"]["license"] == "Apache-2.0", rows["filter-sql92"]

    rows = {p["name"]: p for p in json.loads(gantry("list", broken, "--json", wanted=1, env=env).stdout)["plugins"]}
    assert {name: row["state"] for name, row in rows.items()} == {"sample": "found", "sample-no-note": "refused", "text": "refused"}, rows
    assert "not an ELF file" in rows["text"]["refusal"] and "no .note.gantry note" in rows["sample-no-note"]["refusal"], rows
    table = gantry("list", broken, wanted=1, env=env).stdout
    assert table.splitlines()[0].split() == ["NAME", "KIND", "VERSION", "ABI", "LICENSE", "STATE", "PATH"], table
    assert ["sample", "protocol", "1.2.3", "1.0", "Apache-2.0", "found", str(broken / "sample.so")] in [line.split() for line in table.splitlines()], table
    assert "not an ELF file" in table, table
    assert not marker.exists(), "code of a plugin ran"

    assert json.loads(gantry("list", empty, "--json", wanted=0).stdout)["plugins"] == []
    assert "cannot be read" in gantry("list", folder / "nowhere", wanted=1).stderr
    assert "filter-sql92" in gantry("list", wanted=0).stdout


def begins(folder):
    for kind in ("filter", "allocator"):
        for language in ("c", "cpp"):
            name = f"my-{kind}-{language}2"
            said = gantry("new", kind, name, "--lang", language, wanted=0, cwd=folder).stdout
            made = folder / name
            lower = name.replace("-", "_")
            assert (made / f"{lower}.{language}").exists() and f"cd {name}" in said, said
            text = "".join(p.read_text() for p in made.iterdir())
            assert "xample_" not in text and "EXAMPLE" not in text and f"example-{kind}" not in text and f"org.example.{name}" in text, text
            before = text
            assert "it exists" in gantry("new", kind, name, "--lang", language, wanted=1, cwd=folder).stderr
            assert "".join(p.read_text() for p in made.iterdir()) == before
    said = gantry("new", "filter", "my-rust-filter", "--lang", "rust", wanted=0, cwd=folder).stdout
    made = folder / "my-rust-filter"
    text = "".join(p.read_text() for p in made.rglob("*") if p.is_file())
    assert "cargo build" in said and (made / "src/lib.rs").exists() and "xample_" not in text and "EXAMPLE" not in text and "org.example.my-rust-filter" in text, text
    assert "no template" in gantry("new", "allocator", "my-rust-allocator", "--lang", "rust", wanted=2, cwd=folder).stderr and not (folder / "my-rust-allocator").exists()
    for name in ("Upper", "9lives", "a_b", "../up", "trailing-", "x" * 41, ""):
        assert gantry("new", "filter", name, wanted=2, cwd=folder).stderr
        assert not (folder / name).exists() or name == "", name
    gantry("new", "store", "my-store", wanted=2, cwd=folder)
    gantry("new", "filter", "other", "--lang", "cobol", wanted=2, cwd=folder)
    assert not (folder / "other").exists() and not (folder / "my-store").exists()


with tempfile.TemporaryDirectory() as root:
    lists(pathlib.Path(root))
    begins(pathlib.Path(root))
print("plugin list and plugin new are good")
