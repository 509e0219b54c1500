#!/usr/bin/env python3
"""`gantry store verify|dump|repair` on the files of a real broker, whole and with flipped bits.

Usage: store_tool.py GANTRY_BINARY
"""
import json
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support" / "python"))
import remoting  # noqa: E402

CLEAN, FAILED, USAGE, REFUSED, DAMAGED, LOST = 0, 1, 2, 3, 4, 5
SEGMENT = 1 << 20
GROUP = "tool-group"
DEADLINE_S = 60
STORE = f'segment_size = "{SEGMENT}"\nhot_cache = "4 MiB"\ncheckpoint_every = "1 MiB"\nretention = "0s"\nzero_fill = "off"'


class Tool:
    def __init__(self, binary):
        self.binary = binary

    def __call__(self, action, folder, *more):
        """(exit code, findings or items, summary) of --json."""
        done = subprocess.run([self.binary, "store", action, str(folder), "--json", *more], capture_output=True, text=True, timeout=DEADLINE_S, check=False)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.stderr = done.stderr
        summary = next((line for line in lines if line["type"] == "summary"), None)
        if summary is not None:
            assert summary["exit_code"] == done.returncode, (summary, done.returncode)
        return done.returncode, [line for line in lines if line["type"] != "summary"], summary

    def text(self, *arguments):
        return subprocess.run([self.binary, "store", *arguments], capture_output=True, text=True, timeout=DEADLINE_S, check=False)


def flip(path, position):
    with open(path, "r+b") as file:
        file.seek(position)
        byte = file.read(1)
        file.seek(position)
        file.write(bytes([byte[0] ^ 0x10]))


def place(data, log_position):
    """The log file and the byte in it of a log position."""
    base = max(int(p.name) for p in (data / "commitlog").iterdir() if p.is_file() and p.name.isdigit() and int(p.name) <= log_position)
    return data / "commitlog" / f"{base:020}", log_position - base


def make_store(binary, folder):
    """A stopped broker's data folder, with messages over several log files."""
    gantry = remoting.Gantry(binary, folder, "durable", extra_store=STORE)
    gantry.start()
    try:
        conn = remoting.Connection(gantry.port)
        for number in range(400):
            for topic in ("Orders", "Logs"):
                code, _, remark, _ = conn.call(remoting.SEND_V2, remoting.send_fields(topic, number % 2, f"KEYS\x01k{number}\x02", default_queues=2), f"{topic}{number}-".encode() + b"x" * 5000)
                assert code == 0, remark
        conn.call(remoting.UPDATE_OFFSET, {"consumerGroup": GROUP, "topic": "Orders", "queueId": 0, "commitOffset": 77})
        deadline = time.monotonic() + DEADLINE_S
        while len(list((folder / "data" / "index").glob("*.run"))) < 3:
            assert time.monotonic() < deadline, "no runs"
            time.sleep(0.05)
        tool = Tool(binary)
        code, _, _ = tool("verify", folder / "data")
        assert code == REFUSED and "in use by another Gantry" in tool.stderr, (code, tool.stderr)
        conn.close()
    finally:
        assert gantry.stop() == 0, gantry.log_text()
    return gantry


def whole(tool, data):
    code, findings, summary = tool("verify", data)
    assert code == CLEAN and not [f for f in findings if f["severity"] != "note"], findings
    assert summary["records"] >= 800 and summary["rows"] > 0 and summary["queues"] >= 4, summary
    code, items, _ = tool("dump", data, "--topic", "Orders", "--queue", "1", "--from", "5", "--to", "9")
    assert code == CLEAN and [i["offset"] for i in items] == [5, 6, 7, 8], items
    assert all(i["type"] == "record" and i["topic"] == "Orders" and i["queue"] == 1 and i["good"] and i["bytes"] > 5000 and len(i["key_hashes"]) == 1 for i in items), items
    _, entries, _ = tool("dump", data, "--what", "entries", "--topic", "Orders", "--queue", "1", "--from", "5", "--to", "9")
    assert [(e["offset"], e["log_position"]) for e in entries] == [(i["offset"], i["log_position"]) for i in items], entries
    _, rows, _ = tool("dump", data, "--what", "rows")
    offset = [r for r in rows if r["key"].startswith(f"offset/{GROUP}\\x00Orders")]
    assert len(offset) == 1 and offset[0]["value_hex"] == struct.pack(">q", 77).hex(), rows
    assert tool("dump", data, "--topic", "Unknown")[1] == []
    said = tool.text("verify", str(data))
    assert said.returncode == CLEAN and "0 damaged, 0 lost" in said.stdout, said.stdout
    assert said.stderr == "", "no bar where there is no terminal"


