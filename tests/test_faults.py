"""The bank of wrong rules: the checkers find every one, at their defaults."""

from collections import Counter

import pytest
from faults.bank import FAULTS
from faults.fault import family
from faults.functions import FUNCTIONS
from faults.ours import build
from faults.ties import FAIR

from autograd_lite.errors import AutogradError
from autograd_lite.testing import check_grads, check_primitive

CHECKERS = {"check_grads": check_grads, "check_primitive": check_primitive}
KINKED = ("x |x|", "squared hinge", "largest", "spread", "soft threshold")
FAMILIES = """scale, sign, unbroadcast, transposed operand, wrong axis, window off by
one, last element, ties, padding, stride, float32, float32 inside, second
order, non-linear in g, dtype,
alias, state""".replace("\n", " ").split(", ")


def each(faults):
    """Parametrise a test by faults."""
    return pytest.mark.parametrize("fault", faults, ids=lambda fault: fault.id)


def verdict_of(fault, checker="check_grads", **settings):
    """What a checker says of a fault; an error of the library is "wrong" as well."""
    fun, args = build(fault.function, fault.pull()), fault.function.args
    try:
        if checker == "check_primitive":
            return check_primitive(fun, *args, report=True, **settings).verdict
        return check_grads(fun, args, report=True, **settings).verdict
    except AutogradError:  # a rule stored a tracer, or wrote into one
        return "wrong"


def test_the_bank_is_as_large_as_it_claims():
    assert len(FAULTS) >= 150
    assert len({fault.id for fault in FAULTS}) == len(FAULTS)
    assert not set(FAMILIES) - {fault.family for fault in FAULTS}
    assert min(Counter(fault.family for fault in FAULTS).values()) >= 4


@each(FAULTS)
def test_every_fault_is_found(fault):
    assert verdict_of(fault, fault.checker) == "wrong"


# Two evaluations, each with a copy of x, show neither of these.
LATE = ["x as a work space", "wrong in every third call"]


@each([f for f in FAULTS if f.family in ("alias", "state", "dtype")])
def test_what_rules_do_to_arrays_shows_in_first_order(fault):
    if fault.name not in LATE:
        assert verdict_of(fault, order=1, modes=["rev"]) == "wrong"


@each([f for f in FAULTS if f.family == "ties"])
@pytest.mark.parametrize("mode", ["rev", "fwd"])
def test_choices_at_ties_are_found_by_any_seed(fault, mode):
    found = {verdict_of(fault, modes=[mode], seed=seed, order=1) for seed in (1, 2)}
    assert found == {"wrong"}


@each(family("fair", *FAIR))
@pytest.mark.parametrize("mode", ["rev", "fwd"])
def test_fair_choices_at_ties_are_not_called_wrong(fault, mode):
    verdict = verdict_of(fault, modes=[mode], order=1)
    assert verdict == "not differentiable here"


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_the_right_rules_pass(function, dtype):
    """So that it is the fault that is found, not the function."""
    args = tuple([x.astype(dtype) if x.dtype.kind == "f" else x for x in function.args])
    report = check_grads(build(function, function.pull), args, report=True)
    kinked = function.name in KINKED
    assert report.verdict == ("not differentiable here" if kinked else "ok")


@each([f for f in FAULTS if f.family in ("scale", "sign")])
def test_a_common_factor_is_named(fault):
    """Where all elements are off by one factor the report says by which."""
    fun = build(fault.function, fault.pull())
    report = check_grads(fun, fault.function.args, order=1, modes=["rev"], report=True)
    pattern = report.finding.pattern
    assert pattern.startswith("the ratio is ")
    factor = -1 if "negated" in fault.name else float(fault.name.split()[-1])
    assert float(pattern.split()[3].rstrip(":")) == pytest.approx(factor, rel=1e-4)
