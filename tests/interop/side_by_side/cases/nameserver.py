"""Requests of the name server. Each case that registers a broker uses names of its own."""
import json
import zlib

import codes
from mutations import UNKNOWN, Spec, derive
from registry import add, case


def ask(session, label: str, code: int, fields: dict | None = None, body: bytes = b"", **more):
    return session.ask(label, code, fields or {}, body, on=more.pop("on", None) or session.nameserver(), wait_s=3, **more)


def kv(session) -> dict:
    fields = {"namespace": session.topic_name("ns"), "key": "k", "value": "v"}
    session.do(codes.PUT_KV_CONFIG, fields, on=session.nameserver())
    return fields


derive(Spec("nameserver.kv_put", codes.PUT_KV_CONFIG, lambda s: ({"namespace": s.topic_name("ns"), "key": "k", "value": "v"}, b""),
            ("namespace", "key", "value"), to_nameserver=True))
derive(Spec("nameserver.kv_get", codes.GET_KV_CONFIG, lambda s: (kv(s), b""), ("namespace", "key"), to_nameserver=True))
derive(Spec("nameserver.kv_delete", codes.DELETE_KV_CONFIG, lambda s: (kv(s), b""), ("namespace", "key"), to_nameserver=True))
derive(Spec("nameserver.kv_list", codes.GET_KVLIST_BY_NAMESPACE, lambda s: (kv(s), b""), ("namespace",), to_nameserver=True))
derive(Spec("nameserver.route", codes.GET_ROUTEINFO_BY_TOPIC, lambda s: ({"topic": s.topic(2)}, b""), ("topic",), topic="topic", to_nameserver=True))


@case
def kv_of_nobody(session):
    ask(session, "get", codes.GET_KV_CONFIG, {"namespace": UNKNOWN, "key": "k"})
    ask(session, "list", codes.GET_KVLIST_BY_NAMESPACE, {"namespace": UNKNOWN})
    ask(session, "delete", codes.DELETE_KV_CONFIG, {"namespace": UNKNOWN, "key": "k"})


@case
def kv_overwritten(session):
    fields = kv(session)
    ask(session, "put", codes.PUT_KV_CONFIG, fields | {"value": "other"})
    ask(session, "get", codes.GET_KV_CONFIG, fields)


def address(session, last: int = 7) -> str:
    """An address of the case's own: one address is one broker for Gantry."""
    number = zlib.crc32(session.topic_name().encode())
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}:{10000 + last}"


def broker_fields(session, **changes) -> dict:
    return {"brokerName": session.topic_name("broker"), "brokerAddr": address(session), "clusterName": session.topic_name("cluster"),
            "haServerAddr": "192.0.2.7:10912", "brokerId": 0, "compressed": "false", "bodyCrc32": 0} | changes


def topics(session, *names: str, counter: int = 1) -> bytes:
    table = {name: {"order": False, "perm": 6, "readQueueNums": 2, "topicFilterType": "SINGLE_TAG", "topicName": name, "topicSysFlag": 0, "writeQueueNums": 2}
             for name in names}
    return json.dumps({"filterServerList": [], "topicConfigSerializeWrapper": {"dataVersion": {"counter": counter, "timestamp": 1000},
                                                                              "topicConfigTable": table}}).encode()


def two_topics(session) -> tuple[str, str]:
    return session.topic_name("t1"), session.topic_name("t2")


# Without its names a registration leaves RocketMQ 4.9.7 with tables that other requests then fail on.
derive(Spec("nameserver.register", codes.REGISTER_BROKER, lambda s: (broker_fields(s), topics(s, *two_topics(s))), ("haServerAddr",),
            to_nameserver=True, json_body=True))


def registered(session, **changes):
    connection = session.nameserver()
    fields = broker_fields(session, **changes)
    session.do(codes.REGISTER_BROKER, fields, topics(session, *two_topics(session)), on=connection)
    return connection, fields


@case
def register_then_route(session):
    registered(session)
    ask(session, "route", codes.GET_ROUTEINFO_BY_TOPIC, {"topic": session.topic_name("t1")})
    ask(session, "of_cluster", codes.GET_TOPICS_BY_CLUSTER, {"cluster": session.topic_name("cluster")})


@case
def register_with_wrong_crc(session):
    ask(session, "reply", codes.REGISTER_BROKER, broker_fields(session, bodyCrc32=12345), topics(session, *two_topics(session)))


@case
def register_with_right_crc(session):
    body = topics(session, *two_topics(session))
    ask(session, "reply", codes.REGISTER_BROKER, broker_fields(session, bodyCrc32=zlib.crc32(body) & 0x7FFFFFFF), body)


