package org.gantry.interop;

/** Runs the commands of mqadmin against the name server in NAMESRV_ADDR, one after the other: they print to one place. */
public final class Main {
    private Main() { }

    public static void main(String[] args) throws Exception {
        Suite<Env> suite = new Suite<>(Env::new);
        TopicCases.add(suite);
        GroupCases.add(suite);
        MessageCases.add(suite);
        ClientCases.add(suite);
        BrokerCases.add(suite);
        DocumentCases.add(suite);
        int code = suite.run();
        // Commands like startMonitoring leave threads behind.
        System.exit(code);
    }
}
