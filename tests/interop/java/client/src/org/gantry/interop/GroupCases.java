package org.gantry.interop;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.consumer.AllocateMessageQueueStrategy;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.MQPullConsumer;
import org.apache.rocketmq.client.consumer.MQPullConsumerScheduleService;
import org.apache.rocketmq.client.consumer.PullCallback;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMachineRoomNearby;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueAveragely;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueAveragelyByCircle;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueByConfig;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueByMachineRoom;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueConsistentHash;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Further ways to consume: strategies, batches, pauses, the pull service, asynchronous pulls. */
final class GroupCases {
    private static final int QUEUES = 8;
    /** The machine room in the name of the target's broker (room@name), when it has one. */
    private static final String ROOM = System.getenv("INTEROP_ROOM");

    private GroupCases() { }

    static void add(Suite<Env> suite) {
        suite.add("allocate_averagely", 60, env -> allocate(env, List.of("a", "b"), List.of(Set.of(0, 1, 2, 3), Set.of(4, 5, 6, 7)),
            () -> new AllocateMessageQueueAveragely()));
        suite.add("allocate_by_circle", 60, env -> allocate(env, List.of("a", "b"), List.of(Set.of(0, 2, 4, 6), Set.of(1, 3, 5, 7)),
            () -> new AllocateMessageQueueAveragelyByCircle()));
        suite.add("allocate_consistent_hash", 60, env -> allocate(env, List.of("a", "b"), null, () -> new AllocateMessageQueueConsistentHash()));
        suite.add("allocate_by_config", 60, GroupCases::allocateByConfig);
        suite.add("allocate_nearby_rooms", 60, env -> allocate(env, List.of("east1", "east2", "west"),
            List.of(Set.of(0, 1), Set.of(2, 3), Set.of(4, 5, 6, 7)),
            () -> new AllocateMachineRoomNearby(new AllocateMessageQueueAveragely(), new Rooms())));
        if (ROOM != null) {
            suite.add("allocate_by_machine_room", 60, env -> allocate(env, List.of("a", "b"), List.of(Set.of(0, 1, 2, 3), Set.of(4, 5, 6, 7)), () -> {
                AllocateMessageQueueByMachineRoom strategy = new AllocateMessageQueueByMachineRoom();
                strategy.setConsumeridcs(Set.of(ROOM));
                return strategy;
            }));
        }
        suite.add("consume_batch", 60, GroupCases::batch);
        suite.add("push_pause_and_resume", 60, GroupCases::pause);
        suite.add("orderly_dead_letter", 90, GroupCases::orderlyDead);
        suite.add("pull_schedule_service", 60, GroupCases::scheduleService);
        suite.add("pull_async", 45, GroupCases::pullAsync);
        suite.add("lite_pull_pause_and_time", 60, GroupCases::litePause);
        suite.add("lite_pull_commit", 60, GroupCases::liteCommit);
    }

    /** Rooms for AllocateMachineRoomNearby: queues 0 to 3 and members whose names say so are in the east. */
    private static final class Rooms implements AllocateMachineRoomNearby.MachineRoomResolver {
        @Override
        public String brokerDeployIn(MessageQueue queue) {
            return queue.getQueueId() < QUEUES / 2 ? "east" : "west";
        }

        @Override
        public String consumerDeployIn(String clientId) {
            return clientId.contains("east") ? "east" : "west";
        }
    }

    private static void createTopic(Env env) throws Exception {
        Compat.createTopic(Env.producer(), env.topic(), QUEUES);
        env.await(() -> "route of " + env.topic(), 15, () -> Env.hasRoute(env.topic()));
    }

    private static DefaultMQPushConsumer member(Env env, String name, AllocateMessageQueueStrategy strategy, Inbox inbox) throws Exception {
        DefaultMQPushConsumer consumer = env.newPush(env.group("c"));
        // Strategies sort members by their client ids, which end with this.
        consumer.setInstanceName(env.group(name));
        consumer.setAllocateMessageQueueStrategy(strategy);
        consumer.subscribe(env.topic(), "*");
        consumer.registerMessageListener(inbox);
        return env.start(consumer);
    }

