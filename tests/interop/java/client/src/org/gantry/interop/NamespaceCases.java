package org.gantry.interop;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.MessageExt;

/** Clients with a namespace: the same names in two namespaces are different topics and groups. */
final class NamespaceCases {
    private NamespaceCases() { }

    static void add(Suite<Env> suite) {
        suite.add("namespace_separates", 60, NamespaceCases::separates);
        suite.add("namespace_retry_and_dead_letter", 90, NamespaceCases::retry);
    }

    private static DefaultMQProducer producer(Env env, String namespace) throws Exception {
        DefaultMQProducer producer = env.newProducer();
        producer.setInstanceName(env.group(namespace));
        producer.setNamespace(namespace);
        return env.start(producer);
    }

    private static DefaultMQPushConsumer consumer(Env env, String namespace, MessageListenerConcurrently listener) throws Exception {
        DefaultMQPushConsumer consumer = env.newPush(env.group("c"));
        consumer.setInstanceName(env.group(namespace) + System.nanoTime());
        consumer.setNamespace(namespace);
        consumer.subscribe(env.topic(), "*");
        consumer.registerMessageListener(listener);
        return consumer;
    }

    private static void separates(Env env) throws Exception {
        for (String topic : List.of("red%" + env.topic(), "blue%" + env.topic())) {
            env.createByFirstSend(topic);
        }
        Inbox red = new Inbox();
        Inbox blue = new Inbox();
        env.start(consumer(env, "red", red));
        env.start(consumer(env, "blue", blue));
        DefaultMQProducer toRed = producer(env, "red");
        DefaultMQProducer toBlue = producer(env, "blue");
        for (int i = 0; i < 10; i++) {
            SendResult result = toRed.send(Env.message(env.topic(), "", "red" + i));
            Check.equal(env.topic(), result.getMessageQueue().getTopic(), "topic as the producer sees it");
            toBlue.send(Env.message(env.topic(), "", "blue" + i));
        }
        red.awaitExactly(env, java.util.stream.IntStream.range(0, 10).mapToObj(i -> "red" + i).toList(), 40);
        blue.awaitExactly(env, java.util.stream.IntStream.range(0, 10).mapToObj(i -> "blue" + i).toList(), 20);
        Check.equal(env.topic(), red.only("red0").getTopic(), "topic as the consumer sees it");
        Check.equal(11L, Env.messages("red%" + env.topic()), "messages in the topic's real name");
        Check.that(!Env.hasRoute(env.topic()), "there is a topic without its namespace");
    }

    /** Retry and dead-letter topics carry the namespace; the consumer sees its own names. */
    private static void retry(Env env) throws Exception {
        env.createByFirstSend("red%" + env.topic());
        String group = "red%" + env.group("c");
        DefaultMQPushConsumer scout = env.start(consumer(env, "red", new Inbox()));
        env.await(() -> "route of the retry topic", 15, () -> Env.hasRoute("%RETRY%" + group));
        scout.shutdown();
        ConcurrentLinkedQueue<String> tries = new ConcurrentLinkedQueue<>();
        DefaultMQPushConsumer consumer = consumer(env, "red", (messages, context) -> {
            MessageExt message = messages.get(0);
            String body = new String(message.getBody(), StandardCharsets.UTF_8);
            if (body.equals(Inbox.PRIMER)) {
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            }
            tries.add(body + " " + message.getReconsumeTimes() + " " + message.getTopic());
            context.setDelayLevelWhenNextConsume(1);
            return ConsumeConcurrentlyStatus.RECONSUME_LATER;
        });
        consumer.setMaxReconsumeTimes(1);
        env.start(consumer);
        producer(env, "red").send(Env.message(env.topic(), "", "bad"));
        env.await(() -> "two tries, so far " + tries, 60, () -> tries.size() >= 2);
        Check.equal(List.of("bad 0 " + env.topic(), "bad 1 " + env.topic()), List.copyOf(tries), "tries");
        String dead = "%DLQ%" + group;
        env.await(() -> "route of the dead-letter topic", 20, () -> Env.hasRoute(dead));
        env.awaitMessages(dead, 1);
    }
}
