"""NumPy's names, differentiable: `import autograd_lite.numpy as np`.

Every name is listed here. Those from `numpy` itself have no gradient: dtypes,
constants, creation, input and output. The others are NumPy's own functions when no
tracer is among the arguments.
"""

# isort: skip_file
# fmt: off
from numpy import (
    False_, ScalarType, True_, arange, array2string, array_repr, array_str,
    asarray_chkfinite, asfortranarray, asmatrix, bartlett, base_repr, binary_repr,
    blackman, bool, bool_, broadcast, broadcast_shapes, busday_count, busday_offset,
    busdaycalendar, byte, bytes_, c_, can_cast, cdouble, character, clongdouble,
    complex128, complex64, complexfloating, csingle, datetime64, datetime_as_string,
    datetime_data, diag_indices, double, dtype, e, empty, errstate, euler_gamma,
    exceptions, eye, finfo, flatiter, flexible, float16, float32, float64, floating,
    format_float_positional, format_float_scientific, from_dlpack, frombuffer, fromfile,
    fromfunction, fromiter, frompyfunc, fromregex, fromstring, full, generic,
    genfromtxt, geomspace, get_include, get_printoptions, getbufsize, geterr,
    geterrcall, half, hamming, hanning, identity, iinfo, index_exp, indices, inexact,
    inf, info, int16, int32, int64, int8, int_, intc, integer, intp, is_busday, isdtype,
    isfortran, isscalar, issubdtype, iterable, ix_, kaiser, linspace, little_endian,
    load, loadtxt, logspace, long, longdouble, longlong, mask_indices, matrix,
    may_share_memory, memmap, mgrid, min_scalar_type, mintypecode, nan, ndarray,
    ndenumerate, ndindex, nditer, nested_iters, newaxis, number, object_, ogrid, ones,
    packbits, pi, poly1d, printoptions, promote_types, r_, ravel_multi_index, recarray,
    record, s_, save, savetxt, savez, savez_compressed, sctypeDict, set_printoptions,
    setbufsize, seterr, seterrcall, shares_memory, short, show_config, show_runtime,
    signedinteger, single, str_, timedelta64, tri, tril_indices, triu_indices,
    typecodes, typename, ubyte, ufunc, uint, uint16, uint32, uint64, uint8, uintc,
    uintp, ulong, ulonglong, unpackbits, unravel_index, unsignedinteger, ushort,
    vectorize, void, zeros,
)
from .elementwise import (
    angle, around, clip, divmod, fix, frexp, imag, isneginf, isposinf, modf, nan_to_num,
    real, real_if_close, round, safe_where, sinc, where,
)
from .joins import (
    append, array, array_split, asanyarray, asarray, ascontiguousarray, astype, block,
    column_stack, concatenate, concatenate as concat, copy, dsplit, dstack, hsplit,
    hstack, split, stack, unstack, vsplit, vstack,
)
from .padding import (
    pad,
)
from .products import (
    cross, dot, einsum, inner, kron, matmul, matvec, outer, tensordot, vdot, vecdot,
    vecmat,
)
from .reductions import (
    all, amax, amin, any, argmax, argmin, average, count_nonzero, max, mean, min, ptp,
    std, sum, var,
)
from .shapes import (
    atleast_1d, atleast_2d, atleast_3d, broadcast_arrays, broadcast_to, diag, diagflat,
    diagonal, expand_dims, flip, fliplr, flipud, matrix_transpose, meshgrid, moveaxis,
    ndim, permute_dims, ravel, repeat, reshape, roll, rollaxis, rot90, shape, size,
    squeeze, swapaxes, tile, trace, transpose, tril, triu,
)
from .sorting import (
    argpartition, argsort, argwhere, digitize, flatnonzero, lexsort, nonzero,
    searchsorted, sort, take, take_along_axis,
)
from . import methods as methods  # attaches operators and methods to tracers
from ..ops.elementwise import (
    absolute, absolute as abs, add, arccos, arccos as acos, arccosh, arccosh as acosh,
    arcsin, arcsin as asin, arcsinh, arcsinh as asinh, arctan, arctan as atan, arctan2,
    arctan2 as atan2, arctanh, arctanh as atanh, bitwise_and, bitwise_count, bitwise_or,
    bitwise_xor, cbrt, ceil, conjugate, conjugate as conj, copysign, cos, cosh, deg2rad,
    degrees, divide, divide as true_divide, equal, exp, exp2, expm1, fabs, float_power,
    floor, floor_divide, fmax, fmin, fmod, gcd, greater, greater_equal, heaviside,
    hypot, invert, invert as bitwise_invert, invert as bitwise_not, isfinite, isinf,
    isnan, lcm, ldexp, left_shift, left_shift as bitwise_left_shift, less, less_equal,
    log, log10, log1p, log2, logaddexp, logaddexp2, logical_and, logical_not,
    logical_or, logical_xor, maximum, minimum, multiply, negative, nextafter, not_equal,
    positive, power, power as pow, rad2deg, radians, reciprocal, remainder, remainder as
    mod, right_shift, right_shift as bitwise_right_shift, rint, sign, signbit, sin,
    sinh, spacing, sqrt, square, subtract, tan, tanh, trunc,
)
__all__ = [
    "False_", "ScalarType", "True_", "abs", "absolute", "acos", "acosh", "add", "all",
    "amax", "amin", "angle", "any", "append", "arange", "arccos", "arccosh", "arcsin",
    "arcsinh", "arctan", "arctan2", "arctanh", "argmax", "argmin", "argpartition",
    "argsort", "argwhere", "around", "array", "array2string", "array_repr",
    "array_split", "array_str", "asanyarray", "asarray", "asarray_chkfinite",
    "ascontiguousarray", "asfortranarray", "asin", "asinh", "asmatrix", "astype",
    "atan", "atan2", "atanh", "atleast_1d", "atleast_2d", "atleast_3d", "average",
    "bartlett", "base_repr", "binary_repr", "bitwise_and", "bitwise_count",
    "bitwise_invert", "bitwise_left_shift", "bitwise_not", "bitwise_or",
    "bitwise_right_shift", "bitwise_xor", "blackman", "block", "bool", "bool_",
    "broadcast", "broadcast_arrays", "broadcast_shapes", "broadcast_to", "busday_count",
    "busday_offset", "busdaycalendar", "byte", "bytes_", "c_", "can_cast", "cbrt",
    "cdouble", "ceil", "character", "clip", "clongdouble", "column_stack", "complex128",
    "complex64", "complexfloating", "concat", "concatenate", "conj", "conjugate",
    "copy", "copysign", "cos", "cosh", "count_nonzero", "cross", "csingle",
    "datetime64", "datetime_as_string", "datetime_data", "deg2rad", "degrees", "diag",
    "diag_indices", "diagflat", "diagonal", "digitize", "divide", "divmod", "dot",
    "double", "dsplit", "dstack", "dtype", "e", "einsum", "empty", "equal", "errstate",
    "euler_gamma", "exceptions", "exp", "exp2", "expand_dims", "expm1", "eye", "fabs",
    "finfo", "fix", "flatiter", "flatnonzero", "flexible", "flip", "fliplr", "flipud",
    "float16", "float32", "float64", "float_power", "floating", "floor", "floor_divide",
    "fmax", "fmin", "fmod", "format_float_positional", "format_float_scientific",
    "frexp", "from_dlpack", "frombuffer", "fromfile", "fromfunction", "fromiter",
    "frompyfunc", "fromregex", "fromstring", "full", "gcd", "generic", "genfromtxt",
    "geomspace", "get_include", "get_printoptions", "getbufsize", "geterr",
    "geterrcall", "greater", "greater_equal", "half", "hamming", "hanning", "heaviside",
    "hsplit", "hstack", "hypot", "identity", "iinfo", "imag", "index_exp", "indices",
    "inexact", "inf", "info", "inner", "int16", "int32", "int64", "int8", "int_",
    "intc", "integer", "intp", "invert", "is_busday", "isdtype", "isfinite",
    "isfortran", "isinf", "isnan", "isneginf", "isposinf", "isscalar", "issubdtype",
    "iterable", "ix_", "kaiser", "kron", "lcm", "ldexp", "left_shift", "less",
    "less_equal", "lexsort", "linspace", "little_endian", "load", "loadtxt", "log",
    "log10", "log1p", "log2", "logaddexp", "logaddexp2", "logical_and", "logical_not",
    "logical_or", "logical_xor", "logspace", "long", "longdouble", "longlong",
    "mask_indices", "matmul", "matrix", "matrix_transpose", "matvec", "max", "maximum",
    "may_share_memory", "mean", "memmap", "meshgrid", "mgrid", "min", "min_scalar_type",
    "minimum", "mintypecode", "mod", "modf", "moveaxis", "multiply", "nan",
    "nan_to_num", "ndarray", "ndenumerate", "ndim", "ndindex", "nditer", "negative",
    "nested_iters", "newaxis", "nextafter", "nonzero", "not_equal", "number", "object_",
    "ogrid", "ones", "outer", "packbits", "pad", "permute_dims", "pi", "poly1d",
    "positive", "pow", "power", "printoptions", "promote_types", "ptp", "r_", "rad2deg",
    "radians", "ravel", "ravel_multi_index", "real", "real_if_close", "recarray",
    "reciprocal", "record", "remainder", "repeat", "reshape", "right_shift", "rint",
    "roll", "rollaxis", "rot90", "round", "s_", "safe_where", "save", "savetxt",
    "savez", "savez_compressed", "sctypeDict", "searchsorted", "set_printoptions",
    "setbufsize", "seterr", "seterrcall", "shape", "shares_memory", "short",
    "show_config", "show_runtime", "sign", "signbit", "signedinteger", "sin", "sinc",
    "single", "sinh", "size", "sort", "spacing", "split", "sqrt", "square", "squeeze",
    "stack", "std", "str_", "subtract", "sum", "swapaxes", "take", "take_along_axis",
    "tan", "tanh", "tensordot", "tile", "timedelta64", "trace", "transpose", "tri",
    "tril", "tril_indices", "triu", "triu_indices", "true_divide", "trunc", "typecodes",
    "typename", "ubyte", "ufunc", "uint", "uint16", "uint32", "uint64", "uint8",
    "uintc", "uintp", "ulong", "ulonglong", "unpackbits", "unravel_index",
    "unsignedinteger", "unstack", "ushort", "var", "vdot", "vecdot", "vecmat",
    "vectorize", "void", "vsplit", "vstack", "where", "zeros",
]
