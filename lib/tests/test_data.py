import hashlib
import json
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from lib import data, embedded
from lib.vision import import_torchvision
from workflow_scripts.data import main as write_data
from workflow_scripts.points import main as write_points

WRONG_PICKLE = "unpickled"


class Bomb:
    """Leaves a file named `unpickled` in the working directory when a pickle of it is loaded."""

    def __reduce__(self):
        return open, (WRONG_PICKLE, "w")


def arrays(shape, n=20, seed=0):
    rng = np.random.default_rng(seed)
    made = {}
    for split in ("train", "test"):
        made[f"x_{split}"] = rng.integers(0, 256, (n, *shape), dtype=np.uint8)
        made[f"y_{split}"] = rng.permutation(np.arange(n) % 10).astype(np.uint8)
    return made


def write_idx(root, made, monkeypatch):
    """Write `made` as the four IDX files of MNIST and teach lib.data their checksums."""
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True)
    sums = {}
    for name, key in zip(data.MNIST_SHA256, data.ARRAYS, strict=True):
        head = bytes([0, 0, 8, made[key].ndim]) + b"".join(size.to_bytes(4, "big") for size in made[key].shape)
        (folder / name).write_bytes(head + made[key].tobytes())
        sums[name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    monkeypatch.setattr(data, "MNIST_SHA256", sums)
    return folder


def write_batches(root, made, monkeypatch):
    """Write `made` as the batches of CIFAR-10 and teach torchvision their checksums."""
    cifar10 = import_torchvision().datasets.CIFAR10
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    contents = {"batches.meta": {"label_names": list("abcdefghij")}}
    for number, rows in enumerate(np.array_split(np.arange(len(made["x_train"])), 5), start=1):
        contents[f"data_batch_{number}"] = batch(made["x_train"][rows], made["y_train"][rows])
    contents["test_batch"] = batch(made["x_test"], made["y_test"])
    sums = {}
    for name, content in contents.items():
        (folder / name).write_bytes(pickle.dumps(content))
        sums[name] = hashlib.md5((folder / name).read_bytes()).hexdigest()
    monkeypatch.setattr(cifar10, "train_list", [(name, sums[name]) for name, _ in cifar10.train_list])
    monkeypatch.setattr(cifar10, "test_list", [(name, sums[name]) for name, _ in cifar10.test_list])
    monkeypatch.setattr(cifar10, "meta", cifar10.meta | {"md5": sums["batches.meta"]})
    return folder


def batch(x, y):
    return {"data": x.transpose(0, 3, 1, 2).reshape(len(x), -1), "labels": y.tolist()}


def assert_holds(loaded, made):
    for key in data.ARRAYS:
        np.testing.assert_array_equal(getattr(loaded, key), made[key].reshape(getattr(loaded, key).shape))
        assert getattr(loaded, key).dtype == np.uint8


@pytest.fixture
def no_network(monkeypatch):
    """Let every download fail, and count them."""
    downloads = []

    def download(self):
        downloads.append(self.root)
        raise OSError("<urlopen error no network>")

    for name in ("MNIST", "CIFAR10"):
        monkeypatch.setattr(getattr(import_torchvision().datasets, name), "download", download)
    return downloads


# sources


@pytest.mark.parametrize("source", ["torchvision", "auto"])
def test_idx_files(tmp_path, monkeypatch, no_network, source):
    made = arrays((28, 28))
    write_idx(tmp_path, made, monkeypatch)
    np.savez(tmp_path / "mnist.npz", **arrays((28, 28), seed=1))  # auto prefers torchvision's files
    loaded = data.load("mnist", source=source, root=tmp_path)
    assert_holds(loaded, made)
    assert loaded.x_train.shape == (20, 28, 28, 1) and no_network == []
    assert loaded.provenance == {
        "dataset": "mnist",
        "title": "MNIST",
        "source": "torchvision",
        "stand_in": False,
        "origin": "the official files of MNIST, checksums verified",
        "sha256": data.digest(*loaded[:4]),
        "train": 20,
        "test": 20,
        "classes": 10,
        "shape": [28, 28, 1],
    }


def test_batches_of_cifar10(tmp_path, monkeypatch, no_network):
    made = arrays((32, 32, 3))
    write_batches(tmp_path, made, monkeypatch)
    loaded = data.load("cifar10", root=tmp_path)
    assert_holds(loaded, made)
    assert (loaded.provenance["title"], loaded.provenance["source"]) == ("CIFAR-10", "torchvision")


@pytest.mark.parametrize("source", ["npz", "auto"])
@pytest.mark.parametrize(("name", "shape"), [("mnist", (28, 28)), ("mnist", (28, 28, 1)), ("cifar10", (32, 32, 3))])
def test_npz(tmp_path, no_network, source, name, shape):
    made = arrays(shape)
    made["y_train"] = made["y_train"].astype(np.int64)[:, None]
    np.savez_compressed(tmp_path / f"{name}.npz", **made)
    loaded = data.load(name, source=source, root=tmp_path)
    assert_holds(loaded, made)
    assert loaded.x_train.ndim == 4 and loaded.y_train.shape == (20,) and no_network == []
    assert loaded.provenance["source"] == "npz" and not loaded.provenance["stand_in"]
    assert loaded.provenance["title"] == data.TITLES[name] + " (unverified)"


def test_npz_files_are_recognised_by_their_digest(tmp_path, monkeypatch):
    made = arrays((32, 32, 3))
    np.savez(tmp_path / "cifar10.npz", **made)
    digest = data.digest(*(made[key] for key in data.ARRAYS))
    monkeypatch.setattr(data, "KNOWN", {digest: ("CIFAR-10 (JPEG)", "in words")})
    about = data.load("cifar10", root=tmp_path).provenance
    assert (about["title"], about["origin"], about["sha256"]) == ("CIFAR-10 (JPEG)", "cifar10.npz: in words", digest)


def test_digits_0_and_1_keep_their_order(tmp_path):
    made = arrays((28, 28))
    np.savez(tmp_path / "mnist.npz", **made)
    loaded = data.load("mnist01", root=tmp_path)
    rows = [row for row in range(20) if made["y_train"][row] in (0, 1)]
    np.testing.assert_array_equal(loaded.x_train[..., 0], made["x_train"][rows])
    np.testing.assert_array_equal(loaded.y_train, made["y_train"][rows])
    about = loaded.provenance
    assert (about["title"], about["classes"], about["train"]) == ("MNIST 0/1 (unverified)", 2, len(rows))
    assert about["sha256"] == data.digest(*loaded[:4]) != data.load("mnist", root=tmp_path).provenance["sha256"]


def test_every_title_of_mnist_has_one_for_its_digits_0_and_1():
    titles = {title for title, _ in data.KNOWN.values() if title.startswith("MNIST")}
    assert titles | {"MNIST (unverified)", "MNIST (5,000 digits)"} == set(data.DIGITS_01)


def test_embedded_data_say_what_they_are(monkeypatch, tmp_path):
    small = tuple(arrays((32, 32, 3))[key] for key in data.ARRAYS)
    monkeypatch.setattr(embedded, "textures", lambda: small)
    about = data.load("cifar10", source="embedded", root=tmp_path / "none").provenance
    assert (about["title"], about["source"], about["stand_in"]) == ("CIFAR-10 stand-in", "embedded", True)
    assert "synthetic" in about["origin"] and "not the images of CIFAR-10" in about["origin"]
    for name, title, train in (("mnist", "MNIST (5,000 digits)", 4000), ("mnist01", "MNIST 0/1 (subset)", 800)):
        about = data.load(name, source="embedded").provenance
        assert (about["title"], about["train"], about["stand_in"]) == (title, train, False)


def test_downloads_appear_whole(tmp_path, monkeypatch):
    made, root = arrays((28, 28)), tmp_path / "data"
    write_idx(tmp_path / "remote", made, monkeypatch)

    def download(self):
        assert not list(root.glob("MNIST/raw/*"))
        for file in data.FILES["mnist"]:
            target = Path(self.root, file)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((tmp_path / "remote" / file).read_bytes())

    monkeypatch.setattr(import_torchvision().datasets.MNIST, "download", download)
    assert_holds(data.load("mnist", root=root), made)
    assert [path.name for path in root.iterdir()] == ["MNIST"]  # the temporary folder is gone


# errors


@pytest.mark.parametrize("source", ["auto", "torchvision"])
@pytest.mark.parametrize("name", data.NAMES)
def test_no_data_lists_the_four_ways(tmp_path, no_network, name, source):
    with pytest.raises(FileNotFoundError) as caught:
        data.load(name, source=source, root=tmp_path)
    message = str(caught.value)
    for part in ("torchvision's files", ".npz", "network", "embedded", "(4)", str(tmp_path), "urlopen"):
        assert part in message
    assert "\n" not in message and list(tmp_path.iterdir()) == [] and len(no_network) == 1


def test_unknown_names_and_sources(tmp_path):
    with pytest.raises(ValueError, match=r"unknown data set 'svhn': choose one of mnist01, mnist, cifar10"):
        data.load("svhn")
    with pytest.raises(ValueError, match=r"unknown source 'web' for mnist: choose one of auto, torchvision"):
        data.load("mnist", source="web")
    with pytest.raises(FileNotFoundError, match=r"mnist\.npz does not exist: put x_train"):
        data.load("mnist01", source="npz", root=tmp_path)


@pytest.mark.parametrize("number", range(4))
def test_a_changed_idx_file_is_refused(tmp_path, monkeypatch, no_network, number):
    folder = write_idx(tmp_path, arrays((28, 28)), monkeypatch)
    path = folder / list(data.MNIST_SHA256)[number]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=rf"{path.name}: its sha256 is not .* delete it"):
        data.load("mnist", root=tmp_path)


