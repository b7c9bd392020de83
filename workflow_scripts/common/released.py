"""A folder of reference results, read and checked as a whole before anything is made of it."""

import hashlib
import zlib
from functools import partial

import pandas as pd

from report.results import COLUMNS, LINEAR, MAY_BE_EMPTY, RUN, Run
from workflow_scripts.common.checkpoints import epochs_kept, load_model
from workflow_scripts.common.records import OF_SECTIONS, PROVENANCE, SECTIONS, TEXT, TRAINING, read_json, run_in

EARLIER = "epochs_trained"  # a column of tables before settings could differ by network
REMEDY = "fetch the folder again"
ABOUT = {  # what run.json must hold
    "type": "object",
    "required": ["commit", "settings", "data", "runs", "seconds", "sha256"],
    "properties": {
        "commit": {"type": "string"},
        "settings": {"type": "object", "required": ["runs", *SECTIONS], "properties": OF_SECTIONS},
        "data": {"type": "array", "minItems": 1, "items": PROVENANCE},
        "runs": {"type": "array", "minItems": 1, "items": TRAINING},
        "seconds": {
            "type": "object",
            "propertyNames": {"pattern": r"^\w+$"},
            "additionalProperties": {"type": "number"},
        },
        "sha256": {"type": "object", "additionalProperties": TEXT},  # of the files that are read back
    },
}


def read_about(path):
    """Return the contents of a run.json. ValueError names the file where it is none, or lacks something."""
    about = read_json(path, ABOUT, REMEDY)
    for name in {run["dataset"] for run in about["runs"]} - {data["dataset"] for data in about["data"]}:
        raise ValueError(f"{path}: data does not say which images {name} is made of: {REMEDY}")
    return about


def checksums(folder):
    """Return {path in a folder of reference results: SHA-256} of its tidy tables and weights."""
    paths = sorted([*folder.glob("*.csv*"), *folder.glob("weights/*.safetensors")])
    kept = [path for path in paths if path.parent != folder or path.name.partition(".")[0] in COLUMNS]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in kept}


def refuse_other_files(folder, about):
    """Raise ValueError where a table or weights of a folder are not those that its run.json was written for."""
    there = checksums(folder)
    for name in sorted(there.keys() | about["sha256"].keys()):
        if there.get(name) != about["sha256"].get(name):
            what = "missing" if name not in there else "not the file that run.json was written for"
            raise ValueError(f"{folder / name} is {what}: {REMEDY}")


def read_tables(folder, records):
    """Return {name: tidy table} of a folder whose networks are `records`; ValueError names a file that is not whole."""
    known, found = {run_in(record) for record in records}, {}
    for name in COLUMNS:
        paths = [path for kind in ("csv", "csv.gz") if (path := folder / f"{name}.{kind}").exists()]
        if len(paths) > 1:
            raise ValueError(f"{paths[0]} and {paths[1]} are the same table: remove one of them")
        for path in paths:
            found[name] = read_table(path, name)
            if name != "svm" and not runs_in(found[name]) <= known:
                raise ValueError(f"{path} holds other networks than run.json: {REMEDY}")
    for record in records:
        curve = found.get("curves", pd.DataFrame(columns=COLUMNS["curves"]))
        curve = curve[(curve[RUN] == list(run_in(record))).all(axis=1)]
        if len(curve) != record["epochs"]:
            raise ValueError(f"{folder}/curves.csv has {len(curve)} of {record['epochs']} epochs of {run_in(record)}")
    return found


def read_table(path, name):
    try:
        table = pd.read_csv(path)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise ValueError(f"{path} is not a table, or is cut short: {REMEDY}") from error
    if EARLIER in table:
        raise ValueError(f"{path} is of an earlier version of this project: run that part again instead")
    for column in COLUMNS[name]:
        if column not in [*MAY_BE_EMPTY, "margin_error"] and table.get(column, pd.Series(pd.NA)).isna().any():
            raise ValueError(f"{path}: {column} is missing, or has no value in some line: {REMEDY}")
    return table


def read_weights(folder, record):
    """Return {epoch: state_dict} of a network's released weights, {} where there are none.

    Those of linear models are left where they are: what is made of them needs every epoch, and is trained in minutes.
    """
    path = folder / run_in(record).weights()
    if record["model"] in LINEAR or not path.exists():
        return {}
    load = partial(load_model, path, record["dataset"], record["model"])  # raises ValueError where it is another's
    if (kept := epochs_kept(path)) != [record["epochs"]]:
        raise ValueError(f"{path} has the weights of epochs {kept}, not of {record['epochs']} alone: {REMEDY}")
    return {epoch: load(epoch).state_dict() for epoch in kept}


def runs_in(table):
    """The runs that have lines in a tidy table."""
    return {Run(*run) for run in table[RUN].drop_duplicates().itertuples(index=False)}
