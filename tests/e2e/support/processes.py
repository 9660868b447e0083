"""What /proc says about processes (proc(5)). A process that is gone meanwhile has no files, no maps, no children."""

import os
import re
import signal
import time

from .deadline import TookTooLong, until


def all_pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def executable(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")
    except OSError:
        return ""


def open_files(pid):
    """{descriptor: what it is open on}"""
    files = {}
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            try:
                files[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
            except OSError:
                pass
    except OSError:
        pass
    return files


def contents(pid, name):
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def _stat(pid):
    """The fields of /proc/pid/stat behind the program's name: state, ppid, pgrp, session, ..."""
    return contents(pid, "stat").rpartition(")")[2].split()


def is_running(pid):
    stat = _stat(pid)
    return bool(stat) and stat[0] not in "ZX"


def private_kib(pid):
    """Memory that it has for itself."""
    return _rollup_kib(pid, "Private_")


def anonymous_kib(pid):
    """Memory that it has written to, rings apart: without the pages of its program, which are the page cache's."""
    return _rollup_kib(pid, "Anonymous:")


def _rollup_kib(pid, name):
    return sum(int(line.split()[1]) for line in contents(pid, "smaps_rollup").splitlines() if line.startswith(name))


def cpu_ns(pid):
    """With all its threads: the clock of clock_getcpuclockid(3). 0 of one that is gone."""
    try:
        return time.clock_gettime_ns((~pid << 3) | 2)
    except OSError:
        return 0


def is_asleep(pid):
    return _stat(pid)[:1] == ["S"]


def is_traced(pid):
    return re.search(r"^TracerPid:\s*[1-9]", contents(pid, "status"), re.M) is not None


def user_ids(pid):
    """Real, effective, saved and file system user."""
    for line in contents(pid, "status").splitlines():
        if line.startswith("Uid:"):
            return [int(number) for number in line.split()[1:]]
    return []


def root(pid):
    try:
        return os.readlink(f"/proc/{pid}/root")
    except OSError:
        return ""


def session_members(session):
    """A process started with start_new_session, and whatever it has forked since."""
    members = []
    for pid in all_pids():
        stat = _stat(pid)
        if len(stat) > 3 and int(stat[3]) == session and stat[0] not in "ZX":
            members.append(pid)
    return members


def descendants(pid):
    """Its children, theirs, and so on: sshd's are of sessions of their own."""
    parents = {each: int(stat[1]) for each in all_pids() if (stat := _stat(each))}
    found = [pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found[1:]


def kill_quietly(pid, sign):
    try:
        os.kill(pid, sign)
    except ProcessLookupError:
        pass


def end(pids, patience_s=5.0):
    """TERM, then KILL, for processes that this test brought about."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids:
            kill_quietly(pid, sign)
        try:
            until(lambda: not any(is_running(pid) for pid in pids), "the end of the processes", patience_s)
            return
        except TookTooLong:
            continue
