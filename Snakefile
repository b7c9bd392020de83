"""Minimum and average margins during training, and what regularisation does to them: Wu and Yu (2019)."""

import os
import sys

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version, validate

min_version("9.16")

PROJECT = os.path.realpath(workflow.current_basedir)

sys.path.insert(0, PROJECT)  # its lib, report and rules come before packages of these names elsewhere

from rules.config_errors import first_mistake
from rules.given import empty_mapping, normalised
from rules.places import prepare_scripts, unfit_place
from rules.reported import other_pages
from rules.restored import other_settings, other_training
from rules.unfinished import mark_unfinished

prepare_scripts(PROJECT)
if mistake := unfit_place(PROJECT, workflow.workdir_init, sys.argv):
    raise WorkflowError(mistake)

OURS = os.path.relpath(os.path.join(PROJECT, "config.yaml"))


configfile: OURS


if os.path.exists("config.yaml") and OURS != "config.yaml":

    configfile: "config.yaml"


config.update(normalised(config, workflow.config_settings.config))

# Before validate(), which says the same in many lines.
if mistake := empty_mapping(workflow.configfiles) or first_mistake(config):
    raise WorkflowError(mistake)
validate(config, "config.schema.yaml")
if mistake := other_settings(config):
    raise WorkflowError(mistake)
config["runs"] = config.pop("only", config["runs"])


report: "report/captions/workflow.rst"


onstart:
    if workflow.is_main_process:
        mark_unfinished(workflow, folder_of(config, "results"))


pathvars:
    reference="reference_results",


include: "rules/common.smk"


if mistake := other_training(config, images):
    raise WorkflowError(mistake)
if workflow.is_main_process and (mistake := other_pages(workflow.workdir_init, sys.argv)):
    raise WorkflowError(mistake)


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
        whole(),
