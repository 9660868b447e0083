"""The pieces of work: each runs a real program once, bare, recorded or watched, and says what it measured."""

import glob
import os
import random
import re
import shutil
import socket
import statistics
import subprocess
import threading
import time

from rounds import BARE, OURS, children_s, more, ratio, reap_orphans, value
from support.deadline import until
from support.host import Host, Missing, find_program
from support.ports import free_port, is_listening
from support.postgresql import PROGRAMS, Postgresql
from support.sshd import Sshd
from support.stock_programs import Haproxy, Socat
from support.workplace import BUILD, Workplace

MIB = 1024 * 1024
STRACE, TCPDUMP, SOCAT_XV = "strace", "tcpdump", "socat -x -v"


class Watched:
    """A host in a place of its own, for one piece of work; cpu_s is known when it is over."""

    def __init__(self, who, host, settings=None):
        self.who, self.host = who, host
        self.place = Workplace()
        self.place.settings |= {"linger_ms": 100, **(settings or {})}
        self.client_s = 0.0
        self.watcher = None

    def __enter__(self):
        reap_orphans()
        self.before_s = children_s()
        prefix = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=read,write,recvfrom,sendto,readv,writev"]
        self.place.start(self.host, "bench", recorded=self.who == OURS, prefix=prefix if self.who == STRACE else ())
        if self.who == TCPDUMP:
            self.watcher = subprocess.Popen(["tcpdump", "-q", "-i", "lo", "-w", "/dev/null", f"port {self.host.port}"],
                                            stderr=subprocess.DEVNULL)  # fmt: skip
            time.sleep(0.5)
        return self

    def client(self, command, **options):
        """Runs it; its CPU is not counted. Its standard output."""
        before = children_s()
        done = subprocess.run(command, check=True, capture_output=True, **options)
        self.client_s += children_s() - before
        return done.stdout.decode()

    def __exit__(self, kind, *_):
        if self.watcher:
            self.watcher.terminate()
            self.watcher.wait()
        self.trail_bytes = 0
        self.host.stop()
        if self.who == OURS and kind is None:
            until(lambda: not self.place.recorders(), "the end of the recorders", 60, 0.05)
            self.trail_bytes = sum(os.path.getsize(path) for path in self.place.trail_files())
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


# -- a call


def call_ns(size, calls, fill="x", tracked=True):
    def measure(who):
        with Workplace() as place:
            place.settings["fold"] = "none"
            environment = place.environment("bench", recorded=who == OURS)
            command = [os.path.join(BUILD, "call_cost"), str(size), str(calls), fill, "tracked" if tracked else "untracked"]
            said = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
        return {"per call": float(said)}

    return measure


# -- a proxy


def redis(program, backends, clients, requests):
    def measure(who):
        host = SocatThatTells(backends.redis.port) if who == SOCAT_XV else program(backends.redis.port)
        with Watched(who, host) as work:
            # A watcher that is a hundred times slower need not be waited for.
            count = requests if who in (BARE, OURS, TCPDUMP) else requests // 20
            said = work.client(["redis-benchmark", "-h", "127.0.0.1", "-p", str(host.port), "-t", "get", "-c", str(clients),
                                "-n", str(count), "--csv"])  # fmt: skip
        return {"requests/s": float(said.strip().splitlines()[-1].split(",")[1].strip('"')),
                "CPU per request": work.cpu_s / count * 1e6}  # fmt: skip

    return measure


class SocatThatTells(Socat):
    def arguments(self):
        return ["-x", "-v", *super().arguments()]


def pgbench(backends, seconds):
    def measure(who):
        host = Haproxy(backends.postgresql.port)
        with Watched(who, host) as work:
            logs = work.place.path("pgbench")
            os.mkdir(logs)
            said = work.client(["pgbench", "-h", "127.0.0.1", "-p", str(host.port), "-U", "postgres", "-S", "-n", "-c", "8",
                                "-T", str(seconds), "-l", "--log-prefix", logs + "/log", "postgres"])  # fmt: skip
            waits = sorted(int(line.split()[2]) for path in glob.glob(logs + "/*") for line in open(path))
        return {"tps": float(re.search(r"tps = ([\d.]+)", said)[1]), "p99": waits[int(len(waits) * 0.99)] / 1000}

    return measure


