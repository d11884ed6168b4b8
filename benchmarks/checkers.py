"""Gradient checkers compared: wrong rules found, right ones condemned, time per check.

The banks are those of `tests/faults`, so that this suite needs the repository. Each
checker runs in a process of its own, at its defaults.
"""

from __future__ import annotations

import math
import multiprocessing
import re
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from time import perf_counter
from typing import Any

from benchmarks import tables
from benchmarks.checker_forms import FORMS, LIBRARIES, banks, outcome
from benchmarks.run import OURS, Result

TIMED = "dtype: "  # the kind of calm pairs that are timed, in float64
# What does as much: PyTorch's checks first derivatives in reverse mode.
LIKE = {"torch gradcheck": "autograd_lite, order 1"}
KINKS = ("kink", "second-order kink", "edge")


@dataclass
class Score:
    """What a checker said: the name of each case, and its outcome there."""

    name: str
    faults: dict[str, str] = field(default_factory=dict)
    twins: dict[str, str] = field(default_factory=dict)  # the right rules of the same
    calm: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def detected(self) -> tuple[int, int]:
        """The number of faults rejected, of those shown."""
        shown = [k for k in self.faults if "unable" not in self._both(k)]
        return sum(self.faults[k] == "rejected" for k in shown), len(shown)

    def told_apart(self) -> int:
        """The number of faults rejected whose right twins are accepted."""
        return sum(self._both(k) == ("rejected", "accepted") for k in self.faults)

    def alarms(self, kinked: bool) -> tuple[int, int]:
        """The number of right functions rejected, of those shown."""
        found = [
            said
            for key, said in self.calm.items()
            if said != "unable" and (key.split(":")[0] in KINKS) == kinked
        ]
        return found.count("rejected"), len(found)

    def _both(self, key: str) -> tuple[str, str]:
        return self.faults[key], self.twins[key]


def judged(name: str, pattern: str, rounds: int) -> Score:
    """Show everything to one checker; runs in a process of its own."""
    form, score = FORMS[name](), Score(name)
    wanted = re.compile(pattern, re.IGNORECASE)
    for fault in [fault for fault in banks("bank").FAULTS if wanted.search(fault.id)]:
        if form.foreign and fault.checker != "check_grads":
            continue
        for said, pull in (
            (score.faults, fault.pull()),
            (score.twins, fault.function.pull),
        ):
            said[fault.id] = outcome(form.with_rule(fault, pull), form.unable)
    for calm in banks("calm").CALM[:: form.every]:
        if not wanted.search(calm.id):
            continue
        check = form.plain(calm.fun, calm.args)
        score.calm[calm.id] = verdict = outcome(check, form.unable)
        if verdict == "accepted" and calm.id.startswith(TIMED) and "float64" in calm.id:
            runs = [timed(lambda c=check: outcome(c, ())) for _ in range(rounds)]
            score.seconds[calm.id] = min(runs)
    return score


def timed(run: Any) -> float:
    """Seconds of one call."""
    start = perf_counter()
    run()
    return perf_counter() - start


def contenders(peers: Sequence[str]) -> list[str]:
    """The checkers to compare: ours, and those of the libraries among the peers."""
    libraries = {peer.split()[0] for peer in peers}
    return [name for name in FORMS if LIBRARIES.get(name, "") in {"", *libraries}]


def scores(pattern: str, peers: Sequence[str], rounds: int) -> list[Score]:
    """The scores of all checkers, one process after the other."""
    context = multiprocessing.get_context("spawn")
    found, names = [], contenders(peers)
    with tables.progress(len(names)) as step:
        for name in names:
            step(name)
            with context.Pool(1) as pool:
                found.append(pool.apply(judged, (name, pattern, rounds)))
    return found


def ratios(ours: Score, theirs: Score) -> list[float]:
    """Our time over theirs, on each case that both accept."""
    shared = sorted(ours.seconds.keys() & theirs.seconds.keys())
    return [ours.seconds[key] / theirs.seconds[key] for key in shared]


def rows(found: Sequence[Score]) -> list[list[str]]:
    """The cells of the table."""
    cells = []
    for score in found:
        caught, shown = score.detected()
        alarms, calm = score.alarms(kinked=False)
        at_kinks, kinks = score.alarms(kinked=True)
        times = [1e3 * s for s in score.seconds.values()]
        like = next(s for s in found if s.name == LIKE.get(score.name, OURS))
        shares = ratios(like, score)
        middle = math.exp(statistics.fmean(map(math.log, shares))) if shares else 0.0
        cells.append(
            [
                "all",
                score.name,
                f"{caught} of {shown}",
                f"{score.told_apart()} of {shown}",
                f"{alarms} of {calm}",
                f"{at_kinks} of {kinks}",
                tables.number(statistics.median(times)) if times else "",
                f"{middle:.2f}" if score.name in LIBRARIES and shares else "",
            ]
        )
    return cells


HEADERS = ["bank", "checker", "detected", "told apart", "false alarms", "at kinks"]
HEADERS += ["ms per check", "ours / theirs"]


def missed(score: Score) -> list[str]:
    """The families of the faults that a checker accepted, with their numbers."""
    families = [k.split(":")[0] for k, said in score.faults.items()]
    passed = [k.split(":")[0] for k, said in score.faults.items() if said == "accepted"]
    return [
        f"{passed.count(name)} of {families.count(name)} {name}"
        for name in dict.fromkeys(passed)
    ]


def results(found: Sequence[Score]) -> list[Result]:
    """The figures for the JSON file."""
    made = []
    for score in found:
        alarms, _ = score.alarms(kinked=False)
        at_kinks, _ = score.alarms(kinked=True)
        times = [1e3 * s for s in score.seconds.values()]
        for case, value, unit in (
            ("wrong rules detected", score.detected()[0], "rules"),
            ("wrong rules shown", score.detected()[1], "rules"),
            ("wrong rules told from right ones", score.told_apart(), "rules"),
            ("false alarms", alarms, "functions"),
            ("false alarms at kinks", at_kinks, "functions"),
            ("one check", statistics.median(times) if times else 0.0, "ms"),
        ):
            figures = (float(value), unit, None, None, ())
            made.append(Result("checkers", case, score.name, *figures))
    return made


def measure(pattern: str, peers: Sequence[str], effort: Any) -> list[Result]:
    """Run the banks through all checkers, and print the table."""
    if find_spec("tests") is None or find_spec("tests.faults") is None:
        sys.exit("checkers: tests/faults is not here; run this in the repository")
    found = scores(pattern, peers, rounds=3 if effort.rounds < 10 else 7)
    tables.show_table("checkers", HEADERS, rows(found))
    for score in found:
        if missed(score):
            print(f"{score.name} accepts: {', '.join(missed(score))}")
    assert found[0].name == OURS
    return results(found)
