"""Runs the victim that SIDREC_VICTIM names twice, bare and recorded.

The host must not differ: exit status, stderr and statement. The trail must hold exactly what the victim stated.
"""

import json
import os
import subprocess
import unittest

import recorded_run
import statement
import trail

VICTIM = recorded_run.VICTIMS / ("victim_" + os.environ["SIDREC_VICTIM"])
RECORDER_LATE_S = os.environ.get("SIDREC_RECORDER_LATE_S")  # as where a machine has no time for its start
NEEDED_SYMBOLS = os.environ.get("SIDREC_VICTIM_CALLS", "").split()


class VictimTest(unittest.TestCase):
    maxDiff = 4000

    def run_victim(self, environment):
        run = recorded_run.run([VICTIM], environment)
        return run.returncode, run.stderr.decode(errors="replace"), run.stdout

    def test_the_victim_really_makes_the_calls_it_is_about(self):
        symbols = subprocess.run(["nm", "-D", "--undefined-only", VICTIM], capture_output=True, text=True, check=True)
        called = {line.split()[-1].split("@")[0] for line in symbols.stdout.splitlines()}
        self.assertLessEqual(set(NEEDED_SYMBOLS), called)

    def test_the_host_is_as_without_us_and_the_trail_holds_what_it_states(self):
        bare_status, bare_stderr, bare_stdout = self.run_victim(recorded_run.bare_environment())
        self.assertEqual((bare_status, bare_stderr), (0, ""), "the victim fails without us")
        with recorded_run.Place() as place:
            if RECORDER_LATE_S:
                place.replace_recorder(f"sleep {RECORDER_LATE_S}; exec {recorded_run.RECORDER} \"$@\"")
            status, stderr, stdout = self.run_victim(place.environment())
            self.assertEqual((status, stderr), (bare_status, bare_stderr))
            said = json.loads(stdout)
            self.assertEqual(statement.without_ports(said), statement.without_ports(json.loads(bare_stdout)))
            try:
                found = statement.differences(said, place.await_sessions(len(said["connections"])))
            except (trail.BrokenTrail, KeyError, ValueError, IndexError) as broken:
                found = [f"{type(broken).__name__}: {broken}"]
            if not place.is_finished(len(said["connections"])):
                found.append("the recording did not come to its end")
            if found:
                self.fail("\n".join(found[:20]) + "\n" + place.evidence())


if __name__ == "__main__":
    unittest.main()
