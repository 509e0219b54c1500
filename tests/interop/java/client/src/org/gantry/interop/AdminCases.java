package org.gantry.interop;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.MessageQueue;

/** What tools ask a broker to do with the consumers of a group. */
final class AdminCases {
    private static final int CALL_MS = 20_000;
    private static final int CONSUMER_NOT_ONLINE = 206;

    private AdminCases() { }

    static void add(Suite<Env> suite) {
        suite.add("reset_offset_online", 90, AdminCases::resetOnline);
        suite.add("reset_offset_offline", 90, AdminCases::resetOffline);
        suite.add("admin_consumer_running_info", 60, AdminCases::runningInfo);
        suite.add("admin_consume_directly", 60, AdminCases::consumeDirectly);
        suite.add("admin_connections", 60, AdminCases::connections);
    }

    private static String broker(Env env) throws Exception {
        return Env.brokerAddress(Env.queues(env.topic()).get(0));
    }

    static String clientId(DefaultMQPushConsumer consumer) {
        return consumer.getDefaultMQPushConsumerImpl().getmQClientFactory().getClientId();
    }

    /** Sends `old`, then after a pause `recent` messages, and returns a time between them, close to the recent ones. */
    private static long sendOldAndRecent(Env env, List<String> old, List<String> recent) throws Exception {
        env.createByFirstSend(env.topic());
        old.addAll(env.send(env.topic(), "", "old", 20));
        long sent = System.currentTimeMillis();
        env.await(() -> "the clock", 5, () -> System.currentTimeMillis() > sent + 1_500);
        long boundary = System.currentTimeMillis();
        recent.addAll(env.send(env.topic(), "", "recent", 20));
        env.awaitMessages(env.topic(), 41);
        return boundary;
    }

    /** Running members go back to the time that a tool names, and forward again. */
    private static void resetOnline(Env env) throws Exception {
        List<String> old = new ArrayList<>();
        List<String> recent = new ArrayList<>();
        long boundary = sendOldAndRecent(env, old, recent);
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer a = env.push(env.group("c"), env.topic(), "*", inbox);
        DefaultMQPushConsumer b = env.push(env.group("c"), env.topic(), "*", inbox);
        PushCases.awaitShared(env, 40, a, b);
        inbox.awaitAll(env, old, 20);
        inbox.awaitAll(env, recent, 20);
        // What has been consumed must be known to the broker, or it would be repeated for that reason. While the queues
        // were divided some may have come twice.
        PushCases.commit(env, a, b);
        Map<String, Integer> before = new HashMap<>();
        old.forEach(body -> before.put(body, inbox.count(body)));
        recent.forEach(body -> before.put(body, inbox.count(body)));
        Map<MessageQueue, Long> offsets = Env.api().invokeBrokerToResetOffset(broker(env), env.topic(), env.group("c"), boundary, true, CALL_MS);
        Check.equal(4, offsets.size(), "queues in the answer");
        // A 4.x member pauses for 10 s before it goes on from the new place.
        env.await(() -> "the recent messages again", 60, () -> recent.stream().allMatch(body -> inbox.count(body) > before.get(body)));
        Check.equal(List.of(), old.stream().filter(body -> inbox.count(body) > before.get(body)).toList(), "older messages that were delivered again");
    }

    /** A group without members goes on from where a tool has put it. */
    private static void resetOffline(Env env) throws Exception {
        List<String> old = new ArrayList<>();
        List<String> recent = new ArrayList<>();
        long boundary = sendOldAndRecent(env, old, recent);
        Inbox before = new Inbox();
        DefaultMQPushConsumer first = env.push(env.group("c"), env.topic(), "*", before);
        before.awaitAll(env, old, 40);
        before.awaitAll(env, recent, 20);
        first.shutdown();
        try {
            Env.api().invokeBrokerToResetOffset(broker(env), env.topic(), env.group("c"), boundary, true, CALL_MS);
        } catch (MQClientException e) {
            // A 4.x broker leaves groups without members to the tool, which then sets each queue's offset itself.
            Check.equal(CONSUMER_NOT_ONLINE, e.getResponseCode(), "response code, text " + e.getErrorMessage());
            for (MessageQueue queue : Env.queues(env.topic())) {
                long offset = Env.producer().searchOffset(queue, boundary);
                Compat.updateConsumerOffset(Env.api(), broker(env), env.group("c"), queue, offset);
            }
        }
        Inbox after = new Inbox();
        env.push(env.group("c"), env.topic(), "*", after);
        after.awaitExactly(env, recent, 40);
    }

