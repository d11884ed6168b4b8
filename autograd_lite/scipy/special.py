"""The names of `scipy.special`, differentiable.

What is a ufunc in SciPy is a primitive here, and without a tracer among its arguments
it is SciPy's ufunc, bit for bit and with every keyword. To ask for a derivative that is
no function of SciPy's, such as that of a Bessel function in its order, raises
`MissingRuleError`.

>>> import numpy as np
>>> from autograd_lite import grad
>>> import autograd_lite.scipy.special as special
>>> print(grad(lambda x: special.logsumexp(x))(np.zeros(4)))
[0.25 0.25 0.25 0.25]
"""

# isort: skip_file
from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special

from ..core import NUMPY_EQUIVALENT
from ..numpy.dispatch import Axis, axes_of, implements, operand
from ..numpy.elementwise import sinc
from ..ops import layers, reduce
from ..ops.basic import stop_gradient
from ..ops.elementwise import absolute, exp, log, sign, where
from ..ops.special import names as ops
from ..ops.special.base import Special
from ..ops.special.bessel import neighbours

# fmt: off
from ..ops.special.names import (
    agm, airy, airye, bdtr, bdtrc, bdtri, bei, beip, ber, berp, beta, betainc, betaincc,
    betainccinv, betaincinv, betaln, binom, boxcox, boxcox1p, btdtria, btdtrib, cbrt,
    chdtr, chdtrc, chdtri, chdtriv, chndtr, chndtrix, cosdg, cosm1, cotdg, dawsn,
    ellipe, ellipeinc, ellipj, ellipk, ellipkinc, ellipkm1, entr, erf, erfc, erfcinv,
    erfcx, erfi, erfinv, eval_chebyc, eval_chebys, eval_chebyt, eval_chebyu,
    eval_gegenbauer, eval_genlaguerre, eval_hermite, eval_hermitenorm, eval_jacobi,
    eval_laguerre, eval_legendre, eval_sh_chebyt, eval_sh_chebyu, eval_sh_jacobi,
    eval_sh_legendre, exp1, exp10, exp2, expi, expit, expm1, expn, exprel, fdtr, fdtrc,
    fdtri, fdtridfd, fresnel, gamma, gammainc, gammaincc, gammainccinv, gammaincinv,
    gammaln, gammasgn, gdtr, gdtrc, gdtria, gdtrib, gdtrix, hankel1, hankel1e, hankel2,
    hankel2e, huber, hyp0f1, hyp1f1, hyp2f1, hyperu, i0, i0e, i1, i1e, inv_boxcox,
    inv_boxcox1p, it2i0k0, it2j0y0, it2struve0, iti0k0, itj0y0, itmodstruve0,
    itstruve0, iv, ive, j0, j1, jv, jv as jn, jve, k0, k0e, k1, k1e, kei, keip, kelvin,
    ker, kerp, kl_div, kn, kv, kve, log1p, log_expit, log_ndtr, log_wright_bessel,
    loggamma, logit, lpmv, mathieu_cem, mathieu_modcem1, mathieu_modcem2,
    mathieu_modsem1, mathieu_modsem2, mathieu_sem, modfresnelm, modfresnelp, modstruve,
    nbdtr, nbdtrc, nbdtri, ndtr, ndtri, ndtri_exp, nrdtrimn, nrdtrisd, owens_t, pbdv,
    pbvv, pbwa, pdtr, pdtrc, pdtri, poch, polygamma, powm1, pseudo_huber, psi,
    psi as digamma, radian, rel_entr, rgamma, shichi, sici, sindg, softplus, spence,
    stdtr, stdtridf, stdtrit, struve, tandg, tklmbda, voigt_profile, wofz,
    wright_bessel, wrightomega, xlog1py, xlogy, y0, y1, yn, yv, yve, zetac,
)

