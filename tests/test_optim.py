"""Optimisers: formulas, PyTorch's numbers, trees, donation, schedules, errors."""

import copy
import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_lite import optim, tree, value_and_grad
from autograd_lite.errors import ArgumentError, AutogradError, ShapeError, TreeError

ALL = {
    "sgd": lambda lr: optim.sgd(lr),
    "sgd_decay": lambda lr: optim.sgd(lr, weight_decay=0.1),
    "momentum": lambda lr: optim.momentum(lr, 0.9),
    "nesterov": lambda lr: optim.nesterov(lr, 0.9, weight_decay=0.1),
    "adam": lambda lr: optim.adam(lr),
    "adamw": lambda lr: optim.adamw(lr, weight_decay=0.1),
    "rmsprop": lambda lr: optim.rmsprop(lr),
    "chain": lambda lr: optim.chain(optim.clip_by_global_norm(0.5), optim.adam(lr)),
    "decayed": lambda lr: optim.chain(optim.add_decayed_weights(0.1), optim.sgd(lr)),
    "combine": lambda lr: optim.combine(optim.adam(lr), optim.momentum(lr)),
}
every_optimiser = pytest.mark.parametrize("make", ALL.values(), ids=ALL)


def sample(dtype=np.float32, seed=0):
    """A tree with nesting, a scalar, an empty leaf and None."""
    rng = np.random.default_rng(seed)
    return {
        "conv": {"w": rng.standard_normal((3, 3, 2, 4)).astype(dtype), "none": None},
        "dense": [rng.standard_normal((5, 2)).astype(dtype), dtype(rng.normal())],
        "empty": np.zeros((0, 3), dtype),
    }


def train(optimizer, params, steps=5, donate=False, state=None, start=0):
    """Follow gradients that depend on the parameters and the step."""
    state = optimizer.init(params) if state is None else state
    for i in range(start, start + steps):
        grads = tree.map(lambda p, i=i: np.sin(3 * p + p.dtype.type(i)), params)
        updates, state = optimizer.update(grads, state, params, donate=donate)
        params = optim.apply_updates(params, updates, donate=donate)
    return params, state


def train_at_once(optimizer, params, steps=5, donate=False):
    """The same, by `optim.step`."""
    state = optimizer.init(params)
    for i in range(steps):
        grads = tree.map(lambda p, i=i: np.sin(3 * p + p.dtype.type(i)), params)
        params, state = optim.step(optimizer, grads, state, params, donate=donate)
    return params, state


def assert_trees_equal(a, b):
    tree.map(np.testing.assert_array_equal, a, b)


# -- both in one step --------------------------------------------------------------


@every_optimiser
@pytest.mark.parametrize("donate", [False, True])
@pytest.mark.parametrize("size", [None, 100_000])  # large enough for two threads
def test_step_is_update_and_apply_updates(make, donate, size):
    params = sample() if size is None else {"w": np.linspace(-1, 1, size)}
    before = tree.map(np.copy, params)
    apart = train(make(0.1), params)
    at_once = train_at_once(make(0.1), tree.map(np.copy, params), donate=donate)
    assert_trees_equal(at_once, apart)
    assert_trees_equal(params, before)


def test_step_keeps_what_it_was_not_given_up():
    opt = optim.adamw(0.1)
    params, grads = {"w": np.ones(3)}, {"w": np.ones(3)}
    state = opt.init(params)
    optim.step(opt, grads, state, params)
    assert params["w"].tolist() == grads["w"].tolist() == [1, 1, 1]
    assert state["m"]["w"].tolist() == [0, 0, 0]


def test_step_of_gradients_that_are_the_parameters():
    params = {"w": np.array([1.0, 2.0])}
    opt = optim.sgd(0.5)
    new, _ = optim.step(opt, params, opt.init(params), params, donate=True)
    assert new["w"].tolist() == [0.5, 1.0]


def test_step_names_a_leaf_that_does_not_fit():
    opt = optim.momentum(0.1)
    params = {"w": np.ones(2)}
    with pytest.raises(ShapeError, match="'w' has shape"):
        optim.step(opt, {"w": np.ones(3)}, opt.init(params), params)


