"""A tiny run through every rule, and what an edit makes it do again."""

import json

import pandas as pd
import pytest

from tests.workflow import ROOT, copy_project, planned, snakemake

FIGURES = {f"fig{number}" for number in range(1, 8)}
TINY = ("--configfile", "tiny.yaml", "--cores", "2")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = copy_project(tmp_path_factory.mktemp("run"))
    (folder / "tiny.yaml").write_text((ROOT / "tests" / "tiny.yaml").read_text())
    snakemake(folder, *TINY)
    return folder


def edited(project, path):
    """What a dry run plans after a harmless edit of `path`; the edit is taken back."""
    file = project / path
    before = file.read_text()
    file.write_text(before + "\n_EDITED = True\n")
    try:
        return set(planned(snakemake(project, "-n", *TINY))) - {"all"}
    finally:
        file.write_text(before)


def test_every_figure_and_table_is_there(project):
    names = {path.name for path in (project / "paper_figures").iterdir()}
    assert {f"{figure}.{kind}" for figure in FIGURES for kind in ("pdf", "png", "svg")} <= names
    assert {f"table1.{kind}" for kind in ("tex", "csv", "md", "html")} <= names
    assert not [name for name in names if "partial" in name]


def test_a_stand_in_is_called_one(project):
    assert json.loads((project / "results/data/cifar10.json").read_text())["stand_in"] is True
    for name in ("table1.tex", "table1.md", "table1.html", "fig2.svg", "fig4.svg", "fig5.svg"):
        assert "stand-in" in (project / "paper_figures" / name).read_text(), name


def test_tables_are_tidy(project):
    tables = {
        name: pd.read_csv(project / f"results/{name}.csv")
        for name in ("curves", "margins", "margin_summary", "attacks")
    }
    keys = ["dataset", "model", "method", "seed"]
    assert all(list(table.columns[:4]) == keys for table in tables.values())
    assert not any(table.isna().any().any() for table in tables.values())
    curves = tables["curves"].groupby(keys).epoch.max()
    assert curves["mnist", "lr", "amr", 0] == 4 and curves["mnist", "mlp", "amr", 0] == 2 and len(curves) == 8
    margins, summary = tables["margins"], tables["margin_summary"]
    assert set(summary[summary.model == "lr"].epoch) == {1, 2, 3, 4}
    recomputed = margins.groupby([*keys, "epoch", "split"]).margin.agg(["min", "mean"])
    matched = summary.set_index([*keys, "epoch", "split"]).loc[recomputed.index]
    assert (matched.minimum - recomputed["min"]).abs().max() < 1e-6
    assert (matched.average - recomputed["mean"]).abs().max() < 1e-6
    attacks = tables["attacks"]
    assert set(attacks[attacks.dataset == "mnist"].eps) == {0.0, 0.5, 2.0}
    assert (attacks.groupby([*keys, "eps"]).size() == 8).all()


def test_margins_are_signed_by_correctness_and_capped(project):
    margins = pd.read_csv(project / "results/margins.csv")
    assert ((margins.margin > 0) == (margins.label == margins.prediction)).all()
    assert margins[margins.model != "lr"].margin.abs().max() <= 5.0


def test_a_second_call_has_nothing_to_do(project):
    assert "Nothing to be done" in snakemake(project, *TINY)


def test_an_edit_of_the_plots_redraws_and_does_no_more(project):
    assert edited(project, "lib/plots.py") == FIGURES | {"table1"}  # which takes its words from there
    assert edited(project, "lib/figures.py") == FIGURES


def test_an_edit_of_the_margins_does_not_retrain(project):
    planned = edited(project, "lib/margins.py")
    assert {"margins", "margins_linear", "svm", "fig2", "table1"} <= planned
    assert not planned & {"train", "data", "points", "attack"}


def test_an_edit_of_the_training_retrains(project):
    planned = edited(project, "lib/training.py")
    assert {"train", "margins", "attack"} <= planned and not planned & {"data", "points", "svm"}


def test_the_report_is_one_file(project):
    snakemake(project, *TINY, "--report", "report.html")
    page = (project / "report.html").read_text()
    assert "Figure 7" in page and "Table 1" in page
