"""Every public attribute of an array is there on a tracer, or says why it is not."""

import numpy
import pytest

from autograd_lite import grad, jvp
from autograd_lite.core import concrete
from autograd_lite.errors import AutogradError, TracerAttributeError

A = numpy.arange(6.0).reshape(2, 3) / 7 + 0.1

# How each method is called where that is not without arguments.
ARGUMENTS = {
    "argpartition": (1,),
    "astype": (float,),
    "choose": ([A, A],),
    "clip": (0.2, 0.5),
    "compress": ([True, False], 0),
    "diagonal": (),
    "dot": (numpy.ones(3),),
    "repeat": (2,),
    "reshape": (3, 2),
    "searchsorted": (0.5,),
    "swapaxes": (0, 1),
    "take": ([0, 3],),
    "to_device": ("cpu",),
    "partition": (1,),
    "put": ([0], 1.0),
    "fill": (0.0,),
    "resize": (6,),
    "getfield": (float,),
    "setfield": (1.0, float),
    "tofile": ("nowhere",),
    "dump": ("nowhere",),
}
CHANGING = [
    "byteswap",
    "fill",
    "partition",
    "put",
    "resize",
    "setfield",
    "setflags",
    "sort",
]
LEAVING = ["dump", "dumps", "getfield", "item", "tobytes", "tofile", "tolist"]
MEMORY = ["base", "ctypes", "data", "flags", "strides"]
REFUSED = [*CHANGING, *LEAVING, *MEMORY]
PUBLIC = [name for name in dir(numpy.ndarray) if not name.startswith("_")]
WORKING = [name for name in PUBLIC if name not in REFUSED]


def value(x, name):
    """The attribute, called if it is a method."""
    if name == "searchsorted":
        x = x.reshape(-1)
    if name == "choose":
        return (x > 0.4).astype(int).choose(*ARGUMENTS[name])
    found = getattr(x, name)
    return found(*ARGUMENTS.get(name, ())) if callable(found) else found


@pytest.mark.parametrize("name", WORKING)
def test_works_as_in_numpy(name):
    seen = []

    def loss(x):
        seen.append(value(x, name))
        return x.sum()

    grad(loss)(A)
    expected = value(A, name)
    if name == "flat":
        expected = numpy.array(expected)
    numpy.testing.assert_array_equal(concrete(seen[0]), expected)


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_an_error_of_ours(name):
    with pytest.raises(AutogradError, match=name):
        grad(lambda x: value(x, name))(A)
    with pytest.raises(AutogradError, match=name):
        jvp(lambda x: value(x, name), (A,), (A,))


def test_attributes_that_arrays_do_not_have_either():
    with pytest.raises(AttributeError, match="nor has np.ndarray"):
        grad(lambda x: x.nonsense)(A)
    assert issubclass(TracerAttributeError, AttributeError)

    def loss(x):
        assert not hasattr(x, "nonsense") and not hasattr(x, "strides")
        return x.sum()

    grad(loss)(A)


def test_memory_order_of_a_tracer_is_nobodys_business():
    with pytest.raises(TracerAttributeError, match="flags"):
        grad(lambda x: numpy.isfortran(x) * x.sum())(A)
