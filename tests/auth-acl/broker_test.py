#!/usr/bin/env python3
"""A broker with access control, asked over the wire: who gets in, who does not, what reload changes, what no request can change, and what the commands say.

Usage: broker_test.py GANTRY REPOSITORY
"""
import base64
import hashlib
import hmac
import json
import os
import pathlib
import re
import signal
import stat
import subprocess
import sys
import tempfile
import time

GANTRY, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
sys.path.insert(0, str(ROOT / "tests/support/python"))
import remoting  # noqa: E402

EXCEPTION = "org.apache.rocketmq.acl.common.AclException: "
RULES = """
[[user]]
name = "admin"
secret = "{admin}"
type = "Super"

[[user]]
name = "orders"
secret = "secret-of-orders"
[[user.policy]]
resources = ["Topic:orders*", "Group:orders-*"]
actions = ["Pub", "Sub"]

[[user]]
name = "watcher"
secret = "secret-of-watcher"
[[user.policy]]
resources = ["Cluster:*"]
actions = ["Get"]

[[user]]
name = "nothing"
secret = "secret-of-nothing"

[[user]]
name = "gone"
secret = "secret-of-gone"
type = "Super"
status = "disable"
"""


class Signed(remoting.Connection):
    """A connection whose requests are signed as RocketMQ's clients do it."""

    def __init__(self, port, user, secret):
        super().__init__(port)
        self.user, self.secret = user, secret

    def frame(self, code, fields, body=b"", flag=0):
        fields = {k: str(v) for k, v in fields.items()} | {"AccessKey": self.user}
        content = "".join(fields[k] for k in sorted(fields)).encode() + body
        fields["Signature"] = base64.b64encode(hmac.new(self.secret.encode(), content, hashlib.sha1).digest()).decode()
        return super().frame(code, fields, body, flag)


def codes():
    """(number, name) of every request code that the protocol knows."""
    text = (ROOT / "plugins/protocol-remoting/codec/request_codes.inc").read_text()
    found = [(int(number), name) for number, name in re.findall(r'^GANTRY_REQUEST\(\w+, (\d+), "(\w+)"', text, re.M)]
    assert len(found) > 90, found
    return found


def secret_of(file, user):
    return re.search(rf'name = "{user}"\nsecret = "([^"]+)"', file.read_text())[1]


def refused(reply, says=""):
    code, _, remark, _ = reply
    assert code == 1 and remark.startswith(EXCEPTION + says), f"wanted a refusal \"{says}\", got {reply}"


def granted(reply):
    assert reply[0] == 0, reply
    return reply


def wait_for(what, done, timeout_s=20):
    end = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < end, f"{what} did not happen within {timeout_s} s"
        time.sleep(0.01)


def replace(file, text):
    """As editors do: another file takes the name."""
    new = file.with_suffix(".new")
    new.write_text(text)
    new.chmod(0o600)
    new.rename(file)


def broker(folder, more_auth=""):
    rules = pathlib.Path(folder) / "acl.toml"
    return remoting.Gantry(GANTRY, folder, ack="written", extra_store=f'\n[auth]\nplugin = "auth-acl"\nfile = "{rules}"\naudit = "changes"\nreload_period = "50ms"\n{more_auth}'), rules


def first_start(gantry, rules):
    assert stat.S_IMODE(rules.stat().st_mode) == 0o600, oct(rules.stat().st_mode)
    secret = secret_of(rules, "admin")
    log = gantry.log_text()
    assert str(rules) in log and "administrator" in log, log
    assert secret not in log and secret not in gantry.banner, "the secret was written to the log or the banner"
    for port in (gantry.port, gantry.port - 2, gantry.nameserver):
        stranger, admin = remoting.Connection(port), Signed(port, "admin", secret)
        code = 106 if port == gantry.nameserver else 28
        refused(stranger.call(code, {}), "No accessKey is configured")
        granted(admin.call(code, {}))
        stranger.close()
        admin.close()
    # The broker registers at its own name server as itself.
    admin = Signed(gantry.nameserver, "admin", secret)
    assert "broker-a" in granted(admin.call(106, {}))[3].decode()
    admin.close()
    return secret


def send(conn, topic):
    return conn.call(remoting.SEND_V2, remoting.send_fields(topic, 0), b"body")


