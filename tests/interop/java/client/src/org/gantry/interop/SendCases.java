package org.gantry.interop;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageId;
import org.apache.rocketmq.common.message.MessageQueue;

/** Ways to send. */
final class SendCases {
    private static final int MESSAGE_ILLEGAL = 13;
    private static final int TOPIC_NOT_EXIST = 17;
    private static final int NOT_FOUND_TOPIC = 10_005;
    private static final int MAX_BODY = 4 * 1024 * 1024;

    private SendCases() { }

    static void add(Suite<Env> suite) {
        suite.add("send_sync", 30, SendCases::sync);
        suite.add("send_async", 30, SendCases::async);
        suite.add("send_oneway", 30, SendCases::oneway);
        suite.add("send_batch", 45, SendCases::batch);
        suite.add("send_to_chosen_queue", 30, SendCases::chosenQueue);
        suite.add("send_unknown_topic_refused", 30, SendCases::unknownTopic);
        suite.add("send_create_topic", 30, SendCases::createTopic);
        suite.add("send_body_sizes", 60, SendCases::bodySizes);
        suite.add("send_too_large", 60, SendCases::tooLarge);
        suite.add("send_vip_channel", 45, SendCases::vipChannel);
        if (System.getenv("INTEROP_EXPECT_REFUSAL") != null) {
            suite.add("tls_mismatch_sends_nothing", 60, SendCases::tlsMismatch);
        }
    }

    /** The first send creates the topic; offsets of each queue count up from 0 without a gap. */
    private static void sync(Env env) throws Exception {
        Map<Integer, Long> next = new HashMap<>();
        Set<String> ids = new HashSet<>();
        for (int i = 0; i < 100; i++) {
            SendResult result = Env.producer().send(Env.message(env.topic(), "TagA", "sync" + i));
            Check.equal(SendStatus.SEND_OK, result.getSendStatus(), "status");
            MessageQueue queue = result.getMessageQueue();
            Check.equal(next.getOrDefault(queue.getQueueId(), 0L), result.getQueueOffset(), "offset in " + queue);
            next.put(queue.getQueueId(), result.getQueueOffset() + 1);
            ids.add(result.getMsgId());
            ids.add(result.getOffsetMsgId());
            MessageId where = MessageDecoder.decodeMessageId(result.getOffsetMsgId());
            Check.that(where.getOffset() >= 0, "offset id " + result.getOffsetMsgId() + " holds no log offset");
        }
        Check.equal(200, ids.size(), "different message and offset ids");
        Check.equal(Set.of(0, 1, 2, 3), next.keySet(), "queues of an automatically created topic");
        env.awaitMessages(env.topic(), 100);
    }

    private static void async(Env env) throws Exception {
        int count = 500;
        env.createByFirstSend(env.topic());
        CountDownLatch done = new CountDownLatch(count);
        ConcurrentLinkedQueue<Throwable> errors = new ConcurrentLinkedQueue<>();
        Set<String> places = ConcurrentHashMap.newKeySet();
        for (int i = 0; i < count; i++) {
            Env.producer().send(Env.message(env.topic(), "TagA", "async" + i), new SendCallback() {
                @Override
                public void onSuccess(SendResult result) {
                    places.add(result.getMessageQueue().getQueueId() + "@" + result.getQueueOffset());
                    done.countDown();
                }

                @Override
                public void onException(Throwable e) {
                    errors.add(e);
                    done.countDown();
                }
            });
        }
        Check.that(done.await(20, TimeUnit.SECONDS), done.getCount() + " callbacks are missing");
        Check.that(errors.isEmpty(), errors.size() + " sends failed, first: " + errors.peek());
        Check.equal(count, places.size(), "different places of messages");
        env.awaitMessages(env.topic(), count + 1);
    }

