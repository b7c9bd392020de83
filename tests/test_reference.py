"""The joined table of reference results: each row beside the published one, at the settings that it tells."""

import pandas as pd
import pytest

from lib import tables
from lib.plots import METHODS
from tests.workflow import ROOT
from workflow_scripts import reference_figure, reference_table

COMMITTED = ROOT / "reference_results"
PUBLISHED = tables.published().set_index(["dataset", "model", "method", "column"])["value"].sort_index()


def part(folder, networks, **settings):
    """A folder with a table 1 in which the `networks` of MNIST have 1.25 more than the published values.

    Their test points' last margins are as far from 0 as their average is, one in three of them on the wrong side.
    """
    every = [(model, method) for model in ("mlp", "cnn") for method in ("std", "lcr", "amr")]
    table = pd.DataFrame(
        {"dataset": "mnist", "model": model, "method": method, "column": column, "value": value + 1.25}
        for model, method in every
        for column, value in PUBLISHED["mnist", model, method].items()
    )
    table = table.assign(**settings, spread=None, data="MNIST")
    averages = table[table["column"] == "average_margin"].rename(columns={"value": "margin"})
    margins = [
        averages.assign(seed=0, split=split, epoch=epoch, margin=averages["margin"] * factor)
        for split, epoch, factor in [("test", 9, 1), ("test", 9, 1), ("test", 9, -1), ("test", 1, 7), ("train", 9, 5)]
    ]
    left_out = [network not in networks for network in zip(table["model"], table["method"], strict=True)]
    table.loc[left_out, ["value", *settings]] = None
    folder.mkdir()
    pd.concat(margins).to_csv(folder / "margins.csv.gz", index=False)
    table.assign(reason_if_empty="").to_csv(folder / "table1.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    settings = {"epochs_trained": 200, "samples_a_point": 4096, "attack_steps": 1000, "images": 1000}
    parts = [
        part(folder / "long", [("mlp", "std"), ("mlp", "amr")], **settings),
        part(folder / "short", [("cnn", "std"), ("mlp", "std")], **settings | {"epochs_trained": 5}),
    ]
    outputs = {kind: folder / f"table1.{kind}" for kind in ("csv", "md", "tex")}
    reference_table.main(parts, outputs)
    return {kind: path.read_text() for kind, path in outputs.items()} | {"table": pd.read_csv(outputs["csv"])}


def test_every_network_of_table_1_is_there_and_an_empty_one_says_why(written):
    table = written["table"]
    networks = table.groupby(["dataset", "model", "method"])
    assert len(networks) == 12 and (networks["column"].nunique() == 7).all()
    empty = table["value"].isna()
    assert (table["reason_if_empty"].notna() == empty).all() and (table["part"].isna() == empty).all()
    assert table["difference"].dropna().round(6).eq(1.25).all() and table["difference"].notna().sum() == 28
    amr = table[(table["dataset"] == "cifar10") & (table["model"] == "cnn") & (table["method"] == "amr")]
    assert amr["published"].isna().all()


def test_a_network_in_two_parts_has_a_row_in_each_at_its_own_settings(written):
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in written["md"].splitlines()
        if line.startswith("|")
    ]
    assert [row[2] for row in rows if row[:2] == ["MLP Std", "ours"]] == ["200", "5"]
    assert sum(row[0] == "MLP Std, not run" for row in rows) == 1  # CIFAR-10's
    at = next(i for i, row in enumerate(rows) if row[:2] == ["MLP AMR", "ours"])
    ours, paper, difference = rows[at : at + 3]
    assert ours[2:7] == ["200", "4,096", "1,000", "1,000", "97.26"] and ours[-2:] == ["2.66", "2.66"]
    assert paper[1:7] == ["published", "200", "51,200", "10,000", "1,000", "96.01"] and paper[-2:] == ["1.41", "1.41"]
    assert difference[6:] == ["+1.25"] * 7


