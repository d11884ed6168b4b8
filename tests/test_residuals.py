"""Bytes kept by pullbacks: owners once, views and broadcasts as what they hold."""

import functools

import numpy as np

import autograd_lite.numpy as anp
from autograd_lite import vjp
from autograd_lite.residuals import kept_arrays, kept_bytes

X = np.arange(1000.0)


def keep(*arrays):
    return lambda g: (g, arrays)


def test_views_count_as_their_owner_once():
    assert kept_bytes([keep(X[::2], X[5:]), keep(X.reshape(10, 100).T)]) == 8000
    assert kept_arrays(keep(X[::2]))[0] is X


def test_broadcasts_count_what_is_stored():
    assert kept_bytes([keep(np.broadcast_to(X, (50, 1000)))]) == 8000
    _, pull = vjp(lambda x: anp.sum(x) * 2.0, X)
    assert kept_bytes([pull], besides=[X]) < 100


def test_every_place_an_array_may_stand():
    class Rule:
        def __init__(self):
            self.residual = X

        def __call__(self, g):
            return g * self.residual

    def default(g, x=X, *, y=X + 1):
        return g * x * y

    assert kept_bytes([Rule()]) == kept_bytes([Rule().__call__]) == 8000
    assert kept_bytes([functools.partial(np.multiply, X)]) == 8000
    assert kept_bytes([default]) == 16000
    assert kept_bytes([keep({"a": [X, (X + 1,)]})]) == 16000


def test_what_lives_anyway_is_left_out():
    kept = [keep(X[::2], X + 1), keep(X + 2)]
    assert kept_bytes(kept) == 24000
    assert kept_bytes(kept, besides=[X[1:], 3.0]) == 16000


def test_a_deep_chain_needs_no_stack():
    pull = keep(X)
    for _ in range(20_000):
        pull = keep(pull)
    assert kept_bytes([pull]) == 8000
