"""A host at work in a place of its own, bare, recorded or watched by others, and the servers behind it."""

import subprocess
import time

from rounds import OURS, children_s, reap_orphans
from support.deadline import until
from support.host import Host
from support.postgresql import Postgresql
from support.stock_programs import Socat
from support.workplace import Workplace

MIB = 1024 * 1024
SPARE_MS = 500  # as by default recorders wait for another host, but not so long: their CPU is known when they have ended
STRACE, TCPDUMP, SOCAT_XV, BPFTRACE, SCRIPT, TLOG = "strace", "tcpdump", "socat -x -v", "bpftrace", "script", "tlog-rec"
# Where nobody has mounted tracefs, bpftrace gets one that only it sees.
WITH_TRACEFS = ["unshare", "-m", "sh", "-c", "test -e /sys/kernel/tracing/events ||"
                ' mount -t tracefs tracefs /sys/kernel/tracing; exec "$@"', "-"]  # fmt: skip
BYTES_OF_EACH_CALL = """
tracepoint:syscalls:sys_exit_read, tracepoint:syscalls:sys_exit_write, tracepoint:syscalls:sys_exit_recvfrom,
tracepoint:syscalls:sys_exit_sendto, tracepoint:syscalls:sys_exit_readv, tracepoint:syscalls:sys_exit_writev
/comm == "%s"/ { @bytes[probe, pid] = sum(args->ret); }
interval:ms:50 { printf("attached\\n"); }
"""


def bpftrace(program):
    """At work on all processes of this name, for it says so only when it is. What it has against it, if it has."""
    process = subprocess.Popen([*WITH_TRACEFS, "bpftrace", "-e", BYTES_OF_EACH_CALL % program], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
    said = ""
    for line in process.stdout:
        if line == "attached\n":
            return process, ""
        said = line.strip() or said
    process.wait()
    return None, said


def why_no_bpftrace():
    process, why = bpftrace("nobody")
    if process:
        end(process)
    return why


def end(watcher):
    watcher.terminate()
    watcher.communicate()


class Watched:
    """A host in a place of its own, for one piece of work; cpu_s is known when it is over."""

    def __init__(self, who, host, settings=None):
        self.who, self.host = who, host
        self.place = Workplace()
        self.place.debug = "0"
        self.place.settings["spare_ms"] = SPARE_MS
        self.place.settings |= {"linger_ms": 100, **(settings or {})}
        self.client_s = 0.0
        self.watcher = None

    def __enter__(self):
        reap_orphans()
        self.before_s = children_s()
        prefix = ["strace", "-f", "-qq", "-I", "waiting",  # else it takes no signal, and the host's end 10 s
                  "-o", "/dev/null", "-e", "trace=read,write,recvfrom,sendto,readv,writev"]  # fmt: skip
        self.place.start(self.host, "bench", recorded=self.who == OURS, prefix=prefix if self.who == STRACE else ())
        if self.who == TCPDUMP:
            self.watcher = subprocess.Popen(["tcpdump", "-q", "-i", "lo", "-w", "/dev/null", f"port {self.host.port}"],
                                            stderr=subprocess.DEVNULL)  # fmt: skip
            time.sleep(0.5)
        elif self.who == BPFTRACE:
            self.watcher = bpftrace(self.host.program)[0]
        return self

    def client(self, command, **options):
        """Runs it; its CPU is not counted. Its standard output."""
        before = children_s()
        done = subprocess.run(command, check=True, capture_output=True, **options)
        self.client_s += children_s() - before
        return done.stdout.decode()

    def __exit__(self, kind, *_):
        if self.watcher:
            end(self.watcher)
        self.host.stop()
        if self.who == OURS and kind is None:
            until(lambda: not self.place.recorders(), "the end of the recorders", 60, 0.05)
        reap_orphans()
        self.cpu_s = children_s() - self.before_s - self.client_s
        self.place.__exit__(kind, None, None)


class Backends:
    """Servers that the proxies of all rounds share."""

    def __init__(self, place):
        self.place = place
        self.redis = Redis()
        self._postgresql = None
        place.start(self.redis, recorded=False)

    @property
    def postgresql(self):
        if self._postgresql is None:
            self.place.open_to_all()
            self._postgresql = self.place.start(Postgresql(), recorded=False)
            subprocess.run(["pgbench", "-h", "127.0.0.1", "-p", str(self._postgresql.port), "-U", "postgres", "-i", "-q",
                            "-s", "5", "postgres"], check=True, capture_output=True)  # fmt: skip
        return self._postgresql


class Redis(Host):
    program = "redis-server"

    def arguments(self):
        return ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", self.folder]


class SocatThatTells(Socat):
    def arguments(self):
        return ["-x", "-v", *super().arguments()]


class NginxPages(Host):
    program = "nginx"

    def prepare(self):
        self.write("nginx.conf", f"""\
user root;
worker_processes 2;
daemon off;
pid nginx.pid;
error_log stderr;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 1000000;
  server {{ listen 127.0.0.1:{self.port} backlog=512; location / {{ return 200 "{'page ' * 120}"; }} }}
}}
""")  # fmt: skip

    def arguments(self):
        return ["-p", self.folder + "/", "-c", self.path("nginx.conf")]
