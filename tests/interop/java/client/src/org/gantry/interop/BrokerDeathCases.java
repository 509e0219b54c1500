package org.gantry.interop;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/**
 * Cases that kill the broker, only there when the environment says which: INTEROP_BROKER_PID_FILE holds its process
 * id, INTEROP_BROKER_START is a command that starts it again with the same data.
 */
final class BrokerDeathCases {
    private static final String PID_FILE = System.getenv("INTEROP_BROKER_PID_FILE");
    private static final String START = System.getenv("INTEROP_BROKER_START");

    private BrokerDeathCases() { }

    static void add(Suite<Env> suite) {
        if (PID_FILE == null) {
            return;
        }
        if (START != null) {
            suite.addAlone("death_loses_nothing_acknowledged", 180, BrokerDeathCases::kill);
            suite.addAlone("death_keeps_order_per_key", 180, BrokerDeathCases::order);
        }
        suite.addAlone("death_removes_route_at_once", 60, BrokerDeathCases::route);
    }

    /** kill -9 under load, start again: what was acknowledged is there once it is back, in the queues and for consumers. */
    private static void kill(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer consumer = env.newPush(env.group("c"));
        consumer.setPollNameServerInterval(2_000);
        consumer.subscribe(env.topic(), "*");
        consumer.registerMessageListener(inbox);
        env.start(consumer);
        PushCases.awaitShared(env, 40, consumer);
        ConcurrentLinkedQueue<String> acknowledged = new ConcurrentLinkedQueue<>();
        AtomicBoolean stop = new AtomicBoolean();
        List<Thread> senders = new ArrayList<>();
        for (int t = 0; t < 4; t++) {
            String prefix = "t" + t + "-";
            Thread sender = new Thread(() -> {
                for (int i = 0; !stop.get(); i++) {
                    sendOk(env, prefix + i, acknowledged);
                }
            });
            sender.setDaemon(true);
            sender.start();
            senders.add(sender);
        }
        env.await(() -> "2000 acknowledged sends", 30, () -> acknowledged.size() >= 2_000);
        killBroker();
        stop.set(true);
        for (Thread sender : senders) {
            sender.join(20_000);
        }
        int before = acknowledged.size();
        startBroker();
        List<String> expected = new ArrayList<>(acknowledged);
        // A body of its own for each try: one that fails may have been stored all the same.
        env.await(() -> "a send to the restarted broker", 60, () -> sendOk(env, "again" + System.nanoTime(), expected));
        Check.that(Env.messages(env.topic()) >= before + 2, "the queues hold " + Env.messages(env.topic())
            + " messages, acknowledged were " + (before + 2));
        inbox.awaitAll(env, expected, 60);
        Inbox fresh = new Inbox();
        env.push(env.group("fresh"), env.topic(), "*", fresh);
        fresh.awaitAll(env, expected, 60);
        for (String body : expected) {
            Check.equal(1, fresh.count(body), "copies of " + body);
        }
    }

    /**
     * Each of four keys has a queue and a sender that goes on only when a message was acknowledged. An orderly consumer may see a
     * stretch again after the broker's death, but never a message before its predecessor.
     */
    private static void order(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        List<MessageQueue> queues = Env.queues(env.topic());
        Map<Integer, List<Integer>> seen = new ConcurrentHashMap<>();
        DefaultMQPushConsumer consumer = env.newPush(env.group("c"));
        consumer.setPollNameServerInterval(2_000);
        consumer.subscribe(env.topic(), "*");
        consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
            for (MessageExt message : messages) {
                String body = new String(message.getBody(), StandardCharsets.UTF_8);
                if (!body.equals(Inbox.PRIMER)) {
                    seen.computeIfAbsent(message.getQueueId(), key -> Collections.synchronizedList(new ArrayList<>())).add(Integer.parseInt(body));
                }
            }
            return ConsumeOrderlyStatus.SUCCESS;
        });
        env.start(consumer);
        PushCases.awaitShared(env, 40, consumer);
        int perKey = 1_000;
        List<Thread> senders = new ArrayList<>();
        AtomicInteger acknowledged = new AtomicInteger();
        for (MessageQueue queue : queues) {
            Thread sender = new Thread(() -> {
                for (int number = 0; number < perKey; ) {
                    if (sendTo(env, queue, number)) {
                        number++;
                        acknowledged.incrementAndGet();
                    }
                }
            });
            sender.setDaemon(true);
            sender.start();
            senders.add(sender);
        }
        env.await(() -> "100 acknowledged sends", 30, () -> acknowledged.get() >= 100);
        killBroker();
        Check.that(acknowledged.get() < queues.size() * perKey, "everything was sent before the broker was killed");
        startBroker();
        for (Thread sender : senders) {
            sender.join(90_000);
        }
        Check.equal(queues.size() * perKey, acknowledged.get(), "acknowledged sends");
        env.await(() -> "the last message of each key", 60, () -> seen.size() == queues.size()
            && seen.values().stream().allMatch(numbers -> numbers.contains(perKey - 1)));
        for (Map.Entry<Integer, List<Integer>> key : seen.entrySet()) {
            int highest = -1;
            for (int number : List.copyOf(key.getValue())) {
                Check.that(number <= highest + 1, "in queue " + key.getKey() + " " + number + " came before " + (highest + 1));
                highest = Math.max(highest, number);
            }
        }
    }

    private static boolean sendTo(Env env, MessageQueue queue, int number) {
        try {
            return Env.producer().send(Env.message(env.topic(), "", Integer.toString(number)), queue).getSendStatus() == SendStatus.SEND_OK;
        } catch (Exception e) {
            return false;
        }
    }

    private static void startBroker() throws Exception {
        Process start = new ProcessBuilder("bash", "-c", START).inheritIO().start();
        Check.that(start.waitFor(90, TimeUnit.SECONDS) && start.exitValue() == 0, "the broker did not start again");
    }

    private static boolean sendOk(Env env, String body, Collection<String> acknowledged) {
        try {
            return Env.producer().send(Env.message(env.topic(), "", body)).getSendStatus() == SendStatus.SEND_OK
                && acknowledged.add(body);
        } catch (Exception e) {
            return false;
        }
    }

    /** When a broker's connection ends, its routes go with it; nobody waits for the 120 s of silence. */
    private static void route(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        killBroker();
        long started = System.nanoTime();
        env.await(() -> "the route of a dead broker to go", 5, () -> !Env.hasRoute(env.topic()));
        System.out.println("     the route was gone after " + (System.nanoTime() - started) / 1_000_000 + " ms");
    }

    private static void killBroker() throws Exception {
        long pid = Long.parseLong(Files.readString(Path.of(PID_FILE)).trim());
        ProcessHandle broker = ProcessHandle.of(pid).orElseThrow(() -> new CheckFailed("no broker process " + pid));
        broker.destroyForcibly();
        broker.onExit().get(20, TimeUnit.SECONDS);
    }
}
