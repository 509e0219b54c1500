"""What differs between any two runs (addresses, ids, times, positions in the log) becomes a word that says what it is."""
import base64
import re
import time

import fastjson
import messages
import wire

POSITIONS = {"position", "preparedPosition", "indexLastUpdatePhyoffset", "commitLogOffset", "physicOffset"}
STATUS = re.compile(r"[A-Z][A-Z_]+")
TIME = re.compile(r"(?<![0-9A-Za-z])1\d{12}(?![0-9A-Za-z])")
ADDRESS = re.compile(r"(?:127\.0\.0\.1|7f000001):(\d+)")
HEX_ID = re.compile(r"(?<![0-9A-F])(?:[0-9A-F]{32}|[0-9A-F]{56})(?![0-9A-F])")
NEAR_MS = 4 * 24 * 3600 * 1000


class Normaliser:
    """`ports` names the ports of the side: {10911: "broker", ...}; others are a client's."""

    def __init__(self, ports: dict[int, str]):
        self._ports = ports
        self._now_ms = int(time.time() * 1000)

    def answer(self, reply, keep=None) -> dict:
        """`reply` is a frame, "none" or "closed". `keep` picks the part of the body that is compared."""
        if isinstance(reply, str):
            return {"answer": reply}
        seen = {"answer": "reply", "code": reply.code, "form": reply.form, "fields": self.value(reply.fields or {})}
        if reply.remark and STATUS.fullmatch(reply.remark):
            seen["status"] = reply.remark
        body = self.body(reply.body)
        if keep:
            body = keep(body)
        if body is not None:
            seen["body"] = body
        return seen

    def request(self, asked) -> dict:
        """A request of the broker's."""
        if isinstance(asked, str):
            return {"asked": asked}
        seen = {"asked": asked.code, "oneway": bool(asked.flag & wire.ONEWAY), "fields": self.value(asked.fields or {})}
        body = self.body(asked.body)
        if body is not None:
            seen["body"] = body
        return seen

    def body(self, data: bytes):
        if not data:
            return None
        try:
            if int.from_bytes(data[4:8], "big") == messages.MAGIC:
                return {"messages": self.value(messages.decode_stored(data))}
            if data[:1] in b"{[":
                return self.json(fastjson.loads(data.decode()))
            return {"text": self.value(data.decode())}
        except (wire.Damaged, fastjson.NoJson, UnicodeDecodeError) as error:
            return {"damaged": str(error)}

    def json(self, value):
        """Lists come in the order of a hash on one side: they are compared as sets."""
        if isinstance(value, dict):
            return {name: self.json(item) if not self._is_named(name) else self._named(name, item) for name, item in value.items()}
        if isinstance(value, list):
            return sorted((self.json(item) for item in value), key=repr)
        return self.value(value)

    def value(self, value, name: str = ""):
        if isinstance(value, dict):
            return {key: self.value(item, key) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item, name) for item in value]
        if isinstance(value, tuple):
            return self.value(f"{value[0]}:{value[1]}")
        if self._is_named(name):
            return self._named(name, value)
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, int):
            return "<time>" if abs(value - self._now_ms) < NEAR_MS else value
        if isinstance(value, str):
            return self._text(value)
        return value

    @staticmethod
    def _is_named(name: str) -> bool:
        return name in POSITIONS or name in ("reviveQid", "recallHandle")

    def _named(self, name: str, value):
        if name == "recallHandle":
            try:
                return self._text(re.sub(r"(?<= )\d{1,12}$", "<position>", base64.urlsafe_b64decode(value).decode()))
            except (ValueError, UnicodeDecodeError):
                return value
        if name == "reviveQid":
            return value if str(value) in ("999", "-1") else "<revive queue>"
        return "<position>" if str(value).isdigit() and int(value) > 0 else value

    def _text(self, text: str) -> str:
        text = ADDRESS.sub(lambda found: f"<{self._ports.get(int(found.group(1)), 'client')}>", text)
        text = TIME.sub(lambda found: "<time>" if abs(int(found.group()) - self._now_ms) < NEAR_MS else found.group(), text)
        return HEX_ID.sub(self._id, text)

    def _id(self, found) -> str:
        value = found.group()
        if value.startswith("7F0000010000"):
            return f"<id at {self._ports.get(int(value[8:16], 16), 'client')}>"
        return "<id>" if not value.startswith("0A0B") else value
