"""Heartbeats, membership, what the broker tells members, and messages given back."""
import json

import codes
from mutations import UNKNOWN, Spec, derive
from registry import add, case
from session import consumer, heart_beat, json_body, pull, subscription

derive(Spec("groups.heart_beat", codes.HEART_BEAT,
            lambda s: ({}, heart_beat(s.client_id(), [consumer(s.group_name(), s.topic_name())], ["sbs_producer"])), json_body=True))
derive(Spec("groups.unregister", codes.UNREGISTER_CLIENT,
            lambda s: ({"clientID": s.client_id(), "consumerGroup": s.group(), "producerGroup": "sbs_producer"}, b""),
            ("clientID", "consumerGroup", "producerGroup"), group="consumerGroup"))
derive(Spec("groups.members", codes.GET_CONSUMER_LIST_BY_GROUP, lambda s: ({"consumerGroup": s.group()}, b""), ("consumerGroup",), group="consumerGroup"))
derive(Spec("groups.client_config", codes.CHECK_CLIENT_CONFIG,
            lambda s: ({}, json_body({"clientId": s.client_id(), "group": s.group_name(), "subscriptionData": subscription(s.topic())})), json_body=True))


def odd_heart_beat(name: str, change) -> None:
    def run(session) -> None:
        data = json.loads(heart_beat(session.client_id(), [consumer(session.group_name(), session.topic_name())], ["sbs_producer"]))
        change(data)
        session.ask("reply", codes.HEART_BEAT, {}, json_body(data), wait_s=4)
        session.ask("members", codes.GET_CONSUMER_LIST_BY_GROUP, {"consumerGroup": session.group_name()})
    add(f"groups.heart_beat.{name}", run)


odd_heart_beat("without_client_id", lambda data: data.pop("clientID"))
odd_heart_beat("empty_client_id", lambda data: data.update(clientID=""))
odd_heart_beat("without_sets", lambda data: (data.pop("consumerDataSet"), data.pop("producerDataSet")))
odd_heart_beat("sets_are_null", lambda data: data.update(consumerDataSet=None, producerDataSet=None))
odd_heart_beat("without_group_name", lambda data: data["consumerDataSet"][0].pop("groupName"))
odd_heart_beat("names_as_numbers", lambda data: data["consumerDataSet"][0].update(consumeType=1, messageModel=1, consumeFromWhere=4))
odd_heart_beat("unknown_names", lambda data: data["consumerDataSet"][0].update(consumeType="SOMETIMES", messageModel="SHOUTING"))
odd_heart_beat("without_model", lambda data: data["consumerDataSet"][0].pop("messageModel"))
odd_heart_beat("version_as_text", lambda data: data["consumerDataSet"][0]["subscriptionDataSet"][0].update(subVersion="17"))
odd_heart_beat("without_subscriptions", lambda data: data["consumerDataSet"][0].pop("subscriptionDataSet"))
odd_heart_beat("unknown_members", lambda data: data.update(surprise={"a": [1, 2]}))
odd_heart_beat("illegal_group", lambda data: data["consumerDataSet"][0].update(groupName="a group?"))
odd_heart_beat("fingerprint", lambda data: data.update(heartbeatFingerprint=77, withoutSub=False))


@case
def heart_beat_makes_retry_topic(session):
    group = session.group(session.topic())
    route = {"topic": "%RETRY%" + group}
    session.until(lambda: session.nameserver().call(codes.GET_ROUTEINFO_BY_TOPIC, route).code == 0, "the retry topic's route")
    session.ask("route", codes.GET_ROUTEINFO_BY_TOPIC, route, on=session.nameserver())


@case
def members_are_told_of_a_new_one(session):
    topic = session.topic()
    first, second = session.connect(), session.connect()
    session.group(topic, on=first, client="a")
    session.see_request("own", codes.NOTIFY_CONSUMER_IDS_CHANGED, first)
    session.group(topic, on=second, client="b")
    session.see_request("first", codes.NOTIFY_CONSUMER_IDS_CHANGED, first)
    session.see_request("second", codes.NOTIFY_CONSUMER_IDS_CHANGED, second)
    session.ask("members", codes.GET_CONSUMER_LIST_BY_GROUP, {"consumerGroup": session.group_name()})


