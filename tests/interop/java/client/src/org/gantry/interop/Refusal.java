package org.gantry.interop;

import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;

/** Assertions about calls that must fail. */
final class Refusal {
    interface Call {
        void run() throws Exception;
    }

    private Refusal() { }

    /** The broker refuses `call` with `code`. */
    static void byBroker(int code, String what, Call call) throws Exception {
        try {
            call.run();
        } catch (MQBrokerException e) {
            Check.equal(code, e.getResponseCode(), what + ", response code");
            Check.that(e.getErrorMessage() != null && !e.getErrorMessage().isBlank(), what + ": the refusal has no text");
            return;
        }
        throw new CheckFailed(what + ": was not refused");
    }

    /** `call` ends in an MQClientException whose text contains `text`. */
    static void byClient(String text, String what, Call call) throws Exception {
        try {
            call.run();
        } catch (MQClientException e) {
            Check.that(String.valueOf(e.getMessage()).contains(text), what + ": unexpected text: " + e.getMessage());
            return;
        }
        throw new CheckFailed(what + ": was not refused");
    }
}
