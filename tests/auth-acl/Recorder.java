import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.rocketmq.acl.common.AclClientRPCHook;
import org.apache.rocketmq.acl.common.SessionCredentials;
import org.apache.rocketmq.remoting.CommandCustomHeader;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;
import org.apache.rocketmq.remoting.protocol.SerializeType;

/**
 * Signs requests with RocketMQ's own hook and prints the frames that its clients would send: lines of name, access key, secret, frame in hex, with tabs between.
 * recorded_test.cpp reads them. Argument: a name for this version. See README.md.
 */
public final class Recorder {
    private static final String KEY = "rocketmq-user";
    private static final String SECRET = "a secret \u84dd of ours";
    private static String version;

    public static void main(String[] args) throws Exception {
        version = args[0];
        byte[] body = "hello \u84dd\0\n".getBytes(StandardCharsets.UTF_8);
        Map<String, Object> send = fields("producerGroup", "P", "topic", "T", "defaultTopic", "TBW102", "defaultTopicQueueNums", 4, "queueId", 1, "sysFlag", 0, "bornTimestamp",
            1_700_000_000_000L, "flag", 7, "properties", "KEYS\u0001k \u84dd\u0002UNIQ_KEY\u0001AC\u0002", "reconsumeTimes", 0, "unitMode", false, "batch", false);
        Map<String, Object> sendV2 = fields("a", "P", "b", "T", "c", "TBW102", "d", 4, "e", 1, "f", 0, "g", 1_700_000_000_000L, "h", 7, "i", "KEYS\u0001k \"\\\u84dd\u0002", "j", 0, "k", false,
            "l", 16, "m", false);
        Map<String, Object> pull = fields("consumerGroup", "G", "topic", "T", "queueId", 1, "queueOffset", 5L, "maxMsgNums", 32, "sysFlag", 2, "commitOffset", 0L, "suspendTimeoutMillis", 15000L,
            "subscription", "A || B", "subVersion", 9L, "expressionType", "TAG");
        Map<String, Object> query = fields("topic", "T", "key", "k", "maxNum", 32, "beginTimestamp", 0L, "endTimestamp", 9L);
        for (String token : new String[] {null, "token-of-a-session"}) {
            String suffix = token == null ? "" : "-token";
            record("send" + suffix, token, command(10, "SendMessageRequestHeader", send), body);
            record("send-v2" + suffix, token, command(310, "SendMessageRequestHeaderV2", sendV2), body);
            record("pull" + suffix, token, command(11, "PullMessageRequestHeader", pull), null);
            record("heartbeat" + suffix, token, RemotingCommand.createRequestCommand(34, null), "{\"clientID\":\"c\"}".getBytes(StandardCharsets.UTF_8));
            record("query" + suffix, token, command(12, "QueryMessageRequestHeader", query), null);
        }
        RemotingCommand unique = command(12, "QueryMessageRequestHeader", query);
        unique.addExtField("_UNIQUE_KEY_QUERY", "true");
        record("query-unique", null, unique, null);
        sendV2.put("i", "");
        record("send-v2-no-properties", null, command(310, "SendMessageRequestHeaderV2", sendV2), body);
        RemotingCommand named = command(310, "SendMessageRequestHeaderV2", sendV2);
        named.addExtField("bname", "broker-a");
        named.addExtField("Zone", "before lower case");
        record("further-fields", null, named, null);
    }

    private static Map<String, Object> fields(Object... pairs) {
        Map<String, Object> out = new LinkedHashMap<>();
        for (int i = 0; i < pairs.length; i += 2) {
            out.put((String) pairs[i], pairs[i + 1]);
        }
        return out;
    }

    /** 5.x has its headers in another package than 4.x. */
    private static RemotingCommand command(int code, String header, Map<String, Object> fields) throws Exception {
        Class<?> type;
        try {
            type = Class.forName("org.apache.rocketmq.remoting.protocol.header." + header);
        } catch (ClassNotFoundException e) {
            type = Class.forName("org.apache.rocketmq.common.protocol.header." + header);
        }
        Object made = type.getDeclaredConstructor().newInstance();
        for (Map.Entry<String, Object> entry : fields.entrySet()) {
            Field field = type.getDeclaredField(entry.getKey());
            field.setAccessible(true);
            field.set(made, entry.getValue());
        }
        return RemotingCommand.createRequestCommand(code, (CommandCustomHeader) made);
    }

    private static void record(String name, String token, RemotingCommand request, byte[] body) {
        for (SerializeType form : SerializeType.values()) {
            RemotingCommand copy = RemotingCommand.createRequestCommand(request.getCode(), request.readCustomHeader());
            if (request.getExtFields() != null) {
                request.getExtFields().forEach(copy::addExtField);
            }
            copy.setSerializeTypeCurrentRPC(form);
            copy.setBody(body);
            SessionCredentials credentials = token == null ? new SessionCredentials(KEY, SECRET) : new SessionCredentials(KEY, SECRET, token);
            new AclClientRPCHook(credentials).doBeforeRequest("127.0.0.1:10911", copy);
            ByteBuffer frame = copy.encode();
            StringBuilder hex = new StringBuilder();
            while (frame.hasRemaining()) {
                hex.append(String.format("%02x", frame.get()));
            }
            System.out.println(version + "-" + name + "-" + form + "\t" + KEY + "\t" + SECRET + "\t" + hex);
        }
    }
}
