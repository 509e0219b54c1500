#!/usr/bin/env python3
"""A broker whose data is on a small file system of its own, which gets full.

    refuse         sends are refused and told who fills the disk; consumers go on, offsets commit, what was sent with a delay is delivered, the broker stops
                   cleanly and starts again; sends go on within 5 s of space coming back
    drop_oldest    sends go on; the log says what was dropped that a group had not consumed
    drop_consumed  sends go on while the group keeps up; they are refused, naming the group, while it does not

Needs the right to mount a file system (an ext4 image on a loop device, else a tmpfs; with POWERCUT_BINARY the tests' own, in memory); exits with 77 where
there is none.

Usage: full_disk.py GANTRY_BINARY POLICY [POWERCUT_BINARY]
"""
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support" / "python"))
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "powercut"))
import power_disk  # noqa: E402
import remoting  # noqa: E402

SKIPPED = 77
DISK_MIB = 64
KEPT_MIB = 20  # of the log at least, when the oldest goes
BODY = 20_000
GROUP = "disk-group"
SERVICE_NOT_AVAILABLE = 14
DEADLINE_S = 60
RESUME_S = 5
STORE = 'segment_size = "2 MiB"\nhot_cache = "4 MiB"\ncheckpoint_every = "2 MiB"\nkeep_free = "4 MiB"\nreserve = "1 MiB"\nretention = "0s"\nrecycle = 0\ndisk_full = "{}"\nscrub_every = "1h"\nscrub_rate = "64 KiB"'


@contextlib.contextmanager
def small_disk(folder, program):
    """A mounted file system of DISK_MIB MiB. NoMount with what mount said."""
    if program:
        with power_disk.PowerDisk(program, folder, f"--size={DISK_MIB << 20}") as disk:
            yield disk.mount
        return
    image, mount = folder / "disk.img", folder / "disk"
    mount.mkdir()
    with open(image, "wb") as out:
        out.truncate(DISK_MIB << 20)
    tries = [["mount", "-o", "loop", str(image), str(mount)], ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(mount)]]
    said = []
    for command in tries:
        if "loop" in command and subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", str(image)], capture_output=True, check=False).returncode != 0:
            continue
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            print("the disk:", " ".join(command))
            try:
                yield mount
            finally:
                until("the disk is unmounted", lambda: subprocess.run(["umount", str(mount)], capture_output=True, check=False).returncode == 0)
            return
        said.append(done.stderr.strip())
    raise power_disk.NoMount("; ".join(said))


def until(what, done):
    deadline = time.monotonic() + DEADLINE_S
    while not done():
        assert time.monotonic() < deadline, f"after {DEADLINE_S} s still not: {what}"
        time.sleep(0.02)


class Client:
    def __init__(self, gantry):
        self.conn = remoting.Connection(gantry.port, timeout_s=DEADLINE_S)
        self.acknowledged = {}  # (topic, queue offset) -> body

    def send(self, topic, number, properties="", size=BODY):
        body = f"{topic}-{number}-".encode() + b"x" * size
        code, fields, remark, _ = self.conn.call(remoting.SEND_V2, remoting.send_fields(topic, 0, properties, default_queues=1), body)
        if code == 0 and not properties:
            self.acknowledged[(topic, int(fields["queueOffset"]))] = body
        return code, remark

    def fill(self, topic, most):
        """Sends until it is refused: the remark; None when `most` messages were taken."""
        for number in range(most):
            code, remark = self.send(topic, number)
            if code != 0:
                assert code == SERVICE_NOT_AVAILABLE, (code, remark)
                return remark
        return None

    def pull(self, topic, offset):
        code, fields, _, body = self.conn.call(remoting.PULL, remoting.pull_fields(GROUP, topic, 0, offset))
        return code, fields, dict(remoting.messages(body)) if code == 0 else {}

    def commit(self, topic, offset):
        code, _, remark, _ = self.conn.call(remoting.UPDATE_OFFSET, {"consumerGroup": GROUP, "topic": topic, "queueId": 0, "commitOffset": offset})
        assert code == 0, remark

    def committed(self, topic):
        code, fields, remark, _ = self.conn.call(remoting.QUERY_OFFSET, {"consumerGroup": GROUP, "topic": topic, "queueId": 0})
        assert code == 0, remark
        return int(fields["offset"])

    def end(self, topic):
        return int(self.conn.call(remoting.MAX_OFFSET, {"topic": topic, "queueId": 0})[1]["offset"])

    def verify(self):
        for (topic, offset), body in self.acknowledged.items():
            got = self.pull(topic, offset)[2]
            assert got.get(offset) == body, f"{topic} offset {offset} was acknowledged and is not there as it was sent"

    def join(self, topic):
        heartbeat = (f'{{"clientID":"disk@1","consumerDataSet":[{{"groupName":"{GROUP}","consumeType":"CONSUME_ACTIVELY","messageModel":"CLUSTERING",'
                     f'"consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET","subscriptionDataSet":[{{"topic":"{topic}","subString":"*","subVersion":1,"expressionType":"TAG",'
                     f'"tagsSet":[],"codeSet":[]}}]}}],"producerDataSet":[]}}')
        assert self.conn.call(remoting.HEARTBEAT, {}, heartbeat.encode())[0] == 0