def test_unchecked_copies_of_an_old_torchvision_are_refused(tmp_path, monkeypatch):
    write_idx(tmp_path, arrays((28, 28)), monkeypatch)
    (tmp_path / "MNIST" / "processed").mkdir()
    with pytest.raises(ValueError, match=r"processed holds copies of an old torchvision .* delete it"):
        data.load("mnist", root=tmp_path)


@pytest.mark.parametrize("name", data.CIFAR10_FILES)
def test_no_batch_is_unpickled_unless_all_are_official(tmp_path, monkeypatch, no_network, name):
    folder = write_batches(tmp_path, arrays((32, 32, 3)), monkeypatch)
    (folder / name).write_bytes(pickle.dumps(Bomb()))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pickle, "load", lambda *_, **__: pytest.fail("a pickle was opened"))
    with pytest.raises(ValueError, match=rf"{name}: its md5 is not .* delete it"):
        data.load("cifar10", root=tmp_path)
    assert not Path(WRONG_PICKLE).exists()


CASES = [  # name, key, how it is broken, what the error says
    ("mnist", "x_train", lambda x: x.astype(np.float32), "has type float32, not uint8"),
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
        data.load(name, source="npz", root=tmp_path)


def test_an_empty_split_is_refused(tmp_path):
    made = arrays((28, 28))
    np.savez(tmp_path / "mnist.npz", **(made | {key: made[key][:0] for key in ("x_test", "y_test")}))
    with pytest.raises(ValueError, match=r"y_test is empty"):
        data.load("mnist", source="npz", root=tmp_path)


def test_missing_keys_are_named(tmp_path):
    made = arrays((28, 28))
    np.savez(tmp_path / "mnist.npz", x_train=made["x_train"], y_train=made["y_train"], labels=made["y_test"])
    with pytest.raises(ValueError, match=r"mnist\.npz lacks x_test, y_test: it must hold x_train, y_train"):
        data.load("mnist", root=tmp_path)


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.999])
def test_a_truncated_npz_is_refused(tmp_path, keep):
    path = tmp_path / "mnist.npz"
    np.savez(path, **arrays((28, 28)))
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if isinstance(keep, float) else keep])
    with pytest.raises(ValueError, match=r"mnist\.npz is not an npz file, or is cut short"):
        data.load("mnist", root=tmp_path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_npz_is_refused(tmp_path, save):
    path = tmp_path / "mnist.npz"
    save(path, **arrays((28, 28)))
    content = bytearray(path.read_bytes())
    content[5000:5100] = bytes(100)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"mnist\.npz: its array x_train cannot be read"):
        data.load("mnist", root=tmp_path)


