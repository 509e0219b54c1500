#!/usr/bin/env python3
"""Looks at name server traffic byte by byte, to compare Gantry's name server with a real one and to make test fixtures.

  capture.py ask HOST:PORT [--topic T] [--broker B] [--cluster C] [--binary]
      Sends every name server request (successes and refusals) over one connection; prints one JSON line per reply.
      It changes the server: it registers a broker "capture-b" and removes it again, and sets and deletes a KV entry.
  capture.py listen PORT SECONDS
      Plays a name server that answers SUCCESS to everything; prints one JSON line per request a broker sends.

Each line: {"case", "header", "body"}; body is text, or "hex:..." when it is not UTF-8. A missing reply is {"case", "error"}.
"""
import argparse
import json
import socket
import struct
import sys
import threading
import time
import zlib

REPLY_DEADLINE_S = 3.0


def frame(header: dict, body: bytes = b"", binary: bool = False) -> bytes:
    raw = binary_header(header) if binary else json.dumps(header, separators=(",", ":")).encode()
    return struct.pack(">II", 4 + len(raw) + len(body), (int(binary) << 24) | len(raw)) + raw + body


def binary_header(header: dict) -> bytes:
    ext = b""
    for key, value in header.get("extFields", {}).items():
        k, v = key.encode(), str(value).encode()
        ext += struct.pack(">H", len(k)) + k + struct.pack(">I", len(v)) + v
    return struct.pack(">hBhii", header["code"], 0, header["version"], header["opaque"], header["flag"]) + struct.pack(
        ">II", 0, len(ext)) + ext


def decode_binary_header(raw: bytes) -> dict:
    code, language, version, opaque, flag = struct.unpack_from(">hBhii", raw)
    at = 13
    (n,) = struct.unpack_from(">I", raw, at)
    remark = raw[at + 4:at + 4 + n].decode()
    at += 4 + n
    (n,) = struct.unpack_from(">I", raw, at)
    at += 4
    end, ext = at + n, {}
    while at < end:
        (k,) = struct.unpack_from(">H", raw, at)
        key = raw[at + 2:at + 2 + k].decode()
        at += 2 + k
        (v,) = struct.unpack_from(">I", raw, at)
        ext[key] = raw[at + 4:at + 4 + v].decode()
        at += 4 + v
    return {"code": code, "language": language, "version": version, "opaque": opaque, "flag": flag, "remark": remark,
            "extFields": ext, "binary": True}


def read_exactly(sock: socket.socket, n: int) -> bytes:
    data = b""
    while len(data) < n:
        piece = sock.recv(n - len(data))
        if not piece:
            raise ConnectionError("closed by the peer")
        data += piece
    return data


def read_frame(sock: socket.socket) -> tuple[dict, bytes]:
    length, mixed = struct.unpack(">II", read_exactly(sock, 8))
    rest = read_exactly(sock, length - 4)
    n = mixed & 0xFFFFFF
    header = decode_binary_header(rest[:n]) if mixed >> 24 else json.loads(rest[:n])
    return header, rest[n:]


