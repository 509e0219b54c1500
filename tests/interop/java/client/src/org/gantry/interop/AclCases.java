package org.gantry.interop;

import java.nio.charset.StandardCharsets;
import java.util.List;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.RPCHook;

/** What a user with few rights may do, and what is said to who has none. Runs only with access control. */
final class AclCases {
    private static final String ALLOWED = "acl-allowed";

    private AclCases() { }

    static void add(Suite<Env> suite) {
        if (Acl.HOOK != null) {
            suite.add("acl_refusals", 90, AclCases::refusals);
        }
    }

    private static void refusals(Env env) throws Exception {
        // The administrator makes both topics by sending to them; their names stand in the rules, so another client may have made them.
        for (String topic : List.of(ALLOWED, "acl-other")) {
            if (!Env.hasRoute(topic)) {
                env.createByFirstSend(topic);
            }
        }
        MessageQueue allowed = Env.queues(ALLOWED).get(0);
        MessageQueue other = new MessageQueue("acl-other", allowed.getBrokerName(), 0);
        RPCHook little = Acl.hook(System.getenv("INTEROP_LITTLE_KEY"), System.getenv("INTEROP_LITTLE_SECRET"));
        DefaultMQProducer producer = producer(env, "little", little);
        SendResult sent = producer.send(message(ALLOWED), allowed);
        Check.that(sent.getSendStatus() == SendStatus.SEND_OK, "a send that is allowed: " + sent);
        refused("No default permission for topic:acl-other", () -> producer.send(message("acl-other"), other));
        refused("Need admin permission for request code=17", () -> Compat.createTopic(producer, env.topic("new"), 4));
        DefaultMQPullConsumer pull = new DefaultMQPullConsumer(env.group("pull"), little);
        pull.setInstanceName(env.topic("pull"));
        pull.start();
        env.onClose(pull::shutdown);
        refused("No default permission for", () -> pull.pull(allowed, "*", 0, 1));
        refused("Check signature failed for accessKey=interop-little", () -> producer(env, "wrong", Acl.hook("interop-little", "not-the-secret")).send(message(ALLOWED), allowed));
        refused("No acl config for interop-nobody", () -> producer(env, "nobody", Acl.hook("interop-nobody", "whatever-it-is")).send(message(ALLOWED), allowed));
        refused("No accessKey is configured", () -> producer(env, "unsigned", null).send(message(ALLOWED), allowed));
    }

    private static DefaultMQProducer producer(Env env, String name, RPCHook hook) throws MQClientException {
        DefaultMQProducer producer = new DefaultMQProducer(env.group(name), hook);
        producer.setInstanceName(env.topic(name));
        producer.setSendMsgTimeout(10_000);
        producer.setRetryTimesWhenSendFailed(0);
        return env.start(producer);
    }

    private static Message message(String topic) {
        return new Message(topic, "body".getBytes(StandardCharsets.UTF_8));
    }

    private interface Ask {
        void run() throws Exception;
    }

    /** The answer is code 1 with these words, whatever the client wraps it in. Gantry's name server refuses the route first, which clients report without the remark. */
    private static void refused(String words, Ask ask) {
        try {
            ask.run();
        } catch (Exception e) {
            StringBuilder said = new StringBuilder();
            for (Throwable cause = e; cause != null; cause = cause.getCause()) {
                said.append(cause).append('\n');
                if (cause instanceof MQBrokerException) {
                    Check.that(((MQBrokerException) cause).getResponseCode() == 1, "code " + ((MQBrokerException) cause).getResponseCode() + ": " + cause);
                }
            }
            Check.that(said.indexOf(words) >= 0 || said.indexOf("No route info of this topic") >= 0 || said.indexOf("The broker[") >= 0, "wanted '" + words + "', got " + said);
            return;
        }
        Check.that(false, "was not refused: " + words);
    }
}
