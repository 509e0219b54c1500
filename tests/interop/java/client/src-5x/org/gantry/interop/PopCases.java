package org.gantry.interop;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.apache.rocketmq.client.consumer.AckCallback;
import org.apache.rocketmq.client.consumer.AckResult;
import org.apache.rocketmq.client.consumer.AckStatus;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.PopCallback;
import org.apache.rocketmq.client.consumer.PopResult;
import org.apache.rocketmq.client.consumer.PopStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageConst;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.common.message.MessageRequestMode;
import org.apache.rocketmq.remoting.protocol.header.AckMessageRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.ChangeInvisibleTimeRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.ExtraInfoUtil;
import org.apache.rocketmq.remoting.protocol.header.PopMessageRequestHeader;
import org.apache.rocketmq.remoting.protocol.heartbeat.MessageModel;

/** Consuming without queues of one's own: pop, acknowledge, change the invisible time; queues that the broker assigns. */
final class PopCases {
    private static final int CALL_MS = 20_000;

    private PopCases() { }

    static void add(Suite<Env> suite) {
        suite.add("pop_ack", 60, PopCases::ack);
        suite.add("pop_unacknowledged_comes_again", 60, PopCases::again);
        suite.add("pop_batch_ack", 60, PopCases::batchAck);
        suite.add("pop_change_invisible_time", 60, PopCases::changeInvisible);
        suite.add("pop_filters_and_waits", 60, PopCases::waits);
        suite.add("pop_filters_by_sql", 60, PopCases::sql);
        suite.add("pop_by_priority", 60, PopCases::byPriority);
        suite.add("pop_push_consumer", 90, PopCases::push);
        suite.add("pop_push_consumer_retry", 90, PopCases::pushRetry);
        suite.add("assignment_by_broker", 60, PopCases::assignment);
    }

    private static String broker(Env env) throws Exception {
        return Env.brokerAddress(Env.queues(env.topic()).get(0));
    }

    private static String brokerName(Env env) throws Exception {
        return Env.queues(env.topic()).get(0).getBrokerName();
    }

    private static PopResult pop(Env env, String expression, int max, long invisibleMs, long pollMs) throws Exception {
        return pop(env, "TAG", expression, max, invisibleMs, pollMs);
    }

    private static PopResult pop(Env env, String type, String expression, int max, long invisibleMs, long pollMs) throws Exception {
        PopMessageRequestHeader header = new PopMessageRequestHeader();
        header.setConsumerGroup(env.group("c"));
        header.setTopic(env.topic());
        header.setQueueId(-1);
        header.setMaxMsgNums(max);
        header.setInvisibleTime(invisibleMs);
        header.setPollTime(pollMs);
        header.setBornTime(System.currentTimeMillis());
        header.setInitMode(0);
        header.setExpType(type);
        header.setExp(expression);
        header.setOrder(false);
        CompletableFuture<PopResult> future = new CompletableFuture<>();
        Env.api().popMessageAsync(brokerName(env), broker(env), header, pollMs + CALL_MS, new PopCallback() {
            @Override
            public void onSuccess(PopResult result) {
                future.complete(result);
            }

            @Override
            public void onException(Throwable e) {
                future.completeExceptionally(e);
            }
        });
        return future.get(pollMs + CALL_MS, TimeUnit.MILLISECONDS);
    }

    /** Pops until `distinct` different bodies are there, handing each message on, and fails when one comes twice. */
    private static Inbox popAll(Env env, int distinct, long invisibleMs, Consumer<MessageExt> each) throws Exception {
        return popAll(env, "TAG", "*", distinct, invisibleMs, each);
    }

    private static Inbox popAll(Env env, String type, String expression, int distinct, long invisibleMs, Consumer<MessageExt> each) throws Exception {
        Inbox inbox = new Inbox();
        env.await(() -> inbox.distinct() + " of " + distinct + " messages popped", 30, () -> {
            PopResult result = pop(env, type, expression, 32, invisibleMs, 500);
            if (result.getPopStatus() == PopStatus.FOUND) {
                result.getMsgFoundList().forEach(message -> {
                    inbox.put(message);
                    each.accept(message);
                });
            }
            return inbox.distinct() >= distinct;
        });
        return inbox;
    }

    interface AckCall {
        void start(AckCallback callback) throws Exception;
    }