# -- numbers -----------------------------------------------------------------------


def test_sgd_by_hand():
    opt = optim.sgd(0.5, weight_decay=0.1)
    updates, state = opt.update([np.array([1.0])], opt.init([0.0]), [np.array([4.0])])
    np.testing.assert_allclose(updates[0], [-0.5 * (1 + 0.1 * 4)])
    assert state == {"step": 1}


def test_first_adam_step_is_the_learning_rate():
    opt = optim.adam(0.01)
    g = np.array([1e-3, -5.0, 200.0])
    updates, _ = opt.update(g, opt.init(g))
    np.testing.assert_allclose(updates, -0.01 * np.sign(g), rtol=1e-4)


def test_constant_gradient_in_closed_form():
    # m_t = g (1 - d^t) / (1 - d), so p_t = -lr g sum_t m_t.
    opt, g, d, steps = optim.momentum(0.1, 0.9), np.ones(3), 0.9, 7
    params, state = np.zeros(3), optim.momentum(0.1).init(np.zeros(3))
    for _ in range(steps):
        updates, state = opt.update(g, state)
        params = optim.apply_updates(params, updates)
    expected = -0.1 * sum((1 - d**t) / (1 - d) for t in range(1, steps + 1))
    np.testing.assert_allclose(params, expected)


TORCH = {
    "sgd": (lambda: optim.sgd(0.1), "SGD", {"lr": 0.1}),
    "sgd_decay": (
        lambda: optim.sgd(0.1, weight_decay=0.05),
        "SGD",
        {"lr": 0.1, "weight_decay": 0.05},
    ),
    "momentum": (
        lambda: optim.momentum(0.1, 0.8, weight_decay=0.05),
        "SGD",
        {"lr": 0.1, "momentum": 0.8, "weight_decay": 0.05},
    ),
    "nesterov": (
        lambda: optim.nesterov(0.1, 0.8),
        "SGD",
        {"lr": 0.1, "momentum": 0.8, "nesterov": True},
    ),
    "adam": (
        lambda: optim.adam(0.1, 0.8, 0.95, 1e-6),
        "Adam",
        {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1e-6},
    ),
    "adamw": (
        lambda: optim.adamw(0.1, weight_decay=0.2),
        "AdamW",
        {"lr": 0.1, "weight_decay": 0.2},
    ),
    "rmsprop": (
        lambda: optim.rmsprop(0.1, 0.9),
        "RMSprop",
        {"lr": 0.1, "alpha": 0.9},
    ),
}


@pytest.mark.peer("torch")
@pytest.mark.parametrize("name", TORCH)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_path_as_torch(name, dtype):
    import torch

    make, peer, settings = TORCH[name]
    start = np.random.default_rng(0).standard_normal(100).astype(dtype)
    param = torch.tensor(start.copy(), requires_grad=True)
    theirs = getattr(torch.optim, peer)([param], **settings)
    ours, params = make(), start
    state = ours.init(params)
    for i in range(20):
        grads = np.sin(3 * param.detach().numpy() + dtype(i))
        param.grad = torch.tensor(grads)
        theirs.step()
        updates, state = ours.update(grads, state, params)
        params = optim.apply_updates(params, updates)
    error = np.abs(params - param.detach().numpy()).max()
    assert error < (1e-5 if dtype is np.float32 else 1e-13)


def test_decayed_weights_in_a_chain_are_coupled_decay():
    params = sample(np.float64)
    chained = optim.chain(optim.add_decayed_weights(0.1), optim.momentum(0.2, 0.9))
    coupled = optim.momentum(0.2, 0.9, weight_decay=0.1)
    one, two = train(chained, params)[0], train(coupled, params)[0]
    tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-13), one, two)


def test_combine_is_the_sum_of_updates():
    params = sample(np.float64)
    grads = tree.map(np.cos, params)
    members = [optim.adam(0.1), optim.momentum(0.2), optim.sgd(0.3)]
    both = optim.combine(*members)
    updates, state = both.update(grads, both.init(params), params)
    alone = [m.update(grads, m.init(params), params) for m in members]
    expected = tree.map(lambda *us: sum(us), *[u for u, _ in alone])
    tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-13), updates, expected
    )
    for one, (_, other) in zip(state, alone, strict=True):
        assert_trees_equal(one, other)


