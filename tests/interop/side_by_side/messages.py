"""Stored messages as replies carry them, bodies of batches, and strings of properties."""
import struct
import zlib

from wire import Damaged

MAGIC = 0xDAA320A7
KEY_END, ENTRY_END = "\x01", "\x02"
BORN_HOST_IPV6, STORE_HOST_IPV6 = 16, 32


def encode_properties(properties: dict) -> str:
    return ENTRY_END.join(f"{key}{KEY_END}{value}" for key, value in properties.items())


def decode_properties(text: str) -> dict:
    """Twice the same name: the later one counts, as in Java."""
    return dict(entry.split(KEY_END, 1) for entry in text.split(ENTRY_END) if KEY_END in entry)


def encode_batch(messages: list) -> bytes:
    """`messages`: pairs of body (bytes) and properties (dict)."""
    out = b""
    for body, properties in messages:
        encoded = encode_properties(properties).encode()
        size = 4 + 4 + 4 + 4 + 4 + len(body) + 2 + len(encoded)
        out += struct.pack(">IIIII", size, 0, 0, 0, len(body)) + body + struct.pack(">H", len(encoded)) + encoded
    return out


def decode_stored(data: bytes) -> list[dict]:
    """The stored messages that stand back to back in `data`."""
    messages, at = [], 0
    while at < len(data):
        try:
            (size,) = struct.unpack_from(">I", data, at)
            if size < 91 or at + size > len(data):
                raise Damaged(f"a message of {size} bytes with {len(data) - at} left")
            messages.append(decode_one(data[at:at + size]))
        except (struct.error, IndexError, UnicodeDecodeError) as error:
            raise Damaged(f"message {len(messages)}: {error}") from error
        at += size
    return messages


def decode_one(data: bytes) -> dict:
    _, magic, crc, queue_id, flag, offset, position, sys_flag, born_ms = struct.unpack_from(">IIIIIQQIQ", data)
    if magic != MAGIC:
        raise Damaged(f"magic {magic:#x}")
    at = struct.calcsize(">IIIIIQQIQ")
    born_host, at = host(data, at, sys_flag & BORN_HOST_IPV6)
    (stored_ms,) = struct.unpack_from(">Q", data, at)
    store_host, at = host(data, at + 8, sys_flag & STORE_HOST_IPV6)
    reconsume_times, prepared, length = struct.unpack_from(">IQI", data, at)
    at += 16
    body = data[at:at + length]
    at += length
    topic_length = data[at]
    topic = data[at + 1:at + 1 + topic_length].decode()
    at += 1 + topic_length
    (properties_length,) = struct.unpack_from(">H", data, at)
    properties = data[at + 2:at + 2 + properties_length].decode()
    if at + 2 + properties_length != len(data):
        raise Damaged(f"{len(data) - at - 2 - properties_length} bytes after the message's properties")
    return {"queueId": queue_id, "flag": flag, "queueOffset": offset, "position": position, "sysFlag": sys_flag,
            "bornTimestamp": born_ms, "bornHost": born_host, "storeTimestamp": stored_ms, "storeHost": store_host,
            "reconsumeTimes": reconsume_times, "preparedPosition": prepared, "topic": topic,
            "body": body.decode("latin-1"), "crcGood": crc == zlib.crc32(body) & 0x7FFFFFFF, "properties": decode_properties(properties)}


def host(data: bytes, at: int, ipv6: int) -> tuple[str, int]:
    size = 16 if ipv6 else 4
    (port,) = struct.unpack_from(">I", data, at + size)
    return f"{data[at:at + size].hex()}:{port}", at + size + 4
