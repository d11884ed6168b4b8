"""The functions of the banks in `tests/faults`, shown to each library's checker.

A form gives a library's namespace, its way to give a function a rule of one's own, and
its checker at the defaults. It raises what the checker raises.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy

Check = Callable[[], Any]


class Ours:
    """autograd_lite: `check_grads`, or `check_primitive` where a fault says so."""

    foreign = False
    unable: tuple[type[Exception], ...] = ()

    def __init__(self, **settings: Any) -> None:
        from tests.faults.ours import TRACED, build

        self.np, self.build, self.settings = TRACED, build, settings

    def with_rule(self, fault: Any, pull: Any) -> Check:
        """Return the check of a function with a rule."""
        from autograd_lite import testing

        fun, args = self.build(fault.function, pull), fault.function.args
        if fault.checker == "check_primitive":
            return lambda: testing.check_primitive(fun, *args, **self.settings)
        return lambda: testing.check_grads(fun, args, **self.settings)

    def plain(self, fun: Any, args: Any) -> Check:
        """Return the check of a function of the library's own operations."""
        from autograd_lite import testing

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

    foreign = True
    unable = (NotImplementedError, AttributeError)

    def __init__(self) -> None:
        import autograd.numpy
        from autograd.tracer import getval

        from tests.faults.spaces import Space

        def stop(x: Any) -> Any:
            inner = getval(x)
            return x if inner is x else stop(inner)

        self.np = Space(autograd.numpy, stop)

    def with_rule(self, fault: Any, pull: Any) -> Check:
        """Return the check of a function with a rule."""
        from autograd.extend import defvjp, primitive

        from tests.faults.spaces import PLAIN

        fun = primitive(lambda *xs: fault.function.value(PLAIN, *xs))

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

    Functions with rules of one's own have no forward mode.
    """

    foreign = True
    unable = (NotImplementedError, AttributeError)

    def __init__(self) -> None:
        import jax

        from tests.faults.spaces import Space

        jax.config.update("jax_enable_x64", True)
        self.np = Space(jax.numpy, jax.lax.stop_gradient)

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

    foreign = True
    unable = (NotImplementedError, AttributeError)

    def __init__(self) -> None:
        import torch

        from tests.faults.spaces import Space

        class Tensors(Space):
            def const(self, a: Any, x: Any) -> Any:
                return torch.as_tensor(numpy.asarray(a)).to(x.dtype)

            def cast(self, x: Any, name: str) -> Any:
                return x.to(getattr(torch, name))

        self.torch = torch
        self.np = Tensors(torch, lambda x: x.detach())

    def with_rule(self, fault: Any, pull: Any) -> Check:
        """Return the check of a function with a rule.

        PyTorch's gradients of complex numbers are the conjugates of ours.
        """
        space = self.np

        class Ruled(self.torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, *xs: Any) -> Any:
                ans = fault.function.value(space, *xs)
                ctx.save_for_backward(ans, *xs)
                return ans

            @staticmethod
            def backward(ctx: Any, g: Any) -> Any:
                ans, *xs = ctx.saved_tensors
                if not g.is_complex():
                    return pull(space, g, ans, *xs)
                found = pull(space, g.conj().resolve_conj(), ans, *xs)
                return tuple([x_bar.conj() for x_bar in found])

        args = self._tensors(fault.function.args)
        both = fault.family == "second order"

        def check() -> None:
            self.torch.autograd.gradcheck(Ruled.apply, args)
            if both:
                self.torch.autograd.gradgradcheck(Ruled.apply, args)

        return check

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
        except Exception:  # noqa: BLE001 (each library has its own)
            return "rejected"
    return "accepted"
