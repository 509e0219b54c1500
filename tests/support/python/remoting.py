"""A small blocking RocketMQ remoting client and a handle on a Gantry process, for tests that do unkind things to either."""
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import time
import typing

SEND_V2, PULL, QUERY_OFFSET, UPDATE_OFFSET, HEARTBEAT, ROUTE, MAX_OFFSET = 310, 11, 14, 15, 34, 105, 30


class Closed(Exception):
    """The other side closed the connection, or refused it."""


class Connection:
    """One connection; requests may be pipelined, replies are matched by opaque."""

    def __init__(self, port, host="127.0.0.1", timeout_s=10):
        try:
            self.socket = socket.create_connection((host, port), timeout=timeout_s)
        except OSError as error:
            raise Closed(str(error)) from error
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.opaque = 0

    def close(self):
        self.socket.close()

    def frame(self, code, fields, body=b"", flag=0):
        """Bytes of one request, and its opaque."""
        self.opaque += 1
        header = json.dumps({"code": code, "language": "JAVA", "version": 409, "opaque": self.opaque, "flag": flag,
                             "extFields": {k: str(v) for k, v in fields.items()}}).encode()
        return struct.pack(">II", 4 + len(header) + len(body), len(header)) + header + body, self.opaque

    def send_raw(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Closed(str(error)) from error

    def send(self, code, fields, body=b"", flag=0):
        data, opaque = self.frame(code, fields, body, flag)
        self.send_raw(data)
        return opaque

    def _fill(self, n):
        while len(self.buffer) < n:
            try:
                got = self.socket.recv(1 << 20)
            except OSError as error:
                raise Closed(str(error)) from error
            if not got:
                raise Closed("end of stream")
            self.buffer += got

    def receive_any(self):
        """The next reply or request of the broker: (header, body)."""
        self._fill(4)
        length = struct.unpack(">I", self.buffer[:4])[0]
        self._fill(4 + length)
        frame, self.buffer = self.buffer[4:4 + length], self.buffer[4 + length:]
        header_bytes = struct.unpack(">I", frame[:4])[0] & 0xFFFFFF
        return json.loads(frame[4:4 + header_bytes]), frame[4 + header_bytes:]

    def receive(self):
        """The next reply: (opaque, code, fields, remark, body). Requests of the broker are skipped."""
        while True:
            header, body = self.receive_any()
            if header["flag"] & 1:
                return header["opaque"], header["code"], header.get("extFields") or {}, header.get("remark"), body

    def call(self, code, fields, body=b""):
        opaque = self.send(code, fields, body)
        while True:
            reply = self.receive()
            if reply[0] == opaque:
                return reply[1:]


def send_fields(topic, queue_no, properties="", default_queues=4):
    return {"a": "test-producer", "b": topic, "c": "TBW102", "d": default_queues, "e": queue_no, "f": 0, "g": int(time.time() * 1000), "h": 0,
            "i": properties, "j": 0, "k": "false", "m": "false"}


def pull_fields(group, topic, queue_no, offset, count=32, wait_ms=0):
    return {"consumerGroup": group, "topic": topic, "queueId": queue_no, "queueOffset": offset, "maxMsgNums": count, "sysFlag": 4 | (2 if wait_ms else 0),
            "commitOffset": 0, "suspendTimeoutMillis": wait_ms, "subscription": "*", "subVersion": 0, "expressionType": "TAG"}


class Stored(typing.NamedTuple):
    queue_offset: int
    store_ms: int
    body: bytes
    queue: int
    reconsume_times: int
    topic: str
    properties: dict


def records(body):
    """Each stored message of a pull or pop reply."""
    at = 0
    while at < len(body):
        total, = struct.unpack_from(">I", body, at)
        queue, = struct.unpack_from(">I", body, at + 12)
        queue_offset, = struct.unpack_from(">q", body, at + 20)
        flags, = struct.unpack_from(">I", body, at + 36)
        born_ipv6_bytes, stored_ipv6_bytes = 12 if flags & 16 else 0, 12 if flags & 32 else 0
        store_ms, = struct.unpack_from(">q", body, at + 56 + born_ipv6_bytes)
        fixed = at + 84 + born_ipv6_bytes + stored_ipv6_bytes
        reconsume_times, = struct.unpack_from(">I", body, fixed - 12)
        length, = struct.unpack_from(">I", body, fixed)
        topic_at = fixed + 4 + length
        topic_end = topic_at + 1 + body[topic_at]
        properties = dict(p.split("\x01", 1) for p in body[topic_end + 2:at + total].decode().split("\x02") if p)
        yield Stored(queue_offset, store_ms, body[fixed + 4:topic_at], queue, reconsume_times, body[topic_at + 1:topic_end].decode(), properties)
        at += total


def read_all(port, group, topic, queues):
    """Everything in the topic, queue by queue, as Stored."""
    conn = Connection(port)
    out = []
    for queue in range(queues):
        offset = 0
        while True:
            code, fields, _, body = conn.call(PULL, pull_fields(group, topic, queue, offset, count=1000))
            if code != 0:
                break
            out += records(body)
            offset = int(fields["nextBeginOffset"])
    conn.close()
    return out


def messages(body):
    """(queue offset, body) of each stored message of a pull reply."""
    return ((record.queue_offset, record.body) for record in records(body))


def free_ports():
    """A broker port whose VIP port (two below) is free too, and a name server port."""
    while True:
        sockets = []
        try:
            for _ in range(2):
                s = socket.socket()
                s.bind(("127.0.0.1", 0))
                sockets.append(s)
            broker, nameserver = (s.getsockname()[1] for s in sockets)
            vip = socket.socket()
            sockets.append(vip)
            vip.bind(("127.0.0.1", broker - 2))
            if broker - 2 != nameserver:
                return broker, nameserver
        except OSError:
            pass
        finally:
            for s in sockets:
                s.close()


class Gantry:
    """A broker with its name server in one process, over a data folder that outlives it."""

    def __init__(self, binary, folder, ack="durable", extra_store="", extra_broker="", extra_protocol=""):
        self.binary, self.folder = binary, pathlib.Path(folder)
        self.port, self.nameserver = free_ports()
        self.config = self.folder / "broker.toml"
        self.config.write_text(f"""
[broker]
name = "broker-a"
data_dir = "{self.folder}/data"
{extra_broker}
[store]
plugin = "store-commitlog"
ack = "{ack}"
{extra_store}
[[protocol]]
plugin = "protocol-remoting"
listen = "127.0.0.1:{self.port}"
advertise = "127.0.0.1:{self.port}"
nameservers = ["127.0.0.1:{self.nameserver}"]
{extra_protocol}
[[protocol]]
plugin = "protocol-remoting"
component = "nameserver"
listen = "127.0.0.1:{self.nameserver}"
{extra_protocol}
""")
        self.process = None

    def start(self, timeout_s=20):
        """Starts it and waits for the banner's `ready`; returns the seconds that took."""
        begin = time.monotonic()
        with open(self.folder / "gantry.log", "ab") as log:
            self.process = subprocess.Popen([self.binary, "run", "-c", str(self.config)], stdout=subprocess.PIPE, stderr=log)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.banner = ""
        while "ready" not in self.banner:
            if self.process.poll() is not None:
                self.process.stdout.close()
                raise AssertionError(f"gantry ended with {self.process.returncode}:\n{self.banner}\n{self.log_text()}")
            if time.monotonic() - begin > timeout_s:
                self.kill()
                raise AssertionError(f"gantry was not ready after {timeout_s} s:\n{self.banner}\n{self.log_text()}")
            got = self.process.stdout.read()
            if got:
                self.banner += got.decode()
            else:
                time.sleep(0.001)
        return time.monotonic() - begin

    def log_text(self):
        return (self.folder / "gantry.log").read_text(errors="replace")[-4000:]

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def stop(self, timeout_s=20):
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout_s)
        self.process.stdout.close()
        return code

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def resident_bytes(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0
