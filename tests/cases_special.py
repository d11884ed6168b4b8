"""One row per primitive of `autograd_lite.ops.special`, twins straight from SciPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.special
from cases import POSITIVE, UNIT, Case, M, V, between, normal, with_constants

from autograd_lite.core import Primitive
from autograd_lite.ops.special import names as ops

Make = Callable[[np.random.Generator], tuple[Any, ...]]
LOGARITHM = between(0.6, 2.5, M)
NORMAL = normal(M)
PROBABILITY = between(0.1, 0.9, M)


def row(
    primitive: Primitive, make: Make = NORMAL, dtypes: str = "f", note: str = ""
) -> Case:
    """A row for a function that SciPy has under the primitive's name."""
    twin = getattr(scipy.special, primitive.name)
    return Case(primitive, make, twin, dtypes=dtypes, note=note)


def indexed(
    primitive: Primitive, n: Any, make: Make = POSITIVE, dtypes: str = "f"
) -> Case:
    """A row for a function of constants, such as an order, and of an array."""
    constants = np.atleast_1d(n).tolist()
    given = row(primitive, lambda rng: (*constants, *make(rng)), dtypes)
    return replace(given, axes0=False)


def beside(*makes: Make) -> Make:
    """The arguments that several makers return, one after another."""
    return lambda rng: sum([make(rng) for make in makes], ())


ERRORS = [
    *[row(p, dtypes="fc") for p in [ops.erf, ops.erfc, ops.erfi, ops.erfcx, ops.dawsn]],
    row(ops.wofz, POSITIVE, "c"),
    row(ops.erfinv, UNIT),
    row(ops.erfcinv, between(0.1, 1.9, M)),
    *[row(p) for p in [ops.ndtr, ops.log_ndtr]],
    row(ops.ndtri, PROBABILITY),
    row(ops.ndtri_exp, between(-4, -0.3, M)),
    row(ops.owens_t, normal(M, V)),
    row(ops.fresnel),
    Case(
        ops.hazard,
        normal(M),
        lambda x: (
            np.exp(-x * x / 2 - scipy.special.log_ndtr(x)) / math.sqrt(2 * math.pi)
        ),
    ),
]

GAMMAS = [
    *[row(p, POSITIVE) for p in [ops.gamma, ops.gammaln, ops.rgamma, ops.psi]],
    row(ops.loggamma, POSITIVE),
    Case(ops.gammasgn, normal(M), scipy.special.gammasgn, order=0),
    indexed(ops.polygamma, 2, POSITIVE, ""),
    row(ops.beta, between(0.3, 3, M, V)),
    row(ops.betaln, between(0.3, 3, M, V)),
    row(ops.poch, between(0.3, 3, M, V)),
    row(ops.binom, beside(between(3, 6, M), between(0.3, 2, V))),
    row(ops.hurwitz, between(1.5, 5, M, V)),
    Case(ops.riemann_zeta, between(-2, 0.5, M), scipy.special.zeta),
]

INCOMPLETE = [
    *[row(p, between(0.3, 4, M, V)) for p in [ops.gammainc, ops.gammaincc]],
    *[
        row(p, beside(between(0.5, 4, M), between(0.1, 0.9, V)))
        for p in [ops.gammaincinv, ops.gammainccinv]
    ],
    *[
        row(p, beside(between(0.5, 4, M, V), between(0.1, 0.9, M)))
        for p in [ops.betainc, ops.betaincc, ops.betaincinv, ops.betainccinv]
    ],
    *[row(p, between(0.5, 4, M, V)) for p in [ops.chdtr, ops.chdtrc]],
    *[row(p, between(0.5, 3, M, V, M)) for p in [ops.gdtr, ops.gdtrc]],
    *[indexed(p, 2) for p in [ops.pdtr, ops.pdtrc]],
    row(ops.stdtr, beside(between(1, 5, M), normal(V))),
    *[row(p, between(1, 5, M, V, M)) for p in [ops.fdtr, ops.fdtrc]],
    *[indexed(p, [2, 5], PROBABILITY, "") for p in [ops.bdtr, ops.bdtrc]],
]

BESSELS = [
    *[row(p) for p in [ops.j0, ops.j1, ops.i0, ops.i1]],
    *[row(p, POSITIVE) for p in [ops.i0e, ops.i1e, ops.y0, ops.y1]],
    *[row(p, POSITIVE) for p in [ops.k0, ops.k1, ops.k0e, ops.k1e]],
    *[indexed(p, 2, POSITIVE, "fc") for p in [ops.jv, ops.yv, ops.iv, ops.kv, ops.kve]],
    *[indexed(p, 2) for p in [ops.jve, ops.yve, ops.ive, ops.yn, ops.kn]],
    *[indexed(p, 1, POSITIVE, "") for p in [ops.hankel1, ops.hankel2]],
    *[indexed(p, 1, POSITIVE, "") for p in [ops.hankel1e, ops.hankel2e]],
    *[indexed(p, 2) for p in [ops.struve, ops.modstruve]],
    row(ops.airy),
    *[indexed(p, 2, dtypes="") for p in [ops.spherical_jn, ops.spherical_yn]],
    *[indexed(p, 2, dtypes="") for p in [ops.spherical_in, ops.spherical_kn]],
]