def wrk(seconds):
    def measure(who):
        with Watched(who, NginxPages()) as work:
            said = work.client(["wrk", "-t", "2", "-c", "100", "-d", f"{seconds}s", "--latency",
                                f"http://127.0.0.1:{work.host.port}/"])  # fmt: skip
        number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", said).groups()
        return {"requests/s": float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]),
                "p99": float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]}  # fmt: skip

    return measure


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


def bulk(mebibytes, fold):
    """Down through haproxy, of random bytes, which are base64 in the trail."""
    source = "/dev/shm/sidrec-bench-source"

    def serve(listener):
        connection, _ = listener.accept()
        with connection, open(source, "rb") as file:
            for _ in range(mebibytes // 64):
                sent = 0
                while sent < 64 * MIB:
                    sent += os.sendfile(connection.fileno(), file.fileno(), sent, 64 * MIB - sent)

    def measure(who):
        with open(source, "wb") as file:
            file.write(random.randbytes(64 * MIB))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=serve, args=(listener,), daemon=True).start()
            with Watched(who, Haproxy(listener.getsockname()[1]), {"fold": fold}) as work:
                began, left, room = time.monotonic(), mebibytes * MIB, bytearray(MIB)
                with socket.create_connection(("127.0.0.1", work.host.port)) as line:
                    while left:
                        got = line.recv_into(room, min(MIB, left))
                        assert got, "the stream has ended early"
                        left -= got
                seconds = time.monotonic() - began
        os.unlink(source)
        return {"MiB/s": mebibytes / seconds, "CPU per GiB": work.cpu_s * 1024 / mebibytes}

    return measure


def connections(program, count):
    """Each says a byte and hears it again: of an event loop, or a process for each."""

    def measure(who):
        place = Workplace()
        with place:
            host = program(place.echo_backend())
            with Watched(who, host) as work:
                began = time.monotonic()
                for _ in range(count):
                    with socket.create_connection(("127.0.0.1", host.port)) as line:
                        line.sendall(b"x")
                        assert line.recv(1)
                seconds = time.monotonic() - began
        return {"wall": seconds / count * 1e6, "CPU": work.cpu_s / count * 1e6}

    return measure


# -- ssh


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


# -- the recorder itself


