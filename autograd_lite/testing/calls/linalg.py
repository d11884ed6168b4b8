"""Calls of the functions of numpy.linalg."""

from .common import calls

LINALG = calls("""
    np.linalg.inv(k); np.linalg.pinv(a); np.linalg.pinv(a, rcond=1e-9)
    np.linalg.pinv(k + k.T, hermitian=True, rtol=1e-9); np.linalg.solve(k, v)
    np.linalg.solve(k, a.T); np.linalg.tensorsolve(k.reshape(2, 2, 4), k[:2, :2])
    np.linalg.tensorsolve(k.reshape(2, 4, 2), v, axes=(0,))
    np.linalg.tensorinv(k.reshape(2, 2, 4)); np.linalg.tensorinv(k.reshape(4, 2, 2), 1)
    np.linalg.lstsq(a, b[:, 0]); np.linalg.lstsq(a.T, b.T, rcond=1e-9)[0]
    np.linalg.det(k); np.linalg.slogdet(k); np.linalg.slogdet(k).logabsdet
    np.linalg.cholesky(k @ k.T + 9 * numpy.eye(4))
    np.linalg.cholesky(k @ k.T + 9 * numpy.eye(4), upper=True); np.linalg.qr(k)
    np.linalg.qr(a.T, mode="reduced"); np.linalg.qr(a.T, "r")
    np.linalg.qr(a, "complete"); np.linalg.qr(a.T, "complete")
    np.linalg.qr(a.T, mode="raw"); np.linalg.qr(t, mode="raw")
    np.linalg.svd(k); np.linalg.svd(a, full_matrices=False)
    np.linalg.svd(a, full_matrices=True); np.linalg.svd(a.T)
    np.linalg.svd(a, compute_uv=False); np.linalg.svd(k + k.T, hermitian=True)
    np.abs(np.linalg.svd(k)[0]); np.linalg.svd(a, full_matrices=False)[1]
    np.abs(np.linalg.eigh(k, UPLO="U")[1]); np.linalg.eigh(k)[0]; np.linalg.svdvals(t)
    np.linalg.eigh(k + k.T); np.linalg.eigh(k, UPLO="U")
    np.linalg.eigvalsh(k); np.linalg.eigvalsh(k, UPLO="U"); np.linalg.eig(k)
    np.linalg.eigvals(k); np.linalg.norm(v); np.linalg.norm(a, "nuc")
    np.linalg.norm(a, ord=2, axis=(1, 0), keepdims=True); np.linalg.norm(a, 1)
    np.linalg.norm(v, numpy.inf); np.linalg.vector_norm(a, ord=3, axis=1)
    np.linalg.vector_norm(t, axis=(0, 2), keepdims=True); np.linalg.matrix_norm(t)
    np.linalg.matrix_norm(t, ord=-2, keepdims=True); np.linalg.cond(k)
    np.linalg.cond(k, p=1); np.linalg.matrix_power(k, n=3)
    np.linalg.matrix_power(k, -2)
    np.linalg.multi_dot([a, k, v]); np.linalg.matmul(t, k); np.linalg.outer(v, w)
    np.linalg.cross(a[:, 1:], b[:, :3]); np.linalg.cross(a, b, axis=0)
    np.linalg.vecdot(a, b); np.linalg.vecdot(a, b, axis=0)
    np.linalg.tensordot(a, k, axes=1)
    np.linalg.tensordot(a, k, axes=([1], [0])); np.linalg.matrix_transpose(t)
    np.linalg.diagonal(t); np.linalg.diagonal(t, offset=1); np.linalg.trace(t)
    np.linalg.trace(t, offset=-1, dtype=float)
""")

WITHOUT_GRADIENT = calls("np.linalg.matrix_rank(a)")
