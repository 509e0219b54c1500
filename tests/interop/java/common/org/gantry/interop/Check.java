package org.gantry.interop;

import java.util.Objects;

/** Assertions. */
final class Check {
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
}
