package org.gantry.interop;

import com.alibaba.rocketmq.client.consumer.DefaultMQPullConsumer;
import com.alibaba.rocketmq.client.consumer.DefaultMQPushConsumer;
import com.alibaba.rocketmq.client.consumer.PullResult;
import com.alibaba.rocketmq.client.consumer.PullStatus;
import com.alibaba.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import com.alibaba.rocketmq.client.consumer.listener.MessageListenerOrderly;
import com.alibaba.rocketmq.client.producer.SendCallback;
import com.alibaba.rocketmq.client.producer.SendResult;
import com.alibaba.rocketmq.client.producer.SendStatus;
import com.alibaba.rocketmq.common.message.MessageExt;
import com.alibaba.rocketmq.common.message.MessageQueue;
import com.alibaba.rocketmq.common.protocol.heartbeat.MessageModel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;

/** The main promises for the 3.x client (com.alibaba.rocketmq), which uses the VIP channel by default. */
public final class Main {
    private Main() { }

    public static void main(String[] args) throws Exception {
        if (Env.NAMESRV_ADDR == null) {
            System.err.println("NAMESRV_ADDR is not set: host:port of the name server to test");
            System.exit(2);
        }
        Suite<Env> suite = new Suite<>(Env::new);
        suite.add("old_send_sync_async_oneway", 60, Main::send);
        suite.add("old_push_clustering", 90, Main::clustering);
        suite.add("old_push_broadcasting", 90, Main::broadcasting);
        suite.add("old_push_tags", 90, Main::tags);
        suite.add("old_push_restart_continues", 90, Main::restart);
        suite.add("old_orderly", 90, Main::orderly);
        suite.add("old_pull_statuses", 60, Main::pullStatuses);
        suite.add("old_properties_and_query", 60, Main::query);
        FeatureCases.add(suite);
        LimitCases.add(suite);
        int code = suite.run();
        Env.producer().shutdown();
        System.exit(code);
    }

    private static void send(Env env) throws Exception {
        Map<Integer, Long> next = new HashMap<>();
        List<String> bodies = new ArrayList<>();
        for (int i = 0; i < 60; i++) {
            SendResult result = Env.producer().send(env.message("TagA", "sync" + i));
            Check.equal(SendStatus.SEND_OK, result.getSendStatus(), "status");
            int queue = result.getMessageQueue().getQueueId();
            Check.equal(next.getOrDefault(queue, 0L), result.getQueueOffset(), "offset in queue " + queue);
            next.put(queue, result.getQueueOffset() + 1);
            bodies.add("sync" + i);
        }
        CountDownLatch done = new CountDownLatch(60);
        AtomicReference<Throwable> error = new AtomicReference<>();
        for (int i = 0; i < 60; i++) {
            bodies.add("async" + i);
            Env.producer().send(env.message("TagA", "async" + i), new SendCallback() {
                @Override
                public void onSuccess(SendResult result) {
                    done.countDown();
                }

                @Override
                public void onException(Throwable e) {
                    error.set(e);
                    done.countDown();
                }
            });
        }
        Check.that(done.await(20, TimeUnit.SECONDS), done.getCount() + " callbacks are missing");
        Check.equal(null, error.get(), "error of an asynchronous send");
        for (int i = 0; i < 60; i++) {
            bodies.add("oneway" + i);
            Env.producer().sendOneway(env.message("TagA", "oneway" + i));
        }
        Env.Inbox inbox = new Env.Inbox();
        env.push(env.group("c"), "*", MessageModel.CLUSTERING, inbox);
        inbox.awaitExactly(env, bodies, 40);
    }

    private static void clustering(Env env) throws Exception {
        env.createByFirstSend();
        Env.Inbox inbox = new Env.Inbox();
        DefaultMQPushConsumer a = env.push(env.group("c"), "*", MessageModel.CLUSTERING, inbox);
        DefaultMQPushConsumer b = env.push(env.group("c"), "*", MessageModel.CLUSTERING, inbox);
        env.await(() -> "two members with two queues each", 60, () -> owned(env, a) == 2 && owned(env, b) == 2);
        inbox.awaitExactly(env, env.send("TagA", "shared", 200), 40);
    }

    private static long owned(Env env, DefaultMQPushConsumer consumer) {
        return consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable().keySet().stream()
            .filter(queue -> queue.getTopic().equals(env.topic())).count();
    }

    private static void broadcasting(Env env) throws Exception {
        env.createByFirstSend();
        Env.Inbox one = new Env.Inbox();
        Env.Inbox two = new Env.Inbox();
        env.push(env.group("c"), "*", MessageModel.BROADCASTING, one);
        env.push(env.group("c"), "*", MessageModel.BROADCASTING, two);
        List<String> bodies = env.send("TagA", "all", 60);
        one.awaitExactly(env, bodies, 60);
        two.awaitExactly(env, bodies, 60);
    }

