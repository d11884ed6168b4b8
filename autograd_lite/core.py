"""Primitives, tracers and traces: how an operation finds its interpreter.

This file knows no derivatives. A `Primitive` is a function of arrays together with the
rules that interpreters look up. A `Tracer` stands for an array inside one `Trace`. When
a primitive is called, the trace with the highest level among the arguments handles the
call, unwraps its own tracers and calls the primitive again on what was inside. Levels
come from a counter that is never reset, so nothing has to be restored after an
exception, threads don't meet, and nested transformations can't confuse each other.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from typing import Any, Final, overload

import numpy as np

from .errors import (
    ArgumentError,
    LeakedTracerError,
    MissingRuleError,
    TracerAttributeError,
    TracerConversionError,
    TracerMutationError,
    UnsupportedError,
)
from .refusals import (
    conversion,
    functional_update,
    in_place_ufunc,
    no_attribute,
    no_equivalent,
    no_method,
    no_number,
)

_LEVELS = itertools.count()

# NumPy function or ufunc -> the function of ours that handles it. Filled by the module
# that defines each, read when plain NumPy meets a tracer.
NUMPY_EQUIVALENT: Final[dict[Any, Callable[..., Any]]] = {}


class Trace:
    """One run of one transformation: interprets what is done to its tracers."""

    __slots__ = ("level", "open")

    def __init__(self) -> None:
        self.level = next(_LEVELS)
        self.open = True

    def process(
        self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]
    ) -> Any:
        """Apply `primitive` where at least one of `args` is a tracer of this trace."""
        raise NotImplementedError

    def check_open(self, user: object) -> None:
        """Raise `LeakedTracerError` when the transformation has returned already."""
        if not self.open:
            raise LeakedTracerError(
                f"{getattr(user, 'name', user)} was given a tracer whose "
                f"{type(self).__name__} has ended. The function being differentiated "
                "stored it outside (in a global, a list, an attribute); return it "
                "instead, for example with has_aux=True."
            )


class Primitive:
    """An operation on arrays that interpreters know by its rules.

    Positional arguments are arrays and may be tracers; keyword parameters are hashable
    metadata. Attributes: `vjps` (one maker per argument), `joint_vjp`, `jvps`,
    `joint_jvp`, `batch` are the rules, each None until it is defined.
    """

    def __init__(
        self,
        impl: Callable[..., Any],
        *,
        name: str | None = None,
        broadcasts: bool = False,
        differentiable: bool = True,
        multiple: bool = False,
    ) -> None:
        self.impl = impl
        self.__wrapped__ = impl
        self.name = self.__name__ = name or impl.__name__
        self.__doc__ = impl.__doc__
        self.__module__ = getattr(impl, "__module__", None) or __name__
        self.broadcasts = broadcasts
        self.differentiable = differentiable
        self.multiple = multiple
        self.vjps = Rules(self.name)
        self.joint_vjp: Callable[..., Any] | None = None
        self.jvps: dict[int, Callable[..., Any] | None] | None = None
        self.joint_jvp: Callable[..., Any] | None = None
        self.batch: Callable[..., Any] | None = None

    def __call__(self, *args: Any, **params: Any) -> Any:
        """Apply the primitive to arrays or tracers."""
        top = None
        for arg in args:
            if isinstance(arg, Tracer):
                trace = arg.owner
                if top is None or trace.level > top.level:
                    top = trace
        if params:  # asked first, as most operations have none
            for name in params:
                if isinstance(params[name], Tracer):
                    raise ArgumentError(_by_keyword(self, name))
        if top is None:
            return self.impl(*args, **params)
        return top.process(self, args, params)

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"


class KernelCall(Primitive):
    """A kernel that a rule calls where no derivative of it will be asked for.

    It is a primitive only so that a program can be recorded that calls it; the rule has
    operations with derivatives in its place where there is something to transform.
    """

    def __init__(self, impl: Callable[..., Any], name: str) -> None:
        super().__init__(impl, name=name, differentiable=False, multiple=True)


class Rules(dict[int, Callable[..., Any]]):
    """The gradient rules of a primitive, by argument number; says what is missing."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def __missing__(self, argnum: int) -> Callable[..., Any]:
        raise MissingRuleError(
            f"{self.name} has no gradient rule for argument {argnum}. Define it:\n"
            f"    defvjp({self.name}, lambda ans, *args: lambda g: ..., "
            f"argnums=({argnum},))\n"
            "or wrap the argument in stop_gradient to treat it as a constant."
        )


