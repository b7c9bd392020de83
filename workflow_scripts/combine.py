"""Combine the small tables of all runs into a tidy one."""

from workflow_scripts.common.combining import combined
from workflow_scripts.common.files import write_table
from workflow_scripts.common.runner import call


def main(parts, tidy, table):
    """Read the CSV files `parts`, bring them to the form of `table`, and write them as one."""
    found = combined(parts, table)
    write_table(found, tidy)
    print(f"{len(parts)} files, {len(found)} lines")


if __name__ == "__main__":
    call(main, snakemake)
