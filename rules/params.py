"""Params as Snakemake compares them, and what the header of a file of checkpoints says of a training."""

import json
import re


def by_name(**params):
    """Params as {name: value} each: Snakemake compares values alone, and two that swap theirs would look the same."""
    return {name: named(name, value) for name, value in params.items()}


def named(name, value):
    return (lambda wildcards: {name: value(wildcards)}) if callable(value) else {name: value}


def epochs_in(path):
    """The epochs whose weights a file of checkpoints holds, by its header; none where there is no such file."""
    return sorted({int(found[1]) for name in header_of(path) if (found := re.match(r"epoch(\d+)", name))})


def is_put_back(path):
    """Whether a file of checkpoints was put back from reference results, by its header."""
    return '"released": true' in str(header_of(path).get("__metadata__"))


def header_of(path):
    """Return the header of a safetensors file, {} where there is none."""
    try:
        with open(path, "rb") as file:
            found = json.loads(file.read(min(int.from_bytes(file.read(8), "little"), 10**8)))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
