#!/usr/bin/env python3
"""The mounted file system itself: what the kernel's calls make of the model that disk_test.cpp tests.

Usage: mount_test.py POWERCUT_BINARY
"""
import errno
import mmap
import os
import sys
import tempfile
import threading
import unittest

import power_disk

PROGRAM = sys.argv.pop(1)
SEEDS = range(40)


def write_file(path, data, flags=0):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o640)
    try:
        assert os.write(fd, data) == len(data)
    finally:
        os.close(fd)


def flush(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class MountTest(unittest.TestCase):
    options = ()

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="gantry-power-")
        self.addCleanup(self.folder.cleanup)
        self.disk = power_disk.PowerDisk(PROGRAM, self.folder.name, *self.options)
        try:
            self.disk.__enter__()
        except power_disk.NoMount as why:
            self.skipTest(f"no file system can be mounted here: {why}")
        self.addCleanup(self.disk.__exit__)
        self.path = self.disk.mount / "a"

    def lives(self, change):
        """The file's content after each of many cuts behind `change`, which begins with the flushed content `old`; None: it is not there."""
        found = set()
        for seed in SEEDS:
            self.path.unlink(missing_ok=True)
            write_file(self.path, b"old")
            flush(self.path)
            flush(self.disk.mount)
            change()
            self.disk.cut(seed)
            self.disk.restore()
            found.add(self.path.read_bytes() if self.path.exists() else None)
        return found

    def test_what_is_written_may_be_lost(self):
        self.assertEqual(self.lives(lambda: write_file(self.path, b"new")), {b"old", b"new"})

    def test_what_is_flushed_is_kept(self):
        for call in (os.fsync, os.fdatasync):
            def change():
                fd = os.open(self.path, os.O_WRONLY)
                os.write(fd, b"new")
                call(fd)
                os.close(fd)
            self.assertEqual(self.lives(change), {b"new"}, call.__name__)

    def test_flushing_writes_are_kept(self):
        def by_flag(flag):
            return lambda: write_file(self.path, b"new", flag)

        def by_call():
            fd = os.open(self.path, os.O_WRONLY)
            os.pwritev(fd, [b"new"], 0, os.RWF_DSYNC)
            os.close(fd)
        for name, change in (("O_DSYNC", by_flag(os.O_DSYNC)), ("O_SYNC", by_flag(os.O_SYNC)), ("RWF_DSYNC", by_call)):
            before = self.disk.counts()
            self.assertEqual(self.lives(change), {b"new"}, name)
            after = self.disk.counts()
            print(f"\n{name}: {len(SEEDS)} writes came with O_DSYNC {after['flushing_writes'] - before['flushing_writes']} times; "
                  f"{after['flushes'] - before['flushes'] - len(SEEDS)} flushes of files besides")

    def test_flushing_writes_past_the_page_cache_are_kept(self):
        block = mmap.mmap(-1, 4096)
        block.write(b"n" * 4096)

        def change():
            fd = os.open(self.path, os.O_WRONLY | os.O_DIRECT)
            os.pwritev(fd, [block], 0, os.RWF_DSYNC)
            os.close(fd)
        self.assertEqual(self.lives(change), {b"n" * 4096})
        self.assertGreaterEqual(self.disk.counts()["direct_opens"], len(SEEDS))

    def test_a_name_needs_a_flush_of_its_folder(self):
        new = self.disk.mount / "b"

        def rename():
            write_file(new, b"new")
            flush(new)
            os.rename(new, self.path)
        self.assertEqual(self.lives(rename), {b"old", b"new"})

        def rename_and_flush():
            rename()
            flush(self.disk.mount)
        self.assertEqual(self.lives(rename_and_flush), {b"new"})

    def test_a_removal_needs_a_flush_of_its_folder(self):
        self.assertEqual(self.lives(self.path.unlink), {b"old", None})

    def test_a_write_is_torn_at_sectors(self):
        found = self.lives(lambda: write_file(self.path, b"n" * 8192))
        torn = [data for data in found if data not in (b"old", b"n" * 8192)]
        self.assertTrue(torn)
        for data in torn:
            for at in range(512, len(data), 512):
                self.assertEqual(len(set(data[at:at + 512])), 1, "torn within a sector")

    def test_a_mapping_shows_what_is_there_after_the_cut(self):
        def seen():
            with open(self.path, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as view:
                return view[:]
        write_file(self.path, b"n" * 8192)
        self.assertEqual(seen(), b"n" * 8192)
        flush(self.path)
        flush(self.disk.mount)
        write_file(self.path, b"m" * 8192)
        self.assertEqual(seen(), b"m" * 8192)
        for seed in SEEDS:
            if self.disk.cut(seed)["dropped"]:
                break
            self.disk.restore()
            write_file(self.path, b"m" * 8192)
        self.disk.restore()
        self.assertEqual(seen(), self.path.read_bytes())

    def test_without_power_every_call_fails(self):
        write_file(self.path, b"x")
        fd = os.open(self.path, os.O_RDWR)
        self.disk.cut(1)
        calls = {"write": lambda: os.write(fd, b"y"), "fsync": lambda: os.fsync(fd), "open": lambda: os.open(self.path, os.O_RDONLY), "list": lambda: os.listdir(self.disk.mount),
                 "rename": lambda: os.rename(self.path, self.disk.mount / "b"), "mkdir": lambda: os.mkdir(self.disk.mount / "d")}
        for name, call in calls.items():
            with self.subTest(name), self.assertRaises(OSError):
                call()
        self.disk.restore()
        with self.assertRaises(OSError, msg="a descriptor of before"):
            os.write(fd, b"y")
            os.fsync(fd)
        os.close(fd)
        os.listdir(self.disk.mount)

    def test_the_cut_waits_for_its_change(self):
        reports = []
        thread = threading.Thread(target=lambda: reports.append(self.disk.cut(3, 5, 30_000)))
        thread.start()
        written = 0
        with self.assertRaises(OSError):
            for written in range(100_000):
                write_file(self.path, b"x" * 100, os.O_DSYNC)
        thread.join()
        self.assertGreaterEqual(written, 1)  # a name, then a write and a flush each: the fifth change is of the second file write
        self.assertEqual(len(reports), 1)

    def test_chosen_calls_fail(self):
        self.disk.rule("write", "/a", 2, 1, "EIO")
        self.disk.rule("fsync", "/a", 1, 1, "ENOSPC")
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o640)
        os.write(fd, b"1")
        with self.assertRaises(OSError) as failed:
            os.write(fd, b"2")
        self.assertEqual(failed.exception.errno, errno.EIO)
        os.write(fd, b"3")
        with self.assertRaises(OSError) as failed:
            os.fsync(fd)
        self.assertEqual(failed.exception.errno, errno.ENOSPC)
        os.fsync(fd)
        os.close(fd)
        self.assertEqual(self.disk.met(), 2)

    def test_a_small_disk(self):
        self.disk.resize(64 << 10)
        with self.assertRaises(OSError) as failed:
            write_file(self.path, b"x" * (65 << 10))
        self.assertEqual(failed.exception.errno, errno.ENOSPC)
        info = os.statvfs(self.disk.mount)
        self.assertEqual(info.f_blocks * info.f_frsize, 64 << 10)
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT)
        with self.assertRaises(OSError):
            os.posix_fallocate(fd, 0, 128 << 10)
        os.posix_fallocate(fd, 0, 64 << 10)
        os.close(fd)
        self.path.unlink()
        power_disk.until("the space of a removed file is back", lambda: self.disk.counts()["used"] == 0)


class DirectIoTest(MountTest):
    """Every open answered with FOPEN_DIRECT_IO: mappings are not to be had there."""
    options = ("--direct-io",)
    test_a_mapping_shows_what_is_there_after_the_cut = None


class NoDirectTest(unittest.TestCase):
    def test_open_past_the_page_cache_is_refused(self):
        with tempfile.TemporaryDirectory(prefix="gantry-power-") as folder:
            try:
                with power_disk.PowerDisk(PROGRAM, folder, "--no-direct") as disk:
                    with self.assertRaises(OSError) as failed:
                        os.open(disk.mount / "a", os.O_WRONLY | os.O_CREAT | os.O_DIRECT)
                    self.assertEqual(failed.exception.errno, errno.EINVAL)
            except power_disk.NoMount as why:
                self.skipTest(f"no file system can be mounted here: {why}")


if __name__ == "__main__":
    result = unittest.main(exit=False).result
    if result.skipped and len(result.skipped) == result.testsRun:
        sys.exit(power_disk.SKIPPED)
    sys.exit(0 if result.wasSuccessful() else 1)
