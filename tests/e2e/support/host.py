"""Host: a stock program in the foreground, with or without the recording. It is never asked to do anything for us."""

import os
import re
import subprocess

from . import processes
from .accounts import Missing, as_user
from .deadline import until
from .ports import free_port, is_listening


def find_program(name, folders=()):
    for folder in (*folders, "/usr/bin", "/usr/sbin", "/bin", "/sbin"):
        path = os.path.join(folder, name)
        if os.access(path, os.X_OK):
            return path
    raise Missing(f"{name} is not installed")


class Host:
    """A subclass says how its program is configured and started; everything else is the same for all."""

    program = ""  # as the trail names it
    executable = ""  # if it differs from `program`
    folders = ()  # where it is if not where programs are
    half_close = True  # passes on the end of one direction while the other goes on
    stop_signal = 15
    endings = None  # of traffic.Ending; None: those that go with half_close
    tls = None  # an ssl.SSLContext: what its clients speak
    starts_as = None  # the user its service manager starts it as; None: the test's own
    more_groups = ()  # that it gives this user

    def __init__(self, backend_port=None):
        self.backend_port = backend_port
        self.port = free_port()
        self.folder = None
        self.process = None
        self.exit_code = None

    # -- what a subclass gives

    def prepare(self):
        """Writes configuration into self.folder."""

    def arguments(self):
        raise NotImplementedError

    async def greet(self, line):
        """What a client of this program says before its own bytes (a proxy protocol); `line` counts both sides."""

    # -- what it can do

    def start(self, folder, environment, prefix=()):
        self.folder = folder
        path = find_program(self.executable or self.program, self.folders)
        os.makedirs(folder)
        identity = {}
        if self.starts_as:
            identity = as_user(self.starts_as)
            identity["extra_groups"] += self.more_groups
            os.chown(folder, identity["user"], identity["group"])
        self.prepare()
        with open(self.path("stdout"), "wb") as out, open(self.path("stderr"), "wb") as err:
            self.process = subprocess.Popen(
                [*prefix, path, *self.arguments()],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=environment,
                cwd=folder,
                start_new_session=True,
                **identity,
            )
        self.await_start()
        return self

    def await_start(self):
        until(lambda: self.process.poll() is not None or is_listening(self.port), f"{self.program} listens")
        if self.process.poll() is not None:
            raise AssertionError(f"{self.program} ended with {self.process.returncode}: {self.stderr()}")

    def stop(self):
        """Ends it as its service manager would, and whatever it has left behind."""
        if self.process is None or self.exit_code is not None:
            return self.exit_code
        self.process.send_signal(self.stop_signal)
        try:
            self.exit_code = self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.exit_code = self.process.wait(10)
        processes.end(self.pids())
        return self.exit_code

    def pids(self):
        return processes.session_members(self.process.pid)

    @property
    def pid(self):
        return self.process.pid

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)
        return self.path(name)

    def read(self, name):
        try:
            with open(self.path(name), errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def stderr(self):
        return self.read("stderr")

    def remarks(self):
        """All it printed, its lines sorted, without what differs from run to run: times, pids, ports, our folder."""
        text = (self.read("stdout") + self.stderr()).replace(self.folder, "FOLDER")
        text = re.sub(r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b", "DAY", text)
        return sorted(re.sub(r"\b(0x[0-9a-f]+|\d{8}T\d{6}|\d+)\b", "N", line) for line in text.splitlines())
