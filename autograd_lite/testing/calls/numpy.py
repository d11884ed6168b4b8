"""Calls of the functions of numpy: each differentiable name has at least one."""

from .common import calls

_ANY = """negative positive square exp exp2 expm1 sin cos tan arctan sinh cosh tanh
arcsinh absolute abs fabs deg2rad radians rad2deg degrees sinc reciprocal conjugate conj
atan asinh"""
_POSITIVE = "sqrt log log2 log10 log1p cbrt"
_UNIT = "arcsin arccos arctanh asin acos atanh"
_PAIRS = """add subtract multiply divide true_divide arctan2 atan2 hypot maximum minimum
fmax fmin logaddexp logaddexp2 copysign heaviside remainder mod fmod nextafter"""

ELEMENTWISE = [
    *[f"np.{name}(a)" for name in _ANY.split()],
    *[f"np.{name}(p)" for name in _POSITIVE.split()],
    *[f"np.{name}(h)" for name in _UNIT.split()],
    *[f"np.{name}(a, v)" for name in _PAIRS.split()],
    *[f"np.{name}(p, v)" for name in ["power", "pow", "float_power"]],
    *calls("""
    np.arccosh(f); np.acosh(f); np.ldexp(a, COUNTS); np.clip(a, -0.5, 0.5)
    np.clip(a, v, None); np.clip(a, min=-0.5, max=r[0]); np.where(MASK, a, v)
    np.where(MASK, a, 0.0); np.where(a > 0, a, -2 * b); np.nan_to_num(a + NANS, nan=3.0)
    np.real(a); np.imag(a * (1 + 2j)); np.real(a * 1j + b); np.angle(a + 1j * b)
    np.angle(a + 1j * b, deg=True); np.abs(a + 1j * b); np.real_if_close(a)
    np.modf(e)[0]; np.divmod(e, q)[1]; np.frexp(a)[0]; np.add(a, [1.0, 2, 3, 4])
    np.multiply([[1.0], [2], [3]], a); np.add(a, v, dtype=float)
    np.sin(a, out=None, where=True); a + v; a - v; a * v; a / v; e % q; e // q * a; p**v
    -a; +a; abs(a); a @ v; 1 + a; 1 - a; 2 * a; 2 / a; e % 2; 2 % e; 2**a; 0.5**a
    divmod(e, 1)[1]; p**2; p**3; p**-1; p**0.5; p**0; p**2.5; [1.0, 2, 3, 4] * a
    a + [1.0, 2, 3, 4]; np.float64(2) * a; numpy.ones(4) - a; a * numpy.ones((2, 1, 1))
    a * (a > 0)
    """),
]

