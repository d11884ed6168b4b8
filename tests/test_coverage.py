"""The table of coverage is complete, says what is so, and is the one in docs/."""

import dataclasses
import json
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import autograd_lite.coverage as cov
from autograd_lite import defvjp, primitive
from autograd_lite.coverage import measure, names, rows
from autograd_lite.coverage.__main__ import main
from autograd_lite.errors import ArgumentError

UPDATE = "run `python -m autograd_lite.coverage --markdown > docs/coverage.md`"
PAGE = Path(__file__).parent.parent / "docs" / "coverage.md"


@cache
def statuses():
    """(namespace, name) -> status, by running every call once."""
    found = cov.coverage(derivatives=False)
    return {(row.namespace, row.name): row.status for row in found}


@cache
def page_statuses():
    """The same, as docs/coverage.md has it."""
    found = {}
    for section in PAGE.read_text(encoding="utf8").split("\n## ")[1:]:
        namespace = section.partition("\n")[0]
        for name in re.findall(r"^\| `([\w.]+)`", section, re.MULTILINE):
            found[namespace, name] = cov.DIFFERENTIABLE
        for status, listed in re.findall(
            r"^(\w[\w ]+) \(\d+\): (.*?)(?:\n\n|\Z)", section, re.MULTILINE | re.DOTALL
        ):
            for name in re.findall(r"`([\w.]+)`", listed):
                found[namespace, name] = status.lower()
    return found


def test_every_public_name_has_a_row_and_every_call_does_what_it_is_listed_for():
    assert [name for name, s in statuses().items() if s == cov.UNKNOWN] == []


@pytest.mark.parametrize("namespace", cov.NAMESPACES)
def test_rows_are_the_public_names(namespace):
    listed = {name for space, name in statuses() if space == namespace}
    assert listed == set(cov.public_names(namespace))
    for kind in ["calls", "once", "without_gradient", "impossible"]:
        for expression in getattr(cov.NAMESPACES[namespace], kind):
            calls = names.calls_by_name(namespace, kind).values()
            own = any(expression in column for column in calls)
            assert own or namespace == "numpy", expression


def test_the_page_is_up_to_date():
    assert page_statuses() == statuses(), UPDATE


def test_so_many_are_differentiable():
    count = dict.fromkeys(cov.NAMESPACES, 0)
    for (namespace, _), status in statuses().items():
        count[namespace] += status == cov.DIFFERENTIABLE
    assert count["numpy"] >= 235
    assert count["numpy.linalg"] == 30 and count["numpy.fft"] == 16
    assert count["scipy.special"] >= 210 and count["scipy.stats"] >= 105


# A second derivative that is not there, and complex arguments that are refused.
FAILING = {"logm", "airye", "ive", "jve", "yve"}


def test_what_fails_is_known():
    lines = PAGE.read_text(encoding="utf8").splitlines()
    marked = {re.match(r"\| `(\w+)`", line) for line in lines[1:] if "✗ |" in line}
    assert {match.group(1) for match in marked} == FAILING


@pytest.mark.slow
def test_the_page_is_what_is_printed():
    assert cov.as_markdown(cov.coverage()) == PAGE.read_text(encoding="utf8")


# -- what a row says is found out ------------------------------------------------------


def row(namespace, name):
    found = rows.row_of(namespace, name, cov.public_names(namespace)[name], True)
    return dataclasses.replace(found, unchecked=())


def test_a_row():
    assert row("numpy", "trapezoid") == cov.Row(
        *("numpy", "trapezoid", cov.DIFFERENTIABLE, 5),
        *(True, True, True, True, True),
        keywords=("axis", "dx", "x"),
    )
    assert row("numpy", "argmax") == cov.Row("numpy", "argmax", cov.WITHOUT_GRADIENT)
    assert row("numpy", "putmask") == cov.Row("numpy", "putmask", cov.IMPOSSIBLE)
    assert row("scipy.linalg", "logm").second is False


def test_a_name_without_a_call_is_unknown(monkeypatch, capsys):
    found = {"newly_added": lambda x: x}
    monkeypatch.setattr(rows, "public_names", lambda namespace: found)
    assert [r.status for r in cov.coverage(["numpy"])] == [cov.UNKNOWN]
    assert main(["numpy", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)[0]["name"] == "newly_added"


@pytest.fixture
def planted(monkeypatch):
    """Let `np.planted` be a primitive with the rules that a test gives."""

    def plant(impl, rule):
        function = primitive(impl)
        defvjp(function, rule)
        module = type("module", (), {"planted": function})
        monkeypatch.setattr(measure, "OURS", {"np": module})
        monkeypatch.setattr(measure, "PLAIN", {"np": module})
        measure.measured.cache_clear()
        return measure.measured("np.planted(a)")

    yield plant
    measure.measured.cache_clear()


def test_a_right_rule_passes_all(planted):
    found = planted(lambda x: x**2, lambda ans, x: lambda g: g * 2 * np.conj(x))
    assert dataclasses.astuple(found) == (True, True, True, True, False)
    found = planted(lambda x: x**2, lambda ans, x: lambda g: g * 2 * x)
    assert dataclasses.astuple(found) == (True, True, True, True, True)


def test_a_wrong_rule_is_found(planted):
    found = planted(lambda x: x**2, lambda ans, x: lambda g: g * 2.002 * x)
    assert not (found.gradient or found.forward or found.second)


def test_a_rule_that_cannot_be_differentiated_again_is_found(planted):
    found = planted(
        lambda x: x**2, lambda ans, x: lambda g: g * 2 * measure.vjp(float, x)
    )
    assert not found.gradient
    third = primitive(lambda g, x: g * 3 * x**2)
    found = planted(lambda x: x**3, lambda ans, x: lambda g: third(g, x))
    assert found.gradient and not found.second


def test_a_rule_that_widens_float32_is_found(planted):
    wide = planted(lambda x: np.float64(x) ** 2, lambda ans, x: lambda g: g * 2 * x)
    assert wide.gradient and not wide.float32


def test_keywords_that_a_call_gives():
    def given(text, name):
        return sorted(measure.keywords(text, name))

    assert given("np.sum(t, 1, None)", "np.sum") == ["axis", "dtype"]
    assert given("np.clip(a, min=0.5)", "np.clip") == ["min"]
    assert given("np.add(a, v, dtype=float)", "np.add") == ["dtype"]
    assert given("np.concatenate([a, b], axis=0)", "np.concatenate") == ["axis"]
    assert "where" in measure.optional("np.sum") - set(given("np.sum(a)", "np.sum"))


# -- the command -----------------------------------------------------------------------


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_the_command_prints(form, capsys):
    assert main(["numpy.fft", f"--{form}"]) == 0
    printed = capsys.readouterr().out
    assert "irfftn" in printed and "rfftfreq" in printed
    if form == "json":
        (found,) = [r for r in json.loads(printed) if r["name"] == "fft"]
        assert found["complex"] is True and found["keywords"] == ["axis", "n", "norm"]
    else:
        assert printed.count("✓") >= 5 * 16 - 6 * 5


def test_an_unknown_namespace_is_named(capsys):
    with pytest.raises(ArgumentError, match="no namespace pandas: expected"):
        cov.coverage(["pandas"])
    with pytest.raises(SystemExit):
        main(["pandas"])
    assert "no namespace pandas" in capsys.readouterr().err
