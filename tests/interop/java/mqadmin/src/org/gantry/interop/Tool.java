package org.gantry.interop;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.rocketmq.tools.command.MQAdminStartup;
import org.apache.rocketmq.tools.command.SubCommand;

/** Runs commands of mqadmin as its main method does, in this JVM, one at a time, and catches what they print. */
final class Tool {
    /** Of everything that has run, for the check that nothing was left out. */
    static final Set<String> RAN = new TreeSet<>();

    private static String[] broker;

    private Tool() { }

    /** What `mqadmin COMMAND -n NAMESRV_ADDR OPTIONS...` prints, errors included. */
    static synchronized String run(String command, String... options) {
        RAN.add(command);
        List<String> words = new ArrayList<>(List.of(command, "-n", CaseEnv.NAMESRV_ADDR));
        words.addAll(Arrays.asList(options));
        PrintStream out = System.out;
        PrintStream err = System.err;
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        PrintStream both = new PrintStream(bytes, true, StandardCharsets.UTF_8);
        System.setOut(both);
        System.setErr(both);
        Thread waker = wakeClosingClients(Thread.currentThread());
        try {
            MQAdminStartup.main0(words.toArray(new String[0]), Acl.HOOK);
        } finally {
            waker.interrupt();
            System.setOut(out);
            System.setErr(err);
        }
        both.flush();
        return bytes.toString(StandardCharsets.UTF_8);
    }

    /**
     * A 5.x client that shuts down joins a thread that looks only every 3 s whether it shall end, and each command has a client of its own: that
     * thread is woken. Ends when interrupted.
     */
    private static Thread wakeClosingClients(Thread command) {
        Thread waker = new Thread(() -> {
            try {
                while (true) {
                    Thread.sleep(20);
                    if (Arrays.stream(command.getStackTrace()).anyMatch(frame -> frame.getClassName().endsWith("NettyRemotingClient") && frame.getMethodName().equals("shutdown"))) {
                        Thread[] threads = new Thread[Thread.activeCount() + 64];
                        int count = Thread.enumerate(threads);
                        Arrays.stream(threads, 0, count).filter(thread -> thread.getName().endsWith("NettyEventExecutor")).forEach(Thread::interrupt);
                    }
                }
            } catch (InterruptedException end) {
                // The command is done.
            }
        }, "waker");
        waker.setDaemon(true);
        waker.start();
        return waker;
    }

    /** Runs it and requires every part in its output. */
    static String expect(List<String> parts, String command, String... options) {
        String text = run(command, options);
        for (String part : parts) {
            Check.that(text.contains(part), command + " " + String.join(" ", options) + " does not print '" + part + "' but: " + brief(text));
        }
        return text;
    }

    /** Runs it and requires that it fails with this response code. */
    static String refused(int code, String command, String... options) {
        return expect(List.of("CODE: " + code + " "), command, options);
    }

    /** Runs it until its output holds `part`: brokers register a little later, and RocketMQ builds its index behind the log. */
    static String await(CaseEnv env, String part, String command, String... options) throws Exception {
        String[] last = {""};
        env.await(() -> command + " " + String.join(" ", options) + " to print '" + part + "', it says: " + brief(last[0]), 20, () -> {
            last[0] = run(command, options);
            return last[0].contains(part);
        });
        return last[0];
    }

    static String brief(String text) {
        // Of a failure only what was thrown, not where.
        String line = text.strip().replaceAll("(?m)^\\s+at .*\\n?", "").replaceAll("\\s*\\n\\s*", " | ").replaceAll(" {2,}", " ");
        return line.length() <= 600 ? line : line.substring(0, 600) + "...";
    }

    /** Cluster, name and address of the broker under test. */
    private static synchronized String[] broker() {
        if (broker == null) {
            Matcher row = Pattern.compile("(\\S+)\\s+(\\S+)\\s+0\\s+(127\\.0\\.0\\.1:\\d+|\\d+\\.\\d+\\.\\d+\\.\\d+:\\d+)").matcher(run("clusterList"));
            Check.that(row.find(), "clusterList shows no master");
            broker = new String[] {row.group(1), row.group(2), row.group(3)};
        }
        return broker;
    }

    static String cluster() {
        return broker()[0];
    }

    static String brokerName() {
        return broker()[1];
    }

    static String brokerAddr() {
        return broker()[2];
    }

    /** Names of all commands of this version. */
    static Set<String> commands() throws ReflectiveOperationException {
        run("help");
        RAN.remove("help");
        Set<String> names = new TreeSet<>();
        for (Field field : MQAdminStartup.class.getDeclaredFields()) {
            if (Modifier.isStatic(field.getModifiers()) && Collection.class.isAssignableFrom(field.getType())) {
                field.setAccessible(true);
                for (Object command : (Collection<?>) field.get(null)) {
                    names.add(((SubCommand) command).commandName());
                }
            }
        }
        return names;
    }
}
