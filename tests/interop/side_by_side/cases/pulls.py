"""Pulls: statuses, filters, subscriptions, and those that wait."""
import codes
from mutations import UNKNOWN, Spec, derive
from registry import add, case
from session import consumer, heart_beat, pull

SUSPEND, SUBSCRIPTION, COMMIT = 2, 4, 1


def prepare(session):
    topic = session.topic(2)
    session.send(topic)
    return pull(session.group(topic), topic), b""


NAMES, NUMBERS = ("consumerGroup", "topic"), ("queueId", "queueOffset", "maxMsgNums", "sysFlag", "commitOffset", "suspendTimeoutMillis", "subVersion")
derive(Spec("pulls.request", codes.PULL_MESSAGE, prepare, NAMES, NUMBERS, "topic", "consumerGroup", "queueId"))
derive(Spec("pulls.lite", codes.LITE_PULL_MESSAGE, prepare, NAMES, (), "topic", "consumerGroup", "queueId"))


def at_offset(name: str, count: int, offset: int, **fields) -> None:
    def run(session) -> None:
        topic = session.topic()
        group = session.group(topic)
        for index in range(count):
            session.send(topic, b"%d" % index, properties={"TAGS": "even" if index % 2 == 0 else "odd"})
        session.ask("reply", codes.PULL_MESSAGE, pull(group, topic, offset, **fields))
    add(f"pulls.{name}", run)


at_offset("from_the_middle", 3, 1)
at_offset("at_the_end", 3, 3)
at_offset("after_the_end", 3, 4)
at_offset("far_after_the_end", 3, 1000)
at_offset("before_the_beginning", 3, -1)
at_offset("empty_queue", 0, 0)
at_offset("empty_queue_beyond", 0, 5)
at_offset("at_most_one", 3, 0, maxMsgNums=1)
at_offset("at_most_none", 3, 0, maxMsgNums=0)
at_offset("at_most_minus_one", 3, 0, maxMsgNums=-1)
at_offset("forty_messages", 40, 0, maxMsgNums=64)
at_offset("one_tag", 3, 0, subscription="odd")
at_offset("two_tags", 3, 0, subscription="odd || even")
at_offset("two_tags_without_blanks", 3, 0, subscription="odd||even")
at_offset("no_such_tag", 3, 0, subscription="neither")
at_offset("empty_expression", 3, 0, subscription="")
at_offset("only_separators", 3, 0, subscription="||")
at_offset("no_tag_type", 3, 0, expressionType="")
at_offset("unknown_filter_type", 3, 0, expressionType="REGEX", subscription="o.*")
at_offset("damaged_sql", 3, 0, expressionType="SQL92", subscription="a >")
at_offset("without_subscription_bit", 3, 0, sysFlag=0)
at_offset("subscription_newer_than_known", 3, 0, sysFlag=0, subVersion=2000)
at_offset("subscription_older_than_known", 3, 0, sysFlag=0, subVersion=1)
at_offset("with_5x_fields", 3, 0, requestSource=0, lo="false", bname="broker-a")
at_offset("wrong_broker_name", 3, 0, bname="another-broker")


@case
def expression_missing(session):
    fields, _ = prepare(session)
    fields.pop("subscription")
    session.ask("reply", codes.PULL_MESSAGE, fields)


@case
def subscription_of_heartbeat_filters(session):
    topic = session.topic()
    group = session.group(topic, "odd")
    for tag in ("even", "odd"):
        session.send(topic, properties={"TAGS": tag})
    session.ask("reply", codes.PULL_MESSAGE, pull(group, topic, sysFlag=0, subscription="even"))


@case
def topic_not_subscribed(session):
    topic, other = session.topic(), session.topic(part="other")
    session.send(other)
    session.ask("reply", codes.PULL_MESSAGE, pull(session.group(topic), other, sysFlag=0))


@case
def group_without_members_and_subscription(session):
    topic = session.topic()
    session.ask("reply", codes.PULL_MESSAGE, pull(UNKNOWN + "_group", topic, sysFlag=0))


@case
def group_that_only_pulls(session):
    """The tools' group is there from the beginning and has no heartbeat."""
    topic = session.topic()
    session.send(topic)
    session.ask("reply", codes.PULL_MESSAGE, pull("TOOLS_CONSUMER", topic))


