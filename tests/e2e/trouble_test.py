"""Stalled, not dead; a disk that is full: hosts go on, and the trail has everything, or says what it lacks."""

import os
import signal
import subprocess
import time
import unittest

from support import processes
from support.deadline import until
from support.oracle import expect_exactly
from support.sshd import Sshd, TestUser
from support.stock_programs import Haproxy, Socat
from support.workplace import EndToEnd

STALL_S = 3
DISK_STALL_S = 10
SMALL = 2 * 1024 * 1024  # bytes that a disk has room for


class Stalled(EndToEnd):
    def test_a_stopped_master_is_waited_for_and_nobody_takes_over(self):
        backend = self.place.echo_backend()
        first, second = self.place.start(Haproxy(backend)), self.place.start(Socat(backend))
        clients = [self.place.client(first).says(b"the master's")]
        self.place.recorded(clients[0])
        clients.append(self.place.client(second).says(b"a slave's"))
        self.place.recorded(clients[1])
        master = self.place.master().pid
        os.kill(master, signal.SIGSTOP)
        try:
            began = time.monotonic()
            while time.monotonic() < began + STALL_S:
                for client in clients:
                    client.says(b"meanwhile ")
                clients.append(self.place.client(second).says(b"new"))
                time.sleep(0.2)
            self.assertEqual(self.place.master().pid, master, "somebody has taken over a live master")
        finally:
            os.kill(master, signal.SIGCONT)
        for client in clients:
            self.place.recorded(client)
            client.close()
        trail = self.place.ended_trail()
        expect_exactly(trail, clients)
        self.assertEqual([each["epoch"] for each in trail.masters], [1])

    def test_a_disk_that_stands_still_is_waited_for(self):
        backend = self.place.echo_backend()
        hosts = [self.place.start(program(backend)) for program in (Haproxy, Socat)]
        clients = [self.place.client(host).says(b"before") for host in hosts]
        for client in clients:
            self.place.recorded(client)
        (path,) = self.place.trail_paths()
        stall = f"inject=write:delay_enter={DISK_STALL_S}s:when=1"
        tracer = subprocess.Popen(["strace", "-qq", "-f", "-o", "/dev/null", "-e", "trace=write", "-P", path, "-e", stall,
                                   "-p", str(self.place.master().pid)])  # fmt: skip
        self.addCleanup(tracer.kill)
        until(lambda: processes.is_traced(self.place.master().pid), "the stall")
        began = time.monotonic()
        while time.monotonic() < began + DISK_STALL_S:
            for client in clients:
                client.says(b"meanwhile ")
            time.sleep(0.1)
        tracer.terminate()
        tracer.wait()
        for client in clients:
            self.place.recorded(client)
            client.close()
        trail = self.place.ended_trail()
        expect_exactly(trail, clients)
        self.assertEqual([each["epoch"] for each in trail.masters], [1], "somebody has taken over a live master")

    def test_a_stopped_recorder_is_told_of_by_gaps_when_its_ring_is_full(self):
        host = self.place.start(Socat(self.place.echo_backend()))
        client = self.place.client(host).says(b"before")
        self.place.recorded(client)
        (recorder,) = self.place.recorders()
        os.kill(recorder.pid, signal.SIGSTOP)
        try:
            for _ in range(64):
                client.says(os.urandom(64 * 1024))
        finally:
            os.kill(recorder.pid, signal.SIGCONT)
        client.says(b"after")
        client.close()
        trail = self.place.ended_trail()
        self.assertTrue(trail.gaps)
        expect_exactly(trail, [client], or_told_missing=True)
        (connection,) = trail.connections.values()
        self.assertIs(connection.close["complete"], False)
        self.assertEqual(connection.close["kernel_bytes_in"], len(client.sent))


