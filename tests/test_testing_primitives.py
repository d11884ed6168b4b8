"""`check_primitive` and the strategies: faults that it finds, domains that it keeps."""

import itertools

import hypothesis
import numpy
import pytest
from hypothesis import strategies as st

import autograd_lite.numpy as np
from autograd_lite import (
    defbatch,
    defjvp,
    defvjp,
    elementwise,
    nn,
    primitive,
    tree,
)
from autograd_lite.core import Primitive
from autograd_lite.errors import ArgumentError, GradientCheckError
from autograd_lite.ops import elementwise as ew
from autograd_lite.testing import (
    Domain,
    check_grads,
    check_primitive,
    register_domain,
    strategies,
)

settings = hypothesis.settings(max_examples=25, deadline=None, database=None)


def cube_with(maker, impl=lambda x: x**3, kind=elementwise):
    cube = kind(impl)
    cube.name = "cube"
    defvjp(cube, maker)
    return cube


def right(ans, x):
    return lambda g: g * 3 * x * x


# -- the library's own primitives -----------------------------------------------------

# Constants in some argument, options by position, or no derivative to check.
SPECIAL = {"exactly", "nan_to_num", "where", "ldexp", "nextafter", "sign", "heaviside"}
REAL = {"imag", "real", "angle", "conjugate"}  # of complex arguments


def elementwise_primitives():
    found = {p.name: p for p in vars(ew).values() if isinstance(p, Primitive)}
    left_out = SPECIAL | REAL
    return [p for n, p in found.items() if p.differentiable and n not in left_out]


@pytest.mark.parametrize("p", elementwise_primitives(), ids=lambda p: p.name)
def test_elementwise_primitives(p):
    check_primitive(p, twin=p.impl, examples=4)


def test_a_primitive_that_is_not_elementwise():
    from autograd_lite.ops import linalg, reduce

    x = numpy.random.default_rng(0).standard_normal((3, 4))
    check_primitive(linalg.matmul, x, x.T.copy(), twin=numpy.matmul)
    check_primitive(reduce.sum, x, params={"axis": (1,), "keepdims": True})


# -- faults ---------------------------------------------------------------------------


def found(p, **kwargs):
    report = check_primitive(p, report=True, **{"examples": 5, **kwargs})
    assert report.verdict == "wrong"
    return str(report)


def test_right():
    check_primitive(cube_with(right), twin=lambda x: x * x * x)
    report = check_primitive(cube_with(right), report=True)
    assert [f.where for f in report.findings][:2] == ["value", "purity"]
    assert str(report).startswith("cube: ok (value, purity, adjoint identity,")


def test_wrong_value():
    assert "the twin's value" in found(cube_with(right), twin=lambda x: x * x)
    text = found(cube_with(right), twin=lambda x: (x**3).astype(numpy.float32))
    assert "float64 of shape" in text


def test_wrong_rule():
    p = cube_with(lambda ans, x: lambda g: g * 3.003 * x * x)
    assert "the ratio is 1.001" in found(p)
    with pytest.raises(GradientCheckError):
        check_primitive(p)


def test_hypothesis_shrinks_to_a_small_example():
    p = cube_with(lambda ans, x: lambda g: g * 3 * x * x * (1 + (x > 1.0)))
    text = found(p, examples=20)
    assert "is counted twice" in text
    assert any(f"(shape {shape}, float64)" in text for shape in [(), (1,), (1, 1)])


def test_wrong_forward_rule():
    p = cube_with(right)
    defjvp(p, lambda x_dot, ans, x: x_dot * 3 * x)
    assert "forward mode" in found(p)


def test_wrong_dtype():
    def rule(ans, x):
        return lambda g: (g * 3 * x * x).astype(float)

    # an elementwise primitive's cotangents are cast by the engine; others' are not
    assert "float64 for an argument" in found(cube_with(rule, kind=primitive))