def wrong_use(tool, folder):
    (folder / "empty").mkdir()
    for where in (folder / "empty", folder / "nowhere"):
        code, _, summary = tool("verify", where)
        assert code == FAILED and summary is None and "data_dir" in tool.stderr, tool.stderr
    assert not list((folder / "empty").iterdir()), "nothing is left in a folder that has no store"
    assert tool.text("verify").returncode == USAGE
    assert tool.text("dump", str(folder), "--what", "everything").returncode == USAGE
    assert tool.text("verify", str(folder), "--plugin", "protocol-remoting").returncode == FAILED


class Copy:
    """A fresh copy of the whole store for each kind of damage."""

    def __init__(self, whole_data, folder):
        self.source, self.data = whole_data, folder / "copy"

    def __enter__(self):
        shutil.copytree(self.source, self.data)
        return self.data

    def __exit__(self, *_):
        shutil.rmtree(self.data)


def one_lost(findings):
    lost = [f for f in findings if f["severity"] == "lost"]
    assert len(lost) == 1, findings
    return lost[0]


def serves(gantry, data, without):
    """A broker over the repaired folder delivers all but the given (topic, queue, offset)."""
    shutil.rmtree(gantry.folder / "data", ignore_errors=True)
    shutil.copytree(data, gantry.folder / "data")
    gantry.start()
    try:
        conn = remoting.Connection(gantry.port)
        missing = []
        for topic in ("Orders", "Logs"):
            for queue in (0, 1):
                got, offset = set(), 0
                while offset < 200:
                    code, fields, remark, body = conn.call(remoting.PULL, remoting.pull_fields(GROUP, topic, queue, offset))
                    got |= {o for o, _ in remoting.messages(body)} if code == 0 else set()
                    if code != 0 and fields["nextBeginOffset"] == fields["maxOffset"]:
                        break
                    assert int(fields["nextBeginOffset"]) > offset, (code, remark, fields)
                    offset = int(fields["nextBeginOffset"])
                missing += [(topic, queue, o) for o in range(200) if o not in got]
        assert missing == without, (missing, without)
        assert conn.call(remoting.SEND_V2, remoting.send_fields("Orders", 0), b"goes on")[0] == 0
    finally:
        assert gantry.stop() == 0, gantry.log_text()


