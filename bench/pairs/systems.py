"""The brokers that are compared, each a process on loopback ports with a store of its own."""

import dataclasses
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

from . import machine
from .workloads import DURABLE, QUEUES

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
_STOP_DEADLINE_S = 30
_NAME_SERVER_DEADLINE_S = 60

# RocketMQ's own start script with a smaller heap, and without AlwaysPreTouch, which would only raise its figures
# of start time and idle memory.
JVM_OPTIONS = ("-server -XX:+UseG1GC -XX:G1HeapRegionSize=16m -XX:G1ReservePercent=25 "
               "-XX:InitiatingHeapOccupancyPercent=30 -XX:SoftRefLRUPolicyMSPerMB=0 -XX:MaxDirectMemorySize=15g "
               "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED --add-exports=java.base/sun.nio.ch=ALL-UNNAMED "
               "--add-opens=java.base/java.nio=ALL-UNNAMED --add-opens=java.base/sun.nio.ch=ALL-UNNAMED "
               "--add-opens=java.base/jdk.internal.ref=ALL-UNNAMED").split()

TUNED = {"transientStorePoolEnable": "true", "transientStorePoolSize": "3", "warmMapedFileEnable": "true",
         "transferMsgByHeap": "false"}


class BrokerError(Exception):
    """A broker cannot be started or has died; the text says which and shows its last output."""


def free_ports(count, neighbours=0):
    """Ports of which the next lower and higher `neighbours` are free too: RocketMQ takes port - 2 and port + 1."""
    found = []
    candidate = 21000 + time.monotonic_ns() // 1000 % 9000
    while len(found) < count:
        candidate += 2 * neighbours + 1
        if candidate > 60000:
            candidate = 21000
        if all(_is_free(candidate + shift) for shift in range(-neighbours, neighbours + 1)):
            found.append(candidate)
    return found


def _is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


@dataclasses.dataclass
class Settings:
    """What the command line says about systems."""

    gantry: str
    loadgen: str
    nullserver: str
    heap: str = "2g"
    broker_cpus: str = ""  # list for taskset; empty = all
    rocketmq_conf: dict = dataclasses.field(default_factory=dict)


