"""What tools and consoles ask a broker."""
import json

import codes
import wire
from mutations import UNKNOWN, Spec, derive
from registry import add, case
from session import heart_beat, json_body, send_v2


def grouped(session) -> tuple[str, str]:
    """A topic with one message, and a group with one member and a committed offset."""
    topic = session.topic(2)
    session.send(topic)
    group = session.group(topic)
    session.do(codes.UPDATE_CONSUMER_OFFSET, {"consumerGroup": group, "topic": topic, "queueId": 0, "commitOffset": 1})
    return topic, group


def topic_fields(session, **changes) -> dict:
    return {"topic": session.topic_name(), "defaultTopic": "TBW102", "readQueueNums": 3, "writeQueueNums": 2, "perm": 6, "topicFilterType": "SINGLE_TAG",
            "topicSysFlag": 0, "order": False} | changes


derive(Spec("admin.create_topic", codes.UPDATE_AND_CREATE_TOPIC, lambda s: (topic_fields(s), b""), ("topic", "defaultTopic", "topicFilterType"),
            ("readQueueNums", "writeQueueNums", "perm")))


def create(name: str, **changes) -> None:
    add(f"admin.create_topic.{name}", lambda session: session.ask("reply", codes.UPDATE_AND_CREATE_TOPIC, topic_fields(session, **changes)))


create("illegal_name", topic="what?topic")
create("name_of_127", topic="c" * 127)
create("name_of_128", topic="c" * 128)
create("empty_name", topic="")
create("system_topic", topic="SCHEDULE_TOPIC_XXXX")
create("no_queues", readQueueNums=0, writeQueueNums=0)
create("queues_below_zero", readQueueNums=-1, writeQueueNums=-1)
create("odd_permission", perm=9)
create("unknown_filter", topicFilterType="NO_TAG")
create("attributes", attributes="+message.type=NORMAL")


def changed_attributes(name: str, first: str, *changes: str) -> None:
    """What becomes of a topic made with `first` after each of the changes, and what is told of it in the end."""
    def run(session) -> None:
        for number, attributes in enumerate((first, *changes)):
            label = "made" if number == 0 else f"change_{number}"
            session.ask(label, codes.UPDATE_AND_CREATE_TOPIC, topic_fields(session, attributes=attributes))
        session.ask("reply", codes.GET_TOPIC_CONFIG, {"topic": session.topic_name()})
        table = json.loads(session.do(codes.GET_ALL_TOPIC_CONFIG).body)["topicConfigTable"]
        session.note("all", {"own": table.get(session.topic_name())})
    add(f"admin.attributes.{name}", run)


for message_type in ("UNSPECIFIED", "NORMAL", "FIFO", "DELAY", "TRANSACTION", "PRIORITY", "LITE", "MIXED", "fifo", ""):
    changed_attributes(f"type_{message_type or 'empty'}" if message_type != "fifo" else "type_in_small_letters", f"+message.type={message_type}")
changed_attributes("several", "+message.type=FIFO,+reserve.time=60000,+queue.type=SimpleCQ,+cleanup.policy=DELETE,+lite.topic.expiration=60")
changed_attributes("queue_type_batch", "+queue.type=BatchCQ")
changed_attributes("cleanup_compaction", "+cleanup.policy=COMPACTION")
changed_attributes("queue_type_unknown", "+queue.type=Other")
changed_attributes("cleanup_unknown", "+cleanup.policy=NEVER")
for reserve_time in ("-1", "-2", "0", "9223372036854775807", "9223372036854775808", "word"):
    changed_attributes(f"reserve_time_{reserve_time}".replace("-", "minus_"), f"+reserve.time={reserve_time}")
changed_attributes("expiration_of_a_month", "+lite.topic.expiration=43200")
changed_attributes("expiration_of_more", "+lite.topic.expiration=43201")
changed_attributes("unknown_key", "+colour=green")
changed_attributes("without_sign", "message.type=FIFO")
changed_attributes("minus_at_first", "-message.type")
changed_attributes("minus_with_value", "-message.type=FIFO")
changed_attributes("twice", "+message.type=FIFO,+message.type=DELAY")
changed_attributes("one_bad_of_two", "+message.type=FIFO,+colour=green")
changed_attributes("kept_without_word", "+message.type=FIFO", "")
changed_attributes("changed", "+message.type=FIFO", "+message.type=DELAY")
changed_attributes("added", "+message.type=FIFO", "+reserve.time=5")
changed_attributes("removed", "+message.type=FIFO", "-message.type")
changed_attributes("removed_twice", "+message.type=FIFO", "-message.type", "-message.type")
changed_attributes("unchangeable_changed", "+queue.type=SimpleCQ", "+queue.type=BatchCQ")
changed_attributes("unchangeable_added", "+message.type=FIFO", "+cleanup.policy=DELETE")
changed_attributes("unchangeable_removed", "+queue.type=SimpleCQ", "-queue.type")


