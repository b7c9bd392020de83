"""Where the disk is full or locked, or another call is at work, outputs are whole or absent and one line says why."""

import ast
import json
import os
import resource
import subprocess
import sys
from contextlib import contextmanager
from time import monotonic, sleep

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure

from tests.workflow import ROOT, copy_project, snakemake
from workflow_scripts.common import checkpoints, drawing, resume
from workflow_scripts.common.files import write_arrays, write_json, write_table, write_text

KEY = {"dataset": "mnist", "model": "lr", "method": "std", "seed": 0}
WEIGHTS = {"head.weight": torch.zeros(10, 784)}
LINES = ["--configfile", "profiles/quick/scale.yaml", "--cores", "1", "--", "results/quick/data/mnist.json"]


def mount(folder, options):
    """Mount a tmpfs at `folder`; False where this machine does not let us."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


@contextmanager
def limited(size):
    """Let no file of this process grow beyond `size` bytes: what a full disk does, without the right to mount one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(params=["disk", "limit"])
def full(request, tmp_path):
    """(folder, context) that hold 4 KiB more and then fail: a full disk, or a limit on the size of files."""
    folder = tmp_path / "full"
    if request.param == "limit":
        folder.mkdir()
        yield folder, lambda: limited(4096)
    elif not mount(folder, "size=64k"):
        pytest.skip("no right to mount a small disk")
    else:
        (folder / "ballast").write_bytes(bytes(60 * 1024))
        yield folder, lambda: limited(2**30)
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def locked(tmp_path):
    """A folder in which nobody may write."""
    folder = tmp_path / "locked"
    folder.mkdir()
    if os.geteuid():
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)
    elif not mount(folder, "ro"):
        pytest.skip("root writes everywhere, and there is no right to mount a disk")
    else:
        yield folder
        subprocess.run(["umount", "--lazy", folder], check=True)


def figure():
    drawn = Figure()
    drawn.subplots().plot(np.random.default_rng(0).random(2000))
    return drawn


def arrays():
    return {"x_test": np.zeros((100, 28, 28, 1), np.uint8), "y_test": np.zeros(100, np.uint8)}


WRITERS = {
    "checkpoints.safetensors": lambda path: checkpoints.save(path, {1: WEIGHTS}, KEY),
    "unfinished.safetensors": lambda path: resume.save(path, WEIGHTS, {}, [], "key"),
    "points.npz": lambda path: write_arrays(arrays(), path),
    "run.json": lambda path: write_json({"note": "long " * 5000}, path),
    "curves.csv": lambda path: write_table(pd.DataFrame({"column": range(5000)}), path),
    "table1.tex": lambda path: write_text("long " * 5000, path),
    "fig1.pdf": lambda path: drawing.save(figure(), path),
    "fig1.png": lambda path: drawing.save(figure(), path),
    "fig1.svg": lambda path: drawing.save(figure(), path),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_leaves_no_half_file(full, name):
    folder, small = full
    before = set(folder.iterdir())
    with pytest.raises(OSError, match=r"No space left on device|File too large") as caught, small():
        WRITERS[name](folder / name)
    assert caught.value.filename == str(folder / name)
    assert set(folder.iterdir()) == before


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_leaves_the_file_that_was_there(full, name):
    folder, small = full
    (folder / name).write_text("an earlier version")
    with pytest.raises(OSError, match=r"No space left on device|File too large"), small():
        WRITERS[name](folder / name)
    assert (folder / name).read_text() == "an earlier version"


def test_a_locked_folder_is_named(locked):
    for name, write in WRITERS.items():
        for path in (locked / name, locked / "new" / name):
            with pytest.raises(OSError, match=r"Read-only file system|Permission denied") as caught:
                write(path)
            assert caught.value.filename == str(path)


def job(folder, log, body):
    imports = "from workflow_scripts.common.files import whole_file\nfrom workflow_scripts.common.job import log_to\n"
    script = f"{imports}log_to({str(log)!r})\n{body}"
    return subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)


