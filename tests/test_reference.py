"""What README and docs say of the committed reference results is what these hold."""

import pandas as pd
import pytest

from benchmarks import foretold, matrix
from benchmarks.joined import joined
from benchmarks.shared import markdown
from report import answer
from report.results import METHODS, NETWORK, SPLITS
from tests.workflow import ROOT
from workflow_scripts.common.released import read_about, refuse_other_files

COMMITTED = ROOT / "reference_results"


def test_the_committed_results_stay_small():
    weights = [path.stat().st_size for path in COMMITTED.rglob("*.safetensors")]
    assert sum(weights) < 15e6 and sum(path.stat().st_size for path in COMMITTED.rglob("*")) - sum(weights) < 21e6


@pytest.mark.parametrize("part", [path.parent for path in COMMITTED.glob("*/run.json")], ids=lambda part: part.name)
def test_a_part_has_the_files_that_its_record_names(part):
    refuse_other_files(part, read_about(part / "run.json"))


def test_the_joined_table_is_that_of_the_parts():
    committed = pd.read_csv(COMMITTED / "table1.csv", dtype={"column": str})
    pd.testing.assert_frame_equal(joined(COMMITTED), committed, check_dtype=False, rtol=1e-4)
    longest = committed.groupby(NETWORK)[["epochs", "published"]].first().reset_index()
    assert len(longest) == 12 and (longest["epochs"] >= 3).all() and longest["published"].notna().sum() == 11


def test_the_readme_shows_the_committed_rows_of_the_papers_epochs():
    readme = (ROOT / "README.md").read_text()
    committed = pd.read_csv(COMMITTED / "table1.csv", dtype={"column": str})
    whole = committed[committed["epochs"] == 200]
    networks = whole.groupby(NETWORK)
    assert {("mnist", "mlp", "amr"), ("mnist", "cnn", "std"), ("cifar10", "mlp", "std")} <= set(networks.groups)
    for network, cells in networks:
        cells = cells[cells["column"] != "average_distance"]
        ours, published = (cells[name].map("{:.2f}".format) for name in ("value", "published"))
        pairs = " | ".join(f"{a} / {b}" for a, b in zip(ours, published, strict=True))
        assert f"| {pairs} |" in readme, network


@pytest.mark.parametrize("method", METHODS)
def test_the_readme_shows_what_attacks_without_a_floor_leave_of_the_cnn(method):
    strong = pd.read_csv(COMMITTED / "mnist-cnn/table1_strong.csv", dtype={"column": str}).dropna(subset=["value"])
    strong = strong[(strong["model"] == "cnn") & (strong["method"] == method)]
    cells = strong[strong["column"].isin(["clean", "0.5", "1.0", "1.5", "2.0"])]["value"].map("{:.2f}".format)
    assert len(cells) == 5 and f"| {' | '.join(cells)} |" in (ROOT / "README.md").read_text()


def test_the_docs_show_what_another_tau_gives():
    of = {"attack as configured": "table1.csv", "strongest": "table1_strong.csv"}
    for name, file in of.items():
        table = pd.read_csv(COMMITTED / "mnist-cnn-tau20" / file, dtype={"column": str}).dropna(subset=["value"])
        cells = table[table["column"].isin(["clean", "0.5", "1.0", "1.5", "2.0"])]["value"].map("{:.1f}".format)
        row = f"| AMR with τ = 20, {name} | {' | '.join(cells)} |"
        assert len(cells) == 5 and row in (ROOT / "docs/attack.md").read_text()


@pytest.mark.parametrize(
    "part, model, method", [("cifar10", "lr", "std"), ("cifar10", "lr", "amr"), ("cifar10-mlp", "mlp", "std")]
)
def test_the_docs_tell_the_first_and_last_average_distance_of_the_committed_margins(part, model, method):
    margins = pd.read_csv(COMMITTED / part / "margins.csv.gz").query(f"split == 'test' and method == '{method}'")
    of_epoch = margins["margin"].abs().groupby(margins["epoch"]).mean()
    name = {"lr": "logistic regression", "mlp": "MLP"}[model]
    row = f"| CIFAR-10, {name}, {METHODS[method]}, {of_epoch.index.max():,} epochs "
    row += f"| {of_epoch.iloc[0]:.3f} | {of_epoch.iloc[-1]:.3f} |"
    assert row in (ROOT / "docs/results.md").read_text()


def test_the_docs_tell_from_where_to_where_three_minima_rise(judged):
    margins = pd.read_csv(COMMITTED / "mnist-mlp-std/margins.csv.gz")
    minima = margins.groupby(["split", "epoch", "seed"])["margin"].min().groupby(["split", "epoch"]).mean()
    ends = [f"{SPLITS[split]} {of.iloc[0]:.2f} to {of.iloc[-1]:.2f}" for split, of in minima.groupby("split")]
    of_test = ("mnist", "mlp", "MLP, test points")
    rows = {claim.key: row for claim in judged[0] for row in claim.rows if row.case[:3] == of_test}
    rise, fall = rows["3"], rows["4a"]
    assert rise.seeds == fall.seeds == 3 and rise.verdict == fall.verdict == "holds"
    effects = [f"{row.effect:.2f} ({row.interval(0.95)[0]:.2f} to {row.interval(0.95)[1]:.2f})" for row in (rise, fall)]
    told = f"{ends[1]}, {ends[0]}, there by {effects[0]}; the average there by {effects[1]}"
    assert told in (ROOT / "docs/results.md").read_text()


def test_the_docs_show_how_far_off_margins_told_from_few_draws_are():
    assert markdown(foretold.HEADER, foretold.rows()) in (ROOT / "docs/samples.md").read_text()


def test_the_docs_tell_where_gradient_descent_ends():
    last = pd.read_csv(COMMITTED / "descent.csv").iloc[-1]
    row = f"no momentum, step size 0.1 | {last['minimum']:.3f} | {last['average']:.3f} |"
    assert last["epoch"] == 1000 and row in (ROOT / "docs/training.md").read_text()


@pytest.fixture(scope="module")
def judged():
    return matrix.judged(COMMITTED)


def test_the_committed_matrix_is_that_of_the_parts(judged):
    assert (COMMITTED / "matrix.md").read_text() == matrix.text(*judged)


def test_the_readme_shows_the_verdicts_of_todays_rules_on_the_committed_results(judged):
    lines = []
    for row in answer.matrix(*judged)["rows"]:
        symbols = [_symbol(cell) if cell else "" for cell in row["cells"]]
        lines.append(" | ".join([f"| {row['key']} {row['name']}", *symbols, ""]).rstrip(" "))
    assert "\n".join(lines) in (ROOT / "README.md").read_text()


def _symbol(cell):
    return "–" if cell["effect"] == "not run" else cell["badge"]["symbol"]
