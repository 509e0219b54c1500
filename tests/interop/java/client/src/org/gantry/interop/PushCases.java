package org.gantry.interop;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.store.OffsetStore;
import org.apache.rocketmq.client.consumer.store.ReadOffsetType;
import org.apache.rocketmq.common.message.MessageQueue;

/** Push consumers: sharing, broadcasting, tags, membership, restart. */
final class PushCases {
    private PushCases() { }

    static void add(Suite<Env> suite) {
        suite.add("push_group_membership", 150, PushCases::membership);
        suite.add("push_clustering", 60, PushCases::clustering);
        suite.add("push_broadcasting", 60, PushCases::broadcasting);
        suite.add("push_tags", 60, PushCases::tags);
        suite.add("push_restart_continues", 60, PushCases::restart);
        suite.add("push_two_groups_do_not_share", 60, PushCases::twoGroups);
        suite.add("push_message_arrives_at_once", 60, PushCases::latency);
        suite.add("push_subscription_changes", 120, PushCases::subscriptionChanges);
    }

    /** Two members share the queues; every message comes once. */
    private static void clustering(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        Inbox first = new Inbox();
        Inbox second = new Inbox();
        DefaultMQPushConsumer a = env.push(env.group("c"), env.topic(), "*", first);
        DefaultMQPushConsumer b = env.push(env.group("c"), env.topic(), "*", second);
        awaitShared(env, 40, a, b);
        List<String> bodies = env.send(env.topic(), "TagA", "shared", 400);
        env.await(() -> first.distinct() + " + " + second.distinct() + " of 400 messages", 20,
            () -> first.distinct() + second.distinct() >= bodies.size());
        Thread.sleep(1_000);
        for (String body : bodies) {
            Check.equal(1, first.count(body) + second.count(body), "deliveries of " + body);
        }
        Check.equal(200, first.distinct(), "share of the first member (2 of 4 queues, sent round robin)");
    }

