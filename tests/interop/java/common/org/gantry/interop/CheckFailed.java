package org.gantry.interop;

/** A promise was not kept; the message says which and what was seen instead. */
final class CheckFailed extends RuntimeException {
    CheckFailed(String message) {
        super(message);
    }
}
