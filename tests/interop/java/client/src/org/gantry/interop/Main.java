package org.gantry.interop;

/**
 * Runs the suite against the name server in NAMESRV_ADDR. Environment: INTEROP_ONLY and INTEROP_SKIP (regular
 * expressions for whole case names), INTEROP_WIDTH (cases at a time, default 16), INTEROP_MANY (messages for each of
 * the 16 threads of many_threads, default 2000).
 */
public final class Main {
    private Main() { }

    public static void main(String[] args) throws Exception {
        if (Env.NAMESRV_ADDR == null) {
            System.err.println("NAMESRV_ADDR is not set: host:port of the name server to test");
            System.exit(2);
        }
        if (System.getenv("INTEROP_EXPECT_REFUSAL") == null) {
            Env.warmUp();
        }
        Suite<Env> suite = new Suite<>(Env::new);
        TransactionCases.add(suite);
        TimerCases.add(suite);
        Compat.addOwnCases(suite);
        RetryCases.add(suite);
        AdminCases.add(suite);
        GroupCases.add(suite);
        FilterCases.add(suite);
        LuaCases.add(suite);
        RequestCases.add(suite);
        TraceCases.add(suite);
        AclCases.add(suite);
        NamespaceCases.add(suite);
        OrderCases.add(suite);
        PushCases.add(suite);
        ContentCases.add(suite);
        ManyCases.add(suite);
        OffsetCases.add(suite);
        SendCases.add(suite);
        BrokerDeathCases.add(suite);
        PowerCutCases.add(suite);
        int code = suite.run();
        Env.closeShared();
        System.exit(code);
    }

    static int number(String variable, int otherwise) {
        String text = System.getenv(variable);
        return text == null || text.isEmpty() ? otherwise : Integer.parseInt(text);
    }
}
