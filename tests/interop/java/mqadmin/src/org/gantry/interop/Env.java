package org.gantry.interop;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueAveragely;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;

/** What one case works with. */
final class Env extends CaseEnv {
    private int names;

    Env(String name) {
        super(name);
    }

    /** Makes the case's topic with two queues. */
    String createTopic() throws Exception {
        return createTopic(topic());
    }

    String createTopic(String topic) throws Exception {
        Tool.expect(List.of("create topic to " + Tool.brokerAddr() + " success."), "updateTopic", "-b", Tool.brokerAddr(), "-t", topic, "-r", "2", "-w", "2");
        Tool.await(this, "\"writeQueueNums\":2", "topicRoute", "-t", topic);
        return topic;
    }

    DefaultMQProducer producer() throws MQClientException {
        DefaultMQProducer producer = new DefaultMQProducer(group("p" + names), Acl.HOOK);
        producer.setInstanceName("i" + RUN + names++);
        producer.setNamesrvAddr(NAMESRV_ADDR);
        producer.setSendMsgTimeout(10_000);
        producer.start();
        onClose(producer::shutdown);
        return producer;
    }

    /** Sends to queue 0 and returns what was sent last. */
    SendResult send(String topic, int count) throws Exception {
        DefaultMQProducer producer = producer();
        SendResult last = null;
        for (int i = 0; i < count; i++) {
            Message message = new Message(topic, "TagA", "key" + i, ("body" + i).getBytes(StandardCharsets.UTF_8));
            last = producer.send(message, new MessageQueue(topic, Tool.brokerName(), 0));
        }
        return last;
    }

    /** A push consumer that counts what it gets. */
    DefaultMQPushConsumer push(String group, String topic, AtomicInteger count) throws MQClientException {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group, Acl.HOOK, new AllocateMessageQueueAveragely());
        consumer.setInstanceName("i" + RUN + names++);
        consumer.setNamesrvAddr(NAMESRV_ADDR);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setPersistConsumerOffsetInterval(500);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            count.addAndGet(messages.size());
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        onClose(consumer::shutdown);
        return consumer;
    }

    /** Sends, lets a group consume everything, ends it, and returns its name. */
    String consumed(String topic, int count) throws Exception {
        String group = group("c");
        AtomicInteger got = new AtomicInteger();
        send(topic, count);
        DefaultMQPushConsumer consumer = push(group, topic, got);
        await(() -> count + " messages, got " + got, 20, () -> got.get() >= count);
        consumer.shutdown();
        return group;
    }
}
