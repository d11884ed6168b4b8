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
from benchmarks import cases, machine, probes, run, startup, tables, workers
from benchmarks.cases import (
    SUITES,
    Chain,
    Conv,
    Elementwise,
    Fused,
    Matmul,
    Pool,
    Step,
)
from benchmarks.nets import NETS, forward
from benchmarks.ours import Functional
from benchmarks.peers import PEERS, installed
from benchmarks.probes import Limits
from benchmarks.timing import Ratio, calls_for, largest_error, ratio, time_calls
from benchmarks.workers import (
    OURS,
    REFERENCE,
    Comparison,
    Effort,
    Worker,
    WorkerError,
    Workers,
    build,
)
from models import cnn

ROOT = Path(__file__).parent.parent

# Small cousins of the cases that are measured.
SMALL = [
    Conv(n=2, c=1, h=8, k=16, r=3, part="forward"),
    *(Conv(2, 3, 9, 4, 3, part, stride=2, pad=1) for part in cases.CONV_PARTS),
    *(Conv(2, 32, 7, 32, 3, part, pad=1) for part in cases.CONV_PARTS),
    *(Conv(2, 6, 9, 4, 3, part, pad=1, groups=2) for part in cases.CONV_PARTS),
    *(Conv(2, 6, 9, 6, 3, part, pad=1, groups=6) for part in cases.CONV_PARTS),
    *(Fused(3, 12, 16, part) for part in ("forward", "grad", "both")),
    *(Pool(name, 2, 7, 5, part) for name in ("max", "average") for part in cases.PARTS),
    Matmul(7, 33, 5),
    *(
        Elementwise(name, (3, 17), part)
        for name in ("relu", "tanh", "exp")
        for part in cases.PARTS
    ),
]


# Contenders by name: ours, and every form of every peer.
CONTENDERS = [
    OURS,
    *(
        pytest.param(name, marks=pytest.mark.peer(peer.library))
        for name, peer in PEERS.items()
    ),
]


def job_of(name, case):
    """The contender's code for a case."""
    modules = {OURS: "benchmarks.ours", REFERENCE: "benchmarks.references"}
    job = build(name, modules.get(name) or PEERS[name].module, case)
    if job is None:
        pytest.skip("this contender has none, or none of its own")
    return job


def error_of(name, case):
    """The contender's error against the reference."""
    return largest_error(job_of(name, case).arrays(), job_of(REFERENCE, case).arrays())


def assert_close(ours, theirs, rtol):
    """Equal up to `rtol` of the largest element of `theirs`."""
    assert largest_error([np.asarray(ours)], [np.asarray(theirs)]) < rtol


# -- equal work --------------------------------------------------------------------


@pytest.mark.parametrize("name", CONTENDERS)
@pytest.mark.parametrize("size", [1, 7])
def test_chains_agree(name, size):
    assert error_of(name, Chain(size)) < 1e-12


@pytest.mark.parametrize("name", CONTENDERS)
@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.label)
def test_primitives_agree(name, case):
    assert error_of(name, case) < 2e-6


@pytest.mark.parametrize("name", CONTENDERS)
@pytest.mark.parametrize("net", NETS)
def test_gradients_agree(name, net):
    """The loss' and its gradients, as a whole: a ReLU near 0 may fall either way."""
    case = Step(net, 4)
    found, true = job_of(name, case).arrays(), job_of(REFERENCE, case).arrays()
    assert [x.shape for x in found] == [x.shape for x in true]
    assert found[0] == pytest.approx(true[0], rel=1e-5)
    wrong = sum(np.sum((a - b) ** 2) for a, b in zip(found[1:], true[1:]))
    assert wrong < 1e-6 * sum(np.sum(b**2) for b in true[1:])


@pytest.mark.parametrize("peer", CONTENDERS[1:])
@pytest.mark.parametrize("net", NETS)
def test_losses_agree(peer, net):
    """Of each of three steps; a wrong update shows in the next loss."""
    ours, theirs = job_of(OURS, Step(net, 8)), job_of(peer, Step(net, 8))
    for _ in range(3):
        assert ours.run() == pytest.approx(theirs.run(), rel=1e-4)


@pytest.mark.parametrize("peer", CONTENDERS[1:])
@pytest.mark.parametrize("net", ["lenet8", "emnist16", "resnet"])
def test_updates_agree(peer, net):
    """Three steps move every array of parameters alike.

    As a whole, since Adam divides a gradient near 0, all rounding, by itself; in `deep`
    such elements are too many, but its optimiser is that of lenet8.
    """
    start = NETS[net].init()
    ours, theirs = (_third_parameters(name, net) for name in (OURS, peer))
    tree.map(_moved_alike, ours, theirs, start)