def test_without_a_part_the_error_says_how_to_get_one():
    with pytest.raises(ValueError, match="make reference PARTS"):
        reference_table.main([], {})


def test_the_latex_has_the_same_rows(written):
    tex = written["tex"]
    assert tex.count(r"\begin{tabular}") == 2 and tex.count("& ours &") == written["md"].count("| ours ")
    assert "ε" not in tex and "−" not in tex and r"\varepsilon" in tex


def test_the_committed_table_is_the_join_of_the_committed_parts():
    parts = [reference_table.read(path.parent) for path in sorted(COMMITTED.glob("*/table1.csv"))]
    committed = pd.read_csv(COMMITTED / "table1.csv", dtype={"column": str, "reason_if_empty": str})
    committed["reason_if_empty"] = committed["reason_if_empty"].fillna("")
    pd.testing.assert_frame_equal(committed, reference_table.joined(parts), check_dtype=False, atol=1e-6)
    assert sum(path.stat().st_size for path in COMMITTED.rglob("*")) < 15e6


def test_the_readme_shows_the_committed_rows_of_the_papers_epochs():
    readme = (ROOT / "README.md").read_text()
    committed = pd.read_csv(COMMITTED / "table1.csv", dtype={"column": str})
    whole = committed[committed["epochs_trained"] == 200]
    networks = whole.groupby(tables.RUN)
    assert {("mnist", "mlp", "amr"), ("mnist", "cnn", "std"), ("cifar10", "mlp", "std")} <= set(networks.groups)
    for network, cells in networks:
        cells = cells[cells["column"] != "average_distance"]
        ours, published = (cells[name].map("{:.2f}".format) for name in ("value", "published"))
        pairs = " | ".join(f"{a} / {b}" for a, b in zip(ours, published, strict=True))
        assert f"| {pairs} |" in readme, network


def test_the_readme_shows_what_attacks_without_a_floor_leave_of_the_cnn():
    strong = pd.read_csv(COMMITTED / "cnn" / "table1_strong.csv", dtype={"column": str}).dropna(subset=["value"])
    cells = strong[strong["column"].isin(["clean", "0.5", "1.0", "1.5", "2.0"])]["value"].map("{:.2f}".format)
    assert len(cells) == 5 and f"| {' | '.join(cells)} |" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize(
    "part, model, method", [("cifar10", "lr", "std"), ("cifar10", "lr", "amr"), ("cifar10-mlp", "mlp", "std")]
)
def test_the_docs_tell_the_first_and_last_average_distance_of_the_committed_margins(part, model, method):
    margins = pd.read_csv(COMMITTED / part / "margins.csv.gz").query(f"split == 'test' and method == '{method}'")
    of_epoch = margins["margin"].abs().groupby(margins["epoch"]).mean()
    name = {"lr": "logistic regression", "mlp": "MLP"}[model]
    row = f"| CIFAR-10, {name}, {METHODS[method]}, {of_epoch.index.max():,} epochs "
    row += f"| {of_epoch.iloc[0]:.3f} | {of_epoch.iloc[-1]:.3f} |"
    assert row in (ROOT / "docs/fidelity.md").read_text()


def test_the_figure_has_margins_with_their_signs_and_distances_without():
    run = {"dataset": "mnist", "data": "MNIST", "model": "mlp", "method": "std", "seed": 0, "split": "test"}
    margins = pd.DataFrame([run | {"epoch": epoch, "margin": m} for epoch, m in [(1, 3), (1, -1), (9, 2), (9, -1)]])
    distances = tables.average_distances(margins)
    summary = pd.DataFrame([run | {"epoch": e, "minimum": -1, "average": a} for e, a in [(1, 1.0), (9, 0.5)]])
    axes = reference_figure.draw(summary, distances).axes
    drawn = [list(ax.lines[0].get_ydata()) for ax in axes]
    assert drawn == [[-1, -1], [1.0, 0.5], [2.0, 1.5]]
    assert [ax.get_ylabel() for ax in axes] == ["minimum margin", "average margin", "average distance"]
