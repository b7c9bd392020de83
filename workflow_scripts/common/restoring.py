"""Put reference results back where jobs left them: figures are drawn anew, and runs go on, without training.

python -m workflow_scripts.common.restoring reference_results/mnist --results results/mine --logs logs/mine

writes the small tables, records and final weights that the folder was gathered from (numbers to six digits), and beside
them settings.json, the config file of that run.
"""

import argparse
import json
import sys
from pathlib import Path

import pandas as pd

from report.results import COLUMNS, FOLDERS, LINEAR, RUN, Run
from workflow_scripts.common.checkpoints import epochs_kept, load_state, save
from workflow_scripts.common.files import whole_file, write_json, write_table

EARLIER = "epochs_trained"  # a column of tables before settings could differ by network
WIDE = {"attacks": "broken_at", "strong": "held"}  # a line a point there, with a column an eps


def main(argv=None):
    """Restore a folder of reference results.

    ValueError where it is of an earlier version, or where the run that is there has other images.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a folder of reference results, with a run.json")
    parser.add_argument("--results", type=Path, required=True, help="where the run keeps its results")
    parser.add_argument("--logs", type=Path, required=True, help="where the run keeps its logs")
    given = parser.parse_args(argv)
    about = json.loads((given.folder / "run.json").read_text(encoding="utf-8"))
    tables = {path: pd.read_csv(path) for path in sorted(given.folder.glob("*.csv*")) if name_of(path) in COLUMNS}
    for path, table in tables.items():
        if EARLIER in table:
            raise ValueError(f"{path} is of an earlier version of this project: run that part again instead")
    for data in about["data"]:
        restore_provenance(data, given.results / "data" / f"{data['dataset']}.json")
    for record in about["runs"]:  # before the tables, which must not be older
        restore_training({"measured": about["commit"]} | record, given.folder, given.results)  # by an earlier one, too
    for path, table in tables.items():
        for part, lines in separated(table, name_of(path)):
            write_table(lines.dropna(axis=1, how="all"), given.results / part)
    for step, seconds in about["seconds"].items():  # only their sum is told
        for record in about["runs"]:
            share = pd.DataFrame({"s": [seconds / len(about["runs"])]})
            with whole_file(given.logs / step / run_of(record) / "restored.tsv") as partial:  # beside jobs anew
                share.to_csv(partial, sep="\t", index=False)
    settings, sources = about["settings"], {data["source"] for data in about["data"]}
    settings["only"] = settings.pop("runs")
    settings["data"] = {"source": sources.pop() if len(sources) == 1 else "auto"}
    settings["pathvars"] = {"results": str(given.results), "logs": str(given.logs)}
    write_json(settings, given.results / "settings.json")
    print(f"{len(about['runs'])} runs restored; go on with snakemake --configfile {given.results / 'settings.json'}")


def restore_provenance(data, path):
    """Write what the data set was, or compare it with what is there."""
    if not path.exists():
        write_json(data, path)
    elif (there := json.loads(path.read_text(encoding="utf-8")))["sha256"] != data["sha256"]:
        raise ValueError(f"{path} is of other images ({there['title']}) than the results: choose another --results")


def restore_training(record, folder, results):
    """Write the record of a training run, and its final weights where they are released."""
    to = results / "train" / run_of(record)
    weights = folder / "weights" / f"{run_of(record).replace('/', '-')}.safetensors"
    if weights.exists():
        kept = {epoch: load_state(weights, epoch) for epoch in epochs_kept(weights)}
        save(to / "checkpoints.safetensors", kept, {name: record[name] for name in RUN})
    write_json(record, to / "run.json")


def name_of(path):
    """The tidy table that a file holds, packed or not."""
    return path.name.partition(".")[0]


def run_of(record):
    return str(Run(*(record[name] for name in RUN)))


def separated(table, name):
    """Yield the path below the results, and the lines, of each job's table that a tidy table was made of."""
    table = table[[column for column in COLUMNS[name] if column in table]]
    if name == "svm":
        yield "svm/mnist01.csv", table
        return
    for run, lines in table.groupby(RUN, sort=False):
        folder, linear = f"{FOLDERS.get(name, name)}/{Run(*run)}", run[1] in LINEAR
        if name == "curves":
            yield f"{folder}/curve.csv", lines
        elif name == "margins" and not linear:
            for epoch, points in lines.groupby("epoch"):
                yield f"{folder}/epoch{epoch}.csv", points
        elif name == "margins":
            yield f"{folder}/points.csv", lines
        elif name == "margin_summary":
            if linear:  # of networks it is made of the margins
                yield f"{folder}/summary.csv", lines
        elif name == "brackets":
            yield f"{folder}.csv", lines.drop(columns="margin")
        else:
            yield f"{folder}.csv", wide(lines, WIDE[name]) if name in WIDE else lines


def wide(lines, value):
    """A column an eps, as the attacks write it: combining.one_line_an_eps taken back."""
    key = [column for column in lines if column not in ("eps", "broken_at", "held")]
    table = lines.pivot(index=key, columns="eps", values=value).rename(columns=lambda eps: f"eps{eps:g}")
    return lines[key].drop_duplicates().merge(table.reset_index(), on=key, validate="1:1")  # points in their order


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"Error: {error}")
