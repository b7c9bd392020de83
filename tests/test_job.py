import io
import platform
import subprocess
import sys
from time import monotonic, sleep

import pytest
import torch

from workflow_scripts.common import job
from workflow_scripts.common.device import pick_device
from workflow_scripts.common.files import whole_file
from workflow_scripts.common.tables import benchmarked

IMPORT = "from workflow_scripts.common.job import log_to; "


def test_files_appear_whole_or_not_at_all(tmp_path):
    target = tmp_path / "folder" / "table.csv"
    with pytest.raises(RuntimeError), whole_file(target) as path:
        path.write_text("half")
        raise RuntimeError
    assert list(target.parent.iterdir()) == []
    with whole_file(target) as path:
        path.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert list(target.parent.iterdir()) == [target]


def test_log_holds_everything_and_the_terminal_one_line(tmp_path):
    script = (
        "import os\nfrom workflow_scripts.common import job\n"
        "from workflow_scripts.common.job import log_to, progress_bar\n"
        "job.TERMINAL_SECONDS = 0\n"
        f"log_to({str(tmp_path / 'logs' / 'job.log')!r})\n"
        "print('from python')\nos.system('echo from a child')\n"
        "bar = progress_bar(2, 'train', 'epoch')\nbar.update(2)\nbar.close()\n"
        "raise ValueError('data/x.npz: truncated\\nmore')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    log = (tmp_path / "logs" / "job.log").read_text()
    assert done.returncode == 1 and done.stdout == ""
    assert "from python" in log and "from a child" in log and "Traceback" in log
    assert "Error: data/x.npz: truncated (full log: " in done.stderr
    assert "Traceback" not in done.stderr and "train: epoch" in done.stderr


def test_the_time_to_go_is_that_of_this_call(monkeypatch):
    monkeypatch.setattr(job, "_terminal", io.StringIO())
    bar = job.progress_bar(200, "train", "epoch", done=100)
    bar.update(50)
    about = bar.format_dict | {"elapsed": 60, "rate": None}
    assert "150 of 200, 01:00 so far, 01:00 to go" in bar.format_meter(**about)


def start(script):
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen([sys.executable, "-c", script], text=True, **pipes)


def test_a_job_ends_with_the_process_that_started_it(tmp_path):
    job = f"{IMPORT}log_to({str(tmp_path / 'job.log')!r}); import time; time.sleep(60)"
    with start(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {job!r}])") as parent:
        while not (tmp_path / "job.log").exists():
            assert parent.poll() is None
            sleep(0.01)
        parent.kill()
        start_of_wait = monotonic()
        parent.stderr.read()  # ends when the job, whose terminal it is too, has ended
        assert monotonic() - start_of_wait < 20


def test_a_job_waits_for_the_same_job_of_an_earlier_call(tmp_path):
    log = tmp_path / "job.log"
    opened = f"{IMPORT}log_to({str(log)!r}); print('begun'); "
    with start(opened + "input()") as first:
        while not (log.exists() and log.read_text()):
            assert first.poll() is None
            sleep(0.01)
        with start(opened + "print('second')") as second:
            assert "the same job of an earlier call still runs" in second.stderr.readline()
            assert log.read_text() == "begun\n" and second.poll() is None
            first.communicate("end")
    assert log.read_text() == "begun\nsecond\n"


def test_a_cancelled_job_says_nothing(tmp_path):
    script = f"{IMPORT}log_to({str(tmp_path / 'job.log')!r})\nraise KeyboardInterrupt"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("", "") and "KeyboardInterrupt" in (tmp_path / "job.log").read_text()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_demanded_gpu_that_is_missing_is_named():
    assert pick_device("auto").type == pick_device("cpu").type == "cpu"
    with pytest.raises(ValueError, match="finds no GPU"):
        pick_device("cuda")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's malloc can be told to keep freed memory")
def test_on_the_cpu_freed_memory_is_used_again_without_page_faults():
    code = """
import resource, torch
from workflow_scripts.common.device import pick_device
pick_device("cpu")
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(3, 2**22)  # 48 MB, freed at once
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(*(faults() for _ in range(30)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, *_, last = map(int, done.stdout.split())
    assert last <= first / 10


def test_benchmarks_of_other_runs_do_not_count(tmp_path):
    for run in ("mnist/mlp/std/seed0", "mnist/mlp/std/seed9"):
        path = tmp_path / "margins" / run / "epoch1.tsv"
        path.parent.mkdir(parents=True)
        path.write_text("s\n2.5\n")
    (tmp_path / "attack/mnist/mlp/std").mkdir(parents=True)
    (tmp_path / "attack/mnist/mlp/std/seed0.tsv").write_text("s\n4.0\n")
    record = {"dataset": "mnist", "model": "mlp", "method": "std", "seed": 0}
    assert benchmarked(tmp_path, [record]) == {"attack": 4.0, "margins": 2.5}
