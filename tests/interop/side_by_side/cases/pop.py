"""Pops, acknowledgements, invisible times, and who pops or pulls what."""
import base64
import json
import time

import codes
import messages
from mutations import Spec, derive
from registry import add, case
from session import BROKER, json_body


def pop_fields(session, topic: str, **fields) -> dict:
    return {"consumerGroup": session.group_name(), "topic": topic, "queueId": 0, "maxMsgNums": 32, "invisibleTime": 60000, "pollTime": 0,
            "bornTime": int(time.time() * 1000), "initMode": 0, "expType": "TAG", "exp": "*", "order": False} | fields


def prepare(session, count: int = 1, **fields) -> dict:
    topic = session.topic()
    session.group(topic)
    for index in range(count):
        session.send(topic, b"%d" % index, properties={"TAGS": "even" if index % 2 == 0 else "odd"})
    return pop_fields(session, topic, **fields)


derive(Spec("pop.request", codes.POP_MESSAGE, lambda s: (prepare(s), b""), ("consumerGroup", "topic"), ("queueId", "maxMsgNums", "invisibleTime", "pollTime",
            "bornTime", "initMode"), "topic", "consumerGroup", "queueId", binary=False))


def popped(name: str, count: int, **fields) -> None:
    add(f"pop.{name}", lambda session: session.ask("reply", codes.POP_MESSAGE, prepare(session, count, **fields), wait_s=15))


popped("three", 3)
popped("at_most_one", 3, maxMsgNums=1)
popped("none", 0)
popped("none_but_waits", 0, pollTime=600)
popped("over_32", 1, maxMsgNums=33)
popped("at_most_zero", 1, maxMsgNums=0)
popped("any_queue", 1, queueId=-1)
popped("one_tag", 3, exp="odd")
popped("no_such_tag", 3, exp="neither")
popped("unknown_filter_type", 1, expType="REGEX", exp="o.*")
popped("from_the_end", 2, initMode=1)
popped("no_invisible_time", 1, invisibleTime=0)
popped("short_invisible_time", 1, invisibleTime=1000)
popped("in_order", 2, order=True)
popped("with_attempt", 2, order=True, attemptId="attempt-1")
popped("too_late", 1, bornTime=1000, pollTime=1000)
popped("without_expression", 1, exp="")


@case
def popped_is_invisible(session):
    fields = prepare(session, 2)
    session.ask("first", codes.POP_MESSAGE, fields, wait_s=15)
    session.ask("second", codes.POP_MESSAGE, fields | {"bornTime": int(time.time() * 1000)}, wait_s=15)


@case
def in_order_blocks(session):
    fields = prepare(session, 2, order=True, maxMsgNums=1)
    session.ask("first", codes.POP_MESSAGE, fields, wait_s=15)
    session.ask("second", codes.POP_MESSAGE, fields | {"bornTime": int(time.time() * 1000)}, wait_s=15)


@case
def held_until_a_message_comes(session):
    fields = prepare(session, 0, pollTime=15000)
    waiting = session.connect()
    opaque = waiting.send(codes.POP_MESSAGE, fields, b"", "json", 0, 479)
    session.note_reply("before", waiting.wait(opaque, 0.3))
    session.send(fields["topic"])
    session.note_reply("after", waiting.wait(opaque, 10))


def out(session) -> tuple[dict, dict]:
    """A message that is popped: fields that acknowledge it, and what the pop said."""
    fields = prepare(session)
    said = session.broker.call(codes.POP_MESSAGE, fields).fields or {}
    start = (said.get("startOffsetInfo") or "0 0 0").split()[-1]
    handle = f"{start} {said.get('popTime', 1)} {said.get('invisibleTime', 60000)} {said.get('reviveQid', 0)} 0 {BROKER} 0 0"
    return {"consumerGroup": fields["consumerGroup"], "topic": fields["topic"], "queueId": 0, "extraInfo": handle, "offset": 0}, said


derive(Spec("pop.ack", codes.ACK_MESSAGE, lambda s: (out(s)[0], b""), ("consumerGroup", "topic", "extraInfo"), ("queueId", "offset"), "topic", "consumerGroup",
            "queueId", binary=False))
derive(Spec("pop.change_invisible", codes.CHANGE_MESSAGE_INVISIBLETIME, lambda s: (out(s)[0] | {"invisibleTime": 30000}, b""),
            ("consumerGroup", "topic", "extraInfo"), ("queueId", "offset", "invisibleTime"), "topic", "consumerGroup", "queueId", binary=False))
derive(Spec("pop.notification", codes.NOTIFICATION,
            lambda s: ({key: value for key, value in prepare(s).items() if key in ("consumerGroup", "topic", "queueId", "pollTime", "bornTime")}, b""),
            ("consumerGroup", "topic"), ("queueId", "pollTime", "bornTime"), "topic", "consumerGroup", "queueId", binary=False))
derive(Spec("pop.polling_info", codes.POLLING_INFO,
            lambda s: ({key: value for key, value in prepare(s).items() if key in ("consumerGroup", "topic", "queueId")}, b""),
            ("consumerGroup", "topic"), ("queueId",), "topic", "consumerGroup", "queueId", binary=False))


def acknowledged(name: str, code: int = codes.ACK_MESSAGE, **changes) -> None:
    def run(session) -> None:
        session.ask("reply", code, out(session)[0] | changes)
    add(f"pop.{name}", run)


