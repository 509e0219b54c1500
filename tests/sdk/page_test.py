#!/usr/bin/env python3
"""A stranger's path: the commands of docs/plugins/write-a-plugin.md, run as they stand against an installed SDK; then one edited line, and a client of the broker.

Usage: page_test.py REPOSITORY BUILD_DIR CMAKE
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import in_broker

ROOT, BUILD, CMAKE = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
PAGE = (ROOT / "docs/plugins/write-a-plugin.md").read_text()


def run(command, cwd, env):
    done = subprocess.run(command, shell=isinstance(command, str), executable="/bin/bash" if isinstance(command, str) else None, capture_output=True, text=True, cwd=cwd, env=env, timeout=300)
    assert done.returncode == 0, f"{command}\nexit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def block(language, number):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)[number]


with tempfile.TemporaryDirectory() as folder:
    work, prefix = pathlib.Path(folder), pathlib.Path(folder) / "prefix"
    env = dict(os.environ, PATH=f"{prefix}/bin:{os.environ['PATH']}", CMAKE_PREFIX_PATH=str(prefix), PKG_CONFIG_PATH=str(prefix / "lib/pkgconfig"))
    for component in ("sdk", "broker"):
        run([CMAKE, "--install", str(BUILD), "--component", component, "--prefix", str(prefix)], work, env)
    said = run("set -e\n" + block("sh", 0), work, env)
    assert "\nat-least " in said and "0 failed, 0 skipped" in said and "is good" in said, said
    plugin = work / "at-least"
    said = run("set -e\n" + block("sh", 1), plugin, env)
    assert "0 failed, 0 skipped" in said, said
    in_broker.with_broker(prefix / "bin/gantry", plugin / "build/at-least.so", "filters", in_broker.use_filter("AT_LEAST", ["3", "4", "5"]))

    # One edited line: greater instead of at least. The cases say so, and the check finds that the old ones no longer hold.
    source = plugin / "at_least.cpp"
    old = "return *value >= least"
    assert source.read_text().count(old) == 1
    source.write_text(source.read_text().replace(old, "return *value > least"))
    run("cmake --build build", plugin, env)
    checked = subprocess.run([prefix / "bin/gantry", "plugin", "check", "build/at-least.so", "--cases", "cases.txt"], cwd=plugin, env=env, capture_output=True, text=True, timeout=300)
    assert checked.returncode == 1 and 'of {level=3} is no, wanted yes' in checked.stdout, checked.stdout
    (plugin / "cases.txt").write_text((plugin / "cases.txt").read_text().replace("yes\tlevel=3\n", "no\tlevel=3\n"))
    run("gantry plugin check build/at-least.so --cases cases.txt", plugin, env)
    in_broker.with_broker(prefix / "bin/gantry", plugin / "build/at-least.so", "filters", in_broker.use_filter("AT_LEAST", ["4", "5"]))

    # The allocator of the page, as it stands there, in C++ with a runtime of its own.
    text = block("cpp", 0)
    assert len([line for line in text.splitlines() if line and not line.startswith("//")]) <= 10, "ten lines are promised"
    assert text == (ROOT / "sdk/templates/allocator-cpp/example_allocator.cpp").read_text(), "the page and the template differ"
    (work / "example.cpp").write_text(text)
    run("g++ -std=c++20 -O2 $(pkg-config --cflags gantry-sdk) example.cpp -o example-allocator.so $(pkg-config --libs gantry-sdk) -static-libstdc++ -static-libgcc", work, env)
    run("gantry plugin check example-allocator.so", work, env)
    assert "libstdc++" not in run(["ldd", "example-allocator.so"], work, env)
    in_broker.with_broker(prefix / "bin/gantry", work / "example-allocator.so", "allocator", in_broker.use_allocator("EXAMPLE_ALLOCATOR", [0, 1, 2, 3]))
print("the page is true")
