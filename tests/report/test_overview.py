"""The overview, the parts of `plots` that it needs, and what drawing must leave alone."""

import subprocess
import sys
import textwrap
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

import report
from report import overview, plots
from tests.report.test_plots import line, titles, words
from tests.report.tidy import QUICK, made_up_context, tidy_tables
from workflow_scripts.common.drawing import save


@pytest.fixture(scope="module")
def summary():
    return tidy_tables(checkpoints=QUICK, points=30)["margin_summary"]


def draw(summary, official=True):
    return overview.figureoverview(summary, made_up_context(official=official))


def key(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_row_a_data_set_and_a_column_a_model(summary):
    names = [f"{dataset}, {model}" for dataset in ("MNIST", "CIFAR-10") for model in ("LR", "MLP", "CNN")]
    figure = draw(summary)
    assert titles(figure) == names and "not run" not in words(figure)
    assert [ax.get_xlabel() for ax in figure.axes] == [""] * 3 + ["epoch"] * 3


def test_panels_show_the_training_points_of_both_methods(summary):
    ax = draw(summary).axes[1]
    runs = summary.query("dataset == 'mnist' and model == 'mlp' and split == 'train'")
    for method in ("std", "amr"):
        of_method = runs[runs["method"] == method]
        for column in ("average", "minimum"):
            drawn = line(ax, f"{method} {column}")
            np.testing.assert_allclose(drawn.get_xydata(), of_method[["epoch", column]])
            assert to_hex(drawn.get_color()) == plots.METHOD_LINES[method]["color"]
            assert drawn.get_linestyle() == {"average": "-", "minimum": "--"}[column]
    assert ax.get_xscale() == "log" and any((np.array(line.get_ydata()) == 0).all() for line in ax.get_lines())
    assert not any("lcr" in line.get_label() for line in ax.get_lines())


def test_logistic_regression_which_jitters_is_smoothed(summary):
    figure = draw(summary)
    run = summary.query("dataset == 'mnist' and model == 'lr' and split == 'train' and method == 'std'")
    smooth = line(figure.axes[0], "std average")
    np.testing.assert_allclose(smooth.get_ydata(), plots.smoothed(run, "average")["average"])
    assert "LR: smoothed over epochs" in key(figure)
    assert len(figure.axes[0].get_lines()) == 5  # two methods, two margins, the boundary


def test_networks_that_were_not_run_take_no_room(summary):
    figure = draw(summary.query("model == 'mlp' and dataset == 'mnist'"))
    assert titles(figure) == ["MNIST, MLP"] and "LR: smoothed over epochs" not in key(figure)
    assert figure.get_figheight() < draw(summary).get_figheight()
    figure = draw(summary.query("not (model == 'mlp' and dataset == 'cifar10') and model != 'cnn' and method == 'std'"))
    assert titles(figure) == ["MNIST, LR", "MNIST, MLP", "CIFAR-10, LR", "CIFAR-10, MLP"]
    assert words(figure).count("not run") == 1 and key(figure)[:2] == ["Std", "average margin"]
    assert [ax.get_xlabel() for ax in figure.axes] == ["", "epoch", "epoch", ""]  # under the lowest that was run


def test_without_any_run_one_panel_says_so(summary):
    figure = draw(summary.iloc[:0])
    assert len(figure.axes) == 1 and words(figure).strip() == "not run"


def test_a_method_measured_at_its_end_is_one_marker(summary):
    ax = draw(summary.query("method == 'std' or epoch == 16")).axes[1]
    for column in ("average", "minimum"):
        drawn = line(ax, f"amr {column}")
        assert len(drawn.get_xdata()) == 1 and drawn.get_marker() == "^"


@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_everything_is_large_enough_and_on_the_page(seeds):
    summary = tidy_tables(checkpoints=QUICK, points=30, seeds=seeds)["margin_summary"]
    figure = draw(summary, official=False)
    with plots.style():
        figure.draw_without_rendering()
    assert figure.get_figwidth() == 5 and any("3 seeds" in text for text in key(figure)) == (len(seeds) == 3)
    assert "made-up classes" in figure.get_supxlabel() and sum("CIFAR-10 stand-in" in t for t in titles(figure)) == 3
    texts = [text for text in figure.findobj(mpl.text.Text) if text.get_visible() and text.get_text()]
    assert min(text.get_fontsize() for text in texts) >= 7
    named = [text for text in texts if text.get_text() in titles(figure)]
    boxes = [text.get_window_extent() for text in [*named, *figure.legends[0].get_texts()]]
    assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 for box in boxes)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_the_same_bytes_each_time(summary, tmp_path):
    for name in ("first.svg", "second.svg"):
        save(draw(summary), tmp_path / name)
    assert (tmp_path / "first.svg").read_bytes() == (tmp_path / "second.svg").read_bytes()


def test_smoothing_averages_epochs_within_a_factor_of_each_seed():
    runs = pd.DataFrame({"seed": np.repeat([0, 1], 10), "epoch": [*range(1, 11)] * 2, "average": np.arange(20.0) ** 2})
    smooth = plots.smoothed(runs, "average", ratio=1.3).query("seed == 1")["average"].to_numpy()
    expected = [
        np.mean([(9.0 + near) ** 2 for near in range(1, 11) if n / 1.3 <= near <= n * 1.3]) for n in range(1, 11)
    ]
    np.testing.assert_allclose(smooth, expected)


@pytest.mark.parametrize(
    ("epochs", "labels"),
    [
        ([7], ["7"]),
        ([1, 2, 3, 4], list("1234")),
        ([1, 5], ["1", "2", "5"]),
        ([1, 16], ["1", "2", "5", "10"]),
        ([1, 200], ["1", "10", "100"]),
    ],
)
def test_a_log_axis_has_labels_at_every_scale(epochs, labels):
    ax = plots.new_figure(2).subplots()
    plots.line(ax, pd.DataFrame({"seed": 0, "epoch": epochs, "average": 1.0}), "average")
    plots.log_epochs(ax)
    low, high = ax.get_xlim()
    shown = [
        text.get_text() for at, text in zip(ax.get_xticks(), ax.get_xticklabels(), strict=True) if low <= at <= high
    ]
    assert shown == labels


IMPORTS = {
    "what draws changes no setting": """
        import matplotlib as mpl
        before = mpl.rcParams.copy()
        import report.overview, report.figures, report.supplement
        assert [name for name in before if before._get(name) != mpl.rcParams._get(name)] == []
    """,
    "what writes needs no matplotlib": """
        import sys
        import report.page, report.table1, report.verdicts, report.results, report.text
        assert not {"matplotlib", "seaborn"} & set(sys.modules)
    """,
}


@pytest.mark.parametrize("code", IMPORTS.values(), ids=IMPORTS)
def test_imports(code):
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, cwd=Path(report.__path__[0]).parent)
