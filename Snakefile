"""Minimum and average margins during training, and what regularisation does to them: Wu and Yu (2019)."""

from snakemake.utils import min_version, validate

min_version("9.16")


configfile: "config.yaml"


validate(config, "config.schema.yaml")


report: "report/workflow.rst"


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/train.smk"
include: "rules/margins.smk"
include: "rules/svm.smk"
include: "rules/attack.smk"
include: "rules/combine.smk"
include: "rules/figures.smk"


rule all:
    default_target: True
    input:
        expand("paper_figures/fig{n}.pdf", n=drawn()),
        "paper_figures/table1.tex" if attacked() else [],
        expand("<results>/{table}.csv", table=["curves", "margins", "margin_summary", "attacks"]),
