"""Committed offsets, and offsets of a queue by number and time."""
import time

import codes
import messages
from mutations import Spec, derive
from registry import add, case
from session import pull


def with_group(session):
    topic = session.topic(2)
    session.send(topic)
    return {"consumerGroup": session.group(topic), "topic": topic, "queueId": 0}


def queue_of(session):
    topic = session.topic(2)
    session.send(topic)
    return {"topic": topic, "queueId": 0}


derive(Spec("offsets.query", codes.QUERY_CONSUMER_OFFSET, lambda s: (with_group(s), b""), ("consumerGroup", "topic"), ("queueId",), "topic", "consumerGroup",
            "queueId"))
derive(Spec("offsets.update", codes.UPDATE_CONSUMER_OFFSET, lambda s: (with_group(s) | {"commitOffset": 1}, b""), ("consumerGroup", "topic"),
            ("queueId", "commitOffset"), "topic", "consumerGroup", "queueId"))
derive(Spec("offsets.max", codes.GET_MAX_OFFSET, lambda s: (queue_of(s), b""), ("topic",), ("queueId",), "topic", "", "queueId"))
derive(Spec("offsets.min", codes.GET_MIN_OFFSET, lambda s: (queue_of(s), b""), ("topic",), ("queueId",), "topic", "", "queueId"))
derive(Spec("offsets.earliest", codes.GET_EARLIEST_MSG_STORETIME, lambda s: (queue_of(s), b""), ("topic",), ("queueId",), "topic", "", "queueId"))
derive(Spec("offsets.by_time", codes.SEARCH_OFFSET_BY_TIMESTAMP, lambda s: (queue_of(s) | {"timestamp": 1000}, b""), ("topic",), ("queueId", "timestamp"),
            "topic", "", "queueId"))

for request_name, code in (("max", codes.GET_MAX_OFFSET), ("min", codes.GET_MIN_OFFSET), ("earliest", codes.GET_EARLIEST_MSG_STORETIME)):
    add(f"offsets.{request_name}.unused_queue", lambda session, code=code: session.ask("reply", code, queue_of(session) | {"queueId": 1}))


def committed(name: str, offset: int) -> None:
    def run(session) -> None:
        fields = with_group(session)
        session.ask("update", codes.UPDATE_CONSUMER_OFFSET, fields | {"commitOffset": offset})
        session.ask("query", codes.QUERY_CONSUMER_OFFSET, fields)
    add(f"offsets.{name}", run)


committed("committed_zero", 0)
committed("committed_one", 1)
committed("committed_beyond_the_end", 100)
committed("committed_below_zero", -1)


@case
def committed_backwards(session):
    fields = with_group(session)
    for offset in (1, 0):
        session.ask(f"update{offset}", codes.UPDATE_CONSUMER_OFFSET, fields | {"commitOffset": offset})
    session.ask("query", codes.QUERY_CONSUMER_OFFSET, fields)


@case
def committed_oneway(session):
    fields = with_group(session)
    session.ask_oneway("update", codes.UPDATE_CONSUMER_OFFSET, fields | {"commitOffset": 1})
    session.ask("query", codes.QUERY_CONSUMER_OFFSET, fields)


@case
def query_without_zero(session):
    session.ask("reply", codes.QUERY_CONSUMER_OFFSET, with_group(session) | {"setZeroIfNotFound": "false"})


@case
def query_of_unused_queue(session):
    session.ask("reply", codes.QUERY_CONSUMER_OFFSET, with_group(session) | {"queueId": 1})


def times(session):
    """A queue with 3 messages and their store times."""
    topic = session.topic(2)
    for _ in range(3):
        session.send(topic)
        time.sleep(0.05)
    reply = session.do(codes.PULL_MESSAGE, pull("TOOLS_CONSUMER", topic))
    return topic, [message["storeTimestamp"] for message in messages.decode_stored(reply.body)]


def search(name: str, moment, **fields) -> None:
    def run(session) -> None:
        topic, stored = times(session)
        session.ask("reply", codes.SEARCH_OFFSET_BY_TIMESTAMP, {"topic": topic, "queueId": 0, "timestamp": moment(stored)} | fields)
    add(f"offsets.by_time.{name}", run)


search("before_the_first", lambda stored: stored[0] - 1000)
search("of_the_first", lambda stored: stored[0])
search("of_the_second", lambda stored: stored[1])
search("of_the_last", lambda stored: stored[2])
search("after_the_last", lambda stored: stored[2] + 1000)
search("just_after_the_first", lambda stored: stored[0] + 5)
search("just_before_the_second", lambda stored: stored[1] - 5)
search("upper_before_the_first", lambda stored: stored[0] - 1000, boundaryType="UPPER")
search("upper_of_the_second", lambda stored: stored[1], boundaryType="UPPER")
search("upper_after_the_last", lambda stored: stored[2] + 1000, boundaryType="UPPER")
search("lower_just_after_the_first", lambda stored: stored[0] + 5, boundaryType="LOWER")
search("unknown_boundary", lambda stored: stored[1], boundaryType="MIDDLE")
search("unused_queue", lambda stored: stored[1], queueId=1)
search("time_zero", lambda stored: 0)
search("time_below_zero", lambda stored: -1)
