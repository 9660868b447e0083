"""What a running program asks of the kernel while one exchange passes through it, as strace sees it."""

import collections
import os
import re
import signal
import subprocess

from . import processes
from .deadline import until
from .host import find_program

MARK_ROOM = 64  # strace shows so many bytes of a buffer: more than a mark has


class Strace:
    """Attached to processes that have started long ago, so that start-up is not in its log; leaving it detaches."""

    def __init__(self, pids, log):
        self.pids, self.log = pids, log
        self.process = None

    def __enter__(self):
        targets = [argument for pid in self.pids for argument in ("-p", str(pid))]
        command = [find_program("strace"), "-f", "-qq", "-s", str(MARK_ROOM), "-o", self.log, *targets]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        until(lambda: self.process.poll() is not None or self._has_all_threads(), "strace attaches")
        assert self.process.poll() is None, self.process.stderr.read().decode(errors="replace")
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(10)
        self.process.stderr.close()

    def _has_all_threads(self):
        threads = [f"{pid}/task/{task}" for pid in self.pids for task in os.listdir(f"/proc/{pid}/task")]
        tracer = f"TracerPid:\t{self.process.pid}\n"
        return all(tracer in processes.contents(thread, "status") for thread in threads)


class Calls:
    """The calls between two marks that passed through: after the last sight of one, before the first of the other."""

    def __init__(self, log, begin, end):
        with open(log, errors="replace") as file:
            lines = file.read().splitlines()
        begins = [number for number, line in enumerate(lines) if begin in line]
        ends = [number for number, line in enumerate(lines) if end in line]
        assert begins and ends and begins[-1] < ends[0], f"{begin} and {end} did not pass through: {begins}, {ends}"
        self.lines = [line for line in lines[begins[-1] + 1 : ends[0]] if re.match(r"\d+ +\w+\(", line)]

    def without(self, pattern):
        """Leaves out the calls that match; how many these were."""
        kept = [line for line in self.lines if not re.search(pattern, line)]
        left_out, self.lines = len(self.lines) - len(kept), kept
        return left_out

    def by_name(self):
        return self._count(self.lines)

    def that_carry_bytes(self):
        carries = re.compile(r"\d+ +(read|write|readv|writev|recv|send|recvfrom|sendto|recvmsg|sendmsg)\(.* = [1-9]\d*$")
        return self._count(line for line in self.lines if carries.match(line) and "MSG_PEEK" not in line)

    @staticmethod
    def _count(lines):
        return dict(collections.Counter(re.match(r"\d+ +(\w+)", line).group(1) for line in lines))
