import json
import re

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.colors import to_hex

from report import figures, plots
from report.results import METHODS, MODELS
from tests.report.tidy import QUICK, made_up_context, tidy_tables, write_runs
from workflow_scripts.common.drawing import save

ARGUMENTS = {
    1: ["margin_summary", "margins", "svm"],
    2: ["margin_summary"],
    3: ["curves"],
    4: ["curves"],
    5: ["margins"],
    6: ["margin_summary"],
    7: ["margins"],
}
PANELS = {1: "abc", 2: "abcdef", 3: "abc", 4: "abcdef", 5: "abcdef", 6: "abcdef", 7: "abcdef"}
AXES = {1: 3, 2: 9, 3: 3, 4: 6, 5: 6, 6: 9, 7: 6}
SHOWN = {
    1: ["mnist01"],
    2: ["cifar10"],
    3: ["mnist01"],
    4: ["mnist", "cifar10"],
    5: ["cifar10"],
    6: ["mnist"],
    7: ["mnist"],
}


@pytest.fixture(scope="module")
def tables():
    return tidy_tables(checkpoints=QUICK, points=30)


def draw(number, tables, **changed):
    tables = tables | changed
    draw_it = getattr(figures, f"figure{number}")
    return draw_it(*(tables[name] for name in ARGUMENTS[number]), tables["context"])


def titles(figure):
    return [ax.get_title(loc="left") for ax in figure.axes if ax.get_title(loc="left")]


def line(ax, label):
    (found,) = [line for line in ax.get_lines() if line.get_label() == label]
    return found


def looks_like(line, look):
    return to_hex(line.get_color()) == look["color"]


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(mpl.text.Text))


@pytest.mark.parametrize("number", ARGUMENTS)
def test_each_panel_is_lettered_and_names_its_data(tables, number):
    figure = draw(number, tables)
    assert sum(ax.axison for ax in figure.axes) == AXES[number]  # one without axes holds a key
    assert sorted(title[1] for title in titles(figure)) == list(PANELS[number])
    names = [tables["context"].datasets[dataset]["title"] for dataset in SHOWN[number]]
    assert all(any(name in title for name in names) for title in titles(figure))
    assert "not run" not in words(figure)


@pytest.mark.parametrize("number", ARGUMENTS)
def test_margins_have_a_unit_and_epochs_a_label(tables, number):
    found = words(draw(number, tables))
    assert "epoch" in found
    assert ("pixels in [0, 1]" in found) == (number not in (3, 4))


@pytest.mark.parametrize("number", [2, 4, 5])
def test_a_stand_in_is_called_one(tables, number):
    figure = draw(number, tables)
    cifar = [title for title in titles(figure) if "CIFAR" in title]
    assert cifar and all("CIFAR-10 stand-in" in title for title in cifar)
    assert "made-up classes" in figure.get_supxlabel()
    assert tables["context"].differences in figure.get_supxlabel()


@pytest.mark.parametrize("number", ARGUMENTS)
def test_no_footnote_at_the_papers_scale_on_the_official_data(tables, number):
    figure = draw(number, tables, context=made_up_context(official=True))
    assert figure.get_supxlabel() == ""
    assert "stand-in" not in words(figure)


@pytest.mark.parametrize("column", ["minimum", "average"])
def test_figure1_compares_lr_with_the_svm_on_training_points(tables, column):
    panel = next(ax for ax in draw(1, tables).axes if f"{column} margin" in ax.get_title(loc="left"))
    summary = tables["margin_summary"].query("dataset == 'mnist01' and split == 'train'").sort_values("epoch")
    np.testing.assert_allclose(line(panel, "LR").get_xydata(), summary[["epoch", column]])
    svm = tables["svm"].query("split == 'train'")["margin"]
    expected = svm.min() if column == "minimum" else svm.mean()
    np.testing.assert_allclose(line(panel, "SVM").get_ydata(), expected)
    assert panel.get_xscale() == "log"


