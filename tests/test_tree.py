"""Trees: taken apart, put together, named, mapped, and differentiated through."""

import dataclasses
from collections import OrderedDict, namedtuple
from typing import Any

import hypothesis.strategies as st
import numpy
import pytest
from hypothesis import given

from autograd_lite import grad, tree
from autograd_lite.errors import AutogradError, TreeError

Point = namedtuple("Point", "x y")


@dataclasses.dataclass(frozen=True)
class Layer:
    """Frozen, validating, with structure among the fields."""

    w: Any
    b: Any = 0.0
    name: str = dataclasses.field(default="dense", metadata={"static": True})

    def __post_init__(self):
        if not isinstance(self.w, (float, numpy.ndarray)):
            raise TypeError(f"w must be an array, got {self.w!r}")


@dataclasses.dataclass(slots=True)
class Slotted:
    """Without an instance dictionary."""

    a: Any
    b: Any


class Node:
    """A class that knows nothing of trees."""

    def __init__(self, value, label):
        self.value, self.label = value, label


tree.register(
    Node, lambda n: ((n.value,), n.label), lambda label, values: Node(*values, label)
)


def nested(leaf):
    """Hypothesis strategy: trees of all built-in containers."""
    keys = st.text("abc", min_size=1, max_size=2)
    return st.recursive(
        leaf | st.none(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.lists(inner, max_size=3).map(tuple)
            | st.dictionaries(keys, inner, max_size=3)
            | st.dictionaries(keys, inner, max_size=3).map(OrderedDict)
            | st.builds(Point, inner, inner)
            | st.builds(Slotted, inner, inner)
        ),
        max_leaves=12,
    )


TREES = nested(st.floats(allow_nan=False))


@given(TREES)
def test_flatten_and_unflatten_are_inverse(some):
    leaves, treedef = tree.flatten(some)
    assert tree.unflatten(treedef, leaves) == some
    assert all(type(leaf) is float for leaf in leaves)
    assert treedef.size == len(leaves) == len(tree.paths(some))
    assert tree.structure(some) == treedef


@given(TREES)
def test_a_path_leads_to_its_leaf(some):
    for path, leaf in zip(tree.paths(some), tree.leaves(some)):
        assert tree.get(some, path) == leaf
        assert tree.get(tree.replace(some, path, "new"), path) == "new"
    assert tree.get(some, "") is some


@given(TREES)
def test_map_keeps_the_structure(some):
    doubled = tree.map(lambda x: 2 * x, some)
    assert tree.leaves(doubled) == [2 * x for x in tree.leaves(some)]
    assert tree.structure(doubled) == tree.structure(some)
    summed = tree.map(lambda x, y: x + y, some, some)
    assert summed == doubled


@given(TREES)
def test_ravel_and_back(some):
    flat, unravel = tree.ravel(some)
    assert flat.shape == (len(tree.leaves(some)),)
    assert unravel(flat) == some


def test_leaves_may_come_from_an_iterator():
    treedef = tree.structure([1.0, (2.0, None)])
    assert tree.unflatten(treedef, iter([3.0, 4.0])) == [3.0, (4.0, None)]


def test_dictionaries_are_read_in_the_order_of_their_keys():
    assert tree.leaves({"b": 1, "a": 2}) == tree.leaves({"a": 2, "b": 1}) == [2, 1]
    assert tree.structure({"b": 1, "a": 2}) == tree.structure({"a": 3, "b": 4})


def test_ordered_dictionaries_keep_their_own_order():
    ordered = OrderedDict(b=1, a=2)
    assert tree.leaves(ordered) == [1, 2]
    assert list(tree.map(float, ordered)) == ["b", "a"]
    with pytest.raises(TreeError):
        tree.map(lambda x, y: x, ordered, OrderedDict(a=2, b=1))


def test_keys_of_several_types():
    mixed = {2: 1.0, "a": 2.0, (1, 2): 3.0, 1: 4.0}
    assert sorted(tree.leaves(mixed)) == [1.0, 2.0, 3.0, 4.0]
    assert tree.map(lambda x: x, mixed) == mixed


def test_none_is_an_empty_container():
    assert tree.leaves(None) == tree.leaves([None, {}, (), []]) == []
    assert tree.map(float, {"a": None, "b": 1}) == {"a": None, "b": 1.0}
    assert tree.paths([None, 1]) == ["1"]


def test_what_is_no_container_is_a_leaf():
    class Unknown:
        pass

    class Plain(tuple):
        """A subclass of a container is none itself."""

    odd = [numpy.ones(2), "text", {1, 2}, Unknown(), range(3), lambda: None]
    odd += [Plain((1.0, 2.0)), type("Named", (dict,), {})(a=1.0), Layer]
    assert all(a is b for a, b in zip(tree.leaves(odd), odd, strict=True))


def test_named_tuples():
    assert tree.map(lambda x: -x, Point(1, [2])) == Point(-1, [-2])
    assert tree.paths(Point(1, [2])) == ["x", "y.0"]
    assert tree.structure(Point(1, 2)) != tree.structure((1, 2))


def test_dataclasses_are_rebuilt_without_validation():
    layer = Layer(numpy.ones(2), 1.0, "first")
    marked = tree.map(lambda x: "leaf", layer)  # __post_init__ would refuse this
    assert (marked.w, marked.b, marked.name) == ("leaf", "leaf", "first")
    assert tree.paths(layer) == ["w", "b"]
    assert tree.structure(layer) != tree.structure(Layer(1.0, 1.0, "second"))


