"""OpenSSH's regression suite, as Debian packages it (openssh-tests). Every program of it is recorded: clients, too."""

import os
import re
import shutil
import subprocess

from compare import Suite
from one_run import Cannot

REGRESS = "/usr/lib/openssh/regress"
SKIPS = re.compile(r"^(SKIPPED|skipped|skipping)", re.MULTILINE)
OWN_LIMIT_S = {"multiplex": 240}  # it may wait for ever for a reply that its own race has lost

# The suite asks sudo for root, which it has here; sudo itself would drop the environment.
SUDO = """\
#!/bin/sh
user=root
while :; do
  case $1 in
    -n | -S) shift ;;
    -u) user=$2; shift 2 ;;
    *) break ;;
  esac
done
[ "$user" = root ] && exec "$@"
exec setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups -- "$@"
"""


# What this machine's own shells do at their start is no part of it.
AT_AN_EMPTY_HOME = 'mount -t tmpfs -o mode=700 none "$(getent passwd root | cut -d: -f6)" && exec "$@"'


class OpenSsh(Suite):
    name = "openssh"
    what = "OpenSSH's regression suite"
    limit_s = 900
    quick = ("connect", "connect-uri", "forcecommand", "exit-status-signal", "stderr-after-eof", "dynamic-forward")

    def prepare(self):
        if not os.path.isdir(REGRESS):
            raise Cannot("openssh-tests is not installed", missing=True)
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        self.keys = os.path.join(self.place.folder, "keys")
        os.makedirs(self.keys)
        kinds = subprocess.run(["ssh", "-Q", "key-plain"], capture_output=True, text=True, check=True).stdout.split()
        for kind in kinds:
            if not kind.startswith("sk"):  # keys in a device
                subprocess.run(["ssh-keygen", "-q", "-N", "", "-t", kind, "-f", os.path.join(self.keys, kind)], check=True)

    def parts(self):
        with open(os.path.join(REGRESS, "Makefile")) as file:
            makefile = file.read().replace("\\\n", " ")
        lists = re.findall(r"^(?:LTESTS|INTEROP_TESTS)=(.*)$", makefile, re.MULTILINE)
        return [name for each in lists for name in each.split()]

    def run(self, part, run):
        there = run.path("regress")
        shutil.copytree(REGRESS, there, ignore=shutil.ignore_patterns("unittests"))
        for name in os.listdir(self.keys):
            shutil.copy2(os.path.join(self.keys, name), there)
        bin = os.path.dirname(run.write("bin/sudo", SUDO, 0o755))
        environment = {
            "SUDO": "sudo", "TEST_ENV": "MALLOC_OPTIONS=CFGJRSUX", "TEST_SHELL": "sh", "BUILDDIR": there,
            "TEST_SSH_SSH": "ssh", "TEST_SSH_SFTPSERVER": "/usr/lib/openssh/sftp-server", "TEST_SSH_PLINK": "plink",
            "TEST_SSH_PUTTYGEN": "puttygen", "TEST_SSH_CONCH": "conch3", "TEST_SSH_IPV6": "yes", "TEST_SSH_ECC": "yes",
            "TEST_SSH_UNSAFE_PERMISSIONS": "1", "LOGNAME": "root", "USER": "root",
            "PATH": f"{bin}:/usr/sbin:/usr/bin:/sbin:/bin",
        }  # fmt: skip
        command = ["unshare", "--mount", "sh", "-c", AT_AN_EMPTY_HOME, "sh",
                   "sh", f"{there}/test-exec.sh", there, f"{there}/{part}.sh"]  # fmt: skip
        code = run.execute(command, environment | run.recording(), there, OWN_LIMIT_S.get(part, self.limit_s))
        outcomes = {f"{part}: {line}": "ok" for line in self.lines(run.output.replace(run.folder, "")) if line}
        outcomes[part] = self.outcome(code, run.output)
        return outcomes

    @staticmethod
    def lines(output):
        """Without numbers that differ each time, and without what a terminal echoes of the zeros on its stdin."""
        return [re.sub(r"[0-9]{3,}", "N", re.sub(r"(\^@|\0)+", "", line)).strip() for line in output.splitlines()]

    @staticmethod
    def outcome(code, output):
        if code is None:
            return "time limit"
        if code:
            return f"failed ({code})"
        return "skipped" if SKIPS.search(output) else "ok"
