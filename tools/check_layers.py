#!/usr/bin/env python3
"""Checks the arrows of dependency: every #include of the tree must go along one of them.

    main, cli -> kit, broker, semantics, security -> plugin, io, config -> observe -> base -> sdk <- plugins/*        tests, bench -> anything

Also checks that each third-party library is included by its owner folder only, and that the store changes files through its narrow interface only. Prints every violation; exit code 1 if there is one.
"""
import pathlib
import re
import sys

# What a folder may include, besides itself.
ALLOWED = {
    "sdk": set(),
    "kernel/base": {"sdk"},
    "kernel/observe": {"sdk", "kernel/base"},
    "kernel/config": {"sdk", "kernel/base", "kernel/observe"},
    "kernel/plugin": {"sdk", "kernel/base", "kernel/observe", "kernel/config"},
    "kernel/kit": {"sdk", "kernel/base", "kernel/plugin"},
    "kernel/security": {"sdk", "kernel/base", "kernel/observe"},
    "kernel/io": {"sdk", "kernel/base", "kernel/observe"},
    "kernel/broker": {"sdk", "kernel/base", "kernel/observe", "kernel/plugin", "kernel/io", "kernel/config"},
    "kernel/semantics": {"sdk", "kernel/base", "kernel/broker"},
    "kernel/cli": {"sdk", "kernel/base", "kernel/observe", "kernel/plugin", "kernel/kit", "kernel/io", "kernel/config", "kernel/broker"},
    "kernel/main.cpp": {"sdk", "kernel/base", "kernel/observe", "kernel/plugin", "kernel/io", "kernel/config", "kernel/broker", "kernel/semantics", "kernel/security", "kernel/cli"},
    "plugins": {"sdk"},
}

# Owner folders of third-party headers.
OWNERS = {
    r"boost/dll": ["kernel/plugin"],
    r"boost/(asio|beast)": ["kernel/io"],
    r"openssl/evp\.h": ["kernel/io", "kernel/cli", "plugins/allocator-standard", "plugins/auth-acl"],  # digests
    r"openssl/(hmac|sha|rand|crypto)\.h": ["kernel/io", "kernel/cli", "plugins/auth-acl"],  # signatures
    r"openssl/(?!(evp|hmac|sha|rand|crypto)\.h)": ["kernel/io"],
    r"toml\+\+/": ["kernel/config", "plugins/auth-acl"],
    r"yaml\.h": ["plugins/auth-acl"],
    r"spdlog/": ["kernel/observe"],
    r"CLI/": ["kernel/cli", "kernel/main.cpp"],
    r"liburing": ["plugins/store-commitlog"],
    r"lua\.hpp": ["plugins/filter-lua"],
    r"gtest/": [],
}

# What changes files belongs to these sources of the store, where a test's twin can stand in.
STORE_IO = re.compile(r"::(open|openat|creat|pwrite\w*|pwritev2?|write|fsync|fdatasync|sync_file_range|rename\w*|unlink\w*|f?truncate|fallocate|posix_fallocate|mkdir\w*)\(")
STORE_IO_OWNERS = {"files.cpp", "engine_uring.cpp", "engine_pwrite.cpp"}

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')


def home(path):
    """The row of ALLOWED a file belongs to, and the name of its plugin folder if it is in one."""
    parts = path.parts
    if parts[0] == "sdk":
        return "sdk", None
    if parts[0] == "plugins":
        return "plugins", parts[1]
    if parts[0] == "kernel":
        return ("kernel/main.cpp" if len(parts) == 2 else "/".join(parts[:2])), None
    return None, None


def target(root, path, quote, name):
    """The folder an include leads to: a row of ALLOWED, "plugins/NAME", or None for a system or library header."""
    if name.startswith(("gantry/", "gantry++/")):
        return "sdk"
    candidates = [pathlib.PurePath(name)]
    if quote == '"':
        candidates.insert(0, path.parent / name)
    for candidate in candidates:
        resolved = (root / candidate).resolve()
        if resolved.is_file() and resolved.is_relative_to(root):
            parts = resolved.relative_to(root).parts
            return "plugins/" + parts[1] if parts[0] == "plugins" else ("sdk" if parts[0] == "sdk" else "/".join(parts[:2]) if len(parts) > 2 else "kernel/main.cpp")
    return None


def violations(root):
    for top in ("sdk", "kernel", "plugins"):
        for file in sorted((root / top).rglob("*")):
            if file.suffix not in (".h", ".hpp", ".c", ".cpp"):
                continue
            path = file.relative_to(root)
            row, plugin = home(path)
            if row not in ALLOWED:
                yield f"{path}: folder {row} has no place in the layers; name it in {pathlib.Path(__file__).name}"
                continue
            for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
                if plugin == "store-commitlog" and path.name not in STORE_IO_OWNERS and re.search(r"(?<![\w>])" + STORE_IO.pattern, line):
                    yield f"{path}:{number}: files are changed through Files and IoEngine only: {line.strip()}"
                match = INCLUDE.match(line)
                if not match:
                    continue
                quote, name = match.groups()
                to = target(root, path, quote, name)
                own = row if plugin is None else "plugins/" + plugin
                if to is not None and to != own and to not in ALLOWED[row]:
                    yield f"{path}:{number}: {own} must not include {name} ({to})"
                for pattern, owners in OWNERS.items():
                    if re.match(pattern, name) and own not in owners:
                        yield f"{path}:{number}: {name} belongs to {', '.join(owners) or 'tests'}, not to {own}"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent).resolve()
    found = list(violations(root))
    for violation in found:
        print(violation)
    print(f"layers: {len(found)} violation(s)")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
