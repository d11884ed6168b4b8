"""What a check found: a verdict one can act on, with the numbers behind it."""

from __future__ import annotations

import json
import math
import os
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from ..errors import ArgumentError, GradientCheckError, GradientCheckWarning
from ..policies import policy
from .plots import draw
from .probe import Probe

OK: Final = "ok"
WRONG: Final = "wrong"
KINK: Final = "not differentiable here"
INCONCLUSIVE: Final = "inconclusive"
VERDICTS: Final = (WRONG, KINK, INCONCLUSIVE, OK)  # the first that occurs counts


@dataclass(frozen=True)
class Element:
    """One element of an argument, and the two derivatives along it.

    `error` is the error bar of the numerical one.
    """

    argument: str
    index: tuple[int, ...]
    shape: tuple[int, ...]
    dtype: str
    x: complex
    analytic: float
    numerical: float
    error: float

    def __str__(self) -> str:
        x = self.x if self.x.imag else self.x.real
        return (
            f"element {self.index} of argument {self.argument!r} "
            f"(shape {self.shape}, {self.dtype}), where x is {x:.6g}"
        )


@dataclass(frozen=True)
class Finding:
    """One comparison of a derivative with the numerical one, and its verdict.

    Attributes:
        verdict: one of `VERDICTS`.
        where: the mode and the order, as in "reverse mode, order 2 (rev of fwd)".
        mode, order: the same, "rev" or "fwd" and a number.
        analytic, numerical: the derivative along a direction, as the rules have it and
            as finite differences do; NaN where nothing was compared.
        error, step: the error bar of the numerical one, and the step it came from.
        text: what this means, in words.
        worst: the elements that contribute most to the difference, worst first.
        pattern: what all elements have in common: a factor, a transposition; or "".
        rule, line: where the rule and its use stand in the source, if known.
    """

    verdict: str
    where: str
    mode: str = ""
    order: int = 1
    analytic: float = math.nan
    numerical: float = math.nan
    error: float = math.nan
    step: float = math.nan
    text: str = ""
    worst: tuple[Element, ...] = ()
    pattern: str = ""
    rule: str = ""
    line: str = ""
    probe: Probe | None = field(default=None, repr=False, compare=False)

    @property
    def ratio(self) -> float:
        """The analytic derivative divided by the numerical one."""
        return quotient(self.analytic, self.numerical)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain Python values."""
        found = {k: getattr(self, k) for k in self.__dataclass_fields__ if k != "probe"}
        found["worst"] = [_element_dict(element) for element in self.worst]
        found["ratio"] = self.ratio
        return found

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.text or self.verdict}"]
        if self.verdict == WRONG and not math.isnan(self.numerical):
            bar = f"{self.numerical:.10g} +- {self.error:.1g} (step {self.step:.1g})"
            lines.append(f"  analytic   {self.analytic:.10g}")
            lines.append(f"  numerical  {bar}")
            lines.append(f"  ratio      {ratio(self.analytic, self.numerical)}")
        lines += _worst_lines(self)
        for name in ("pattern", "rule", "line"):
            if getattr(self, name):
                lines.append(f"  {name:<10} {getattr(self, name)}")
        return "\n".join(lines)


def _severity(finding: Finding) -> int:
    return VERDICTS.index(finding.verdict)


def _element_dict(element: Element) -> dict[str, Any]:
    x = element.x if element.x.imag else element.x.real
    plain = [x.real, x.imag] if isinstance(x, complex) else x
    return {**asdict(element), "x": plain}


def _worst_lines(finding: Finding) -> list[str]:
    if not finding.worst:
        return []
    first, *others = finding.worst
    if finding.verdict == KINK:
        return [f"  it is at   {first}"]
    lines = [f"  most of it at {first}:", f"  there      {_values(first)}"]
    return lines + [f"  and at {e.index}: {_values(e)}" for e in others]


def _values(element: Element) -> str:
    known = ratio(element.analytic, element.numerical)
    bar = f"{element.numerical:.6g} +- {element.error:.1g}"
    return f"{element.analytic:.6g} against {bar}, ratio {known}"


class Report:
    """The result of a check: what was compared, and the verdict.

    Attributes: `title` (the function's name), `findings` (in the order in which they
    were made), `verdict` (the worst of theirs), `ok`, `seed`, `seconds`, `policy` (the
    choices at ties and kinks that were in force and are not the default ones).

    >>> import numpy as np
    >>> from autograd_lite.testing import check_grads
    >>> report = check_grads(lambda x: x * x, (np.ones(3),), report=True)
    >>> report.verdict, len(report.findings)
    ('ok', 6)
    """

    def __init__(
        self,
        title: str,
        findings: Sequence[Finding],
        *,
        seed: int | None = None,
        seconds: float = math.nan,
        cause: Exception | None = None,
    ) -> None:
        self.title = title
        self.findings = list(findings)
        self.seed = seed
        self.seconds = seconds
        self.cause = cause  # the error of a rule that could not be applied
        self.policy = policy.changed()
        self._under = f" under {policy.describe()}" if self.policy else ""

    @property
    def verdict(self) -> str:
        """The worst verdict of the findings."""
        found = {finding.verdict for finding in self.findings}
        return next((v for v in VERDICTS if v in found), OK)

    @property
    def ok(self) -> bool:
        """Whether all derivatives are right."""
        return self.verdict == OK

    @property
    def finding(self) -> Finding:
        """The first finding with the verdict of the report."""
        return next(f for f in self.findings if f.verdict == self.verdict)

    def settle(self, stacklevel: int = 2) -> None:
        """Raise `GradientCheckError` if wrong; warn if nothing can be said."""
        __tracebackhide__ = True  # from pytest, which shows what is raised
        if self.cause is not None:
            raise self.cause
        if self.verdict == WRONG:
            raise GradientCheckError(str(self))
        if not self.ok:
            warnings.warn(str(self), GradientCheckWarning, stacklevel=stacklevel + 1)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain Python values."""
        return {
            "title": self.title,
            "verdict": self.verdict,
            "seed": self.seed,
            "seconds": self.seconds,
            "policy": self.policy,
            "findings": [finding.to_dict() for finding in self.findings],
        }

    def to_json(self) -> str:
        """Return everything as JSON; numbers that JSON lacks are null."""
        return json.dumps(_without_nan(self.to_dict()), indent=2, allow_nan=False)

    def plot(self, path: str | os.PathLike[str] | None = None) -> Any:
        """Draw the Taylor remainders and, for images, where the gradient is wrong.

        The remainder |f(x + t u) - f(x) - t f'(x) u| falls as t**2 if the derivative is
        right, as t if it is wrong. Returns the Matplotlib figure; writes it to `path`.
        """
        from matplotlib.figure import Figure  # slow to load, and optional

        probes = [
            (finding.where, finding.probe, finding.analytic)
            for finding in sorted(self.findings, key=_severity)
            if finding.probe is not None
        ]
        if not probes:
            raise ArgumentError(f"nothing was compared that could be drawn: {self}")
        title = f"{self.title}: {self.verdict}"
        figure = draw(title, probes, Figure(layout="constrained"))
        if path is not None:
            figure.savefig(path, dpi=150)
        return figure

    def __str__(self) -> str:
        shown = [f for f in self.findings if f.verdict != OK]
        if not shown:
            return f"{self.title}{self._under}: ok ({_summary(self.findings)})"
        shown.sort(key=_severity)
        return "\n".join([f"{self.title}{self._under}: {finding}" for finding in shown])

    def __repr__(self) -> str:
        return f"<Report of {self.title}: {self.verdict}>"