REDUCTIONS = [
    f"np.{name}({x}{options})"
    for name in ["sum", "mean", "var", "std", "max", "min", "prod", "ptp", "median"]
    for x, options in [
        ("a", ""),
        ("t", ", axis=1"),
        ("t", ", axis=-1, keepdims=True"),
        ("t", ", axis=(0, -1)"),
    ]
] + calls("""
    np.amax(a, 0); np.amin(a, 0); np.sum(t, 1, None); np.sum(a, keepdims=True)
    np.sum(t, -1, where=SOME); np.sum(t, initial=2.0); np.sum(t, 0, dtype=float)
    np.mean(t, -1, where=SOME); np.mean(t, (0, 1), keepdims=True, where=MASK | SOME)
    np.var(t, -1, where=SOME, ddof=1); np.std(t, -1, where=SOME)
    np.var(t, correction=1); np.var(t, 1, mean=np.mean(t, 1, keepdims=True))
    np.std(t, (0, 2), ddof=1); np.max(t, -1, where=SOME, initial=-9.0)
    np.min(t, 0, initial=0.1); np.prod(t, -1, where=SOME, initial=2.0); np.prod(z[0])
    np.prod(z, 0); np.prod(z, 1); np.prod(t, axis=(2, 0), keepdims=True)
    np.average(a, 1); np.average(a, 0, p); np.average(a, 1, q)
    np.average(t, (2, 0), p[:2].T); np.average(a, 0, p, returned=True); np.add.reduce(a)
    np.add.reduce(a, axis=1); np.multiply.reduce(a, 1, keepdims=True)
    np.maximum.reduce(a, axis=None); np.minimum.reduce(a); np.nansum(a + NANS, 0)
    np.nanmean(a + NANS, 1); np.nanprod(a + NANS); np.nanvar(a + NANS, 0, ddof=1)
    np.nanstd(a + NANS); np.nanmax(a + NANS, -1); np.nanmin(a + NANS, 0, keepdims=True)
    np.nanmedian(a + NANS, 0); np.nanquantile(a + NANS, [0.2, 0.7], axis=1)
    np.nanpercentile(a + NANS, 30); np.quantile(a, 0.3)
    np.quantile(t, [[0.1, 0.9]], axis=(0, 2), keepdims=True)
    np.percentile(a, [10, 60], axis=1, method="hazen"); np.percentile(a, 25, 0)
    np.quantile(a, 0.4, axis=0, method="lower"); np.quantile(a, 0.4, method="nearest")
    np.quantile(u, [0.2, 0.5], method="averaged_inverted_cdf"); np.cov(a)
    np.cov(a, b, rowvar=False, bias=True); np.cov(v, w)
    np.cov(a, fweights=COUNTS, aweights=np.real(q)); np.corrcoef(a)
    np.corrcoef(a, b, rowvar=False); np.bincount(ROWS, v[:3])
    np.bincount(ROWS, weights=v[1:], minlength=5)



""")

SCANS = calls("""
    np.cumsum(a); np.cumsum(a, 0); np.cumsum(t, axis=-2); np.add.accumulate(a)
    np.cumprod(a); np.cumprod(z); np.cumprod(z, 0); np.cumprod(z, axis=1)
    np.multiply.accumulate(a, 1); np.nancumsum(a + NANS, 1); np.nancumprod(a + NANS)
    np.cumulative_sum(v); np.cumulative_sum(a, axis=1, include_initial=True)
    np.cumulative_prod(a, axis=0, include_initial=True); np.diff(a); np.diff(a, 2, 0)
    np.diff(a, prepend=0.0, append=b[:, :1]); np.diff(v, n=0)
    np.ediff1d(a, to_begin=1.0, to_end=v); np.trapezoid(a)
    np.trapezoid(a, dx=0.3, axis=0); np.trapezoid(a, v)
    np.trapezoid(t, r[0, :, 0], axis=1); np.trapezoid(a, b, axis=1); np.gradient(a)
    np.gradient(a, 0.5, q[:4].cumsum(), edge_order=2); np.gradient(a, s, axis=1)
    np.gradient(t, axis=(0, 2)); np.interp(a, o, u)
    np.interp(a, o, u, left=1.0, right=-1.0); np.interp(a, o, u, period=2.1)
    np.unwrap(9 * a); np.unwrap(9 * a, axis=0, period=5.0); np.convolve(u, v)
    np.convolve(v, u, "same"); np.convolve(u, v, mode="valid"); np.correlate(u, v)
    np.correlate(u, v, "full"); np.correlate(u, v[:3], "same")
    np.correlate(v, u, "same"); np.correlate(v[:3], u, "same"); np.correlate(v, u)



""")

