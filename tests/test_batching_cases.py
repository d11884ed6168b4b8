"""`vmap` of every primitive, against the loop: walks the tables of cases."""

import itertools
import zlib

import numpy as np
import pytest
from test_cases import CASES, each

from autograd_lite import jvp, vjp, vmap
from autograd_lite.errors import MissingRuleError, PerformanceWarning

# The rows that are applied in a loop where the named argument is mapped: how many
# elements a mask picks depends on its values.
LOOPS = {"take-mask": 1}


# The rows whose results depend on the values of an element even in shape or dtype.
DEPENDENT = {"take-mask", "eig"}


def rows(keep=lambda case: True):
    """Parametrise a test by the rows that `keep` accepts."""
    kept = [case for case in CASES if keep(case)]
    return pytest.mark.parametrize("case", kept, ids=lambda case: case.id)


def sample(case, seed=0):
    """Arguments of a row, all as arrays."""
    args = case.make(np.random.default_rng([seed, zlib.crc32(case.id.encode())]))
    return [np.asarray(x) for x in args]


def function(case):
    """The primitive with the parameters of a row."""
    return lambda *args: case.primitive(*args, **case.params)


def patterns(n):
    """Ways to map n arguments: all, each alone, and all but one."""
    several = [tuple([0 if i == j else None for i in range(n)]) for j in range(n)]
    several += [tuple([None if i == j else 0 for i in range(n)]) for j in range(n)]
    found = dict.fromkeys([(0,) * n, *several])
    return [axes for axes in found if 0 in axes and n]


def stacked(samples, axes):
    """Arguments of all samples where they are mapped, else of the first."""
    columns = zip(*samples, strict=True)
    return [np.stack(c) if a == 0 else c[0] for c, a in zip(columns, axes)]


def element(args, axes, i):
    """The arguments of one element."""
    return [x[i] if a == 0 else x for x, a in zip(args, axes)]


def assert_stacked(mapped, fun, args, axes, size):
    """Compare the results of a map with those of the function for each element."""
    expected = [each(fun(*element(args, axes, i))) for i in range(size)]
    for y, parts in zip(each(mapped), zip(*expected), strict=True):
        parts = np.stack(parts)
        assert np.shape(y) == parts.shape and y.dtype == parts.dtype
        np.testing.assert_allclose(y, parts, 1e-10, 1e-10)


@rows()
def test_every_pattern_of_mapped_arguments(case):
    samples = [sample(case, seed) for seed in range(3)]
    fun = function(case)
    for axes in patterns(len(samples[0])):
        args = stacked(samples, axes)
        mapped = vmap(fun, axes, fallback="loop")(*args)
        assert_stacked(mapped, fun, args, axes, 3)


@rows()
def test_no_loop_runs(case):
    samples = [sample(case, seed) for seed in range(2)]
    for axes in patterns(len(samples[0])):
        mapped = vmap(function(case), axes, fallback="raise")
        args = stacked(samples, axes)
        if case.id in LOOPS and axes[LOOPS[case.id]] == 0:
            with pytest.raises(MissingRuleError, match=case.primitive.name):
                mapped(*args)
        else:
            mapped(*args)


def gradients_of(case):
    """The function that pulls the result of a primitive back to its float arguments."""

    def gradients(*args):
        fun, xs = of_floats(case, args)
        y, pullback = vjp(fun, *xs)
        return pullback(y)

    return gradients


def of_floats(case, args):
    """The primitive as a function of its float arguments, and these."""
    places = [i for i, x in enumerate(args) if x.dtype.kind in "fc"]

    def fun(*xs):
        filled = list(args)
        for i, x in zip(places, xs):
            filled[i] = x
        return case.primitive(*filled, **case.params)

    return fun, [args[i] for i in places]


@rows(lambda case: case.order > 0)
def test_no_loop_runs_in_gradients(case):
    gradients = gradients_of(case)
    samples = [sample(case, seed) for seed in range(2)]
    for axes in patterns(len(samples[0])):
        args = stacked(samples, axes)
        fallback = "loop" if case.id in LOOPS else "raise"
        mapped = vmap(gradients, axes, fallback=fallback)(*args)
        assert_stacked(mapped, gradients, args, axes, 2)


@rows(lambda case: case.order > 0)
def test_forward_mode_under_a_map(case):
    samples = [sample(case, seed) for seed in range(2)]

    def pushed(*args):
        fun, xs = of_floats(case, args)
        return jvp(fun, xs, xs)[1]

    axes = (0,) * len(samples[0])
    args = stacked(samples, axes)
    fallback = "loop" if case.id in LOOPS else "raise"
    mapped = vmap(pushed, axes, fallback=fallback)(*args)
    assert_stacked(mapped, pushed, args, axes, 2)


@rows()
def test_nested_maps(case):
    """The outer map over a first axis, the inner one over the last of each array."""
    fun = function(case)
    blocks = [[sample(case, 3 * i + j) for j in range(3)] for i in range(2)]
    n = len(blocks[0][0])
    for axes in patterns(n)[:2]:
        inner = [-1 if a == 0 else None for a in axes]
        args = [
            np.stack([np.stack([b[k] for b in row], -1) for row in blocks])
            if axes[k] == 0
            else blocks[0][0][k]
            for k in range(n)
        ]
        mapped = vmap(vmap(fun, tuple(inner)), axes)(*args)
        for i, j in itertools.product(range(2), range(3)):
            one = [x[i, ..., j] if a == 0 else x for x, a in zip(args, axes)]
            for y, e in zip(each(mapped), each(fun(*one)), strict=True):
                np.testing.assert_allclose(y[i, j], e, 1e-10, 1e-10)


@rows()
def test_derivative_of_a_map(case):
    """Reverse mode through the batching rule is that of the elements."""
    if case.order == 0:
        pytest.skip("constant")
    samples = [sample(case, seed) for seed in range(2)]
    axes = (0,) * len(samples[0])
    args = stacked(samples, axes)
    places = [i for i, x in enumerate(args) if x.dtype.kind in "fc"]

    def fun(*xs):
        filled = list(args)
        for i, x in zip(places, xs):
            filled[i] = x
        return vmap(function(case), axes)(*filled)

    y, pullback = vjp(fun, *[args[i] for i in places])
    assert_stacked(pullback(y), gradients_of(case), args, axes, 2)


@rows()
def test_batches_of_one_and_of_none(case):
    args = sample(case)
    fun, axes = function(case), (0,) * len(args)
    if not args:
        return
    expected = each(fun(*args))
    mapped = vmap(fun, axes)
    for y, e in zip(each(mapped(*[x[None] for x in args])), expected, strict=True):
        np.testing.assert_allclose(y[0], e, 1e-10, 1e-10)
        assert np.shape(y) == (1, *np.shape(e))
    if case.id in DEPENDENT:
        return
    empty = [np.empty((0, *np.shape(x)), np.asarray(x).dtype) for x in args]
    for y, e in zip(each(mapped(*empty)), expected, strict=True):
        assert y.shape == (0, *np.shape(e)) and y.dtype == np.asarray(e).dtype


def test_the_warning_names_the_primitive_and_stands_at_the_line():
    from autograd_lite import primitive

    @primitive
    def unruly(x):
        return 2 * x

    x = np.arange(3.0)
    with pytest.warns(PerformanceWarning, match="unruly") as caught:
        assert vmap(unruly, fallback="warn")(x).tolist() == [0, 2, 4]
    assert caught[0].filename == __file__
    with pytest.raises(MissingRuleError, match="unruly.*defbatch"):
        vmap(vmap(unruly), fallback="raise")(x[None])
