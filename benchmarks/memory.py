"""What a training step costs in memory: its peak above the import, and page faults.

    python -m benchmarks.memory autograd_lite deep 128    # figures of one process

Each figure comes from a process of its own. The peak counts everything that is resident
after the import of the library alone: arrays, but compiled code as well, and whatever
else the first step loads. At batch 1 it is little but that.
"""

import json
import re
import resource
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks import tables, workers
from benchmarks.cases import Step
from benchmarks.peers import PEERS
from benchmarks.run import Result, show
from benchmarks.timing import ratio
from benchmarks.workers import OURS, Effort

CASES = (Step("deep", 1), Step("deep", 128))
UNITS = {"MB": "peak above the bare import", "faults": "page faults per step"}
WARM, COUNTED = 5, 10  # steps
STATUS = Path("/proc/self/status")


def resident(field: str) -> float:
    """MB of this process: its `VmRSS` now, or its `VmHWM`, the peak."""
    if not STATUS.exists():  # the peak is what other systems know
        scale = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 1e6
    found = re.search(rf"^{field}:\s+(\d+) kB", STATUS.read_text(), re.MULTILINE)
    assert found is not None
    return int(found.group(1)) * 1024 / 1e6


def steps(contender: str, case: Step) -> dict[str, float]:
    """The peak of a process that makes some steps, and page faults of each."""
    module = "benchmarks.ours" if contender == OURS else PEERS[contender].module
    job = workers.build(contender, module, case)
    assert job is not None
    for _ in range(WARM):
        job.run()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(COUNTED):
        job.run()
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    return {"peak": resident("VmHWM"), "faults": faults / COUNTED}


BARE = "import {library}; from benchmarks.memory import resident; print(resident(%r))"


def bare(contender: str) -> float:
    """MB of a process that imports the library and does nothing.

    What reads the figure is imported as well, as in the process that makes the steps.
    """
    library = OURS if contender == OURS else PEERS[contender].library
    code = BARE.format(library=library) % "VmRSS"
    return float(_output([sys.executable, "-c", code]))


def in_process(contender: str, case: Step) -> dict[str, float]:
    """`steps` in a fresh process."""
    arguments = [contender, case.net, str(case.batch)]
    return json.loads(_output([sys.executable, "-m", "benchmarks.memory", *arguments]))


def _output(command: list[str]) -> str:
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return run.stdout


def measure(pattern: str, peers: list[str], effort: Effort) -> list[Result]:
    """Results of the cases whose label matches a regular expression, case ignored."""
    wanted = re.compile(pattern, re.IGNORECASE)
    tried = CASES if effort.thorough else CASES[1:]
    cases = [case for case in tried if wanted.search(case.label)]
    contenders = [OURS, *(p for p in peers if PEERS[p].library in ("torch", "jax"))]
    results: list[Result] = []
    with tables.progress(len(cases) * len(contenders)) as step:
        for case in cases:
            rows: dict[str, list[dict[str, float]]] = {}
            for name in contenders:
                step(f"memory: {case.label}, {name}")
                floor = bare(name)
                rounds = range(3 if effort.thorough else 1)
                rows[name] = [_figures(name, case, floor) for _ in rounds]
            for unit, what in UNITS.items():
                results += _results(f"{case.label}: {what}", unit, rows)
    show("memory", results)
    return results


def _figures(name: str, case: Step, floor: float) -> dict[str, float]:
    found = in_process(name, case)
    return {"MB": found["peak"] - floor, "faults": found["faults"]}


def _results(
    case: str, unit: str, rows: dict[str, list[dict[str, float]]]
) -> list[Result]:
    values = {name: [row[unit] for row in found] for name, found in rows.items()}
    return [
        Result(
            suite="memory",
            case=case,
            contender=name,
            value=statistics.median(blocks),
            unit=unit,
            ratio=ratio(values[OURS], blocks) if name != OURS and all(blocks) else None,
            blocks=tuple(blocks),
        )
        for name, blocks in values.items()
    ]


def main(arguments: list[str]) -> None:
    """Print the figures of this process."""
    contender, net, batch = arguments
    print(json.dumps(steps(contender, Step(net, int(batch)))))


if __name__ == "__main__":
    main(sys.argv[1:])
