"""Calls of scipy.linalg, signal, stats, integrate and optimize."""

from .common import calls

LINALG = calls("""
    scipy.linalg.expm(k / 3); scipy.linalg.sqrtm(k @ k.T + numpy.eye(4))
    scipy.linalg.sinm(k); scipy.linalg.cosm(k); scipy.linalg.tanm(k / 9)
    scipy.linalg.sinhm(k); scipy.linalg.coshm(k); scipy.linalg.tanhm(k / 9)
    scipy.linalg.expm_frechet(k / 3, k.T, compute_expm=False)
    scipy.linalg.fractional_matrix_power(k @ k.T + numpy.eye(4), 0.3)
    scipy.linalg.solve(k, v); scipy.linalg.solve(k, a.T, transposed=True)
    scipy.linalg.solve(k @ k.T + numpy.eye(4), v, assume_a="pos", lower=True)
    scipy.linalg.solve_triangular(k, v); scipy.linalg.solve_triangular(k, a.T, trans=1)
    scipy.linalg.solve_triangular(k, v, lower=True, unit_diagonal=True)
    scipy.linalg.cholesky(k @ k.T + numpy.eye(4), lower=True)
    scipy.linalg.cho_solve((k + 9 * numpy.eye(4), False), v)
    np.tril(scipy.linalg.cho_factor(k @ k.T + numpy.eye(4), lower=True)[0])
    scipy.linalg.solve_sylvester(k + 5 * numpy.eye(4), a[:, :3] + 5 * numpy.eye(3), b.T)
    scipy.linalg.solve_continuous_lyapunov(k + 5 * numpy.eye(4), k)
    scipy.linalg.solve_discrete_lyapunov(k / 9, k); scipy.linalg.inv(k)
    scipy.linalg.det(k); scipy.linalg.norm(a); scipy.linalg.norm(a, ord=2)
    scipy.linalg.norm(a, axis=0, keepdims=True); scipy.linalg.pinv(a)
    scipy.linalg.eigvalsh(k, lower=False); scipy.linalg.eigh(k, eigvals_only=True)
    scipy.linalg.svdvals(a); scipy.linalg.svd(a, full_matrices=False)
    np.abs(scipy.linalg.svd(a, full_matrices=False)[2])
    scipy.linalg.qr(a.T, mode="economic"); scipy.linalg.qr(a.T, mode="full")
    scipy.linalg.qr(a.T, mode="r"); scipy.linalg.qr(a, mode="raw")[0][1]
    scipy.linalg.lstsq(a, b[:, 0])[0]
    scipy.linalg.toeplitz(v); scipy.linalg.toeplitz(v, u); scipy.linalg.hankel(v, w)
    scipy.linalg.circulant(v); scipy.linalg.khatri_rao(a, k)
    scipy.linalg.block_diag(a, k, v); scipy.linalg.solve_toeplitz(q + [4, 0, 0, 0], v)
    scipy.linalg.matmul_toeplitz(v, a.T); scipy.linalg.matmul_toeplitz((v, w), a.T)
""")

# Its rule is written for NumPy's arrays: once differentiable.
ONCE = calls("scipy.linalg.logm(k @ k.T + numpy.eye(4))")

SIGNAL = calls("""
    scipy.signal.convolve(u, v); scipy.signal.convolve(a, k, mode="valid")
    scipy.signal.convolve(a, b, mode="same", method="fft")
    scipy.signal.convolve2d(a, k, mode="same"); scipy.signal.correlate(u, v)
    scipy.signal.correlate(a, k, mode="same"); scipy.signal.correlate2d(a, k)
    scipy.signal.correlate2d(a, b, mode="same"); scipy.signal.fftconvolve(a, k)
    scipy.signal.fftconvolve(a, b, mode="same", axes=1); scipy.signal.oaconvolve(a, k)
    scipy.signal.oaconvolve(a, b, mode="valid", axes=0)
""")

_FUNCTIONS = "pdf logpdf cdf logcdf sf logsf ppf isf"
_REAL = "norm laplace cauchy logistic"
_DISTRIBUTIONS = {  # the point, then the parameters
    **dict.fromkeys(_REAL.split(), ("a", "v, q")),
    "t": ("a", "f, v, q"),
    "gamma": ("p", "f, 0.0, q"),
    "chi2": ("p", "f, 0.0, q"),
    "expon": ("p", "0.0, q"),
    "lognorm": ("p", "f, 0.0, q"),
    "beta": ("0.2 + 0.3 * p", "f, p, 0.0, 1.5"),
    "uniform": ("0.2 + 0.3 * p", "0.0, q + 1"),
}


def _distribution(name: str) -> list[str]:
    """Return the calls of the functions of a continuous distribution."""
    point, parameters = _DISTRIBUTIONS[name]
    points = {"ppf": "0.2 + 0.3 * p", "isf": "0.2 + 0.3 * p"}
    return [
        f"scipy.stats.{name}.{function}({points.get(function, point)}, {parameters})"
        for function in _FUNCTIONS.split()
    ]


STATS = [
    *[call for name in _DISTRIBUTIONS for call in _distribution(name)],
    *[
        f"scipy.stats.poisson.{f}(COUNTS, q)"
        for f in ["pmf", "logpmf", "cdf", "logcdf", "sf"]
    ],
    *calls("""
    scipy.stats.bernoulli.pmf(COUNTS % 2, 0.2 + 0.3 * q)
    scipy.stats.bernoulli.logpmf(COUNTS % 2, 0.2 + 0.3 * q)
    scipy.stats.binom.pmf(COUNTS, 5, 0.2 + 0.3 * q)
    scipy.stats.binom.logpmf(COUNTS, 5, 0.2 + 0.3 * q)
    scipy.stats.norm.entropy(v, q)
    scipy.stats.multivariate_normal.pdf(a, v, k @ k.T + numpy.eye(4))
    scipy.stats.multivariate_normal.logpdf(a, v, k @ k.T + numpy.eye(4))
    scipy.stats.multivariate_normal.entropy(v, k @ k.T + numpy.eye(4))
    scipy.stats.dirichlet.pdf(q / np.sum(q), f[0])
    scipy.stats.dirichlet.logpdf(q / np.sum(q), f[0])
    scipy.stats.dirichlet.entropy(q); scipy.stats.dirichlet.mean(q)
    """),
]

# Solved to a tolerance that finite differences do not see.
_FIELD = "lambda y, t, m: m @ np.tanh(y)"
INTEGRATE = [
    f"scipy.integrate.odeint({_FIELD}, v, np.cumsum(q), (k,), rtol=1e-11, atol=1e-11)"
]
OPTIMIZE = calls("""
    scipy.optimize.root(lambda x, y: x**3 + x - y, numpy.ones(4), (v,), tol=1e-13).x
    scipy.optimize.fixed_point(lambda x, y: np.cos(x) * y, 0 * w, (q / 3,), xtol=1e-13)
""")

WITHOUT_GRADIENT = calls("scipy.stats.dirichlet.rvs(q)")
IMPOSSIBLE = calls("scipy.optimize.minimize(lambda x: np.sum((x - v) ** 2), 0 * v)")
