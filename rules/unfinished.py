"""Which tables, figures and pages count as unfinished from the start of a call, until they are made."""

from types import SimpleNamespace

from snakemake.io import IOFile

from report.results import FOLDERS, TABLES


def mark_unfinished(workflow, results):
    """Let Snakemake make anew whatever rests on a planned job, though this job fail or its machine stop.

    Of such a job nothing is left, and what others made of its earlier result would be taken for up to date, whether
    this call asks for them or a later one. Images, networks and measurements, after which hours of work would be done
    again, are not marked: their params say what they rest on.

    results: the folder of the tidy tables
    """
    planned = list(workflow.dag.needrun_jobs())
    made = {str(path) for job in planned for path in job.output}
    stale = [path for job in planned if not hasattr(job.wildcards, "dataset") for path in job.output]
    for rule in workflow.rules:
        if not rule.has_wildcards() and made & {str(path) for path in rule.input}:
            stale += rule.output
    steps = {path.removeprefix(f"{results}/").partition("/")[0] for path in made}
    stale += [f"{results}/{table}.csv" for table in TABLES if steps & folders_of(table)]
    workflow.persistence.started(SimpleNamespace(output=[IOFile(path) for path in stale]))


def folders_of(table):
    """The folders of results that a tidy table is made of; brackets stand there beside margins."""
    return {FOLDERS.get(table, table)} | ({"margins"} if table == "brackets" else set())