def cpu_of(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def drain(size, calls, fill):
    """What one recorder does for a host that never stops: by its own CPU, so that the host's is left out."""

    def measure(_):
        with Workplace() as place:
            place.settings |= {"fold": "none", "linger_ms": 1000}
            command = [os.path.join(BUILD, "call_cost"), str(size), str(calls), fill]
            subprocess.run(command, env=place.environment("bench"), check=True, capture_output=True)
            (recorder,) = place.recorders()
            last, used = -1.0, 0.0
            while used != last:  # until it has written the rest and sleeps
                time.sleep(0.2)
                last, used = used, cpu_of(recorder.pid)
            path = place.trail_files()[0]
            size_ratio = os.path.getsize(path) / (size * (calls + 2000))
        return {"records/s": calls / used / 1e6, "payload": size * calls / used / 1e9, "trail": size_ratio}

    return measure


def link(size, calls):
    """A slave in full flow and its master, each by its own CPU."""

    def measure(_):
        with Workplace() as place:
            place.settings |= {"fold": "none", "linger_ms": 1000}
            first = place.client(place.start(Socat(place.echo_backend()), "bench")).says(b"the master's")
            place.recorded(first, "bench")
            master = place.master("bench").pid
            before = cpu_of(master)
            process = subprocess.Popen([os.path.join(BUILD, "call_cost"), str(size), str(calls)],
                                       env=place.environment("bench"), stdout=subprocess.DEVNULL)  # fmt: skip
            used = 0.0
            while process.poll() is None or len(place.recorders()) > 1:
                slaves = [each.pid for each in place.recorders() if each.pid != master]
                try:
                    used = max([used, *map(cpu_of, slaves)])
                except OSError:
                    pass
                time.sleep(0.05)
            slowest = max(used, cpu_of(master) - before)
            first.close()
        return {"records/s": calls / slowest / 1e6, "payload": size * calls / slowest / 1e9}

    return measure


def idle(seconds):
    def switches(pid):
        found = 0
        for path in glob.glob(f"/proc/{pid}/task/*/status"):
            with open(path) as status:
                found += sum(int(line.split()[1]) for line in status if "voluntary_ctxt" in line)
        return found

    def measure(_):
        with Workplace() as place:
            client = place.client(place.start(Haproxy(place.echo_backend()), "bench")).says(b"then nothing")
            place.recorded(client, "bench")
            time.sleep(2)
            pid = place.recorders()[0].pid
            before = switches(pid)
            time.sleep(seconds)
            woken = switches(pid) - before
            client.close()
        return {"per minute": woken * 60 / seconds}

    return measure


def private_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup") as rollup:
        return sum(int(line.split()[1]) for line in rollup if line.startswith("Private_"))


def memory():
    def measure(who):
        with Workplace() as place:
            host = place.start(Haproxy(place.echo_backend()), "bench", recorded=who == OURS)
            clients = [place.client(host).says(b"a word" * 100) for _ in range(50)]
            if who == OURS:
                place.recorded(clients[-1], "bench")
            found = {"host": private_kib(host.pid)}
            found["recorder"] = private_kib(place.recorders()[0].pid) if who == OURS else 0
            for client in clients:
                client.close()
        return found

    return measure


def readable(count, backends):
    """From the client's having the answer, so from after the host's write, to the line in the file; the host is busy."""

    def measure(_):
        with Workplace() as place:
            host = place.start(Haproxy(backends.redis.port), "bench")
            load = subprocess.Popen(["redis-benchmark", "-h", "127.0.0.1", "-p", str(host.port), "-t", "get", "-c", "8",
                                     "-n", "100000000", "-q"], stdout=subprocess.DEVNULL)  # fmt: skip
            waits = []
            with socket.create_connection(("127.0.0.1", host.port)) as line:
                until(lambda: place.trail_paths("bench"), "a trail")
                with open(place.trail_paths("bench")[0], "rb") as trail:
                    for number in range(count):
                        mark = b"mark-%06d" % number
                        trail.seek(0, 2)
                        line.sendall(b"PING %s\r\n" % mark)
                        line.recv(100)
                        began, found, seen = time.monotonic(), 0, b""
                        while found < 2 and time.monotonic() < began + 5:
                            seen = seen[-len(mark) + 1 :] + trail.read(8 * MIB)
                            found += seen.count(mark)
                        waits.append(time.monotonic() - began)
                        time.sleep(0.01)
            load.terminate()
            load.wait()
        waits.sort()
        return {"p99": waits[int(len(waits) * 0.99)] * 1000, "median": statistics.median(waits) * 1000}

    return measure


def installed(name):
    try:
        find_program(name, (PROGRAMS,))
        return True
    except Missing:
        return False


def all_of_them(rounds, backends, quick):
    """In the order of the table of goals."""
    part = 4 if quick else 1
    watchers = [who for who in (STRACE, TCPDUMP) if installed(who)]
    ns, throughput = "ns", "requests/s"
    rounds.run("untracked descriptor, write + read", call_ns(64, 800_000 // part, tracked=False), {"per call": (ns, more(6))})
    for size, most in ((64, 50), (1024, 90), (16384, 1000)):
        calls = (400_000 if size < 16384 else 100_000) // part
        rounds.run(f"captured call of {size} B", call_ns(size, calls), {"per call": (ns, more(most))})
    for clients, requests in ((50, 200_000), (1, 60_000)):
        rounds.run(f"redis through haproxy, {clients} clients", redis(Haproxy, backends, clients, requests // part),
                   {throughput: ("", ratio(at_least=0.98)), "CPU per request": ("us", ratio(at_most=1.05))},
                   watchers if clients == 50 else ())  # fmt: skip
    rounds.run("pgbench -S through haproxy", pgbench(backends, 4 if not quick else 2),
               {"tps": ("", ratio(at_least=0.98)), "p99": ("ms", ratio(at_most=1.05))})  # fmt: skip
    rounds.run("redis through socat, 50 clients", redis(Socat, backends, 50, 100_000 // part),
               {throughput: ("", ratio(at_least=0.97)), "CPU per request": ("us", ratio(at_most=1.05))},
               (*watchers, SOCAT_XV))  # fmt: skip
    rounds.run("bulk through haproxy, kept whole", bulk(1024 // part, "none"),
               {"MiB/s": ("", ratio(at_least=0.8)), "CPU per GiB": ("s", ratio(at_most=1.8))})  # fmt: skip
    rounds.run("bulk through haproxy, folded", bulk(1024 // part, "all"),
               {"MiB/s": ("", ratio(at_least=0.95)), "CPU per GiB": ("s", None)})  # fmt: skip
    rounds.run("ssh bulk (scp), folded", ssh_bulk(512 // part), {"MiB/s": ("", ratio(at_least=0.97))})
    rounds.run("ssh echo loop", echoes(2000 // part), {"keystrokes/s": ("", ratio(at_least=0.99))})
    rounds.run("wrk through nginx, 100 connections", wrk(4 if not quick else 2),
               {throughput: ("", ratio(at_least=0.97)), "p99": ("ms", ratio(at_most=1.05))})  # fmt: skip
    rounds.run("a connection through haproxy", connections(Haproxy, 2000 // part),
               {"wall": ("us", more(5)), "CPU": ("us", None)})  # fmt: skip
    rounds.run("a connection through socat", connections(Socat, 300 // part),
               {"CPU": ("us", more(400)), "wall": ("us", more(100))})  # fmt: skip
    rounds.run("ssh login", login(10 // min(part, 2)), {"login": ("ms", ratio(at_most=1.03))})
    few = max(3, rounds.count // 2)
    rounds.run("recorder, one core, 64 B", drain(64, 2_000_000 // part, "x"),
               {"records/s": ("M/s", value(at_least=5)), "payload": ("GB/s", None), "trail": ("", None)}, count=few)  # fmt: skip
    rounds.run("recorder, one core, text of 1 KiB", drain(1024, 600_000 // part, "x"),
               {"payload": ("GB/s", value(at_least=2)), "records/s": ("M/s", None), "trail": ("", value(at_most=1.2))}, count=few)  # fmt: skip
    rounds.run("recorder, one core, binary of 16 KiB", drain(16384, 60_000 // part, "random"),
               {"payload": ("GB/s", value(at_least=2)), "records/s": ("M/s", None), "trail": ("", value(at_most=1.36))}, count=few)  # fmt: skip
    rounds.run("link, 64 B", link(64, 1_000_000 // part),
               {"records/s": ("M/s", value(at_least=2)), "payload": ("GB/s", None)}, count=few)  # fmt: skip
    rounds.run("link, 16 KiB", link(16384, 60_000 // part),
               {"payload": ("GB/s", value(at_least=1.5)), "records/s": ("M/s", None)}, count=few)  # fmt: skip
    rounds.run("wake-ups of an idle recorder", idle(3 if quick else 20), {"per minute": ("", value(at_most=0))}, count=1)
    rounds.run("private memory", memory(), {"host": ("KiB", more(128)), "recorder": ("KiB", value(at_most=512))}, count=few)
    rounds.run("written by the host, readable in the trail", readable(300 // part, backends),
               {"p99": ("ms", value(at_most=5)), "median": ("ms", None)}, count=few)  # fmt: skip
