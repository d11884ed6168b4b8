"""What a fresh process pays: for the import, and for the first training step."""

import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from time import perf_counter

from benchmarks import tables
from benchmarks.cases import Step
from benchmarks.run import Result, show
from benchmarks.timing import ratio
from benchmarks.workers import OURS, Effort

FIRST_NETS = ("deep", "lenet8")
IMPORTS = {"numpy": "import numpy", OURS: f"import {OURS}"}
COLD = f"{OURS}, cold"
FIRST_STEP = "from benchmarks.{file} import step; from benchmarks.cases import Step; "
FIRST_STEP += "step({name!r}, Step({net!r}, 64)).run()"


def fresh_process(code: str, variables: Mapping[str, str] | None = None) -> float:
    """Seconds from the start of a new Python to its end, having run `code`.

    It may keep bytecode, as an installed package has it, whatever this process may.
    """
    environment = {**os.environ, **(variables or {})}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    start = perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    return perf_counter() - start


def import_times(rounds: int) -> dict[str, list[float]]:
    """Seconds of processes that import NumPy, and ours, alternately."""
    times: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for code in IMPORTS.values():
        fresh_process(code)  # writes the bytecode
    with tables.progress(rounds) as step:
        for _ in range(rounds):
            step("imports")
            for name, code in IMPORTS.items():
                times[name].append(fresh_process(code))
    return times


def measure_imports(rounds: int) -> list[Result]:
    """Results of the imports: what ours takes beyond NumPy's is the figure to read."""
    times = import_times(rounds)
    extra = [a - b for a, b in zip(times[OURS], times["numpy"])]
    results = [
        _result("import", name, seconds, times[OURS] if name != OURS else None)
        for name, seconds in times.items()
    ]
    return [*results, _result("import", "ours beyond numpy's", extra)]


def measure_first_steps(
    nets: list[str], peers: list[str], effort: Effort
) -> list[Result]:
    """Results of a process that makes one training step, import included, per net.

    Cold means that no compiled kernel lies on disk; a thorough run measures it, once.
    """
    results = []
    with tables.progress(len(nets)) as step:
        for net in nets:
            step(first_step(net))
            results += _first_steps(net, peers, effort)
    return results


def first_step(net: str) -> str:
    """How tables call the first step of a net."""
    return f"first step of {Step(net, 64).label}"


def measure(pattern: str, peers: list[str], effort: Effort) -> list[Result]:
    """Results of the cases whose label matches a regular expression, case ignored."""
    wanted = re.compile(pattern, re.IGNORECASE)
    rounds = effort.rounds
    tried = FIRST_NETS if effort.thorough else FIRST_NETS[:1]
    nets = [net for net in tried if wanted.search(first_step(net))]
    imports = measure_imports(2 * rounds + 1) if wanted.search("import") else []
    results = [*imports, *measure_first_steps(nets, peers, effort)]
    show("startup", results)
    return results


def _first_steps(net: str, peers: list[str], effort: Effort) -> list[Result]:
    modules = {OURS: "ours"}
    modules |= {p: f"peers.{p}" for p in peers if p in ("torch", "jax")}
    codes = {
        name: FIRST_STEP.format(file=file, name=name, net=net)
        for name, file in modules.items()
    }
    case = first_step(net)
    cold = [_cold(case, codes[OURS])] if effort.thorough else []
    times: dict[str, list[float]] = {name: [] for name in codes}
    for name in codes:
        fresh_process(codes[name])  # fills the cache of kernels, and the disk's
    for _ in range(max(1, effort.rounds // 2)):
        for name, code in codes.items():
            times[name].append(fresh_process(code))
    return cold + [
        _result(case, name, seconds, times[OURS] if name != OURS else None)
        for name, seconds in times.items()
    ]


def _cold(case: str, code: str) -> Result:
    with tempfile.TemporaryDirectory() as empty:
        seconds = fresh_process(code, {"NUMBA_CACHE_DIR": empty})
    return _result(case, COLD, [seconds])


def _result(
    case: str, name: str, seconds: list[float], ours: list[float] | None = None
) -> Result:
    return Result(
        suite="startup",
        case=case,
        contender=name,
        value=statistics.median(seconds) * 1e3,
        unit="ms",
        ratio=ratio(ours, seconds) if ours else None,
        blocks=tuple(s * 1e3 for s in seconds),
    )