def damage(tool, gantry, original, folder):
    # A record in a full log file: that one is lost, named, and given up by a repair that says so first.
    record = tool("dump", original, "--topic", "Orders", "--queue", "1", "--from", "30", "--to", "31")[1][0]
    with Copy(original, folder) as data:
        path, position = place(data, record["log_position"])
        flip(path, position + 3000)
        code, findings, summary = tool("verify", data)
        lost = one_lost(findings)
        assert code == LOST and summary["records_lost"] == 1, summary
        assert (lost["topic"], lost["queue"], lost["begin_offset"], lost["end_offset"], lost["file"], lost["position"]) == ("Orders", 1, 30, 31, str(path), position), lost
        before = {p: p.read_bytes() for p in sorted(data.rglob("*")) if p.is_file() and p.name != "lock"}
        code, dry, summary = tool("repair", data)
        assert code == LOST and one_lost(dry)["begin_offset"] == 30 and summary["repaired"] == 0
        assert "index run" in one_lost(dry)["repair"]
        assert {p: p.read_bytes() for p in before} == before, "a dry run changes nothing"
        assert "--apply" in tool.text("repair", str(data)).stdout
        code, _, summary = tool("repair", data, "--apply")
        assert code == LOST and summary["repaired"] == 1, summary
        code, findings, _ = tool("verify", data)
        assert code == CLEAN and any("given up" in f["text"] for f in findings), findings
        assert [i["good"] for i in tool("dump", data, "--topic", "Orders", "--queue", "1", "--from", "30", "--to", "31")[1]] == [False]
        serves(gantry, data, [("Orders", 1, 30)])

    # A frame's trailer, without a run to go by: what was in it is lost as a range, and a repair makes the log walkable again.
    with Copy(original, folder) as data:
        path, position = place(data, record["log_position"])
        for run in (data / "index").glob("*.run"):
            if run.stem == path.name:
                run.unlink()
        flip(path, position + record["bytes"] + 8)  # this frame's record is followed by its trailer
        code, findings, summary = tool("verify", data)
        ranges = [f for f in findings if f["severity"] == "lost" and "begin_offset" in f]
        assert code == LOST and [(f["topic"], f["queue"], f["begin_offset"], f["end_offset"]) for f in ranges] == [("Orders", 1, 30, 31)], findings
        code, _, summary = tool("repair", data, "--apply")
        assert code == LOST and summary["repaired"] == 1 and list((data / "quarantine").glob("*.bytes")), summary
        code, findings, _ = tool("verify", data)
        assert [f["text"] for f in findings if f["severity"] == "lost"] == ["records were in a damaged frame"], findings
        serves(gantry, data, [("Orders", 1, 30)])

    # The same with its run: nothing is lost.
    with Copy(original, folder) as data:
        path, position = place(data, record["log_position"])
        flip(path, position + record["bytes"] + 8)
        code, findings, _ = tool("verify", data)
        assert code == DAMAGED and "through the index run" in [f for f in findings if f["severity"] == "damaged"][0]["text"], findings
        serves(gantry, data, [])

    # A run and a checkpoint: nothing is lost, and a repair puts them aside.
    with Copy(original, folder) as data:
        run = sorted((data / "index").glob("*.run"))[0]
        flip(run, run.stat().st_size // 2)
        newest = max((data / f"checkpoint.{i}" for i in (0, 1)), key=lambda p: struct.unpack("<Q", p.read_bytes()[16:24])[0])
        flip(newest, 200)
        code, findings, _ = tool("verify", data)
        assert code == DAMAGED and {f["file"] for f in findings if f["severity"] == "damaged"} == {str(run), str(newest)}, findings
        code, _, summary = tool("repair", data, "--apply")
        assert code == CLEAN and summary["repaired"] == 2, summary
        assert {p.name for p in (data / "quarantine").iterdir()} == {run.name, newest.name}
        assert tool("verify", data)[0] == CLEAN
        serves(gantry, data, [])

    # A log file that was cut: a broker refuses it, and takes what is left after a repair.
    with Copy(original, folder) as data:
        path = place(data, record["log_position"])[0]
        with open(path, "r+b") as file:
            file.truncate(SEGMENT - 5000)
        code, findings, _ = tool("verify", data)
        assert code == LOST and any("refuses to start" in f["text"] for f in findings), findings
        code, _, summary = tool("repair", data, "--apply")
        assert code == LOST and summary["repaired"] >= 1, summary
        lost = tool("verify", data)[1]
        assert not any("refuses to start" in f["text"] for f in lost), lost

    # The last write came only half to the disk: a note, since nobody vouches for it and the next start cuts it.
    with Copy(original, folder) as data:
        for slot in (0, 1):
            (data / f"checkpoint.{slot}").unlink()
        end = tool("dump", data)[1][-1]
        path, position = place(data, end["log_position"])
        with open(path, "r+b") as file:
            file.seek(position + 100)
            file.write(bytes(SEGMENT - position - 100))
        code, findings, summary = tool("verify", data)
        assert code == CLEAN and summary["lost"] == 0 and any("unfinished write" in f["text"] for f in findings), findings
        serves(gantry, data, [(end["topic"], end["queue"], end["offset"])])


def main():
    binary = sys.argv[1]
    tool = Tool(binary)
    with tempfile.TemporaryDirectory(prefix="gantry-tool-") as folder:
        folder = pathlib.Path(folder)
        gantry = make_store(binary, folder)
        original = folder / "original"
        shutil.move(folder / "data", original)
        whole(tool, original)
        wrong_use(tool, folder)
        damage(tool, gantry, original, folder)
    print("verify, dump and repair say and do what they should")
    return 0


if __name__ == "__main__":
    sys.exit(main())
