"""A network's parameters under check, end to end and in float32."""

import numpy as np
import pytest

from autograd_lite import defvjp, elementwise, grad, nn, tree
from autograd_lite.testing import check_grads
from models.cnn import emnist16

CLASSES, BATCH = 47, 2


def network():
    """The network of 47 classes with a batch: its loss by parameters, and these.

    The loss is computed in the dtype of the first parameter: where the checker asks for
    it in float64, what is left in float32 would be noise.
    """
    rng = np.random.default_rng(0)
    images = rng.random((BATCH, 28, 28, 1), np.float32)
    labels = rng.integers(0, CLASSES, BATCH)
    params = emnist16.init(rng, (28, 28, 1), CLASSES)
    params = tree.map(lambda x: x + np.float32(1e-2) * (x == 0), params)

    def loss(params):
        dtype = np.result_type(*[x.dtype for x in tree.leaves(params)])
        params = tree.map(lambda x: x.astype(dtype), params)
        return nn.cross_entropy(emnist16.apply(params, images.astype(dtype)), labels)

    return loss, params


def test_every_parameter_of_the_network_in_float32():
    loss, params = network()
    leaves, treedef = tree.flatten(params)
    for i, leaf in enumerate(leaves):
        assert leaf.dtype == np.float32

        def of_one(x, i=i):
            return loss(tree.unflatten(treedef, [*leaves[:i], x, *leaves[i + 1 :]]))

        report = check_grads(of_one, (leaf,), report=True)
        assert report.verdict == "ok", f"{tree.paths(params)[i]}: {report}"


def test_the_whole_tree_at_once():
    loss, params = network()
    check_grads(loss, (params,), order=1)


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["conv1", "dense1", "dense3"])
def test_one_wrong_weight_of_the_network_is_found(layer):
    """A rule that forgets one weight is wrong, and the report says which."""
    loss, params = network()
    w = params[layer]["w"]
    at = np.unravel_index(np.abs(grad(loss)(params)[layer]["w"]).argmax(), w.shape)
    kept = np.ones(w.shape, np.float32)
    kept[at] = 0

    @elementwise
    def same(w):
        return w.copy()

    defvjp(same, lambda ans, w: lambda g: g * kept)

    def of_weights(w):
        return loss({**params, layer: {**params[layer], "w": same(w)}})

    report = check_grads(of_weights, (w,), order=1, modes=["rev"], report=True)
    assert report.verdict == "wrong"
    assert report.finding.worst[0].index == tuple(map(int, at))
