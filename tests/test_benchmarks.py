"""The benchmarks measure what they say: equal work, sound statistics, full reports."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from autograd_lite import tree
from benchmarks import __main__ as command
from benchmarks import cases, machine, run, startup, tables
from benchmarks.cases import NETS, SUITES, Chain, Conv, Elementwise, Matmul, Pool, Step
from benchmarks.ours import apply
from benchmarks.peers import PEERS, installed
from benchmarks.run import OURS
from benchmarks.timing import Ratio, calls_for, ratio, time_calls
from benchmarks.workers import Worker, WorkerError, Workers, build
from models import cnn

ROOT = Path(__file__).parent.parent

# Small cousins of the cases that are measured.
SMALL = [
    Conv(n=2, c=1, h=8, k=16, r=3, part="forward"),
    *(Conv(2, 3, 9, 4, 3, part, stride=2, pad=1) for part in cases.CONV_PARTS),
    *(Conv(2, 32, 7, 32, 3, part, pad=1) for part in cases.CONV_PARTS),
    *(Pool(name, 2, 6, 5, part) for name in ("max", "average") for part in cases.PARTS),
    Matmul(7, 33, 5),
    *(
        Elementwise(name, (3, 17), part)
        for name in ("relu", "tanh", "exp")
        for part in cases.PARTS
    ),
]


def result(name, case):
    """What a contender computes for a case."""
    module = "benchmarks.ours" if name == OURS else PEERS[name].module
    job = build(name, module, case)
    return None if job is None else job.result()


def assert_close(ours, theirs, rtol):
    """Equal up to `rtol` of each array's largest element."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=rtol * np.abs(theirs).max())


# -- equal work --------------------------------------------------------------------


@pytest.mark.parametrize(
    "peer",
    [
        pytest.param(name, marks=pytest.mark.peer(peer.library))
        for name, peer in PEERS.items()
    ],
)
@pytest.mark.parametrize("size", [1, 7])
def test_chains_agree(peer, size):
    theirs = result(peer, Chain(size))
    if theirs is None:
        pytest.skip("this form of the peer has no chain of its own")
    for a, b in zip(result(OURS, Chain(size)), theirs, strict=True):
        assert_close(a, b, 1e-12)


@pytest.mark.peer("torch")
@pytest.mark.parametrize("peer", ["torch", "torch nhwc"])
@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.label)
def test_primitives_agree(peer, case):
    theirs = result(peer, case)
    if theirs is None:
        pytest.skip("this form of the peer does not differ from another")
    assert_close(result(OURS, case), theirs, 1e-5)


@pytest.mark.peer("torch")
@pytest.mark.parametrize("peer", ["torch", "torch nhwc", "torch nhwc malloc"])
@pytest.mark.parametrize("net", NETS)
def test_losses_agree(peer, net):
    """Of each of three steps; a wrong gradient or update shows in the next loss."""
    ours = build(OURS, "benchmarks.ours", Step(net, 8))
    theirs = build(peer, "benchmarks.peers.torch", Step(net, 8))
    for _ in range(3):
        assert ours.run() == pytest.approx(theirs.run(), rel=1e-4)


@pytest.mark.peer("torch")
@pytest.mark.parametrize("net", ["lenet8", "emnist16"])
def test_updates_agree(net):
    """Three steps move every array of parameters alike.

    As a whole, since Adam divides a gradient near 0, all rounding, by itself; in `deep`
    such elements are too many, but its optimiser is that of lenet8.
    """
    start = NETS[net].init()
    ours, theirs = _third_parameters(OURS, net), _third_parameters("torch", net)
    tree.map(_moved_alike, ours, theirs, start)


def _third_parameters(name, net):
    module = "benchmarks.ours" if name == OURS else PEERS[name].module
    job = build(name, module, Step(net, 8))
    job.run()
    job.run()
    return job.result()[1]


def _moved_alike(ours, theirs, start):
    assert np.linalg.norm(ours - theirs) < 5e-5 * np.linalg.norm(theirs - start)


@pytest.mark.peer("torch")
@pytest.mark.parametrize("net", NETS)
def test_gradients_agree(net, monkeypatch):
    """With plain descent at rate 1, one step moves the parameters by the gradient."""
    plain = dataclasses.replace(
        NETS[net], optimizer="sgd", learning_rate=1.0, weight_decay=0.0
    )
    monkeypatch.setitem(NETS, net, plain)
    _, ours = result(OURS, Step(net, 4))
    _, theirs = result("torch", Step(net, 4))
    start = plain.init()
    gradients = [tree.map(np.subtract, start, after) for after in (ours, theirs)]
    tree.map(lambda a, b: assert_close(a, b, 1e-4), *gradients)


