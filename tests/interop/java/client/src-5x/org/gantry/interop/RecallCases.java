package org.gantry.interop;

import java.util.List;
import org.apache.rocketmq.client.producer.SendResult;

/** Taking a scheduled message back. */
final class RecallCases {
    private RecallCases() { }

    static void add(Suite<Env> suite) {
        suite.add("recall_scheduled_message", 60, RecallCases::recall);
        suite.add("recall_bad_handle_refused", 30, RecallCases::refused);
    }

    private static void recall(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        Inbox inbox = new Inbox();
        env.push(env.group("c"), env.topic(), "*", inbox);
        long sent = System.currentTimeMillis();
        SendResult kept = Env.producer().send(TimerCases.timed(env, "kept", "TIMER_DELIVER_MS", sent + 6_000));
        SendResult recalled = Env.producer().send(TimerCases.timed(env, "recalled", "TIMER_DELIVER_MS", sent + 5_000));
        Check.that(kept.getRecallHandle() != null && recalled.getRecallHandle() != null, "a scheduled message has no recall handle");
        Check.equal(recalled.getMsgId(), Env.producer().recallMessage(env.topic(), recalled.getRecallHandle()), "id of the recalled message");
        inbox.awaitExactly(env, List.of("kept"), 30);
        Check.equal(null, Env.producer().send(Env.message(env.topic(), "", "plain")).getRecallHandle(), "recall handle of an ordinary message");
    }

    private static void refused(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        for (String handle : List.of("nonsense", "djEgYnJva2VyLWEgdG9waWMgMA==")) {
            boolean refused = false;
            try {
                Env.producer().recallMessage(env.topic(), handle);
            } catch (org.apache.rocketmq.client.exception.MQClientException | org.apache.rocketmq.client.exception.MQBrokerException
                | IllegalArgumentException | org.apache.rocketmq.remoting.exception.RemotingException e) {
                refused = true;
            }
            Check.that(refused, "the handle " + handle + " was accepted");
        }
    }
}
