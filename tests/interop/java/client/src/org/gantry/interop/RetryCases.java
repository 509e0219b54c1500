package org.gantry.interop;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageClientExt;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Redelivery, dead letters and delayed messages. */
final class RetryCases {
    private RetryCases() { }

    static void add(Suite<Env> suite) {
        suite.add("retry_later_then_dead_letter", 120, RetryCases::retryThenDead);
        suite.add("delay_level", 60, RetryCases::delay);
        suite.add("delay_level_keeps_message", 60, RetryCases::delayKeeps);
        suite.add("retry_after_failing_listener", 90, RetryCases::failingListener);
        suite.add("dead_letter_sent_again", 90, RetryCases::sentAgain);
        suite.add("retry_straight_to_dead_letter", 90, RetryCases::straightToDead);
        suite.add("retry_rest_of_batch", 90, RetryCases::ackIndex);
        suite.add("retry_sent_back_by_pull_consumer", 60, RetryCases::sendBackByPull);
    }

    /** A refused message comes again with its count and topic; after the last try it is in the dead-letter queue. */
    private static void retryThenDead(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        String group = env.group("c");
        ConcurrentLinkedQueue<String> tries = new ConcurrentLinkedQueue<>();
        // The broker makes the group's retry topic with the first heartbeat; a member that finds it at its start reads
        // it at once, others only after the next look at the routes.
        DefaultMQPushConsumer scout = env.push(group, env.topic(), "Nothing", new Inbox());
        env.await(() -> "route of the retry topic", 15, () -> Env.hasRoute("%RETRY%" + group));
        scout.shutdown();
        DefaultMQPushConsumer consumer = env.newPush(group);
        consumer.setMaxReconsumeTimes(2);
        consumer.subscribe(env.topic(), "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            MessageExt message = messages.get(0);
            String body = new String(message.getBody(), StandardCharsets.UTF_8);
            if (body.equals(Inbox.PRIMER)) {
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            }
            tries.add(body + " " + message.getReconsumeTimes() + " " + message.getTopic() + " " + message.getTags());
            context.setDelayLevelWhenNextConsume(1);
            return ConsumeConcurrentlyStatus.RECONSUME_LATER;
        });
        env.start(consumer);
        env.send(env.topic(), "TagA", "bad", 1);
        env.await(() -> "three tries, so far " + tries, 90, () -> tries.size() >= 3);
        String rest = " " + env.topic() + " TagA";
        Check.equal(List.of("bad0 0" + rest, "bad0 1" + rest, "bad0 2" + rest), List.copyOf(tries), "tries");