@case
def attributes_in_a_list(session):
    topics = [topic_fields(session, topicName=session.topic_name(), attributes={"+message.type": "FIFO", "+reserve.time": "5"})]
    session.ask("reply", codes.UPDATE_AND_CREATE_TOPIC_LIST, {}, json_body({"topicConfigList": topics}))
    session.ask("shown", codes.GET_TOPIC_CONFIG, {"topic": session.topic_name()})


def ask_route(session, part: bytes) -> None:
    """Records the route once it has `part`: 4.9.7 tells the name server before it replies, 5.5.0 up to 30 s later."""
    nameserver = session.nameserver()
    session.until(lambda: part in nameserver.call(codes.GET_ROUTEINFO_BY_TOPIC, {"topic": session.topic_name()}).body, f"{part} in the route", 60)
    session.ask("route", codes.GET_ROUTEINFO_BY_TOPIC, {"topic": session.topic_name()}, on=nameserver)


@case
def created_topic_in_route(session):
    session.do(codes.UPDATE_AND_CREATE_TOPIC, topic_fields(session))
    ask_route(session, b'"perm":6')


@case
def topic_changed(session):
    session.do(codes.UPDATE_AND_CREATE_TOPIC, topic_fields(session))
    session.ask("reply", codes.UPDATE_AND_CREATE_TOPIC, topic_fields(session, readQueueNums=1, writeQueueNums=1, perm=4))
    ask_route(session, b'"perm":4')


def own_topic(session):
    """The part of all topics' settings that is the case's own."""
    return lambda body: {"names": sorted(body), "own": body.get("topicConfigTable", {}).get(session.topic_name())} if isinstance(body, dict) else body


@case
def all_topics(session):
    session.topic(2)
    session.ask("reply", codes.GET_ALL_TOPIC_CONFIG, {}, keep=own_topic(session))


derive(Spec("admin.topic_config", codes.GET_TOPIC_CONFIG, lambda s: ({"topic": s.topic(2)}, b""), ("topic",), topic="topic"))
derive(Spec("admin.topic_stats", codes.GET_TOPIC_STATS_INFO, lambda s: ({"topic": grouped(s)[0]}, b""), ("topic",), topic="topic"))


@case
def system_topics(session):
    session.ask("reply", codes.GET_SYSTEM_TOPIC_LIST_FROM_BROKER, {})


def of_group(code: int, name: str, with_topic: bool = False, topic_named: bool = False) -> None:
    def prepare(session):
        topic, group = grouped(session)
        if topic_named:
            return {"topic": topic}, b""
        return {"consumerGroup": group} | ({"topic": topic} if with_topic else {}), b""
    derive(Spec(name, code, prepare, ("topic",) if topic_named else ("consumerGroup",), topic="topic" if with_topic or topic_named else "",
                group="" if topic_named else "consumerGroup"))


of_group(codes.GET_CONSUMER_CONNECTION_LIST, "admin.connections")
of_group(codes.GET_CONSUME_STATS, "admin.consume_stats")
of_group(codes.GET_CONSUME_STATS, "admin.consume_stats_of_topic", with_topic=True)
of_group(codes.QUERY_TOPIC_CONSUME_BY_WHO, "admin.groups_of_topic", topic_named=True)
derive(Spec("admin.topics_of_group", codes.QUERY_TOPICS_BY_CONSUMER, lambda s: ({"group": grouped(s)[1]}, b""), ("group",), group="group"))


def subscribed(session):
    topic, group = grouped(session)
    return {"group": group, "topic": topic}, b""


derive(Spec("admin.subscription_of_group", codes.QUERY_SUBSCRIPTION_BY_CONSUMER, subscribed, ("group", "topic"), topic="topic", group="group"))


def producing(session) -> dict:
    session.do(codes.HEART_BEAT, {}, heart_beat(session.client_id(), producers=[session.group_name()]))
    return {"producerGroup": session.group_name()}


derive(Spec("admin.producers", codes.GET_PRODUCER_CONNECTION_LIST, lambda s: (producing(s), b""), ("producerGroup",), group="producerGroup"))