    private static void runningInfo(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        DefaultMQPushConsumer consumer = env.push(env.group("c"), env.topic(), "TagA || TagB", new Inbox());
        PushCases.awaitShared(env, 40, consumer);
        var info = Env.api().getConsumerRunningInfo(broker(env), env.group("c"), clientId(consumer), true, CALL_MS);
        Check.equal("CONSUME_PASSIVELY", info.getProperties().getProperty("PROP_CONSUME_TYPE"), "consume type");
        Check.equal("TagA || TagB", info.getSubscriptionSet().stream().filter(subscription -> subscription.getTopic().equals(env.topic()))
            .findFirst().orElseThrow().getSubString(), "subscription");
        Check.equal(4L, info.getMqTable().keySet().stream().filter(queue -> queue.getTopic().equals(env.topic())).count(), "queues");
        Check.that(info.getJstack() != null && info.getJstack().contains("PullMessageService"), "no threads of the client in the dump");
        Refusal.byClient("not online", "a member that is not there",
            () -> Env.api().getConsumerRunningInfo(broker(env), env.group("c"), "absent", false, CALL_MS));
        Refusal.byClient("not online", "a group that is not there",
            () -> Env.api().getConsumerRunningInfo(broker(env), env.group("absent"), clientId(consumer), false, CALL_MS));
    }

    /** A tool hands one stored message to a member, whatever the member has subscribed to. */
    private static void consumeDirectly(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer consumer = env.push(env.group("c"), env.topic(), "Nothing", inbox);
        SendResult sent = Env.producer().send(Env.message(env.topic(), "TagA", "directly"));
        env.awaitMessages(env.topic(), 2);
        env.await(() -> "the member at the broker", 20, () -> isMember(env, consumer));
        String result = Compat.consumeDirectly(Env.api(), broker(env), env.group("c"), clientId(consumer), env.topic(), sent.getOffsetMsgId());
        Check.equal("CR_SUCCESS", result, "result of the member's listener");
        inbox.awaitExactly(env, List.of("directly"), 5);
        Check.equal(sent.getMsgId(), inbox.only("directly").getProperty("UNIQ_KEY"), "message id");
        Refusal.byClient("not online", "a member that is not there", () -> Compat.consumeDirectly(Env.api(), broker(env),
            env.group("c"), "absent", env.topic(), sent.getOffsetMsgId()));
    }

    private static boolean isMember(Env env, DefaultMQPushConsumer consumer) throws Exception {
        try {
            return Env.api().getConsumerConnectionList(broker(env), env.group("c"), CALL_MS).getConnectionSet().stream()
                .anyMatch(connection -> connection.getClientId().equals(clientId(consumer)));
        } catch (org.apache.rocketmq.client.exception.MQBrokerException e) {
            Check.equal(CONSUMER_NOT_ONLINE, e.getResponseCode(), "response code, text " + e.getErrorMessage());
            return false;
        }
    }

    private static void connections(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        DefaultMQPushConsumer a = env.push(env.group("c"), env.topic(), "TagA", new Inbox());
        DefaultMQPushConsumer b = env.push(env.group("c"), env.topic(), "TagA", new Inbox());
        env.await(() -> "both members at the broker", 20, () -> isMember(env, a) && isMember(env, b));
        var connections = Env.api().getConsumerConnectionList(broker(env), env.group("c"), CALL_MS);
        Check.equal(2, connections.getConnectionSet().size(), "members");
        Check.equal("CLUSTERING", connections.getMessageModel().name(), "message model");
        Check.equal("CONSUME_FROM_FIRST_OFFSET", connections.getConsumeFromWhere().name(), "where the group begins");
        Check.equal("TagA", connections.getSubscriptionTable().get(env.topic()).getSubString(), "subscription");
        connections.getConnectionSet().forEach(connection -> {
            Check.that(connection.getClientAddr().contains("127.0.0.1:"), "address " + connection.getClientAddr());
            Check.equal("JAVA", connection.getLanguage().name(), "language");
            Check.that(connection.getVersion() > 400, "version " + connection.getVersion());
        });
        b.shutdown();
        env.await(() -> "one member after the other has left", 20, () -> !isMember(env, b));
        Refusal.byBroker(CONSUMER_NOT_ONLINE, "connections of a group that is not there",
            () -> Env.api().getConsumerConnectionList(broker(env), env.group("absent"), CALL_MS));
    }
}
