"""Gather a tidy table of all data sets in one file."""

import pandas as pd

from workflow_scripts.common.files import write_table
from workflow_scripts.common.runner import call
from workflow_scripts.common.tables import read


def main(parts, gathered):
    """Write the CSV files `parts`, one below the other."""
    write_table(pd.concat(map(read, parts)), gathered)


if __name__ == "__main__":
    call(main, snakemake)
