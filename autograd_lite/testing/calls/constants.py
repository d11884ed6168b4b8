"""NumPy's functions that have no gradient, and those that cannot take traced arrays."""

from .common import calls

# Whose results are integers, booleans, shapes or constants.
WITHOUT_GRADIENT = calls("""
    np.all(a > 0); np.allclose(a, b); np.any(a > 0, axis=0); np.argmax(a, 1)
    np.argmin(a); np.argpartition(a, 1); np.argsort(a, axis=0); np.argwhere(a > 0)
    np.around(a); np.round(a, 1); np.array2string(a); np.array_equal(a, b)
    np.array_equiv(a, b); np.array_repr(a); np.array_str(a); np.common_type(a)
    np.count_nonzero(a > 0); np.diag_indices_from(k); np.digitize(a, o)
    np.einsum_path("ij,kj->ik", a, b); np.empty_like(a); np.zeros_like(a)
    np.ones_like(a); np.fix(a); np.flatnonzero(a > 0); np.isclose(a, b)
    np.iscomplex(a); np.iscomplexobj(a); np.isin(a, b); np.isneginf(a); np.isposinf(a)
    np.isreal(a); np.isrealobj(a); np.lexsort(a); np.nanargmax(a + NANS)
    np.nanargmin(a + NANS, 1); np.ndim(a); np.nonzero(a); np.result_type(a, 1.0)
    np.searchsorted(o, a); np.shape(a); np.size(a); np.tril_indices_from(k)
    np.triu_indices_from(k); np.equal(a, b); np.not_equal(a, b); np.less(a, b)
    np.less_equal(a, b); np.greater(a, b); np.greater_equal(a, b); np.floor(a)
    np.ceil(a); np.trunc(a); np.rint(a); np.sign(a); np.signbit(a); np.spacing(a)
    np.floor_divide(a, q); np.isfinite(a); np.isinf(a); np.isnan(a)
    np.logical_and(a, b); np.logical_or(a, b); np.logical_xor(a, b); np.logical_not(a)
    np.isscalar(a); np.iterable(a); np.info(a, output=TEXT)
    np.bitwise_and(ROWS, 1); np.bitwise_or(ROWS, 1); np.bitwise_xor(ROWS, 1)
    np.bitwise_count(ROWS); np.bitwise_invert(ROWS); np.bitwise_not(ROWS)
    np.invert(ROWS); np.bitwise_left_shift(ROWS, 1); np.bitwise_right_shift(ROWS, 1)
    np.left_shift(ROWS, 1); np.right_shift(ROWS, 1); np.gcd(ROWS, 2); np.lcm(ROWS, 2)
    np.isnat(numpy.array("NaT", "M8[D]"))
""")

# In place, on bits, dates, files and Python objects.
IMPOSSIBLE = calls("""
    np.copyto(numpy.zeros(4), v); np.fill_diagonal(k, 1.0); np.place(a, MASK, 0.0)
    np.put(a, [0], 1.0); np.put_along_axis(a, ORDER, 1.0, 1); np.putmask(a, MASK, 0.0)
    np.asmatrix(a); np.base_repr(s)
    np.binary_repr(s); np.datetime_as_string(a); np.format_float_positional(s)
    np.format_float_scientific(s); np.packbits(a); np.unpackbits(a); np.is_busday(a)
    np.unravel_index(a, (3, 4)); np.bmat([[a]]); np.ix_(v, w); np.may_share_memory(a, b)
    np.shares_memory(a, b); np.ravel_multi_index((v, w), (3, 4)); np.save(TEXT, a)
    np.savetxt(TEXT, a); np.savez(TEXT, a); np.savez_compressed(TEXT, a)
    np.nditer(a); np.matrix(a); np.broadcast(a, v)
    np.ndenumerate(a); np.busday_count(a, b)
    np.frompyfunc(float, 1, 1)(numpy.array([s]))
""")

# Functions that take no arrays of floats: creation, dtypes, indices, files, settings.
NO_ARRAYS = [
    "arange",
    "bartlett",
    "blackman",
    "broadcast_shapes",
    "can_cast",
    "datetime_data",
    "diag_indices",
    "empty",
    "eye",
    "hamming",
    "hanning",
    "identity",
    "indices",
    "isdtype",
    "issubdtype",
    "kaiser",
    "mask_indices",
    "min_scalar_type",
    "mintypecode",
    "ones",
    "promote_types",
    "tri",
    "tril_indices",
    "triu_indices",
    "typename",
    "zeros",
    "from_dlpack",
    "frombuffer",
    "fromfile",
    "fromfunction",
    "fromiter",
    "fromregex",
    "fromstring",
    "genfromtxt",
    "load",
    "loadtxt",
    "get_include",
    "get_printoptions",
    "getbufsize",
    "geterr",
    "geterrcall",
    "printoptions",
    "set_printoptions",
    "setbufsize",
    "seterr",
    "seterrcall",
    "show_config",
    "show_runtime",
    "busday_offset",
    "isfortran",
    "nested_iters",
]
