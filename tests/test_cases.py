"""Every primitive against NumPy and finite differences: walks the tables of cases."""

import importlib
import pkgutil
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest

import autograd_lite.ops
from autograd_lite import jvp, vjp, vmap
from autograd_lite.core import KernelCall, Primitive
from autograd_lite.testing import check_grads

TABLES = [
    importlib.import_module(path.stem)
    for path in sorted(Path(__file__).parent.glob("cases*.py"))
]
CASES = [case for table in TABLES for case in table.CASES]


def rows(keep=lambda case: True):
    """Parametrise a test by the rows that `keep` accepts."""
    kept = [case for case in CASES if keep(case)]
    return pytest.mark.parametrize("case", kept, ids=lambda case: case.id)


def sample(case, seed=0):
    """The arguments of a row, the same in every run."""
    return case.make(np.random.default_rng([seed, zlib.crc32(case.id.encode())]))


def is_float(x):
    return np.asarray(x).dtype.kind in "fc"


def has_floats(case):
    return any(is_float(x) for x in sample(case))


def has_axes(case):
    return any(is_float(x) and np.ndim(x) for x in sample(case))


def function_of_floats(case, args):
    """The primitive as a function of its float arguments, and these."""
    places = [i for i, x in enumerate(args) if is_float(x)]

    def fun(*xs):
        filled = list(args)
        for i, x in zip(places, xs):
            filled[i] = x
        return case.primitive(*filled, **case.params)

    return fun, tuple([args[i] for i in places])


def each(y):
    """The results of a primitive as a tuple."""
    return y if isinstance(y, tuple) else (y,)


def assert_same(ys, expected, rtol=1e-12, atol=1e-12):
    """Values, shapes and dtypes are equal."""
    for y, e in zip(each(ys), each(expected), strict=True):
        e = np.asarray(e)
        assert y.shape == e.shape and y.dtype == e.dtype
        np.testing.assert_allclose(y, e, rtol, atol)


def primitives_of_ops():
    found = set()
    for info in pkgutil.walk_packages(autograd_lite.ops.__path__, "autograd_lite.ops."):
        module = importlib.import_module(info.name)
        found |= {x for x in vars(module).values() if isinstance(x, Primitive)}
    return {p for p in found if not isinstance(p, KernelCall)}  # parts of others


def test_every_primitive_has_a_row_and_every_row_a_primitive():
    named = {case.primitive for case in CASES}
    known = primitives_of_ops()
    assert sorted(p.name for p in known - named) == []
    assert sorted(p.name for p in named - known) == []


def test_rows_have_distinct_names():
    ids = [case.id for case in CASES]
    assert len(set(ids)) == len(ids)


@rows()
def test_value(case):
    args = sample(case)
    expected = case.twin(*args, **case.params)
    assert_same(case.primitive(*args, **case.params), expected)
    fun, xs = function_of_floats(case, args)
    if xs:
        assert_same(vjp(fun, *xs)[0], expected)


@rows(lambda case: case.order > 0)
def test_derivatives(case):
    fun, xs = function_of_floats(case, sample(case))
    check_grads(fun, xs, order=case.order)


@rows(lambda case: "c" in case.dtypes)
def test_complex_derivatives(case):
    args = sample(case)
    turn = np.exp(0.4j) * (1 + 0.1j)
    args = [x * turn if is_float(x) else x for x in args]
    fun, xs = function_of_floats(case, args)
    check_grads(fun, xs, order=1)


@rows(lambda case: not case.primitive.differentiable and has_floats(case))
def test_constants_have_zero_gradient(case):
    fun, xs = function_of_floats(case, sample(case))
    y, pullback = vjp(fun, *xs)
    for x, x_bar in zip(xs, pullback(y)):
        assert x_bar.shape == np.shape(x) and not x_bar.any()


