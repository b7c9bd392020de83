"""Gather what a run produced into a folder small enough to commit; each line of a table says at which settings."""

import platform
import shutil
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from workflow_scripts.common.files import whole_file, write_json
from workflow_scripts.common.runner import call
from workflow_scripts.common.tables import benchmarked, read_records

PACKAGES = ["torch", "torchvision", "numpy", "pandas", "scikit-learn", "snakemake"]
ATTACKED = ["attacks", "strong", "masking", "table1", "table1_strong"]
WHOLE_TEST_SET = 10000
PACKED = ["margins", "strong"]  # the largest: a line for each point and checkpoint, or image and radius
GZIP = {"method": "gzip", "mtime": 0}  # the same table gives the same bytes
SAMPLED = ["margins", "margin_summary", "brackets", "table1", "table1_strong"]


def main(tables, pages, records, provenance, record, *, settings, commit, logs):
    """Write to the folder of `record` (a json path) the CSV files `tables` with their settings, and copies of `pages`.

    The largest tables are packed: margins.csv.gz. records, provenance: json files of the training runs and of the data;
    logs: folder of the jobs' benchmark files.
    """
    folder = Path(record).parent
    datasets, trained = read_records(provenance), read_records(records)
    titles = {data["dataset"]: data["title"] for data in datasets}
    for path in map(Path, tables):
        table = with_settings(pd.read_csv(path, dtype={"column": str}), path.stem, settings)
        table["data"] = table["dataset"].map(titles)
        packed = path.stem in PACKED
        with whole_file(folder / (path.name + ".gz" * packed)) as partial:
            table.to_csv(partial, index=False, float_format="%.6g", compression=GZIP if packed else None)
    for path in map(Path, pages):
        with whole_file(folder / path.name) as partial:
            shutil.copyfile(path, partial)
    seconds = {"train": sum(run["seconds"] for run in trained)} | benchmarked(logs)
    about = {
        "commit": commit,
        "settings": settings,
        "data": datasets,
        "runs": trained,
        "seconds": {step: round(s, 1) for step, s in seconds.items()},
        "machine": {"processor": platform.processor() or platform.machine(), "python": platform.python_version()},
        "versions": {name: version(name) for name in PACKAGES},
    }
    write_json(about, record, indent=1)


def with_settings(table, name, settings):
    """The table with columns that tell a short run from a long one; a line without a result says why."""
    attack = settings["strong" if "strong" in name else "attack"]
    columns = {"epochs_trained": table["model"].map(settings["training"]["epochs"])}
    orthogonality = settings["objective"]["orthogonality"]
    columns["orthogonality"] = table["method"].map({"std": "none", "lcr": orthogonality, "amr": orthogonality})
    if name in SAMPLED:
        sampled = settings["margins"]["samples"]
        columns["samples_a_point"] = table["model"].map(lambda model: 0 if model == "lr" else sampled)  # 0: exact
    if name in ATTACKED:
        columns["attack_steps"] = attack["iterations"]
    if name.startswith("table1"):
        columns["images"] = settings["attack"]["points"] or WHOLE_TEST_SET
        columns["reason_if_empty"] = ""
    table = table.assign(**columns)
    if name.startswith("table1"):
        empty = table["value"].isna()
        table.loc[empty, list(columns)] = None
        table.loc[empty, "reason_if_empty"] = "not run: left out of `runs` in the settings"
    return table


if __name__ == "__main__":
    call(main, snakemake)