@case
def all_producers(session):
    producing(session)
    session.ask("reply", codes.GET_ALL_PRODUCER_INFO, {}, keep=lambda body: {"names": sorted(body), "own": body.get("data", {}).get(session.group_name())})


# Calls that the broker passes on to a member

def member(session) -> tuple[str, str, object]:
    topic = session.topic()
    connection = session.connect()
    return topic, session.group(topic, on=connection), connection


def passed_on(name: str, tool_code: int, member_code: int, fields, answer_code: int = 0, answer_body: bytes = b"{}") -> None:
    def run(session) -> None:
        topic, group, connection = member(session)
        opaque = session.broker.send(tool_code, fields(session, topic, group), b"", "json", 0, 409)
        asked = session.see_request("asked", member_code, connection, 5)
        if not isinstance(asked, str):
            connection.answer(asked, answer_code, {"own": "field"}, answer_body, "said by the member")
        session.note_reply("reply", session.broker.wait(opaque, 15))
    add(f"admin.{name}", run)


def running(session, topic, group, **changes):
    return {"consumerGroup": group, "clientId": session.client_id(), "jstackEnable": False} | changes


def direct(session, topic, group):
    reply = session.send(topic, b"directly", properties={"TAGS": "TagA"})
    return {"consumerGroup": group, "clientId": session.client_id(), "msgId": reply.fields["msgId"], "topic": topic}


passed_on("running_info", codes.GET_CONSUMER_RUNNING_INFO, codes.GET_CONSUMER_RUNNING_INFO, running,
          answer_body=b'{"mqTable":{},"properties":{"PROP_CLIENT_VERSION":"V4_9_8"},"subscriptionSet":[]}')
passed_on("running_info_refused_by_member", codes.GET_CONSUMER_RUNNING_INFO, codes.GET_CONSUMER_RUNNING_INFO, running, 1, b"")
passed_on("consume_directly", codes.CONSUME_MESSAGE_DIRECTLY, codes.CONSUME_MESSAGE_DIRECTLY, direct, answer_body=b'{"consumeResult":"CR_SUCCESS","order":false}')
passed_on("consumer_status", codes.INVOKE_BROKER_TO_GET_CONSUMER_STATUS, codes.GET_CONSUMER_STATUS_FROM_CLIENT,
          lambda session, topic, group: {"topic": topic, "group": group},
          answer_body=b'{"messageQueueTable":{{"brokerName":"broker-a","queueId":0,"topic":"t"}:7}}')


@case
def running_info_of_nobody(session):
    session.ask("reply", codes.GET_CONSUMER_RUNNING_INFO, running(session, "", UNKNOWN + "_group"))


@case
def running_info_of_unknown_client(session):
    topic, group, _ = member(session)
    session.ask("reply", codes.GET_CONSUMER_RUNNING_INFO, running(session, topic, group, clientId="10.11.12.13@nobody"))


@case
def consume_directly_without_message(session):
    topic, group, _ = member(session)
    fields = {"consumerGroup": group, "clientId": session.client_id(), "topic": topic, "msgId": "7F00000100002A9F00FFFFFFFFFFFFFF"}
    session.ask("reply", codes.CONSUME_MESSAGE_DIRECTLY, fields)


@case
def consume_directly_of_damaged_id(session):
    topic, group, _ = member(session)
    session.ask("reply", codes.CONSUME_MESSAGE_DIRECTLY, {"consumerGroup": group, "clientId": session.client_id(), "topic": topic, "msgId": "xyz"})


@case
def consumer_status_of_nobody(session):
    session.ask("reply", codes.INVOKE_BROKER_TO_GET_CONSUMER_STATUS, {"topic": session.topic(), "group": UNKNOWN + "_group"})


# Resets

def reset(name: str, online: bool = True, **changes) -> None:
    def run(session) -> None:
        topic = session.topic()
        session.send(topic)
        connection = session.connect()
        group = session.group(topic, on=connection)
        session.do(codes.UPDATE_CONSUMER_OFFSET, {"consumerGroup": group, "topic": topic, "queueId": 0, "commitOffset": 1})
        if not online:
            session.do(codes.UNREGISTER_CLIENT, {"clientID": session.client_id(), "consumerGroup": group}, on=connection)
        session.ask("reply", codes.INVOKE_BROKER_TO_RESET_OFFSET, {"topic": topic, "group": group, "timestamp": 0, "isForce": True} | changes)
        if online:
            session.see_request("told", codes.RESET_CONSUMER_CLIENT_OFFSET, connection, wait_s=2)
        session.ask("committed", codes.QUERY_CONSUMER_OFFSET, {"consumerGroup": group, "topic": topic, "queueId": 0})
    add(f"admin.reset.{name}", run)


