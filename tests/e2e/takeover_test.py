"""A master that dies takes nothing with it."""

import signal

from support import processes
from support.oracle import expect_exactly
from support.stock_programs import Haproxy, Socat
from support.workplace import EndToEnd


class Takeover(EndToEnd):
    def test_master_recorder_is_killed_one_slave_takes_over_nothing_is_lost(self):
        self.place.settings["linger_ms"] = 2000
        backend = self.place.echo_backend()
        socat, haproxy = self.place.start(Socat(backend)), self.place.start(Haproxy(backend))
        clients = [self.place.client(host) for host in (socat, haproxy, socat)]
        for client in clients:
            client.says(b"before")
            self.place.recorded(client)
        dead = self.place.master().pid
        processes.kill_quietly(dead, signal.SIGKILL)
        for turn in range(10):
            for client in clients:
                client.says(b"after %d" % turn)
        for client in clients:
            self.place.recorded(client)
        self.assertNotEqual(self.place.master().pid, dead)
        for client in clients:
            client.close()
        trail = self.place.ended_trail()
        expect_exactly(trail, clients)
        masters = [(each["ev"], each["epoch"]) for each in trail.masters]
        self.assertEqual(masters, [("session.start", 1), ("master.change", 2)])
