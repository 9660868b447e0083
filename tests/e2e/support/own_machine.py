"""OwnMachine: this machine as one test may change it. Its /etc, /run and /var/log are copies that go with the test."""

import hashlib
import os
import re
import shlex
import shutil
import stat
import subprocess
import tempfile

from . import processes
from .accounts import Missing

COPIED, EMPTY = "/etc", ("/run", "/var/log")
# What useradd and its kin leave beside the files that they change (shadow(5)).
BACKUPS = re.compile(r"/etc/(\.pwd\.lock|(passwd|group|shadow|gshadow|subuid|subgid)-)$")

_HOLD = """
mount --bind "$1/etc" /etc && mount -t tmpfs -o mode=755 none /run && mount --bind "$1/log" /var/log &&
echo ready && exec cat
"""


class OwnMachine:
    """A mount namespace, kept by a process that does nothing else. sidrec is installed in it, below a prefix."""

    def __init__(self, build):
        if os.geteuid() != 0:
            raise Missing("only root can install")
        self.folder = tempfile.mkdtemp(prefix="sidrec-e2e-", dir="/tmp")  # where set-user-id counts
        os.chmod(self.folder, 0o755)
        self.library_dir = os.path.join(self.folder, "lib", "sidrec")
        self.sidrec = os.path.join(self.folder, "bin", "sidrec")
        for folder, names in ((self.library_dir, ("libsidrec.so", "sidrec-recorder")), ("bin", ("sidrec",))):
            folder = os.path.join(self.folder, folder)
            os.makedirs(folder, 0o755)
            for name in names:
                shutil.copy(os.path.join(build, name), folder)
        self.recorder = os.path.join(self.library_dir, "sidrec-recorder")
        subprocess.run(["cp", "-a", "/etc", self.folder], check=True)
        self._copy_folders("/var/log", os.path.join(self.folder, "log"))
        self.holder = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c", _HOLD, "sh",
                                        self.folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
        self.prefix = ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", "--"]

    def __enter__(self):
        if self.holder.stdout.readline() != b"ready\n":
            self.__exit__()
            raise Missing("this machine lets nobody mount anything")
        self.run("nginx", "-t")  # which makes a pid file and logs, as at each of its starts
        return self

    def __exit__(self, *_):
        self.holder.stdin.close()
        self.holder.wait(10)
        self.holder.stdout.close()
        # They wait for another host, ten seconds, and the next machine's user has the same number.
        processes.end([pid for pid in processes.all_pids() if processes.executable(pid) == self.recorder])
        shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def _copy_folders(of, to):
        for folder, _, _ in os.walk(of):
            copy = to + folder.removeprefix(of)
            os.mkdir(copy)
            found = os.stat(folder)
            os.chown(copy, found.st_uid, found.st_gid)
            os.chmod(copy, stat.S_IMODE(found.st_mode))

    def path(self, path):
        """Where one of its paths is for this process."""
        return f"/proc/{self.holder.pid}/root{path}"

    def read(self, path):
        with open(self.path(path)) as file:
            return file.read()

    def write(self, path, text):
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        with open(self.path(path), "w") as file:
            file.write(text)

    def run(self, *command):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SIDREC_", "LD_"))}
        return subprocess.run([*self.prefix, *command], env=kept, capture_output=True, text=True, timeout=60)

    def environment_of(self, unit):
        """What its drop-in sets, as systemd reads it (systemd.exec(5))."""
        lines = self.read(f"/etc/systemd/system/{unit}.d/50-sidrec.conf").splitlines()
        assignments = [shlex.split(line.partition("=")[2])[0] for line in lines if line.startswith("Environment=")]
        return dict(each.replace("%%", "%").split("=", 1) for each in assignments)

    def everything(self):
        """{path: what it is}, of all that an installation could change."""
        found = {}
        for top in (COPIED, *EMPTY, self.folder + "/lib", self.folder + "/bin"):
            for folder, folders, files in os.walk(self.path(top)):
                for name in (".", *folders, *files):
                    path = os.path.normpath(os.path.join(folder, name)).removeprefix(self.path(""))
                    if not BACKUPS.search(path):
                        found[path] = self._facts(path)
        return found

    def _facts(self, path):
        status = os.lstat(self.path(path))
        content = None
        if stat.S_ISLNK(status.st_mode):
            content = os.readlink(self.path(path))
        elif stat.S_ISREG(status.st_mode):
            with open(self.path(path), "rb") as file:
                content = hashlib.sha256(file.read()).hexdigest()
        return (oct(status.st_mode), status.st_uid, status.st_gid, content)
