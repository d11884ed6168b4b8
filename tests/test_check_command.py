"""`python -m autograd_lite.check`: exit codes, what is printed, what is asked for."""

import json
import subprocess
import sys

import pytest

from autograd_lite.check import main

MODULE = """
import numpy
import autograd_lite.numpy as np
from autograd_lite import defvjp, elementwise

@elementwise
def cube(x):
    return x**3

defvjp(cube, lambda ans, x: lambda g: g * 3 * x * x * 1.01)

class Layers:
    @staticmethod
    def dense(x, w):
        return np.tanh(x @ w)

def hinted(x: float, scale: "complex" = 2.0, *, unused=None):
    return np.sin(x) * scale

def defaults(x=numpy.ones((2, 2), numpy.float32)):
    return x * x

def bare(x, y):
    return x * y

def noisy(x):
    return x + numpy.random.random()

def loss(x):
    return (x**2).sum()

def good(x):
    return 2 * x

def bad(x):
    return x

number = 3
"""


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run the command on functions of a module in the current directory."""
    (tmp_path / "to_check.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "to_check", raising=False)

    def command(name, *words):
        code = main([f"to_check:{name}", *words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


def test_right(run):
    code, out, _ = run("Layers.dense", "--shapes", "3,4", "4,2", "--order", "1")
    assert code == 0
    assert out.startswith("dense: ok (reverse mode and forward mode, order 1;")


def test_wrong(run):
    code, out, _ = run("cube", "--shapes", "5")
    assert code == 1
    assert "the derivative is wrong" in out and "the ratio is 1.01" in out


def test_a_function_that_is_not_repeatable_is_wrong(run):
    code, out, _ = run("noisy", "--shapes", "()")
    assert code == 1 and "something else each time" in out


def test_a_kink():
    words = ["--shapes", "3", "--range", "0", "0"]
    assert main(["autograd_lite.numpy:abs", *words]) == 3


def test_hints_and_defaults(run):
    assert run("hinted")[0] == 0
    assert run("defaults")[0] == 0


def test_what_is_missing_is_named(run):
    code, out, err = run("bare")
    assert code == 2 and not out
    assert "--shapes <shape of x> <shape of y>" in err


def test_a_gradient_by_hand(run):
    assert run("loss", "--shapes", "3", "--gradient", "to_check:good")[0] == 0
    code, out, _ = run("loss", "--shapes", "3", "--gradient", "to_check:bad")
    assert code == 1 and "the ratio is 1/2" in out


@pytest.mark.parametrize("dtype", ["float16", "float32", "complex64", "complex128"])
def test_dtypes(run, dtype):
    assert run("Layers.dense", "--shapes", "2,3", "3,1", "--dtype", dtype)[0] == 0


@pytest.mark.parametrize(
    ("name", "words", "text"),
    [
        ("missing", [], "no attribute 'missing'"),
        ("number", [], "is a int, no function"),
        ("bare", ["--shapes", "3", "4"], "float64(3,), float64(4,)"),
        ("bare", ["--shapes", "3", "3", "--order", "0"], "order=0"),
    ],
)
def test_wrong_use(run, name, words, text):
    code, out, err = run(name, *words)
    assert code == 2 and not out and text in err


def test_wrong_names(capsys):
    assert main(["no_such_module_here:f"]) == 2
    assert main(["autograd_lite.numpy"]) == 2
    assert "expected package.module:function" in capsys.readouterr().err


def test_json_and_seed(run):
    words = ["--shapes", "4", "--json", "--seed", "7"]
    code, out, _ = run("cube", *words)
    found = json.loads(out)
    assert code == 1 and found["verdict"] == "wrong" and found["seed"] == 7
    (first, *_) = found["findings"]
    assert first["worst"][0]["argument"] == "0"
    assert first["ratio"] == pytest.approx(1.01)
    assert json.loads(run("cube", *words)[1])["findings"] == found["findings"]


def test_plot(run, tmp_path):
    pytest.importorskip("matplotlib")
    assert run("cube", "--shapes", "4,4", "--plot", "out.png")[0] == 1
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_as_a_module():
    command = [sys.executable, "-m", "autograd_lite.check"]
    words = ["autograd_lite.numpy:tanh", "--shapes", "3"]
    done = subprocess.run([*command, *words], capture_output=True, text=True)
    assert done.returncode == 0 and "tanh: ok" in done.stdout and not done.stderr
    assert subprocess.run(command, capture_output=True).returncode == 2
