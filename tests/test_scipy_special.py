"""Special functions beyond their rows: call forms, edges, precision, what is missing.

Reference values with 17 digits were computed once with mpmath, at 40 digits.
"""

from functools import partial

import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import expit as scipy_expit

import autograd_lite.scipy
import autograd_lite.scipy.special as special
from autograd_lite import grad, jvp, vjp, vmap
from autograd_lite.errors import MissingRuleError, UnsupportedError
from autograd_lite.ops.special.incomplete import betainc_moment, gammainc_moment
from autograd_lite.testing import check_grads

HIPS_NAMES = [
    *["beta", "betainc", "betaln", "polygamma", "psi", "digamma", "gamma", "gammaln"],
    *["gammainc", "gammaincc", "gammasgn", "rgamma", "multigammaln"],
    *["j0", "y0", "j1", "y1", "jn", "yn", "i0", "i1", "iv", "ive"],
    *["erf", "erfc", "erfinv", "erfcinv", "logit", "expit", "logsumexp"],
]
X = np.array([[0.3, 1.7, 2.2], [0.9, 3.1, 0.4]])


def derivative(fun, x):
    return float(grad(fun)(float(x)))


def test_the_names_of_hips_autograd_are_all_there():
    assert set(HIPS_NAMES) <= set(special.__all__)


def test_every_name_is_one_of_scipys():
    assert [name for name in special.__all__ if not hasattr(special, name)] == []
    assert [n for n in special.__all__ if not hasattr(scipy.special, n)] == []
    assert len(special.__all__) == len(set(special.__all__)) >= 60


def test_modules_are_attributes_of_the_package():
    assert autograd_lite.scipy.special is special
    for name in autograd_lite.scipy.__all__:
        assert getattr(autograd_lite.scipy, name).__name__.endswith(name)
    with pytest.raises(AttributeError, match="'cluster', only integrate"):
        autograd_lite.scipy.cluster  # noqa: B018


# -- call forms -----------------------------------------------------------------------

WRAPPED = [
    ("logsumexp", (X,), {"axis": 1}),
    ("logsumexp", (X,), {"axis": (0, -1), "keepdims": True}),
    ("logsumexp", (X,), {"b": np.array([1.0, 0.5, 2])}),
    ("logsumexp", (X,), {"b": X - 0.5, "axis": 0, "return_sign": True}),
    ("logsumexp", (X,), {"axis": 0, "return_sign": True}),
    ("softmax", (X,), {"axis": -1}),
    ("softmax", (X,), {}),
    ("log_softmax", (X,), {"axis": 0}),
    ("multigammaln", (X + 1, 3), {}),
    ("comb", (X + 4, X), {}),
    ("comb", (X + 4, X), {"repetition": True}),
    ("perm", (X + 4, X), {}),
    ("factorial", (X,), {}),
    ("zeta", (X + 2,), {}),
    ("zeta", (X + 2, X), {}),
    ("lambertw", (X,), {}),
    ("lambertw", (X, -1), {}),
    ("sinc", (X,), {}),
    *[(f"spherical_{k}n", (2, X), {"derivative": True}) for k in "jyik"],
    *[(f"spherical_{k}n", (0, X), {}) for k in "jyik"],
    *[(name, (1.5, X), {"n": 3}) for name in ["jvp", "yvp", "ivp", "kvp"]],
    *[(name, (1.5, X), {"n": 2}) for name in ["h1vp", "h2vp"]],
]


@pytest.mark.parametrize("name, args, kwargs", WRAPPED)
def test_wrapped_functions(name, args, kwargs):
    ours, theirs = getattr(special, name), getattr(scipy.special, name)
    expected = theirs(*args, **kwargs)
    np.testing.assert_array_equal(ours(*args, **kwargs), expected)
    arrays = [i for i, a in enumerate(args) if isinstance(a, np.ndarray)]

    def fun(*xs):
        given = list(args)
        for i, x in zip(arrays, xs, strict=True):
            given[i] = x
        return ours(*given, **kwargs)

    xs = [args[i] for i in arrays]
    y, pullback = vjp(fun, *xs)
    np.testing.assert_allclose(y, expected, 1e-12, 1e-13)
    check_grads(fun, tuple(xs))


