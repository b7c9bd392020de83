"""The moving picture: which epochs it shows, that its marks move as the margins do, that it is small and repeatable."""

from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from lib.margins import linear_margins
from lib.models import build
from report import film, plots
from tests.jobs import POINTS01, write_inputs, write_table
from tests.report.test_plots import words
from tests.report.tidy import made_up_context
from workflow_scripts import training
from workflow_scripts.common.checkpoints import load_model, load_points, save
from workflow_scripts.common.files import write_json

RNG = np.random.default_rng(0)
POINTS = RNG.gamma(9, 0.3, 2000)
MARGINS = {
    epoch: POINTS * (1 - 0.15 * np.log10(epoch)) - 1.5 + 0.6 * np.log10(epoch) for epoch in film.epochs_shown(60)
}
SVM = 0.5 * POINTS + 0.3


@pytest.fixture(scope="module")
def moving():
    return film.moving(MARGINS, SVM, made_up_context())


def frames(content):
    image = Image.open(BytesIO(content))
    for i in range(image.n_frames):
        image.seek(i)
        yield image.info["duration"], np.asarray(image.convert("RGB"))


@pytest.mark.parametrize(("last", "count"), [(1, 1), (2, 2), (24, 24), (400, 30), (1000, 30)])
def test_epochs_are_spread_evenly_on_a_log_scale_from_first_to_last(last, count):
    epochs = film.epochs_shown(last)
    assert epochs[0] == 1 and epochs[-1] == last and epochs == sorted(set(epochs)) and len(epochs) == count


def test_each_epoch_is_a_frame_and_the_last_one_stays(moving):
    times, pictures = zip(*frames(moving), strict=True)
    assert len(pictures) == len(MARGINS) == len({picture.tobytes() for picture in pictures})
    assert times[-1] > 8 * times[0] and sum(times) < 10_000  # milliseconds


def test_it_is_small_and_the_same_each_time(moving):
    assert len(moving) <= 1_000_000
    assert film.moving(MARGINS, SVM, made_up_context()) == moving


def test_the_still_shows_the_end_and_the_way_there():
    figure = film.still(MARGINS, SVM, made_up_context())
    told = words(figure)
    assert "epoch 60" in told and "SVM's minimum" in told and "MNIST 0/1 (subset), LR" in told
    assert f"minimum {MARGINS[60].min():.2f}" in told and f"average {MARGINS[60].mean():.2f}" in told
    ways = [line.get_xydata() for line in figure.axes[1].get_lines() if len(line.get_xdata()) == len(MARGINS)]
    for way, of in zip(ways, (np.min, np.mean), strict=True):
        np.testing.assert_allclose(way, [(of(values), epoch) for epoch, values in MARGINS.items()])
    assert "Small scale" in figure.get_supxlabel()


def test_nothing_is_cut_at_either_end():
    for only in (MARGINS, {1: MARGINS[1]}):
        figure = film.still(only, SVM, made_up_context())
        with plots.style():
            figure.draw_without_rendering()
        texts = [text for text in [*figure.axes[0].texts, *figure.legends[0].get_texts()] if text.get_text()]
        boxes = [text.get_window_extent() for text in texts]
        assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 for box in boxes)


def test_the_script_computes_the_margins_of_each_epoch_and_writes_whole_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_inputs(tmp_path)
    save("lr.safetensors", {epoch: build("mnist01", "lr").state_dict() for epoch in (1, 2, 3)}, {})
    write_table(tmp_path / "svm.csv", pd.DataFrame({"split": ["train", "train", "test"], "margin": [0.5, 1.0, -9.0]}))
    write_json(made_up_context().datasets["mnist01"], "mnist01.json")
    shown = {}
    monkeypatch.setattr(film, "still", lambda margins, svm, context: shown.update(margins) or Figure())
    outputs = [f"training.{kind}" for kind in ("gif", "pdf", "png", "svg")]
    training.main("lr.safetensors", POINTS01, "svm.csv", ["mnist01.json"], *outputs, differences="")
    assert {path.name for path in tmp_path.glob("*training*")} == set(outputs)  # and nothing partial
    x, y, _ = load_points(POINTS01, "mnist01", "train")
    head = load_model("lr.safetensors", "mnist01", "lr", 2).head
    np.testing.assert_allclose(shown[2], linear_margins(head.weight, head.bias, x.flatten(1).double(), y))
    assert list(shown) == [1, 2, 3] and len(list(frames((tmp_path / "training.gif").read_bytes()))) == 3
