"""Place and Run: one part of a suite, once, bare or recorded, in a network of its own; and what was recorded of it."""

import glob
import json
import os
import shutil
import subprocess
import tempfile
import time

from support import processes
from support.deadline import TookTooLong, until

LINGER_MS = 300
NETWORK_S = 120  # with many processors' worth of work waiting
RECORDERS_END_S = 30
# ping(8) and others look whether they have a network: lo alone, and nothing of the machine's.
_IN_ITS_NETWORK = 'ip link set lo up && readlink /proc/self/ns/net >"$1" && shift && exec "$@"'


class Cannot(Exception):
    """`missing`: of what the machine lacks; otherwise something that should have worked has not."""

    def __init__(self, reason, missing=False):
        super().__init__(reason)
        self.missing = missing


class Place:
    """Where everything is: the library where any user can load it, rings in memory, logs in build/transparency."""

    def __init__(self, build):
        if os.geteuid() != 0:
            raise Cannot("only root can give each test a network of its own, and start sshd", missing=True)
        probe = subprocess.run(["unshare", "--net", "ip", "link", "set", "lo", "up"], capture_output=True)
        if probe.returncode:
            raise Cannot(f"no network namespace to be had: {probe.stderr.decode().strip()}", missing=True)
        self.build = os.path.realpath(build)
        self.store = os.path.join(os.path.dirname(self.build), "transparency")
        self.logs = os.path.join(self.store, "logs")
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = tempfile.mkdtemp(prefix="sidrec-transparency-", dir="/tmp")
        self.in_memory = tempfile.mkdtemp(prefix="sidrec-transparency-", dir=memory)
        for folder in (self.folder, self.in_memory):
            os.chmod(folder, 0o755)
        self._runs, self._running = 0, set()

    def __enter__(self):
        for name in ("libsidrec.so", "sidrec-recorder"):
            path = os.path.join(self.build, name)
            if not os.path.exists(path):
                raise Cannot(f"{path} is not built")
            shutil.copy(path, self.folder)
        self.recorder = os.path.join(self.folder, "sidrec-recorder")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.in_memory, ignore_errors=True)

    def began(self, process):
        self._running.add(process)

    def ended(self, process):
        self._running.discard(process)

    def interrupt(self):
        for process in list(self._running):
            process.kill()

    def next_number(self):
        self._runs += 1
        return self._runs


class Recorded:
    """What the trails say: how much of the suite the recording has seen."""

    def __init__(self):
        self.trails = self.connections = self.incomplete = self.gaps = self.unended = 0
        self.programs = {}

    def add(self, other):
        for name in ("trails", "connections", "incomplete", "gaps", "unended"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for program, count in other.programs.items():
            self.programs[program] = self.programs.get(program, 0) + count

    @classmethod
    def of(cls, audit_dir):
        found = cls()
        for path in glob.glob(os.path.join(audit_dir, "*", "*.jsonl")):
            found.trails += 1
            ended = False
            with open(path, "rb") as lines:
                for line in lines:
                    if line.startswith(b'{"ev":"data"'):
                        continue
                    record = json.loads(line)
                    ended = record["ev"] == "session.end"
                    if record["ev"] == "conn.open":
                        found.connections += 1
                        found.programs[record["program"]] = found.programs.get(record["program"], 0) + 1
                    found.incomplete += record["ev"] == "conn.close" and record["complete"] is False
                    found.gaps += record["ev"] == "gap"
            found.unended += not ended
        return found


class Run:
    def __init__(self, place, recorded):
        self.place, self.is_recorded = place, recorded
        number = place.next_number()
        self.folder = os.path.join(place.folder, str(number))
        self.memory = os.path.join(place.in_memory, str(number))
        os.makedirs(self.folder, 0o755)
        os.makedirs(self.memory, 0o755)
        self.recorded = Recorded()
        self.output = ""

    # -- for a suite to build its command with

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text, mode=0o644):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w") as file:
            file.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def recording(self):
        """The environment of what is recorded; bare, there is none."""
        if not self.is_recorded:
            return {}
        config = self.write("sidrec.json", json.dumps({"linger_ms": LINGER_MS}))
        return {"LD_PRELOAD": os.path.join(self.place.folder, "libsidrec.so"), "SIDREC_SID": "{program}",
                "SIDREC_CONFIG": config, "SIDREC_AUDIT_DIR": self.path("audit"),
                "SIDREC_RUN_DIR": os.path.join(self.memory, "run")}  # fmt: skip

    # -- running it

    def execute(self, command, environment, cwd, limit_s):
        """The exit code, or None when its time was over. What it says is in self.output."""
        namespace = self.path("network")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SIDREC_", "LD_", "SSH_"))}
        kept |= {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "TERM": "dumb", "TMPDIR": self.path("tmp")}
        os.makedirs(self.path("tmp"), exist_ok=True)
        os.chmod(self.path("tmp"), 0o1777)
        in_network = ["unshare", "--net", "sh", "-c", _IN_ITS_NETWORK, "sh", namespace]
        own = [f"{name}={value}" for name, value in environment.items()]
        with open(self.path("output"), "wb") as output, open("/dev/zero", "rb") as zeros:
            process = subprocess.Popen([*in_network, "env", *own, *command], stdin=zeros, stdout=output,
                                       stderr=subprocess.STDOUT, env=kept, cwd=cwd, start_new_session=True)  # fmt: skip
            self.place.began(process)
            try:
                until(lambda: os.path.exists(namespace), "a network of its own", NETWORK_S, 0.01)
                code = process.wait(limit_s)
            except TookTooLong as reason:
                raise Cannot(f"{reason}: {' '.join(command)}") from None
            except subprocess.TimeoutExpired:
                code = None
            finally:
                self.place.ended(process)
                self._end_everything(namespace, process)
        with open(self.path("output"), errors="replace") as file:
            self.output = file.read()
        self.recorded = Recorded.of(self.path("audit"))
        return code

    def _end_everything(self, namespace, process):
        """What a test leaves behind is ended; a recorder ends by itself when its host has."""
        try:
            with open(namespace) as file:
                network = file.read().strip()
        except OSError:
            network = None
        left = [pid for pid in self._members(network) if processes.executable(pid) != self.place.recorder]
        if process.poll() is None and process.pid not in left:
            left.append(process.pid)
        processes.end(left, 2)
        process.wait(10)
        try:
            until(lambda: not self._members(network), "the recorders' end", RECORDERS_END_S, 0.02)
        except TookTooLong:
            stuck = self._members(network)
            processes.end(stuck)
            raise Cannot(f"recorders have outlived their hosts by {RECORDERS_END_S} s: {stuck}") from None

    @staticmethod
    def _members(network):
        found = []
        for pid in processes.all_pids():
            try:
                if network and os.readlink(f"/proc/{pid}/ns/net") == network and processes.is_running(pid):
                    found.append(pid)
            except OSError:
                pass
        return found

    def finish(self, keep_as=None):
        if keep_as:
            shutil.rmtree(keep_as, ignore_errors=True)
            shutil.copytree(self.folder, keep_as, symlinks=True, ignore_dangling_symlinks=True,
                            ignore=lambda top, names: [each for each in names if not _is_plain(top, each)])  # fmt: skip
        for folder in (self.folder, self.memory):
            shutil.rmtree(folder, ignore_errors=True)


def _is_plain(top, name):
    path = os.path.join(top, name)
    return os.path.islink(path) or os.path.isdir(path) or os.path.isfile(path)


def seconds(since):
    return f"{time.monotonic() - since:.0f} s"
