"""Run the workflow in a copy of the project, so that tests may edit it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARTS = [
    "Snakefile",
    "config.yaml",
    "config.schema.yaml",
    "rules",
    "workflow_scripts",
    "lib",
    "envs",
    "report",
    "profiles",
]


def copy_project(folder):
    """Copy what a run needs to `folder`; no results come along."""
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, folder / part)
    return folder


def snakemake(folder, *arguments, check=True):
    """Run snakemake in `folder` and return what it printed."""
    command = [sys.executable, "-m", "snakemake", *arguments]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    output = done.stdout
    if check and done.returncode:
        raise AssertionError(f"snakemake {' '.join(arguments)} failed:\n{output[-6000:]}")
    return output


def planned(output):
    """The job counts of a dry run: {rule: jobs}."""
    table = re.search(r"^job +count\n-+ +-+\n(.*?)^total ", output, re.MULTILINE | re.DOTALL)
    return {name: int(n) for name, n in re.findall(r"^(\S+) +(\d+)$", table[1], re.MULTILINE)} if table else {}
