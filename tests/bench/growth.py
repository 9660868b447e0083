"""Does a captured call cost the same however much there is? The CPU it adds while connections, SIDs, threads, slaves grow.

All sizes of a series are there at once, bare and recorded, and take turns: what the machine does meanwhile befalls all of
them. CPU is read from the processes' clocks (clock_getcpuclockid(3)) before a lap, when all are idle, and after it, when
the recorders have become so: starts, elections and ends are not in it, nor are the clients.
"""

import os
import statistics
import subprocess
import time
from dataclasses import dataclass

from rounds import CALM_S, value
from support.deadline import until
from support.processes import cpu_ns
from support.workplace import BUILD, Workplace

CALLS = 40_000  # of a lap
AT_ONCE = 4_000  # blocks that wait for the host when it begins to read
MOST_TOGETHER, MOST_OF_ONE = 1_000, 400  # connections they are in, blocks in the buffer of one
PACE_S, PACED_BLOCKS, PACED_ROUNDS = 0.25, 25, 4  # of hosts at slow work: how often and how much


def used_ns(pids):
    return sum(map(cpu_ns, pids))


@dataclass
class Shape:
    connections: int
    addresses: int = 1
    threads: int = 1
    processes: int = 1
    paced: bool = False  # one process after the other, PACED_BLOCKS of each in PACE_S; else all as fast as they can
    sid: str = "bench"

    def lap(self, part):
        """Its calls, and the words for many_calls."""
        together = min(self.connections // (self.threads * self.processes), MOST_TOGETHER)
        burst = min(MOST_OF_ONE, AT_ONCE // (together * self.threads))
        rounds, pause_us = CALLS // (burst * self.connections), 0
        if self.paced:
            rounds, burst, pause_us = PACED_ROUNDS, PACED_BLOCKS, int(PACE_S / self.processes * 1e6)
        rounds = max(1, rounds // part)
        return rounds * burst * self.connections, f"{rounds} {burst} {together} {pause_us}\n"


class Crowd:
    """many_calls at work, and its recorders."""

    def __init__(self, shape, recorded):
        self.place = Workplace()
        self.place.settings |= {"fold": "none", "linger_ms": 100}
        numbers = (shape.connections, shape.addresses, shape.threads, shape.processes)
        self.process = subprocess.Popen([os.path.join(BUILD, "many_calls"), *map(str, numbers)], text=True, bufsize=1,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=self.place.environment(shape.sid, recorded))  # fmt: skip
        self.hosts = [int(pid) for pid in self.hears("ready")]
        self.recorders = []
        self.plays(shape.lap(PACED_ROUNDS)[1])
        if recorded:
            until(lambda: self.opened() == shape.connections, "the record of each connection", 60, 0.2)
            self.recorders = [recorder.pid for recorder in self.place.recorders()]
            assert len(self.recorders) == shape.processes, f"{len(self.recorders)} recorders of {shape}"

    def opened(self):
        return sum(open(path, "rb").read().count(b'"ev":"conn.open"') for path in self.place.trail_files())

    def gaps(self):
        return sum(open(path, "rb").read().count(b'"ev":"gap"') for path in self.place.trail_files())

    def hears(self, word):
        said = self.process.stdout.readline().split()
        assert said[:1] == [word], f"many_calls says {said} and not {word}"
        return said[1:]

    def plays(self, words):
        self.process.stdin.write(words)
        self.hears("done")

    def recorders_ns(self):
        """When they have nothing left to do."""
        last, now = -1, used_ns(self.recorders)
        while self.recorders and now != last:
            time.sleep(CALM_S)
            last, now = now, used_ns(self.recorders)
        return now

    def cost(self, calls, words):
        """Of a call: of the host and of the recorders, in nanoseconds."""
        recorders, hosts = self.recorders_ns(), used_ns(self.hosts)
        self.plays(words)
        hosts = used_ns(self.hosts) - hosts
        return hosts / calls, (self.recorders_ns() - recorders) / calls

    def close(self):
        """How many gaps its trails have, now that they have ended."""
        self.process.wait(60)
        self.process.stdout.close()
        until(lambda: not self.place.recorders(), "the end of the recorders", 60, 0.1)
        gaps = self.gaps()
        self.place.__exit__(None, None, None)
        return gaps


class Series:
    """To be run by Rounds: a lap of every size each time. `costs` has of each size its laps' (host, recorders)."""

    def __init__(self, of, sizes, shape, part):
        self.of, self.sizes, self.shape, self.part = of, sizes, shape, part
        self.crowds = []
        self.gaps = 0
        self.costs = {size: [] for size in sizes}
        self.goals = {"last by first": ("", value(at_most=1.1)), "first": ("ns", None), "last": ("ns", None)}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for crowd in self.crowds:
            crowd.process.stdin.close()
        self.gaps = sum(crowd.close() for crowd in self.crowds)

    def lap(self, _):
        if not self.crowds:
            for size in self.sizes:
                for recorded in (False, True):
                    self.crowds.append(Crowd(self.shape(size), recorded))
        for size, bare, recorded in zip(self.sizes, self.crowds[::2], self.crowds[1::2]):
            lap = self.shape(size).lap(self.part)
            was, (host, recorders) = bare.cost(*lap)[0], recorded.cost(*lap)
            self.costs[size].append((host - was, recorders))
        first, last = (sum(self.costs[size][-1]) for size in (self.sizes[0], self.sizes[-1]))
        return dict(zip(self.goals, (last / first, first, last)))

    def points(self):
        """[(size, host, recorders)], medians of the laps."""
        return [(size, *(statistics.median(part) for part in zip(*laps))) for size, laps in self.costs.items()]

    def as_json(self):
        return {"of": self.of, "unit": "ns per call", "gaps": self.gaps, "host, recorders": self.costs}


def measure(rounds, quick):
    """The series that were measured."""
    most, share = (2, 2) if quick else (7, 1)
    every = [
        ("connections of a host", (1, 10, 100, 1_000, 10_000), most, share, Shape),
        ("SIDs of a host", (1, 10, 100, 1_000), most, share,
         lambda sids: Shape(1_000, addresses=sids, sid="{client_ip}")),
        ("threads of a host", (1, 4, 16, 64), most, share, lambda threads: Shape(64, threads=threads)),
        ("slaves of a master", (1, 10, 100, 500), 2 if quick else 3, share * share,
         lambda slaves: Shape(slaves + 1, processes=slaves + 1, paced=True)),
    ]  # fmt: skip
    done = []
    for of, sizes, laps, part, shape in every:
        if quick:
            sizes = (sizes[0], sizes[len(sizes) // 2], sizes[-1])
        with Series(of, sizes, shape, part) as series:
            rounds.run(f"a call, {sizes[0]} to {sizes[-1]:,} {of}", series.lap, series.goals, count=laps)
        if series.crowds:
            print(f"    gaps in the trails of all sizes: {series.gaps}", flush=True)
            done.append(series)
    return done
