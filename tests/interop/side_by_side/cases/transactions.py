"""Half messages, their end, and the questions about them."""
import time

import codes
from mutations import Spec, derive
from registry import add, case
from session import heart_beat, pull, send_v2

UNKNOWN_END, COMMIT, ROLLBACK = 0, 8, 12
PREPARED = 4
SECOND_DELIVERY_S = 3  # within which RocketMQ delivers what is committed again


def half(session, **properties) -> dict:
    """A half message, and the fields that commit it."""
    topic = session.topic()
    given = {"TRAN_MSG": "true", "PGROUP": session.group_name(), "UNIQ_KEY": "0A0B0C0D00000000000000000000AC01", "TAGS": "TagA"} | properties
    reply = session.do(codes.SEND_MESSAGE_V2, send_v2(topic, 0, given, a=session.group_name(), f=PREPARED), b"half")
    return {"topic": topic, "producerGroup": session.group_name(), "tranStateTableOffset": reply.fields["queueOffset"],
            "commitLogOffset": int(reply.fields["msgId"][16:], 16), "commitOrRollback": COMMIT, "fromTransactionCheck": False,
            "msgId": "0A0B0C0D00000000000000000000AC01", "transactionId": "0A0B0C0D00000000000000000000AC01"}


derive(Spec("transactions.end", codes.END_TRANSACTION, lambda s: (half(s), b""), ("producerGroup",),
            ("tranStateTableOffset", "commitLogOffset", "commitOrRollback"), oneway=False))


@case
def half_message(session):
    topic = session.topic()
    properties = {"TRAN_MSG": "true", "PGROUP": session.group_name(), "UNIQ_KEY": "0A0B0C0D00000000000000000000AC01"}
    reply = session.do(codes.SEND_MESSAGE_V2, send_v2(topic, 0, properties, a=session.group_name(), f=PREPARED), b"half")
    session.note("reply_names", sorted(reply.fields))
    session.note("queue", reply.fields["queueId"])
    session.ask("end", codes.GET_MAX_OFFSET, {"topic": topic, "queueId": 0})


@case
def transaction_bits_without_property(session):
    session.ask("reply", codes.SEND_MESSAGE_V2, send_v2(session.topic(), f=PREPARED), b"half")


@case
def half_message_with_delay(session):
    properties = {"TRAN_MSG": "true", "PGROUP": session.group_name(), "DELAY": "2"}
    reply = session.broker.call(codes.SEND_MESSAGE_V2, send_v2(session.topic(), 0, properties, f=PREPARED), b"half")
    session.note("code", reply.code)


def ended(name: str, decision: int) -> None:
    def run(session) -> None:
        fields = half(session)
        session.ask_oneway("end", codes.END_TRANSACTION, fields | {"commitOrRollback": decision})
        if decision == COMMIT:
            session.until(lambda: session.end(fields["topic"]) == 1, "the message")
        session.ask("stored", codes.PULL_MESSAGE, pull("TOOLS_CONSUMER", fields["topic"]))
    add(f"transactions.{name}", run)


ended("commit", COMMIT)
ended("rollback", ROLLBACK)
ended("neither", UNKNOWN_END)


def answered(name: str, **changes) -> None:
    def run(session) -> None:
        session.ask("reply", codes.END_TRANSACTION, half(session) | changes, wait_s=3)
    add(f"transactions.{name}", run)


answered("rollback_answered", commitOrRollback=ROLLBACK)
answered("neither_answered", commitOrRollback=UNKNOWN_END)
answered("odd_decision", commitOrRollback=5)
answered("of_another_group", producerGroup="sbs_nobody_made_this_group")
answered("at_another_offset", tranStateTableOffset=123456)
answered("at_a_position_beyond", commitLogOffset=1 << 50)
answered("from_check", fromTransactionCheck=True)


@case
def commit_of_a_usual_message(session):
    topic = session.topic()
    reply = session.send(topic, properties={"PGROUP": session.group_name()})
    fields = {"topic": topic, "producerGroup": session.group_name(), "tranStateTableOffset": 0, "commitLogOffset": int(reply.fields["msgId"][16:], 16),
              "commitOrRollback": COMMIT, "msgId": "x"}
    session.ask("reply", codes.END_TRANSACTION, fields, wait_s=3)


@case
def commit_twice(session):
    fields = half(session)
    for number in ("first", "second"):
        session.ask(number, codes.END_TRANSACTION, fields, wait_s=3)
    session.until(lambda: session.end(fields["topic"]) >= 1, "the message")
    began = time.monotonic()
    session.until(lambda: session.end(fields["topic"]) >= 2 or time.monotonic() - began > SECOND_DELIVERY_S, "a second one, or the time that it takes")
    session.ask("end", codes.GET_MAX_OFFSET, {"topic": fields["topic"], "queueId": 0})


@case
def commit_after_rollback(session):
    fields = half(session)
    session.ask("rollback", codes.END_TRANSACTION, fields | {"commitOrRollback": ROLLBACK}, wait_s=3)
    session.ask("commit", codes.END_TRANSACTION, fields, wait_s=3)


@case
def producer_is_asked(session):
    producer = session.connect()
    session.do(codes.HEART_BEAT, {}, heart_beat(session.client_id(), producers=[session.group_name()]), on=producer)
    half(session)
    asked = producer.asked(codes.CHECK_TRANSACTION_STATE, 40)
    for name in ("tranStateTableOffset", "commitLogOffset", "offsetMsgId"):
        if not isinstance(asked, str) and name in asked.fields:
            asked.fields[name] = "<place of the half message>"
    session.note("asked", session.normalised_request(asked, lambda message: message | {"queueOffset": "<place of the half message>"}))
