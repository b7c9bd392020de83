import gzip
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

import lib.data
from lib.data import embedded, npz
from lib.data.arrays import ARRAYS, digest, to_float
from lib.data.names import TITLES
from lib.data.sources import DIGITS_01, load
from lib.data.torchvision_files import FILES, import_torchvision
from lib.tests.sources import arrays, write_batches, write_idx


def test_load_is_found_in_the_package():
    assert lib.data.load is load


def assert_holds(loaded, made):
    for key in ARRAYS:
        np.testing.assert_array_equal(getattr(loaded, key), made[key].reshape(getattr(loaded, key).shape))
        assert getattr(loaded, key).dtype == np.uint8


# sources


@pytest.mark.parametrize("source", ["torchvision", "auto"])
def test_idx_files(tmp_path, monkeypatch, no_network, source):
    made = arrays((28, 28))
    write_idx(tmp_path, made, monkeypatch)
    np.savez(tmp_path / "mnist.npz", **arrays((28, 28), seed=1))  # auto prefers torchvision's files
    loaded = load("mnist", source=source, root=tmp_path)
    assert_holds(loaded, made)
    assert loaded.x_train.shape == (20, 28, 28, 1) and no_network == []
    assert loaded.provenance == {
        "dataset": "mnist",
        "title": "MNIST",
        "source": "torchvision",
        "stand_in": False,
        "origin": "the official files of MNIST, checksums verified",
        "sha256": digest(*loaded[:4]),
        "train": 20,
        "test": 20,
        "classes": 10,
        "shape": [28, 28, 1],
    }


def test_batches_of_cifar10(tmp_path, monkeypatch, no_network):
    made = arrays((32, 32, 3))
    write_batches(tmp_path, made, monkeypatch)
    loaded = load("cifar10", root=tmp_path)
    assert_holds(loaded, made)
    assert (loaded.provenance["title"], loaded.provenance["source"]) == ("CIFAR-10", "torchvision")


@pytest.mark.parametrize("place", ["MNIST/raw/{}.gz", "{}.gz", "{}", "kaggle", "{0}/{0}"])
def test_idx_files_packed_flat_or_as_kaggle_names_them(tmp_path, monkeypatch, no_network, place):
    made, root = arrays((28, 28)), tmp_path / "data"
    for path in write_idx(tmp_path, made, monkeypatch).iterdir():
        target = root / place.format(path.name)
        if place == "kaggle":
            target = root / path.name.replace("-idx", ".idx")
        target.parent.mkdir(parents=True, exist_ok=True)
        content = path.read_bytes()
        target.write_bytes(gzip.compress(content) if target.suffix == ".gz" else content)
    before = sorted(root.rglob("*"))
    assert_holds(load("mnist", root=root), made)
    assert sorted(root.rglob("*")) == before and no_network == []


@pytest.mark.parametrize("packed", [True, False])
def test_cifar10_as_an_archive_or_flat(tmp_path, monkeypatch, no_network, packed):
    made, root = arrays((32, 32, 3)), tmp_path / "data"
    folder = write_batches(tmp_path, made, monkeypatch)
    if packed:
        root.mkdir()
        with tarfile.open(root / "cifar-10-python.tar.gz", "w:gz") as archive:
            archive.add(folder, folder.name)
    else:
        folder.rename(root)
    loaded = load("cifar10", root=root)
    assert_holds(loaded, made)
    assert loaded.provenance["title"] == "CIFAR-10" and no_network == []


def test_copies_of_an_old_torchvision_are_not_read(tmp_path, monkeypatch):
    made = arrays((28, 28))
    write_idx(tmp_path, made, monkeypatch)
    (tmp_path / "MNIST" / "processed").mkdir()
    (tmp_path / "MNIST" / "processed" / "training.pt").write_bytes(b"unchecked")
    assert_holds(load("mnist", root=tmp_path), made)


@pytest.mark.parametrize("source", ["npz", "auto"])
@pytest.mark.parametrize(("name", "shape"), [("mnist", (28, 28)), ("mnist", (28, 28, 1)), ("cifar10", (32, 32, 3))])
def test_npz(tmp_path, no_network, source, name, shape):
    made = arrays(shape)
    made["y_train"] = made["y_train"].astype(np.int64)[:, None]
    np.savez_compressed(tmp_path / f"{name}.npz", **made)
    loaded = load(name, source=source, root=tmp_path)
    assert_holds(loaded, made)
    assert loaded.x_train.ndim == 4 and loaded.y_train.shape == (20,) and no_network == []
    assert loaded.provenance["source"] == "npz" and not loaded.provenance["stand_in"]
    assert loaded.provenance["title"] == TITLES[name] + " (unverified)"


def test_npz_files_are_recognised_by_their_digest(tmp_path, monkeypatch):
    made = arrays((32, 32, 3))
    np.savez(tmp_path / "cifar10.npz", **made)
    known = digest(*(made[key] for key in ARRAYS))
    monkeypatch.setattr(npz, "KNOWN", {known: ("CIFAR-10 (JPEG)", "in words")})
    about = load("cifar10", root=tmp_path).provenance
    assert (about["title"], about["origin"], about["sha256"]) == ("CIFAR-10 (JPEG)", "cifar10.npz: in words", known)


