package org.gantry.interop;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.regex.Pattern;

/** Topics: made, changed, seen, deleted. */
final class TopicCases {
    private TopicCases() { }

    static void add(Suite<Env> suite) {
        suite.add("mqadmin_topic_create_and_look", 60, TopicCases::createAndLook);
        suite.add("mqadmin_topic_permission", 60, TopicCases::permission);
        suite.add("mqadmin_topic_order", 60, TopicCases::order);
        suite.add("mqadmin_topic_attributes", 60, TopicCases::attributes);
        suite.add("mqadmin_topic_delete", 90, TopicCases::delete);
        suite.add("mqadmin_topic_delete_built_in", 60, TopicCases::deleteBuiltIn);
        suite.add("mqadmin_write_permission_of_broker", 60, TopicCases::writePermission);
        suite.add("mqadmin_key_values", 60, TopicCases::keyValues);
    }

    private static void createAndLook(Env env) throws Exception {
        String topic = env.topic();
        Tool.expect(List.of("create topic to " + Tool.brokerAddr() + " success."), "updateTopic", "-c", Tool.cluster(), "-t", topic, "-r", "3", "-w", "3");
        String route = Tool.await(env, "\"writeQueueNums\":3", "topicRoute", "-t", topic);
        Check.that(route.contains(Tool.brokerAddr()), "route without the broker: " + Tool.brief(route));
        Tool.expect(List.of(Tool.brokerName()), "topicRoute", "-l", "-t", topic);
        String status = Tool.run("topicStatus", "-t", topic);
        Check.equal(3L, Pattern.compile("(?m)^" + Tool.brokerName() + "\\s").matcher(status).results().count(), "queues in " + Tool.brief(status));
        Tool.expect(List.of(Tool.cluster()), "topicClusterList", "-t", topic);
        Tool.expect(List.of(topic), "topicList");
        Tool.expect(List.of(topic), "topicList", "-c");
        Tool.expect(List.of("10.0.0.1", "10.0.0.2", topic), "allocateMQ", "-t", topic, "-i", "10.0.0.1,10.0.0.2");
        env.send(topic, 3);
        // Times of messages, not 1970.
        String after = Tool.await(env, Integer.toString(java.time.Year.now().getValue()), "topicStatus", "-t", topic);
        Check.that(Pattern.compile("(?m)^" + Tool.brokerName() + "\\s+0\\s+0\\s+3\\s+\\d{4}-").matcher(after).find(), "three messages in queue 0: " + Tool.brief(after));
    }

    private static void permission(Env env) throws Exception {
        String topic = env.createTopic();
        Tool.expect(List.of("success"), "updateTopicPerm", "-b", Tool.brokerAddr(), "-t", topic, "-p", "4");
        Tool.await(env, "\"perm\":4", "topicRoute", "-t", topic);
        Tool.expect(List.of("success"), "updateTopicPerm", "-c", Tool.cluster(), "-t", topic, "-p", "6");
        Tool.await(env, "\"perm\":6", "topicRoute", "-t", topic);
    }

    private static void order(Env env) throws Exception {
        String topic = env.topic();
        Tool.expect(List.of("success"), "updateTopic", "-b", Tool.brokerAddr(), "-t", topic, "-r", "2", "-w", "2", "-o", "true");
        Tool.expect(List.of("success"), "updateOrderConf", "-m", "put", "-t", topic, "-v", Tool.brokerName() + ":2");
        Tool.expect(List.of(Tool.brokerName() + ":2"), "updateOrderConf", "-m", "get", "-t", topic);
        Tool.expect(List.of("success"), "updateOrderConf", "-m", "delete", "-t", topic);
        String gone = Tool.run("updateOrderConf", "-m", "get", "-t", topic);
        Check.that(!gone.contains(Tool.brokerName() + ":2"), "still there: " + Tool.brief(gone));
    }

