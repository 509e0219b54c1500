package org.gantry.interop;

import com.alibaba.rocketmq.client.consumer.DefaultMQPullConsumer;
import com.alibaba.rocketmq.client.consumer.DefaultMQPushConsumer;
import com.alibaba.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import com.alibaba.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import com.alibaba.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import com.alibaba.rocketmq.client.consumer.listener.MessageListenerOrderly;
import com.alibaba.rocketmq.client.exception.MQBrokerException;
import com.alibaba.rocketmq.client.exception.MQClientException;
import com.alibaba.rocketmq.client.producer.DefaultMQProducer;
import com.alibaba.rocketmq.client.producer.SendResult;
import com.alibaba.rocketmq.common.message.Message;
import com.alibaba.rocketmq.common.message.MessageExt;
import com.alibaba.rocketmq.common.message.MessageQueue;
import com.alibaba.rocketmq.common.protocol.heartbeat.MessageModel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;

/** Sizes, refusals, offsets, and members that leave or fail, with the 3.x client. */
final class LimitCases {
    private static final int LIMIT = 4 * 1024 * 1024;

    private LimitCases() { }

    static void add(Suite<Env> suite) {
        suite.add("old_body_sizes", 60, LimitCases::bodySizes);
        suite.add("old_send_too_large", 60, LimitCases::tooLarge);
        suite.add("old_send_unknown_topic_refused", 60, LimitCases::unknownTopic);
        suite.add("old_create_topic", 60, LimitCases::createTopic);
        suite.add("old_offsets_by_time", 60, LimitCases::offsets);
        suite.add("old_pull_offset_store", 60, LimitCases::offsetStore);
        suite.add("old_push_member_leaves", 90, LimitCases::leave);
        suite.add("old_orderly_suspend_repeats_in_order", 60, LimitCases::suspend);
        suite.add("old_retry_after_failing_listener", 90, LimitCases::failingListener);
    }

    private static DefaultMQProducer producer(Env env, String part) {
        DefaultMQProducer producer = new DefaultMQProducer(env.group(part));
        producer.setInstanceName(env.group(part));
        producer.setSendMsgTimeout(15_000 * Env.PATIENCE);
        producer.setRetryTimesWhenSendFailed(0);
        producer.setMaxMessageSize(4 * LIMIT);
        return producer;
    }

    private static DefaultMQProducer start(Env env, DefaultMQProducer producer) throws MQClientException {
        producer.start();
        env.onClose(producer::shutdown);
        return producer;
    }

    private static byte[] noise(int bytes) {
        byte[] out = new byte[bytes];
        new Random(bytes).nextBytes(out);
        return out;
    }

    private static String text(Message message) {
        return new String(message.getBody(), StandardCharsets.UTF_8);
    }

    /** The client compresses what is larger than 4 KiB. */
    private static void bodySizes(Env env) throws Exception {
        env.createByFirstSend();
        DefaultMQProducer producer = start(env, producer(env, "p"));
        MessageQueue queue = env.queues().get(2);
        List<byte[]> bodies = new ArrayList<>();
        for (int bytes : new int[] {1, 4095, 4096, 4097, 1 << 20, LIMIT - 10_000}) {
            bodies.add(noise(bytes));
        }
        bodies.add("compresses well ".repeat(20_000).getBytes(StandardCharsets.UTF_8));
        long base = Env.producer().maxOffset(queue);
        for (byte[] body : bodies) {
            producer.send(new Message(env.topic(), body), queue);
        }
        env.await(() -> "all bodies", 20, () -> Env.producer().maxOffset(queue) == base + bodies.size());
        DefaultMQPullConsumer pull = env.pull(env.group("c"));
        for (int i = 0; i < bodies.size(); i++) {
            MessageExt message = pull.pull(queue, "*", base + i, 1).getMsgFoundList().get(0);
            Check.that(Arrays.equals(bodies.get(i), message.getBody()), "body of " + bodies.get(i).length + " bytes came back with " + message.getBody().length);
            if (i == bodies.size() - 1) {
                Check.that(message.getStoreSize() < 50_000, "320 KB that compress well are stored in " + message.getStoreSize() + " bytes");
            }
        }
    }

    private static void tooLarge(Env env) throws Exception {
        env.createByFirstSend();
        DefaultMQProducer producer = start(env, producer(env, "p"));
        MessageQueue queue = env.queues().get(0);
        long base = Env.producer().maxOffset(queue);
        for (int bytes : new int[] {LIMIT + 10_000, 2 * LIMIT}) {
            try {
                producer.send(new Message(env.topic(), noise(bytes)), queue);
            } catch (MQBrokerException e) {
                Check.equal(13, e.getResponseCode(), "code for " + bytes + " bytes");
                continue;
            }
            throw new CheckFailed(bytes + " bytes were taken");
        }
        Check.equal(base, producer.send(new Message(env.topic(), noise(10)), queue).getQueueOffset(), "offset of the next message: nothing was stored");
    }

    private static void unknownTopic(Env env) throws Exception {
        DefaultMQProducer producer = producer(env, "p");
        producer.setCreateTopicKey(env.topic("default"));
        start(env, producer);
        try {
            producer.send(env.message("", "nobody"));
        } catch (MQClientException e) {
            try {
                Env.producer().fetchPublishMessageQueues(env.topic());
            } catch (MQClientException none) {
                return;
            }
            throw new CheckFailed("the topic was made");
        }
        throw new CheckFailed("a send whose default topic does not exist was taken");
    }

