"""The pytest plugin: fixture, marker, summary, and that it costs nothing unused."""

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

HEADER = """
import numpy
import pytest
import autograd_lite.numpy as np
from autograd_lite import defvjp, elementwise

@elementwise
def cube(x):
    return x**3

defvjp(cube, lambda ans, x: lambda g: g * 3 * x * x * 1.01)
"""


@pytest.fixture
def run(pytester, monkeypatch):
    """Run a file of tests with the plugin, in a process of its own."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))
    installed = any(e.name == "autograd_lite" for e in entry_points(group="pytest11"))
    plugin = [] if installed else ["-p", "pytest_autograd_lite"]

    def command(text, *words):
        pytester.makepyfile(HEADER + text)
        words = (*plugin, "-p", "no:cacheprovider", "--strict-markers", *words)
        return pytester.runpytest_subprocess(*words)

    return command


def test_the_fixture(run):
    result = run(
        """
def test_right(gradcheck):
    report = gradcheck(np.tanh, (numpy.ones(3),))
    assert report.ok

def test_wrong(gradcheck):
    gradcheck(cube, (numpy.ones(3),), order=1)

def test_by_hand(gradcheck):
    gradcheck.gradient(lambda x: (x**2).sum(), lambda x: 2 * x, numpy.ones(3))
    gradcheck.vjp(numpy.sin, lambda x: lambda g: g * numpy.cos(x), numpy.ones(3))

def test_tape(gradcheck):
    gradcheck.tape(lambda x: cube(x).sum(), numpy.ones(3))
"""
    )
    result.assert_outcomes(passed=2, failed=2)
    text = result.stdout.str()
    assert "cube: reverse mode, order 1: the derivative is wrong" in text
    assert "the ratio is 1.01 at every element" in text
    assert "operation 1, cube" in text
    assert "gradient checks: 3 ok, 2 wrong" in text
    assert "def settle" not in text and "def _settled" not in text


def test_the_marker(run):
    result = run(
        """
@pytest.fixture
def scale():
    return 2.0

@pytest.mark.gradcheck(shapes=[(3, 4), (4,)], order=2)
def test_layer(x, w):
    return np.tanh(x @ w)

@pytest.mark.gradcheck(shapes={"x": (5,)}, dtype=["float32", "complex128"], order=1)
def test_with_a_fixture(scale, x):
    return np.sin(x) * scale

@pytest.mark.gradcheck([()], low=1, high=2)
def test_scalar(x):
    return np.log(x)

class TestClass:
    @pytest.mark.gradcheck(shapes=[(2,)])
    def test_method(self, x):
        return cube(x)
""",
        "-v",
    )
    result.assert_outcomes(passed=4, failed=1)
    lines = [
        "*test_layer?float64-3x4-4? PASSED*",
        "*test_with_a_fixture?float32-5? PASSED*",
        "*test_with_a_fixture?complex128-5? PASSED*",
        "*test_scalar?float64-scalar? PASSED*",
        "*the ratio is 1.01 at every element*",
        "gradient checks: 4 ok, 1 wrong",
    ]
    result.stdout.fnmatch_lines(lines)


def test_a_kink_warns(run):
    result = run(
        """
@pytest.mark.gradcheck(shapes=[(2,)], low=0, high=0)
def test_abs(x):
    return np.abs(x)
"""
    )
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["gradient checks: 1 not differentiable here"])


@pytest.mark.parametrize(
    "mark",
    ["()", "(shapes=[(2,)], ordr=1)", "([(2,)], 2)", "(shapes=[(2,), (2,), (2,)])"],
)
def test_wrong_use(run, mark):
    result = run(f"@pytest.mark.gradcheck{mark}\ndef test_one(x):\n    return x\n")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*ArgumentError*"])


def test_unused_it_says_and_changes_nothing(run):
    result = run("def test_other():\n    pass\n")
    result.assert_outcomes(passed=1)
    assert "gradient checks" not in result.stdout.str()


def test_it_imports_nothing_at_startup():
    code = (
        "import sys, pytest_autograd_lite;"
        "print([m for m in ('numpy', 'autograd_lite', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