SHAPES = calls("""
    np.reshape(a, (2, -1)); np.reshape(a, -1, order="F"); np.reshape(t, (4, 6), "F")
    a.sum(axis=0); a.mean(1); t.max(axis=(0, 1)); a.var(ddof=1); a.prod(0)
    a.std(keepdims=True); a.clip(-0.5, 0.5); a.cumsum(1); a.cumprod(); a.conj()
    a.swapaxes(0, 1); r.squeeze(); a.reshape(2, 6); a.reshape((6, -1)); np.ravel(a)
    np.ravel(a, "F"); a.ravel(); a.flatten(); np.transpose(t)
    np.transpose(t, (-1, 0, 1)); t.transpose(2, 0, 1); t.transpose(); a.T; t.mT
    np.permute_dims(t, (1, 2, 0)); np.matrix_transpose(t); np.swapaxes(t, 0, -1)
    np.moveaxis(t, 0, -1); np.moveaxis(t, (0, -1), (1, 0)); np.rollaxis(t, 2)
    np.rollaxis(t, 0, 3); np.squeeze(r); np.squeeze(r, -1); np.expand_dims(a, 1)
    np.expand_dims(a, (0, -1)); np.atleast_1d(s); np.atleast_2d(v); np.atleast_3d(v)
    np.atleast_3d(a); np.atleast_1d(s, v); np.broadcast_to(r, (2, 3, 4))
    np.broadcast_to(s, 3); np.broadcast_arrays(v, r); np.meshgrid(v, w)
    np.meshgrid(v, u, indexing="ij", sparse=True); np.flip(t); np.flip(t, -1)
    np.flip(t, (0, 1)); np.fliplr(a); np.flipud(a); np.roll(a, 3)
    np.roll(t, (1, -1), (0, 2)); np.roll(a, 2, axis=(0, 1)); np.rot90(a)
    np.rot90(t, 2, (1, 2)); np.rot90(t, -1, (0, 2)); np.rot90(a, 4); np.repeat(a, 2)
    np.repeat(a, 3, axis=-1); np.repeat(a, [1, 0, 2], 0); a.repeat(COUNTS, 1)
    np.tile(a, 2); np.tile(v, (2, 3)); np.tile(t, (2, 1, 2, 1)); np.diagonal(t)
    np.diagonal(t, 1, 1, 2); np.diagonal(a, offset=-1); a.diagonal(); np.trace(a)
    a.trace(); np.trace(t, 1, 2, 0); np.diag(a); np.diag(a, -1); np.diag(v)
    np.diag(v, 2); np.diagflat(a, -1); np.tril(a); np.tril(t, -1); np.triu(a, 1)
    np.triu(v); np.pad(a, 2); np.pad(a, ((1, 0), (0, 2)), constant_values=3.0)
    np.pad(a, 1, constant_values=((1, 2), (3, 4))); np.pad(a, (2, 1), "edge")
    np.pad(a, 2, "reflect"); np.pad(a, 2, "symmetric")
    np.pad(a, ((3, 1), (0, 5)), "wrap"); np.pad(a, 2, "reflect", reflect_type="odd")
    np.pad(a, (1, 2), "symmetric", reflect_type="odd"); np.pad(a, 2, "mean")
    np.pad(a, 1, "mean", stat_length=2); np.pad(a, 1, "maximum")
    np.pad(a, 1, "minimum"); np.pad(a, 1, "median")
    np.pad(a, 2, "linear_ramp", end_values=5.0); np.resize(a, (2, 7))
    np.trim_zeros(np.pad(v, 2)); np.trim_zeros(np.pad(v, 1), "f"); np.copy(a); a.copy()
    np.astype(a, complex); a.astype(complex).real; np.full_like(p, s)
    np.apply_along_axis(np.cumsum, 1, t); np.apply_along_axis(np.sum, 0, a)
    np.apply_over_axes(np.sum, t, [0, 2]); np.vander(v, 3)
    np.vander(v, 3, increasing=True); np.linspace(a, b, 5)
    np.linspace(s, v, 4, endpoint=False, axis=-1); np.logspace(v, w, 3)
    np.geomspace(p, f, 4); np.linspace(a, 1.0, 5, retstep=True)



""")