__all__ = [
    "agm", "airy", "airye", "assoc_laguerre", "bdtr", "bdtrc", "bdtri", "bei", "beip",
    "ber", "berp", "beta", "betainc", "betaincc", "betainccinv", "betaincinv", "betaln",
    "binom", "boxcox", "boxcox1p", "btdtria", "btdtrib", "cbrt", "chdtr", "chdtrc",
    "chdtri", "chdtriv", "chndtr", "chndtrix", "comb", "cosdg", "cosm1", "cotdg",
    "dawsn", "digamma", "diric", "ellipe", "ellipeinc", "ellipj", "ellipk", "ellipkinc",
    "ellipkm1", "entr", "erf", "erfc", "erfcinv", "erfcx", "erfi", "erfinv",
    "eval_chebyc", "eval_chebys", "eval_chebyt", "eval_chebyu", "eval_gegenbauer",
    "eval_genlaguerre", "eval_hermite", "eval_hermitenorm", "eval_jacobi",
    "eval_laguerre", "eval_legendre", "eval_sh_chebyt", "eval_sh_chebyu",
    "eval_sh_jacobi", "eval_sh_legendre", "exp1", "exp10", "exp2", "expi", "expit",
    "expm1", "expn", "exprel", "factorial", "fdtr", "fdtrc", "fdtri", "fdtridfd",
    "fresnel", "gamma", "gammainc", "gammaincc", "gammainccinv", "gammaincinv",
    "gammaln", "gammasgn", "gdtr", "gdtrc", "gdtria", "gdtrib", "gdtrix", "h1vp",
    "h2vp", "hankel1", "hankel1e", "hankel2", "hankel2e", "huber", "hyp0f1", "hyp1f1",
    "hyp2f1", "hyperu", "i0", "i0e", "i1", "i1e", "inv_boxcox", "inv_boxcox1p",
    "it2i0k0", "it2j0y0", "it2struve0", "iti0k0", "itj0y0", "itmodstruve0",
    "itstruve0", "iv", "ive", "ivp", "j0", "j1", "jn", "jv", "jve", "jvp", "k0", "k0e",
    "k1", "k1e", "kei", "keip", "kelvin", "ker", "kerp", "kl_div", "kn", "kv", "kve",
    "kvp", "lambertw", "log1p", "log_expit", "log_ndtr", "log_softmax",
    "log_wright_bessel", "loggamma", "logit", "logsumexp", "lpmv", "mathieu_cem",
    "mathieu_modcem1", "mathieu_modcem2", "mathieu_modsem1", "mathieu_modsem2",
    "mathieu_sem", "modfresnelm", "modfresnelp", "modstruve", "multigammaln", "nbdtr",
    "nbdtrc", "nbdtri", "ndtr", "ndtri", "ndtri_exp", "nrdtrimn", "nrdtrisd", "owens_t",
    "pbdv", "pbvv", "pbwa", "pdtr", "pdtrc", "pdtri", "perm", "poch", "polygamma",
    "powm1", "pseudo_huber", "psi", "radian", "rel_entr", "rgamma", "shichi", "sici",
    "sinc", "sindg", "softmax", "softplus", "spence", "spherical_in", "spherical_jn",
    "spherical_kn", "spherical_yn", "stdtr", "stdtridf", "stdtrit", "struve", "tandg",
    "tklmbda", "voigt_profile", "wofz", "wright_bessel", "wrightomega", "xlog1py",
    "xlogy", "y0", "y1", "yn", "yv", "yve", "yvp", "zeta", "zetac",
]
# fmt: on

for _name in __all__:
    _ufunc = getattr(scipy.special, _name, None)
    if isinstance(_ufunc, np.ufunc) and isinstance(globals().get(_name), Special):
        NUMPY_EQUIVALENT.setdefault(_ufunc, globals()[_name])


def __getattr__(name: str) -> Any:
    if not name.startswith("_") and hasattr(scipy.special, name):
        raise AttributeError(
            f"scipy.special.{name} has no differentiable version here. For constants "
            "use SciPy's own; for derivatives define a primitive with its rule (defvjp)"
        )
    raise AttributeError(f"autograd_lite.scipy.special has no {name!r}")


# -- exponentials over axes -----------------------------------------------------------


