"""Special functions where a rule could be wrong: real degrees, tails, ends of domains.

Reference values with 17 digits were computed once with mpmath, at 60 digits.
"""

from functools import partial

import numpy as np
import pytest
import scipy.special

import autograd_lite.scipy.special as special
from autograd_lite import grad, jvp, vjp
from autograd_lite.errors import UnsupportedError
from autograd_lite.testing import check_grads

X = np.array([0.3, 1.7, 2.2, 0.9, 3.1])
UNIT = np.array([0.05, 0.4, 0.77])
DEGREES = [-3, -1, 0, -1.5, -0.3, 0.0, 1e-3, 0.2, 0.5, 0.9, 1.0, 1.3, 2.7, 6.4]
POLYNOMIALS = {  # further parameters, points
    "legendre": ((), 2 * UNIT - 1),
    "sh_legendre": ((), UNIT),
    "chebyt": ((), 2 * UNIT - 1),
    "chebyu": ((), 2 * UNIT - 1),
    "chebyc": ((), 2 - 4 * UNIT),
    "chebys": ((), 2 - 4 * UNIT),
    "sh_chebyt": ((), UNIT),
    "sh_chebyu": ((), UNIT),
    "gegenbauer": ((0.7,), 2 * UNIT - 1),
    "jacobi": ((0.7, 1.3), 2 * UNIT - 1),
    "sh_jacobi": ((2.4, 1.3), UNIT),
    "laguerre": ((), X),
    "genlaguerre": ((0.7,), X),
}


@pytest.mark.parametrize("n", DEGREES)
@pytest.mark.parametrize("name", POLYNOMIALS)
def test_polynomials_of_any_degree(name, n):
    parameters, x = POLYNOMIALS[name]
    fun = partial(getattr(special, f"eval_{name}"), n, *parameters)
    if np.isnan(fun(x)).any():
        pytest.skip("no number in SciPy either")
    check_grads(fun, (x,))


@pytest.mark.parametrize(
    "fun, n, x, first, second",
    [
        (special.eval_legendre, 0.5, -0.999, 319.34947813916906, -318428.99824857956),
        (
            special.eval_legendre,
            0.25,
            0.999,
            0.15631594922634248,
            -0.065980499164333599,
        ),
        (special.eval_legendre, -2.3, 0.2, 1.1121842448952748, 0.64027513507139159),
        (special.eval_chebyt, 0.5, -0.999, 11.180339887498944, -5590.1699437494668),
        (special.eval_chebyu, 0.3, 0.4, 0.41994390281982505, -0.2945125629709084),
        (special.eval_laguerre, 0.5, 3.0, -1.4902888089009945, -0.73325395061256849),
    ],
)
def test_real_degrees(fun, n, x, first, second):
    slope = grad(partial(fun, n))
    np.testing.assert_allclose(slope(x), first, 1e-11)
    np.testing.assert_allclose(grad(slope)(x), second, 1e-11)


# -- Faddeeva's function and the Voigt profile ----------------------------------------


@pytest.mark.parametrize(
    "z, expected",
    [
        (30 + 1j, -4.1838216826110812e-5 - 0.00062582766515043507j),
        (1000 + 0.5j, -5.6419099402605238e-10 - 5.6419000669012026e-7j),
        (-50 + 3j, 2.6919129412161304e-5 - 0.00022338380219609382j),
        (5 - 1j, 0.009365661549111406 - 0.020955423344360678j),
    ],
)
def test_faddeeva_far_out(z, expected):
    found = jvp(special.wofz, (z,), (1 + 0j,))[1]
    np.testing.assert_allclose(found.real, expected.real, 1e-11)
    np.testing.assert_allclose(found.imag, expected.imag, 1e-11)


@pytest.mark.parametrize(
    "x, expected",
    [
        (40.0, -0.000312793427517855947),
        (1e4, -5.00000007500000188e-9),
        # Where exp(-x^2) is not small, or only just.
        (55 + 55j, 137.445949142917618 - 10.7352153975121047j),
        (26 + 25.5j, -6.89342343402034195e-6 + 0.000376947147858390929j),
        (60 - 58j, -2.41769552380997189e-6 - 0.0000717576199668518131j),
    ],
)
def test_dawsons_integral_far_out(x, expected):
    found = jvp(special.dawsn, (x,), (type(x)(1),))[1]
    np.testing.assert_allclose(found, expected, 1e-11)


