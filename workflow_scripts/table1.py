"""Write Table 1 of the paper, from our results, as LaTeX, CSV, Markdown and HTML."""

from report import table1
from report.results import Context
from workflow_scripts.common.files import write_text
from workflow_scripts.common.runner import call
from workflow_scripts.common.tables import read_all, read_datasets


def main(attacks, margin_summary, provenance, tex, csv, md, html, *, scale, floor):
    """Write the table of the CSV files `attacks` and `margin_summary` in four forms.

    floor: with the strong attacks, the floor of the other one, which hides gradients; the table counts them.
    """
    context = Context(read_datasets(provenance), {}, scale)
    table = table1.table1(read_all(attacks), read_all(margin_summary), context, floor=floor)
    write_text(table1.to_latex(table, context, floor), tex)
    write_text(table.to_csv(index=False), csv)
    write_text(table1.to_markdown(table, context, floor), md)
    write_text(table1.to_html(table, context, floor), html)


if __name__ == "__main__":
    call(main, snakemake)
