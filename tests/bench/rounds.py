"""Interleaved rounds of the same work by the bare program, by the recorded one, and by those who also watch it.

CPU is that of every process the round has brought about, the recorders and the watcher included and the client apart:
what getrusage(2) says of all children, for which this process takes in orphans (PR_SET_CHILD_SUBREAPER, prctl(2)).
"""

import ctypes
import os
import resource
import statistics
import sys
import time
from dataclasses import dataclass, field

PR_SET_CHILD_SUBREAPER = 36
BARE, OURS = "bare", "recorded"
CALM_S = 0.05  # a recorder that has done nothing for so long sleeps: while there is traffic it looks every 2 ms or 8


def adopt_orphans():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def reap_orphans():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


@dataclass
class Goal:
    """Of the median: of the ratio to the bare program, of what is more than there, or of the value itself."""

    text: str
    of: str  # "ratio", "more", "value"
    at_least: float = float("-inf")
    at_most: float = float("inf")

    def is_met(self, value):
        return self.at_least <= value <= self.at_most


def ratio(at_least=None, at_most=None):
    if at_least is not None:
        return Goal(f"≥ {at_least:g}", "ratio", at_least=at_least)
    return Goal(f"≤ {at_most:g}", "ratio", at_most=at_most)


def more(at_most):
    return Goal(f"≤ {at_most:g} more", "more", at_most=at_most)


def value(at_least=None, at_most=None):
    if at_least is not None:
        return Goal(f"≥ {at_least:g}", "value", at_least=at_least)
    return Goal(f"≤ {at_most:g}", "value", at_most=at_most)


@dataclass
class Figure:
    """One number of one piece of work, measured several times."""

    name: str
    unit: str
    goal: Goal | None
    rounds: dict = field(default_factory=dict)  # of each who did the work: its values, in the order of the rounds

    def compared(self, who=OURS):
        """By round: what the goal is of. (median, least, most)"""
        mine = self.rounds[who]
        if self.of() != "value":
            bare = self.rounds[BARE]
            mine = [m / b if self.of() == "ratio" else m - b for m, b in zip(mine, bare)]
        return statistics.median(mine), min(mine), max(mine)

    def of(self):
        return self.goal.of if self.goal else "ratio" if BARE in self.rounds else "value"

    def is_met(self):
        return self.goal is None or self.goal.is_met(self.compared()[0])

    def as_json(self):
        median, least, most = self.compared()
        return {"name": self.name, "unit": self.unit, "goal": self.goal.text if self.goal else None,
                "median": median, "least": least, "most": most, "met": self.is_met() if self.goal else None,
                "of": self.of(), "rounds": self.rounds}  # fmt: skip


class Rounds:
    def __init__(self, count):
        self.count, self.figures = count, []
        self.began = time.monotonic()

    def run(self, title, measure, goals, others=(), count=None, against_bare=False, others_each_time=False):
        """`measure(who)` gives {name: value}; `goals`: {name: (unit, Goal or None)}. `others`: who else does the work.
        The bare program does it where a goal compares with it, or `against_bare` says so."""
        count = count or self.count
        figures = {name: Figure(f"{title}: {name}", unit, goal) for name, (unit, goal) in goals.items()}
        compares = against_bare or any(goal and goal.of != "value" for _, goal in goals.values())
        for number in range(count):
            # None has a goal, and the slowest take ten times as long.
            watching = others if others_each_time or number * 3 < count else ()
            for who in (*((BARE,) if compares else ()), OURS, *watching):
                progress(f"{title}, round {number + 1} of {count}, {who}", self.began)
                for name, number_of in measure(who).items():
                    figures[name].rounds.setdefault(who, []).append(number_of)
        progress("", self.began)
        for figure in figures.values():
            self.figures.append(figure)
            show(figure)


def progress(text, began):
    if sys.stderr.isatty():
        print(f"\r\033[K{time.monotonic() - began:5.0f} s  {text}" if text else "\r\033[K", end="", file=sys.stderr, flush=True)


def show(figure):
    bare = figure.rounds.get(BARE)
    median, least, most = figure.compared()
    verdict = "" if figure.goal is None else f"{figure.goal.text:<14}{'met' if figure.is_met() else 'NOT MET'}"
    print(f"{figure.name[:64]:<64}{number(statistics.median(figure.rounds[OURS])):>10}"
          f"{number(statistics.median(bare)) if bare else '':>10} {figure.unit:<9}"
          f"{number(median) if figure.of() != 'value' else '':>8} {number(least)}..{number(most):<10} {verdict}", flush=True)  # fmt: skip
    for who, values in figure.rounds.items():
        if who not in (BARE, OURS):
            print(f"{'    ' + who:<64}{number(statistics.median(values)):>10}{'':>10} {figure.unit:<9}"
                  f"{number(figure.compared(who)[0]):>8}", flush=True)  # fmt: skip


def markdown_row(figure):
    """`figure`: as_json()."""
    mine, bare = (statistics.median(figure["rounds"][who]) if who in figure["rounds"] else None for who in (OURS, BARE))
    median, least, most = (number(figure[name]) for name in ("median", "least", "most"))
    compared = {"value": "", "more": f"{median} more", "ratio": median}[figure["of"]]
    spread = f"{least} to {most}" if len(figure["rounds"][OURS]) > 1 else "one round"
    verdict = "met" if figure["met"] else "not met"
    return (f"| {figure['name']} | {number(mine)} {figure['unit']} | {'' if bare is None else number(bare)} | {compared} | {spread} "
            f"| {figure['goal']} | {verdict} |")  # fmt: skip


MARKDOWN_HEAD = "| | recorded | bare | ratio | spread | goal | |\n|---|---|---|---|---|---|---|"


def number(value):
    return f"{value:.2f}" if abs(value) < 100 else f"{value:,.0f}"


HEAD = f"{'':<64}{'recorded':>10}{'bare':>10} {'':<9}{'ratio':>8} spread (ratio, more or value)   goal"
