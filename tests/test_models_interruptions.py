"""Runs interrupted at random moments, resumed, and compared with one that was not."""

import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from autograd_lite import tree
from models import checkpoint, command, folder, loop, train

TIMES = 20  # interruptions by each signal
OPTIONS = [
    *["--model=slim", "--optimizer=adam+momentum", "--augment=40", "--epochs=6"],
    *["--ema=0.99", "--patience=6", "--no-tensorboard"],
]

# A checkpoint after every step: the process is as often writing as computing.
CODE = """
import sys
from models import folder, loop, train
loop.SAVE_SECONDS = 0.0
folder.pictures.draw_all = lambda *args: {}
sys.exit(train.main(sys.argv[1:]))
"""


def start(arguments):
    line = [sys.executable, "-c", CODE, *arguments]
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(line, **quiet)


def interrupt(arguments, number, rng):
    """Start a process, signal it at a random moment of its work, return its code.

    It is None where the run was done before the signal came.
    """
    process = start(arguments)
    process.stdout.readline()  # the process is done with importing
    time.sleep(rng.uniform(0, 1.5))
    done = process.poll() is not None
    process.send_signal(number)
    _, errors = process.communicate(timeout=100)
    assert "Traceback" not in errors
    return None if done else process.returncode


def assert_readable(out):
    """Everything that has a name is whole: hashes fit, and it can be predicted with."""
    for path in out.glob("*.safetensors"):
        assert checkpoint.load_state(path)["setup"]
    folder.load(out)
    assert loop.finite(folder.load_trained(out).params)


def everything(out):
    run, used = folder.load(out), folder.load_trained(out)
    arrays = [run.params, run.state, run.moments, run.average, used.params, used.state]
    metrics = [{k: v for k, v in m.items() if k != "seconds"} for m in run.metrics]
    return tree.map(np.copy, arrays), (run.epoch, run.step, run.best, metrics)


@pytest.fixture(scope="module")
def whole(small, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "run"
    assert train.main([*small, *OPTIONS, f"--out={out}"]) == 0
    return everything(out)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_runs_end_bit_identical(small, tmp_path, whole, number):
    rng, codes, finished = random.Random(int(number)), [], 0
    while len(codes) < TIMES or not finished:
        out = tmp_path / f"run-{finished}"
        begun = (out / folder.CHECKPOINT).exists()
        arguments = [f"--resume={out}", *small[1:2]] if begun else [*small, *OPTIONS]
        arguments += [] if begun else [f"--out={out}"]
        if len(codes) < TIMES:
            code = interrupt(arguments, number, rng)
        else:  # enough: let it end
            process = start(arguments)
            process.communicate(timeout=200)
            code = process.returncode or None
        if (out / folder.CHECKPOINT).exists():
            assert_readable(out)
        if code is not None and code != 0:
            codes.append(code)
            continue
        arrays, numbers = everything(out)
        tree.map(np.testing.assert_array_equal, arrays, whole[0])
        assert numbers == whole[1]
        finished += 1
    expected = {-number} if number == signal.SIGKILL else {command.INTERRUPTED, -number}
    assert set(codes) <= expected, codes
