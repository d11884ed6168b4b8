"""The command line: `python -m benchmarks steps --peers torch --json out.json`.

`python -m benchmarks report out.json > docs/benchmarks.md` makes a page of a run.
"""

import argparse
import datetime
import importlib
import json
import os
import shlex
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks import compare, machine, memory, pages, probes, recipes, run, startup
from benchmarks.cases import SUITES
from benchmarks.peers import PEERS, installed
from benchmarks.run import Result
from benchmarks.workers import FULL, QUICK, Effort, WorkerError

LIBRARIES = ["autograd_lite", "numpy", "numba", "scipy"]

# Suites that are no lists of cases: (pattern, peers, effort) -> results, shown already.
OTHERS: dict[str, Callable[[str, list[str], Effort], list[Result]]] = {
    "memory": memory.measure,
    "startup": startup.measure,
    "recipes": recipes.measure,
}
if find_spec("benchmarks.checkers"):
    OTHERS["checkers"] = importlib.import_module("benchmarks.checkers").measure

NAMES = [*SUITES, *OTHERS]
FILES = ("--json", "--compare", "--plot")  # options whose values are paths


def parser() -> argparse.ArgumentParser:
    """The options."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure autograd_lite against the libraries that are installed.",
        epilog="`python -m benchmarks report FILE.json` prints a run as Markdown.",
    )
    p.add_argument("suites", nargs="*", metavar="SUITE", help=f"of {NAMES}; none: all")
    p.add_argument(
        "--peers",
        help=f"comma-separated, of {list(PEERS)}; default: each installed library in "
        "its best form",
    )
    p.add_argument("--threads", type=int, help="threads for everyone; default: theirs")
    p.add_argument("--filter", default="", help="only cases that match this regex")
    p.add_argument("--quick", action="store_true", help="rough figures, much sooner")
    p.add_argument("--json", type=Path, metavar="FILE", help="write all results")
    p.add_argument(
        "--compare", type=Path, metavar="OLD.json", help="say what changed since"
    )
    p.add_argument("--plot", type=Path, metavar="DIR", help="draw charts, as PNG")
    return p


def choose_peers(text: str | None) -> list[str]:
    """The peers asked for, by default the best forms of those that are installed.

    Exits if one is missing.
    """
    available = installed()
    if text is None:
        return [name for name, peer in available.items() if peer.best]
    wanted = [name.strip() for name in text.split(",") if name.strip()]
    missing = [name for name in wanted if name not in available]
    if missing:
        sys.exit(
            f"--peers: {', '.join(missing)} not among the installed {list(available)}; "
            "`make bench` installs what it can"
        )
    return wanted


def choose_suites(names: list[str], quick: bool = False) -> list[str]:
    """The suites asked for; by default all, but for `checkers` if it is to be quick.

    Exits if one does not exist.
    """
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        sys.exit(f"no suite {', '.join(unknown)}; there are {', '.join(NAMES)}")
    return names or [name for name in NAMES if not quick or name != "checkers"]


def limit_threads(count: int | None) -> None:
    """Set every library's thread variable, for the processes that are yet to start."""
    if count is None:
        return
    if count < 1:
        sys.exit(f"--threads {count}: expected 1 or more")
    os.environ.update({name: str(count) for name in machine.THREAD_VARIABLES})
    if hasattr(os, "sched_setaffinity"):  # for JAX, which has no variable
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def read(path: Path) -> dict[str, Any]:
    """The report in a file; exit if there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf8"))
    except (OSError, json.JSONDecodeError) as error:
        sys.exit(f"{path} is no report of `python -m benchmarks --json`: {error}")
    if not isinstance(found, dict) or "results" not in found:
        sys.exit(f"{path} is no report of `python -m benchmarks --json`")
    return found


def results_in(report: dict[str, Any]) -> list[Result]:
    """The results of a report."""
    return [run.result_from(record) for record in report["results"]]


def measure(
    suite: str,
    peers: list[str],
    pattern: str,
    effort: Effort,
    limits: probes.Limits,
) -> list[Result]:
    """Run one suite."""
    if suite in OTHERS:
        return OTHERS[suite](pattern, peers, effort)
    return run.run_suite(suite, run.select(suite, pattern), peers, effort, limits)


def command_line(arguments: list[str]) -> str:
    """The command, its files without the folders that they happen to be in.

    >>> command_line(["--filter", "7x7 /2", "--json", "/home/me/run.json"])
    "python -m benchmarks --filter '7x7 /2' --json run.json"
    """
    words, before = ["python -m benchmarks"], ""
    for word in arguments:
        option, equals, value = word.partition("=")
        if before in FILES:
            word = Path(word).name
        elif option in FILES and equals:
            word = f"{option}={Path(value).name}"
        words.append(shlex.quote(word))
        before = word
    return " ".join(words)


def report(
    results: list[Result], limits: probes.Limits, arguments: list[str], seconds: float
) -> dict[str, Any]:
    """Everything that is needed to read the figures later."""
    libraries = [*LIBRARIES, *{peer.library for peer in PEERS.values()}]
    return {
        "command": command_line(arguments),
        "date": datetime.date.today().isoformat(),
        "seconds": round(seconds),
        "machine": machine.describe(),
        "limits": limits.record(),
        "versions": machine.versions(libraries),
        "threads": machine.thread_settings(),
        "peers": {name: peer.note for name, peer in PEERS.items()},
        "results": [result.record() for result in results],
    }


def print_page(arguments: list[str]) -> None:
    """Print the Markdown of a report."""
    if len(arguments) != 1:
        sys.exit("expected one file: python -m benchmarks report FILE.json")
    found = read(Path(arguments[0]))
    print(pages.page(found, results_in(found)), end="")


def main(arguments: list[str]) -> None:
    """Run the suites named on the command line."""
    if arguments[:1] == ["report"]:
        print_page(arguments[1:])
        return
    options = parser().parse_args(arguments)
    suites = choose_suites(options.suites, options.quick)
    peers = choose_peers(options.peers)
    old = results_in(read(options.compare)) if options.compare else None
    limit_threads(options.threads)
    start = perf_counter()
    limits = probes.measure()
    print(machine.describe(), limits, sep="\n")
    for name in peers:
        print(f"  {name}: {PEERS[name].note}")
    effort = QUICK if options.quick else FULL
    results: list[Result] = []
    for suite in suites:
        results += measure(suite, peers, options.filter, effort, limits)
    if old is not None:
        compare.show(results, old)
    # The machine may have been busy when its limits were first measured.
    limits = limits.or_better(probes.measure())
    results = [result.against(limits) for result in results]
    found = report(results, limits, arguments, perf_counter() - start)
    finish(found, results, limits, options.json, options.plot)


def finish(
    found: dict[str, Any],
    results: list[Result],
    limits: probes.Limits,
    file: Path | None,
    folder: Path | None,
) -> None:
    """Write what was asked for."""
    if file:
        text = json.dumps(found, indent=1, ensure_ascii=False)
        file.write_text(text + "\n", encoding="utf8")
    if folder:
        from benchmarks import plots

        for path in plots.draw(results, limits, folder):
            print(f"drew {path}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit("interrupted")
    except WorkerError as error:
        sys.exit(str(error))
