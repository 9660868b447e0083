"""Peers, users and directories that lie: the trail stays right, hosts go on, and somebody says what was refused."""

import fcntl
import os
import random
import shutil
import socket
import stat
import sys
import threading
import time

from support import processes
from support.accounts import account
from support.deadline import until
from support.link_peer import BYE_ACK, DATA, HEADER, MAGIC, REFUSE, REQUEST, REQUEST_BODY, VERSION
from support.link_peer import Peer, StandInRing, StandInSlave, lock_file, socket_path
from support.oracle import expect_exactly
from support.stock_programs import Haproxy, Socat
from support.trail import Trail, has_ended
from support.workplace import EndToEnd, Missing

FLOOD = 20_000
STARTS = int(os.environ.get("SIDREC_STARTS", "10000"))
SIDS, AT_ONCE, PAUSE_S = 4, 2, 0.03


class Hostile(EndToEnd):
    def two_hosts(self):
        """A master's client and a slave's, both recorded."""
        backend = self.place.echo_backend()
        clients = []
        for program in (Haproxy, Socat):
            clients.append(self.place.client(self.place.start(program(backend))).says(b"before"))
            self.place.recorded(clients[-1])
        return clients

    def goes_on(self, clients):
        for client in clients:
            self.place.recorded(client.says(b" and after"))

    def ended_with(self, clients):
        for client in clients:
            client.close()
        trail = self.place.ended_trail()
        expect_exactly(trail, clients)
        self.assertEqual(len(trail.masters), 1, "the master was lost on the way")
        return trail

    def stranger(self):
        peer = Peer(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        peer.socket.connect(socket_path(self.place.run_dir, "demo"))
        return peer

    def refused(self, peer, why):
        """What the master says last, and nothing else."""
        kind, said = peer.receive()
        self.assertEqual(kind, REFUSE, said[:100])
        self.assertRegex(said.decode(), why)
        self.assertEqual(peer.receive()[0], None)
        peer.close()

    # -- peers of the recorder's own user

    def test_a_peer_that_floods_is_ended_and_holds_up_nobody(self):
        clients = self.two_hosts()
        flooder = StandInSlave(self.place.run_dir, "demo", "flooder")
        silent = [self.stranger() for _ in range(500)]
        over = threading.Event()

        def flood():
            try:
                for number in range(1, FLOOD):
                    flooder.send(REQUEST, REQUEST_BODY.pack(2**40, 1, 0, number, 0))
            except OSError:
                over.set()

        sender = threading.Thread(target=flood, daemon=True)
        sender.start()
        self.goes_on(clients)
        sender.join(10)
        self.assertTrue(over.is_set(), "whoever asks and does not read is not ended")
        for peer in silent:
            peer.close()
        flooder.close()
        self.goes_on(clients)
        self.ended_with(clients)

    def test_a_peer_may_say_nothing_out_of_its_state(self):
        clients = self.two_hosts()
        said = {
            HEADER.pack(MAGIC, VERSION, DATA, 0) + bytes(72): "DATA",
            HEADER.pack(MAGIC, VERSION, BYE_ACK, 0): "BYE_ACK",
            HEADER.pack(MAGIC, VERSION + 1, REQUEST, 0): "version",
            HEADER.pack(MAGIC, VERSION, 99, 0): "type",
            b"GET / HTTP/1.0\r\n\r\n": "not a message of the link",
            bytes(200_000): "oversized|datagram",
        }
        for datagram, why in said.items():
            peer = self.stranger()
            peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 400_000)
            peer.socket.send(datagram)
            self.refused(peer, why)
        self.goes_on(clients)
        self.ended_with(clients)

    def test_data_beyond_the_credit_and_of_other_sessions_is_in_no_trail(self):
        clients = self.two_hosts()
        greedy = StandInSlave(self.place.run_dir, "demo", "greedy")
        greedy.send(DATA, bytes(72))
        self.refused(greedy, "credit")
        elsewhere = StandInRing(self.place.run_dir, "elsewhere")
        peer = self.stranger()
        peer.says_hello("elsewhere", "another", elsewhere.fd)
        self.refused(peer, "another SID")
        elsewhere.close()
        self.goes_on(clients)
        trail = self.ended_with(clients)
        self.assertEqual({record.get("rec") for record in trail.records} & {"greedy", "elsewhere"}, set())

    def test_nobody_speaks_for_a_recorder_that_he_is_not(self):
        clients = self.two_hosts()
        slave = next(each for each in self.place.recorders() if not each.trails)
        (name,) = slave.rings
        path = os.path.join(self.place.run_dir, "rings", name + ".ring")
        own = StandInRing(self.place.run_dir, "liar")
        opened = os.open(path, os.O_RDWR)
        for shown in (None, own.fd, opened):
            peer = self.stranger()
            peer.says_hello(name, "demo", shown)
            self.refused(peer, f"HELLO without being the reader of .*{name}")
        os.close(opened)
        own.close()
        self.goes_on(clients)
        self.ended_with(clients)

    def test_a_slave_that_never_says_bye_ends_with_its_connection(self):
        clients = self.two_hosts()
        peer = StandInSlave(self.place.run_dir, "demo", "for-ever")
        for client in clients:
            client.close()
        time.sleep(1)
        (path,) = self.place.trail_paths()
        self.assertFalse(has_ended(path), "a slave is at work")
        peer.close()
        expect_exactly(self.place.ended_trail(), clients)

    # -- users

    def another_user(self, act):
        """Runs `act` as a user of the directories' group; he goes on until the test ends."""
        if os.geteuid() != 0:
            raise Missing("only root can become another user")
        user = account("nobody")
        ready, told = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.setgroups([])
                os.setresgid(*[user.pw_gid] * 3)
                os.setresuid(*[user.pw_uid] * 3)
                kept = act()
                os.write(told, b"ready")
                time.sleep(60)
                del kept
            except OSError as error:
                os.write(told, f"failed: {error}".encode())
            finally:
                os._exit(0)
        self.addCleanup(processes.end, [child])
        self.assertEqual(os.read(ready, 200), b"ready")

    def recorded_as_ever(self):
        client = self.place.client(self.place.start(Haproxy(self.place.echo_backend()))).says(b"as ever")
        self.place.recorded(client)
        client.close()
        expect_exactly(self.place.ended_trail(), [client])

    def test_a_user_who_takes_the_masters_place_first_is_put_aside(self):
        path = socket_path(self.place.run_dir, "demo")
        for kind in (socket.SOCK_SEQPACKET, socket.SOCK_STREAM, None):
            with self.subTest(kind):
                self.place.share_with("nobody")

                def squat():
                    if kind is None:
                        return os.symlink("/dev/null", path)
                    listener = socket.socket(socket.AF_UNIX, kind)
                    listener.bind(path)
                    os.chmod(path, 0o777)
                    listener.listen(8)
                    return listener

                self.another_user(squat)
                self.recorded_as_ever()
                self.assertFalse(os.path.lexists(path), "the master has left its socket, or the user his")
                for trail in self.place.trail_paths():
                    os.unlink(trail)

    def test_who_may_read_trails_cannot_keep_a_master_from_them(self):
        folder = os.path.join(self.place.audit_dir, "demo")
        os.mkdir(folder, 0o750)
        self.place.share_with("nobody")
        os.chmod(self.place.audit_dir, 0o750)
        os.chown(folder, -1, account("nobody").pw_gid)

        def hold():
            directory = os.open(folder, os.O_RDONLY)
            fcntl.flock(directory, fcntl.LOCK_EX)
            lock_file(directory, fcntl.F_RDLCK)
            return directory

        self.another_user(hold)
        self.recorded_as_ever()
        self.assertEqual(stat.S_IMODE(os.stat(os.path.join(folder, ".lock")).st_mode), 0o600)

    def test_a_run_directory_that_others_can_change_is_not_used(self):
        if os.geteuid() != 0:
            raise Missing("only root can give a directory to another user")
        self.place.open_to_all()
        his = self.place.path("his")
        for user, mode, is_link in ((account("nobody").pw_uid, 0o755, False), (account("nobody").pw_uid, 0o755, True),
                                    (0, 0o777, False)):  # fmt: skip
            with self.subTest(user=user, mode=mode, is_link=is_link):
                os.mkdir(his, mode)
                os.chown(his, user, -1)
                os.chmod(his, mode)
                run_dir = self.place.path("run-link") if is_link else his
                if is_link:
                    os.symlink(his, run_dir)
                self.place.run_dir = run_dir
                host = self.place.start(Socat(self.place.echo_backend()))
                client = self.place.client(host).says(b"served all the same")
                client.close()
                with open(host.path("stderr")) as said:
                    self.assertRegex(said.read(), f"sidrec: not recording: others could change what is in {run_dir}")
                self.assertEqual([name for name in os.listdir(his) if name != "rings"], [])
                shutil.rmtree(his)
        self.assertEqual(self.place.trail_paths(), [])

    # -- two masters

    def test_ten_thousand_starts_never_make_two_masters(self):
        """Every connection brings a recorder, which may become master; sessions end as soon as they can, so that masters
        come and go under the hands of those who arrive. Two at once would tear the trail, or a client's bytes."""
        self.place.settings["linger_ms"] = 0
        backend, count, clients = self.place.echo_backend(), threading.Semaphore(STARTS), {}

        def connect(host, connected):
            while count.acquire(blocking=False):
                client = self.place.client(host).says(b"a start")
                client.close()
                connected.append(client.address)
                time.sleep(random.uniform(0, PAUSE_S))  # so that now and then all have ended

        threads = []
        for sid in map(str, range(SIDS)):
            host = self.place.start(Socat(backend), sid=sid)
            clients[sid] = []
            threads += [threading.Thread(target=connect, args=(host, clients[sid]), daemon=True) for _ in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sum(map(len, clients.values())), STARTS)
        until(lambda: not self.place.recorders(), "the end of all recorders", 60, 0.1)
        for sid, connected in clients.items():
            recorded = []
            for path in self.place.trail_paths(sid):
                for connection in Trail(path).connections.values():
                    self.assertEqual((connection.bytes["in"], connection.bytes["out"]), (b"a start", b"a start"))
                    recorded.append(connection.client)
            self.assertEqual(sorted(recorded), sorted(connected))
        sessions = len(self.place.trail_paths())
        self.assertGreater(sessions, STARTS // 20, "hardly an election: this shows nothing")
        print(f"{STARTS} starts, {sessions} sessions", file=sys.stderr)
