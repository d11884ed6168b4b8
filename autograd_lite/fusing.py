"""Operations that wait for what follows them: `max_pool(relu(conv(x, w, b)), 2)`.

On a tape, a convolution that a fused kernel could begin with isn't computed at once.
What stands for it knows its shape and dtype, and computes and records it as soon as
anything asks for more: another operation, printing, a function's end. Only ReLU and
max-pool don't ask, when they come in this order; then all three are one operation, with
one entry on the tape, and the large results between them are never written. Likewise
`relu(batch_norm(x))`.

Nobody else needs to know of this. A pending variable is a variable, whose value and
slot are properties; reading them runs what was put off, once.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, Final

import numpy as np

from . import tree
from .core import Primitive, is_tracer
from .guard import lockable
from .ops import fused as fused_ops
from .ops.batch_norm import batch_normalise
from .ops.conv import conv, conv_bias
from .ops.layers import relu
from .ops.pool import max_pool
from .policies import in_force, policy
from .reverse import Tape, Variable, as_array, strip

_ENABLED: Final[ContextVar[bool]] = ContextVar("fusion", default=True)


@contextlib.contextmanager
def fusion(enabled: bool) -> Iterator[None]:
    """Switch the fusion of layers off or on, within a block or a function.

    It is on by default: in reverse mode, `max_pool(relu(conv(x, w, b)), 2)` is computed
    by one kernel where it pays, which is for images of few channels, and ReLU in the
    pass of the batch normalisation before it. Results agree to rounding. Blocks nest,
    and other threads don't notice.

    >>> import numpy as np
    >>> from autograd_lite import grad, nn
    >>> x = np.ones((1, 4, 4, 1))
    >>> layer = lambda w: nn.max_pool(nn.relu(nn.conv(x, w)), 2).sum()
    >>> with nn.fusion(False):
    ...     plain = grad(layer)(np.ones((3, 3, 1, 2)))
    >>> np.allclose(plain, grad(layer)(np.ones((3, 3, 1, 2))))
    True
    """
    token = _ENABLED.set(bool(enabled))
    try:
        yield
    finally:
        _ENABLED.reset(token)


def fuses() -> bool:
    """Return whether fusion is on, here and now."""
    return _ENABLED.get()


class _NoTape(Tape):
    """Applies primitives to what is inside its variables, and records nothing."""

    __slots__ = ()

    def process(
        self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]
    ) -> Any:
        """Apply a primitive."""
        if not self.open:
            self.check_open(primitive)
        ans = primitive(*[_inside(self, arg) for arg in args], **params)
        if not primitive.differentiable:
            return ans
        if primitive.multiple:
            return tuple([self.variable(as_array(a)) for a in ans])
        return self.variable(as_array(ans))


def _inside(tape: Tape, x: Any) -> Any:
    return x.value if isinstance(x, Variable) and x.owner is tape else x


def fused(fun: Callable[..., Any]) -> Callable[..., Any]:
    """Return `fun` with its layers fused although no gradient is taken: to predict.

    Plain arrays are computed at once, so that nothing can wait for what follows. Here
    they pass through `fun` as they do while a gradient is taken, but nothing is
    recorded. Where a derivative is taken of it, it is `fun` itself.

    >>> import numpy as np
    >>> from autograd_lite import nn
    >>> predict = nn.fused(lambda w, x: nn.max_pool(nn.relu(nn.conv(x, w)), 2))
    >>> predict(np.ones((3, 3, 1, 2)), np.ones((1, 8, 8, 1))).shape
    (1, 3, 3, 2)
    """

    @functools.wraps(fun)
    def run(*args: Any, **kwargs: Any) -> Any:
        leaves, treedef = tree.flatten((args, kwargs))
        if any(map(is_tracer, leaves)):
            return fun(*args, **kwargs)
        tape = _NoTape()
        entered = [
            tape.variable(x) if type(x) is np.ndarray and x.dtype.kind == "f" else x
            for x in leaves
        ]
        try:
            args, kwargs = tree.unflatten(treedef, entered)
            return tree.map(lambda x: strip(tape, x), fun(*args, **kwargs))
        finally:
            tape.open = False
            tape.release()

    return run


class Pending(Variable):
    """The result of an operation that has not run.

    `args` and `params` are those of the primitive; `found` is its result, once it has
    run.
    """

    __slots__ = ("args", "aval", "found", "params", "primitive")

    def __init__(
        self,
        owner: Tape,
        primitive: Primitive,
        args: tuple[Any, ...],
        params: dict[str, Any],
        aval: tuple[tuple[int, ...], np.dtype[Any]],
    ) -> None:
        self.owner = owner
        self.primitive, self.args, self.params = primitive, args, params
        self.aval = aval
        self.found: Variable | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The array's shape."""
        return self.aval[0]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The array's dtype."""
        return self.aval[1]

    def variable(self) -> Variable:
        """Run and record the operation, unless that is done; return its result."""
        if self.found is None:
            tape: Any = self.owner
            # What a function returns is asked for when its tape has been closed. Uses
            # of a variable that leaked are refused before they get here.
            was_open, tape.open = tape.open, True
            try:
                with _default_relu():
                    found = tape.process(self.primitive, self.args, self.params)
            finally:
                tape.open = was_open
            self.found, self.args = found, ()
        return self.found

    # Whoever reads these needs the operation to have run.
    value: Any = property(lambda self: self.variable().value)
    slot: Any = property(lambda self: self.variable().slot)


