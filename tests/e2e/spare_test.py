"""A recorder that has finished serves the next host of its service."""

import glob
import os
import signal
import struct
import subprocess
import sys
import time
import unittest

from support import processes
from support.accounts import everything_below
from support.deadline import until
from support.oracle import expect_exactly
from support.stock_programs import Socat, SocatOfNobody
from support.workplace import EndToEnd

SPARE_MS = 30_000  # it is the test that ends them
AT_ONCE = 40
SPARES = 8  # ring::kSpares
SERVICE_AT = 24  # in a ring's header
FACTS = 8312  # of it, which the host writes

# As nobody: listens in every slot of a service, and takes who comes.
SQUATTER = """
import os, socket, sys, time
os.setuid(65534)
listeners = []
for slot in range(int(sys.argv[2])):
    listeners.append(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
    listeners[-1].bind("\\0sidrec-spare-%s-%d" % (sys.argv[1], slot))  # "user-service"
    listeners[-1].listen(16)
print("there", flush=True)
time.sleep(60)
"""


# As nobody, a member of the recorder's group: has it make a ring, says in it what argv names, and dies.
FORGER = """
import mmap, os, socket, struct, subprocess, sys
facts = open(sys.argv[2], "rb").read()
shape = map(str, struct.unpack_from("<II", facts, 12))
os.setgroups([int(sys.argv[3])])
os.setresuid(65534, 65534, 65534)
ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
subprocess.Popen([sys.argv[1], "--make-ring", *shape], stdin=its, start_new_session=True)
_, (ring,), _, _ = socket.recv_fds(ours, 100, 1)
mmap.mmap(ring, 0)[:len(facts)] = facts
ours.send(b"1")
"""


class Spare(EndToEnd):
    def begin(self, program=Socat, installed=False, prefix=()):
        self.place.settings["spare_ms"] = SPARE_MS
        self.host = program(self.place.echo_backend())
        if installed:
            self.host.more_groups = [self.place.install().gid]
        self.place.start(self.host, prefix=prefix)
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
        self.trail = self.place.ended_trail()
        expect_exactly(self.trail, self.clients)
        self.assertEqual([each["epoch"] for each in self.trail.masters], [1])
        processes.end([each.pid for each in self.place.recorders()])

    def test_a_recorder_that_has_finished_serves_the_next_host_and_the_next(self):
        self.begin()
        self.one_serves_all_that_come()

    def test_installed_a_recorder_that_has_finished_serves_the_next_host_of_root(self):
        self.begin(installed=True)
        self.one_serves_all_that_come()
        self.are_the_owners()

    def test_installed_a_recorder_that_has_finished_makes_the_next_ring_of_another_user(self):
        self.begin(SocatOfNobody, installed=True)
        self.one_serves_all_that_come()
        self.are_the_owners()

    def test_installed_where_root_can_give_nothing_away_no_recorder_waits(self):
        self.begin(installed=True, prefix=["setpriv", "--bounding-set=-chown"])
        (pid,) = [each.pid for each in self.place.recorders()]
        self.clients[0].close()
        until(lambda: not processes.is_running(pid), "its end")
        together = [self.place.client(self.host).says(b"one of a few") for _ in range(3)]
        for client in together:
            client.close()
        said = {client.address: client for client in self.clients + together}
        for trail in self.place.ended_trails(count=4):
            (connection,) = trail.connections.values()
            expect_exactly(trail, [said.pop(connection.client)])
        logs = glob.glob(os.path.join(self.place.run_dir, "*.log"))
        self.assertEqual(sum("CAP_CHOWN" in open(log).read() for log in logs), 4)

    def are_the_owners(self):
        owner = self.place.installation.uid
        self.assertEqual({os.lstat(path).st_uid for path in everything_below(self.place.audit_dir)}, {owner})
        self.assertEqual((self.trail.first["uid"], self.trail.first["installed"]), (owner, True))

    def one_serves_all_that_come(self):
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
        self.a_stopped_spare_is_not_waited_for()

    def test_installed_a_spare_of_another_user_that_is_stopped_is_not_waited_for(self):
        self.begin(SocatOfNobody, installed=True)
        self.a_stopped_spare_is_not_waited_for()

    def a_stopped_spare_is_not_waited_for(self):
        pid = self.spare()
        self.assertTrue(processes.is_running(pid))
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
        self.many_at_once_find_a_recorder_each()

    def test_installed_many_hosts_of_root_at_once_find_a_recorder_each(self):
        self.begin(installed=True)
        self.many_at_once_find_a_recorder_each()

    def test_installed_many_hosts_of_another_user_at_once_find_a_recorder_each(self):
        self.begin(SocatOfNobody, installed=True)
        self.many_at_once_find_a_recorder_each()

    def many_at_once_find_a_recorder_each(self):
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
        service = "%d-%016x" % (os.geteuid(), *struct.unpack_from("<Q", self.facts_of_a_ring(), SERVICE_AT))
        squatter = subprocess.Popen([sys.executable, "-c", SQUATTER, service, str(SPARES)], stdout=subprocess.PIPE)
        self.addCleanup(squatter.wait)
        self.addCleanup(squatter.kill)
        self.addCleanup(squatter.stdout.close)
        self.assertEqual(squatter.stdout.readline(), b"there\n")
        for text in (b"in spite of it", b"and again"):
            self.says(text).close()
        self.everything_is_there()

    def test_installed_a_member_of_the_group_cannot_have_its_recorder_wait_for_others(self):
        self.begin(installed=True)
        with open(self.place.path("facts"), "wb") as file:
            file.write(self.facts_of_a_ring())
        before = {each.pid for each in self.place.recorders()}
        subprocess.run([sys.executable, "-c", FORGER, self.place.recorder, self.place.path("facts"),
                        str(self.place.installation.gid)], check=True, cwd="/")  # fmt: skip
        (forged,) = {each.pid for each in self.place.recorders()} - before
        until(lambda: self.is_waiting(forged), "the end of its recording")
        for text in (b"in spite of it", b"and again"):
            client = self.says(text)
            self.assertNotEqual(self.recorder_of(client), forged)
            client.close()
        self.everything_is_there()

    def facts_of_a_ring(self):
        folder = os.path.join(self.place.run_dir, "rings")
        ring = next(name for name in os.listdir(folder) if name.endswith(".ring"))
        with open(os.path.join(folder, ring), "rb") as file:
            return file.read(FACTS)