INTEGRALS = [
    row(ops.expi, POSITIVE),
    row(ops.exp1, POSITIVE, "fc"),
    indexed(ops.expn, 3),
    *[row(p, POSITIVE) for p in [ops.sici, ops.shichi, ops.spence]],
    Case(
        ops.lambertw, with_constants(POSITIVE, 0), scipy.special.lambertw, axes0=False
    ),
    row(ops.wrightomega),
    indexed(ops.hyp2f1, [1, 2, 3], UNIT),
    indexed(ops.hyp1f1, [1, 2]),
    indexed(ops.hyperu, [1, 2]),
    indexed(ops.hyp0f1, 2),
    *[
        row(p, beside(NORMAL, between(0.1, 0.9, V)))
        for p in [ops.ellipkinc, ops.ellipeinc]
    ],
    Case(
        ops.ellip_d,
        beside(NORMAL, between(0.1, 0.9, V)),
        lambda phi, m: (
            (scipy.special.ellipkinc(phi, m) - scipy.special.ellipeinc(phi, m)) / m
        ),
    ),
    Case(ops.ellipj, with_constants(NORMAL, 1), scipy.special.ellipj, axes0=False),
    *[row(p, PROBABILITY) for p in [ops.ellipk, ops.ellipkm1, ops.ellipe]],
]

LOGISTICS = [
    *[row(p) for p in [ops.expit, ops.log_expit]],
    row(ops.softplus, note="scipy"),
    *[row(p, POSITIVE, note="scipy") for p in [ops.log1p, ops.cbrt]],
    *[row(p, note="scipy") for p in [ops.expm1, ops.exp2]],
    row(ops.logit, PROBABILITY),
    row(ops.entr, POSITIVE),
    *[row(p, between(0.3, 3, M, V)) for p in [ops.xlogy, ops.xlog1py]],
    *[row(p, between(0.3, 3, M, V)) for p in [ops.rel_entr, ops.kl_div, ops.powm1]],
    row(ops.huber, beside(between(0.5, 1.5, M), normal(V))),
    row(ops.pseudo_huber, beside(between(0.5, 1.5, M), normal(V))),
    *[row(p) for p in [ops.exp10, ops.exprel, ops.cosm1]],
    *[row(p, between(5, 80, M)) for p in [ops.sindg, ops.cosdg, ops.tandg, ops.cotdg]],
    row(ops.boxcox, beside(LOGARITHM, normal(V))),
    row(ops.boxcox1p, beside(LOGARITHM, normal(V))),
    row(ops.inv_boxcox, between(0.3, 2, M, V)),
    row(ops.inv_boxcox1p, between(0.3, 2, M, V)),
]

POLYNOMIALS = [
    *[indexed(p, 3, UNIT) for p in [ops.eval_legendre, ops.eval_chebyt]],
    *[indexed(p, 3, UNIT) for p in [ops.eval_chebyu, ops.eval_laguerre]],
    *[indexed(p, 3, POSITIVE, "") for p in [ops.eval_hermite, ops.eval_hermitenorm]],
    *[indexed(p, [3, 2]) for p in [ops.eval_gegenbauer, ops.eval_genlaguerre]],
    indexed(ops.eval_jacobi, [3, 1, 2], UNIT),
]


POLYNOMIALS += [
    *[indexed(p, 3, UNIT) for p in [ops.eval_chebyc, ops.eval_chebys]],
    *[indexed(p, 3, PROBABILITY) for p in [ops.eval_sh_chebyt, ops.eval_sh_chebyu]],
    indexed(ops.eval_sh_legendre, 3, PROBABILITY),
    indexed(ops.eval_sh_jacobi, [3, 2, 1], PROBABILITY),
    indexed(ops.lpmv, [1, 3], UNIT),
]

