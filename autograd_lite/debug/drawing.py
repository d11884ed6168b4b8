"""The tape as a graph: for Graphviz, and as a picture in SVG made here."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from typing import Final, NamedTuple

from .grids import in_bytes, in_ms, in_shapes
from .layout import Edge, Layout, place_nodes
from .recording import Input, Row

CHARACTER: Final = 7.0  # the width of one, at the size of labels
HEIGHT: Final = 40.0
STEP: Final = 72.0  # from layer to layer
MARGIN: Final = 24.0
PAPER, INK, FAINT = "#ffffff", "#24292f", "#8c959f"
# Warmer is what costs more: time where it was measured, else memory that is kept.
HEAT: Final = ("#f6f8fa", "#fff1d6", "#ffdfa8", "#ffc478", "#ffa766", "#ff8a4c")


class Node(NamedTuple):
    """A box: an input, an operation, or the operations that are left out."""

    kind: str  # "input", "operation", "gap"
    label: str
    detail: str
    tip: str
    cost: float = 0.0
    is_output: bool = False


class Graph(NamedTuple):
    """Boxes in the order of execution, inputs first, and edges by their numbers."""

    nodes: list[Node]
    edges: list[Edge]
    sources: int


def graph_of(
    rows: Sequence[Row], inputs: Sequence[Input], outputs: Sequence[int], limit: int
) -> Graph:
    """Return the graph of a tape; of more than `limit` rows the middle is one node."""
    before, after = (limit + 1) // 2, len(rows) - limit // 2
    hidden = range(before, after if len(rows) > limit else before)
    shown = [row for i, row in enumerate(rows) if i not in hidden]
    used = {slot for row in shown for slot in row.reads}
    nodes: list[Node] = []
    makers: dict[int, int] = {}  # slot -> number of the node
    for slot, x in enumerate(inputs):
        if slot in used or not hidden:
            makers[slot] = len(nodes)
            nodes.append(Node("input", x.name, _typed(x.shape, x.dtype), x.name))
    sources = len(nodes)
    results = set(outputs)
    edges: dict[Edge, None] = {}
    for i, row in enumerate(rows):
        if i not in hidden:
            nodes.append(_operation(row, not results.isdisjoint(row.fills)))
        elif i == hidden[0]:
            nodes.append(_gap(len(hidden)))
        here = len(nodes) - 1
        starts = [makers.get(slot, here) for slot in row.reads]
        edges.update(dict.fromkeys((s, here) for s in starts if s != here))
        makers.update(dict.fromkeys(row.fills, here))
    return Graph(nodes, list(edges), sources)


def _typed(shape: tuple[int, ...], dtype: str) -> str:
    return f"{in_shapes([shape])} {dtype}"


def _gap(n: int) -> Node:
    return Node("gap", f"{n:,} operations", "left out", "left out of the picture")


def _operation(row: Row, is_output: bool) -> Node:
    tip = [
        f"{row.number}: {row.primitive}({in_shapes(row.inputs)})",
        f"{row.source}  {row.line.text if row.line else ''}".strip(),
        f"keeps {in_bytes(row.bytes)}",
        *[f"{name}={value!r}" for name, value in row.params.items()],
    ]
    cost = float(row.bytes)
    if row.forward is not None and row.backward is not None:
        cost = row.seconds
        tip.append(f"forward {in_ms(row.forward)}, backward {in_ms(row.backward)} ms")
    detail = f"{in_shapes(row.outputs)} {row.dtype}"
    return Node("operation", row.primitive, detail, "\n".join(tip), cost, is_output)


def _heat(node: Node, most: float) -> str:
    """Return the colour of a node, by its share of the highest cost."""
    share = node.cost / most if most else 0.0
    return HEAT[round(share * (len(HEAT) - 1))]


# -- Graphviz -------------------------------------------------------------------------

SHAPES: Final = {"input": "ellipse", "operation": "box", "gap": "plaintext"}


def draw_dot(graph: Graph) -> str:
    """Return a graph in the language of Graphviz."""
    most = max((node.cost for node in graph.nodes), default=0.0)
    lines = ["digraph tape {", '  node [fontname="sans-serif", style=filled];']
    for i, node in enumerate(graph.nodes):
        settings = {
            "label": f"{node.label}\n{node.detail}",
            "tooltip": node.tip,
            "shape": SHAPES[node.kind],
            "fillcolor": _heat(node, most) if node.kind == "operation" else PAPER,
        }
        if node.is_output:
            settings["penwidth"] = "2"
        text = ", ".join(f"{key}={json.dumps(x)}" for key, x in settings.items())
        lines.append(f"  n{i} [{text}];")
    lines += [f"  n{start} -> n{end};" for start, end in graph.edges]
    return "\n".join([*lines, "}", ""])


# -- SVG ------------------------------------------------------------------------------


def draw_svg(graph: Graph) -> str:
    """Return a graph as a picture in SVG."""
    widths = [_width(node) for node in graph.nodes]
    layout = place_nodes(widths, graph.edges, graph.sources)
    left = min((x - w / 2 for x, w in zip(layout.centres, widths)), default=0.0)
    right = max((x + w / 2 for x, w in zip(layout.centres, widths)), default=0.0)
    for bends in layout.bends.values():
        left = min([left, *(x for _, x in bends)])
        right = max([right, *(x for _, x in bends)])
    shift = MARGIN - left
    size = right - left + 2 * MARGIN, _top(max(layout.layers, default=0) + 1)
    most = max((node.cost for node in graph.nodes), default=0.0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]:.0f}" '
        f'height="{size[1]:.0f}" viewBox="0 0 {size[0]:.0f} {size[1]:.0f}" '
        'font-family="system-ui, sans-serif" font-size="12" text-anchor="middle">',
        f'<rect width="100%" height="100%" fill="{PAPER}"/>',
        *[_edge(edge, layout, shift) for edge in graph.edges],
    ]
    for i, node in enumerate(graph.nodes):
        x, y = layout.centres[i] + shift, _top(layout.layers[i])
        parts.append(_box(node, x, y, widths[i], _heat(node, most)))
    return "\n".join([*parts, "</svg>", ""])


def _top(layer: int) -> float:
    return MARGIN + layer * STEP


def _width(node: Node) -> float:
    return max(72.0, CHARACTER * max(len(node.label), 0.85 * len(node.detail)) + 20)


def _box(node: Node, x: float, y: float, width: float, fill: str) -> str:
    """Return a node: a rectangle with two lines of text, and more when pointed at."""
    look = {
        "input": f'rx="20" fill="#ddf4ff" stroke="{FAINT}"',
        "operation": f'rx="5" fill="{fill}" stroke="{FAINT}"',
        "gap": f'rx="5" fill="{PAPER}" stroke="{FAINT}" stroke-dasharray="4 3"',
    }[node.kind]
    if node.is_output:
        look = look.replace(FAINT, INK) + ' stroke-width="2"'
    label, detail, tip = map(html.escape, (node.label, node.detail, node.tip))
    return (
        f"<g><title>{tip}</title>"
        f'<rect x="{x - width / 2:.1f}" y="{y:.1f}" width="{width:.1f}" '
        f'height="{HEIGHT:.0f}" {look}/>'
        f'<text x="{x:.1f}" y="{y + 17:.1f}" fill="{INK}" font-weight="600">{label}'
        f'</text><text x="{x:.1f}" y="{y + 32:.1f}" fill="#424a53" font-size="10.5">'
        f"{detail}</text></g>"
    )


def _edge(edge: Edge, layout: Layout, shift: float) -> str:
    """Return an edge: a curve that is upright where it passes a layer, and a head."""
    start, end = edge
    points = [(layout.centres[start] + shift, _top(layout.layers[start]) + HEIGHT)]
    for layer, x in layout.bends[edge]:
        points += [(x + shift, _top(layer)), (x + shift, _top(layer) + HEIGHT)]
    x, y = layout.centres[end] + shift, _top(layout.layers[end])
    points.append((x, y - 5))
    path = f"M{points[0][0]:.1f},{points[0][1]:.1f}"
    for k, ((x0, y0), (x1, y1)) in enumerate(zip(points, points[1:])):
        if k % 2:
            path += f"V{y1:.1f}"
        else:
            half = (y0 + y1) / 2
            path += f"C{x0:.1f},{half:.1f} {x1:.1f},{half:.1f} {x1:.1f},{y1:.1f}"
    head = f"M{x - 3.5:.1f},{y - 7:.1f}L{x:.1f},{y:.1f}L{x + 3.5:.1f},{y - 7:.1f}Z"
    return (
        f'<path d="{path}" fill="none" stroke="{FAINT}"/>'
        f'<path d="{head}" fill="{FAINT}"/>'
    )
