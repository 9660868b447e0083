"""Looks at recorders from outside: which are running, what they hold, who writes, who listens."""

import os
import re

from . import processes


class UnixSocket:
    """One line of /proc/net/unix (proc(5))."""

    LISTENING = 0x10000  # __SO_ACCEPTCON
    CONNECTED = "03"

    def __init__(self, columns):
        self.listening = bool(int(columns[3], 16) & self.LISTENING)
        self.connected = columns[5] == self.CONNECTED
        self.inode = int(columns[6])
        # A socket bound under a temporary name and renamed keeps that name here.
        self.path = columns[7].removesuffix(".new") if len(columns) > 7 else ""


def unix_sockets():
    with open("/proc/net/unix") as lines:
        next(lines)
        return [UnixSocket(line.split()) for line in lines]


class Recorder:
    """One recorder process, as it was at one moment."""

    def __init__(self, pid, run_dir, audit_dir, sockets):
        self.pid = pid
        files = processes.open_files(pid)
        inodes = {int(target[8:-1]) for target in files.values() if target.startswith("socket:[")}
        mine = [socket for socket in sockets if socket.inode in inodes]
        self.listens_on = {socket.path for socket in mine if socket.listening}
        self.link_peers = sum(socket.connected for socket in mine)
        in_store = [target for target in files.values() if target.startswith(audit_dir + "/")]
        self.trails = {target for target in in_store if ".jsonl" in target}
        below = f"{processes.contents(pid, 'maps')}\n{processes.contents(pid, 'cmdline')}"
        self.rings = set(re.findall(rf"{re.escape(run_dir)}/rings/([^/\s\0]+)\.ring", below))
        self.is_of_this_place = bool(
            self.rings or self.trails or run_dir in below or run_dir in processes.contents(pid, "environ")
            or any(path.startswith(run_dir) for path in (*files.values(), *self.listens_on))
        )  # fmt: skip

    def is_master_of(self, folder):
        return any(os.path.basename(os.path.dirname(path)) == folder for path in self.trails)

    def __repr__(self):
        return f"Recorder({self.pid}, rings {self.rings}, writes {self.trails}, peers {self.link_peers})"


def recorders_of(program, run_dir, audit_dir, has_others=True):
    """`has_others`: other places' recorders may run this program."""
    pids = [pid for pid in processes.all_pids() if processes.executable(pid) == program and processes.is_running(pid)]
    if not pids:
        return []
    sockets = unix_sockets()
    all_of_them = [Recorder(pid, run_dir, audit_dir, sockets) for pid in pids]
    return [recorder for recorder in all_of_them if recorder.is_of_this_place or not has_others]
