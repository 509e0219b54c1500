"""Messages found by key, unique id and position."""
import time

import codes
import messages
from mutations import Spec, derive
from registry import add, case

UNIQUE = "0A0B0C0D00000000000000000000AF01"


def keyed(session, **changes) -> dict:
    """Fields of a query by key, once the broker's index has the message."""
    topic = session.topic()
    session.send(topic, b"first", properties={"KEYS": "order7 other", "UNIQ_KEY": UNIQUE})
    session.send(topic, b"second", properties={"KEYS": "order7"})
    now = int(time.time() * 1000)
    fields = {"topic": topic, "key": "order7", "maxNum": 32, "beginTimestamp": now - 60000, "endTimestamp": now + 60000}
    session.until(lambda: len(found(session.broker.call(codes.QUERY_MESSAGE, fields))) == 2, "both messages in the index")
    return fields | changes


def found(reply) -> list:
    return messages.decode_stored(reply.body) if not isinstance(reply, str) and reply.code == 0 else []


derive(Spec("queries.by_key", codes.QUERY_MESSAGE, lambda s: (keyed(s), b""), ("topic", "key"), ("maxNum", "beginTimestamp", "endTimestamp"), "topic"))


def query(name: str, **changes) -> None:
    add(f"queries.{name}", lambda session: session.ask("reply", codes.QUERY_MESSAGE, keyed(session, **changes), wait_s=4))


query("by_second_word", key="other")
query("by_unknown_key", key="nobody")
query("by_empty_key", key="")
query("at_most_one", maxNum=1)
query("at_most_none", maxNum=0)
query("by_unique_id", key=UNIQUE, _UNIQUE_KEY_QUERY="true")
query("by_unknown_unique_id", key="0A0B0C0D0000000000000000000000FF", _UNIQUE_KEY_QUERY="true")
query("before_the_message", beginTimestamp=1, endTimestamp=1000)
query("after_the_message", beginTimestamp=int(time.time() * 1000) + 86400000, endTimestamp=int(time.time() * 1000) + 2 * 86400000)
query("range_turned_round", beginTimestamp=int(time.time() * 1000) + 86400000, endTimestamp=0)


def position_of(session) -> tuple[str, int]:
    topic = session.topic()
    reply = session.send(topic, b"look at me", properties={"TAGS": "TagA", "KEYS": "k"})
    return topic, int(reply.fields["msgId"][16:], 16)


def viewed(session) -> dict:
    topic, position = position_of(session)
    return {"offset": position, "topic": topic}


derive(Spec("queries.view", codes.VIEW_MESSAGE_BY_ID, lambda s: (viewed(s), b""), (), ("offset",)))


def view(name: str, change) -> None:
    def run(session) -> None:
        fields = viewed(session)
        session.ask("reply", codes.VIEW_MESSAGE_BY_ID, fields | {"offset": change(fields["offset"])}, wait_s=4)
    add(f"queries.view.{name}", run)


view("beyond_the_log", lambda position: 1 << 50)
view("below_zero", lambda position: -1)
view("inside_a_message", lambda position: position + 1)


@case
def view_without_topic(session):
    session.ask("reply", codes.VIEW_MESSAGE_BY_ID, {"offset": position_of(session)[1]})
