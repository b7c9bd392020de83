"""Write Table 1 of the paper, from our results, as LaTeX, CSV, Markdown and HTML."""

import json
from pathlib import Path

import pandas as pd

from lib import tables
from lib.job import whole_file


def main(attacks, summaries, provenance, scale, outputs, floor=None):
    """Write the table of the CSV files `attacks` and `summaries` to `outputs`: tex, csv, md and html.

    floor: with the strong attacks, the floor of the other one, which hides gradients; the table counts them.
    """
    datasets = [json.loads(Path(path).read_text(encoding="utf-8")) for path in provenance]
    about = {"datasets": {data["dataset"]: data for data in datasets}, "scale": scale}
    about |= {} if floor is None else {"floor": floor}
    table = tables.table1(read(attacks), read(summaries), about)
    write(tables.to_latex(table, about), outputs["tex"])
    write(table.to_csv(index=False), outputs["csv"])
    write(tables.to_markdown(table, about), outputs["md"])
    write(tables.to_html(table, about), outputs["html"])


def read(paths):
    return pd.concat(map(pd.read_csv, paths), ignore_index=True)


def write(text, path):
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    from lib.job import log_to

    log_to(snakemake.log[0])
    main(
        attacks=snakemake.input.attacks,
        summaries=snakemake.input.margin_summary,
        provenance=snakemake.input.provenance,
        scale=snakemake.params.scale,
        outputs=dict(snakemake.output.items()),
        floor=snakemake.params.floor,
    )
