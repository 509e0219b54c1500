package org.gantry.interop;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.exception.RequestTimeoutException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.RequestCallback;
import org.apache.rocketmq.client.utils.MessageUtil;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Request and reply. */
final class RequestCases {
    private static final int REQUEST_MS = 20_000;

    private RequestCases() { }

    static void add(Suite<Env> suite) {
        suite.add("request_reply", 60, RequestCases::sync);
        suite.add("request_reply_async", 60, RequestCases::async);
        suite.add("request_without_answer", 60, RequestCases::timeout);
    }

    /** Answers every message of the case's topic with "reply to " and its body. */
    private static void responder(Env env) throws Exception {
        DefaultMQProducer replier = env.start(env.newProducer());
        DefaultMQPushConsumer consumer = env.newPush(env.group("responder"));
        consumer.subscribe(env.topic(), "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            for (MessageExt message : messages) {
                String body = new String(message.getBody(), StandardCharsets.UTF_8);
                if (body.equals(Inbox.PRIMER)) {
                    continue;
                }
                try {
                    Message reply = MessageUtil.createReplyMessage(message, ("reply to " + body).getBytes(StandardCharsets.UTF_8));
                    reply.putUserProperty("城市", "上海");
                    replier.send(reply);
                } catch (Exception e) {
                    System.err.println("replying: " + e);
                }
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        env.start(consumer);
        PushCases.awaitShared(env, 40, consumer);
    }

    private static String text(Message message) {
        return new String(message.getBody(), StandardCharsets.UTF_8);
    }

    private static void sync(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        responder(env);
        DefaultMQProducer requester = env.start(env.newProducer());
        for (int i = 0; i < 10; i++) {
            Message reply = requester.request(Env.message(env.topic(), "TagA", "请求" + i), REQUEST_MS);
            Check.equal("reply to 请求" + i, text(reply), "reply");
            Check.equal("上海", reply.getProperty("城市"), "property of the reply");
        }
        Message toQueue = requester.request(Env.message(env.topic(), "TagA", "queue"), Env.queues(env.topic()).get(1), REQUEST_MS);
        Check.equal("reply to queue", text(toQueue), "reply to a request through a chosen queue");
        String large = "x".repeat(100_000);
        Check.equal("reply to " + large, text(requester.request(Env.message(env.topic(), "TagA", large), REQUEST_MS)), "large reply");
    }

    /** Two requesters in one process get each their own replies. */
    private static void async(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        responder(env);
        Map<String, String> replies = new ConcurrentHashMap<>();
        CountDownLatch done = new CountDownLatch(40);
        for (String name : new String[] {"a", "b"}) {
            DefaultMQProducer requester = env.newProducer();
            requester.setInstanceName(env.group(name));
            env.start(requester);
            for (int i = 0; i < 20; i++) {
                String body = name + i;
                requester.request(Env.message(env.topic(), "TagA", body), new RequestCallback() {
                    @Override
                    public void onSuccess(Message message) {
                        replies.put(body, text(message));
                        done.countDown();
                    }

                    @Override
                    public void onException(Throwable e) {
                        replies.put(body, e.toString());
                        done.countDown();
                    }
                }, REQUEST_MS);
            }
        }
        Check.that(done.await(40, TimeUnit.SECONDS), done.getCount() + " replies are missing");
        replies.forEach((body, reply) -> Check.equal("reply to " + body, reply, "reply"));
    }

    private static void timeout(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        DefaultMQProducer requester = env.start(env.newProducer());
        // The first send of a producer also looks for the route; it must not count as the time without an answer.
        requester.send(Env.message(env.topic(), "", "warm"));
        try {
            requester.request(Env.message(env.topic(), "TagA", "anybody?"), 2_000);
        } catch (RequestTimeoutException e) {
            return;
        }
        throw new CheckFailed("a request that nobody answers did not time out");
    }
}
