"""The pytest plugin's door: a fixture and a marker, `gradcheck`.

It stands beside the package, not inside of it, so that pytest starts without NumPy:
what does the work, `autograd_lite.testing.plugin`, is imported by the first test that
asks for a check. See docs/gradient_checking.md.
"""

import collections

import pytest

HELP = (
    "gradcheck(shapes, dtype='float64', order=2, modes=('rev', 'fwd'), low=None, "
    "high=None, seed=0): check the derivatives of the test function itself, which "
    "takes arrays of these shapes and returns its result."
)
PROPERTY = "gradcheck"


def pytest_configure(config):
    """Register the marker."""
    config.addinivalue_line("markers", HELP)


@pytest.fixture
def gradcheck(request):
    """`check_grads` for this test; its methods are the other checks."""
    from autograd_lite.testing.plugin import Checker

    return Checker(lambda verdict: _count(request.node, verdict))


def pytest_generate_tests(metafunc):
    """Give arrays to a test with the marker."""
    marker = metafunc.definition.get_closest_marker("gradcheck")
    if marker is not None:
        from autograd_lite.testing.plugin import parametrize

        parametrize(metafunc, marker)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Check the function that a test with the marker is, instead of calling it."""
    marker = pyfuncitem.get_closest_marker("gradcheck")
    if marker is None:
        return None
    from autograd_lite.testing.plugin import check_marked

    check_marked(pyfuncitem, marker, lambda verdict: _count(pyfuncitem, verdict))
    return True


def _count(item, verdict):
    """Note a verdict where reports carry it, also from the processes of xdist."""
    item.user_properties.append((PROPERTY, verdict))


def pytest_terminal_summary(terminalreporter):
    """Say how many checks came to which verdict, if there were any."""
    counts = collections.Counter(
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "call"
        for name, value in report.user_properties
        if name == PROPERTY
    )
    if counts:
        parts = [f"{n} {verdict}" for verdict, n in counts.most_common()]
        terminalreporter.write_line(f"gradient checks: {', '.join(parts)}")
