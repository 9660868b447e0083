"""The machine's users: a process of theirs, and what they may do with files, by the kernel's own word."""

import os
import pwd
import subprocess


class Missing(Exception):
    """A program or its user is not installed: the test is skipped, and counted as skipped."""


_CAN_OPEN = 'for path; do if [ -r "$path" ] || [ -w "$path" ]; then printf "%s\\n" "$path"; fi; done'


def account(name):
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise Missing(f"there is no user {name}") from None


def as_user(name):
    """What makes subprocess start a process as this user, as a service manager would."""
    user = account(name)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": os.getgrouplist(name, user.pw_gid)}


def can_open(name, paths):
    """Those of `paths` that this user can open for reading or writing."""
    run = subprocess.run(
        ["/bin/sh", "-c", _CAN_OPEN, "sh", *paths], cwd="/", capture_output=True, text=True, check=True, **as_user(name)
    )
    return run.stdout.splitlines()


def everything_below(*folders):
    return [os.path.join(path, name) for top in folders for path, dirs, files in os.walk(top)
            for name in (".", *dirs, *files)]  # fmt: skip
