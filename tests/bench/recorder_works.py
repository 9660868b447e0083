"""What hook, recorder and link do by themselves. As proxy_works.py."""

import glob
import json
import os
import re
import socket
import statistics
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from rounds import CALM_S, OURS
from support.deadline import until
from support.processes import anonymous_kib, cpu_ns, private_kib
from support.stock_programs import Haproxy, Socat
from support.workplace import BUILD, Workplace
from watched import MIB

LEAST = "the least hook"  # least_hook.cpp
WARM_UP = 2000  # rounds of call_cost before those that it times


def call_ns(size, calls, what="tracked"):
    def measure(who):
        with Workplace() as place:
            place.settings["fold"] = "none"
            environment = place.environment("bench", recorded=who == OURS)
            if who == LEAST:
                environment["LD_PRELOAD"] = os.path.join(BUILD, "libleast_hook.so")
            command = [os.path.join(BUILD, "call_cost"), str(size), str(calls), "x", what]
            said = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
        wall, cpu = map(float, said.split())
        return {"CPU of the host": cpu, "time": wall}

    return measure


def instructions(size, calls, what="tracked"):
    """Of the hooks, counted by callgrind: what `calls` more rounds take, recorded and bare; starts fall out of it."""

    def count(rounds, recorded):
        with Workplace() as place:
            place.settings["fold"] = "none"
            environment = place.environment("bench", recorded=recorded)
            if recorded:
                environment["LD_PRELOAD"] += ":" + os.path.join(BUILD, "libclone_by_fork.so")
            command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", os.path.join(BUILD, "call_cost"),
                       str(size), str(rounds), "x", what]  # fmt: skip
            process = subprocess.Popen(command, env=environment, text=True,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)  # fmt: skip
            said = process.communicate()[1]
        return int(re.search(rf"=={process.pid}== Collected : (\d+)", said)[1])

    def measure(_):
        with ThreadPoolExecutor() as at_once:  # what else the machine does is not counted
            counts = at_once.map(count, (2 * calls, calls, 2 * calls, calls), (True, True, False, False))
        most, least, bare_most, bare_least = counts
        return {"instructions more": (most - least - (bare_most - bare_least)) / calls}

    return measure


def drain(size, calls, fill):
    """What one recorder does for a host that never stops: by its own CPU, so that the host's is left out."""

    def measure(_):
        with Workplace() as place:
            place.settings |= {"fold": "none", "linger_ms": 500}
            command = [os.path.join(BUILD, "call_cost"), str(size), str(calls), fill]
            subprocess.run(command, env=place.environment("bench"), check=True, capture_output=True)
            (recorder,) = place.recorders()
            last, used = -1, 0
            while used != last:  # until it has written the rest and sleeps
                time.sleep(CALM_S)
                last, used = used, cpu_ns(recorder.pid)
            path = place.trail_files()[0]
            size_ratio = os.path.getsize(path) / (size * (calls + WARM_UP))
        return {"records/s": calls / used * 1e3, "payload": size * calls / used, "trail": size_ratio}

    return measure


def link(size, calls):
    """A slave in full flow and its master, each by its own CPU, for what has come to the trail."""

    def measure(_):
        with Workplace() as place:
            place.settings |= {"fold": "none", "linger_ms": 300}
            first = place.client(place.start(Socat(place.echo_backend()), "bench")).says(b"the master's")
            place.recorded(first, "bench")
            master = place.master("bench").pid
            before = cpu_ns(master)
            process = subprocess.Popen([os.path.join(BUILD, "call_cost"), str(size), str(calls)],
                                       env=place.environment("bench"), stdout=subprocess.DEVNULL)  # fmt: skip
            used = 0
            while process.poll() is None or len(place.recorders()) > 1:
                slaves = [each.pid for each in place.recorders() if each.pid != master]
                used = max([used, *map(cpu_ns, slaves)])
                time.sleep(0.05)
            slowest = max(used, cpu_ns(master) - before)
            with open(place.trail_files()[0]) as trail:
                gaps = [json.loads(line) for line in trail if line.startswith('{"ev":"gap"')]
            first.close()
        kept = 1 - sum(gap["len"] for gap in gaps) / (size * (calls + WARM_UP))
        return {"records/s": calls * kept / slowest * 1e3, "payload": size * calls * kept / slowest, "kept": kept}

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


def memory():
    """Of one of two proxies, each of which has a recorder: what a program's pages take once is no process's own then."""

    def measure(who):
        with Workplace() as place:
            hosts = [place.start(Haproxy(place.echo_backend()), sid, recorded=who == OURS) for sid in ("bench", "other")]
            clients = [place.client(host).says(b"a word" * 100) for host in hosts for _ in range(50)]
            if who == OURS:
                place.recorded(clients[49], "bench")
                place.recorded(clients[-1], "other")
            recorders = [recorder.pid for recorder in place.recorders()]
            found = {"host": private_kib(hosts[0].pid)}
            found["recorder"] = max(map(private_kib, recorders), default=0)
            found["recorder, written to"] = max(map(anonymous_kib, recorders), default=0)
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
                            time.sleep(0.0002)  # one that spins takes a core from those that it waits for
                            seen = seen[-len(mark) + 1 :] + trail.read(8 * MIB)
                            found += seen.count(mark)
                        waits.append(time.monotonic() - began)
                        time.sleep(0.01)
            load.terminate()
            load.wait()
        waits.sort()
        return {"p99": waits[int(len(waits) * 0.99)] * 1000, "median": statistics.median(waits) * 1000}

    return measure
