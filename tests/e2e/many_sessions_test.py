"""One recorder serves all connections of its host, whatever their SIDs: its role is per SID."""

import os
import signal
import threading
import time

from support import processes, traffic
from support.link_peer import Slave, StandInListener
from support.oracle import expect_exactly
from support.ports import free_port
from support.stock_programs import Haproxy, Socat
from support.workplace import EndToEnd

KIB = 1024
SIDS, WAITED_S = 1000, int(os.environ.get("SIDREC_WAITED_S", "5"))
SEED = int(os.environ.get("SIDREC_SEED", "0")) or int.from_bytes(os.urandom(4), "big")


class ManySessions(EndToEnd):
    def test_one_recorder_is_master_of_one_sid_and_slave_of_another(self):
        socat = self.place.start(Socat(self.place.echo_backend()), "s-127.0.0.2")
        first = self.place.client(socat).says(b"first there")
        self.place.recorded(first, "s-127.0.0.2")
        haproxy = self.place.start(Haproxy(self.place.echo_backend()), "s-{client_ip}")
        clients = {ip: self.place.client(haproxy, ip).says(b"from " + ip.encode()) for ip in ("127.0.0.2", "127.0.0.3")}
        for ip, client in clients.items():
            self.place.recorded(client, "s-" + ip)
        masters = self.place.master("s-127.0.0.2"), self.place.master("s-127.0.0.3")
        self.assertNotEqual(masters[0].pid, masters[1].pid)
        recorder_of_haproxy = self.place.growing_trail("s-127.0.0.3").connection_of(clients["127.0.0.3"].address).rec
        self.assertIn(recorder_of_haproxy, masters[1].rings)
        for client in (first, *clients.values()):
            client.close()
        expect_exactly(self.place.ended_trail("s-127.0.0.2"), [first, clients["127.0.0.2"]])
        expect_exactly(self.place.ended_trail("s-127.0.0.3"), [clients["127.0.0.3"]])

    def test_a_sid_whose_master_does_not_answer_holds_up_no_other(self):
        socat = self.place.start(Socat(self.place.echo_backend()), "s-127.0.0.2")
        first = self.place.client(socat).says(b"first there")
        self.place.recorded(first, "s-127.0.0.2")
        stopped = self.place.master("s-127.0.0.2").pid
        haproxy = self.place.start(Haproxy(self.place.echo_backend()), "s-{client_ip}")
        held_up = self.place.client(haproxy, "127.0.0.2").says(b"before")
        self.place.recorded(held_up, "s-127.0.0.2")
        free = self.place.client(haproxy, "127.0.0.3")
        processes.kill_quietly(stopped, signal.SIGSTOP)
        try:
            for _ in range(20):
                held_up.says(os.urandom(64 * KIB))
                free.says(os.urandom(64 * KIB))
            self.place.recorded(free, "s-127.0.0.3")
        finally:
            processes.kill_quietly(stopped, signal.SIGCONT)
        for client in (first, held_up, free):
            client.close()
        expect_exactly(self.place.ended_trail("s-127.0.0.2"), [first, held_up])
        expect_exactly(self.place.ended_trail("s-127.0.0.3"), [free])

    def test_one_of_a_thousand_sids_that_must_wait_holds_up_no_other(self):
        sources = [f"127.0.{2 + number // 250}.{1 + number % 250}" for number in range(SIDS)]
        waiting = "s-" + sources[0]
        self.place.settings |= {"linger_ms": 3000, "retry_ms": 500}
        haproxy = self.place.start(Haproxy(self.place.echo_backend()), "s-{client_ip}")
        first = self.place.client(haproxy, "127.0.9.9").says(b"makes the recorder, and with it the run directory")
        self.place.recorded(first, "s-127.0.9.9")
        master = StandInListener(self.place.run_dir, waiting)
        clients = [self.place.client(haproxy, source).says(b"hello") for source in sources]
        slave, over = Slave(master.accept(), 500), threading.Event()

        def tells_it_to_wait():
            while not over.is_set():
                slave.told_to_wait(slave.next_request()[0], 500)

        teller = threading.Thread(target=tells_it_to_wait, daemon=True)
        teller.start()
        end = time.monotonic() + WAITED_S
        while time.monotonic() < end:
            clients[0].says(os.urandom(256 * KIB))  # in all more than the ring holds
            for client in clients[1:]:
                client.says(b"not held up")
            time.sleep(0.5)
        for client in clients[1:]:
            client.close()
        ended = {trail.sid_folder: trail for trail in self.place.ended_trails("s-127.0.[2-5].*", SIDS - 1, 60)}
        for source, client in zip(sources[1:], clients[1:]):
            expect_exactly(ended["s-" + source], [client])
        self.assertNotIn(waiting, ended)
        over.set()
        teller.join(10)
        clients[0].close()
        slave.served_until_it_leaves()
        self.assertEqual(slave.bytes[0], bytes(clients[0].sent))
        self.assertEqual(slave.bytes[1], bytes(clients[0].received))
        master.leave()
        first.close()

    def test_200_connections_through_socat_under_one_sid_are_complete(self):
        self.place.settings["linger_ms"] = 2000  # 200 forks on a busy machine may come in bursts
        print(f"seed {SEED}")
        host = self.place.start(Socat(free_port()))
        exchanges = traffic.plan(200, SEED, largest=64 * KIB)
        traffic.run(host, exchanges, SEED)
        trail = self.place.ended_trail(seconds=60)
        expect_exactly(trail, [exchange.line for exchange in exchanges], host)
        self.assertEqual(len({connection.rec for connection in trail.connections.values()}), 200)
        self.assertEqual([each["ev"] for each in trail.masters], ["session.start"])

    def test_2000_connections_over_100_sids_through_one_haproxy_are_complete(self):
        self.place.settings["linger_ms"] = 2000
        print(f"seed {SEED}")
        host = self.place.start(Haproxy(free_port()), "s-{client_ip}")
        sources = [f"127.0.1.{number}" for number in range(1, 101)]
        exchanges = traffic.plan(2000, SEED, largest=4 * KIB, sources=sources)
        traffic.run(host, exchanges, SEED)
        trails = self.place.ended_trails(count=100, seconds=60)
        for source, trail in zip(sorted(sources), sorted(trails, key=lambda each: each.sid_folder)):
            self.assertEqual(trail.sid_folder, "s-" + source)
            expect_exactly(trail, [each.line for each in exchanges if each.source == source], host)
