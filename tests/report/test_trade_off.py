"""Figures 2 and 6, margins by split and by method, and the lines, bands and dots that they are drawn with."""

import numpy as np
import pandas as pd
import pytest

from report import plots
from report.results import METHODS, MODELS
from tests.report.test_plots import draw, line, looks_like, titles, words
from tests.report.tidy import QUICK, tidy_tables


@pytest.fixture(scope="module")
def tables():
    return tidy_tables(checkpoints=QUICK, points=30)


@pytest.mark.parametrize(("number", "dataset"), [(2, "cifar10"), (6, "mnist")])
def test_average_stands_above_minimum_for_train_and_test(tables, number, dataset):
    axes = draw(number, tables).axes
    runs = tables["margin_summary"].query("dataset == @dataset and model == 'mlp' and method == 'std'")
    for ax, column in [(axes[1], "average"), (axes[4], "minimum")]:
        for split in ("train", "test"):
            of_split = runs[runs["split"] == split]
            drawn = line(ax, split)
            np.testing.assert_allclose(drawn.get_xydata(), of_split[["epoch", column]])
            assert looks_like(drawn, plots.SPLIT_LINES[split])


@pytest.mark.parametrize(
    ("number", "dataset", "methods"), [(2, "cifar10", ["std", "amr"]), (6, "mnist", ["std", "lcr", "amr"])]
)
def test_methods_are_compared_on_test_points_under_a_key_of_their_own(tables, number, dataset, methods):
    *axes, key = draw(number, tables).axes[6:]
    runs = tables["margin_summary"].query("dataset == @dataset and split == 'test'")
    for ax, model in zip(axes, MODELS, strict=True):
        shown = [method for method in methods if (model, method) != ("lr", "lcr")]
        assert [drawn.get_label() for drawn in ax.get_lines()] == [f"{method} test" for method in shown]
        for method, drawn in zip(shown, ax.get_lines(), strict=True):
            expected = runs[(runs["model"] == model) & (runs["method"] == method)]
            expected = plots.smoothed(expected, "average") if model == "lr" else expected
            np.testing.assert_allclose(drawn.get_ydata(), expected["average"])
            assert looks_like(drawn, plots.METHOD_LINES[method])
    assert [text.get_text() for text in key.get_legend().get_texts()] == [METHODS[method] for method in methods]
    assert ("not in the paper" in key.get_legend().get_title().get_text()) == (number == 6)


def test_without_another_method_than_std_there_is_no_comparison_and_without_a_model_no_column(tables):
    std = tables["margin_summary"].query("method == 'std' and model != 'mlp'")
    figure = draw(6, tables, margin_summary=std)
    assert [title[:3] for title in titles(figure)] == ["(a)", "(c)"] and len(figure.axes) == 4
    assert figure.get_figheight() < draw(6, tables).get_figheight()


def test_curves_that_coincide_are_said_to(tables):
    summary = tables["margin_summary"].copy()
    of_lr = (summary["dataset"] == "mnist") & (summary["model"] == "lr") & (summary["method"] == "std")
    summary.loc[of_lr, "average"] = 1 / summary.loc[of_lr, "epoch"]  # of both splits
    figure = draw(6, tables, margin_summary=summary)
    assert "the two coincide" in [text.get_text() for text in figure.axes[0].texts]
    assert words(figure).count("the two coincide") == 1


def test_seeds_give_a_mean_in_a_band_and_one_seed_gives_none(tables):
    assert not draw(6, tables).axes[0].collections
    several = tidy_tables(checkpoints=QUICK, points=30, seeds=(0, 1, 2))
    figure = draw(6, several)
    assert "mean of 3 seeds ± standard deviation" in [text.get_text() for text in figure.legends[0].get_texts()]
    assert not any("seeds" in text.get_text() for text in draw(6, tables).legends[0].get_texts())
    ax = figure.axes[1]
    runs = several["margin_summary"].query("dataset == 'mnist' and model == 'mlp' and method == 'std'")
    by_epoch = runs.query("split == 'train'").groupby("epoch")["average"]
    np.testing.assert_allclose(line(ax, "train").get_ydata(), by_epoch.mean())
    heights = ax.collections[0].get_paths()[0].vertices[:, 1]
    low, high = by_epoch.mean() - by_epoch.std(), by_epoch.mean() + by_epoch.std()
    np.testing.assert_allclose([heights.min(), heights.max()], [low.min(), high.max()])


def test_seeds_of_a_single_epoch_give_a_bar(tables):
    ax = plots.new_figure(1).subplots()
    plots.line(ax, pd.DataFrame({"seed": [0, 1], "epoch": 3, "average": [1.0, 2.0]}), "average")
    (bar,) = ax.collections[0].get_segments()
    np.testing.assert_allclose(bar, [[3, 1.5 - 0.5**0.5], [3, 1.5 + 0.5**0.5]])


@pytest.mark.parametrize("epochs, begins", [([200], 0), ([100, 200], 95)])
def test_an_axis_of_one_epoch_begins_with_the_training(epochs, begins):
    ax = plots.new_figure(1).subplots()
    plots.line(ax, pd.DataFrame({"seed": 0, "epoch": epochs, "average": 1.0}), "average")
    plots.from_start(ax)
    assert ax.get_xlim() == pytest.approx((begins, 210 if begins == 0 else 205))


def test_dots_of_one_epoch_stand_above_zero(tables):
    runs = tables["margin_summary"]
    one = runs[runs["epoch"] == runs.groupby("model")["epoch"].transform("max")].assign(average=1.08)
    axes = draw(6, tables | {"margin_summary": one}).axes
    average, minimum = axes[1], axes[4]
    assert average.get_ylim() == pytest.approx((0, 1.08 * 1.06)) and average.get_xlim()[0] == 0
    assert "the two coincide" in [text.get_text() for text in average.texts]
    assert minimum.get_ylim()[0] <= 0


def test_dots_stand_side_by_side_and_lines_do_not_move():
    ax = plots.new_figure(1).subplots()
    for epochs in ([3], [3, 4]):
        for shift in (0, 4):
            plots.line(ax, pd.DataFrame({"seed": 0, "epoch": epochs, "average": 1.0}), "average", shift=shift)
    at = [line.get_transform().transform((3, 1))[0] for line in ax.get_lines()]
    assert at[1] - at[0] == pytest.approx(4 / 72 * ax.figure.dpi) and at[2] == at[3] == at[0]
