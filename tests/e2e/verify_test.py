"""sidrec verify, on what real recorders have written. That every seal fits, the oracle of all other tests proves too."""

import glob
import os
import signal
import subprocess

from support import processes
from support.deadline import until
from support.stock_programs import Haproxy, Socat
from support.workplace import BUILD, EndToEnd


class Verify(EndToEnd):
    def verify(self, *words):
        """Its exit code, and what it says of the one trail."""
        command = [os.path.join(BUILD, "sidrec"), "verify", "--audit-dir", self.place.audit_dir, *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout

    def key(self):
        secret, public = self.place.path("seal.pem"), self.place.path("seal.pub")
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", secret], check=True, capture_output=True)
        subprocess.run(["openssl", "pkey", "-pubout", "-in", secret, "-out", public], check=True, capture_output=True)
        os.chmod(secret, 0o600)
        self.place.settings["seal_key"] = secret
        return secret, public

    def test_a_silent_session_is_sealed_while_it_lives_and_again_at_its_end(self):
        self.place.settings["seal_seconds"] = 1
        client = self.place.client(self.place.start(Socat(self.place.echo_backend()))).says(b"hello")
        self.place.recorded(client)

        def sealed():
            code, said = self.verify()
            self.assertEqual(code, 0, said)
            return "1 seal, live\n" in said

        until(sealed, "a seal over all there is")
        client.close()
        self.assertEqual(len(self.place.ended_trail().seals), 2)
        code, said = self.verify()
        self.assertEqual(code, 0, said)
        self.assertIn("2 seals, ended", said)

    def test_a_trail_of_two_masters_is_one_chain(self):
        self.place.settings |= {"linger_ms": 2000, "seal_bytes": 4096}
        backend = self.place.echo_backend()
        hosts = [self.place.start(program(backend)) for program in (Socat, Haproxy)]
        clients = [self.place.client(host).says(os.urandom(10_000)) for host in hosts]
        for client in clients:
            self.place.recorded(client)
        processes.kill_quietly(self.place.master().pid, signal.SIGKILL)
        for client in clients:
            client.says(os.urandom(10_000))
            self.place.recorded(client)
            client.close()
        trail = self.place.ended_trail()
        self.assertEqual(len(trail.masters), 2)
        self.assertGreaterEqual(len(trail.seals), 4)
        self.assertEqual(self.verify()[0], 0)

    def test_signed_seals_are_verified_by_the_public_half(self):
        _, public = self.key()
        self.place.client(self.place.start(Socat(self.place.echo_backend()))).says(b"hello").close()
        trail = self.place.ended_trail()
        self.assertIn("1 seal, signed, ended", self.verify("--public-key", public)[1])
        with open(trail.path, "rb+") as file:
            sound = file.read()
            file.seek(sound.index(b"hello"))
            file.write(b"Hello")
        code, said = self.verify("--public-key", public)
        self.assertEqual(code, 3, said)
        self.assertIn(f"{trail.path}:7: this seal does not fit", said)

    def test_a_key_that_others_may_read_signs_nothing_and_is_complained_about(self):
        secret, public = self.key()
        os.chmod(secret, 0o644)
        client = self.place.client(self.place.start(Socat(self.place.echo_backend()))).says(b"hello")
        self.place.recorded(client)
        (log,) = glob.glob(self.place.run_dir + "/recorder-*.log")
        with open(log) as file:
            self.assertIn("must be a file of the recorder's user or root, mode 0600 or 0400; seals are not signed", file.read())
        client.close()
        self.place.ended_trail()
        self.assertEqual(self.verify()[0], 0)
        self.assertEqual(self.verify("--public-key", public)[0], 3)