        String dead = "%DLQ%" + group;
        env.await(() -> "route of the dead-letter topic", 20, () -> Env.hasRoute(dead));
        env.awaitMessages(dead, 1);
        MessageQueue queue = Env.queues(dead).get(0);
        MessageExt letter = env.pull(env.group("pull")).pull(queue, "*", 0, 1).getMsgFoundList().get(0);
        Check.equal("bad0", new String(letter.getBody(), StandardCharsets.UTF_8), "body of the dead letter");
        Check.equal(env.topic(), letter.getProperty("RETRY_TOPIC"), "topic where the dead letter came from");
    }

    private static void delay(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer consumer = env.push(env.group("c"), env.topic(), "*", inbox);
        PushCases.awaitShared(env, 40, consumer);
        Message message = Env.message(env.topic(), "TagA", "late");
        message.setDelayTimeLevel(2);
        long sent = System.currentTimeMillis();
        Env.producer().send(message);
        inbox.awaitExactly(env, List.of("late"), 15);
        long tookMs = inbox.only("late").getStoreTimestamp() - sent;
        Check.that(tookMs >= 4_900 && tookMs < 8_000, "level 2 means 5 s, the message was stored after " + tookMs + " ms");
    }

    /** Body, reconsume times and topic of what was tried, for a listener that fails some tries. */
    private static String attempt(MessageExt message) {
        return new String(message.getBody(), StandardCharsets.UTF_8) + " " + message.getReconsumeTimes() + " " + message.getTopic();
    }

    /** Starts a group whose retry topic exists already, so that its member reads it at once. */
    private static DefaultMQPushConsumer retrying(Env env, String group, MessageListenerConcurrently listener) throws Exception {
        DefaultMQPushConsumer scout = env.push(group, env.topic(), "Nothing", new Inbox());
        env.await(() -> "route of the retry topic", 15, () -> Env.hasRoute("%RETRY%" + group));
        scout.shutdown();
        DefaultMQPushConsumer consumer = env.newPush(group);
        consumer.subscribe(env.topic(), "*");
        consumer.registerMessageListener(listener);
        return consumer;
    }

    /** A listener that throws, or returns nothing, has failed. */
    private static void failingListener(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        ConcurrentLinkedQueue<String> tries = new ConcurrentLinkedQueue<>();
        env.start(retrying(env, env.group("c"), (messages, context) -> {
            MessageExt message = messages.get(0);
            context.setDelayLevelWhenNextConsume(1);
            if (new String(message.getBody(), StandardCharsets.UTF_8).equals(Inbox.PRIMER)) {
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            }
            tries.add(attempt(message));
            switch (message.getReconsumeTimes()) {
                case 0: throw new IllegalStateException("the listener fails");
                case 1: return null;
                default: return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            }
        }));
        env.send(env.topic(), "TagA", "bad", 1);
        env.await(() -> "three tries, so far " + tries, 60, () -> tries.size() >= 3);
        Check.equal(List.of("bad0 0 " + env.topic(), "bad0 1 " + env.topic(), "bad0 2 " + env.topic()), List.copyOf(tries), "tries");
    }

    /** Delay level -1 means: no further try; dead letters can be consumed by a group of their own. */
    private static void straightToDead(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        String group = env.group("c");
        DefaultMQPushConsumer consumer = env.newPush(group);
        consumer.subscribe(env.topic(), "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            if (new String(messages.get(0).getBody(), StandardCharsets.UTF_8).equals(Inbox.PRIMER)) {
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            }
            context.setDelayLevelWhenNextConsume(-1);
            return ConsumeConcurrentlyStatus.RECONSUME_LATER;
        });
        env.start(consumer);
        List<String> bodies = env.send(env.topic(), "TagA", "hopeless", 3);
        String dead = "%DLQ%" + group;
        env.await(() -> "route of the dead-letter topic", 40, () -> Env.hasRoute(dead));
        Inbox inbox = new Inbox();
        env.push(env.group("undertaker"), dead, "*", inbox);
        inbox.awaitExactly(env, bodies, 40);
        MessageExt letter = inbox.only("hopeless0");
        Check.equal("TagA", letter.getTags(), "tag of the dead letter");
        Check.equal(env.topic(), letter.getProperty("RETRY_TOPIC"), "topic where the dead letter came from");
        Check.equal(1, letter.getReconsumeTimes(), "reconsume times of the dead letter");
    }

    /** Dead letters get another try as consoles do it (handed to a member directly) and as applications do it (sent to their old topic). */
    private static void sentAgain(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        String group = env.group("c");
        AtomicBoolean healed = new AtomicBoolean();
        ConcurrentLinkedQueue<String> consumed = new ConcurrentLinkedQueue<>();
        DefaultMQPushConsumer consumer = env.newPush(group);
        consumer.setMaxReconsumeTimes(0);
        consumer.subscribe(env.topic(), "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            String body = new String(messages.get(0).getBody(), StandardCharsets.UTF_8);
            if (body.equals(Inbox.PRIMER)) {
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            }
            if (!healed.get()) {
                return ConsumeConcurrentlyStatus.RECONSUME_LATER;
            }
            consumed.add(body);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        env.start(consumer);
        List<String> bodies = env.send(env.topic(), "TagA", "sick", 2);
        String dead = "%DLQ%" + group;
        env.await(() -> "route of the dead-letter topic", 40, () -> Env.hasRoute(dead));
        Inbox letters = new Inbox();
        env.push(env.group("undertaker"), dead, "*", letters);
        letters.awaitExactly(env, bodies, 40);
        healed.set(true);
        MessageClientExt first = (MessageClientExt) letters.only("sick0");
        String result = Compat.consumeDirectly(Env.api(), Env.brokerAddress(Env.queues(env.topic()).get(0)), group, AdminCases.clientId(consumer), dead,
            first.getOffsetMsgId());
        Check.equal("CR_SUCCESS", result, "result of the member's listener");
        Check.equal(List.of("sick0"), List.copyOf(consumed), "messages consumed after the first was handed over");
        MessageExt second = letters.only("sick1");
        Message again = new Message(second.getProperty("RETRY_TOPIC"), second.getTags(), second.getBody());
        Env.producer().send(again);
        env.await(() -> "the letter that was sent again, so far " + consumed, 30, () -> consumed.size() >= 2);
        Check.equal(bodies, List.copyOf(consumed), "messages consumed in the end");
    }

    /** Of a batch that succeeded up to an index, only the rest comes again. */
    private static void ackIndex(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        MessageQueue queue = Env.queues(env.topic()).stream().filter(OffsetCases::isEmpty).findFirst().orElseThrow();
        for (int i = 0; i < 4; i++) {
            Env.producer().send(Env.message(env.topic(), "", "b" + i), queue);
        }
        env.await(() -> "4 messages in " + queue, 10, () -> Env.producer().maxOffset(queue) == 4);
        ConcurrentLinkedQueue<String> again = new ConcurrentLinkedQueue<>();
        ConcurrentLinkedQueue<Integer> sizes = new ConcurrentLinkedQueue<>();
        DefaultMQPushConsumer consumer = retrying(env, env.group("c"), (messages, context) -> {
            context.setDelayLevelWhenNextConsume(1);
            if (messages.get(0).getReconsumeTimes() == 0 && messages.get(0).getQueueId() == queue.getQueueId()) {
                sizes.add(messages.size());
                context.setAckIndex(1);
            }
            messages.stream().filter(message -> message.getReconsumeTimes() > 0).forEach(message -> again.add(attempt(message)));
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.setConsumeMessageBatchMaxSize(4);
        env.start(consumer);
        env.await(() -> "two messages again, so far " + again + ", batches of " + sizes, 60, () -> again.size() >= 2);
        Thread.sleep(1_000);
        Check.equal(List.of(4), List.copyOf(sizes), "sizes of batches");
        Check.equal(java.util.Set.of("b2 1 " + env.topic(), "b3 1 " + env.topic()), java.util.Set.copyOf(again), "what came again");
        Check.equal(2, again.size(), "how many came again");
    }

    /** What a pull consumer sends back comes to its group's retry topic. */
    private static void sendBackByPull(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer push = env.push(env.group("c"), env.topic(), "Nothing", inbox);
        String retry = "%RETRY%" + env.group("c");
        env.await(() -> "route of the retry topic", 15, () -> Env.hasRoute(retry));
        push.shutdown();
        MessageQueue queue = Env.queues(env.topic()).stream().filter(OffsetCases::isEmpty).findFirst().orElseThrow();
        Env.producer().send(Env.message(env.topic(), "TagA", "back"), queue);
        env.await(() -> "a message in " + queue, 10, () -> Env.producer().maxOffset(queue) == 1);
        DefaultMQPullConsumer pull = env.pull(env.group("c"));
        MessageExt message = pull.pull(queue, "*", 0, 1).getMsgFoundList().get(0);
        pull.sendMessageBack(message, 1);
        env.awaitMessages(retry, 1);
        MessageExt again = pull.pull(Env.queues(retry).get(0), "*", 0, 1).getMsgFoundList().get(0);
        Check.equal("back", new String(again.getBody(), StandardCharsets.UTF_8), "body");
        Check.equal(1, again.getReconsumeTimes(), "reconsume times");
        Check.equal(env.topic(), again.getProperty("RETRY_TOPIC"), "topic of origin");
        Check.equal(message.getMsgId(), again.getMsgId(), "message id");
    }

    /** A delayed message keeps what was in it, its queue too. */
    private static void delayKeeps(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        MessageQueue queue = Env.queues(env.topic()).get(2);
        Inbox inbox = new Inbox();
        env.push(env.group("c"), env.topic(), "标签", inbox);
        Message message = Env.message(env.topic(), "标签", "later");
        message.setKeys(List.of("键一", "key2"));
        message.putUserProperty("城市", "上海");
        message.setFlag(7);
        message.setDelayTimeLevel(1);
        var sent = Env.producer().send(message, queue);
        Check.equal(queue.getQueueId(), sent.getMessageQueue().getQueueId(), "queue in the answer");
        inbox.awaitExactly(env, List.of("later"), 40);
        MessageExt got = inbox.only("later");
        Check.equal(sent.getMsgId(), got.getMsgId(), "message id");
        Check.equal(queue.getQueueId(), got.getQueueId(), "queue");
        Check.equal("键一 key2", got.getKeys(), "keys");
        Check.equal("上海", got.getUserProperty("城市"), "user property");
        Check.equal(7, got.getFlag(), "flag");
        Check.equal(0, got.getReconsumeTimes(), "reconsume times");
        long now = System.currentTimeMillis();
        env.await(() -> "the delayed message by its key", 20,
            () -> ContentCases.countByKey(env.topic(), "key2", now - 300_000, now + 300_000) == 1);
    }
}
