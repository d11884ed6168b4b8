"""Every primitive under the tools: no false alarm, no change, a row on the tape."""

import warnings

import numpy as np
from test_cases import function_of_floats, has_floats, rows, sample

from autograd_lite import debug_nans, jvp, tape, tree, vjp, vmap


def derivatives(case):
    """A row's values and derivatives in all modes, to second order where it has one."""
    fun, xs = function_of_floats(case, sample(case))

    def there_and_back(*xs):
        ys, pullback = vjp(fun, *xs)
        return pullback(ys)

    stacked = [np.stack([x, x]) for x in xs]
    found = [jvp(fun, xs, xs), vmap(fun)(*stacked), there_and_back(*xs)]
    if case.order > 1:
        found.append(jvp(there_and_back, xs, xs))
    return tree.leaves(found)


@rows(lambda case: case.order > 0 and has_floats(case))
def test_debug_nans_raises_no_false_alarm_and_changes_nothing(case):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = derivatives(case)
        with debug_nans():
            watched = derivatives(case)
    for x, y in zip(watched, plain, strict=True):
        np.testing.assert_array_equal(x, y)


@rows(lambda case: case.order > 0 and has_floats(case))
def test_the_tape_has_a_row_that_can_be_shown(case):
    fun, xs = function_of_floats(case, sample(case))
    table = tape(fun, tuple(range(len(xs))))(*xs)
    assert case.primitive.name in [row.primitive for row in table]
    assert case.primitive.name in repr(table)
    assert table.to_html() and table.to_json() and table.to_dot()
