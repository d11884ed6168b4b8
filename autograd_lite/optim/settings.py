"""The settings of optimisers: what a learning rate is, and checks of the numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

from ..errors import ArgumentError

Schedule: TypeAlias = Callable[[int], float]
Rate: TypeAlias = float | Schedule


def rate_at(lr: Rate, count: int) -> float:
    """Return the learning rate after `count` steps."""
    return float(lr(count) if callable(lr) else lr)


def check_rate(lr: Rate) -> None:
    """Raise `ArgumentError` for a learning rate that is negative or not finite."""
    if not callable(lr):
        check_size(lr=lr)


def check_size(**values: float) -> None:
    """Raise `ArgumentError` for a setting that is negative or not finite."""
    for name, value in values.items():
        if not _is_below(math.inf, value):
            raise ArgumentError(f"{name}={value!r}: expected a number from 0 upwards.")


def check_decays(**values: float) -> None:
    """Raise `ArgumentError` for a share of the past that is not in [0, 1)."""
    for name, value in values.items():
        if not _is_below(1, value):
            raise ArgumentError(f"{name}={value!r}: expected at least 0, less than 1.")


def check_steps(**values: int) -> None:
    """Raise `ArgumentError` for a number of steps below 1."""
    for name, value in values.items():
        if not value >= 1:
            raise ArgumentError(f"{name}={value!r}: expected at least 1 step.")


def _is_below(limit: float, value: Any) -> bool:
    """Return whether a setting, which may be no number at all, is in [0, limit)."""
    try:
        return bool(0 <= value < limit)
    except TypeError:
        return False
