package org.gantry.interop;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueAveragely;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** What clients with message trace tell about their messages is stored and found again. */
final class TraceCases {
    private static final char FIELD = 1;

    private TraceCases() { }

    static void add(Suite<Env> suite) {
        suite.add("trace_stored_and_queryable", 90, env -> trace(env, "RMQ_SYS_TRACE_TOPIC", null));
        suite.add("trace_topic_of_its_own", 90, env -> trace(env, env.topic("trace"), env.topic("trace")));
    }

    private static void trace(Env env, String stored, String configured) throws Exception {
        env.createByFirstSend(env.topic());
        if (configured != null) {
            env.createByFirstSend(configured);
        }
        DefaultMQProducer producer = new DefaultMQProducer(env.group("p"), Acl.HOOK, true, configured);
        producer.setSendMsgTimeout(15_000 * Env.PATIENCE);
        env.start(producer);
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(env.group("c"), Acl.HOOK, new AllocateMessageQueueAveragely(), true, configured);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setHeartbeatBrokerInterval(5_000);
        consumer.subscribe(env.topic(), "*");
        consumer.registerMessageListener(inbox);
        env.start(consumer);
        long begin = System.currentTimeMillis() - 60_000;
        Message message = Env.message(env.topic(), "TagA", "traced");
        message.setKeys("单号1");
        SendResult sent = producer.send(message);
        Check.that(sent.isTraceOn(), "the broker says that traces are off");
        Check.equal("DefaultRegion", sent.getRegionId(), "region");
        inbox.awaitAll(env, List.of("traced"), 40);
        List<String> records = new ArrayList<>();
        env.await(() -> "Pub, SubBefore and SubAfter of " + sent.getMsgId() + ", so far " + records, 40, () -> {
            records.clear();
            records.addAll(records(stored, sent.getMsgId(), begin));
            return List.of("Pub", "SubBefore", "SubAfter").stream()
                .allMatch(kind -> records.stream().anyMatch(record -> record.startsWith(kind + FIELD)));
        });
        String published = records.stream().filter(record -> record.startsWith("Pub" + FIELD)).findFirst().orElseThrow();
        Check.that(published.contains(FIELD + env.topic() + FIELD), "the trace of the send does not name the topic: " + published);
        Check.that(published.contains(FIELD + "单号1" + FIELD), "the trace of the send does not name the key: " + published);
        Check.that(!records(stored, "单号1", begin).isEmpty(), "no trace by the message's key");
    }

    /** The trace records that are stored under `key` and name it. */
    private static List<String> records(String topic, String key, long begin) throws Exception {
        List<String> records = new ArrayList<>();
        try {
            for (MessageExt message : Env.producer().queryMessage(topic, key, 64, begin, System.currentTimeMillis() + 60_000).getMessageList()) {
                for (String record : new String(message.getBody(), StandardCharsets.UTF_8).split("\u0002")) {
                    if (record.contains(key)) {
                        records.add(record);
                    }
                }
            }
        } catch (MQClientException e) {
            // The client reports an empty answer this way.
        }
        return records;
    }
}
