"""Suite: what a suite must say of itself. Comparison: its tests' outcomes, bare and recorded, side by side."""

import concurrent.futures
import os
import re
import shutil
import threading
import time

from one_run import Recorded, Run, seconds

RERUNS = 8  # of a part whose outcomes differ: is it the recording, or does the bare one do so as well?
ABSENT = "absent"


class Suite:
    name = what = ""
    quick = ()  # the parts that are run in every test of this project
    limit_s = 300

    def __init__(self, place):
        self.place = place

    def prepare(self):
        """Fetches and unpacks what all its parts need."""

    def parts(self):
        raise NotImplementedError

    def run(self, part, run):
        """{test: outcome}, of one part in `run`; outcomes are words to be compared."""
        raise NotImplementedError


class Test:
    def __init__(self, bare, recorded):
        self.bare, self.recorded = [bare], [recorded]

    def again(self, bare, recorded):
        self.bare.append(bare)
        self.recorded.append(recorded)

    def strange(self):
        """Recorded runs with an outcome that no bare run had."""
        return sum(outcome not in self.bare for outcome in self.recorded)

    def verdict(self):
        if len(self.bare) == 1 and self.bare == self.recorded:
            return "same"
        return ("flaky", "once")[self.strange()] if self.strange() < 2 else "different"

    def __str__(self):
        return f"bare {', '.join(self.bare)} / recorded {', '.join(self.recorded)}"


class Comparison:
    def __init__(self, suite, keep=False):
        self.suite, self.keep = suite, keep
        self.tests, self._doubtful = {}, {}
        self.recorded = Recorded()
        self.began = self.ended = time.monotonic()
        self._lock = threading.Lock()
        self._logs = os.path.join(suite.place.logs, suite.name)
        shutil.rmtree(self._logs, ignore_errors=True)

    # -- running

    def take(self, part):
        """Runs one part both ways; one line on how it went."""
        since = time.monotonic()
        tests = {name: Test(*pair) for name, pair in self._both(part, 1).items()}
        doubtful = {name: test for name, test in tests.items() if test.strange()}
        with self._lock:
            self.tests |= tests
            if doubtful:
                self._doubtful[part] = doubtful
        rest = f"{len(doubtful)} to be looked at again" if doubtful else "the same"
        return f"{self.suite.name} {part}: {len(tests)} tests, {rest} ({seconds(since)})"

    def look_again(self):
        """Runs the parts that differ once more, alone, until a bare run has each outcome; yields a line on each."""
        for part, doubtful in sorted(self._doubtful.items()):
            since = time.monotonic()
            for number in range(2, RERUNS + 2):
                pairs = self._both(part, number)
                for name, test in doubtful.items():
                    test.again(*pairs.get(name, (ABSENT, ABSENT)))
                if not any(test.strange() for test in doubtful.values()):
                    break
            verdicts = [test.verdict() for test in doubtful.values()]
            rest = ", ".join(f"{verdicts.count(each)} {each}" for each in ("flaky", "once", "different") if each in verdicts)
            yield f"{self.suite.name} {part} again: {rest} ({seconds(since)})"
        self.ended = time.monotonic()

    def _both(self, part, number):
        runs = [Run(self.suite.place, recorded) for recorded in (False, True)]
        differ = True
        try:
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                bare, recorded = pool.map(lambda run: self.suite.run(part, run), runs)
            differ = bare != recorded
        finally:
            for run, way in zip(runs, ("bare", "recorded")):
                with self._lock:
                    self.recorded.add(run.recorded)
                keep = differ or self.keep or run.recorded.unended
                run.finish(os.path.join(self._logs, re.sub(r"[^\w.-]", "_", part), f"{way}.{number}") if keep else None)
        return {name: (bare.get(name, ABSENT), recorded.get(name, ABSENT)) for name in {**bare, **recorded}}

    # -- what has come of it

    def of(self, verdict):
        return {name: test for name, test in self.tests.items() if test.verdict() == verdict}

    @property
    def different(self):
        return self.of("different")

    def print_findings(self):
        words = {
            "different": "different",
            "once": f"different once, and not again in {RERUNS} runs",
            "flaky": "not steady: the bare suite does so as well",
        }
        for verdict, meaning in words.items():
            for name, test in sorted(self.of(verdict).items()):
                print(f"{self.suite.name}: {name}: {meaning}: {test}")
        seen = self.recorded
        programs = ", ".join(f"{program} {count}" for program, count in sorted(seen.programs.items()))
        print(f"{self.suite.name}: recorded {seen.connections} connections in {seen.trails} trails ({programs}); "
              f"{seen.gaps} gaps, {seen.incomplete} connections incomplete, {seen.unended} trails without an end")  # fmt: skip

    @staticmethod
    def print_table(comparisons):
        titles = ("suite", "tests", "same", "flaky", "once", "different", "passed bare", "connections", "trails", "time")
        rows = [titles]
        for each in comparisons:
            passed = sum(test.bare[0] == "ok" for test in each.tests.values())
            counts = [len(each.of(verdict)) for verdict in ("same", "flaky", "once", "different")]
            rows.append((each.suite.name, len(each.tests), *counts, passed, each.recorded.connections,
                         each.recorded.trails, f"{each.ended - each.began:.0f} s"))  # fmt: skip
        widths = [max(len(str(row[column])) for row in rows) for column in range(len(titles))]
        print()
        for row in rows:
            cells = [str(cell).rjust(width) for cell, width in zip(row, widths)]
            print("  ".join([str(row[0]).ljust(widths[0]), *cells[1:]]))
