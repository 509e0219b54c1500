package org.gantry.interop;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueAveragely;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.impl.MQClientAPIImpl;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;

/** What one case works with: names of its own, clients that are shut down when it ends, and waiting. */
final class Env extends CaseEnv {
    /** For calls other than sends; the clients' own 3 s are short for a loaded machine that starts 16 cases at once. */
    private static final int CALL_TIMEOUT_MS = 10_000;

    private static DefaultMQProducer shared;

    private int producers;

    Env(String name) {
        super(name);
    }

    /** The producer that all cases share. A failed send is reported, never retried, so a duplicate is the broker's. */
    static synchronized DefaultMQProducer producer() throws MQClientException {
        if (shared == null) {
            shared = configured(new DefaultMQProducer("g_" + RUN + "_shared", Acl.HOOK));
            shared.start();
        }
        return shared;
    }

    /**
     * Loads and connects what all cases share before they start side by side: the client gives up on a route when it
     * has waited 3 s for its lock, which a cold JVM on a busy machine needs for 16 first sends at once. What goes wrong
     * here is left to the cases to report.
     */
    static void warmUp() {
        try {
            producer().send(message("it_" + RUN + "_warm_up", "", Inbox.PRIMER));
        } catch (Exception e) {
            System.err.println("warm-up: " + e);
        }
    }

    static synchronized void closeShared() {
        if (shared != null) {
            shared.shutdown();
        }
    }

    private static DefaultMQProducer configured(DefaultMQProducer producer) {
        producer.setSendMsgTimeout(15_000 * PATIENCE);
        producer.setMqClientApiTimeout(CALL_TIMEOUT_MS);
        producer.setRetryTimesWhenSendFailed(0);
        producer.setRetryTimesWhenSendAsyncFailed(0);
        return producer;
    }

    /** A producer of the case's own, not started yet. */
    DefaultMQProducer newProducer() {
        return configured(new DefaultMQProducer(group("producer" + producers++), Acl.HOOK));
    }

    DefaultMQProducer start(DefaultMQProducer producer) throws MQClientException {
        producer.start();
        onClose(producer::shutdown);
        return producer;
    }

    /**
     * A push consumer from the first offset on, not started yet. Clients now and then skip the heartbeat that announces
     * a changed subscription, and the broker then refuses their pulls until the next one: 30 s by default.
     */
    DefaultMQPushConsumer newPush(String group) {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group, Acl.HOOK, new AllocateMessageQueueAveragely());
        consumer.setHeartbeatBrokerInterval(5_000);
        consumer.setMqClientApiTimeout(CALL_TIMEOUT_MS);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setConsumeThreadMin(2);
        consumer.setConsumeThreadMax(2);
        consumer.setAwaitTerminationMillisWhenShutdown(5_000);
        return consumer;
    }

    DefaultMQPushConsumer start(DefaultMQPushConsumer consumer) throws MQClientException {
        consumer.start();
        onClose(consumer::shutdown);
        return consumer;
    }

    /** A started push consumer that puts what `expression` selects into `inbox`. */
    DefaultMQPushConsumer push(String group, String topic, String expression, Inbox inbox) throws MQClientException {
        DefaultMQPushConsumer consumer = newPush(group);
        consumer.subscribe(topic, expression);
        consumer.registerMessageListener(inbox);
        return start(consumer);
    }

    DefaultMQPullConsumer pull(String group) throws MQClientException {
        DefaultMQPullConsumer consumer = new DefaultMQPullConsumer(group, Acl.HOOK);
        consumer.start();
        onClose(consumer::shutdown);
        return consumer;
    }

    /** Makes the broker create `topic` by a first message (which Inbox ignores), waits until both are visible. */
    void createByFirstSend(String topic) throws Exception {
        producer().send(new Message(topic, Inbox.PRIMER.getBytes(StandardCharsets.UTF_8)));
        await(() -> "route of " + topic, 15, () -> hasRoute(topic));
        awaitMessages(topic, 1);
    }

    static boolean hasRoute(String topic) throws MQClientException {
        try {
            return !producer().fetchPublishMessageQueues(topic).isEmpty();
        } catch (MQClientException e) {
            return false;
        }
    }

    /** The topic's queues, sorted by id. */
    static List<MessageQueue> queues(String topic) throws MQClientException {
        List<MessageQueue> queues = new ArrayList<>(producer().fetchPublishMessageQueues(topic));
        queues.sort(null);
        return queues;
    }

    /** Number of messages in all queues of the topic. */
    static long messages(String topic) throws MQClientException {
        long sum = 0;
        for (MessageQueue queue : queues(topic)) {
            sum += producer().maxOffset(queue) - producer().minOffset(queue);
        }
        return sum;
    }

    /** Acknowledged messages become countable a moment later: RocketMQ builds its queue index behind the log. */
    void awaitMessages(String topic, long expected) throws Exception {
        await(() -> expected + " messages in the queues of " + topic, 10, () -> messages(topic) >= expected);
        Check.equal(expected, messages(topic), "messages in the queues of " + topic);
    }

    /** Sends `prefix`0 .. `prefix`count-1 round robin and returns these bodies. */
    List<String> send(String topic, String tags, String prefix, int count) throws Exception {
        List<String> bodies = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            String body = prefix + i;
            SendResult result = producer().send(message(topic, tags, body));
            Check.equal(SendStatus.SEND_OK, result.getSendStatus(), "status of " + body);
            bodies.add(body);
        }
        return bodies;
    }

    /** What tools ask brokers with. */
    static MQClientAPIImpl api() throws MQClientException {
        return producer().getDefaultMQProducerImpl().getMqClientFactory().getMQClientAPIImpl();
    }

    /** host:port of the broker that has the queue. */
    static String brokerAddress(MessageQueue queue) throws MQClientException {
        return producer().getDefaultMQProducerImpl().getMqClientFactory().findBrokerAddressInPublish(queue.getBrokerName());
    }

    static Message message(String topic, String tags, String body) {
        return new Message(topic, tags, body.getBytes(StandardCharsets.UTF_8));
    }
}
