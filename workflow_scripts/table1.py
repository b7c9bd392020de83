"""Write Table 1 of the paper, from our results, as LaTeX, CSV, Markdown and HTML."""

from report import table1
from report.results import Context
from report.settings import Network
from workflow_scripts.common.combining import combined
from workflow_scripts.common.files import write_text
from workflow_scripts.common.records import read_datasets
from workflow_scripts.common.runner import call


def main(attacks, margin_summary, provenance, tex, csv, md, html, *, kind, networks, other, floor):
    """Write the table in four forms from CSV files of the runs: `attacks` of the `kind` attacks or strong, margins.

    networks: [[data set, model, *settings.Network]] of all that were run; other: a sentence on settings that are not
    the paper's; floor: with the strong attacks, that of the other ones, which hides gradients; the table counts them.
    """
    sizes = {(dataset, model): Network(*values) for dataset, model, *values in networks}
    context = Context(read_datasets(provenance), sizes, {}, other)
    table = table1.table1(combined(attacks, kind), combined(margin_summary, "margin_summary"), context, floor)
    write_text(table1.to_latex(table, context, floor), tex)
    write_text(table.to_csv(index=False), csv)
    write_text(table1.to_markdown(table, context, floor), md)
    write_text(table1.to_html(table, context, floor), html)


if __name__ == "__main__":
    call(main, snakemake)