def test_registered_classes():
    node = Node([1.0, 2.0], "n")
    back = tree.map(lambda x: -x, node)
    assert (back.value, back.label) == ([-1.0, -2.0], "n")
    assert tree.paths(node) == ["0.0", "0.1"]


def test_registering_twice_or_something_else():
    with pytest.raises(ValueError, match="Node is registered"):
        tree.register(Node, lambda n: ((), None), lambda aux, xs: None)
    with pytest.raises(ValueError, match="dict is registered"):
        tree.register(dict, lambda n: ((), None), lambda aux, xs: None)
    with pytest.raises(TypeError, match="needs a class"):
        tree.register("Node", lambda n: ((), None), lambda aux, xs: None)


def test_repr_shows_the_structure():
    treedef = tree.structure({"w": [1.0, (2.0, None)], "p": Point(1, 2)})
    assert repr(treedef) == "TreeDef({'p': Point(x=*, y=*), 'w': [*, (*, None)]})"
    assert repr(tree.structure(1.0)) == "TreeDef(*)"


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"w": [1.0], "b": 2.0}, "differ at w: expected list of 2 children, got list"),
        ({"w": [1.0, 2.0]}, "the root: expected dict with keys ['b', 'w'], got dict"),
        ({"w": [1.0, [2.0]], "b": 1.0}, "differ at w.1: expected a leaf, got list"),
        ({"w": (1.0, 2.0), "b": 1.0}, "got tuple of 2 children"),
        ({"w": [1.0, None], "b": 1.0}, "differ at w.1: expected a leaf, got NoneType"),
        (3.0, "got a leaf"),
    ],
)
def test_a_mismatch_names_the_place(other, message):
    with pytest.raises(TreeError) as caught:
        tree.map(lambda x, y: x, {"w": [1.0, 2.0], "b": 3.0}, other)
    assert message in str(caught.value)
    assert isinstance(caught.value, (ValueError, AutogradError))


def test_a_wrong_number_of_leaves():
    with pytest.raises(TreeError, match="2 leaves was given 3"):
        tree.unflatten(tree.structure([1, 2]), [1, 2, 3])


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("conv2", "no 'conv2' at the root of path 'conv2': it has ['conv1', 'dense']"),
        ("conv1.x", "no 'x' at conv1 of path 'conv1.x': it has ['b', 'w']"),
        ("dense.2", "it has ['0', '1']"),
        ("conv1.w.0", "at conv1.w of path 'conv1.w.0': it is a float"),
    ],
)
def test_a_path_that_leads_nowhere(path, message):
    params = {"conv1": {"w": 1.0, "b": 2.0}, "dense": [3.0, 4.0]}
    for act in (tree.get, lambda t, p: tree.replace(t, p, 0.0)):
        with pytest.raises(TreeError) as caught:
            act(params, path)
        assert message in str(caught.value)


def test_names_with_dots():
    flat = {"conv1.w": 1.0, "conv1.b": 2.0, "conv1": {"w": 3.0, "x": 4.0}, "a.": [5.0]}
    for path, leaf in zip(tree.paths(flat), tree.leaves(flat)):
        if path != "conv1.w":  # two of this name: the longer key wins
            assert tree.get(flat, path) == leaf
    assert tree.get(flat, "conv1.w") == 1.0
    assert tree.replace(flat, "conv1.x", 0.0)["conv1"] == {"w": 3.0, "x": 0.0}
    assert tree.replace(flat, "conv1.b", 0.0)["conv1.b"] == 0.0
    with pytest.raises(TreeError, match="no 'c' at conv1 of path 'conv1.c'"):
        tree.get(flat, "conv1.c")


def test_replace_leaves_the_original_alone():
    params = {"a": [1.0, 2.0], "b": Layer(1.0)}
    assert tree.replace(params, "a.0", 5.0) == {"a": [5.0, 2.0], "b": Layer(1.0)}
    assert tree.replace(params, "b.w", 5.0)["b"] == Layer(5.0)
    assert params == {"a": [1.0, 2.0], "b": Layer(1.0)}


def test_ravel_restores_shapes_and_dtypes():
    params = {
        "a": numpy.ones((2, 3), numpy.float32),
        "b": numpy.zeros(()),
        "c": numpy.ones(0),
        "d": numpy.array([1 + 2j]),
    }
    flat, unravel = tree.ravel(params)
    assert flat.shape == (8,) and flat.dtype == complex
    with pytest.warns(numpy.exceptions.ComplexWarning):
        back = unravel(flat)
    for name, x in params.items():
        assert back[name].shape == x.shape and back[name].dtype == x.dtype
    with pytest.raises(TreeError, match=r"vector of 8, got shape \(7,\)"):
        unravel(flat[1:])
    assert tree.ravel([])[0].shape == (0,)


def test_ravel_is_differentiable():
    params = {"w": numpy.ones((2, 2)), "b": numpy.arange(3, dtype=numpy.float32)}
    slopes = grad(lambda p: (tree.ravel(p)[0] ** 2).sum())(params)
    numpy.testing.assert_allclose(slopes["w"], 2 * params["w"])
    numpy.testing.assert_allclose(slopes["b"], 2 * params["b"])
    assert slopes["b"].dtype == numpy.float32
    flat, unravel = tree.ravel(params)
    slope = grad(lambda v: (unravel(v)["w"] * 3).sum())(flat)
    assert slope.tolist() == [0, 0, 0, 3, 3, 3, 3]