reset("to_the_beginning")
reset("to_the_end", timestamp=-1)
reset("forward_without_force", timestamp=-1, isForce=False)
reset("unknown_topic", topic=UNKNOWN)
reset("unknown_group", group=UNKNOWN + "_group")
reset("without_members", online=False)
reset("time_is_no_number", timestamp="noon")


@case
def reset_of_unused_topic(session):
    topic = session.topic()
    session.ask("reply", codes.INVOKE_BROKER_TO_RESET_OFFSET, {"topic": topic, "group": session.group(topic), "timestamp": 0, "isForce": True})


# Replies of an exchange

def reply_fields(session, **properties) -> dict:
    return send_v2("DefaultCluster_REPLY_TOPIC", 0, {"MSG_TYPE": "reply", "CORRELATION_ID": "c1", "REPLY_TO_CLIENT": session.client_id()} | properties)


@case
def reply_to_requester(session):
    requester = session.connect()
    session.do(codes.HEART_BEAT, {}, heart_beat(session.client_id(), producers=[session.group_name()]), on=requester)
    opaque = session.broker.send(codes.SEND_REPLY_MESSAGE_V2, reply_fields(session), b"the reply", "json", 0, 409)
    asked = session.see_request("asked", codes.PUSH_REPLY_MESSAGE_TO_CLIENT, requester, 5)
    if not isinstance(asked, str):
        requester.answer(asked)
    reply = session.broker.wait(opaque, 15)
    session.note("reply", {"code": getattr(reply, "code", reply), "names": sorted((getattr(reply, "fields", None) or {}))})


@case
def reply_to_requester_that_refuses(session):
    requester = session.connect()
    session.do(codes.HEART_BEAT, {}, heart_beat(session.client_id(), producers=[session.group_name()]), on=requester)
    opaque = session.broker.send(codes.SEND_REPLY_MESSAGE_V2, reply_fields(session), b"the reply", "json", 0, 409)
    asked = requester.asked(codes.PUSH_REPLY_MESSAGE_TO_CLIENT, 5)
    if not isinstance(asked, str):
        requester.answer(asked, 1)
    session.note("code", getattr(session.broker.wait(opaque, 15), "code", "none"))


@case
def reply_to_nobody(session):
    session.note("code", session.broker.call(codes.SEND_REPLY_MESSAGE_V2, reply_fields(session), b"the reply").code)


@case
def reply_without_address(session):
    fields = send_v2("DefaultCluster_REPLY_TOPIC", 0, {"MSG_TYPE": "reply", "CORRELATION_ID": "c1"})
    session.note("code", session.broker.call(codes.SEND_REPLY_MESSAGE_V2, fields, b"the reply").code)


# The protocol itself

@case
def unknown_request(session):
    session.ask("reply", 7777, {"a": "b"})


@case
def unknown_request_binary(session):
    session.ask("reply", 7777, {"a": "b"}, form="binary")


@case
def unknown_request_oneway(session):
    session.ask_oneway("reply", 7777, {"a": "b"})


@case
def response_without_request(session):
    """A stray response is ignored, and the connection goes on."""
    session.broker.send_bytes(wire.encode(wire.Frame(0, 424242, wire.RESPONSE, {})))
    session.ask("after", codes.GET_MAX_OFFSET, {"topic": session.topic(), "queueId": 0})


def bytes_that_are_no_frame(name: str, data: bytes) -> None:
    def run(session) -> None:
        connection = session.connect()
        connection.send_bytes(data)
        session.note("then", connection.call(codes.GET_MAX_OFFSET, {"topic": "x", "queueId": 0}, wait_s=1.5))
    add(f"admin.frame_{name}", run)


bytes_that_are_no_frame("too_large", (0x7FFFFFF0).to_bytes(4, "big") + b"\x00\x00\x00\x10" + b"x" * 16)
bytes_that_are_no_frame("header_beyond_the_frame", (20).to_bytes(4, "big") + b"\x00\x00\x01\x00" + b"x" * 16)
bytes_that_are_no_frame("header_no_json", (20).to_bytes(4, "big") + b"\x00\x00\x00\x10" + b"this is no json!")
bytes_that_are_no_frame("unknown_header_form", (20).to_bytes(4, "big") + b"\x07\x00\x00\x10" + b"{\"code\":30}     ")
