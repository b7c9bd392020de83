"""A tiny run through every rule, and what an edit makes it do again."""

import json
import os
import re
import subprocess
import sys
from functools import partial

import pandas as pd
import pytest
import torch

from report.results import MAY_BE_EMPTY
from tests.test_sources import DRAWN, EDITS, FIGURES, TABLES
from tests.workflow import ROOT, copy_project, planned, snakemake
from workflow_scripts.common.checkpoints import epochs_kept, load_model

TINY = ("--configfile", "tiny.yaml", "--cores", "2")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = copy_project(tmp_path_factory.mktemp("run"))
    (folder / "tiny.yaml").write_text((ROOT / "tests" / "tiny.yaml").read_text())
    snakemake(folder, *TINY)
    return folder


def edited(project, path):
    """The rules that an edit of `path` reaches, and all that it runs again; the edit is taken back."""
    file = project / path
    before, times = file.read_text(), file.stat()
    file.write_text(before + "\n")
    try:
        output = snakemake(project, "-n", *TINY)
    finally:
        file.write_text(before)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    reasons = re.findall(r"^    (updated input files|code has changed).*:\n((?:        .*\n)+)", output, re.MULTILINE)
    return {rule for _, rules in reasons for rule in re.findall(r"\w+", rules)}, set(planned(output)) - {"all"}


def test_every_figure_and_table_is_there(project):
    names = {path.name for path in (project / "paper_figures").iterdir()}
    assert {f"{figure}.{kind}" for figure in DRAWN for kind in ("pdf", "png", "svg")} | {"training.gif"} <= names
    assert {f"{table}.{kind}" for table in TABLES for kind in ("tex", "csv", "md", "html")} <= names
    assert not [name for name in names if "partial" in name]


def test_the_reproduction_page_holds_every_claim_and_figure(project):
    html, markdown = ((project / f"paper_figures/reproduction.{kind}").read_text() for kind in ("html", "md"))
    for claim in ("1", "2", "3", "4a", "4b", "5a", "5b", "6a", "6b", "7a", "7b", "8", "9"):
        assert f"<h3>Claim {claim}:" in html and f"### Claim {claim}:" in markdown
    for figure in FIGURES:
        assert f'id="{figure}"' in html and f"({figure}.png)" in markdown
    assert "data:image/gif;base64," in html and "(training.gif)" in markdown
    assert "CIFAR-10 stand-in: a stand-in" in html


def test_a_stand_in_is_called_one(project):
    assert json.loads((project / "results/data/cifar10.json").read_text())["stand_in"] is True
    for name in ("table1.tex", "table1.md", "table1.html", "reproduction.md", "fig2.svg", "fig4.svg", "fig5.svg"):
        assert "stand-in" in (project / "paper_figures" / name).read_text(), name


def test_tables_are_tidy(project):
    tables = {
        name: pd.read_csv(project / f"results/{name}.csv")
        for name in (
            *("curves", "margins", "margin_summary"),
            *("attacks", "brackets", "strong", "masking", "convergence"),
        )
    }
    keys = ["dataset", "model", "method", "seed"]
    assert all(list(table.columns[:4]) == keys for table in tables.values())
    complete = [table.drop(columns=MAY_BE_EMPTY, errors="ignore") for table in tables.values()]
    assert not any(table.isna().any().any() for table in complete)
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
    extrapolated = (margins.model == "mlp") & (margins.dataset == "cifar10") & (margins.margin.abs() < 5)
    assert ((margins.margin_error > 0) == extrapolated).all() and extrapolated.any()


def test_the_measurements_fit_each_other(project):
    keys = ["dataset", "model", "method", "seed"]
    margins, brackets, attacks, strong, masking, convergence = (
        pd.read_csv(project / f"results/{name}.csv")
        for name in ("margins", "brackets", "attacks", "strong", "masking", "convergence")
    )
    point = [*keys, "epoch", "split", "index"]
    of_networks = margins[margins.model != "lr"].set_index(point).margin.abs()
    beside = brackets.set_index(point)
    assert len(beside) == len(of_networks) and (beside.margin - of_networks[beside.index]).abs().max() == 0
    assert (beside.distance > 0).all()
    assert list(strong.columns) == [*keys, "index", "label", "gradient", "eps", "held"]
    both = attacks.merge(strong, on=[*keys, "index", "label", "eps"], validate="1:1")
    assert len(both) == len(attacks) == len(strong)
    clean = both[both.eps == 0]
    assert (clean.held_x == clean.held_y).all() and (strong.gradient > 0).all()
    assert set(masking.method) == set(convergence.method) == {"std"} and len(masking) == 3 * 4
    assert (
        set(convergence[convergence.dataset == "mnist"].samples) == {1, 2, 4}
        and (convergence.groupby([*keys, "samples"]).size() == 3).all()
    )


