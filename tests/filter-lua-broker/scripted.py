"""A broker with a folder of named scripts."""
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support" / "python"))
import remoting  # noqa: E402

STORE = 'segment_size = "16 MiB"\ncheckpoint_every = "4 MiB"\nhot_cache = "1 MiB"\nread_cache = "1 MiB"'


class Scripts:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder) / "scripts"
        self.folder.mkdir()

    def put(self, name, text):
        """As the documents say: whole, under another name first."""
        new = self.folder / f".{name}.new"
        new.write_text(text)
        os.rename(new, self.folder / f"{name}.lua")


@contextlib.contextmanager
def broker(binary, keys='rescan = "5ms"'):
    """(gantry, scripts), not started; killed at the end if it still runs."""
    with tempfile.TemporaryDirectory() as folder:
        scripts = Scripts(folder)
        filters = f'[[filter]]\nplugin = "filter-lua"\nscripts = "{scripts.folder}"\n{keys}\n'
        gantry = remoting.Gantry(binary, folder, ack="written", extra_store=STORE, extra_broker=filters)
        try:
            yield gantry, scripts
        finally:
            if gantry.alive():
                gantry.kill()


def until(done, limit_s=60):
    """Waits for something that another thread or process does."""
    end = time.monotonic() + limit_s
    while not done():
        assert time.monotonic() < end, "it did not happen within a minute"
        time.sleep(0.001)


def send(conn, topic, queue, number, body=b"m", more=""):
    code, _, remark, _ = conn.call(remoting.SEND_V2, remoting.send_fields(topic, queue, f"n\x01{number}\x02{more}"), body)
    assert code == 0, remark


def lua_pull(topic, script, offset, count=32, wait_ms=0):
    return remoting.pull_fields("LuaGroup", topic, 0, offset, count, wait_ms) | {"expressionType": "LUA", "subscription": script}


def usage(gantry):
    """What `gantry plugin top --once --json` says."""
    done = subprocess.run([gantry.binary, "plugin", "top", "--once", "--json", "-b", f"127.0.0.1:{gantry.port}"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["rows"]