def test_figure1_ends_its_histograms_with_the_svm(tables):
    panel = next(ax for ax in draw(1, tables).axes if "(c)" in ax.get_title(loc="left"))
    names = [text.get_text() for text in panel.get_yticklabels()]
    assert names == ["epoch 1", "epoch 10", "epoch 100", "SVM"]
    assert list(panel.get_yticks()) == [3, 2, 1, 0]


def test_numbers_on_axes_have_the_commas_of_those_in_texts(tables):
    many = tables["curves"].query("dataset == 'mnist01'")
    many = pd.concat([many, many.tail(1).assign(epoch=1000)])
    figure = draw(3, tables, curves=many)
    figure.draw_without_rendering()
    assert "1,000" in [text.get_text() for text in figure.axes[0].get_xticklabels()]


def test_figure3_and_4_draw_the_curves(tables):
    curves = tables["curves"]
    expected = curves.query("dataset == 'mnist01'")
    for ax, column in zip(draw(3, tables).axes, ["train_loss", "train_error", "test_error"], strict=True):
        np.testing.assert_allclose(line(ax, "LR").get_xydata(), expected[["epoch", column]])
        assert ax.get_xscale() == "log"
    expected = curves.query("dataset == 'cifar10' and model == 'cnn' and method == 'std'")
    test_error = draw(4, tables).axes[5]
    np.testing.assert_allclose(line(test_error, "CNN").get_ydata(), expected["test_error"])
    assert looks_like(line(test_error, "CNN"), plots.MODEL_LINES["cnn"])


@pytest.mark.parametrize(("number", "dataset"), [(5, "cifar10"), (7, "mnist")])
def test_histograms_count_every_point_of_their_split(tables, number, dataset):
    ax = draw(number, tables).axes[3]  # MLP, test points
    assert ax.get_title(loc="left").endswith("MLP, test points")
    assert [text.get_text() for text in ax.get_yticklabels()] == ["1", "4", "16"]
    runs = tables["margins"].query("dataset == @dataset and model == 'mlp' and method == 'std'")
    drawn = [patch for patch in ax.patches if patch.get_fill()]
    for base, patch, epoch in zip([2, 1, 0], drawn, [1, 4, 16], strict=True):
        tops, edges, _ = patch.get_data()
        margins = runs.loc[(runs["split"] == "test") & (runs["epoch"] == epoch), "margin"]
        counts, _ = np.histogram(margins, edges)
        assert counts.sum() == 30
        np.testing.assert_allclose((tops - base) / (tops - base).max(), counts / counts.max())


@pytest.mark.parametrize("number", [2, 4, 5, 6, 7])
def test_a_missing_run_is_said_not_to_be_run(tables, number):
    without = {name: tables[name].query("model != 'cnn'") for name in ("curves", "margins", "margin_summary")}
    figure = draw(number, tables, **without)
    assert (words(figure).count("not run") > 0) == (number != 4)  # figure 4 shows the other models
    empty = {name: tables[name].iloc[:0] for name in ("curves", "margins", "margin_summary")}
    assert words(draw(number, tables, **empty)).count("not run") == AXES[number]


def test_a_data_set_that_was_not_run_takes_no_room(tables):
    figure = draw(4, tables, curves=tables["curves"].query("dataset != 'cifar10'"))
    assert [title[:3] for title in titles(figure)] == ["(a)", "(c)", "(e)"] and len(figure.axes) == 3
    assert "CIFAR" not in words(figure)


@pytest.mark.parametrize("number", [5, 7])
def test_a_model_that_was_not_run_takes_no_room(tables, number):
    whole, without = draw(number, tables), draw(number, tables, margins=tables["margins"].query("model != 'mlp'"))
    assert len(without.axes) == 4 and without.get_figheight() < whole.get_figheight()
    assert without.get_supxlabel().startswith("MLP: not run.") and not any("MLP" in name for name in titles(without))


def test_the_key_of_figure4_names_the_models_that_were_run(tables):
    figure = draw(4, tables, curves=tables["curves"].query("model != 'mlp'"))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["LR", "CNN"]


