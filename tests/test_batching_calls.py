"""Which of NumPy's functions are mapped in a loop: those on a short list."""

import numpy
from test_numpy_calls import CALLS, UPDATES, VALUE_DEPENDENT, Call, arrays

import autograd_lite.numpy as anp
from autograd_lite import batching, vmap

LOOPS = {
    # How large their results are depends on the values.
    *["nonzero", "flatnonzero", "argwhere", "take", "_places", "_in_both"],
    # They search in sets, edges or weights that differ from element to element.
    *["isin", "searchsorted", "digitize", "_chosen", "_position", "quantile"],
    *["_edges", "_counts", "_cells_of"],
    # They tell one thing of whole arrays.
    *["allclose", "array_equal", "array_equiv"],
}


def test_nothing_else_loops(monkeypatch):
    seen = {}
    expression = ""
    monkeypatch.setattr(
        batching, "_announce", lambda p: seen.setdefault(p.name, expression)
    )
    for expression in [*CALLS, *UPDATES]:
        if not VALUE_DEPENDENT.search(expression):
            calls = [Call(expression, anp, arrays(seed)) for seed in range(2)]
            vmap(calls[0])(
                *[numpy.stack(xs) for xs in zip(*[call.args for call in calls])]
            )
    unexpected = {name: seen[name] for name in seen.keys() - LOOPS}
    assert not unexpected, "give them a batching rule: see numpy/mapped.py"
    assert {"nonzero", "isin"} & seen.keys()  # loops are seen
