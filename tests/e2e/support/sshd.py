"""Debian's sshd in the foreground, its own configuration, a user of its own; and the stock client."""

import os
import pty
import pwd
import select
import subprocess
import time

from . import processes
from .deadline import until
from .host import Host, Missing, find_program

SFTP_SERVER = "/usr/lib/openssh/sftp-server"
PATIENCE_S = 30  # a login takes 0.2 s of an idle processor


class Sshd(Host):
    """As root: it logs people in. `more` is appended to its configuration."""

    program = "sshd"

    def __init__(self, more=""):
        super().__init__()
        self.more = more
        if os.geteuid() != 0:
            raise Missing("sshd logs in others only when root starts it")
        find_program("ssh")

    def prepare(self):
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        os.chmod(os.path.dirname(self.folder), 0o755)
        for name in ("host_key", "user_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.path(name)], check=True)
        self.write("sshd.conf", f"""\
{self.more}
Port {self.port}
ListenAddress 127.0.0.1
HostKey {self.path("host_key")}
PidFile none
UsePAM yes
StrictModes no
PermitRootLogin yes
AuthorizedKeysFile {self.path("user_key.pub")}
Subsystem sftp {SFTP_SERVER}
""")  # fmt: skip

    def arguments(self):
        return ["-D", "-e", "-f", self.path("sshd.conf")]

    # -- the stock client

    def options(self, *more):
        return ["-F", "none", "-o", f"Port={self.port}", "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR",
                "-o", "UserKnownHostsFile=/dev/null", "-i", self.path("user_key"), *more]  # fmt: skip

    def ssh(self, user, *arguments, options=(), stdin=b"", timeout=PATIENCE_S, prefix=(), environment=None):
        return subprocess.run(
            [*prefix, find_program("ssh"), *self.options(*options), f"{user}@127.0.0.1", *arguments],
            input=stdin, capture_output=True, timeout=timeout, env=environment)  # fmt: skip

    def by_password(self, user, password, *arguments, methods="password"):
        options = ["-o", "PubkeyAuthentication=no", "-o", f"PreferredAuthentications={methods}",
                   "-o", "NumberOfPasswordPrompts=1"]  # fmt: skip
        return self.ssh(user, *arguments, options=options, prefix=[find_program("sshpass"), "-p", password])

    def background(self, user, *arguments, options=()):
        return subprocess.Popen(
            [find_program("ssh"), *self.options(*options), f"{user}@127.0.0.1", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip

    def pipe(self, user, *arguments, options=()):
        return Pipe([find_program("ssh"), *self.options(*options), f"{user}@127.0.0.1", *arguments])

    def terminal(self, user, *arguments):
        return Terminal([find_program("ssh"), "-tt", *self.options(), f"{user}@127.0.0.1", *arguments])


def end_client(process):
    """ssh(1) looks whether it was told to end, then waits for events: told in between, it hears of it at the next."""
    for _ in range(5):
        process.terminate()
        try:
            return process.wait(2)
        except subprocess.TimeoutExpired:
            pass
    raise AssertionError("ssh does not end")


class Terminal:
    """Somebody at a terminal."""

    def __init__(self, command):
        self.screen = self.everything = b""  # what is still to be looked at; all there was
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(command[0], command)

    def sees(self, text, seconds=PATIENCE_S):
        deadline = time.monotonic() + seconds
        while text not in self.screen:
            left = deadline - time.monotonic()
            assert left > 0, f"{text!r} does not appear: {self.screen[-300:]!r}"
            if select.select([self.fd], [], [], left)[0]:
                self.screen += self._read()
        self.screen = self.screen.partition(text)[2]
        return self

    def _read(self):
        data = os.read(self.fd, 4096)
        assert data, "the terminal is closed"
        self.everything += data
        return data

    def types(self, text):
        os.write(self.fd, text)
        return self

    def ends(self, seconds=PATIENCE_S):
        """Reads on until the client has gone; its exit code."""

        def gone():
            try:
                while select.select([self.fd], [], [], 0)[0] and self._read():
                    pass
            except (OSError, AssertionError):
                pass
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            return (status,) if pid else None

        (status,) = until(gone, "the end of the ssh client", seconds)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


class Pipe:
    """An ssh client that passes on bytes, with no terminal on this side."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, bufsize=0)  # fmt: skip
        self.come = b""

    def sends(self, data):
        self.process.stdin.write(data)
        return self

    def gets(self, data, seconds=PATIENCE_S):
        deadline = time.monotonic() + seconds
        while data not in self.come:
            left = max(0, deadline - time.monotonic())
            assert select.select([self.process.stdout], [], [], left)[0], f"{data!r} does not come: {self.come!r}"
            part = os.read(self.process.stdout.fileno(), 65536)
            assert part, f"{data!r} has not come before the end: {self.come!r}"
            self.come += part
        self.come = self.come.partition(data)[2]
        return self

    def ends(self, seconds=PATIENCE_S):
        self.process.stdin.close()
        self.process.terminate()
        self.process.wait(seconds)
        self.process.stdout.close()


class TestUser:
    """A user that exists for one test, and is the only one of his group."""

    password = "Fehler-7x!Quitte"

    def __init__(self, which="t"):
        self.name = f"sidrec-{which}{os.getpid()}"

    def __enter__(self):
        subprocess.run(["useradd", "-U", "-M", "-d", "/", "-s", "/bin/sh", self.name], check=True)
        subprocess.run(["chpasswd"], input=f"{self.name}:{self.password}".encode(), check=True)
        self.uid = pwd.getpwnam(self.name).pw_uid
        return self

    def __exit__(self, *_):
        processes.end([pid for pid in processes.all_pids() if processes.user_ids(pid)[:1] == [self.uid]])
        # Another test may be changing the same files.
        until(lambda: subprocess.run(["userdel", self.name], capture_output=True).returncode in (0, 6), "the user goes")
