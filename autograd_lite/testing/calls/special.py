"""Calls of the functions of scipy.special."""

from .common import calls


def _each(names: str, arguments: str) -> list[str]:
    return [f"scipy.special.{name}({arguments})" for name in names.split()]


SPECIAL = [
    *_each("erf erfc erfi erfcx dawsn ndtr log_ndtr fresnel wrightomega", "a"),
    *_each("j0 j1 i0 i1 expit log_expit softplus expm1 exp2 exp10 exprel cosm1", "a"),
    *_each("sindg cosdg tandg", "30 * a"),
    *_each("erfinv", "h"),
    *_each("cotdg sinc", "f"),
    *_each("erfcinv ndtri logit ellipk ellipkm1 ellipe", "0.2 + 0.3 * p"),
    *_each("gamma gammaln rgamma psi digamma loggamma wofz cbrt log1p entr", "p"),
    *_each("i0e i1e y0 y1 k0 k1 k0e k1e expi exp1 sici shichi spence", "p"),
    *_each("airy", "a"),
    *_each("ndtri_exp", "-p"),
    *_each("beta betaln poch gammainc gammaincc chdtr chdtrc", "p, q"),
    *_each("xlogy xlog1py rel_entr kl_div powm1 boxcox boxcox1p", "p, q"),
    *_each("inv_boxcox inv_boxcox1p", "p, q"),
    *_each("huber pseudo_huber", "p, v"),
    *_each("owens_t", "a, v"),
    *_each("gammaincinv gammainccinv", "f, 0.2 + 0.3 * q"),
    *_each("betainc betaincc betaincinv betainccinv", "p, q, 0.2 + 0.3 * p"),
    *_each("gdtr gdtrc", "p, f, q"),
    *_each("fdtr fdtrc", "f, q + 1, p"),
    *_each("pdtr pdtrc polygamma expn yn kn struve modstruve", "2, p"),
    *_each("jn jv yv iv kv jve yve ive kve hyp0f1", "1.5, p"),
    *_each("hankel1 hankel2 hankel1e hankel2e", "1, p"),
    *_each("jvp yvp ivp kvp h1vp h2vp", "1.5, p, n=2"),
    *_each("spherical_jn spherical_yn spherical_in spherical_kn", "2, p"),
    *_each("spherical_jn spherical_yn", "2, p, derivative=True"),
    *_each("bdtr bdtrc", "2, 5, 0.2 + 0.3 * p"),
    *_each("stdtr", "f, a"),
    *_each("hyp2f1", "1, 2, 3, h"),
    *_each("hyp1f1 hyperu", "1, 2, p"),
    *_each("ellipkinc ellipeinc", "a, 0.2 + 0.3 * q"),
    *_each("ellipj", "a, 0.6"),
    *_each("eval_legendre eval_chebyt eval_chebyu eval_laguerre", "3, h"),
    *_each("eval_hermite eval_hermitenorm", "3, p"),
    *_each("eval_gegenbauer eval_genlaguerre", "3, 2, p"),
    *_each("eval_jacobi", "3, 1, 2, h"),
    *_each("eval_chebyc eval_chebys eval_sh_legendre", "3, h"),
    *_each("eval_sh_chebyt eval_sh_chebyu", "3, h"),
    *_each("eval_sh_jacobi", "3, 2, 1.5, h"),
    *_each("lpmv", "1, 3, h"),
    *_each("ber bei berp beip", "a"),
    *_each("ker kei kerp keip kelvin airye itj0y0 iti0k0 it2j0y0 it2i0k0", "p"),
    *_each("itstruve0 it2struve0 itmodstruve0 modfresnelp modfresnelm", "p"),
    *_each("pbdv pbvv pbwa", "1.5, a"),
    *_each("mathieu_cem mathieu_sem mathieu_modcem1 mathieu_modcem2", "2, 1.5, p"),
    *_each("mathieu_modsem1 mathieu_modsem2", "2, 1.5, p"),
    *_each("wright_bessel log_wright_bessel", "0.7, 1.2, p"),
    *_each("voigt_profile", "a, q, p"),
    *_each("agm", "p, q"),
    *_each("radian", "a, v, b"),
    *_each("zetac", "f"),
    *_each("assoc_laguerre", "p, 3, 1.5"),
    *_each("diric", "a, 4"),
    *_each("stdtrit chdtri", "f, 0.2 + 0.3 * q"),
    *_each("stdtridf", "0.7 + 0.02 * p, 0.8 + 0.02 * q"),
    *_each("chdtriv", "0.2 + 0.3 * p, q"),
    *_each("gdtrix fdtri", "f, q + 1, 0.2 + 0.3 * p"),
    *_each("gdtria btdtria", "0.2 + 0.3 * p, q, 0.2 + 0.3 * p"),
    *_each("gdtrib btdtrib", "p, 0.2 + 0.3 * q, 0.2 + 0.3 * p"),
    *_each("fdtridfd", "p, 0.61 + 0.01 * q, 1.5 + 0.1 * p"),
    *_each("nrdtrimn", "0.2 + 0.3 * p, q, a"),
    *_each("nrdtrisd", "a, 0.1 + 0.1 * q, b"),
    *_each("bdtri nbdtr nbdtrc nbdtri", "2, 5, 0.2 + 0.3 * p"),
    *_each("pdtri", "2, 0.2 + 0.3 * p"),
    *_each("chndtr", "p, 2.5, q"),
    *_each("chndtrix", "0.2 + 0.3 * p, 2.5, q"),
    *_each("tklmbda", "a, 0.3"),
    *calls("""
    scipy.special.binom(f + 2, p); scipy.special.comb(f + 2, p)
    scipy.special.comb(f + 2, p, repetition=True); scipy.special.perm(f + 2, p)
    scipy.special.factorial(p); scipy.special.multigammaln(f + 1, 3)
    scipy.special.zeta(f); scipy.special.zeta(f, q); scipy.special.lambertw(p)
    scipy.special.lambertw(p, k=-1); scipy.special.logsumexp(a)
    scipy.special.logsumexp(t, axis=(0, 2), b=p, keepdims=True)
    scipy.special.logsumexp(a, axis=1, b=b, return_sign=True)
    scipy.special.softmax(t, axis=1); scipy.special.log_softmax(t, axis=(0, 1))
    scipy.special.hyp1f1(1, 2, a)
    """),
]

WITHOUT_GRADIENT = calls("scipy.special.gammasgn(a)")