def _third_parameters(name, net):
    job = job_of(name, Step(net, 8))
    for _ in range(3):
        job.run()
    return job.parameters()


def _moved_alike(ours, theirs, start):
    assert np.linalg.norm(ours - theirs) < 2e-4 * np.linalg.norm(theirs - start)


@pytest.mark.parametrize("peer", CONTENDERS[1:])
@pytest.mark.parametrize("case", SUITES["transforms"], ids=lambda case: case.label)
def test_transforms_agree(peer, case):
    theirs = job_of(peer, case).arrays()
    for a, b in zip(job_of(OURS, case).arrays(), theirs, strict=True):
        assert_close(a, b, 2e-5 if a.dtype == np.float32 else 1e-12)


@pytest.mark.parametrize("name", ["lenet8", "emnist16"])
def test_nets_are_the_models(name):
    params = NETS[name].init()
    ((x, _),) = Step(name, 3).batches(1)
    theirs = cnn.MODELS[name].apply(params, x)
    assert_close(forward(NETS[name], Functional(params, {}), x), theirs, 1e-6)


@pytest.mark.parametrize("net", NETS)
def test_steps_learn(net):
    """The loss falls when the same four batches come again and again."""
    job = build(OURS, "benchmarks.ours", Step(net, 4))
    losses = [job.run() for _ in range(80)]
    assert np.isfinite(losses).all()
    assert np.mean(losses[-4:]) < np.mean(losses[:4])


def test_shapes_of_parameters():
    shapes = {name: net.sizes().shapes for name, net in NETS.items()}
    assert shapes["lenet8"]["dense1"]["w"] == (13 * 13 * 8, 128)
    assert shapes["deep"]["dense1"]["w"] == (7 * 7 * 64, 256)
    assert "b" not in shapes["deep-norm"]["conv1"]
    assert shapes["resnet"]["conv6"]["w"] == (1, 1, 16, 32)  # a shortcut
    assert shapes["separable"]["conv2"]["w"] == (3, 3, 1, 32)  # depthwise
    assert shapes["separable"]["dense1"]["w"] == (256, 10)


def test_flops():
    assert Matmul(2, 3, 4).flops == 48
    small = Conv(n=1, c=2, h=5, k=4, r=3, part="forward")
    assert small.flops == 2 * 9 * 4 * 9 * 2
    assert small.bytes == 4 * (25 * 2 + 9 * 2 * 4 + 9 * 4)
    assert dataclasses.replace(small, groups=2).flops == small.flops / 2
    conv, rest = 26 * 26 * 8 * 9, 1352 * 128 + 128 * 10
    assert Step("lenet8", 3).flops == 3 * 2 * (2 * conv + 3 * rest)


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
    def run():
        open({log!r}, "a").write(f"{{name}} {{pid}}\\n")
    return Job(run, lambda: [2.0 if name == "reference" else 3.0])

