"""The tape as a table: its rows, sums, files and pictures."""

import json
import re
import threading
import tracemalloc
import xml.etree.ElementTree as ElementTree
from functools import partial
from pathlib import Path

import numpy as onp
import pytest

import autograd_lite
import autograd_lite.numpy as np
from autograd_lite import checkpoint, debug_nans, grad, nn, primitive, tape, vjp
from autograd_lite.debug.layout import layers_of, place_nodes
from autograd_lite.errors import (
    ArgumentError,
    DifferentiationTypeError,
    LeakedTracerError,
)
from autograd_lite.source import user_line

THIS = __file__.rpartition("/")[2]


def loss(params, x):
    for w, b in params:
        x = np.tanh(x @ w + b)
    return np.sum(x**2)


def layers(*sizes):
    rng = onp.random.default_rng(0)
    pairs = zip(sizes, sizes[1:])
    return [(rng.normal(size=pair), onp.zeros(pair[1])) for pair in pairs]


@pytest.fixture
def table():
    return tape(loss)(layers(4, 8, 3), onp.ones((5, 4)))


def chain(x, n):
    for _ in range(n):
        x = x + 1.0
    return x


# -- rows -----------------------------------------------------------------------------


def test_a_row_per_operation(table):
    names = ["matmul", "add", "tanh"] * 2 + ["square", "sum"]
    assert [row.primitive for row in table] == names
    assert [row.number for row in table.rows] == list(range(8))
    assert len(table) == 8
    first = table[0]
    assert (first.inputs, first.outputs) == (((5, 4), (4, 8)), ((5, 8),))
    assert first.dtype == "float64"
    assert (table[1].reads, table[1].fills) == ((4, 1), (5,))
    assert table.outputs == [table[-1].fills[0]]
    assert (first.forward, first.seconds) == (None, 0.0)


def test_the_line_is_the_users(table):
    assert {row.line.text for row in table.rows[:6]} == {"x = np.tanh(x @ w + b)"}
    assert table[0].line.file == __file__
    assert table[7].source == f"{THIS}:{loss.__code__.co_firstlineno + 3}"


def test_inputs_are_named_by_their_place(table):
    assert [x.name for x in table.inputs] == ["0.0", "0.1", "1.0", "1.1"]
    assert table.inputs[0].shape == (4, 8)
    named = tape(lambda p, x: p["w"] * x, wrt="p")({"w": 1.0}, 2.0)
    assert [x.name for x in named.inputs] == ["w"]
    assert [x.name for x in tape(np.tanh)(1.0).inputs] == ["x"]


def test_bytes_are_what_pullbacks_keep_beside_the_arguments(table):
    kept = [row.bytes for row in table]
    assert kept == [0, 0, 5 * 8 * 8, 0, 0, 5 * 3 * 8, 0, 0]
    assert table.bytes == 440


def test_shared_memory_counts_once():
    def f(x):
        y = np.exp(x)
        return y * y + np.sin(y.reshape(2, 50)).sum()

    table = tape(f)(onp.ones(100))
    assert [(row.primitive, row.bytes, row.shared) for row in table] == [
        ("exp", 800, 0),
        ("multiply", 0, 800),
        ("reshape", 0, 0),
        ("sin", 0, 800),
        ("sum", 0, 0),
        ("add", 0, 0),
    ]
    assert table.bytes == 800


def test_bytes_are_what_memory_is_used():
    def f(x):
        y = np.exp(x) * np.sin(x)
        return np.sum(np.sqrt(y + 9) * y + np.where(x > 0, y, x))

    x = onp.linspace(-1, 1, 100_000)
    expected = tape(f)(x).bytes
    vjp(f, x)
    tracemalloc.start()
    _, pullback = vjp(f, x)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert expected == pytest.approx(used, rel=0.02)
    assert expected > 4 * x.nbytes
    pullback(1.0)


def test_captured_arrays_and_parameters_are_shown():
    weights = onp.ones((3, 3))
    table = tape(lambda x: np.sum(x * weights, axis=1))(onp.ones((3, 3)))
    assert table[0].bytes == 72
    assert table[1].params["axis"] == (1,)


