"""Draw one figure from the tidy tables of the data sets that it shows."""

from functools import partial
from importlib import import_module

from workflow_scripts.common.drawing import draw
from workflow_scripts.common.runner import call


def main(provenance, pdf, png, svg, *, module, figure, differences, steps, **tables):
    """Draw `figure` ("1" to "7", "S1" to "S4", "overview") of report's `module` and save it in three forms.

    tables: CSV files of the runs, under the name of their tidy table; steps: of the attack by network, where they are
    shown. The rule names the module, which is imported by name.
    """
    drawn = getattr(import_module(f"report.{module}"), f"figure{figure}")
    drawn = partial(drawn, steps=steps) if steps else drawn
    draw(drawn, tables, provenance, differences, [pdf, png, svg])


if __name__ == "__main__":
    call(main, snakemake)
