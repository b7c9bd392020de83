"""The DAG of the paper's config holds exactly the runs of the paper."""

import re

import pytest

from tests.workflow import ROOT, copy_project, planned, snakemake

PAPER = {
    *(("mnist01", "lr", "std"),),
    *((dataset, "lr", method) for dataset in ("mnist", "cifar10") for method in ("std", "amr")),
    *(
        (dataset, model, method)
        for dataset in ("mnist", "cifar10")
        for model in ("mlp", "cnn")
        for method in ("std", "lcr", "amr")
    ),
}
MEASURED = {"bracket": 12, "attack_strong": 12, "masking": 4, "convergence": 4}
CHECKPOINTS = {1, 10, 20, 30, 40, 50, 80, 120, 160, 200}


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    return snakemake(copy_project(tmp_path_factory.mktemp("paper")), "-n", "--summary")


def test_every_run_of_the_paper_and_no_other(plan):
    trained = re.findall(r"^results/train/(\w+)/(\w+)/(\w+)/seed0/checkpoints", plan, re.MULTILINE)
    assert len(trained) == len(PAPER) == 17 and set(trained) == PAPER
    attacked = re.findall(r"^results/attack/(\w+)/(\w+)/(\w+)/seed0.csv", plan, re.MULTILINE)
    assert set(attacked) == {run for run in PAPER if run[1] != "lr"} and len(attacked) == 12
    margins = re.findall(r"^results/margins/(\w+)/(mlp|cnn)/(\w+)/seed0/epoch(\d+).csv", plan, re.MULTILINE)
    assert {(*run, e) for run in PAPER if run[1] != "lr" for e in CHECKPOINTS} == {(*m[:3], int(m[3])) for m in margins}


def test_jobs(tmp_path):
    jobs = planned(snakemake(copy_project(tmp_path), "-n"))
    assert {
        name: jobs[name] for name in ("data", "train", "margins", "margins_linear", "svm", "attack", *MEASURED)
    } == {
        "data": 3,
        "train": 17,
        "margins": 120,
        "margins_linear": 5,
        "svm": 1,
        "attack": 12,
        **MEASURED,
    }
    assert all(jobs[f"fig{number}"] == 1 for number in (*range(1, 8), "S1", "S2", "S3", "S4"))
    assert jobs["table1"] == jobs["table1_strong"] == jobs["training"] == 1


def test_objectives_reach_their_jobs(tmp_path):
    project = copy_project(tmp_path)
    (project / "probe.smk").write_text(
        'include: "Snakefile"\nfrom collections import namedtuple\n'
        'wc = namedtuple("wc", "dataset model method")\n'
        'for run in runs(): print("run", *run[:3], objective(run))\n'
    )
    precision = "objective={precision: {lr: float32, mlp: bfloat16, cnn: float32}}"
    printed = snakemake(project, "-n", "-s", "probe.smk", "--config", precision)
    lines = [line for line in printed.splitlines() if line.startswith("run ")]
    weights = {tuple(line.split()[1:4]): line for line in lines}
    assert "'lam': 0.0, 'beta': 0.0, 'tau': None" in weights["mnist", "mlp", "std"]
    assert "'lam': 0.0, 'beta': 0.001, 'tau': None" in weights["cifar10", "cnn", "lcr"]
    assert "'lam': 0.1, 'beta': 0.001, 'tau': 10" in weights["cifar10", "mlp", "amr"]
    assert [key for key, line in weights.items() if "'precision': 'bfloat16'" in line] == [
        (dataset, "mlp", method) for dataset in ("mnist", "cifar10") for method in ("lcr", "amr")
    ]


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        ("fig3", {"data": 1, "train": 1}),
        ("fig6", {"data": 1, "points": 3, "train": 8, "margins_linear": 2, "margins": 60}),  # of all methods
        ("fig2", {"data": 1, "points": 3, "train": 6, "margins_linear": 2, "margins": 40}),  # of Std and AMR
        ("overview", {"data": 2, "points": 6, "train": 12, "margins_linear": 4, "margins": 80}),
        ("training", {"data": 1, "points": 1, "train": 1, "svm": 1}),
        ("figS1", {"data": 2, "points": 4, "train": 4, "convergence": 4}),
        ("figS2", {"data": 2, "points": 4, "train": 12, "attack": 12}),
    ],
)
def test_one_figure_asks_only_for_what_it_shows(tmp_path, figure, expected):
    jobs = planned(snakemake(copy_project(tmp_path), "-n", f"paper_figures/{figure}.pdf"))
    assert jobs == expected | {figure: 1}


def test_the_users_own_command_line_parses(tmp_path):
    output = snakemake(
        copy_project(tmp_path), "--cores", "8", "--resources", "gpu=1", "-n", "--", "paper_figures/table1.tex"
    )
    assert planned(output)["table1"] == 1


def test_without_a_gpu_the_first_lines_say_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))  # no nvidia-smi to be found
    first = snakemake(copy_project(tmp_path), "-n").splitlines()[:12]
    assert any("No GPU was found" in line for line in first) and any("profiles/quick" in line for line in first)


def test_a_data_set_without_runs_is_not_asked_for(tmp_path):
    project = copy_project(tmp_path)
    (project / "only.yaml").write_text("runs: {mnist01: {lr: []}, cifar10: {lr: [], mlp: [], cnn: []}}")
    jobs = planned(snakemake(project, "-n", "--configfile", "only.yaml"))
    assert jobs["data"] == 1 and jobs["train"] == 8 and not {"svm", "fig1", "training"} & set(jobs)


