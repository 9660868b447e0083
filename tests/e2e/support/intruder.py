"""A process of somebody's that tries what it may do to ours; what it could, by the kernel's own word."""

import ctypes
import os
import socket

PTRACE_ATTACH = 16


def what_it_can(user, pids, paths):
    """`user`: what makes subprocess start a process as that user. A fork, for the interpreter may be root's alone."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.chdir("/")
            os.setgroups(user["extra_groups"])
            os.setresgid(*[user["group"]] * 3)
            os.setresuid(*[user["user"]] * 3)
            os.dup2(writing, 1)
            try_everything(pids, paths)
        except BaseException as error:
            os.write(writing, f"failed: {error!r}\n".encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading) as said:
        lines = said.read().splitlines()
    os.waitpid(child, 0)
    return lines


def could(what, action):
    try:
        action()
    except OSError:
        return
    os.write(1, f"{what}\n".encode())


def ptrace(pid):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.restype = ctypes.c_long
    if libc.ptrace(PTRACE_ATTACH, ctypes.c_long(pid), None, None) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")


def try_everything(pids, paths):
    for pid in pids:
        could(f"signal {pid}", lambda: os.kill(pid, 0))
        could(f"ptrace {pid}", lambda: ptrace(pid))
        could(f"read the memory of {pid}", lambda: open(f"/proc/{pid}/mem", "rb"))
        could(f"see the files of {pid}", lambda: os.listdir(f"/proc/{pid}/fd"))
        could(f"lower the priority of {pid}", lambda: os.setpriority(os.PRIO_PROCESS, pid, 19))
    for path in paths:
        if os.path.isdir(path):
            could(f"list {path}", lambda: os.listdir(path))
            could(f"make a file in {path}", lambda: os.close(os.open(path + "/intruder", os.O_CREAT | os.O_EXCL)))
        else:
            could(f"read {path}", lambda: os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK)))
            could(f"write {path}", lambda: os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK)))
            could(f"connect to {path}", lambda: connect(path))
            could(f"shorten {path}", lambda: os.truncate(path, 0))
        could(f"open up {path}", lambda: os.chmod(path, 0o777))
        could(f"rename {path}", lambda: rename_there_and_back(path))
        could(f"remove {path}", lambda: os.rmdir(path) if os.path.isdir(path) else os.unlink(path))


def rename_there_and_back(path):
    os.rename(path, path + ".stolen")
    os.rename(path + ".stolen", path)


def connect(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as link:
        link.connect(path)