def test_figure1_and_3_without_their_run(tables):
    empty = {name: tables[name].iloc[:0] for name in ("curves", "margins", "margin_summary")}
    for number in (1, 3):
        assert words(draw(number, tables, **empty)).count("not run") == 3


def test_unequal_numbers_of_seeds_and_pooled_points_are_said():
    several = tidy_tables(checkpoints=QUICK, points=30, seeds=(0, 1))
    some = several["margins"].query("seed == 0 or model == 'lr'")
    figure = draw(7, several, margins=some)
    assert "Histograms: the points of up to 2 seeds together" in figure.get_supxlabel()
    assert len(plots.bin_edges([np.arange(100)] * 10)) == 17  # as many bins as one of the histograms can carry


def test_lines_differ_within_a_role_by_colour_and_in_grey():
    for lines in (plots.METHOD_LINES, plots.SPLIT_LINES, plots.MODEL_LINES):
        assert len({look["color"] for look in lines.values()}) == len(lines)
        assert len({(look.get("linestyle"), look.get("marker")) for look in lines.values()}) == len(lines)
    assert list(plots.METHOD_LINES) == list(METHODS) and list(plots.MODEL_LINES) == list(MODELS)


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [
        ([], []),
        ([4, 1, 2, 4], [1, 2, 4]),
        ([1, 10, 20, 30, 40, 50, 80, 120, 160, 200], [1, 10, 20, 50, 200]),
        (range(1, 1001), [1, 8, 44, 211, 1000]),
    ],
)
def test_choose_spreads_epochs_on_a_log_scale(epochs, expected):
    assert plots.choose(epochs) == expected


@pytest.mark.parametrize("kind", ["pdf", "png", "svg"])
def test_save_writes_the_same_bytes_each_time(tables, tmp_path, kind):
    first, second = tmp_path / f"first.{kind}", tmp_path / f"second.{kind}"
    save(draw(6, tables), first)
    save(draw(6, tables), second)
    assert first.read_bytes() == second.read_bytes()
    assert sorted(tmp_path.iterdir()) == [first, second]


def test_save_refuses_other_formats(tables, tmp_path):
    with pytest.raises(ValueError, match=r"\.gif: .* change the suffix"):
        save(draw(3, tables), tmp_path / "fig.gif")


def test_no_setting_of_matplotlib_changes(tables, tmp_path):
    before = {name: mpl.rcParams[name] for name in mpl.rcParams}
    save(draw(2, tables), tmp_path / "fig.png")
    assert {name: mpl.rcParams[name] for name in mpl.rcParams} == before
    assert not pyplot.get_fignums()


@pytest.mark.parametrize("number", ARGUMENTS)
def test_nothing_is_clipped_and_titles_do_not_overlap(tables, number):
    figure = draw(number, tables)
    with plots.style():
        figure.draw_without_rendering()
    page = figure.bbox
    texts = [t for t in figure.findobj(mpl.text.Text) if t.get_visible() and re.search(r"\w", t.get_text())]
    boxes = [t.get_window_extent() for t in texts]
    axes = [axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)]
    ticks = {text for axis in axes for text in axis.get_ticklabels(which="both")}
    for text, box in zip(texts, boxes, strict=True):
        if text not in ticks:  # some lie outside the limits of their axis, and are not drawn
            assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1, text
    headings = [box for text, box in zip(texts, boxes, strict=True) if text.get_text() in titles(figure)]
    assert len(headings) == len(PANELS[number])
    assert not any(a.overlaps(b) for i, a in enumerate(headings) for b in headings[:i])


def test_the_script_reads_several_tables_and_writes_all_formats(tables, tmp_path):
    script = pytest.importorskip("workflow_scripts.figures")
    parts = write_runs(tables["curves"], tmp_path)
    provenance = tmp_path / "mnist01.json"
    provenance.write_text(json.dumps(tables["context"].datasets["mnist01"]))
    outputs = [tmp_path / f"fig3.{kind}" for kind in ("pdf", "png", "svg")]
    script.main([provenance], *outputs, module="figures", figure="3", differences="", steps=None, curves=parts)
    assert all(path.stat().st_size > 5000 for path in outputs)
