"""What a case works with on one side: its own topics, groups and connections, and the record of all that it saw."""
import json
import time
from dataclasses import dataclass

import codes
import messages
import wire
from connection import Connection
from normalise import Normaliser

CLUSTER, BROKER = "DefaultCluster", "broker-a"
CLIENT_VERSION = 409


class SetUpFailed(Exception):
    """A step that every broker must do was refused; the text says which."""


@dataclass(frozen=True)
class Side:
    """`name` is gantry, 4.9.7 or 5.5.0. The addresses are host:port."""
    name: str
    broker: str
    nameserver: str

    def ports(self) -> dict[int, str]:
        port = int(self.broker.rsplit(":", 1)[1])
        return {port: "broker", port + 1: "ha", port - 2: "vip", int(self.nameserver.rsplit(":", 1)[1]): "nameserver"}


class Session:
    def __init__(self, side: Side, case_name: str):
        self._side = side
        self._name = case_name.replace(".", "_")
        self._open: list[Connection] = []
        self._normaliser = Normaliser(side.ports())
        self.records: dict[str, dict] = {}
        self.broker = self.connect()

    # Connections

    def connect(self) -> Connection:
        return self._connect(self._side.broker)

    def connect_vip(self) -> Connection:
        host, port = self._side.broker.rsplit(":", 1)
        return self._connect(f"{host}:{int(port) - 2}")

    def nameserver(self) -> Connection:
        return self._connect(self._side.nameserver)

    def _connect(self, address: str) -> Connection:
        connection = Connection(address)
        self._open.append(connection)
        return connection

    def close(self) -> None:
        for connection in self._open:
            connection.close()

    # What is compared

    def ask(self, label: str, code: int, fields: dict | None = None, body: bytes = b"", on: Connection | None = None,
            form: str = wire.JSON_FORM, wait_s: float = 20, keep=None, version: int = CLIENT_VERSION):
        """Sends a request and records the reply under `label`, which is the case's own; returns it."""
        reply = (on or self.broker).call(code, fields, body, form, wait_s, version)
        self.note(label, self._normaliser.answer(reply, keep))
        return reply

    def ask_oneway(self, label: str, code: int, fields: dict | None = None, body: bytes = b"", on: Connection | None = None):
        self.note(label, self._normaliser.answer((on or self.broker).oneway(code, fields, body)))

    def see_request(self, label: str, code: int, on: Connection, wait_s: float = 10):
        """Records the peer's next request with this code; returns it."""
        asked = on.asked(code, wait_s)
        self.note(label, self._normaliser.request(asked))
        return asked

    def note(self, label: str, seen) -> None:
        assert label not in self.records, f"two records named {label}"
        self.records[label] = seen

    def normalised_request(self, asked, change=lambda message: message) -> dict:
        """A request of the broker's as it is compared, each message of its body changed by `change`."""
        seen = self._normaliser.request(asked)
        if "messages" in seen.get("body", {}):
            seen["body"]["messages"] = [change(message) for message in seen["body"]["messages"]]
        return seen

    def note_reply(self, label: str, reply, keep=None) -> None:
        self.note(label, self._normaliser.answer(reply, keep))

    # What is done on the way

    def do(self, code: int, fields: dict | None = None, body: bytes = b"", on: Connection | None = None) -> wire.Frame:
        """A request that every broker answers with success."""
        reply = (on or self.broker).call(code, fields, body)
        if isinstance(reply, str) or reply.code != 0:
            raise SetUpFailed(f"request {code} {fields}: {reply if isinstance(reply, str) else (reply.code, reply.remark)}")
        return reply

    def topic_name(self, part: str = "") -> str:
        return f"sbs_{self._name}{'_' + part if part else ''}"

    def topic(self, queues: int = 1, part: str = "", perm: int = 6) -> str:
        """A topic that the broker has now."""
        name = self.topic_name(part)
        self.do(codes.UPDATE_AND_CREATE_TOPIC, {"topic": name, "defaultTopic": "TBW102", "readQueueNums": queues, "writeQueueNums": queues,
                                                "perm": perm, "topicFilterType": "SINGLE_TAG", "topicSysFlag": 0, "order": False})
        return name

    def topic_of(self, message_type: str, queues: int = 1) -> str:
        """A topic whose message.type is this one, where the version knows it."""
        name = self.topic_name(message_type.lower())
        self.do(codes.UPDATE_AND_CREATE_TOPIC, {"topic": name, "defaultTopic": "TBW102", "readQueueNums": queues, "writeQueueNums": queues, "perm": 6,
                                                "topicFilterType": "SINGLE_TAG", "topicSysFlag": 0, "order": False,
                                                "attributes": f"+message.type={message_type}"})
        return name

    def routed(self, topic: str) -> str:
        """The topic, once the name server tells of it: 5.5.0 announces a new topic behind its reply, and asks there when it assigns queues."""
        nameserver = self.nameserver()
        self.until(lambda: nameserver.call(codes.GET_ROUTEINFO_BY_TOPIC, {"topic": topic}).code == 0, f"a route of {topic}", 60)
        return topic

    def group_name(self, part: str = "") -> str:
        return f"sbs_{self._name}_group{part}"

    def client_id(self, part: str = "a") -> str:
        return f"10.11.12.13@{self._name}@{part}"

    def group(self, topic: str | None = None, expression: str = "*", on: Connection | None = None, part: str = "", client: str = "a",
              sub_version: int = 1000, model: str = "CLUSTERING") -> str:
        """A group of which the connection is a member, subscribed to `topic`."""
        name = self.group_name(part)
        self.do(codes.HEART_BEAT, {}, heart_beat(self.client_id(client), consumers=[consumer(name, topic, expression, sub_version, model)]), on)
        return name

    def send(self, topic: str, body: bytes = b"hello", queue: int = 0, properties: dict | None = None, **fields) -> wire.Frame:
        """One message, stored and countable when this returns."""
        before = self.end(topic, queue)
        reply = self.do(codes.SEND_MESSAGE_V2, send_v2(topic, queue, properties, **fields), body)
        self.until(lambda: self.end(topic, queue) > before, f"a message in {topic}")
        return reply

    def end(self, topic: str, queue: int = 0) -> int:
        return int(self.do(codes.GET_MAX_OFFSET, {"topic": topic, "queueId": queue}).fields["offset"])

    def until(self, holds, what: str, deadline_s: float = 20) -> None:
        end = time.monotonic() + deadline_s
        while not holds():
            if time.monotonic() > end:
                raise SetUpFailed(f"waited {deadline_s} s for {what}")
            time.sleep(0.02)


