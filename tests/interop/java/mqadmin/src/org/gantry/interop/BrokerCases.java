package org.gantry.interop;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** The broker and its settings; what is refused. */
final class BrokerCases {
    private BrokerCases() { }

    static void add(Suite<Env> suite) {
        suite.add("mqadmin_broker_status", 60, BrokerCases::status);
        suite.add("mqadmin_broker_settings", 60, BrokerCases::settings);
        suite.add("mqadmin_broker_settings_refused", 60, BrokerCases::settingsRefused);
        suite.add("mqadmin_lists_from_files", 60, BrokerCases::lists);
        suite.add("mqadmin_broker_clean", 60, BrokerCases::clean);
        suite.add("mqadmin_broker_send_time", 60, BrokerCases::sendTime);
        suite.add("mqadmin_export", 90, BrokerCases::export);
        suite.add("mqadmin_not_meant_by_this_broker", 120, BrokerCases::notMeant);
    }

    private static void status(Env env) {
        Tool.expect(List.of("putTps", "msgPutTotalTodayNow", "commitLogMaxOffset", "bootTimestamp"), "brokerStatus", "-b", Tool.brokerAddr());
        Tool.expect(List.of("putTps"), "brokerStatus", "-c", Tool.cluster());
        Tool.expect(List.of(Tool.brokerName(), Tool.brokerAddr()), "clusterList");
        Tool.expect(List.of(Tool.brokerName(), Tool.cluster()), "clusterList", "-m");
    }

    private static void settings(Env env) {
        Tool.expect(List.of("brokerName", "maxMessageSize", "flushDiskType"), "getBrokerConfig", "-b", Tool.brokerAddr());
        Tool.expect(List.of("maxMessageSize"), "getBrokerConfig", "-c", Tool.cluster());
    }

    private static void settingsRefused(Env env) {
        Tool.expect(List.of("CODE: 16", "broker.toml"), "updateBrokerConfig", "-b", Tool.brokerAddr(), "-k", "maxMessageSize", "-v", "1024");
        Tool.expect(List.of("CODE: 16"), "updateNamesrvConfig", "-k", "orderMessageEnable", "-v", "true");
    }

    /** Topics and groups of a JSON file; of 5.x. */
    private static void lists(Env env) throws Exception {
        if (!Tool.commands().contains("updateTopicList")) {
            return;
        }
        Path file = Files.createTempFile("mqadmin-list", ".json");
        try {
            Files.writeString(file, "[{\"topicName\":\"" + env.topic() + "\",\"readQueueNums\":3,\"writeQueueNums\":3,\"perm\":6}]");
            Tool.expect(List.of("success"), "updateTopicList", "-b", Tool.brokerAddr(), "-f", file.toString());
            Tool.await(env, "\"writeQueueNums\":3", "topicRoute", "-t", env.topic());
            Files.writeString(file, "[{\"groupName\":\"" + env.group("g") + "\",\"retryMaxTimes\":4}]");
            Tool.expect(List.of("success"), "updateSubGroupList", "-b", Tool.brokerAddr(), "-f", file.toString());
            String config = Tool.run("getConsumerConfig", "-g", env.group("g"));
            Check.that(config.contains("4"), "settings from the file: " + Tool.brief(config));
        } finally {
            Files.delete(file);
        }
    }

    private static void clean(Env env) {
        Tool.expect(List.of("success"), "cleanExpiredCQ", "-b", Tool.brokerAddr());
        Tool.expect(List.of("success"), "cleanUnusedTopic", "-b", Tool.brokerAddr());
        Tool.expect(List.of("success"), "deleteExpiredCommitLog", "-b", Tool.brokerAddr());
    }

    /** The command never ends by itself. */
    private static void sendTime(Env env) throws Exception {
        StringBuffer said = new StringBuffer();
        java.io.PrintStream out = System.out;
        java.io.ByteArrayOutputStream bytes = new java.io.ByteArrayOutputStream();
        Tool.RAN.add("clusterRT");
        System.setOut(new java.io.PrintStream(bytes, true));
        Thread thread = new Thread(() -> org.apache.rocketmq.tools.command.MQAdminStartup.main0(
            new String[] {"clusterRT", "-n", CaseEnv.NAMESRV_ADDR, "-a", "2", "-s", "16", "-c", Tool.cluster(), "-i", "1"}, null));
        thread.setDaemon(true);
        try {
            thread.start();
            env.await(() -> "a row of times: " + Tool.brief(bytes.toString()), 20, () -> bytes.toString().lines().anyMatch(line -> line.contains(Tool.cluster()) && line.contains(Tool.brokerName())));
        } finally {
            System.setOut(out);
            thread.interrupt();
        }
    }

    private static void export(Env env) throws Exception {
        String topic = env.createTopic();
        Path dir = Files.createTempDirectory("mqadmin-export");
        try {
            Tool.expect(List.of("success"), "exportMetadata", "-c", Tool.cluster(), "-f", dir.toString());
            Tool.expect(List.of("success"), "exportConfigs", "-c", Tool.cluster(), "-f", dir.toString());
            Tool.expect(List.of("success"), "exportMetrics", "-c", Tool.cluster(), "-f", dir.toString());
            StringBuilder all = new StringBuilder();
            try (var files = Files.walk(dir)) {
                for (Path file : files.filter(Files::isRegularFile).toList()) {
                    all.append(Files.readString(file));
                }
            }
            Check.that(all.indexOf(topic) >= 0, "the topic is not in what was exported");
            Check.that(all.indexOf(Tool.brokerName()) >= 0, "the broker is not in what was exported");
        } finally {
            try (var files = Files.walk(dir)) {
                files.sorted(java.util.Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
            }
        }
    }

    /** Commands for what a Gantry broker does not have are answered clearly, not with a timeout. */
    private static void notMeant(Env env) throws Exception {
        String b = Tool.brokerAddr();
        for (List<String> words : List.of(
            List.of("clusterAclConfigVersion", "-b", b), List.of("getAclConfig", "-b", b),
            List.of("updateAclConfig", "-b", b, "-a", "user1234", "-s", "secret1234"), List.of("deleteAclConfig", "-b", b, "-a", "user1234"),
            List.of("updateGlobalWhiteAddr", "-b", b, "-g", "10.0.0.1"),
            List.of("haStatus", "-b", b), List.of("getBrokerEpoch", "-b", Tool.brokerName()), List.of("resetMasterFlushOffset", "-b", b, "-o", "0"),
            List.of("getColdDataFlowCtrInfo", "-b", b), List.of("updateColdDataFlowCtrGroupConfig", "-b", b, "-g", "g", "-v", "1"),
            List.of("removeColdDataFlowCtrGroupConfig", "-b", b, "-g", "g"), List.of("setCommitLogReadAheadMode", "-b", b, "-m", "0"),
            List.of("listUser", "-b", b), List.of("getUser", "-b", b, "-u", "u"), List.of("createUser", "-b", b, "-u", "u", "-p", "p"),
            List.of("deleteUser", "-b", b, "-u", "u"), List.of("listAcl", "-b", b))) {
            if (!Tool.commands().contains(words.get(0))) {
                continue;
            }
            String said = Tool.run(words.get(0), words.subList(1, words.size()).toArray(new String[0]));
            Check.that(said.contains("CODE: 3") || said.contains("not supported"), words.get(0) + ": " + Tool.brief(said));
        }
    }
}
