package org.gantry.interop;

import com.alibaba.rocketmq.client.consumer.DefaultMQPushConsumer;
import com.alibaba.rocketmq.client.consumer.MQPullConsumer;
import com.alibaba.rocketmq.client.consumer.MQPullConsumerScheduleService;
import com.alibaba.rocketmq.client.consumer.PullResult;
import com.alibaba.rocketmq.client.consumer.PullStatus;
import com.alibaba.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import com.alibaba.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import com.alibaba.rocketmq.client.producer.LocalTransactionState;
import com.alibaba.rocketmq.client.producer.SendResult;
import com.alibaba.rocketmq.client.producer.TransactionMQProducer;
import com.alibaba.rocketmq.common.message.Message;
import com.alibaba.rocketmq.common.message.MessageExt;
import com.alibaba.rocketmq.common.message.MessageQueue;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;

/** Redelivery, delay, transactions and further ways to consume with the 3.x client. */
final class FeatureCases {
    private FeatureCases() { }

    static void add(Suite<Env> suite) {
        suite.add("old_retry_then_dead_letter", 120, FeatureCases::retry);
        suite.add("old_delay_level", 60, FeatureCases::delay);
        suite.add("old_transaction", 60, FeatureCases::transaction);
        suite.add("old_consume_batch", 60, FeatureCases::batch);
        suite.add("old_pull_schedule_service", 60, FeatureCases::scheduleService);
        suite.add("old_view_by_offset_id", 60, FeatureCases::view);
    }

    private static String text(Message message) {
        return new String(message.getBody(), StandardCharsets.UTF_8);
    }

    private static boolean hasRoute(String topic) {
        try {
            return !Env.producer().fetchPublishMessageQueues(topic).isEmpty();
        } catch (com.alibaba.rocketmq.client.exception.MQClientException e) {
            return false;
        }
    }

