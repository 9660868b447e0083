"""The statements S1 to S9 of the scheme, one after the other, seen from outside on real proxies."""

import os
import time

from support import processes
from support.deadline import until
from support.link_peer import Slave, StandInListener, StandInSlave, socket_path
from support.oracle import expect_exactly
from support.recorders import unix_sockets
from support.stock_programs import Haproxy, Socat
from support.workplace import EndToEnd

FRAME = 128 * 1024  # the largest DATA message
RETRY_MS = 300


class Scheme(EndToEnd):
    def socat(self, sid="demo"):
        return self.place.start(Socat(self.place.echo_backend()), sid)

    def haproxy(self, sid="demo"):
        return self.place.start(Haproxy(self.place.echo_backend()), sid)

    def talking(self, host, data=b"hello"):
        return self.place.client(host).says(data)

    def listening_in_run_dir(self):
        listening = {each.path for each in unix_sockets() if each.listening}
        return sorted(path for path in listening if path.startswith(self.place.run_dir))

    # S1. A recorder first tries to connect to the local socket named by its SID.

    def test_s1_recorder_first_connects_to_the_socket_named_by_its_sid(self):
        first_there = StandInListener(self.place.run_dir, "demo")
        client = self.talking(self.socat())  # and the host does not wait for it
        caller = first_there.accept()
        self.assertIn(caller.process(), [recorder.pid for recorder in self.place.recorders()])
        self.assertIn(b"demo", caller.receive()[1])
        self.assertEqual(self.place.trail_paths(), [], "someone else is there, so it does not raise itself")

        first_there.leave()
        caller.close()
        client.says(b" again").close()
        expect_exactly(self.place.ended_trail(), [client])

    # S2. If that fails it raises itself to master: binds the socket named by the SID, listens.

    def test_s2_first_recorder_raises_itself_to_master(self):
        self.assertEqual(self.listening_in_run_dir(), [])
        client = self.talking(self.socat())
        self.place.recorded(client)
        (recorder,) = self.place.recorders()
        self.assertEqual(self.place.master().pid, recorder.pid)
        self.assertEqual(recorder.listens_on, {socket_path(self.place.run_dir, "demo")})
        self.assertEqual(self.listening_in_run_dir(), [socket_path(self.place.run_dir, "demo")])

    def test_s2_another_sid_has_another_master(self):
        clients = [self.talking(self.socat(sid)) for sid in ("one", "two")]
        for client, sid in zip(clients, ("one", "two")):
            self.place.recorded(client, sid)
        self.assertNotEqual(self.place.master("one").pid, self.place.master("two").pid)
        self.assertEqual(len(self.listening_in_run_dir()), 2)

    # S3. A slave has no right to write audit data, it can only hand data to the master.

    def test_s3_slave_never_writes(self):
        socat, haproxy = self.socat(), self.haproxy()
        clients = [self.talking(host) for host in (socat, socat, haproxy, socat)]
        master = self.place.master()
        for turn in range(5):
            for client in clients:
                client.says(b"turn %d" % turn)
                self.place.recorded(client)
                writers = [recorder.pid for recorder in self.place.recorders() if recorder.trails]
                self.assertEqual(writers, [master.pid])
        self.assertEqual(len(self.place.recorders()), 4)
        for client in clients:
            client.close()
        expect_exactly(self.place.ended_trail(), clients)

    # S4. A client connection brings a new proxy process, and at the same time that process's recorder.

    def test_s4_each_connection_brings_a_process_and_a_recorder(self):
        socat = self.socat()
        self.assertEqual((len(socat.pids()), self.place.recorders()), (1, []))
        clients = []
        for count in range(1, 6):
            clients.append(self.talking(socat))
            self.place.recorded(clients[-1])
            self.assertEqual(len(socat.pids()), 1 + count)
            self.assertEqual(len(self.place.recorders()), count)
        trail = self.place.growing_trail()
        self.assertEqual({each.pid for each in trail.connections.values()}, set(socat.pids()) - {socat.pid})
        self.assertEqual(len({each.rec for each in trail.connections.values()}), 5)

    def test_s4_a_process_that_serves_many_connections_has_one_recorder(self):
        haproxy = self.haproxy()
        clients = [self.talking(haproxy) for _ in range(5)]
        for client in clients:
            self.place.recorded(client)
        self.assertEqual(len(self.place.recorders()), 1)
        self.assertEqual({each.pid for each in self.place.growing_trail().connections.values()}, {haproxy.pid})

    # S5. Audit data of a master goes directly to the storage engine.

    def test_s5_master_writes_its_own_data_without_the_link(self):
        client = self.talking(self.socat())
        for turn in range(20):
            client.says(b"turn %d" % turn)
        self.place.recorded(client)
        (recorder,) = self.place.recorders()
        self.assertEqual((len(recorder.trails), recorder.link_peers), (1, 0))
        recs = {record["rec"] for record in self.place.growing_trail().records if record["ev"] == "data"}
        self.assertEqual(recs, recorder.rings)

    # S6. A slave with data asks; a master whose waiting queue is full answers Wait, and the slave asks again.

    def test_s6_full_queue_answers_wait_and_slave_asks_again(self):
        self.place.settings |= {"queue_bytes": 2 * FRAME, "retry_ms": RETRY_MS}
        socat = self.socat()
        owner = self.talking(socat)
        self.place.recorded(owner)
        greedy = self.fill_the_queue()
        slave = self.talking(socat, b"while the queue is full")
        owner.says(b"the master's own data is not concerned")
        self.place.recorded(owner)
        self.assertEqual(greedy[-1].asks(FRAME), ("wait", RETRY_MS))
        recorded = [each.client for each in self.place.growing_trail().connections.values()]
        self.assertEqual(recorded, [owner.address], "the slave waits with its data")

        for each in greedy:
            each.close()
        self.place.recorded(slave)
        for client in (owner, slave):
            client.close()
        expect_exactly(self.place.ended_trail(), [owner, slave])

    def fill_the_queue(self):
        """Stand-in slaves whose credit takes all the room; the last of them has been told to wait."""
        peers = []
        for number in range(10):
            peers.append(StandInSlave(self.place.run_dir, "demo", f"greedy-{number}"))
            answer = peers[-1].asks(100 * FRAME)
            if answer[0] == "wait":
                self.assertEqual(answer, ("wait", RETRY_MS))
                return peers
        self.fail("the queue has no bound")

    def test_s6_slave_told_to_wait_asks_again_after_the_interval(self):
        first_there = StandInListener(self.place.run_dir, "demo")
        client = self.talking(self.socat(), b"to be asked for twice")
        slave = Slave(first_there.accept(), RETRY_MS)
        self.assertEqual((slave.sid, slave.program), ("demo", "socat"))
        for _ in range(3):
            number, size = slave.next_request()
            self.assertGreater(size, 0)
            told = time.monotonic()
            slave.told_to_wait(number, RETRY_MS)
            again, _ = slave.next_request()
            self.assertGreater(again, number)
            self.assertGreaterEqual(time.monotonic() - told, RETRY_MS / 1000 - 0.02)
            slave.told_to_wait(again, RETRY_MS)
        slave.passed(*slave.next_request())
        client.close()
        slave.served_until_it_leaves()
        first_there.leave()
        self.assertEqual((slave.bytes[0], slave.bytes[1]), (bytes(client.sent), bytes(client.received)))

    def test_s6_many_slaves_with_bulk_get_through_a_small_queue(self):
        self.place.settings |= {"queue_bytes": 2 * FRAME, "retry_ms": RETRY_MS}
        socat = self.socat()
        clients = [self.talking(socat) for _ in range(6)]
        for turn in range(4):
            for client in clients:
                client.says(os.urandom(300_000))
        for client in clients:
            client.close()
        expect_exactly(self.place.ended_trail(seconds=60), clients)

    # S7. On Pass the slave sends; the master writes in the order of generation time.

    def test_s7_order_of_generation_time_across_processes(self):
        socat, haproxy = self.socat(), self.haproxy()
        clients = [self.talking(host) for host in (socat, haproxy, socat, haproxy, socat)]
        for client in clients:
            self.place.recorded(client)  # a recorder's first events may be older than its way to the master
        said = []
        for turn in range(60):
            client = clients[(turn * 7 + turn // 5) % len(clients)]
            said.append((client.address, b"turn %d" % turn))
            client.says(said[-1][1])
        for client in clients:
            client.close()
        trail = self.place.ended_trail()
        expect_exactly(trail, clients)
        expected = [(address, direction, data.decode()) for address, data in said for direction in ("in", "out")]
        found = [
            (trail.connections[record["conn"]].client, record["dir"], record["text"])
            for record in trail.records
            if record["ev"] == "data" and record["text"].startswith("turn")
        ]
        self.assertEqual(found, expected)

    # S8. A master whose connection ends becomes Inactive and goes on serving until all slaves have left.

    def test_s8_master_without_connection_is_inactive_until_last_slave_left(self):
        socat = self.socat()
        owner = self.talking(socat)
        self.place.recorded(owner)
        master = self.place.master()
        (host,) = set(socat.pids()) - {socat.pid}
        slaves = [self.talking(socat), self.talking(self.haproxy())]
        owner.close()
        until(lambda: not processes.is_running(host), "the end of the master's host")

        late_comer = self.talking(socat, b"I came when the master had no host")
        slaves.append(late_comer)
        for turn in range(3):
            for client in slaves:
                client.says(b"turn %d" % turn)
                self.place.recorded(client)
        self.assertEqual(self.place.master().pid, master.pid)
        for client in slaves:
            client.close()
        trail = self.place.ended_trail()
        expect_exactly(trail, [owner, *slaves])
        self.assertEqual([each["ev"] for each in trail.masters], ["session.start"])
        until(lambda: not processes.is_running(master.pid), "the end of the master")

    # S9. A slave tells the master that it leaves, and the master ends if it was waiting only for this.

    def test_s9_last_slave_leaves_and_master_ends(self):
        socat = self.socat()
        clients = [self.talking(socat) for _ in range(3)]
        for client in clients:
            self.place.recorded(client)
        clients[0].close()
        clients[1].close()
        until(lambda: len(socat.pids()) == 2, "the end of two hosts")
        clients[2].says(b"the last one").close()
        expect_exactly(self.place.ended_trail(), clients)
        until(lambda: self.place.recorders() == [], "the end of all recorders")
        self.assertEqual(self.listening_in_run_dir(), [])

    def test_s9_a_later_connection_begins_a_new_session(self):
        socat = self.socat()
        for count in (1, 2):
            client = self.talking(socat)
            client.close()
            trails = self.place.ended_trails("demo", count)
            expect_exactly(trails[-1], [client])
        self.assertEqual(len({trail.first["session"] for trail in trails}), 2)