def policies(gantry):
    user = Signed(gantry.port, "orders", "secret-of-orders")
    granted(send(user, "orders-eu"))
    refused(send(user, "other"), "No default permission for topic:other")
    granted(user.call(remoting.PULL, remoting.pull_fields("orders-g", "orders-eu", 0, 0)))
    refused(user.call(remoting.PULL, remoting.pull_fields("other-g", "orders-eu", 0, 0)), "No default permission for group:other-g")
    refused(user.call(17, {"topic": "orders-eu", "defaultTopic": "TBW102", "readQueueNums": 4, "writeQueueNums": 4, "perm": 6, "topicFilterType": "SINGLE_TAG"}), "Need admin permission for request code=17")
    refused(user.call(25, {}, b"brokerName=x\n"), "Need admin permission for request code=25")
    heartbeat = {"clientID": "c1", "producerDataSet": [], "consumerDataSet": [{"groupName": "orders-g", "subscriptionDataSet": [{"topic": "other", "subString": "*"}]}]}
    refused(user.call(remoting.HEARTBEAT, {}, json.dumps(heartbeat).encode()), "No default permission for topic:other")
    heartbeat["consumerDataSet"][0]["subscriptionDataSet"][0]["topic"] = "orders-eu"
    granted(user.call(remoting.HEARTBEAT, {}, json.dumps(heartbeat).encode()))
    refused(user.call(11, remoting.pull_fields("orders-g", "%RETRY%other-g", 0, 0)), "No default permission for group:other-g")
    route = Signed(gantry.nameserver, "orders", "secret-of-orders")
    granted(route.call(remoting.ROUTE, {"topic": "orders-eu"}))
    refused(route.call(remoting.ROUTE, {"topic": "other"}), "No default permission for topic:other")
    refused(route.call(103, {"brokerName": "broker-a", "brokerAddr": "127.0.0.1:1", "clusterName": "DefaultCluster", "brokerId": 0}), "Need admin permission for request code=103")
    refused(Signed(gantry.port, "gone", "secret-of-gone").call(28, {}), "The accessKey=gone is disabled")
    # What was signed is what counts.
    data, _ = user.frame(remoting.SEND_V2, remoting.send_fields("orders-eu", 0), b"body")
    user.send_raw(data.replace(b"body", b"tody"))
    refused(user.receive()[1:], "Check signature failed for accessKey=orders")
    user.close()
    route.close()


def every_code_is_refused(gantry, admin_secret):
    """Every code x {no, wrong, too little right} x {broker, name server}; from the table of codes, so that a new one is in it."""
    admin = Signed(gantry.port, "admin", admin_secret)
    before = granted(admin.call(21, {}))[3], granted(admin.call(26, {}))[3]
    count = 0
    for port in (gantry.port, gantry.nameserver):
        stranger, wrong, little = remoting.Connection(port), Signed(port, "nobody", "whatever-it-is"), Signed(port, "nothing", "secret-of-nothing")
        for number, name in codes():
            if number > 32767:
                pass  # JSON headers carry it all the same
            fields = {"topic": "T", "group": "G", "consumerGroup": "G", "groupName": "G"}
            refused(stranger.call(number, fields), "No accessKey is configured")
            refused(wrong.call(number, fields), "No acl config for nobody")
            refused(little.call(number, fields), "N")
            count += 3
        for conn in (stranger, wrong, little):
            conn.close()
    assert (granted(admin.call(21, {}))[3], granted(admin.call(26, {}))[3]) == before, "a refused request changed something"
    admin.close()
    print(f"{count} requests with too little right were refused")


def nothing_is_set_by_request(gantry, admin_secret):
    """Not even an administrator sets a path, a command, a library or a listener by request."""
    page = (ROOT / "docs/operations/configuration.md").read_text()
    keys = set(re.findall(r"^\| `(\w+)` \|", page, re.M)) | {"storePathRootDir", "rocketmqHome", "listenPort", "brokerConfigPath", "configStorePath", "kvConfigPath", "filterServerNums", "aclEnable"}
    assert len(keys) > 40, keys
    broker_conn, ns_conn = Signed(gantry.port, "admin", admin_secret), Signed(gantry.nameserver, "admin", admin_secret)
    before = granted(broker_conn.call(26, {}))[3], granted(ns_conn.call(319, {}))[3]
    for key in sorted(keys):
        for value in ("/tmp/owned", "0.0.0.0:1", "x\nstorePathRootDir=/tmp/owned"):
            body = f"{key}={value}\n".encode()
            assert broker_conn.call(25, {}, body)[0] != 0, f"the broker took {body}"
            assert ns_conn.call(318, {}, body)[0] != 0, f"the name server took {body}"
    assert (granted(broker_conn.call(26, {}))[3], granted(ns_conn.call(319, {}))[3]) == before
    for number in (50, 51, 53, 54, 3001, 3005, 3006):
        code, _, remark, _ = broker_conn.call(number, {"accessKey": "evil", "secretKey": "evil-secret", "admin": "true"})
        assert code == 3 and "[auth]" in remark, (number, code, remark)
    broker_conn.close()
    ns_conn.close()