class Running:
    """A started broker. `stop` ends it and everything started for it."""

    def __init__(self, name, folder, port):
        self.name = name
        self.folder = folder
        self.port = port
        self.group = None
        self.started_ns = 0
        self._processes = []  # the broker is the last

    @property
    def pid(self):
        return self._processes[-1].pid

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def launch(self, label, command, environment=None, measured=False):
        if measured:
            self.group = machine.CpuGroup(f"gantry-bench-{time.monotonic_ns()}")
            self.started_ns = time.monotonic_ns()
        with open(self.folder / f"{label}.out", "wb") as output:
            self._processes.append(subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=self.folder,
                env=environment, start_new_session=True, preexec_fn=self.group.join if measured else None))

    def tail(self, label):
        lines = (self.folder / f"{label}.out").read_text(errors="replace").splitlines()
        return "\n".join(lines[-15:])

    def require_alive(self):
        if self._processes[-1].poll() is not None:
            raise BrokerError(f"{self.name} ended with {self._processes[-1].returncode}:\n{self.tail('broker')}")

    def stop(self):
        for process in reversed(self._processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_DEADLINE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self.group:
            self.group.remove()
        shutil.rmtree(self.folder, ignore_errors=True)


def _pinned(command, settings):
    return (["taskset", "-c", settings.broker_cpus] if settings.broker_cpus else []) + command


class Gantry:
    """Gantry with its name server in the same process."""

    def __init__(self, name, settings):
        self.name = name
        self.title = "Gantry"
        self._settings = settings

    def config(self, folder, port, name_server_port, flush):
        """The whole broker.toml."""
        return f"""[broker]
name = "broker-a"
data_dir = "{folder}/data"
[store]
plugin = "store-commitlog"
ack = "{flush}"
[[protocol]]
plugin = "protocol-remoting"
listen = "127.0.0.1:{port}"
advertise = "127.0.0.1:{port}"
nameservers = ["127.0.0.1:{name_server_port}"]
[[protocol]]
plugin = "protocol-remoting"
component = "nameserver"
listen = "127.0.0.1:{name_server_port}"
"""

    def command(self, folder):
        return [self._settings.gantry, "run", "-c", f"{folder}/broker.toml"]

    def version(self):
        """What the binary says about itself, or None."""
        try:
            done = subprocess.run([self._settings.gantry, "--version"], capture_output=True, text=True, timeout=10)
        except OSError:
            return None
        return done.stdout.strip() or None

    def start(self, folder, flush):
        port, name_server_port = free_ports(2)
        running = Running(self.name, folder, port)
        (folder / "broker.toml").write_text(self.config(folder, port, name_server_port, flush))
        running.launch("broker", _pinned(self.command(folder), self._settings), measured=True)
        return running


class RocketMq:
    """A RocketMQ name server and broker from Maven artefacts. The name server is a process of its own, is up before
    the broker starts, and is in none of the figures."""

    def __init__(self, name, version, tuned, settings):
        self.name = name
        self.title = f"RocketMQ {version}" + (" tuned" if tuned else "")
        self._version = version
        self._tuned = tuned
        self._settings = settings
        self._class_path = None

    def version(self):
        return self._version

    def _jars(self):
        if self._class_path is None:
            script = REPOSITORY / "tests/interop/rocketmq.sh"
            done = subprocess.run(["bash", script, "classpath", self._version], capture_output=True, text=True)
            if done.returncode != 0:
                raise BrokerError(f"RocketMQ {self._version} cannot be fetched:\n{done.stderr}")
            self._class_path = done.stdout.strip()
        return self._class_path

    def config(self, folder, port, name_server_port, flush):
        """The whole broker.conf."""
        values = {"brokerClusterName": "DefaultCluster", "brokerName": "broker-a", "brokerId": "0",
                  "brokerIP1": "127.0.0.1", "brokerIP2": "127.0.0.1", "bindAddress": "127.0.0.1",
                  "namesrvAddr": f"127.0.0.1:{name_server_port}", "listenPort": str(port),
                  "haListenPort": str(port + 1), "storePathRootDir": f"{folder}/store",
                  "storePathCommitLog": f"{folder}/store/commitlog", "defaultTopicQueueNums": str(QUEUES),
                  "enablePropertyFilter": "true", "brokerRole": "ASYNC_MASTER", "flushDiskType": "SYNC_FLUSH" if flush == DURABLE else "ASYNC_FLUSH"}
        values.update(TUNED if self._tuned else {})
        values.update(self._settings.rocketmq_conf)
        return "".join(f"{key}={value}\n" for key, value in values.items())

    def command(self, folder):
        heap = self._settings.heap
        return ["java", f"-Xms{heap}", f"-Xmx{heap}", *JVM_OPTIONS, f"-Duser.home={folder}",
                f"-Drocketmq.home.dir={folder}/home", "-cp", self._jars(),
                "org.apache.rocketmq.broker.BrokerStartup", "-c", f"{folder}/broker.conf"]

    def _write_home(self, folder):
        conf = folder / "home/conf"
        conf.mkdir(parents=True)
        # 4.x and 5.x look for different names. Without these files the brokers log every step, or do not start.
        for name in ("logback_namesrv", "logback_broker", "rmq.namesrv.logback", "rmq.broker.logback"):
            (conf / f"{name}.xml").write_text(
                '<configuration><appender name="FILE" class="ch.qos.logback.core.FileAppender">'
                f"<file>{folder}/{name}.log</file><encoder><pattern>%d %-5level %msg%n</pattern></encoder></appender>"
                '<root level="WARN"><appender-ref ref="FILE"/></root></configuration>')

    def _start_name_server(self, running, port):
        folder = running.folder
        (folder / "namesrv.conf").write_text(
            f"bindAddress=127.0.0.1\nlistenPort={port}\nkvConfigPath={folder}/kv.json\n"
            f"configStorePath={folder}/namesrv.properties\n")
        running.launch("namesrv", ["java", "-Xms128m", "-Xmx128m", "-XX:+UseSerialGC", f"-Duser.home={folder}",
                                   f"-Drocketmq.home.dir={folder}/home", "-cp", self._jars(),
                                   "org.apache.rocketmq.namesrv.NamesrvStartup", "-c", f"{folder}/namesrv.conf"])
        deadline = time.monotonic() + _NAME_SERVER_DEADLINE_S
        while not re.search("boot success", running.tail("namesrv")):
            if time.monotonic() > deadline or running._processes[-1].poll() is not None:
                raise BrokerError(f"{self.name}: the name server does not start:\n{running.tail('namesrv')}")
            time.sleep(0.1)

    def start(self, folder, flush):
        port, = free_ports(1, neighbours=2)
        name_server_port, = free_ports(1)
        running = Running(self.name, folder, port)
        try:
            self._write_home(folder)
            self._start_name_server(running, name_server_port)
            (folder / "broker.conf").write_text(self.config(folder, port, name_server_port, flush))
            running.launch("broker", _pinned(self.command(folder), self._settings), measured=True)
        except BaseException:
            running.stop()
            raise
        return running


class NullServer:
    """Replies and nothing else: the limit of sockets and generator."""

    name = "null"
    title = "null server"

    def __init__(self, settings):
        self._settings = settings

    def version(self):
        return None

    def start(self, folder, _flush):
        port, = free_ports(1)
        running = Running(self.name, folder, port)
        command = [self._settings.nullserver, "--port", str(port)]
        running.launch("broker", _pinned(command, self._settings), measured=True)
        return running


def make_system(name, settings):
    """`gantry`, `null`, `rocketmq-VERSION` or `rocketmq-VERSION-tuned`. Raises ValueError for anything else."""
    if name == "gantry":
        return Gantry(name, settings)
    if name == "null":
        return NullServer(settings)
    match = re.fullmatch(r"rocketmq-(\d+\.\d+\.\d+)(-tuned)?", name)
    if not match:
        raise ValueError(f"unknown system '{name}'; there are: gantry, null, rocketmq-VERSION, rocketmq-VERSION-tuned")
    return RocketMq(name, match[1], bool(match[2]), settings)