def test_python_objects_in_an_npz_are_never_loaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = arrays((28, 28))
    np.savez("mnist.npz", **(made | {"y_train": np.array([Bomb()] * 20, dtype=object)}))
    with pytest.raises(ValueError, match=r"mnist\.npz: its array y_train cannot be read .*Python objects"):
        data.load("mnist", root=tmp_path)
    Path("mnist.npz").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match="not an npz file"):
        data.load("mnist", root=tmp_path)
    np.savez("mnist.npz", **made)
    with zipfile.ZipFile("mnist.npz") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile("mnist.npz", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, pickle.dumps(Bomb()) if name == "y_test.npy" else content)
    with pytest.raises(ValueError, match=r"mnist\.npz: its array y_test cannot be read"):
        data.load("mnist", root=tmp_path)
    assert not Path(WRONG_PICKLE).exists()


# what happens to the arrays


def test_digest_tells_values_shapes_and_order_apart():
    one, two = np.arange(6, dtype=np.uint8), np.arange(1, 7, dtype=np.uint8)
    values = [data.digest(*given) for given in ((one, two), (two, one), (one,), (one.reshape(2, 3), two))]
    assert len(set(values)) == 4 and all(len(value) == 64 for value in values)
    assert data.digest(one.reshape(2, 3)) == data.digest(np.asfortranarray(one.reshape(2, 3)))


