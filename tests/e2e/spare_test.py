"""A recorder that has finished serves the next host of its service."""

import os
import signal
import struct
import subprocess
import sys
import time
import unittest

from support import processes
from support.deadline import until
from support.oracle import expect_exactly
from support.stock_programs import Socat
from support.workplace import EndToEnd

SPARE_MS = 30_000  # it is the test that ends them
AT_ONCE = 40
SPARES = 4  # ring::kSpares
SERVICE_AT = 24  # in a ring's header

# As nobody: listens in every slot of a service, and takes who comes.
SQUATTER = """
import os, socket, sys, time
os.setuid(65534)
listeners = []
for slot in range(int(sys.argv[2])):
    listeners.append(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
    listeners[-1].bind("\\0sidrec-spare-%s-%d" % (sys.argv[1], slot))
    listeners[-1].listen(16)
print("there", flush=True)
time.sleep(60)
"""


class Spare(EndToEnd):
    def begin(self):
        self.place.settings["spare_ms"] = SPARE_MS
        self.host = self.place.start(Socat(self.place.echo_backend()))
        self.clients = []
        self.says(b"the master's, who stays")

    def is_waiting(self, pid):
        return ".ring" not in processes.contents(pid, "maps")

    def says(self, text):
        client = self.place.client(self.host).says(text)
        self.clients.append(client)
        self.place.recorded(client)
        return client

    def recorder_of(self, client):
        (connection,) = [each for each in self.place.growing_trail().connections.values() if each.client == client.address]
        ring = connection.open["rec"] + ".ring"
        (pid,) = [each.pid for each in self.place.recorders() if ring in processes.contents(each.pid, "maps")]
        return pid

    def spare(self):
        """Of a client that came and went."""
        client = self.says(b"comes and goes")
        pid = self.recorder_of(client)
        client.close()
        until(lambda: self.is_waiting(pid), "the end of its recording")
        return pid

    def everything_is_there(self):
        for client in self.clients:
            client.close()
        trail = self.place.ended_trail()
        expect_exactly(trail, self.clients)
        self.assertEqual([each["epoch"] for each in trail.masters], [1])
        processes.end([each.pid for each in self.place.recorders()])

    def test_a_recorder_that_has_finished_serves_the_next_host_and_the_next(self):
        self.begin()
        pid = self.spare()
        slack = "timerslack_ns"  # it was a slave, whose timers may be late: as a master it must be on time
        self.assertEqual(processes.contents(pid, slack), processes.contents(self.host.pid, slack))
        for text in (b"the second", b"the third"):
            client = self.says(text)
            self.assertEqual(self.recorder_of(client), pid)
            client.close()
            until(lambda: self.is_waiting(pid), "the end of its recording")
        self.everything_is_there()

    def test_a_spare_that_is_told_to_end_ends(self):
        self.a_spare_ends_by(signal.SIGTERM)

    def test_a_spare_is_killed_and_the_next_host_starts_a_recorder(self):
        self.a_spare_ends_by(signal.SIGKILL)

    def a_spare_ends_by(self, sign):
        self.begin()
        pid = self.spare()
        os.kill(pid, sign)
        until(lambda: not processes.is_running(pid), "its end", 2)
        self.assertNotEqual(self.recorder_of(self.says(b"by another")), pid)
        self.everything_is_there()

    def test_a_spare_that_is_stopped_is_not_waited_for(self):
        self.begin()
        pid = self.spare()
        os.kill(pid, signal.SIGSTOP)
        try:
            waiting = [self.place.client(self.host).says(b"goes on") for _ in range(10)]
            for client in waiting:
                self.clients.append(client)
                client.says(b"and on")
                time.sleep(0.1)
        finally:
            os.kill(pid, signal.SIGCONT)
        for client in waiting:
            client.says(b"to the end")
        self.everything_is_there()

    def test_spares_end_when_nobody_comes(self):
        self.place.settings["spare_ms"] = 100
        client = self.place.client(self.place.start(Socat(self.place.echo_backend()))).says(b"a word")
        self.place.recorded(client)
        client.close()
        until(lambda: not self.place.recorders(), "its end", 5)

    def test_many_hosts_at_once_find_a_recorder_each(self):
        self.begin()
        for _ in range(3):
            self.spare()
            many = [self.place.client(self.host) for _ in range(AT_ONCE)]
            for client in many:
                client.says(b"one of many")
            for client in many:
                client.close()
            self.clients += many
        self.everything_is_there()

    @unittest.skipUnless(os.geteuid() == 0, "needs root to become nobody")
    def test_a_stranger_under_a_spares_name_is_given_nothing(self):
        self.begin()
        with open(os.path.join(self.place.run_dir, "rings", self.rings()[0]), "rb") as ring:
            service = "%016x" % struct.unpack_from("<Q", ring.read(64), SERVICE_AT)
        squatter = subprocess.Popen([sys.executable, "-c", SQUATTER, service, str(SPARES)], stdout=subprocess.PIPE)
        self.addCleanup(squatter.wait)
        self.addCleanup(squatter.kill)
        self.addCleanup(squatter.stdout.close)
        self.assertEqual(squatter.stdout.readline(), b"there\n")
        for text in (b"in spite of it", b"and again"):
            self.says(text).close()
        self.everything_is_there()

    def rings(self):
        return [name for name in os.listdir(os.path.join(self.place.run_dir, "rings")) if name.endswith(".ring")]
