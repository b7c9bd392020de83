"""profiles/slurm on a real Slurm of one node: munged, slurmctld and slurmd, started here and stopped again.

The node has two GPUs in Slurm's books only, /dev/null and /dev/zero: requests are real, computing is on the CPU.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.workflow import ROOT, copy_project, snakemake

CONFIGS = [Path(f"/etc/slurm/{name}.conf") for name in ("slurm", "gres")]  # slurmd's children look nowhere else
PROGRAMS = ("munged", "slurmctld", "slurmd", "sinfo")
ON_GPU = {"train", "margins", "attack", "attack_strong", "bracket", "masking", "convergence"}
GROUPS = {"prepare", "tables", "figures"}
CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
MinJobAge=7200
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=8000 Gres=gpu:2 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
GRES = "NodeName={host} Name=gpu Count=1 File=/dev/null\nNodeName={host} Name=gpu Count=1 File=/dev/zero\n"
FAST = ("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "3")
FAST = (*FAST, "--seconds-between-status-checks", "2", "--latency-wait", "10", "--cores", str(os.cpu_count()))
RUNS = """
runs:
  mnist01: {lr: [std]}
  mnist: {lr: [std], mlp: [std, amr], cnn: []}
  cifar10: {lr: [], mlp: [], cnn: []}
"""


def missing():
    """Why this machine cannot run these tests; empty where it can."""
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    if absent:
        return f"{', '.join(absent)} not installed: apt-get install --no-install-recommends slurm-wlm munge"
    if os.geteuid() != 0:
        return "Slurm's daemons need root here"
    if find_spec("snakemake_executor_plugin_slurm") is None:
        return "snakemake's Slurm plugin is not installed: pip install '.[slurm]'"
    there = [str(path) for path in CONFIGS if path.exists()]
    return f"a Slurm is configured here, which is left alone: {', '.join(there)}" if there else ""


pytestmark = [pytest.mark.slurm, pytest.mark.skipif(bool(missing()), reason=missing())]


@pytest.fixture(scope="module")
def cluster():
    """A Slurm of this machine alone; its folder is world-readable, as munge demands."""
    folder = Path(tempfile.mkdtemp(prefix="slurm"))
    folder.chmod(0o755)
    (folder / "munge.key").write_bytes(os.urandom(1024))
    (folder / "munge.key").chmod(0o400)
    about = {"host": socket.gethostname().split(".")[0], "folder": folder, "cpus": os.cpu_count()}
    daemons = []
    try:
        for path, text in zip(CONFIGS, (CONF, GRES), strict=True):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text.format(**about))
        munge = [f"--{name}={folder}/{name.replace('-file', '')}" for name in ("pid-file", "log-file", "seed-file")]
        munge = ["munged", "--foreground", f"--key-file={folder}/munge.key", f"--socket={folder}/munge.socket", *munge]
        for command in (munge, ["slurmctld", "-D"], ["slurmd", "-D"]):
            with (folder / f"{command[0]}.out").open("w") as log:
                daemons.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT))
            time.sleep(2)
        wait_until_idle(folder)
        yield folder
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait(30)
        for path in CONFIGS:
            path.unlink(missing_ok=True)
        shutil.rmtree(folder)


def wait_until_idle(folder):
    for _ in range(30):
        state = subprocess.run(["sinfo", "--noheader", "--format=%T"], capture_output=True, text=True).stdout
        if state.strip() == "idle":
            return
        time.sleep(1)
    logs = "\n".join(f"{path.name}:\n{path.read_text()[-2000:]}" for path in folder.glob("*.out"))
    raise AssertionError(f"Slurm did not start: the node is {state!r}\n{logs}")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The project at the tiny scale, on a machine that seems to have a GPU: device auto then asks for one."""
    smi = tmp_path / "bin" / "nvidia-smi"
    smi.parent.mkdir()
    smi.write_text("#!/bin/sh\n")
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{smi.parent}:{os.environ['PATH']}")
    folder = copy_project(tmp_path)
    shutil.copy(ROOT / "tests" / "tiny.yaml", folder)
    (folder / "fewer.yaml").write_text(f"device: auto\n{RUNS}")
    return folder


def submit(project, *arguments, check=True):
    profile = ("--workflow-profile", "profiles/slurm", "--configfile", "tiny.yaml", "fewer.yaml")
    output = snakemake(project, *profile, *FAST, *arguments, check=check)
    print(output)
    return output


def submitted():
    """What Slurm knows of its jobs: a list of {field: value}."""
    lines = subprocess.run(["scontrol", "show", "jobs", "-o"], capture_output=True, text=True, check=True).stdout
    return [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in lines.splitlines() if line.startswith("JobId=")]


def rule_of(job):
    """The rule or the group of a job: the plugin writes it into the comment, a group followed by its rules."""
    name = re.fullmatch(r"rule_(.+?)(_wildcards_.*)?", job["Comment"])[1]
    return next((group for group in GROUPS if name.startswith(f"{group}_")), name)


def test_a_whole_run(cluster, project):
    before = len(submitted())
    output = submit(project)
    jobs = submitted()[before:]
    print("\n".join(f"{rule_of(job)} {job.get('TresPerJob')} {job['TimeLimit']} {job['JobState']}" for job in jobs))
    assert {job["JobState"] for job in jobs} == {"COMPLETED"}
    assert "Nothing to be done" in submit(project), output[-3000:]
    for name in ("fig1.pdf", "fig7.png", "figS4.svg", "table1.tex", "table1_strong.tex", "reproduction.html"):
        assert (project / "paper_figures" / name).stat().st_size > 500, name
    rules = [rule_of(job) for job in jobs]
    assert set(rules) == ON_GPU | GROUPS | {"svm", "margins_linear"}
    assert rules.count("train") == 4 and rules.count("figures") == 1
    for job, rule in zip(jobs, rules, strict=True):
        assert job.get("TresPerJob") == ("gres:gpu:1" if rule in ON_GPU else None), job
        assert (job["TimeLimit"] == "1-00:00:00") == (rule in ON_GPU), job


def test_a_failed_job_is_tried_again_and_shows_its_log(cluster, project):
    before = len(submitted())
    script = project / "workflow_scripts" / "train.py"
    script.write_text(script.read_text().replace("device = pick_device(device)", 'raise RuntimeError("on purpose")'))
    target = "results/train/mnist01/lr/std/seed0/curve.csv"
    output = submit(project, "--", target, check=False)
    assert 'raise RuntimeError("on purpose")' in output, "the log was not shown"
    assert "logs/train/mnist01/lr/std/seed0.log" in output and "logs/slurm/rule_train" in output
    assert [rule_of(job) for job in submitted()[before:]] == ["prepare", *["train"] * 3]
    assert not (project / target).exists()
