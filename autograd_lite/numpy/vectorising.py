"""np.vectorize of traced arrays: a Python function applied to one element at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import is_tracer
from ..errors import DifferentiationTypeError, UnsupportedError
from ..ops.basic import reshape, stack
from .dispatch import converted, has_tracer, operand


class vectorize(np.vectorize):
    """NumPy's vectorize, which with a traced argument calls the function on tracers.

    >>> import autograd_lite.numpy as np
    >>> from autograd_lite import grad
    >>> f = np.vectorize(lambda x, y: x**2 if x > y else 0.0)
    >>> print(grad(lambda x: np.sum(f(x, 1.0)))(np.array([0.5, 3.0])))
    [0. 6.]
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the function's results for all elements of the broadcast arguments."""
        if not has_tracer(args) and not has_tracer(kwargs.values()):
            return super().__call__(*args, **kwargs)
        if self.signature is not None:
            raise UnsupportedError(
                f"np.vectorize: signature={self.signature!r} is not supported for "
                "traced arrays; use vmap, or np.stack of the results"
            )
        return self._of_each(args, kwargs)

    def _of_each(self, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """Call the function on each element, and put the results together."""
        given: dict[Any, Any] = dict(enumerate(args))
        given.update(kwargs)
        varied = [key for key in given if key not in self.excluded]
        arrays = np.broadcast_arrays(*[operand(given[key]) for key in varied])
        shape = arrays[0].shape
        results = []
        for index in np.ndindex(*shape):
            here = given | {key: x[index] for key, x in zip(varied, arrays)}
            named = {key: x for key, x in here.items() if isinstance(key, str)}
            results.append(self.pyfunc(*[here[i] for i in range(len(args))], **named))
        if not results:
            raise ValueError("np.vectorize: a traced argument without elements")
        if not isinstance(results[0], tuple):
            return _joined(results, shape, self._type(0))
        return tuple(
            [_joined(y, shape, self._type(i)) for i, y in enumerate(zip(*results))]
        )

    def _type(self, number: int) -> Any:
        return self.otypes[number] if self.otypes else None


def _joined(results: Sequence[Any], shape: tuple[int, ...], dtype: Any) -> Any:
    """Return results as an array; its dtype is that of the first, if none is asked."""
    values = [operand(y) for y in results]
    dtype = values[0].dtype if dtype is None else np.dtype(dtype)
    if dtype.kind not in "fc" and any(is_tracer(y) for y in values):
        raise DifferentiationTypeError(
            f"np.vectorize: the results have dtype {dtype}, that of the first, so that "
            "the traced ones would lose their derivative; pass otypes=[float]"
        )
    return reshape(stack(*[converted(y, dtype) for y in values]), shape=shape)
