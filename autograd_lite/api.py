"""What users call: derivatives of functions of trees of arrays.

Trees are flattened here, at the border; the interpreters below see lists of arrays.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from . import tree
from .blame import annotate
from .core import concrete
from .errors import ArgumentError, DifferentiationTypeError
from .forward import jvp_flat, primal_of
from .ops.basic import cast
from .outputs import NUMBERS, check_scalar, name_of, output_leaves, split_aux
from .reverse import FAILURES, Tape, as_array, new_tape, separate, slot_of, strip

Fun = Callable[..., Any]


def grad(
    fun: Fun,
    argnums: int | Sequence[int] = 0,
    *,
    wrt: str | Sequence[str] | None = None,
    has_aux: bool = False,
) -> Fun:
    """Return the function that computes the gradient of a scalar function.

    Args:
        fun: returns a scalar (shape `()`), or with `has_aux` a pair (scalar, anything).
        argnums: which positional arguments to differentiate: an int, or a sequence of
            ints for a tuple of gradients. Each argument is a tree of float arrays.
        wrt: names them instead: `"params"`, a path into one, `"params.conv1.w"`, or a
            sequence of such names. Arguments passed by keyword are found too.
        has_aux: the gradient function returns (gradient, aux).

    A gradient has the structure, shapes and dtypes of its argument, and zeros where the
    output does not depend on it. For complex arguments it is df/dx - i df/dy, as in JAX
    and HIPS autograd: the conjugate of PyTorch's.

    Raises `TypeError` for integer arguments and for outputs that are no scalars.

    >>> from autograd_lite import grad
    >>> print(grad(lambda x: x**3)(2.0))
    12.0
    >>> grad(lambda w, x: (w["a"] * x).sum(), wrt="w")({"a": 2.0}, np.ones(3))
    {'a': np.float64(3.0)}
    """
    value_and_gradient = value_and_grad(fun, argnums, wrt=wrt, has_aux=has_aux)

    @wraps(fun, "gradient")
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, x_bar = value_and_gradient(*args, **kwargs)
        return (x_bar, value[1]) if has_aux else x_bar

    return gradient


def value_and_grad(
    fun: Fun,
    argnums: int | Sequence[int] = 0,
    *,
    wrt: str | Sequence[str] | None = None,
    has_aux: bool = False,
) -> Fun:
    """Return the function that computes a scalar function's value and its gradient.

    Arguments and errors are those of `grad`. With `has_aux` it returns
    ((value, aux), gradient).

    >>> from autograd_lite import value_and_grad
    >>> value, x_bar = value_and_grad(lambda x: x * x)(3.0)
    >>> print(value, x_bar)
    9.0 6.0
    """
    select = selector(fun, argnums, wrt)

    @wraps(fun, "value and gradient")
    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        selected, rebuild = select(args, kwargs)
        leaves, treedef = tree.flatten(selected)
        arrays = float_leaves(leaves, selected)

        def record(tape: Tape) -> Any:
            variables = [tape.input(x) for x in arrays]
            new_args, new_kwargs = rebuild(tree.unflatten(treedef, variables))
            return fun(*new_args, **new_kwargs)

        tape = new_tape()
        try:
            out = record(tape)
            out, aux = split_aux(out) if has_aux else (out, None)
            check_scalar(out, fun)
            value, x_bars = _walk_back(tape, out, len(arrays))
        except FAILURES as error:
            annotate(error, tape, record)
            raise
        finally:
            tape.open = False
            tape.release()
        gradient = tree.unflatten(treedef, x_bars)
        if has_aux:
            return (value, _strip_tree(tape, aux)), gradient
        return value, gradient

    return value_and_gradient


def _walk_back(tape: Tape, out: Any, n: int) -> tuple[Any, list[Any]]:
    """Return a tape's scalar result and its derivatives in the first n variables."""
    tape.open = False
    slot = slot_of(tape, out)
    value = as_array(strip(tape, out))
    seeds = [] if slot is None else [(slot, value.dtype.type(1))]
    return value, separate(tape.backward(seeds, range(n)))


