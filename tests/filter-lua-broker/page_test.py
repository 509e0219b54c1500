#!/usr/bin/env python3
"""The commands of docs/operations/filters.md, as they stand there, against a broker with the configuration that stands there.

Usage: page_test.py GANTRY REPOSITORY
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support" / "python"))
import remoting  # noqa: E402

BINARY, ROOT = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
PAGE = (ROOT / "docs/operations/filters.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.M | re.S)
CONFIG = next(text for language, text in BLOCKS if language == "toml")
TRY, TOP = (text for language, text in BLOCKS if language == "sh")


class Page(remoting.Gantry):
    """The page's configuration, on free ports."""

    def __init__(self, folder):
        super().__init__(BINARY, folder)
        text = CONFIG.replace("10911", str(self.port)).replace("9876", str(self.nameserver)).replace("gantry-data", f"{folder}/data").replace("conf/scripts", f"{ROOT}/conf/scripts")
        self.config.write_text(text)


with tempfile.TemporaryDirectory() as folder:
    gantry = Page(folder)
    gantry.start()
    env = dict(os.environ, PATH=f"{BINARY.parent}:{os.environ['PATH']}", NAMESRV_ADDR=f"127.0.0.1:{gantry.nameserver}")

    def run(command, code=0):
        done = subprocess.run(["/bin/bash", "-c", "set -e\n" + command], capture_output=True, text=True, cwd=folder, env=env, timeout=120)
        assert done.returncode == code, f"{command}\nexit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout if code == 0 else done.stderr

    try:
        said = run(TRY).splitlines()
        counts = [line for line in said if "of the last 3 messages of Orders match" in line]
        assert [line.split()[0] for line in counts] == ["2", "1", "0"], said
        assert sum(line.endswith("ns per message") for line in said) == 3, said
        assert any(re.fullmatch(r"  queue \d+ offset 0: CLUSTER=DefaultCluster  UNIQ_KEY=\w+  TAGS=paid", line) for line in said), said
        tags = json.loads(said[-1])
        assert tags["matched"] == 2 and tags["messages"] == 3 and len(tags["examples"]) == 2 and tags["examples"][0]["properties"]["TAGS"] == "paid", tags

        top = run(TOP.replace("--once", f"--once -b 127.0.0.1:{gantry.port}"))
        assert "store-commitlog" in top and "PER ITEM" in top, top
        assert json.loads(top.splitlines()[-1])["schema"] == 1

        # What cannot be decided, what is refused, and what is suspended here and nowhere else.
        attempt = f"gantry filter try -c broker.toml -t Orders --type LUA "
        assert "3 cannot be decided and do not match; the first: LUA:1: attempt to compare" in run(attempt + "'p.absent > 3'")
        assert "LUA, line 1, column 12" in run(attempt + "'p.level == '", code=2) or "LUA, line 1" in run(attempt + "'p.level == '", code=2)
        assert "there is no script 'none'" in run(attempt + "@none", code=2)
        run("for i in $(seq 30); do echo m$i; done | gantry send -t Orders -", code=0)
        assert "would be SUSPENDED: suspended: LUA:1: over its budget of steps" in run(attempt + "'while true do end'")
        assert "0 of the last 33 messages" in run("gantry filter try -c broker.toml -t Orders --type LUA 'while true do end'")
        assert "code 17" in run("gantry filter try -c broker.toml -t Nothing 'a = 1'", code=1)
        assert "no filter plugin" in run("gantry filter try -c broker.toml -t Orders --type NONE x", code=1)
        assert "SQL92, line 1" in run("gantry filter try -c broker.toml -t Orders 'a ='", code=2)
        rows = json.loads(run(f"gantry plugin top --once --json -b 127.0.0.1:{gantry.port}"))["rows"]
        assert not any("expression" in row for row in rows), "trying leaves nothing in the broker"
        assert gantry.stop() == 0
    finally:
        if gantry.alive():
            gantry.kill()
print("docs/operations/filters.md is true")
