"""Distributions: values as SciPy's, derivatives in every argument, supports, tails."""

import importlib
import subprocess
import sys

import numpy as np
import pytest
import scipy.stats

from autograd_lite import grad, vjp
from autograd_lite.errors import ArgumentError, ShapeError
from autograd_lite.scipy import stats
from autograd_lite.scipy.stats import dirichlet, multivariate_normal
from autograd_lite.testing import check_grads

# Name, points inside of the support of the standardised variable, shape parameters.
REAL = np.array([-2.3, -0.4, 0.7, 1.9])
POSITIVE = np.array([0.2, 0.9, 1.7, 4.1])
UNIT = np.array([0.07, 0.4, 0.55, 0.93])
CONTINUOUS = [
    ("norm", REAL, ()),
    ("t", REAL, (3.3,)),
    ("laplace", REAL, ()),
    ("cauchy", REAL, ()),
    ("logistic", REAL, ()),
    ("gamma", POSITIVE, (1.7,)),
    ("chi2", POSITIVE, (2.6,)),
    ("expon", POSITIVE, ()),
    ("lognorm", POSITIVE, (0.8,)),
    ("beta", UNIT, (1.4, 2.5)),
    ("uniform", UNIT, ()),
]
NAMES = ["pdf", "logpdf", "cdf", "logcdf", "sf", "logsf", "ppf", "isf"]
LOC, SCALE = 0.3, 1.6

FUNCTIONS = [
    (name, function, points, shapes)
    for name, points, shapes in CONTINUOUS
    for function in NAMES
    if hasattr(getattr(stats, name), function)
]


HIPS_NAMES = ["norm", "t", "gamma", "chi2", "beta", "poisson"]
HIPS_NAMES += ["multivariate_normal", "dirichlet"]


def known(name, function):
    return getattr(getattr(scipy.stats, name), function)


@pytest.mark.parametrize("name, function, points, shapes", FUNCTIONS)
def test_values_and_derivatives(name, function, points, shapes):
    ours = getattr(getattr(stats, name), function)
    at = UNIT if function in ("ppf", "isf") else points * SCALE + LOC
    expected = known(name, function)(at, *shapes, LOC, SCALE)
    np.testing.assert_allclose(ours(at, *shapes, LOC, SCALE), expected, 1e-12)
    scales = {"scale": np.array([0.5, 1, 2, 3]), "loc": LOC}
    for options in [{}, scales]:
        with np.errstate(divide="ignore"):  # log(0), beyond the support
            found = ours(at, *shapes, **options)
        expected = known(name, function)(at, *shapes, **options)
        np.testing.assert_allclose(found, expected, 1e-12)
    loc, scale = np.full(4, LOC), np.full(4, SCALE)
    parameters = [np.full(4, shape) for shape in shapes]
    check_grads(ours, (at, *parameters, loc, scale))


def test_hips_autograds_import_lines():
    for name in HIPS_NAMES:
        module = importlib.import_module(f"autograd_lite.scipy.stats.{name}")
        assert module is getattr(stats, name)


def test_scipys_stats_is_not_loaded():
    code = "import sys, autograd_lite.scipy.stats; print('scipy.stats' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.strip() == "False", run.stderr


# -- supports and tails ---------------------------------------------------------------


@pytest.mark.parametrize("name, shapes", [(n, s) for n, p, s in CONTINUOUS if p[0] > 0])
def test_outside_of_the_support(name, shapes):
    module = getattr(stats, name)
    x = np.array([-1.5, 0.5, 3.0]) if name in ("beta", "uniform") else np.array([-1.5])
    outside = (x < 0) | (x > 1)
    for function in ["pdf", "logpdf", "cdf", "sf"]:
        fun = getattr(module, function)
        expected = known(name, function)(x, *shapes)
        np.testing.assert_allclose(fun(x, *shapes), expected, 1e-12)
        gradients = vjp(fun, x, *shapes, 0.0, 1.0)[1](1.0 * outside)
        assert all(np.all(np.asarray(g) == 0) for g in gradients), function


@pytest.mark.parametrize("name, points, shapes", CONTINUOUS)
def test_impossible_scales_and_nan(name, points, shapes):
    logpdf = getattr(stats, name).logpdf
    assert np.isnan(logpdf(points, *shapes, 0, -1)).all()
    assert np.isnan(logpdf(points, *shapes, 0, np.zeros(4))).all()
    assert np.isnan(logpdf(np.nan, *shapes))


@pytest.mark.parametrize("name, points, shapes", CONTINUOUS)
def test_float32_stays(name, points, shapes):
    x = points.astype(np.float32)
    for function in ["logpdf", "pdf", "cdf"]:
        fun = getattr(getattr(stats, name), function)
        y, pullback = vjp(lambda x, f=fun: f(x, *shapes), x)
        assert y.dtype == pullback(y)[0].dtype == np.float32


