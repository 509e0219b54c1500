#!/usr/bin/env python3
"""`gantry plugin check`: finds every fault of the plugins in SAMPLES in the tests that are there for it and in no other, passes what is good, can be replayed.

Usage: check_test.py GANTRY SAMPLES CASES REPOSITORY
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

GANTRY, SAMPLES, CASES, ROOT = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3], pathlib.Path(sys.argv[4])
ALL_THAT_LIVE = r"allocator\.bad\.(?!life\.host-call).*"

# fault: pattern of the tests that must fail, all of those that match; and what one of them must say.
ALLOCATORS = {
    "": (None, ""),
    "BAD_OWNER": (r"allocator\.bad\.every-queue-has-one-member", "queue 8 of"),
    "BAD_BEYOND": (r"allocator\.bad\.(every-queue-has-one-member|deterministic|input-left-alone|several-threads)", "behind the last"),
    "BAD_REMEMBERS": (r"allocator\.bad\.(deterministic|several-threads)", "same input"),
    "BAD_ADDRESSES": (r"allocator\.bad\.deterministic", "another instance"),
    "BAD_CHANGES_INPUT": (r"allocator\.bad\.(input-left-alone)", "changed a queue"),
    "BAD_SILENT": (r"allocator\.bad\.(every-queue-has-one-member|deterministic)", "answered -22"),
    "BAD_ACCEPTS_NOBODY": (r"allocator\.bad\.nobody-or-nothing-is-refused", "no queues"),
    "BAD_TRUSTS_HOST": (r"allocator\.bad\.life\.host-call-1-fails", "signal 11|exit code"),
    "BAD_REFUSES_WITHOUT_TEXT": (r"allocator\.bad\.life\.host-call-1-fails", "without a text"),
    "BAD_LEAVES_TIMER": (r"allocator\.bad\.(?!life\.destroyed-without-start).*", "timers or watched descriptors are left"),
    "BAD_TAKES_SIGNALS": (r"load\.leaves-the-process-alone", "handler of signal 10"),
    "BAD_NO_LICENSE": (r"load\.file", "license"),
    "BAD_EXITS": (ALL_THAT_LIVE, r"exit code \d+ in the middle"),  # 0, or what a leak detector makes of it
    "BAD_HANGS": (ALL_THAT_LIVE, "did not end within"),
}
FILTERS = {
    "": (None, ""),
    "BAD_LAST_OF_MANY": (r"filter\.bad\.batch-equals-single", "alone and"),
    "BAD_BITS_BEYOND": (r"filter\.bad\.(truth-table|batch-equals-single|text-may-go-after-compile|many-programs|several-threads)", "behind the last"),
    "BAD_UNKNOWN_MATCHES": (r"filter\.bad\.(truth-table|text-may-go-after-compile|many-programs|several-threads)", "is yes, wanted error"),
    "BAD_BOTH": (r"filter\.bad\.(truth-table|batch-equals-single|text-may-go-after-compile|many-programs|several-threads)", "cannot be decided"),
    "BAD_NO_POSITION": (r"filter\.bad\.refusals-have-a-position", "refused at 0:0, wanted 1:3"),
    "BAD_WRITES_ON_REFUSAL": (r"filter\.bad\.(types|any-text-is-answered|refusals-have-a-position)", "changed the program"),
    "BAD_CRASHES_ON_NUL": (r"filter\.bad\.any-text-is-answered", "signal|exit code"),
    "BAD_NAMELESS_COLUMN": (r"filter\.bad\.any-text-is-answered", "without a name"),
    "BAD_OFFERS_TAG": (r"filter\.bad\.(types|any-text-is-answered)", "TAG"),
}

AUTHS = {
    "": (None, ""),
    "BAD_TAKES_ANY_PASSWORD": (r"auth\.bad\.strangers-are-refused", "random password"),
    "BAD_LETS_ANYBODY_IN": (r"auth\.bad\.strangers-are-refused", "without access key"),
    "BAD_IGNORES_SIGNATURE": (r"auth\.bad\.own-signature-holds", "another body"),
    "BAD_WRITES_BEHIND": (r"auth\.bad\.(strangers-are-refused|own-signature-holds|batch-equals-single)", "behind the last outcome"),
    "BAD_ALLOWS_NOBODY": (r"auth\.bad\.(strangers-are-refused|several-shards)", "does not exist was allowed"),
    "BAD_LAST_OF_MANY": (r"auth\.bad\.batch-equals-single", "alone and among others"),
    "BAD_KEEPS_DECISIONS": (r"auth\.bad\.reload-voids-decisions", "policies_changed"),
}


def run(*arguments, wanted=None):
    done = subprocess.run([GANTRY, "plugin", "check", *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert wanted is None or done.returncode == wanted, f"plugin check {arguments}: exit code {done.returncode}, wanted {wanted}\n{done.stdout}{done.stderr}"
    return done


def check(plugin, *more):
    timeout_ms = 700 if "HANGS" in plugin.name else 30000
    done = run(plugin, "--json", "--seed", 7, "--timeout-ms", timeout_ms, *more)
    report = json.loads(done.stdout)
    assert report["schema"] == 1 and report["seed"] == 7 and report["ok"] == (done.returncode == 0), report
    return report["tests"]


def faults(kind, variants, *more):
    for fault, (pattern, says) in variants.items():
        plugin = SAMPLES / f"{kind}{fault}.so"
        tests = check(plugin, *more)
        assert len(tests) > 8, f"{plugin.name}: only {len(tests)} tests"
        failed = {t["name"] for t in tests if t["result"] == "failed"}
        wanted = {t["name"] for t in tests if pattern and re.fullmatch(pattern, t["name"])}
        assert failed == wanted, f"{plugin.name}: failed {sorted(failed)}, wanted {sorted(wanted)}\n{json.dumps(tests, indent=1)}"
        assert bool(failed) == bool(fault), plugin.name
        texts = "\n".join(t["text"] for t in tests if t["result"] == "failed")
        assert re.search(says, texts), f"{plugin.name}: nothing says \"{says}\":\n{texts}"
        print(f"{plugin.name}: {len(failed)} of {len(tests)} tests failed, as they must")


def output():
    good, bad = SAMPLES / "allocator.so", SAMPLES / "allocatorBAD_OWNER.so"
    tap = run(good, "--seed", 3, wanted=0).stdout
    assert tap.startswith("TAP version 13\n1..") and "seed 3" in tap and "\nnot ok" not in tap, tap
    plan = int(re.search(r"^1\.\.(\d+)$", tap, re.M)[1])
    assert len(re.findall(r"^ok \d+ - ", tap, re.M)) == plan, tap
    tap = run(bad, wanted=1).stdout
    assert re.search(r"^not ok \d+ - allocator\.bad\.every-queue-has-one-member\n# queue 8", tap, re.M), tap
    # What the run prints brings the same failure again, alone.
    seed = re.search(r"--seed (\d+)", tap)[1]
    first, second = (run(bad, "--seed", seed, "--only", "every-queue", wanted=1).stdout for _ in range(2))
    assert first == second and "1..1\n" in first, first
    run(bad, "--only", "input-left-alone", wanted=0)
    run(good, "--only", "no-such-test", wanted=2)
    run(good, "--set", "novalue", wanted=2)
    skipped = run(SAMPLES / "filter.so", wanted=0).stdout
    assert re.search(r"^ok \d+ - filter\.bad\.truth-table # SKIP .*--cases", skipped, re.M), skipped


def refused_files():
    with tempfile.TemporaryDirectory() as folder:
        cut, cases = pathlib.Path(folder) / "cut.so", pathlib.Path(folder) / "cases.txt"
        cut.write_bytes((SAMPLES / "allocator.so").read_bytes()[:3000])
        for file, why in ((cut, "truncated"), (pathlib.Path(folder) / "none.so", "No such file")):
            out = run(file, wanted=1).stdout
            assert "not ok 1 - load.file" in out and why in out and "1..3\n" in out, out
        for text, why in (("expr\ta=1\n", "cases.txt:1: found \"expr\" before any type"), ("type\tEQUALS\nexpr\ta=1\nmaybe\ta=1\n", "cases.txt:3: found \"maybe\""),
                          ("type\tEQUALS\nrefuse\t1\tx\n", "cases.txt:2: wanted: refuse"), ("# nothing\n", "found no expressions"), ("type\tOTHER\nexpr\ta\n", "has no expression of the types")):
            cases.write_text(text)
            out = run(SAMPLES / "filter.so", "--cases", cases, "--only", "truth-table", wanted=1).stdout
            assert why in out, out


def shipped():
    plugins = pathlib.Path(GANTRY).parent / "plugins"
    rules = tempfile.TemporaryDirectory()
    for name, more in (("allocator-standard", ()), ("auth-acl", ("--set", f"file={rules.name}/acl.toml")), ("filter-sql92", ("--cases", ROOT / "plugins/filter-sql92/cases.txt")),
                       ("filter-lua", ("--cases", ROOT / "plugins/filter-lua/cases.txt")), ("store-commitlog", ())):
        tests = check(plugins / f"{name}.so", *more)
        bad = [t for t in tests if t["result"] != "passed"]
        assert not bad and len(tests) > 6, f"{name}: {json.dumps(bad, indent=1)}"
        print(f"{name}: {len(tests)} tests passed")
    # What needs a running broker says so.
    tests = check(plugins / "protocol-remoting.so")
    assert all(t["result"] != "failed" for t in tests), tests
    assert any("running broker" in t["text"] for t in tests if t["result"] == "skipped"), tests


faults("allocator", ALLOCATORS)
faults("auth", AUTHS)
faults("filter", FILTERS, "--cases", CASES)
output()
refused_files()
shipped()
print("the kit finds what it must")
