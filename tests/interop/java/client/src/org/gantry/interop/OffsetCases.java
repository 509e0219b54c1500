package org.gantry.interop;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Where consumers start, what offsets the broker tells, and pulls by offset. */
final class OffsetCases {
    private static final DateTimeFormatter CONSUME_TIMESTAMP =
        DateTimeFormatter.ofPattern("yyyyMMddHHmmss").withZone(ZoneId.systemDefault());

    private OffsetCases() { }

    static void add(Suite<Env> suite) {
        suite.add("from_where_clustering", 60, OffsetCases::clusteringStart);
        suite.add("from_where_broadcasting", 60, OffsetCases::broadcastingStart);
        suite.add("offsets_min_max_by_time", 45, OffsetCases::minMaxByTime);
        suite.add("pull_statuses", 45, OffsetCases::pullStatuses);
        suite.add("pull_waits_for_a_message", 60, OffsetCases::pullWaits);
        suite.add("pull_offset_store", 45, OffsetCases::offsetStore);
        suite.add("lite_pull_subscribe", 60, OffsetCases::liteSubscribe);
        suite.add("lite_pull_assign_and_seek", 60, OffsetCases::liteAssign);
    }

    /**
     * A new group on a small topic starts at offset 0 whatever it asks for: RocketMQ answers "0" instead of "none" for
     * a queue whose beginning is still in memory. Users know and rely on that.
     */
    private static void clusteringStart(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        List<String> old = env.send(env.topic(), "", "old", 40);
        env.awaitMessages(env.topic(), 41);
        List<Inbox> inboxes = new ArrayList<>();
        for (ConsumeFromWhere where : List.of(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET,
            ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET, ConsumeFromWhere.CONSUME_FROM_TIMESTAMP)) {
            Inbox inbox = new Inbox();
            DefaultMQPushConsumer consumer = env.newPush(env.group(where.name()));
            consumer.setConsumeFromWhere(where);
            consumer.subscribe(env.topic(), "*");
            consumer.registerMessageListener(inbox);
            env.start(consumer);
            inboxes.add(inbox);
        }
        for (Inbox inbox : inboxes) {
            inbox.awaitExactly(env, old, 40);
        }
    }

    /** Broadcasting members ask the broker for first, last and by-time offsets when they have none of their own. */
    private static void broadcastingStart(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        List<String> old = env.send(env.topic(), "", "old", 40);
        env.awaitMessages(env.topic(), 41);
        // The time given to a consumer has whole seconds, and RocketMQ 4 takes the nearest message, so keep apart.
        long oldMs = System.currentTimeMillis();
        env.await(() -> "the clock", 10, () -> System.currentTimeMillis() > oldMs + 3_000);
        String timestamp = CONSUME_TIMESTAMP.format(Instant.now());
        List<String> recent = env.send(env.topic(), "", "recent", 40);
        env.awaitMessages(env.topic(), 81);

        Inbox first = new Inbox();
        Inbox last = new Inbox();
        Inbox byTime = new Inbox();
        startBroadcast(env, ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET, null, first);
        DefaultMQPushConsumer lastConsumer = startBroadcast(env, ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET, null, last);
        startBroadcast(env, ConsumeFromWhere.CONSUME_FROM_TIMESTAMP, timestamp, byTime);
        List<String> sinceTime = new ArrayList<>(recent);
        List<String> all = new ArrayList<>(old);
        all.addAll(recent);
        byTime.awaitExactly(env, sinceTime, 40);
        first.awaitExactly(env, all, 40);
        env.await(() -> "queues of the last-offset member", 40,
            () -> PushCases.owned(lastConsumer, env.topic()).size() == 4);
        List<String> later = env.send(env.topic(), "", "later", 20);
        last.awaitExactly(env, later, 20);
    }

