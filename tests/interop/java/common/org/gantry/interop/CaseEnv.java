package org.gantry.interop;

import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/** What one case works with: names of its own, things to shut down when it ends, and waiting. */
class CaseEnv {
    static final String NAMESRV_ADDR = System.getenv("NAMESRV_ADDR");
    /** Distinguishes this run's topics and groups from those of earlier runs against the same broker. */
    static final String RUN = Long.toString(System.currentTimeMillis() / 100 % 100_000_000L, 36)
        + Long.toString(ProcessHandle.current().pid(), 36);

    /** Deadlines are for a machine that is not overloaded; INTEROP_PATIENCE (default 2) multiplies all of them. */
    static final int PATIENCE = Integer.parseInt(System.getenv().getOrDefault("INTEROP_PATIENCE", "2"));

    private final String name;
    private final ConcurrentLinkedDeque<Runnable> closers = new ConcurrentLinkedDeque<>();
    private volatile String waiting;

    CaseEnv(String name) {
        this.name = name;
    }

    final String topic() {
        return "it_" + RUN + "_" + name;
    }

    final String topic(String part) {
        return topic() + "_" + part;
    }

    final String group(String part) {
        return "g_" + RUN + "_" + name + "_" + part;
    }

    final void onClose(Runnable closer) {
        closers.push(closer);
    }

    interface Condition {
        boolean holds() throws Exception;
    }

    /** Polls until `condition` holds. `what` may be evaluated for the failure's text. */
    void await(Supplier<String> what, int deadlineS, Condition condition) throws Exception {
        waiting = what.get();
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos((long) deadlineS * PATIENCE);
        while (!condition.holds()) {
            if (System.nanoTime() > end) {
                throw new CheckFailed("after " + deadlineS * PATIENCE + " s: " + what.get());
            }
            Thread.sleep(20);
        }
        waiting = null;
    }

    String waitingFor() {
        return waiting == null ? "" : ", waiting for: " + waiting;
    }

    /** Shuts the case's clients down, the all at once because each may take seconds. */
    void close() {
        CountDownLatch done = new CountDownLatch(closers.size());
        for (Runnable closer : closers) {
            Thread thread = new Thread(() -> {
                try {
                    closer.run();
                } catch (RuntimeException ignored) {
                    // A client that a case has shut down itself.
                } finally {
                    done.countDown();
                }
            });
            thread.setDaemon(true);
            thread.start();
        }
        try {
            done.await(20, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