JOINS = calls("""
    np.concatenate([a, b]); np.concatenate((a, b, a), axis=-1)
    np.concatenate([a, v], axis=None); np.concat([a, b], 1); np.stack([a, b])
    np.stack((a, b), axis=-1); np.stack([v, w], 1)
    np.concatenate([a, numpy.ones((1, 4))]); np.concatenate(t); np.stack(t, 1)
    np.vstack([a, v]); np.hstack([v, w]); np.hstack([a, b]); np.dstack([a, b])
    np.row_stack([v, w]); np.column_stack([v, w]); np.column_stack([k, v])
    np.append(a, v); np.append(a, b, axis=1); np.block([[a, b], [b, a]])
    np.block([v, 1.0, w]); np.block([[k], [v]]); np.split(a, 2, 1); np.split(u, [1, 4])
    np.array_split(u, 4); np.array_split(a, [1, 2, 9], 1); np.hsplit(a, 2)
    np.hsplit(v, 2); np.vsplit(k, 2); np.dsplit(t, [1]); np.unstack(t, axis=1); list(a)
    [x * 2 for x in v]; np.select([MASK, a > 0], [a, b], 9.0); np.select([MASK], [v])
    np.choose(COUNTS % 2, [v, w]); np.choose(COUNTS, [v, w], mode="clip")



""")

PICKING = calls("""
    a[1]; a[-1, ::2]; a[..., 0]; t[:, None, 1:]; a[ROWS]; a[ROWS, [1, 1, 0]]; a[:, ROWS]
    a[MASK]; t[0, ..., ::-1]; t[ROWS % 2, :, ROWS]; a[a > 0]; v[ROWS.tolist()]; a[1][2]
    s[()]; s[None]; np.take(a, ROWS); np.take(a, ROWS, 0)
    np.take(t, [[0, 1], [1, 1]], axis=-1); a.take(ROWS, 1)
    np.take(a, [0, 13, -15], mode="wrap"); np.take(a, [-5, 99], mode="clip")
    np.take_along_axis(a, ORDER, 1); np.take_along_axis(a, ORDER[0], None)
    np.compress([True, False, True], a, 0); np.extract(MASK, a)
    a.compress([0, 1], axis=1); np.delete(a, 1); np.delete(a, [0, 2], 1)
    np.delete(a, slice(0, 2), axis=0); np.insert(v, 1, s)
    np.insert(a, 1, b[:, 0], axis=1); np.insert(v, [1, 3], [7.0, 8.0])
    np.insert(a, [0, 2], b[:, :2], axis=1); np.insert(a, 2, 5.0, 0); np.insert(a, 5, s)
    np.piecewise(a, [a < 0, a > 1], [lambda x: x**2, lambda x: x**3, 1.0])
    np.piecewise(a, [a < 0], [-1.0, np.square]); np.sort(a); np.sort(a, 0)
    np.sort(a, axis=None); np.sort(t, 1); np.sort(np.partition(a, 2))
    np.partition(a, 1, 0)[1]; np.real(np.sort_complex(v)); np.unique(a)
    np.unique(v, return_index=True)[0]; np.unique_values(v); np.unique_all(v).values
    np.unique_counts(a).values; np.unique_inverse(a).values; np.union1d(v, w)
    np.intersect1d(v, v[1:]); np.setdiff1d(v, w); np.setxor1d(v, w)



""")