    private static DefaultMQPushConsumer startBroadcast(Env env, ConsumeFromWhere where, String timestamp, Inbox inbox)
        throws Exception {
        DefaultMQPushConsumer consumer = env.newPush(env.group(where.name()));
        consumer.setInstanceName(env.group(where.name()));
        Compat.broadcasting(consumer);
        consumer.setConsumeFromWhere(where);
        if (timestamp != null) {
            consumer.setConsumeTimestamp(timestamp);
        }
        consumer.subscribe(env.topic(), "*");
        consumer.registerMessageListener(inbox);
        return env.start(consumer);
    }

    private static void minMaxByTime(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        MessageQueue queue = Env.queues(env.topic()).get(1);
        DefaultMQProducer producer = Env.producer();
        long begin = System.currentTimeMillis();
        long base = producer.maxOffset(queue);
        for (int i = 0; i < 8; i++) {
            producer.send(Env.message(env.topic(), "", "timed" + i), queue);
            Thread.sleep(30);
        }
        env.await(() -> "8 messages in " + queue, 10, () -> producer.maxOffset(queue) == base + 8);
        Check.equal(0L, producer.minOffset(queue), "first offset");
        DefaultMQPullConsumer pull = env.pull(env.group("pull"));
        List<MessageExt> stored = pull.pull(queue, "*", base, 32).getMsgFoundList();
        Check.equal(8, stored.size(), "messages found");
        for (int i = 0; i < 8; i++) {
            long at = stored.get(i).getStoreTimestamp();
            Check.that(at >= begin && at <= System.currentTimeMillis(), "store time " + at + " is not this machine's");
            Check.equal(base + i, producer.searchOffset(queue, at), "offset at the store time of message " + i);
        }
        Check.equal(0L, producer.searchOffset(queue, 0), "offset at time 0");
        long end = producer.searchOffset(queue, System.currentTimeMillis() + 3_600_000);
        // 4.x answers the last message, 5.x the end of the queue.
        Check.that(end == base + 7 || end == base + 8, "offset in an hour is " + end + ", the queue ends at " + (base + 8));
        long earliest = producer.earliestMsgStoreTime(queue);
        long firstStored = pull.pull(queue, "*", 0, 1).getMsgFoundList().get(0).getStoreTimestamp();
        Check.equal(firstStored, earliest, "earliest store time");
        MessageQueue beyond = new MessageQueue(env.topic(), queue.getBrokerName(), 77);
        Check.equal(0L, producer.maxOffset(beyond), "end of a queue that does not exist");
    }

    private static void pullStatuses(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        List<MessageQueue> queues = Env.queues(env.topic());
        MessageQueue queue = queues.stream().filter(q -> isEmpty(q)).findFirst().orElseThrow();
        MessageQueue empty = queues.stream().filter(q -> isEmpty(q) && !q.equals(queue)).findFirst().orElseThrow();
        for (int i = 0; i < 50; i++) {
            Env.producer().send(Env.message(env.topic(), i % 10 == 0 ? "Rare" : "Common", "m" + i), queue);
        }
        env.await(() -> "50 messages in " + queue, 10, () -> Env.producer().maxOffset(queue) == 50);
        DefaultMQPullConsumer pull = env.pull(env.group("pull"));

        PullResult found = pull.pull(queue, "*", 0, 32);
        expect(found, PullStatus.FOUND, 32, "a pull of 32");
        Check.equal(0L, found.getMinOffset(), "min offset");
        Check.equal(50L, found.getMaxOffset(), "max offset");
        for (int i = 0; i < 32; i++) {
            MessageExt message = found.getMsgFoundList().get(i);
            Check.equal("m" + i, new String(message.getBody(), StandardCharsets.UTF_8), "body");
            Check.equal((long) i, message.getQueueOffset(), "queue offset");
            Check.equal(queue.getQueueId(), message.getQueueId(), "queue id");
            Check.equal(env.topic(), message.getTopic(), "topic");
        }
        PullResult rare = pull.pull(queue, "Rare", 0, 32);
        expect(rare, PullStatus.FOUND, 50, "a pull of one tag");
        Check.equal(5, rare.getMsgFoundList().size(), "messages with the rare tag");
        expect(pull.pull(queue, "*", 50, 32), PullStatus.NO_NEW_MSG, 50, "a pull at the end");
        expect(pull.pull(queue, "Absent", 0, 32), PullStatus.NO_MATCHED_MSG, 50, "a pull of a tag that nobody sent");
        expect(pull.pull(queue, "*", 60, 32), PullStatus.OFFSET_ILLEGAL, 50, "a pull beyond the end");
        expect(pull.pull(queue, "*", 1_000_000_000L, 32), PullStatus.OFFSET_ILLEGAL, 50, "a pull far beyond the end");
        expect(pull.pull(empty, "*", 0, 32), PullStatus.NO_NEW_MSG, 0, "a pull from an empty queue");
        expect(pull.pull(empty, "*", 9, 32), PullStatus.OFFSET_ILLEGAL, 0, "a pull beyond an empty queue");
        MessageQueue beyond = new MessageQueue(env.topic(), queue.getBrokerName(), 77);
        Refusal.byBroker(1, "a pull from a queue that does not exist", () -> pull.pull(beyond, "*", 0, 32));
        MessageQueue unknown = new MessageQueue(env.topic("unknown"), queue.getBrokerName(), 0);
        Refusal.byBroker(17, "a pull from a topic that does not exist", () -> pull.pull(unknown, "*", 0, 32));
    }

