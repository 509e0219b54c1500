"""Frames and headers of the remoting protocol, both header forms, written anew so that a fault of Gantry's codec cannot hide here."""
import json
import struct
from dataclasses import dataclass, field

RESPONSE, ONEWAY = 1, 2
JSON_FORM, BINARY_FORM = "json", "binary"
LANGUAGES = ["JAVA", "CPP", "DOTNET", "PYTHON", "DELPHI", "ERLANG", "RUBY", "OTHER", "HTTP", "GO", "PHP", "OMS", "RUST", "NODE_JS"]
MAX_FRAME_BYTES = 16 * 1024 * 1024


class Damaged(Exception):
    """Bytes that are no frame; the text says where."""


@dataclass
class Frame:
    code: int
    opaque: int = 0
    flag: int = 0
    fields: dict | None = field(default_factory=dict)
    body: bytes = b""
    remark: str | None = None
    language: str = "JAVA"
    version: int = 409
    form: str = JSON_FORM


def encode(frame: Frame) -> bytes:
    header = binary_header(frame) if frame.form == BINARY_FORM else json_header(frame)
    form = 1 if frame.form == BINARY_FORM else 0
    return struct.pack(">II", 4 + len(header) + len(frame.body), form << 24 | len(header)) + header + frame.body


def json_header(frame: Frame) -> bytes:
    header = {"code": frame.code, "flag": frame.flag, "language": frame.language, "opaque": frame.opaque, "version": frame.version}
    if frame.fields is not None:
        header["extFields"] = frame.fields
    if frame.remark is not None:
        header["remark"] = frame.remark
    return json.dumps(header, separators=(",", ":")).encode()


def binary_header(frame: Frame) -> bytes:
    """Codes above 32767 do not fit the form: they are cut to 16 bits, as Java does."""
    entries = b""
    for key, value in (frame.fields or {}).items():
        k, v = key.encode(), text(value).encode()
        entries += struct.pack(">H", len(k)) + k + struct.pack(">I", len(v)) + v
    remark = (frame.remark or "").encode()
    return (struct.pack(">HBhii", frame.code & 0xFFFF, LANGUAGES.index(frame.language), frame.version, frame.opaque, frame.flag)
            + struct.pack(">I", len(remark)) + remark + struct.pack(">I", len(entries)) + entries)


def text(value) -> str:
    """A field's value as Java writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def decode(data: bytes) -> Frame:
    """One whole frame, its length included."""
    if len(data) < 8:
        raise Damaged(f"{len(data)} bytes are too few for a frame")
    length, mixed = struct.unpack_from(">II", data)
    if length != len(data) - 4:
        raise Damaged(f"the length says {length}, there are {len(data) - 4} bytes")
    header_length = mixed & 0xFFFFFF
    if 8 + header_length > len(data):
        raise Damaged(f"a header of {header_length} bytes in a frame of {len(data)}")
    header, body = data[8:8 + header_length], data[8 + header_length:]
    form = mixed >> 24
    if form == 0:
        return decode_json_header(header, body)
    if form == 1:
        return decode_binary_header(header, body)
    raise Damaged(f"no header form {form}")


def decode_json_header(header: bytes, body: bytes) -> Frame:
    try:
        values = json.loads(header)
    except ValueError as error:
        raise Damaged(f"header: {error}") from error
    return Frame(values["code"], values["opaque"], values.get("flag", 0), values.get("extFields"), body, values.get("remark"),
                 values.get("language"), values.get("version"), JSON_FORM)


def decode_binary_header(header: bytes, body: bytes) -> Frame:
    try:
        code, language, version, opaque, flag = struct.unpack_from(">hBhii", header)
        remark, at = piece(header, 13, ">I")
        entries, at = piece(header, at, ">I")
        if at != len(header):
            raise Damaged(f"{len(header) - at} bytes after the header's end")
        fields, at = {}, 0
        while at < len(entries):
            key, at = piece(entries, at, ">H")
            value, at = piece(entries, at, ">I")
            fields[key.decode()] = value.decode()
    except struct.error as error:
        raise Damaged(f"header: {error}") from error
    return Frame(code, opaque, flag, fields, body, remark.decode() or None, LANGUAGES[language], version, BINARY_FORM)


def piece(data: bytes, at: int, length_form: str) -> tuple[bytes, int]:
    (length,) = struct.unpack_from(length_form, data, at)
    at += struct.calcsize(length_form)
    if at + length > len(data):
        raise Damaged(f"a piece of {length} bytes with {len(data) - at} left")
    return data[at:at + length], at + length
