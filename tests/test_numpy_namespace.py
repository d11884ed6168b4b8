"""The namespace is complete, and every differentiable name is in the table of calls."""

import re

import numpy
import pytest

import autograd_lite.numpy as anp
from autograd_lite import numpy as namespace
from autograd_lite.core import Primitive
from autograd_lite.testing.calls.numpy import CALLS, UPDATES

# Modules of NumPy that are not arrays' business, and names that differ by platform.
LEFT_OUT = """
    __array_namespace_info__ __version__ char complex256 core ctypeslib dtypes emath
    f2py float128 lib ma polynomial rec strings test testing typing"""
ADDED = {"at", "safe_where"}

# With a tracer these return integers, booleans, shapes or constants, or they raise.
WITHOUT_GRADIENT = """
    all allclose any argmax argmin argpartition argsort argwhere around array2string
    array_equal array_equiv array_repr array_str common_type copyto count_nonzero
    diag_indices_from digitize einsum_path empty_like fill_diagonal fix flatnonzero
    isclose iscomplex iscomplexobj isin isneginf isposinf isreal isrealobj lexsort
    nanargmax nanargmin ndim nditer nonzero ones_like place put put_along_axis
    putmask result_type round searchsorted shape size tril_indices_from
    triu_indices_from zeros_like"""


def test_every_public_name_of_numpy_is_there():
    assert set(numpy.__all__) - set(LEFT_OUT.split()) <= set(anp.__all__)
    assert set(anp.__all__) - set(numpy.__all__) <= ADDED | {
        "bool",
        "fft",
        "linalg",
        "random",
    }


def test_names_exist_and_are_callable_where_numpys_are():
    for name in anp.__all__:
        ours = getattr(anp, name)
        if name not in ADDED:
            assert callable(ours) == callable(getattr(numpy, name)), name


def own_names():
    """The names that are not NumPy's own objects."""
    return {
        name
        for name in set(anp.__all__) - ADDED
        if getattr(anp, name) is not getattr(numpy, name)
        and callable(getattr(anp, name))
    }


def differentiable_names():
    primitives = {n for n in own_names() if isinstance(getattr(anp, n), Primitive)}
    constants = {n for n in primitives if not getattr(anp, n).differentiable}
    return own_names() - constants - set(WITHOUT_GRADIENT.split())


def test_every_differentiable_name_has_a_row():
    rows = {
        name for call in [*CALLS, *UPDATES] for name in re.findall(r"np\.(\w+)", call)
    }
    assert sorted(differentiable_names() - rows) == []


def test_at_least_so_many_names_are_differentiable():
    assert len(differentiable_names()) >= 220


def test_what_has_no_gradient_is_named_only_where_it_exists():
    assert set(WITHOUT_GRADIENT.split()) <= own_names()


def test_functions_keep_their_names_and_have_docstrings():
    for name in own_names():
        assert getattr(anp, name).__doc__, name


def test_random_numbers_come_from_numpy():
    assert (
        namespace.random.default_rng(3).normal() == numpy.random.default_rng(3).normal()
    )
    with pytest.raises(AttributeError, match="no 'nonsense'"):
        _ = namespace.random.nonsense
    also = {"get_bit_generator", "set_bit_generator"}  # not in its __all__
    assert set(namespace.random.NAMES) == set(numpy.random.__all__) | also