BUILDERS = {{"chain": chain}}
'''


ONCE = Effort(rounds=1, seconds=0.0, repeats=0)


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """The log that the fake contenders of module `fake_contender` write to."""
    log = tmp_path / "log"
    (tmp_path / "fake_contender.py").write_text(FAKE.format(log=str(log)))
    monkeypatch.syspath_prepend(tmp_path)
    return log


def test_contenders_alternate_in_processes_of_their_own(fake):
    contenders = dict.fromkeys([OURS, "peer"], "fake_contender")
    with Workers(contenders) as running:
        blocks = running.compare(Chain(1), Effort(4, 0.0, 0)).blocks
    assert {name: len(times) for name, times in blocks.items()} == {OURS: 4, "peer": 4}
    lines = [line.split() for line in fake.read_text().splitlines()]
    turns = [name for i, (name, _) in enumerate(lines) if lines[i - 1][0] != name]
    # Preparing both, then ABBA: each starts as many rounds as the other.
    assert turns == [OURS, "peer", OURS, "peer", OURS, "peer"]
    assert len({pid for _, pid in lines}) == 2


def test_a_broken_peer_is_left_out(fake, capfd):
    contenders = dict.fromkeys([OURS, "broken", "without"], "fake_contender")
    with Workers(contenders) as running:
        blocks = running.compare(Chain(1), ONCE).blocks
        again = running.compare(Chain(1), ONCE).blocks
    assert list(blocks) == list(again) == [OURS]
    assert list(running.failed) == ["broken"]
    assert "planted" in capfd.readouterr().err


def test_our_own_failure_is_an_error(fake):
    with (
        Workers({"broken": "fake_contender"}) as running,
        pytest.raises(WorkerError, match="broken failed"),
    ):
        running.compare(Chain(1), ONCE)


def test_errors_are_those_against_the_reference(fake):
    contenders = dict.fromkeys([OURS, "peer", REFERENCE], "fake_contender")
    with Workers(contenders) as running:
        found = running.compare(Chain(1), ONCE)
    assert found.errors == {OURS: 0.5, "peer": 0.5}
    assert REFERENCE not in found.blocks


def test_blocks_without_a_core_are_measured_again(fake):
    """Three times a core is missing: two blocks may be repeated, one has to stay."""
    answers = iter([True, False, False, False, True])
    with Workers({OURS: "fake_contender"}) as running:
        running._cores.all_there = lambda: next(answers)
        found = running.compare(Chain(1), Effort(2, 0.0, repeats=2))
    assert len(found.blocks[OURS]) == 2
    assert (found.repeated, found.disturbed) == (2, 1)


def test_a_closed_worker_has_ended(fake):
    worker = Worker(OURS, "fake_contender")
    worker.prepare(Chain(1))
    worker.close()
    assert not worker.running


# -- reports -----------------------------------------------------------------------


LIMITS = Limits(gemm=1.0, fma=2.0, copies={1 << 10: 4.0, 1 << 20: 2.0})


def test_results_carry_ratio_rates_and_limit():
    blocks = {OURS: [1.0, 1.0, 1.0], "torch": [4.0, 4.0, 4.0]}
    found = Comparison(blocks, {OURS: 1e-7, "torch": 2e-7})
    ours, theirs = run.summarise("primitives", Matmul(1000, 1000, 1000), found, LIMITS)
    assert ours.ratio is None and ours.value == 1000.0
    assert theirs.ratio == Ratio(0.25, 0.25, 0.25)
    assert theirs.gflops == pytest.approx(2e9 / 4 / 1e9)
    assert ours.gbs == pytest.approx(12e6 / 1e9)
    assert (ours.limit, theirs.limit) == (1.0, 0.25)
    assert theirs.row()[-3:] == ["25%", "2e-07", "0.25 [0.25, 0.25]"]


def test_limit_of_what_only_moves_memory():
    found = Comparison({OURS: [1e-3]}, {})
    case = Elementwise("exp", (131_072,), "forward")  # 1 MB
    (row,) = run.summarise("primitives", case, found, LIMITS)
    assert row.gflops is None
    assert row.gbs == pytest.approx(1.048576)
    assert row.limit == pytest.approx(1.048576 / 2)


def test_select_filters_by_label():
    labels = [case.label for case in run.select("steps", "DEEP")]
    assert labels == ["deep, batch 64", "deep, batch 128", "deep-norm, batch 64"]


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
    assert f"{machine.cores()} core" in machine.describe()
    assert set(machine.versions(["numpy", "no-such-thing"])) == {"python", "numpy"}


def test_unknown_names_are_refused():
    with pytest.raises(SystemExit, match="no suite speed; there are overhead"):
        command.choose_suites(["speed"])
    assert command.choose_suites([]) == command.NAMES
    assert "checkers" not in command.choose_suites([], quick=True)
    with pytest.raises(SystemExit, match="abacus not among the installed"):
        command.choose_peers("abacus")
    with pytest.raises(SystemExit, match="expected 1 or more"):
        command.limit_threads(0)
    assert command.choose_peers("") == []
    best = [name for name, peer in installed().items() if peer.best]
    assert command.choose_peers(None) == best


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
        *("command", "date", "seconds", "machine", "limits", "versions", "threads"),
        *("peers", "results"),
    }
    (row,) = report["results"]
    assert row["case"] == "tanh(x*w+b), size 1"
    assert row["contender"] == OURS and 0 < row["value"] < 1000
    assert len(row["blocks"]) == workers.QUICK.rounds and row["error"] is None
    limits = probes.limits_from(report["limits"])
    assert limits.gflops > 0.1 and min(limits.copies.values()) > 0.01


def test_imports_are_measured_beside_numpy():
    rows = {row.contender: row for row in startup.measure_imports(rounds=1)}
    assert set(rows) == {"numpy", OURS, "ours beyond numpy's"}
    assert rows["numpy"].value > 1


@pytest.mark.slow
def test_first_steps_cold_and_cached():
    rows = startup.measure("first step of deep", [], Effort(4, 0.0, 0))
    cold, cached = rows
    assert cold.contender == f"{OURS}, cold" and cached.contender == OURS
    assert min(*cold.blocks, *cached.blocks) > 0
