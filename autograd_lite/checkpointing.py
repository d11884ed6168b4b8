"""Trading time for memory: run a part of a function again instead of keeping its tape.

A checkpointed function is one primitive made on the spot. The tape keeps its arguments
and nothing of what happened inside; its rule runs the function a second time, on a tape
of its own, when the cotangent arrives. T. Chen and others, 2016, "Training Deep Nets
with Sublinear Memory Cost".
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from . import tree
from .api import vjp
from .batching import vmap_flat
from .core import Primitive, defbatch, defvjp_argnums, is_tracer
from .errors import ArgumentError
from .ops.basic import stop_gradient
from .reverse import as_array

Fun = Callable[..., Any]


def checkpoint(fun: Fun) -> Fun:
    """Return `fun`, differentiated without keeping its intermediate results.

    Arguments and results are trees, by position or keyword. The walk back evaluates
    `fun` once more, so it must be pure: random numbers have to come in as arguments.
    Whatever is differentiated must be an argument too, not captured from outside;
    `ValueError` if it isn't.

    >>> import autograd_lite.numpy as np
    >>> from autograd_lite import grad
    >>> layer = checkpoint(lambda w, x: np.tanh(w * x))
    >>> print(grad(lambda w: layer(w, layer(w, 1.0)))(0.0))
    0.0
    """

    @functools.wraps(fun)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        leaves, treedef = tree.flatten((args, kwargs))
        places = [i for i, leaf in enumerate(leaves) if is_tracer(leaf)]
        if not places:
            return fun(*args, **kwargs)
        traced = [leaves[i] for i in places]
        constants = [None if is_tracer(leaf) else leaf for leaf in leaves]
        structures: list[tree.TreeDef] = []

        def flat(*xs: Any) -> tuple[Any, ...]:
            filled = _filled(constants, places, xs)
            new_args, new_kwargs = tree.unflatten(treedef, filled)
            outs, outdef = tree.flatten(fun(*new_args, **new_kwargs))
            structures[:] = [outdef]
            return tuple([as_array(out) for out in outs])

        name = getattr(fun, "__name__", type(fun).__name__)
        outs = recomputed(flat, f"checkpoint of {name}")(*traced)
        return tree.unflatten(structures[0], [_constant_if_integer(y) for y in outs])

    return checkpointed


def recomputed(flat: Fun, name: str) -> Primitive:
    """Return a primitive that evaluates `flat`, arrays to a tuple of arrays.

    Its reverse rule runs `flat` again. Mapped over a batch, it is the checkpoint of the
    mapped function.
    """

    def impl(*xs: Any) -> tuple[Any, ...]:
        outs = flat(*xs)
        if any(is_tracer(out) for out in outs):
            raise ArgumentError(_captured(name))
        return outs

    def rule(argnums: Sequence[int], ans: Any, args: Any, params: Any) -> Fun:
        def again(*xs: Any) -> tuple[Any, ...]:
            return flat(*_filled(args, argnums, xs))

        return lambda gs: vjp(again, *[args[i] for i in argnums])[1](gs)

    def batch(size: int, args: Sequence[Any], batched: Sequence[bool]) -> Any:
        def mapped(*xs: Any) -> tuple[Any, ...]:
            return tuple(vmap_flat(flat, xs, batched, size))

        return recomputed(mapped, name)(*args)

    primitive = Primitive(impl, name=name, multiple=True)
    defvjp_argnums(primitive, rule)
    defbatch(primitive, batch)
    return primitive


def _filled(values: Sequence[Any], places: Sequence[int], xs: Sequence[Any]) -> Any:
    """Return `values` with those at `places` replaced by `xs`."""
    filled = list(values)
    for i, x in zip(places, xs, strict=True):
        filled[i] = x
    return filled


def _constant_if_integer(y: Any) -> Any:
    return y if y.dtype.kind in "fc" else stop_gradient(y)


def _captured(name: str) -> str:
    return (
        f"{name}: the result depends on a traced array that is no argument of the "
        "function but was captured from outside. It could not be differentiated when "
        "the function runs again: pass it as an argument."
    )
