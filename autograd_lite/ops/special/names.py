"""All special functions, from the files of their families."""

# isort: skip_file
# fmt: off
from .bessel import (
    airy, hankel1, hankel1e, hankel2, hankel2e, i0, i0e, i1, i1e, iv, ive, j0, j1, jv,
    jve, k0, k0e, k1, k1e, kn, kv, kve, modstruve, spherical_in, spherical_jn,
    spherical_kn, spherical_yn, struve, y0, y1, yn, yv, yve,
)
from .distributions import (
    bdtr, bdtrc, chdtr, chdtrc, fdtr, fdtrc, gdtr, gdtrc, pdtr, pdtrc, stdtr,
)
from .elliptic import (
    ellip_d, ellipe, ellipeinc, ellipj, ellipk, ellipkinc, ellipkm1,
)
from .error import (
    dawsn, erf, erfc, erfcinv, erfcx, erfi, erfinv, fresnel, hazard, log_ndtr, ndtr,
    ndtri, ndtri_exp, owens_t, wofz,
)
from .gamma import (
    beta, betaln, binom, gamma, gammaln, gammasgn, hurwitz, loggamma, poch, polygamma,
    psi, rgamma, riemann_zeta,
)
from .incomplete import (
    betainc, betainc_moment, betaincc, betainccinv, betaincinv, gammainc,
    gammainc_moment, gammaincc, gammainccinv, gammaincinv,
)
from .integrals import (
    exp1, expi, expn, hyp0f1, hyp1f1, hyp2f1, hyperu, lambertw, shichi, sici, spence,
    wrightomega,
)
from .logistic import (
    boxcox, boxcox1p, cbrt, cosdg, cosm1, cotdg, entr, exp10, exp2, expit, expm1,
    exprel, huber, inv_boxcox, inv_boxcox1p, kl_div, log1p, log_expit, logit, powm1,
    pseudo_huber, rel_entr, sindg, softplus, tandg, xlog1py, xlogy,
)
from .polynomials import (
    eval_chebyt, eval_chebyu, eval_gegenbauer, eval_genlaguerre, eval_hermite,
    eval_hermitenorm, eval_jacobi, eval_laguerre, eval_legendre,
)

__all__ = [
    "airy", "bdtr", "bdtrc", "beta", "betainc", "betainc_moment", "betaincc",
    "betainccinv", "betaincinv", "betaln", "binom", "boxcox", "boxcox1p", "cbrt",
    "chdtr", "chdtrc", "cosdg", "cosm1", "cotdg", "dawsn", "ellip_d", "ellipe",
    "ellipeinc", "ellipj", "ellipk", "ellipkinc", "ellipkm1", "entr", "erf", "erfc",
    "erfcinv", "erfcx", "erfi", "erfinv", "eval_chebyt", "eval_chebyu",
    "eval_gegenbauer", "eval_genlaguerre", "eval_hermite", "eval_hermitenorm",
    "eval_jacobi", "eval_laguerre", "eval_legendre", "exp1", "exp10", "exp2", "expi",
    "expit", "expm1", "expn", "exprel", "fdtr", "fdtrc", "fresnel", "gamma", "gammainc",
    "gammainc_moment", "gammaincc", "gammainccinv", "gammaincinv", "gammaln",
    "gammasgn", "gdtr", "gdtrc", "hankel1", "hankel1e", "hankel2", "hankel2e", "hazard",
    "huber", "hurwitz", "hyp0f1", "hyp1f1", "hyp2f1", "hyperu", "i0", "i0e", "i1",
    "i1e", "inv_boxcox", "inv_boxcox1p", "iv", "ive", "j0", "j1", "jv", "jve", "k0",
    "k0e", "k1", "k1e", "kl_div", "kn", "kv", "kve", "lambertw", "log1p", "log_expit",
    "log_ndtr", "loggamma", "logit", "modstruve", "ndtr", "ndtri", "ndtri_exp",
    "owens_t", "pdtr", "pdtrc", "poch", "polygamma", "powm1", "pseudo_huber", "psi",
    "rel_entr", "rgamma", "riemann_zeta", "shichi", "sici", "sindg", "softplus",
    "spence", "spherical_in", "spherical_jn", "spherical_kn", "spherical_yn", "stdtr",
    "struve", "tandg", "wofz", "wrightomega", "xlog1py", "xlogy", "y0", "y1", "yn",
    "yv", "yve",
]