    private static void oneway(Env env) throws Exception {
        int count = 200;
        env.createByFirstSend(env.topic());
        Inbox inbox = new Inbox();
        List<String> bodies = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            bodies.add("oneway" + i);
            Env.producer().sendOneway(Env.message(env.topic(), "TagA", "oneway" + i));
        }
        env.awaitMessages(env.topic(), count + 1);
        env.push(env.group("c"), env.topic(), "*", inbox);
        inbox.awaitExactly(env, bodies, 20);
    }

    /** One request, one queue, neighbouring offsets; each message keeps its own tag, key and id. */
    private static void batch(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        List<Message> batch = new ArrayList<>();
        List<String> evenBodies = new ArrayList<>();
        for (int i = 0; i < 50; i++) {
            Message message = Env.message(env.topic(), i % 2 == 0 ? "Even" : "Odd", "batch" + i);
            message.setKeys("key" + i);
            message.putUserProperty("index", Integer.toString(i));
            batch.add(message);
            if (i % 2 == 0) {
                evenBodies.add("batch" + i);
            }
        }
        SendResult result = Env.producer().send(batch);
        Check.equal(SendStatus.SEND_OK, result.getSendStatus(), "status");
        Check.equal(50, result.getMsgId().split(",").length, "number of ids");
        Check.equal(50, new HashSet<>(Arrays.asList(result.getOffsetMsgId().split(","))).size(), "number of offset ids");
        env.awaitMessages(env.topic(), 51);

        DefaultMQPullConsumer pull = env.pull(env.group("pull"));
        MessageQueue queue = result.getMessageQueue();
        for (int i = 0; i < 50; i++) {
            PullResult one = pull.pull(queue, "*", result.getQueueOffset() + i, 1);
            Check.equal(PullStatus.FOUND, one.getPullStatus(), "status of batch message " + i);
            MessageExt message = one.getMsgFoundList().get(0);
            Check.equal("batch" + i, new String(message.getBody(), StandardCharsets.UTF_8), "body");
            Check.equal("key" + i, message.getKeys(), "key");
            Check.equal(Integer.toString(i), message.getUserProperty("index"), "user property");
        }
        Inbox even = new Inbox();
        env.push(env.group("even"), env.topic(), "Even", even);
        even.awaitExactly(env, evenBodies, 20);
    }

    private static void chosenQueue(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        MessageQueue queue = Env.queues(env.topic()).get(2);
        long before = Env.producer().maxOffset(queue);
        for (int i = 0; i < 10; i++) {
            SendResult direct = Env.producer().send(Env.message(env.topic(), "", "direct" + i), queue);
            Check.equal(queue, direct.getMessageQueue(), "queue of a send to a queue");
            SendResult selected = Env.producer().send(Env.message(env.topic(), "", "selected" + i),
                (queues, message, index) -> queues.stream().filter(queue::equals).findFirst().get(), null);
            Check.equal(queue, selected.getMessageQueue(), "queue of a send with a selector");
        }
        env.await(() -> "20 messages more in the chosen queue", 10, () -> Env.producer().maxOffset(queue) == before + 20);
        MessageQueue beyond = new MessageQueue(env.topic(), queue.getBrokerName(), 99);
        Refusal.byBroker(1, "a queue id beyond the topic's queues",
            () -> Env.producer().send(Env.message(env.topic(), "", "lost"), beyond));
    }

    /** Without a default topic to copy from, an unknown topic is not created: neither route nor broker has it. */
    private static void unknownTopic(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        DefaultMQProducer producer = env.newProducer();
        producer.setCreateTopicKey(env.topic("no_such_default"));
        env.start(producer);
        SendResult known = producer.send(Env.message(env.topic(), "", "known"));
        String unknown = env.topic("unknown");
        try {
            producer.send(Env.message(unknown, "", "nowhere"));
            throw new CheckFailed("a send to an unknown topic was not refused");
        } catch (MQClientException e) {
            // Client 4 stops at the missing route, client 5 tries the broker.
            Check.that(e.getResponseCode() == NOT_FOUND_TOPIC || e.getResponseCode() == TOPIC_NOT_EXIST, "refused with " + e);
        }
        MessageQueue queue = new MessageQueue(unknown, known.getMessageQueue().getBrokerName(), 0);
        Refusal.byBroker(TOPIC_NOT_EXIST, "a send to a queue of an unknown topic",
            () -> producer.send(Env.message(unknown, "", "nowhere"), queue));
    }

    private static void createTopic(Env env) throws Exception {
        Compat.createTopic(Env.producer(), env.topic(), 7);
        env.await(() -> "route of the created topic", 15, () -> Env.hasRoute(env.topic()));
        Check.equal(7, Env.queues(env.topic()).size(), "queues of the created topic");
        env.send(env.topic(), "TagA", "m", 14);
        env.awaitMessages(env.topic(), 14);
    }

    /** Bodies that do not compress come back as they were, from 1 byte up to the broker's limit. */
    private static void bodySizes(Env env) throws Exception {
        DefaultMQProducer producer = env.newProducer();
        producer.setCompressMsgBodyOverHowmuch(Integer.MAX_VALUE);
        env.start(producer);
        DefaultMQPullConsumer pull = env.pull(env.group("pull"));
        Random random = new Random(7);
        for (int size : new int[] {1, 2, 255, 256, 4095, 4096, 65_535, 65_536, 262_143, 262_145, 1 << 20, MAX_BODY}) {
            byte[] body = new byte[size];
            random.nextBytes(body);
            SendResult sent = producer.send(new Message(env.topic(), "Size", body));
            Check.equal(SendStatus.SEND_OK, sent.getSendStatus(), "status for " + size + " bytes");
            env.await(() -> "the index of " + size + " bytes", 10,
                () -> producer.maxOffset(sent.getMessageQueue()) > sent.getQueueOffset());
            PullResult got = pull.pull(sent.getMessageQueue(), "*", sent.getQueueOffset(), 1, 10_000);
            Check.equal(PullStatus.FOUND, got.getPullStatus(), "pull of " + size + " bytes");
            Check.that(Arrays.equals(body, got.getMsgFoundList().get(0).getBody()), "a body of " + size + " bytes came back changed");
        }
        Refusal.byClient("the message body", "an empty body", () -> producer.send(new Message(env.topic(), "", new byte[0])));
    }

    /** Above the limit the broker itself refuses with MESSAGE_ILLEGAL, stores nothing and the connection stays usable. */
    private static void tooLarge(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        DefaultMQProducer producer = env.newProducer();
        producer.setMaxMessageSize(3 * MAX_BODY);
        producer.setCompressMsgBodyOverHowmuch(Integer.MAX_VALUE);
        env.start(producer);
        byte[] body = new byte[MAX_BODY + 1];
        new Random(8).nextBytes(body);
        Refusal.byBroker(MESSAGE_ILLEGAL, "4 MiB + 1 byte", () -> producer.send(new Message(env.topic(), "", body)));
        Refusal.byBroker(MESSAGE_ILLEGAL, "8 MiB", () -> producer.send(new Message(env.topic(), "", new byte[2 * MAX_BODY])));
        List<Message> batch = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            batch.add(new Message(env.topic(), "", new byte[MAX_BODY / 4]));
        }
        Refusal.byBroker(MESSAGE_ILLEGAL, "a batch of 5 MiB", () -> producer.send(batch));
        Message properties = new Message(env.topic(), "", new byte[1]);
        properties.putUserProperty("long", "x".repeat(40_000));
        Refusal.byBroker(MESSAGE_ILLEGAL, "properties above 32,767 bytes", () -> producer.send(properties));
        env.awaitMessages(env.topic(), 1);
        Check.equal(SendStatus.SEND_OK, producer.send(new Message(env.topic(), "", new byte[1])).getSendStatus(), "the next send");
    }

    /** With the VIP channel switched on, producers and consumers talk to listen port - 2. */
    private static void vipChannel(Env env) throws Exception {
        DefaultMQProducer producer = env.newProducer();
        producer.setVipChannelEnabled(true);
        env.start(producer);
        List<String> bodies = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            bodies.add("vip" + i);
            producer.send(Env.message(env.topic(), "TagA", "vip" + i));
        }
        Inbox inbox = new Inbox();
        var consumer = env.newPush(env.group("c"));
        consumer.setVipChannelEnabled(true);
        consumer.subscribe(env.topic(), "*");
        consumer.registerMessageListener(inbox);
        env.start(consumer);
        inbox.awaitExactly(env, bodies, 25);
    }

    /** For a JVM whose TLS settings do not fit the server's: the connection ends and nothing is sent. */
    private static void tlsMismatch(Env env) throws Exception {
        DefaultMQProducer producer = env.newProducer();
        producer.setSendMsgTimeout(5_000);
        producer.setMqClientApiTimeout(1_000);
        env.start(producer);
        try {
            SendResult result = producer.send(Env.message(env.topic(), "", "secret"));
            throw new CheckFailed("in spite of TLS settings that do not fit, the broker took " + result);
        } catch (MQClientException | IllegalStateException e) {
            // Client 4 wraps what the connection reported, now in the one, now in the other; a closed one is a time-out to it.
            boolean byConnection = false;
            for (Throwable cause = e; cause != null; cause = cause.getCause()) {
                byConnection |= cause.toString().contains("org.apache.rocketmq.remoting.exception.Remoting");
            }
            Check.that(byConnection, "the send did not fail by its connection: " + e);
        }
    }
}