@pytest.mark.parametrize("make", [ALL["adam"], ALL["combine"], ALL["rmsprop"]])
def test_finds_the_minimum(make):
    def loss(p):
        return ((p["x"] - 3.0) ** 2).sum() + (p["y"] + 1.0) ** 2

    params = {"x": np.zeros(4), "y": 0.5}
    opt = make(0.05)
    state = opt.init(params)
    for _ in range(400):
        _, grads = value_and_grad(loss)(params)
        updates, state = opt.update(grads, state, params, donate=True)
        params = optim.apply_updates(params, updates, donate=True)
    np.testing.assert_allclose(params["x"], 3.0, atol=0.05)
    np.testing.assert_allclose(params["y"], -1.0, atol=0.05)


def test_clipping():
    grads = {"a": np.array([3.0, 0.0]), "b": np.array([[4.0]])}
    assert optim.global_norm(grads) == 5.0
    for bound, scale in [(10.0, 1.0), (5.0, 1.0), (1.0, 0.2)]:
        clip = optim.clip_by_global_norm(bound)
        clipped, state = clip.update(grads, clip.init(grads))
        expected = tree.map(lambda g, s=scale: s * g, grads)
        tree.map(np.testing.assert_allclose, clipped, expected)
        assert state == {}


def test_global_norm_of_float32_is_summed_in_float64():
    grads = [np.full(100_000, 0.1, np.float32)] * 20
    exact = math.sqrt(2_000_000) * float(np.float32(0.1))
    assert abs(optim.global_norm(grads) / exact - 1) < 1e-12
    assert optim.global_norm([np.array([1e30], np.float32)]) == pytest.approx(1e30)


# -- trees, dtypes, purity ---------------------------------------------------------


@every_optimiser
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_keeps_structure_shapes_and_dtypes(make, dtype):
    params = sample(dtype)
    trained, _ = train(make(0.1), params)
    tree.map(lambda a, b: None, trained, params)
    for old, new in zip(tree.leaves(params), tree.leaves(trained), strict=True):
        assert new.dtype == dtype and new.shape == old.shape


@dataclasses.dataclass
class Layer:
    w: np.ndarray
    b: np.ndarray


def test_any_pytree():
    params = (Layer(np.ones((2, 2)), np.zeros(2)), [None, np.ones(3)])
    trained, state = train(optim.adam(0.1), params)
    assert isinstance(trained[0], Layer) and trained[1][0] is None
    assert isinstance(state["m"][0], Layer) and state["step"] == 5


@every_optimiser
def test_changes_nothing_it_was_given(make):
    opt, params, grads = make(0.1), sample(), sample(seed=1)
    _, state = train(opt, params)
    before = copy.deepcopy((params, grads, state))
    updates, _ = opt.update(grads, state, params)
    optim.apply_updates(params, updates)
    assert_trees_equal(before, (params, grads, state))


@every_optimiser
def test_donation_changes_no_number(make):
    kept, kept_state = train(make(0.1), sample())
    given_up, state = train(make(0.1), sample(), donate=True)
    assert_trees_equal((kept, kept_state), (given_up, state))


def test_donation_reuses_memory():
    opt = optim.adam(0.1)
    params, g = np.ones(10), np.ones(10)
    state = opt.init(params)
    moments = state["m"], state["v"]
    updates, state = opt.update(g, state, params, donate=True)
    assert updates is g and (state["m"], state["v"]) == (moments[0], moments[1])
    assert optim.apply_updates(params, updates, donate=True) is params


@pytest.mark.parametrize("make", [ALL["momentum"], ALL["adamw"]])
def test_donated_leaves_that_share_memory_are_told_apart(make):
    opt, g = make(0.1), np.arange(4.0)
    shared = [g, g, g[:2], np.broadcast_to(1.0, (3,)), g.reshape(2, 2).T]
    params = [np.ones(leaf.shape) for leaf in shared]
    expected, _ = opt.update([leaf.copy() for leaf in shared], opt.init(params), params)
    updates, _ = opt.update(shared, opt.init(params), params, donate=True)
    assert_trees_equal(updates, expected)


