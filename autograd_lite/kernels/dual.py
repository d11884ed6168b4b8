"""Dual numbers in compiled code: a value and its tangent, to any depth.

Numba compiles a function anew for the types it is called with. Called with dual
numbers, every operation in it finds its rule below, and branches and loops stay what
they are. A dual number's parts may be dual numbers, which gives derivatives of higher
order. Duals of one depth meet one another, or plain numbers; never duals of another.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.core.typeconv.castgraph import Conversion
from numba.extending import (
    lower_cast,
    make_attribute_wrapper,
    models,
    overload,
    register_jitable,
    register_model,
)

from .micro import emitted

_NUMBERS: Final = (types.Number, types.Boolean)


class Dual(types.Type):
    """The type of a dual number whose parts have the type `base`."""

    def __init__(self, base: Any) -> None:
        self.base = base
        super().__init__(name=f"dual({base})")

    def can_convert_from(self, typing_context: Any, other: Any) -> Any:
        """Tell Numba that numbers, and duals of narrower numbers, become duals."""
        if isinstance(other, _NUMBERS):
            return Conversion.safe
        if isinstance(other, Dual):
            return typing_context.can_convert(other.base, self.base)
        return None

    def unify(self, typing_context: Any, other: Any) -> Any:
        """Return the type of a variable that is sometimes of one, sometimes another."""
        other_base = other.base if isinstance(other, Dual) else other
        base = typing_context.unify_types(self.base, other_base)
        return None if base is None else Dual(base)


@register_model(Dual)
class _Model(models.StructModel):
    def __init__(self, manager, kind):
        members = [("value", kind.base), ("tangent", kind.base)]
        super().__init__(manager, kind, members)


make_attribute_wrapper(Dual, "value", "value")
make_attribute_wrapper(Dual, "tangent", "tangent")


@lower_cast(types.Number, Dual)
@lower_cast(types.Boolean, Dual)
def _number_to_dual(context, builder, source, target, number):
    made = cgutils.create_struct_proxy(target)(context, builder)
    zero = context.get_constant(types.int64, 0)
    made.value = context.cast(builder, number, source, target.base)
    made.tangent = context.cast(builder, zero, types.int64, target.base)
    return made._getvalue()


@lower_cast(Dual, Dual)
def _dual_to_dual(context, builder, source, target, number):
    given = cgutils.create_struct_proxy(source)(context, builder, value=number)
    made = cgutils.create_struct_proxy(target)(context, builder)
    made.value = context.cast(builder, given.value, source.base, target.base)
    made.tangent = context.cast(builder, given.tangent, source.base, target.base)
    return made._getvalue()


@emitted
def dual(typing_context, value, tangent):
    """Return the dual number of a value and its tangent."""
    base = typing_context.unify_types(value, tangent)
    if isinstance(base, (types.Integer, types.Boolean)):
        base = types.float64

    def emit(context, builder, signature, arguments):
        made = cgutils.create_struct_proxy(signature.return_type)(context, builder)
        made.value = context.cast(builder, arguments[0], signature.args[0], base)
        made.tangent = context.cast(builder, arguments[1], signature.args[1], base)
        return made._getvalue()

    return Dual(base)(value, tangent), emit


def tangent_of(x: Any) -> Any:
    """Return the tangent of a number in compiled code; 0 where it has none."""
    raise NotImplementedError("in compiled code only")


@overload(tangent_of)
def _tangent_of(x):
    return (lambda x: x.tangent) if isinstance(x, Dual) else (lambda x: 0.0)


RETURNED: Final = "scalar_primitive: returned "  # how an error tells a wrong type


def number(x: Any) -> Any:
    """Return x in compiled code; refuse to compile where it is not always a number."""
    raise NotImplementedError("in compiled code only")


@overload(number)
def _number(x):
    if isinstance(x, types.Complex) or not isinstance(x, (Dual, *_NUMBERS)):
        raise TypingError(f"{RETURNED}{x}")
    return lambda x: x


def _value_of(x: Any) -> Any:
    raise NotImplementedError("in compiled code only")


@overload(_value_of)
def _overload_value_of(x):
    return (lambda x: x.value) if isinstance(x, Dual) else (lambda x: x)


def _vanishes(x: Any) -> Any:
    raise NotImplementedError("in compiled code only")


@overload(_vanishes)
def _overload_vanishes(x):
    if isinstance(x, Dual):
        return lambda x: _vanishes(x.value) and _vanishes(x.tangent)
    return lambda x: x == 0


# -- operations -----------------------------------------------------------------------


def _rule(both: Any, left: Any, right: Any, *functions: Any) -> None:
    """Define operations on two duals, and on the left or right one and a number."""
    for function in functions:
        _define_rule(function, both, left, right)


def _define_rule(function: Any, both: Any, left: Any, right: Any) -> None:
    @overload(function)
    def choose(x, y):
        if isinstance(x, Dual) and isinstance(y, Dual):
            return both
        if isinstance(x, Dual) and isinstance(y, _NUMBERS):
            return left
        if isinstance(x, _NUMBERS) and isinstance(y, Dual):
            return right
        return None


def _comparison(function: Any) -> None:
    def compare(x, y):
        return function(_value_of(x), _value_of(y))

    _rule(compare, compare, compare, function)


for _function in (
    *(operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne),
):
    _comparison(_function)

_rule(
    lambda x, y: dual(x.value + y.value, x.tangent + y.tangent),
    lambda x, y: dual(x.value + y, x.tangent),
    lambda x, y: dual(x + y.value, y.tangent),
    operator.add,
    operator.iadd,
)

_rule(
    lambda x, y: dual(x.value - y.value, x.tangent - y.tangent),
    lambda x, y: dual(x.value - y, x.tangent),
    lambda x, y: dual(x - y.value, -y.tangent),
    operator.sub,
    operator.isub,
)

_rule(
    lambda x, y: dual(x.value * y.value, x.tangent * y.value + x.value * y.tangent),
    lambda x, y: dual(x.value * y, x.tangent * y),
    lambda x, y: dual(x * y.value, x * y.tangent),
    operator.mul,
    operator.imul,
)


def _divide(x, y):
    z = x.value / y.value
    return dual(z, (x.tangent - z * y.tangent) / y.value)


def _divide_number(x, y):
    z = x / y.value
    return dual(z, -z * y.tangent / y.value)


_rule(
    _divide,
    lambda x, y: dual(x.value / y, x.tangent / y),
    _divide_number,
    operator.truediv,
    operator.itruediv,
)


def _remainder(x, y):
    quotient = math.floor(x / y)
    return x - quotient * y


_rule(
    _remainder,
    _remainder,
    _remainder,
    operator.mod,
    operator.imod,
)


def _power(x, y):
    z = x.value**y.value
    slope = y.value * x.value ** (y.value - 1)
    if _vanishes(y.tangent):  # the logarithm may not exist
        return dual(z, slope * x.tangent)
    return dual(z, slope * x.tangent + z * math.log(x.value) * y.tangent)


def _power_of_dual(x, y):
    if y == 0:
        return dual(x.value**y, 0 * x.tangent)
    return dual(x.value**y, y * x.value ** (y - 1) * x.tangent)


def _power_of_number(x, y):
    z = x**y.value
    return dual(z, z * math.log(x) * y.tangent)


_rule(
    _power,
    _power_of_dual,
    _power_of_number,
    operator.pow,
    operator.ipow,
    math.pow,
    np.power,
)


def _larger(x, y):
    a, b = _value_of(x), _value_of(y)
    if a > b:
        return dual(a, tangent_of(x))
    if b > a:
        return dual(b, tangent_of(y))
    return dual(a, (tangent_of(x) + tangent_of(y)) / 2)


def _smaller(x, y):
    return -max(-x, -y)


_rule(
    _larger,
    _larger,
    _larger,
    max,
    np.maximum,
)
_rule(
    _smaller,
    _smaller,
    _smaller,
    min,
    np.minimum,
)


def _hypotenuse(x, y):
    return math.sqrt(x * x + y * y)


def _angle(x, y):
    a, b = _value_of(x), _value_of(y)
    slope = (b * tangent_of(x) - a * tangent_of(y)) / (a * a + b * b)
    return dual(math.atan2(a, b), slope)


def _copied_sign(x, y):
    sign = math.copysign(1.0, _plain(y))
    return x * (sign * math.copysign(1.0, _plain(x)))


_rule(
    _hypotenuse,
    _hypotenuse,
    _hypotenuse,
    math.hypot,
    np.hypot,
)
_rule(
    _angle,
    _angle,
    _angle,
    math.atan2,
    np.arctan2,
)
_rule(
    _copied_sign,
    _copied_sign,
    _copied_sign,
    math.copysign,
    np.copysign,
)


def _plain(x: Any) -> Any:
    raise NotImplementedError("in compiled code only")


@overload(_plain)
def _overload_plain(x):
    return (lambda x: _plain(x.value)) if isinstance(x, Dual) else (lambda x: x)


# -- functions of one number ----------------------------------------------------------


def _function_of_one(slope: Callable[[Any, Any], Any], *functions: Any) -> None:
    """Define functions by their slope at x, where their value is y."""
    compiled = register_jitable(slope)
    for function in functions:
        _define(function, function, compiled)


def _define(function: Any, plain: Any, slope: Any) -> None:
    @overload(function)
    def choose(x):
        if not isinstance(x, Dual):
            return None

        def push(x):
            y = plain(x.value)
            return dual(y, x.tangent * slope(x.value, y))

        return push


def _constant(*functions: Any) -> None:
    """Define functions that have no slope, such as floor or isnan."""
    for function in functions:
        _define_constant(function)


def _define_constant(function: Any) -> None:
    @overload(function)
    def choose(x):
        return (lambda x: function(_plain(x))) if isinstance(x, Dual) else None


@register_jitable
def _sign(x):
    return 1.0 if x > 0 else (-1.0 if x < 0 else 0.0)


_function_of_one(lambda x, y: -1.0, operator.neg, np.negative)
_function_of_one(lambda x, y: 1.0, operator.pos, np.positive)
_function_of_one(lambda x, y: _sign(x), abs, math.fabs, np.abs, np.fabs)
_function_of_one(lambda x, y: 2 * x, np.square)
_function_of_one(lambda x, y: 0.5 / y, math.sqrt, np.sqrt)
_function_of_one(lambda x, y: y, math.exp, np.exp)
_function_of_one(lambda x, y: y + 1, math.expm1, np.expm1)
_function_of_one(lambda x, y: y * math.log(2.0), np.exp2)
_function_of_one(lambda x, y: 1 / x, math.log, np.log)
_function_of_one(lambda x, y: 1 / (1 + x), math.log1p, np.log1p)
_function_of_one(lambda x, y: 1 / (x * math.log(2.0)), math.log2, np.log2)
_function_of_one(lambda x, y: 1 / (x * math.log(10.0)), math.log10, np.log10)
_function_of_one(lambda x, y: math.cos(x), math.sin, np.sin)
_function_of_one(lambda x, y: -math.sin(x), math.cos, np.cos)
_function_of_one(lambda x, y: 1 + y * y, math.tan, np.tan)
_function_of_one(lambda x, y: 1 / math.sqrt(1 - x * x), math.asin, np.arcsin)
_function_of_one(lambda x, y: -1 / math.sqrt(1 - x * x), math.acos, np.arccos)
_function_of_one(lambda x, y: 1 / (1 + x * x), math.atan, np.arctan)
_function_of_one(lambda x, y: math.cosh(x), math.sinh, np.sinh)
_function_of_one(lambda x, y: math.sinh(x), math.cosh, np.cosh)
_function_of_one(lambda x, y: 1 - y * y, math.tanh, np.tanh)
_function_of_one(lambda x, y: 1 / math.sqrt(x * x + 1), math.asinh, np.arcsinh)
_function_of_one(lambda x, y: 1 / math.sqrt(x * x - 1), math.acosh, np.arccosh)
_function_of_one(lambda x, y: 1 / (1 - x * x), math.atanh, np.arctanh)
_function_of_one(lambda x, y: 2 / math.sqrt(math.pi) * math.exp(-x * x), math.erf)
_function_of_one(lambda x, y: -2 / math.sqrt(math.pi) * math.exp(-x * x), math.erfc)

_constant(math.floor, math.ceil, math.trunc, np.floor, np.ceil, np.trunc, np.sign)
_constant(math.isnan, math.isinf, math.isfinite)
_constant(np.isnan, np.isinf, np.isfinite)
