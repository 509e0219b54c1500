package org.gantry.interop;

import com.alibaba.rocketmq.client.consumer.DefaultMQPullConsumer;
import com.alibaba.rocketmq.client.consumer.DefaultMQPushConsumer;
import com.alibaba.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import com.alibaba.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import com.alibaba.rocketmq.client.exception.MQClientException;
import com.alibaba.rocketmq.client.producer.DefaultMQProducer;
import com.alibaba.rocketmq.client.producer.SendResult;
import com.alibaba.rocketmq.client.producer.SendStatus;
import com.alibaba.rocketmq.common.consumer.ConsumeFromWhere;
import com.alibaba.rocketmq.common.message.Message;
import com.alibaba.rocketmq.common.message.MessageExt;
import com.alibaba.rocketmq.common.message.MessageQueue;
import com.alibaba.rocketmq.common.protocol.heartbeat.MessageModel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/** Clients of the 3.x library for one case. Their VIP channel is on, as it is by default in 3.x. */
final class Env extends CaseEnv {
    static final String PRIMER = "primer";

    private static final AtomicInteger instances = new AtomicInteger();
    private static DefaultMQProducer shared;

    Env(String name) {
        super(name);
    }

    static synchronized DefaultMQProducer producer() throws MQClientException {
        if (shared == null) {
            shared = new DefaultMQProducer("g_" + RUN + "_shared");
            shared.setSendMsgTimeout(15_000 * PATIENCE);
            shared.setRetryTimesWhenSendFailed(0);
            shared.start();
            Check.that(shared.isVipChannelEnabled(), "the VIP channel of a 3.x client is not on");
        }
        return shared;
    }

    /** Counts bodies; may listen for several consumers. */
    static final class Inbox implements MessageListenerConcurrently {
        final ConcurrentHashMap<String, AtomicInteger> counts = new ConcurrentHashMap<>();

        @Override
        public ConsumeConcurrentlyStatus consumeMessage(List<MessageExt> messages,
            com.alibaba.rocketmq.client.consumer.listener.ConsumeConcurrentlyContext context) {
            for (MessageExt message : messages) {
                String body = new String(message.getBody(), StandardCharsets.UTF_8);
                if (!body.equals(PRIMER)) {
                    counts.computeIfAbsent(body, key -> new AtomicInteger()).incrementAndGet();
                }
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        }

        void awaitExactly(Env env, Collection<String> bodies, int deadlineS) throws Exception {
            env.await(() -> counts.size() + " of " + bodies.size() + " messages", deadlineS,
                () -> counts.keySet().containsAll(bodies));
            Thread.sleep(1_000);
            Check.equal(bodies.size(), counts.size(), "number of different messages");
            counts.forEach((body, count) -> Check.equal(1, count.get(), "deliveries of " + body));
        }
    }

    DefaultMQPushConsumer newPush(String group, String expression) throws MQClientException {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group);
        // All 3.x clients of a process are one client to the broker unless they are named.
        consumer.setInstanceName(RUN + "_" + instances.incrementAndGet());
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setHeartbeatBrokerInterval(5_000);
        consumer.setConsumeThreadMin(2);
        consumer.setConsumeThreadMax(2);
        consumer.subscribe(topic(), expression);
        return consumer;
    }

    DefaultMQPushConsumer push(String group, String expression, MessageModel model, Inbox inbox) throws MQClientException {
        DefaultMQPushConsumer consumer = newPush(group, expression);
        consumer.setMessageModel(model);
        consumer.registerMessageListener(inbox);
        return start(consumer);
    }

    DefaultMQPushConsumer start(DefaultMQPushConsumer consumer) throws MQClientException {
        consumer.start();
        onClose(consumer::shutdown);
        return consumer;
    }

    DefaultMQPullConsumer pull(String group) throws MQClientException {
        DefaultMQPullConsumer consumer = new DefaultMQPullConsumer(group);
        consumer.setInstanceName(RUN + "_" + instances.incrementAndGet());
        consumer.start();
        onClose(consumer::shutdown);
        return consumer;
    }

    void createByFirstSend() throws Exception {
        producer().send(message("", PRIMER));
        await(() -> "route of " + topic(), 15, () -> {
            try {
                return !queues().isEmpty();
            } catch (MQClientException e) {
                return false;
            }
        });
    }

    List<MessageQueue> queues() throws MQClientException {
        List<MessageQueue> queues = new ArrayList<>(producer().fetchPublishMessageQueues(topic()));
        queues.sort(null);
        return queues;
    }

    Message message(String tags, String body) {
        return new Message(topic(), tags, body.getBytes(StandardCharsets.UTF_8));
    }

    List<String> send(String tags, String prefix, int count) throws Exception {
        List<String> bodies = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            SendResult result = producer().send(message(tags, prefix + i));
            Check.equal(SendStatus.SEND_OK, result.getSendStatus(), "status of " + prefix + i);
            bodies.add(prefix + i);
        }
        return bodies;
    }
}
