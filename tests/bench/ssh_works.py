"""What sshd does: a login, keystrokes, bulk. As proxy_works.py."""

import os
import signal
import statistics
import subprocess
import time

from support.processes import all_pids, contents, end, kill_quietly
from support.sshd import Sshd
from watched import MIB, SCRIPT, TLOG, Watched

# tlog-rec will not run without a utmp, and a machine that nobody has booted has none: it gets one that only it sees.
WITH_UTMP = "unshare -m sh -c 'test -e /run/utmp || mount -t tmpfs tmpfs /run && touch /run/utmp; exec \"$@\"' -"


def wrapped(who, command, work):
    """As the user's own login would record it, where that is who does."""
    if who == SCRIPT:
        return f"script -qfc '{command}' {work.place.path('typescript')}"
    if who == TLOG:
        return f"{WITH_UTMP} tlog-rec --file-path={work.place.path('tlog')} sh -c '{command}'"
    return command


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
            terminal = work.host.terminal("root", wrapped(who, "stty raw -echo; echo ready; cat", work)).sees(b"ready")
            began = time.monotonic()
            for _ in range(count):
                terminal.types(b"k")
                terminal.sees(b"k")
            seconds = time.monotonic() - began
            kill_quietly(terminal.pid, signal.SIGTERM)
            terminal.ends()
            end([pid for pid in all_pids() if contents(pid, "cmdline").startswith("script\0") and
                 work.place.path("typescript") in contents(pid, "cmdline")])  # it does not go with its terminal
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


def terminal_bulk(mebibytes):
    """What a terminal's user would see of a large text, without the terminal."""

    def measure(who):
        with Watched(who, Sshd()) as work:
            with open(work.place.path("text"), "w") as file:
                file.write("as somebody would read it in a file, line by line\n" * (mebibytes * MIB // 50))
            command = wrapped(who, f"stty raw -echo; cat {file.name}", work)
            began = time.monotonic()
            seen = work.client(["ssh", "-tt", *work.host.options(), "root@127.0.0.1", command], stdin=subprocess.DEVNULL)
            seconds = time.monotonic() - began
            assert seen.count("\n") >= mebibytes * MIB // 50, "the text has ended early"
        return {"MiB/s": mebibytes / seconds}

    return measure