def shown(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return "hex:" + body.hex()


class Asker:
    def __init__(self, address: str, binary: bool):
        host, port = address.rsplit(":", 1)
        self.sock = socket.create_connection((host.strip("[]"), int(port)), 3)
        self.sock.settimeout(REPLY_DEADLINE_S)
        self.opaque = 0
        self.binary = binary

    def ask(self, case: str, code: int, ext: dict | None = None, body: bytes = b"", version: int = 409) -> None:
        self.opaque += 1
        header = {"code": code, "language": "JAVA", "version": version, "opaque": self.opaque, "flag": 0}
        if ext is not None:
            header["extFields"] = ext
        self.sock.sendall(frame(header, body, self.binary))
        line: dict = {"case": case}
        try:
            answer, answer_body = read_frame(self.sock)
            while answer["opaque"] != self.opaque:
                answer, answer_body = read_frame(self.sock)
            line["header"], line["body"] = answer, shown(answer_body)
        except (socket.timeout, ConnectionError) as error:
            line["error"] = f"no reply: {error}"
        print(json.dumps(line, sort_keys=True), flush=True)


def compressed_body(topics: list[str], counter: int) -> bytes:
    def block(data: bytes) -> bytes:
        return struct.pack(">i", len(data)) + data
    raw = block(json.dumps({"counter": counter, "timestamp": 1700000000000}).encode()) + struct.pack(">i", len(topics))
    for topic in topics:
        raw += block(topic.encode())
    return zlib.compress(raw + block(b"[]"), 9)


def ask_everything(args: argparse.Namespace) -> None:
    a = Asker(args.server, args.binary)
    me = {"brokerName": "capture-b", "brokerAddr": "127.0.0.1:1", "clusterName": "capture-c", "haServerAddr": "127.0.0.1:2",
          "brokerId": "0"}
    slave = dict(me, brokerAddr="127.0.0.1:3", brokerId="1", haServerAddr="127.0.0.1:4")
    a.ask("route", 105, {"topic": args.topic})
    a.ask("route-old-client", 105, {"topic": args.topic}, version=317)
    a.ask("route-old-client-standard", 105, {"topic": args.topic, "acceptStandardJsonOnly": "true"}, version=317)
    a.ask("route-unknown", 105, {"topic": "no_such_topic"})
    a.ask("route-no-topic", 105, {})
    a.ask("cluster", 106)
    a.ask("topics", 206)
    a.ask("topics-of-cluster", 224, {"cluster": args.cluster})
    a.ask("topics-of-unknown-cluster", 224, {"cluster": "no_such_cluster"})
    for case, code in (("system-topics", 304), ("unit", 311), ("has-unit-sub", 312), ("has-unit-sub-ununit", 313), ("config", 319)):
        a.ask(case, code)
    a.ask("update-config-blacklisted", 318, body=b"kvConfigPath=/tmp/x\n")
    a.ask("update-config-no-body", 318)
    a.ask("kv-put", 100, {"namespace": "capture", "key": "k", "value": "v"})
    a.ask("kv-put-no-key", 100, {"namespace": "capture", "value": "v"})
    a.ask("kv-get", 101, {"namespace": "capture", "key": "k"})
    a.ask("kv-list", 219, {"namespace": "capture"})
    a.ask("kv-delete", 102, {"namespace": "capture", "key": "k"})
    a.ask("kv-delete-again", 102, {"namespace": "capture", "key": "k"})
    a.ask("kv-get-absent", 101, {"namespace": "capture", "key": "k"})
    a.ask("kv-list-empty", 219, {"namespace": "capture"})
    a.ask("kv-list-absent", 219, {"namespace": "capture-none"})
    body = compressed_body(["capture_t 4 8 6 SINGLE_TAG"], 1)
    a.ask("register-bad-crc", 103, dict(me, compressed="true", bodyCrc32="1"), body)
    a.ask("register-compressed", 103, dict(me, compressed="true", bodyCrc32=str(zlib.crc32(body) & 0x7FFFFFFF)), body)
    a.ask("register-slave", 103, slave)
    a.ask("route-of-registered", 105, {"topic": "capture_t"})
    a.ask("system-topics-two-clusters", 304)
    version = json.dumps({"counter": 1, "timestamp": 1700000000000}).encode()
    a.ask("data-version-same", 322, me, version)
    a.ask("data-version-other", 322, me, version.replace(b"1,", b"2,"))
    a.ask("data-version-unknown-broker", 322, dict(me, brokerAddr="127.0.0.1:9"), version)
    a.ask("wipe", 205, {"brokerName": "capture-b"})
    a.ask("route-wiped", 105, {"topic": "capture_t"})
    a.ask("add-write", 327, {"brokerName": "capture-b"})
    a.ask("route-writable", 105, {"topic": "capture_t"})
    a.ask("wipe-unknown", 205, {"brokerName": "no-such-broker"})
    a.ask("member-group", 901, {"clusterName": "capture-c", "brokerName": "capture-b"})
    a.ask("heartbeat", 904, me)
    a.ask("register-same-address-other-id", 103, dict(me, brokerId="7"))
    a.ask("route-after-id-change", 105, {"topic": "capture_t"})
    a.ask("delete-topic", 216, {"topic": "capture_t"})
    a.ask("delete-topic-again", 216, {"topic": "capture_t"})
    a.ask("route-deleted", 105, {"topic": "capture_t"})
    a.ask("unregister", 104, dict(me, brokerId="7"))
    a.ask("unregister-slave", 104, slave)
    a.ask("unregister-unknown", 104, dict(me, brokerName="never-there"))
    a.ask("cluster-after", 106)
    a.ask("unknown-code", 9999)


def serve(peer: socket.socket, deadline: float, number: int) -> None:
    try:
        while (left := deadline - time.monotonic()) > 0:
            peer.settimeout(left)
            header, body = read_frame(peer)
            line = {"case": "request", "connection": number, "header": header, "body": shown(body)}
            print(json.dumps(line, sort_keys=True), flush=True)
            if not header["flag"] & 2:
                peer.sendall(frame({"code": 0, "language": "JAVA", "version": 409, "opaque": header["opaque"], "flag": 1, "extFields": {}}))
    except (socket.timeout, ConnectionError) as error:
        print(f"capture.py: connection {number}: {error}", file=sys.stderr)


def listen(port: int, seconds: float) -> None:
    server = socket.create_server(("127.0.0.1", port))
    deadline = time.monotonic() + seconds
    number = 0
    try:
        while (left := deadline - time.monotonic()) > 0:
            server.settimeout(left)
            peer, _ = server.accept()
            number += 1
            threading.Thread(target=serve, args=(peer, deadline, number), daemon=True).start()
    except socket.timeout:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    ask = commands.add_parser("ask")
    ask.add_argument("server")
    ask.add_argument("--topic", default="TBW102")
    ask.add_argument("--broker", default="broker-a")
    ask.add_argument("--cluster", default="DefaultCluster")
    ask.add_argument("--binary", action="store_true")
    sink = commands.add_parser("listen")
    sink.add_argument("port", type=int)
    sink.add_argument("seconds", type=float)
    args = parser.parse_args()
    if args.command == "ask":
        ask_everything(args)
    else:
        listen(args.port, args.seconds)


if __name__ == "__main__":
    main()