@pytest.mark.parametrize(
    "peer",
    [
        pytest.param(name, marks=pytest.mark.peer(peer.library))
        for name, peer in PEERS.items()
        if peer.library != "mygrad"
    ],
)
@pytest.mark.parametrize("case", SUITES["transforms"], ids=lambda case: case.label)
def test_transforms_agree(peer, case):
    theirs = result(peer, case)
    if theirs is None:
        pytest.skip("this form of the peer has none of its own")
    for a, b in zip(tree.leaves(result(OURS, case)), tree.leaves(theirs), strict=True):
        assert_close(a, b, 2e-5 if a.dtype == np.float32 else 1e-12)


@pytest.mark.parametrize("name", ["lenet8", "emnist16"])
def test_nets_are_the_models(name):
    params = NETS[name].init()
    ((x, _),) = Step(name, 3).batches(1)
    theirs = cnn.MODELS[name].apply(params, x)
    assert_close(apply(NETS[name], params, x), theirs, 1e-6)


@pytest.mark.parametrize("net", NETS)
def test_steps_learn(net):
    """The loss falls when the same four batches come again and again."""
    job = build(OURS, "benchmarks.ours", Step(net, 4))
    losses = [job.run() for _ in range(80)]
    assert np.isfinite(losses).all()
    assert np.mean(losses[-4:]) < np.mean(losses[:4])


def test_pooled_shapes():
    assert NETS["lenet8"].pooled_shape() == (13, 13, 8)
    assert NETS["emnist16"].pooled_shape() == (13, 13, 16)
    assert NETS["deep"].pooled_shape() == (7, 7, 64)


def test_flops():
    assert Matmul(2, 3, 4).flops == 48
    assert Conv(n=1, c=2, h=5, k=3, r=3, part="forward").flops == 2 * 9 * 3 * 9 * 2


def test_labels_are_unique():
    for suite in SUITES.values():
        labels = [case.label for case in suite]
        assert len(set(labels)) == len(labels)


# -- statistics --------------------------------------------------------------------


def test_time_calls_leaves_out_the_warm_ones():
    calls = []
    times = time_calls(lambda: calls.append(None), calls=4, warm=2)
    assert len(times) == 4 and len(calls) == 6 and min(times) > 0


def test_calls_for_is_bounded():
    assert calls_for(1.0, 0.0) == 1000
    assert calls_for(1.0, 10.0) == 3


