import numpy as np
import pytest
import torch

from lib.models import build
from report.results import Run
from workflow_scripts.common.checkpoints import epochs_kept, load_model, load_points, load_state, save


def test_what_is_saved_comes_back(tmp_path):
    path = tmp_path / "run" / "checkpoints.safetensors"
    models = {epoch: build("mnist", "mlp", seed=epoch) for epoch in (10, 1, 2)}
    save(path, {epoch: model.state_dict() for epoch, model in models.items()}, {"model": "mlp", "seed": 0})
    assert epochs_kept(path) == [1, 2, 10]
    assert set(load_state(path, 1)) == set(models[1].state_dict())
    x = torch.rand(2, 1, 28, 28)
    network = load_model(path, "mnist", "mlp", 10)
    assert torch.equal(network(x), models[10](x))
    assert not network.training and not any(p.requires_grad for p in network.parameters())


def test_wrong_checkpoints_are_named(tmp_path):
    path = tmp_path / "checkpoints.safetensors"
    save(path, {1: build("mnist", "lr").state_dict()}, {})
    with pytest.raises(ValueError, match=r"checkpoints.safetensors holds no checkpoint of epoch 2"):
        load_model(path, "mnist", "lr", 2)
    for dataset, model in (("mnist", "mlp"), ("cifar10", "lr")):
        with pytest.raises(ValueError, match=f"is not a checkpoint of {model} on {dataset}"):
            load_model(path, dataset, model, 1)


def test_points_come_as_pixels_and_labels(tmp_path):
    path = tmp_path / "points.npz"
    images = np.arange(2 * 28 * 28, dtype=np.int64).reshape(2, 28, 28, 1) % 256
    np.savez(path, x_test=images.astype(np.uint8), y_test=np.array([3, 1], np.uint8), index_test=np.array([7, 9]))
    x, y, index = load_points(path, "mnist", "test")
    assert x.shape == (2, 1, 28, 28) and x.dtype == torch.float32 and y.tolist() == [3, 1] and index.tolist() == [7, 9]
    assert x[0, 0, 0, 1].item() == pytest.approx(1 / 255)


def test_the_same_content_gives_the_same_bytes(tmp_path):
    about, kept = Run("mnist", "lr", "std", 0)._asdict(), {1: build("mnist", "lr").state_dict()}
    contents = set()
    for name in range(5):  # the order of several entries of metadata would differ from call to call
        save(tmp_path / f"{name}.safetensors", kept, about)
        contents.add((tmp_path / f"{name}.safetensors").read_bytes())
    assert len(contents) == 1
