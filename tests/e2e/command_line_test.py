"""sidrec run, ls, tail and cat, on one real session of two proxies."""

import json
import os
import shutil
import subprocess

from support.deadline import until
from support.host import find_program
from support.oracle import expect_exactly
from support.stock_programs import Haproxy, Socat
from support.workplace import BUILD, EndToEnd

SIDREC = os.path.join(BUILD, "sidrec")


class CommandLine(EndToEnd):
    def sidrec(self, *words, expect=0):
        """Its standard output; or, for a refusal, its standard error."""
        environment = self.place.environment()
        del environment["LD_PRELOAD"]
        nothing = subprocess.DEVNULL
        done = subprocess.run([SIDREC, *words], env=environment, capture_output=True, timeout=30, stdin=nothing)
        self.assertEqual(done.returncode == 0, expect == 0, f"{words}: {done.returncode} {done.stderr}")
        return done.stderr.decode() if expect else done.stdout

    def one_session(self):
        backend = self.place.echo_backend()
        hosts = [self.place.start(program(backend)) for program in (Socat, Haproxy)]
        contents = (b"plain text\n", os.urandom(50_000))
        clients = [self.place.client(host).says(data) for host, data in zip(hosts, contents)]
        for client in clients:
            client.close()
        return self.place.ended_trail(), clients

    def test_run_records_like_the_environment_does(self):
        host = Socat(self.place.echo_backend())
        places = ["--audit-dir", self.place.audit_dir, "--run-dir", self.place.run_dir]
        self.place.environment()  # writes the configuration file
        prefix = [SIDREC, "run", "--sid", "by-run", *places, "--config", self.place.path("config.json"), "--"]
        self.place.start(host, recorded=False, prefix=prefix)
        client = self.place.client(host).says(b"hello")
        client.close()
        expect_exactly(self.place.ended_trail("by-run"), [client], host)

    def test_run_refuses_what_cannot_be_preloaded(self):
        setuid = shutil.copy(find_program("true"), self.place.path("setuid-true"))
        os.chmod(setuid, 0o4755)
        static = os.path.join(BUILD, "sidrec-recorder")
        for program, reason in ((setuid, "set-user"), (static, "static"), ("/no/such/program", "no such program")):
            self.assertIn(reason.lower(), self.sidrec("run", "--", program, expect=1).lower())

    def test_ls_names_each_session_and_whether_it_lives(self):
        self.one_session()
        live = self.place.start(Socat(self.place.echo_backend()), "second")
        client = self.place.client(live).says(b"hello")
        self.place.recorded(client, "second")
        lines = self.sidrec("ls").decode().splitlines()
        self.assertEqual(len([line for line in lines if "demo" in line and "ended" in line]), 1, lines)
        self.assertEqual(len([line for line in lines if "second" in line and "live" in line]), 1, lines)

    def test_cat_gives_back_the_bytes_of_one_direction(self):
        trail, clients = self.one_session()
        for client in clients:
            connection = trail.connection_of(client.address)
            for source in ("demo", trail.path):
                for direction, data in (("in", client.sent), ("out", client.received)):
                    self.assertEqual(self.sidrec("cat", source, "--conn", connection.id, "--dir", direction), data)
        self.sidrec("cat", "demo", "--conn", "no-such", "--dir", "in", expect=1)

    def test_cat_names_a_hole_instead_of_hiding_it(self):
        trail, clients = self.one_session()
        connection = trail.connection_of(clients[1].address)
        with open(trail.path, "rb") as file:
            lines = file.read().splitlines(True)
        seq = next(seq for seq, direction, _ in connection.data_lines if direction == "in")
        holed = self.place.path("holed.jsonl")
        with open(holed, "wb") as file:
            file.writelines(line for line in lines if json.loads(line)["seq"] != seq)
        self.assertRegex(self.sidrec("cat", holed, "--conn", connection.id, "--dir", "in", expect=1), r"\b0\b")

    def test_tail_json_is_the_trail(self):
        trail, _ = self.one_session()
        shown = self.sidrec("tail", "--json", "demo").splitlines()
        with open(trail.path, "rb") as file:
            lines = file.read().splitlines()
        self.assertTrue(shown)
        self.assertEqual(shown, lines[-len(shown) :])

    def test_tail_follows_a_growing_trail(self):
        host = self.place.start(Socat(self.place.echo_backend()))
        client = self.place.client(host).says(b"before")
        self.place.recorded(client)
        environment = self.place.environment()
        del environment["LD_PRELOAD"]
        command = [SIDREC, "tail", "-f", "--json", "demo"]
        with open(self.place.path("tail-output"), "wb") as out:
            tail = subprocess.Popen(command, env=environment, stdout=out, stdin=subprocess.DEVNULL)
        try:
            client.says(b"while somebody watches")

            def shown():
                with open(self.place.path("tail-output"), "rb") as file:
                    return file.read().count(b"while somebody watches") == 2

            until(shown, "the watched lines")
        finally:
            tail.terminate()
            tail.wait(10)