@implements(scipy.special.logsumexp)
def logsumexp(
    a: Any,
    axis: Axis = None,
    b: Any = None,
    keepdims: bool = False,
    return_sign: bool = False,
) -> Any:
    """Return log(sum(b exp(a))) over axes, without overflow.

    A sum that is empty, or of -inf alone, is -inf and has zero gradient. With
    `return_sign` the result is a pair: the logarithm of the sum's magnitude, and its
    sign; without it a negative sum is NaN.
    """
    a = operand(a)
    if b is None:
        ans = reduce.logsumexp(a, axis=axes_of(axis, a.ndim), keepdims=keepdims)
        return (ans, np.ones(ans.shape, ans.dtype)) if return_sign else ans
    total, top = _scaled_sum(a, operand(b), axis)
    if not keepdims:
        axes = axes_of(axis, total.ndim)
        total, top = np.squeeze(total, axes), np.squeeze(top, axes)
    if return_sign:
        size = absolute(total)
        return log(size) + top, _phase(total, size)
    return log(total) + top


def _phase(total: Any, size: Any) -> Any:
    """Return the sign of real numbers, a constant, or the phase of complex ones."""
    if total.dtype.kind != "c":
        return sign(stop_gradient(total))
    return total / where(size == 0, 1.0, size)


def _scaled_sum(a: Any, b: Any, axis: Axis) -> tuple[Any, Any]:
    """Return sum(b exp(a - top)), and the constant top.

    Elements of weight zero are left out of `top`, and of the sum where exp(a - top)
    would overflow.
    """
    a, b = np.broadcast_arrays(a, b)
    weightless = b == 0
    top = where(weightless, -math.inf, np.real(stop_gradient(a)))
    top = np.max(top, axis=axis, keepdims=True)
    top = where(np.isfinite(top), top, 0.0)
    limit = math.log(np.finfo(a.dtype).max)
    a = where(weightless & (np.real(a) - top > limit), -math.inf, a)
    return np.sum(b * exp(a - top), axis=axis, keepdims=True), top


@implements(scipy.special.softmax)
def softmax(x: Any, axis: Axis = None) -> Any:
    """Return exp(x) divided by its sum over axes (by default all)."""
    x = operand(x)
    return layers.softmax(x, axis=axes_of(axis, x.ndim))


@implements(scipy.special.log_softmax)
def log_softmax(x: Any, axis: Axis = None) -> Any:
    """Return the logarithm of softmax, finite where softmax underflows."""
    x = operand(x)
    return layers.log_softmax(x, axis=axes_of(axis, x.ndim))


# -- gamma, zeta and counting ---------------------------------------------------------


@implements(scipy.special.multigammaln)
def multigammaln(a: Any, d: int) -> Any:
    """Return the log of the gamma function of dimension d (DLMF 35.3.4)."""
    constant = d * (d - 1) / 4 * math.log(math.pi)
    return sum([ops.gammaln(operand(a) - i / 2) for i in range(d)]) + constant


@implements(scipy.special.zeta)
def zeta(x: Any, q: Any = None) -> Any:
    """Return the Riemann zeta function of x, or Hurwitz's of x and q."""
    return ops.riemann_zeta(x) if q is None else ops.hurwitz(x, q)


@implements(scipy.special.lambertw)
def lambertw(z: Any, k: Any = 0) -> Any:
    """Return the complex solution w of w exp(w) = z, on branch k."""
    return ops.lambertw(z, k)


@implements(scipy.special.comb)
def comb(N: Any, k: Any, *, repetition: bool = False) -> Any:
    """Return the number of ways to choose k of N: a function of real numbers here.

    It is 0, with zero gradient, unless 0 <= k <= N.
    """
    N, k = operand(N), operand(k)
    if repetition:
        return comb(N + k - 1, k)
    possible = (k >= 0) & (k <= N)
    chosen = ops.binom(where(possible, N, 1.0), where(possible, k, 1.0))
    return where(possible, chosen, 0.0)


@implements(scipy.special.perm)
def perm(N: Any, k: Any) -> Any:
    """Return the number of ordered choices of k of N, a function of real numbers."""
    N, k = operand(N), operand(k)
    possible = (k >= 0) & (k <= N)
    n, k = where(possible, N, 1.0), where(possible, k, 1.0)
    return where(possible, ops.poch(n - k + 1, k), 0.0)