def test_several_outputs_have_all_shapes():
    table = tape(lambda a: np.linalg.eigh(a)[0])(onp.eye(3, dtype=onp.float32))
    (row,) = [row for row in table if row.primitive == "eigh"]
    assert row.outputs == ((3,), (3, 3))
    assert row.dtype == "float32"


def test_options_are_those_of_grad():
    def f(x, y):
        return x * y, {"kept": x}

    both = tape(f, (0, 1), has_aux=True)(1.0, onp.ones(2))
    assert [x.shape for x in both.inputs] == [(), (2,)]
    assert len(both.outputs) == 1
    assert tape(lambda *, x: x + 1, wrt="x")(x=1.0).rows[0].primitive == "add"
    with pytest.raises(DifferentiationTypeError, match="astype"):
        tape(np.tanh)(1)


def test_nothing_recorded_and_nothing_that_depends():
    table = tape(lambda x: 3.0)(1.0)
    assert (len(table), table.outputs, table.bytes) == (0, [], 0)
    assert "0 operations" in repr(table)
    assert table.to_svg().startswith("<svg")
    assert len(tape(lambda x: x)(1.0)) == 0


def test_inner_derivatives_are_operations_of_the_outer_tape():
    table = tape(lambda x: grad(np.tanh)(x) ** 2)(1.0)
    names = [row.primitive for row in table]
    assert names[0] == "tanh" and names[-1] == "square" and len(names) > 3
    assert len(tape(checkpoint(np.tanh))(1.0)) == 1


def test_the_arguments_are_writable_again_and_a_leak_is_an_error():
    x, kept = onp.ones(10_000), []

    def f(x):
        kept.append(x)
        return x * x

    tape(f)(x)
    x[0] = 2.0
    with pytest.raises(LeakedTracerError):
        kept[0] + 1
    with pytest.raises(ZeroDivisionError):
        tape(lambda x: x * x * (1 // 0))(x)
    x[0] = 3.0


def test_tapes_in_many_threads_do_not_meet():
    found = {}

    def work(n):
        found[n] = len(tape(partial(chain, n=n))(1.0))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: n for n in range(1, 9)}


def test_users_primitives_and_functions_without_source():
    @primitive
    def cube(x):
        return x**3

    cube.vjps[0] = lambda ans, x: lambda g: 3 * g * x**2
    code = {"cube": cube}
    exec("def f(x):\n    return cube(x)", code)
    (row,) = tape(code["f"])(2.0)
    assert (row.primitive, row.line.text) == ("cube", "")
    assert row.source == "<string>:2"


# -- text -----------------------------------------------------------------------------


def test_printing(table):
    lines = repr(table).splitlines()
    assert lines[0] == (
        "tape of loss: 8 operations, 440 B kept for the walk back beside the arguments"
    )
    assert lines[1].split() == [
        *["#", "primitive", "reads", "makes", "dtype", "keeps", "line", "code"]
    ]
    assert len(lines) == 10
    assert "5x4, 4x8" in lines[2] and "x = np.tanh(x @ w + b)" in lines[2]


def test_a_long_tape_is_collapsed_in_the_middle():
    lines = repr(tape(partial(chain, n=1000))(1.0)).splitlines()
    assert len(lines) == 2 + 20 + 1
    assert lines[12].strip() == "... 980 more ..."
    assert lines[11].split()[0] == "9" and lines[13].split()[0] == "990"
    twenty = tape(partial(chain, n=20))(1.0)
    assert "more" not in repr(twenty)
    assert len(twenty.text(4).splitlines()) == 7


@pytest.mark.slow
def test_a_million_operations():
    table = tape(partial(chain, n=1_000_000))(1.0)
    assert "999,980 more" in repr(table)
    assert "999,900 operations" in table.to_svg()
    assert table.by_primitive()["add"].calls == 1_000_000


def test_a_program_beside_the_library_is_the_users():
    """Its path begins as the library's does, up to the end of the name."""
    file = f"{Path(autograd_lite.__file__).parent}_demo.py"
    scope = {"line": user_line}
    exec(compile("\nfound = line()", file, "exec"), scope)
    assert (scope["found"].file, scope["found"].number) == (file, 2)


def test_sums_by_primitive_and_by_line(table):
    totals = table.by_primitive()
    assert list(totals)[0] == "tanh"
    assert (totals["tanh"].calls, totals["tanh"].bytes) == (2, 440)
    assert sum(t.calls for t in totals.values()) == len(table)
    by_line = table.by_line()
    assert [t.calls for t in by_line.values()] == [6, 2]
    assert "440 B" in repr(totals) and "np.tanh" in repr(by_line)


# -- files ----------------------------------------------------------------------------


def test_json_has_everything(table):
    found = json.loads(table.to_json())
    assert found["function"] == "loss" and found["bytes"] == 440
    assert len(found["rows"]) == 8 and len(found["inputs"]) == 4
    assert found["rows"][0]["code"] == "x = np.tanh(x @ w + b)"
    assert found["rows"][7]["params"]["axis"] == "(0, 1)"


def test_html_escapes_what_it_shows(table):
    text = tape(lambda x: np.where(x < 1, x & True if False else x, 0.0))(0.5)
    html = text.to_html()
    assert "x &lt; 1" in html and "x < 1" not in html
    for part in (table._repr_html_(), table.by_line()._repr_html_()):
        assert part.count("<tr>") >= 3
    assert "<svg" in table.to_html()


def test_svg_is_well_formed_and_has_every_node(table):
    root = ElementTree.fromstring(table.to_svg())
    space = "{http://www.w3.org/2000/svg}"
    groups = root.findall(f"{space}g")
    assert len(groups) == len(table) + len(table.inputs)
    assert "np.tanh" in groups[4].find(f"{space}title").text
    assert len(root.findall(f"{space}path")) == 2 * len(table.graph().edges)


def test_boxes_of_a_layer_do_not_overlap():
    def f(p):
        return sum(np.tanh(x) @ p[0] * x for x in p)

    svg = tape(f)([onp.ones((2, 2))] * 6).to_svg()
    boxes = re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)"', svg)
    rows = {}
    for x, y, width in boxes:
        rows.setdefault(y, []).append((float(x), float(x) + float(width)))
    for row in rows.values():
        row.sort()
        assert all(left[1] < right[0] for left, right in zip(row, row[1:]))
    assert max(map(len, rows.values())) > 1


