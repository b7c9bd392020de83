"""Released results that are put back: what tests of it share."""

import json
import shutil

import pandas as pd

from tests.workflow import ROOT
from workflow_scripts.common import restoring
from workflow_scripts.common.released import checksums

COMMITTED = ROOT / "reference_results"


def part_in(tmp_path):
    """A copy of a committed part with three networks, so that it can be broken."""
    folder = tmp_path / "part"
    folder.mkdir()
    about = json.loads((COMMITTED / "mnist/run.json").read_text())
    about["runs"] = [run for run in about["runs"] if run["dataset"] == "mnist" and run["model"] == "mlp"]
    about["settings"]["runs"] = {"mnist": {"mlp": ["std", "lcr", "amr"]}}
    (folder / "run.json").write_text(json.dumps(about))
    for name in ("curves.csv", "attacks.csv.gz", "masking.csv"):
        table = pd.read_csv(COMMITTED / "mnist" / name)
        table[table["model"] == "mlp"].to_csv(folder / name, index=False)
    (folder / "weights").mkdir()
    shutil.copy(COMMITTED / "mnist/weights/mnist-mlp-std-seed0.safetensors", folder / "weights")
    return sealed(folder)


def sealed(folder):
    """The part, whose run.json now names its tables and weights as they are."""
    change(folder / "run.json", sha256=checksums(folder))
    return folder


def restore(folder, to, *options):
    restoring.main([str(folder), "--results", f"{to}/results", "--logs", f"{to}/logs", *options])
    return to / "results"


def change(path, **keys):
    path.write_text(json.dumps(json.loads(path.read_text()) | keys))
