"""Every keyword of every function: right on a traced array, or an error of ours.

The sample calls are varied: each keyword in turn gets other values, and each parameter
a traced array. What NumPy accepts must come out equal, or be refused by an
`AutogradError`; nothing may lose a derivative in silence.
"""

import ast
import inspect
from collections import defaultdict

import numpy
import pytest

import autograd_lite.numpy as anp
from autograd_lite import tree, vjp
from autograd_lite.errors import AutogradError
from autograd_lite.testing import check_grads
from autograd_lite.testing.calls.common import MASK, Call, arrays, functions_called
from autograd_lite.testing.calls.constants import WITHOUT_GRADIENT
from autograd_lite.testing.calls.numpy import CALLS, UPDATES

pytestmark = pytest.mark.filterwarnings("ignore")

FLAGS = """assume_unique bias cov deg density endpoint equal_nan full increasing
    include_initial invert keepdims overwrite_input retstep return_counts return_index
    sorted return_inverse returned rowvar sparse stable subok"""
NUMBERS = """a_max a_min append atol axis1 axis2 axisa axisb axisc bins correction ddof
    decimals default discont edge_order initial k left max min minlength n nan ndmin num
    neginf offset period posinf prepend repeats reps right rtol start step tol"""
VALUES = {
    **{name: [False, True] for name in FLAGS.split()},
    **{name: [1, 2] for name in NUMBERS.split()},
    "axes": [0, (1, 0)],
    "axis": [0, -1, 1, (0, 1), None],
    "casting": ["unsafe", "same_kind", "no"],
    "copy": [True, False, None],
    "device": ["cpu", None],
    "dtype": [numpy.float32, "f4", float, int, complex],
    "indexing": ["ij", "xy"],
    "kind": ["stable", "quicksort", None],
    "like": [numpy.zeros(1)],
    "method": ["linear", "hazen", "lower"],
    "mode": ["full", "same", "valid", "wrap", "clip", "raise", "edge", "reflect"],
    "optimize": [True, False, "greedy"],
    "order": ["C", "F", "A", "K"],
    "out": [None, numpy.zeros((3, 4))],
    "range": [(-1, 1)],
    "reflect_type": ["odd"],
    "shape": [(2, 6), (3, 4)],
    "side": ["right"],
    "signature": [None],
    "trim": ["f", "b", "fb"],
    "weights": [None],
    "where": [MASK, True],
}
# Elements that nobody set; the time that a mask leaves.
UNDEFINED = {"empty_like", "isnat"}
TEXTS = {"array2string", "array_repr", "array_str", "info"}
# NumPy crashes when `out` has a wrong shape.
CRASHES = {("cumsum", "out"), ("cumprod", "out"), ("nancumsum", "out")}
# Other types than arrays are expected, or NumPy treats its scalars in a special way.
NOT_ARRAYS = {
    *[("vectorize", "otypes"), ("vectorize", "excluded"), ("isscalar", "element")],
    *[("trim_zeros", "trim"), ("polyint", "m")],
}
# NumPy itself writes into this argument, an array of no axes.
WRITTEN = {("rot90", "k")}


def samples_by_function():
    """The sample calls of each function that has a signature."""
    found = defaultdict(list)
    for text in [*CALLS, *UPDATES, *WITHOUT_GRADIENT]:
        for dotted in functions_called(text):
            name = dotted.removeprefix("np.")
            if callable(getattr(numpy, name, None)) and parameters(name):
                found[name].append(text)
    return dict(sorted(found.items()))


def parameters(name):
    """The parameters of a function of NumPy that may be given by name."""
    try:
        known = inspect.signature(getattr(numpy, name)).parameters.values()
    except (TypeError, ValueError):
        return []
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p for p in known if p.kind not in variadic]


def varied(text, name, parameter, value):
    """The call with the argument for a parameter replaced by an expression."""
    whole = ast.parse(text, mode="eval")
    calls = [n for n in ast.walk(whole) if isinstance(n, ast.Call)]
    matching = [n for n in calls if ast.unparse(n.func) == f"np.{name}"]
    if not matching:
        return None
    call, new = matching[0], ast.parse(value, mode="eval").body
    number = [p.name for p in parameters(name)].index(parameter.name)
    if number < len(call.args):
        call.args[number] = new
    elif parameter.kind is parameter.POSITIONAL_ONLY:
        return None
    else:
        others = [k for k in call.keywords if k.arg != parameter.name]
        call.keywords = [*others, ast.keyword(parameter.name, new)]
    return ast.unparse(ast.fix_missing_locations(whole))


def numpys(text, value):
    """What NumPy returns; None where it refuses."""
    call = Call(text, {"np": numpy, "VALUE": value}, arrays())
    try:
        return call(*call.args)
    except (ValueError, TypeError, LookupError, ArithmeticError, RuntimeError):
        return None


def compare(text, expected, value=None):
    """Traced, by either import: the same, or an error of ours; the call if it works."""
    works = None
    for np in (anp, numpy):
        call = Call(text, {"np": np, "VALUE": value}, arrays())
        try:
            found = tree.leaves(vjp(call, *call.args)[0])
        except AutogradError:
            continue
        works = works or call
        for x, y in zip(found, tree.leaves(expected), strict=True):
            x, y = numpy.asarray(x), numpy.asarray(y)
            assert x.dtype == y.dtype, text
            if y.dtype.kind in "fciub":
                single = any(t in repr((value, y.dtype)) for t in ("32", "x64", "f4"))
                rtol = 1e-6 if single else 1e-11
                numpy.testing.assert_allclose(x, y, rtol, rtol, err_msg=text)
    return works


SAMPLES = samples_by_function()


@pytest.mark.parametrize("name", sorted(SAMPLES.keys() - UNDEFINED))
def test_keywords(name):
    for parameter in parameters(name):
        if (name, parameter.name) in CRASHES:
            continue
        for value in VALUES.get(parameter.name, []):
            for text in SAMPLES[name]:
                new = varied(text, name, parameter, "VALUE")
                expected = None if new is None else numpys(new, value)
                if expected is not None:
                    compare(new, expected, value)


def floats(call):
    """The function of the float results alone; of an argument if there are none."""

    def function(*xs):
        found = tree.leaves(call(*xs))
        kept = [y for y in found if getattr(y, "dtype", numpy.dtype(int)).kind in "fc"]
        return kept or [1.0 * xs[0]]

    return function


@pytest.mark.parametrize("name", sorted(SAMPLES.keys() - UNDEFINED - TEXTS))
def test_traced_in_place_of_any_argument(name):
    for parameter in parameters(name):
        if (name, parameter.name) in NOT_ARRAYS or parameter.name in ("out", "dtype"):
            continue
        for value in ("s", "p", "v[:2]"):
            texts = [varied(text, name, parameter, value) for text in SAMPLES[name]]
            for text in filter(None, texts):
                expected = numpys(text, None)
                if expected is None or not is_finite(expected):
                    continue
                call = compare(text, expected)
                if call is not None and (name, parameter.name) not in WRITTEN:
                    check_grads(floats(call), call.args, order=1)
                break


def is_finite(y):
    """Whether all floats of a result are."""
    leaves = [numpy.asarray(x) for x in tree.leaves(y)]
    return all(numpy.isfinite(x).all() for x in leaves if x.dtype.kind in "fc")
