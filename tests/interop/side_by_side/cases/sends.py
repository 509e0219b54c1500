"""Single messages, batches, and what is stored of them."""
import time
import zlib

import codes
import messages
from mutations import UNKNOWN, Spec, derive
from registry import add, case
from session import BROKER, CLUSTER, pull, send_v1, send_v2


def stored(session, topic: str, queue: int = 0, offset: int = 0) -> None:
    """Records what a consumer gets of the queue; RocketMQ shows a message a moment after it was acknowledged."""
    last = time.monotonic() + 1
    while session.end(topic, queue) <= offset and time.monotonic() < last:
        time.sleep(0.02)
    session.ask("stored", codes.PULL_MESSAGE, pull("TOOLS_CONSUMER", topic, offset, queue))


derive(Spec("sends.v2", codes.SEND_MESSAGE_V2, lambda s: (send_v2(s.topic(2)), b"x"), names=("a", "b", "c"), numbers=("d", "e", "f", "g", "h"),
            queue="e", queue_below=False))
derive(Spec("sends.v1", codes.SEND_MESSAGE, lambda s: (send_v1(s.topic(2)), b"x"), names=("producerGroup", "topic", "defaultTopic"),
            numbers=("queueId", "sysFlag", "bornTimestamp", "flag", "defaultTopicQueueNums")))


def batch(*bodies: bytes, **properties) -> bytes:
    return messages.encode_batch([(body, properties) for body in bodies])


derive(Spec("sends.batch", codes.SEND_BATCH_MESSAGE, lambda s: (send_v2(s.topic(2), m=True), batch(b"one", b"two", b"three")), numbers=("e",), queue="e",
            queue_below=False))


@case
def to_a_queue_of_the_brokers_choice(session):
    session.note("code", session.broker.call(codes.SEND_MESSAGE_V2, send_v2(session.topic(2), -1), b"x").code)



def optional_field(name: str, value) -> None:
    def run(session) -> None:
        topic = session.topic()
        session.ask("reply", codes.SEND_MESSAGE_V2, send_v2(topic, **{name: value}), b"x")
        stored(session, topic)
    add(f"sends.field_{name}_{value or 'empty'}".replace("-", "minus_"), run)


for field_name, field_value in (("j", "3"), ("j", "word"), ("j", "-1"), ("k", "true"), ("k", "word"), ("l", "5"), ("l", "word"), ("m", "word"),
                                ("h", "-7"), ("n", "another-broker"), ("g", "0"), ("g", "-5")):
    optional_field(field_name, field_value)


def with_properties(name: str, **properties) -> None:
    def run(session) -> None:
        topic = session.topic()
        session.send(topic, properties=properties)
        stored(session, topic)
    add(f"sends.properties_{name}", run)


with_properties("none")
with_properties("usual", TAGS="TagA", KEYS="k1 k2", UNIQ_KEY="0A0B0C0D00000000000000000000AA01", WAIT="true")
with_properties("own", colour="green", TAGS="TagA", empty_looking=" ")
with_properties("utf8", TAGS="étiquette", KEYS="clé", größe="groß")
with_properties("with_cluster", CLUSTER="another", TRACE_ON="false", MSG_REGION="elsewhere")
with_properties("retry_names", RETRY_TOPIC="other", ORIGIN_MESSAGE_ID="x", RECONSUME_TIME="2")
with_properties("wait_false", WAIT="false")
with_properties("with_real_topic", REAL_TOPIC="other", REAL_QID="3")
with_properties("sharding_key", __SHARDINGKEY="s")


def with_priority(name: str, message_type: str = "PRIORITY", queue: int = 1, **properties) -> None:
    def run(session) -> None:
        topic = session.topic_of(message_type, 4)
        reply = session.ask("reply", codes.SEND_MESSAGE_V2, send_v2(topic, queue, properties), b"x")
        placed = int(reply.fields["queueId"])
        session.until(lambda: session.end(topic, placed) == 1, f"the message in queue {placed} of {topic}")
        pulled = session.do(codes.PULL_MESSAGE, pull(session.group(topic), topic, queue=placed))
        session.note("stored", {"priority": messages.decode_stored(pulled.body)[0]["properties"].get("_SYS_MSG_PRIORITY_")})
    add(f"sends.priority_{name}", run)


with_priority("none")
with_priority("lowest", _SYS_MSG_PRIORITY_="0")
with_priority("highest", _SYS_MSG_PRIORITY_="3")
with_priority("beyond", _SYS_MSG_PRIORITY_="99")
with_priority("below_zero", _SYS_MSG_PRIORITY_="-1")
with_priority("word", _SYS_MSG_PRIORITY_="high")
with_priority("of_sharding_key", _SYS_MSG_PRIORITY_="3", __SHARDINGKEY="s")
with_priority("in_another_topic", "NORMAL", _SYS_MSG_PRIORITY_="3")


