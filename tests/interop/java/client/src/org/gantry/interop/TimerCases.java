package org.gantry.interop;

import java.util.List;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageExt;

/** Messages for a moment of the sender's choice, as brokers 5.x serve them. */
final class TimerCases {
    private static final int MESSAGE_ILLEGAL = 13;
    private static final long HOUR_MS = 3_600_000;

    private TimerCases() { }

    static void add(Suite<Env> suite) {
        suite.add("timer_delay_and_deliver", 60, TimerCases::deliver);
        suite.add("timer_past_time", 60, TimerCases::past);
        suite.add("timer_too_far_refused", 30, TimerCases::tooFar);
        suite.add("timer_yields_to_delay_level", 60, TimerCases::besideDelayLevel);
        suite.add("timer_start_deliver_time", 60, env -> checkOne(env, "__STARTDELIVERTIME", 3_000));
    }

    static Message timed(Env env, String body, String property, long value) {
        Message message = Env.message(env.topic(), "TagA", body);
        message.setKeys(body);
        MessageAccessor.putProperty(message, property, String.valueOf(value));
        return message;
    }

    /** All three properties, side by side; the message comes at its time, in its topic, with all that was in it. */
    private static void deliver(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        Inbox inbox = new Inbox();
        env.push(env.group("c"), env.topic(), "TagA", inbox);
        long sent = System.currentTimeMillis();
        DefaultMQProducer producer = Env.producer();
        producer.send(timed(env, "at", "TIMER_DELIVER_MS", sent + 4_000));
        producer.send(timed(env, "seconds", "TIMER_DELAY_SEC", 3));
        producer.send(timed(env, "milliseconds", "TIMER_DELAY_MS", 2_500));
        inbox.awaitExactly(env, List.of("at", "seconds", "milliseconds"), 30);
        // The wheel of RocketMQ has a precision of 1 s.
        checkStored(inbox.only("at"), sent, 4_000);
        checkStored(inbox.only("seconds"), sent, 3_000);
        checkStored(inbox.only("milliseconds"), sent, 2_500);
        MessageExt got = inbox.only("at");
        Check.equal(env.topic(), got.getTopic(), "topic");
        Check.equal("at", got.getKeys(), "keys");
        Check.equal(0, got.getReconsumeTimes(), "reconsume times");
    }

    private static void checkOne(Env env, String property, long delayMs) throws Exception {
        env.createByFirstSend(env.topic());
        Inbox inbox = new Inbox();
        env.push(env.group("c"), env.topic(), "TagA", inbox);
        long sent = System.currentTimeMillis();
        Env.producer().send(timed(env, "later", property, sent + delayMs));
        inbox.awaitExactly(env, List.of("later"), 30);
        checkStored(inbox.only("later"), sent, delayMs);
    }

    private static void checkStored(MessageExt message, long sent, long delayMs) {
        long tookMs = message.getStoreTimestamp() - sent;
        Check.that(tookMs >= delayMs - 1_100 && tookMs < delayMs + 5_000,
            "a message for " + delayMs + " ms after its send was stored after " + tookMs + " ms");
    }

    private static void past(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        Inbox inbox = new Inbox();
        env.push(env.group("c"), env.topic(), "*", inbox);
        Env.producer().send(timed(env, "yesterday", "TIMER_DELIVER_MS", System.currentTimeMillis() - 24 * HOUR_MS));
        inbox.awaitExactly(env, List.of("yesterday"), 20);
    }

    private static void tooFar(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        long now = System.currentTimeMillis();
        Refusal.byBroker(MESSAGE_ILLEGAL, "a timer for in 100 days",
            () -> Env.producer().send(timed(env, "far", "TIMER_DELIVER_MS", now + 2_400 * HOUR_MS)));
        Refusal.byBroker(MESSAGE_ILLEGAL, "a delay of 100 days",
            () -> Env.producer().send(timed(env, "far", "TIMER_DELAY_SEC", 100 * 86_400)));
        Refusal.byBroker(MESSAGE_ILLEGAL, "a time that is no number", () -> {
            Message message = timed(env, "odd", "TIMER_DELIVER_MS", 0);
            MessageAccessor.putProperty(message, "TIMER_DELIVER_MS", "tomorrow");
            Env.producer().send(message);
        });
        env.awaitMessages(env.topic(), 1);
    }

    /** With a delay level in the message the level counts. */
    private static void besideDelayLevel(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        Inbox inbox = new Inbox();
        env.push(env.group("c"), env.topic(), "*", inbox);
        Message message = timed(env, "level", "TIMER_DELIVER_MS", System.currentTimeMillis() + HOUR_MS);
        message.setDelayTimeLevel(1);
        Env.producer().send(message);
        inbox.awaitExactly(env, List.of("level"), 20);
    }
}
