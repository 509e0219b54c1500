package org.gantry.interop;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.regex.Pattern;

/**
 * Runs cases side by side in one JVM and prints one line for each. Clients mostly wait (for polls, rebalancing,
 * timers), so many cases at once cost little; those that load the machine run alone at the end.
 */
final class Suite<E extends CaseEnv> {
    interface Body<E> {
        void run(E env) throws Exception;
    }

    private record Case<E>(String name, int deadlineS, boolean alone, Body<E> body) { }

    private final Function<String, E> environments;
    private final List<Case<E>> cases = new ArrayList<>();
    private final AtomicInteger passed = new AtomicInteger();
    private final AtomicInteger failed = new AtomicInteger();

    /** `environments` makes what a case of a given name works with. */
    Suite(Function<String, E> environments) {
        this.environments = environments;
    }

    /** Adds a case that may run beside others. The deadline counts from its own start. */
    void add(String name, int deadlineS, Body<E> body) {
        cases.add(new Case<>(name, deadlineS, false, body));
    }

    /** Adds a case that has the JVM to itself. */
    void addAlone(String name, int deadlineS, Body<E> body) {
        cases.add(new Case<>(name, deadlineS, true, body));
    }

    /**
     * Runs the cases, INTEROP_WIDTH (environment, default 16) at a time. INTEROP_ONLY and INTEROP_SKIP are regular
     * expressions for whole case names, INTEROP_NOT_YET one for those that the target does not promise yet. Returns the
     * process's exit code: 0 when at least one ran and none failed.
     */
    int run() throws InterruptedException {
        Pattern include = Pattern.compile(text("INTEROP_ONLY", ".*"));
        Pattern exclude = Pattern.compile(text("INTEROP_SKIP", "(?!)"));
        int width = Integer.parseInt(text("INTEROP_WIDTH", "16"));
        Pattern notYet = Pattern.compile(text("INTEROP_NOT_YET", "(?!)"));
        cases.removeIf(c -> !include.matcher(c.name).matches() || exclude.matcher(c.name).matches());
        int selected = cases.size();
        cases.removeIf(c -> {
            boolean skipped = notYet.matcher(c.name).matches();
            if (skipped) {
                System.out.println("SKIP " + c.name + ": not yet promised");
            }
            return skipped;
        });
        int skipped = selected - cases.size();
        ExecutorService lanes = Executors.newFixedThreadPool(width, Suite::daemon);
        for (Case<E> c : cases) {
            if (!c.alone) {
                lanes.submit(() -> runOne(c));
            }
        }
        lanes.shutdown();
        lanes.awaitTermination(1, TimeUnit.HOURS);
        for (Case<E> c : cases) {
            if (c.alone) {
                runOne(c);
            }
        }
        System.out.println(passed + " passed, " + failed + " failed, " + skipped + " skipped");
        return passed.get() > 0 && failed.get() == 0 ? 0 : 1;
    }

    private static String text(String variable, String otherwise) {
        String text = System.getenv(variable);
        return text == null || text.isEmpty() ? otherwise : text;
    }

    private void runOne(Case<E> c) {
        long started = System.nanoTime();
        E env = environments.apply(c.name);
        ExecutorService lane = Executors.newSingleThreadExecutor(Suite::daemon);
        Future<?> future = lane.submit(() -> {
            c.body.run(env);
            return null;
        });
        String reason = null;
        try {
            future.get((long) c.deadlineS * CaseEnv.PATIENCE, TimeUnit.SECONDS);
        } catch (TimeoutException e) {
            reason = "not done after " + c.deadlineS * CaseEnv.PATIENCE + " s" + env.waitingFor();
            future.cancel(true);
        } catch (ExecutionException e) {
            reason = describe(e.getCause());
        } catch (InterruptedException e) {
            reason = "interrupted";
        }
        lane.shutdownNow();
        env.close();
        long tookMs = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - started);
        if (reason == null) {
            passed.incrementAndGet();
            System.out.println("PASS " + c.name + " (" + tookMs + " ms)");
        } else {
            failed.incrementAndGet();
            System.out.println("FAIL " + c.name + ": " + reason);
        }
    }

    private static String describe(Throwable e) {
        StringBuilder text = new StringBuilder(e instanceof CheckFailed ? e.getMessage() : e.toString());
        for (StackTraceElement frame : e.getStackTrace()) {
            if (frame.getClassName().endsWith("Cases")) {
                text.append(" [").append(frame.getFileName()).append(':').append(frame.getLineNumber()).append(']');
                break;
            }
        }
        return text.toString().replace('\n', ' ');
    }

    private static Thread daemon(Runnable task) {
        Thread thread = new Thread(task);
        thread.setDaemon(true);
        return thread;
    }
}