    static boolean isEmpty(MessageQueue queue) {
        try {
            return Env.producer().maxOffset(queue) == 0;
        } catch (Exception e) {
            throw new CheckFailed("max offset of " + queue + ": " + e);
        }
    }

    private static void expect(PullResult result, PullStatus status, long next, String what) {
        Check.equal(status, result.getPullStatus(), "status of " + what);
        Check.equal(next, result.getNextBeginOffset(), "next offset of " + what);
    }

    /** A blocking pull is answered by the next message; without one it says so after its time. */
    private static void pullWaits(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        MessageQueue queue = Env.queues(env.topic()).stream().filter(q -> isEmpty(q)).findFirst().orElseThrow();
        DefaultMQPullConsumer pull = new DefaultMQPullConsumer(env.group("pull"), Acl.HOOK);
        pull.setBrokerSuspendMaxTimeMillis(4_000);
        pull.setConsumerTimeoutMillisWhenSuspend(20_000);
        pull.start();
        env.onClose(pull::shutdown);
        long started = System.nanoTime();
        PullResult none = pull.pullBlockIfNotFound(queue, "*", 0, 32);
        long waitedMs = (System.nanoTime() - started) / 1_000_000;
        Check.equal(PullStatus.NO_NEW_MSG, none.getPullStatus(), "status without a message");
        // Held pulls are looked at every 5 s in RocketMQ, so 4 s may become nearly 10.
        Check.that(waitedMs >= 3_900 && waitedMs < 11_000, "a pull that may wait 4 s came back after " + waitedMs + " ms");

        Thread sender = new Thread(() -> {
            try {
                Thread.sleep(500);
                Env.producer().send(Env.message(env.topic(), "Other", "other"), queue);
                Env.producer().send(Env.message(env.topic(), "Mine", "mine"), queue);
            } catch (Exception e) {
                // The pull below then ends without a message, which fails the case.
            }
        });
        sender.start();
        started = System.nanoTime();
        PullResult found = pull.pullBlockIfNotFound(queue, "Mine", 0, 32);
        waitedMs = (System.nanoTime() - started) / 1_000_000;
        Check.equal(PullStatus.FOUND, found.getPullStatus(), "status with a message");
        Check.equal("mine", new String(found.getMsgFoundList().get(0).getBody(), StandardCharsets.UTF_8), "body");
        Check.that(waitedMs < 3_000, "a waiting pull got its message only after " + waitedMs + " ms");
        sender.join();
    }

