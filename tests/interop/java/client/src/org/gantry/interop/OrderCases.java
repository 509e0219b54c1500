package org.gantry.interop;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyContext;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Orderly consumers and the broker's queue locks. */
final class OrderCases {
    private static final int KEYS = 12;

    private OrderCases() { }

    static void add(Suite<Env> suite) {
        suite.add("orderly_members_change", 150, OrderCases::membersChange);
        suite.add("orderly_suspend_repeats_in_order", 60, OrderCases::suspend);
        suite.add("orderly_lock_taken_over", 150, OrderCases::lockTakenOver);
    }

    /** Bodies are `key:number`; records order per key and whether two threads ever work on one queue at once. */
    private static final class Ledger implements MessageListenerOrderly {
        final Map<String, List<Integer>> seen = new ConcurrentHashMap<>();
        final ConcurrentLinkedQueue<String> faults = new ConcurrentLinkedQueue<>();
        private final Map<Integer, AtomicInteger> busy = new ConcurrentHashMap<>();

        @Override
        public ConsumeOrderlyStatus consumeMessage(List<MessageExt> messages, ConsumeOrderlyContext context) {
            AtomicInteger inQueue = busy.computeIfAbsent(context.getMessageQueue().getQueueId(), id -> new AtomicInteger());
            if (inQueue.incrementAndGet() > 1) {
                faults.add("two consumers at once in " + context.getMessageQueue());
            }
            for (MessageExt message : messages) {
                String body = new String(message.getBody(), StandardCharsets.UTF_8);
                if (!body.equals(Inbox.PRIMER)) {
                    String[] parts = body.split(":");
                    seen.computeIfAbsent(parts[0], key -> new ArrayList<>()).add(Integer.parseInt(parts[1]));
                }
            }
            inQueue.decrementAndGet();
            return ConsumeOrderlyStatus.SUCCESS;
        }

        int total() {
            return seen.values().stream().mapToInt(List::size).sum();
        }

        void checkOrder(int perKey) {
            Check.that(faults.isEmpty(), faults.size() + " faults, first: " + faults.peek());
            for (Map.Entry<String, List<Integer>> entry : seen.entrySet()) {
                List<Integer> numbers = entry.getValue();
                for (int i = 0; i < numbers.size(); i++) {
                    Check.equal(i, numbers.get(i), "position " + i + " of key " + entry.getKey());
                }
                Check.equal(perKey, numbers.size(), "messages of key " + entry.getKey());
            }
        }
    }

    private static void sendKeyed(Env env, int from, int to) throws Exception {
        for (int number = from; number < to; number++) {
            for (int key = 0; key < KEYS; key++) {
                Env.producer().send(Env.message(env.topic(), "", "k" + key + ":" + number),
                    (queues, message, arg) -> queues.get((Integer) arg % queues.size()), key);
            }
        }
    }

    private static DefaultMQPushConsumer orderly(Env env, Ledger ledger) throws Exception {
        DefaultMQPushConsumer consumer = env.newPush(env.group("c"));
        consumer.subscribe(env.topic(), "*");
        consumer.registerMessageListener(ledger);
        return env.start(consumer);
    }

    /** Per key everything comes once and in order, also when members come and go between the sends. */
    private static void membersChange(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        Ledger ledger = new Ledger();
        DefaultMQPushConsumer a = orderly(env, ledger);
        sendKeyed(env, 0, 10);
        env.await(() -> ledger.total() + " of " + 10 * KEYS + " with one member", 60, () -> ledger.total() >= 10 * KEYS);
        DefaultMQPushConsumer b = orderly(env, ledger);
        PushCases.awaitShared(env, 60, a, b);
        sendKeyed(env, 10, 20);
        env.await(() -> ledger.total() + " of " + 20 * KEYS + " with two members", 60, () -> ledger.total() >= 20 * KEYS);
        a.shutdown();
        sendKeyed(env, 20, 30);
        env.await(() -> ledger.total() + " of " + 30 * KEYS + " after one has left", 60, () -> ledger.total() >= 30 * KEYS);
        Thread.sleep(1_000);
        ledger.checkOrder(30);
    }

    /**
     * A queue that another member has locked is not consumed. When that member gives it up it is consumed soon; when the member is
     * silent, as after a crash, 60 s after its last word.
     */
    private static void lockTakenOver(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        List<MessageQueue> queues = Env.queues(env.topic());
        MessageQueue given = queues.get(0);
        MessageQueue silent = queues.get(1);
        String broker = Env.brokerAddress(given);
        long locked = System.nanoTime();
        Check.equal(Set.of(given, silent), Compat.lock(Env.api(), broker, env.group("c"), "10.0.0.1@gone", Set.of(given, silent)), "queues locked");
        Map<Integer, Long> arrived = new ConcurrentHashMap<>();
        DefaultMQPushConsumer consumer = env.newPush(env.group("c"));
        consumer.subscribe(env.topic(), "*");
        consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
            if (!new String(messages.get(0).getBody(), StandardCharsets.UTF_8).equals(Inbox.PRIMER)) {
                arrived.putIfAbsent(context.getMessageQueue().getQueueId(), System.nanoTime());
            }
            return ConsumeOrderlyStatus.SUCCESS;
        });
        for (MessageQueue queue : queues) {
            Env.producer().send(Env.message(env.topic(), "", "m" + queue.getQueueId()), queue);
        }
        env.start(consumer);
        env.await(() -> "the queues that nobody had locked, so far " + arrived.keySet(), 40, () -> arrived.keySet().containsAll(Set.of(2, 3)));
        Check.equal(Set.of(2, 3), Set.copyOf(arrived.keySet()), "queues consumed while others were locked");
        Compat.unlock(Env.api(), broker, env.group("c"), "10.0.0.1@gone", Set.of(given));
        env.await(() -> "the queue that was given up, so far " + arrived.keySet(), 50, () -> arrived.containsKey(given.getQueueId()));
        env.await(() -> "the queue of the silent member, so far " + arrived.keySet(), 100, () -> arrived.containsKey(silent.getQueueId()));
        long heldS = TimeUnit.NANOSECONDS.toSeconds(arrived.get(silent.getQueueId()) - locked);
        Check.that(heldS >= 59, "the queue of the silent member was taken after " + heldS + " s");
    }

    /** A suspended queue repeats the same message before any later one. */
    private static void suspend(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        List<String> log = java.util.Collections.synchronizedList(new ArrayList<>());
        AtomicInteger refusals = new AtomicInteger(2);
        DefaultMQPushConsumer consumer = env.newPush(env.group("c"));
        consumer.setSuspendCurrentQueueTimeMillis(200);
        consumer.subscribe(env.topic(), "*");
        consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
            String body = new String(messages.get(0).getBody(), StandardCharsets.UTF_8);
            if (body.equals(Inbox.PRIMER)) {
                return ConsumeOrderlyStatus.SUCCESS;
            }
            log.add(body);
            return body.equals("s3") && refusals.getAndDecrement() > 0
                ? ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT : ConsumeOrderlyStatus.SUCCESS;
        });
        var queue = Env.queues(env.topic()).get(0);
        for (int i = 0; i < 8; i++) {
            Env.producer().send(Env.message(env.topic(), "", "s" + i), queue);
        }
        env.start(consumer);
        List<String> expected = List.of("s0", "s1", "s2", "s3", "s3", "s3", "s4", "s5", "s6", "s7");
        env.await(() -> "10 deliveries, so far " + log, 50, () -> log.size() >= expected.size());
        Check.equal(expected, List.copyOf(log), "deliveries");
    }
}