def test_digits_0_and_1_keep_their_order(tmp_path):
    made = arrays((28, 28))
    np.savez(tmp_path / "mnist.npz", **made)
    loaded = load("mnist01", root=tmp_path)
    rows = [row for row in range(20) if made["y_train"][row] in (0, 1)]
    np.testing.assert_array_equal(loaded.x_train[..., 0], made["x_train"][rows])
    np.testing.assert_array_equal(loaded.y_train, made["y_train"][rows])
    about = loaded.provenance
    assert (about["title"], about["classes"], about["train"]) == ("MNIST 0/1 (unverified)", 2, len(rows))
    assert about["sha256"] == digest(*loaded[:4]) != load("mnist", root=tmp_path).provenance["sha256"]


def test_every_title_of_mnist_has_one_for_its_digits_0_and_1():
    titles = {title for title, _ in npz.KNOWN.values() if title.startswith("MNIST")}
    assert titles | {"MNIST (unverified)", "MNIST (5,000 digits)"} == set(DIGITS_01)


def test_embedded_data_say_what_they_are(monkeypatch, tmp_path):
    small = tuple(arrays((32, 32, 3))[key] for key in ARRAYS)
    monkeypatch.setattr(embedded, "textures", lambda: small)
    about = load("cifar10", source="embedded", root=tmp_path / "none").provenance
    assert (about["title"], about["source"], about["stand_in"]) == ("CIFAR-10 stand-in", "embedded", True)
    assert "synthetic" in about["origin"] and "not the images of CIFAR-10" in about["origin"]
    for name, title, train in (("mnist", "MNIST (5,000 digits)", 4000), ("mnist01", "MNIST 0/1 (subset)", 800)):
        about = load(name, source="embedded").provenance
        assert (about["title"], about["train"], about["stand_in"]) == (title, train, False)


def test_downloads_appear_whole(tmp_path, monkeypatch):
    made, root = arrays((28, 28)), tmp_path / "data"
    write_idx(tmp_path / "remote", made, monkeypatch)

    def download(self):
        assert not list(root.glob("MNIST/raw/*"))
        for file in FILES["mnist"]:
            target = Path(self.root, file)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((tmp_path / "remote" / file).read_bytes())

    monkeypatch.setattr(import_torchvision().datasets.MNIST, "download", download)
    assert_holds(load("mnist", root=root), made)
    assert [path.name for path in root.iterdir()] == ["MNIST"]  # the temporary folder is gone


# what happens to the arrays


def test_digest_tells_values_shapes_and_order_apart():
    one, two = np.arange(6, dtype=np.uint8), np.arange(1, 7, dtype=np.uint8)
    values = [digest(*given) for given in ((one, two), (two, one), (one,), (one.reshape(2, 3), two))]
    assert len(set(values)) == 4 and all(len(value) == 64 for value in values)
    assert digest(one.reshape(2, 3)) == digest(np.asfortranarray(one.reshape(2, 3)))


def test_to_float():
    images = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    images.flags.writeable = False
    x = to_float(images)
    assert x.shape == (2, 3, 4, 5) and x.dtype == torch.float32 and x.is_contiguous()
    assert x[1, 2, 3, 4].item() == np.float32(images[1, 3, 4, 2]) / np.float32(255)
    every = to_float(np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)).flatten()
    assert every[0] == 0 and every[-1] == 1 and torch.equal((every * 255).round(), torch.arange(256.0))
    for wrong in (images / 255, images[0]):
        with pytest.raises(ValueError, match=r"images must be uint8 \(n, h, w, c\)"):
            to_float(wrong)


# the real files


@pytest.mark.realdata
def test_real_files(real_root):
    mnist = load("mnist", source="torchvision", root=real_root)
    assert mnist.provenance["sha256"] in npz.KNOWN and mnist.x_train.shape == (60000, 28, 28, 1)
    zeros_ones = load("mnist01", root=real_root)
    assert np.bincount(zeros_ones.y_train).tolist() == [5923, 6742] and zeros_ones.provenance["title"] == "MNIST 0/1"
    cifar10 = load("cifar10", source="npz", root=real_root)
    assert np.bincount(cifar10.y_train).tolist() == [5000] * 10 and cifar10.provenance["title"] == "CIFAR-10 (JPEG)"


@pytest.mark.realdata
def test_real_mnist_as_npz_is_recognised(real_root, tmp_path):
    mnist = load("mnist", source="torchvision", root=real_root)
    np.savez(tmp_path / "mnist.npz", **{key: getattr(mnist, key).squeeze() for key in ARRAYS})
    assert load("mnist", root=tmp_path).provenance["title"] == "MNIST"
    assert load("mnist01", root=tmp_path).provenance["title"] == "MNIST 0/1"


@pytest.fixture
def real_root():
    if "MINAVG_DATA" not in os.environ:
        pytest.skip("set MINAVG_DATA to the folder with the full MNIST and cifar10.npz")
    return Path(os.environ["MINAVG_DATA"])
