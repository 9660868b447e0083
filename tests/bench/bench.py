"""What the recording costs: real programs, bare and recorded in interleaved rounds, beside the goals of the project."""

import argparse
import json
import os
import platform
import resource
import signal
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "e2e")]

import chart  # noqa: E402
import growth  # noqa: E402
import works  # noqa: E402
from rounds import HEAD, MARKDOWN_HEAD, Rounds, adopt_orphans, markdown_row  # noqa: E402
from support.workplace import BUILD, Workplace  # noqa: E402
from watched import Backends  # noqa: E402


def main():
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n  scripts/bench              # ten minutes\n  scripts/bench --quick      # two\n"
        "  scripts/bench --only redis\n\n"
        "The table goes to standard output, all values to build/bench.json, those with a goal to build/bench.md,\n"
        "charts to build/bench.svg (ratios) and build/bench-growth.svg.\n"
        "Exit codes: 0 measured, whether goals are met or not; 2 wrong usage.",
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--rounds", type=int, help="of each piece of work (5, quick 2)")
    parser.add_argument("--only", metavar="TEXT", help="only what has this in its name")
    options = parser.parse_args()
    adopt_orphans()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    rounds = Rounds(options.rounds or (2 if options.quick else 5))
    if options.only:
        run = rounds.run
        rounds.run = lambda title, *rest, **more: run(title, *rest, **more) if options.only in title else None
    machine = f"{os.cpu_count()} cores, Linux {platform.release()}, {time.strftime('%Y-%m-%d')}"
    print(f"medians of interleaved rounds; {machine}\n\n{HEAD}", flush=True)
    with Workplace() as place:
        works.all_of_them(rounds, Backends(place), options.quick)
    grown = growth.measure(rounds, options.quick)
    out = os.path.dirname(BUILD)
    values = {"machine": machine, "figures": [figure.as_json() for figure in rounds.figures],
              "growth": [series.as_json() for series in grown]}  # fmt: skip
    with open(os.path.join(out, "bench.json"), "w") as file:
        json.dump(values, file, indent=1)
    with open(os.path.join(out, "bench.md"), "w") as file:
        rows = [markdown_row(figure) for figure in values["figures"] if figure["goal"]]
        file.write("\n".join([MARKDOWN_HEAD, *rows, ""]))
    with open(os.path.join(out, "bench.svg"), "w") as file:
        file.write(chart.ratios(rounds.figures, machine))
    if grown:
        with open(os.path.join(out, "bench-growth.svg"), "w") as file:
            file.write(chart.growth(grown, machine))
    with_goal = [figure for figure in rounds.figures if figure.goal]
    met = sum(figure.is_met() for figure in with_goal)
    print(f"\n{met} of {len(with_goal)} goals met, in {time.monotonic() - rounds.began:.0f} s; {out}/bench.json, bench*.svg")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
