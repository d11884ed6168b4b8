"""A run as a page of Markdown: `docs/benchmarks.md` is made of a report and this."""

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks import goals
from benchmarks.probes import limits_from
from benchmarks.run import Result, table

INTRODUCTION = """\
# Benchmarks

Made from a run of `{command}` by `python -m benchmarks report`; do not edit.

- **Machine**: {machine}, {date}. {threads}
- **Its limits**, measured in the same run: a large matrix product by NumPy's BLAS
  {gemm:.0f} GFLOP/s, fused multiply-adds {fma:.0f} GFLOP/s, copies {copies}.
- **Versions**: {versions}.
- **Peers**, each in its best form: {peers}.

Each library has a process of its own. They take turns, block by block, and a block in
which the machine lost a core is measured again. A time is the median over blocks;
"ours / theirs" is the ratio of two medians with a 95 % interval, by bootstrap over
rounds. "of limit" is the least time that the machine allows for the arithmetic, or for
reading and writing each array once at the speed of a copy of that size, over the time
taken; Winograd's algorithm does with less arithmetic, and can exceed it. "error" is the
largest one, relative to the largest element of its array, against float64; that of a
training step is of its loss and gradients as one long vector. JAX repeats
the forward pass where a gradient needs its result: jit compiles gradients whole.
"""

NOTES = {
    "overhead": "One operation on small arrays, recorded and differentiated.",
    "steps": "Training steps: forward, backward, update. The nets are defined in "
    "`benchmarks/nets.py`, once for all libraries.",
    "primitives": "Operations and their gradients, float32.",
    "transforms": "Jacobians, Hessians, products with them, gradients of each sample.",
    "memory": "Training steps in fresh processes. Page faults are those of a step when "
    "five have been made.",
    "startup": 'Fresh processes, from their start to their end. "Cold" finds no '
    "compiled kernels on disk.",
    "recipes": "Epochs over a part of MNIST by the recipes of `models/recipes.py`, "
    "from new parameters on: shuffled, in batches, transformed, trained.",
    "checkers": "What it costs to check a gradient.",
}


def page(report: dict[str, Any], results: Sequence[Result]) -> str:
    """The whole page."""
    parts = [introduction(report, results)]
    if rows := goals.verdicts(results):
        headers = ["goal", "its worst case", "measured", "at most", "reached"]
        told = "Ratios are those to the best peer."
        parts.append(f"## Goals\n\n{told}\n\n{markdown(headers, rows)}")
    for suite in dict.fromkeys(result.suite for result in results):
        parts.append(section(suite, [r for r in results if r.suite == suite]))
    return "\n".join(parts)


def introduction(report: dict[str, Any], results: Sequence[Result]) -> str:
    """What was measured, on what, and how to read it."""
    limits = limits_from(report["limits"])
    measured = {result.contender for result in results}
    peers = [f"{n} ({note})" for n, note in report["peers"].items() if n in measured]
    sizes = [min(limits.copies), max(limits.copies)]
    rates = [f"{limits.copies[n]:.0f} GB/s at {_size(n)}" for n in sizes]
    threads = [f"{name}={value}" for name, value in report["threads"].items()]
    return INTRODUCTION.format(
        command=report["command"],
        machine=report["machine"],
        date=report["date"],
        threads=f"With {', '.join(threads)}." if threads else "Threads: as they come.",
        gemm=limits.gemm,
        fma=limits.fma,
        copies=" and ".join(rates),
        versions=", ".join(f"{n} {v}" for n, v in report["versions"].items()),
        peers="; ".join(peers) or "none",
    )


def _size(nbytes: int) -> str:
    return f"{nbytes >> 20} MB" if nbytes >= 1 << 20 else f"{nbytes >> 10} kB"


def section(suite: str, results: Sequence[Result]) -> str:
    """A heading, a word on the suite, and its table."""
    note = NOTES.get(suite, "")
    return f"## {suite.capitalize()}\n\n{note}\n\n{markdown(*table(results))}"


def markdown(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a case is named once, before its first row.

    >>> print(markdown(["case", "library", "ms"], [["a", "x", "1"], ["a", "y", "2"]]))
    | case | library | ms |
    |---|---|---:|
    | a | x | 1 |
    |  | y | 2 |
    <BLANKLINE>
    """
    marks = ["---" if i < 2 else "---:" for i in range(len(headers))]
    lines = [_line(headers), f"|{'|'.join(marks)}|"]
    case = None
    for row in rows:
        lines.append(_line(["" if row[0] == case else row[0], *row[1:]]))
        case = row[0]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
