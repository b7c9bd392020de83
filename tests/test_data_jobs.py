"""The jobs that prepare data and draw points write what they should, and load no more than they need."""

import json
import subprocess
import sys

import numpy as np

from lib.data.arrays import ARRAYS
from lib.data.sources import load
from lib.tests.sources import arrays
from workflow_scripts import data, points


def test_scripts_write_the_data_and_the_points(tmp_path, capsys):
    np.savez(tmp_path / "cifar10.npz", **arrays((32, 32, 3)))
    loaded = load("cifar10", root=tmp_path)
    npz, about = tmp_path / "out" / "data.npz", tmp_path / "out" / "data.json"
    data.main(npz, about, "cifar10", source="auto", root=tmp_path, images="abc")
    found = json.loads(about.read_text())
    assert found == loaded.provenance | {"images": "abc"}
    with np.load(npz, allow_pickle=False) as written:
        assert set(written.files) == set(ARRAYS)
        for key in ARRAYS:
            np.testing.assert_array_equal(getattr(loaded, key), written[key])
    measured, attacked = tmp_path / "out" / "margins.npz", tmp_path / "out" / "attack.npz"
    points.main(npz, measured, "margins", wanted={"train": 6, "test": 4}, points_seed=3)
    for count, expected in ((None, 20), (5, 5)):
        points.main(npz, attacked, "attack", wanted={"test": count}, points_seed=3)
        with np.load(measured) as of_margins, np.load(attacked) as of_attack:
            splits = {key.split("_")[1] for key in of_margins.files}
            assert splits == {"train", "test"} and len(of_margins.files) == 6
            assert set(of_attack.files) == {"x_test", "y_test", "index_test"}
            counts = [len(of_margins["index_train"]), len(of_margins["index_test"]), len(of_attack["x_test"])]
            assert counts == [6, 4, expected]
            np.testing.assert_array_equal(of_margins["x_train"], loaded.x_train[of_margins["index_train"]])
            np.testing.assert_array_equal(of_margins["y_test"], loaded.y_test[of_margins["index_test"]])
            np.testing.assert_array_equal(of_attack["x_test"], loaded.x_test[of_attack["index_test"]])
            np.testing.assert_array_equal(of_attack["index_test"][:4], of_margins["index_test"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("CIFAR-10 (unverified): 20 training and 20 test images, sha256 ")
    assert lines[1:3] == ["margins: 6 train points", "margins: 4 test points"] and lines[-1] == "attack: 5 test points"
    assert {path.name for path in npz.parent.iterdir()} == {"data.npz", "data.json", "margins.npz", "attack.npz"}


def test_implausible_images_are_told(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(data, "tell", told.append)
    np.savez(tmp_path / "mnist.npz", **{key: 255 - a if key[0] == "x" else a for key, a in arrays((28, 28)).items()})
    data.main(tmp_path / "a.npz", tmp_path / "a.json", "mnist", source="npz", root=tmp_path)
    assert len(told) == 2 and "mean of" in told[0]


def test_jobs_that_prepare_data_import_no_torch(tmp_path):
    np.savez(tmp_path / "mnist.npz", **arrays((28, 28)))
    script = (
        "import sys\nfrom workflow_scripts import data, points\n"
        f"data.main({str(tmp_path / 'a.npz')!r}, {str(tmp_path / 'a.json')!r}, 'mnist', source='auto', "
        f"root={str(tmp_path)!r})\n"
        "assert 'torch' not in sys.modules and 'pandas' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