def test_donated_gradient_may_be_the_parameter():
    opt, p = optim.adamw(0.1, weight_decay=0.5), np.arange(1.0, 5.0)
    expected, _ = opt.update(p.copy(), opt.init(p), p.copy())
    updates, _ = opt.update(p, opt.init(p), p, donate=True)
    np.testing.assert_array_equal(updates, expected)


@every_optimiser
def test_state_is_plain_and_training_resumes_exactly(make):
    opt = make(optim.cosine(0.1, 10, warmup=2))
    half, state = train(opt, sample(), steps=4)
    for leaf in tree.leaves(state):
        assert isinstance(leaf, int | np.ndarray | np.floating)
    # What a file gives back: every leaf an array, read-only.
    loaded = tree.map(
        lambda leaf: np.frombuffer(
            np.array(leaf).tobytes(), np.array(leaf).dtype
        ).reshape(np.shape(leaf)),
        state,
    )
    resumed, _ = train(opt, half, steps=3, state=loaded, start=4, donate=True)
    straight, _ = train(opt, sample(), steps=7)
    assert_trees_equal(resumed, straight)


# -- schedules ---------------------------------------------------------------------


def rates(schedule, count=10):
    """Read the rates that an optimiser really uses."""
    opt = optim.sgd(schedule)
    state = opt.init(np.zeros(1))
    found = []
    for _ in range(count):
        updates, state = opt.update(np.ones(1), state)
        found.append(-updates[0])
    return found


def test_schedules_are_read_at_the_number_of_steps_done():
    np.testing.assert_allclose(rates(lambda step: 1.0 + step, 3), [1.0, 2.0, 3.0])
    np.testing.assert_allclose(rates(optim.constant(0.3)), 0.3)
    decayed = rates(optim.step_decay(1.0, 3, 0.5), 7)
    np.testing.assert_allclose(decayed, [1, 1, 1, 0.5, 0.5, 0.5, 0.25])
    exponential = rates(optim.exponential(2.0, 0.01, 5), 6)
    np.testing.assert_allclose(exponential, 2.0 * 0.01 ** (np.arange(6) / 5))


@given(st.integers(1, 50), st.data())
def test_cosine_rises_then_falls(steps, data):
    warmup = data.draw(st.integers(0, steps - 1))
    schedule = optim.cosine(0.5, steps, warmup=warmup, final=0.1)
    values = [schedule(i) for i in range(steps + 3)]
    rise, fall = values[:warmup], values[warmup:]
    assert rise == sorted(rise) and fall == sorted(fall, reverse=True)
    assert max(values) == pytest.approx(0.5)
    assert values[steps] == values[-1] == pytest.approx(0.1)
    assert all(v > 0 for v in rise)


@pytest.mark.peer("torch")
@pytest.mark.parametrize("steps", [10, 37])
def test_schedules_are_torchs(steps):
    import torch

    def theirs(kind, **settings):
        opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
        schedule = getattr(torch.optim.lr_scheduler, kind)(opt, **settings)
        found = []
        for _ in range(steps):
            found.append(opt.param_groups[0]["lr"])
            opt.step()
            schedule.step()
        return found

    def ours(schedule):
        return [schedule(i) for i in range(steps)]

    np.testing.assert_allclose(
        ours(optim.cosine(0.3, steps)), theirs("CosineAnnealingLR", T_max=steps)
    )
    np.testing.assert_allclose(
        ours(optim.step_decay(0.3, 4, 0.5)), theirs("StepLR", step_size=4, gamma=0.5)
    )
    cycle = {"max_lr": 0.7, "total_steps": steps, "cycle_momentum": False}
    np.testing.assert_allclose(
        ours(optim.one_cycle(0.7, steps)), theirs("OneCycleLR", **cycle)
    )


@given(st.integers(1, 40))
def test_one_cycle_is_finite_and_bounded(steps):
    schedule = optim.one_cycle(0.7, steps)
    assert all(0 < schedule(i) <= 0.7 + 1e-12 for i in range(steps + 5))


@pytest.mark.parametrize("steps", [1, 2])
def test_one_cycle_of_few_steps_starts_at_the_peak(steps):
    assert optim.one_cycle(0.7, steps)(0) == 0.7