PRODUCTS = calls("""
    np.matmul(a, v); np.matmul(v, k); np.matmul(t, k); np.matmul(v, w); np.matmul(t, v)
    np.matmul(t, np.transpose(t, (0, 2, 1))); np.matmul(t[:, None], k[:, :2])
    np.dot(a, v); np.dot(a, b.T); np.dot(s, a); np.dot(a, t.mT); np.dot(t, t[0].T)
    a.dot(k); np.inner(v, w); np.inner(a, t); np.inner(a, s); np.outer(v, w)
    np.outer(a, b); np.vdot(a, b); np.vecdot(a, v); np.vecdot(a, b, axis=0)
    np.matvec(t, v); np.vecmat(v, k); np.tensordot(a, b.T, 1)
    np.tensordot(a, t, ([0, 1], [1, 2])); np.tensordot(v, w, 0)
    np.tensordot(t, k, axes=(-1, 0)); np.kron(a, k); np.kron(v, a); np.kron(v, w)
    np.cross(a[:, :3], b[:, 1:]); np.cross(a[:, :2], b[:, 2:])
    np.cross(t, t[:, ::-1], axis=1); np.cross(a[:, :2], b[:, 1:])
    np.multiply.outer(v, a); np.subtract.outer(v, w); np.einsum("ij,kj->ik", a, b)
    np.einsum("ij,j", a, v); np.einsum("ii->i", k); np.einsum("ii", k)
    np.einsum("ij->", a); np.einsum("ij->ji", a); np.einsum("...j,jk->...k", t, k)
    np.einsum("i...->...", t); np.einsum("ij,kj,lj->ikl", a, b, k)
    np.einsum("i,j", v, w); np.einsum("iij->j", np.stack([k, 2 * k], -1))
    np.einsum("ij,ij->", a, b); np.einsum("ij,i->", a, a[:, 0])
    np.einsum("a...,a...->...", t, t); np.einsum("ij,ij->ij", a[:1], b)
    np.einsum("...i,...i", t[:1], t); np.einsum(a, [0, 1], k, [1, 2], [0, 2])
    np.einsum(t, [..., 0], v, [0])
    np.einsum("ij, jk , kl -> il", a, k, k, optimize=False)
    np.einsum("ab,b,ab,b", a, v, b, w)
    np.einsum("ij,kj,lj->ikl", a, b, k, optimize="optimal")
    np.einsum("ijk,ijk,ijk->k", t, t, t); np.polyval(v, a); np.polyadd(u, v)
    np.polysub(v, u); np.polymul(u, v); np.polymul(np.pad(u, (1, 0)), v)
    np.polydiv(u, v)[0]; np.polydiv(u, v)[1]; np.polyder(u, 2)
    np.polyint(v, 2, [1.0, 2.0]); np.poly(v); np.poly(k); np.polyfit(u, o, 2)
    np.polyfit(o, a.reshape(6, 2), 1, w=u); np.polyfit(u, o, 2, rcond=1e-9)
    np.polyfit(u, o, 2, cov=True); np.polyfit(o, a.reshape(6, 2), 1, cov="unscaled")
    np.polyfit(u, o, 2, full=True); np.roots(p[0]); np.i0(a)
""")

KEYWORDS = calls("""
    np.cov(a, ddof=0); np.cov(a, dtype=float); np.corrcoef(a, dtype=float)
    np.cross(a, b, axisa=0, axisb=0, axisc=0); np.cross(a[:2], b, axisa=0, axisb=0)
    np.cross(t, a, axisa=1, axisb=0, axisc=1)
    np.geomspace(p[0], p[1], 5, axis=1, endpoint=False)
    np.logspace(a[0], b[0], 4, base=2.0, axis=-1, endpoint=False)
    np.nanpercentile(a + NANS, 30, axis=1, method="lower", keepdims=True)
    np.nanquantile(a + NANS, 0.3, axis=0, method="hazen", keepdims=True)
    np.nanprod(a + NANS, axis=1, keepdims=True)
    np.nanstd(a + NANS, axis=0, ddof=1, keepdims=True)
    np.nanstd(a + NANS, axis=0, correction=1)
    np.nanvar(a + NANS, axis=1, keepdims=True); np.nanvar(t, axis=-1, where=SOME)
    np.nansum(a + NANS, axis=1, keepdims=True)
    np.nansum(t, axis=-1, where=SOME, initial=1.0)
    np.nanmean(a + NANS, axis=1, keepdims=True); np.nanmean(t, axis=-1, where=SOME)
    np.nanmax(a + NANS, axis=1, keepdims=True)
    np.nanmax(t, axis=-1, where=SOME, initial=-9.0)
    np.nanmin(a + NANS, axis=1, keepdims=True)
    np.nanmin(t, axis=-1, where=SOME, initial=9.0)
    np.nanmedian(a + NANS, axis=1, keepdims=True)
    np.nancumsum(a + NANS, 1, dtype=float); np.nancumprod(a + NANS, axis=1, dtype=float)
    np.average(a, 1, keepdims=True); np.percentile(a, 30, axis=0, keepdims=True)
    np.amax(a, 0, keepdims=True); np.amin(t, -1, where=SOME, initial=9.0)
    np.amax(t, -1, where=SOME, initial=-9.0); np.amin(a, 1, keepdims=True)
    np.min(t, -1, where=SOME, initial=9.0); np.mean(a, 0, dtype=float)
    np.var(np.real(a), 0, dtype=float); np.std(np.real(a), 0, dtype=float)
    np.std(a, 0, correction=1)
    np.std(t, 1, mean=np.mean(t, 1, keepdims=True)); np.prod(a, 0, dtype=float)
    np.trace(k, dtype=float); np.cumsum(a, 1, dtype=float)
    np.cumprod(a, 1, dtype=float); np.cumulative_sum(v, dtype=float)
    np.cumulative_prod(v, dtype=float)
    np.nan_to_num(a + NANS, nan=1.0, posinf=2.0, neginf=-2.0)
    np.nan_to_num(a, copy=True); np.stack([a, b], dtype=float)
    np.concatenate([a, b], dtype=float); np.hstack([a, b], dtype=float)
    np.vstack([a, b], dtype=float); np.unwrap(u * 3, discont=4.0)
    np.real_if_close(a, tol=10); np.linspace(v, w, 3, dtype=float)
    np.full_like(a, s, dtype=float, shape=(2, 2)); np.sort(a, kind="stable")
    np.sort(a, stable=True); np.partition(a, 1, kind="introselect")
    np.unique(a, sorted=True); np.vecdot(a, b, axis=0); np.copy(a, order="K")
    np.reshape(a, (4, 3), copy=True); np.astype(a, float, copy=True)
    np.divide(a, b, dtype=float); np.exp(a, dtype=float)
    np.median(a, 0, overwrite_input=False); np.broadcast_to(v, (2, 4), subok=False)
    np.concat([a, b], dtype=float)
""")

