"""The policy at ties and kinks: each choice, where it is read, and how it ends."""

import asyncio
import threading

import numpy as onp
import pytest

import autograd_lite.numpy as np
from autograd_lite import checkpoint, grad, hessian, jvp, nn, policy, vjp, vmap
from autograd_lite.errors import ArgumentError
from autograd_lite.policies import CONVENTIONS, Choices

NAN = onp.nan


def ones(*shape):
    return onp.ones(shape)


POOL = onp.array([1.0, 0, 0, 0]).reshape(1, 2, 2, 1)
CORNER = onp.array([1.0, 0, 0, 0]).reshape(2, 1, 2)

# name, value, function, point, the gradient under it
CHOICES = [
    ("ties", "split", np.max, ones(3), [1 / 3] * 3),
    ("ties", "first", np.max, ones(3), [1, 0, 0]),
    ("ties", "first", np.min, ones(2, 2), [[1, 0], [0, 0]]),
    ("ties", "first", lambda x: np.max(x, 0).sum(), ones(2, 2), [[1, 1], [0, 0]]),
    ("ties", "first", lambda x: np.max(x, (0, 2)).sum(), ones(2, 1, 2), CORNER),
    ("ties", "first", np.max, onp.array([1, NAN, NAN]), [0, 1, 0]),
    ("ties", "split", lambda x: np.maximum(x, 1.0), 1.0, 0.5),
    ("ties", "first", lambda x: np.maximum(x, 1.0), 1.0, 1),
    ("ties", "first", lambda x: np.maximum(1.0, x), 1.0, 0),
    ("ties", "first", lambda x: np.minimum(x, 1.0), 1.0, 1),
    ("ties", "first", lambda x: np.fmax(1.0, x), 2.0, 1),
    ("ties", "first", lambda x: np.fmin(1.0, x), 1.0, 0),
    ("ties", "first", lambda x: np.linalg.norm(x, np.inf), ones(2), [1, 0]),
    ("pool_ties", "first", lambda x: nn.max_pool(x, 2).sum(), ones(1, 2, 2, 1), POOL),
    ("abs0", 0, np.abs, 0.0, 0),
    ("abs0", 1, np.abs, 0.0, 1),
    ("abs0", 1, np.fabs, -0.0, 1),
    ("abs0", NAN, np.abs, 0.0, NAN),
    ("abs0", 1, np.abs, -2.0, -1),
    ("abs0", 1, lambda x: np.abs(x + 0j), 0.0, 1),
    ("norm0", 0, np.linalg.norm, onp.zeros(2), [0, 0]),
    ("norm0", NAN, np.linalg.norm, onp.zeros(2), [NAN, NAN]),
    ("norm0", NAN, np.linalg.norm, onp.array([3.0, 4.0]), [0.6, 0.8]),
    ("norm0", NAN, lambda x: np.linalg.norm(x, 3), onp.zeros(2), [NAN, NAN]),
    ("norm0", 0, lambda x: np.linalg.norm(x, 3), onp.zeros(2), [0, 0]),
    ("norm0", 0, lambda x: np.hypot(x, 0.0), 0.0, 0),
    ("norm0", NAN, lambda x: np.hypot(x, 0.0), 0.0, NAN),
    ("std0", 0, np.std, ones(2), [0, 0]),
    ("std0", NAN, np.std, ones(2), [NAN, NAN]),
    ("angle0", 0, lambda x: np.arctan2(x, 0.0), 0.0, 0),
    ("angle0", NAN, lambda x: np.arctan2(x, 0.0), 0.0, NAN),
    ("angle0", NAN, lambda x: np.arctan2(0.0, x), 0.0, NAN),
    ("angle0", NAN, lambda x: np.angle(x + 0j), 0.0, NAN),
    ("angle0", NAN, lambda x: np.arctan2(x, 1.0), 0.0, 1),
    ("clip_edge", 1, lambda x: np.clip(x, 0, 1), 0.0, 1),
    ("clip_edge", 0.5, lambda x: np.clip(x, 0, 1), 1.0, 0.5),
    ("clip_edge", 0.5, lambda x: 3 * np.clip(x, 0, 1), 0.0, 1.5),
    ("clip_edge", 0, lambda x: np.clip(x, 0, 1), 0.0, 0),
    ("clip_edge", 0, lambda x: np.clip(x, 0, 1), 0.5, 1),
    ("clip_edge", 0, lambda x: np.clip(x, 0, 1), 1.5, 0),
    ("clip_edge", 0.5, lambda low: np.clip(1.0, low, 2.0), 1.0, 0.5),
    ("clip_edge", 0.5, lambda high: np.clip(1.0, 0.0, high), 1.0, 0.5),
    ("clip_edge", 0, lambda low: np.clip(0.5, low, 2.0), 1.0, 1),
    ("relu0", 0, nn.relu, 0.0, 0),
    ("relu0", 0.5, nn.relu, 0.0, 0.5),
    ("relu0", 1, lambda x: nn.relu(x).sum(), onp.array([-1.0, 0, 1]), [0, 1, 1]),
    ("leaky0", "slope", nn.leaky_relu, 0.0, 0.01),
    ("leaky0", 1, nn.leaky_relu, 0.0, 1),
]


