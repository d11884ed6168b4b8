"""Trading time for memory: run a part of a function again instead of keeping its tape.

A checkpointed function is one primitive made on the spot. The tape keeps its arguments
and nothing of what happened inside; its rule runs the function a second time, on a tape
of its own, when the cotangent arrives. T. Chen and others, 2016, "Training Deep Nets
with Sublinear Memory Cost".
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Collection, Sequence
from contextvars import copy_context
from typing import Any, overload

import numpy as np

from . import tree
from .arguments import Flat, constant_if_integer, picked
from .batching import vmap_flat
from .budgets import Meter, Planner, bytes_of
from .closures import lifted
from .core import Primitive, Tracer, defbatch, defvjp_argnums, is_recorded, is_tracer
from .errors import ArgumentError
from .outputs import output_leaves
from .repeats import check_repeated, trace_of
from .reverse import as_array
from .segments import Part, planned_vjp, recorded_vjp, taped
from .source import warn

Fun = Callable[..., Any]
Policy = Collection[str] | Callable[[str, int], bool]
# A way to run a flat function so that it can be walked back: outputs and pullback.
Run = Callable[[Callable[..., Flat], Flat], tuple[Flat, Callable[[Flat], Flat]]]


@overload
def checkpoint(
    fun: Fun, *, policy: Policy | None = None, budget: int | str | None = None
) -> Fun: ...
@overload
def checkpoint(
    *, policy: Policy | None = None, budget: int | str | None = None
) -> Callable[[Fun], Fun]: ...
def checkpoint(
    fun: Fun | None = None,
    *,
    policy: Policy | None = None,
    budget: int | str | None = None,
) -> Any:
    """Return `fun`, differentiated without keeping its intermediate results.

    Args:
        fun: a function of trees, by position or keyword; without it, a decorator is
            returned. The walk back evaluates it once more, so it must be pure: random
            numbers have to come in as arguments.
        policy: names of primitives whose results are kept and not computed again, such
            as {"matmul", "conv"}; or a function of the primitive's name and its
            results' bytes that tells whether they are kept. A name that no primitive
            in `fun` has gives a `UserWarning` with those that ran.
        budget: bytes, or a string such as "200MB". The first call for arguments of some
            shapes measures each operation: the bytes its pullback keeps and the time it
            takes. From then on as much is kept as the budget allows, and the rest runs
            again in segments, one at a time. Not counted are arguments, results, and
            what is freed before the walk back begins.

    Whatever is differentiated must be an argument, or in the closure, as trees of
    arrays or captured by functions there; `ValueError` if it stands elsewhere.
    Arguments are read-only until the walk back; what is captured must not change, and
    `ValueError` is raised where the second run gives other results. A budget that
    cannot be met gives a `UserWarning` with the bytes that are needed.

    >>> import autograd_lite.numpy as np
    >>> from autograd_lite import grad
    >>> layer = checkpoint(lambda w, x: np.tanh(w * x))
    >>> print(grad(lambda w: layer(w, layer(w, 1.0)))(0.0))
    0.0
    >>> @checkpoint(policy={"exp"})
    ... def kernel(x):
    ...     return np.exp(-x * x)
    >>> print(grad(kernel)(0.0))
    -0.0
    """
    if policy is not None and budget is not None:
        raise ArgumentError("checkpoint takes a policy or a budget, not both")
    run = None
    if budget is not None:
        run = _within(bytes_of(budget), {})
    elif policy is not None:
        run = _by_policy(policy)
    if fun is None:
        return lambda fun: _checkpointed(fun, run)
    return _checkpointed(fun, run)


def _checkpointed(fun: Fun, run: Run | None) -> Fun:
    @functools.wraps(fun)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        leaves, treedef = tree.flatten((args, kwargs))
        traced, refilled = lifted(fun)
        if not traced and not any(map(is_tracer, leaves)):
            return fun(*args, **kwargs)
        # Plain arrays too are arguments of the primitive, so that the tape guards them.
        places = [
            i for i, leaf in enumerate(leaves) if isinstance(leaf, (Tracer, np.ndarray))
        ]
        arrays = [leaves[i] for i in places]
        constants = [None if i in places else leaf for i, leaf in enumerate(leaves)]
        structures: list[tree.TreeDef] = []

        def flat(*xs: Any) -> tuple[Any, ...]:
            filled = _filled(constants, places, xs[: len(places)])
            new_args, new_kwargs = tree.unflatten(treedef, filled)
            again = refilled(xs[len(places) :])
            outs, outdef = output_leaves(again, again(*new_args, **new_kwargs))
            structures[:] = [outdef]
            return tuple([as_array(out) for out in outs])

        name = getattr(fun, "__name__", type(fun).__name__)
        outs = recomputed(flat, f"checkpoint of {name}", run)(*arrays, *traced)
        return tree.unflatten(structures[0], [constant_if_integer(y) for y in outs])

    return checkpointed


# Long, as it is the rules of one primitive, which share `kept`.
def recomputed(flat: Fun, name: str, run: Run | None = None) -> Primitive:
    """Return a primitive that evaluates `flat`, arrays to a tuple of arrays.

    Its reverse rule runs `flat` again, or asks `run` for what is to be kept. Mapped
    over a batch, it is the checkpoint of the mapped function.
    """
    kept: list[Callable[[Flat], Flat]] = []  # of the last run, for the rule made next

    def impl(*xs: Any) -> tuple[Any, ...]:
        if run is None:
            outs = flat(*xs)
        else:
            outs, pull = run(flat, xs)
            kept[:] = [pull]
        if any(is_tracer(out) for out in outs):
            raise ArgumentError(_captured(name))
        return tuple(outs)

    def rule(argnums: Sequence[int], ans: Any, args: Any, params: Any) -> Fun:
        if kept and not any(map(is_tracer, args)):
            pull = kept.pop()
            return lambda gs: picked(pull(gs), argnums)
        # What policies and settings were in force is so again: in a copy, as a context
        # can be entered by one thread at a time.
        context = copy_context()
        # Where a program is recorded, both runs are part of it, and always the same.
        recorded = any(map(is_recorded, ans))
        before = [] if recorded else [trace_of(y) for y in ans]

        def check(outs: Flat) -> None:
            if not recorded:
                check_repeated(name, before, outs)

        def pull_again(gs: Flat) -> Flat:
            return _pull_again(flat, args, argnums, run, gs, check)

        return lambda gs: context.copy().run(pull_again, gs)

    def batch(size: int, args: Sequence[Any], batched: Sequence[bool]) -> Any:
        def mapped(*xs: Any) -> tuple[Any, ...]:
            return tuple(vmap_flat(flat, xs, batched, size))

        return recomputed(mapped, name, run)(*args)

    primitive = Primitive(impl, name=name, multiple=True)
    defvjp_argnums(primitive, rule)
    defbatch(primitive, batch)
    return primitive


def _pull_again(
    flat: Fun,
    args: Flat,
    argnums: Sequence[int],
    run: Run | None,
    gs: Flat,
    check: Callable[[Flat], None],
) -> Flat:
    """Run a flat function once more, and return the cotangents of some arguments."""
    if run is not None:
        outs, pull = run(flat, args)
        check(outs)
        return picked(pull(gs), argnums)

    def again(*xs: Any) -> tuple[Any, ...]:
        return flat(*_filled(args, argnums, xs))

    return taped(again, picked(args, argnums), gs, check)


def _by_policy(policy: Policy) -> Run:
    """Return the run that keeps the results of chosen primitives."""
    if callable(policy):
        return lambda flat, xs: planned_vjp(flat, xs, [Part(None, save=policy)])
    if isinstance(policy, str):
        raise ArgumentError(f"policy={policy!r}: give a set of names, {{{policy!r}}}")
    names, ran = frozenset(policy), set()

    def save(name: str, nbytes: int) -> bool:
        ran.add(name)
        return name in names

    def run(flat: Fun, xs: Flat) -> tuple[Flat, Callable[[Flat], Flat]]:
        found = planned_vjp(flat, xs, [Part(None, save=save)])
        if unknown := sorted(names - ran):
            warn(f"checkpoint: policy names {unknown}, but these ran: {sorted(ran)}")
            ran.update(unknown)  # said once
        return found

    return run


def _within(budget: int, plans: dict[Any, Sequence[Part]]) -> Run:
    """Return the run that stays within a budget; `plans` are those made so far."""

    def run(flat: Fun, xs: Flat) -> tuple[Flat, Callable[[Flat], Flat]]:
        key = tuple([(x.shape, x.dtype.str) for x in map(as_array, xs)])
        if key in plans:
            return planned_vjp(flat, xs, plans[key])
        meter = Meter()
        outs, pull = recorded_vjp(meter, flat, xs)
        if not meter.segments:
            return outs, pull
        parts, peak = Planner(meter, len(xs)).plan(budget)
        if peak > budget:
            warn(
                f"checkpoint: the budget is {budget} bytes, but {peak} are the least "
                "that were found for this function"
            )
        if len(plans) >= _MOST_PLANS:
            plans.clear()
        plans[key] = parts
        (segment,) = meter.segments
        segment.part = Part(None, parts=parts)
        return outs, pull

    return run


_MOST_PLANS = 256  # shapes that a function is remembered for


def checkpoint_sequential(
    layers: Sequence[Any], x: Any, *, segments: int | None = None
) -> Any:
    """Return `layers[-1](... layers[0](x))`, keeping only what enters each segment.

    Args:
        layers: functions of a tree; or pairs (function, params) where `params`, a tree,
            come first: what is differentiated must be there, or be x.
        segments: how many, of about equal numbers of layers; by default the square
            root of the number of layers, which needs the least memory.

    The walk back runs one segment at a time again, so with n equal layers in k segments
    at the most k + n / k of them are kept, and everything runs twice.

    >>> import autograd_lite.numpy as np
    >>> from autograd_lite import grad
    >>> layers = [np.sin] * 9
    >>> print(f"{grad(lambda x: checkpoint_sequential(layers, x))(1.0):.4f}")
    0.0895
    """
    n = len(layers)
    count = segments if segments is not None else math.ceil(math.sqrt(n))
    if n and not 1 <= count <= n:
        raise ArgumentError(f"segments={segments}: expected 1 to {n}, one per layer")
    for i in range(count):
        part = tuple(layers[i * n // count : (i + 1) * n // count])
        x = checkpoint(_chain)(part, x)
    return x


def _chain(layers: Sequence[Any], x: Any) -> Any:
    for layer in layers:
        fun, *params = layer if isinstance(layer, (tuple, list)) else (layer,)
        x = fun(*params, x)
    return x


def _filled(values: Sequence[Any], places: Sequence[int], xs: Sequence[Any]) -> Any:
    """Return `values` with those at `places` replaced by `xs`."""
    filled = list(values)
    for i, x in zip(places, xs, strict=True):
        filled[i] = x
    return filled


def _captured(name: str) -> str:
    return (
        f"{name}: the result depends on a traced array that is no argument of the "
        "function but was captured from outside, in an object or a global variable. It "
        "could not be differentiated when the function runs again: pass it as an "
        "argument (of scan: in `init` or `xs`)."
    )
