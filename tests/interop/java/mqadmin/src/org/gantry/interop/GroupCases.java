package org.gantry.interop;

import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;

/** Consumer groups: settings, progress, offsets moved and copied, deleting. */
final class GroupCases {
    private GroupCases() { }

    static void add(Suite<Env> suite) {
        suite.add("mqadmin_group_settings", 60, GroupCases::settings);
        suite.add("mqadmin_group_that_may_not_consume", 90, GroupCases::mayNotConsume);
        suite.add("mqadmin_group_progress", 90, GroupCases::progress);
        suite.add("mqadmin_group_reset", 90, GroupCases::reset);
        suite.add("mqadmin_group_clone_offsets", 90, GroupCases::cloneOffsets);
        suite.add("mqadmin_group_delete", 90, GroupCases::delete);
        suite.add("mqadmin_group_consume_mode", 60, GroupCases::consumeMode);
    }

    private static void settings(Env env) throws Exception {
        String group = env.group("g");
        Tool.expect(List.of("create subscription group to " + Tool.brokerAddr() + " success."), "updateSubGroup", "-b", Tool.brokerAddr(), "-g", group, "-r", "3", "-q", "2", "-d", "false");
        String config = Tool.run("getConsumerConfig", "-g", group);
        for (String part : List.of("retryMaxTimes\\s*=?\\s*3", "retryQueueNums\\s*=?\\s*2", "consumeBroadcastEnable\\s*=?\\s*false")) {
            Check.that(Pattern.compile(part).matcher(config).find(), part + " not in " + Tool.brief(config));
        }
        Tool.expect(List.of("create subscription group to " + Tool.brokerAddr() + " success."), "updateSubGroup", "-c", Tool.cluster(), "-g", group, "-r", "5");
        config = Tool.run("getConsumerConfig", "-g", group);
        Check.that(Pattern.compile("retryMaxTimes\\s*=?\\s*5").matcher(config).find(), "changed settings: " + Tool.brief(config));
    }

    private static void mayNotConsume(Env env) throws Exception {
        String topic = env.createTopic();
        String group = env.group("g");
        env.send(topic, 2);
        Tool.expect(List.of("success"), "updateSubGroup", "-b", Tool.brokerAddr(), "-g", group, "-s", "false");
        AtomicInteger got = new AtomicInteger();
        env.push(group, topic, got);
        Tool.await(env, group, "consumerConnection", "-g", group);
        Thread.sleep(2_000);
        Check.equal(0, got.get(), "messages of a group that may not consume");
        Tool.expect(List.of("success"), "updateSubGroup", "-b", Tool.brokerAddr(), "-g", group, "-s", "true");
        env.await(() -> "both messages, got " + got, 30, () -> got.get() == 2);
    }

    private static void progress(Env env) throws Exception {
        String topic = env.createTopic();
        String group = env.consumed(topic, 5);
        // Behind by two, and the time of the last message that was consumed.
        env.send(topic, 2);
        String[] text = {""};
        env.await(() -> "progress: " + Tool.brief(text[0]), 20, () -> {
            text[0] = Tool.run("consumerProgress", "-g", group);
            return Pattern.compile("(?m)^" + topic.substring(0, 20) + "\\S*\\s+" + Tool.brokerName() + "\\s+0\\s+7\\s+5\\s+").matcher(text[0]).find();
        });
        Check.that(text[0].contains(Integer.toString(java.time.Year.now().getValue())), "no time of the last message: " + Tool.brief(text[0]));
        Tool.expect(List.of(group.substring(0, 12)), "consumerProgress");
        String stats = Tool.await(env, topic.substring(0, 10), "brokerConsumeStats", "-b", Tool.brokerAddr());
        Check.that(stats.contains("Diff Total"), "no sum: " + Tool.brief(stats));
    }

    private static void reset(Env env) throws Exception {
        String topic = env.createTopic();
        String group = env.consumed(topic, 4);
        Tool.await(env, topic, "consumerProgress", "-g", group);
        Tool.expect(List.of(Tool.brokerName()), "resetOffsetByTime", "-g", group, "-t", topic, "-s", "0", "-f", "true");
        awaitCommitted(env, topic, group, "4", "0");
        Tool.expect(List.of(Tool.brokerName()), "skipAccumulatedMessage", "-g", group, "-t", topic, "-f", "true");
        awaitCommitted(env, topic, group, "4", "4");
    }

    private static void awaitCommitted(Env env, String topic, String group, String end, String offset) throws Exception {
        String[] text = {""};
        env.await(() -> offset + " of " + end + " committed: " + Tool.brief(text[0]), 20, () -> {
            text[0] = Tool.run("consumerProgress", "-g", group);
            return Pattern.compile("(?m)^" + topic.substring(0, 20) + "\\S*\\s+" + Tool.brokerName() + "\\s+0\\s+" + end + "\\s+" + offset + "\\s+").matcher(text[0]).find();
        });
    }

    private static void cloneOffsets(Env env) throws Exception {
        String topic = env.createTopic();
        String group = env.consumed(topic, 4);
        String copy = env.group("copy");
        Tool.await(env, topic, "consumerProgress", "-g", group);
        Tool.expect(List.of("success"), "updateSubGroup", "-b", Tool.brokerAddr(), "-g", copy);
        Tool.run("cloneGroupOffset", "-s", group, "-d", copy, "-t", topic, "-o", "true");
        AtomicInteger got = new AtomicInteger();
        env.push(copy, topic, got);
        env.send(topic, 1);
        env.await(() -> "the new message, got " + got, 20, () -> got.get() >= 1);
        Check.equal(1, got.get(), "messages of the group that got the offsets");
    }

    private static void delete(Env env) throws Exception {
        String topic = env.createTopic();
        String group = env.consumed(topic, 3);
        Tool.await(env, topic, "consumerProgress", "-g", group);
        Tool.expect(List.of("delete subscription group [" + group + "] from broker [" + Tool.brokerAddr() + "] in cluster [" + Tool.cluster() + "] success."), "deleteSubGroup", "-c", Tool.cluster(), "-g", group, "-r", "true");
        String config = Tool.run("getConsumerConfig", "-g", group);
        Check.that(!config.contains("retryMaxTimes"), "still there: " + Tool.brief(config));
        AtomicInteger got = new AtomicInteger();
        DefaultMQPushConsumer again = env.push(group, topic, got);
        env.await(() -> "all three again, got " + got, 20, () -> got.get() == 3);
        again.shutdown();
    }

    private static void consumeMode(Env env) throws Exception {
        if (!Tool.commands().contains("setConsumeMode")) {
            return;
        }
        String topic = env.createTopic();
        String group = env.group("g");
        Tool.expect(List.of("success"), "updateSubGroup", "-b", Tool.brokerAddr(), "-g", group);
        Tool.expect(List.of("success"), "setConsumeMode", "-b", Tool.brokerAddr(), "-t", topic, "-g", group, "-m", "POP", "-q", "0");
    }
}