HISTOGRAMS = calls("""
    np.histogram_bin_edges(a); np.histogram_bin_edges(a, 5, (s, 2.0))
    np.histogram_bin_edges(a, "sturges"); np.histogram_bin_edges(v, o)
    np.histogram(a)[1]; np.histogram(a, 4, density=True)
    np.histogram(a, o, density=True)[0]; np.histogram(a, 3, weights=p)
    np.histogram(u, 4, (-1.0, 1.0), weights=o, density=True)
    np.histogram(a, o, weights=b)[0]; np.histogram2d(u, o, 3, density=True)
    np.histogram2d(v, w, [2, 3], weights=q)
    np.histogram2d(u, o, o, [[-1, 1], [-2, 2]], weights=u)[0]
    np.histogramdd(a, 2, density=True)[0]; np.histogramdd(a, (2, 3, 1, 2))[1]
    np.histogramdd([v, w], [2, numpy.arange(-2.0, 3)], weights=q, density=True)[0]
    np.histogramdd(a, 2, range=[(-2, 2)] * 4)[0] * s
""")

WEIGHTED = calls("""
    np.quantile(a, 0.3, weights=p, method="inverted_cdf")
    np.quantile(a, [0.1, 0.6, 1.0], 0, weights=p, method="inverted_cdf")
    np.quantile(t, [[0.2], [0.7]], (0, 2), weights=t**2, method="inverted_cdf")
    np.percentile(a, 60, 1, weights=q, method="inverted_cdf", keepdims=True)
    np.nanquantile(a + NANS, [0.2, 0.8], 0, weights=p, method="inverted_cdf")
    np.nanpercentile(a + NANS, 60, weights=p, method="inverted_cdf", keepdims=True)
    np.quantile(u, h[0, 0] ** 2); np.quantile(a, h[0] ** 2, axis=1)
    np.quantile(t, h[:2] ** 2, axis=(0, 2), keepdims=True, method="hazen")
    np.percentile(a, 100 * h[:, 0] ** 2, axis=0, method="weibull")
    np.quantile(a, h[1] ** 2, method="median_unbiased")
    np.quantile(a, h[1] ** 2, method="normal_unbiased")
    np.quantile(a, h[1] ** 2, method="interpolated_inverted_cdf")
    np.quantile(a, h[1] ** 2, 0, method="averaged_inverted_cdf")
    np.quantile(a, h[1] ** 2, 0, method="midpoint")
    np.quantile(a, h[1] ** 2, 0, method="higher")
    np.nanquantile(a + NANS, h[0, :2] ** 2, axis=1)
    np.nanpercentile(a + NANS, 99 * h[0, 0] ** 2)
""")