@case
def register_one_topic(session):
    ask(session, "reply", codes.REGISTER_BROKER, broker_fields(session), topics(session, session.topic_name("t1")))


@case
def register_replica(session):
    connection, _ = registered(session)
    fields = broker_fields(session, brokerAddr=address(session, 8), brokerId=1)
    ask(session, "reply", codes.REGISTER_BROKER, fields, topics(session, *two_topics(session)), on=connection)
    ask(session, "route", codes.GET_ROUTEINFO_BY_TOPIC, {"topic": session.topic_name("t1")})


@case
def register_with_fewer_topics(session):
    connection, fields = registered(session)
    ask(session, "reply", codes.REGISTER_BROKER, fields, topics(session, session.topic_name("t1"), session.topic_name("t3"), counter=2), on=connection)
    for part in ("t1", "t2", "t3"):
        ask(session, part, codes.GET_ROUTEINFO_BY_TOPIC, {"topic": session.topic_name(part)})


@case
def register_same_address_under_another_name(session):
    connection, _ = registered(session)
    fields = broker_fields(session, brokerName=session.topic_name("renamed"))
    ask(session, "reply", codes.REGISTER_BROKER, fields, topics(session, *two_topics(session)), on=connection)
    ask(session, "route", codes.GET_ROUTEINFO_BY_TOPIC, {"topic": session.topic_name("t1")})


@case
def register_in_another_cluster(session):
    connection, _ = registered(session)
    fields = broker_fields(session, clusterName=session.topic_name("other_cluster"))
    ask(session, "reply", codes.REGISTER_BROKER, fields, topics(session, *two_topics(session), counter=2), on=connection)
    await_clusters(session)
    ask(session, "clusters", codes.GET_BROKER_CLUSTER_INFO, keep=only_own(session))


@case
def unregister_of_another_address(session):
    connection, fields = registered(session)
    ask(session, "reply", codes.UNREGISTER_BROKER, fields | {"brokerAddr": address(session, 9)}, on=connection)
    ask(session, "route", codes.GET_ROUTEINFO_BY_TOPIC, {"topic": session.topic_name("t1")})


@case
def unregister(session):
    connection, fields = registered(session)
    ask(session, "reply", codes.UNREGISTER_BROKER, fields, on=connection)
    session.until(lambda: session.nameserver().call(codes.GET_ROUTEINFO_BY_TOPIC, {"topic": session.topic_name("t1")}).code == 17, "no route")
    ask(session, "route", codes.GET_ROUTEINFO_BY_TOPIC, {"topic": session.topic_name("t1")})


@case
def unregister_unknown(session):
    ask(session, "reply", codes.UNREGISTER_BROKER, broker_fields(session))


@case
def closing_removes_route(session):
    connection, _ = registered(session)
    connection.close()
    session.until(lambda: session.nameserver().call(codes.GET_ROUTEINFO_BY_TOPIC, {"topic": session.topic_name("t1")}).code == 17, "no route")
    ask(session, "route", codes.GET_ROUTEINFO_BY_TOPIC, {"topic": session.topic_name("t1")})


derive(Spec("nameserver.data_version", codes.QUERY_DATA_VERSION,
            lambda s: (registered(s)[1], b'{"counter":1,"timestamp":1000}'),
            to_nameserver=True, json_body=True))


@case
def data_version_changed(session):
    connection, fields = registered(session)
    ask(session, "reply", codes.QUERY_DATA_VERSION, fields, b'{"counter":2,"timestamp":1000}', on=connection)


@case
def data_version_of_unknown_broker(session):
    ask(session, "reply", codes.QUERY_DATA_VERSION, broker_fields(session), b'{"counter":2,"timestamp":1000}')


derive(Spec("nameserver.wipe", codes.WIPE_WRITE_PERM_OF_BROKER, lambda s: (registered(s)[1], b""), ("brokerName",), to_nameserver=True))
derive(Spec("nameserver.give", codes.ADD_WRITE_PERM_OF_BROKER, lambda s: (registered(s)[1], b""), ("brokerName",), to_nameserver=True))


@case
def wiped_route(session):
    _, fields = registered(session)
    ask(session, "wipe", codes.WIPE_WRITE_PERM_OF_BROKER, fields)
    ask(session, "wiped", codes.GET_ROUTEINFO_BY_TOPIC, {"topic": session.topic_name("t1")})
    ask(session, "give", codes.ADD_WRITE_PERM_OF_BROKER, fields)
    ask(session, "given", codes.GET_ROUTEINFO_BY_TOPIC, {"topic": session.topic_name("t1")})


