"""Cases that every request has: as it should be, in the binary form, oneway, and with one thing wrong each."""
from dataclasses import dataclass
from typing import Callable

import wire
from registry import add
from session import Session

UNKNOWN = "sbs_nobody_made_this"


@dataclass(frozen=True)
class Spec:
    """`prepare` makes what the good request needs and returns its fields and body. `numbers` and `names` are fields: each is
    left out once, numbers are also sent as a word. `topic`, `group`, `queue` name the fields that say so. A request of the
    name server's goes there."""
    name: str
    code: int
    prepare: Callable[[Session], tuple[dict, bytes]]
    names: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    topic: str = ""
    group: str = ""
    queue: str = ""
    to_nameserver: bool = False
    json_body: bool = False
    keep: Callable | None = None
    queue_below: bool = True
    binary: bool = True
    oneway: bool = True


def derive(spec: Spec) -> None:
    changes: dict[str, Callable[[dict, bytes], tuple[dict | None, bytes]]] = {"good": lambda fields, body: (fields, body)}
    for name in (*spec.names, *spec.numbers):
        changes[f"without_{name}"] = lambda fields, body, name=name: ({key: value for key, value in fields.items() if key != name}, body)
    for name in spec.numbers:
        changes[f"{name}_no_number"] = lambda fields, body, name=name: (fields | {name: "seven"}, body)
    if spec.names or spec.numbers:
        changes["no_fields"] = lambda fields, body: (None, body)
    if spec.topic:
        changes["unknown_topic"] = lambda fields, body: (fields | {spec.topic: UNKNOWN}, body)
    if spec.group:
        changes["unknown_group"] = lambda fields, body: (fields | {spec.group: UNKNOWN + "_group"}, body)
    if spec.queue:
        changes["queue_beyond"] = lambda fields, body: (fields | {spec.queue: 99}, body)
    if spec.queue and spec.queue_below:
        changes["queue_below"] = lambda fields, body: (fields | {spec.queue: -1}, body)
    if spec.json_body:
        changes["no_body"] = lambda fields, body: (fields, b"")
        changes["damaged_body"] = lambda fields, body: (fields, b"{\"" + body[:-1])
    for change_name, change in changes.items():
        add(f"{spec.name}.{change_name}", lambda session, change=change: run(spec, session, change))
    if spec.binary:
        add(f"{spec.name}.binary_header", lambda session: run(spec, session, changes["good"], wire.BINARY_FORM))
    if spec.oneway:
        add(f"{spec.name}.oneway", lambda session: run_oneway(spec, session))


def run(spec: Spec, session: Session, change: Callable, form: str = wire.JSON_FORM) -> None:
    fields, body = change(*spec.prepare(session))
    on = session.nameserver() if spec.to_nameserver else session.broker
    session.ask("reply", spec.code, fields, body, on, form, wait_s=4, keep=spec.keep)


def run_oneway(spec: Spec, session: Session) -> None:
    fields, body = spec.prepare(session)
    session.ask_oneway("reply", spec.code, fields, body, session.nameserver() if spec.to_nameserver else session.broker)