def fill_up(path):
    """Every byte that the file system still has."""
    written = 0
    with open(path, "wb", buffering=0) as out:
        step = 1 << 20
        while step >= 512:
            try:
                written += out.write(b"z" * step)
            except OSError:
                step //= 2
    return written


def refuse(gantry, disk):
    client = Client(gantry)
    client.join("Big")
    assert client.send("Small", 0)[0] == 0
    assert client.send("Later", 0, "DELAY\x012\x02", size=2000)[0] == 0
    remark = client.fill("Big", 10_000)
    assert remark is not None, "the disk never got full"
    for part in ("the broker's disk is full", "Big 9", "free space there"):
        assert part in remark, f"{part!r} is not in {remark!r}"
    assert client.send("Small", 1)[0] == SERVICE_NOT_AVAILABLE
    left = fill_up(disk / "somebody-elses.bin")
    print(f"{len(client.acknowledged)} messages, then somebody else wrote the last {left} bytes")

    # Consumers go on: reads, offsets, what waits.
    assert client.pull("Big", 0)[0] == 0
    for offset in range(200):
        client.commit("Big", offset)
    until("the delayed message is delivered", lambda: client.pull("Later", 0)[0] == 0)
    client.verify()
    info = client.conn.call(28, {})[3].decode()
    assert '"commitLogFull":"true"' in info, info
    assert gantry.stop() == 0, gantry.log_text()
    gantry.start()
    acknowledged = client.acknowledged
    client = Client(gantry)
    client.acknowledged = acknowledged
    assert client.committed("Big") == 199
    client.verify()
    assert client.fill("Big", 10_000) is not None, "still full"

    (disk / "somebody-elses.bin").unlink()
    (disk / "ballast.bin").unlink()
    begin = time.monotonic()
    until("sends are taken again", lambda: client.send("Big", 0)[0] == 0)
    took_s = time.monotonic() - begin
    print(f"sends went on {took_s:.2f} s after space came back")
    assert took_s < RESUME_S, f"sends went on only {took_s:.1f} s after space came back"
    assert client.fill("Big", 100) is None
    client.verify()


def drop_oldest(gantry, _disk):
    client = Client(gantry)
    client.join("Big")
    assert client.fill("Big", 10) is None
    client.commit("Big", 5)
    assert client.fill("Big", 2 * (DISK_MIB << 20) // BODY) is None, "no send is refused"
    first = int(client.conn.call(31, {"topic": "Big", "queueId": 0})[1]["offset"])
    assert first > 5, "nothing was dropped"
    client.acknowledged = {key: body for key, body in client.acknowledged.items() if key[1] >= first}
    client.verify()
    log = (gantry.folder / "gantry.log").read_text()
    assert "disk_full = drop_oldest drops" in log and "Big queue 0 offsets 5 to" in log and f"group {GROUP} is at 5" in log, log[-3000:]
    runtime = json.loads(client.conn.call(28, {})[3])["table"]
    assert int(runtime["commitLogDroppedUnconsumed"]) > 0, runtime
    # A file that the scrubber reads in is waited for; the next one does not go in its place.
    assert int(runtime["commitLogMaxOffset"]) - int(runtime["commitLogMinOffset"]) > KEPT_MIB << 20, runtime


def drop_consumed(gantry, _disk):
    client = Client(gantry)
    client.join("Big")
    for _ in range(2 * (DISK_MIB << 20) // BODY // 50):
        assert client.fill("Big", 50) is None, "the group keeps up, so no send is refused"
        client.commit("Big", client.end("Big"))
    remark = client.fill("Big", 10_000)
    assert remark is not None and f"group {GROUP} is at" in remark, remark
    assert "drops" not in (gantry.folder / "gantry.log").read_text(), "nothing unconsumed is dropped"
    client.commit("Big", client.end("Big"))
    until("sends are taken again", lambda: client.send("Big", 0)[0] == 0)


def main():
    binary, policy, program = (sys.argv[1:] + [None])[:3]
    with tempfile.TemporaryDirectory(prefix="gantry-disk-") as folder:
        folder = pathlib.Path(folder)
        try:
            with small_disk(folder, program) as disk:
                with open(disk / "ballast.bin", "wb") as out:
                    os.posix_fallocate(out.fileno(), 0, 16 << 20)
                gantry = remoting.Gantry(binary, folder, "durable", extra_store=STORE.format(policy))
                gantry.config.write_text(gantry.config.read_text().replace(f'data_dir = "{folder}/data"', f'data_dir = "{disk}/data"'))
                gantry.start()
                try:
                    {"refuse": refuse, "drop_oldest": drop_oldest, "drop_consumed": drop_consumed}[policy](gantry, disk)
                    assert gantry.stop() == 0, gantry.log_text()
                except BaseException:
                    print((folder / "gantry.log").read_text(errors="replace")[-6000:])
                    raise
                finally:
                    if gantry.alive():
                        gantry.kill()
        except power_disk.NoMount as why:
            print(f"skipped: no file system can be mounted here: {why}")
            return SKIPPED
    print("all as it should be")
    return 0


if __name__ == "__main__":
    sys.exit(main())
