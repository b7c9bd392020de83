"""The command as people type it, targets last, and the same in plain Snakemake's order."""

import subprocess
import sys

import pytest

from tests.test_places import call, environment, project_in
from tests.workflow import planned

TARGET, FIGURE = "paper_figures/table1.tex", "paper_figures/fig6.pdf"
GPU = ("--cores", "8", "--resources", "gpu=1")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = project_in(tmp_path_factory.mktemp("command") / "project")
    (folder / "mine.yaml").write_text("seeds: [3]\n")
    (folder / "more.yml").write_text("margins: {drawn: 1024}\n")
    environment(folder)
    return folder


@pytest.mark.parametrize(
    "words",
    [
        (*GPU, TARGET),
        (*GPU, "--", TARGET),
        (TARGET, *GPU),
        ("--resources", "gpu=1", "mem_mb=9000", TARGET, "--cores", "8"),
        ("--res", "gpu=2", "--cores", "8", TARGET),
        ("--cores", "8", "--configfile", "mine.yaml", TARGET),
        ("--cores", "8", "--configfile", "mine.yaml", "more.yml", TARGET),
        ("--cores", "8", "--config", "device=cpu", TARGET),
        ("--cores", "8", "-C", "device=cpu", "threads=2", TARGET),
        ("--set-threads", "train=1", TARGET, "--cores", "8"),
        ("--workflow-profile", "profiles/quick", "--resources", "gpu=1", TARGET),
        ("--workflow-profile", "profiles/quick", "--configfile", "profiles/quick/scale.yaml", "mine.yaml", TARGET),
        (*GPU, "--config", "device=cpu", "--configfile", "mine.yaml", TARGET, "-q", "rules"),
    ],
    ids=" ".join,
)
def test_a_command_plans_its_target_and_what_it_needs(project, words):
    code, output = call(project / ".venv" / "bin" / "snakemake", project, "-n", *words)
    jobs, networks = planned(output), 5 if "profiles/quick" in words else 12
    assert code == 0 and jobs["table1"] == 1 and jobs["attack"] == networks and "reproduction" not in jobs, output[
        -3000:
    ]


def test_several_targets(project):
    code, output = call(project / ".venv" / "bin" / "snakemake", project, "-n", *GPU, TARGET, FIGURE)
    assert code == 0 and planned(output)["table1"] == planned(output)["fig6"] == 1, output


def test_plain_snakemake_still_needs_the_wrapper(project):
    plain = [sys.executable, "-m", "snakemake", "-n", *GPU, TARGET]
    done = subprocess.run(plain, cwd=project, capture_output=True, text=True)
    assert done.returncode and "dictionary update sequence" in done.stderr  # else envs/snakemake can go


def test_a_config_that_is_not_there_is_one_line(project, tmp_path):
    code, output = call(project / ".venv" / "bin" / "snakemake", tmp_path, "--configfile", "mine.yaml", TARGET)
    assert (code, output) == (1, f"Error: --configfile mine.yaml: there is no such file in {tmp_path}\n")


@pytest.mark.parametrize("words", [("--workflow-profile", "profiles/slurm"), ("--executor=slurm",)])
def test_a_missing_plugin_for_slurm_is_one_line(project, tmp_path, words):
    blocked = "import sys\nsys.modules['snakemake_executor_plugin_slurm'] = None\n"
    (tmp_path / "sitecustomize.py").write_text(blocked)
    code, output = call(project / ".venv" / "bin" / "snakemake", project, *words, TARGET, PYTHONPATH=str(tmp_path))
    assert code == 1 and output.count("\n") == 1 and "pip install -c envs/requirements.txt '.[slurm]'" in output
