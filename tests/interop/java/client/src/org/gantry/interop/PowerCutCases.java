package org.gantry.interop;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.producer.SendStatus;

/**
 * A broker on a disk that loses its power, only there when the environment says how: INTEROP_POWER_CUT is a command that cuts the power in the midst of
 * the work and ends the broker, INTEROP_BROKER_START one that starts it again on what the disk has left. INTEROP_POWER_CUTS is how often (default 5).
 */
final class PowerCutCases {
    private static final String CUT = System.getenv("INTEROP_POWER_CUT");
    private static final String START = System.getenv("INTEROP_BROKER_START");
    private static final int CUTS = Main.number("INTEROP_POWER_CUTS", 5);
    private static final int SENDERS = 4;

    private PowerCutCases() { }

    static void add(Suite<Env> suite) {
        if (CUT != null && START != null) {
            suite.addAlone("power_cuts_lose_nothing_acknowledged", 60 + 40 * CUTS, PowerCutCases::cuts);
        }
    }

    /** After each cut the broker goes on; in the end a running and a new group have had everything acknowledged, a new one once. */
    private static void cuts(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer consumer = env.newPush(env.group("c"));
        consumer.setPollNameServerInterval(2_000);
        consumer.subscribe(env.topic(), "*");
        consumer.registerMessageListener(inbox);
        env.start(consumer);
        PushCases.awaitShared(env, 40, consumer);
        ConcurrentLinkedQueue<String> acknowledged = new ConcurrentLinkedQueue<>();
        for (int round = 0; round < CUTS; round++) {
            cutUnderLoad(env, "r" + round, acknowledged);
            run(START, "the broker did not start again");
            String again = "again" + round + "-";
            env.await(() -> "a send after the cut", 60, () -> send(env, again + System.nanoTime(), acknowledged));
        }
        List<String> expected = new ArrayList<>(acknowledged);
        System.out.println("     " + expected.size() + " messages were acknowledged over " + CUTS + " cuts");
        inbox.awaitAll(env, expected, 60);
        Inbox fresh = new Inbox();
        env.push(env.group("fresh"), env.topic(), "*", fresh);
        fresh.awaitAll(env, expected, 60);
        for (String body : expected) {
            Check.equal(1, fresh.count(body), "copies of " + body);
        }
    }

    private static void cutUnderLoad(Env env, String prefix, ConcurrentLinkedQueue<String> acknowledged) throws Exception {
        AtomicBoolean stop = new AtomicBoolean();
        int before = acknowledged.size();
        List<Thread> senders = new ArrayList<>();
        for (int t = 0; t < SENDERS; t++) {
            String name = prefix + "t" + t + "-";
            Thread sender = new Thread(() -> {
                // A body of its own for each try: one that fails may have been stored all the same.
                for (int i = 0; !stop.get(); i++) {
                    send(env, name + i, acknowledged);
                }
            });
            sender.setDaemon(true);
            sender.start();
            senders.add(sender);
        }
        env.await(() -> "100 acknowledged sends", 30, () -> acknowledged.size() >= before + 100);
        run(CUT, "the power could not be cut");
        stop.set(true);
        for (Thread sender : senders) {
            sender.join(60_000);
        }
    }

    private static boolean send(Env env, String body, ConcurrentLinkedQueue<String> acknowledged) {
        try {
            return Env.producer().send(Env.message(env.topic(), "", body)).getSendStatus() == SendStatus.SEND_OK && acknowledged.add(body);
        } catch (Exception e) {
            return false;
        }
    }

    private static void run(String command, String otherwise) throws Exception {
        Process process = new ProcessBuilder("bash", "-c", command).inheritIO().start();
        Check.that(process.waitFor(90, TimeUnit.SECONDS) && process.exitValue() == 0, otherwise);
    }
}
