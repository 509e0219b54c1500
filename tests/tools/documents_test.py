#!/usr/bin/env python3
"""What the documents say must be so: links lead to files, commands exist, examples of broker.toml pass `gantry config check`.

Usage: documents_test.py REPOSITORY GANTRY_BINARY
"""
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT, GANTRY = pathlib.Path(sys.argv[1]), sys.argv[2]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def documents():
    yield from (ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"))
    for folder in ("docs", "plugins", "bench", "tests"):
        yield from sorted((ROOT / folder).rglob("*.md"))


def broken_links(path, text):
    for target in LINK.findall(re.sub(FENCE, "", text)):
        if not (path.parent / target).exists():
            yield f"{path.relative_to(ROOT)}: link to {target} leads nowhere"


def broken_examples(path, text):
    """Every ```toml block that is a whole configuration (it has a [[protocol]]) must be accepted."""
    for language, block in FENCE.findall(text):
        if language != "toml" or "[[protocol]]" not in block:
            continue
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(block)
            file.flush()
            done = subprocess.run([GANTRY, "config", "check", file.name], capture_output=True, text=True, cwd=ROOT, timeout=60)
        if done.returncode != 0:
            yield f"{path.relative_to(ROOT)}: an example is refused:\n{done.stderr}"


def unknown_commands(path, text):
    """Every `gantry VERB` in a shell block must be a command the program has."""
    for language, block in FENCE.findall(text):
        if language not in ("sh", "bash", "console"):
            continue
        for verb in re.findall(r"(?:^|\s)(?:\S*/)?gantry ((?:config |plugin )?[a-z]+)", block):
            done = subprocess.run([GANTRY, *verb.split(), "--help"], capture_output=True, text=True, timeout=60)
            if done.returncode != 0:
                yield f"{path.relative_to(ROOT)}: `gantry {verb}` is not a command"


def main():
    problems = []
    for path in documents():
        text = path.read_text()
        for check in (broken_links, broken_examples, unknown_commands):
            problems += check(path, text)
    print("\n".join(problems) or "documents: links, examples and commands are good")
    return 1 if problems else 0


sys.exit(main())