def _by_keyword(primitive: Primitive, name: str) -> str:
    return (
        f"{primitive.name} was given a traced array by keyword, {name}=...; only "
        "positional arguments of a primitive have derivatives: pass it by position"
    )


def no_cotangent(g: Any) -> None:
    """The pullback to an argument that the result does not depend on smoothly."""


def _zero(*args: Any, **params: Any) -> Callable[[Any], None]:
    return no_cotangent


@overload
def primitive(impl: Callable[..., Any]) -> Primitive: ...
@overload
def primitive(
    *, multiple: bool = False
) -> Callable[[Callable[..., Any]], Primitive]: ...
def primitive(
    impl: Callable[..., Any] | None = None, *, multiple: bool = False
) -> Primitive | Callable[[Callable[..., Any]], Primitive]:
    """Turn a function of NumPy arrays into a primitive, to be given rules by `defvjp`.

    With `multiple=True` the function returns a tuple of arrays, and its pullback
    receives a tuple of cotangents.

    >>> from autograd_lite import defvjp, grad, primitive
    >>> @primitive
    ... def cube(x):
    ...     return x**3
    >>> defvjp(cube, lambda ans, x: lambda g: g * 3 * x**2)
    >>> float(grad(cube)(2.0))
    12.0
    """
    if impl is None:
        return lambda f: Primitive(f, multiple=multiple)
    return Primitive(impl, multiple=multiple)


def elementwise(impl: Callable[..., Any]) -> Primitive:
    """Turn a broadcasting function into a primitive.

    Its rules need not undo broadcasting or promotion: a cotangent is summed to the
    argument's shape and cast to its dtype wherever they differ.
    """
    return Primitive(impl, broadcasts=True)


def nondifferentiable(impl: Callable[..., Any]) -> Primitive:
    """Turn a function into a primitive whose result is a constant to derivatives."""
    return Primitive(impl, differentiable=False)


def _by_argnum(
    rules: tuple[Callable[..., Any] | None, ...], argnums: tuple[int, ...] | None
) -> dict[int, Callable[..., Any] | None]:
    numbers = range(len(rules)) if argnums is None else argnums
    return dict(zip(numbers, rules, strict=True))


def defvjp(
    fun: Primitive,
    *makers: Callable[..., Any] | None,
    argnums: tuple[int, ...] | None = None,
) -> None:
    """Define the reverse-mode rules of a primitive, one per positional argument.

    A rule `maker(ans, *args, **params)` returns the pullback `g -> cotangent`, written
    in operations that can themselves be differentiated. None stands for zero, as a rule
    and as a cotangent. `argnums` says which arguments the rules are for (default: the
    first ones, in order). Rules for further arguments may be added by further calls.
    """
    for argnum, maker in _by_argnum(makers, argnums).items():
        fun.vjps[argnum] = maker or _zero


def defvjp_argnums(fun: Primitive, maker: Callable[..., Any]) -> None:
    """Define one joint reverse-mode rule, for arguments that share work.

    `maker(argnums, ans, args, params)` returns a pullback from the cotangent of `ans`
    to the tuple of cotangents of the arguments `argnums`.
    """
    fun.joint_vjp = maker


def defjvp(
    fun: Primitive,
    *rules: Callable[..., Any] | None,
    argnums: tuple[int, ...] | None = None,
) -> None:
    """Define the forward-mode rules of a primitive, one per positional argument.

    `rule(x_dot, ans, *args, **params)` returns the tangent of `ans` that the tangent
    `x_dot` of the argument causes. Without rules the VJP is transposed.
    """
    fun.jvps = {**(fun.jvps or {}), **_by_argnum(rules, argnums)}


def defjvp_argnums(fun: Primitive, rule: Callable[..., Any]) -> None:
    """Define one joint forward-mode rule, for arguments that share work.

    `rule(argnums, x_dots, ans, args, params)` returns the tangent of `ans` that the
    tangents `x_dots` of the arguments `argnums` cause together.
    """
    fun.joint_jvp = rule


def defbatch(fun: Primitive, rule: Callable[..., Any]) -> None:
    """Define how a primitive is mapped over a leading axis.

    `rule(size, args, batched, **params)` returns the result with the mapped axis first;
    `batched` tells for each argument whether its axis 0 is the mapped one. Without a
    rule the primitive is applied in a loop.
    """
    fun.batch = rule


