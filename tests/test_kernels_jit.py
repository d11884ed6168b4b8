"""Kernels from the disk: they need little of Numba, and leave all of it intact."""

import json
import subprocess
import sys

import pytest

STEP = """
import json, sys
import numpy as np
from autograd_lite import nn, optim, value_and_grad

def loss(p, x, y):
    x = nn.max_pool(nn.relu(nn.conv(x, p["w"])), 2)
    return nn.cross_entropy(nn.dense(nn.flatten(x), p["v"], p["b"]), y)

rng = np.random.default_rng(0)
p = {"w": nn.he_normal(rng, (3, 3, 4, 16)), "b": np.zeros(10, np.float32)}
p["v"] = nn.he_normal(rng, (13 * 13 * 16, 10))
x = rng.random((8, 28, 28, 4), dtype=np.float32)
value, gradient = value_and_grad(loss)(p, x, np.arange(8))
adam = optim.adam(0.01)
adam.update(gradient, adam.init(p), p)
loaded = sorted({"scipy.linalg", "numba.np.arraymath"} & set(sys.modules))
"""

COMPILE = """
import numba
a = np.arange(9.0).reshape(3, 3)
product = numba.njit(lambda a: np.dot(a, np.linalg.inv(np.eye(3) + a)).sum())(a)
assert abs(product - (a @ np.linalg.inv(np.eye(3) + a)).sum()) < 1e-12
made = numba.njit(lambda n: (np.full(n, 1.5), np.zeros((n, n)).T))
assert made(3)[0].tolist() == [1.5] * 3
assert numba.njit(lambda n: {i: str(i) for i in range(n)})(2) == {0: "0", 1: "1"}
"""

PRINT = "print(json.dumps([float(value), loaded]))"


@pytest.fixture(scope="module")
def warm():
    """What a step gives in a process that may have to compile."""
    return run(STEP + PRINT)


def run(code):
    """Run code in a new process; return what it prints."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def test_a_step_with_kernels_on_disk_loads_no_linear_algebra(warm):
    value, _ = warm
    assert run(STEP + PRINT) == [value, []]


def test_numba_compiles_all_it_knows_after_kernels_came_from_the_disk(warm):
    assert run(STEP + COMPILE + PRINT) == [warm[0], []]