def test_the_reference_folder_says_at_which_settings_each_line_was_run(project):
    snakemake(project, *TINY, "--", "reference")
    folder = project / "reference_results/tiny"
    curves, margins, attacks, strong, table1 = (
        pd.read_csv(folder / name)
        for name in ("curves.csv", "margins.csv.gz", "attacks.csv.gz", "strong.csv.gz", "table1.csv")
    )
    assert (curves.run_epochs == curves.model.map({"lr": 4, "mlp": 2, "cnn": 1})).all()
    assert (curves.run_orthogonality == curves.method.map({"std": "none", "amr": "penalty"})).all()
    assert set(curves.data[curves.dataset == "cifar10"]) == {"CIFAR-10 stand-in"}
    assert margins.run_samples.isna().equals(margins.model == "lr") and set(margins.run_samples.dropna()) == {4, 64}
    assert set(margins[margins.dataset == "cifar10"].run_drawn.dropna()) == {20}
    assert (attacks.run_steps == 3).all() and (strong.run_strong_steps == 3).all() and (strong.run_images == 8).all()
    empty = table1.value.isna()
    assert empty.any() and not empty.all()
    assert table1[empty].images.isna().all() and (table1[~empty].images == 8).all()
    about = json.loads((folder / "run.json").read_text())
    assert about["data"][2]["stand_in"] is True and len(about["runs"]) == 8 and about["settings"]["seeds"] == [0]
    assert {"train", "margins", "attack"} <= set(about["seconds"])
    weights = folder / "weights/mnist-mlp-amr-seed0.safetensors"  # what a reader attacks without training
    trained = project / "results/train/mnist/mlp/amr/seed0/checkpoints.safetensors"
    ours, theirs = (load_model(path, "mnist", "mlp", 2).state_dict() for path in (weights, trained))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs) and epochs_kept(weights) == [2]
    assert len(list(weights.parent.iterdir())) == 6  # of MNIST's networks alone
    assert {
        "overview.png",
        "training.gif",
        "fig1.png",
        "figS4.png",
        "reproduction.html",
        "table1.tex",
        "table1_strong.md",
    } <= {path.name for path in folder.iterdir()}


def test_reference_results_go_back_to_where_the_jobs_left_them(project):
    snakemake(project, *TINY, "--", "reference")
    command = ["reference_results/tiny", "--results", "results/again", "--logs", "logs/again"]
    restore = partial(subprocess.run, [sys.executable, "-m", "workflow_scripts.common.restoring", *command])
    restore(cwd=project, check=True)
    again = ("--cores", "2", "--configfile", "results/again/settings.json")
    plan = planned(snakemake(project, "-n", *again))
    anew = {"data", "points", "train", "margins_linear", "svm"}  # of 0 and 1: the film shows the weights of every epoch
    assert set(plan) == {"all", "combine", "reproduction", "training", *DRAWN, *TABLES, *anew}
    assert all(plan[rule] == 1 for rule in anew)
    tables = ["curves", "margins", "margin_summary", "attacks", "brackets", "strong", "masking", "convergence"]
    snakemake(project, *again, "--", *[f"results/again/{name}.csv" for name in tables])
    for name in tables:
        ours, theirs = (pd.read_csv(project / f"{folder}/{name}.csv") for folder in ("results/again", "results"))
        ours, theirs = (table.sort_values([*table]).reset_index(drop=True) for table in (ours, theirs))
        pd.testing.assert_frame_equal(ours, theirs, rtol=1e-5, atol=1e-5, check_dtype=False)
    record = project / "results/again/data/mnist.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"sha256": "0"}))
    refused = restore(cwd=project, capture_output=True, text=True)
    assert refused.stderr.startswith("Error: results/again/data/mnist.json is of other images")
    assert refused.returncode == 1 and refused.stderr.count("\n") == 1


def test_a_second_call_has_nothing_to_do(project):
    assert "Nothing to be done" in snakemake(project, *TINY)


PLANNED = [
    *("lib/__init__.py", "lib/training.py", "lib/margins.py"),
    *("report/plots.py", "report/supplement.py", "report/templates/table1.html.j2", "report/published.csv"),
    *("workflow_scripts/common/runner.py", "workflow_scripts/common/point_tables.py", "workflow_scripts/margins.py"),
]


@pytest.mark.parametrize("path", PLANNED)
def test_an_edit_runs_again_the_rules_whose_scripts_reach_the_file_and_what_follows(project, path):
    reached, following = edited(project, path)
    assert reached <= EDITS[path] <= following and bool(EDITS[path]) == bool(following)


def test_the_report_is_one_file(project):
    snakemake(project, *TINY, "--report", "report.html")
    page = (project / "report.html").read_text()
    assert "Figure 7" in page and "Table 1" in page
    first = page[page.index('id="workflow-desc"') : page.index('id="results"')]
    answer = (project / "paper_figures/reproduction.md").read_text().split("## Summary")[1].split("##")[0].strip()
    assert (
        answer in first
        and answer.startswith("This run cannot judge the paper: its data, scale or settings are not the paper's.")
        and "not been made" not in first
    )
    assert first.index(answer) < first.index("Below the paper's scale: epochs")
