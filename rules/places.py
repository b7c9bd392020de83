"""A run in any place: what its scripts need there, and one line, with the remedy, on what cannot be served."""

import os
import shlex
import shutil
import sys
from pathlib import Path


def prepare_scripts(project):
    """Let scripts find the modules of `project` before others, and their Python though its path have blanks.

    Snakemake hands sys.executable to a shell without quotes.
    """
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [project, os.environ.get("PYTHONPATH")]))
    if os.path.exists(sys.executable):
        sys.executable = shlex.quote(sys.executable)


def unfit_place(project, start, words):
    """Return one line that says why a run cannot start here and what to do, or None.

    project: the folder of the Snakefile; start: the folder in which snakemake was called; words: its command line
    """
    if any(character in project for character in "{}<>"):
        return f"Snakemake takes {{ }} < > in a path for wildcards: move this project from {project} elsewhere."
    for name in values("--workflow-profile", words):
        folders = (start, Path(start, "profiles"), Path(project, "profiles"))
        if name != "none" and not any(Path(folder, name).exists() for folder in folders):
            ours = os.path.relpath(Path(project, "profiles"), start)  # Snakemake would go on without it, in silence
            return f"--workflow-profile {name}: there is no such folder in {start}; this project's are in {ours}."
    return None


def without_a_gpu(device, gpu, scale):
    """Return what it means to start here without a GPU, or None; on a cluster other machines than this may have one.

    gpu: whether jobs ask for one; scale: the sentence on what is below the paper's scale, empty at it
    """
    if device == "cuda" and shutil.which("nvidia-smi") is None:
        return (
            "device: cuda is configured, but this machine has no nvidia-smi: jobs that run here without a GPU will "
            "fail; set device to auto or cpu"
        )
    if gpu or "Below" in scale:
        return None
    return (
        "No GPU was found: the paper's scale will take days on this machine.\n"
        "The small scale takes minutes: make quick, or snakemake --workflow-profile profiles/quick\n"
        "On a cluster whose other nodes have GPUs: --config device=cuda"
    )


def values(option, words):
    """The values that a command line gives to an option, after a blank or after =."""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == option:
            yield following
        elif word.startswith(f"{option}="):
            yield word.partition("=")[2]
