"""What a captured call costs as there are more connections, SIDs, threads and slaves: CPU of host and recorders apart."""

import os
import subprocess
import time

from rounds import BARE, OURS
from support.processes import cpu_ns
from support.workplace import BUILD, Workplace

CALLS = 200_000
POINTS = {
    "connections": [1, 10, 100, 1000, 10000],
    "SIDs": [1, 10, 100, 1000],
    "threads": [1, 4, 16, 64],
    "slaves": [1, 10, 100, 500],
}


def series(what, quick, keep):
    """`keep[what]` gets the last round: {point: (host ns, recorder ns)}."""
    points = POINTS[what][:: len(POINTS[what]) - 1] if quick else POINTS[what]

    def measure(_):
        keep[what] = {point: added_ns(what, point) for point in points}
        sums = [sum(keep[what][point]) for point in points]
        return {"last beside first": sums[-1] / sums[0]}

    return measure


def added_ns(what, point):
    """Of the host, more than bare, and of all recorders, each call."""
    bare, _ = run(BARE, what, point)
    ours, recorders = run(OURS, what, point)
    return max(ours - bare, 0) / CALLS, recorders / CALLS


def run(who, what, point):
    hosts = point + 1 if what == "slaves" else 1  # and their master
    connections = {"connections": point, "SIDs": 1000, "threads": 64, "slaves": 1}[what]
    threads, addresses = (point if what == "threads" else 1), (point if what == "SIDs" else 1)
    command = [os.path.join(BUILD, "growth_host"), connections, threads, CALLS // hosts, addresses]
    with Workplace() as place:
        place.settings |= {"fold": "none", "linger_ms": 1000}
        environment = place.environment("{client_ip}", recorded=who == OURS)
        started = [subprocess.Popen(list(map(str, command)), env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                    text=True) for _ in range(hosts)]  # fmt: skip
        for host in started:
            assert host.stdout.readline() == "ready\n"
        before = at_rest(place) if who == OURS else 0
        for host in started:
            host.stdin.write("\n")
            host.stdin.flush()
        cpu = sum(int(host.stdout.readline()) for host in started)
        recorders = at_rest(place) - before if who == OURS else 0
        for host in started:
            host.communicate()
    return cpu, recorders


def at_rest(place):
    """The CPU that the recorders have used, once they use no more of it."""
    used, last, deadline = 0, None, time.monotonic() + 60
    while (last is None or used - last > 2_000_000) and time.monotonic() < deadline:
        time.sleep(0.2)
        last, used = used, sum(cpu_ns(each.pid) for each in place.recorders())
    return used
