import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from report import plots, supplement
from tests.report.reproduced import reproduced
from tests.report.test_plots import line, titles, words

ARGUMENTS = {"S1": "convergence", "S2": "attacks", "S3": "masking", "S4": "brackets"}
STEPS = {"mnist/mlp": 1000, "mnist/cnn": 50, "cifar10/mlp": 1000, "cifar10/cnn": 50}
PANELS = {"S1": "abcd", "S2": "abcdefghijkl", "S3": "abcd", "S4": "abcdefgh"}


@pytest.fixture(scope="module")
def tables():
    tables, context = reproduced(official=False, points=30)
    attacks = tables["attacks"]
    attacks["broken_at"] = np.where(attacks["held"] == 1, -1, 1 + attacks["index"] % 40)
    floors, factors = [0.0, 1e-12, 1e-3], [1, 10]
    runs = [(dataset, model) for dataset in ("mnist", "cifar10") for model in ("mlp", "cnn")]
    masking = [
        {"dataset": dataset, "model": model, "method": "std", "seed": 0, "factor": factor, "floor": floor}
        | {"eps": 2.0, "points": 30, "robust": 10.0 * factor * i / 2}
        for dataset, model in runs
        for factor in factors
        for i, floor in enumerate(floors)
    ]
    return tables | {"masking": pd.DataFrame(masking), "context": context}


def draw(number, tables, **changed):
    tables = tables | changed
    steps = {"steps": STEPS} if number == "S2" else {}
    return getattr(supplement, f"figure{number}")(tables[ARGUMENTS[number]], tables["context"], **steps)


@pytest.mark.parametrize("number", ARGUMENTS)
def test_each_panel_is_lettered_and_names_its_data(tables, number):
    figure = draw(number, tables)
    assert sorted(title[1] for title in titles(figure)) == list(PANELS[number]) and len(figure.axes) == len(
        PANELS[number]
    )
    names = [tables["context"].datasets[dataset]["title"] for dataset in ("mnist", "cifar10")]
    assert all(any(name in title for name in names) for title in titles(figure))
    assert "not run" not in words(figure) and "made-up classes" in figure.get_supxlabel()


@pytest.mark.parametrize("number", ARGUMENTS)
def test_a_network_that_was_not_run_has_no_panel(tables, number):
    name = ARGUMENTS[number]
    partly = draw(number, tables, **{name: tables[name].query("dataset == 'mnist' and model == 'mlp'")})
    shown = {"S1": "ab", "S2": "abc", "S3": "a", "S4": "ab"}[number]
    assert sorted(title[1] for title in titles(partly)) == list(shown) and "not run" not in words(partly)
    with plots.style():
        partly.draw_without_rendering()
    boxes = [t.get_window_extent() for t in partly.findobj(mpl.text.Text) if t.get_text()]
    assert all(partly.bbox.y0 <= box.y0 and box.y1 <= partly.bbox.y1 for box in boxes)
    empty = draw(number, tables, **{name: tables[name].iloc[:0]})
    assert words(empty).count("not run") == len(PANELS[number])


def test_a_method_that_one_network_lacks_is_a_panel_and_one_that_all_lack_takes_no_room(tables):
    without = draw("S2", tables, attacks=tables["attacks"].query("not (model == 'mlp' and method == 'lcr')"))
    assert words(without).count("not run") == 2 and len(without.axes) == 12
    without = draw("S2", tables, attacks=tables["attacks"].query("method != 'lcr'"))
    assert "not run" not in words(without) and len(without.axes) == 8


def test_the_axis_goes_to_the_last_step_of_the_attack(tables):
    limits = [ax.get_xlim() for ax in draw("S2", tables).axes]
    assert limits == [(1, 1000)] * 3 + [(1, 50)] * 3 + [(1, 1000)] * 3 + [(1, 50)] * 3


def test_without_the_first_method_the_next_one_has_the_numbers(tables):
    figure = draw("S2", tables, attacks=tables["attacks"].query("model == 'mlp' and method != 'std'"))
    figure.draw_without_rendering()
    numbered = [any(t.label1.get_visible() for t in ax.yaxis.get_major_ticks()) for ax in figure.axes]
    assert numbered == [True, False] * 2


def test_a_single_checkpoint_has_a_whole_number_for_an_epoch(tables):
    figure = draw("S4", tables, brackets=tables["brackets"].query("epoch == epoch.max() and model == 'mlp'"))
    assert all(tick == round(tick) for tick in figure.axes[1].get_xticks())


def test_the_key_names_the_methods_that_were_run(tables):
    figure = draw("S4", tables, brackets=tables["brackets"].query("method != 'std'"))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["LCR", "AMR", "equal"]


