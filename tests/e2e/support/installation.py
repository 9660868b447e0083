"""Installation: the library and its recorder as README.md says to install them, for one test, with a user of its own."""

import grp
import json
import os
import pwd
import shutil
import subprocess
import tempfile

SET_USER_AND_GROUP = 0o6750


class Installation:
    """`audit_dir` and `run_dir` become its user's; a host of another user finds them by the settings file alone."""

    def __init__(self, build, audit_dir, run_dir, settings):
        self.user = f"sidrec-o{os.getpid()}"
        subprocess.run(["useradd", "--system", "-U", "-M", "-d", "/nonexistent", "-s", "/usr/sbin/nologin", self.user],
                       check=True)  # fmt: skip
        self.uid, self.gid = pwd.getpwnam(self.user).pw_uid, grp.getgrnam(self.user).gr_gid
        self.folder = tempfile.mkdtemp(prefix="sidrec-e2e-", dir="/tmp")  # the build may be root's alone
        os.chmod(self.folder, 0o755)
        self.preload = shutil.copy(os.path.join(build, "libsidrec.so"), self.folder)
        self.recorder = shutil.copy(os.path.join(build, "sidrec-recorder"), self.folder)
        os.chown(self.recorder, self.uid, self.gid)
        os.chmod(self.recorder, SET_USER_AND_GROUP)
        with open(os.path.join(self.folder, "sidrec.json"), "w") as file:
            json.dump(settings | {"audit_dir": audit_dir, "run_dir": run_dir}, file)
        for folder, group, mode in ((run_dir, self.gid, 0o700), (audit_dir, grp.getgrnam("adm").gr_gid, 0o2750)):
            os.chown(folder, self.uid, group)
            os.chmod(folder, mode)

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        subprocess.run(["userdel", self.user], check=False, capture_output=True)
