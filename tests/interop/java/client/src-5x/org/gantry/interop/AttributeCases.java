package org.gantry.interop;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.message.Message;

/** Attributes of topics, and what a topic of type PRIORITY does. */
final class AttributeCases {
    static final int QUEUES = 4;
    private static final int CALL_MS = 20_000;

    private AttributeCases() { }

    private static String broker() throws Exception {
        return Env.brokerAddress(Env.queues("TBW102").get(0));
    }

    static void add(Suite<Env> suite) {
        suite.add("topic_attributes", 60, AttributeCases::attributes);
        suite.add("topic_attributes_refused", 60, AttributeCases::refused);
        suite.add("send_priority", 60, AttributeCases::priority);
    }

    static void update(Env env, String... keysAndValues) throws Exception {
        TopicConfig config = new TopicConfig(env.topic());
        config.setReadQueueNums(QUEUES);
        config.setWriteQueueNums(QUEUES);
        Map<String, String> attributes = new HashMap<>();
        for (int i = 0; i < keysAndValues.length; i += 2) {
            attributes.put(keysAndValues[i], keysAndValues[i + 1]);
        }
        config.setAttributes(attributes);
        Env.api().createTopic(broker(), "TBW102", config, CALL_MS);
    }

    private static Map<String, String> shown(Env env) throws Exception {
        return Env.api().getTopicConfig(broker(), env.topic(), CALL_MS).getAttributes();
    }

    private static void attributes(Env env) throws Exception {
        update(env, "+message.type", "FIFO", "+reserve.time", "60000");
        Check.equal(Map.of("message.type", "FIFO", "reserve.time", "60000"), shown(env), "of a new topic");
        update(env);
        Check.equal(Map.of("message.type", "FIFO", "reserve.time", "60000"), shown(env), "after a change that names none");
        update(env, "+message.type", "DELAY", "-reserve.time", "");
        Check.equal(Map.of("message.type", "DELAY"), shown(env), "after a change");
    }

    private static void refusal(Env env, String... keysAndValues) throws Exception {
        try {
            update(env, keysAndValues);
        } catch (MQBrokerException | MQClientException e) {
            return;
        }
        throw new CheckFailed("taken: " + List.of(keysAndValues));
    }

    private static void refused(Env env) throws Exception {
        refusal(env, "+message.type", "SQUARE");
        refusal(env, "+colour", "green");
        refusal(env, "+message.type", "MIXED");
        refusal(env, "+reserve.time", "-2");
        refusal(env, "-message.type", "");
        update(env, "+message.type", "FIFO");
        refusal(env, "+queue.type", "SimpleCQ");
        refusal(env, "-reserve.time", "");
        Check.equal(Map.of("message.type", "FIFO"), shown(env), "after the refusals");
    }

    /** A priority names the queue, whatever the sender chose; beyond the last it is the last. */
    private static void priority(Env env) throws Exception {
        update(env, "+message.type", "PRIORITY");
        env.await(() -> "route of " + env.topic(), 60, () -> Env.hasRoute(env.topic()));
        for (int priority : List.of(0, 2, 3, 9)) {
            Message message = new Message(env.topic(), ("p" + priority).getBytes(StandardCharsets.UTF_8));
            message.setPriority(priority);
            SendResult sent = Env.producer().send(message, Env.queues(env.topic()).get(1));
            Check.equal(Math.min(priority, QUEUES - 1), sent.getMessageQueue().getQueueId(), "queue of priority " + priority);
        }
    }

    /** The bodies by the queue that they lie in, the highest first. */
    static List<String> sentByPriority(Env env, int rounds) throws Exception {
        List<String> bodies = new ArrayList<>();
        for (int round = 0; round < rounds; round++) {
            for (int priority = 0; priority < QUEUES; priority++) {
                String body = priority + "-" + round;
                Message message = new Message(env.topic(), body.getBytes(StandardCharsets.UTF_8));
                message.setPriority(priority);
                Env.producer().send(message);
                bodies.add(body);
            }
        }
        bodies.sort(Comparator.comparing((String body) -> body.charAt(0)).reversed());
        return bodies;
    }
}
