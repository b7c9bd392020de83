"""Draw one figure of the paper from the tidy tables of the data sets that it shows."""

import json
from pathlib import Path

import pandas as pd

from lib import figures, plots, supplement

NAMES = {"margin_summary": "summary"}  # other tables are called what they are
TABLES = ("curves", "margins", "margin_summary", "svm", "attacks", "brackets", "masking", "convergence")


def main(number, tables, provenance, scale, outputs):
    """Draw figure `number` and save it at each path of `outputs`, in the format of its suffix.

    tables: argument of the figure's function -> CSV files, read as one; provenance: the data sets' JSON files
    """
    frames = {name: pd.concat(map(pd.read_csv, paths), ignore_index=True) for name, paths in tables.items()}
    datasets = [json.loads(Path(path).read_text(encoding="utf-8")) for path in provenance]
    about = {"datasets": {data["dataset"]: data for data in datasets}, "scale": scale}
    module = supplement if str(number).startswith("S") else figures
    figure = getattr(module, f"figure{number}")(**frames, about=about)
    for path in outputs:
        plots.save(figure, path)


if __name__ == "__main__":
    from lib.job import log_to

    log_to(snakemake.log[0])
    given = {NAMES.get(name, name): paths for name, paths in snakemake.input.items() if name in TABLES}
    main(
        number=snakemake.params.figure,
        tables={name: [paths] if isinstance(paths, str) else paths for name, paths in given.items() if paths},
        provenance=snakemake.input.provenance,
        scale=snakemake.params.scale,
        outputs=[snakemake.output.pdf, snakemake.output.png, snakemake.output.svg],
    )
