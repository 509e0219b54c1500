package org.gantry.interop;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Redelivery, dead letters, delayed and transactional messages. */
final class RetryCases {
    private RetryCases() { }

    static void add(Suite<Env> suite) {
        suite.add("retry_later_then_dead_letter", 120, RetryCases::retryThenDead);
        suite.add("delay_level", 60, RetryCases::delay);
        suite.add("transaction_commit_and_rollback", 60, RetryCases::transaction);
    }

    /** A refused message comes again with its count and topic; after the last try it is in the dead-letter queue. */
    private static void retryThenDead(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        String group = env.group("c");
        ConcurrentLinkedQueue<String> tries = new ConcurrentLinkedQueue<>();
        // The broker makes the group's retry topic with the first heartbeat; a member that finds it at its start reads
        // it at once, others only after the next look at the routes.
        DefaultMQPushConsumer scout = env.push(group, env.topic(), "Nothing", new Inbox());
        env.await(() -> "route of the retry topic", 15, () -> Env.hasRoute("%RETRY%" + group));
        scout.shutdown();
        DefaultMQPushConsumer consumer = env.newPush(group);
        consumer.setMaxReconsumeTimes(2);
        consumer.subscribe(env.topic(), "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            MessageExt message = messages.get(0);
            String body = new String(message.getBody(), StandardCharsets.UTF_8);
            if (body.equals(Inbox.PRIMER)) {
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            }
            tries.add(body + " " + message.getReconsumeTimes() + " " + message.getTopic() + " " + message.getTags());
            context.setDelayLevelWhenNextConsume(1);
            return ConsumeConcurrentlyStatus.RECONSUME_LATER;
        });
        env.start(consumer);
        env.send(env.topic(), "TagA", "bad", 1);
        env.await(() -> "three tries, so far " + tries, 90, () -> tries.size() >= 3);
        String rest = " " + env.topic() + " TagA";
        Check.equal(List.of("bad0 0" + rest, "bad0 1" + rest, "bad0 2" + rest), List.copyOf(tries), "tries");

        String dead = "%DLQ%" + group;
        env.await(() -> "route of the dead-letter topic", 20, () -> Env.hasRoute(dead));
        env.awaitMessages(dead, 1);
        MessageQueue queue = Env.queues(dead).get(0);
        MessageExt letter = env.pull(env.group("pull")).pull(queue, "*", 0, 1).getMsgFoundList().get(0);
        Check.equal("bad0", new String(letter.getBody(), StandardCharsets.UTF_8), "body of the dead letter");
        Check.equal(env.topic(), letter.getProperty("RETRY_TOPIC"), "topic where the dead letter came from");
    }

    private static void delay(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer consumer = env.push(env.group("c"), env.topic(), "*", inbox);
        PushCases.awaitShared(env, 40, consumer);
        Message message = Env.message(env.topic(), "TagA", "late");
        message.setDelayTimeLevel(2);
        long sent = System.currentTimeMillis();
        Env.producer().send(message);
        inbox.awaitExactly(env, List.of("late"), 15);
        long tookMs = inbox.only("late").getStoreTimestamp() - sent;
        Check.that(tookMs >= 4_900 && tookMs < 8_000, "level 2 means 5 s, the message was stored after " + tookMs + " ms");
    }

    private static void transaction(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        Inbox inbox = new Inbox();
        env.push(env.group("c"), env.topic(), "*", inbox);
        TransactionMQProducer producer = new TransactionMQProducer(env.group("tx"));
        producer.setSendMsgTimeout(15_000 * Env.PATIENCE);
        AtomicInteger calls = new AtomicInteger();
        producer.setTransactionListener(new TransactionListener() {
            @Override
            public LocalTransactionState executeLocalTransaction(Message message, Object commit) {
                calls.incrementAndGet();
                return (Boolean) commit ? LocalTransactionState.COMMIT_MESSAGE : LocalTransactionState.ROLLBACK_MESSAGE;
            }

            @Override
            public LocalTransactionState checkLocalTransaction(MessageExt message) {
                return LocalTransactionState.UNKNOW;
            }
        });
        producer.start();
        env.onClose(producer::shutdown);
        for (int i = 0; i < 5; i++) {
            producer.sendMessageInTransaction(Env.message(env.topic(), "TagA", "rolled-back" + i), false);
            producer.sendMessageInTransaction(Env.message(env.topic(), "TagA", "committed" + i), true);
        }
        Check.equal(10, calls.get(), "local transactions");
        inbox.awaitExactly(env, List.of("committed0", "committed1", "committed2", "committed3", "committed4"), 40);
    }
}
