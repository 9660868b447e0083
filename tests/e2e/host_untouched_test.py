"""Where recording cannot start, the host runs on, and says so in one line on stderr. Where it can, it says nothing."""

import os
import shutil

from support import processes
from support.stock_programs import Haproxy, Socat
from support.workplace import EndToEnd


class HostUntouched(EndToEnd):
    def test_without_the_recorder_program_the_host_runs_on(self):
        alone = self.place.path("alone")
        os.mkdir(alone)
        self.place.preload = shutil.copy(self.place.preload, alone)
        self.host_runs_on_and_one_line_says_why()

    def test_with_an_impossible_audit_directory_the_host_runs_on(self):
        self.place.audit_dir = self.below_a_file("audit")
        self.host_runs_on_and_one_line_says_why()

    def test_with_an_impossible_run_directory_the_host_runs_on(self):
        self.place.run_dir = self.below_a_file("run")
        self.host_runs_on_and_one_line_says_why()

    def test_with_an_unreadable_configuration_the_host_runs_on(self):
        self.place.settings = "not an object"
        host = self.place.start(Socat(self.place.echo_backend()))
        self.place.client(host).says(b"x" * 100_000).close()
        self.assertLessEqual(len(host.stderr().splitlines()), 1, host.stderr())
        host.stop()
        processes.end([each.pid for each in self.place.recorders()])  # by default they wait for another host

    def below_a_file(self, name):
        """Not even root can make a directory there."""
        with open(self.place.path("a-file"), "w"):
            return self.place.path("a-file/" + name)

    def host_runs_on_and_one_line_says_why(self):
        for program in (Socat, Haproxy):
            host = self.place.start(program(self.place.echo_backend()))
            for _ in range(3):
                self.place.client(host).says(b"x" * 100_000).close()
            said = host.stderr().splitlines()
            self.assertEqual((len(said), host.read("stdout")), (1, ""), said)
            self.assertIn("sidrec", said[0])