class Errors(EndToEnd):
    """A store that answers with errors, by strace's fault injection into the recorder's own writes."""

    def test_whatever_the_store_answers_the_trail_is_whole_when_it_takes_again(self):
        for error in ("EIO", "EROFS", "EDQUOT", "ENOSPC"):
            with self.subTest(error):
                host = self.place.start(Haproxy(self.place.echo_backend()), sid=error)
                client = self.place.client(host).says(b"before")
                self.place.recorded(client, error)
                (path,) = self.place.trail_paths(error)
                injection = ["-e", "trace=write", "-P", path, "-e", f"inject=write:error={error}"]
                tracer = subprocess.Popen(["strace", "-qq", "-f", "-o", "/dev/null", *injection,
                                           "-p", str(self.place.master(error).pid)])  # fmt: skip
                self.addCleanup(tracer.kill)
                until(lambda: processes.is_traced(self.place.master(error).pid), "the injection")
                for _ in range(8):
                    client.says(os.urandom(16 * 1024))
                time.sleep(0.2)
                self.assertNotEqual(len(client.sent), self.place.growing_trail(error).connection_of(client.address).offset["in"])
                tracer.terminate()
                tracer.wait()
                self.place.recorded(client.says(b"after"), error)
                client.close()
                expect_exactly(self.place.ended_trail(error), [client])


class Strict(EndToEnd):
    def test_strict_cuts_what_cannot_be_recorded_and_says_so(self):
        self.place.settings["overload"] = "strict"
        for program in (Haproxy, Socat):
            with self.subTest(program.__name__):
                self.cuts(program)

    def cuts(self, program):
        sid = program.program
        host = self.place.start(program(self.place.echo_backend()), sid=sid)
        client = self.place.client(host).says(b"before")
        self.place.recorded(client, sid)
        (recorder,) = [each for each in self.place.recorders() if each.is_master_of(sid)]
        os.kill(recorder.pid, signal.SIGSTOP)
        try:
            with self.assertRaises((OSError, AssertionError), msg="what cannot be recorded goes on"):
                for _ in range(256):
                    client.says(os.urandom(64 * 1024))
        finally:
            os.kill(recorder.pid, signal.SIGCONT)
        self.assertTrue(processes.is_running(host.pid))
        again = self.place.client(host).says(b"there is room again")
        again.close()
        client.close()
        trail = self.place.ended_trail(sid)
        connection, other = trail.connection_of(client.address), trail.connection_of(again.address)
        self.assertEqual((connection.close["why"], connection.close["complete"]), ("cut", False))
        self.assertTrue(trail.gaps)
        self.assertLessEqual(sum(gap["len"] for gap in trail.gaps), 2 * 65536, "more passed than one call each way")
        self.assertEqual(other.bytes["in"], b"there is room again")


