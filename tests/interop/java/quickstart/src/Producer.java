import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.remoting.common.RemotingHelper;

/** What the tutorials have a newcomer write: names and texts are theirs, the name server comes from NAMESRV_ADDR. */
public class Producer {
    public static void main(String[] args) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer("please_rename_unique_group_name");
        producer.start();
        for (int i = 0; i < 1000; i++) {
            byte[] body = ("Hello RocketMQ " + i).getBytes(RemotingHelper.DEFAULT_CHARSET);
            SendResult result = producer.send(new Message("TopicTest", "TagA", body));
            System.out.printf("%s%n", result);
        }
        producer.shutdown();
    }
}
