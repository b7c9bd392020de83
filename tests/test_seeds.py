"""What docs/attack.md tells of three seeds of MNIST's MLP (rule 5 of docs/readings.md) is what their tables hold."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from report.statistics import of_mean, of_shares
from tests.workflow import ROOT

FOLDER = ROOT / "benchmarks/results/seeds"
ATTACK, RESULTS = (ROOT / f"docs/{name}.md" for name in ("attack", "results"))
PUBLISHED_LEAD = 4.37


def by_seed(table, value, **keys):
    """{method: array (seeds, points)} of the lines with these keys."""
    for name, key in keys.items():
        table = table[table[name] == key]
    of_method = {
        method: lines.pivot(index="seed", columns="index", values=value) for method, lines in table.groupby("method")
    }
    assert all(lines.shape[0] == 3 and lines.notna().all(axis=None) for lines in of_method.values())
    return {method: lines.to_numpy(dtype=float) for method, lines in of_method.items()}


def test_no_seed_leads_as_the_published_run_does():
    held = by_seed(pd.read_csv(FOLDER / "attacks.csv.gz"), "held", eps=2.0)
    shares = {method: 100 * of.mean(axis=1) for method, of in held.items()}
    leads = shares["amr"] - shares["lcr"]
    half = stats.t.ppf(0.975, 2) * leads.std(ddof=1) / 3**0.5
    assert leads.mean() + half < PUBLISHED_LEAD
    docs = ATTACK.read_text()
    for name, of in {"LCR (published 34.07)": shares["lcr"], "AMR (published 38.44)": shares["amr"]}.items():
        assert f"| {name} | {' | '.join(f'{share:.1f}' for share in [*of, of.mean()])} | |" in docs
    row = " | ".join(f"{lead:+.1f}" for lead in [*leads, leads.mean()])
    assert f"| {row} | {leads.mean() - half:+.1f} to {leads.mean() + half:+.1f} |" in docs
    low, high = of_shares(held["amr"] - held["lcr"])
    told = f"over LCR in three seeds by {leads.mean():.1f} ({100 * low:.1f} to {100 * high:.1f})"
    assert told in " ".join(RESULTS.read_text().split())


@pytest.mark.parametrize("table, value", [("margins", "margin"), ("brackets", "distance")])
def test_amrs_average_is_above_lcrs_in_each_seed(table, value):
    key = ["method", "seed", "index"]
    signs = np.sign(pd.read_csv(FOLDER / "margins.csv.gz").set_index(key)["margin"])
    lines = pd.read_csv(FOLDER / f"{table}.csv.gz").set_index(key)
    found = by_seed((lines[value].abs() * signs).rename("value").reset_index(), "value")
    difference = found["amr"] - found["lcr"]
    low, high = of_mean(difference)
    assert low > 0 and (difference.mean(axis=1) > 0).all()
    if table == "margins":
        first, second, third = difference.mean(axis=1)
        told = f"by {first:.3f}, {second:.3f} and {third:.3f}: {difference.mean():.3f} ({low:.3f} to {high:.3f}, over"
        assert told in " ".join(ATTACK.read_text().split())
