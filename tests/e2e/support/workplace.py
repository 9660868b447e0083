"""Workplace: one test's directories, programs and settings. Leaving it ends every process it has brought about."""

import functools
import glob
import json
import os
import shutil
import sys
import tempfile
import unittest

from . import processes
from .accounts import Missing, account
from .deadline import TookTooLong, until
from .echo import Client, EchoBackend
from .installation import Installation
from .recorders import recorders_of
from .trail import Trail, has_ended, segments_of, trail_paths

BUILD = os.path.realpath(os.environ.get("SIDREC_BUILD", "build/release"))
LINGER_MS = 300  # long enough for a test's next connection, short enough to wait for
KEPT_LOG_LINES = 40


class Workplace:
    def __init__(self, on_disk=False):
        parent = "/tmp" if on_disk or not os.access("/dev/shm", os.W_OK) else "/dev/shm"
        self.folder = tempfile.mkdtemp(prefix="sidrec-e2e-", dir=parent)
        self.audit_dir, self.run_dir = self.path("audit"), self.path("run")
        os.mkdir(self.audit_dir, 0o750)
        os.mkdir(self.run_dir, 0o750)
        self.preload = os.path.join(BUILD, "libsidrec.so")
        self.recorder = os.path.join(BUILD, "sidrec-recorder")
        self.library_dir = None
        self.installation = None
        # A recorder that waits for another host is in the way of who waits for the end of all: for its own tests alone.
        self.settings = {"linger_ms": LINGER_MS, "spare_ms": 0}
        self.debug = "1"
        self.hosts, self._clients, self._backends, self._stopped = [], [], [], []

    def __enter__(self):
        return self

    def __exit__(self, kind, _error, _trace):
        if kind not in (None, unittest.SkipTest, Missing):
            self.describe()
        for client in self._clients:
            client.close()
        for host in reversed(self.hosts):
            host.stop()
        for backend in self._backends:
            backend.close()
        try:
            until(lambda: not self.recorders(), "the recorders' end", 8)
        except TookTooLong:
            print(f"still there after their hosts, ended by the test: {self.recorders()}", file=sys.stderr)
            processes.end([recorder.pid for recorder in self.recorders()])
            if kind is None:
                raise
        finally:
            if self.installation:
                self.installation.remove()
            elif self.library_dir:
                shutil.rmtree(self.library_dir, ignore_errors=True)
            if os.environ.get("SIDREC_KEEP"):
                print(f"kept: {self.folder}", file=sys.stderr)
            else:
                shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    # -- users other than the test's own

    def open_to_all(self):
        """From here on, what others may do here is said by the modes of each thing alone."""
        os.chmod(self.folder, 0o711)

    def share_with(self, user):
        """As an administrator does it for a service that root does not start: by the directories' group."""
        self.open_to_all()
        if self.library_dir:
            return
        for folder in (self.audit_dir, self.run_dir):
            os.chown(folder, -1, account(user).pw_gid)
            os.chmod(folder, 0o2770)
        self.library_dir = tempfile.mkdtemp(prefix="sidrec-e2e-", dir="/tmp")  # the build may be root's alone
        os.chmod(self.library_dir, 0o755)
        self.preload = shutil.copy(self.preload, self.library_dir)
        self.recorder = shutil.copy(self.recorder, self.library_dir)

    def install(self):
        """From here on recorders have a user of their own, whose all of this is."""
        if os.geteuid() != 0:
            raise Missing("only root can give the recorder a user of its own")
        self.open_to_all()
        self.installation = Installation(BUILD, self.audit_dir, self.run_dir, self.settings)
        self.library_dir = self.installation.folder
        self.preload, self.recorder = self.installation.preload, self.installation.recorder
        return self.installation

    # -- programs

    def environment(self, sid=None, recorded=True):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SIDREC_", "LD_"))}
        if not recorded:
            return kept
        # At once: the recorders of hosts that were started before may be reading it.
        with open(self.path("config.json.new"), "w") as file:
            json.dump(self.settings, file)
        os.replace(self.path("config.json.new"), self.path("config.json"))
        recording = {
            "LD_PRELOAD": self.preload,
            "SIDREC_AUDIT_DIR": self.audit_dir,
            "SIDREC_RUN_DIR": self.run_dir,
            "SIDREC_CONFIG": self.path("config.json"),
            "SIDREC_DEBUG": self.debug,
        }
        if sid is not None:
            recording["SIDREC_SID"] = sid
        return kept | recording

    def start(self, host, sid="demo", recorded=True, prefix=()):
        self.hosts.append(host)
        environment = self.environment(sid, recorded)
        return host.start(self.path(f"{host.program}-{len(self.hosts)}"), environment, prefix)

    def echo_backend(self):
        self._backends.append(EchoBackend())
        return self._backends[-1].port

    def client(self, host, source="127.0.0.1", server="127.0.0.1"):
        self._clients.append(Client(host.port, source, server))
        return self._clients[-1]

    # -- what can be seen of the recording

    def recorders(self):
        return recorders_of(self.recorder, self.run_dir, self.audit_dir, has_others=not self.library_dir)

    def master(self, folder="demo"):
        """The one recorder that has this SID's trail open."""
        until(lambda: any(each.is_master_of(folder) for each in self.recorders()), f"a master of {folder}")
        masters = [each for each in self.recorders() if each.is_master_of(folder)]
        assert len(masters) == 1, f"more than one recorder has the trail of {folder} open: {masters}"
        return masters[0]

    def trail_paths(self, folder="*"):
        return trail_paths(self.audit_dir, folder)

    def trail_files(self, folder="*"):
        """Of every segment, compressed or not."""
        return sorted(glob.glob(os.path.join(self.audit_dir, folder, "*.jsonl*")))

    def ended_trails(self, folder="*", count=1, seconds=20, take=None):
        """All sessions of a SID's folder, when `count` of them have ended; checked. No more than `count` exist."""

        def all_ended():
            paths = self.trail_paths(folder)
            return len(paths) >= count and all(has_ended(path) for path in paths)

        until(all_ended, f"the end of {count} session(s) of {folder}", seconds)
        trails = [Trail(path, take=take) for path in self.trail_paths(folder)]
        assert len(trails) == count, f"{len(trails)} trails instead of {count}: {[each.path for each in trails]}"
        return trails

    def all_ended_trails(self, folder="demo"):
        """All there are, checked; none while one of them has not ended."""
        paths = self.trail_paths(folder)
        return [Trail(path) for path in paths] if all(has_ended(path) for path in paths) else []

    def ended_trail(self, folder="demo", seconds=20):
        return self.ended_trails(folder, 1, seconds)[0]

    def growing_trail(self, folder="demo"):
        """The trail as it is now, its last line included only if it is whole already."""
        (path,) = until(lambda: self.trail_paths(folder), f"a trail of {folder}")
        whole = b"".join(open(file, "rb").read() for file in segments_of(path)).rpartition(b"\n")
        with open(self.path("growing.jsonl"), "wb") as file:
            file.write(whole[0] + whole[1])
        return Trail(self.path("growing.jsonl"), ended=False)

    def recorded(self, client, folder="demo", seconds=20):
        """Waits until everything this client has said so far is in the trail."""

        def all_there():
            for each in self.growing_trail(folder).connections.values():
                if each.client == client.address:
                    return (each.bytes["in"], each.bytes["out"]) == (client.sent, client.received)

        until(all_there, f"the record of all that {client.address} has said", seconds, 0.02)

    # -- when a test has failed

    def describe(self):
        print(f"\n---- what was in {self.folder}", file=sys.stderr)
        print(f"recorders: {self.recorders()}", file=sys.stderr)
        logs = [host.path(name) for host in self.hosts if host.folder for name in ("stdout", "stderr")]
        logs += glob.glob(self.run_dir + "/**/*.log", recursive=True) + self.trail_paths()
        for path in logs:
            try:
                with open(path, errors="replace") as file:
                    lines = file.read().splitlines()
            except OSError:
                continue
            if lines:
                print(f"---- {path}: {len(lines)} lines, the last of them:", file=sys.stderr)
                print("\n".join(line[:300] for line in lines[-KEPT_LOG_LINES:]), file=sys.stderr)


class EndToEnd(unittest.TestCase):
    """Gives each test method a fresh `self.place`, and turns a missing program into a skip."""

    on_disk = False

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        for name, method in list(vars(cls).items()):
            if name.startswith("test_"):
                setattr(cls, name, _in_a_workplace(method))


def _in_a_workplace(method):
    @functools.wraps(method)
    def test(self):
        try:
            with Workplace(self.on_disk) as self.place:
                method(self)
        except Missing as missing:
            self.skipTest(str(missing))

    return test
