#!/usr/bin/env python3
"""The layer check must find each kind of violation, and nothing in a tree without any. Usage: check_layers_test.py CHECKER"""
import pathlib
import subprocess
import sys
import tempfile

CHECKER = sys.argv[1]

CLEAN = {
    "sdk/gantry/abi.h": "#include <stdint.h>\n",
    "kernel/base/a.hpp": "#include <gantry/abi.h>\n",
    "kernel/broker/b.cpp": '#include "kernel/base/a.hpp"\n#include "b.hpp"\n',
    "kernel/broker/b.hpp": "",
    "kernel/io/c.cpp": "#include <boost/asio.hpp>\n",
    "plugins/p/entry.cpp": '#include <gantry/abi.h>\n#include "inner/x.hpp"\n',
    "plugins/p/inner/x.hpp": "",
    "plugins/q/entry.cpp": "#include <gantry/abi.h>\n",
    "plugins/store-commitlog/files.cpp": "  return ::fdatasync(fd);\n",
    "plugins/store-commitlog/run_file.cpp": "Result<void> RunFile::write(const Core &core) {\n  return files->rename(from, to);\n",
}
# One broken file each, and a word the complaint must contain.
BROKEN = [
    ({"kernel/base/a.hpp": '#include "kernel/broker/b.hpp"\n'}, "kernel/broker"),
    ({"plugins/p/entry.cpp": '#include "kernel/base/a.hpp"\n'}, "kernel/base"),
    ({"plugins/q/entry.cpp": '#include "../p/inner/x.hpp"\n'}, "plugins/p"),
    ({"kernel/broker/b.cpp": "#include <boost/asio/ip/tcp.hpp>\n"}, "kernel/io"),
    ({"sdk/gantry/abi.h": '#include "kernel/base/a.hpp"\n'}, "kernel/base"),
    ({"kernel/elsewhere/z.cpp": "\n"}, "kernel/elsewhere"),
    ({"plugins/store-commitlog/rows.cpp": "  if (::fdatasync(fd) != 0) return -errno;\n"}, "Files and IoEngine"),
]


def run(files):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        done = subprocess.run([sys.executable, CHECKER, folder], capture_output=True, text=True)
        return done.returncode, done.stdout


def main():
    code, out = run(CLEAN)
    assert code == 0, f"a clean tree was refused:\n{out}"
    for change, word in BROKEN:
        code, out = run({**CLEAN, **change})
        assert code == 1 and word in out and next(iter(change)) in out, f"{change} was not found:\n{out}"
    print(f"{len(BROKEN)} violations found, none invented")


main()