def reload(gantry, rules, admin_secret):
    good = rules.read_text()
    replace(rules, good + '\n[[user]]\nname = "late"\nsecret = "secret-of-late"\n[[user.policy]]\nresources = ["Topic:late"]\nactions = ["Pub"]\n')
    late = Signed(gantry.port, "late", "secret-of-late")
    wait_for("the new user", lambda: send(late, "late")[0] == 0)
    # The right is taken away, on a connection that had it.
    replace(rules, rules.read_text().replace('"Topic:late"', '"Topic:later"'))
    wait_for("the refusal", lambda: send(late, "late")[0] == 1)
    # A file that is wrong changes nothing and is named with its line; SIGHUP reads too.
    replace(rules, good.replace('type = "Super"', 'type = "Supper"'))
    gantry.process.send_signal(signal.SIGHUP)
    wait_for("the complaint", lambda: re.search(r"stay as they were: .*acl\.toml:\d+: type: wanted", gantry.log_text()))
    refused(send(late, "late"))
    granted(send(late, "later"))
    replace(rules, good)
    gantry.process.send_signal(signal.SIGHUP)
    wait_for("the user to be gone", lambda: send(late, "later")[0] == 1)
    admin = Signed(gantry.port, "admin", admin_secret)
    granted(admin.call(28, {}))
    late.close()
    admin.close()


def login_limit(gantry):
    guess, right = Signed(gantry.port, "orders", "a-wrong-secret"), Signed(gantry.port, "orders", "secret-of-orders")
    granted(send(right, "orders-eu"))
    # policies() has failed once with a changed body.
    wait_for("the lock", lambda: "Too many failed logins" in guess.call(28, {})[2])
    refused(send(right, "orders-eu"), "Too many failed logins of accessKey=orders")
    granted(Signed(gantry.port, "nothing", "secret-of-nothing").call(35, {"clientID": "c"}))
    guess.close()
    right.close()


