"""What an example plugin does inside a running broker, seen by a client."""
import json
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support" / "python"))
import remoting  # noqa: E402

HEARTBEAT, QUERY_ASSIGNMENT, SUBSCRIPTION_PARSE_FAILED = 34, 400, 23


def with_broker(binary, plugin, key, use):
    """Runs use(connection, topic) against a broker whose [broker] KEY names the plugin's file; returns the banner."""
    with tempfile.TemporaryDirectory() as folder:
        value = json.dumps(str(plugin))
        gantry = remoting.Gantry(binary, folder, extra_broker=f"{key} = {'[' + value + ']' if key == 'filters' else value}")
        gantry.start()
        try:
            conn = remoting.Connection(gantry.port)
            use(conn, "ExampleTopic")
            conn.close()
            assert gantry.stop() == 0, "the broker did not end cleanly"
        finally:
            if gantry.alive():
                gantry.kill()
        return gantry.banner


def use_filter(expression_type, matching, expression="level>=3", wrong="level>3"):
    """Messages of level 1 to 5 and one without are sent; a pull with the expression brings `matching`, one with `wrong` is refused."""
    def use(conn, topic):
        for level in ("1", "2", "3", "4", "5", None):
            properties = f"level\x01{level}\x02" if level else ""
            code, _, remark, _ = conn.call(remoting.SEND_V2, remoting.send_fields(topic, 0, properties), str(level).encode())
            assert code == 0, remark
        fields = remoting.pull_fields("ExampleGroup", topic, 0, 0) | {"expressionType": expression_type, "subscription": expression}
        code, _, remark, body = conn.call(remoting.PULL, fields)
        assert code == 0, f"pull answered {code}: {remark}"
        got = [record.body.decode() for record in remoting.records(body)]
        assert got == matching, f"the filter let {got} through, wanted {matching}"
        code, _, remark, _ = conn.call(remoting.PULL, fields | {"subscription": wrong})
        assert code == SUBSCRIPTION_PARSE_FAILED, f"a wrong expression was answered with {code}: {remark}"
    return use


def use_allocator(strategy, wanted):
    """One consumer of a topic of four queues asks which are its own by that strategy."""
    def use(conn, topic):
        code, _, remark, _ = conn.call(remoting.SEND_V2, remoting.send_fields(topic, 0), b"x")
        assert code == 0, remark
        subscription = {"topic": topic, "subString": "*", "expressionType": "TAG", "subVersion": 1}
        consumer = {"groupName": "ExampleGroup", "consumeType": "CONSUME_PASSIVELY", "messageModel": "CLUSTERING", "consumeFromWhere": "CONSUME_FROM_FIRST_OFFSET",
                    "subscriptionDataSet": [subscription], "unitMode": False}
        code, _, remark, _ = conn.call(HEARTBEAT, {}, json.dumps({"clientID": "client-1", "producerDataSet": [], "consumerDataSet": [consumer]}).encode())
        assert code == 0, remark
        body = {"topic": topic, "consumerGroup": "ExampleGroup", "clientId": "client-1", "strategyName": strategy, "messageModel": "CLUSTERING"}
        code, _, remark, answer = conn.call(QUERY_ASSIGNMENT, {}, json.dumps(body).encode())
        assert code == 0, f"{code}: {remark}"
        queues = sorted(a["messageQueue"]["queueId"] for a in json.loads(answer)["messageQueueAssignments"])
        assert queues == wanted, f"the allocator gave {queues}, wanted {wanted}"
    return use
