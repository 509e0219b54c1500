#!/usr/bin/env python3
"""A script over its budget: its consumer is refused and loses nothing, others notice nothing, `gantry plugin top` says why, and mending the file ends it.

Usage: suspended_test.py GANTRY
"""
import subprocess
import sys

import scripted
from remoting import PULL, Connection, records

TOPIC = "Suspended"
LOOP = "local n = 0\nwhile true do n = n + 1 end"


def bodies(body):
    return [record.properties["n"] for record in records(body)]


def row(rows, **wanted):
    found = [r for r in rows if all(r.get(k) == v for k, v in wanted.items())]
    assert len(found) == 1, f"{wanted} in {rows}"
    return found[0]


with scripted.broker(sys.argv[1]) as (gantry, scripts):
    scripts.put("mended", LOOP)
    gantry.start()
    conn, other = Connection(gantry.port), Connection(gantry.port)
    for n in range(100):
        scripted.send(conn, TOPIC, 0, n)

    # Refused at the same place however often it asks; others go on.
    for _ in range(3):
        code, fields, remark, _ = conn.call(PULL, scripted.lua_pull(TOPIC, "@mended", 0))
        assert code == 1 and "suspended" in remark, (code, remark)
    code, fields, _, body = other.call(PULL, scripted.lua_pull(TOPIC, "tonumber(p.n) % 2 == 0", 0, count=10))
    assert code == 0 and bodies(body) == [str(n) for n in range(0, 20, 2)], (code, bodies(body))
    conn.send(PULL, scripted.lua_pull(TOPIC, "@mended", 100, wait_ms=20_000))  # parked, and held by it
    other.send(PULL, scripted.lua_pull(TOPIC, "tonumber(p.n) >= 100", 100, wait_ms=20_000))

    rows = scripted.usage(gantry)
    bad = row(rows, expression="@mended")
    assert bad["suspended"] and bad["reason"] == "suspended: @mended:2: over its budget of steps", bad
    assert bad["items"] <= 16 * 2 and bad["matched"] == 0 and bad["users"] >= 1, bad
    good = row(rows, expression="tonumber(p.n) >= 100")
    assert not good["suspended"], good
    lua = row(rows, plugin="filter-lua", function="eval")
    assert lua["errors"] >= 16 and lua["ns"] > 0 and lua["bytes"] > 0, lua
    assert row(rows, plugin="store-commitlog", function="append")["items"] >= 100
    assert row(rows, plugin="store-commitlog", function="read")["calls"] >= 1
    assert row(rows, plugin="protocol-remoting/remoting", function="on_bytes")["calls"] >= 100
    shown = subprocess.run([gantry.binary, "plugin", "top", "--once", "-b", f"127.0.0.1:{gantry.port}"], capture_output=True, text=True, timeout=60)
    assert shown.returncode == 0 and "SUSPENDED filter-lua" in shown.stdout and "@mended:2: over its budget" in shown.stdout, shown.stdout + shown.stderr

    # A new message wakes both.
    sender = Connection(gantry.port)
    scripted.send(sender, TOPIC, 0, 100)
    _, code, _, remark, _ = conn.receive()
    assert code == 1 and "suspended" in remark, (code, remark)
    _, code, _, remark, body = other.receive()
    assert code == 0 and bodies(body) == ["100"], (code, remark)

    # Mended: the consumer goes on where it stood.
    scripts.put("mended", "return tonumber(p.n) < 3")
    scripted.until(lambda: conn.call(PULL, scripted.lua_pull(TOPIC, "@mended", 0))[0] == 0)
    code, _, _, body = conn.call(PULL, scripted.lua_pull(TOPIC, "@mended", 0))
    assert code == 0 and bodies(body) == ["0", "1", "2"], bodies(body)

    # Not a broker that tells: a name server.
    refused = subprocess.run([gantry.binary, "plugin", "top", "--once", "-b", f"127.0.0.1:{gantry.nameserver}"], capture_output=True, text=True, timeout=60)
    assert refused.returncode == 1 and "does not tell" in refused.stderr, refused.stderr
    assert gantry.stop() == 0
print("suspended and mended; nobody else noticed")