    private static void createTopic(Env env) throws Exception {
        Env.producer().createTopic("TBW102", env.topic(), 7);
        env.await(() -> "7 queues", 20, () -> {
            try {
                return env.queues().size() == 7;
            } catch (MQClientException e) {
                return false;
            }
        });
        MessageQueue last = env.queues().get(6);
        Check.equal(6, Env.producer().send(env.message("", "last"), last).getMessageQueue().getQueueId(), "queue");
    }

    private static void offsets(Env env) throws Exception {
        env.createByFirstSend();
        MessageQueue queue = env.queues().get(1);
        long base = Env.producer().maxOffset(queue);
        for (int i = 0; i < 5; i++) {
            Env.producer().send(env.message("", "o" + i), queue);
            Thread.sleep(20);
        }
        env.await(() -> "5 messages", 10, () -> Env.producer().maxOffset(queue) == base + 5);
        Check.equal(0L, Env.producer().minOffset(queue), "first offset");
        List<MessageExt> messages = env.pull(env.group("c")).pull(queue, "*", base, 5).getMsgFoundList();
        for (int i = 0; i < 5; i++) {
            Check.equal(base + i, Env.producer().searchOffset(queue, messages.get(i).getStoreTimestamp()), "offset by the store time of message " + i);
        }
        Check.equal(0L, Env.producer().searchOffset(queue, 1_000), "offset by a time before all");
        Check.that(Env.producer().earliestMsgStoreTime(queue) <= messages.get(0).getStoreTimestamp(), "the earliest store time is later than a message's");
    }

    private static void offsetStore(Env env) throws Exception {
        env.createByFirstSend();
        MessageQueue queue = env.queues().get(1);
        env.send("", "m", 40);
        String group = env.group("c");
        DefaultMQPullConsumer first = env.pull(group);
        first.setRegisterTopics(new HashSet<>(Set.of(env.topic())));
        first.updateConsumeOffset(queue, 3);
        first.getDefaultMQPullConsumerImpl().getOffsetStore().persist(queue);
        DefaultMQPullConsumer second = env.pull(group);
        env.await(() -> "offset 3 in the store", 30, () -> second.fetchConsumeOffset(queue, true) == 3);
        long other = env.pull(env.group("other")).fetchConsumeOffset(queue, true);
        Check.that(other <= 0, "another group has offset " + other);
    }

    private static void leave(Env env) throws Exception {
        env.createByFirstSend();
        Env.Inbox inbox = new Env.Inbox();
        DefaultMQPushConsumer a = env.push(env.group("c"), "*", MessageModel.CLUSTERING, inbox);
        DefaultMQPushConsumer b = env.push(env.group("c"), "*", MessageModel.CLUSTERING, inbox);
        env.await(() -> "two members with two queues each", 60, () -> owned(env, a) == 2 && owned(env, b) == 2);
        a.shutdown();
        env.await(() -> "the other member has all queues", 60, () -> owned(env, b) == 4);
        inbox.awaitExactly(env, env.send("", "rest", 40), 40);
    }

    private static long owned(Env env, DefaultMQPushConsumer consumer) {
        return consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable().keySet().stream()
            .filter(queue -> queue.getTopic().equals(env.topic())).count();
    }

    private static void suspend(Env env) throws Exception {
        env.createByFirstSend();
        MessageQueue queue = env.queues().get(1);
        for (int i = 0; i < 6; i++) {
            Env.producer().send(env.message("", "s" + i), queue);
        }
        List<String> log = Collections.synchronizedList(new ArrayList<>());
        AtomicInteger refusals = new AtomicInteger(2);
        DefaultMQPushConsumer consumer = env.newPush(env.group("c"), "*");
        consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
            String body = text(messages.get(0));
            if (body.equals(Env.PRIMER)) {
                return ConsumeOrderlyStatus.SUCCESS;
            }
            log.add(body);
            if (body.equals("s2") && refusals.getAndDecrement() > 0) {
                context.setSuspendCurrentQueueTimeMillis(200);
                return ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT;
            }
            return ConsumeOrderlyStatus.SUCCESS;
        });
        env.start(consumer);
        env.await(() -> "8 deliveries, so far " + log, 50, () -> log.size() >= 8);
        Check.equal(List.of("s0", "s1", "s2", "s2", "s2", "s3", "s4", "s5"), List.copyOf(log), "deliveries");
    }

    private static void failingListener(Env env) throws Exception {
        env.createByFirstSend();
        ConcurrentLinkedQueue<Integer> counts = new ConcurrentLinkedQueue<>();
        DefaultMQPushConsumer consumer = env.newPush(env.group("c"), "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            MessageExt message = messages.get(0);
            if (text(message).equals(Env.PRIMER)) {
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            }
            counts.add(message.getReconsumeTimes());
            context.setDelayLevelWhenNextConsume(1);
            if (message.getReconsumeTimes() == 0) {
                throw new IllegalStateException("meant");
            }
            return message.getReconsumeTimes() == 1 ? null : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        env.start(consumer);
        SendResult sent = Env.producer().send(env.message("", "fails"));
        env.await(() -> "three deliveries of " + sent.getMsgId() + ", so far " + counts, 70, () -> counts.size() >= 3);
        Check.equal(List.of(0, 1, 2), List.copyOf(counts), "counts");
    }
}