FOLDS = calls("""
    np.maximum.accumulate(a, 1); np.minimum.accumulate(t, axis=-1)
    np.fmax.accumulate((a + NANS)[:, ::-1], 1); np.logaddexp.accumulate(a)
    np.hypot.accumulate(a, 1); np.subtract.accumulate(a)
    np.divide.accumulate(a, axis=1); np.power.accumulate(p, 1)
    np.logaddexp.reduce(a, axis=1); np.logaddexp.reduce(t, (0, 2), keepdims=True)
    np.logaddexp.reduce(a, None, where=MASK); np.logaddexp2.reduce(a, initial=0.3)
    np.hypot.reduce(a); np.hypot.reduce(v[:1]); np.subtract.reduce(t, 1)
    np.divide.reduce(a, 0); np.fmin.reduce(a + NANS, initial=9.0)
    np.arctan2.reduce(a, where=MASK, initial=0.5); np.add.reduceat(a, [0, 2])
    np.add.reduceat(u, [0, 4, 1, 5]); np.multiply.reduceat(a, [0, 3, 1], 1)
    np.maximum.reduceat(a, [0, 2], axis=1); np.minimum.reduceat(t, [1, 0], -1)
    np.logaddexp.reduceat(u, [2, 0, 3]); np.logaddexp.outer(v, w)
    np.arctan2.outer(a, v); np.maximum.outer(v, a); np.hypot.outer(v, s)
""")

OPTIONS = calls("""
    np.reshape(a, (4, 3), order="A"); np.reshape(a.T, 12, order="A")
    np.ravel(a.T, "A"); np.ravel(np.transpose(t, (1, 2, 0)), "K"); a.T.ravel("K")
    a.flatten("A"); a.reshape(6, 2, order="A")
    np.matmul(t, k, axes=[(0, 2), (0, 1), (1, 0)])
    np.matmul(a, b, axes=[(0, 1), (1, 0), (0, 1)])
    np.matmul(v, k, axes=[(0,), (1, 0), (0,)]); np.matmul(a, v, dtype=float)
    np.vecdot(a, b, axes=[0, 0]); np.vecdot(a, b, axes=[(0,), (0,), ()])
    np.vecdot(t, a, keepdims=True); np.vecdot(a, b, axis=0, keepdims=True, dtype=float)
    np.matvec(t, v, axes=[(0, 2), (0,), (0,)]); np.vecmat(a, t, axes=[1, (2, 0), -1])
    np.vecmat(v, k, dtype=float); np.matvec(k, v, dtype=float)
    np.einsum("ij,kj->ik", a, b, dtype=float)
    np.einsum(a, [0, 1], v, [1], dtype=float)
    np.intersect1d(v, v[1:], assume_unique=True)
    np.intersect1d(u, u[::2], return_indices=True)[0]
    np.setdiff1d(v, w, assume_unique=True); np.setxor1d(v, w, assume_unique=True)
    np.setxor1d(v, v[1:]); np.unique(a[ROWS], axis=0); np.unique(a[:, ROWS], axis=1)
    np.unique(a + NANS, equal_nan=False)[:9]; np.nanprod(a + NANS, 1, where=MASK)
    np.nanprod(a + NANS, 0, initial=2.0); np.trim_zeros(np.pad(a, ((1, 2), (0, 3))))
    np.trim_zeros(np.pad(a, 2), "b", axis=1); np.trim_zeros(np.pad(a, 1), axis=(0, 1))
    np.pad(a, 2, constant_values=s)
    np.pad(a, ((1, 0), (2, 1)), constant_values=(v[0], s))
    np.pad(a, 2, constant_values=h[:2, :2])
    np.pad(v, (1, 2), constant_values=(s, 2.0))
    np.pad(a, 2, "linear_ramp", end_values=s)
    np.pad(a, 1, "linear_ramp", end_values=h[:2, :2]); np.nan_to_num(a + NANS, nan=s)
    np.nan_to_num(a + NANS, nan=v); np.nan_to_num((a + NANS) * 1j, nan=s).imag
""")

