package org.gantry.interop;

import java.util.Map;
import java.util.Set;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.impl.MQClientAPIImpl;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.protocol.body.LockBatchRequestBody;
import org.apache.rocketmq.remoting.protocol.body.UnlockBatchRequestBody;
import org.apache.rocketmq.remoting.protocol.header.EndTransactionRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.UpdateConsumerOffsetRequestHeader;
import org.apache.rocketmq.remoting.protocol.heartbeat.MessageModel;

/** What client 5.x names differently from the other versions. */
final class Compat {
    static final boolean REFUSES_DELAYED_TRANSACTIONS = true;

    private Compat() { }

    /** Cases that only this version's library can run. */
    static void addOwnCases(Suite<Env> suite) {
        PopCases.add(suite);
        RecallCases.add(suite);
        AutoBatchCases.add(suite);
        AttributeCases.add(suite);
    }

    static void broadcasting(DefaultMQPushConsumer consumer) {
        consumer.setMessageModel(MessageModel.BROADCASTING);
    }

    static void createTopic(DefaultMQProducer producer, String topic, int queues) throws MQClientException {
        producer.createTopic("TBW102", topic, queues, Map.of());
    }

    /** Has the member `clientId` consume a stored message at once; answers what its listener returned. */
    static String consumeDirectly(MQClientAPIImpl api, String broker, String group, String clientId, String topic, String offsetMsgId)
        throws Exception {
        return api.consumeMessageDirectly(broker, group, clientId, topic, offsetMsgId, 20_000).getConsumeResult().name();
    }

    static void updateConsumerOffset(MQClientAPIImpl api, String broker, String group, MessageQueue queue, long offset) throws Exception {
        UpdateConsumerOffsetRequestHeader header = new UpdateConsumerOffsetRequestHeader();
        header.setConsumerGroup(group);
        header.setTopic(queue.getTopic());
        header.setQueueId(queue.getQueueId());
        header.setCommitOffset(offset);
        api.updateConsumerOffset(broker, header, 10_000);
    }

    /** Ends the transaction of the half message that `half` tells of; `decision` is 0 (unknown), 8 (commit) or 12 (rollback). */
    static void endTransaction(MQClientAPIImpl api, String broker, String group, SendResult half, int decision) throws Exception {
        EndTransactionRequestHeader header = new EndTransactionRequestHeader();
        header.setTopic(half.getMessageQueue().getTopic());
        header.setProducerGroup(group);
        header.setTranStateTableOffset(half.getQueueOffset());
        header.setCommitLogOffset(MessageDecoder.decodeMessageId(half.getOffsetMsgId()).getOffset());
        header.setCommitOrRollback(decision);
        header.setMsgId(half.getMsgId());
        header.setTransactionId(half.getTransactionId());
        api.endTransactionOneway(broker, header, null, 10_000);
    }

    /** Locks queues for a member; answers those that it holds now. */
    static Set<MessageQueue> lock(MQClientAPIImpl api, String broker, String group, String clientId, Set<MessageQueue> queues) throws Exception {
        LockBatchRequestBody body = new LockBatchRequestBody();
        body.setConsumerGroup(group);
        body.setClientId(clientId);
        body.setMqSet(queues);
        return api.lockBatchMQ(broker, body, 10_000);
    }

    static void unlock(MQClientAPIImpl api, String broker, String group, String clientId, Set<MessageQueue> queues) throws Exception {
        UnlockBatchRequestBody body = new UnlockBatchRequestBody();
        body.setConsumerGroup(group);
        body.setClientId(clientId);
        body.setMqSet(queues);
        api.unlockBatchMQ(broker, body, 10_000, false);
    }
}
