"""What becomes of the results: comparisons, pages, charts; and limits, and memory."""

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import compare, goals, memory, pages, probes, recipes, run
from benchmarks.cases import SUITES, Conv, Pool, Step
from benchmarks.probes import Cores, Limits
from benchmarks.run import Result
from benchmarks.timing import Ratio
from benchmarks.workers import OURS, Comparison, Effort

ROOT = Path(__file__).parent.parent
LIMITS = Limits(gemm=100.0, fma=200.0, copies={1 << 20: 100.0, 1 << 28: 20.0})
CASES = [Conv(n=64, c=32, h=28, k=32, r=3, part=p) for p in ("forward", "input grad")]
CASES += [Pool("max", 64, 28, 32, "forward")]


def results(factor=1.0, peer=1.0, seed=0):
    """Results of the cases, ours `factor` times as slow, the peers `peer` times."""
    rng = np.random.default_rng(seed)
    found = []
    for case in CASES:
        noise = rng.lognormal(sigma=0.01, size=(3, 15))
        blocks = {OURS: factor * noise[0], "torch": 2 * peer * noise[1]}
        blocks["jax"] = 3 * peer * noise[2]
        blocks = {name: list(1e-3 * times) for name, times in blocks.items()}
        errors = {OURS: 1e-7, "torch": 2e-7}
        done = Comparison(blocks, errors)
        found += run.summarise("primitives", case, done, LIMITS)
    return found


def report(found):
    """The report that holds the results."""
    return command.report(found, LIMITS, ["--quick"], seconds=3.2)


# -- comparisons -------------------------------------------------------------------


def verdicts(new, old):
    """Those on our own results."""
    return {c.verdict for c in compare.changes(new, old) if c.verdict}


def test_a_change_beyond_noise_is_told():
    assert verdicts(results(0.8, seed=1), results()) == {"faster"}
    assert verdicts(results(1.2, seed=1), results()) == {"slower"}


def test_a_run_like_the_last_one_is_within_noise():
    assert verdicts(results(seed=1), results()) == {"within noise"}


def test_what_the_peers_lost_too_is_no_change_of_ours():
    """The machine was slower by a third."""
    assert verdicts(results(1.33, peer=1.33, seed=1), results()) == {"within noise"}


def test_comparison_says_how_many(capsys):
    compare.show(results(0.8, seed=1), results())
    printed = capsys.readouterr().out
    assert "3 of 3 changes exceed the noise between the two runs, 5%" in printed
    assert "faster" in printed and "torch" not in printed
    compare.show(results(), [])
    assert "no case in common" in capsys.readouterr().out


def test_results_survive_their_file():
    found = results()
    text = json.dumps(report(found))
    assert command.results_in(json.loads(text)) == found


def test_a_file_that_is_no_report_is_refused(tmp_path):
    file = tmp_path / "x.json"
    with pytest.raises(SystemExit, match="is no report"):
        command.read(file)
    file.write_text("[]")
    with pytest.raises(SystemExit, match="is no report"):
        command.read(file)


# -- pages -------------------------------------------------------------------------


def test_page_of_a_run():
    page = pages.page(report(results()), results())
    assert page.startswith("# Benchmarks\n") and page.endswith("|\n")
    for words in (
        *("`python -m benchmarks --quick`", "## Primitives", "## Goals"),
        *("fused multiply-adds 200 GFLOP/s", "100 GB/s at 1 MB", "20 GB/s at 256 MB"),
        *("torch (PyTorch eager, channels_last", "numpy 2."),
    ):
        assert words in page
    assert "mygrad (" not in page  # was not measured
    assert "\n\n\n" not in page


def test_tables_of_a_page_are_well_formed():
    page = pages.page(report(results()), results())
    for block in re.findall(r"(?:^\|.*\|\n)+", page, re.MULTILINE):
        widths = {line.count("|") for line in block.splitlines()}
        assert len(widths) == 1


def test_report_command(tmp_path, capsys):
    file = tmp_path / "run.json"
    file.write_text(json.dumps(report(results())))
    command.main(["report", str(file)])
    assert capsys.readouterr().out == pages.page(report(results()), results())
    with pytest.raises(SystemExit, match="expected one file"):
        command.main(["report"])


def test_goals_are_judged_by_the_worst_case():
    rows = {row[0]: row for row in goals.verdicts(results(0.8))}
    assert set(rows) == {"convolutions", "pools"}
    assert rows["convolutions"][-1] == "yes" and rows["convolutions"][-2] == "1.05"
    rows = {row[0]: row for row in goals.verdicts(results(2.5))}
    assert [row[-1] for row in rows.values()] == ["no", "no"]
    assert float(rows["convolutions"][2]) == pytest.approx(1.25, rel=0.05)


def test_goals_have_cases():
    """Each pattern means some case of its suite, so that none is forgotten."""
    labels = {suite: [c.label for c in cases] for suite, cases in SUITES.items()}
    labels["memory"] = [f"{c.label}: {memory.UNITS['MB']}" for c in memory.CASES]
    labels["startup"] = ["first step of deep, batch 64"]
    labels["recipes"] = [recipes.case_of(name, 1).label for name in recipes.RECIPES]
    for goal in goals.GOALS:
        assert any(re.search(goal.pattern, label) for label in labels[goal.suite])