@pytest.mark.parametrize(
    "name, function, x, expected",
    [
        ("norm", "logcdf", -40.0, 40.024968847207264),
        ("norm", "logsf", 40.0, -40.024968847207264),
        ("laplace", "logcdf", -800.0, 1.0),
        ("logistic", "logcdf", -800.0, 1.0),
        ("logistic", "logpdf", 800.0, -1.0),
        ("expon", "logsf", 800.0, -1.0),
    ],
)
def test_tails(name, function, x, expected):
    slope = grad(getattr(getattr(stats, name), function))(x)
    np.testing.assert_allclose(slope, expected, 1e-12)


def test_the_edge_of_a_gamma_distribution():
    assert stats.gamma.logpdf(0.0, 1.0) == 0
    np.testing.assert_allclose(grad(stats.gamma.logpdf)(0.0, 1.0), -1.0)
    assert stats.expon.pdf(0.0) == 1 and grad(stats.expon.pdf)(0.0) == -1


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    "a, expected", [(0.5, -np.inf), (1, -1), (1.5, np.inf), (2, 1), (2.5, 0), (3, 0)]
)
def test_slopes_of_densities_at_the_edge(a, expected):
    """x^(a-1) exp(-x) / gamma(a) at 0, and its kin; and of their integrals twice."""
    a = float(a)
    assert grad(stats.gamma.pdf)(0.0, a) == expected
    assert grad(grad(stats.gamma.cdf))(0.0, a) == expected
    assert grad(stats.chi2.pdf)(0.0, 2 * a) == expected / 4
    slope = {0.5: -np.inf, 1: -2, 1.5: np.inf, 2: 6, 2.5: 0, 3: 0}[a]
    np.testing.assert_allclose(grad(stats.beta.pdf)(0.0, a, 2.0), slope, 1e-14)
    np.testing.assert_allclose(grad(stats.beta.pdf)(1.0, 2.0, a), -slope, 1e-14)
    np.testing.assert_allclose(grad(grad(stats.beta.cdf))(0.0, a, 2.0), slope, 1e-14)
    assert grad(stats.lognorm.pdf)(0.0, a) == 0


@pytest.mark.parametrize("name, points, shapes", CONTINUOUS)
def test_quantiles_of_what_is_no_probability(name, points, shapes):
    for function in ["ppf", "isf"]:
        fun = getattr(getattr(stats, name), function)
        q = np.array([-0.1, 1.1, np.nan])
        assert np.isnan(fun(q, *shapes)).all()
        assert np.isnan(fun(0.3, *shapes, 0.0, -1.0))
        assert np.isnan(fun(0.3, *shapes, 0.0, np.array(-1.0)))


@pytest.mark.parametrize("name, points, shapes", CONTINUOUS)
def test_upper_quantiles_are_precise(name, points, shapes):
    q = np.array([1e-3, 1e-12, 1e-30])
    isf = getattr(stats, name).isf
    np.testing.assert_allclose(isf(q, *shapes), known(name, "isf")(q, *shapes), 1e-12)
    slopes = vjp(lambda q: isf(q, *shapes), q)[1](np.ones(3))[0]
    density = known(name, "pdf")(isf(q, *shapes), *shapes)
    tails = slice(2) if name in ("beta", "t") else slice(3)
    np.testing.assert_allclose(slopes[tails], -1 / density[tails], 1e-9)


def test_all_of_students_t_in_float32():
    x, df = np.float32([0.3, -2]), np.float32([1.5, 3])
    for function in ["pdf", "logpdf", "cdf", "ppf"]:
        at = x if function != "ppf" else np.float32([0.3, 0.7])
        y, pullback = vjp(getattr(stats.t, function), at, df)
        assert y.dtype == np.float32
        assert [g.dtype for g in pullback(y)] == [np.float32] * 2


# -- counts ---------------------------------------------------------------------------

COUNTS = np.array([-1.0, 0, 1, 3, 2.5])
DISCRETE = [
    (name, function, shapes)
    for name, shapes in [
        ("poisson", (1.7,)),
        ("binom", (4, 0.3)),
        ("bernoulli", (0.3,)),
    ]
    for function in ["pmf", "logpmf", "cdf", "logcdf", "sf"]
    if hasattr(getattr(stats, name), function)
]


@pytest.mark.parametrize("name, function, shapes", DISCRETE)
def test_counts(name, function, shapes):
    ours, theirs = getattr(getattr(stats, name), function), known(name, function)
    inside, (*constant, p) = COUNTS[1:3], shapes
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(
            ours(COUNTS, *shapes), theirs(COUNTS, *shapes), 1e-12
        )
    np.testing.assert_allclose(
        ours(inside + 2, *shapes, 2), theirs(inside, *shapes), 1e-12
    )
    check_grads(lambda p: ours(inside, *constant, p), (np.full(2, p),))
    if function != "logcdf":
        _, pullback = vjp(lambda p: ours(COUNTS, *constant, p), p)
        assert pullback(np.array([1.0, 0, 0, 0, 0]))[0] == 0