@unittest.skipUnless(os.geteuid() == 0, "only root can mount a small disk")
class FullDisk(EndToEnd):
    def setUp(self):
        super().setUp()
        self.mounted = []
        self.addCleanup(self.unmount)

    def unmount(self):
        for path in self.mounted:
            subprocess.run(["umount", "-l", path], check=False)

    def mount(self, options):
        # Kept where the store will be: it must outlive the place, and go before its folder does.
        path = self.place.audit_dir
        os.makedirs(path, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"mode=750,{options}", "sidrec-test", path], check=True)
        self.mounted.append(path)

    def enlarge(self):
        subprocess.run(["mount", "-o", "remount,size=256m", self.place.audit_dir], check=True)

    def test_a_full_disk_leaves_the_traffic_alone_and_is_told_of_once_there_is_room(self):
        self.mount(f"size={SMALL}")
        for program in (Haproxy, Socat):
            with self.subTest(program.__name__):
                sid = program.program
                host = self.place.start(program(self.place.echo_backend()), sid=sid)
                clients = [self.place.client(host) for _ in range(3)]
                for _ in range(64):
                    for client in clients:
                        client.says(os.urandom(32 * 1024))
                self.enlarge()
                for client in clients:
                    client.says(b"and again there is room")
                    client.close()
                trail = self.place.ended_trail(sid)
                self.assertTrue(trail.gaps, "the disk was not full")
                expect_exactly(trail, clients, or_told_missing=True)
                for connection in trail.connections.values():
                    self.assertTrue(connection.bytes["in"].endswith(b"and again there is room"))
                self.shrink()

    def test_a_full_disk_is_told_of_while_it_is_full(self):
        self.mount(f"size={SMALL}")
        host = self.place.start(Haproxy(self.place.echo_backend()))
        client = self.place.client(host).says(b"before")
        self.place.recorded(client)
        room = os.statvfs(self.place.audit_dir)
        with open(os.path.join(self.place.audit_dir, ".ballast"), "wb") as ballast:
            os.posix_fallocate(ballast.fileno(), 0, room.f_bfree * room.f_frsize)
        for _ in range(12):
            client.says(os.urandom(32 * 1024))
        full = until(lambda: [each for each in self.place.growing_trail().records if each["ev"] == "store.full"], "a word")
        self.assertEqual([each["why"] for each in full], ["No space left on device"])
        self.assertEqual(self.place.growing_trail().records[-1]["ev"], "store.full")
        self.enlarge()
        self.place.recorded(client.says(b"after"))
        client.close()
        trail = self.place.ended_trail()
        expect_exactly(trail, [client])
        told = [each["ev"] for each in trail.records if each["ev"].startswith("store.")]
        self.assertEqual(told, ["store.full", "store.room"])
        self.assertLess(full[0]["at"], next(each["at"] for each in trail.records if each["ev"] == "store.room"))

    def test_no_disk_space_is_kept_for_a_session_that_has_ended(self):
        self.mount("size=8m")
        host = self.place.start(Haproxy(self.place.echo_backend()))
        client = self.place.client(host).says(b"a word")
        self.place.recorded(client)
        (path,) = self.place.trail_paths()
        self.assertGreaterEqual(os.stat(path).st_blocks * 512, 256 * 1024)
        client.close()
        self.place.ended_trail()
        self.assertLessEqual(os.stat(path).st_blocks * 512, 8192)

    def shrink(self):
        used = os.statvfs(self.place.audit_dir)
        bytes_used = (used.f_blocks - used.f_bfree) * used.f_frsize
        subprocess.run(["mount", "-o", f"remount,size={bytes_used + SMALL}", self.place.audit_dir], check=True)

    def test_strict_cuts_ssh_logins_but_not_those_of_the_rescue_group(self):
        self.mount("size=128k")
        with TestUser("o") as operator, TestUser("r") as rescuer:
            self.place.settings |= {"overload": "strict", "rescue_group": rescuer.name, "patience_ms": 100,
                                    "spool_bytes": 0}  # fmt: skip
            sshd = self.place.start(Sshd())

            def says_much(user):
                return sshd.by_password(user.name, user.password, f"head -c {2 * SMALL} /dev/zero | tr '\\0' x").stdout

            self.assertLess(len(says_much(operator)), 2 * SMALL)
            self.assertEqual(len(says_much(rescuer)), 2 * SMALL)
            # He can do what he has come for.
            self.assertEqual(sshd.by_password(rescuer.name, rescuer.password, "echo freed").stdout, b"freed\n")
            self.enlarge()
            until(lambda: not self.place.recorders(), "the end of all sessions")
            ended = {}
            for trail in self.place.all_ended_trails():
                for connection in trail.connections.values():
                    (who,) = {each["user"] for each in connection.identities}
                    gaps = [gap for gap in trail.gaps if gap["conn"] == connection.id]
                    ended.setdefault(who, []).append((connection.close["why"], sum(gap["len"] for gap in gaps)))
            self.assertEqual([why for why, _ in ended[operator.name]], ["cut"])
            self.assertNotIn("cut", [why for why, _ in ended[rescuer.name]])
            for who in (operator.name, rescuer.name):
                self.assertGreater(ended[who][0][1], 0, "nothing was lost")

    def test_a_host_that_ends_while_the_disk_is_full_loses_nothing(self):
        self.mount("size=64k")
        host = self.place.start(Socat(self.place.echo_backend()))
        client = self.place.client(host)
        for _ in range(4):
            client.says(os.urandom(16 * 1024))
        client.close()
        until(lambda: len(host.pids()) == 1, "the end of the serving process")
        time.sleep(0.5)
        self.assertTrue(self.place.recorders(), "its recorder has ended with what it could not write")
        self.enlarge()
        trail = self.place.ended_trail()
        expect_exactly(trail, [client])
        self.assertEqual(processes.is_running(host.pid), True)
