package org.gantry.interop;

import org.apache.rocketmq.remoting.RPCHook;

/** Signs what clients ask, as INTEROP_ACCESS_KEY and INTEROP_SECRET_KEY say. Found by name: 4.x has the classes in a library of their own, which only runs with access control need. */
final class Acl {
    /** Null without access control. */
    static final RPCHook HOOK = hook(System.getenv("INTEROP_ACCESS_KEY"), System.getenv("INTEROP_SECRET_KEY"));

    private Acl() { }

    static RPCHook hook(String user, String secret) {
        if (user == null) {
            return null;
        }
        try {
            Class<?> credentials = Class.forName("org.apache.rocketmq.acl.common.SessionCredentials");
            Object session = credentials.getConstructor(String.class, String.class).newInstance(user, secret);
            return (RPCHook) Class.forName("org.apache.rocketmq.acl.common.AclClientRPCHook").getConstructor(credentials).newInstance(session);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("the client's access control is not in the class path", e);
        }
    }
}
