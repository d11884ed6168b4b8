"""`autograd_lite.benchmark`: times, shares of primitives, arithmetic, memory."""

import json
import time

import numpy as onp
import pytest

import autograd_lite
import autograd_lite.numpy as np
from autograd_lite import benchmark, errors, grad, nn, optim, value_and_grad
from autograd_lite.benchmarking import timing
from autograd_lite.flops import flops

X = onp.random.default_rng(0).random((4, 12, 12, 1), onp.float32)
W = onp.random.default_rng(1).random((3, 3, 1, 8), onp.float32)
DENSE = onp.ones((200, 10), onp.float32)


def loss(w, dense, x):
    """A small network."""
    y = nn.max_pool(nn.relu(nn.conv(x, w)), 2)
    return np.sum(nn.flatten(y) @ dense)


def test_times_are_of_the_function_and_of_its_derivative():
    found = benchmark(loss, W, DENSE, X, seconds=0.05)
    for part in (found.call, found.forward, found.backward):
        assert 0 < part.low <= part.median <= part.high
        assert part.calls >= 7


def test_a_slow_function_is_seen_to_be_slow():
    def slow(x):
        time.sleep(0.02)
        return x * x

    found = benchmark(slow, 3.0, seconds=0.01)
    assert found.call.calls == 7
    assert 0.02 < found.call.median < 0.2
    assert found.forward.median > 0.02 > found.backward.median


def test_primitives_with_their_arithmetic():
    found = benchmark(loss, W, DENSE, X, grad=(0, 1), seconds=0.01)
    shares = {share.primitive: share for share in found.primitives}
    assert shares["matmul"].flops == 2 * 4 * 200 * 10
    conv = sum(s.flops for name, s in shares.items() if name.startswith("conv"))
    assert conv == 2 * 4 * 100 * 9 * 8
    assert shares["matmul"].moved == 4 * (4 * 200 + 200 * 10 + 4 * 10)
    assert all(s.forward > 0 for s in shares.values())
    assert shares["matmul"].backward > 0
    assert found.flops >= conv + shares["matmul"].flops


def test_a_training_step_is_timed_as_a_whole():
    opt = optim.sgd(0.1)
    derivative = value_and_grad(loss)

    def step(w, state):
        _, g = derivative(w, DENSE, X)
        updates, state = opt.update(g, state, w)
        return optim.apply_updates(w, updates), state

    found = benchmark(step, W, opt.init(W), grad=False, seconds=0.01)
    assert found.forward is None and found.backward is None
    assert "matmul" in [share.primitive for share in found.primitives]


def test_what_grad_returns_is_not_differentiated_again():
    found = benchmark(grad(loss), W, DENSE, X, seconds=0.01)
    assert found.forward is None and found.primitives


def test_a_function_without_derivatives():
    found = benchmark(lambda x: x + 1, onp.arange(3), grad=False, seconds=0.01)
    assert found.primitives == [] and found.flops == 0
    assert "by primitive" not in repr(found)


def test_allocations():
    def double(x):
        return np.sum(x * 2.0 + 1.0)

    found = benchmark(double, onp.ones(1_000_000), seconds=0.01)
    assert 8e6 <= found.allocations.peak < 50e6
    assert found.allocations.faults is None or found.allocations.faults >= 0


def test_tracing_goes_on_for_who_had_started_it():
    import tracemalloc

    tracemalloc.start()
    try:
        benchmark(np.sum, onp.ones(3), seconds=0.01)
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()
    benchmark(np.sum, onp.ones(3), seconds=0.01)
    assert not tracemalloc.is_tracing()


def test_report():
    found = benchmark(loss, W, DENSE, X, seconds=0.01)
    text = repr(found)
    for word in ("benchmark of loss", "backward", "matmul", "GFLOP/s", "page faults"):
        assert word in text
    assert found._repr_html_().count("<table") == 2
    plain = json.loads(json.dumps(found.to_dict()))
    assert plain["function"] == "loss"
    assert plain["call"]["median"] == found.call.median
    assert plain["primitives"][0]["primitive"] == found.primitives[0].primitive


def test_seconds_have_to_be_positive():
    with pytest.raises(errors.ArgumentError, match="seconds=0: expected a positive"):
        benchmark(np.sum, onp.ones(3), seconds=0)


def test_it_is_loaded_late():
    assert autograd_lite.benchmark is benchmark
    assert benchmark.__module__ == "autograd_lite.benchmarking"


# -- statistics and arithmetic -----------------------------------------------------


def test_interval_of_the_median_holds_it():
    """In about 95 of 100 samples of a skewed distribution, whose median is 1."""
    rng = onp.random.default_rng(0)
    held = 0
    for _ in range(1000):
        found = timing(rng.lognormal(sigma=1.0, size=25))
        held += found.low <= 1.0 <= found.high
    assert 0.93 <= held / 1000 <= 0.99


@pytest.mark.parametrize(
    "primitive, inputs, outputs, params, expected",
    [
        ("matmul", [(2, 3), (3, 5)], [(2, 5)], {}, 60),
        ("matmul", [(7, 2, 3), (3, 5)], [(7, 2, 5)], {}, 420),
        ("affine", [(2, 3), (3, 5), (5,)], [(2, 5)], {}, 70),
        ("einsum", [(2, 3), (3, 5)], [(2, 5)], {"subscripts": "ab,bc->ac"}, 60),
        ("add", [(2, 3), (3,)], [(2, 3)], {}, 6),
        ("sum", [(2, 3)], [(2,)], {}, 6),
        ("reshape", [(2, 3)], [(6,)], {}, 0),
        ("conv", [(1, 5, 5, 2), (3, 3, 2, 4)], [(1, 3, 3, 4)], {}, 2 * 36 * 18),
        ("no such primitive", [(2,)], [(2,)], {}, None),
    ],
)
def test_arithmetic(primitive, inputs, outputs, params, expected):
    assert flops(primitive, inputs, outputs, params) == expected


def test_gradients_of_a_convolution_cost_what_it_costs():
    """With every primitive's own shapes, as `vjp` calls it."""
    x, w = onp.ones((2, 9, 9, 4)), onp.ones((3, 3, 4, 6))
    names = {"conv", "conv_input_grad", "conv_weight_grad"}

    def second(x, w):
        return np.sum(sum(map(np.sum, grad(_conv, (0, 1))(x, w))))

    found = benchmark(second, x, w, grad=(0, 1), seconds=0.01)
    counts = {s.primitive: s for s in found.primitives if s.primitive in names}
    assert set(counts) == names
    one = 2 * 2 * 49 * 6 * 36
    assert all(s.flops == one * s.calls for s in counts.values())


def _conv(x, w):
    return np.sum(nn.conv(x, w) ** 2)
