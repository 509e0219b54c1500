#!/usr/bin/env python3
"""The installed SDK is enough: every template is built against it in a folder of its own, by CMake and by one line with pkg-config, exports its one symbol,
passes the conformance kit and does its work in the installed broker.

Usage: install_test.py BUILD_DIR CMAKE
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import in_broker

BUILD, CMAKE = pathlib.Path(sys.argv[1]), sys.argv[2]


def run(*command, cwd=None, env=None, wanted=0):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, cwd=cwd, env=env, timeout=300)
    assert done.returncode == wanted, f"{' '.join(map(str, command))}: exit code {done.returncode}, wanted {wanted}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def exports(plugin):
    lines = run("nm", "-D", "--defined-only", plugin).splitlines()
    names = [line.split()[-1] for line in lines]
    assert names == ["gantry_plugin_v1"], f"{plugin} exports {names}"


def build_with_cmake(prefix, source, build):
    run(CMAKE, "-S", source, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}")
    run(CMAKE, "--build", build)


def build_with_pkg_config(prefix, source, plugin, compilers):
    file, = [f for f in source.iterdir() if f.suffix in (".c", ".cpp")]
    pkg_config = shutil.which("pkg-config")
    assert pkg_config, "pkg-config is missing (apt install pkg-config)"
    # The headers' warnings are errors for a stranger who asks for many.
    compiler, standard = compilers[file.suffix]
    if not shutil.which(compiler):
        print(f"  no {compiler} here")
        return
    env = dict(os.environ, PKG_CONFIG_PATH=str(prefix / "lib/pkgconfig"))
    flags = [run(pkg_config, what, "gantry-sdk", env=env).split() for what in ("--cflags", "--libs")]
    run(compiler, f"-std={standard}", "-Wall", "-Wextra", "-Werror", "-pedantic", *flags[0], file, "-o", plugin, *flags[1])


def build_with_cargo(source, plugin):
    """Without a network, and with the compiler's warnings as errors."""
    run("cargo", "build", "--release", "--offline", cwd=source, env=dict(os.environ, RUSTFLAGS="-D warnings"))
    plugin.parent.mkdir()
    shutil.copy(source / "target/release" / f"lib{plugin.stem.replace('-', '_')}.so", plugin)


def try_out(gantry, plugin, kind):
    if kind == "filter":
        banner = in_broker.with_broker(gantry, plugin, "filters", in_broker.use_filter("EXAMPLE_FILTER", ["3", "4", "5"]))
    else:
        banner = in_broker.with_broker(gantry, plugin, "allocator", in_broker.use_allocator("EXAMPLE_ALLOCATOR", [0, 1, 2, 3]))
    assert str(plugin) in banner, f"the banner does not name {plugin}:\n{banner}"


def main():
    gcc, clang = {".c": ("gcc", "c11"), ".cpp": ("g++", "c++20")}, {".c": ("clang", "c11"), ".cpp": ("clang++", "c++20")}
    with tempfile.TemporaryDirectory() as folder:
        installed, prefix = pathlib.Path(folder) / "first", pathlib.Path(folder) / "moved"
        for component in ("sdk", "broker"):
            run(CMAKE, "--install", BUILD, "--component", component, "--prefix", installed)
        # Nothing in it may remember where it was built or installed.
        installed.rename(prefix)
        gantry = prefix / "bin/gantry"
        for template in sorted((prefix / "share/gantry-sdk/templates").iterdir()):
            print(template.name)
            work = pathlib.Path(folder) / template.name
            shutil.copytree(template, work)
            kind = template.name.split("-")[0]
            plugin = work / "build" / f"example-{kind}.so"
            if template.name.endswith("-rust"):
                if not shutil.which("cargo"):
                    print("  skipped: cargo is not installed")
                    continue
                build_with_cargo(work, plugin)
            else:
                build_with_cmake(prefix, work, work / "build")
            exports(plugin)
            run(gantry, "plugin", "check", plugin, *(["--cases", work / "cases.txt"] if kind == "filter" else []))
            try_out(gantry, plugin, kind)
            for compilers in (gcc, clang) if not template.name.endswith("-rust") else ():
                one_line = work / f"by-{compilers['.c'][0]}.so"
                build_with_pkg_config(prefix, work, one_line, compilers)
                if one_line.exists():
                    exports(one_line)
                    try_out(gantry, one_line, kind)
        # A stranger's project is told when the SDK is of another version.
        run(CMAKE, "-E", "make_directory", work / "newer")
        (work / "newer/CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.25)\nproject(x LANGUAGES NONE)\nfind_package(gantry-sdk 99.0 REQUIRED)\n")
        run(CMAKE, "-S", work / "newer", "-B", work / "newer/build", f"-DCMAKE_PREFIX_PATH={prefix}", wanted=1)
    print("the installed SDK is good")


main()
