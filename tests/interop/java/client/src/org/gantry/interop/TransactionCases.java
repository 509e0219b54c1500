package org.gantry.interop;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.hook.SendMessageContext;
import org.apache.rocketmq.client.hook.SendMessageHook;
import org.apache.rocketmq.client.impl.MQClientAPIImpl;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageConst;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/**
 * Transactional messages. The broker under test asks back every second, and no half message that is younger than two
 * seconds.
 */
final class TransactionCases {
    private static final int COMMIT = 8;
    private static final String DISCARDED = "TRANS_CHECK_MAX_TIME_TOPIC";
    private static final int CHECKS_MAX = 15;

    private TransactionCases() { }

    static void add(Suite<Env> suite) {
        suite.add("transaction_check_limit", 120, TransactionCases::checkLimit);
        suite.add("transaction_check_back", 60, TransactionCases::checkBack);
        suite.add("transaction_immunity", 60, TransactionCases::immunity);
        suite.add("transaction_commit_and_rollback", 60, TransactionCases::commitAndRollback);
        suite.add("transaction_message_fields", 60, TransactionCases::fields);
        suite.add("transaction_with_delay", 60, TransactionCases::withDelay);
        suite.add("transaction_repeated_commit_delivers_once", 60, TransactionCases::repeatedCommit);
    }

    /** The local transactions and what each check answers, by body; records the checks. */
    private static final class Decider implements TransactionListener {
        final AtomicInteger executed = new AtomicInteger();
        final ConcurrentLinkedQueue<MessageExt> checked = new ConcurrentLinkedQueue<>();
        final Map<String, List<Long>> checkTimes = new ConcurrentHashMap<>();
        private final Map<String, List<LocalTransactionState>> answers = new ConcurrentHashMap<>();

        /** The states that the local transaction and then each check of `body` answers; the last one stays. */
        void plan(String body, LocalTransactionState... states) {
            answers.put(body, List.of(states));
        }

        int checks(String body) {
            return checkTimes.getOrDefault(body, List.of()).size();
        }

        @Override
        public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
            executed.incrementAndGet();
            return answers.get(text(message)).get(0);
        }

