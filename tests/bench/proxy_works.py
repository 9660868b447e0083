"""What proxies do: requests, queries, pages, bulk, connections. Each measure(who) runs it once and gives {name: value}."""

import glob
import os
import random
import re
import socket
import statistics
import threading
import time

from rounds import BARE, OURS
from support.stock_programs import Haproxy
from support.workplace import Workplace
from watched import BPFTRACE, MIB, SOCAT_XV, TCPDUMP, NginxPages, SocatThatTells, Watched


def redis(program, backends, clients, requests):
    def measure(who):
        host = SocatThatTells(backends.redis.port) if who == SOCAT_XV else program(backends.redis.port)
        with Watched(who, host) as work:
            # A watcher that is a hundred times slower need not be waited for.
            count = requests if who in (BARE, OURS, TCPDUMP, BPFTRACE) else requests // 20
            said = work.client(["redis-benchmark", "-h", "127.0.0.1", "-p", str(host.port), "-t", "get", "-c", str(clients),
                                "-n", str(count), "--csv"])  # fmt: skip
        return {"requests/s": float(said.strip().splitlines()[-1].split(",")[1].strip('"')),
                "CPU per request": work.cpu_s / count * 1e6}  # fmt: skip

    return measure


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
    """Each says a byte and hears it again, of an event loop, or of a process for each: how long that keeps it waiting."""

    def measure(who):
        place = Workplace()
        with place:
            host = program(place.echo_backend())
            with Watched(who, host) as work:
                waits, first = [], time.monotonic()
                for _ in range(count):
                    began = time.monotonic()
                    with socket.create_connection(("127.0.0.1", host.port)) as line:
                        line.sendall(b"x")
                        assert line.recv(1)
                        waits.append(time.monotonic() - began)
                wall = time.monotonic() - first
        return {"wall": wall / count * 1e6, "connect to first answer": statistics.median(waits) * 1e6,
                "CPU": work.cpu_s / count * 1e6}  # fmt: skip

    return measure