    private static AckResult await(AckCall call) throws Exception {
        CompletableFuture<AckResult> future = new CompletableFuture<>();
        call.start(new AckCallback() {
            @Override
            public void onSuccess(AckResult result) {
                future.complete(result);
            }

            @Override
            public void onException(Throwable e) {
                future.completeExceptionally(e);
            }
        });
        return future.get(CALL_MS, TimeUnit.MILLISECONDS);
    }

    private static String handle(MessageExt message) {
        return message.getProperty(MessageConst.PROPERTY_POP_CK);
    }

    private static AckResult acknowledge(Env env, MessageExt message, String handle) throws Exception {
        String[] parts = ExtraInfoUtil.split(handle);
        AckMessageRequestHeader header = new AckMessageRequestHeader();
        header.setTopic(ExtraInfoUtil.getRealTopic(parts, env.topic(), env.group("c")));
        header.setQueueId(ExtraInfoUtil.getQueueId(parts));
        header.setOffset(ExtraInfoUtil.getQueueOffset(parts));
        header.setConsumerGroup(env.group("c"));
        header.setExtraInfo(handle);
        return await(callback -> Env.api().ackMessageAsync(broker(env), CALL_MS, callback, header));
    }

    private static void acknowledgeUnchecked(Env env, MessageExt message) {
        try {
            Check.equal(AckStatus.OK, acknowledge(env, message, handle(message)).getStatus(), "acknowledgement");
        } catch (Exception e) {
            throw new CheckFailed("acknowledgement: " + e);
        }
    }

    /** Acknowledged messages do not come again, not even after their invisible time. */
    private static void ack(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        List<String> bodies = env.send(env.topic(), "TagA", "m", 40);
        Inbox inbox = popAll(env, bodies.size(), 2_000, message -> acknowledgeUnchecked(env, message));
        inbox.awaitExactly(env, bodies, 5);
        MessageExt one = inbox.only("m0");
        Check.equal(env.topic(), one.getTopic(), "topic");
        Check.equal("TagA", one.getTags(), "tag");
        Check.equal(0, one.getReconsumeTimes(), "reconsume times");
        Check.that(one.getProperty("1ST_POP_TIME") != null, "no time of the first pop");
        long end = System.currentTimeMillis() + 5_000;
        while (System.currentTimeMillis() < end) {
            PopResult more = pop(env, "*", 32, 60_000, 500);
            if (more.getPopStatus() == PopStatus.FOUND) {
                more.getMsgFoundList().forEach(inbox::put);
            }
        }
        bodies.forEach(body -> Check.equal(1, inbox.count(body), "deliveries of " + body));
    }

    private static void again(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        List<String> bodies = env.send(env.topic(), "TagA", "m", 4);
        long popped = System.currentTimeMillis();
        popAll(env, bodies.size(), 2_000, message -> { });
        List<Long> times = new ArrayList<>();
        Inbox second = popAll(env, bodies.size(), 60_000, message -> {
            times.add(System.currentTimeMillis());
            acknowledgeUnchecked(env, message);
        });
        for (String body : bodies) {
            MessageExt message = second.only(body);
            Check.equal(1, message.getReconsumeTimes(), "reconsume times of " + body);
            Check.equal(env.topic(), message.getTopic(), "topic of " + body);
            Check.equal("TagA", message.getTags(), "tag of " + body);
        }
        times.forEach(time -> Check.that(time >= popped + 1_900, "invisible for 2 s, but came after " + (time - popped) + " ms"));
    }

    private static void batchAck(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        List<String> bodies = env.send(env.topic(), "TagA", "m", 20);
        List<MessageExt> popped = new ArrayList<>();
        popAll(env, bodies.size(), 3_000, popped::add);
        List<String> handles = new ArrayList<>();
        for (MessageExt message : popped) {
            if (!text(message).equals("m7")) {
                handles.add(handle(message));
            }
        }
        AckResult result = await(callback -> Env.api().batchAckMessageAsync(broker(env), CALL_MS, callback, env.topic(), env.group("c"), handles));
        Check.equal(AckStatus.OK, result.getStatus(), "batch acknowledgement");
        Inbox rest = popAll(env, 1, 60_000, message -> { });
        Thread.sleep(2_000);
        PopResult none = pop(env, "*", 32, 60_000, 500);
        Check.that(none.getPopStatus() != PopStatus.FOUND, "acknowledged messages came again");
        Check.equal(1, rest.only("m7").getReconsumeTimes(), "reconsume times of the message that was left out");
    }