        @Override
        public LocalTransactionState checkLocalTransaction(MessageExt message) {
            String body = text(message);
            List<Long> times = checkTimes.computeIfAbsent(body, key -> new java.util.concurrent.CopyOnWriteArrayList<>());
            times.add(System.currentTimeMillis());
            checked.add(message);
            List<LocalTransactionState> states = answers.get(body);
            return states.get(Math.min(times.size(), states.size() - 1));
        }
    }

    private static String text(Message message) {
        return new String(message.getBody(), StandardCharsets.UTF_8);
    }

    private static TransactionMQProducer producer(Env env, Decider decider) throws Exception {
        TransactionMQProducer producer = new TransactionMQProducer(env.group("tx"), Acl.HOOK);
        producer.setSendMsgTimeout(15_000 * Env.PATIENCE);
        // Checks go to members of the group, which heartbeats make.
        producer.setHeartbeatBrokerInterval(1_000);
        producer.setTransactionListener(decider);
        producer.start();
        env.onClose(producer::shutdown);
        return producer;
    }

    private static SendResult send(TransactionMQProducer producer, Message message) throws Exception {
        return producer.sendMessageInTransaction(message, null);
    }

    private static void commitAndRollback(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        Inbox inbox = new Inbox();
        env.push(env.group("c"), env.topic(), "*", inbox);
        Decider decider = new Decider();
        TransactionMQProducer producer = producer(env, decider);
        List<String> committed = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            decider.plan("rolled-back" + i, LocalTransactionState.ROLLBACK_MESSAGE);
            decider.plan("committed" + i, LocalTransactionState.COMMIT_MESSAGE);
            send(producer, Env.message(env.topic(), "TagA", "rolled-back" + i));
            send(producer, Env.message(env.topic(), "TagA", "committed" + i));
            committed.add("committed" + i);
        }
        Check.equal(10, decider.executed.get(), "local transactions");
        inbox.awaitExactly(env, committed, 40);
        Check.equal(0, decider.checked.size(), "checks of transactions that were decided at once");
    }

    /** What the producer left open is asked about until it decides. */
    private static void checkBack(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        Inbox inbox = new Inbox();
        env.push(env.group("c"), env.topic(), "*", inbox);
        Decider decider = new Decider();
        decider.plan("commit-later", LocalTransactionState.UNKNOW, LocalTransactionState.COMMIT_MESSAGE);
        decider.plan("commit-third", LocalTransactionState.UNKNOW, LocalTransactionState.UNKNOW, LocalTransactionState.UNKNOW,
            LocalTransactionState.COMMIT_MESSAGE);
        decider.plan("rollback-later", LocalTransactionState.UNKNOW, LocalTransactionState.ROLLBACK_MESSAGE);
        TransactionMQProducer producer = producer(env, decider);
        for (String body : List.of("commit-later", "commit-third", "rollback-later")) {
            Message message = Env.message(env.topic(), "TagA", body);
            message.putUserProperty("city", "上海");
            send(producer, message);
        }
        inbox.awaitAll(env, List.of("commit-later", "commit-third"), 40);
        env.await(() -> "the check of the message to roll back", 20, () -> decider.checks("rollback-later") > 0);
        inbox.awaitExactly(env, List.of("commit-later", "commit-third"), 5);
        Check.equal(3, decider.checks("commit-third"), "checks of the message that two checks left open");
        for (MessageExt message : decider.checked) {
            Check.equal(env.topic(), message.getTopic(), "topic that a check tells");
            Check.equal("TagA", message.getTags(), "tag that a check tells");
            Check.equal("上海", message.getUserProperty("city"), "property that a check tells");
            Check.that(message.getTransactionId() != null, "a check tells no transaction id");
        }
        Check.equal("上海", inbox.only("commit-third").getUserProperty("city"), "property after three checks");
    }

    /** After its last check an open transaction is given up: nobody gets it, and it is put aside. */
    private static void checkLimit(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        Inbox inbox = new Inbox();
        env.push(env.group("c"), env.topic(), "*", inbox);
        Decider decider = new Decider();
        decider.plan(env.topic(), LocalTransactionState.UNKNOW);
        send(producer(env, decider), Env.message(env.topic(), "TagA", env.topic()));
        env.await(() -> CHECKS_MAX + " checks, so far " + decider.checks(env.topic()), 60,
            () -> decider.checks(env.topic()) >= CHECKS_MAX);
        env.await(() -> "route of " + DISCARDED, 20, () -> Env.hasRoute(DISCARDED));
        DefaultMQPullConsumer pull = env.pull(env.group("pull"));
        MessageQueue queue = Env.queues(DISCARDED).get(0);
        AtomicInteger next = new AtomicInteger();
        env.await(() -> "the message in " + DISCARDED + " after " + next + " others", 20, () -> {
            PullResult result = pull.pull(queue, "*", next.get(), 32);
            next.set((int) result.getNextBeginOffset());
            return result.getPullStatus() == PullStatus.FOUND
                && result.getMsgFoundList().stream().anyMatch(message -> text(message).equals(env.topic()));
        });
        inbox.awaitExactly(env, List.of(), 5);
        Check.equal(CHECKS_MAX, decider.checks(env.topic()), "checks");
    }

    /** A message may ask for more time before its first check. */
    private static void immunity(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        Inbox inbox = new Inbox();
        env.push(env.group("c"), env.topic(), "*", inbox);
        Decider decider = new Decider();
        decider.plan("soon", LocalTransactionState.UNKNOW, LocalTransactionState.COMMIT_MESSAGE);
        decider.plan("immune", LocalTransactionState.UNKNOW, LocalTransactionState.COMMIT_MESSAGE);
        TransactionMQProducer producer = producer(env, decider);
        Message immune = Env.message(env.topic(), "", "immune");
        immune.putUserProperty(MessageConst.PROPERTY_CHECK_IMMUNITY_TIME_IN_SECONDS, "6");
        long sent = System.currentTimeMillis();
        send(producer, immune);
        send(producer, Env.message(env.topic(), "", "soon"));
        inbox.awaitExactly(env, List.of("immune", "soon"), 40);
        long waitedMs = decider.checkTimes.get("immune").get(0) - sent;
        Check.that(waitedMs >= 5_900, "a message immune for 6 s was checked after " + waitedMs + " ms");
        Check.that(decider.checkTimes.get("soon").get(0) < decider.checkTimes.get("immune").get(0), "the immune message was checked first");
    }

    /** A committed message is the one that was sent. */
    private static void fields(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        Inbox inbox = new Inbox();
        env.push(env.group("c"), env.topic(), "标签", inbox);
        Decider decider = new Decider();
        decider.plan("订单", LocalTransactionState.COMMIT_MESSAGE);
        Message message = Env.message(env.topic(), "标签", "订单");
        message.setKeys(List.of("键一", "key2"));
        message.putUserProperty("城市", "上海");
        message.setFlag(77);
        SendResult sent = send(producer(env, decider), message);
        inbox.awaitExactly(env, List.of("订单"), 40);
        MessageExt got = inbox.only("订单");
        Check.equal(env.topic(), got.getTopic(), "topic");
        Check.equal(sent.getMessageQueue().getQueueId(), got.getQueueId(), "queue");
        Check.equal(sent.getMsgId(), got.getMsgId(), "message id");
        Check.equal(sent.getMsgId(), got.getTransactionId(), "transaction id");
        Check.equal("标签", got.getTags(), "tag");
        Check.equal("键一 key2", got.getKeys(), "keys");
        Check.equal("上海", got.getUserProperty("城市"), "user property");
        Check.equal(77, got.getFlag(), "flag");
        Check.equal(COMMIT, got.getSysFlag() & 12, "transaction bits of the system flag");
        Check.equal(0, got.getReconsumeTimes(), "reconsume times");
    }

    /** A transactional message cannot be delayed too: 4.x clients drop the delay, 5.x clients refuse the message. */
    private static void withDelay(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        Inbox inbox = new Inbox();
        env.push(env.group("c"), env.topic(), "*", inbox);
        Decider decider = new Decider();
        decider.plan("prompt", LocalTransactionState.COMMIT_MESSAGE);
        Message message = Env.message(env.topic(), "", "prompt");
        message.setDelayTimeLevel(18);
        Message delayed = message;
        TransactionMQProducer producer = producer(env, decider);
        if (Compat.REFUSES_DELAYED_TRANSACTIONS) {
            Refusal.byClient("do not support delayed delivery", "a delayed transaction", () -> send(producer, delayed));
            message = Env.message(env.topic(), "", "prompt");
        }
        send(producer, message);
        inbox.awaitExactly(env, List.of("prompt"), 40);
    }

    /** A commit that is sent twice, as after a lost answer, delivers once. */
    private static void repeatedCommit(Env env) throws Exception {
        env.createByFirstSend(env.topic());
        Inbox inbox = new Inbox();
        env.push(env.group("c"), env.topic(), "*", inbox);
        Decider decider = new Decider();
        decider.plan("once", LocalTransactionState.COMMIT_MESSAGE);
        decider.plan("undecided", LocalTransactionState.UNKNOW);
        TransactionMQProducer producer = producer(env, decider);
        // What a transactional send returns does not say where the half message lies.
        Map<String, SendResult> halves = new ConcurrentHashMap<>();
        producer.getDefaultMQProducerImpl().registerSendMessageHook(new SendMessageHook() {
            @Override
            public String hookName() {
                return "halves";
            }

            @Override
            public void sendMessageBefore(SendMessageContext context) { }

            @Override
            public void sendMessageAfter(SendMessageContext context) {
                halves.put(context.getSendResult().getMsgId(), context.getSendResult());
            }
        });
        SendResult once = halves.get(send(producer, Env.message(env.topic(), "", "once")).getMsgId());
        SendResult undecided = halves.get(send(producer, Env.message(env.topic(), "", "undecided")).getMsgId());
        MQClientAPIImpl api = producer.getDefaultMQProducerImpl().getMqClientFactory().getMQClientAPIImpl();
        String broker = Env.brokerAddress(once.getMessageQueue());
        for (int i = 0; i < 3; i++) {
            Compat.endTransaction(api, broker, env.group("tx"), once, COMMIT);
            Compat.endTransaction(api, broker, env.group("tx"), undecided, COMMIT);
        }
        inbox.awaitExactly(env, List.of("once", "undecided"), 40);
    }
}
