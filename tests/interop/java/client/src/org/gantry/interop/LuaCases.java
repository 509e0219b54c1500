package org.gantry.interop;

import java.lang.reflect.Constructor;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.common.message.Message;

/** Expressions of type LUA. The client's library sends any type, but has no public way to name one of its own. */
final class LuaCases {
    private static final int COUNT = 20;
    private static final int PARSE_FAILED = 23;

    private LuaCases() { }

    static void add(Suite<Env> suite) {
        suite.add("filter_lua_push", 60, LuaCases::push);
        suite.add("filter_lua_lite_pull", 60, LuaCases::lite);
        suite.add("filter_lua_named_script", 60, LuaCases::named);
        suite.add("filter_lua_bad_script_refused", 60, LuaCases::bad);
    }

    private static MessageSelector byLua(String script) throws Exception {
        Constructor<MessageSelector> made = MessageSelector.class.getDeclaredConstructor(String.class, String.class);
        made.setAccessible(true);
        return made.newInstance("LUA", script);
    }

    private static void send(Env env) throws Exception {
        for (int i = 0; i < COUNT; i++) {
            Message message = Env.message(env.topic(), "", "m" + i);
            message.putUserProperty("a", String.valueOf(i));
            Env.producer().send(message);
        }
    }

    private static List<String> bodies(java.util.function.IntPredicate selected) {
        return IntStream.range(0, COUNT).filter(selected).mapToObj(i -> "m" + i).toList();
    }

    private static Inbox subscribe(Env env, String group, String script) throws Exception {
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer consumer = env.newPush(env.group(group));
        consumer.subscribe(env.topic(), byLua(script));
        consumer.registerMessageListener(inbox);
        env.start(consumer);
        return inbox;
    }

    /** Old messages and new ones, for two groups; a message that the script fails on is not delivered. */
    private static void push(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        send(env);
        Inbox properties = subscribe(env, "one", "tonumber(p.a) > 15 and p.a ~= '18'");
        Inbox body = subscribe(env, "two", "local n = body:match('^m(%d+)$')\nreturn n ~= nil and tonumber(n) % 7 == 0");
        List<String> expected = new ArrayList<>(bodies(i -> i > 15 && i != 18));
        properties.awaitExactly(env, expected, 40);
        body.awaitExactly(env, bodies(i -> i % 7 == 0), 20);
        Env.producer().send(Env.message(env.topic(), "", "without a number"));
        Message later = Env.message(env.topic(), "", "later");
        later.putUserProperty("a", "99");
        Env.producer().send(later);
        expected.add("later");
        properties.awaitExactly(env, expected, 20);
    }

    private static void lite(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        send(env);
        DefaultLitePullConsumer consumer = OffsetCases.lite(env, env.group("c"));
        consumer.subscribe(env.topic(), byLua("p.a and #p.a == 2"));
        consumer.start();
        List<String> expected = bodies(i -> i >= 10);
        Inbox inbox = new Inbox();
        env.await(() -> inbox.distinct() + " of " + expected.size() + " polled", 40, () -> {
            consumer.poll(200).forEach(inbox::put);
            return inbox.distinct() >= expected.size();
        });
        inbox.awaitExactly(env, expected, 5);
    }

    /** A script that lies on the broker. */
    private static void named(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        send(env);
        Env.producer().send(Env.message(env.topic(), "", "named"));
        Inbox inbox = subscribe(env, "one", "@even_or_named");
        List<String> expected = new ArrayList<>(bodies(i -> i % 2 == 0));
        expected.add("named");
        inbox.awaitExactly(env, expected, 40);
    }

    /** A consumer with a script that does not compile does not start, and is told the line. */
    private static void bad(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        List<String> scripts = List.of("p.a ==", "local x = 1\nreturn x +", "@no_such_script", "@../../etc/passwd", "\u001bLua");
        for (int i = 0; i < scripts.size(); i++) {
            String script = scripts.get(i);
            DefaultMQPushConsumer consumer = env.newPush(env.group("c" + i));
            consumer.subscribe(env.topic(), byLua(script));
            consumer.registerMessageListener(new Inbox());
            try {
                env.start(consumer);
            } catch (MQClientException e) {
                env.onClose(consumer::shutdown);
                Check.equal(PARSE_FAILED, e.getResponseCode(), "response code for " + script + ", text " + e.getErrorMessage());
                Check.that(e.getErrorMessage().contains("line " + (script.contains("\n") ? 2 : 1)), "no line in: " + e.getErrorMessage());
                continue;
            }
            throw new CheckFailed("a consumer with the script " + script + " started");
        }
    }
}
