"""What the kernel tells about this machine and about one process: CPU time, memory, writes, switches."""

import dataclasses
import os
import pathlib
import time

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_KERNEL_THREAD = 0x00200000  # PF_KTHREAD in the flags field of /proc/PID/stat


def _stat_fields(path):
    """Fields of a /proc stat file after the command name, which may itself hold blanks and brackets."""
    return pathlib.Path(path).read_text().rpartition(")")[2].split()


def process_cpu_s(pid):
    """User and system time of all threads of a process, dead ones too; resolution is a tick, mostly 10 ms."""
    fields = _stat_fields(f"/proc/{pid}/stat")
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def kernel_threads_cpu_s():
    """CPU time of all kernel threads: writeback, completion work queues and the like."""
    ticks = 0
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            fields = _stat_fields(f"{entry.path}/stat")
        except OSError:
            continue  # it ended meanwhile
        if int(fields[6]) & _KERNEL_THREAD:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS_PER_S


def machine_cpu_s():
    """(busy, stolen) seconds of all cores since boot."""
    with open("/proc/stat") as file:
        user, nice, system, _idle, _iowait, irq, softirq, steal = (int(x) for x in file.readline().split()[1:9])
    return (user + nice + system + irq + softirq) / _TICKS_PER_S, steal / _TICKS_PER_S


def memory_mb(pid):
    """Resident memory in MB: now, its anonymous part, and the highest so far."""
    names = {"VmRSS": "resident", "RssAnon": "anonymous", "VmHWM": "peak"}
    found = {}
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        key, _, value = line.partition(":")
        if key in names:
            found[names[key]] = int(value.split()[0]) * 1024 / 1e6
    return found


def context_switches(pid):
    """Voluntary and involuntary switches of the process's present threads."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            status = (task / "status").read_text()
        except OSError:
            continue  # it ended meanwhile
        total += sum(int(line.split()[1]) for line in status.splitlines() if "ctxt_switches" in line)
    return total


def written_bytes(pid):
    """Bytes that the process made the block layer write; None where the kernel does not say."""
    try:
        text = pathlib.Path(f"/proc/{pid}/io").read_text()
    except OSError:
        return None
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("write_bytes"))


def device_counts(folder):
    """(bytes written, flushes) of the disk below a folder since boot, by anybody; None where it is not counted."""
    number = os.stat(folder).st_dev
    try:
        fields = pathlib.Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}/stat").read_text().split()
    except OSError:
        return None, None
    return int(fields[6]) * 512, int(fields[15]) if len(fields) > 15 else None


class CpuGroup:
    """A cgroup of one process, read for its CPU time in nanoseconds. Use `usable` before anything else.

    Works with version 1 (cpuacct) and version 2; where neither can be written, callers fall back on ticks.
    """

    def __init__(self, name):
        self.folder = None
        for parent in self._candidates():
            folder = parent / name
            try:
                folder.mkdir()
            except OSError:
                continue
            if (folder / "cpuacct.usage").exists() or (folder / "cpu.stat").exists():
                self.folder = folder
                return
            folder.rmdir()

    @staticmethod
    def _candidates():
        own = {}
        for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            own[controllers] = path.lstrip("/")
        for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
            _, place, kind, options = line.split()[:4]
            if kind == "cgroup" and "cpuacct" in options.split(","):
                path = next((p for c, p in own.items() if "cpuacct" in c.split(",")), "")
                yield pathlib.Path(place) / path
            elif kind == "cgroup2" and "" in own:
                yield pathlib.Path(place) / own[""]

    @property
    def usable(self):
        return self.folder is not None

    def join(self):
        """Moves the calling process in; meant for the moment between fork and exec."""
        if self.usable:
            (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def cpu_s(self):
        usage = self.folder / "cpuacct.usage"
        if usage.exists():
            return int(usage.read_text()) / 1e9
        stat = dict(line.split() for line in (self.folder / "cpu.stat").read_text().splitlines())
        return int(stat["usage_usec"]) / 1e6

    def remove(self):
        """Removes the group; its process must have ended."""
        for _ in range(100):
            try:
                if self.usable:
                    self.folder.rmdir()
                return
            except OSError:
                time.sleep(0.02)


@dataclasses.dataclass
class Snapshot:
    """All counters at one moment; two of them make a window."""

    at_s: float
    group_s: float | None
    process_s: float
    busy_s: float
    stolen_s: float
    kernel_s: float
    own_s: float
    children_s: float
    written: int | None
    device_written: int | None
    device_flushes: int | None

    @classmethod
    def take(cls, pid, group, folder):
        times = os.times()
        busy_s, stolen_s = machine_cpu_s()
        device_written, device_flushes = device_counts(folder)
        return cls(at_s=time.monotonic(), group_s=group.cpu_s() if group and group.usable else None,
                   process_s=process_cpu_s(pid), busy_s=busy_s, stolen_s=stolen_s, kernel_s=kernel_threads_cpu_s(),
                   own_s=times.user + times.system, children_s=times.children_user + times.children_system,
                   written=written_bytes(pid),
                   device_written=device_written, device_flushes=device_flushes)

    def __sub__(self, earlier):
        def difference(name):
            new, old = getattr(self, name), getattr(earlier, name)
            return None if new is None or old is None else new - old
        return Snapshot(*(difference(field.name) for field in dataclasses.fields(self)))


def _first_line_with(path, key):
    try:
        lines = pathlib.Path(path).read_text().splitlines()
    except OSError:
        return "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "unknown")


def mount_of(folder):
    """File system type and mount options below a folder."""
    real = os.path.realpath(folder)
    best = ("", "unknown", "")
    for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, options = line.split()[:4]
        inside = real == place or real.startswith(place.rstrip("/") + "/")
        if inside and len(place) >= len(best[0]):
            best = (place, kind, options)
    return {"file_system": best[1], "mount_options": best[2]}


def describe(folder):
    """The facts about this machine that a reader of the results needs."""
    memory_kib = int(_first_line_with("/proc/meminfo", "MemTotal").split()[0])
    return {"cpu": _first_line_with("/proc/cpuinfo", "model name"), "cores": os.cpu_count(),
            "memory_gib": round(memory_kib / 2**20, 1), "kernel": f"{os.uname().sysname} {os.uname().release}",
            **mount_of(folder)}
