package org.gantry.interop;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;

/** Producers that gather single messages into batches by themselves. */
final class AutoBatchCases {
    private static final int SENDERS = 8;
    private static final int EACH = 50;

    private AutoBatchCases() { }

    static void add(Suite<Env> suite) {
        suite.add("send_auto_batch", 60, AutoBatchCases::autoBatch);
    }

    /** Every sender gets a place of its own for its message, and each message comes once. */
    private static void autoBatch(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        DefaultMQProducer producer = env.newProducer();
        producer.setAutoBatch(true);
        producer.batchMaxDelayMs(20);
        env.start(producer);
        ExecutorService senders = Executors.newFixedThreadPool(SENDERS);
        env.onClose(senders::shutdownNow);
        List<Future<SendResult>> results = new ArrayList<>();
        List<String> bodies = new ArrayList<>();
        for (int i = 0; i < SENDERS * EACH; i++) {
            String body = "gathered" + i;
            bodies.add(body);
            results.add(senders.submit(() -> producer.send(Env.message(env.topic(), "TagA", body))));
        }
        Map<Integer, Set<Long>> places = new TreeMap<>();
        for (Future<SendResult> result : results) {
            SendResult sent = result.get();
            Check.equal(SendStatus.SEND_OK, sent.getSendStatus(), "status");
            Check.that(places.computeIfAbsent(sent.getMessageQueue().getQueueId(), id -> new TreeSet<>()).add(sent.getQueueOffset()),
                "two messages at offset " + sent.getQueueOffset() + " of " + sent.getMessageQueue());
        }
        Inbox inbox = new Inbox();
        env.push(env.group("c"), env.topic(), "TagA", inbox);
        inbox.awaitExactly(env, bodies, 40);
    }
}