def vjp(fun: Fun, *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """Return `fun(*primals)` and its pullback.

    The pullback takes a cotangent, a tree like the output, and returns a tuple of
    cotangents, one tree per primal. It may be called many times; the primals, the
    output and captured arrays that it needs are read-only as long as it exists. With
    `has_aux`, `fun` returns (output, aux) and `vjp` returns (output, pullback, aux).

    >>> from autograd_lite import vjp
    >>> y, pullback = vjp(lambda a, b: a * b, 2.0, np.ones(2))
    >>> pullback(np.array([1.0, 10.0]))
    (np.float64(11.0), array([ 2., 20.]))
    """
    y, pullback, aux, _ = taped(fun, primals, has_aux)
    return (y, pullback, *aux)


def taped(
    fun: Fun, primals: tuple[Any, ...], has_aux: bool = False
) -> tuple[Any, Fun, list[Any], Tape]:
    """Return what `vjp` does, with aux in a list, and the tape of the pullback."""
    leaves, treedef = tree.flatten(primals)
    arrays = float_leaves(leaves, primals)

    def record(tape: Tape) -> Any:
        return fun(*tree.unflatten(treedef, [tape.input(x) for x in arrays]))

    tape = new_tape()
    try:
        out = record(tape)
        out, aux = split_aux(out) if has_aux else (out, None)
    except FAILURES as error:
        annotate(error, tape, record)
        raise
    finally:
        tape.open = False
    outs, outdef = output_leaves(fun, out)
    slots = [slot_of(tape, o) for o in outs]
    values = [as_array(strip(tape, o)) for o in outs]

    def pullback(cotangent: Any) -> Any:
        gs = matching_leaves(cotangent, outdef, values, "cotangent", "output")
        seeds = [(s, g) for s, g in zip(slots, gs, strict=True) if s is not None]
        try:
            x_bars = tape.backward(seeds, range(len(arrays)), keep=True)
        except FAILURES as error:
            annotate(error, tape, record)
            raise
        return tree.unflatten(treedef, separate(x_bars, gs))

    y = tree.unflatten(outdef, [tape.lend(value) for value in values])
    return y, pullback, [_strip_tree(tape, aux)] if has_aux else [], tape


def jvp(
    fun: Fun,
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    has_aux: bool = False,
) -> tuple[Any, ...]:
    """Return `fun(*primals)` and its derivative in the direction `tangents`.

    `tangents` is a sequence of trees like `primals`; the derivative is a tree like the
    output. One call costs a small multiple of `fun`, for any number of outputs. With
    `has_aux`, `fun` returns (output, aux) and `jvp` returns (output, derivative, aux).

    >>> from autograd_lite import jvp
    >>> y, y_dot = jvp(lambda x: x * x, (3.0,), (1.0,))
    >>> print(y, y_dot)
    9.0 6.0
    """
    for what, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, (tuple, list)):
            raise ArgumentError(
                f"jvp: {what} is {type(given).__name__}: expected a tuple, one tree "
                "per argument, as in jvp(fun, (x,), (x_dot,))"
            )
    leaves, treedef = tree.flatten(tuple(primals))
    values = float_leaves(leaves, primals)
    x_dots = matching_leaves(tuple(tangents), treedef, values, "tangent", "primal")
    extras: list[Any] = []
    flat, output_structure = flat_version(fun, treedef, extras if has_aux else None)
    ys, y_dots = jvp_flat(flat, values, x_dots)
    outdef = output_structure()
    pair = tree.unflatten(outdef, ys), tree.unflatten(outdef, y_dots)
    return (*pair, tree.map(primal_of, extras.pop())) if has_aux else pair


def flat_version(
    fun: Fun,
    treedef: tree.TreeDef,
    extras: list[Any] | None = None,
    kinds: str = NUMBERS,
) -> tuple[Callable[..., list[Any]], Callable[[], tree.TreeDef]]:
    """Return `fun` from flat arguments to flat outputs, of dtypes of some kinds.

    The second function returns the structure of the outputs, after a call. Where `fun`
    returns (output, aux), aux is appended to the list `extras`.
    """
    found: list[tree.TreeDef] = []

    def flat(*leaves: Any) -> list[Any]:
        out = fun(*tree.unflatten(treedef, leaves))
        if extras is not None:
            out, aux = split_aux(out)
            extras.append(aux)
        outs, outdef = output_leaves(fun, out, kinds)
        found[:] = [outdef]
        return outs

    return flat, lambda: found[0]


