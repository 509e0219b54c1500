package org.gantry.interop;

import java.util.Objects;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;

/** Assertions. */
final class Check {
    interface Call {
        void run() throws Exception;
    }

    private Check() { }

    static void that(boolean holds, String what) {
        if (!holds) {
            throw new CheckFailed(what);
        }
    }

    static void equal(Object expected, Object actual, String what) {
        if (!Objects.equals(expected, actual)) {
            throw new CheckFailed(what + ": expected " + expected + ", got " + actual);
        }
    }

    /** The broker refuses `call` with `code`. */
    static void brokerRefuses(int code, String what, Call call) throws Exception {
        try {
            call.run();
        } catch (MQBrokerException e) {
            equal(code, e.getResponseCode(), what + ", response code");
            that(e.getErrorMessage() != null && !e.getErrorMessage().isBlank(), what + ": the refusal has no text");
            return;
        }
        throw new CheckFailed(what + ": was not refused");
    }

    /** `call` ends in an MQClientException whose text contains `text`. */
    static void clientRefuses(String text, String what, Call call) throws Exception {
        try {
            call.run();
        } catch (MQClientException e) {
            that(String.valueOf(e.getMessage()).contains(text), what + ": unexpected text: " + e.getMessage());
            return;
        }
        throw new CheckFailed(what + ": was not refused");
    }
}
