"""Whoever dies, at whatever moment: the trail has every byte once, or says exactly what it lacks."""

import os
import random
import shutil
import signal
import subprocess
import threading
import time

from support import processes, traffic
from support.deadline import until
from support.oracle import expect_exactly
from support.ports import free_port
from support.stock_programs import Haproxy, Socat
from support.workplace import BUILD, EndToEnd

CONNECTIONS = 20
KILLS = 10
MOST_TURNS = 40
SEED = int(os.environ.get("SIDREC_SEED", "0")) or int.from_bytes(os.urandom(4), "big")


class Killer:
    """Kills recorders of a place, any, at random moments, for as long as the block lasts."""

    def __init__(self, place, pause_s=0.1):
        self.place, self.pause_s, self.kills = place, pause_s, 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(10)

    def _run(self):
        dice = random.Random(SEED)
        while not self.over.wait(dice.uniform(0, 2 * self.pause_s)):
            recorders = self.place.recorders()
            if recorders:
                processes.kill_quietly(dice.choice(recorders).pid, signal.SIGKILL)
                self.kills += 1


class Crash(EndToEnd):
    def kill(self, *pids):
        for pid in pids:
            processes.kill_quietly(pid, signal.SIGKILL)
        until(lambda: not any(processes.is_running(pid) for pid in pids), "their death")

    def goes_on(self, clients, word):
        for client in clients:
            client.says(word)
        for client in clients:
            self.place.recorded(client)

    def ended(self, clients, connections=None):
        for client in clients:
            client.close()
        trail = self.place.ended_trail()
        expect_exactly(trail, clients)
        for connection in trail.connections.values():
            self.assertIsNot(connection.close["complete"], False, connection.close)
        return trail

    # -- recorders

    def test_the_only_recorder_is_killed_and_its_host_starts_another_one(self):
        for program in (Haproxy, Socat):
            with self.subTest(program.__name__):
                self.the_only_recorder_is_killed(program)

    def the_only_recorder_is_killed(self, program):
        sid = program.program
        host = self.place.start(program(self.place.echo_backend()), sid=sid)
        client = self.place.client(host).says(b"before")
        self.place.recorded(client, sid)
        dead = self.place.master(sid).pid
        self.kill(dead)
        client.says(b"after")
        self.place.recorded(client, sid)
        self.assertNotEqual(self.place.master(sid).pid, dead)
        client.close()
        trail = self.place.ended_trail(sid)
        expect_exactly(trail, [client])
        self.assertEqual([each["epoch"] for each in trail.masters], [1, 2])
        (connection,) = trail.connections.values()
        self.assertIs(connection.close["complete"], True, connection.close)

    def test_a_slaves_recorder_is_killed_and_the_session_stays_what_it_is(self):
        self.place.settings["linger_ms"] = 2000
        backend = self.place.echo_backend()
        first, second = self.place.start(Haproxy(backend)), self.place.start(Socat(backend))
        clients = [self.place.client(first)]
        self.goes_on(clients, b"the master's")
        master = self.place.master().pid
        clients.append(self.place.client(second))
        self.goes_on(clients, b"before")
        (slave,) = [each.pid for each in self.place.recorders() if each.pid != master]
        self.kill(slave)
        self.goes_on(clients, b"after")
        self.assertEqual(self.place.master().pid, master)
        trail = self.ended(clients)
        self.assertEqual([each["epoch"] for each in trail.masters], [1])

    def test_a_session_that_has_ended_is_not_recorded_again_by_a_successor(self):
        socat = self.place.start(Socat(self.place.echo_backend()), "s-127.0.0.2")
        first = self.place.client(socat).says(b"first there")
        self.place.recorded(first, "s-127.0.0.2")
        stopped = self.place.master("s-127.0.0.2").pid
        haproxy = self.place.start(Haproxy(self.place.echo_backend()), "s-{client_ip}")
        held_up = self.place.client(haproxy, "127.0.0.2").says(b"before")
        self.place.recorded(held_up, "s-127.0.0.2")
        processes.kill_quietly(stopped, signal.SIGSTOP)
        try:
            held_up.says(b"so that no room behind it is given back")
            others = []
            for count in (1, 2):
                others.append(self.place.client(haproxy, "127.0.0.3").says(b"once"))
                others[-1].close()
                self.place.ended_trails("s-127.0.0.3", count)
            (recorder,) = [each.pid for each in self.place.recorders() if each.pid != stopped]
            self.kill(recorder)
            held_up.says(b"and its host starts another one")
        finally:
            processes.kill_quietly(stopped, signal.SIGCONT)
        self.place.recorded(held_up, "s-127.0.0.2")
        for client in (first, held_up):
            client.close()
        expect_exactly(self.place.ended_trail("s-127.0.0.2"), [first, held_up])
        for client, trail in zip(others, self.place.ended_trails("s-127.0.0.3", 2)):
            expect_exactly(trail, [client])

    def test_all_recorders_are_killed_at_once_and_nothing_is_lost(self):
        self.place.settings["linger_ms"] = 2000
        backend = self.place.echo_backend()
        hosts = [self.place.start(program(backend)) for program in (Haproxy, Socat)]
        clients = [self.place.client(host) for host in hosts * 3]
        self.goes_on(clients, b"before")
        self.kill(*(each.pid for each in self.place.recorders()))
        self.goes_on(clients, b"after")
        self.ended(clients)

    def test_recorders_are_killed_again_and_again_under_load(self):
        print(f"seed {SEED} (SIDREC_SEED repeats it)")
        self.place.settings["linger_ms"] = 3000
        for program in (Haproxy, Socat):
            with self.subTest(program.__name__):
                self.under_fire(program)

    def under_fire(self, program):
        sid = program.program
        host = self.place.start(program(free_port()), sid=sid)
        exchanges = []
        with Killer(self.place) as killer:
            for turn in range(MOST_TURNS):
                more = traffic.plan(CONNECTIONS, SEED + turn, sources=(f"127.0.0.{10 + turn}",))
                traffic.run(host, more, SEED + turn)
                exchanges += more
                if killer.kills >= KILLS:
                    break
        print(f"{killer.kills} kills, {len(exchanges)} connections")
        self.assertGreaterEqual(killer.kills, KILLS)
        # The last kill may have been of a recorder whose host has nothing more to say: the next word starts another.
        last = self.place.client(host)
        last.socket.sendall(bytes([0]))
        last.close()
        trail = self.whole_trail(sid, {each.line.address for each in exchanges} | {last.address})
        trail.connections = {conn: each for conn, each in trail.connections.items() if each.client != last.address}
        # A host whose recorders are killed for longer than its patience lasts leaves a gap, and says so.
        print(f"{len(trail.gaps)} gaps, {sum(gap['len'] for gap in trail.gaps)} bytes")
        expect_exactly(trail, [exchange.line for exchange in exchanges], or_told_missing=True)

    def whole_trail(self, sid, clients):
        """The trail with all of these clients, when it has ended; others of that SID tell of nothing but their end: of
        a session whose only recorder was killed at its first line nobody knew."""

        def ended():
            return [trail for trail in self.place.all_ended_trails(sid) if trail.connections]

        def with_all():
            return clients <= {each.client for trail in ended() for each in trail.connections.values()}

        until(with_all, "all connections in trails that have ended", 60)
        (trail,) = ended()
        return trail

    # -- hosts

    def test_a_host_that_is_killed_has_said_everything(self):
        self.place.settings["linger_ms"] = 0
        host = self.place.start(Socat(self.place.echo_backend()))
        client = self.place.client(host).says(b"its last words")
        self.place.recorded(client)
        (serving,) = [pid for pid in host.pids() if pid != host.pid]
        client.says(b" and these")
        self.kill(serving)
        trail = self.place.ended_trail()
        (connection,) = trail.connections.values()
        self.assertEqual(connection.bytes["in"], client.sent)
        self.assertEqual(connection.close["why"], "host died")

    def test_host_and_recorder_are_killed_together_and_the_next_session_ends_theirs(self):
        self.place.settings["linger_ms"] = 100
        host = self.place.start(Socat(self.place.echo_backend()))
        client = self.place.client(host).says(b"yesterday's")
        self.place.recorded(client)
        (serving,) = [pid for pid in host.pids() if pid != host.pid]
        (recorder,) = self.place.recorders()
        os.kill(recorder.pid, signal.SIGSTOP)  # what comes now stays in the ring
        client.says(b" last words")
        until(lambda: processes.is_asleep(serving), "the return of its last write")
        self.kill(recorder.pid, serving)
        time.sleep(0.3)  # longer than the session lingers
        another = self.place.client(host).says(b"today's")
        another.close()
        first, second = self.place.ended_trails(count=2)
        self.assertEqual([bytes(each.bytes["in"]) for each in first.connections.values()], [bytes(client.sent)])
        self.assertEqual([bytes(each.bytes["in"]) for each in second.connections.values()], [b"today's"])
        self.assertEqual(next(iter(first.connections.values())).close["why"], "host died")

    def test_term_to_everything_of_a_service_ends_it_at_once_and_loses_nothing(self):
        for program in (Haproxy, Socat):
            with self.subTest(program.__name__):
                sid = program.program
                host = self.place.start(program(self.place.echo_backend()), sid=sid)
                clients = [self.place.client(host) for _ in range(3)]
                for client in clients:
                    client.says(os.urandom(100_000))
                time.sleep(0.1)  # the return of their last calls
                began = time.monotonic()
                for pid in [*host.pids(), *(each.pid for each in self.place.recorders())]:  # as systemd does, by the cgroup
                    processes.kill_quietly(pid, signal.SIGTERM)
                host.process.wait(10)
                self.assertLess(time.monotonic() - began, 1, "the service waits for its recorders")
                expect_exactly(self.place.ended_trail(sid), clients)

    # -- sidrec recover

    def recover(self):
        place = ("--run-dir", self.place.run_dir, "--audit-dir", self.place.audit_dir)
        done = subprocess.run([os.path.join(BUILD, "sidrec"), "recover", *place], capture_output=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        return done.stdout.decode()

    def leave_behind(self):
        """A client whose host and recorder have died in the middle, its last words in the ring."""
        host = self.place.start(Socat(self.place.echo_backend()))
        client = self.place.client(host).says(b"written,")
        self.place.recorded(client)
        (serving,) = [pid for pid in host.pids() if pid != host.pid]
        (recorder,) = self.place.recorders()
        os.kill(recorder.pid, signal.SIGSTOP)
        client.says(b" in the ring")
        until(lambda: processes.is_asleep(serving), "the return of its last write")
        self.kill(recorder.pid, serving)
        return client

    def test_recover_finishes_what_dead_hosts_and_recorders_have_left(self):
        client = self.leave_behind()
        self.assertRegex(self.recover(), r"finished \S+\.ring")
        trail = self.place.ended_trail(seconds=0)
        expect_exactly(trail, [client])
        self.assertEqual(next(iter(trail.connections.values())).close["why"], "host died")
        self.assertEqual(os.listdir(os.path.join(self.place.run_dir, "rings")), [])
        self.assertEqual(self.recover(), "")

    def test_a_recorder_that_cannot_write_and_is_told_to_end_leaves_all_to_recover(self):
        obstacle = os.path.join(self.place.audit_dir, "demo")  # a file where the SID's directory should be
        open(obstacle, "w").close()
        host = self.place.start(Socat(self.place.echo_backend()))
        client = self.place.client(host).says(b"not written")
        (recorder,) = until(self.place.recorders, "a recorder")
        (serving,) = [pid for pid in host.pids() if pid != host.pid]
        until(lambda: processes.is_asleep(serving), "the return of its last write")
        self.kill(serving)
        os.kill(recorder.pid, signal.SIGTERM)
        until(lambda: not processes.is_running(recorder.pid), "its end", 10)
        os.unlink(obstacle)
        self.recover()
        expect_exactly(self.place.ended_trail(seconds=0), [client])

    def test_recover_ends_a_trail_whose_rings_a_power_cut_has_taken(self):
        self.leave_behind()
        shutil.rmtree(os.path.join(self.place.run_dir, "rings"))
        self.assertRegex(self.recover(), r"ended \S+\.jsonl")
        trail = self.place.ended_trail(seconds=0)
        (connection,) = trail.connections.values()
        self.assertEqual((connection.bytes["in"], connection.close["why"]), (b"written,", "recovered"))
        self.assertIsNone(connection.close["complete"])
        self.assertEqual(trail.end["why"], "recovered")

    def test_recover_lets_alone_what_is_being_recorded(self):
        host = self.place.start(Haproxy(self.place.echo_backend()))
        client = self.place.client(host).says(b"before")
        self.place.recorded(client)
        self.assertEqual(self.recover(), "")
        self.goes_on([client], b"after")
        self.ended([client])

    def test_recover_gives_a_host_that_is_idle_its_recorder_again(self):
        host = self.place.start(Haproxy(self.place.echo_backend()))
        client = self.place.client(host).says(b"before")
        self.place.recorded(client)
        (recorder,) = self.place.recorders()
        self.kill(recorder.pid)  # which its host does not notice before it has something to say
        self.assertRegex(self.recover(), r"^recording again: \S+\.ring\n$")
        self.assertEqual(len(self.place.recorders()), 1)
        self.goes_on([client], b"after")
        self.ended([client])
