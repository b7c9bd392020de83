"""Combine the small tables of all runs on one data set into a tidy one: the path's words become columns."""

import re

import pandas as pd

from lib.job import whole_file

HELD = -1  # as in lib.attacks, which would bring torch along

RUN = re.compile(
    r"(?P<dataset>\w+)/(?P<model>lr|mlp|cnn)/(?P<method>std|lcr|amr)/seed(?P<seed>\d+)(/epoch(?P<epoch>\d+))?"
)


def main(parts, output, table):
    """Read the CSV files `parts`, bring them to the form of `table`, and write them as one."""
    frames = [tidy(read(part), part, table) for part in parts]
    combined = bracketed(frames, parts) if table == "brackets" else pd.concat(frames, ignore_index=True)
    with whole_file(output) as path:
        combined.to_csv(path, index=False)
    print(f"{len(parts)} files, {len(combined)} lines")


def read(path):
    """Return the table in a CSV file; ValueError names the file where it is none, or where a value is absent or NaN."""
    try:
        table = pd.read_csv(path)
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a table, or is cut short: delete it and run again") from error
    if table.empty:
        raise ValueError(f"{path} holds no lines: delete it and run again")
    absent = table.isna()
    if absent.any(axis=None):
        column, line = absent.any().idxmax(), absent.any(axis=1).argmax() + 2
        raise ValueError(f"{path}: {column} is NaN or missing in line {line}: delete it and run again")
    return table


def tidy(part, path, table):
    key = {name: value for name, value in RUN.search(path).groupdict().items() if value and name not in part}
    if table == "margin_summary" and "margin" in part:
        part = part.groupby("split", sort=False, as_index=False).margin.agg(
            points="size", minimum="min", average="mean"
        )
    if table in ("attacks", "strong"):
        kept = ["index", "label"] if table == "attacks" else ["index", "label", "gradient"]
        part = part.melt(kept, var_name="eps", value_name="broken_at" if table == "attacks" else "held")
        part["eps"] = part.eps.str.removeprefix("eps").astype(float)
        if table == "attacks":
            part["held"] = (part.broken_at == HELD).astype(int)
    for position, (name, value) in enumerate(key.items()):
        part.insert(position, name, value)
    return part


def bracketed(frames, parts):
    """Put the distance that an attack found beside each estimated margin, both without a sign."""
    margins, distances = (pd.concat([f for f in frames if name in f]) for name in ("margin", "distance"))
    key = ["dataset", "model", "method", "seed", "epoch", "split", "index"]
    margins = margins.astype({"epoch": int})[[*key, "margin"]].assign(margin=margins["margin"].abs())
    both = margins.merge(distances[[*key, "distance"]], on=key, how="outer", validate="1:1")
    if both.isna().any(axis=None):
        others = ", ".join(part for part, frame in zip(parts, frames, strict=True) if "distance" in frame)
        raise ValueError(f"{others}: other points than those of the margins: delete and run again")
    return both


if __name__ == "__main__":
    from lib.job import log_to

    log_to(snakemake.log[0])
    main(list(snakemake.input.parts), snakemake.output[0], snakemake.wildcards.table)
