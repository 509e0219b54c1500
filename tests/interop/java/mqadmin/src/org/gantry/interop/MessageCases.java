package org.gantry.interop;

import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;

/** Messages sent and found by mqadmin. */
final class MessageCases {
    private MessageCases() { }

    static void add(Suite<Env> suite) {
        suite.add("mqadmin_message_send_and_find", 90, MessageCases::sendAndFind);
        suite.add("mqadmin_message_print", 90, MessageCases::print);
        suite.add("mqadmin_message_queue_entries", 60, MessageCases::entries);
        suite.add("mqadmin_message_statistics", 90, MessageCases::statistics);
        suite.add("mqadmin_message_trace", 90, MessageCases::trace);
        suite.add("mqadmin_message_send_status", 90, MessageCases::sendStatus);
    }

    private static void sendAndFind(Env env) throws Exception {
        String topic = env.createTopic();
        String key = "key_" + CaseEnv.RUN;
        String sent = Tool.expect(List.of("SEND_OK", Tool.brokerName()), "sendMessage", "-t", topic, "-p", "hello of mqadmin", "-k", key, "-c", "TagA");
        Matcher id = Pattern.compile("SEND_OK\\s+([0-9A-F]{32,56})").matcher(sent);
        Check.that(id.find(), "no id in " + Tool.brief(sent));
        String found = Tool.await(env, "Message Body Path", "queryMsgByUniqueKey", "-t", topic, "-i", id.group(1));
        Tool.await(env, id.group(1), "queryMsgByKey", "-t", topic, "-k", key);
        SendResult own = env.send(topic, 1);
        Tool.await(env, own.getMsgId(), "queryMsgById", Tool.commands().contains("setConsumeMode") ? new String[] {"-t", topic, "-i", own.getOffsetMsgId()} : new String[] {"-i", own.getOffsetMsgId()});
        Matcher queue = Pattern.compile("Queue ID:\\s+(\\d+)").matcher(found);
        Check.that(queue.find(), "no queue in " + Tool.brief(found));
        Tool.expect(List.of(id.group(1)), "queryMsgByOffset", "-t", topic, "-b", Tool.brokerName(), "-i", queue.group(1), "-o", "0");
        String nothing = Tool.run("queryMsgByUniqueKey", "-t", topic, "-i", "0".repeat(32));
        Check.that(!nothing.contains("Message Body Path"), "found what was never sent: " + Tool.brief(nothing));
    }

    private static void print(Env env) throws Exception {
        String topic = env.createTopic();
        env.send(topic, 3);
        Tool.await(env, "body2", "printMsg", "-t", topic, "-d", "true");
        Tool.expect(List.of("body0", "body1", "body2"), "printMsgByQueue", "-t", topic, "-a", Tool.brokerName(), "-i", "0", "-p", "true", "-d", "true");
        Tool.expect(List.of("body1"), "consumeMessage", "-t", topic, "-b", Tool.brokerName(), "-i", "0", "-o", "1", "-c", "1", "-g", env.group("g"));
    }

    private static void entries(Env env) throws Exception {
        String topic = env.createTopic();
        env.send(topic, 3);
        String[] text = {""};
        env.await(() -> "three entries: " + Tool.brief(text[0]), 20, () -> {
            text[0] = Tool.run("queryCq", "-t", topic, "-q", "0", "-i", "0", "-c", "10", "-b", Tool.brokerAddr());
            return text[0].contains("Queue data: [2]") || Pattern.compile("idx:\\s*2").matcher(text[0]).find();
        });
        Check.that(text[0].contains(Integer.toString("TagA".hashCode())), "no hash of the tag: " + Tool.brief(text[0]));
        String outside = Tool.run("queryCq", "-t", topic, "-q", "99", "-i", "0", "-c", "10", "-b", Tool.brokerAddr());
        Check.that(outside.contains("not exist") || outside.contains("CODE: 1 "), "a queue that is not there: " + Tool.brief(outside));
    }

    private static void statistics(Env env) throws Exception {
        String topic = env.createTopic();
        env.consumed(topic, 3);
        Tool.await(env, topic.substring(0, 20), "statsAll", "-t", topic);
        Tool.expect(List.of("#"), "statsAll", "-a", "-t", topic);
    }

    private static void trace(Env env) throws Exception {
        String topic = env.createTopic();
        DefaultMQProducer producer = traced(env.group("p"));
        producer.setInstanceName("trace" + CaseEnv.RUN);
        producer.setNamesrvAddr(CaseEnv.NAMESRV_ADDR);
        producer.start();
        env.onClose(producer::shutdown);
        SendResult sent = producer.send(new Message(topic, "x".getBytes()));
        Tool.await(env, env.group("p"), "queryMsgTraceById", "-i", sent.getMsgId());
    }

    /** Its constructors differ between the versions. */
    private static DefaultMQProducer traced(String group) throws ReflectiveOperationException {
        try {
            return DefaultMQProducer.class.getConstructor(String.class, boolean.class).newInstance(group, true);
        } catch (NoSuchMethodException newer) {
            DefaultMQProducer producer = new DefaultMQProducer(group, Acl.HOOK);
            Class<?> config = Class.forName("org.apache.rocketmq.client.ClientConfig");
            config.getMethod("setEnableTrace", boolean.class).invoke(producer, true);
            return producer;
        }
    }

    private static void sendStatus(Env env) throws Exception {
        String topic = env.createTopic();
        Tool.expect(List.of("SEND_OK"), "sendMsgStatus", "-b", Tool.brokerName(), "-s", "16", "-c", "3");
        Tool.expect(List.of("Avg RT"), "checkMsgSendRT", "-t", topic, "-a", "5", "-s", "16");
    }
}
