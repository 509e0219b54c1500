"""Queue locks of ordered consumption."""
import codes
from mutations import Spec, derive
from registry import case
from session import BROKER, json_body


def queues(session, *ids: int, client: str = "a", broker: str = BROKER, topic: str | None = None) -> bytes:
    topic = topic or session.topic_name()
    return json_body({"clientId": session.client_id(client), "consumerGroup": session.group_name(),
                      "mqSet": [{"brokerName": broker, "queueId": queue, "topic": topic} for queue in ids]})


def prepare(session):
    session.group(session.topic(2))
    return {}, queues(session, 0, 1)


derive(Spec("locks.lock", codes.LOCK_BATCH_MQ, prepare, json_body=True))
derive(Spec("locks.unlock", codes.UNLOCK_BATCH_MQ, prepare, json_body=True))


@case
def second_client_gets_nothing(session):
    prepare(session)
    session.ask("first", codes.LOCK_BATCH_MQ, {}, queues(session, 0))
    session.ask("second", codes.LOCK_BATCH_MQ, {}, queues(session, 0, 1, client="b"))
    session.ask("first_again", codes.LOCK_BATCH_MQ, {}, queues(session, 0, 1))


@case
def unlocked_queue_can_be_taken(session):
    prepare(session)
    session.ask("first", codes.LOCK_BATCH_MQ, {}, queues(session, 0, 1))
    session.ask("unlock", codes.UNLOCK_BATCH_MQ, {}, queues(session, 0))
    session.ask("second", codes.LOCK_BATCH_MQ, {}, queues(session, 0, 1, client="b"))


@case
def unlock_oneway(session):
    prepare(session)
    session.ask("first", codes.LOCK_BATCH_MQ, {}, queues(session, 0))
    session.ask_oneway("unlock", codes.UNLOCK_BATCH_MQ, {}, queues(session, 0))
    session.ask("second", codes.LOCK_BATCH_MQ, {}, queues(session, 0, client="b"))


@case
def others_cannot_unlock(session):
    prepare(session)
    session.ask("first", codes.LOCK_BATCH_MQ, {}, queues(session, 0))
    session.ask("unlock", codes.UNLOCK_BATCH_MQ, {}, queues(session, 0, client="b"))
    session.ask("second", codes.LOCK_BATCH_MQ, {}, queues(session, 0, client="b"))


@case
def no_queues(session):
    prepare(session)
    session.ask("reply", codes.LOCK_BATCH_MQ, {}, queues(session))


@case
def queue_that_is_not_there(session):
    prepare(session)
    session.ask("reply", codes.LOCK_BATCH_MQ, {}, queues(session, 99))


@case
def topic_that_is_not_there(session):
    prepare(session)
    session.ask("reply", codes.LOCK_BATCH_MQ, {}, queues(session, 0, topic="sbs_nobody_made_this"))


@case
def another_brokers_queue(session):
    prepare(session)
    session.ask("reply", codes.LOCK_BATCH_MQ, {}, queues(session, 0, broker="another-broker"))


@case
def group_without_members(session):
    session.topic()
    session.ask("reply", codes.LOCK_BATCH_MQ, {}, queues(session, 0))


@case
def body_without_client(session):
    prepare(session)
    session.ask("reply", codes.LOCK_BATCH_MQ, {}, json_body({"consumerGroup": session.group_name(), "mqSet": []}))


@case
def body_without_group(session):
    prepare(session)
    session.ask("reply", codes.LOCK_BATCH_MQ, {}, json_body({"clientId": session.client_id(), "mqSet": []}))


@case
def body_without_queues(session):
    prepare(session)
    session.ask("reply", codes.LOCK_BATCH_MQ, {}, json_body({"clientId": session.client_id(), "consumerGroup": session.group_name()}))