class Tracer:
    """An array inside a transformation; does what arrays do, and is recorded.

    Operators and methods are attached by the modules that define the primitives.
    """

    __slots__ = ("owner", "value")

    recorded = False  # whether it is one of a program that is being recorded

    owner: Trace  # not `trace`, which is a method of arrays
    value: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """The array's shape."""
        return self.value.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The array's dtype."""
        return self.value.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        size = 1
        for n in self.shape:
            size *= n
        return size

    def __len__(self) -> int:
        if not self.shape:
            raise TracerConversionError(
                "len() of a traced number: it has no axes. A traced array cannot stand "
                "for an axis, a shape or a count either; these are plain integers"
            )
        return self.shape[0]

    def __copy__(self) -> Tracer:
        return self  # immutable; a copied tape would record in vain

    def __deepcopy__(self, memo: Any) -> Tracer:
        return self

    def __reduce__(self) -> Any:
        raise TracerConversionError(
            "a tracer cannot be pickled, nor sent to another process: it stands for an "
            "array inside of a transformation that runs here. Return the array instead."
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({concrete(self)!r})"

    def __str__(self) -> str:
        return str(concrete(self))

    def __format__(self, spec: str) -> str:
        return format(concrete(self), spec)

    def __bool__(self) -> bool:
        return bool(concrete(self))

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any
    ) -> Any:
        if kwargs:
            _check_keywords(ufunc, kwargs)
        fun = NUMPY_EQUIVALENT.get(ufunc if method == "__call__" else (ufunc, method))
        if fun is not None:
            return fun(*inputs, **kwargs)
        if method == "__call__":
            raise UnsupportedError(no_equivalent(ufunc))
        if method == "at":
            raise TracerMutationError(in_place_ufunc(ufunc))
        raise UnsupportedError(no_method(ufunc, method))

    def __array_function__(
        self, func: Callable[..., Any], types: Any, args: Any, kwargs: Any
    ) -> Any:
        fun = NUMPY_EQUIVALENT.get(func)
        if fun is None:
            raise UnsupportedError(no_equivalent(func))
        return fun(*args, **kwargs)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TracerConversionError(conversion(sys._getframe(1)))

    def __getattr__(self, name: str) -> Any:
        raise TracerAttributeError(no_attribute(type(self).__name__, name))

    def __float__(self) -> float:
        raise TracerConversionError(no_number("float(x)", self.shape, self.dtype))

    def __int__(self) -> int:
        raise TracerConversionError(no_number("int(x)", self.shape, self.dtype))

    def __complex__(self) -> complex:
        raise TracerConversionError(no_number("complex(x)", self.shape, self.dtype))

    def __index__(self) -> int:
        raise TracerConversionError(no_number("index(x)", self.shape, self.dtype))

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TracerMutationError(
            f"x[index] = v would write into a traced array of shape {self.shape}, but "
            "functions to be differentiated must be pure. Make a new array instead:\n"
            f"    {functional_update(sys._getframe(1))}"
        )

    def __delitem__(self, index: Any) -> None:
        raise TracerMutationError(
            f"del x[index]: an array, here a traced one of shape {self.shape}, keeps "
            "its elements. Make a new array without them: x = np.delete(x, index)"
        )


def _check_keywords(ufunc: np.ufunc, kwargs: dict[str, Any]) -> None:
    """Raise for a result to be written, and for a mask that is traced."""
    if kwargs.get("out") is not None:
        raise TracerMutationError(
            f"np.{ufunc.__name__} cannot write a traced result into out=, nor can an "
            "in-place operator like `array += tracer`; write the operation so that it "
            "returns a new array: `array = array + tracer`."
        )
    if isinstance(kwargs.get("where"), Tracer):
        raise UnsupportedError(
            f"np.{ufunc.__name__}: a traced where= is not supported; write "
            "np.where(mask, f(x), other)"
        )


def is_tracer(x: Any) -> bool:
    """Return whether `x` is a tracer of any transformation."""
    return isinstance(x, Tracer)


def is_transformed(x: Any) -> bool:
    """Return whether operations on `x` mean more than their results, as under `grad`.

    Arrays of a program that is being recorded are tracers, too, but nothing is to be
    known of an operation on them that no array would tell.
    """
    return isinstance(x, Tracer) and not x.recorded


def is_recorded(x: Any) -> bool:
    """Return whether the values of `x` are unknown, as a program is being recorded."""
    while isinstance(x, Tracer) and not x.recorded:
        x = x.value
    return isinstance(x, Tracer)


def check_alive(x: Any, what: str) -> None:
    """Raise `LeakedTracerError` for a tracer whose transformation has returned."""
    if isinstance(x, Tracer):
        x.owner.check_open(what)


def concrete(x: Any) -> Any:
    """Return the array inside a tracer, through all levels."""
    while isinstance(x, Tracer):
        x = x.value
    return x