@case
def of_5x_client(session):
    topic = session.topic()
    session.ask("reply", codes.SEND_MESSAGE_V2, send_v2(topic, properties={"TAGS": "TagA"}), b"x", version=500)
    stored(session, topic)


def raw_properties(name: str, text: str) -> None:
    def run(session) -> None:
        topic = session.topic()
        session.ask("reply", codes.SEND_MESSAGE_V2, send_v2(topic, i=text), b"x")
        stored(session, topic)
    add(f"sends.property_text_{name}", run)


raw_properties("trailing_separator", "a\x01b\x02")
raw_properties("without_separators", "abc")
raw_properties("twice", "a\x01b\x02a\x01c")
raw_properties("value_with_key_end", "a\x01b\x01c")


def refused_topic(name: str, topic: str) -> None:
    add(f"sends.to_{name}", lambda session: session.ask("reply", codes.SEND_MESSAGE_V2, send_v2(topic), b"x"))


refused_topic("schedule_topic", "SCHEDULE_TOPIC_XXXX")
refused_topic("half_topic", "RMQ_SYS_TRANS_HALF_TOPIC")
refused_topic("op_half_topic", "RMQ_SYS_TRANS_OP_HALF_TOPIC")
refused_topic("check_limit_topic", "TRANS_CHECK_MAX_TIME_TOPIC")
refused_topic("self_test_topic", "SELF_TEST_TOPIC")
# rmq_sys_wheel_timer is left out: RocketMQ 5.5.0 takes the message and then delivers no timer any more.
refused_topic("default_topic", "TBW102")
refused_topic("cluster_topic", CLUSTER)
refused_topic("broker_topic", BROKER)
refused_topic("offset_moved_topic", "OFFSET_MOVED_EVENT")
refused_topic("empty_topic", "")
refused_topic("blank_topic", "  ")
refused_topic("illegal_topic", "what?topic")
refused_topic("topic_of_127", "t" * 127)
refused_topic("topic_of_128", "t" * 128)
refused_topic("retry_topic_of_nobody", "%RETRY%sbs_group_only_sent_to")
refused_topic("dead_letter_topic_of_nobody", "%DLQ%sbs_group_only_sent_to")


@case
def creates_topic_from_default(session):
    topic = session.topic_name()
    session.ask("reply", codes.SEND_MESSAGE_V2, send_v2(topic, 3), b"x")
    session.until(lambda: session.nameserver().call(codes.GET_ROUTEINFO_BY_TOPIC, {"topic": topic}).code == 0, "a route")
    session.ask("route", codes.GET_ROUTEINFO_BY_TOPIC, {"topic": topic}, on=session.nameserver())
    stored(session, topic, 3)


@case
def creates_topic_of_many_queues(session):
    session.ask("reply", codes.SEND_MESSAGE_V2, send_v2(session.topic_name(), 0, d=64), b"x")
    session.ask("beyond", codes.SEND_MESSAGE_V2, send_v2(session.topic_name(), 8), b"x")


@case
def creates_topic_of_no_queue(session):
    session.ask("reply", codes.SEND_MESSAGE_V2, send_v2(session.topic_name(), 0, d=0), b"x")


@case
def unknown_default_topic(session):
    session.ask("reply", codes.SEND_MESSAGE_V2, send_v2(session.topic_name(), c=UNKNOWN), b"x")


@case
def default_topic_that_gives_nothing(session):
    plain = session.topic(part="plain")
    session.ask("reply", codes.SEND_MESSAGE_V2, send_v2(session.topic_name(), c=plain), b"x")


@case
def to_topic_that_may_not_be_written(session):
    session.ask("reply", codes.SEND_MESSAGE_V2, send_v2(session.topic(perm=4)), b"x")


@case
def to_topic_without_permissions(session):
    session.ask("reply", codes.SEND_MESSAGE_V2, send_v2(session.topic(perm=0)), b"x")


@case
def empty_body(session):
    session.ask("reply", codes.SEND_MESSAGE_V2, send_v2(session.topic()))


@case
def body_of_4_mib(session):
    session.ask("reply", codes.SEND_MESSAGE_V2, send_v2(session.topic()), b"b" * 4194304)


@case
def body_too_large(session):
    session.ask("reply", codes.SEND_MESSAGE_V2, send_v2(session.topic()), b"b" * 4194305)


@case
def properties_too_large(session):
    session.ask("reply", codes.SEND_MESSAGE_V2, send_v2(session.topic(), properties={"p": "v" * 32768}), b"x")


@case
def compressed_body(session):
    topic = session.topic()
    session.send(topic, zlib.compress(b"pressed" * 10), f=1)
    stored(session, topic)