def commands(gantry, rules, admin_secret):
    def explain(*more, wanted=0):
        done = subprocess.run([GANTRY, "acl", "explain", "--file", rules, *more], capture_output=True, text=True, timeout=60)
        assert done.returncode == wanted, f"{more}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    out = explain("--user", "orders", "--action", "Pub", "--resource", "Topic:orders-eu")
    assert out.startswith("allowed: ") and re.search(r"decides: .*acl\.toml:\d+: Allow Pub, Sub on Topic:orders\*", out), out
    out = explain("--user", "orders", "--action", "Delete", "--resource", "Topic:orders-eu", wanted=3)
    assert out.startswith("denied: ") and "no rule" in out, out
    assert "Super" in explain("--user", "admin", "--action", "Delete", "--resource", "Topic:x")
    assert "disabled" in explain("--user", "gone", "--action", "Delete", "--resource", "Topic:x", wanted=3)
    assert "no user" in explain("--user", "nobody", "--action", "Get", "--resource", "Topic:x", wanted=1)
    assert "names no type" in explain("--user", "orders", "--action", "Get", "--resource", "x", wanted=1)
    explain("--user", "orders", "--action", "Fly", "--resource", "Topic:x", wanted=2)
    yml = rules.with_name("plain_acl.yml")
    yml.write_text("globalWhiteRemoteAddresses:\n- 10.0.0.*\naccounts:\n- accessKey: RocketMQ\n  secretKey: secret-of-rocketmq\n  topicPerms: ['a=PUB']\n")
    done = subprocess.run([GANTRY, "acl", "import", yml], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and 'name = "RocketMQ"' in done.stdout and 'trusted_addresses = ["10.0.0.*"]' in done.stdout, done
    environment = os.environ | {"GANTRY_ACCESS_KEY": "admin", "GANTRY_SECRET_KEY": admin_secret}
    nameserver = f"127.0.0.1:{gantry.nameserver}"
    done = subprocess.run([GANTRY, "send", "-n", nameserver, "-t", "cli", "hello"], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done
    done = subprocess.run([GANTRY, "consume", "-n", nameserver, "-t", "cli", "--from", "first", "--count", "1"], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "hello" in done.stdout, done
    address = f"127.0.0.1:{gantry.port}"
    for command, says in ((["filter", "try", "*", "--type", "TAG", "-b", address, "-t", "cli"], "1 of the last 1 messages"), (["plugin", "top", "--once", "-b", address], "store-commitlog")):
        done = subprocess.run([GANTRY, *command], env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and says in done.stdout, done
        little = environment | {"GANTRY_ACCESS_KEY": "nothing", "GANTRY_SECRET_KEY": "secret-of-nothing"}
        done = subprocess.run([GANTRY, *command], env=little, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and ("Need admin permission" in done.stderr or "No default permission" in done.stderr), done
    watcher = Signed(gantry.port, "watcher", "secret-of-watcher")
    assert b"store-commitlog" in granted(watcher.call(900001, {}))[3]
    refused(watcher.call(25, {}, b"brokerName=x\n"), "Need admin permission for request code=25")
    watcher.close()
    done = subprocess.run([GANTRY, "send", "-n", nameserver, "-t", "cli", "hello"], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "No accessKey is configured" in done.stderr, done


def off_loopback(folder):
    config = pathlib.Path(folder) / "open.toml"

    def check(command, listen, more="", auth=""):
        config.write_text(f'[broker]\ndata_dir = "{folder}/open-data"\n[store]\n{auth}\n[[protocol]]\nplugin = "protocol-remoting"\nlisten = "{listen}"\n{more}\n')
        return subprocess.run([GANTRY, *command, config], capture_output=True, text=True, timeout=60)

    for listen in ("0.0.0.0:10911", ":10911", "[::]:10911", "192.0.2.1:10911", "myhost:10911", "127.example.org:10911"):
        for command in (["config", "check"], ["run", "-c"]):
            done = check(command, listen)
            assert done.returncode == 1, f"{listen} was taken: {done}"
            for word in ("no access control", "auth-acl", 'auth = "none"', "open.toml:7"):
                assert word in done.stderr, f"{word} is not in:\n{done.stderr}"
    assert not (pathlib.Path(folder) / "open-data").exists(), "a refused configuration made its data folder"
    for listen in ("127.0.0.1:10911", "localhost:10911", "[::1]:10911", "127.0.0.2:10911"):
        assert check(["config", "check"], listen).returncode == 0, listen
    assert check(["config", "check"], "0.0.0.0:10911", more='auth = "none"').returncode == 0
    assert check(["config", "check"], "0.0.0.0:10911", auth='[auth]\nfile = "x.toml"').returncode == 0
    done = check(["config", "check"], "127.0.0.1:10911", more='auth = "required"')
    assert done.returncode == 1 and "no section [auth]" in done.stderr, done


def open_listener(folder):
    """auth = "none" is one listener's, and the banner says so."""
    rules = pathlib.Path(folder) / "acl.toml"
    gantry = remoting.Gantry(GANTRY, folder, ack="written", extra_store=f'\n[auth]\nfile = "{rules}"\n', extra_protocol='auth = "none"')
    gantry.start()
    assert "whoever reaches it may do everything" in gantry.banner, gantry.banner
    conn = remoting.Connection(gantry.port)
    granted(send(conn, "T"))
    conn.close()
    assert gantry.stop() == 0


def main():
    with tempfile.TemporaryDirectory() as folder:
        gantry, rules = broker(folder, 'login_failures = 5\nlogin_lock = "60s"')
        gantry.start()
        try:
            admin_secret = first_start(gantry, rules)
            replace(rules, RULES.format(admin=admin_secret))
            wait_for("the rules", lambda: "its rules hold from now on" in gantry.log_text())
            policies(gantry)
            every_code_is_refused(gantry, admin_secret)
            nothing_is_set_by_request(gantry, admin_secret)
            reload(gantry, rules, admin_secret)
            commands(gantry, rules, admin_secret)
            login_limit(gantry)
            log = (gantry.folder / "gantry.log").read_text()
            assert 'audit refused: "orders" from 127.0.0.1:' in log and "Pub on Topic:other: no rule allows it" in log, log[-3000:]
            assert 'audit allowed: "admin" from 127.0.0.1:' in log, "an administrator's change is not in the audit log"
            for secret in (admin_secret, "secret-of-orders"):
                assert secret not in log, "a secret is in the log"
        finally:
            code = gantry.stop()
        assert code == 0, code
        # A second start goes on with the same administrator.
        gantry.start()
        assert secret_of(rules, "admin") == admin_secret
        assert gantry.stop() == 0
    with tempfile.TemporaryDirectory() as folder:
        off_loopback(folder)
        open_listener(folder)
    print("access control does what it says")


main()