@pytest.mark.parametrize("number", ARGUMENTS)
def test_titles_do_not_overlap_and_nothing_is_clipped(tables, number):
    figure = draw(number, tables)
    with plots.style():
        figure.draw_without_rendering()
    texts = [t for t in figure.findobj(mpl.text.Text) if t.get_text() in titles(figure)]
    boxes = [t.get_window_extent() for t in texts]
    assert len(boxes) == len(PANELS[number])
    assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 for box in boxes)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_convergence_shows_averages_and_what_each_doubling_takes_away(tables):
    axes = draw("S1", tables).axes
    runs = tables["convergence"].query("dataset == 'cifar10' and model == 'mlp'")
    means = runs.groupby("samples")["margin"].mean()
    np.testing.assert_allclose(line(axes[1], "MLP").get_xydata(), list(means.items()))
    sizes = runs.assign(size=runs["margin"].abs()).groupby("samples")["size"].mean()
    x, y = line(axes[3], "MLP").get_data()
    assert list(x) == list(sizes.index[1:])  # each twice the one before
    np.testing.assert_allclose(y, 100 * (1 - sizes.to_numpy()[1:] / sizes.to_numpy()[:-1]))


def test_counts_that_are_no_doubling_are_left_out(tables):
    odd = tables["convergence"].assign(samples=tables["convergence"]["samples"] * 2 + 1)
    assert not draw("S1", tables, convergence=odd).axes[2].get_lines()


def test_robust_accuracy_falls_with_the_steps_to_that_of_the_table(tables):
    ax = draw("S2", tables).axes[0]
    runs = tables["attacks"].query("dataset == 'mnist' and model == 'mlp' and method == 'std' and eps == 1.0")
    x, y = line(ax, "1.0").get_data()
    for step in (1, 7, 20):
        left = (runs["broken_at"] == -1) | (runs["broken_at"] > step)
        assert y[list(x).index(step)] == pytest.approx(100 * left.mean())
    assert y[-1] == pytest.approx(100 * runs["held"].mean()) and (np.diff(y) <= 0).all()


def test_masking_has_a_line_a_factor(tables):
    figure = draw("S3", tables)
    ax = figure.axes[3]
    assert "ε = 2" in ax.get_title(loc="left")
    assert [text.get_text() for text in ax.get_xticklabels()] == ["0", "1e-12", "0.001"]
    np.testing.assert_allclose(line(ax, "10").get_ydata(), [0, 50, 100])
    assert "logits × 10" in words(figure)


def test_brackets_show_the_last_checkpoint_and_the_failures_of_all(tables):
    brackets = tables["brackets"].copy()
    brackets.loc[brackets["index"] == 1, "distance"] = np.inf  # not found: neither drawn nor counted
    left, right = draw("S4", tables, brackets=brackets).axes[2:4]  # MNIST, CNN
    runs = brackets.query("dataset == 'mnist' and model == 'cnn' and method == 'amr' and distance < inf")
    last = runs[runs["epoch"] == runs["epoch"].max()]
    (dots,) = left.collections
    of_amr = [to_hex(colour) == plots.METHOD_LINES["amr"]["color"] for colour in dots.get_facecolors()]
    by_point = last.sort_values("index", kind="stable")  # of all methods in turn, so that none lies on top
    np.testing.assert_allclose(dots.get_offsets()[of_amr], by_point[["distance", "margin"]])
    share = 100 * (runs["margin"] > runs["distance"]).groupby(runs["epoch"]).mean()
    np.testing.assert_allclose(line(right, "amr").get_xydata(), list(share.items()))
    assert 0 < share.max() < 20


@pytest.mark.parametrize("number", ARGUMENTS)
def test_several_seeds_give_bands(number, tables):
    name = ARGUMENTS[number]
    both = pd.concat([tables[name], tables[name].assign(seed=1)])
    figure = draw(number, tables, **{name: both})
    assert any(ax.collections for ax in figure.axes[1::2])  # the left panels of S4 have dots
    assert "mean of 2 seeds ± standard deviation" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_floors_stand_at_their_decades_and_coinciding_lines_are_nested(tables):
    floors = dict(enumerate([0.0, 1e-12, 1e-11, 1e-9]))
    masking = tables["masking"].iloc[[0] * 4].assign(floor=floors.values(), robust=50.0)
    ax = draw("S3", tables, masking=pd.concat([masking, masking.assign(factor=10)])).axes[0]
    zero, *places = ax.transData.transform([(floor, 50) for floor in floors.values()])[:, 0]
    steps = np.diff([zero, *places])
    np.testing.assert_allclose(steps / steps[1], [2, 1, 2], rtol=0.15)
    below, above = ax.get_lines()
    assert below.get_linewidth() > above.get_linewidth() and below.get_markersize() > above.get_markersize()


def test_no_marker_is_cut(tables):
    high = tables["convergence"].assign(margin=0.1 + 1e-6 * tables["convergence"]["samples"])
    ax = draw("S1", tables, convergence=high).axes[0]
    assert ax.get_ylim()[0] == 0 and ax.get_ylim()[1] > 1.05 * line(ax, "MLP").get_ydata().max()


def test_where_nothing_fails_the_axis_begins_at_zero(tables):
    ax = draw("S4", tables, brackets=tables["brackets"].assign(distance=99.0)).axes[1]
    low, high = ax.get_ylim()
    assert -0.1 < low < 0 < high  # room for the marker, and no negative shares
