"""The functions of the banks in `tests/faults`, shown to each library's checker.

A form gives a library's namespace `np`, its way to give a function a rule of one's own,
and its checker at the defaults, which raises. `unable` are errors that mean that it
can't express a case, `every` the share of the right functions that it is shown.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from typing import Any

import numpy

from autograd_lite import testing

Check = Callable[[], Any]


def banks(name: str) -> Any:
    """Import a module of `tests/faults`, which is no part of what is installed."""
    return importlib.import_module(f"tests.faults.{name}")


class Ours:
    """autograd_lite: `check_grads`, or `check_primitive` where a fault says so."""

    foreign, every = False, 1
    unable: tuple[type[Exception], ...] = ()

    def __init__(self, **settings: Any) -> None:
        ours = banks("ours")
        self.np, self.build, self.settings = ours.TRACED, ours.build, settings

    def with_rule(self, fault: Any, pull: Any) -> Check:
        """Return the check of a function with a rule."""
        fun, args = self.build(fault.function, pull), fault.function.args
        if fault.checker == "check_primitive":
            return lambda: testing.check_primitive(fun, *args, **self.settings)
        return lambda: testing.check_grads(fun, args, **self.settings)

    def plain(self, fun: Any, args: Any) -> Check:
        """Return the check of a function of the library's own operations."""
        return lambda: testing.check_grads(
            lambda *xs: fun(self.np, *xs), args, **self.settings
        )


class First(Ours):
    """autograd_lite, first derivatives in reverse mode alone: what PyTorch checks."""

    def __init__(self) -> None:
        super().__init__(order=1, modes=["rev"])


class Hips:
    """HIPS autograd's `check_grads`: second order; reverse mode for rules of one's own.

    Its rules are in reverse mode, and its forward mode needs rules of its own.
    """

    foreign, every = True, 1
    unable = (NotImplementedError, AttributeError)

    def __init__(self) -> None:
        import autograd.numpy
        from autograd.tracer import getval

        def stop(x: Any) -> Any:
            inner = getval(x)
            return x if inner is x else stop(inner)

        self.np = banks("spaces").Space(autograd.numpy, stop)

    def with_rule(self, fault: Any, pull: Any) -> Check:
        """Return the check of a function with a rule."""
        from autograd.extend import defvjp, primitive

        plain = banks("spaces").PLAIN
        fun = primitive(lambda *xs: fault.function.value(plain, *xs))

        def maker(i: int) -> Any:
            return lambda ans, *xs: lambda g: pull(self.np, g, ans, *xs)[i]

        args = fault.function.args
        defvjp(fun, *[maker(i) for i in range(len(args))])
        return lambda: self._check(fun, args, modes=["rev"])

    def plain(self, fun: Any, args: Any) -> Check:
        """Return the check of a function of the library's own operations."""
        return lambda: self._check(lambda *xs: fun(self.np, *xs), args)

    def _check(self, fun: Any, args: Any, **settings: Any) -> None:
        from autograd.test_util import check_grads

        places = tuple(range(len(args)))
        check_grads(fun, places, **settings)(*[x.copy() for x in args])


class Jax:
    """`jax.test_util.check_grads` in second order, with 64 bits enabled.

    Functions with rules of one's own have no forward mode. As it takes near a second
    per check it sees every eighth right function only.
    """

    foreign, every = True, 8
    unable = (NotImplementedError, AttributeError)

    def __init__(self) -> None:
        import jax

        jax.config.update("jax_enable_x64", True)
        self.np = banks("spaces").Space(jax.numpy, jax.lax.stop_gradient)

    def with_rule(self, fault: Any, pull: Any) -> Check | None:
        """Return the check of a function with a rule; None if it changes arrays."""
        import jax
        from jax.test_util import check_grads

        if fault.family == "alias":
            return None
        fun = jax.custom_vjp(lambda *xs: fault.function.value(self.np, *xs))

        def forward(*xs: Any) -> Any:
            ans = fun(*xs)
            return ans, (ans, xs)

        fun.defvjp(forward, lambda kept, g: pull(self.np, g, kept[0], *kept[1]))
        args = tuple([jax.numpy.asarray(x) for x in fault.function.args])
        return lambda: check_grads(fun, args, order=2, modes=["rev"])

    def plain(self, fun: Any, args: Any) -> Check:
        """Return the check of a function of the library's own operations."""
        import jax
        from jax.test_util import check_grads

        arrays = tuple([jax.numpy.asarray(x) for x in args])
        return lambda: check_grads(lambda *xs: fun(self.np, *xs), arrays, order=2)