def leaving(name: str, leave) -> None:
    def run(session) -> None:
        topic = session.topic()
        first, second = session.connect(), session.connect()
        group = session.group(topic, on=first, client="a")
        session.group(topic, on=second, client="b")
        for connection in (first, first, second):
            connection.asked(codes.NOTIFY_CONSUMER_IDS_CHANGED)
        leave(session, second, group)
        session.see_request("first", codes.NOTIFY_CONSUMER_IDS_CHANGED, first)
        session.ask("members", codes.GET_CONSUMER_LIST_BY_GROUP, {"consumerGroup": group})
    add(f"groups.{name}", run)


leaving("members_are_told_of_one_that_unregisters",
        lambda session, connection, group: session.do(codes.UNREGISTER_CLIENT, {"clientID": session.client_id("b"), "consumerGroup": group}, on=connection))
leaving("members_are_told_of_one_that_closes", lambda session, connection, group: connection.close())


@case
def unchanged_heart_beat_tells_nobody(session):
    topic = session.topic()
    session.group(topic)
    session.broker.asked(codes.NOTIFY_CONSUMER_IDS_CHANGED)
    session.group(topic)
    session.see_request("again", codes.NOTIFY_CONSUMER_IDS_CHANGED, session.broker, wait_s=0.5)


@case
def changed_subscription_tells_members(session):
    topic = session.topic()
    session.group(topic)
    session.broker.asked(codes.NOTIFY_CONSUMER_IDS_CHANGED)
    session.group(session.topic(part="other"), sub_version=2000)
    session.see_request("again", codes.NOTIFY_CONSUMER_IDS_CHANGED, session.broker, wait_s=2)


@case
def changed_expression_alone_tells_nobody(session):
    topic = session.topic()
    session.group(topic)
    session.broker.asked(codes.NOTIFY_CONSUMER_IDS_CHANGED)
    session.group(topic, "TagA", sub_version=2000)
    session.see_request("again", codes.NOTIFY_CONSUMER_IDS_CHANGED, session.broker, wait_s=0.5)


@case
def one_client_on_two_connections(session):
    topic = session.topic()
    session.group(topic, on=session.connect())
    session.group(topic, on=session.connect())
    session.ask("members", codes.GET_CONSUMER_LIST_BY_GROUP, {"consumerGroup": session.group_name()})


@case
def group_that_never_was(session):
    session.ask("members", codes.GET_CONSUMER_LIST_BY_GROUP, {"consumerGroup": UNKNOWN + "_group"})


@case
def client_config_of_sql(session):
    data = {"clientId": session.client_id(), "group": session.group_name(),
            "subscriptionData": subscription(session.topic()) | {"expressionType": "REGEX", "subString": "a.*"}}
    session.ask("reply", codes.CHECK_CLIENT_CONFIG, {}, json_body(data))


# Messages given back

def give_back(session, level: int = 0, **fields) -> dict:
    topic = session.topic()
    reply = session.send(topic, b"again", properties={"TAGS": "TagA", "UNIQ_KEY": "0A0B0C0D00000000000000000000AB01"})
    position = int(reply.fields["msgId"][16:], 16)
    return {"offset": position, "group": session.group(topic), "delayLevel": level, "originMsgId": "0A0B0C0D00000000000000000000AB01",
            "originTopic": topic, "unitMode": False, "maxReconsumeTimes": 16} | fields


derive(Spec("groups.send_back", codes.CONSUMER_SEND_MSG_BACK, lambda s: (give_back(s), b""), ("group",), ("offset", "delayLevel"), group="group"))


def returned(name: str, topic_prefix: str, queue: int = 0, **fields) -> None:
    def run(session) -> None:
        given = give_back(session, **fields)
        session.ask("reply", codes.CONSUMER_SEND_MSG_BACK, given)
        target = topic_prefix + given["group"]
        session.until(lambda: session.end(target) == 1, f"a message in {target}", 30)
        session.ask("stored", codes.PULL_MESSAGE, pull("TOOLS_CONSUMER", target, 0, queue))
    add(f"groups.send_back.{name}", run)


returned("at_level_one", "%RETRY%", level=1)
returned("to_dead_letters", "%DLQ%", level=-1)
returned("none_allowed", "%DLQ%", maxReconsumeTimes=0)


@case
def send_back_of_position_beyond(session):
    session.ask("reply", codes.CONSUMER_SEND_MSG_BACK, give_back(session, offset=1 << 50))


@case
def send_back_of_position_inside_a_message(session):
    given = give_back(session)
    session.ask("reply", codes.CONSUMER_SEND_MSG_BACK, given | {"offset": given["offset"] + 1})