@pytest.mark.parametrize(
    "at, expected",
    [
        (
            (1, 0.5, 0.25),
            (-0.35064370563473132, 0.30828885634618085, 0.12660444753786806),
        ),
        (
            (40, 0.5, 0.25),
            (-2.4889353672668102e-6, 9.338861816397314e-8, 0.00019901365797229775),
        ),
        (
            (1e4, 1, 1),
            (-6.3661979783237338e-13, 1.9098594444267065e-16, 3.1830988618379035e-9),
        ),
        (
            (3, 1e-3, 0.1),
            (-0.0023526216229187409, 2.3491411645407292e-6, 0.035250102220285807),
        ),
        (
            (20, 0.8, 1e-3),
            (-8.0350721606089839e-8, 9.7047024950937711e-9, 0.00079962533304104783),
        ),
        ((0, 2, 1e-6), (0, -0.099735490522924024, -0.079577421678182512)),
    ],
)
def test_voigt_profile(at, expected):
    found = grad(special.voigt_profile, (0, 1, 2))(*map(float, at))
    np.testing.assert_allclose(found, expected, 1e-11)


def test_voigt_profile_in_float32_is_that_of_double_precision():
    at = 12.0, 0.5, 0.25
    found = grad(special.voigt_profile, (0, 1, 2))(*map(np.float32, at))
    expected = grad(special.voigt_profile, (0, 1, 2))(*at)
    np.testing.assert_allclose(found, expected, 2e-7)


def test_voigt_profile_without_width_is_cauchys_or_normal():
    slopes = grad(special.voigt_profile, (0, 1, 2))(3.0, 0.0, 0.5)
    cauchy = lambda x, gamma: gamma / np.pi / (x * x + gamma * gamma)  # noqa: E731
    np.testing.assert_allclose(slopes[::2], grad(cauchy, (0, 1))(3.0, 0.5), 1e-14)
    assert slopes[1] == 0
    normal = lambda x, s: np.exp(-((x / s) ** 2) / 2) / s / np.sqrt(2 * np.pi)  # noqa: E731
    slopes = grad(special.voigt_profile, (0, 1))(1.2, 0.7, 0.0)
    np.testing.assert_allclose(slopes, grad(normal, (0, 1))(1.2, 0.7), 1e-13)


# -- results with infinite derivatives beside those that are used ---------------------


@pytest.mark.parametrize(
    "name, place, at, expected",
    [
        ("airye", 2, -1.5, scipy.special.airye(-1.5)[3]),
        ("iti0k0", 0, 0.0, 1.0),
        ("itj0y0", 0, 0.0, 1.0),
        ("it2j0y0", 0, 0.0, 0.0),
        ("it2i0k0", 0, 0.0, 0.0),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_an_unused_result_spoils_nothing(name, place, at, expected):
    found = grad(lambda x: getattr(special, name)(x)[place])(at)
    np.testing.assert_allclose(found, expected, 1e-14)


def test_kelvin_functions_at_zero():
    slopes = [grad(special.berp)(0.0), grad(special.beip)(0.0)]
    assert slopes == [0.0, 0.5]
    assert grad(special.it2struve0)(0.0) == -2 / np.pi


@pytest.mark.parametrize("v, x", [(0.3, 1.2), (2.0, -1.2), (0.0, -0.7), (1.0, -3.1)])
def test_scaled_bessel_functions_of_any_order_and_sign(v, x):
    value = scipy.special.ive(v, x)
    slope = np.exp(-abs(x)) * scipy.special.ivp(v, x) - np.sign(x) * value
    np.testing.assert_allclose(grad(special.ive, 1)(v, x), slope, 1e-13)
    if v in (0.0, 1.0):
        fun = (special.i0e, special.i1e)[int(v)]
        np.testing.assert_allclose(grad(fun)(x), slope, 1e-13)


def test_associated_legendre_functions_of_any_order():
    for m in [-2, -1, 0, 1, 2, 3]:
        for v in [0.5, 2.0, 3.7]:
            check_grads(partial(special.lpmv, m, v), (np.array([-0.7, 0.1, 0.6]),))


@pytest.mark.parametrize("ratio", [1e-3, 0.5, 1.0, 2.0, 1e3])
def test_arithmetic_geometric_mean(ratio):
    a, b = np.array([0.3, 1.0, 7.0]), np.array([0.3, 1.0, 7.0]) * ratio
    a_bar, b_bar = vjp(special.agm, a, b)[1](np.ones(3))
    mean = scipy.special.agm(a, b)
    np.testing.assert_allclose(a_bar * a + b_bar * b, mean, 1e-11)  # homogeneous
    step = 1e-5 * b
    slope = (scipy.special.agm(a, b + step) - scipy.special.agm(a, b - step)) / step / 2
    np.testing.assert_allclose(b_bar, slope, 1e-8)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7])
