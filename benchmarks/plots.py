"""Charts of a run: a roofline of the operations, and bars of what peers cost.

Bars show how many times our time, or memory, each peer takes: to the right of the line
at 1 we are the better. The roofline has each operation's rate over its arithmetic per
byte, under what the machine allows: the slope is memory's, the flat top arithmetic's.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from benchmarks.probes import Limits
from benchmarks.run import Result
from benchmarks.workers import OURS

# Told apart by those who see colours otherwise, too (Okabe and Ito, 2008).
COLOURS = {
    OURS: "#D55E00",
    "torch": "#0072B2",
    "jax": "#009E73",
    "autograd": "#CC79A7",
    "mygrad": "#E69F00",
    "torch nhwc": "#56B4E9",
    "torch nchw": "#56B4E9",
    "jax eager": "#999999",
}
MARKERS = {OURS: "o", "torch": "s", "jax": "^"}
TICKS = [m * 10.0**e for e in range(-4, 6) for m in (1, 2, 5)]
STYLE = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "font.size": 9,
}


def draw(results: Sequence[Result], limits: Limits, folder: Path) -> list[Path]:
    """Write the charts that the results allow, and return their files."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = {}
    with matplotlib.rc_context(STYLE):
        for suite in dict.fromkeys(result.suite for result in results):
            rows = [r for r in results if r.suite == suite and drawable(r)]
            if rows:
                figures[suite] = bars(suite, rows)
        points = [r for r in results if r.suite == "primitives" and r.intensity]
        if points:
            figures["roofline"] = roofline(points, limits)
        return [_saved(figure, folder / name) for name, figure in figures.items()]


def drawable(result: Result) -> bool:
    """Whether it has a ratio that a logarithmic axis can show."""
    return result.ratio is not None and result.ratio.low > 0


def _saved(figure: Figure, stem: Path) -> Path:
    path = stem.with_suffix(".png")
    figure.savefig(path, dpi=160, bbox_inches="tight")
    return path


# -- bars ------------------------------------------------------------------------------


def bars(suite: str, results: Sequence[Result]) -> Figure:
    """Horizontal bars with intervals, one group per case, on a logarithmic axis."""
    cases = list(dict.fromkeys(result.case for result in results))
    peers = list(dict.fromkeys(result.contender for result in results))
    height = 0.8 / len(peers)
    size = 1.2 + len(cases) * max(0.3, 0.16 * len(peers))
    figure = Figure(figsize=(8, size), layout="constrained")
    axes = figure.subplots()
    places = _places(results, cases, height)
    for peer in peers:
        rows = [(y, r) for y, r in zip(places, results) if r.contender == peer]
        _peer_bars(axes, peer, rows, height)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_xticks(TICKS, [f"{x:g}×" for x in TICKS])
    axes.set_xticks([], minor=True)
    axes.set_xlim(*_room(results))
    axes.set_yticks(range(len(cases)), cases)
    axes.set_ylim(len(cases) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("theirs / ours  (right of 1: ours is better), 95 % intervals")
    axes.set_title(suite, pad=22)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(peers))
    return figure


def _places(
    results: Sequence[Result], cases: Sequence[str], height: float
) -> list[float]:
    """Where each result's bar stands: those of a case around the case's name."""
    members = {case: [r for r in results if r.case == case] for case in cases}
    return [
        cases.index(r.case)
        + (members[r.case].index(r) - (len(members[r.case]) - 1) / 2) * height
        for r in results
    ]


def _peer_bars(
    axes: Any, peer: str, rows: Sequence[tuple[float, Result]], height: float
) -> None:
    ratios = [r.ratio for _, r in rows if r.ratio]
    values = np.array([1 / q.value for q in ratios])
    ends = np.array([(1 / q.high, 1 / q.low) for q in ratios])
    beyond = np.maximum(np.abs(ends.T - values), 0)
    places = [y for y, _ in rows]
    # From 1, so that the length is the advantage, on either side.
    axes.barh(
        *(places, values - 1, 0.9 * height, 1),
        color=COLOURS.get(peer, "#666666"),
        label=peer,
        xerr=beyond,
        error_kw={"elinewidth": 0.8, "ecolor": "#333333"},
    )
    for y, value, (_, high) in zip(places, values, ends):
        axes.annotate(
            f"{value:.3g}×",
            (max(value, high, 1), y),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
            color="#333333",
        )


