"""Combine the small tables of all runs on one data set into a tidy one: the path's words become columns."""

import re

import pandas as pd

from report.results import RUN
from workflow_scripts.common.files import write_table
from workflow_scripts.common.runner import call
from workflow_scripts.common.tables import read

PATH = re.compile(
    r"(?P<dataset>\w+)/(?P<model>lr|mlp|cnn)/(?P<method>std|lcr|amr)/seed(?P<seed>\d+)(/epoch(?P<epoch>\d+))?"
)


def main(parts, combined, table):
    """Read the CSV files `parts`, bring them to the form of `table`, and write them as one."""
    frames = [tidy(read(part), part, table) for part in parts]
    found = bracketed(frames, parts) if table == "brackets" else pd.concat(frames, ignore_index=True)
    write_table(found, combined)
    print(f"{len(parts)} files, {len(found)} lines")


def tidy(part, path, table):
    key = {name: value for name, value in PATH.search(path).groupdict().items() if value and name not in part}
    if table == "margin_summary" and "margin" in part:
        part = part.groupby("split", sort=False, as_index=False).margin.agg(
            points="size", minimum="min", average="mean"
        )
    if table == "attacks":
        part = one_line_an_eps(part, ["index", "label"], "broken_at")
        part["held"] = (part.broken_at < 0).astype(int)
    if table == "strong":
        part = one_line_an_eps(part, ["index", "label", "gradient"], "held")
    for position, (name, value) in enumerate(key.items()):
        part.insert(position, name, value)
    return part


def one_line_an_eps(part, kept, value):
    part = part.melt(kept, var_name="eps", value_name=value)
    part["eps"] = part.eps.str.removeprefix("eps").astype(float)
    return part


def bracketed(frames, parts):
    """Put the distance that an attack found beside each estimated margin, both without a sign."""
    margins, distances = (pd.concat([f for f in frames if name in f]) for name in ("margin", "distance"))
    key = [*RUN, "epoch", "split", "index"]
    margins = margins.astype({"epoch": int})[[*key, "margin"]].assign(margin=margins["margin"].abs())
    both = margins.merge(distances[[*key, "distance"]], on=key, how="outer", validate="1:1")
    if both.isna().any(axis=None):
        others = ", ".join(part for part, frame in zip(parts, frames, strict=True) if "distance" in frame)
        raise ValueError(f"{others}: other points than those of the margins: delete and run again")
    return both


if __name__ == "__main__":
    call(main, snakemake)