def _summary(findings: Sequence[Finding]) -> str:
    """Say what was compared, and how well it agreed."""
    gaps = [
        abs(f.analytic - f.numerical) / _scale(f)
        for f in findings
        if f.error < _scale(f)  # else the difference is noise around zero
    ]
    names = {"rev": "reverse mode", "fwd": "forward mode"}
    parts = list(dict.fromkeys([f.where for f in findings if f.mode not in names]))
    modes = " and ".join(dict.fromkeys([names[f.mode] for f in findings if f.mode]))
    if modes:
        order = max([f.order for f in findings], default=1)
        orders = f"orders 1 to {order}" if order > 1 else "order 1"
        most = max([gap for gap in gaps if math.isfinite(gap)], default=0.0)
        parts.append(f"{modes}, {orders}; off by {most:.1g} at most")
    return ", ".join(parts)


def _scale(finding: Finding) -> float:
    return max(abs(finding.analytic), abs(finding.numerical)) or 1.0


def _without_nan(x: Any) -> Any:
    if isinstance(x, dict):
        return {key: _without_nan(value) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return [_without_nan(value) for value in x]
    return None if isinstance(x, float) and not math.isfinite(x) else x


# -- ratios ---------------------------------------------------------------------------

FAMILIAR: Final = {-1.0: "a wrong sign", 2.0: "twice", 0.5: "half", 0.0: "missing"}


def quotient(a: float, b: float) -> float:
    """Return a / b, NaN where there is none."""
    return a / b if b and math.isfinite(a) and math.isfinite(b) else math.nan


def ratio(analytic: float, numerical: float) -> str:
    """Return analytic / numerical, and what a familiar number suggests.

    >>> ratio(-2.0, 2.0)
    '-1 (a wrong sign?)'
    """
    value = quotient(analytic, numerical)
    if math.isnan(value):
        return f"{analytic:.6g} / {numerical:.6g}"
    for known, name in FAMILIAR.items():
        if abs(value - known) < 1e-4:
            return f"{value:.6g} ({name}?)"
    return f"{value:.6g}"
