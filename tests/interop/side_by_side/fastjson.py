"""JSON as RocketMQ writes it: names without quotes or as numbers, and objects as names of a map (`{{"queueId":0}:5}`)."""
import json
import re

NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
NAME = re.compile(r"[A-Za-z_$][\w$]*")


class NoJson(Exception):
    """Not even JSON in this form; the text says where."""


def loads(text: str):
    """A map whose names are objects becomes {"<map>": [[name, value], ...]} in the order of its names."""
    value, at = read_value(text, blank(text, 0))
    at = blank(text, at)
    if at != len(text):
        raise NoJson(f"something after the end, at {at}")
    return value


def blank(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def read_value(text: str, at: int):
    if at >= len(text):
        raise NoJson("it ends early")
    first = text[at]
    if first == "{":
        return read_map(text, at)
    if first == "[":
        return read_list(text, at)
    if first == '"':
        try:
            value, end = json.JSONDecoder(strict=False).raw_decode(text, at)
        except ValueError as error:
            raise NoJson(f"a string at {at}: {error}") from error
        return value, end
    number = NUMBER.match(text, at)
    if number:
        return json.loads(number.group()), number.end()
    name = NAME.match(text, at)
    if name:
        words = {"true": True, "false": False, "null": None}
        return words.get(name.group(), name.group()), name.end()
    raise NoJson(f"{first!r} at {at}")


def read_list(text: str, at: int):
    values, at = [], blank(text, at + 1)
    while at < len(text) and text[at] != "]":
        value, at = read_value(text, at)
        values.append(value)
        at = separator(text, at, "]")
    if at >= len(text):
        raise NoJson("a list does not end")
    return values, at + 1


def read_map(text: str, at: int):
    pairs, at = [], blank(text, at + 1)
    while at < len(text) and text[at] != "}":
        name, at = read_value(text, at)
        at = blank(text, at)
        if at >= len(text) or text[at] != ":":
            raise NoJson(f"no colon at {at}")
        value, at = read_value(text, blank(text, at + 1))
        pairs.append((name, value))
        at = separator(text, at, "}")
    if at >= len(text):
        raise NoJson("a map does not end")
    if any(isinstance(name, (dict, list)) for name, _ in pairs):
        return {"<map>": sorted(([name, value] for name, value in pairs), key=lambda pair: json.dumps(pair[0], sort_keys=True))}, at + 1
    return {str(name): value for name, value in pairs}, at + 1


def separator(text: str, at: int, end: str) -> int:
    at = blank(text, at)
    if at < len(text) and text[at] == ",":
        return blank(text, at + 1)
    if at < len(text) and text[at] != end:
        raise NoJson(f"{text[at]!r} at {at}")
    return at