def test_long_pictures_leave_out_the_middle():
    table = tape(lambda p: sum(x * p[0] for x in p))([1.0] * 50)
    graph = table.graph(limit=10)
    kinds = [node.kind for node in graph.nodes]
    assert kinds.count("operation") == 10 and kinds.count("gap") == 1
    assert kinds.count("input") < 15
    assert all(start < end for start, end in graph.edges)
    assert f"{len(table) - 10} operations" in table.to_svg(limit=10)


def test_dot_names_nodes_and_edges(table):
    dot = table.to_dot()
    assert dot.startswith("digraph") and dot.count("->") == len(table.graph().edges)
    assert 'label="matmul\\n5x8 float64"' in dot


@pytest.mark.parametrize("suffix", [".svg", ".html", ".dot", ".json", ".txt"])
def test_saving_by_suffix(table, tmp_path, suffix):
    path = tmp_path / f"tape{suffix}"
    table.save(path)
    table.save(str(path))
    assert "tanh" in path.read_text(encoding="utf8")


def test_other_suffixes_are_refused(table, tmp_path):
    with pytest.raises(ArgumentError, match=r"\.svg, \.html, .*tape.png"):
        table.save(tmp_path / "tape.png")


def test_layers_follow_dependence():
    edges = [(0, 2), (2, 3), (3, 4), (1, 4), (2, 4)]
    assert layers_of(5, edges, 2) == [0, 2, 1, 2, 3]
    assert layers_of(2, [(0, 1)], 0) == [0, 1]
    assert layers_of(0, [], 0) == []
    layout = place_nodes([10.0] * 5, edges, 2)
    assert [layer for layer, _ in layout.bends[2, 4]] == [2]
    assert layout.bends[2, 3] == []


def test_inside_debug_nans_the_table_is_the_same():
    with debug_nans():
        names = [row.primitive for row in tape(lambda x: nn.relu(x) * x)(1.0)]
    assert names == ["relu", "multiply"]