@case
def broadcasting_group(session):
    topic = session.topic()
    session.send(topic)
    session.ask("reply", codes.PULL_MESSAGE, pull(session.group(topic, model="BROADCASTING"), topic, sysFlag=0))


@case
def topic_that_may_not_be_read(session):
    topic = session.topic(perm=2)
    session.send(topic)
    session.ask("reply", codes.PULL_MESSAGE, pull(session.group(topic), topic))


@case
def held_until_a_message_comes(session):
    topic = session.topic()
    group = session.group(topic)
    waiting = session.connect()
    opaque = waiting.send(codes.PULL_MESSAGE, pull(group, topic, sysFlag=SUSPEND | SUBSCRIPTION, suspendTimeoutMillis=15000), b"", "json", 0, 409)
    session.note_reply("before", waiting.wait(opaque, 0.3))
    session.send(topic)
    session.note_reply("after", waiting.wait(opaque, 10))


@case
def held_until_its_time_is_over(session):
    topic = session.topic()
    session.ask("reply", codes.PULL_MESSAGE, pull(session.group(topic), topic, sysFlag=SUSPEND | SUBSCRIPTION, suspendTimeoutMillis=500))


@case
def held_for_no_time(session):
    topic = session.topic()
    session.ask("reply", codes.PULL_MESSAGE, pull(session.group(topic), topic, sysFlag=SUSPEND | SUBSCRIPTION, suspendTimeoutMillis=0))


@case
def held_while_other_tags_come(session):
    topic = session.topic()
    group = session.group(topic)
    waiting = session.connect()
    fields = pull(group, topic, sysFlag=SUSPEND | SUBSCRIPTION, suspendTimeoutMillis=15000, subscription="wanted")
    opaque = waiting.send(codes.PULL_MESSAGE, fields, b"", "json", 0, 409)
    session.note_reply("before", waiting.wait(opaque, 0.3))
    for tag in ("other", "wanted"):
        session.send(topic, properties={"TAGS": tag})
    reply = waiting.wait(opaque, 10)
    if getattr(reply, "code", None) == 20:  # RocketMQ looks at held pulls every 5 s without their tags; the client then asks again
        reply = waiting.call(codes.PULL_MESSAGE, fields | {"queueOffset": reply.fields["nextBeginOffset"]})
    session.note_reply("after", reply)


@case
def commits_offset(session):
    topic = session.topic()
    group = session.group(topic)
    session.send(topic)
    session.ask("reply", codes.PULL_MESSAGE, pull(group, topic, 1, sysFlag=COMMIT | SUBSCRIPTION, commitOffset=1))
    session.ask("committed", codes.QUERY_CONSUMER_OFFSET, {"consumerGroup": group, "topic": topic, "queueId": 0})


@case
def commits_offset_while_held(session):
    topic = session.topic()
    group = session.group(topic)
    session.send(topic)
    waiting = session.connect()
    waiting.send(codes.PULL_MESSAGE, pull(group, topic, 1, sysFlag=COMMIT | SUSPEND | SUBSCRIPTION, commitOffset=1, suspendTimeoutMillis=10000), b"",
                 "json", 0, 409)
    session.until(lambda: session.broker.call(codes.QUERY_CONSUMER_OFFSET, {"consumerGroup": group, "topic": topic, "queueId": 0}).fields["offset"] == "1",
                  "the offset")
    session.ask("committed", codes.QUERY_CONSUMER_OFFSET, {"consumerGroup": group, "topic": topic, "queueId": 0})


@case
def consumer_removed_its_topic(session):
    """A subscription that a later heartbeat leaves out is gone."""
    topic, other = session.topic(), session.topic(part="other")
    group = session.group(topic)
    session.do(codes.HEART_BEAT, {}, heart_beat(session.client_id(), [consumer(group, other)]))
    session.ask("reply", codes.PULL_MESSAGE, pull(group, topic, sysFlag=0))


@case
def on_vip_port(session):
    fields, _ = prepare(session)
    session.ask("reply", codes.PULL_MESSAGE, fields, on=session.connect_vip())


@case
def oneway_pull(session):
    fields, _ = prepare(session)
    session.ask_oneway("reply", codes.PULL_MESSAGE, fields)