    /** Of a topic of type PRIORITY the highest queue is given first. */
    private static void byPriority(Env env) throws Exception {
        AttributeCases.update(env, "+message.type", "PRIORITY");
        env.await(() -> "route of " + env.topic(), 60, () -> Env.hasRoute(env.topic()));
        List<String> bodies = AttributeCases.sentByPriority(env, 5);
        env.awaitMessages(env.topic(), bodies.size());
        PopResult result = pop(env, "*", 32, 60_000, 0);
        Check.equal(bodies, result.getMsgFoundList().stream().map(PopCases::text).toList(), "the highest first");
    }

    private static String text(MessageExt message) {
        return new String(message.getBody(), StandardCharsets.UTF_8);
    }

    /** A longer invisible time holds the message back, the old handle is void, the new one acknowledges. */
    private static void changeInvisible(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        env.send(env.topic(), "TagA", "m", 2);
        List<MessageExt> popped = new ArrayList<>();
        popAll(env, 2, 3_000, popped::add);
        long changed = System.currentTimeMillis();
        String newHandle = null;
        for (MessageExt message : popped) {
            if (text(message).equals(Inbox.PRIMER)) {
                acknowledgeUnchecked(env, message);
                continue;
            }
            String[] parts = ExtraInfoUtil.split(handle(message));
            ChangeInvisibleTimeRequestHeader header = new ChangeInvisibleTimeRequestHeader();
            header.setTopic(env.topic());
            header.setConsumerGroup(env.group("c"));
            header.setQueueId(ExtraInfoUtil.getQueueId(parts));
            header.setOffset(ExtraInfoUtil.getQueueOffset(parts));
            header.setExtraInfo(handle(message));
            header.setInvisibleTime(text(message).equals("m0") ? 7_000L : 60_000L);
            AckResult result = await(callback -> Env.api().changeInvisibleTimeAsync(brokerName(env), broker(env), header, CALL_MS, callback));
            Check.equal(AckStatus.OK, result.getStatus(), "change of the invisible time");
            Check.that(result.getExtraInfo() != null, "no new handle");
            if (text(message).equals("m1")) {
                newHandle = result.getExtraInfo();
                Check.equal(AckStatus.OK, acknowledge(env, message, newHandle).getStatus(), "acknowledgement with the new handle");
            }
        }
        Check.that(newHandle != null, "m1 was not popped");
        Inbox second = popAll(env, 1, 60_000, message -> { });
        long waitedMs = System.currentTimeMillis() - changed;
        Check.that(waitedMs >= 6_900, "invisible for 7 s, but came after " + waitedMs + " ms");
        Check.equal(1, second.only("m0").getReconsumeTimes(), "reconsume times");
    }

    /** A pop that may wait is answered by the next message that its filter lets through. */
    private static void waits(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        popAll(env, 0, 60_000, message -> { });
        PopResult none = pop(env, "Mine", 32, 60_000, 1_000);
        Check.that(none.getPopStatus() != PopStatus.FOUND, "found " + none.getMsgFoundList());
        Thread sender = new Thread(() -> {
            try {
                Thread.sleep(500);
                env.send(env.topic(), "Other", "other", 4);
                env.send(env.topic(), "Mine", "mine", 1);
            } catch (Exception e) {
                // The pop below then ends without a message, which fails the case.
            }
        });
        sender.start();
        Inbox inbox = new Inbox();
        long started = System.nanoTime();
        env.await(() -> "the message that the filter lets through", 20, () -> {
            PopResult result = pop(env, "Mine", 32, 60_000, 10_000);
            if (result.getPopStatus() == PopStatus.FOUND) {
                result.getMsgFoundList().forEach(inbox::put);
            }
            return inbox.distinct() > 0;
        });
        Check.equal("Mine", inbox.only("mine0").getTags(), "tag");
        Check.equal(1, inbox.distinct(), "messages");
        Check.that((System.nanoTime() - started) / 1_000_000 < 5_000, "a waiting pop got its message late");
        sender.join();
    }