def _default_relu() -> Any:
    """Return the context of the derivative that a pending ReLU was made for."""
    return policy(relu0=0) if in_force().relu0 else contextlib.nullcontext()


def convolve(x: Any, w: Any, b: Any, **window: Any) -> Any:
    """Return `conv_bias(x, w, b)`, or `conv(x, w)` without b; perhaps pending.

    `window` are the primitive's parameters, checked.
    """
    args = (x, w) if b is None else (x, w, b)
    primitive = conv if b is None else conv_bias
    tape = _tape_of(args) if _may_fuse(x, w, window) else None
    if tape is None:
        return primitive(*args, **window)
    # Arrays may be written to before this runs.
    kept = tuple([a if is_tracer(a) else tape.keep(a) for a in args])
    sides = zip(x.shape[1:3], window["padding"], w.shape[:2], strict=True)
    size = [n + before + after - r + 1 for n, (before, after), r in sides]
    shape = (x.shape[0], *size, w.shape[-1])
    return Pending(tape, primitive, kept, window, (shape, x.dtype))


def _tape_of(args: tuple[Any, ...]) -> Tape | None:
    """Return the tape that alone records a convolution, if it may be put off.

    It keeps images and kernels in any case, unless the bias alone has a gradient.
    """
    tape: Any = None
    if not any(isinstance(arg, Variable) for arg in args[:2]):
        return None
    for arg in args:
        if isinstance(arg, Variable):
            if tape is not None and arg.owner is not tape:
                return None
            tape = arg.owner
            arg = arg.value
        elif not is_tracer(arg) and not lockable(arg):
            return None
        if type(arg) is not np.ndarray and not getattr(arg, "recorded", False):
            return None  # of another transformation, or a subclass
    return tape if tape.defers and tape.open else None


# The smallest pool there is: a convolution must have a kernel for it to wait.
_SMALLEST: Final = {"window": (1, 2), "stride": (1, 2)}
_UNPADDED: Final = ((0, 0), (0, 0))


def _may_fuse(x: Any, w: Any, window: dict[str, Any]) -> bool:
    """Return whether a fused kernel could begin with this convolution."""
    if x.ndim != 4 or window["groups"] != 1 or "input_dilation" in window:
        return False
    if not _ENABLED.get() or not (is_tracer(x) or is_tracer(w)):
        return False
    if window["stride"] != (1, 1) or window["dilation"] != (1, 1):
        return False
    pool = {"padding": window["padding"], **_SMALLEST}
    return fused_ops.pays(x, w, **pool)


def normalise(
    x: Any, gamma: Any, beta: Any, mean: Any, variance: Any, *, eps: float
) -> Any:
    """Return `batch_normalise` of these; perhaps pending."""
    args = x, gamma, beta, mean, variance
    tape = _tape_of(args) if _ENABLED.get() else None
    if tape is None:
        return batch_normalise(*args, eps=eps)
    kept = [a if is_tracer(a) else tape.keep(a) for a in args[:3]]
    aval = x.shape, x.dtype
    return Pending(tape, batch_normalise, (*kept, mean, variance), {"eps": eps}, aval)


def rectify(x: Any) -> Any:
    """Return `relu(x)`: pending where x is a convolution that is, or fused with x."""
    if not in_force().relu0:
        if _is_pending(x, conv, conv_bias):
            return Pending(x.owner, relu, (x,), {}, x.aval)
        if _is_pending(x, batch_normalise):
            return batch_normalise(*x.args, **x.params, rectified=True)
    return relu(x)


def pool(x: Any, **geometry: Any) -> Any:
    """Return `max_pool(x)`, fused with a ReLU and a convolution that are pending."""
    if _is_pending(x, relu) and geometry["padding"] == _UNPADDED:
        (before,) = x.args
        if _is_pending(before, conv, conv_bias):
            params = {**geometry, "padding": before.params["padding"]}
            images, w, *b = before.args
            if fused_ops.pays(images, w, **params):
                bias = b[0] if b else np.zeros(w.shape[-1], x.dtype)
                return fused_ops.pooled_layer(images, w, bias, **params)
    return max_pool(x, **geometry)


def _is_pending(x: Any, *primitives: Primitive) -> bool:
    """Return whether x stands for one of these operations, which hasn't run."""
    waits = type(x) is Pending and x.found is None and x.owner.open
    return waits and x.primitive in primitives