def wraps(fun: Fun, what: str) -> Callable[[Fun], Fun]:
    """Name a derived function after the one it comes from."""

    def decorate(derived: Any) -> Fun:
        name = name_of(fun)
        derived.__name__ = f"{what} of {name}".replace(" ", "_")
        derived.__wrapped__ = fun
        derived.transformation = what  # by which a profiler knows it
        derived.__doc__ = f"The {what} of {name}, by autograd_lite."
        return derived

    return decorate


def named_after(fun: Fun, inner: Any) -> Fun:
    """Return a function that calls `fun`, under its name, which errors tell."""
    inner.__name__ = name_of(fun)
    return inner


# -- which arguments ------------------------------------------------------------------

Selection = tuple[Any, Callable[[Any], tuple[Any, dict[str, Any]]]]


def selector(
    fun: Fun, argnums: int | Sequence[int], wrt: str | Sequence[str] | None
) -> Callable[[tuple[Any, ...], dict[str, Any]], Selection]:
    """Return the function that picks the differentiated arguments out of a call.

    It returns them as one tree, and a function that puts another such tree in.
    """
    if wrt is not None:
        if type(argnums) is not int or argnums != 0:
            raise ArgumentError(
                f"argnums={argnums!r} and wrt={wrt!r} both say which arguments to "
                "differentiate: give one of them"
            )
        return _by_name(fun, wrt)
    single = isinstance(argnums, (int, np.integer))
    numbers: list[Any] = [argnums]
    if isinstance(argnums, Iterable):
        numbers = [*argnums]
    if not all(map(_is_position, numbers)):
        raise ArgumentError(
            f"argnums={argnums!r}: expected positions of arguments, an int or several; "
            "parameters are named with wrt="
        )
    if not numbers:
        raise ArgumentError("argnums is empty: name at least one argument")

    def select(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Selection:
        if kwargs and not all(0 <= n < len(args) for n in numbers):
            names = _parameters(fun, numbers, args, kwargs)
            return _by_name(fun, names[0] if single else names)(args, kwargs)
        at = _positions(fun, numbers, len(args))

        def rebuild(xs: Any) -> tuple[Any, dict[str, Any]]:
            new = list(args)
            for i, x in zip(at, (xs,) if single else xs, strict=True):
                new[i] = x
            return tuple(new), kwargs

        found = tuple([args[i] for i in at])
        return (found[0] if single else found), rebuild

    return select


def _is_position(number: Any) -> bool:
    kinds = (int, np.integer)
    return isinstance(number, kinds) and not isinstance(number, bool)


def _positions(fun: Fun, numbers: Sequence[int], n: int) -> list[int]:
    """Return argnums as positions among n arguments."""
    for number in numbers:
        if not -n <= number < n:
            raise ArgumentError(
                f"argnums={number} names an argument that was not given: "
                f"{name_of(fun)} was called with {n} arguments"
            )
    at = [number % n for number in numbers]
    if len(set(at)) < len(at):
        raise ArgumentError(f"argnums={tuple(numbers)} names an argument twice")
    return at


def _parameters(
    fun: Fun, numbers: Sequence[int], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> list[str]:
    """Return argnums as names, in a call that passes some arguments by keyword.

    Negative ones count from the last parameter that was given.
    """
    bound = inspect.signature(fun).bind(*args, **kwargs)
    by_position = (inspect.Parameter.POSITIONAL_ONLY, _POSITIONAL)
    kinds = {name: p.kind for name, p in bound.signature.parameters.items()}
    every = [name for name, kind in kinds.items() if kind in by_position]
    given = [name for name in every if name in bound.arguments]
    names = []
    for number in numbers:
        among = every if number >= 0 else given
        if not -len(among) <= number < len(among):
            raise ArgumentError(
                f"argnums={number}, but {name_of(fun)} has parameters {among}"
            )
        names.append(among[number])
    return names


_POSITIONAL = inspect.Parameter.POSITIONAL_OR_KEYWORD


def _by_name(fun: Fun, wrt: str | Sequence[str]) -> Any:
    """Return a selector of arguments, or of subtrees of arguments, by dotted name."""
    single = isinstance(wrt, str)
    names = [wrt] if isinstance(wrt, str) else list(wrt)
    _check_disjoint(names)
    split = [name.partition(".")[::2] for name in names]
    signature = functools.cache(lambda: inspect.signature(fun))

    def select(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Selection:
        bound = signature().bind(*args, **kwargs)
        bound.apply_defaults()
        for name, _ in split:
            if name not in bound.arguments:
                raise ArgumentError(
                    f"wrt={name!r} is no parameter of {name_of(fun)}, which has "
                    f"{list(bound.arguments)}"
                )
        found = [tree.get(bound.arguments[name], path) for name, path in split]

        def rebuild(xs: Any) -> tuple[Any, dict[str, Any]]:
            new = dict(bound.arguments)
            for (name, path), x in zip(split, (xs,) if single else xs, strict=True):
                new[name] = tree.replace(new[name], path, x)
            changed = inspect.BoundArguments(bound.signature, new)
            return changed.args, changed.kwargs

        return (found[0] if single else tuple(found)), rebuild

    return select


def _check_disjoint(names: list[str]) -> None:
    """Raise where two names of `wrt` mean the same array."""
    if not names:
        raise ArgumentError("wrt is empty: name at least one parameter")
    for i, a in enumerate(names):
        for b in names[:i]:
            if f"{a}.".startswith(f"{b}.") or f"{b}.".startswith(f"{a}."):
                raise ArgumentError(f"wrt names {a!r} and {b!r}, which overlap")


# -- what goes in and comes out -------------------------------------------------------


def float_leaves(leaves: list[Any], whole: Any) -> list[Any]:
    """Return leaves as arrays; raise where one cannot be differentiated."""
    arrays = [as_array(x) for x in leaves]
    for i, x in enumerate(arrays):
        if getattr(getattr(x, "dtype", None), "kind", "O") not in "fc":
            raise DifferentiationTypeError(_not_float(leaves[i], tree.paths(whole)[i]))
        if not x.dtype.isnative:  # as read from some files; results never are
            arrays[i] = cast(x, x.dtype.newbyteorder("="))
    return arrays


def _not_float(leaf: Any, path: str) -> str:
    place = f" at {path!r}" if path else ""
    x = concrete(leaf)
    dtype = getattr(x, "dtype", None)
    got = (
        f"{type(x).__name__} of dtype {dtype}" if dtype else f"{type(x).__name__} {x!r}"
    )
    if dtype is None and not isinstance(x, (bool, int)):
        return (
            f"cannot differentiate with respect to {got}{place}: expected arrays of "
            "floats, in dict, list, tuple, named tuple, dataclass or a class given to "
            "tree.register"
        )
    return (
        f"cannot differentiate with respect to {got}{place}: integers and booleans "
        "have no derivative; pass x.astype(float), or float(x) for a Python number"
    )


def _strip_tree(tape: Tape, aux: Any) -> Any:
    """Return aux without this tape's tracers, however deep they stand."""
    return tree.map(lambda x: strip(tape, x), aux)


def matching_leaves(
    given: Any, treedef: tree.TreeDef, values: list[Any], what: str, like: str
) -> list[Any]:
    """Return the leaves of a (co)tangent; raise unless it is shaped as `values`."""
    skeleton = tree.unflatten(treedef, values)
    gs = tree.leaves(tree.map(lambda _, g: as_array(g), skeleton, given))
    for g, y, path in zip(gs, values, tree.paths(skeleton), strict=True):
        if g.shape != y.shape:
            place = f" at {path!r}" if path else ""
            raise ArgumentError(
                f"the {what}{place} has shape {g.shape}, the {like} {y.shape}"
            )
        if g.dtype.kind == "c" != y.dtype.kind:
            raise ArgumentError(f"the {what} of a real {like} must not be complex")
    return [cast(g, y.dtype) for g, y in zip(gs, values, strict=True)]
