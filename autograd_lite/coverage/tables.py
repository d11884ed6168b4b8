"""The rows of coverage as text, Markdown and JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Final

from .rows import DIFFERENTIABLE, IMPOSSIBLE, UNKNOWN, WITHOUT_GRADIENT, Row

CHECKS: Final = ["gradient", "forward", "second", "float32", "complex"]
HEADINGS: Final = ["gradient", "forward", "order 2", "float32", "complex"]
MARKS: Final = {True: "✓", False: "✗", None: "–"}
STATUSES: Final = [DIFFERENTIABLE, WITHOUT_GRADIENT, IMPOSSIBLE, UNKNOWN]

INTRODUCTION = """\
# What can be differentiated

Printed by `python -m autograd_lite.coverage --markdown`, which ran the sample calls in
`autograd_lite/testing/calls`. A ✓ says that all calls of a function passed: reverse and
forward mode against finite differences in random directions, both again on these
derivatives (order 2), dtypes and derivatives with float32 arguments, and both modes
with complex ones. A ✗ says that some call was refused, or failed; a – that NumPy or
SciPy takes no such arguments. The keywords are those that the calls give.
"""


def as_json(rows: Iterable[Row]) -> str:
    """Return the rows as a JSON list of objects."""
    return json.dumps([asdict(row) for row in rows], indent=1)


def as_text(rows: Iterable[Row]) -> str:
    """Return the rows as aligned tables, one per namespace."""
    return "\n".join(_sections(rows, _text_section))


def as_markdown(rows: Iterable[Row]) -> str:
    """Return the rows as a page in Markdown."""
    rows = list(rows)
    summary = ["| namespace |" + "".join(f" {s} |" for s in STATUSES[:3])]
    summary.append("|---|" + "---:|" * 3)
    for namespace, group in _grouped(rows):
        counts = "".join(f" {len(_with(group, s))} |" for s in STATUSES[:3])
        summary.append(f"| {namespace} |{counts}")
    parts = [INTRODUCTION, "\n".join(summary) + "\n"]
    return "\n".join([*parts, *_sections(rows, _markdown_section)])


def _grouped(rows: Iterable[Row]) -> list[tuple[str, list[Row]]]:
    grouped = groupby(rows, key=lambda row: row.namespace)
    return [(namespace, list(group)) for namespace, group in grouped]


def _with(rows: Iterable[Row], status: str) -> list[Row]:
    return sorted([r for r in rows if r.status == status], key=lambda row: row.name)


def _sections(
    rows: Iterable[Row], section: Callable[[str, Sequence[Row]], list[str]]
) -> list[str]:
    return ["\n".join(section(name, group)) + "\n" for name, group in _grouped(rows)]


def _marks(row: Row) -> list[str]:
    return [MARKS[getattr(row, check)] for check in CHECKS]


def _text_section(namespace: str, rows: Sequence[Row]) -> list[str]:
    found = _with(rows, DIFFERENTIABLE)
    width = max([len(row.name) for row in found], default=8)
    lines = [
        f"{namespace}: {len(found)} differentiable",
        f"  {'':{width}}  {' '.join(HEADINGS)}  keywords checked",
    ]
    for row in found:
        marks = " ".join(f"{m:^{len(h)}}" for m, h in zip(_marks(row), HEADINGS))
        given = ", ".join(row.keywords)
        lines.append(f"  {row.name:{width}}  {marks}  {given}".rstrip())
    for status in STATUSES[1:]:
        names = [row.name for row in _with(rows, status)]
        if names:
            lines.append(f"  {status}: {len(names)}")
            lines.append(textwrap.indent(textwrap.fill(" ".join(names), 84), "    "))
    return lines


def _markdown_section(namespace: str, rows: Sequence[Row]) -> list[str]:
    found = _with(rows, DIFFERENTIABLE)
    lines = [f"## {namespace}", ""]
    lines.append(f"| function | {' | '.join(HEADINGS)} | keywords checked |")
    lines.append("|---|" + ":-:|" * len(CHECKS) + "---|")
    for row in found:
        given = ", ".join(f"`{k}`" for k in row.keywords)
        lines.append(f"| `{row.name}` | {' | '.join(_marks(row))} | {given} |")
    for status in STATUSES[1:]:
        names = [f"`{row.name}`" for row in _with(rows, status)]
        if names:
            text = f"{status.capitalize()} ({len(names)}): {', '.join(names)}"
            lines += ["", textwrap.fill(text, 88, break_on_hyphens=False)]
    return lines
