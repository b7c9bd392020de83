"""The examples run as they stand, with the package under its installed name."""

import re
import subprocess
import sys

from tests.workflow import ROOT


def test_a_model_of_ones_own(tmp_path):
    (tmp_path / "minavg").symlink_to(ROOT / "lib")  # as pip install . would name it
    script = ROOT / "examples" / "own_model.py"
    assert len(script.read_text().splitlines()) <= 30
    environment = {"PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    average, minimum = map(float, re.search(r"average margin (\S+), minimum margin (\S+) ", done.stdout).groups())
    shares = [float(share) for share in re.findall(r"([\d.]+) %", done.stdout)]
    assert minimum < average <= 2
    assert shares == sorted(shares, reverse=True) and shares[0] > 80 and shares[-1] < shares[0]
