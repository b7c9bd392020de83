"""Data that are missing or wrong are refused in one line."""

import gzip

import numpy as np
import pytest

from lib.data.names import TITLES
from lib.data.sources import load
from lib.data.torchvision_files import MNIST_SHA256
from lib.tests.sources import arrays, write_batches, write_idx


@pytest.mark.parametrize("source", ["auto", "torchvision"])
@pytest.mark.parametrize("name", TITLES)
def test_no_data_lists_the_four_ways(tmp_path, no_network, name, source):
    with pytest.raises(FileNotFoundError) as caught:
        load(name, source=source, root=tmp_path)
    message = str(caught.value)
    for part in ("torchvision's files", ".npz", "network", "embedded", "(4)", str(tmp_path), "urlopen"):
        assert part in message
    assert "\n" not in message and list(tmp_path.iterdir()) == [] and len(no_network) == 1


def test_unknown_names_and_sources(tmp_path):
    with pytest.raises(ValueError, match=r"unknown data set 'svhn': choose one of mnist01, mnist, cifar10"):
        load("svhn")
    with pytest.raises(ValueError, match=r"unknown source 'web' for mnist: choose one of auto, torchvision"):
        load("mnist", source="web")
    with pytest.raises(FileNotFoundError, match=r"mnist\.npz does not exist: put x_train"):
        load("mnist01", source="npz", root=tmp_path)


@pytest.mark.parametrize("number", range(4))
def test_a_changed_idx_file_is_refused(tmp_path, monkeypatch, no_network, number):
    folder = write_idx(tmp_path, arrays((28, 28)), monkeypatch)
    path = folder / list(MNIST_SHA256)[number]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=rf"{path.name}: its sha256 is not .* replace it"):
        load("mnist", root=tmp_path)


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_what_was_found_and_what_lacks_is_named(tmp_path, monkeypatch, no_network, name):
    if name == "mnist":
        path = write_idx(tmp_path, arrays((28, 28)), monkeypatch) / "t10k-labels-idx1-ubyte"
    else:
        path = write_batches(tmp_path, arrays((32, 32, 3)), monkeypatch) / "data_batch_4"
    path.unlink()
    with pytest.raises(FileNotFoundError, match=rf"found .*{path.parent.name}/.*; {path.name} lack\) and the download"):
        load(name, root=tmp_path)


OTHER, CUT = gzip.compress(b"not it", mtime=0), gzip.compress(bytes(9999), mtime=0)[:-9]  # the same at each collection


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte.gz", "cifar-10-python.tar.gz"])
@pytest.mark.parametrize("content", [b"", b"no archive", OTHER, CUT])
def test_a_damaged_archive_is_named(tmp_path, monkeypatch, no_network, name, content):
    if name.startswith("train"):
        (write_idx(tmp_path, arrays((28, 28)), monkeypatch) / "train-images-idx3-ubyte").unlink()
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name}.* cut short or changed: replace it"):
        load("mnist" if name.startswith("train") else "cifar10", root=tmp_path)


CASES = [  # name, key, how it is broken, what the error says
    ("mnist", "x_train", lambda x: x.astype(np.float32), "has type float32, not uint8"),
    ("mnist", "x_train", lambda x: x / 255, r"has type float64, .*rint\(255 \* x_train\).astype"),
    ("mnist", "x_train", lambda x: x.astype(int), r"has type int64, .*rint\(x_train\).astype"),
    ("mnist", "x_train", lambda x: (x / 63).astype(np.uint8), "holds 0 and 1 alone, .*: store the original pixels"),
    ("cifar10", "x_test", lambda x: 0 * x, "holds 0 alone, no images: store the original pixels"),
    ("mnist", "x_test", lambda x: x[:, :, :27], r"has shape \(20, 28, 27\): .*\(n, 28, 28, 1\) or \(n, 28, 28\)"),
    ("mnist", "x_test", lambda x: x.reshape(20, 784), r"has shape \(20, 784\)"),
    ("mnist", "x_train", lambda x: x[0, 0, 0], r"has shape \(\)"),
    ("cifar10", "x_train", lambda x: x.transpose(0, 3, 1, 2), r"has shape \(20, 3, 32, 32\).*\(n, 32, 32, 3\)"),
    ("cifar10", "y_train", lambda y: y.astype(float), "has type float64, no integers"),
    ("cifar10", "y_test", lambda y: np.eye(10, dtype=int)[y], r"has shape \(20, 10\): .*\(n,\) or \(n, 1\)"),
    ("cifar10", "y_test", lambda y: y[0], r"has shape \(\)"),
    ("mnist", "y_test", lambda y: y[:-1], "has 19 labels for 20 images"),
    ("mnist", "y_train", lambda y: y + np.uint8(1), "is empty or has labels outside 0 to 9"),
    ("mnist", "y_train", lambda y: y.astype(np.int8) - 1, "is empty or has labels outside 0 to 9"),
    ("mnist", "y_test", lambda y: np.where(np.isin(y, (3, 7)), 0, y), "has no label 3, 7"),
    ("mnist", "y_train", lambda y: y[:0], "has 0 labels for 20 images"),
]


@pytest.mark.parametrize(("name", "key", "broken", "message"), CASES)
def test_what_is_wrong_in_an_npz_is_named(tmp_path, name, key, broken, message):
    made = arrays((28, 28) if name == "mnist" else (32, 32, 3))
    made[key] = broken(made[key])
    np.savez(tmp_path / f"{name}.npz", **made)
    with pytest.raises(ValueError, match=rf"{name}\.npz: {key} {message}"):
        load(name, source="npz", root=tmp_path)


def test_an_empty_split_is_refused(tmp_path):
    made = arrays((28, 28))
    np.savez(tmp_path / "mnist.npz", **(made | {key: made[key][:0] for key in ("x_test", "y_test")}))
    with pytest.raises(ValueError, match=r"y_test is empty"):
        load("mnist", source="npz", root=tmp_path)


def test_missing_keys_are_named(tmp_path):
    made = arrays((28, 28))
    np.savez(tmp_path / "mnist.npz", x_train=made["x_train"], y_train=made["y_train"], labels=made["y_test"])
    with pytest.raises(ValueError, match=r"mnist\.npz lacks x_test, y_test: it must hold x_train, y_train"):
        load("mnist", root=tmp_path)


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.999])
def test_a_truncated_npz_is_refused(tmp_path, keep):
    path = tmp_path / "mnist.npz"
    np.savez(path, **arrays((28, 28)))
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if isinstance(keep, float) else keep])
    with pytest.raises(ValueError, match=r"mnist\.npz is not an npz file, or is cut short"):
        load("mnist", root=tmp_path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_npz_is_refused(tmp_path, save):
    path = tmp_path / "mnist.npz"
    save(path, **arrays((28, 28)))
    content = bytearray(path.read_bytes())
    content[5000:5100] = bytes(100)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"mnist\.npz: its array x_train cannot be read"):
        load("mnist", root=tmp_path)


@pytest.mark.parametrize(("name", "spoil"), [("mnist", lambda x: 255 - x), ("cifar10", lambda x: x // 4)])
def test_images_much_brighter_or_darker_than_the_data_set_are_warned_of(tmp_path, name, spoil):
    made = arrays((28, 28) if name == "mnist" else (32, 32, 3))
    np.savez(tmp_path / f"{name}.npz", **made | {"x_test": spoil(made["x_test"])})
    with pytest.warns(UserWarning, match=rf"{name}\.npz: x_test has a mean of .*: store the original pixels"):
        load(name, root=tmp_path)
