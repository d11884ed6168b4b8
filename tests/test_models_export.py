"""Parameters go to PyTorch and come back; there they give the same logits."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from autograd_lite import tree
from models import batches, cnn, export, folder, torch_logits
from models.errors import CheckpointError
from models.loop import make_step
from models.recipes import RECIPES
from models.run import Run, Setup

SHAPE = (14, 22, 2)  # as unlike each other as can be
NAMES = ("a", "b", "c")


def trained(name, steps=3):
    """A run of a few steps: nothing in it is as it was at the start."""
    recipe = next(iter(RECIPES.values()))
    recipe = recipe._replace(model=name, optimizer="adam", lr=0.01, batch_size=16)
    setup = Setup("mnist", 0, recipe, SHAPE, NAMES, 48)
    run = Run.start(setup)
    step, rng = make_step(run), np.random.default_rng(5)
    for _ in range(steps):
        images = rng.random((16, *SHAPE), np.float32) ** 2
        step(run, batches.Batch(images, rng.integers(0, 3, 16)))
    return run


@pytest.fixture(scope="module", params=list(cnn.MODELS))
def run(request):
    return trained(request.param)


@pytest.fixture
def file(run, tmp_path):
    """The run, exported."""
    path = tmp_path / "model.safetensors"
    export.save(path, run)
    return path


def assert_equal(a, b):
    trees = [(run.params, run.state) for run in (a, b)]
    assert tree.structure(trees[0]) == tree.structure(trees[1])
    tree.map(np.testing.assert_array_equal, *trees)
    assert all(leaf.flags.c_contiguous for leaf in tree.leaves(trees[1]))


# -- names and shapes ----------------------------------------------------------------


def test_names_and_shapes_are_pytorchs(tmp_path):
    found = export.to_torch(*_parts(trained("slim", 0)))
    assert {name: tensor.shape for name, tensor in found.items()} == {
        "conv1.weight": (16, 2, 3, 3),
        **{f"conv1_bn.{leaf}": (16,) for leaf in _BN},
        "conv2.weight": (16, 16, 3, 3),
        **{f"conv2_bn.{leaf}": (16,) for leaf in _BN},
        "conv3.weight": (32, 16, 3, 3),
        **{f"conv3_bn.{leaf}": (32,) for leaf in _BN},
        "conv4.weight": (32, 32, 3, 3),
        **{f"conv4_bn.{leaf}": (32,) for leaf in _BN},
        "dense1.weight": (128, 3 * 5 * 32),
        "dense1.bias": (128,),
        "dense2.weight": (3, 128),
        "dense2.bias": (3,),
    }
    found = export.to_torch(*_parts(trained("lenet8", 0)))
    assert list(found) == [
        *("conv1.bias", "conv1.weight"),
        *("dense1.bias", "dense1.weight", "dense2.bias", "dense2.weight"),
    ]


_BN = ("weight", "bias", "running_mean", "running_var")


def _parts(run):
    return run.setup.model, run.params, run.state, run.setup.image_shape


def test_inputs_of_a_dense_layer_are_in_pytorchs_order():
    run = trained("lenet8", 0)
    image = np.arange(6 * 10 * 8).reshape(6, 10, 8)
    order = image.transpose(2, 0, 1).ravel()  # what NCHW flattens, by our numbers
    theirs = export.to_torch(*_parts(run))["dense1.weight"]
    np.testing.assert_array_equal(theirs, run.params["dense1"]["w"][order].T)


def test_without_convolutions_the_images_themselves_are_flattened():
    rng = np.random.default_rng(0)
    params = {"dense1": cnn.init_dense(rng, 3 * 4 * 2, 5)}
    model = cnn.lenet8._replace(feature_maps=lambda params, x, state: {})
    theirs = export.to_torch(model, params, {}, (3, 4, 2))
    image = rng.random((3, 4, 2), np.float32)
    expected = image.ravel() @ params["dense1"]["w"]
    found = theirs["dense1.weight"] @ image.transpose(2, 0, 1).ravel()
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_there_and_back_is_the_identity(run, file):
    back = export.load(file, Run.start(run.setup))
    assert_equal(run, back)


# -- in PyTorch ----------------------------------------------------------------------


@pytest.mark.peer("torch")
def test_pytorch_gets_the_same_logits(run):
    images = np.random.default_rng(1).integers(0, 256, (20, *SHAPE), np.uint8)
    ours, theirs = torch_logits.of_both(run, images)
    assert np.abs(ours).max() > 0.1
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-4)


@pytest.mark.peer("torch")
def test_pytorchs_state_dict_comes_back_bit_by_bit(run, file, tmp_path):
    from safetensors.torch import save_file as save_state_dict

    from models import torch_nets

    net = torch_nets.load(file)
    assert not net.training
    save_state_dict(net.state_dict(), tmp_path / "theirs.safetensors")
    assert_equal(run, export.load(tmp_path / "theirs.safetensors", run))


@pytest.mark.peer("torch")
@pytest.mark.parametrize("name", ["slim", "resnet"])
def test_pytorch_trains_with_the_same_batch_norm(name, tmp_path):
    import torch

    from models import torch_nets

    run = trained(name)
    export.save(tmp_path / "model.safetensors", run)
    net = torch_nets.load(tmp_path / "model.safetensors").train()
    images = np.random.default_rng(2).random((16, *SHAPE), np.float32)
    with torch.no_grad():
        net(torch.from_numpy(images.transpose(0, 3, 1, 2)))
    rng = np.random.default_rng(0)
    _, state = run.setup.model.train(run.params, images, run.state, rng)
    ours = export.to_torch(run.setup.model, run.params, state, SHAPE)
    before = export.to_torch(*_parts(run))
    for key, value in net.state_dict().items():
        if "running" in key:
            np.testing.assert_allclose(value.numpy(), ours[key], rtol=1e-5, atol=1e-6)
            assert np.abs(ours[key] - before[key]).max() > 1e-3


@pytest.mark.peer("torch")
def test_every_model_is_there_for_pytorch():
    from models import torch_nets

    assert set(torch_nets.NETS) == set(cnn.MODELS)


@pytest.mark.peer("torch")
def test_pytorch_says_that_a_file_names_no_model(tmp_path):
    from models import torch_nets

    save_file({"a": np.ones(2)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="other.safetensors names none of the models"):
        torch_nets.load(tmp_path / "other.safetensors")


# -- the commands --------------------------------------------------------------------


@pytest.fixture
def where(tmp_path):
    """The folder of a trained run."""
    where = tmp_path / "run"
    where.mkdir()
    run = trained("slim")
    run.save_model(where / folder.MODEL)
    return where


def test_a_run_goes_out_and_comes_in(where, tmp_path, capsys):
    file, new = tmp_path / "model.safetensors", tmp_path / "new"
    assert export.main([str(where), str(file)]) == 0
    assert capsys.readouterr().out == f"wrote 24 tensors of slim: {file}\n"
    tensors = load_file(file)
    tensors["dense2.bias"] += np.float32(1)
    save_file(tensors, file)
    assert export.main([str(where), str(file), "--import", f"--out={new}"]) == 0
    before, after = folder.load_trained(where), folder.load_trained(new)
    expected = before.params | {
        "dense2": before.params["dense2"] | {"b": before.params["dense2"]["b"] + 1}
    }
    assert_equal(replace(before, params=expected), after)
    assert after.setup == before.setup


@pytest.mark.peer("torch")
def test_a_run_is_compared_with_itself_in_pytorch(where, capsys):
    assert torch_logits.main([str(where)]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("100 of 100 images are taken for the same class\nlogits up")


@pytest.mark.peer("torch")
def test_logits_that_differ_are_told(where, monkeypatch, capsys):
    apart = np.zeros((4, 3)), np.full((4, 3), 2e-4)
    monkeypatch.setattr(torch_logits, "of_both", lambda run, images: apart)
    assert torch_logits.main([str(where)]) == 1
    assert "differ by up to 2.0e-04" in capsys.readouterr().out


def test_the_metadata_say_what_the_model_is(file, run):
    header = file.read_bytes()
    size = int.from_bytes(header[:8], "little")
    metadata = json.loads(header[8 : 8 + size])["__metadata__"]
    assert metadata["model"] == run.setup.recipe.model
    assert json.loads(metadata["image_shape"]) == list(SHAPE)
    assert json.loads(metadata["class_names"]) == list(NAMES)


# -- files that don't fit ------------------------------------------------------------


def damaged(where, tmp_path, change):
    """The path of an exported run whose tensors were changed."""
    path = tmp_path / "model.safetensors"
    export.save(path, folder.load_trained(where))
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)
    return path


CHANGES = {
    "another shape": (
        lambda t: t.update({"conv1.weight": np.zeros((16, 2, 5, 5), np.float32)}),
        r"conv1.weight is float32 \(16, 2, 5, 5\), the model has .*\(16, 2, 3, 3\)",
    ),
    "another dtype": (
        lambda t: t.update(
            {"conv1_bn.weight": t["conv1_bn.weight"].astype(np.float16)}
        ),
        r"conv1_bn.weight is float16 \(16,\), the model has float32",
    ),
    "one too few": (
        lambda t: t.pop("conv3_bn.running_var"),
        r"it lacks \['conv3_bn.running_var'\] and has nothing besides",
    ),
    "one too many": (
        lambda t: t.update({"fc.bias": np.zeros(2)}),
        r"it lacks nothing and has \['fc.bias'\] besides",
    ),
}


@pytest.mark.parametrize(("change", "message"), CHANGES.values(), ids=list(CHANGES))
def test_tensors_that_do_not_fit_are_named(where, tmp_path, change, message, capsys):
    path = damaged(where, tmp_path, change)
    with pytest.raises(CheckpointError, match=f"model.safetensors.*{message}"):
        export.load(path, folder.load_trained(where))
    new = tmp_path / "new"
    assert export.main([str(where), str(path), "--import", f"--out={new}"]) == 2
    assert str(path) in capsys.readouterr().err
    assert not new.exists()


@pytest.mark.peer("torch")
def test_a_dtype_that_numpy_has_not_is_named(where, tmp_path):
    import torch
    from safetensors.torch import save_file as save_state_dict

    path = tmp_path / "half.safetensors"
    save_state_dict({"conv1.weight": torch.ones(2, dtype=torch.bfloat16)}, path)
    with pytest.raises(CheckpointError, match="conv1.weight is of dtype BF16: save it"):
        export.read(path)


@pytest.mark.parametrize("keep", [0, 4, 8, 100, -1])
def test_a_file_cut_short_is_named(where, tmp_path, keep):
    path = damaged(where, tmp_path, lambda tensors: None)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="model.safetensors is damaged or no"):
        export.read(path)


@pytest.mark.parametrize("claimed", [0, 1, 10**6, 2**63])
def test_a_file_whose_header_lies_is_named(where, tmp_path, claimed):
    path = damaged(where, tmp_path, lambda tensors: None)
    path.write_bytes(claimed.to_bytes(8, "little") + path.read_bytes()[8:])
    with pytest.raises(CheckpointError, match="model.safetensors is damaged or no"):
        export.read(path)


def test_files_that_cannot_be_read_or_written_are_named(where, tmp_path, capsys):
    missing = tmp_path / "missing" / "model.safetensors"
    assert export.main([str(where), str(missing), "--import"]) == 2
    assert f"cannot read {missing}" in capsys.readouterr().err
    assert export.main([str(where), str(missing)]) == 2
    assert f"cannot write {missing}" in capsys.readouterr().err
    assert export.main([str(tmp_path / "nothing"), str(missing)]) == 2
    assert f"cannot read {tmp_path / 'nothing'}" in capsys.readouterr().err
