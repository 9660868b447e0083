"""A trail in several files: by real recorders, read while it grows, compressed, and removed."""

import json
import os
import signal
import subprocess

from support import processes
from support.deadline import until
from support.oracle import expect_exactly
from support.stock_programs import Haproxy, Socat
from support.trail import segments_of
from support.workplace import BUILD, EndToEnd

SIDREC = os.path.join(BUILD, "sidrec")


class Segments(EndToEnd):
    def sidrec(self, *words, expect=0):
        command = [SIDREC, *words, "--audit-dir", self.place.audit_dir]
        done = subprocess.run(command, capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, expect, f"{words}: {done.stdout[-500:]} {done.stderr}")
        return done.stdout

    def bytes_from(self, trail, client):
        return self.sidrec("cat", trail.path, "--conn", trail.connection_of(client.address).id, "--dir", "in")

    def test_a_long_session_is_one_trail_in_many_files_also_for_who_follows_it(self):
        self.place.settings["segment_bytes"] = 65536
        client = self.place.client(self.place.start(Socat(self.place.echo_backend()))).says(b"first")
        self.place.recorded(client)
        command = [SIDREC, "tail", "-f", "--json", "--audit-dir", self.place.audit_dir]
        with open(self.place.path("followed"), "wb") as followed:
            tail = subprocess.Popen(command, stdout=followed, stdin=subprocess.DEVNULL)
        for _ in range(10):
            client.says(os.urandom(50_000))
        client.close()
        trail = self.place.ended_trail()
        self.assertEqual(tail.wait(20), 0)
        files = segments_of(trail.path)
        self.assertGreater(len(files), 10)
        whole = b"".join(open(file, "rb").read() for file in files)
        self.assertEqual(open(self.place.path("followed"), "rb").read(), whole)
        expect_exactly(trail, [client])
        self.assertIn(b", ended", self.sidrec("verify"))
        self.assertEqual(self.bytes_from(trail, client), client.sent)
        self.assertEqual(len(self.sidrec("ls", "--json").splitlines()), 1)

    def test_a_master_that_dies_between_files_takes_nothing_with_it(self):
        self.place.settings |= {"linger_ms": 2000, "segment_bytes": 65536}
        backend = self.place.echo_backend()
        hosts = [self.place.start(program(backend)) for program in (Socat, Haproxy)]
        clients = [self.place.client(host) for host in hosts]
        for client in clients:
            client.says(os.urandom(200_000))
            self.place.recorded(client)
        processes.kill_quietly(self.place.master().pid, signal.SIGKILL)
        for client in clients:
            client.says(os.urandom(200_000))
            self.place.recorded(client)
            client.close()
        trail = self.place.ended_trail()
        expect_exactly(trail, clients)
        self.assertEqual(len(trail.masters), 2)
        self.sidrec("verify")

    def test_prune_compresses_and_removes_what_has_ended_and_leaves_what_lives(self):
        self.place.settings["segment_bytes"] = 65536
        host = self.place.start(Socat(self.place.echo_backend()))
        client = self.place.client(host).says(b"text " * 40_000)
        client.close()
        trail = self.place.ended_trail()
        files = segments_of(trail.path)
        live = self.place.client(self.place.start(Socat(self.place.echo_backend()), "live")).says(b"text " * 40_000)
        self.place.recorded(live, "live")
        before = sum(os.path.getsize(file) for file in files)
        self.sidrec("prune", "--compress")
        packed = [file + ".zst" for file in files]
        self.assertTrue(all(os.path.exists(file) for file in packed) and not any(os.path.exists(file) for file in files))
        self.assertLess(sum(os.path.getsize(file) for file in packed) * 3, before)
        said = self.sidrec("verify", "--all").decode()
        self.assertEqual(said.count("ok  "), 2, said)
        self.assertEqual(self.bytes_from(trail, client), client.sent)
        # The live one's closed segments are compressed, and its recorder goes on and ends it.
        self.assertTrue(self.place.trail_files("live")[0].endswith(".zst"))
        self.sidrec("prune", "--older-than", "0s")
        self.assertFalse(any(os.path.exists(file) for file in packed))
        with open(os.path.join(self.place.audit_dir, ".pruned.jsonl")) as file:
            (removed,) = [json.loads(line) for line in file]
        self.assertEqual((removed["sid"], removed["segments"]), ("demo", len(files)))
        self.assertEqual(removed["hash"], trail.seals[-1]["hash"])
        live.says(b"still here")
        live.close()
        until(lambda: b", ended" in self.sidrec("verify", "live"), "the live session's end")