    private static void tags(Env env) throws Exception {
        env.createByFirstSend();
        List<String> wanted = env.send("Red", "red", 20);
        List<String> all = new ArrayList<>(wanted);
        all.addAll(env.send("Green", "green", 20));
        List<String> blue = env.send("Blue", "blue", 20);
        wanted.addAll(blue);
        all.addAll(blue);
        Env.Inbox two = new Env.Inbox();
        Env.Inbox star = new Env.Inbox();
        env.push(env.group("two"), "Red || Blue", MessageModel.CLUSTERING, two);
        env.push(env.group("star"), "*", MessageModel.CLUSTERING, star);
        two.awaitExactly(env, wanted, 60);
        star.awaitExactly(env, all, 60);
    }

    private static void restart(Env env) throws Exception {
        env.createByFirstSend();
        Env.Inbox before = new Env.Inbox();
        DefaultMQPushConsumer consumer = env.push(env.group("c"), "*", MessageModel.CLUSTERING, before);
        before.awaitExactly(env, env.send("", "before", 60), 60);
        consumer.shutdown();
        List<String> meanwhile = env.send("", "meanwhile", 60);
        Env.Inbox after = new Env.Inbox();
        env.push(env.group("c"), "*", MessageModel.CLUSTERING, after);
        after.awaitExactly(env, meanwhile, 60);
    }

    private static void orderly(Env env) throws Exception {
        env.createByFirstSend();
        MessageQueue queue = env.queues().get(1);
        List<String> expected = new ArrayList<>();
        for (int i = 0; i < 60; i++) {
            Env.producer().send(env.message("", "o" + i), queue);
            expected.add("o" + i);
        }
        List<String> log = Collections.synchronizedList(new ArrayList<>());
        DefaultMQPushConsumer consumer = env.newPush(env.group("c"), "*");
        consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
            for (MessageExt message : messages) {
                String body = new String(message.getBody(), StandardCharsets.UTF_8);
                if (!body.equals(Env.PRIMER)) {
                    log.add(body);
                }
            }
            return ConsumeOrderlyStatus.SUCCESS;
        });
        env.start(consumer);
        env.await(() -> log.size() + " of 60 messages", 60, () -> log.size() >= 60);
        Check.equal(expected, List.copyOf(log), "order");
    }

    private static void pullStatuses(Env env) throws Exception {
        env.createByFirstSend();
        MessageQueue queue = env.queues().get(3);
        long base = Env.producer().maxOffset(queue);
        for (int i = 0; i < 10; i++) {
            Env.producer().send(env.message("Some", "p" + i), queue);
        }
        env.await(() -> "10 messages more in " + queue, 10, () -> Env.producer().maxOffset(queue) >= base + 10);
        long end = Env.producer().maxOffset(queue);
        DefaultMQPullConsumer pull = env.pull(env.group("pull"));
        PullResult found = pull.pull(queue, "*", end - 10, 32);
        Check.equal(PullStatus.FOUND, found.getPullStatus(), "status of a pull");
        Check.equal(10, found.getMsgFoundList().size(), "messages found");
        Check.equal(PullStatus.NO_NEW_MSG, pull.pull(queue, "*", end, 32).getPullStatus(), "status at the end");
        Check.equal(PullStatus.NO_MATCHED_MSG, pull.pull(queue, "Absent", end - 10, 32).getPullStatus(), "status of an absent tag");
        Check.equal(PullStatus.OFFSET_ILLEGAL, pull.pull(queue, "*", end + 9, 32).getPullStatus(), "status beyond the end");
    }

    private static void query(Env env) throws Exception {
        var message = env.message("标签", "größer 订单");
        message.setKeys("单号1");
        message.putUserProperty("城市", "上海");
        SendResult sent = Env.producer().send(message);
        long now = System.currentTimeMillis();
        List<MessageExt> found = new ArrayList<>();
        env.await(() -> "the message by key", 20, () -> {
            try {
                found.addAll(Env.producer().queryMessage(env.topic(), "单号1", 8, now - 60_000, now + 60_000).getMessageList());
            } catch (com.alibaba.rocketmq.client.exception.MQClientException e) {
                // The client reports an empty answer this way.
            }
            return !found.isEmpty();
        });
        Check.equal("größer 订单", new String(found.get(0).getBody(), StandardCharsets.UTF_8), "body");
        Check.equal("标签", found.get(0).getTags(), "tag");
        Check.equal("上海", found.get(0).getUserProperty("城市"), "user property");
        Check.equal(sent.getQueueOffset(), found.get(0).getQueueOffset(), "queue offset");
    }
}