    /** Offsets that a pull consumer stores are the group's, also for the next process. */
    private static void offsetStore(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        env.send(env.topic(), "", "m", 40);
        env.awaitMessages(env.topic(), 41);
        MessageQueue queue = Env.queues(env.topic()).get(0);
        DefaultMQPullConsumer first = new DefaultMQPullConsumer(env.group("pull"), Acl.HOOK);
        first.start();
        // A queue is stored on shutdown only if the client believes it is its own.
        first.updateConsumeOffset(queue, 7);
        first.getOffsetStore().persist(queue);
        env.await(() -> "the stored offset", 10, () -> first.fetchConsumeOffset(queue, true) == 7);
        first.shutdown();
        DefaultMQPullConsumer second = env.pull(env.group("pull"));
        Check.equal(7L, second.fetchConsumeOffset(queue, true), "offset after a restart of the consumer");
        second.updateConsumeOffset(queue, 3);
        second.getOffsetStore().persist(queue);
        env.await(() -> "the rewound offset", 10, () -> second.fetchConsumeOffset(queue, true) == 3);
        DefaultMQPullConsumer other = env.pull(env.group("other"));
        Check.equal(0L, other.fetchConsumeOffset(queue, true), "offset of a group that stored none, on a small topic");
    }

    static DefaultLitePullConsumer lite(Env env, String group) {
        DefaultLitePullConsumer consumer = new DefaultLitePullConsumer(group, Acl.HOOK);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setHeartbeatBrokerInterval(5_000);
        consumer.setPullThreadNums(4);
        env.onClose(consumer::shutdown);
        return consumer;
    }

    /** Polled messages come once; what was committed is not polled by the next member. */
    private static void liteSubscribe(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        DefaultLitePullConsumer first = lite(env, env.group("c"));
        first.subscribe(env.topic(), "Mine");
        first.start();
        List<String> bodies = env.send(env.topic(), "Mine", "mine", 40);
        env.send(env.topic(), "Other", "other", 40);
        Inbox inbox = new Inbox();
        env.await(() -> inbox.distinct() + " of 40 polled", 40, () -> {
            first.poll(200).forEach(inbox::put);
            return inbox.distinct() >= bodies.size();
        });
        inbox.awaitExactly(env, bodies, 5);
        first.commitSync();
        first.shutdown();
        List<String> later = env.send(env.topic(), "Mine", "later", 20);
        DefaultLitePullConsumer second = lite(env, env.group("c"));
        second.subscribe(env.topic(), "Mine");
        second.start();
        Inbox rest = new Inbox();
        env.await(() -> rest.distinct() + " of 20 polled", 40, () -> {
            second.poll(200).forEach(rest::put);
            return rest.distinct() >= later.size();
        });
        rest.awaitExactly(env, later, 5);
    }

    private static void liteAssign(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        MessageQueue queue = Env.queues(env.topic()).stream().filter(OffsetCases::isEmpty).findFirst().orElseThrow();
        for (int i = 0; i < 30; i++) {
            Env.producer().send(Env.message(env.topic(), "", "a" + i), queue);
        }
        env.await(() -> "30 messages in " + queue, 10, () -> Env.producer().maxOffset(queue) == 30);
        DefaultLitePullConsumer consumer = lite(env, env.group("c"));
        consumer.setAutoCommit(false);
        consumer.start();
        consumer.assign(List.of(queue));
        consumer.seek(queue, 25);
        List<Long> offsets = new ArrayList<>();
        env.await(() -> "5 messages from offset 25 on, so far " + offsets, 30, () -> {
            consumer.poll(200).forEach(message -> offsets.add(message.getQueueOffset()));
            return offsets.size() >= 5;
        });
        Check.equal(List.of(25L, 26L, 27L, 28L, 29L), offsets, "offsets after the seek");
        consumer.seekToBegin(queue);
        List<Long> again = new ArrayList<>();
        env.await(() -> "30 messages from the beginning, so far " + again.size(), 30, () -> {
            consumer.poll(200).forEach(message -> again.add(message.getQueueOffset()));
            return again.size() >= 30;
        });
        Check.equal(0L, again.get(0), "first offset after seekToBegin");
    }
}