FIRST = between(0.5, 4, M)
QUANTILES = [
    row(ops.stdtrit, beside(between(1, 5, M), between(0.1, 0.9, V))),
    row(ops.stdtridf, beside(between(0.7, 0.75, M), between(0.7, 0.9, V)), ""),
    row(ops.chdtri, beside(FIRST, between(0.1, 0.9, V))),
    row(ops.chdtriv, beside(PROBABILITY, between(0.5, 4, V)), ""),
    row(ops.gdtrix, beside(between(0.5, 4, M, V), PROBABILITY), ""),
    row(ops.gdtria, beside(PROBABILITY, between(0.5, 4, V, M)), ""),
    row(ops.gdtrib, beside(FIRST, between(0.1, 0.9, V), FIRST), ""),
    row(ops.fdtri, beside(between(2, 5, M, V), PROBABILITY), ""),
    row(ops.fdtridfd, beside(FIRST, between(0.61, 0.62, V), between(1.5, 2, M)), ""),
    row(ops.btdtria, beside(PROBABILITY, between(0.5, 4, V), PROBABILITY), ""),
    row(ops.btdtrib, beside(FIRST, between(0.1, 0.9, V), PROBABILITY), ""),
    row(ops.nrdtrimn, beside(PROBABILITY, between(0.5, 4, V), NORMAL)),
    row(ops.nrdtrisd, beside(NORMAL, between(0.1, 0.4, V), NORMAL)),
    *[indexed(p, [2, 5], PROBABILITY, "") for p in [ops.bdtri, ops.nbdtr]],
    *[indexed(p, [2, 5], PROBABILITY, "") for p in [ops.nbdtrc, ops.nbdtri]],
    indexed(ops.pdtri, 2, PROBABILITY),
    Case(
        ops.chndtr,
        lambda rng: (rng.uniform(0.5, 4, M), 2, rng.uniform(0.5, 4, V)),
        scipy.special.chndtr,
        dtypes="",
        axes0=False,
    ),
    Case(
        ops.chndtrix,
        lambda rng: (rng.uniform(0.1, 0.9, M), 2, rng.uniform(0.5, 4, V)),
        scipy.special.chndtrix,
        dtypes="",
        axes0=False,
    ),
    Case(
        ops.tklmbda,
        with_constants(normal(M), -1),
        scipy.special.tklmbda,
        dtypes="",
        axes0=False,
    ),
]

EQUATIONS = [
    *[row(p) for p in [ops.ber, ops.bei, ops.berp, ops.beip]],
    *[row(p, POSITIVE) for p in [ops.ker, ops.kei, ops.kerp, ops.keip, ops.kelvin]],
    *[indexed(p, 2, NORMAL, "") for p in [ops.pbdv, ops.pbvv, ops.pbwa]],
    *[
        indexed(p, [2, 1], between(0.2, 1.5, M), "")
        for p in [
            *[ops.mathieu_cem, ops.mathieu_sem],
            *[ops.mathieu_modcem1, ops.mathieu_modcem2],
            *[ops.mathieu_modsem1, ops.mathieu_modsem2],
        ]
    ],
    *[
        replace(row(p, lambda rng: (np.array([2, 1]), 2), ""), order=0)
        for p in [ops.mathieu_a, ops.mathieu_b]
    ],
    row(ops.airye, POSITIVE),
    *[row(p, POSITIVE) for p in [ops.itj0y0, ops.iti0k0, ops.it2j0y0, ops.it2i0k0]],
    *[row(p, POSITIVE) for p in [ops.itstruve0, ops.it2struve0, ops.itmodstruve0]],
    *[row(p, POSITIVE) for p in [ops.modfresnelp, ops.modfresnelm]],
    row(ops.voigt_profile, beside(NORMAL, between(0.3, 3, V, M))),
    row(ops.agm, between(0.3, 3, M, V)),
    row(ops.radian, normal(M, V, M)),
    row(ops.zetac, between(1.5, 5, M), ""),
    *[indexed(p, [1, 2], POSITIVE, "") for p in [ops.wright_bessel]],
    indexed(ops.log_wright_bessel, [1, 2], POSITIVE, ""),
]


def moment(primitive: Primitive, twin: Any, make: Make, params: Any) -> Case:
    """A row for a derivative of an incomplete function in its parameter."""
    return Case(primitive, make, twin, params, dtypes="")


def slope(fun: Any, step: float = 1e-3) -> Any:
    """The derivative in the first argument, by central differences of sixth order."""

    def twin(a: Any, *rest: Any, **_: Any) -> Any:
        weights = zip([1, 2, 3], [3 / 4, -3 / 20, 1 / 60])
        return (
            sum(
                [
                    w * (fun(a + k * step, *rest) - fun(a - k * step, *rest))
                    for k, w in weights
                ]
            )
            / step
        )

    return twin


MOMENTS = [
    moment(
        ops.gammainc_moment,
        slope(scipy.special.gammainc),
        between(0.5, 4, M, V),
        {"order": 1},
    ),
    moment(
        ops.betainc_moment,
        slope(scipy.special.betainc),
        beside(between(0.5, 4, M, V), between(0.1, 0.9, M)),
        {"orders": (1, 0)},
    ),
]

CASES = [
    *ERRORS,
    *GAMMAS,
    *INCOMPLETE,
    *BESSELS,
    *INTEGRALS,
    *LOGISTICS,
    *POLYNOMIALS,
    *QUANTILES,
    *EQUATIONS,
    *MOMENTS,
]
