"""Other people's test suites with and without the recording, test by test: the result must be the same.

Each part of a suite (a script, a file) runs bare and recorded at the same moment, each in a network of its own, so that
both meet the same load and neither sees the other's ports.
"""

import argparse
import concurrent.futures
import os
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "e2e"), HERE]
sys.dont_write_bytecode = True

from compare import Comparison  # noqa: E402
from cpython import CPython  # noqa: E402
from haproxy import Haproxy  # noqa: E402
from openssh import OpenSsh  # noqa: E402
from redis import Redis  # noqa: E402
from one_run import Cannot, Place  # noqa: E402

SUITES = {suite.name: suite for suite in (OpenSsh, Haproxy, Redis, CPython)}
QUICK = ("openssh", "cpython")  # of Debian's binary packages alone: no source is fetched
SAME, DIFFERENT, UNPROVEN, SKIPPED, TERMINATED = 0, 1, 3, 77, 143  # 2: usage, of argparse


def main():
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    chosen = options.suites or (QUICK if options.quick else list(SUITES))
    try:
        with Place(options.build) as place:
            comparisons = [compare(SUITES[name](place), options) for name in chosen]
    except Cannot as reason:
        print(f"transparency: {reason}", file=sys.stderr)
        return SKIPPED if reason.missing else UNPROVEN
    for each in comparisons:
        each.print_findings()
    Comparison.print_table(comparisons)
    if any(each.different for each in comparisons):
        return DIFFERENT
    unproven = [each.suite.name for each in comparisons if not each.recorded.connections]
    if unproven:
        print(f"transparency: nothing was recorded of {', '.join(unproven)}: this proves nothing", file=sys.stderr)
        return UNPROVEN
    return SAME


def parse():
    parser = argparse.ArgumentParser(prog="scripts/transparency", add_help=False)
    parser.add_argument("suites", nargs="*", metavar="SUITE", choices=[[], *SUITES])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    root = os.path.normpath(os.path.join(HERE, "..", ".."))
    parser.add_argument("--build", default=os.environ.get("SIDREC_BUILD", os.path.join(root, "build", "release")))
    options = parser.parse_args()
    return options


def compare(suite, options):
    print(f"==> {suite.name}: {suite.what}", flush=True)
    suite.prepare()
    parts = suite.quick if options.quick else suite.parts()
    parts = [part for part in parts if not options.only or part in options.only]
    if not parts:
        raise Cannot(f"{suite.name} has no part {' or '.join(options.only)}")
    comparison = Comparison(suite, options.keep)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        work = [pool.submit(comparison.take, part) for part in parts]
        try:
            for number, each in enumerate(concurrent.futures.as_completed(work), 1):
                print(f"[{number}/{len(parts)}] {each.result()}", flush=True)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            suite.place.interrupt()
            raise
    for line in comparison.look_again():
        print(line, flush=True)
    return comparison


if __name__ == "__main__":
    sys.exit(main())