def test_interval_contains_the_truth():
    """At a true ratio of 0.5, about 95 % of 200 intervals hold it."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        ours = 1.0 * rng.lognormal(sigma=0.1, size=15)
        theirs = 2.0 * rng.lognormal(sigma=0.1, size=15)
        found = ratio(ours, theirs, draws=400)
        held += found.low <= 0.5 <= found.high
    assert 0.88 <= held / 200 <= 0.995


def test_a_slow_round_of_both_moves_no_ratio():
    slow = np.array([1, 1, 5, 1, 3, 1, 1.0])
    found = ratio(slow, 4 * slow)
    assert (found.value, found.low, found.high) == (0.25, 0.25, 0.25)


# -- processes ---------------------------------------------------------------------

FAKE = '''
"""A contender that computes nothing."""
import os
from benchmarks.timing import Job

def chain(name, case):
    if name == "broken":
        raise ValueError("planted")
    if name == "without":
        return None
    pid = os.getpid()
    return Job(lambda: open({log!r}, "a").write(f"{{name}} {{pid}}\\n"))

BUILDERS = {{"chain": chain}}
'''


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """The log that the fake contenders of module `fake_contender` write to."""
    log = tmp_path / "log"
    (tmp_path / "fake_contender.py").write_text(FAKE.format(log=str(log)))
    monkeypatch.syspath_prepend(tmp_path)
    return log


def test_contenders_alternate_in_processes_of_their_own(fake):
    contenders = dict.fromkeys([OURS, "peer"], "fake_contender")
    with Workers(contenders) as workers:
        blocks = workers.compare(Chain(1), rounds=4, seconds=0.0)
    assert {name: len(times) for name, times in blocks.items()} == {OURS: 4, "peer": 4}
    lines = [line.split() for line in fake.read_text().splitlines()]
    turns = [name for i, (name, _) in enumerate(lines) if lines[i - 1][0] != name]
    # Preparing both, then ABBA: each starts as many rounds as the other.
    assert turns == [OURS, "peer", OURS, "peer", OURS, "peer"]
    assert len({pid for _, pid in lines}) == 2


def test_a_broken_peer_is_left_out(fake, capfd):
    contenders = dict.fromkeys([OURS, "broken", "without"], "fake_contender")
    with Workers(contenders) as workers:
        blocks = workers.compare(Chain(1), rounds=1, seconds=0.0)
        again = workers.compare(Chain(1), rounds=1, seconds=0.0)
    assert list(blocks) == list(again) == [OURS]
    assert list(workers.failed) == ["broken"]
    assert "planted" in capfd.readouterr().err


def test_our_own_failure_is_an_error(fake):
    with (
        Workers({"broken": "fake_contender"}) as workers,
        pytest.raises(WorkerError, match="broken failed"),
    ):
        workers.compare(Chain(1), rounds=1, seconds=0.0)


def test_a_closed_worker_has_ended(fake):
    worker = Worker(OURS, "fake_contender")
    worker.prepare(Chain(1))
    worker.close()
    assert not worker.running


# -- reports -----------------------------------------------------------------------


def test_results_carry_the_ratio_of_ours_over_theirs():
    blocks = {OURS: [1.0, 1.0, 1.0], "torch": [4.0, 4.0, 4.0]}
    ours, theirs = run.summarise("primitives", Matmul(100, 100, 100), blocks)
    assert ours.ratio is None and ours.value == 1000.0
    assert theirs.ratio == Ratio(0.25, 0.25, 0.25)
    assert theirs.gflops == pytest.approx(2e6 / 4 / 1e9)
    assert theirs.row()[-1] == "0.25 [0.25, 0.25]"


def test_select_filters_by_label():
    labels = [case.label for case in run.select("steps", "DEEP")]
    assert labels == ["deep, batch 64", "deep, batch 128"]


def test_plain_tables_without_rich(monkeypatch, capsys):
    monkeypatch.setattr(tables, "HAS_RICH", False)
    tables.show_table("title", ["case", "library"], [["a", "b"]])
    assert capsys.readouterr().out == "title\ncase  library\na     b\n"


@pytest.mark.parametrize("rich", [True, False])
def test_progress_reaches_the_terminal(rich, monkeypatch, capsys):
    if rich:
        pytest.importorskip("rich")
    monkeypatch.setattr(tables, "HAS_RICH", rich)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with tables.progress(2) as step:
        step("first")
        step("second")
    assert "second" in capsys.readouterr().err


def test_machine_is_described_in_words():
    assert f"{machine.cores()} cores" in machine.describe()
    assert set(machine.versions(["numpy", "no-such-thing"])) == {"python", "numpy"}


def test_unknown_names_are_refused():
    with pytest.raises(SystemExit, match="no suite speed; there are overhead"):
        command.choose_suites(["speed"])
    with pytest.raises(SystemExit, match="abacus not among the installed"):
        command.choose_peers("abacus")
    with pytest.raises(SystemExit, match="expected 1 or more"):
        command.limit_threads(0)
    assert command.choose_peers("") == []
    assert command.choose_peers(None) == list(installed())


def test_command_writes_json(tmp_path):
    file = tmp_path / "out.json"
    arguments = ["overhead", "--peers", "", "--quick", "--filter", "size 1$"]
    subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments, "--json", file],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    report = json.loads(file.read_text(encoding="utf8"))
    assert set(report) == {
        *("command", "date", "machine", "versions", "threads", "results")
    }
    (row,) = report["results"]
    assert row["case"] == "tanh(x*w+b), size 1"
    assert row["contender"] == OURS and 0 < row["value"] < 1000
    assert len(row["blocks"]) == run.QUICK.rounds


def test_imports_are_measured_beside_numpy():
    rows = {row.contender: row for row in startup.measure_imports(rounds=1)}
    assert set(rows) == {"numpy", OURS, "ours beyond numpy's"}
    assert rows["numpy"].value > 1


@pytest.mark.slow
def test_first_steps_cold_and_cached():
    rows = startup.measure("first step of lenet8", peers=[], rounds=2)
    cold, cached = rows
    assert cold.contender == f"{OURS}, cold" and cached.contender == OURS
    assert min(*cold.blocks, *cached.blocks) > 0
