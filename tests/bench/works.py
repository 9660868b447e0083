"""All there is to measure, each beside its goal."""

from proxy_works import bulk, connections, pgbench, redis, wrk
from recorder_works import LEAST, call_ns, drain, idle, instructions, link, memory, readable
from rounds import more, ratio, value
from ssh_works import echoes, login, ssh_bulk, terminal_bulk
from support.host import Missing, find_program
from support.stock_programs import Haproxy, Socat
from watched import BPFTRACE, SCRIPT, SOCAT_XV, STRACE, TCPDUMP, TLOG, why_no_bpftrace


def installed(name):
    try:
        find_program(name)
        return True
    except Missing:
        return False


def those_who_watch():
    watchers = [who for who in (STRACE, TCPDUMP, BPFTRACE) if installed(who)]
    if BPFTRACE in watchers and (why := why_no_bpftrace()):
        watchers.remove(BPFTRACE)
        print(f"bpftrace is left out: {why}")
    return watchers


# Of two calls: 3 ns each are eight cycles, which two instructions at a time fill. The clock wavers by a hundred.
UNTRACKED_INSTRUCTIONS = 32


def hook(most):
    """What a host that does nothing else pays by itself; the time has the waiting for its recorder, too. The least hook's
    CPU has that of its reader, its time has not."""
    goal = more(most) if most else None
    return {"CPU of the host": ("ns", goal), "time": ("ns", goal)}


def all_of_them(rounds, backends, quick):
    """In the order of the table of goals."""
    part, some = (8, 4) if quick else (1, 1)
    watchers, wrappers = those_who_watch(), [who for who in (SCRIPT, TLOG) if installed(who)]
    throughput = "requests/s"
    untracked, captured = "untracked descriptor, write + read", "captured call of {} B"
    rounds.run(untracked, call_ns(64, 800_000 // part, "untracked"), hook(None), against_bare=True)
    for size, most in ((64, 50), (1024, 90), (16384, 1000)):
        rounds.run(captured.format(size), call_ns(size, (400_000 if size < 16384 else 100_000) // part), hook(most),
                   (LEAST,), others_each_time=True)  # fmt: skip
    if installed("valgrind"):
        rounds.run(untracked, instructions(64, 2000, "untracked"),
                   {"instructions more": ("", value(at_most=UNTRACKED_INSTRUCTIONS))}, count=1)  # fmt: skip
        counted = {"instructions more": ("", None)}
        for size in (64, 1024, 16384):
            rounds.run(captured.format(size), instructions(size, 2000 if size < 16384 else 500), counted, count=1)
    for clients, requests in ((50, 100_000), (1, 15_000)):
        rounds.run(f"redis through haproxy, {clients} clients", redis(Haproxy, backends, clients, requests // some),
                   {throughput: ("", ratio(at_least=0.98)), "CPU per request": ("us", ratio(at_most=1.05))},
                   watchers if clients == 50 else ())  # fmt: skip
    rounds.run("pgbench -S through haproxy", pgbench(backends, 1 if quick else 2),
               {"tps": ("", ratio(at_least=0.98)), "p99": ("ms", ratio(at_most=1.05))})  # fmt: skip
    rounds.run("redis through socat, 50 clients", redis(Socat, backends, 50, 100_000 // part),
               {throughput: ("", ratio(at_least=0.97)), "CPU per request": ("us", ratio(at_most=1.05))},
               (*watchers, SOCAT_XV))  # fmt: skip
    rounds.run("bulk through haproxy, kept whole", bulk(1024 // part, "none"),
               {"MiB/s": ("", ratio(at_least=0.8)), "CPU per GiB": ("s", ratio(at_most=1.8))})  # fmt: skip
    rounds.run("bulk through haproxy, folded", bulk(1024 // part, "all"),
               {"MiB/s": ("", ratio(at_least=0.95)), "CPU per GiB": ("s", None)})  # fmt: skip
    rounds.run("ssh bulk (scp), folded", ssh_bulk(512 // part), {"MiB/s": ("", ratio(at_least=0.97))})
    rounds.run("ssh bulk at a terminal", terminal_bulk(64 // part), {"MiB/s": ("", None)}, wrappers)
    # Four processes on two cores: where they lie is chance, so more rounds.
    rounds.run("ssh echo loop", echoes(2000 // part), {"keystrokes/s": ("", ratio(at_least=0.99))}, wrappers,
               count=rounds.count if quick else rounds.count * 2 - 1)  # fmt: skip
    rounds.run("wrk through nginx, 100 connections", wrk(1 if quick else 3),
               {throughput: ("", ratio(at_least=0.97)), "p99": ("ms", ratio(at_most=1.05))})  # fmt: skip
    rounds.run("a connection through haproxy", connections(Haproxy, 2000 // part),
               {"wall": ("us", more(5)), "connect to first answer": ("us", None), "CPU": ("us", None)})  # fmt: skip
    rounds.run("a connection, accept to close, one process", call_ns(64, 20_000 // some, "connections"), hook(5000))
    rounds.run("a connection through socat", connections(Socat, 300 // part),
               {"CPU": ("us", more(400)), "connect to first answer": ("us", more(100)), "wall": ("us", None)})  # fmt: skip
    rounds.run("ssh login", login(1 if quick else 6), {"login": ("ms", ratio(at_most=1.03))})
    few = min(3, rounds.count)
    rounds.run("recorder, one core, 64 B", drain(64, 1_000_000 // some, "x"),
               {"records/s": ("M/s", value(at_least=5)), "payload": ("GB/s", None), "trail": ("", None)}, count=few)  # fmt: skip
    rounds.run("recorder, one core, text of 1 KiB", drain(1024, 600_000 // part, "x"),
               {"payload": ("GB/s", value(at_least=2)), "records/s": ("M/s", None), "trail": ("", value(at_most=1.2))}, count=few)  # fmt: skip
    rounds.run("recorder, one core, binary of 16 KiB", drain(16384, 60_000 // part, "random"),
               {"payload": ("GB/s", value(at_least=2)), "records/s": ("M/s", None), "trail": ("", value(at_most=1.36))}, count=few)  # fmt: skip
    rounds.run("link, 64 B", link(64, 1_000_000 // part),
               {"records/s": ("M/s", value(at_least=2)), "payload": ("GB/s", None), "kept": ("", None)}, count=few)  # fmt: skip
    rounds.run("link, 16 KiB", link(16384, 30_000 // part),
               {"payload": ("GB/s", value(at_least=1.5)), "records/s": ("M/s", None), "kept": ("", None)}, count=few)  # fmt: skip
    rounds.run("wake-ups of an idle recorder", idle(1 if quick else 10), {"per minute": ("", value(at_most=0))}, count=1)
    rounds.run("private memory", memory(), {"host": ("KiB", more(128)), "recorder": ("KiB", value(at_most=512)),
                                             "recorder, written to": ("KiB", value(at_most=512))}, count=few)  # fmt: skip
    rounds.run("written by the host, readable in the trail", readable(300 // some, backends),
               {"p99": ("ms", value(at_most=5)), "median": ("ms", None)}, count=few)  # fmt: skip
