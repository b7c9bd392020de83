"""Params as Snakemake compares them, and what decides one of them: the epochs that a training kept."""

import json
import re


def by_name(**params):
    """Params as {name: value} each: Snakemake compares values alone, and two that swap theirs would look the same."""
    return {name: named(name, value) for name, value in params.items()}


def named(name, value):
    return (lambda wildcards: {name: value(wildcards)}) if callable(value) else {name: value}


def epochs_in(path):
    """The epochs whose weights a file of checkpoints holds, by its header; none where there is no such file."""
    try:
        with open(path, "rb") as file:
            names = json.loads(file.read(min(int.from_bytes(file.read(8), "little"), 10**8)))
    except (OSError, ValueError):
        return []
    return sorted({int(found[1]) for name in names if (found := re.match(r"epoch(\d+)", name))})
