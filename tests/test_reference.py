"""What README and docs say of the committed reference results is what these hold."""

import pandas as pd
import pytest

from report.results import METHODS, NETWORK
from tests.workflow import ROOT

COMMITTED = ROOT / "reference_results"


def test_the_committed_results_stay_small():
    assert sum(path.stat().st_size for path in COMMITTED.rglob("*")) < 15e6


def test_the_readme_shows_the_committed_rows_of_the_papers_epochs():
    readme = (ROOT / "README.md").read_text()
    committed = pd.read_csv(COMMITTED / "table1.csv", dtype={"column": str})
    whole = committed[committed["epochs_trained"] == 200]
    networks = whole.groupby(NETWORK)
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
