package org.gantry.interop;

import java.nio.ByteBuffer;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;

/** Many threads at once. */
final class ManyCases {
    private static final int THREADS = 16;

    private ManyCases() { }

    static void add(Suite<Env> suite) {
        suite.addAlone("many_threads", 60 + Main.number("INTEROP_MANY", 2_000) / 50, ManyCases::manyThreads);
    }

    /** 16 threads send through one producer while two consumers receive: nothing lost, nothing twice. */
    private static void manyThreads(Env env) throws Exception {
        int perThread = Main.number("INTEROP_MANY", 2_000);
        int total = THREADS * perThread;
        env.createByFirstSend(env.topic());
        AtomicIntegerArray received = new AtomicIntegerArray(total);
        AtomicLong deliveries = new AtomicLong();
        DefaultMQPushConsumer[] members = new DefaultMQPushConsumer[2];
        for (int i = 0; i < members.length; i++) {
            members[i] = env.newPush(env.group("c"));
            members[i].subscribe(env.topic(), "Load");
            members[i].registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
                messages.forEach(message -> received.incrementAndGet(ByteBuffer.wrap(message.getBody()).getInt()));
                deliveries.addAndGet(messages.size());
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
            env.start(members[i]);
        }
        PushCases.awaitShared(env, 40, members);
        ConcurrentLinkedQueue<String> errors = new ConcurrentLinkedQueue<>();
        CountDownLatch done = new CountDownLatch(THREADS);
        long started = System.nanoTime();
        for (int t = 0; t < THREADS; t++) {
            int base = t * perThread;
            Thread thread = new Thread(() -> {
                sendRange(env, base, base + perThread, errors);
                done.countDown();
            });
            thread.setDaemon(true);
            thread.start();
        }
        done.await();
        long sendMs = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - started);
        Check.that(errors.isEmpty(), errors.size() + " sends failed, first: " + errors.peek());
        env.await(() -> deliveries.get() + " of " + total + " deliveries", 40, () -> deliveries.get() >= total);
        Thread.sleep(1_000);
        for (int i = 0; i < total; i++) {
            Check.equal(1, received.get(i), "deliveries of message " + i);
        }
        System.out.println("     many_threads: " + total + " messages, " + total * 1_000L / Math.max(1, sendMs) + " sends/s");
    }

    private static void sendRange(Env env, int from, int to, ConcurrentLinkedQueue<String> errors) {
        for (int i = from; i < to; i++) {
            try {
                byte[] body = ByteBuffer.allocate(64).putInt(i).array();
                SendStatus status = Env.producer().send(new Message(env.topic(), "Load", body)).getSendStatus();
                if (status != SendStatus.SEND_OK) {
                    errors.add("message " + i + ": " + status);
                }
            } catch (Exception e) {
                errors.add("message " + i + ": " + e);
            }
        }
    }
}
