"""The bank of right functions: no checker of ours calls one wrong.

It has two parts: functions at awkward places (`faults.calm`), and the rows of all
primitives at other points and in other dtypes than `test_cases.py` has them.
"""

import warnings

import numpy as np
import pytest
from faults.calm import CALM
from faults.ours import TRACED
from test_cases import CASES, function_of_floats, is_float, sample

from autograd_lite.errors import ArgumentError
from autograd_lite.testing import check_grads

KINDS = sorted({calm.kind for calm in CALM})
ROWS = [case for case in CASES if case.order > 0]
CHUNKS = 40  # tests, so that workers share the rows
SEEDS = (101,)


def verdict_of(fun, args, **settings):
    """What the checker says, without warnings of NumPy."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return check_grads(fun, args, report=True, **settings)


@pytest.mark.parametrize("kind", KINDS)
def test_right_functions_are_not_called_wrong(kind):
    wrong = {}
    for calm in [calm for calm in CALM if calm.kind == kind]:
        report = verdict_of(lambda *xs, c=calm: c.fun(TRACED, *xs), calm.args)
        if report.verdict not in calm.expected:
            wrong[calm.name] = str(report)
    assert wrong == {}


def pairs_of(case):
    """The row's function and arguments: other numbers, and these in float32."""
    for seed in SEEDS:
        yield from [sample(case, seed)]
    if "f" in case.dtypes:
        yield [np.float32(x) if is_float(x) else x for x in sample(case)]


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_rows_at_other_points_are_not_called_wrong(chunk):
    wrong = {}
    for case in ROWS[chunk::CHUNKS]:
        for args in pairs_of(case):
            fun, xs = function_of_floats(case, args)
            try:
                report = verdict_of(fun, xs, order=min(case.order, 2))
            except ArgumentError as error:
                assert "not finite" in str(error) and xs[0].dtype == np.float32
                continue
            if report.verdict not in ("ok", "inconclusive"):
                wrong[case.id] = str(report)
    assert wrong == {}


def test_the_bank_is_as_large_as_it_claims():
    assert len({calm.id for calm in CALM}) == len(CALM)
    rows = sum(len(list(pairs_of(case))) for case in ROWS)
    assert len(CALM) + rows >= 2000
    assert {"magnitude", "dtype", "complex", "empty", "kink", "matrix"} <= set(KINDS)
