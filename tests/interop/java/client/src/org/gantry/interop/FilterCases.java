package org.gantry.interop;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;

/** SQL92 filters on message properties. */
final class FilterCases {
    private static final int COUNT = 20;
    private static final int PARSE_FAILED = 23;
    private static final String[] COLORS = {"red", "green", "蓝"};

    private FilterCases() { }

    static void add(Suite<Env> suite) {
        suite.add("filter_sql_expressions", 60, FilterCases::expressions);
        suite.add("filter_sql_push", 60, FilterCases::push);
        suite.add("filter_sql_lite_pull", 60, FilterCases::lite);
        suite.add("filter_sql_bad_expression_refused", 60, FilterCases::bad);
    }

    /** Message i: a=i, price=i/2, a color, `even` on every second one, tag TagA or TagB. */
    private static Message message(Env env, int i) {
        Message message = Env.message(env.topic(), i % 2 == 0 ? "TagA" : "TagB", "m" + i);
        message.putUserProperty("a", String.valueOf(i));
        message.putUserProperty("price", String.valueOf(i / 2.0));
        message.putUserProperty("color", COLORS[i % 3]);
        if (i % 2 == 0) {
            message.putUserProperty("even", "TRUE");
        }
        return message;
    }

    private static List<String> bodies(IntPredicate selected) {
        return IntStream.range(0, COUNT).filter(selected).mapToObj(i -> "m" + i).toList();
    }

    private static final Map<String, IntPredicate> EXPRESSIONS = new LinkedHashMap<>();

    static {
        EXPRESSIONS.put("a > 10 AND a <= 15", i -> i > 10 && i <= 15);
        EXPRESSIONS.put("a BETWEEN 3 AND 5", i -> i >= 3 && i <= 5);
        EXPRESSIONS.put("a NOT BETWEEN 3 AND 18", i -> i < 3 || i > 18);
        EXPRESSIONS.put("color = 'red' OR a = 1", i -> i % 3 == 0 || i == 1);
        EXPRESSIONS.put("color <> 'red'", i -> i % 3 != 0);
        EXPRESSIONS.put("color IN ('red', '蓝')", i -> i % 3 != 1);
        EXPRESSIONS.put("color NOT IN ('red', '蓝')", i -> i % 3 == 1);
        EXPRESSIONS.put("even IS NOT NULL AND a >= 10", i -> i % 2 == 0 && i >= 10);
        EXPRESSIONS.put("even IS NULL", i -> i % 2 == 1);
        EXPRESSIONS.put("even = TRUE", i -> i % 2 == 0);
        EXPRESSIONS.put("price > 4.5 AND price < 6.0", i -> i > 9 && i < 12);
        EXPRESSIONS.put("NOT (a < 18)", i -> i >= 18);
        EXPRESSIONS.put("(TAGS IS NOT NULL AND TAGS IN ('TagB')) AND (a IS NOT NULL AND a BETWEEN 0 AND 4)", i -> i % 2 == 1 && i <= 4);
        EXPRESSIONS.put("absent = 'x'", i -> false);
        EXPRESSIONS.put("absent IS NULL and a = 7", i -> i == 7);
        EXPRESSIONS.put("color > 5", i -> false);
    }

    private static void expressions(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        MessageQueue queue = Env.queues(env.topic()).stream().filter(OffsetCases::isEmpty).findFirst().orElseThrow();
        for (int i = 0; i < COUNT; i++) {
            Env.producer().send(message(env, i), queue);
        }
        env.await(() -> COUNT + " messages in " + queue, 10, () -> Env.producer().maxOffset(queue) == COUNT);
        DefaultMQPullConsumer pull = env.pull(env.group("pull"));
        awaitVersion(env, pull, queue);
        for (Map.Entry<String, IntPredicate> entry : EXPRESSIONS.entrySet()) {
            List<String> expected = bodies(entry.getValue());
            PullResult result = pull.pull(queue, MessageSelector.bySql(entry.getKey()), 0, 32);
            Check.equal(expected.isEmpty() ? PullStatus.NO_MATCHED_MSG : PullStatus.FOUND, result.getPullStatus(), "status of " + entry.getKey());
            List<String> got = new ArrayList<>();
            if (!expected.isEmpty()) {
                result.getMsgFoundList().forEach(found -> got.add(new String(found.getBody(), StandardCharsets.UTF_8)));
            }
            Check.equal(expected, got, entry.getKey());
            Check.equal((long) COUNT, result.getNextBeginOffset(), "next offset of " + entry.getKey());
        }
    }

