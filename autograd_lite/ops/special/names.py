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
    agm, ellip_d, ellipe, ellipeinc, ellipj, ellipk, ellipkinc, ellipkm1,
)
from .equations import (
    airye, bei, beip, ber, berp, it2i0k0, it2j0y0, it2struve0, iti0k0, itj0y0,
    itmodstruve0, itstruve0, kei, keip, kelvin, ker, kerp, mathieu_a,
    mathieu_b, mathieu_cem, mathieu_modcem1, mathieu_modcem2, mathieu_modsem1,
    mathieu_modsem2, mathieu_sem, modfresnelm, modfresnelp, pbdv, pbvv, pbwa,
)
from .error import (
    dawsn, erf, erfc, erfcinv, erfcx, erfi, erfinv, fresnel, hazard, log_ndtr, ndtr,
    ndtri, ndtri_exp, owens_t, voigt_profile, wofz,
)
from .gamma import (
    beta, betaln, binom, gamma, gammaln, gammasgn, hurwitz, loggamma, poch, polygamma,
    psi, rgamma, riemann_zeta, zetac,
)
from .incomplete import (
    betainc, betainc_moment, betaincc, betainccinv, betaincinv, gammainc,
    gammainc_moment, gammaincc, gammainccinv, gammaincinv,
)
from .integrals import (
    exp1, expi, expn, hyp0f1, hyp1f1, hyp2f1, hyperu, lambertw, log_wright_bessel, lpmv,
    shichi, sici, spence, wright_bessel, wrightomega,
)
from .logistic import (
    boxcox, boxcox1p, cbrt, cosdg, cosm1, cotdg, entr, exp10, exp2, expit, expm1,
    exprel, huber, inv_boxcox, inv_boxcox1p, kl_div, log1p, log_expit, logit, powm1,
    pseudo_huber, radian, rel_entr, sindg, softplus, tandg, xlog1py, xlogy,
)
from .polynomials import (
    eval_chebyc, eval_chebys, eval_chebyt, eval_chebyu, eval_gegenbauer,
    eval_genlaguerre, eval_hermite, eval_hermitenorm, eval_jacobi, eval_laguerre,
    eval_legendre, eval_sh_chebyt, eval_sh_chebyu, eval_sh_jacobi, eval_sh_legendre,
)
from .quantiles import (
    bdtri, btdtria, btdtrib, chdtri, chdtriv, chndtr, chndtrix, fdtri, fdtridfd, gdtria,
    gdtrib, gdtrix, nbdtr, nbdtrc, nbdtri, nrdtrimn, nrdtrisd, pdtri, stdtridf, stdtrit,
    tklmbda,
)

__all__ = [
    "agm", "airy", "airye", "bdtr", "bdtrc", "bdtri", "bei", "beip", "ber", "berp",
    "beta", "betainc", "betainc_moment", "betaincc", "betainccinv", "betaincinv",
    "betaln", "binom", "boxcox", "boxcox1p", "btdtria", "btdtrib", "cbrt", "chdtr",
    "chdtrc", "chdtri", "chdtriv", "chndtr", "chndtrix", "cosdg", "cosm1", "cotdg",
    "dawsn", "ellip_d", "ellipe", "ellipeinc", "ellipj", "ellipk", "ellipkinc",
    "ellipkm1", "entr", "erf", "erfc", "erfcinv", "erfcx", "erfi", "erfinv",
    "eval_chebyc", "eval_chebys", "eval_chebyt", "eval_chebyu", "eval_gegenbauer",
    "eval_genlaguerre", "eval_hermite", "eval_hermitenorm", "eval_jacobi",
    "eval_laguerre", "eval_legendre", "eval_sh_chebyt", "eval_sh_chebyu",
    "eval_sh_jacobi", "eval_sh_legendre", "exp1", "exp10", "exp2", "expi", "expit",
    "expm1", "expn", "exprel", "fdtr", "fdtrc", "fdtri", "fdtridfd", "fresnel", "gamma",
    "gammainc", "gammainc_moment", "gammaincc", "gammainccinv", "gammaincinv",
    "gammaln", "gammasgn", "gdtr", "gdtrc", "gdtria", "gdtrib", "gdtrix", "hankel1",
    "hankel1e", "hankel2", "hankel2e", "hazard", "huber", "hurwitz", "hyp0f1", "hyp1f1",
    "hyp2f1", "hyperu", "i0", "i0e", "i1", "i1e", "inv_boxcox", "inv_boxcox1p",
    "it2i0k0", "it2j0y0", "it2struve0", "iti0k0", "itj0y0", "itmodstruve0",
    "itstruve0", "iv", "ive", "j0", "j1", "jv", "jve", "k0", "k0e", "k1", "k1e", "kei",
    "keip", "kelvin", "ker", "kerp", "kl_div", "kn", "kv", "kve", "lambertw", "log1p",
    "log_expit", "log_ndtr", "log_wright_bessel", "loggamma", "logit", "lpmv",
    "mathieu_a", "mathieu_b", "mathieu_cem", "mathieu_modcem1", "mathieu_modcem2",
    "mathieu_modsem1",
    "mathieu_modsem2", "mathieu_sem", "modfresnelm", "modfresnelp", "modstruve",
    "nbdtr", "nbdtrc", "nbdtri", "ndtr", "ndtri", "ndtri_exp", "nrdtrimn", "nrdtrisd",
    "owens_t", "pbdv", "pbvv", "pbwa", "pdtr", "pdtrc", "pdtri", "poch", "polygamma",
    "powm1", "pseudo_huber", "psi", "radian", "rel_entr", "rgamma", "riemann_zeta",
    "shichi", "sici", "sindg", "softplus", "spence", "spherical_in", "spherical_jn",
    "spherical_kn", "spherical_yn", "stdtr", "stdtridf", "stdtrit", "struve", "tandg",
    "tklmbda", "voigt_profile", "wofz", "wright_bessel", "wrightomega", "xlog1py",
    "xlogy", "y0", "y1", "yn", "yv", "yve", "zetac",
]