def test_mixed_units_stand_with_their_values():
    rows = [
        Result("memory", "a", OURS, 12.0, "MB"),
        Result("memory", "b", OURS, 0, "f"),
    ]
    headers, cells = run.table(rows)
    assert headers == ["case", "library", "value"]
    assert [row[2] for row in cells] == ["12 MB", "0 f"]


# -- charts ------------------------------------------------------------------------


def test_charts_are_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    from benchmarks import plots

    files = plots.draw(results(), LIMITS, tmp_path / "charts")
    assert [file.name for file in files] == ["primitives.png", "roofline.png"]
    for file in files:
        assert file.read_bytes().startswith(b"\x89PNG")


def test_bars_are_as_long_as_the_peers_take():
    pytest.importorskip("matplotlib")
    from benchmarks import plots

    rows = [r for r in results() if r.ratio]
    (axes,) = plots.bars("primitives", rows).axes
    ends = sorted(round(bar.get_x() + bar.get_width(), 1) for bar in axes.patches)
    assert ends == [2.0, 2.0, 2.0, 3.0, 3.0, 3.0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        case.label for case in CASES
    ]


def test_roofline_has_every_point():
    pytest.importorskip("matplotlib")
    from benchmarks import plots

    rows = [r for r in results() if r.intensity]
    (axes,) = plots.roofline(rows, LIMITS).axes
    points = np.concatenate([c.get_offsets() for c in axes.collections])
    assert len(points) == len(rows)
    # 2 * 64 * 26**2 * 32**2 * 9 operations in about a millisecond
    assert points[:, 1].max() == pytest.approx(
        2 * 64 * 26**2 * 32**2 * 9 / 1e6, rel=0.1
    )


def test_charts_of_one_bar(tmp_path):
    """A peer of one case, much faster, with an interval that touches 1."""
    pytest.importorskip("matplotlib")
    from benchmarks import plots

    one = dataclasses.replace(results()[1], ratio=Ratio(40.0, 1.0, 60.0))
    none = dataclasses.replace(one, case="page faults", ratio=Ratio(0.0, 0.0, 0.0))
    assert plots.draw([one, none], LIMITS, tmp_path)


# -- limits ------------------------------------------------------------------------


def test_limits_of_this_machine():
    found = probes.measure()
    assert 0.1 < found.gemm < 1e5 and 0.1 < found.fma < 1e5
    assert set(found.copies) == set(probes.COPIES)
    assert json.loads(json.dumps(found.record()))["gemm"] == found.gemm
    assert probes.limits_from(json.loads(json.dumps(found.record()))) == found


def test_bandwidth_between_and_beyond_what_was_measured():
    assert LIMITS.bandwidth(1) == 100.0
    assert LIMITS.bandwidth(1 << 24) == pytest.approx(60.0)
    assert LIMITS.bandwidth(1 << 40) == 20.0


def test_the_better_of_two_measurements_counts():
    busy = Limits(gemm=110.0, fma=90.0, copies={1 << 20: 50.0, 1 << 28: 21.0})
    best = Limits(gemm=110.0, fma=200.0, copies={1 << 20: 100.0, 1 << 28: 21.0})
    assert LIMITS.or_better(busy) == busy.or_better(LIMITS) == best
    first = results()[0]
    assert first.against(busy).limit > first.limit == first.against(LIMITS).limit


def test_a_missing_core_is_noticed():
    cores = Cores()
    try:
        times = iter([1.0, 1.1, 2.1, 1.2, 2.1, 2.1])
        cores.usual, cores.seconds = 1.0, lambda: next(times)
        assert cores.all_there() and cores.all_there()
        assert cores.all_there()  # at the second look
        assert not cores.all_there()
    finally:
        cores.close()


# -- memory ------------------------------------------------------------------------


def test_memory_of_a_step():
    found = memory.in_process(OURS, Step("lenet8", 8))
    bare = memory.bare(OURS)
    assert 20 < bare < found["peak"] < 2000
    assert found["faults"] >= 0


def test_memory_suite(monkeypatch, capsys):
    figures = {OURS: {"MB": 50.0, "faults": 0.0}, "torch": {"MB": 100.0, "faults": 9.0}}
    monkeypatch.setattr(memory, "bare", lambda name: 1.0)
    monkeypatch.setattr(memory, "_figures", lambda name, case, floor: figures[name])
    found = memory.measure("batch 128", ["torch", "autograd"], Effort(4, 0.0, 0))
    assert [r.contender for r in found] == [OURS, "torch"] * 2
    assert found[1].ratio == Ratio(0.5, 0.5, 0.5)
    assert "50 MB" in capsys.readouterr().out


@pytest.mark.skipif(not memory.STATUS.exists(), reason="Linux keeps these figures")
def test_a_large_array_is_seen():
    code = (
        "from benchmarks.memory import resident; import numpy as np;"
        "a = resident('VmRSS'); x = np.ones(10_000_000); del x; print(a, "
        "resident('VmHWM'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True
    )
    before, peak = map(float, done.stdout.split())
    assert 75 < peak - before < 110
