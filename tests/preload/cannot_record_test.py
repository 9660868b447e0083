"""Where recording cannot start, the host runs on untouched and one line at its start says what to do."""

import json
import os
import resource
import shutil
import sys
import unittest

import recorded_run
import statement

SPEAKS_FOR_3_S = """
import socket, time
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
host, end = listener.accept()[0], time.monotonic() + 3
while time.monotonic() < end:
    client.send(b"x")
    host.send(host.recv(1))
    client.recv(1)
    time.sleep(0.01)
"""


class CannotRecordTest(unittest.TestCase):
    def assert_host_untouched(self, victim, environment, *needles, options=None, program=None):
        program = program or recorded_run.VICTIMS / ("victim_" + victim)
        bare = recorded_run.run([program], recorded_run.bare_environment(), **(options or {}))
        self.assertEqual((bare.returncode, bare.stderr), (0, b""))
        run = recorded_run.run([program], environment, **(options or {}))
        self.assertEqual(run.returncode, bare.returncode, run.stderr)
        self.assertEqual(statement.without_ports(json.loads(run.stdout)),
                         statement.without_ports(json.loads(bare.stdout)))
        lines = run.stderr.decode().splitlines()
        self.assertEqual(len(lines), 1, f"one line on stderr, not {lines}")
        for needle in needles:
            self.assertIn(needle, lines[0])
        self.assertIn("sidrec", lines[0])
        self.assertTrue(run.stderr.endswith(b"\n"))

    def test_the_recorder_program_is_missing(self):
        with recorded_run.Place() as place:
            place.replace_recorder(None)
            for victim in ("read_and_write", "splice_both_ways", "child_serves", "spawn_one_thread"):
                with self.subTest(victim):
                    self.assert_host_untouched(victim, place.environment(), "sidrec-recorder")

    def test_recorders_end_as_they_start(self):
        with recorded_run.Place() as place:
            place.replace_recorder("exit 3")
            run = recorded_run.run([sys.executable, "-c", SPEAKS_FOR_3_S], place.environment())
            self.assertEqual((run.returncode, run.stdout), (0, b""))
            self.assertRegex(run.stderr, rb"\Asidrec: not recording: one recorder [^\n]*/sidrec-recorder; [^\n]*\n\Z")

    def test_the_run_directory_is_impossible(self):
        with recorded_run.Place() as place:
            environment = {**place.environment(), "SIDREC_RUN_DIR": "/proc/nope"}
            for victim in ("read_and_write", "child_serves", "sixty_four_threads"):
                with self.subTest(victim):
                    self.assert_host_untouched(victim, environment, "/proc/nope", "SIDREC_RUN_DIR")

    def test_the_audit_directory_is_impossible(self):
        with recorded_run.Place() as place:
            environment = {**place.environment(), "SIDREC_AUDIT_DIR": "/proc/nope"}
            self.assert_host_untouched("read_and_write", environment, "/proc/nope", "SIDREC_AUDIT_DIR")

    def test_the_run_directory_is_a_file(self):
        with recorded_run.Place() as place:
            place.run_dir.write_text("in the way")
            self.assert_host_untouched("read_and_write", place.environment(), str(place.run_dir), "SIDREC_RUN_DIR")

    @unittest.skipUnless(os.geteuid() == 0, "needs root to become nobody")
    def test_the_directories_are_not_writable_for_this_user(self):
        with recorded_run.Place() as place:
            copies = place.base / "programs"
            copies.mkdir()
            for path in (recorded_run.SHIM, recorded_run.RECORDER,
                         recorded_run.VICTIMS / "victim_read_and_write"):
                shutil.copy2(path, copies)
                (copies / path.name).chmod(0o755)
            place.shim = copies / "libsidrec.so"
            self.assert_host_untouched("read_and_write", place.environment(), str(place.run_dir), "SIDREC_RUN_DIR",
                                       options={"user": 65534, "group": 65534, "extra_groups": []},
                                       program=copies / "victim_read_and_write")

    def test_a_ring_would_be_larger_than_a_file_may_be(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))

        with recorded_run.Place() as place:
            self.assert_host_untouched("read_and_write", place.environment(), "cannot make a ring in", "File too large",
                                       options={"preexec_fn": limit})
            self.assertEqual(list((place.run_dir / "rings").iterdir()), [])


if __name__ == "__main__":
    unittest.main()
