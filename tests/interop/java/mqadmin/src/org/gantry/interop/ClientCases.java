package org.gantry.interop;

import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.Message;

/** Connected producers and consumers. */
final class ClientCases {
    private ClientCases() { }

    static void add(Suite<Env> suite) {
        suite.add("mqadmin_clients_producer", 60, ClientCases::producer);
        suite.add("mqadmin_clients_consumer", 90, ClientCases::consumer);
        suite.add("mqadmin_clients_monitoring", 60, ClientCases::monitoring);
    }

    private static void producer(Env env) throws Exception {
        String topic = env.createTopic();
        DefaultMQProducer producer = env.producer();
        producer.send(new Message(topic, "x".getBytes()));
        producer.getDefaultMQProducerImpl().getmQClientFactory().sendHeartbeatToAllBrokerWithLock();
        Tool.await(env, producer.getDefaultMQProducerImpl().getmQClientFactory().getClientId(), "producerConnection", "-g", producer.getProducerGroup(), "-t", topic);
        Tool.await(env, producer.getProducerGroup(), "producer", "-b", Tool.brokerAddr());
        Tool.expect(List.of("not exist"), "producerConnection", "-g", env.group("absent"), "-t", topic);
    }

    private static void consumer(Env env) throws Exception {
        String topic = env.createTopic();
        String group = env.group("c");
        AtomicInteger got = new AtomicInteger();
        DefaultMQPushConsumer consumer = env.push(group, topic, got);
        env.send(topic, 2);
        env.await(() -> "messages, got " + got, 20, () -> got.get() == 2);
        String id = consumer.getDefaultMQPushConsumerImpl().getmQClientFactory().getClientId();
        Tool.expect(List.of(id, "MessageModel: CLUSTERING", topic), "consumerConnection", "-g", group);
        Tool.expect(List.of(id), "consumerStatus", "-g", group);
        Tool.expect(List.of("Consumer Subscription", topic), "consumerStatus", "-g", group, "-i", id);
        // Members are told to begin again.
        // Not before both queues have a committed offset.
        Tool.await(env, Tool.brokerName(), "resetOffsetByTime", "-g", group, "-t", topic, "-s", "0", "-f", "true");
        env.await(() -> "both messages again, got " + got, 60, () -> got.get() >= 4);
        Tool.expect(List.of("CODE: 17 "), "consumerConnection", "-g", env.group("absent"));
    }

    private static void monitoring(Env env) throws Exception {
        String said = Tool.run("startMonitoring");
        Check.that(!said.contains("Exception"), Tool.brief(said));
    }
}
