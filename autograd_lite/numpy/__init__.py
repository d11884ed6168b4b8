"""NumPy's names, differentiable: `import autograd_lite.numpy as np`.

Every name is listed here. Those from `numpy` itself have no gradient: dtypes,
constants, creation, input and output. The others are NumPy's own functions when no
tracer is among the arguments.
"""

# isort: skip_file
# fmt: off
from numpy import (
    False_, ScalarType, True_, arange, asmatrix,
    bartlett, base_repr, binary_repr, blackman, bmat, bool, bool_, broadcast,
    broadcast_shapes, busday_count, busday_offset, busdaycalendar, byte, bytes_,
    can_cast, cdouble, character, clongdouble, complex128, complex64, complexfloating,
    csingle, datetime64, datetime_as_string, datetime_data, diag_indices, double, dtype,
    e, empty, errstate, euler_gamma, exceptions, eye, finfo, flatiter, flexible,
    float16, float32, float64, floating, format_float_positional,
    format_float_scientific, from_dlpack, frombuffer, fromfile, fromfunction, fromiter,
    frompyfunc, fromregex, fromstring, generic, genfromtxt, get_include,
    get_printoptions, getbufsize, geterr, geterrcall, half, hamming, hanning, identity,
    iinfo, index_exp, indices, inexact, inf, info, int16, int32, int64, int8, int_,
    intc, integer, intp, is_busday, isdtype, isfortran, isscalar, issubdtype, iterable,
    ix_, kaiser, little_endian, load, loadtxt, long, longdouble, longlong, mask_indices,
    matrix, may_share_memory, memmap, mgrid, min_scalar_type, mintypecode, nan, ndarray,
    ndenumerate, ndindex, nested_iters, newaxis, number, object_, ogrid, ones,
    packbits, pi, poly1d, printoptions, promote_types, ravel_multi_index, recarray,
    record, s_, save, savetxt, savez, savez_compressed, sctypeDict, set_printoptions,
    setbufsize, seterr, seterrcall, shares_memory, short, show_config, show_runtime,
    signedinteger, single, str_, timedelta64, tri, tril_indices, triu_indices,
    typecodes, typename, ubyte, ufunc, uint, uint16, uint32, uint64, uint8, uintc,
    uintp, ulong, ulonglong, unpackbits, unravel_index, unsignedinteger, ushort,
    void, zeros,
)
from . import fft as fft, linalg as linalg, random as random
from .at import (
    at,
)
from .creation import (
    allclose, apply_along_axis, apply_over_axes, array2string, array_equal, array_equiv,
    array_repr, array_str, common_type, copyto, diag_indices_from, einsum_path,
    empty_like, fill_diagonal, full, full_like, geomspace, isclose, iscomplex,
    iscomplexobj, isreal, isrealobj, linspace, logspace, nditer, ones_like, place, put,
    put_along_axis, putmask, require, result_type, tril_indices_from, triu_indices_from,
    vander, zeros_like,
)
from .elementwise import (
    angle, around, clip, divmod, fix, frexp, i0, imag, isneginf, isposinf, modf,
    nan_to_num, real, real_if_close, round, safe_where, sinc, where,
)
from .joins import (
    append, array, array_split, asanyarray, asarray, asarray_chkfinite,
    ascontiguousarray, asfortranarray, astype, block, c_, column_stack, concatenate,
    concatenate as concat, copy, dsplit, dstack, hsplit, hstack, r_, row_stack, split,
    stack, unstack, vsplit, vstack,
)
from .padding import (
    pad,
)
from .picking import (
    choose, compress, delete, extract, insert, intersect1d, isin, piecewise, resize,
    select, setdiff1d, setxor1d, trim_zeros, union1d, unique, unique_all, unique_counts,
    unique_inverse, unique_values,
)
from .polynomials import (
    poly, polyadd, polyder, polydiv, polyfit, polyint, polymul, polysub, polyval, roots,
)
from .products import (
    cross, dot, einsum, inner, kron, matmul, matvec, outer, tensordot, vdot, vecdot,
    vecmat,
)
from .reductions import (
    all, amax, amin, any, argmax, argmin, average, count_nonzero, max, mean, min, ptp,
    std, sum, var,
)
from .scans import (
    convolve, correlate, cumprod, cumsum, cumulative_prod, cumulative_sum, diff,
    ediff1d, gradient, interp, nancumprod, nancumsum, nanprod, prod, trapezoid, unwrap,
)
from .shapes import (
    atleast_1d, atleast_2d, atleast_3d, broadcast_arrays, broadcast_to, diag, diagflat,
    diagonal, expand_dims, flip, fliplr, flipud, matrix_transpose, meshgrid, moveaxis,
    ndim, permute_dims, ravel, repeat, reshape, roll, rollaxis, rot90, shape, size,
    squeeze, swapaxes, tile, trace, transpose, tril, triu,
)
from .sorting import (
    argpartition, argsort, argwhere, digitize, flatnonzero, lexsort, nonzero, partition,
    searchsorted, sort, sort_complex, take, take_along_axis,
)
from .histograms import (
    histogram, histogram2d, histogram_bin_edges, histogramdd,
)
from .quantiles import (
    median, nanmedian, nanpercentile, nanquantile, percentile, quantile,
)
from .statistics import (
    bincount, corrcoef, cov, nanargmax, nanargmin, nanmax, nanmean, nanmin, nanstd,
    nansum, nanvar,
)
from .vectorising import (
    vectorize,
)
from . import folds as folds  # the reduce and accumulate of ufuncs
from . import methods as methods  # attaches operators and methods to tracers
from ..ops.elementwise import (
    absolute, absolute as abs, add, arccos, arccos as acos, arccosh, arccosh as acosh,
    arcsin, arcsin as asin, arcsinh, arcsinh as asinh, arctan, arctan as atan, arctan2,
    arctan2 as atan2, arctanh, arctanh as atanh, bitwise_and, bitwise_count, bitwise_or,
    bitwise_xor, cbrt, ceil, conjugate, conjugate as conj, copysign, cos, cosh, deg2rad,
    degrees, divide, divide as true_divide, equal, exp, exp2, expm1, fabs, float_power,
    floor, floor_divide, fmax, fmin, fmod, gcd, greater, greater_equal, heaviside,
    hypot, invert, invert as bitwise_invert, invert as bitwise_not, isfinite, isinf,
    isnan, isnat, lcm, ldexp, left_shift, left_shift as bitwise_left_shift, less,
    less_equal, log, log10, log1p, log2, logaddexp, logaddexp2, logical_and,
    logical_not, logical_or, logical_xor, maximum, minimum, multiply, negative,
    nextafter, not_equal, positive, power, power as pow, rad2deg, radians, reciprocal,
    remainder, remainder as mod, right_shift, right_shift as bitwise_right_shift, rint,
    sign, signbit, sin, sinh, spacing, sqrt, square, subtract, tan, tanh, trunc,
)
__all__ = [
    "False_", "ScalarType", "True_", "abs", "absolute", "acos", "acosh", "add", "all",
    "allclose", "amax", "amin", "angle", "any", "append", "apply_along_axis",
    "apply_over_axes", "arange", "arccos", "arccosh", "arcsin", "arcsinh", "arctan",
    "arctan2", "arctanh", "argmax", "argmin", "argpartition", "argsort", "argwhere",
    "around", "array", "array2string", "array_equal", "array_equiv", "array_repr",
    "array_split", "array_str", "asanyarray", "asarray", "asarray_chkfinite",
    "ascontiguousarray", "asfortranarray", "asin", "asinh", "asmatrix", "astype", "at",
    "atan", "atan2", "atanh", "atleast_1d", "atleast_2d", "atleast_3d", "average",
    "bartlett", "base_repr", "binary_repr", "bincount", "bitwise_and", "bitwise_count",
    "bitwise_invert", "bitwise_left_shift", "bitwise_not", "bitwise_or",
    "bitwise_right_shift", "bitwise_xor", "blackman", "block", "bmat", "bool", "bool_",
    "broadcast", "broadcast_arrays", "broadcast_shapes", "broadcast_to", "busday_count",
    "busday_offset", "busdaycalendar", "byte", "bytes_", "c_", "can_cast", "cbrt",
    "cdouble", "ceil", "character", "choose", "clip", "clongdouble", "column_stack",
    "common_type", "complex128", "complex64", "complexfloating", "compress", "concat",
    "concatenate", "conj", "conjugate", "convolve", "copy", "copysign", "copyto",
    "corrcoef", "correlate", "cos", "cosh", "count_nonzero", "cov", "cross", "csingle",
    "cumprod", "cumsum", "cumulative_prod", "cumulative_sum", "datetime64",
    "datetime_as_string", "datetime_data", "deg2rad", "degrees", "delete", "diag",
    "diag_indices", "diag_indices_from", "diagflat", "diagonal", "diff", "digitize",
    "divide", "divmod", "dot", "double", "dsplit", "dstack", "dtype", "e", "ediff1d",
    "einsum", "einsum_path", "empty", "empty_like", "equal", "errstate", "euler_gamma",
    "exceptions", "exp", "exp2", "expand_dims", "expm1", "extract", "eye", "fabs",
    "fft", "fill_diagonal", "finfo", "fix", "flatiter", "flatnonzero", "flexible",
    "flip", "fliplr", "flipud", "float16", "float32", "float64", "float_power",
    "floating", "floor", "floor_divide", "fmax", "fmin", "fmod",
    "format_float_positional", "format_float_scientific", "frexp", "from_dlpack",
    "frombuffer", "fromfile", "fromfunction", "fromiter", "frompyfunc", "fromregex",
    "fromstring", "full", "full_like", "gcd", "generic", "genfromtxt", "geomspace",
    "get_include", "get_printoptions", "getbufsize", "geterr", "geterrcall", "gradient",
    "greater", "greater_equal", "half", "hamming", "hanning", "heaviside", "histogram",
    "histogram2d", "histogram_bin_edges", "histogramdd", "hsplit", "hstack", "hypot",
    "i0", "identity", "iinfo", "imag", "index_exp", "indices", "inexact", "inf", "info",
    "inner", "insert", "int16", "int32", "int64", "int8", "int_", "intc", "integer",
    "interp", "intersect1d", "intp", "invert", "is_busday", "isclose", "iscomplex",
    "iscomplexobj", "isdtype", "isfinite", "isfortran", "isin", "isinf", "isnan",
    "isnat", "isneginf", "isposinf", "isreal", "isrealobj", "isscalar", "issubdtype",
    "iterable", "ix_", "kaiser", "kron", "lcm", "ldexp", "left_shift", "less",
    "less_equal", "lexsort", "linalg", "linspace", "little_endian", "load", "loadtxt",
    "log", "log10", "log1p", "log2", "logaddexp", "logaddexp2", "logical_and",
    "logical_not", "logical_or", "logical_xor", "logspace", "long", "longdouble",
    "longlong", "mask_indices", "matmul", "matrix", "matrix_transpose", "matvec", "max",
    "maximum", "may_share_memory", "mean", "median", "memmap", "meshgrid", "mgrid",
    "min", "min_scalar_type", "minimum", "mintypecode", "mod", "modf", "moveaxis",
    "multiply", "nan", "nan_to_num", "nanargmax", "nanargmin", "nancumprod",
    "nancumsum", "nanmax", "nanmean", "nanmedian", "nanmin", "nanpercentile", "nanprod",
    "nanquantile", "nanstd", "nansum", "nanvar", "ndarray", "ndenumerate", "ndim",
    "ndindex", "nditer", "negative", "nested_iters", "newaxis", "nextafter", "nonzero",
    "not_equal", "number", "object_", "ogrid", "ones", "ones_like", "outer", "packbits",
    "pad", "partition", "percentile", "permute_dims", "pi", "piecewise", "place",
    "poly", "poly1d", "polyadd", "polyder", "polydiv", "polyfit", "polyint", "polymul",
    "polysub", "polyval", "positive", "pow", "power", "printoptions", "prod",
    "promote_types", "ptp", "put", "put_along_axis", "putmask", "quantile", "r_",
    "rad2deg", "radians", "random", "ravel", "ravel_multi_index", "real",
    "real_if_close", "recarray", "reciprocal", "record", "remainder", "repeat",
    "require", "reshape", "resize", "result_type", "right_shift", "rint", "roll",
    "rollaxis", "roots", "rot90", "round", "row_stack", "s_", "safe_where", "save",
    "savetxt", "savez", "savez_compressed", "sctypeDict", "searchsorted", "select",
    "set_printoptions", "setbufsize", "setdiff1d", "seterr", "seterrcall", "setxor1d",
    "shape", "shares_memory", "short", "show_config", "show_runtime", "sign", "signbit",
    "signedinteger", "sin", "sinc", "single", "sinh", "size", "sort", "sort_complex",
    "spacing", "split", "sqrt", "square", "squeeze", "stack", "std", "str_", "subtract",
    "sum", "swapaxes", "take", "take_along_axis", "tan", "tanh", "tensordot", "tile",
    "timedelta64", "trace", "transpose", "trapezoid", "tri", "tril", "tril_indices",
    "tril_indices_from", "trim_zeros", "triu", "triu_indices", "triu_indices_from",
    "true_divide", "trunc", "typecodes", "typename", "ubyte", "ufunc", "uint", "uint16",
    "uint32", "uint64", "uint8", "uintc", "uintp", "ulong", "ulonglong", "union1d",
    "unique", "unique_all", "unique_counts", "unique_inverse", "unique_values",
    "unpackbits", "unravel_index", "unsignedinteger", "unstack", "unwrap", "ushort",
    "vander", "var", "vdot", "vecdot", "vecmat", "vectorize", "void", "vsplit",
    "vstack", "where", "zeros", "zeros_like",
]
