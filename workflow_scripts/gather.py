"""Gather a tidy table of all data sets in one file."""

import pandas as pd

from lib.job import whole_file
from workflow_scripts.combine import read


def main(parts, output):
    """Write the CSV files `parts`, one below the other."""
    with whole_file(output) as path:
        pd.concat(map(read, parts)).to_csv(path, index=False)


if __name__ == "__main__":
    from lib.job import log_to

    log_to(snakemake.log[0])
    main(list(snakemake.input.parts), snakemake.output[0])