    private static void broadcasting(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        List<Inbox> inboxes = new ArrayList<>();
        List<DefaultMQPushConsumer> members = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            Inbox inbox = new Inbox();
            DefaultMQPushConsumer consumer = env.newPush(env.group("c"));
            consumer.setInstanceName(env.group("member" + i));
            Compat.broadcasting(consumer);
            consumer.subscribe(env.topic(), "*");
            consumer.registerMessageListener(inbox);
            members.add(env.start(consumer));
            inboxes.add(inbox);
        }
        for (DefaultMQPushConsumer member : members) {
            env.await(() -> "all queues at each member", 40, () -> owned(member, env.topic()).size() == 4);
        }
        List<String> bodies = env.send(env.topic(), "TagA", "all", 100);
        for (Inbox inbox : inboxes) {
            inbox.awaitExactly(env, bodies, 20);
        }
    }

    private static void tags(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        List<String> all = new ArrayList<>();
        List<String> red = env.send(env.topic(), "Red", "red", 30);
        List<String> green = env.send(env.topic(), "Green", "green", 30);
        List<String> blue = env.send(env.topic(), "Blue", "blue", 30);
        List<String> none = env.send(env.topic(), "", "none", 30);
        // "Aa" and "BB" have the same hash code: a broker compares hashes, the client must still drop the other one.
        List<String> twin = env.send(env.topic(), "Aa", "Aa", 10);
        List<String> otherTwin = env.send(env.topic(), "BB", "BB", 10);
        for (List<String> some : List.of(red, green, blue, none, twin, otherTwin)) {
            all.addAll(some);
        }
        List<String> redOrBlue = new ArrayList<>(red);
        redOrBlue.addAll(blue);
        Inbox star = new Inbox();
        Inbox two = new Inbox();
        Inbox one = new Inbox();
        Inbox hash = new Inbox();
        Inbox nothing = new Inbox();
        env.push(env.group("star"), env.topic(), "*", star);
        env.push(env.group("two"), env.topic(), "Red || Blue", two);
        env.push(env.group("one"), env.topic(), "Green", one);
        env.push(env.group("hash"), env.topic(), "Aa", hash);
        env.push(env.group("nothing"), env.topic(), "Violet", nothing);
        star.awaitExactly(env, all, 40);
        two.awaitExactly(env, redOrBlue, 20);
        one.awaitExactly(env, green, 20);
        hash.awaitExactly(env, twin, 20);
        List<String> later = env.send(env.topic(), "Violet", "violet", 8);
        nothing.awaitExactly(env, later, 20);
        Check.equal(all.size() + later.size(), star.distinct(), "messages for *");
        Check.equal(redOrBlue.size(), two.distinct(), "messages for Red || Blue");
    }

    /**
     * Members join and leave while messages flow. Those sent while the group moves are not lost (at least once is
     * promised then); those sent after it has settled, and committed before it moves again, come exactly once.
     */
    private static void membership(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        String group = env.group("c");
        Inbox inbox = new Inbox();
        List<String> all = new ArrayList<>();
        DefaultMQPushConsumer a = env.push(group, env.topic(), "*", inbox);
        awaitShared(env, 40, a);
        List<String> alone = env.send(env.topic(), "", "alone", 100);
        inbox.awaitExactly(env, alone, 20);
        commit(env, a);

        DefaultMQPushConsumer b = env.push(group, env.topic(), "*", inbox);
        all.addAll(env.send(env.topic(), "", "b-joins", 100));
        awaitShared(env, 40, a, b);
        DefaultMQPushConsumer c = env.push(group, env.topic(), "*", inbox);
        all.addAll(env.send(env.topic(), "", "c-joins", 100));
        awaitShared(env, 40, a, b, c);
        List<String> three = env.send(env.topic(), "", "three", 300);
        inbox.awaitAll(env, three, 20);
        commit(env, a, b, c);

        a.shutdown();
        all.addAll(env.send(env.topic(), "", "a-left", 100));
        awaitShared(env, 40, b, c);
        List<String> two = env.send(env.topic(), "", "two", 300);
        inbox.awaitAll(env, two, 20);
        commit(env, b, c);
        b.shutdown();
        awaitShared(env, 40, c);
        List<String> last = env.send(env.topic(), "", "last", 100);
        inbox.awaitAll(env, last, 20);
        inbox.awaitAll(env, all, 20);
        Thread.sleep(1_000);
        for (List<String> settled : List.of(alone, three, two, last)) {
            for (String body : settled) {
                Check.equal(1, inbox.count(body), "deliveries of " + body);
            }
        }
    }

    /** A group that comes back goes on where it stopped. */
    private static void restart(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        Inbox before = new Inbox();
        DefaultMQPushConsumer consumer = env.push(env.group("c"), env.topic(), "*", before);
        before.awaitExactly(env, env.send(env.topic(), "", "before", 100), 40);
        consumer.shutdown();
        List<String> meanwhile = env.send(env.topic(), "", "meanwhile", 100);
        Inbox after = new Inbox();
        env.push(env.group("c"), env.topic(), "*", after);
        after.awaitExactly(env, meanwhile, 40);
        Check.equal(100, before.distinct(), "messages of the first run");
    }

    private static void twoGroups(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        Inbox one = new Inbox();
        Inbox two = new Inbox();
        env.push(env.group("one"), env.topic(), "*", one);
        env.push(env.group("two"), env.topic(), "*", two);
        List<String> bodies = env.send(env.topic(), "", "both", 60);
        one.awaitExactly(env, bodies, 40);
        two.awaitExactly(env, bodies, 40);
    }

    /** A running member takes a topic on and drops another; the group's place in the dropped topic stays. */
    private static void subscriptionChanges(Env env) throws Exception {
        String first = env.topic("first");
        String second = env.topic("second");
        env.createByFirstSend(first);
        env.createByFirstSend(second);
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer consumer = env.push(env.group("c"), first, "*", inbox);
        List<String> all = new ArrayList<>(env.send(first, "", "one", 20));
        inbox.awaitExactly(env, all, 40);
        consumer.subscribe(second, "TagA");
        env.send(second, "TagB", "other-tag", 20);
        all.addAll(env.send(second, "TagA", "two", 20));
        inbox.awaitExactly(env, all, 50);
        consumer.unsubscribe(first);
        env.await(() -> "the queues of the dropped topic to go, now " + owned(consumer, first), 50, () -> owned(consumer, first).isEmpty());
        List<String> meanwhile = env.send(first, "", "meanwhile", 20);
        all.addAll(env.send(second, "TagA", "three", 20));
        inbox.awaitExactly(env, all, 40);
        consumer.subscribe(first, "*");
        all.addAll(meanwhile);
        inbox.awaitExactly(env, all, 50);
    }

    /** A waiting consumer gets a new message by the end of its long poll's wait, not at the next poll. */
    private static void latency(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer consumer = env.push(env.group("c"), env.topic(), "*", inbox);
        awaitShared(env, 40, consumer);
        inbox.awaitAll(env, env.send(env.topic(), "", "warm", 8), 20);
        List<Long> waitsMs = new ArrayList<>();
        for (int i = 0; i < 21; i++) {
            long started = System.nanoTime();
            List<String> one = env.send(env.topic(), "", "now" + i + "-", 1);
            inbox.awaitAll(env, one, 10);
            waitsMs.add((System.nanoTime() - started) / 1_000_000);
        }
        waitsMs.sort(null);
        // Polls re-check every 5 s at the latest; a broker that does not wake them would need seconds for most messages.
        Check.that(waitsMs.get(10) < 1_000, "the median message needed " + waitsMs.get(10) + " ms to a waiting consumer");
    }

    /** Waits until the members own all four queues of the case's topic and none twice. */
    static void awaitShared(Env env, int deadlineS, DefaultMQPushConsumer... members) throws Exception {
        env.await(() -> members.length + " members share 4 queues: " + describe(env.topic(), members), deadlineS, () -> {
            Set<MessageQueue> union = new TreeSet<>();
            int sum = 0;
            for (DefaultMQPushConsumer member : members) {
                Set<MessageQueue> own = owned(member, env.topic());
                if (own.isEmpty()) {
                    return false;
                }
                union.addAll(own);
                sum += own.size();
            }
            return sum == 4 && union.size() == 4;
        });
    }

    /** Waits until the members are done with all that is in their queues and has the broker know it. */
    static void commit(Env env, DefaultMQPushConsumer... members) throws Exception {
        for (DefaultMQPushConsumer member : members) {
            OffsetStore offsets = member.getDefaultMQPushConsumerImpl().getOffsetStore();
            for (MessageQueue queue : owned(member, env.topic())) {
                env.await(() -> "the end of " + queue, 20,
                    () -> offsets.readOffset(queue, ReadOffsetType.READ_FROM_MEMORY) == Env.producer().maxOffset(queue));
                offsets.updateConsumeOffsetToBroker(queue, Env.producer().maxOffset(queue), false);
            }
        }
    }

    private static String describe(String topic, DefaultMQPushConsumer... members) {
        StringBuilder text = new StringBuilder();
        for (DefaultMQPushConsumer member : members) {
            text.append(owned(member, topic).stream().map(MessageQueue::getQueueId).sorted().toList());
        }
        return text.toString();
    }

    /** The queues of `topic` that the member has been given. */
    static Set<MessageQueue> owned(DefaultMQPushConsumer member, String topic) {
        Set<MessageQueue> own = new TreeSet<>();
        for (MessageQueue queue : member.getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable().keySet()) {
            if (queue.getTopic().equals(topic)) {
                own.add(queue);
            }
        }
        return own;
    }
}
