package org.gantry.interop;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyContext;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.common.message.MessageExt;

/** Collects what consumers receive, keyed by body text. Thread-safe; may be shared by several consumers. */
final class Inbox implements MessageListenerConcurrently {
    static final String PRIMER = "primer";

    private static final int SETTLE_MS = 1_000;

    private final ConcurrentHashMap<String, AtomicInteger> counts = new ConcurrentHashMap<>();
    private final ConcurrentLinkedQueue<MessageExt> messages = new ConcurrentLinkedQueue<>();

    @Override
    public ConsumeConcurrentlyStatus consumeMessage(List<MessageExt> batch, ConsumeConcurrentlyContext context) {
        batch.forEach(this::put);
        return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
    }

    void put(MessageExt message) {
        String body = new String(message.getBody(), StandardCharsets.UTF_8);
        if (!body.equals(PRIMER)) {
            counts.computeIfAbsent(body, key -> new AtomicInteger()).incrementAndGet();
            messages.add(message);
        }
    }

    int distinct() {
        return counts.size();
    }

    int count(String body) {
        AtomicInteger count = counts.get(body);
        return count == null ? 0 : count.get();
    }

    Collection<MessageExt> messages() {
        return messages;
    }

    /** The only message with this body. */
    MessageExt only(String body) {
        List<MessageExt> found = new ArrayList<>();
        for (MessageExt message : messages) {
            if (new String(message.getBody(), StandardCharsets.UTF_8).equals(body)) {
                found.add(message);
            }
        }
        Check.equal(1, found.size(), "number of messages with body " + body);
        return found.get(0);
    }

    void awaitAll(Env env, Collection<String> bodies, int deadlineS) throws Exception {
        env.await(() -> missing(bodies) + " of " + bodies.size() + " messages missing", deadlineS,
            () -> counts.keySet().containsAll(bodies));
    }

    /** All of `bodies` arrive, each once, and nothing else does (looked at once more after a pause). */
    void awaitExactly(Env env, Collection<String> bodies, int deadlineS) throws Exception {
        awaitAll(env, bodies, deadlineS);
        Thread.sleep(SETTLE_MS);
        for (Map.Entry<String, AtomicInteger> entry : counts.entrySet()) {
            Check.equal(1, entry.getValue().get(), "deliveries of " + entry.getKey());
        }
        Check.equal(bodies.size(), counts.size(), "number of different messages");
    }

    private long missing(Collection<String> bodies) {
        return bodies.stream().filter(body -> !counts.containsKey(body)).count();
    }
}
