"""Pytrees: nested containers of arrays, seen as a flat list of leaves.

Containers are `dict`, `OrderedDict`, `list`, `tuple`, named tuples, dataclasses, `None`
(a container of nothing) and whatever was given to `register`; all else is a leaf. A
dataclass field made with `field(metadata={"static": True})` is structure and no leaf.

>>> leaves, treedef = flatten({"w": [1.0, 2.0], "b": 3.0})
>>> leaves
[3.0, 1.0, 2.0]
>>> unflatten(treedef, [30.0, 10.0, 20.0])
{'b': 30.0, 'w': [10.0, 20.0]}
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from .errors import TreeError

__all__ = [
    "TreeDef",
    "flatten",
    "get",
    "leaves",
    "leaves_as",
    "map",
    "paths",
    "ravel",
    "register",
    "replace",
    "spread",
    "structure",
    "unflatten",
]


class _Container(NamedTuple):
    """How one container type is taken apart and put together."""

    split: Callable[[Any], tuple[Iterable[Any], Hashable]]  # node -> (children, aux)
    join: Callable[[Any, Sequence[Any]], Any]  # (aux, children) -> node
    names: Callable[[Any, int], Sequence[object]]  # (aux, n) -> names of the children


# Not frozen, which would double the time that a training step spends on trees.
@dataclasses.dataclass(unsafe_hash=True, slots=True)
class TreeDef:
    """The structure of a tree without its leaves; `kind` is None for a leaf.

    `flat`: whether all children are leaves. Never changed once it is made.
    """

    kind: type | None
    aux: Hashable
    children: tuple[TreeDef, ...]
    size: int
    flat: bool = dataclasses.field(compare=False)

    def __repr__(self) -> str:
        """Show the tree with `*` for each leaf."""
        return f"TreeDef({unflatten(self, [_STAR] * self.size)!r})"


class _Star:
    def __repr__(self) -> str:
        return "*"


_STAR = _Star()
_LEAF = TreeDef(None, None, (), 1, False)
_REGISTRY: dict[type, _Container] = {}
# What most leaves are; known without asking whether it is some kind of container.
_LEAF_TYPES = frozenset({np.ndarray, np.float32, np.float64, float})


def register(
    cls: type,
    flatten_node: Callable[[Any], tuple[Iterable[Any], Hashable]],
    unflatten_node: Callable[[Any, Sequence[Any]], Any],
) -> None:
    """Make `cls` a container.

    `flatten_node(node)` returns its children and hashable metadata,
    `unflatten_node(metadata, children)` builds a node from them.

    >>> class Pair:
    ...     def __init__(self, a, b):
    ...         self.a, self.b = a, b
    >>> register(Pair, lambda p: ((p.a, p.b), None), lambda aux, ab: Pair(*ab))
    >>> leaves([Pair(1.0, 2.0), 3.0])
    [1.0, 2.0, 3.0]
    """
    if not isinstance(cls, type):
        raise TypeError(f"register needs a class, got {cls!r}")
    if cls in _LEAF_TYPES:
        raise ValueError(f"{cls.__name__} is a leaf and cannot be a container")
    if cls in _REGISTRY:
        raise ValueError(f"{cls.__name__} is registered as a container already")
    _REGISTRY[cls] = _Container(flatten_node, unflatten_node, _positions)


def _positions(aux: Any, n: int) -> Sequence[object]:
    return range(n)


def _keys(aux: Any, n: int) -> Sequence[object]:
    return aux


def _split_dict(node: dict[Any, Any]) -> tuple[Iterable[Any], Hashable]:
    try:
        keys = tuple(sorted(node))
    except TypeError:  # keys of several types have no order of their own
        keys = tuple(sorted(node, key=lambda k: (type(k).__name__, str(k))))
    return [node[k] for k in keys], keys


_REGISTRY[dict] = _Container(
    _split_dict, lambda keys, children: dict(zip(keys, children)), _keys
)
_REGISTRY[OrderedDict] = _Container(
    lambda node: (node.values(), tuple(node)),
    lambda keys, children: OrderedDict(zip(keys, children, strict=True)),
    _keys,
)
_REGISTRY[list] = _Container(
    lambda node: (node, None), lambda _, children: list(children), _positions
)
_REGISTRY[tuple] = _Container(
    lambda node: (node, None), lambda _, children: tuple(children), _positions
)
_REGISTRY[type(None)] = _Container(
    lambda node: ((), None), lambda aux, children: None, _positions
)


def _container(cls: type) -> _Container | None:
    """Return how `cls` is taken apart, registering named tuples and dataclasses."""
    container = _REGISTRY.get(cls)
    if container is None:
        if issubclass(cls, tuple) and hasattr(cls, "_fields"):
            container = _named_tuple(cls)
        elif dataclasses.is_dataclass(cls):
            container = _dataclass(cls)
        else:
            return None
        _REGISTRY[cls] = container
    return container


def _named_tuple(cls: Any) -> _Container:
    return _Container(
        lambda node: (node, None),
        lambda _, children: cls(*children),
        lambda _, n: cls._fields,
    )


def _dataclass(cls: Any) -> _Container:
    fields = dataclasses.fields(cls)
    dynamic = [f.name for f in fields if not f.metadata.get("static")]
    static = [f.name for f in fields if f.metadata.get("static")]

    def split(node: Any) -> tuple[Iterable[Any], Hashable]:
        aux = tuple(getattr(node, name) for name in static)
        return [getattr(node, name) for name in dynamic], aux

    def join(aux: tuple[Any, ...], children: Sequence[Any]) -> Any:
        # Not cls(...): __post_init__ may validate, and the children may be tracers.
        node = object.__new__(cls)
        for name, child in zip(dynamic + static, (*children, *aux), strict=True):
            object.__setattr__(node, name, child)
        return node

    return _Container(split, join, lambda _, n: dynamic)


def flatten(tree: Any) -> tuple[list[Any], TreeDef]:
    """Return the leaves of a tree, in order, and its structure.

    Dictionaries are read in the order of their sorted keys.

    >>> flatten([1.0, (2.0, None)])
    ([1.0, 2.0], TreeDef([*, (*, None)]))
    """
    found: list[Any] = []
    return found, _flatten_into(tree, found)


def _flatten_into(tree: Any, found: list[Any]) -> TreeDef:
    cls = type(tree)
    if cls in _LEAF_TYPES:
        found.append(tree)
        return _LEAF
    container = _REGISTRY.get(cls) or _container(cls)
    if container is None:
        found.append(tree)
        return _LEAF
    before = len(found)
    children, aux = container.split(tree)
    parts: list[TreeDef] = []
    flat = True
    for child in children:
        if type(child) in _LEAF_TYPES:  # asked here to spare most of the calls
            found.append(child)
            parts.append(_LEAF)
        else:
            part = _flatten_into(child, found)
            parts.append(part)
            flat = flat and part is _LEAF
    return TreeDef(cls, aux, tuple(parts), len(found) - before, flat)


def leaves_as(treedef: TreeDef, tree: Any) -> list[Any]:
    """Return the leaves of a tree of this structure.

    Raises `TreeError` with the path of the first difference when it has another one.

    >>> leaves_as(structure({"w": 1.0}), {"w": 4.0})
    [4.0]
    """
    found: list[Any] = []
    if not _collect(treedef, tree, found):
        raise TreeError(_difference(treedef, structure(tree), ()))
    return found


def _collect(treedef: TreeDef, tree: Any, found: list[Any]) -> bool:
    """Append the leaves of a tree; return whether it has this structure."""
    kind, cls = treedef.kind, type(tree)
    if kind is None:
        found.append(tree)
        return cls in _LEAF_TYPES or _container(cls) is None
    if cls is not kind:
        return False
    children, aux = _REGISTRY[kind].split(tree)
    children = list(children)
    if aux != treedef.aux or len(children) != len(treedef.children):
        return False
    for part, child in zip(treedef.children, children):
        if part is _LEAF and type(child) in _LEAF_TYPES:  # to spare most of the calls
            found.append(child)
        elif not _collect(part, child, found):
            return False
    return True


def unflatten(treedef: TreeDef, leaves: Iterable[Any]) -> Any:
    """Build the tree of this structure from its leaves.

    Raises `TreeError` when their number differs.
    """
    if type(leaves) is not list:
        leaves = list(leaves)
    if len(leaves) != treedef.size:
        raise TreeError(f"a tree of {treedef.size} leaves was given {len(leaves)}")
    return _build(treedef, leaves, 0)


def _build(treedef: TreeDef, leaves: list[Any], at: int) -> Any:
    """Build a tree from the leaves that begin at a position."""
    if treedef.kind is None:
        return leaves[at]
    if treedef.flat:
        children = leaves[at : at + treedef.size]
    else:
        children = []
        for child in treedef.children:
            node = leaves[at] if child.kind is None else _build(child, leaves, at)
            children.append(node)
            at += child.size
    return _REGISTRY[treedef.kind].join(treedef.aux, children)


def leaves(tree: Any) -> list[Any]:
    """Return the leaves of a tree, in order.

    >>> leaves({"b": 1.0, "a": [2.0]})
    [2.0, 1.0]
    """
    return flatten(tree)[0]


def structure(tree: Any) -> TreeDef:
    """Return the structure of a tree; equal for trees that differ only in leaves."""
    return flatten(tree)[1]


def map(fun: Callable[..., Any], tree: Any, *rest: Any) -> Any:
    """Apply `fun` to corresponding leaves of trees of one structure.

    Raises `TreeError` with the path of the first difference when structures differ.

    >>> map(lambda p, g: p - 0.5 * g, {"w": 1.0}, {"w": 4.0})
    {'w': -1.0}
    """
    first, treedef = flatten(tree)
    columns = [first]
    for other in rest:
        columns.append(leaves_as(treedef, other))
    return unflatten(treedef, [fun(*row) for row in zip(*columns, strict=True)])


def _difference(a: TreeDef, b: TreeDef, path: tuple[str, ...]) -> str:
    """Describe the first place in which two structures differ."""
    if a.kind is b.kind and a.aux == b.aux and len(a.children) == len(b.children):
        for name, x, y in zip(_names(a), a.children, b.children, strict=True):
            if x != y:
                return _difference(x, y, (*path, name))
    place = ".".join(path) or "the root"
    return f"trees differ at {place}: expected {_summary(a)}, got {_summary(b)}"


def _summary(treedef: TreeDef) -> str:
    if treedef.kind is None:
        return "a leaf"
    if treedef.kind in (dict, OrderedDict):
        return f"{treedef.kind.__name__} with keys {list(_names(treedef))}"
    return f"{treedef.kind.__name__} of {len(treedef.children)} children"


def _names(treedef: TreeDef) -> list[str]:
    assert treedef.kind is not None
    names = _REGISTRY[treedef.kind].names(treedef.aux, len(treedef.children))
    return [str(name) for name in names]


def spread(prefix: Any, treedef: TreeDef, name: str = "the prefix") -> list[Any]:
    """Return for each leaf of a tree the leaf of a prefix of it that covers it.

    A prefix is a tree that ends earlier: its leaves stand for whole subtrees. None is a
    leaf here. Raises `TreeError` with the path, after `name`, where it does not fit.

    >>> spread((0, None), structure(({"w": 1.0, "b": 2.0}, 3.0)))
    [0, 0, None]
    """
    return _spread(prefix, treedef, name, ())


def _spread(
    prefix: Any, treedef: TreeDef, name: str, path: tuple[str, ...]
) -> list[Any]:
    cls = type(prefix)
    container = None if prefix is None else _container(cls)
    if container is None:
        return [prefix] * treedef.size
    split, aux = container.split(prefix)
    children = list(split)
    if (cls, aux, len(children)) != (treedef.kind, treedef.aux, len(treedef.children)):
        place = f" at {'.'.join(path)!r}" if path else ""
        raise TreeError(
            f"{name}{place}: expected {_summary(treedef)}, or one value for all of it, "
            f"got {_summary(structure(prefix))}"
        )
    return [
        leaf
        for key, child, part in zip(_names(treedef), children, treedef.children)
        for leaf in _spread(child, part, name, (*path, key))
    ]


def paths(tree: Any) -> list[str]:
    """Return the dotted name of each leaf, in the order of `leaves`.

    >>> paths({"conv": {"w": 1.0, "b": 2.0}, "dense": [3.0]})
    ['conv.b', 'conv.w', 'dense.0']
    """
    return [".".join(path) for path in _walk_paths(structure(tree), ())]


def _walk_paths(treedef: TreeDef, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if treedef.kind is None:
        yield path
        return
    for name, child in zip(_names(treedef), treedef.children, strict=True):
        yield from _walk_paths(child, (*path, name))


def get(tree: Any, path: str) -> Any:
    """Return the subtree at a dotted path; the empty path is the whole tree.

    >>> get({"layers": [{"w": 1.0}, {"w": 2.0}]}, "layers.1.w")
    2.0
    """
    rest = path
    while rest:
        at, children, rest = _step(tree, rest, path)
        tree = children[at]
    return tree


def replace(tree: Any, path: str, value: Any) -> Any:
    """Return the tree with the subtree at a dotted path exchanged for `value`.

    >>> replace({"a": 1.0, "b": {"c": 2.0}}, "b.c", 5.0)
    {'a': 1.0, 'b': {'c': 5.0}}
    """
    return _replace(tree, path, value, path)


def _replace(tree: Any, rest: str, value: Any, path: str) -> Any:
    if not rest:
        return value
    at, children, rest = _step(tree, rest, path)
    children[at] = _replace(children[at], rest, value, path)
    container = _REGISTRY[type(tree)]
    return container.join(container.split(tree)[1], children)


def _step(tree: Any, rest: str, path: str) -> tuple[int, list[Any], str]:
    """Take the first step of `rest`, the end of `path`, into a container.

    Returns the position of the child, all children, and the rest of the way. Names may
    hold dots themselves: the longest that fits is taken.
    """
    place = path.removesuffix(rest).rstrip(".") or "the root"
    container = _container(type(tree))
    if container is None:
        kind = type(tree).__name__
        raise TreeError(f"no {rest!r} at {place} of path {path!r}: it is a {kind}")
    split, aux = container.split(tree)
    children = list(split)
    names = [str(n) for n in container.names(aux, len(children))]
    fitting = [n for n in names if f"{rest}.".startswith(f"{n}.")]
    if not fitting:
        name = rest.partition(".")[0]
        raise TreeError(f"no {name!r} at {place} of path {path!r}: it has {names}")
    name = max(fitting, key=len)
    return names.index(name), children, rest[len(name) + 1 :]


def ravel(tree: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Return all leaves as one vector, and the function that undoes it.

    The vector's dtype is the leaves' common dtype; undoing restores each leaf's shape
    and dtype. Both are differentiable.

    >>> flat, unravel = ravel({"w": np.ones((2, 2)), "b": np.zeros(1)})
    >>> flat
    array([0., 1., 1., 1., 1.])
    >>> unravel(2 * flat)["w"]
    array([[2., 2.],
           [2., 2.]])
    """
    found, treedef = flatten(tree)
    arrays = [x if hasattr(x, "dtype") else np.asarray(x) for x in found]
    specs = [(x.shape, x.dtype, x.size) for x in arrays]
    total = sum(size for _, _, size in specs)

    def unravel(flat: Any) -> Any:
        if flat.shape != (total,):
            raise TreeError(f"expected a vector of {total}, got shape {flat.shape}")
        pieces, at = [], 0
        for shape, dtype, size in specs:
            piece = flat[at : at + size].reshape(shape)
            pieces.append(piece if piece.dtype == dtype else piece.astype(dtype))
            at += size
        return unflatten(treedef, pieces)

    if not arrays:
        return np.zeros(0), unravel
    dtype = np.result_type(*[spec[1] for spec in specs])
    vectors = [x.reshape(-1) for x in arrays]
    vectors = [v if v.dtype == dtype else v.astype(dtype) for v in vectors]
    return np.concatenate(vectors), unravel
