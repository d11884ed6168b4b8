"""numpy.linalg: every function in every form: values, derivatives, dtypes, errors."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_cases import assert_same, each

import autograd_lite.numpy as anp
from autograd_lite import grad, vjp, vmap
from autograd_lite.errors import (
    AmbiguousGradientError,
    ArgumentError,
    AutogradError,
    ShapeError,
    UnsupportedError,
)
from autograd_lite.numpy import linalg
from autograd_lite.testing import check_grads

pytestmark = pytest.mark.filterwarnings("error")
INF = math.inf


def normal(*shape, dtype=float, seed=0):
    """Normal numbers, complex ones with two independent parts."""
    rng = np.random.default_rng([seed, *shape])
    x = rng.standard_normal(shape)
    return x + 1j * rng.standard_normal(shape) if dtype is complex else x


def adjoint(x):
    return anp.conj(anp.swapaxes(x, -1, -2))


def hermitian(x):
    return (x + adjoint(x)) / 2


def positive(x):
    return x @ adjoint(x) + np.eye(x.shape[-1], dtype=x.dtype)


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, 1e-10, 1e-12)


# -- every function in every form ----------------------------------------------------

A, B, C, STACK = (4, 2), (2, 4), (3, 4), (2, 3, 3)
ORDERS = [None, 0, 1, -1, 2, -2, 0.5, 3, -3, INF, -INF]
MATRIX_ORDERS = [None, "fro", "nuc", 1, -1, 2, -2, INF, -INF]


def keyworded(name, shapes, **options):
    """Rows that call a function of one array with each value of one keyword."""
    ((key, values),) = options.items()
    return {
        f"{name} {value} {shape}": (_with(name, {key: value}), shape)
        for value, shape in itertools.product(values, shapes)
    }


def _with(name, params):
    return lambda la, x: getattr(la, name)(x, **params)


# name of a form -> (call, where `la` is a linalg module; shapes of the arguments)
FORMS = {
    "inv": (lambda la, x: la.inv(x), STACK),
    "pinv": (lambda la, x: la.pinv(x), (2, *A)),
    "pinv wide": (lambda la, x: la.pinv(x, 1e-10), B),
    "pinv rtol": (lambda la, x: la.pinv(x, rtol=None), B),
    "pinv rconds": (lambda la, x: la.pinv(x, np.array([1e-9, 1e-10])), (2, *B)),
    "pinv rank 2": (lambda la, x, y: la.pinv(x @ y, 1e-9), A, (2, 3)),
    "pinv hermitian": (lambda la, x: la.pinv(x, hermitian=True), STACK),
    "solve vector": (lambda la, x, y: la.solve(x, y), STACK, (3,)),
    "solve matrix": (lambda la, x, y: la.solve(x, y), STACK, (3, 2)),
    "solve stack": (lambda la, x, y: la.solve(x, y), (3, 3), (4, 3, 1)),
    "tensorsolve": (lambda la, x, y: la.tensorsolve(x, y), (2, 3, 6), (2, 3)),
    "tensorsolve axes": (
        lambda la, x, y: la.tensorsolve(x, y, axes=(0, 2)),
        *((3, 6, 2), (6,)),
    ),
    "tensorinv": (lambda la, x: la.tensorinv(x), (2, 3, 6)),
    "tensorinv ind": (lambda la, x: la.tensorinv(x, ind=1), (6, 3, 2)),
    "lstsq": (lambda la, x, y: la.lstsq(x, y), A, (4, 3)),
    "lstsq vector": (lambda la, x, y: la.lstsq(x, y, 1e-9), A, (4,)),
    "lstsq wide": (lambda la, x, y: la.lstsq(x, y), B, (2, 3)),
    "lstsq rank 2": (lambda la, x, y, b: la.lstsq(x @ y, b, 1e-9)[0], A, (2, 3), (4,)),
    "det": (lambda la, x: la.det(x), STACK),
    "det of one": (lambda la, x: la.det(x), (1, 1)),
    "slogdet": (lambda la, x: la.slogdet(x), STACK),
    "cholesky": (lambda la, x: la.cholesky(positive(x)), STACK),
    "cholesky upper": (lambda la, x: la.cholesky(positive(x), upper=True), STACK),
    **keyworded("qr", [STACK, A, B, (2, *C)], mode=["reduced", "r"]),
    **keyworded("qr", [STACK, A, B, (2, *A), (2, *B)], mode=["complete", "raw"]),
    "svd": (lambda la, x: la.svd(x), (3, 3)),
    **keyworded("svd", [A, (2, *B)], full_matrices=[False]),
    "svd values": (lambda la, x: la.svd(x, compute_uv=False), A),
    "svd hermitian": (lambda la, x: la.svd(x, hermitian=True), STACK),
    "svd values hermitian": (lambda la, x: la.svd(x, False, False, True), STACK),
    "svdvals": (lambda la, x: la.svdvals(x), (2, *A)),
    **keyworded("eigh", [STACK], UPLO=["L", "U"]),
    **keyworded("eigvalsh", [STACK], UPLO=["L", "u"]),
    "eig": (lambda la, x: la.eig(x), (4, 4)),
    "eig real": (lambda la, x: la.eig(positive(x)), (3, 3)),
    "eigvals": (lambda la, x: la.eigvals(x), STACK),
    "norm": (lambda la, x: la.norm(x), (2, 3, 2)),
    "norm keepdims": (lambda la, x: la.norm(x, keepdims=True), C),
    "norm vectors": (lambda la, x: la.norm(x, axis=1, keepdims=True), (2, 3, 2)),
    "norm matrices": (lambda la, x: la.norm(x, "nuc", (2, 0), True), (3, 2, 2)),
    **keyworded("norm", [(5,)], ord=ORDERS),
    **keyworded("norm", [C], ord=MATRIX_ORDERS),
    **keyworded("vector_norm", [C], ord=ORDERS[1:]),
    **keyworded("vector_norm", [(2, 3, 2)], axis=[(0, -1), 1, None]),
    **keyworded("matrix_norm", [(2, *C)], ord=MATRIX_ORDERS),
    **keyworded("cond", [STACK], p=MATRIX_ORDERS),
    **keyworded("cond", [A], p=[None, 2, -2]),
    **keyworded("matrix_power", [STACK], n=[-3, -1, 1, 2, 3, 6]),
    "multi_dot": (lambda la, *xs: la.multi_dot(xs), B, (4, 3), (3, 5), (5, 2)),
    "multi_dot two": (lambda la, x, y: la.multi_dot([x, y]), A, B),
    "multi_dot vectors": (lambda la, *xs: la.multi_dot(xs), (4,), A, B, (4,)),
    "matmul": (lambda la, x, y: la.matmul(x, y), (2, *A), B),
    "outer": (lambda la, x, y: la.outer(x, y), (3,), (2,)),
    "cross": (lambda la, x, y: la.cross(x, y, axis=0), (3, 2), (3, 2)),
    "vecdot": (lambda la, x, y: la.vecdot(x, y, axis=0), C, C),
    "tensordot": (lambda la, x, y: la.tensordot(x, y, axes=1), C, (4, 2)),
    "matrix_transpose": (lambda la, x: la.matrix_transpose(x), (2, *C)),
    "diagonal": (lambda la, x: la.diagonal(x, offset=1), (2, *C)),
    "trace": (lambda la, x: la.trace(x, offset=-1), (2, *C)),
}
PHASED = [name for name in FORMS if name.split()[0] in ("svd", "eigh")]
PHASED = [name for name in PHASED if "values" not in name]

forms = pytest.mark.parametrize("form", FORMS)
gauge_free = pytest.mark.parametrize("form", [f for f in FORMS if f not in PHASED])


def arguments(form, dtype=float):
    """The arguments of a form."""
    return [normal(*s, dtype=dtype, seed=i) for i, s in enumerate(FORMS[form][1:])]


def inexact(results):
    """The results that have a derivative: not the rank that lstsq finds."""
    ys = [y for y in each(results) if not isinstance(y, (int, np.integer))]
    return tuple(ys)


def differentiable(form, module=linalg):
    """The form as a function of arrays to a tuple of arrays."""
    call = FORMS[form][0]
    return lambda *xs: inexact(call(module, *xs))


def test_all_functions_are_there_and_in_a_form():
    assert set(linalg.__all__) == set(np.linalg.__all__)
    tested = {form.split()[0] for form in FORMS}
    assert set(linalg.__all__) - tested == {"LinAlgError", "matrix_rank"}
    assert anp.linalg is linalg
    assert linalg.LinAlgError is np.linalg.LinAlgError


@forms
@pytest.mark.parametrize("dtype", [float, complex])
def test_without_a_tracer_numpy_answers(form, dtype):
    call, xs = FORMS[form][0], arguments(form, dtype)
    ours, numpys = call(linalg, *xs), call(np.linalg, *xs)
    assert type(ours) is type(numpys)
    for y, expected in zip(each(ours), each(numpys), strict=True):
        np.testing.assert_array_equal(y, expected, strict=True)


@forms
@pytest.mark.parametrize("dtype", [float, complex])
def test_traced_values_are_those_of_numpy(form, dtype):
    call, xs = FORMS[form][0], arguments(form, dtype)
    expected, seen = call(np.linalg, *xs), []

    def fun(*xs):
        seen.append(call(linalg, *xs))
        return inexact(seen[0])

    ys, _ = vjp(fun, *xs)
    if isinstance(expected, tuple):
        assert type(seen[0]) is type(expected) and len(seen[0]) == len(expected)
    assert_same(ys, inexact(expected), 1e-13, 1e-13)


def modes(form):
    """Both modes; but forward mode differentiates the singular values of lstsq too,
    which at zero have no second derivative."""
    return ("rev",) if form == "lstsq rank 2" else ("rev", "fwd")


@forms
def test_derivatives(form):
    check_grads(differentiable(form), tuple(arguments(form)), modes=modes(form))


@gauge_free
def test_derivatives_of_complex_arrays(form):
    xs = arguments(form, complex)
    check_grads(differentiable(form), tuple(xs), modes=modes(form))


@forms
def test_plain_numpy_gives_the_same_gradient(form):
    xs = arguments(form)
    ys, pullback = vjp(differentiable(form), *xs)
    plain_ys, plain_pullback = vjp(differentiable(form, np.linalg), *xs)
    for a, b in zip([*ys, *pullback(ys)], [*plain_ys, *plain_pullback(ys)]):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
@gauge_free
def test_single_precision_stays(form, dtype):
    wide = np.result_type(dtype, float)
    xs = [
        x.astype(dtype) for x in arguments(form, complex if wide.kind == "c" else float)
    ]
    ys, pullback = vjp(differentiable(form), *xs)
    exact_ys, exact = vjp(differentiable(form), *[x.astype(wide) for x in xs])
    assert [2 * y.dtype.itemsize for y in ys] == [e.dtype.itemsize for e in exact_ys]
    x_bars = pullback(ys)
    assert {x_bar.dtype for x_bar in x_bars} == {np.dtype(dtype)}
    if "rank 2" not in form:  # the rank depends on the precision
        for x_bar, e in zip(x_bars, exact(exact_ys), strict=True):
            np.testing.assert_allclose(x_bar, e, 1e-3, 1e-3 * np.abs(e).max())


# -- what does not depend on the phases of complex vectors ---------------------------


def function_of_eigh(x, uplo="L"):
    w, v = linalg.eigh(x, uplo)
    return (v * anp.exp(w)[..., None, :]) @ adjoint(v), anp.abs(v), w


def function_of_svd(x):
    u, s, vh = linalg.svd(x, full_matrices=False)
    return (u * anp.sin(s)[..., None, :]) @ vh, anp.abs(u), anp.abs(vh) ** 2, s


def function_of_hermitian_svd(x):
    u, s, vh = linalg.svd(x, hermitian=True)
    return (u * anp.sin(s)[..., None, :]) @ vh, anp.abs(u)


@pytest.mark.parametrize("uplo", ["L", "U"])
def test_complex_eigh(uplo):
    check_grads(lambda x: function_of_eigh(x, uplo), (normal(*STACK, dtype=complex),))


@pytest.mark.parametrize("shape", [(3, 3), A, (2, *B)])
def test_complex_svd(shape):
    check_grads(function_of_svd, (normal(*shape, dtype=complex),))


def test_complex_hermitian_svd():
    check_grads(function_of_hermitian_svd, (normal(*STACK, dtype=complex),))


def test_complex_vectors_refuse_what_depends_on_their_phases():
    x = normal(3, 3, dtype=complex)
    for fun in [
        lambda x: anp.sum(anp.real(linalg.eigh(x)[1])),
        lambda x: anp.sum(anp.real(linalg.svd(x)[0])),
        lambda x: anp.sum(anp.imag(linalg.svd(x)[2])),
    ]:
        with pytest.raises(AmbiguousGradientError, match="phases of complex"):
            grad(fun)(x)


# -- orders of products, forms by Hypothesis -----------------------------------------


@given(st.lists(st.integers(1, 9), min_size=3, max_size=7))
def test_chains_are_multiplied_in_the_cheapest_order(lengths):
    splits = linalg._best_splits(lengths)

    def cost(i, j):
        if j == i + 1:
            return 0
        k = splits[i, j]
        return cost(i, k) + cost(k, j) + lengths[i] * lengths[k] * lengths[j]

    def cheapest(ns):
        rest = range(1, len(ns) - 1)
        return min(
            [
                cheapest(ns[:k] + ns[k + 1 :]) + math.prod(ns[k - 1 : k + 2])
                for k in rest
            ],
            default=0,
        )

    assert cost(0, len(lengths) - 1) == cheapest(lengths)


def spread(*shape):
    """Numbers whose magnitudes keep a distance of a tenth: no maximum is near a tie."""
    n = math.prod(shape)
    order = np.random.default_rng(n).permutation(n)
    return (1.1**order * np.where(order % 2, -0.1, 0.1)).reshape(shape)


@settings(max_examples=60)
@pytest.mark.filterwarnings("ignore::autograd_lite.errors.GradientCheckWarning")
@given(st.data())
def test_norms_along_any_axes(data):
    ndim = data.draw(st.integers(1, 4))
    shape = tuple(data.draw(st.lists(st.integers(1, 3), min_size=ndim, max_size=ndim)))
    axes = data.draw(st.permutations(range(-ndim, 0)))[
        : data.draw(st.integers(1, ndim))
    ]
    keepdims = data.draw(st.booleans())
    name = "norm" if len(axes) <= 2 and data.draw(st.booleans()) else "vector_norm"
    matrices = name == "norm" and len(axes) == 2
    order = data.draw(st.sampled_from(MATRIX_ORDERS if matrices else ORDERS[1:]))
    axis = axes[0] if len(axes) == 1 and data.draw(st.booleans()) else tuple(axes)

    def fun(la):
        return lambda x: getattr(la, name)(x, ord=order, axis=axis, keepdims=keepdims)

    x = spread(*shape)
    y, _ = vjp(fun(linalg), x)
    assert_same(y, fun(np.linalg)(x), 1e-13)
    check_grads(fun(linalg), (x,), order=1)


@given(st.sampled_from(["inv", "det", "svdvals", "eigvalsh", "pinv", "cholesky"]))
def test_vmap_is_a_stack(name):
    xs = np.asarray(positive(normal(3, 2, 3, 3)))
    fun = getattr(linalg, name)
    close(vmap(fun)(xs), fun(xs))
    each_grad = [grad(lambda x: anp.sum(fun(x) ** 2))(x) for x in xs]
    close(vmap(grad(lambda x: anp.sum(fun(x) ** 2)))(xs), each_grad)


@pytest.mark.parametrize("mapped", [(0, None), (None, 0), (0, 0)])
def test_vmap_of_solve(mapped):
    a, b = normal(4, 3, 3), normal(4, 2, 3, 1)
    a, b = [x if axis == 0 else x[0] for x, axis in zip((a, b), mapped)]
    many = [
        linalg.solve(*[x[i] if axis == 0 else x for x, axis in zip((a, b), mapped)])
        for i in range(4)
    ]
    close(vmap(linalg.solve, in_axes=mapped)(a, b), many)


def test_vmap_of_pinv_and_lstsq():
    xs, b, cutoffs = normal(3, 4, 2), normal(4), np.array([1e-9, 1e-8, 0.99])
    each = [linalg.pinv(x, cutoff) for x, cutoff in zip(xs, cutoffs)]
    close(vmap(linalg.pinv)(xs, cutoffs), each)
    close(vmap(lambda c: linalg.pinv(xs, c))(cutoffs)[2], linalg.pinv(xs, 0.99))
    x, residuals, rank, values = vmap(lambda a: linalg.lstsq(a, b))(xs)
    close(x, [linalg.lstsq(a, b)[0] for a in xs])
    close(residuals, [linalg.lstsq(a, b)[1] for a in xs])
    close(values, linalg.svdvals(xs))
    assert rank.tolist() == [2, 2, 2]


# -- cutoffs that leave out more than rounding errors ---------------------------------


def with_values(shape, dtype):
    """Matrices with singular values 3, 1 and 0.4."""
    u, _, vh = np.linalg.svd(normal(*shape, dtype=dtype), full_matrices=False)
    return (u * np.array([3, 1, 0.4])) @ vh


@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (3, 3), (2, 4, 3)])
def test_truncated_pseudoinverses(shape, dtype):
    """Their gradient is not that of a constant rank: the values left out matter."""
    x = with_values(shape, dtype)
    for cutoff in [0.2, 0.5]:
        close(
            vjp(lambda x, c=cutoff: linalg.pinv(x, c), x)[0], np.linalg.pinv(x, cutoff)
        )
        check_grads(lambda x, c=cutoff: linalg.pinv(x, c), (x,))
    check_grads(lambda x: linalg.pinv(x, rtol=0.2), (x,), order=1)


@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (3, 3)])
def test_truncated_least_squares(shape):
    x, b = with_values(shape, float), normal(shape[0], 2)
    fun = lambda x, b: linalg.lstsq(x, b, rcond=0.2)[::3]  # noqa: E731
    solution, values = vjp(fun, x, b)[0]
    close(solution, np.linalg.lstsq(x, b, rcond=0.2)[0])
    check_grads(fun, (x, b))


def test_truncation_within_equal_values_is_refused():
    x = np.diag([2.0, 2, 1])
    with pytest.raises(AmbiguousGradientError, match="equal"):
        grad(lambda x: anp.sum(linalg.pinv(x, 0.7)))(x)


# -- bases of null spaces -------------------------------------------------------------


def null_space(x):
    """The basis of the null space of x, or of x^H, that the whole SVD finds."""
    u, s, vh = linalg.svd(x)
    k = s.shape[-1]
    return u[..., :, k:] if x.shape[-2] > x.shape[-1] else adjoint(vh[..., k:, :])


@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize("shape", [(5, 2), (2, 5), (2, 4, 2), (3, 1)])
def test_what_does_not_depend_on_the_basis(shape, dtype):
    x = normal(*shape, dtype=dtype)

    def invariants(x):
        basis = null_space(x)
        u, s, vh = linalg.svd(x)
        k = s.shape[-1]
        middle = anp.abs(linalg.det(adjoint(basis) @ (weights @ basis)))
        product = (u[..., :, :k] * s[..., None, :]) @ vh[..., :k, :]
        return basis @ adjoint(basis), middle, s**2, 2 * product

    for found, expected in zip(vjp(linalg.svd, x)[0], np.linalg.svd(x), strict=True):
        close(found, expected)
    weights = normal(max(shape[-2:]), max(shape[-2:]), seed=3)
    check_grads(invariants, (x,))


@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (2, 3, 2)])
def test_a_line_has_but_one_direction(shape):
    check_grads(null_space, (normal(*shape),))


@pytest.mark.parametrize("shape, dtype", [((5, 2), float), ((2, 5), complex)])
def test_what_depends_on_the_basis(shape, dtype):
    x = normal(*shape, dtype=dtype)
    weights = normal(5, 3)
    for scale in (1e-9, 1.0, 1e9):
        with pytest.raises(AmbiguousGradientError, match="full_matrices=False"):
            grad(lambda x, s=scale: s * anp.sum(anp.real(null_space(x) * weights)))(x)


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_what_does_not_depend_on_the_basis_may_be_of_any_size(scale):
    x, weights = normal(5, 2), normal(5, 5, seed=3)

    def projected(x):
        basis = null_space(x)
        return anp.sum((basis @ adjoint(basis)) * weights)

    close(grad(lambda x: scale * projected(x))(x) / scale, grad(projected)(x))


def test_vmap_of_a_null_space():
    xs = normal(3, 4, 2)

    def projection(x):
        basis = null_space(x)
        return basis @ adjoint(basis)

    close(vmap(projection)(xs), [projection(x) for x in xs])
    check_grads(vmap(projection), (xs,))


# -- refusals ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fun, error, text",
    [
        (lambda x: linalg.qr(x, "economic"), ArgumentError, "'complete', 'r' or 'raw'"),
        (
            lambda x: linalg.qr(anp.triu(x), "raw"),
            AmbiguousGradientError,
            "flip its sign",
        ),
        (lambda x: linalg.eigh(x @ x.T, "X"), ArgumentError, "'L' or 'U'"),
        (lambda x: linalg.norm(x, "fro", axis=0), ArgumentError, "of vectors"),
        (lambda x: linalg.norm(x, 3), ArgumentError, "of matrices"),
        (lambda x: linalg.norm(x[None], 3), ShapeError, r"3 axes of shape \(1, 3, 2\)"),
        (lambda x: linalg.multi_dot([x]), ShapeError, "two or more"),
        (lambda x: linalg.multi_dot([x.T, x], out=np.eye(2)), UnsupportedError, "out="),
        (lambda x: linalg.outer(x, x), ShapeError, "np.outer flattens"),
        (lambda x: linalg.cross(x, x), ShapeError, "expected length 3"),
        (lambda x: linalg.tensorsolve(x, x), ShapeError, "as many elements"),
        (lambda x: linalg.tensorinv(x, 0), ArgumentError, "ind=0"),
        (lambda x: linalg.cond(x[:0]), ShapeError, "without elements"),
        (lambda x: linalg.pinv(x, 1e-9, rtol=1e-9), ArgumentError, "both"),
    ],
)
def test_refusals_in_the_forward_pass(fun, error, text):
    with pytest.raises(error, match=text) as raised:
        vjp(fun, normal(3, 2))
    assert isinstance(raised.value, AutogradError)


def test_rank_is_a_constant():
    assert linalg.matrix_rank(np.eye(3)) == 3
    assert not grad(lambda x: linalg.matrix_rank(x) * 1.0)(np.eye(3)).any()