    private static void retry(Env env) throws Exception {
        env.createByFirstSend();
        String group = env.group("c");
        DefaultMQPushConsumer scout = env.newPush(group, "Nothing");
        scout.registerMessageListener(new Env.Inbox());
        env.start(scout);
        env.await(() -> "route of the retry topic", 15, () -> hasRoute("%RETRY%" + group));
        scout.shutdown();
        ConcurrentLinkedQueue<String> tries = new ConcurrentLinkedQueue<>();
        DefaultMQPushConsumer consumer = env.newPush(group, "*");
        consumer.setMaxReconsumeTimes(1);
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            MessageExt message = messages.get(0);
            if (text(message).equals(Env.PRIMER)) {
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            }
            tries.add(text(message) + " " + message.getReconsumeTimes() + " " + message.getTopic());
            context.setDelayLevelWhenNextConsume(1);
            return ConsumeConcurrentlyStatus.RECONSUME_LATER;
        });
        env.start(consumer);
        env.send("TagA", "bad", 1);
        env.await(() -> "two tries, so far " + tries, 60, () -> tries.size() >= 2);
        Check.equal(List.of("bad0 0 " + env.topic(), "bad0 1 " + env.topic()), List.copyOf(tries), "tries");
        env.await(() -> "route of the dead-letter topic", 20, () -> hasRoute("%DLQ%" + group));
        MessageQueue queue = Env.producer().fetchPublishMessageQueues("%DLQ%" + group).get(0);
        env.await(() -> "the dead letter", 20, () -> Env.producer().maxOffset(queue) == 1);
        Check.equal("bad0", text(env.pull(env.group("pull")).pull(queue, "*", 0, 1).getMsgFoundList().get(0)), "body of the dead letter");
    }

    private static void delay(Env env) throws Exception {
        env.createByFirstSend();
        Message message = env.message("TagA", "late");
        message.setDelayTimeLevel(1);
        long sent = System.currentTimeMillis();
        Env.producer().send(message);
        ConcurrentLinkedQueue<MessageExt> got = new ConcurrentLinkedQueue<>();
        DefaultMQPushConsumer consumer = env.newPush(env.group("c"), "TagA");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            got.addAll(messages);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        env.start(consumer);
        env.await(() -> "the delayed message", 40, () -> !got.isEmpty());
        long tookMs = got.peek().getStoreTimestamp() - sent;
        Check.that(tookMs >= 900 && tookMs < 4_000, "level 1 means 1 s, the message was stored after " + tookMs + " ms");
    }

    private static void transaction(Env env) throws Exception {
        env.createByFirstSend();
        Env.Inbox inbox = new Env.Inbox();
        DefaultMQPushConsumer consumer = env.newPush(env.group("c"), "*");
        consumer.registerMessageListener(inbox);
        env.start(consumer);
        TransactionMQProducer producer = new TransactionMQProducer(env.group("tx"));
        producer.setInstanceName(env.group("tx"));
        producer.setSendMsgTimeout(15_000 * Env.PATIENCE);
        producer.setHeartbeatBrokerInterval(1_000);
        producer.setTransactionCheckListener(message -> text(message).startsWith("committed")
            ? LocalTransactionState.COMMIT_MESSAGE : LocalTransactionState.ROLLBACK_MESSAGE);
        producer.start();
        env.onClose(producer::shutdown);
        send(env, producer, "committed", LocalTransactionState.COMMIT_MESSAGE);
        send(env, producer, "rolled-back", LocalTransactionState.ROLLBACK_MESSAGE);
        send(env, producer, "committed-later", LocalTransactionState.UNKNOW);
        send(env, producer, "rolled-back-later", LocalTransactionState.UNKNOW);
        inbox.awaitExactly(env, List.of("committed", "committed-later"), 40);
    }

    private static void send(Env env, TransactionMQProducer producer, String body, LocalTransactionState state) throws Exception {
        producer.sendMessageInTransaction(env.message("TagA", body), (message, argument) -> state, null);
    }

    private static void batch(Env env) throws Exception {
        env.createByFirstSend();
        List<String> bodies = env.send("", "m", 100);
        Env.Inbox inbox = new Env.Inbox();
        ConcurrentLinkedQueue<Integer> sizes = new ConcurrentLinkedQueue<>();
        DefaultMQPushConsumer consumer = env.newPush(env.group("c"), "*");
        consumer.setConsumeMessageBatchMaxSize(5);
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            sizes.add(messages.size());
            return inbox.consumeMessage(messages, context);
        });
        env.start(consumer);
        inbox.awaitExactly(env, bodies, 40);
        Check.equal(5, Collections.max(sizes), "largest batch");
    }

    private static void scheduleService(Env env) throws Exception {
        env.createByFirstSend();
        List<String> bodies = env.send("", "m", 40);
        Env.Inbox inbox = new Env.Inbox();
        MQPullConsumerScheduleService service = new MQPullConsumerScheduleService(env.group("c"));
        service.getDefaultMQPullConsumer().setInstanceName(env.group("c"));
        service.getDefaultMQPullConsumer().setRegisterTopics(new HashSet<>(List.of(env.topic())));
        service.setMessageModel(com.alibaba.rocketmq.common.protocol.heartbeat.MessageModel.CLUSTERING);
        service.registerPullTaskCallback(env.topic(), (queue, context) -> {
            MQPullConsumer consumer = context.getPullConsumer();
            context.setPullNextDelayTimeMillis(100);
            try {
                PullResult result = consumer.pull(queue, "*", Math.max(0, consumer.fetchConsumeOffset(queue, false)), 32);
                if (result.getPullStatus() == PullStatus.FOUND) {
                    inbox.consumeMessage(result.getMsgFoundList(), null);
                }
                consumer.updateConsumeOffset(queue, result.getNextBeginOffset());
            } catch (Exception e) {
                // The next call tries again.
            }
        });
        service.start();
        env.onClose(service::shutdown);
        inbox.awaitExactly(env, bodies, 40);
    }

    private static void view(Env env) throws Exception {
        env.createByFirstSend();
        SendResult sent = Env.producer().send(env.message("TagA", "view"));
        MessageExt found = Env.producer().viewMessage(sent.getOffsetMsgId());
        Check.equal("view", text(found), "body by offset id");
        Check.equal(sent.getQueueOffset(), found.getQueueOffset(), "queue offset by offset id");
    }
}