@case
def wipe_of_unknown_broker(session):
    ask(session, "reply", codes.WIPE_WRITE_PERM_OF_BROKER, {"brokerName": UNKNOWN})


derive(Spec("nameserver.delete_topic", codes.DELETE_TOPIC_IN_NAMESRV, lambda s: (registered(s) and {"topic": s.topic_name("t1")}, b""), ("topic",),
            topic="topic", to_nameserver=True))


@case
def deleted_topic_has_no_route(session):
    registered(session)
    ask(session, "delete", codes.DELETE_TOPIC_IN_NAMESRV, {"topic": session.topic_name("t1"), "clusterName": session.topic_name("cluster")})
    ask(session, "route", codes.GET_ROUTEINFO_BY_TOPIC, {"topic": session.topic_name("t1")})


def only_own(session):
    """Of lists and maps that name everything the server knows, what is the case's own."""
    def keep(body):
        if not isinstance(body, dict):
            return body
        own = session.topic_name()
        return {name: ([item for item in value if own in str(item)] if isinstance(value, list) else
                       {key: item for key, item in value.items() if own in key} if isinstance(value, dict) else "<text>")
                for name, value in body.items()}
    return keep


def await_clusters(session) -> None:
    """4.9.7 fails now and then while brokers register: it walks its tables without a lock."""
    session.until(lambda: session.nameserver().call(codes.GET_BROKER_CLUSTER_INFO, {}).code == 0, "the clusters")


@case
def clusters(session):
    registered(session)
    await_clusters(session)
    ask(session, "reply", codes.GET_BROKER_CLUSTER_INFO, keep=only_own(session))


@case
def all_topics(session):
    registered(session)
    ask(session, "reply", codes.GET_ALL_TOPIC_LIST_FROM_NAMESERVER, keep=only_own(session))


@case
def system_topics(session):
    registered(session)
    ask(session, "reply", codes.GET_SYSTEM_TOPIC_LIST_FROM_NS, keep=only_own(session))


derive(Spec("nameserver.topics_of_cluster", codes.GET_TOPICS_BY_CLUSTER,
            lambda s: (registered(s) and {"cluster": s.topic_name("cluster")}, b""), ("cluster",), to_nameserver=True))


@case
def topics_of_unknown_cluster(session):
    ask(session, "reply", codes.GET_TOPICS_BY_CLUSTER, {"cluster": UNKNOWN})


for name, code in (("unit_topics", codes.GET_UNIT_TOPIC_LIST), ("unit_sub_topics", codes.GET_HAS_UNIT_SUB_TOPIC_LIST),
                   ("unit_sub_ununit_topics", codes.GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST)):
    add(f"nameserver.{name}", lambda session, code=code: ask(session, "reply", code, keep=only_own(session)))


def update_config(name: str, body: bytes) -> None:
    add(f"nameserver.update_config_{name}", lambda session: ask(session, "reply", codes.UPDATE_NAMESRV_CONFIG, body=body))


update_config("forbidden_key", b"kvConfigPath=/tmp/x\n")
update_config("without_body", b"")

derive(Spec("nameserver.member_group", codes.GET_BROKER_MEMBER_GROUP,
            lambda s: ({name: registered(s)[1][name] for name in ("clusterName", "brokerName")}, b""), ("clusterName", "brokerName"), to_nameserver=True))


@case
def broker_heartbeat(session):
    _, fields = registered(session)
    ask(session, "reply", 904, fields)


@case
def unknown_request(session):
    ask(session, "reply", 7777)


@case
def unknown_request_oneway(session):
    session.ask_oneway("reply", 7777, {}, on=session.nameserver())


@case
def brokers_request(session):
    """A request that only brokers serve."""
    ask(session, "reply", codes.GET_MAX_OFFSET, {"topic": "x", "queueId": 0})


@case
def route_for_old_clients(session):
    """Clients before 4.9.4 get another form."""
    topic = session.topic(2)
    ask(session, "reply", codes.GET_ROUTEINFO_BY_TOPIC, {"topic": topic}, version=300)


@case
def route_in_standard_json(session):
    topic = session.topic(2)
    ask(session, "reply", codes.GET_ROUTEINFO_BY_TOPIC, {"topic": topic, "acceptStandardJsonOnly": "true"}, version=300)


@case
def order_settings_in_route(session):
    topic = session.topic(2)
    session.do(codes.PUT_KV_CONFIG, {"namespace": "ORDER_TOPIC_CONFIG", "key": topic, "value": "broker-a:2"}, on=session.nameserver())
    ask(session, "route", codes.GET_ROUTEINFO_BY_TOPIC, {"topic": topic})