def _room(results: Sequence[Result]) -> tuple[float, float]:
    """The ends of the axis, with room for the figures beside the bars."""
    ratios = [r.ratio for r in results if r.ratio]
    low = min(0.5, *(1 / q.high for q in ratios))
    high = max(2.0, *(1 / q.low for q in ratios))
    return low / 1.1, high * (high / low) ** 0.12


# -- the roofline ----------------------------------------------------------------------


def roofline(results: Sequence[Result], limits: Limits) -> Figure:
    """Rates over intensity, under the roofs of the machine."""
    figure = Figure(figsize=(8, 5.5), layout="constrained")
    axes = figure.subplots()
    intensities = [r.intensity for r in results if r.intensity]
    ends = min(intensities) / 5, max(intensities) * 3
    _roofs(axes, limits, ends)
    for name in dict.fromkeys(result.contender for result in results):
        rows = [r for r in results if r.contender == name]
        axes.scatter(
            [r.intensity or np.nan for r in rows],
            [r.gflops or np.nan for r in rows],
            color=COLOURS.get(name, "#666666"),
            marker=MARKERS.get(name, "D"),
            s=42 if name == OURS else 26,
            alpha=0.85,
            label=name,
            zorder=3 if name == OURS else 2,
            linewidths=0,
        )
    rates = [r.gflops for r in results if r.gflops]
    axes.set(xscale="log", yscale="log", xlim=ends)
    # The names stand below.
    axes.set_ylim(min(rates) / 30, 1.6 * max(limits.gflops, *rates))
    axes.set_xlabel("FLOP per byte read or written")
    axes.set_ylabel("GFLOP/s")
    axes.set_title("roofline of the primitives", pad=22)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=6)
    _names(axes, results)
    return figure


def _roofs(axes: Any, limits: Limits, ends: tuple[float, float]) -> None:
    """The limits as lines: of memory, of caches, of the matrix product, and of FMA."""
    x = np.geomspace(*ends, 200)
    largest, smallest = max(limits.copies), min(limits.copies)
    for size, name, style in ((largest, "memory", "-"), (smallest, "caches", "--")):
        rate = limits.copies[size]
        axes.plot(x, np.minimum(rate * x, limits.gflops), style, color="#555555")
        start = ends[0] * 1.15
        axes.text(
            *(start, rate * start * 1.1, f"{name}, {rate:.0f} GB/s"),
            rotation=float(np.degrees(np.arctan(rate * 1.1))),
            rotation_mode="anchor",
            transform_rotates_text=True,
            color="#555555",
            fontsize=8,
        )
    for rate, name in ((limits.gemm, "NumPy's matmul"), (limits.fma, "FMA")):
        axes.axhline(rate, color="#555555", linewidth=0.8, linestyle=":")
        axes.annotate(
            f"{name}, {rate:.0f} GFLOP/s",
            (ends[1], rate),
            xytext=(-4, 3),
            textcoords="offset points",
            zorder=1.5,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8},
            ha="right",
            color="#555555",
            fontsize=8,
        )


def _names(axes: Any, results: Sequence[Result]) -> None:
    """Say below the points which operation has that intensity."""
    found: dict[str, float] = {}
    for r in results:
        if r.intensity:
            found.setdefault(r.case.rpartition(",")[0] or r.case, r.intensity)
    for name, intensity in found.items():
        axes.axvline(intensity, color="#bbbbbb", linewidth=0.6, zorder=1)
        axes.text(
            *(intensity, 0.015, f" {name}"),
            transform=axes.get_xaxis_transform(),
            rotation=90,
            ha="right",
            va="bottom",
            fontsize=6.5,
            color="#555555",
        )