    private static Set<Integer> owned(Env env, DefaultMQPushConsumer member) {
        return PushCases.owned(member, env.topic()).stream().map(MessageQueue::getQueueId).collect(Collectors.toCollection(TreeSet::new));
    }

    /** Members named as given get the expected queues (or any that are a division when null), and each message comes once. */
    private static void allocate(Env env, List<String> names, List<Set<Integer>> expected, Supplier<AllocateMessageQueueStrategy> strategy)
        throws Exception {
        createTopic(env);
        Inbox inbox = new Inbox();
        List<DefaultMQPushConsumer> members = new ArrayList<>();
        for (String name : names) {
            members.add(member(env, name, strategy.get(), inbox));
        }
        awaitDivision(env, members, expected);
        inbox.awaitExactly(env, env.send(env.topic(), "", "m", 2 * QUEUES), 20);
    }

    private static void awaitDivision(Env env, List<DefaultMQPushConsumer> members, List<Set<Integer>> expected) throws Exception {
        env.await(() -> "the queues " + expected + ", now " + members.stream().map(member -> owned(env, member)).toList(), 50, () -> {
            List<Set<Integer>> now = members.stream().map(member -> owned(env, member)).toList();
            Set<Integer> union = new TreeSet<>();
            now.forEach(union::addAll);
            return union.size() == QUEUES && now.stream().mapToInt(Set::size).sum() == QUEUES && (expected == null || expected.equals(now));
        });
    }

    /** Each member names its queues itself. */
    private static void allocateByConfig(Env env) throws Exception {
        createTopic(env);
        List<MessageQueue> queues = Env.queues(env.topic());
        Inbox inbox = new Inbox();
        List<DefaultMQPushConsumer> members = new ArrayList<>();
        for (List<MessageQueue> own : List.of(queues.subList(0, 5), queues.subList(5, QUEUES))) {
            AllocateMessageQueueByConfig strategy = new AllocateMessageQueueByConfig();
            strategy.setMessageQueueList(new ArrayList<>(own));
            // The strategy answers the same for every topic, so the retry topic's turn gives these queues too.
            members.add(member(env, "n" + own.size(), strategy, inbox));
        }
        awaitDivision(env, members, List.of(Set.of(0, 1, 2, 3, 4), Set.of(5, 6, 7)));
        inbox.awaitAll(env, env.send(env.topic(), "", "m", 2 * QUEUES), 20);
    }