@pytest.mark.parametrize("v", [0, 1, 0.5, -1.5, 3.0])
@pytest.mark.parametrize("name", ["jv", "yv", "iv", "kv", "kve", "struve", "modstruve"])
def test_orders_of_bessel_functions(name, v):
    check_grads(lambda x: getattr(special, name)(v, x), (X,))


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_low_degrees_of_polynomials(n):
    x = np.array([-1.0, -0.3, 0.0, 0.8, 1.0])
    for kind in ["legendre", "chebyt", "chebyu", "hermite", "hermitenorm", "laguerre"]:
        check_grads(partial(getattr(special, f"eval_{kind}"), n), (x,))
    check_grads(lambda x: special.eval_gegenbauer(n, 0.7, x), (x,))
    check_grads(lambda x: special.eval_genlaguerre(n, 0.7, x), (x,))
    check_grads(lambda x: special.eval_jacobi(n, 0.7, 1.2, x), (x,))


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_low_orders_of_expn(n):
    check_grads(lambda x: special.expn(n, x), (X,), order=1 if n == 0 else 2)


def test_scipys_own_functions_accept_tracers():
    x_bar = grad(lambda x: scipy_expit(x).sum())(X)
    np.testing.assert_allclose(x_bar, scipy_expit(X) * scipy_expit(-X), 1e-14)


def test_lists_and_broadcasting():
    x_bar = grad(lambda x: special.beta([1.0, 2.0], x).sum())(3.0)
    slopes = [float(grad(lambda x, a=a: special.beta(a, x))(3.0)) for a in [1.0, 2.0]]
    np.testing.assert_allclose(x_bar, sum(slopes), 1e-14)


def test_keywords_of_ufuncs():
    out = np.empty(X.shape)
    assert special.erf(X, out=out) is out
    with pytest.raises(UnsupportedError, match="where"):
        grad(lambda x: special.erf(x, where=X > 1).sum())(X)


@pytest.mark.parametrize("axis", [0, 1, (0, 1), None])
def test_vmap_of_logsumexp(axis):
    stack = np.stack([X, 2 * X])
    mapped = vmap(lambda x: special.logsumexp(x, axis))(stack)
    np.testing.assert_allclose(mapped, [special.logsumexp(x, axis) for x in stack])


