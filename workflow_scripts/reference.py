"""Gather what a run produced into a folder small enough to commit; each line of a table says at which settings."""

import platform
import shutil
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from report.departures import DECISIVE
from report.results import NETWORK
from report.settings import networks, setting
from workflow_scripts.common.checkpoints import epochs_kept, load_state, save
from workflow_scripts.common.files import whole_file, write_json
from workflow_scripts.common.origin import commit
from workflow_scripts.common.records import PROVENANCE, TRAINING, read_json, run_in
from workflow_scripts.common.released import checksums
from workflow_scripts.common.runner import call
from workflow_scripts.common.tables import benchmarked

PACKAGES = ["torch", "torchvision", "numpy", "pandas", "scikit-learn", "snakemake"]
PACKED = ["attacks", "brackets", "convergence", "margins", "margin_summary", "strong", "svm"]  # the largest
GZIP = {"method": "gzip", "mtime": 0}  # the same table gives the same bytes


def main(tables, svm, pages, records, provenance, checkpoints, record, *, settings, logs):
    """Write to the folder of `record` (a json path) the CSV files `tables` with their settings, and copies of `pages`.

    The largest tables are packed: margins.csv.gz. svm: [its table], or none; records, provenance: json files of the
    training runs and of the data; checkpoints: of networks whose last weights are kept below weights/; logs: folder of
    the jobs' benchmark files.
    """
    folder = Path(record).parent
    for earlier in checksums(folder):  # of other networks, maybe
        (folder / earlier).unlink()
    datasets = [read_json(path, PROVENANCE) for path in provenance]
    trained = [read_json(path, TRAINING) for path in records]
    trained = [{key: of for key, of in run.items() if key != "released"} for run in trained]  # put back anew, or not
    titles = {data["dataset"]: data["title"] for data in datasets}
    for path in map(Path, tables):
        table = pd.read_csv(path, dtype={"column": str})
        if not path.stem.startswith("table1"):  # which has its settings, and lines of what was not run
            table = with_settings(table, path.stem, settings)
        write(table.assign(data=table["dataset"].map(titles)), path.stem, folder)
    for path in svm:
        write(pd.read_csv(path), "svm", folder)
    for path in map(Path, pages):
        with whole_file(folder / path.name) as partial:
            shutil.copyfile(path, partial)
    runs = {str(run): run for run in map(run_in, trained)}
    for path in checkpoints:
        epoch = epochs_kept(path)[-1]
        kept = folder / runs["/".join(Path(path).parts[-5:-1])].weights()
        kept.parent.mkdir(exist_ok=True)
        save(kept, {epoch: load_state(path, epoch)}, {})
    seconds = {"train": sum(run["seconds"] for run in trained)} | benchmarked(logs, trained)
    about = {
        "commit": commit(),
        "settings": settings,
        "data": datasets,
        "runs": trained,
        "seconds": {step: round(s, 1) for step, s in seconds.items()},
        "sha256": checksums(folder),
        "machine": {"processor": platform.processor() or platform.machine(), "python": platform.python_version()},
        "versions": {name: version(name) for name in PACKAGES},
    }
    write_json(about, record, indent=1)


def write(table, name, folder):
    """Write a table to six digits, packed if it is one of the largest."""
    packed = name in PACKED
    with whole_file(folder / f"{name}.csv{'.gz' * packed}") as partial:
        table.to_csv(partial, index=False, float_format="%.6g", compression=GZIP if packed else None)


def with_settings(table, name, settings):
    """The table with columns that tell what held for the network of each line: what its lines depend on."""
    of_networks = networks(settings)
    rows = [of_networks[row] for row in zip(table["dataset"], table["model"], strict=True)]
    columns = {field: pd.array([getattr(row, field) for row in rows], dtype="Int64") for field in DECISIVE[name]}
    told = table[NETWORK].drop_duplicates().itertuples(index=False, name=None)
    told = {row: orthogonality(settings, *row) for row in told}
    columns["orthogonality"] = [told[row] for row in table[NETWORK].itertuples(index=False, name=None)]
    return table.assign(**{f"run_{field}": values for field, values in columns.items()})


def orthogonality(settings, dataset, model, method):
    """What the orthogonality term of a network was, in words."""
    if method == "std":
        return "none"
    precision, layers = (setting(settings, f"objective.{key}", dataset, model) for key in ("precision", "layers"))
    words = settings["objective"]["orthogonality"] + " of linear layers" * (layers == "linear")
    return words + " in bfloat16" * (precision == "bfloat16")


if __name__ == "__main__":
    call(main, snakemake)
