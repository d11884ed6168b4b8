"""Large arrays that come and go cost no page faults."""

import platform
import subprocess
import sys

import pytest

# Sums of a million numbers, each in a new array; prints page faults per sum.
PROGRAM = """
import resource
import numpy
{line}
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
x = numpy.ones(10**6, numpy.float32)
for _ in range(3):
    x + x + 1.0
before = faults()
for _ in range(50):
    y = (x + x) * (x - 1.0)
    y = [numpy.sin(y), y * y, y + 1.0]
print((faults() - before) / 50)
"""


def faults(line):
    """Page faults of one round of the program in a process of its own."""
    code = PROGRAM.format(line=line)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="other C libraries do as they like"
)
def test_blocks_are_kept():
    assert faults("import autograd_lite") < 100 < faults("")