def test_a_full_disk_is_one_line_on_the_terminal(full, tmp_path):
    folder, small = full
    target, log = folder / "table.csv", tmp_path / "job.log"
    with small():
        done = job(folder, log, f"with whole_file({str(target)!r}) as path:\n    path.write_text('x' * 9999)")
    what, advice = (
        ("No space left on device", "free some space")
        if (folder / "ballast").exists()
        else ("File too large", "raise the limit on the size of files (ulimit -f)")
    )
    expected = f"Error: {target}: {what}: {advice} and call the same command again (full log: {log})\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", expected)
    assert "Traceback" in log.read_text() and "table.csv" in log.read_text()


def test_a_log_that_cannot_be_written_is_one_line(full, locked):
    folder, small = full
    with small():
        done = job(folder, folder / "job.log", "for _ in range(9999): print('line')")
    assert done.returncode == 1 and done.stderr.startswith(f"Error: {folder / 'job.log'}: ")
    assert "and call the same command again" in done.stderr and done.stderr.count("\n") == 1
    done = job(locked, locked / "job.log", "")
    assert done.returncode == 1 and done.stderr.startswith(f"Error: {locked / 'job.log'}: ")
    assert "and call the same command again" in done.stderr and done.stderr.count("\n") == 1


def test_every_script_writes_through_whole_file():
    writing = {
        "to_csv",
        "write_text",
        "write_bytes",
        "savez",
        "savez_compressed",
        "save_file",
        "savefig",
        "open",
    }
    for script in [
        path
        for room in ("workflow_scripts", "report", "lib")
        for path in (ROOT / room).rglob("*.py")
        if "tests" not in path.parts
    ]:
        tree = ast.parse(script.read_text())
        inside = {
            id(node)
            for block in ast.walk(tree)
            if isinstance(block, ast.With) and "whole_file" in ast.unparse(block.items[0])
            for node in ast.walk(block)
        }
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            text = ast.unparse(call)
            in_memory = (name == "to_csv" and not call.args) or (name == "savefig" and "(content," in text)
            harmless = in_memory or text.startswith("write_") or text.startswith("os.open(")
            harmless = harmless or (name == "open" and "'rb'" in text)
            harmless = harmless or script.name == "torchvision_files.py"  # unpacks into a temporary folder
            assert name not in writing or harmless or id(call) in inside, f"{script}:{call.lineno}: {text}"


def test_a_disk_that_was_full_and_no_longer_is(tmp_path):
    project = copy_project(tmp_path)
    (project / "results").mkdir()
    if not mount(project / "results", "size=1m"):
        pytest.skip("no right to mount a small disk")
    try:
        said = snakemake(project, *LINES, check=False)
        line = "results/quick/data/mnist.npz: No space left on device: free some space and call the same command again"
        assert f"Error: {line}" in said and "Traceback" not in said
        assert not [path for path in (project / "results").rglob("*") if path.is_file()]
        subprocess.run(["mount", "-o", "remount,size=50m", project / "results"], check=True)
        snakemake(project, *LINES)
        assert json.loads((project / "results/quick/data/mnist.json").read_text())["dataset"] == "mnist"
    finally:
        subprocess.run(["umount", "--lazy", project / "results"], check=True)


def test_the_second_of_two_calls_is_refused_and_the_first_goes_on(tmp_path):
    project = copy_project(tmp_path)
    script = project / "workflow_scripts" / "data.py"
    patient = "from pathlib import Path\nfrom time import sleep\nwhile not Path('go').exists(): sleep(0.1)\n"
    script.write_text(patient + script.read_text())
    command = [sys.executable, "-m", "snakemake", *LINES]
    with subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as first:
        end, locks = monotonic() + 60, project / ".snakemake" / "locks"
        while not (locks.is_dir() and list(locks.iterdir())) and monotonic() < end:
            sleep(0.01)
        said = snakemake(project, *LINES, check=False)
        (project / "go").touch()
        assert "steps (100%) done" in first.communicate(timeout=60)[0] and first.returncode == 0
    assert "Directory cannot be locked" in said and "no other Snakemake process" in said and "Traceback" not in said
    assert json.loads((project / "results/quick/data/mnist.json").read_text())["dataset"] == "mnist"
    assert "Nothing to be done" in snakemake(project, *LINES)