UPDATES = calls("""
    np.asfortranarray(a); np.asarray_chkfinite(a, dtype=float); np.r_[v, 1.0, s, 0:3]
    np.r_[a, b]; np.r_[v]; np.c_[v, w, 2 * v]; np.c_[a, v[:3]]; np.c_[s, 1.0]
    np.array(a, ndmin=3, copy=True); np.asarray(a, dtype=float, order="C")
    np.asanyarray(a, dtype=float); np.ascontiguousarray(a, dtype=float)
    np.array([a, b]); np.array([s, 2.0, s**2]); np.array([[s, 1], [2, s]])
    np.asarray([v, w]); np.asarray(a); np.asanyarray(a); np.require(a, float)
    np.ascontiguousarray(a); np.full((2, 4), v); np.array(a, dtype=float)
    np.at(a)[1].set(v); np.at(a)[ROWS].set(t[0]); np.at(a)[MASK].set(s)
    np.at(a)[0, 1].add(s); np.at(a)[ROWS].add(v); np.at(a)[ROWS].multiply(t[0])
    np.at(a)[:, 1].max(b[:, 2]); np.at(a)[ROWS].min(0.1); np.at(a)[1:].get()
    np.at(a)[a > 0].set(0.0); np.safe_where(p > 1, np.sqrt, lambda x: x * x, p)
    np.safe_where(p > 1, lambda x: 0.0, np.log, p)
    np.safe_where(p > 1, lambda x: x * s, lambda x: s, p)
    np.nan_to_num(numpy.array([numpy.inf, 1, -numpy.inf]), posinf=s, neginf=2 * s)
    np.exp([s, v[0]]); np.add([v, w], 1.0); np.add([[s, 1.0], [s, 2]], v[:2])
    np.vectorize(lambda x, y: x**2 if x > y else 3 * y)(a, v)
    np.vectorize(lambda x, n: (x**n, -x), excluded=[1])(v, 3)
    np.vectorize(lambda x, *, n: x * n, otypes=[float])(v, n=2.0)



""")

CALLS = [
    *ELEMENTWISE,
    *REDUCTIONS,
    *SCANS,
    *SHAPES,
    *JOINS,
    *PICKING,
    *PRODUCTS,
    *KEYWORDS,
    *HISTOGRAMS,
    *WEIGHTED,
    *FOLDS,
    *OPTIONS,
]

_COMPLEX = """negative square exp sin cos tanh absolute sqrt log reciprocal conjugate
real imag angle sum mean var std prod cumsum ravel"""
COMPLEX_CALLS = [
    *[f"np.{name}(a)" for name in _COMPLEX.split()],
    *calls("""
    a + v; a - v; a * v; a / v; a**2; p**v; abs(a); a @ v; np.where(MASK, a, v)
    a.real * b; np.vdot(a, b); np.vecdot(a, b); np.vecmat(v, k); np.inner(a, b)
    np.correlate(u, v, "full"); np.cumprod(z, 1); np.concatenate([a, b])
    np.einsum("ij,kj->ik", a, b); np.cov(a); np.diff(a); np.convolve(u, v); np.sort(u)
    a[ROWS]; np.outer(v, w); np.pad(a, 1); np.mean(a, 0).imag; np.nan_to_num(a)
    np.nan_to_num(a + NANS, nan=3.0); np.nan_to_num(NANS + 1j * a, nan=3.0)
    np.average(a, 0, b); np.trapezoid(a, v); np.interp(o.real, o.real * 2, u)



    """),
]