def test_to_float():
    images = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    images.flags.writeable = False
    x = data.to_float(images)
    assert x.shape == (2, 3, 4, 5) and x.dtype == torch.float32 and x.is_contiguous()
    assert x[1, 2, 3, 4].item() == np.float32(images[1, 3, 4, 2]) / np.float32(255)
    every = data.to_float(np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)).flatten()
    assert every[0] == 0 and every[-1] == 1 and torch.equal((every * 255).round(), torch.arange(256.0))
    for wrong in (images / 255, images[0]):
        with pytest.raises(ValueError, match=r"images must be uint8 \(n, h, w, c\)"):
            data.to_float(wrong)


def test_points_are_distinct_nested_and_repeatable():
    points = data.draw_points(100, 30, seed=1)
    assert points.dtype == np.int64 and (np.diff(points) > 0).all() and points[0] >= 0 and points[-1] < 100
    np.testing.assert_array_equal(points, data.draw_points(100, 30, seed=1))
    assert not np.array_equal(points, data.draw_points(100, 30, seed=2))
    assert set(points) < set(data.draw_points(100, 31, seed=1))
    np.testing.assert_array_equal(data.draw_points(7, 7, seed=0), np.arange(7))
    for count in (0, 8):
        with pytest.raises(ValueError, match=rf"the test split holds 7 points, {count} are requested"):
            data.draw_points(7, count, seed=0, split="test")


def test_every_point_is_drawn_equally_often():
    counts = np.zeros(10)
    for seed in range(2000):
        counts[data.draw_points(10, 3, seed=seed)] += 1
    assert np.abs(counts - 600).max() < 5 * np.sqrt(2000 * 0.3 * 0.7)


# scripts