def test_certain_outcomes():
    assert stats.bernoulli.logpmf(1, 1.0) == 0
    assert grad(lambda p: stats.bernoulli.logpmf(1, p))(1.0) == 1
    assert stats.poisson.logpmf(0, 0.0) == 0
    assert grad(lambda mu: stats.poisson.logpmf(0.0, mu))(0.0) == -1


# -- several dimensions ---------------------------------------------------------------

RNG = np.random.default_rng(0)
ROOT = RNG.standard_normal((3, 3))
COV, MEAN, POINTS = ROOT @ ROOT.T + np.eye(3), ROOT[0], RNG.standard_normal((2, 4, 3))


@pytest.mark.parametrize(
    "x, mean, cov",
    [
        (POINTS, MEAN, COV),
        (POINTS[0, 0], MEAN, COV),
        (POINTS, MEAN, np.array([0.5, 1, 2])),
        (POINTS, MEAN, 2.5),
        (POINTS[0, :, 0], None, np.array([[1.3]])),
        (0.7, None, 1.0),
    ],
)
def test_multivariate_normal(x, mean, cov):
    twin = scipy.stats.multivariate_normal
    for name in ["logpdf", "pdf"]:
        ours, theirs = getattr(multivariate_normal, name), getattr(twin, name)
        np.testing.assert_allclose(ours(x, mean, cov), theirs(x, mean, cov), 1e-12)
        if mean is None:
            check_grads(lambda x, cov, f=ours: f(x, None, cov), (x, cov))
        else:
            check_grads(ours, (x, mean, cov))
    expected = twin.entropy(None if mean is None else mean, cov)
    if np.ndim(cov) == 2:
        ours = multivariate_normal.entropy
        np.testing.assert_allclose(ours(mean, cov), expected, 1e-12)
        check_grads(lambda cov: ours(mean, cov), (cov,))


def test_the_gradient_in_a_covariance_is_symmetric():
    c_bar = grad(lambda c: multivariate_normal.logpdf(POINTS[0, 0], MEAN, c))(COV)
    np.testing.assert_allclose(c_bar, c_bar.T, 1e-12)
    inverse = np.linalg.inv(COV)
    z = inverse @ (POINTS[0, 0] - MEAN)
    np.testing.assert_allclose(c_bar, (np.outer(z, z) - inverse) / 2, 1e-9)


def test_singular_covariance():
    cov = np.diag([2.0, 0, 1])
    x = np.array([[0.5, 0, 1], [0.5, 0.1, 1]])
    expected = scipy.stats.multivariate_normal.logpdf(x, None, cov, allow_singular=True)
    ours = multivariate_normal.logpdf(x, None, cov, allow_singular=True)
    np.testing.assert_allclose(ours, expected, 1e-12)
    with pytest.raises(np.linalg.LinAlgError):
        multivariate_normal.logpdf(x, None, cov)
    check_grads(
        lambda x, c: multivariate_normal.logpdf(x, MEAN, c, allow_singular=True),
        (POINTS, COV),
    )


def test_wrong_shapes_of_several_dimensions():
    with pytest.raises(ShapeError, match=r"\(2, 4, 3\).*length 2"):
        multivariate_normal.logpdf(POINTS, MEAN[:2], COV)
    with pytest.raises(ShapeError, match="3 parameters"):
        dirichlet.logpdf(np.full(5, 0.2), np.ones(3))


SHARES = np.array([[0.2, 0.5], [0.7, 0.1], [0.1, 0.4]])
ALPHA = np.array([1.5, 2.0, 0.7])


def test_dirichlet():
    twin = scipy.stats.dirichlet
    for x in [SHARES, SHARES[:, 0], SHARES[:2]]:
        for name in ["logpdf", "pdf"]:
            ours = getattr(dirichlet, name)
            np.testing.assert_allclose(
                ours(x, ALPHA), getattr(twin, name)(x, ALPHA), 1e-12
            )
            check_grads(lambda a, f=ours, x=x: f(x, a), (ALPHA,))
    check_grads(dirichlet.logpdf, (SHARES[:2], ALPHA))  # the last share follows
    np.testing.assert_allclose(dirichlet.entropy(ALPHA), twin.entropy(ALPHA), 1e-12)
    np.testing.assert_allclose(dirichlet.mean(ALPHA), twin.mean(ALPHA), 1e-12)
    check_grads(dirichlet.entropy, (ALPHA,))
    assert dirichlet.rvs(ALPHA, 5, 0).shape == (5, 3)


def test_dirichlet_in_its_shares():
    x_bar = grad(lambda x: dirichlet.logpdf(x, ALPHA))(SHARES[:, 0])
    np.testing.assert_allclose(x_bar, (ALPHA - 1) / SHARES[:, 0], 1e-12)


def test_points_off_the_simplex_are_refused():
    with pytest.raises(ArgumentError, match="sum to 1"):
        dirichlet.logpdf(np.full(3, 0.5), ALPHA)
    with pytest.raises(ArgumentError, match=r"\[0, 1\]"):
        dirichlet.logpdf(np.array([1.5, -0.5, 0]), ALPHA)