def label(row):
    return f"{row[0]}={row[1]}"


@pytest.mark.parametrize("row", CHOICES, ids=label)
def test_a_choice_is_what_both_modes_compute(row):
    name, value, f, x, expected = row
    with policy(**{name: value}):
        x_bar = grad(f)(x)
        parts = onp.eye(onp.size(x)).reshape(-1, *onp.shape(x))
        forward = [jvp(f, (x,), (onp.asarray(part)[()],))[1] for part in parts]
    onp.testing.assert_allclose(x_bar, expected)
    onp.testing.assert_allclose(onp.reshape(forward, onp.shape(x)), x_bar)


@pytest.mark.parametrize("row", CHOICES, ids=label)
def test_a_choice_holds_inside_vmap(row):
    name, value, f, x, _ = row
    with policy(**{name: value}):
        each = vmap(grad(f))(onp.stack([x, x]))
        onp.testing.assert_array_equal(each[1], grad(f)(x))


def test_every_choice_of_the_table_is_tested():
    tested = {(name, str(value)) for name, value, *_ in CHOICES}
    assert tested == {(c.name, str(v)) for c in CONVENTIONS.values() for v in c.choices}


def test_defaults_are_the_first_choices():
    assert policy.current() == {c.name: c.choices[0] for c in CONVENTIONS.values()}
    assert Choices._fields == (*CONVENTIONS, "outer")


def test_the_edge_takes_what_clip_leaves():
    with policy(clip_edge=0.5):
        x_bar, low_bar, high_bar = grad(np.clip, (0, 1, 2))(1.0, 1.0, 2.0)
    assert (x_bar, low_bar, high_bar) == (0.5, 0.5, 0)


def test_a_first_tie_leaves_nothing_for_the_second():
    with policy(ties="first"):
        assert grad(np.maximum, (0, 1))(1.0, 1.0) == (1, 0)
        assert grad(np.maximum, (0, 1))(NAN, NAN) == (1, 0)


def test_blocks_nest_and_are_restored_after_an_exception():
    with policy(ties="first"):
        with pytest.raises(KeyError), policy(ties="split", relu0=1):
            assert policy.current()["relu0"] == 1
            raise KeyError
        assert policy.changed() == {"ties": "first"}
    assert policy.changed() == {}


def test_one_policy_may_be_entered_again():
    kink = policy(abs0=1)
    with kink, policy(abs0=0), kink:
        assert policy.current()["abs0"] == 1
    assert policy.changed() == {}


def test_as_a_decorator():
    @policy(abs0=1)
    def slope():
        return grad(np.abs)(0.0)

    assert slope() == 1
    assert grad(np.abs)(0.0) == 0


def test_a_walk_back_keeps_to_the_policy_of_its_forward_pass():
    with policy(abs0=1, norm0=NAN):
        _, pullback = vjp(np.abs, 0.0)
        _, norm_pullback = vjp(np.linalg.norm, onp.zeros(1))
    assert pullback(1.0) == (1,)
    assert onp.isnan(norm_pullback(1.0)[0])


def test_checkpoint_and_second_order_follow_the_policy():
    with policy(ties="first"):
        onp.testing.assert_array_equal(grad(checkpoint(np.max))(ones(2)), [1, 0])
        h = hessian(lambda x: np.max(x) ** 2)(ones(2))
    onp.testing.assert_array_equal(h, [[2, 0], [0, 0]])


def test_other_threads_do_not_notice():
    found = []

    def look():
        found.append((policy.changed(), grad(np.abs)(0.0)))

    with policy(abs0=1):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert found == [({}, 0)]


def test_other_asynchronous_tasks_do_not_notice():
    async def within(found):
        with policy(abs0=1):
            await asyncio.sleep(0)
            found.append(grad(np.abs)(0.0))

    async def without(found):
        await asyncio.sleep(0)
        found.append(grad(np.abs)(0.0))

    async def both():
        await asyncio.gather(within(ones), without(zeros), within(ones))

    ones, zeros = [], []
    asyncio.run(both())
    assert (ones, zeros) == ([1, 1], [0])


def test_wrong_names_and_values_are_refused_with_the_choices():
    with pytest.raises(ArgumentError, match="no 'tie'; there are ties, pool_ties"):
        policy(tie="first")
    with pytest.raises(ArgumentError, match="expected 'split' or 'first'"):
        policy(ties="last")
    with pytest.raises(ArgumentError, match="expected 0 or nan"):
        policy(norm0=1)


def test_reports():
    assert policy.describe() == "the default policy at ties and kinks"
    with policy(norm0=NAN, ties="first"):
        assert policy.describe() == "policy(ties='first', norm0=nan)"
    assert repr(policy(norm0=NAN)) == "policy(norm0=nan)"
    assert repr(policy.table()) == policy.table()
    lines = policy.table().splitlines()
    assert len(lines) == len(CONVENTIONS) + 2
    assert len({len(line) for line in lines}) == 1
    assert "0 nan" in policy.table() and "PyTorch" in lines[0]
