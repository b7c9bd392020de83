"""Many small tables into a tidy one: the words of each path become its first columns."""

import re

import pandas as pd

from report.results import COLUMNS, METHODS, MODELS, RUN
from workflow_scripts.common.summary import summarised
from workflow_scripts.common.tables import read

NAMES = rf"(?P<dataset>\w+)/(?P<model>{'|'.join(MODELS)})/(?P<method>{'|'.join(METHODS)})"
PATH = re.compile(NAMES + r"/seed(?P<seed>\d+)(/epoch(?P<epoch>\d+))?")


def combined(parts, table):
    """Return the CSV files `parts`, which jobs wrote, as one tidy `table`; without a file, an empty one."""
    if not parts:
        return pd.DataFrame(columns=COLUMNS[table])
    frames = [tidy(read(part), part, table) for part in parts]
    found = bracketed(frames, parts) if table == "brackets" else pd.concat(frames, ignore_index=True)
    return found[[name for name in COLUMNS[table] if name in found] + [n for n in found if n not in COLUMNS[table]]]


def tidy(part, path, table):
    """Return one file's lines in the form of `table`."""
    if table == "svm":
        return part
    key = {name: value for name, value in PATH.search(path).groupdict().items() if value and name not in part}
    part = part.assign(**{name: int(value) if value.isdigit() else value for name, value in key.items()})
    if table == "margin_summary" and "margin" in part:
        part = summary_of(part)
    if table == "attacks":
        part = one_line_an_eps(part, "broken_at")
        part["held"] = (part["broken_at"] < 0).astype(int)
    if table == "strong":
        part = one_line_an_eps(part, "held")
    return part


def summary_of(points):
    """Return a line for each epoch and split of a table of margins."""
    groups = points.groupby([*RUN, "epoch", "split"], sort=False)["margin"]
    return pd.DataFrame([dict(zip(groups.keys, key, strict=True)) | summarised(m.to_numpy()) for key, m in groups])


def one_line_an_eps(part, value):
    radii = [name for name in part if name.startswith("eps")]
    part = part.melt([name for name in part if name not in radii], var_name="eps", value_name=value)
    return part.assign(eps=part["eps"].str.removeprefix("eps").astype(float))


def bracketed(frames, parts):
    """Put the distance that an attack found beside each estimated margin, both without a sign.

    Epochs without the one or the other are left out: of restored networks only the last one's weights are left to
    attack, and of their margins fewer epochs may be wanted than have distances.
    """
    margins, distances = (pd.concat([f for f in frames if name in f]) for name in ("margin", "distance"))
    epoch = [*RUN, "epoch"]
    key = [*epoch, "split", "index"]
    margins = margins[[*key, "margin"]].assign(margin=margins["margin"].abs())
    margins, distances = (
        ours.merge(theirs[epoch].drop_duplicates(), on=epoch)
        for ours, theirs in ((margins, distances), (distances, margins))
    )
    both = margins.merge(distances[[*key, "distance"]], on=key, how="outer", validate="1:1")
    if both.isna().any(axis=None):
        others = ", ".join(part for part, frame in zip(parts, frames, strict=True) if "distance" in frame)
        raise ValueError(f"{others}: other points than those of the margins: delete and run again")
    return both