@implements(scipy.special.factorial)
def factorial(n: Any) -> Any:
    """Return gamma(n + 1), and 0 for negative n."""
    n = operand(n)
    negative = n < 0
    return where(negative, 0.0, ops.gamma(where(negative, 1.0, n) + 1))


# -- other names of the same functions ------------------------------------------------


@implements(scipy.special.assoc_laguerre)
def assoc_laguerre(x: Any, n: Any, k: Any = 0.0) -> Any:
    """Return the generalised Laguerre polynomial of degree n and parameter k."""
    return ops.eval_genlaguerre(n, k, operand(x))


@implements(scipy.special.diric)
def diric(x: Any, n: int) -> Any:
    """Return Dirichlet's kernel, sin(n x / 2) / (n sin(x / 2)), for an integer n."""
    x = operand(x)
    turns = np.round(stop_gradient(x) / (2 * math.pi))
    x = (x - 2 * math.pi * turns) / 2
    sign = where((turns % 2 == 1) & (n % 2 == 0), -1.0, 1.0)
    return sign * sinc(n / math.pi * x) / sinc(x / math.pi)


# -- Bessel functions and their derivatives -------------------------------------------


@implements(scipy.special.spherical_jn)
def spherical_jn(n: Any, z: Any, derivative: bool = False) -> Any:
    """Return the spherical Bessel function of the first kind, or its derivative."""
    if derivative:
        return neighbours(ops.spherical_jn, n, z, -1)
    return ops.spherical_jn(n, z)


@implements(scipy.special.spherical_yn)
def spherical_yn(n: Any, z: Any, derivative: bool = False) -> Any:
    """Return the spherical Bessel function of the second kind, or its derivative."""
    if derivative:
        return neighbours(ops.spherical_yn, n, z, -1)
    return ops.spherical_yn(n, z)


@implements(scipy.special.spherical_in)
def spherical_in(n: Any, z: Any, derivative: bool = False) -> Any:
    """Return the modified spherical Bessel function I, or its derivative."""
    if derivative:
        return neighbours(ops.spherical_in, n, z, 1)
    return ops.spherical_in(n, z)


@implements(scipy.special.spherical_kn)
def spherical_kn(n: Any, z: Any, derivative: bool = False) -> Any:
    """Return the modified spherical Bessel function K, or its derivative."""
    if derivative:
        return -neighbours(ops.spherical_kn, n, z, 1)
    return ops.spherical_kn(n, z)


def _derivative(fun: Any, v: Any, z: Any, n: int, sign: int) -> Any:
    """Return the n-th derivative of a Bessel function in z (DLMF 10.6.7, 10.29.5)."""
    terms = [sign**k * math.comb(n, k) * fun(v - n + 2 * k, z) for k in range(n + 1)]
    return sum(terms) / 2**n


@implements(scipy.special.jvp)
def jvp(v: Any, z: Any, n: int = 1) -> Any:
    """Return the n-th derivative of jv in z."""
    return _derivative(ops.jv, v, z, n, -1)


@implements(scipy.special.yvp)
def yvp(v: Any, z: Any, n: int = 1) -> Any:
    """Return the n-th derivative of yv in z."""
    return _derivative(ops.yv, v, z, n, -1)


@implements(scipy.special.ivp)
def ivp(v: Any, z: Any, n: int = 1) -> Any:
    """Return the n-th derivative of iv in z."""
    return _derivative(ops.iv, v, z, n, 1)


@implements(scipy.special.kvp)
def kvp(v: Any, z: Any, n: int = 1) -> Any:
    """Return the n-th derivative of kv in z."""
    return (-1) ** n * _derivative(ops.kv, v, z, n, 1)


@implements(scipy.special.h1vp)
def h1vp(v: Any, z: Any, n: int = 1) -> Any:
    """Return the n-th derivative of hankel1 in z."""
    return _derivative(ops.hankel1, v, z, n, -1)


@implements(scipy.special.h2vp)
def h2vp(v: Any, z: Any, n: int = 1) -> Any:
    """Return the n-th derivative of hankel2 in z."""
    return _derivative(ops.hankel2, v, z, n, -1)
