"""Messages that wait: delay levels, due times, and taking them back."""
import base64
import time

import codes
import messages
from mutations import Spec, derive
from registry import add, case
from session import BROKER, pull, send_v2


def waits(name: str, **properties) -> None:
    """What the sender is told; it is not waited for."""
    def run(session) -> None:
        given = {key: value() if callable(value) else value for key, value in properties.items()}
        reply = session.broker.call(codes.SEND_MESSAGE_V2, send_v2(session.topic(2), 1, given), b"later")
        if reply.fields and "queueOffset" in reply.fields:
            reply.fields["queueOffset"] = "<place where it waits>"
        session.note_reply("reply", reply)
    add(f"timers.{name}", run)


def in_ms(delta_ms: int):
    return lambda: str(int(time.time() * 1000) + delta_ms)


waits("level_1", DELAY="1", UNIQ_KEY="0A0B0C0D00000000000000000000AD01")
waits("level_18", DELAY="18")
waits("level_19", DELAY="19")
waits("delay_of_a_minute", TIMER_DELAY_SEC="60", UNIQ_KEY="0A0B0C0D00000000000000000000AD02")
waits("delay_ms", TIMER_DELAY_MS="60000", UNIQ_KEY="0A0B0C0D00000000000000000000AD03")
waits("deliver_at", TIMER_DELIVER_MS=in_ms(60000), UNIQ_KEY="0A0B0C0D00000000000000000000AD04")
waits("too_far", TIMER_DELAY_SEC=str(4 * 24 * 3600))
waits("delay_is_no_number", TIMER_DELAY_SEC="soon")
waits("start_deliver_time", __STARTDELIVERTIME=in_ms(60000), UNIQ_KEY="0A0B0C0D00000000000000000000AD10")
waits("delete_by_unique_key", TIMER_DELAY_SEC="60", TIMER_DEL_UNIQKEY="0A0B0C0D00000000000000000000AD03")
waits("deliver_time_is_no_number", TIMER_DELIVER_MS="noon")


def delivered(name: str, **properties) -> None:
    """What a consumer gets in the end."""
    def run(session) -> None:
        given = {key: value() if callable(value) else value for key, value in properties.items()}
        topic = session.topic()
        session.do(codes.SEND_MESSAGE_V2, send_v2(topic, 0, given), b"later")
        session.until(lambda: session.end(topic) == 1, "the message", 30)
        session.ask("stored", codes.PULL_MESSAGE, pull("TOOLS_CONSUMER", topic))
    add(f"timers.delivered.{name}", run)


delivered("level_0", DELAY="0")
delivered("level_below_zero", DELAY="-1")
delivered("level_1", DELAY="1", TAGS="TagA", KEYS="k", UNIQ_KEY="0A0B0C0D00000000000000000000AD05")
delivered("after_two_seconds", TIMER_DELAY_SEC="2", TAGS="TagA", UNIQ_KEY="0A0B0C0D00000000000000000000AD06")
delivered("at_a_time", TIMER_DELIVER_MS=in_ms(2000), UNIQ_KEY="0A0B0C0D00000000000000000000AD07")
delivered("in_the_past", TIMER_DELIVER_MS=in_ms(-5000), UNIQ_KEY="0A0B0C0D00000000000000000000AD08")
delivered("level_before_time", DELAY="1", TIMER_DELAY_SEC="60", UNIQ_KEY="0A0B0C0D00000000000000000000AD09")


@case
def level_is_no_number(session):
    session.ask("reply", codes.SEND_MESSAGE_V2, send_v2(session.topic(), 0, {"DELAY": "soon"}), b"x")


@case
def timer_in_batch(session):
    body = messages.encode_batch([(b"one", {"TIMER_DELAY_SEC": "60"}), (b"two", {})])
    session.ask("reply", codes.SEND_BATCH_MESSAGE, send_v2(session.topic(), m=True), body, wait_s=4)


def waiting(session) -> dict:
    topic = session.topic()
    properties = {"TIMER_DELAY_SEC": "60", "UNIQ_KEY": "0A0B0C0D00000000000000000000AE01"}
    reply = session.do(codes.SEND_MESSAGE_V2, send_v2(topic, 0, properties), b"later")
    return {"producerGroup": "sbs_producer", "topic": topic, "recallHandle": (reply.fields or {}).get("recallHandle", "none")}


derive(Spec("timers.recall", codes.RECALL_MESSAGE, lambda s: (waiting(s), b""), ("producerGroup", "topic", "recallHandle"), topic="topic"))


def handle(*words) -> str:
    return base64.urlsafe_b64encode(" ".join(str(word) for word in words).encode()).decode()


def bad_handle(name: str, make) -> None:
    def run(session) -> None:
        fields = waiting(session)
        session.ask("reply", codes.RECALL_MESSAGE, fields | {"recallHandle": make(fields["topic"])})
    add(f"timers.recall.{name}", run)


bad_handle("no_base64", lambda topic: "???")
bad_handle("empty", lambda topic: "")
bad_handle("another_version", lambda topic: handle("v9", topic, BROKER, int(time.time() * 1000) + 60000, "0A0B0C0D00000000000000000000AE01"))
bad_handle("of_another_topic", lambda topic: handle("v1", "other", BROKER, int(time.time() * 1000) + 60000, "0A0B0C0D00000000000000000000AE01"))
bad_handle("of_another_broker", lambda topic: handle("v1", topic, "another-broker", int(time.time() * 1000) + 60000, "0A0B0C0D00000000000000000000AE01"))
bad_handle("of_the_past", lambda topic: handle("v1", topic, BROKER, 1000, "0A0B0C0D00000000000000000000AE01"))
bad_handle("time_is_no_number", lambda topic: handle("v1", topic, BROKER, "noon", "0A0B0C0D00000000000000000000AE01"))
bad_handle("made_by_rocketmq", lambda topic: handle("v1", topic, BROKER, int(time.time() * 1000) + 60000, "0A0B0C0D00000000000000000000AE01"))


@case
def recall_twice(session):
    fields = waiting(session)
    for number in ("first", "second"):
        session.ask(number, codes.RECALL_MESSAGE, fields)
