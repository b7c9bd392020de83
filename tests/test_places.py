"""The workflow runs wherever it lies and from wherever it is called; what it cannot serve it says in one line."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow import ROOT, copy_project, planned, snakemake

ODD = ["my (new) code$", """it's "$HOME" `id` [a]""", "été 日本; a & b | c * ? ! \\"]
TARGET = "results/points/mnist/lr/attack.npz"
TINY = ("--configfile", str(ROOT / "tests" / "tiny.yaml"), "--cores", "2")
WRAPPER = ROOT / "envs" / "snakemake"


def environment(folder):
    """A .venv in `folder` as the Makefile leaves it, with this Python's packages; the path of its snakemake."""
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "lib").symlink_to(Path(sys.prefix, "lib"))
    (folder / ".venv" / "bin" / "python").symlink_to(sys.executable)
    shutil.copy(Path(sys.prefix, "pyvenv.cfg"), folder / ".venv")
    return Path(shutil.copy(WRAPPER, folder / ".venv" / "bin"))


def call(command, folder, *arguments, **more):
    done = subprocess.run([command, *arguments], cwd=folder, capture_output=True, text=True, env=os.environ | more)
    return done.returncode, done.stdout + done.stderr


def project_in(folder):
    folder.mkdir(parents=True)
    return copy_project(folder)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = project_in(tmp_path_factory.mktemp("places") / "project")
    environment(folder)
    return folder


@pytest.mark.parametrize("name", ODD)
def test_a_folder_of_any_name(tmp_path, name):
    folder = project_in(tmp_path / name)
    code, output = call(environment(folder), folder, *TINY, TARGET)
    assert code == 0 and (folder / TARGET).is_file(), output


@pytest.mark.slow
def test_a_whole_run_in_a_folder_of_an_odd_name(tmp_path):
    folder = project_in(tmp_path / ODD[0])
    code, output = call(environment(folder), folder, *TINY)
    assert code == 0 and (folder / "paper_figures" / "reproduction.html").is_file(), output[-6000:]


@pytest.mark.parametrize("name", ["{x}", "<x>"])
def test_a_folder_that_snakemake_cannot_serve_is_told_first(tmp_path, name):
    output = snakemake(project_in(tmp_path / name), "-n", check=False)
    assert f"{{ }} < > in a path for wildcards: move this project from {tmp_path / name} elsewhere." in output
    assert "Traceback" not in output


def test_another_working_directory_leaves_the_project_alone(project, tmp_path):
    before = sorted(str(path) for path in project.rglob("*") if "__pycache__" not in path.parts)
    snakefile = ("-s", str(project / "Snakefile"))
    snakemake(tmp_path, *snakefile, *TINY, TARGET)
    assert (tmp_path / TARGET).is_file()
    elsewhere = tmp_path / "{x} <y>"
    snakemake(tmp_path, *snakefile, "--directory", str(elsewhere), *TINY, TARGET)
    assert (elsewhere / TARGET).is_file()
    assert sorted(str(path) for path in project.rglob("*") if "__pycache__" not in path.parts) == before
    profile = ("--workflow-profile", str(project / "profiles" / "quick"), "--directory", str(elsewhere), "-n")
    assert "results/quick" in snakemake(tmp_path, *snakefile, *profile)


def test_a_link_to_the_folder_plans_nothing_anew(project, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(project)
    snakemake(project, *TINY, TARGET)
    for folder, arguments in ((project, ("-s", str(link / "Snakefile"))), (link, ())):
        assert planned(snakemake(folder, *arguments, *TINY, "-n", TARGET)) == {}


def test_packages_of_the_same_names_do_not_come_first(project, tmp_path):
    for name in ("lib", "rules", "report", "workflow_scripts"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text('raise SystemExit("the wrong package")\n')
    command, target = project / ".venv" / "bin" / "snakemake", "results/svm/mnist01.csv"
    code, output = call(command, project, *TINY, target, PYTHONPATH=str(tmp_path))
    assert code == 0 and (project / target).is_file(), output
    assert snakemake(tmp_path, "-s", str(project / "Snakefile"), *TINY, "-n", target)


@pytest.mark.parametrize("form", ["--workflow-profile=nope", "--workflow-profile nope"])
def test_a_profile_that_is_not_found_is_told(project, tmp_path, form):
    output = snakemake(tmp_path, "-s", str(project / "Snakefile"), *form.split(), "-n", check=False)
    assert f"--workflow-profile nope: there is no such folder in {tmp_path}; this project's are in " in output


def test_a_report_after_a_partial_run_names_what_it_lacks(project):
    snakemake(project, *TINY, "paper_figures/fig3.pdf")
    output = snakemake(project, *TINY, "--report", "report.html")
    (line,) = [line for line in output.splitlines() if line.startswith("Not made yet, so not in the report: ")]
    assert "fig4.pdf" in line and "fig3.pdf" not in line and "Missing metadata" not in output
    report = (project / "report.html").read_text()
    assert "Figure 3" in report and "which has not been made yet" in report


def test_a_report_of_pages_of_other_settings_is_refused(project):
    snakemake(project, *TINY, "paper_figures/fig3.pdf")
    other = (*TINY, "--config", "training={learning_rate: 0.02}")
    for words in (("--report", "other.html"), ("--report=other.html", "--", "paper_figures/fig3.pdf")):
        output = snakemake(project, *other, *words, check=False)
        assert "paper_figures/fig3.pdf and 2 more: not of these settings, code or images" in output
        assert not (project / "other.html").exists()
    snakemake(project, *TINY, "--report", "ours.html", "--", "paper_figures/fig3.pdf")