def send_v2(topic: str, queue: int = 0, properties: dict | None = None, **fields) -> dict:
    """Fields of SEND_MESSAGE_V2; `fields` replace or add to them by letter."""
    given = {"a": "sbs_producer", "b": topic, "c": "TBW102", "d": 4, "e": queue, "f": 0, "g": int(time.time() * 1000), "h": 0,
             "i": messages.encode_properties(properties or {}), "j": 0, "k": False, "m": False}
    return given | fields


def send_v1(topic: str, queue: int = 0, properties: dict | None = None, **fields) -> dict:
    long = {"producerGroup": "sbs_producer", "topic": topic, "defaultTopic": "TBW102", "defaultTopicQueueNums": 4, "queueId": queue,
            "sysFlag": 0, "bornTimestamp": int(time.time() * 1000), "flag": 0, "properties": messages.encode_properties(properties or {}),
            "reconsumeTimes": 0, "unitMode": False}
    return long | fields


def pull(group: str, topic: str, offset: int = 0, queue: int = 0, **fields) -> dict:
    """Fields of PULL_MESSAGE that bring their own subscription; `fields` replace or add to them."""
    given = {"consumerGroup": group, "topic": topic, "queueId": queue, "queueOffset": offset, "maxMsgNums": 32, "sysFlag": 4, "commitOffset": 0,
             "suspendTimeoutMillis": 0, "subscription": "*", "subVersion": 1000, "expressionType": "TAG"}
    return given | fields


def consumer(group: str, topic: str | None, expression: str = "*", sub_version: int = 1000, model: str = "CLUSTERING") -> dict:
    return {"groupName": group, "consumeType": "CONSUME_PASSIVELY", "messageModel": model, "consumeFromWhere": "CONSUME_FROM_FIRST_OFFSET",
            "unitMode": False, "subscriptionDataSet": [subscription(topic, expression, sub_version)] if topic else []}


def subscription(topic: str, expression: str = "*", version: int = 1000) -> dict:
    tags = [] if expression == "*" else [tag.strip() for tag in expression.split("||")]
    return {"classFilterMode": False, "topic": topic, "subString": expression, "tagsSet": tags, "codeSet": [java_hash(tag) for tag in tags],
            "subVersion": version, "expressionType": "TAG"}


def java_hash(text: str) -> int:
    value = 0
    for char in text:
        value = (31 * value + ord(char)) & 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def heart_beat(client_id: str, consumers: list | tuple = (), producers: list | tuple = ()) -> bytes:
    return json.dumps({"clientID": client_id, "consumerDataSet": list(consumers), "producerDataSet": [{"groupName": name} for name in producers]}).encode()


def json_body(value) -> bytes:
    return json.dumps(value).encode()
