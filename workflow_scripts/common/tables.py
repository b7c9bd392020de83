"""Reading tables that other jobs wrote."""

from pathlib import Path

import pandas as pd

from report.results import MAY_BE_EMPTY
from workflow_scripts.common.records import AGAIN, run_in


def read(path):
    """Return the table in a CSV file; ValueError names the file where it is none, or where a value is absent or NaN."""
    try:
        table = pd.read_csv(path)
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a table, or is cut short: {AGAIN}") from error
    if table.empty:
        raise ValueError(f"{path} holds no lines: {AGAIN}")
    absent = table.drop(columns=MAY_BE_EMPTY, errors="ignore").isna()
    if absent.any(axis=None):
        column, line = absent.any().idxmax(), absent.any(axis=1).argmax() + 2
        raise ValueError(f"{path}: {column} is NaN or missing in line {line}: {AGAIN}")
    return table


def benchmarked(logs, records):
    """Return the seconds of all jobs that left a benchmark file, by step; not of training, whose records have them.

    Only the runs that have a record count: files of an earlier config may lie beside theirs.
    """
    runs = {str(run_in(record)) for record in records}
    found = {}
    for path in sorted(Path(logs).rglob("*.tsv")):
        step, *run = path.relative_to(logs).with_suffix("").parts
        if step != "train" and "/".join(run[:4]) in runs:
            found[step] = found.get(step, 0.0) + pd.read_csv(path, sep="\t")["s"].sum()
    return found
