"""Settings shared by all tests: threads, Hypothesis, and which peers are installed."""

import importlib.util
import os
import sys

import hypothesis
import pytest

# Tests that compare one thread with two need two to exist, on any machine. Numba
# reads this when it is first imported, which no test has done yet.
os.environ.setdefault("NUMBA_NUM_THREADS", "2")

# The BLAS's threads of two workers spin against each other: small linear algebra then
# takes ten times as long. It reads this when NumPy is imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# The first call of a kernel compiles it, which no deadline per example survives.
hypothesis.settings.register_profile(
    "autograd_lite", deadline=None, max_examples=50, print_blob=True
)
hypothesis.settings.load_profile("autograd_lite")


@pytest.fixture(autouse=True)
def one_thread_per_worker():
    """Keep xdist's workers from running two spinning Numba threads each.

    A test of thread invariance asks for two by ``thread_counts``; the next test is
    back at one.
    """
    numba = sys.modules.get("numba")
    if numba is not None and "PYTEST_XDIST_WORKER" in os.environ:
        numba.set_num_threads(1)


def pytest_collection_modifyitems(items):
    """Skip ``@pytest.mark.peer("torch")`` where torch is not installed."""
    for item in items:
        for mark in item.iter_markers("peer"):
            missing = [name for name in mark.args if not _installed(name)]
            if missing:
                reason = f"peer not installed: {', '.join(missing)}"
                item.add_marker(pytest.mark.skip(reason=reason))


def _installed(name):
    return importlib.util.find_spec(name) is not None


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """A folder with a small data set in the place of emnist-digits."""
    import small_data  # loads Numba, which most tests can do without

    root = tmp_path_factory.mktemp("data")
    small_data.write(root)
    return root


@pytest.fixture(scope="session")
def small(data_dir):
    """The options of a run on it, of three epochs."""
    options = ["--dataset=emnist-digits", f"--data-dir={data_dir}", "--validation=30"]
    return [*options, "--batch-size=20", "--epochs=3", "--lr=0.005"]
