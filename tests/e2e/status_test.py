"""sidrec status: each master at work is asked, and says how it is."""

import json
import os
import signal
import subprocess

from support.stock_programs import Haproxy, Socat
from support.workplace import BUILD, EndToEnd


class Status(EndToEnd):
    def status(self, *words, expect=0):
        command = [os.path.join(BUILD, "sidrec"), "status", "--run-dir", self.place.run_dir, *words]
        done = subprocess.run(command, capture_output=True, timeout=30)
        self.assertEqual(done.returncode, expect, done.stderr)
        self.complaints = done.stderr.decode()
        return done.stdout.decode()

    def a_session_of_three_hosts(self):
        backend = self.place.echo_backend()
        hosts = [self.place.start(program(backend)) for program in (Haproxy, Socat)]
        clients = [self.place.client(host) for host in (hosts[0], hosts[1], hosts[1])]
        for client in clients:
            client.says(b"hello")
            self.place.recorded(client)
        return hosts, clients

    def test_status_says_what_the_trail_and_the_processes_say(self):
        hosts, clients = self.a_session_of_three_hosts()
        trail, master = self.place.growing_trail(), self.place.master()
        (said,) = [json.loads(line) for line in self.status("--json").splitlines()]
        self.assertEqual((said["sid"], said["session"], said["epoch"]), ("demo", trail.first["session"], 1))
        self.assertEqual((said["connections"], said["bytes_in"], said["bytes_out"]), (3, 15, 15))
        self.assertEqual(said["recorder_pid"], master.pid)
        self.assertEqual((said["program"], said["pid"]), ("haproxy", hosts[0].pid))
        self.assertEqual(said["slaves"], 2)
        serving = sorted(pid for pid in hosts[1].pids() if pid != hosts[1].pid)
        self.assertEqual(sorted(slave["pid"] for slave in said["slave"]), serving)
        self.assertEqual({slave["program"] for slave in said["slave"]}, {"socat"})
        self.assertEqual((said["state"], said["queue_bytes"], said["waits"]), ("open", 0, 0))
        self.assertGreaterEqual(said["passes"], 2)
        self.assertEqual(said["records"], len(trail.records) - 1)
        table = self.status("demo").splitlines()
        self.assertEqual(len([line for line in table if line.startswith("  slave socat")]), 2)
        for client in clients:
            client.close()
        self.place.ended_trail()
        self.assertEqual((self.status(), self.status("--json")), ("", ""))

    def test_status_for_prometheus_has_each_metric_once_and_escapes_names(self):
        host = self.place.start(Socat(self.place.echo_backend()), sid='a "quoted" \\ name')
        client = self.place.client(host).says(b"hello")
        self.place.recorded(client, "*")
        text = self.status("--prometheus")
        self.assertIn('sidrec_bytes_total{sid="a \\"quoted\\" \\\\ name",dir="in"} 5\n', text)
        types = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
        self.assertEqual(len(types), len(set(types)))
        for line in text.splitlines():
            self.assertRegex(line, r'^(# (HELP|TYPE) sidrec_\w+ .+|sidrec_\w+(\{.+"\})? [0-9.e+-]+)$')

    def test_a_master_that_does_not_answer_is_named(self):
        host = self.place.start(Socat(self.place.echo_backend()))
        client = self.place.client(host).says(b"hello")
        self.place.recorded(client)
        stopped = self.place.master().pid
        os.kill(stopped, signal.SIGSTOP)
        try:
            self.assertEqual(self.status(expect=1), "")
            self.assertRegex(self.complaints, r"the master at \S+\.sock does not answer")
        finally:
            os.kill(stopped, signal.SIGCONT)
        client.says(b" again")
        self.place.recorded(client)