@case
def sys_flag_with_unknown_bits(session):
    topic = session.topic()
    session.ask("reply", codes.SEND_MESSAGE_V2, send_v2(topic, f=1 << 20), b"x")
    stored(session, topic)


@case
def three_in_a_row(session):
    topic = session.topic()
    for index in range(3):
        session.ask(f"reply{index}", codes.SEND_MESSAGE_V2, send_v2(topic), b"%d" % index)
    session.until(lambda: session.end(topic) == 3, "3 messages")
    stored(session, topic)


@case
def oneway_is_stored(session):
    topic = session.topic()
    session.ask_oneway("reply", codes.SEND_MESSAGE_V2, send_v2(topic), b"one way")
    session.until(lambda: session.end(topic) == 1, "the message")
    stored(session, topic)


@case
def oneway_refusal_is_not_answered(session):
    session.ask_oneway("reply", codes.SEND_MESSAGE_V2, send_v2(UNKNOWN, c=UNKNOWN), b"x")


@case
def batch_is_stored(session):
    topic = session.topic()
    session.ask("reply", codes.SEND_BATCH_MESSAGE, send_v2(topic, m=True), batch(b"one", b"two", TAGS="TagA", KEYS="k"))
    session.until(lambda: session.end(topic) == 2, "2 messages")
    stored(session, topic)


@case
def batch_as_single_send(session):
    topic = session.topic()
    session.ask("reply", codes.SEND_MESSAGE_V2, send_v2(topic, m=True), batch(b"one", b"two"))
    session.until(lambda: session.end(topic) == 2, "2 messages")
    stored(session, topic)


@case
def batch_of_one(session):
    session.ask("reply", codes.SEND_BATCH_MESSAGE, send_v2(session.topic(), m=True), batch(b"alone"))


@case
def batch_empty(session):
    session.ask("reply", codes.SEND_BATCH_MESSAGE, send_v2(session.topic(), m=True), b"", wait_s=4)


@case
def batch_damaged(session):
    session.ask("reply", codes.SEND_BATCH_MESSAGE, send_v2(session.topic(), m=True), batch(b"one", b"two")[:-3], wait_s=4)


@case
def batch_with_delay(session):
    session.ask("reply", codes.SEND_BATCH_MESSAGE, send_v2(session.topic(), properties={"DELAY": "2"}, m=True), batch(b"one", b"two"), wait_s=4)


@case
def batch_to_retry_topic(session):
    group = session.group()
    session.ask("reply", codes.SEND_BATCH_MESSAGE, send_v2("%RETRY%" + group, m=True), batch(b"one", b"two"), wait_s=4)


@case
def batch_too_large(session):
    session.ask("reply", codes.SEND_BATCH_MESSAGE, send_v2(session.topic(), m=True), batch(*[b"b" * 1048576] * 5))


@case
def to_retry_topic(session):
    group = session.group()
    session.ask("reply", codes.SEND_MESSAGE_V2, send_v2("%RETRY%" + group, j=1), b"x")


def retried(name: str, times: int) -> None:
    """A message whose last try of 3 was the one with this number goes on or is a dead letter."""
    def run(session) -> None:
        group = session.group()
        session.ask("reply", codes.SEND_MESSAGE_V2, send_v2("%RETRY%" + group, j=times, l=3, properties={"RETRY_TOPIC": "other"}), b"x")
        session.until(lambda: session.end("%DLQ%" + group) + session.end("%RETRY%" + group) == 1, "the message")
        session.ask("dead_letters", codes.GET_MAX_OFFSET, {"topic": "%DLQ%" + group, "queueId": 0})
        session.ask("stored", codes.PULL_MESSAGE, pull("TOOLS_CONSUMER", ("%DLQ%" if session.end("%DLQ%" + group) else "%RETRY%") + group))
    add(f"sends.{name}", run)


retried("to_retry_topic_before_the_limit", 2)
retried("to_retry_topic_at_the_limit", 3)
retried("to_retry_topic_beyond_the_limit", 4)


@case
def to_dead_letter_topic_of_group(session):
    group = session.group()
    session.ask("reply", codes.SEND_MESSAGE_V2, send_v2("%DLQ%" + group), b"x")


@case
def on_vip_port(session):
    session.ask("reply", codes.SEND_MESSAGE_V2, send_v2(session.topic()), b"x", on=session.connect_vip())


@case
def numbers_in_json(session):
    """Fields as JSON numbers and booleans, as the C++ client writes them, against texts."""
    topic = session.topic()
    session.ask("reply", codes.SEND_MESSAGE, send_v1(topic) | {"bornTimestamp": str(int(time.time() * 1000)), "unitMode": "false"}, b"x")


@case
def unknown_fields_are_ignored(session):
    session.ask("reply", codes.SEND_MESSAGE_V2, send_v2(session.topic(), lo="false", ns="", oway="false", zz="9"), b"x")