def test_dirichlets_kernel_at_its_peaks(n):
    x = np.pi * np.array([-4, -2, 0, 2, 4.0, 0.3, -2.7, 3.1])
    y, pullback = vjp(lambda x: special.diric(x, n), x)
    np.testing.assert_allclose(y, scipy.special.diric(x, n), 1e-13, 1e-13)
    assert np.abs(pullback(np.ones(8))[0][:5]).max() < 1e-13
    if n > 1:  # else it is constant
        check_grads(lambda x: special.diric(x, n), (x[-3:],))


# -- inverses -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "inverse, forward, at",
    [
        ("stdtrit", "stdtr", (3.2, -8.0)),
        ("chdtri", "chdtrc", (0.4, 1e-3)),
        ("fdtri", "fdtr", (2.0, 5.0, 30.0)),
        ("gdtrix", "gdtr", (2.0, 0.3, 1e-4)),
    ],
)
def test_quantiles_undo_distributions(inverse, forward, at):
    """The derivative of t(F(x, parameters), parameters) = x, in each argument."""

    def identity(*at):
        parameters = at[:-1]
        p = getattr(special, forward)(*parameters, at[-1])
        return getattr(special, inverse)(*parameters, p)

    found = np.array(grad(identity, tuple(range(len(at))))(*at))
    np.testing.assert_allclose(found[-1], 1, 1e-9)
    assert np.abs(found[:-1]).max() < 1e-9 * max(1, abs(at[-1]))


# -- ends, and what lies beyond the first period --------------------------------------


@pytest.mark.parametrize("name", ["ellipkinc", "ellipeinc"])
def test_incomplete_elliptic_integrals_of_any_angle(name):
    fun, complete = getattr(special, name), getattr(special, name[:6])
    for m in (0.3, 0.8, -1.5):
        assert grad(fun, 1)(0.0, m) == 0
        for phi in (2.5, 4.0, -7.0, 30.0):
            check_grads(fun, (phi, m), order=1)
        for turns in (1, -2, 5):  # they grow by twice the complete one with each turn
            more = grad(fun, 1)(0.4 + turns * np.pi, m) - grad(fun, 1)(0.4, m)
            np.testing.assert_allclose(more, 2 * turns * grad(complete)(m), rtol=1e-10)


@pytest.mark.parametrize(
    "a, slope", [(0.5, np.inf), (1.0, 1.0), (1.5, 0.0), (3.0, 0.0)]
)
def test_incomplete_gamma_functions_at_zero(a, slope):
    with np.errstate(all="ignore"):
        assert grad(special.gammainc, 1)(a, 0.0) == slope
        assert grad(special.gammaincc, 1)(a, 0.0) == -slope


def test_second_derivative_of_the_incomplete_beta_function_at_one():
    curve = grad(grad(special.betainc, 2), 2)
    np.testing.assert_allclose(curve(1.5, 2.0, 1.0), -1.5 * 2.5, 1e-14)


def test_zeta_in_float32_is_that_of_double_precision():
    """The terms of its series are large and cancel."""
    for s in (1.5, 2.0, 4.0):
        for q in (0.5, 1.0, 7.5):
            expected = grad(lambda s, q: special.zeta(s, q), (0, 1))(s, q)
            pair = np.float32(s), np.float32(q)
            found = grad(lambda s, q: special.zeta(s, q), (0, 1))(*pair)
            np.testing.assert_allclose(found, expected, rtol=3e-7)
    for s in (-3.5, -1.5, 0.5, 1.5, 3.0, 8.0):
        found = grad(special.zeta)(np.float32(s))
        np.testing.assert_allclose(found, grad(special.zeta)(s), rtol=1e-6)


@pytest.mark.parametrize("s", [-2.5, -0.5, 1.5, 2.0, 5.0])
def test_second_derivative_of_riemanns_zeta(s):
    check_grads(special.zeta, (np.array([s]),))
    with np.errstate(all="raise"):  # nor by the formula of the other side of 0
        grad(grad(special.zeta))(s)


# -- what is not there ----------------------------------------------------------------


def test_missing_names_say_what_to_do():
    with pytest.raises(AttributeError, match=r"kolmogorov has no differentiable"):
        special.kolmogorov  # noqa: B018
    with pytest.raises(AttributeError, match="no 'nonsense'"):
        special.nonsense  # noqa: B018
    with pytest.raises(UnsupportedError, match="kolmogorov"):
        grad(lambda x: scipy.special.kolmogorov(x))(0.5)
