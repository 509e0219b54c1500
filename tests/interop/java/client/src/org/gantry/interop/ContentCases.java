package org.gantry.interop;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** What is in a message comes back as it was sent, and messages are found by key and id. */
final class ContentCases {
    private static final String COMPRESS_TYPE = "rocketmq.message.compressType";

    private ContentCases() { }

    static void add(Suite<Env> suite) {
        suite.add("content_compressed", 60, ContentCases::compressed);
        suite.add("content_properties_utf8", 60, ContentCases::properties);
        suite.add("content_message_fields", 60, ContentCases::fields);
        suite.add("view_by_offset_id", 60, ContentCases::view);
        suite.add("query_by_key_and_unique_id", 60, ContentCases::query);
    }

    /** Compressed by the producer in each way it knows, stored compressed, decompressed by the consumer. */
    private static void compressed(Env env) throws Exception {
        String body = "Gantry carries containers, one after the other. ".repeat(4_000);
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        List<String> kinds = List.of("ZLIB", "LZ4", "ZSTD");
        for (String kind : kinds) {
            DefaultMQProducer producer;
            synchronized (ContentCases.class) {
                System.setProperty(COMPRESS_TYPE, kind);
                producer = env.newProducer();
                System.clearProperty(COMPRESS_TYPE);
            }
            env.start(producer);
            producer.send(new Message(env.topic(), kind, bytes));
        }
        Map<String, MessageExt> got = new ConcurrentHashMap<>();
        DefaultMQPushConsumer consumer = env.newPush(env.group("c"));
        consumer.subscribe(env.topic(), "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            messages.forEach(message -> got.put(message.getTags(), message));
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        env.start(consumer);
        env.await(() -> "compressed messages, so far " + got.keySet(), 40, () -> got.keySet().containsAll(kinds));
        for (String kind : kinds) {
            MessageExt message = got.get(kind);
            Check.that(Arrays.equals(bytes, message.getBody()), "the " + kind + " body came back changed");
            Check.that(message.getStoreSize() < bytes.length / 10, "the " + kind + " body was stored with " + message.getStoreSize() + " bytes");
        }
    }

    private static void properties(Env env) throws Exception {
        Message message = new Message(env.topic(), "标签", "订单-1 größer 🚢".getBytes(StandardCharsets.UTF_8));
        message.setKeys(List.of("键一", "schlüssel", "🔑"));
        message.putUserProperty("城市", "上海");
        message.putUserProperty("emoji", "🚢⚓");
        message.putUserProperty("spaces", "a b  c");
        message.putUserProperty("long", "é".repeat(5_000));
        message.setFlag(0x1234);
        Env.producer().send(message);
        Inbox inbox = new Inbox();
        env.push(env.group("c"), env.topic(), "标签", inbox);
        inbox.awaitExactly(env, List.of("订单-1 größer 🚢"), 40);
        MessageExt got = inbox.only("订单-1 größer 🚢");
        Check.equal("标签", got.getTags(), "tag");
        Check.equal("键一 schlüssel 🔑", got.getKeys(), "keys");
        Check.equal("上海", got.getUserProperty("城市"), "user property");
        Check.equal("🚢⚓", got.getUserProperty("emoji"), "user property with emoji");
        Check.equal("a b  c", got.getUserProperty("spaces"), "user property with blanks");
        Check.equal("é".repeat(5_000), got.getUserProperty("long"), "long user property");
        Check.equal(0x1234, got.getFlag(), "flag");
    }

    private static void fields(Env env) throws Exception {
        long before = System.currentTimeMillis();
        SendResult sent = Env.producer().send(Env.message(env.topic(), "TagA", "fields"));
        Inbox inbox = new Inbox();
        env.push(env.group("c"), env.topic(), "*", inbox);
        inbox.awaitExactly(env, List.of("fields"), 40);
        MessageExt got = inbox.only("fields");
        Check.equal(sent.getMsgId(), got.getMsgId(), "message id");
        Check.equal(sent.getQueueOffset(), got.getQueueOffset(), "queue offset");
        Check.equal(sent.getMessageQueue().getQueueId(), got.getQueueId(), "queue id");
        Check.equal(sent.getMessageQueue().getBrokerName(), got.getBrokerName(), "broker name");
        Check.equal(0, got.getReconsumeTimes(), "reconsume times");
        Check.equal(0, got.getSysFlag(), "system flag");
        // A broker may read its clock once per turn, so the store time may lie a little before the birth.
        Check.that(got.getBornTimestamp() >= before && got.getBornTimestamp() <= got.getStoreTimestamp() + 20,
            "born " + got.getBornTimestamp() + ", stored " + got.getStoreTimestamp() + ", test began " + before);
        Check.that(got.getBornHost().toString().contains("127.0.0.1"), "born host " + got.getBornHost());
        Check.that(got.getStoreHost().toString().contains("127.0.0.1"), "store host " + got.getStoreHost());
        Check.equal("1", got.getProperty("MAX_OFFSET"), "end of the queue as told with the message");
        Check.equal("0", got.getProperty("MIN_OFFSET"), "beginning of the queue as told with the message");
        Check.equal("DefaultCluster", got.getProperty("CLUSTER"), "cluster");
    }

    private static void view(Env env) throws Exception {
        SendResult sent = null;
        for (int i = 0; i < 4; i++) {
            sent = Env.producer().send(Env.message(env.topic(), "TagA", "view" + i));
        }
        MessageExt found = Env.producer().viewMessage(env.topic(), sent.getOffsetMsgId());
        Check.equal("view3", new String(found.getBody(), StandardCharsets.UTF_8), "body by offset id");
        Check.equal(sent.getQueueOffset(), found.getQueueOffset(), "queue offset by offset id");
        Check.equal(sent.getMessageQueue().getQueueId(), found.getQueueId(), "queue id by offset id");
        Check.equal(env.topic(), found.getTopic(), "topic by offset id");
    }

    private static void query(Env env) throws Exception {
        List<SendResult> sent = new ArrayList<>();
        long begin = System.currentTimeMillis() - 60_000;
        for (int i = 0; i < 20; i++) {
            Message message = Env.message(env.topic(), "TagA", "query" + i);
            message.setKeys(List.of("单号" + i, i % 2 == 0 ? "even" : "odd"));
            sent.add(Env.producer().send(message));
        }
        long end = System.currentTimeMillis() + 60_000;
        env.await(() -> "10 messages by key", 15, () -> countByKey(env.topic(), "even", begin, end) == 10);
        List<MessageExt> one = Env.producer().queryMessage(env.topic(), "单号7", 8, begin, end).getMessageList();
        Check.equal(1, one.size(), "messages with a key of their own");
        Check.equal("query7", new String(one.get(0).getBody(), StandardCharsets.UTF_8), "body of the message by key");
        Check.equal(0, countByKey(env.topic(), "absent", begin, end), "messages with a key that nobody sent");
        Check.equal(0, countByKey(env.topic(), "even", begin - 3_600_000, begin - 1_800_000), "messages from before the test");

        MessageExt byUniqueId = Env.producer().viewMessage(env.topic(), sent.get(5).getMsgId());
        Check.equal("query5", new String(byUniqueId.getBody(), StandardCharsets.UTF_8), "body by unique id");
    }

    static int countByKey(String topic, String key, long begin, long end) throws Exception {
        try {
            return Env.producer().queryMessage(topic, key, 64, begin, end).getMessageList().size();
        } catch (org.apache.rocketmq.client.exception.MQClientException e) {
            // The client reports an empty answer this way.
            return 0;
        }
    }
}
