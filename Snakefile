"""Minimum and average margins during training, and what regularisation does to them: Wu and Yu (2019)."""

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version, validate

from rules.config_errors import first_mistake

min_version("9.16")


configfile: "config.yaml"


# Before validate(), which says the same in many lines.
if mistake := first_mistake(config):
    raise WorkflowError(mistake)
validate(config, "config.schema.yaml")


report: "report/captions/workflow.rst"


pathvars:
    reference="reference_results",


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/train.smk"
include: "rules/margins.smk"
include: "rules/attack.smk"
include: "rules/combine.smk"
include: "rules/figures.smk"
include: "rules/report.smk"


rule all:
    default_target: True
    input:
        expand("paper_figures/{figure}.pdf", figure=map(file_of, drawn())),
        ["paper_figures/table1.tex", "paper_figures/table1_strong.tex"] if attacked() else [],
        "paper_figures/reproduction.html",
        expand("<results>/{table}.csv", table=[table for table in TABLES if runs_in_table(table, config["runs"])]),