acknowledged("ack_offset_beyond", offset=100)
acknowledged("ack_damaged_handle", extraInfo="1 2 3")
acknowledged("ack_handle_of_words", extraInfo="a b c d e f g h")
acknowledged("change_invisible_of_damaged_handle", codes.CHANGE_MESSAGE_INVISIBLETIME, extraInfo="1 2 3", invisibleTime=30000)
acknowledged("change_invisible_to_nothing", codes.CHANGE_MESSAGE_INVISIBLETIME, invisibleTime=0)
acknowledged("change_invisible_offset_beyond", codes.CHANGE_MESSAGE_INVISIBLETIME, invisibleTime=30000, offset=100)


@case
def ack_twice(session):
    fields, _ = out(session)
    for number in ("first", "second"):
        session.ask(number, codes.ACK_MESSAGE, fields)


def batch_ack(session, **changes) -> bytes:
    fields, said = out(session)
    entry = {"c": fields["consumerGroup"], "t": fields["topic"], "r": "0", "so": 0, "q": 0, "rq": int(said.get("reviveQid", 0)),
             "pt": int(said.get("popTime", 1)), "it": int(said.get("invisibleTime", 60000)), "b": base64.b64encode(b"\x01").decode()}
    return json_body({"brokerName": BROKER, "acks": [entry | changes]})


derive(Spec("pop.batch_ack", codes.BATCH_ACK_MESSAGE, lambda s: ({}, batch_ack(s)), json_body=True, binary=False))


@case
def batch_ack_of_nothing(session):
    session.ask("reply", codes.BATCH_ACK_MESSAGE, {}, json_body({"brokerName": BROKER, "acks": []}))


@case
def batch_ack_of_unknown_topic(session):
    session.ask("reply", codes.BATCH_ACK_MESSAGE, {}, batch_ack(session, t="sbs_nobody_made_this"))


@case
def comes_again(session):
    fields = prepare(session, 1, invisibleTime=1000)
    session.ask("first", codes.POP_MESSAGE, fields, wait_s=15)

    def again():
        session.again = session.broker.call(codes.POP_MESSAGE, fields | {"bornTime": int(time.time() * 1000), "invisibleTime": 60000, "queueId": -1})
        return session.again.code != 210
    session.until(again, "the message", 30)
    shown = [{name: message[name] for name in ("topic", "reconsumeTimes", "body")} for message in messages.decode_stored(session.again.body)]
    session.note("again", {"code": session.again.code, "messages": shown})


@case
def notification_without_messages(session):
    fields = prepare(session, 0)
    session.ask("reply", codes.NOTIFICATION, {key: fields[key] for key in ("consumerGroup", "topic", "queueId", "pollTime", "bornTime")})


def assignment(session, **changes) -> bytes:
    topic = session.routed(session.topic(2))
    group = session.group(topic)
    return json_body({"topic": topic, "consumerGroup": group, "clientId": session.client_id(), "strategyName": "AVG", "messageModel": "CLUSTERING"} | changes)


derive(Spec("pop.assignment", codes.QUERY_ASSIGNMENT, lambda s: ({}, assignment(s)), json_body=True))


def assigned(name: str, **changes) -> None:
    add(f"pop.assignment.{name}", lambda session: session.ask("reply", codes.QUERY_ASSIGNMENT, {}, assignment(session, **changes), wait_s=4))


assigned("by_circle", strategyName="AVG_BY_CIRCLE")
assigned("unknown_strategy", strategyName="BY_DICE")
assigned("without_strategy", strategyName=None)
assigned("broadcasting", messageModel="BROADCASTING")
assigned("unknown_topic", topic="sbs_nobody_made_this")
assigned("unknown_group", consumerGroup="sbs_nobody_made_this_group")
assigned("not_a_member", clientId="10.11.12.13@nobody")


def mode(session, **changes) -> bytes:
    topic = session.topic(2)
    group = session.group(topic)
    return json_body({"topic": topic, "consumerGroup": group, "mode": "POP", "popShareQueueNum": 0} | changes)


@case
def by_priority(session):
    topic = session.topic_of("PRIORITY", 4)
    session.group(topic)
    for queue in range(4):
        session.send(topic, b"%d" % queue, queue)
    reply = session.broker.call(codes.POP_MESSAGE, pop_fields(session, topic, queueId=-1))
    session.note("reply", {"code": reply.code, "bodies": [message["body"] for message in messages.decode_stored(reply.body)]})


derive(Spec("pop.mode", codes.SET_MESSAGE_REQUEST_MODE, lambda s: ({}, mode(s)), json_body=True))


def set_mode(name: str, **changes) -> None:
    add(f"pop.mode.{name}", lambda session: session.ask("reply", codes.SET_MESSAGE_REQUEST_MODE, {}, mode(session, **changes), wait_s=4))


set_mode("pull", mode="PULL")
set_mode("unknown_mode", mode="PUSH")
set_mode("unknown_topic", topic="sbs_nobody_made_this")
set_mode("unknown_group", consumerGroup="sbs_nobody_made_this_group")
set_mode("retry_topic", topic="%RETRY%x")


@case
def mode_pop_is_assigned(session):
    body = mode(session)
    session.ask("set", codes.SET_MESSAGE_REQUEST_MODE, {}, body)
    given = json.loads(body)
    session.routed(given["topic"])
    session.ask("reply", codes.QUERY_ASSIGNMENT, {}, json_body({"topic": given["topic"], "consumerGroup": given["consumerGroup"],
                                                               "clientId": session.client_id(), "strategyName": "AVG", "messageModel": "CLUSTERING"}))
