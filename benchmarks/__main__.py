"""The command line: `python -m benchmarks overhead --peers torch --json out.json`."""

import argparse
import datetime
import json
import os
import sys
from pathlib import Path

from benchmarks import machine, run, startup
from benchmarks.cases import SUITES
from benchmarks.peers import PEERS, installed
from benchmarks.workers import WorkerError

LIBRARIES = ["autograd_lite", "numpy", "numba", "scipy"]


def parser() -> argparse.ArgumentParser:
    """The options."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure autograd_lite against the libraries that are installed.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    names = [*SUITES, "startup"]
    p.add_argument("suites", nargs="*", metavar="SUITE", help=f"of {names}; none: all")
    p.add_argument("--peers", help=f"comma-separated, of {list(PEERS)}; default: all")
    p.add_argument("--threads", type=int, help="threads for everyone; default: theirs")
    p.add_argument("--filter", default="", help="only cases that match this regex")
    p.add_argument(
        "--quick", action="store_true", help="rough figures, a tenth the time"
    )
    p.add_argument("--json", type=Path, help="write all results to this file")
    return p


def choose_peers(text: str | None) -> list[str]:
    """The peers asked for, all installed ones by default; exit if one is missing."""
    available = list(installed())
    if text is None:
        return available
    wanted = [name.strip() for name in text.split(",") if name.strip()]
    missing = [name for name in wanted if name not in available]
    if missing:
        sys.exit(
            f"--peers: {', '.join(missing)} not among the installed {available}; "
            "`make bench` installs what it can"
        )
    return wanted


def choose_suites(names: list[str]) -> list[str]:
    """The suites asked for, all by default; exit if one does not exist."""
    known = [*SUITES, "startup"]
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"no suite {', '.join(unknown)}; there are {', '.join(known)}")
    return names or known


def limit_threads(count: int | None) -> None:
    """Set every library's thread variable, for the processes that are yet to start."""
    if count is None:
        return
    if count < 1:
        sys.exit(f"--threads {count}: expected 1 or more")
    os.environ.update({name: str(count) for name in machine.THREAD_VARIABLES})


def measure(
    suite: str, peers: list[str], pattern: str, effort: run.Effort
) -> list[run.Result]:
    """Run one suite."""
    if suite == "startup":
        results = startup.measure(pattern, peers, effort.rounds)
        run.show(suite, results, "ms")
        return results
    return run.run_suite(suite, run.select(suite, pattern), peers, effort)


def report(results: list[run.Result], arguments: list[str]) -> dict[str, object]:
    """Everything that is needed to read the figures later."""
    libraries = [*LIBRARIES, *{peer.library for peer in PEERS.values()}]
    return {
        "command": " ".join(["python -m benchmarks", *arguments]),
        "date": datetime.date.today().isoformat(),
        "machine": machine.describe(),
        "versions": machine.versions(libraries),
        "threads": machine.thread_settings(),
        "results": [result.record() for result in results],
    }


def main(arguments: list[str]) -> None:
    """Run the suites named on the command line."""
    options = parser().parse_args(arguments)
    suites = choose_suites(options.suites)
    peers = choose_peers(options.peers)
    limit_threads(options.threads)
    print(machine.describe())
    for name in peers:
        print(f"  {name}: {PEERS[name].note}")
    effort = run.QUICK if options.quick else run.FULL
    results: list[run.Result] = []
    for suite in suites:
        results += measure(suite, peers, options.filter, effort)
    if options.json:
        text = json.dumps(report(results, arguments), indent=1, ensure_ascii=False)
        options.json.write_text(text + "\n", encoding="utf8")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit("interrupted")
    except WorkerError as error:
        sys.exit(str(error))
