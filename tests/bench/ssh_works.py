"""What sshd does: a login, keystrokes, bulk. As proxy_works.py."""

import os
import statistics
import time

from support.sshd import Sshd
from watched import MIB, Watched


def login(count):
    def measure(who):
        with Watched(who, Sshd()) as work:
            command = ["ssh", *work.host.options(), "root@127.0.0.1", "true"]
            waits = []
            for _ in range(count):
                began = time.monotonic()
                work.client(command)
                waits.append(time.monotonic() - began)
        return {"login": statistics.median(waits) * 1000}

    return measure


def echoes(count):
    def measure(who):
        with Watched(who, Sshd()) as work:
            terminal = work.host.terminal("root", "stty raw -echo; echo ready; cat").sees(b"ready")
            began = time.monotonic()
            for _ in range(count):
                terminal.types(b"k")
                terminal.sees(b"k")
            seconds = time.monotonic() - began
            os.kill(terminal.pid, 15)
            terminal.ends()
        return {"keystrokes/s": count / seconds}

    return measure


def ssh_bulk(mebibytes):
    def measure(who):
        source = "/dev/shm/sidrec-bench-source"
        with open(source, "wb") as file:
            file.truncate(mebibytes * MIB)
        with Watched(who, Sshd()) as work:
            began = time.monotonic()
            work.client(["scp", "-P", str(work.host.port), *work.host.options(), source, "root@127.0.0.1:/dev/null"])
            seconds = time.monotonic() - began
        os.unlink(source)
        return {"MiB/s": mebibytes / seconds}

    return measure