    /** The listener gets up to consumeMessageBatchMaxSize messages at once. */
    private static void batch(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        List<String> bodies = env.send(env.topic(), "", "m", 200);
        env.awaitMessages(env.topic(), 201);
        Inbox inbox = new Inbox();
        ConcurrentLinkedQueue<Integer> sizes = new ConcurrentLinkedQueue<>();
        DefaultMQPushConsumer consumer = env.newPush(env.group("c"));
        consumer.setConsumeMessageBatchMaxSize(10);
        consumer.subscribe(env.topic(), "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            sizes.add(messages.size());
            messages.forEach(inbox::put);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        env.start(consumer);
        inbox.awaitExactly(env, bodies, 40);
        Check.equal(10, Collections.max(sizes), "largest batch");
        Check.that(sizes.size() < 100, "201 messages came in " + sizes.size() + " batches");
    }

    /** A paused consumer takes no more than what it had asked for; when it goes on it gets the rest. */
    private static void pause(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer consumer = env.push(env.group("c"), env.topic(), "*", inbox);
        PushCases.awaitShared(env, 40, consumer);
        inbox.awaitAll(env, env.send(env.topic(), "", "before", 8), 20);
        consumer.suspend();
        // Polls that wait at the broker are answered by these, one for each queue; no new ones follow.
        List<String> all = new ArrayList<>(env.send(env.topic(), "", "ends-poll", 4));
        Thread.sleep(1_500);
        List<String> paused = env.send(env.topic(), "", "paused", 20);
        Thread.sleep(2_000);
        Check.equal(0L, paused.stream().filter(body -> inbox.count(body) > 0).count(), "messages that a paused consumer took");
        consumer.resume();
        all.addAll(paused);
        inbox.awaitAll(env, all, 20);
        all.forEach(body -> Check.equal(1, inbox.count(body), "deliveries of " + body));
    }

    /** A message that an orderly consumer cannot process goes to the dead letters after its tries; the queue goes on. */
    private static void orderlyDead(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        MessageQueue queue = Env.queues(env.topic()).stream().filter(OffsetCases::isEmpty).findFirst().orElseThrow();
        for (int i = 0; i < 3; i++) {
            Env.producer().send(Env.message(env.topic(), "TagA", "o" + i), queue);
        }
        List<String> log = Collections.synchronizedList(new ArrayList<>());
        DefaultMQPushConsumer consumer = env.newPush(env.group("c"));
        // The client asks for a delay that grows with the tries, here 10 s.
        consumer.setMaxReconsumeTimes(0);
        consumer.setSuspendCurrentQueueTimeMillis(100);
        consumer.subscribe(env.topic(), "*");
        consumer.registerMessageListener((org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly) (messages, context) -> {
            MessageExt message = messages.get(0);
            String body = new String(message.getBody(), StandardCharsets.UTF_8);
            if (body.equals(Inbox.PRIMER)) {
                return org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus.SUCCESS;
            }
            log.add(body + " " + message.getReconsumeTimes());
            return body.equals("o1") ? org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT
                : org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus.SUCCESS;
        });
        env.start(consumer);
        List<String> expected = List.of("o0 0", "o1 0", "o2 0");
        env.await(() -> "3 deliveries, so far " + log, 50, () -> log.size() >= expected.size());
        Check.equal(expected, List.copyOf(log), "deliveries");
        String dead = "%DLQ%" + env.group("c");
        env.await(() -> "route of the dead-letter topic", 20, () -> Env.hasRoute(dead));
        Inbox letters = new Inbox();
        env.push(env.group("undertaker"), dead, "*", letters);
        letters.awaitExactly(env, List.of("o1"), 40);
        Check.equal(env.topic(), letters.only("o1").getProperty("RETRY_TOPIC"), "topic where the dead letter came from");
    }

    /** The pull service shares queues like a push consumer and calls back for each; offsets go on where the group stopped. */
    private static void scheduleService(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        List<String> bodies = env.send(env.topic(), "", "m", 40);
        Inbox inbox = new Inbox();
        MQPullConsumerScheduleService first = service(env, inbox);
        inbox.awaitExactly(env, bodies, 40);
        first.getDefaultMQPullConsumer().getOffsetStore().persistAll(new java.util.HashSet<>(Env.queues(env.topic())));
        first.shutdown();
        List<String> later = env.send(env.topic(), "", "later", 20);
        Inbox rest = new Inbox();
        service(env, rest);
        rest.awaitExactly(env, later, 40);
    }

    private static MQPullConsumerScheduleService service(Env env, Inbox inbox) throws Exception {
        MQPullConsumerScheduleService service = new MQPullConsumerScheduleService(env.group("c"));
        service.setPullThreadNums(4);
        service.registerPullTaskCallback(env.topic(), (queue, context) -> {
            MQPullConsumer consumer = context.getPullConsumer();
            context.setPullNextDelayTimeMillis(100);
            try {
                long offset = Math.max(0, consumer.fetchConsumeOffset(queue, false));
                PullResult result = consumer.pull(queue, "*", offset, 32);
                if (result.getPullStatus() == PullStatus.FOUND) {
                    result.getMsgFoundList().forEach(inbox::put);
                }
                consumer.updateConsumeOffset(queue, result.getNextBeginOffset());
            } catch (Exception e) {
                // The next call tries again.
            }
        });
        service.start();
        env.onClose(service::shutdown);
        return service;
    }

    private static void pullAsync(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        MessageQueue queue = Env.queues(env.topic()).stream().filter(OffsetCases::isEmpty).findFirst().orElseThrow();
        for (int i = 0; i < 5; i++) {
            Env.producer().send(Env.message(env.topic(), "", "a" + i), queue);
        }
        env.await(() -> "5 messages in " + queue, 10, () -> Env.producer().maxOffset(queue) == 5);
        CountDownLatch done = new CountDownLatch(1);
        AtomicReference<PullResult> result = new AtomicReference<>();
        AtomicReference<Throwable> error = new AtomicReference<>();
        env.pull(env.group("pull")).pull(queue, "*", 1, 3, new PullCallback() {
            @Override
            public void onSuccess(PullResult found) {
                result.set(found);
                done.countDown();
            }

            @Override
            public void onException(Throwable e) {
                error.set(e);
                done.countDown();
            }
        });
        Check.that(done.await(20, TimeUnit.SECONDS), "no callback");
        Check.equal(null, error.get(), "error");
        Check.equal(PullStatus.FOUND, result.get().getPullStatus(), "status");
        Check.equal(List.of(1L, 2L, 3L), result.get().getMsgFoundList().stream().map(MessageExt::getQueueOffset).toList(), "offsets");
    }

    /** Assigned queues can be paused, sought by time and to the end. */
    private static void litePause(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        MessageQueue queue = Env.queues(env.topic()).stream().filter(OffsetCases::isEmpty).findFirst().orElseThrow();
        for (int i = 0; i < 10; i++) {
            Env.producer().send(Env.message(env.topic(), "", "old" + i), queue);
        }
        long sent = System.currentTimeMillis();
        env.await(() -> "the clock", 5, () -> System.currentTimeMillis() > sent + 1_000);
        long boundary = System.currentTimeMillis();
        for (int i = 0; i < 10; i++) {
            Env.producer().send(Env.message(env.topic(), "", "recent" + i), queue);
        }
        env.await(() -> "20 messages in " + queue, 10, () -> Env.producer().maxOffset(queue) == 20);
        DefaultLitePullConsumer consumer = OffsetCases.lite(env, env.group("c"));
        consumer.setAutoCommit(false);
        consumer.start();
        consumer.assign(List.of(queue));
        Check.equal(10L, consumer.offsetForTimestamp(queue, boundary), "offset by time");
        consumer.seek(queue, consumer.offsetForTimestamp(queue, boundary));
        Inbox inbox = new Inbox();
        poll(env, consumer, inbox, 10);
        consumer.seekToEnd(queue);
        consumer.pause(List.of(queue));
        // A poll that waits at the broker is answered by this.
        Env.producer().send(Env.message(env.topic(), "", "ends-poll"), queue);
        for (int i = 0; i < 5; i++) {
            consumer.poll(200).forEach(inbox::put);
        }
        Env.producer().send(Env.message(env.topic(), "", "paused"), queue);
        for (int i = 0; i < 5; i++) {
            consumer.poll(200).forEach(inbox::put);
        }
        Check.equal(0, inbox.count("paused"), "messages of a paused queue");
        consumer.resume(List.of(queue));
        poll(env, consumer, inbox, 12);
        Check.equal(0L, inbox.messages().stream().filter(message -> message.getQueueOffset() < 10).count(), "old messages");
    }

    private static void poll(Env env, DefaultLitePullConsumer consumer, Inbox inbox, int distinct) throws Exception {
        env.await(() -> inbox.distinct() + " of " + distinct + " messages polled", 30, () -> {
            consumer.poll(200).forEach(inbox::put);
            return inbox.distinct() >= distinct;
        });
    }

    /** What the user commits is the group's offset, and only that. */
    private static void liteCommit(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        MessageQueue queue = Env.queues(env.topic()).stream().filter(OffsetCases::isEmpty).findFirst().orElseThrow();
        for (int i = 0; i < 10; i++) {
            Env.producer().send(Env.message(env.topic(), "", "m" + i), queue);
        }
        env.await(() -> "10 messages in " + queue, 10, () -> Env.producer().maxOffset(queue) == 10);
        DefaultLitePullConsumer first = OffsetCases.lite(env, env.group("c"));
        first.setAutoCommit(false);
        first.setPullBatchSize(10);
        first.start();
        first.assign(List.of(queue));
        first.seek(queue, 0);
        poll(env, first, new Inbox(), 10);
        first.commitSync(Map.of(queue, 6L), true);
        env.await(() -> "the committed offset", 20, () -> first.committed(queue) == 6);
        first.shutdown();
        DefaultLitePullConsumer second = OffsetCases.lite(env, env.group("c"));
        second.setAutoCommit(false);
        second.start();
        second.assign(List.of(queue));
        Check.equal(6L, second.committed(queue), "committed offset for the next member");
        Inbox rest = new Inbox();
        poll(env, second, rest, 4);
        Check.equal(6L, rest.messages().iterator().next().getQueueOffset(), "first offset for the next member");
    }
}