def test_scripts_write_the_data_and_the_points(tmp_path, capsys):
    np.savez(tmp_path / "cifar10.npz", **arrays((32, 32, 3)))
    loaded = data.load("cifar10", root=tmp_path)
    npz, about = tmp_path / "out" / "data.npz", tmp_path / "out" / "data.json"
    write_data(dataset="cifar10", source="auto", root=tmp_path, npz_path=npz, json_path=about)
    assert json.loads(about.read_text()) == loaded.provenance
    with np.load(npz, allow_pickle=False) as written:
        assert set(written.files) == set(data.ARRAYS)
        assert_holds(loaded, written)
    margins, attack = tmp_path / "out" / "margins.npz", tmp_path / "out" / "attack.npz"
    for count, expected in ((None, 20), (5, 5)):
        write_points(npz, margins, attack, train=6, test=4, attack=count, seed=3)
        with np.load(margins) as points, np.load(attack) as attacked:
            splits = {key.split("_")[1] for key in points.files}
            assert splits == {"train", "test"} and len(points.files) == 6
            assert set(attacked.files) == {"x_test", "y_test", "index_test"}
            assert [len(points["index_train"]), len(points["index_test"]), len(attacked["x_test"])] == [6, 4, expected]
            np.testing.assert_array_equal(points["x_train"], loaded.x_train[points["index_train"]])
            np.testing.assert_array_equal(points["y_test"], loaded.y_test[points["index_test"]])
            np.testing.assert_array_equal(attacked["x_test"], loaded.x_test[attacked["index_test"]])
            assert set(points["index_test"]) <= set(attacked["index_test"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("CIFAR-10 (unverified): 20 training and 20 test images, sha256 ")
    assert lines[2] == "margins: 6 training and 4 test points; attack: 5 test images"
    assert {path.name for path in npz.parent.iterdir()} == {"data.npz", "data.json", "margins.npz", "attack.npz"}
    with pytest.raises(ValueError, match="the train split holds 20 points, 21 are requested"):
        write_points(npz, margins, attack, train=21, test=4, attack=None, seed=3)


def test_jobs_that_prepare_data_import_no_torch(tmp_path):
    np.savez(tmp_path / "mnist.npz", **arrays((28, 28)))
    script = (
        "import sys\nfrom workflow_scripts import data, points\n"
        f"data.main('mnist', 'auto', {str(tmp_path)!r}, {str(tmp_path / 'a.npz')!r}, {str(tmp_path / 'a.json')!r})\n"
        "assert 'torch' not in sys.modules and 'pandas' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


# the real files


@pytest.mark.realdata
def test_real_files(real_root):
    mnist = data.load("mnist", source="torchvision", root=real_root)
    assert mnist.provenance["sha256"] in data.KNOWN and mnist.x_train.shape == (60000, 28, 28, 1)
    zeros_ones = data.load("mnist01", root=real_root)
    assert np.bincount(zeros_ones.y_train).tolist() == [5923, 6742] and zeros_ones.provenance["title"] == "MNIST 0/1"
    cifar10 = data.load("cifar10", source="npz", root=real_root)
    assert np.bincount(cifar10.y_train).tolist() == [5000] * 10 and cifar10.provenance["title"] == "CIFAR-10 (JPEG)"


@pytest.mark.realdata
def test_real_mnist_as_npz_is_recognised(real_root, tmp_path):
    mnist = data.load("mnist", source="torchvision", root=real_root)
    np.savez(tmp_path / "mnist.npz", **{key: getattr(mnist, key).squeeze() for key in data.ARRAYS})
    assert data.load("mnist", root=tmp_path).provenance["title"] == "MNIST"
    assert data.load("mnist01", root=tmp_path).provenance["title"] == "MNIST 0/1"


@pytest.fixture
def real_root():
    if "MINAVG_DATA" not in os.environ:
        pytest.skip("set MINAVG_DATA to the folder with the full MNIST and cifar10.npz")
    return Path(os.environ["MINAVG_DATA"])