@st.composite
def reductions(draw):
    """An array, axes of it in any form that NumPy knows, weights that broadcast."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=3))
    n = len(shape)
    one = st.integers(-n, n - 1)
    several = st.sets(st.integers(0, n - 1), min_size=1).map(
        lambda axes: tuple([i - n if i % 2 else i for i in axes])
    )
    axis = draw(st.none() | one | several)
    weights = draw(st.none() | st.sampled_from([shape, shape[-1:], (1,) * n, ()]))
    seed = draw(st.integers(0, 9))
    rng = np.random.default_rng(seed)
    b = None if weights is None else rng.uniform(0.5, 2, weights)
    return rng.standard_normal(shape), axis, b, draw(st.booleans())


@given(reductions())
def test_exponentials_over_any_axes(case):
    x, axis, b, keepdims = case
    options = {"axis": axis, "keepdims": keepdims}
    fun = lambda x, *b: special.logsumexp(x, b=b[0] if b else None, **options)  # noqa: E731
    xs = (x,) if b is None else (x, b)
    y, pullback = vjp(fun, *xs)
    np.testing.assert_allclose(y, scipy.special.logsumexp(x, b=b, **options), 1e-12)
    x_bar, *b_bar = pullback(np.ones(np.shape(y)))
    np.testing.assert_allclose(x_bar.sum(), np.size(y), 1e-12)  # f(x + c) = f(x) + c
    if b_bar:  # f(x, c b) = f(x, b) + log(c)
        np.testing.assert_allclose((b_bar[0] * b).sum(), np.size(y), 1e-12)
    for name in ["softmax", "log_softmax"]:
        y, pullback = vjp(partial(getattr(special, name), axis=axis), x)
        expected = getattr(scipy.special, name)(x, axis)
        np.testing.assert_allclose(y, expected, 1e-12, 1e-14)
        shift = pullback(np.random.default_rng(0).standard_normal(x.shape))[0]
        np.testing.assert_allclose(shift.sum(), 0, atol=1e-12)  # f(x + c) = f(x)


# -- edges ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fun, at, expected",
    [
        (special.erf, np.inf, 0.0),
        (special.erf, -np.inf, 0.0),
        (special.erfcx, np.inf, 0.0),
        (special.erfinv, 0.0, np.sqrt(np.pi) / 2),
        (special.ndtri, 0.5, np.sqrt(2 * np.pi)),
        (special.log_ndtr, 60.0, 0.0),
        (special.expit, 800.0, 0.0),
        (special.log_expit, -800.0, 1.0),
        (special.softplus, 800.0, 1.0),
        (special.exprel, 0.0, 0.5),
        (special.spence, 1.0, -1.0),
        (special.rgamma, 0.0, 1.0),
        (special.rgamma, -1.0, -1.0),
        (special.rgamma, -2.0, 2.0),
        (special.j1, 0.0, 0.5),
        (special.i1, 0.0, 0.5),
        (special.i0e, 0.0, 0.0),
        (special.lambertw, 0.0, 1.0),
        (lambda x: special.sici(x)[0], 0.0, 1.0),
        (lambda x: special.shichi(x)[0], 0.0, 1.0),
        (lambda x: special.spherical_jn(1, x), 0.0, 1 / 3),
        (lambda x: special.spherical_in(0, x), 0.0, 0.0),
        (lambda x: special.gammainc(1.0, x), 0.0, 1.0),
        (lambda x: special.betainc(1.0, 2.0, x), 0.0, 2.0),
        (lambda x: special.betainc(2.0, 2.0, x), 0.0, 0.0),
        (lambda x: special.betainc(2.0, 1.0, x), 1.0, 2.0),
        (lambda x: special.betainc(2.0, 2.0, x), 1.0, 0.0),
        (lambda x: special.huber(1.0, x), 1.0, 1.0),
        (lambda d: special.pseudo_huber(d, 3.0), 0.0, 3.0),
        (lambda lam: special.boxcox(2.0, lam), 0.0, np.log(2) ** 2 / 2),
        (lambda lam: special.boxcox1p(1.0, lam), 0.0, np.log(2) ** 2 / 2),
        (lambda lam: special.inv_boxcox(0.7, lam), 0.0, -np.exp(0.7) * 0.245),
        (lambda lam: special.inv_boxcox1p(0.7, lam), 0.0, -np.exp(0.7) * 0.245),
        (lambda n: special.comb(n, 7.0), 5.0, 0.0),
        (special.factorial, -2.5, 0.0),
    ],
)
def test_edges(fun, at, expected):
    np.testing.assert_allclose(_real_gradient(fun, at), expected, 1e-14, 1e-15)


def _real_gradient(fun, at):
    return vjp(lambda x: fun(x).real, at)[1](1.0)[0]


def test_entropy_is_steep_at_zero():
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        assert derivative(special.entr, 0) == np.inf


@pytest.mark.parametrize(
    "fun, x, y, expected",
    [
        (special.xlogy, 0.0, 0.0, (0, 0)),
        (special.xlogy, 0.0, 2.0, (np.log(2), 0)),
        (special.xlogy, 2.0, 1.0, (0, 2)),
        (special.xlog1py, 0.0, -1.0, (0, 0)),
        (special.xlog1py, 0.0, 1.0, (np.log(2), 0)),
        (special.rel_entr, 0.0, 0.0, (0, 0)),
        (special.rel_entr, 1.0, 1.0, (1, -1)),
        (special.kl_div, 0.0, 0.0, (0, 1)),
        (special.kl_div, 2.0, 1.0, (np.log(2), -1)),
    ],
)
def test_what_is_zero_by_convention(fun, x, y, expected):
    np.testing.assert_allclose(grad(fun, (0, 1))(x, y), expected, 1e-14, 1e-15)


def test_logsumexp_of_infinities():
    x = np.array([-np.inf, 0.0, 0.0])
    np.testing.assert_array_equal(grad(special.logsumexp)(x), [0, 0.5, 0.5])
    np.testing.assert_array_equal(grad(special.logsumexp)(np.full(2, -np.inf)), 0)
    weights = np.array([0.0, 1.0, 2.0])
    x = np.array([1e9, 1000, 1000])
    x_bar = grad(lambda x: special.logsumexp(x, b=weights))(x)
    np.testing.assert_allclose(x_bar, [0, 1 / 3, 2 / 3], 1e-14)
    b_bar = grad(lambda b: special.logsumexp(np.zeros(3), b=b))(weights)
    np.testing.assert_allclose(b_bar, [1 / 3] * 3, 1e-14)


# -- precision ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "a, x, first, second",
    [
        (0.5, 3.0, -0.047240326447973751, -0.085989868973685684),
        (1e-3, 1e-8, -17.529499859061195, 311.20234928205357),
        (50, 60, -0.021284992786349492, -0.0038864838466261135),
        (300, 100, -2.0040862762138986e-58, 2.2023154002250584e-58),
        (1000, 990, -0.012057749285283054, 0.00012119553495750247),
    ],
)
def test_gammainc_in_its_parameter(a, x, first, second):
    np.testing.assert_allclose(gammainc_moment(a, x, order=1), first, 1e-12)
    np.testing.assert_allclose(gammainc_moment(a, x, order=2), second, 2e-12)
    np.testing.assert_allclose(derivative(lambda a: special.gammainc(a, x), a), first)
    np.testing.assert_allclose(derivative(lambda a: special.gammaincc(a, x), a), -first)


@pytest.mark.parametrize(
    "a, b, x, first, mixed",
    [
        (2, 3, 0.9, -0.0037206817498923416, 0.0068685458492218448),
        (0.3, 0.001, 0.99, -0.012106440133626184, -11.978385944007285),
        (50, 70, 0.4, -0.041199785991006874, -0.001112513727398929),
        (5, 0.3, 0.999, -0.014244496485486586, 0.027624665407399177),
    ],
)
def test_betainc_in_its_parameters(a, b, x, first, mixed):
    np.testing.assert_allclose(betainc_moment(a, b, x, orders=(1, 0)), first, 1e-12)
    np.testing.assert_allclose(betainc_moment(a, b, x, orders=(1, 1)), mixed, 1e-12)
    mirrored = betainc_moment(b, a, 1 - x, orders=(0, 1))
    np.testing.assert_allclose(mirrored, -first, 1e-11)


def test_parameters_at_the_ends_of_the_support():
    ends = np.array([0.0, np.inf, np.nan])
    np.testing.assert_array_equal(gammainc_moment(2.0, ends, order=1), [0, 0, np.nan])
    np.testing.assert_array_equal(gammainc_moment(-1.0, 1.0, order=1), np.nan)
    ends = np.array([0.0, 1.0, np.nan, 2.0])
    found = betainc_moment(2.0, 3.0, ends, orders=(1, 0))
    np.testing.assert_array_equal(found, [0, 0, np.nan, np.nan])
    assert gammainc_moment(np.ones((0, 3)), 1.0, order=1).shape == (0, 3)


@pytest.mark.parametrize(
    "fun, x, expected",
    [
        (special.erfcx, 10, -0.0055593122190608567),
        (special.erfcx, 24.9, -0.0009077758482472252),
        (special.erfcx, 25.1, -0.00089340105292682062),
        (special.erfcx, 1e4, -5.6418957508491275e-9),
        (special.dawsn, 10, -0.0050769437519705607),
        (special.dawsn, -25.1, -0.00079553532116815598),
        (special.dawsn, 100, -5.0007501875656545e-5),
        (special.ellipk, 0, 0.39269908169872415),
        (special.ellipk, 1e-8, 0.39269908611658887),
        (special.ellipk, -3, 0.078788301660931976),
        (special.ellipk, 1 - 1e-9, 500000011.57898431),
        (special.ellipe, 0.5, -0.50343079625369642),
        (special.ellipe, 1 - 1e-9, -5.3739636507725037),
        (special.log_ndtr, -1e3, 1000.000999998),
        (special.log_ndtr, 10, 7.6945986267064193e-23),
        (special.zeta, 2, -0.93754825431584375),
        (special.zeta, -1.5, -0.076309255320550887),
        (special.zeta, 30, -6.4554895388000303e-10),
        (lambda s: special.zeta(s, 0.3), 2, 12.341930688885221),
        (lambda s: special.zeta(s, 4.0), 1.1, -99.276694824004899),
        (special.expit, 50, np.exp(-50)),
    ],
)
def test_nothing_cancels(fun, x, expected):
    np.testing.assert_allclose(derivative(fun, x), expected, 2e-12)


@pytest.mark.parametrize("fun", [special.zeta, special.zetac])
def test_zeta_in_single_precision(fun):
    s = np.array([-4.5, -1.5, 0.5, 1.1, 2, 30], np.float32)
    for slope in [lambda s: vjp(fun, s)[1], lambda s: lambda t: jvp(fun, (s,), (t,))]:
        found = np.asarray(slope(s)(np.ones_like(s))[-1])
        expected = np.asarray(slope(s.astype(float))(np.ones(6))[-1])
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, 2e-7)


@pytest.mark.parametrize(
    "s, first, second",
    [
        (-9.5, -0.0073805044488119251, 0.024092856473698584),
        (-4.0, 0.0079838114502686243, 0.0057374158461037863),
        (-30.2, -260735785.31704224, 626205278.54123415),
        (-0.5, -0.36085433959994761, -0.59622917676501596),
        (0.5, -3.9226461392091517, -16.008357013928661),
    ],
)
def test_zeta_left_of_its_pole(s, first, second):
    np.testing.assert_allclose(derivative(special.zeta, s), first, 1e-12)
    np.testing.assert_allclose(derivative(grad(special.zeta), s), second, 1e-11)


def test_hurwitz_zeta_far_left_is_no_number():
    assert np.isnan(derivative(lambda s: special.zeta(s, 1.5), -9.5))


# -- dtypes and what is missing -------------------------------------------------------


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp", "factorial"])
def test_float32(name):
    x = X.astype(np.float32)
    y, pullback = vjp(getattr(special, name), x)
    assert y.dtype == np.float32 and pullback(y)[0].dtype == np.float32
    assert jvp(getattr(special, name), (x,), (x,))[1].dtype == np.float32


@pytest.mark.parametrize(
    "fun, args, argnum",
    [
        (special.jv, (1.5, 2.0), 0),
        (special.kv, (1.5, 2.0), 0),
        (special.hyp2f1, (1.0, 2.0, 3.0, 0.5), 0),
        (lambda u, m: special.ellipj(u, m)[0], (0.4, 0.5), 1),
        (special.eval_jacobi, (2.0, 1.0, 1.0, 0.5), 1),
    ],
)
def test_missing_rules_say_so(fun, args, argnum):
    with pytest.raises(MissingRuleError, match=rf"argument {argnum}"):
        grad(fun, argnum)(*args)
    with pytest.raises(MissingRuleError, match=rf"argument {argnum}"):
        jvp(lambda x: fun(*args[:argnum], x, *args[argnum + 1 :]), (1.0,), (1.0,))


@pytest.mark.parametrize("fun", [special.jve, special.yve, special.ive])
def test_scaled_functions_are_not_holomorphic(fun):
    y, pullback = vjp(lambda z: fun(1, z), 1 + 1j)
    with pytest.raises(UnsupportedError, match="complex"):
        pullback(y)


HOLOMORPHIC = [
    *["gamma", "loggamma", "rgamma", "expi", "spence", "ndtr", "log_ndtr", "expm1"],
    *["log1p", "wrightomega", "sici", "shichi", "fresnel", "airy", "lambertw"],
    *["logsumexp", "softmax"],
]


@pytest.mark.parametrize("name", HOLOMORPHIC)
def test_complex_arguments(name):
    rng = np.random.default_rng(0)
    z = rng.uniform(0.3, 1.5, 4) + 1j * rng.uniform(-0.8, 0.8, 4)
    check_grads(getattr(special, name), (z,), order=1)


@pytest.mark.parametrize(
    "z, expected",
    [
        ((0.5 + 0.5j), (0.7838024955409938 - 2.3518921986034846j)),
        ((-7.3 + 0.2j), (6.296316522715841 + 6.2129669877107165j)),
        ((-3 + 120j), (-0.00024285317323010554 - 0.00832629821935098j)),
        ((40 - 3j), (0.025169954405996984 + 0.001911439154322408j)),
        ((0.001 + 0.001j), (1.6425299613170066 - 500000.00239762815j)),
    ],
)
def test_digamma_of_complex_numbers(z, expected):
    found = jvp(special.psi, (z,), (1 + 0j,))[1]
    np.testing.assert_allclose(found, expected, 1e-12)


def test_gamma_of_complex_numbers_twice():
    z = np.array([0.5 + 0.5j, -2.3 + 0.2j, 4 - 3j])
    check_grads(special.gamma, (z,))
    check_grads(special.psi, (z,))


@pytest.mark.parametrize(
    "z, expected",
    [
        (4 + 26j, (1.3888056337875083e288 - 1.4516932693043806e288j)),
        (26 + 4j, (-0.0006904176014299376 + 0.0002180831710699365j)),
        (20 + 19.9j, (0.35528109302972943 + 0.8548093067914885j)),
    ],
)
def test_dawsons_integral_of_large_complex_numbers(z, expected):
    """Its series holds where exp(-z^2) is small, not where |z| is large."""
    np.testing.assert_allclose(jvp(special.dawsn, (z,), (1 + 0j,))[1], expected, 1e-11)


def test_counting_exactly_has_no_gradient():
    with pytest.raises(UnsupportedError, match="exact"):
        grad(lambda n: special.comb(n, 2, exact=True))(5.0)
    assert special.comb(5, 2, exact=True) == 10


@pytest.mark.parametrize("m", [0.0, 0.3, 0.9])
def test_jacobian_elliptic_functions_in_u(m):
    check_grads(lambda u: special.ellipj(u, m), (np.array([0.2, 1.1, -0.7]),))


@pytest.mark.parametrize("m", [0.0, 1e-9, 0.4, -3.0])
@pytest.mark.parametrize("name", ["ellipkinc", "ellipeinc"])
def test_incomplete_elliptic_integrals(name, m):
    """At any angle, and through m = 0."""
    fun, phi = getattr(special, name), np.array([0.2, 1.1, -0.7, 2.5, -11.0])
    check_grads(fun, (phi, np.full(5, m)), order=1)
    quarter = grad(fun, 1)(np.pi / 2, m)
    whole = special.ellipk if name == "ellipkinc" else special.ellipe
    np.testing.assert_allclose(quarter, grad(whole)(m), 1e-12)
