"""A workflow that is killed at any moment and called again ends in the same files as one that was left alone."""

import json
import os
import random
import signal
import subprocess
import sys
from base64 import urlsafe_b64decode
from contextlib import suppress
from shutil import copytree, rmtree
from time import monotonic, sleep

import numpy as np
import psutil
import pytest
from safetensors.numpy import load_file

from tests.workflow import copy_project, planned, snakemake

CONFIG = """
data: {source: embedded}
device: cpu
runs:
  mnist01: {lr: []}
  mnist: {lr: [], mlp: [std], cnn: []}
  cifar10: {lr: [], mlp: [], cnn: []}
training: {epochs: {mlp: 20}} # some seconds: a job whose Snakemake was killed ends within one, before it is trained
points: {train: 20, test: 20}
checkpoints: {mlp: [20]}
margins: {samples: 64}
attack: {eps: {mnist: [0.5, 2.0]}, points: 100, iterations: 20}
masking: {points: 20}
convergence: {points: 20}
"""
SETTINGS = ["--configfile", "small.yaml", "--cores", "2"]
COMMAND = [*SETTINGS, "--", *(f"results/{table}.csv" for table in ("curves", "margins", "attacks"))]
RUN = "train/mnist/mlp/std/seed0"
ANOTHER = ("only={mnist: {lr: [std], mlp: [], cnn: []}}",)  # a config without the network of a target
TIMEOUT = 300  # seconds; an undisturbed call takes a quarter of a minute


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A copy of the project whose training can be gone on with after every epoch, before its first call."""
    folder = copy_project(tmp_path_factory.mktemp("fresh"))
    (folder / "small.yaml").write_text(CONFIG)
    script = folder / "workflow_scripts" / "train.py"
    often = script.read_text().replace("\nSAVE_SECONDS = 20 ", "\nSAVE_SECONDS = -1 ")
    assert "SAVE_SECONDS = -1" in often
    script.write_text(often)
    return folder


@pytest.fixture(scope="module")
def undisturbed(fresh, tmp_path_factory):
    """The folder of a run that was left alone, and the seconds it took."""
    folder = copytree(fresh, tmp_path_factory.mktemp("undisturbed"), dirs_exist_ok=True)
    start = monotonic()
    snakemake(folder, *COMMAND)
    return folder, monotonic() - start


@pytest.fixture
def project(fresh, tmp_path):
    return copytree(fresh, tmp_path, dirs_exist_ok=True)


def start(folder):
    """Call snakemake in a process group of its own, as a shell does; its output goes to output.txt."""
    with (folder / "output.txt").open("a") as output:
        command = [sys.executable, "-m", "snakemake", *COMMAND]
        return subprocess.Popen(command, cwd=folder, stdout=output, stderr=output, start_new_session=True)


def kill(call, what, folder, log=""):
    """Kill the running call: what is group, interrupt, snakemake, or job (one, with this log if given, if any runs)."""
    running = jobs(call)
    if what == "job":
        for job in [job for job in running if log in {file.path for file in job.open_files()} or not log][:1]:
            job.kill()
    elif what == "snakemake":
        call.kill()
    else:
        os.killpg(call.pid, signal.SIGINT if what == "interrupt" else signal.SIGKILL)
    call.wait(TIMEOUT)
    assert not psutil.wait_procs(running, timeout=10)[1], "a job outlived its Snakemake"
    if what in ("group", "snakemake"):
        snakemake(folder, *SETTINGS, "--unlock")


def jobs(call):
    found = []
    for child in psutil.Process(call.pid).children():
        with suppress(psutil.NoSuchProcess):
            found += [child] if any(".snakemake/scripts" in word for word in child.cmdline()) else []
    return found


def wait_until(condition, call):
    """Wait until the condition holds or the call has ended; True where the call still runs."""
    end = monotonic() + TIMEOUT
    while not condition() and call.poll() is None:
        assert monotonic() < end, "nothing happened"
        sleep(0.01)
    return call.poll() is None


def finished(folder):
    """{path: time of its last change} of the results of finished jobs: in no folder with one that Snakemake doubts."""
    markers = folder / ".snakemake" / "incomplete"
    names = ["".join(path.relative_to(markers).parts).replace("@", "") for path in markers.rglob("*") if path.is_file()]
    doubted = {(folder / urlsafe_b64decode(name).decode()).parent for name in names}
    return {path: path.stat().st_mtime_ns for path in results(folder) if path.parent not in doubted}


def results(folder):
    """All files of results, in order; those that only an interrupted job leaves are not results."""
    found = (path for path in (folder / "results").rglob("*") if path.is_file())
    return sorted(path for path in found if not path.name.startswith(".") and "unfinished" not in path.name)


def finish(folder):
    """Call snakemake once more, to the end, and check that it did no finished job again."""
    before, call = finished(folder), start(folder)
    assert call.wait(TIMEOUT) == 0, (folder / "output.txt").read_text()[-4000:]
    assert_kept(before)


def assert_kept(before):
    again = [str(path) for path, changed in before.items() if path.stat().st_mtime_ns != changed]
    assert not again, f"done twice: {again}"


def assert_same(folder, expected):
    """The same files with the same content: numbers to the last bit, but for the seconds that a run took."""
    everything = [{path.relative_to(root) for path in (root / "results").rglob("*")} for root in (folder, expected)]
    assert everything[0] == everything[1]
    for path in results(folder):
        pair = path, expected / path.relative_to(folder)
        if path.suffix == ".safetensors":
            ours, theirs = map(load_file, pair)
            assert list(ours) == list(theirs) and all(np.array_equal(ours[name], theirs[name]) for name in ours), path
        elif path.name == "run.json":
            ours, theirs = (json.loads(file.read_text()) for file in pair)
            assert ours | {"seconds": 0} == theirs | {"seconds": 0}, path
        else:
            assert pair[0].read_bytes() == pair[1].read_bytes(), path


def test_what_a_failed_training_leaves_is_not_taken_for_its_own(undisturbed, tmp_path, monkeypatch):
    folder = copytree(undisturbed[0], tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    other = [*SETTINGS, "--config", "training={learning_rate: 0.5, epochs: {mlp: 20}}"]
    said = snakemake(folder, *other, "device=cuda", "--", "results/curves.csv", check=False)
    assert "torch finds no GPU" in said
    plans = [snakemake(folder, *other, "-n", "--", f"results/{table}.csv") for table in ("curves", "attacks")]
    assert [planned(plan) for plan in plans] == [{"train": 1, "combine": 1}, {"train": 1, "attack": 1, "combine": 1}]


@pytest.mark.parametrize("options, target", [((), "figS2.pdf"), (ANOTHER, "")], ids=["a figure", "another network"])
def test_a_table_that_a_call_with_a_failed_attack_did_not_ask_for_is_stale(
    undisturbed, tmp_path, monkeypatch, options, target
):
    folder = copytree(undisturbed[0], tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    other = [*SETTINGS, "--config", "attack={eps: {mnist: [0.5, 2.0]}, points: 100, iterations: 20, step: 0.02}"]
    asked = f"paper_figures/{target}" if target else "results/attack/mnist/mlp/std/seed0.csv"
    assert "torch finds no GPU" in snakemake(folder, *other, *options, "device=cuda", "--", asked, check=False)
    plan = planned(snakemake(folder, *other, "-n", "--", "results/attacks.csv"))
    assert plan == {"attack": 1, "combine": 1}
    assert not planned(snakemake(folder, *other, "-n", "--", "results/margins.csv"))


def test_measurements_at_points_that_a_failed_job_left_none_of_are_stale(undisturbed, tmp_path):
    folder = copytree(undisturbed[0], tmp_path, dirs_exist_ok=True)
    rmtree(folder / "results/points")  # what a job that failed leaves
    other = [*SETTINGS, "--config", "points={train: 20, test: 20, seed: 5}"]
    plans = [planned(snakemake(folder, *other, "-n", "--", f"results/{name}.csv")) for name in ("attacks", "margins")]
    assert plans == [{step: 1 for step in ("points", name, "combine")} for name in ("attack", "margins")]
    assert not planned(snakemake(folder, *SETTINGS, "-n", "--", "results/attacks.csv"))  # nobody needs them


@pytest.mark.slow
def test_killed_in_a_training_and_interrupted_after_it(project, undisturbed):
    call = start(project)
    assert wait_until((project / "results" / RUN / "unfinished.safetensors").exists, call)
    kill(call, "group", project)
    assert not (project / "results" / RUN / "checkpoints.safetensors").exists()
    call = start(project)
    assert wait_until((project / "logs/attack/mnist/mlp/std/seed0.log").exists, call)
    kill(call, "interrupt", project)
    assert project / "results" / RUN / "checkpoints.safetensors" in finished(project)
    finish(project)
    assert "going on after epoch" in (project / "logs" / f"{RUN}.log").read_text()
    assert_same(project, undisturbed[0])


@pytest.mark.slow
@pytest.mark.parametrize("what", ["snakemake", "job"])
def test_a_training_that_was_killed_or_lost_its_snakemake_goes_on(project, undisturbed, what):
    call, log = start(project), project / "logs" / f"{RUN}.log"
    assert wait_until((project / "results" / RUN / "unfinished.safetensors").exists, call)
    kill(call, what, project, log=str(log))
    assert not (project / "results" / RUN / "checkpoints.safetensors").exists()
    finish(project)
    assert "going on after epoch" in log.read_text()
    assert_same(project, undisturbed[0])


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(10))
def test_killed_twice_at_any_moment_it_ends_the_same(project, undisturbed, seed):
    rng = random.Random(seed)
    for _ in range(2):
        before, call = finished(project), start(project)
        moment = monotonic() + rng.uniform(0.05, 0.9) * undisturbed[1]
        what = rng.choice(["group", "interrupt", "snakemake", "job"])
        if wait_until(lambda moment=moment: monotonic() > moment, call):
            kill(call, what, project)
        assert_kept(before)
    finish(project)
    assert_same(project, undisturbed[0])