    /** Of 5.x; its tool shows them only in what it exports. */
    private static void attributes(Env env) throws Exception {
        if (!Tool.commands().contains("updateTopicList")) {
            return;
        }
        String[] update = {"-b", Tool.brokerAddr(), "-t", env.topic(), "-r", "2", "-w", "2", "-a", "+message.type=FIFO"};
        Tool.expect(List.of("create topic to " + Tool.brokerAddr() + " success."), "updateTopic", update);
        update[update.length - 1] = "+message.type=SQUARE";
        String refused = Tool.run("updateTopic", update);
        Check.that(!refused.contains("success"), "taken: " + Tool.brief(refused));
        Path dir = Files.createTempDirectory("mqadmin-attributes");
        try {
            Tool.expect(List.of("success"), "exportMetadata", "-c", Tool.cluster(), "-f", dir.toString());
            StringBuilder all = new StringBuilder();
            try (var files = Files.walk(dir)) {
                for (Path file : files.filter(Files::isRegularFile).toList()) {
                    all.append(Files.readString(file));
                }
            }
            Check.that(Pattern.compile("\"message.type\"\\s*:\\s*\"FIFO\"").matcher(all).find(), "the attribute is not in what was exported");
        } finally {
            try (var files = Files.walk(dir)) {
                files.sorted(Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
            }
        }
    }

    private static void delete(Env env) throws Exception {
        String topic = env.createTopic();
        String group = env.consumed(topic, 3);
        Tool.await(env, topic, "consumerProgress", "-g", group);
        Tool.expect(List.of("delete topic [" + topic + "] from cluster [" + Tool.cluster() + "] success.", "delete topic [" + topic + "] from NameServer success."),
            "deleteTopic", "-c", Tool.cluster(), "-t", topic);
        Tool.expect(List.of("No topic route info"), "topicRoute", "-t", topic);
        String list = Tool.run("topicList");
        Check.that(list.lines().noneMatch(line -> line.strip().equals(topic)), "still listed");
        String progress = Tool.run("consumerProgress", "-g", group);
        Check.that(!progress.contains(topic + " "), "offsets of a deleted topic: " + Tool.brief(progress));
        env.createTopic(topic);
        String status = Tool.run("topicStatus", "-t", topic);
        Check.that(Pattern.compile("(?m)^" + Tool.brokerName() + "\\s+0\\s+0\\s+0\\s").matcher(status).find(), "a new topic shows old messages: " + Tool.brief(status));
        env.send(topic, 1);
        Tool.await(env, "body0", "printMsg", "-t", topic, "-d", "true");
        String printed = Tool.run("printMsg", "-t", topic, "-d", "true");
        Check.that(!printed.contains("body1") && !printed.contains("body2"), "old messages: " + Tool.brief(printed));
        Tool.expect(List.of("success."), "deleteTopic", "-c", Tool.cluster(), "-t", topic);
    }

    private static void deleteBuiltIn(Env env) throws Exception {
        for (String topic : List.of("TBW102", "SCHEDULE_TOPIC_XXXX")) {
            String said = Tool.run("deleteTopic", "-c", Tool.cluster(), "-t", topic);
            Check.that(said.contains("conflict with system topic"), topic + ": " + Tool.brief(said));
        }
        Tool.expect(List.of(Tool.brokerName()), "topicRoute", "-t", "TBW102");
    }

    private static void writePermission(Env env) throws Exception {
        String topic = env.createTopic();
        Tool.expect(List.of("wipe write perm of broker[" + Tool.brokerName() + "] in name server["), "wipeWritePerm", "-b", Tool.brokerName());
        Tool.await(env, "\"perm\":4", "topicRoute", "-t", topic);
        Tool.expect(List.of("add write perm of broker[" + Tool.brokerName() + "] in name server["), "addWritePerm", "-b", Tool.brokerName());
        Tool.await(env, "\"perm\":6", "topicRoute", "-t", topic);
    }

    private static void keyValues(Env env) {
        Tool.expect(List.of("create or update kv config to namespace success."), "updateKvConfig", "-s", "it_" + CaseEnv.RUN, "-k", "key", "-v", "value");
        Tool.expect(List.of("delete kv config from namespace success."), "deleteKvConfig", "-s", "it_" + CaseEnv.RUN, "-k", "key");
        Tool.expect(List.of("="), "getNamesrvConfig");
    }
}