class Torch:
    """`torch.autograd.gradcheck`; for faults of second order `gradgradcheck`, too."""

    foreign, every = True, 1
    unable = (NotImplementedError, AttributeError)

    def __init__(self) -> None:
        import torch

        self.torch = torch
        self.np = banks("spaces").Space(torch, lambda x: x.detach())
        self.np.const = lambda a, x: torch.as_tensor(numpy.asarray(a)).to(x.dtype)
        self.np.cast = lambda x, name: x.to(getattr(torch, name))

    def with_rule(self, fault: Any, pull: Any) -> Check:
        """Return the check of a function with a rule."""
        function = self._function(fault.function.value, pull)
        args = self._tensors(fault.function.args)
        both = fault.family == "second order"

        def check() -> None:
            self.torch.autograd.gradcheck(function.apply, args)
            if both:
                self.torch.autograd.gradgradcheck(function.apply, args)

        return check

    def _function(self, value: Any, pull: Any) -> Any:
        """Return a class of PyTorch's for a function with a rule.

        PyTorch's gradients of complex numbers are the conjugates of ours.
        """

        def forward(ctx: Any, *xs: Any) -> Any:
            ans = value(self.np, *xs)
            ctx.save_for_backward(ans, *xs)
            return ans

        def backward(ctx: Any, g: Any) -> Any:
            ans, *xs = ctx.saved_tensors
            if not g.is_complex():
                return pull(self.np, g, ans, *xs)
            found = pull(self.np, g.conj().resolve_conj(), ans, *xs)
            return tuple([x_bar.conj() for x_bar in found])

        methods = {"forward": forward, "backward": backward}
        static = {name: staticmethod(method) for name, method in methods.items()}
        return type("Ruled", (self.torch.autograd.Function,), static)

    def plain(self, fun: Any, args: Any) -> Check:
        """Return the check of a function of the library's own operations."""
        tensors = self._tensors(args)
        return lambda: self.torch.autograd.gradcheck(
            lambda *xs: fun(self.np, *xs), tensors
        )

    def _tensors(self, args: Any) -> Any:
        return tuple([self.torch.tensor(x, requires_grad=True) for x in args])


FORMS: dict[str, Callable[[], Any]] = {
    "autograd_lite": Ours,
    "autograd_lite, order 1": First,
    "torch gradcheck": Torch,
    "jax check_grads": Jax,
    "HIPS check_grads": Hips,
}
LIBRARIES = {
    "torch gradcheck": "torch",
    "jax check_grads": "jax",
    "HIPS check_grads": "autograd",
}


# What the checkers raise, and what a wrong rule may make them stumble over.
REJECTIONS = (
    *(ArithmeticError, AssertionError, LookupError),
    *(RuntimeError, TypeError, ValueError),
)


def outcome(check: Check | None, unable: tuple[type[Exception], ...]) -> str:
    """Return what a checker says: "accepted", "rejected", or "unable" to run.

    A warning that nothing can be said is no rejection.
    """
    if check is None:
        return "unable"
    with warnings.catch_warnings(), numpy.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            check()
        except unable:
            return "unable"
        except REJECTIONS:
            return "rejected"
    return "accepted"
