"""The system calls of 1,000 small reads and writes, bare and recorded, as strace sees them."""

import re
import shutil
import unittest

import recorded_run

CALLS_A_TURN = 4  # the victim's client is in the same thread: write, read, write, read
TURNS = 1000


@unittest.skipUnless(shutil.which("strace"), "strace is not installed")
class DataPathTest(unittest.TestCase):
    def calls_between_the_marks(self, place, preload):
        log = place.base / ("recorded.strace" if preload else "bare.strace")
        command = ["strace", "-o", log]
        for key, value in (place.shim_environment() if preload else {}).items():
            command += ["-E", f"{key}={value}"]
        run = recorded_run.run(command + [recorded_run.VICTIMS / "victim_data_path"], recorded_run.bare_environment())
        self.assertEqual((run.returncode, run.stderr), (0, b""))
        names = [match.group(1) for match in re.finditer(r"^(\w+)\(", log.read_text(errors="replace"), flags=re.M)]
        marks = [number for number, name in enumerate(names) if name == "getppid"]
        self.assertGreaterEqual(len(marks), 2)
        return names[marks[-2] + 1:marks[-1]]

    def test_the_data_path_makes_no_system_call_of_its_own_but_futex(self):
        with recorded_run.Place() as place:
            bare = self.calls_between_the_marks(place, preload=False)
            recorded = self.calls_between_the_marks(place, preload=True)
            sessions = place.await_sessions(1)
        connections = [connection for session in sessions for connection in session.connections.values()]
        self.assertEqual(len(connections), 1, "nothing was recorded, so nothing was measured")
        self.assertGreater(connections[0].streams["in"].end, 8 * TURNS)
        self.assertEqual(len(bare), CALLS_A_TURN * TURNS)
        self.assertEqual([name for name in recorded if name != "futex"], bare)
        self.assertLess(recorded.count("futex"), TURNS // 4, "a wake for each call is not rare")


if __name__ == "__main__":
    unittest.main()
