"""Where the nodes of a graph stand: in layers from top to bottom, with few crossings.

K. Sugiyama, S. Tagawa and M. Toda, 1981, "Methods for visual understanding of
hierarchical system structures": long edges are broken at each layer, layers are ordered
by the means of their neighbours, and then the nodes are moved as near to those means as
the order and their widths allow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

SWEEPS: Final = 16
SETTLED: Final = 6  # the last so many sweeps
HEAVY: Final = 50.0  # how much less an operation is pushed aside than an input
GAP: Final = 24.0  # between nodes of a layer
BEND: Final = 12.0  # the width that an edge takes in a layer that it passes

Edge = tuple[int, int]


class Layout(NamedTuple):
    """The layer and the centre of each node, and the points that each edge passes."""

    layers: list[int]
    centres: list[float]
    bends: dict[Edge, list[tuple[int, float]]]  # (layer, centre), ends not included


def place_nodes(widths: Sequence[float], edges: Sequence[Edge], sources: int) -> Layout:
    """Return where nodes stand; edges lead to nodes of higher number.

    The first `sources` nodes are the inputs.

    >>> layout = place_nodes([10.0, 10.0, 10.0], [(0, 2), (1, 2)], 2)
    >>> layout.layers, layout.centres[2] == sum(layout.centres[:2]) / 2
    ([0, 0, 1], True)
    """
    layers = layers_of(len(widths), edges, sources)
    sizes, depth = list(widths), list(layers)
    links: list[Edge] = []
    passed: dict[Edge, list[int]] = {}
    for edge in edges:
        start, end = edge
        passed[edge] = []
        for layer in range(layers[start] + 1, layers[end]):
            links.append((start, len(sizes)))
            start = len(sizes)
            passed[edge].append(start)
            sizes.append(BEND)
            depth.append(layer)
        links.append((start, end))
    x = _centres(sizes, depth, links, sources)
    bends = {edge: [(depth[i], x[i]) for i in via] for edge, via in passed.items()}
    return Layout(layers, x[: len(widths)], bends)


def layers_of(n: int, edges: Sequence[Edge], sources: int) -> list[int]:
    """Return the layer of each node: below all that it depends on.

    What depends on inputs alone stands just above its first use.
    """
    layers = [0] * sources + [1] * (n - sources)
    loose = [True] * n
    for start, end in sorted(edges, key=lambda edge: edge[1]):
        layers[end] = max(layers[end], layers[start] + 1)
    above: dict[int, list[int]] = {}
    below: dict[int, list[int]] = {}
    for start, end in edges:
        above.setdefault(end, []).append(start)
        below.setdefault(start, []).append(end)
    for node in range(sources, n):
        loose[node] = all(loose[start] for start in above.get(node, ()))
    for node in reversed(range(n)):
        if loose[node] and node in below:
            layers[node] = min(layers[end] for end in below[node]) - 1
    top = min(layers, default=0)
    return [layer - top for layer in layers]


def _centres(
    sizes: Sequence[float], depth: Sequence[int], links: Sequence[Edge], sources: int
) -> list[float]:
    """Return a centre for each node, those of one layer apart."""
    above: list[list[int]] = [[] for _ in sizes]
    below: list[list[int]] = [[] for _ in sizes]
    for start, end in links:
        below[start].append(end)
        if start >= sources:  # an input stands beside the chain, which stays straight
            above[end].append(start)
    rows: list[list[int]] = [[] for _ in range(max(depth, default=0) + 1)]
    for i, layer in enumerate(depth):
        rows[layer].append(i)
    x = [0.0] * len(sizes)
    weights = [1.0] * sources + [HEAVY] * (len(sizes) - sources)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            if sweep < SWEEPS - SETTLED:  # then the order stays and positions improve
                near = above if down else below
                aims = {i: _mean(near[i], x, x[i]) for i in row}
                row.sort(key=aims.__getitem__)
            else:
                aims = {i: _mean(above[i] + below[i], x, x[i]) for i in row}
            _spread(row, aims, weights, sizes, x)
    return x


def _mean(nodes: Sequence[int], x: Sequence[float], default: float) -> float:
    return sum(x[i] for i in nodes) / len(nodes) if nodes else default


def _spread(
    row: Sequence[int],
    aims: dict[int, float],
    weights: Sequence[float],
    sizes: Sequence[float],
    x: list[float],
) -> None:
    """Move a layer's nodes to their aims, as near as order and widths allow.

    The offsets that widths demand are subtracted, what remains must not decrease, and
    the best such sequence is that of pooled means (isotonic regression).
    """
    offsets, reach = [], 0.0
    pools: list[tuple[float, float, int]] = []  # sums of aims and weights; how many
    for i in row:
        offsets.append(reach + sizes[i] / 2)
        reach += sizes[i] + GAP
        total, weight, count = weights[i] * (aims[i] - offsets[-1]), weights[i], 1
        while pools and pools[-1][0] / pools[-1][1] > total / weight:
            more, heavier, others = pools.pop()
            total, weight, count = total + more, weight + heavier, count + others
        pools.append((total, weight, count))
    means = [total / weight for total, weight, n in pools for _ in range(n)]
    for i, mean, offset in zip(row, means, offsets):
        x[i] = mean + offset
