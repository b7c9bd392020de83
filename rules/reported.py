"""Snakemake's report: what is not made yet, or not of these settings, does not stand there under their captions."""

import shlex
import subprocess
import sys


def is_report(words):
    """Whether a command line asks for a report of what is there, without making it first."""
    asked = {word.partition("=")[0] for word in words}
    return "--report" in asked and "--report-after-run" not in asked


def other_pages(start, words):
    """Return the line on pages of other settings, images or code that a report would hold, or None.

    start: the folder in which snakemake was called; words: its command line
    """
    if not is_report(words):
        return None
    call = [*shlex.split(sys.executable), "-m", "snakemake", "--summary", *without_report(words[1:])]
    lines = subprocess.run(call, cwd=start, capture_output=True, text=True).stdout.splitlines()
    files = [line.split("\t") for line in lines if line.startswith("paper_figures/")]  # its name first, its plan last
    old = [file[0] for file in files if "missing" not in file and file[-1] == "update pending"]
    if not old:
        return None
    more = f" and {len(old) - 1} more" if len(old) > 1 else ""
    return (
        f"{old[0]}{more}: not of these settings, code or images, so not for a report; make them, the same command "
        "without --report, or name the pages that you want: --report report.html -- paper_figures/fig3.pdf"
    )


def without_report(words):
    """Return a command line without --report and the name of its file."""
    kept, skip = [], False
    for word in words:
        if not (word.startswith("--report") or (skip and not word.startswith("-"))):
            kept.append(word)
        skip = word in ("--report", "--report-stylesheet", "--report-metadata", "--reporter")
    return kept