# -- errors ------------------------------------------------------------------------


def test_structure_mismatch_names_the_path():
    opt, params = optim.adam(0.1), {"a": {"w": np.ones(2)}, "b": np.ones(1)}
    state = opt.init(params)
    grads = {"a": {"v": np.ones(2)}, "b": np.ones(1)}
    with pytest.raises(TreeError, match=r"state's 'm'.*differ at a: "):
        opt.update(grads, state)
    with pytest.raises(TreeError, match=r"updates.*differ at a: "):
        optim.apply_updates(params, grads)
    with pytest.raises(TreeError, match=r"the parameters.*differ at a: "):
        optim.add_decayed_weights(0.1).update(grads, {"step": 0}, params)


def test_shape_and_dtype_mismatch_name_the_leaf():
    opt = optim.momentum(0.1)
    state = opt.init({"w": np.ones(2, np.float32)})
    with pytest.raises(ShapeError, match=r"'w' has shape \(3,\).*\(2,\)"):
        opt.update({"w": np.ones(3, np.float32)}, state)
    with pytest.raises(ShapeError, match=r"float64.*float32"):
        opt.update({"w": np.ones(2)}, state)
    with pytest.raises(ShapeError, match=r"'w' has shape \(2,\)"):
        optim.apply_updates({"w": np.ones(2)}, {"w": np.ones((2, 1))})


@pytest.mark.parametrize("dtype", [int, complex, np.float16, bool])
def test_other_dtypes_are_refused_by_name(dtype):
    with pytest.raises(TypeError, match=r"'a.count' has dtype"):
        optim.sgd(0.1).init({"a": {"count": np.ones(2, dtype)}})
    with pytest.raises(TypeError, match=r"'a.count' has dtype"):
        optim.sgd(0.1).update({"a": {"count": np.ones(2, dtype)}}, {"step": 0})


def test_missing_parameters_and_foreign_states():
    opt = optim.adamw(0.1)
    state = opt.init([1.0])
    with pytest.raises(ArgumentError, match=r"update\(grads, state, params\)"):
        opt.update([1.0], state)
    with pytest.raises(ArgumentError, match=r"no 'm'.*init\(params\)"):
        opt.update([1.0], optim.sgd(0.1).init([1.0]), [1.0])


@pytest.mark.parametrize(
    "make",
    [
        lambda: optim.sgd(-0.1),
        lambda: optim.sgd(math.nan),
        lambda: optim.sgd(0.1, weight_decay=-1),
        lambda: optim.momentum(0.1, 1.0),
        lambda: optim.adam(0.1, b2=1.5),
        lambda: optim.adam(0.1, eps=-1e-8),
        lambda: optim.rmsprop(math.inf),
        lambda: optim.clip_by_global_norm(-1.0),
        lambda: optim.chain(),
        lambda: optim.combine(optim.sgd(0.1), optim.sgd),
        lambda: optim.cosine(0.1, 0),
        lambda: optim.cosine(0.1, 10, warmup=10),
        lambda: optim.one_cycle(0.1, 10, rise=1.0),
        lambda: optim.step_decay(0.1, every=0),
    ],
)
def test_impossible_settings_are_refused(make):
    with pytest.raises(ArgumentError) as caught:
        make()
    assert isinstance(caught.value, AutogradError) and "expected" in str(caught.value)


@pytest.mark.parametrize("lr", ["0.1", None, 1j])
def test_a_learning_rate_that_is_no_number_is_refused(lr):
    with pytest.raises(ArgumentError, match="lr=.*expected a number"):
        optim.sgd(lr)


@pytest.mark.parametrize("state", [None, {}, (), ({"step": 0},)])
@pytest.mark.parametrize(
    "opt",
    [
        optim.sgd(0.1),
        optim.chain(optim.sgd(0.1), optim.sgd(0.1)),
        optim.combine(optim.sgd(0.1), optim.sgd(0.1)),
    ],
)
def test_the_state_of_another_optimiser_is_refused(opt, state):
    with pytest.raises(ArgumentError, match=r"the state .*init\(params\)"):
        opt.update([1.0], state)