@rows(lambda case: "f" in case.dtypes and has_floats(case))
def test_float32_stays(case):
    args = [np.float32(x) if is_float(x) else x for x in sample(case)]
    expected = case.twin(*args, **case.params)
    fun, xs = function_of_floats(case, args)
    y, pullback = vjp(fun, *xs)
    assert_same(y, expected, 1e-4, 1e-4)
    if case.order:
        assert {x_bar.dtype for x_bar in pullback(y)} == {np.dtype(np.float32)}
        assert each(jvp(fun, xs, xs)[1])[0].dtype == each(y)[0].dtype


@rows(lambda case: case.axes0 and case.order > 0 and has_axes(case))
def test_no_elements(case):
    args = [x[:0] if np.ndim(x) and is_float(x) else x for x in sample(case)]
    if case.primitive.broadcasts:  # a vector along the last axis loses nothing
        args = [x if np.ndim(x) > 1 else np.ones(()) for x in args]
    fun, xs = function_of_floats(case, args)
    y, pullback = vjp(fun, *xs)
    assert_same(y, case.twin(*args, **case.params))
    for x, x_bar in zip(xs, pullback(y)):
        assert x_bar.shape == np.shape(x)


def strided(x):
    """The same array with negative, non-contiguous strides."""
    if not np.ndim(x):
        return x
    wide = np.zeros([2 * n for n in x.shape], x.dtype)
    view = wide[(slice(None, None, -2),) * x.ndim]
    view[...] = x
    return view


@rows(lambda case: case.order > 0)
def test_memory_layout_does_not_matter(case):
    args = sample(case)
    fun, xs = function_of_floats(case, args)
    g, x_bars = _value_and_pullback(fun, xs)
    for change in (strided, np.asfortranarray, _read_only):
        changed = [change(x) if np.ndim(x) else x for x in xs]
        other_g, other_bars = _value_and_pullback(fun, changed)
        assert_same(other_g, g)
        assert_same(other_bars, x_bars)
        for x, kept in zip(xs, changed):
            np.testing.assert_array_equal(x, kept)  # nothing was written to


def _read_only(x):
    x = x.copy()
    x.setflags(write=False)
    return x


def _value_and_pullback(fun, xs):
    y, pullback = vjp(fun, *xs)
    return y, pullback(y)


@rows(lambda case: case.order > 0 and case.constant)
def test_broadcast_inputs(case):
    """An array that is one element many times over (all strides 0)."""
    args = sample(case)
    fun, xs = function_of_floats(case, args)
    flat = [np.broadcast_to(np.max(x) if np.size(x) else 0.0, np.shape(x)) for x in xs]
    dense = [x.copy() for x in flat]
    assert_same(fun(*flat), fun(*dense))
    assert_same(_value_and_pullback(fun, flat)[1], _value_and_pullback(fun, dense)[1])


@rows(lambda case: case.order > 0)
def test_vmap_is_a_loop(case):
    samples = [function_of_floats(case, sample(case, seed))[1] for seed in range(3)]
    fun, _ = function_of_floats(case, sample(case))
    stacked = [np.stack(parts) for parts in zip(*samples)]
    expected = [each(fun(*xs)) for xs in samples]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mapped = each(vmap(fun)(*stacked))
    for y, parts in zip(mapped, zip(*expected), strict=True):
        np.testing.assert_allclose(y, np.stack(parts), 1e-12, 1e-12)


@rows(lambda case: case.order > 0)
def test_gradient_under_vmap(case):
    samples = [function_of_floats(case, sample(case, seed))[1] for seed in range(2)]
    fun, _ = function_of_floats(case, sample(case))
    stacked = [np.stack(parts) for parts in zip(*samples)]

    def derivative(*xs):
        y, pullback = vjp(fun, *xs)
        return pullback(y)

    expected = [derivative(*xs) for xs in samples]
    mapped = vmap(derivative)(*stacked)
    for x_bar, parts in zip(mapped, zip(*expected), strict=True):
        np.testing.assert_allclose(x_bar, np.stack(parts), 1e-10, 1e-10)
