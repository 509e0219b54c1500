#!/usr/bin/env python3
"""Two brokers under one name server have the same topic: either of them divides the queues of both among a group's members.

Usage: two_brokers.py GANTRY_BINARY
"""
import json
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support" / "python"))
import remoting  # noqa: E402

TOPIC, GROUP, QUEUES = "SharedTopic", "shared-group", 4
QUERY_ASSIGNMENT = 400
DEADLINE_S = 60


def start(binary, folder, name, nameserver=None):
    folder.mkdir()
    broker = remoting.Gantry(binary, folder, "written")
    text = broker.config.read_text().replace('name = "broker-a"', f'name = "{name}"')
    if nameserver is not None:
        text = text[:text.index('[[protocol]]\nplugin = "protocol-remoting"\ncomponent')].replace(f"127.0.0.1:{broker.nameserver}", f"127.0.0.1:{nameserver}")
    broker.config.write_text(text)
    broker.start()
    return broker


def join(conn, client):
    consumer = {"groupName": GROUP, "consumeType": "CONSUME_PASSIVELY", "messageModel": "CLUSTERING", "consumeFromWhere": "CONSUME_FROM_FIRST_OFFSET", "unitMode": False,
                "subscriptionDataSet": [{"topic": TOPIC, "subString": "*", "subVersion": 1, "expressionType": "TAG", "tagsSet": [], "codeSet": []}]}
    code, _, remark, _ = conn.call(remoting.HEARTBEAT, {}, json.dumps({"clientID": client, "producerDataSet": [], "consumerDataSet": [consumer]}).encode())
    assert code == 0, remark


def assigned(conn, client):
    body = {"topic": TOPIC, "consumerGroup": GROUP, "clientId": client, "strategyName": "AVG", "messageModel": "CLUSTERING"}
    code, _, remark, answer = conn.call(QUERY_ASSIGNMENT, {}, json.dumps(body).encode())
    assert code == 0, remark
    return [(m["messageQueue"]["brokerName"], m["messageQueue"]["queueId"]) for m in json.loads(answer).get("messageQueueAssignments", [])]


def main():
    binary = sys.argv[1]
    with tempfile.TemporaryDirectory(prefix="gantry-two-") as folder:
        brokers = []
        try:
            brokers.append(start(binary, pathlib.Path(folder) / "a", "broker-a"))
            brokers.append(start(binary, pathlib.Path(folder) / "b", "broker-b", brokers[0].nameserver))
            conns = [remoting.Connection(broker.port) for broker in brokers]
            members = []  # connections, which must stay open
            for broker, conn in zip(brokers, conns):
                assert conn.call(remoting.SEND_V2, remoting.send_fields(TOPIC, 0, default_queues=QUEUES), b"x")[0] == 0
                for client in ("one", "two"):
                    members.append(remoting.Connection(broker.port))
                    join(members[-1], client)
            wanted = {"one": [("broker-a", q) for q in range(QUEUES)], "two": [("broker-b", q) for q in range(QUEUES)]}
            deadline = time.monotonic() + DEADLINE_S
            while True:
                seen = [{client: assigned(conn, client) for client in wanted} for conn in conns]
                if seen == [wanted, wanted]:
                    break
                assert time.monotonic() < deadline, f"both brokers should divide {wanted}, they say {seen}"
                time.sleep(0.2)
            # Without a name server what was known last counts.
            brokers[0].kill()
            survivor = {client: assigned(conns[1], client) for client in wanted}
            assert survivor == wanted, f"broker-b alone says {survivor}"
        finally:
            for broker in brokers:
                if broker.alive():
                    broker.kill()
    print("both brokers divide the queues of both")


if __name__ == "__main__":
    main()