    /** The client sends no expression before an answer to a heartbeat has told it the broker's version. */
    private static void awaitVersion(Env env, DefaultMQPullConsumer pull, MessageQueue queue) throws Exception {
        pull.pull(queue, "*", 0, 1);
        env.await(() -> "the broker's version at the client", 20, () -> {
            pull.getDefaultMQPullConsumerImpl().getRebalanceImpl().getmQClientFactory().sendHeartbeatToAllBrokerWithLock();
            try {
                pull.pull(queue, MessageSelector.bySql("a = 1"), 0, 1);
                return true;
            } catch (MQClientException e) {
                Check.that(e.getMessage().contains("does not upgrade"), "unexpected text: " + e.getMessage());
                return false;
            }
        });
    }

    private static void send(Env env) throws Exception {
        for (int i = 0; i < COUNT; i++) {
            Env.producer().send(message(env, i));
        }
    }

    /** Messages that are there and messages that come later, with two groups and different expressions. */
    private static void push(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        send(env);
        Inbox sql = new Inbox();
        Inbox other = new Inbox();
        subscribe(env, "one", "a > 15 AND color = 'green'", sql);
        subscribe(env, "two", "even IS NULL OR a = 0", other);
        List<String> expected = bodies(i -> i > 15 && i % 3 == 1);
        sql.awaitExactly(env, expected, 40);
        other.awaitExactly(env, bodies(i -> i % 2 == 1 || i == 0), 20);
        Message later = Env.message(env.topic(), "", "later");
        later.putUserProperty("a", "99");
        later.putUserProperty("color", "green");
        Env.producer().send(Env.message(env.topic(), "", "nothing"));
        Env.producer().send(later);
        List<String> all = new ArrayList<>(expected);
        all.add("later");
        sql.awaitExactly(env, all, 20);
    }

    private static void subscribe(Env env, String group, String expression, Inbox inbox) throws Exception {
        DefaultMQPushConsumer consumer = env.newPush(env.group(group));
        consumer.subscribe(env.topic(), MessageSelector.bySql(expression));
        consumer.registerMessageListener(inbox);
        env.start(consumer);
    }

    private static void lite(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        send(env);
        DefaultLitePullConsumer consumer = OffsetCases.lite(env, env.group("c"));
        consumer.subscribe(env.topic(), MessageSelector.bySql("a >= 17 OR color = '蓝'"));
        consumer.start();
        List<String> expected = bodies(i -> i >= 17 || i % 3 == 2);
        Inbox inbox = new Inbox();
        env.await(() -> inbox.distinct() + " of " + expected.size() + " polled", 40, () -> {
            consumer.poll(200).forEach(inbox::put);
            return inbox.distinct() >= expected.size();
        });
        inbox.awaitExactly(env, expected, 5);
    }

    /** A consumer with an expression that cannot be read does not start. */
    private static void bad(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        List<String> expressions = List.of("a > ", "a = 'unfinished", "a BETWEEN 3", "(a > 3", "a ! 3", "a IN (1, 2)", "5 BETWEEN 7 AND 3");
        for (int i = 0; i < expressions.size(); i++) {
            String expression = expressions.get(i);
            DefaultMQPushConsumer consumer = env.newPush(env.group("c" + i));
            consumer.subscribe(env.topic(), MessageSelector.bySql(expression));
            consumer.registerMessageListener(new Inbox());
            try {
                env.start(consumer);
            } catch (MQClientException e) {
                env.onClose(consumer::shutdown);
                Check.equal(PARSE_FAILED, e.getResponseCode(), "response code for " + expression + ", text " + e.getErrorMessage());
                continue;
            }
            throw new CheckFailed("a consumer with the expression " + expression + " started");
        }
    }
}