def test_without_standard_training_the_figures_that_show_nothing_else_are_left_out(tmp_path):
    project = copy_project(tmp_path)
    lists = "{mnist01: {lr: []}, mnist: {lr: [], mlp: [lcr], cnn: []}, cifar10: {lr: [], mlp: [amr], cnn: []}}"
    (project / "mine.yaml").write_text(f"runs: {lists}\n")
    jobs = planned(snakemake(project, "-n", "--configfile", "mine.yaml"))
    assert {name for name in jobs if name.startswith(("fig", "over"))} == {"figS2", "figS4"}


def test_a_method_that_is_not_followed_is_measured_at_its_last_checkpoint_only(tmp_path):
    project = copy_project(tmp_path)
    (project / "mine.yaml").write_text("margins: {followed: [std]}\n")
    plan = snakemake(project, "-n", "--summary", "--configfile", "mine.yaml")
    margins = re.findall(r"^results/margins/mnist/mlp/(\w+)/seed0/epoch(\d+).csv", plan, re.MULTILINE)
    std = [("std", str(epoch)) for epoch in sorted(CHECKPOINTS)]
    assert sorted(margins) == sorted([*std, ("lcr", "200"), ("amr", "200")])
    assert "results/margins/mnist/lr/amr/seed0/points.csv" in plan  # of a linear model, at all of them


def test_what_holds_for_one_network_reaches_its_jobs_alone(tmp_path):
    project = copy_project(tmp_path)
    (project / "mine.yaml").write_text(
        "training: {epochs: {cifar10: {mlp: 9}}}\n"
        "checkpoints: {cifar10: {mlp: [1, 9]}}\n"
        "margins: {samples: {mnist: {mlp: 4096, cnn: 256}, cifar10: 1024}}\n"
        "points: {test: {mnist: 40, cifar10: 50}}\n"
        "convergence: {points: 40}\n"
        "threads: {lr: 1, mlp: 1, cnn: 2}\n"
    )
    (project / "probe.smk").write_text(
        'include: "Snakefile"\n'
        "for run in runs(['mnist', 'cifar10']):\n"
        '    keys = ["training.epochs", "checkpoints", "points.test", "threads"]\n'
        '    print("run", run, *[of(run, key) for key in keys], run.model != "lr" and of(run, "margins.samples"))\n'
        'print("scale", differences_of(TABLES))\n'
    )
    said = snakemake(project, "-n", "-s", "probe.smk", "--configfile", "mine.yaml")
    assert "run cifar10/mlp/amr/seed0 9 [1, 9] 50 1 1024" in said
    assert "run mnist/cnn/lcr/seed0 200 [1, 10, 20, 30, 40, 50, 80, 120, 160, 200] 40 2 256" in said
    assert "run mnist/lr/amr/seed0 1000 [1, 10, 50, 200, 1000] 40 1 False" in said
    plan = snakemake(project, "-n", "--summary", "--configfile", "mine.yaml")
    margins = re.findall(r"^results/margins/(\w+)/mlp/std/seed0/epoch(\d+).csv", plan, re.MULTILINE)
    assert sorted(int(epoch) for dataset, epoch in margins if dataset == "cifar10") == [1, 9] and len(margins) == 12
    assert "epochs 9 (CIFAR-10 MLP) instead of 200" in said and "256 (MNIST CNN)" in said


def test_a_network_without_a_value_is_named(tmp_path):
    project = copy_project(tmp_path)
    (project / "mine.yaml").write_text("margins: {samples: {mnist: {mlp: 4096}}}\n")
    said = snakemake(project, "-n", "--configfile", "mine.yaml", check=False)
    assert (
        "Config: margins.samples has no value for cnn on mnist, which runs names; add cnn: ..., mnist: ... or" in said
    )
    assert "Traceback" not in said


def test_make_reference_is_one_run_of_every_network_in_one_folder(tmp_path):
    project = copy_project(tmp_path)
    plan = snakemake(project, "-n", "--summary", "--workflow-profile", "profiles/reference", "--", "reference")
    files = re.findall(r"^(\S+)\t-\t", plan, re.MULTILINE)
    assert "reference_results/run.json" in files
    assert all(file.startswith(("results/reference/", "reference_results/", "paper_figures/")) for file in files)
    trained = re.findall(r"^results/reference/train/(\w+)/(\w+)/(\w+)/seed0/checkpoints", plan, re.MULTILINE)
    assert set(trained) == PAPER
    assert "--workflow-profile profiles/reference -- reference" in (ROOT / "Makefile").read_text()


def test_a_job_on_a_gpu_draws_its_samples_by_eight_threads_and_has_a_day(tmp_path):
    project = copy_project(tmp_path)
    (project / "probe.smk").write_text(
        'include: "Snakefile"\nfrom types import SimpleNamespace\n'
        'cnn = SimpleNamespace(dataset="cifar10", model="cnn", method="std")\n'
        'print("asks for", sampling_threads(cnn), runtime("margins")(cnn, attempt=2))\n'
    )
    found = {}
    for device in ("cuda", "cpu"):
        output = snakemake(
            project, "-n", "-s", "probe.smk", "--configfile", "config.yaml", "--config", f"device={device}"
        )
        found[device] = [int(n) for n in re.search(r"^asks for (\d+) (\d+)$", output, re.MULTILINE).groups()]
    assert found["cuda"] == [8, 2 * 24 * 60] and found["cpu"][0] == 1 and found["cpu"][1] > 2 * 24 * 60