    /** By an expression; what does not match is passed over for the group. */
    private static void sql(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        popAll(env, 0, 60_000, message -> { });
        List<String> expected = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            Message message = Env.message(env.topic(), "", "m" + i);
            message.putUserProperty("a", String.valueOf(i));
            message.putUserProperty("color", i % 2 == 0 ? "red" : "蓝");
            Env.producer().send(message);
            if (i % 2 == 1 && i >= 5 && i <= 11) {
                expected.add("m" + i);
            }
        }
        Inbox inbox = popAll(env, "SQL92", "a BETWEEN 5 AND 11 AND color = '蓝' AND absent IS NULL", expected.size(), 60_000, message -> { });
        inbox.awaitExactly(env, expected, 5);
        PopResult none = pop(env, "SQL92", "a >= 0", 32, 60_000, 500);
        Check.that(none.getPopStatus() != PopStatus.FOUND, "found " + none.getMsgFoundList());
    }

    private static DefaultMQPushConsumer popConsumer(Env env, MessageListenerConcurrently listener) throws Exception {
        DefaultMQPushConsumer consumer = env.newPush(env.group("c"));
        consumer.setClientRebalance(false);
        consumer.subscribe(env.topic(), "*");
        consumer.registerMessageListener(listener);
        return env.start(consumer);
    }

    private static void popMode(Env env, int shareQueues) throws Exception {
        Env.api().setMessageRequestMode(broker(env), env.topic(), env.group("c"), MessageRequestMode.POP, shareQueues, CALL_MS);
    }

    private static Set<Integer> popQueues(Env env, DefaultMQPushConsumer consumer) {
        Set<Integer> ids = new TreeSet<>();
        for (MessageQueue queue : consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl().getPopProcessQueueTable().keySet()) {
            if (queue.getTopic().equals(env.topic())) {
                ids.add(queue.getQueueId());
            }
        }
        return ids;
    }

    /** Push consumers in pop mode share all queues; each message comes once. */
    private static void push(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        popMode(env, -1);
        Inbox first = new Inbox();
        Inbox second = new Inbox();
        DefaultMQPushConsumer a = popConsumer(env, first);
        DefaultMQPushConsumer b = popConsumer(env, second);
        env.await(() -> "queues of both members: " + popQueues(env, a) + popQueues(env, b), 40,
            () -> !popQueues(env, a).isEmpty() && !popQueues(env, b).isEmpty());
        List<String> bodies = env.send(env.topic(), "TagA", "m", 200);
        env.await(() -> first.distinct() + " + " + second.distinct() + " of 200", 40, () -> first.distinct() + second.distinct() >= bodies.size());
        Thread.sleep(1_000);
        for (String body : bodies) {
            Check.equal(1, first.count(body) + second.count(body), "deliveries of " + body);
        }
        Check.that(PushCases.owned(a, env.topic()).isEmpty() && PushCases.owned(b, env.topic()).isEmpty(), "a member pulls");
    }

    /** What a pop consumer cannot process comes again (after 10 s, the first of its levels) with its count. */
    private static void pushRetry(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        popMode(env, -1);
        ConcurrentLinkedQueue<String> tries = new ConcurrentLinkedQueue<>();
        popConsumer(env, (messages, context) -> {
            MessageExt message = messages.get(0);
            if (text(message).equals(Inbox.PRIMER)) {
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            }
            tries.add(text(message) + " " + message.getReconsumeTimes() + " " + message.getTopic());
            return message.getReconsumeTimes() == 0 ? ConsumeConcurrentlyStatus.RECONSUME_LATER : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        env.send(env.topic(), "TagA", "bad", 1);
        env.await(() -> "two tries, so far " + tries, 60, () -> tries.size() >= 2);
        Thread.sleep(1_000);
        Check.equal(List.of("bad0 0 " + env.topic(), "bad0 1 " + env.topic()), List.copyOf(tries), "tries");
    }

    /** Queues that the broker gives to members that pull: a division of all. */
    private static void assignment(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer a = popConsumer(env, inbox);
        DefaultMQPushConsumer b = popConsumer(env, inbox);
        PushCases.awaitShared(env, 50, a, b);
        inbox.awaitExactly(env, env.send(env.topic(), "TagA", "m", 40), 20);
        var assigned = Env.api().queryAssignment(broker(env), env.topic(), env.group("c"), AdminCases.clientId(a), "AVG",
            MessageModel.CLUSTERING, CALL_MS);
        Check.equal(2, assigned.size(), "queues that the broker assigns to one of two");
        assigned.forEach(one -> Check.equal(MessageRequestMode.PULL, one.getMode(), "mode"));
    }
}
