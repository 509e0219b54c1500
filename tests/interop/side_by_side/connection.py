"""One connection to a broker or name server: requests with their replies, oneway requests, and what the peer asks on its own."""
import itertools
import queue
import socket
import struct
import threading

import wire


class Connection:
    """Calls may come from one thread at a time. `address` is host:port. The reader thread ends with the connection."""

    def __init__(self, address: str):
        host, port = address.rsplit(":", 1)
        self._socket = socket.create_connection((host, int(port)), timeout=10)
        self._socket.settimeout(None)
        self._opaque = itertools.count(1)
        self._replies: dict[int, queue.Queue] = {}
        self._asked: dict[int, queue.Queue] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def call(self, code: int, fields: dict | None, body: bytes = b"", form: str = wire.JSON_FORM, wait_s: float = 20, version: int = 409):
        """The reply; "none" when there was none for `wait_s`, "closed" when the peer closed the connection instead."""
        return self.wait(self.send(code, fields, body, form, 0, version), wait_s)

    def oneway(self, code: int, fields: dict | None, body: bytes = b"", form: str = wire.JSON_FORM, wait_s: float = 0.4):
        """As call, with the oneway bit: "none" is what should come."""
        return self.wait(self.send(code, fields, body, form, wire.ONEWAY, 409), wait_s)

    def send(self, code: int, fields: dict | None, body: bytes, form: str, flag: int, version: int) -> int:
        """Sends without waiting; the result is what wait takes."""
        opaque = next(self._opaque)
        with self._lock:
            self._replies[opaque] = queue.Queue()
        self.send_bytes(wire.encode(wire.Frame(code, opaque, flag, fields, body, form=form, version=version)))
        return opaque

    def wait(self, opaque: int, wait_s: float):
        try:
            return self._replies[opaque].get(timeout=0.01 if self._closed.is_set() else wait_s)
        except queue.Empty:
            return "closed" if self._closed.is_set() else "none"

    def asked(self, code: int, wait_s: float = 10):
        """The next request of the peer with this code, or "none"."""
        try:
            return self._queue_of(code).get(timeout=wait_s)
        except queue.Empty:
            return "none"

    def answer(self, request: wire.Frame, code: int = 0, fields: dict | None = None, body: bytes = b"", remark: str | None = None) -> None:
        self.send_bytes(wire.encode(wire.Frame(code, request.opaque, wire.RESPONSE, fields or {}, body, remark, form=request.form)))

    def send_bytes(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError:
            self._end()

    def close(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the peer was quicker
        self._socket.close()

    def _queue_of(self, code: int) -> queue.Queue:
        with self._lock:
            return self._asked.setdefault(code, queue.Queue())

    def _read(self) -> None:
        try:
            while True:
                head = self._exactly(4)
                frame = wire.decode(head + self._exactly(struct.unpack(">I", head)[0]))
                if frame.flag & wire.RESPONSE:
                    with self._lock:
                        waiting = self._replies.get(frame.opaque)
                    if waiting:
                        waiting.put(frame)
                else:
                    self._queue_of(frame.code).put(frame)
        except (OSError, wire.Damaged):
            self._end()

    def _end(self) -> None:
        self._closed.set()
        with self._lock:
            for waiting in self._replies.values():
                waiting.put("closed")

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self._socket.recv(size - len(data))
            if not more:
                raise OSError("closed by the peer")
            data += more
        return data
