"""More seeds mean more jobs of the same kind: the dry run's counts are those of a formula on the config."""

import pytest
import yaml

from benchmarks import scaling
from tests.workflow import ROOT

CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text())


def expected(seeds):
    """Jobs of each rule that is run once a seed or more."""
    runs = [(model, method) for of in CONFIG["runs"].values() for model in of for method in of[model]]
    networks = [run for run in runs if run[0] != "lr"]
    std = sum(method == "std" for _, method in networks)
    jobs = {"train": len(runs), "margins_linear": len(runs) - len(networks), "masking": std, "convergence": std}
    jobs |= dict.fromkeys(("attack", "attack_strong", "bracket"), len(networks))
    jobs["margins"] = sum(len(CONFIG["checkpoints"][model]) for model, _ in networks)
    return {rule: seeds * n for rule, n in jobs.items()}


@pytest.mark.parametrize("seeds", [3, pytest.param(100, marks=pytest.mark.exhaustive)])
def test_jobs_grow_with_the_seeds_and_the_rest_does_not(seeds):
    jobs = scaling.jobs_of(scaling.with_seeds(seeds, "--dry-run"))
    grown = expected(seeds)
    assert set(grown) == set(scaling.A_RUN)
    assert {rule: jobs[rule] for rule in grown} == grown
    assert sum(n for rule, n in jobs.items() if rule not in grown) == 40


def test_weights_on_disk_by_hand():
    config = {
        "runs": {"mnist": {"lr": ["std", "amr"], "mlp": ["lcr"]}},
        "training": {"epochs": {"lr": 7, "mlp": 9}},
        "checkpoints": {"lr": [7], "mlp": [1, 9]},
    }
    linear, mlp = 784 * 10 + 10, 784 * 1024 + 1024 + 1024 * 10 + 10
    assert scaling.checkpoint_bytes(config) == 4 * (2 * 7 * linear + 2 * mlp)
    assert scaling.checkpoint_bytes(config, 10) == 10 * scaling.checkpoint_bytes(config)


def test_hours_are_those_of_the_table_times_the_seeds(tmp_path):
    rows = [("training, A", 2.5), ("margins, A", 4), ("margins, B", 6), ("attack, A", 1), ("sum", 13.5)]
    lines = [f'"{scaling.ITEM}","{method}",{hours}' for method, hours in rows]
    (tmp_path / "table.csv").write_text("\n".join(["item,method,value", "training,ours,99", *lines]))
    table = scaling.hours_table([1, 100], tmp_path / "table.csv").splitlines()[2:]
    assert table == [
        "| training | 2 | 250 |",
        "| margins | 10 | 1,000 |",
        "| attack | 1 | 100 |",
        "| **sum** | 14 | 1,350 |",
        "| models 10 times as large | 135 | 13,500 |",
    ]
    assert "no rate is known" in scaling.hours_table([1], tmp_path / "absent.csv")