def test_wrong_batching_rule():
    p = cube_with(right)
    defbatch(p, lambda size, args, batched: args[0] ** 3 * 2)
    assert "vmap" in found(p)


def test_a_state():
    calls = itertools.count()
    p = cube_with(right, lambda x: x**3 + (next(calls) % 2))
    assert "two calls give different results" in found(p)


def test_an_argument_that_is_written_to():
    def impl(x):
        y = x**3
        x *= 1.5
        return y

    assert "written to" in found(cube_with(right, impl), examples=2)


def test_a_kernel_that_relies_on_contiguous_arrays():
    def impl(x):
        return x.ravel(order="K").reshape(x.shape) ** 3

    assert "arguments" in found(cube_with(right, impl), examples=20)


def test_a_kernel_that_cannot_do_without_elements():
    def impl(x):
        return x**3 + 0 * x.max()

    text = found(cube_with(right, impl))
    assert "no elements" in text and "ValueError" in text


def test_arguments_that_must_be_given():
    def impl(*args):
        return args[0]

    with pytest.raises(ArgumentError, match="pass sample arguments"):
        check_primitive(primitive(impl))


def test_strategies_as_arguments():
    @primitive
    def total(x, axis):
        return numpy.asarray(numpy.sum(x))

    defvjp(total, lambda ans, x, axis: lambda g: np.broadcast_to(g, x.shape), None)
    check_primitive(total, strategies.arrays((2, 3)), st.integers(0, 1), examples=3)


def test_a_registered_domain():
    @elementwise
    def root(x):
        assert (x > 0).all()
        return numpy.sqrt(x)

    defvjp(root, lambda ans, x: lambda g: g / (2 * ans))
    register_domain(root, Domain(0.5, 4))
    check_primitive(root, examples=3, dtypes=["float64"])


# -- strategies -----------------------------------------------------------------------


@settings
@hypothesis.given(st.data())
def test_domains(data):
    domain = Domain(-1, 2, kinks=(0.0, 1.0), margin=0.2)
    x = data.draw(strategies.arrays(domain=domain))
    assert ((x >= -1) & (x <= 2)).all()
    assert (abs(x) >= 0.2 - 1e-12).all() and (abs(x - 1) >= 0.2 - 1e-12).all()
    aimed = data.draw(strategies.at_kinks((2, 3), domain))
    assert ((aimed == 0) | (aimed == 1)).any()


@settings
@hypothesis.given(strategies.arrays((2, 3), domain=Domain(apart=True)))
def test_elements_apart(x):
    gaps = numpy.diff(numpy.sort(x.ravel()))
    assert gaps.min() > 0.3


def test_periodic_kinks():
    domain = Domain(-3, 3, kinks=(0.0,), period=1.0)
    x = domain.placed(numpy.linspace(0, 1, 101))
    assert abs(x - numpy.round(x)).min() >= 0.1 - 1e-12


@settings
@hypothesis.given(strategies.broadcastable_shapes(3))
def test_broadcastable_shapes(shapes):
    numpy.broadcast_shapes(*shapes)


@settings
@hypothesis.given(st.data())
def test_axes_indices_dtypes(data):
    shape = data.draw(strategies.shapes(min_side=0))
    x = numpy.zeros(shape)
    x.sum(axis=data.draw(strategies.axes(x.ndim)))
    x[data.draw(strategies.indices(shape))]
    assert data.draw(strategies.dtypes("fhc")).kind in "fc"


@settings
@hypothesis.given(strategies.trees())
def test_trees(params):
    leaves = tree.leaves(params)
    assert leaves and all(isinstance(leaf, numpy.ndarray) for leaf in leaves)


@hypothesis.settings(settings, max_examples=8)
@hypothesis.given(strategies.convolutions())
def test_convolutions(c):
    check_grads(lambda x, w: nn.conv(x, w, **c.options), (c.x, c.w), order=1)
