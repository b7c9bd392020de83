"""The examples run as they stand, with the package under its installed name."""

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
    rows = {line[:36].strip(): line[36:].split() for line in done.stdout.splitlines()}
    assert len(rows) == 10 and "after 3 of 50 points: about" in done.stderr
    shares = [float(share) for share in rows["percent"]]
    average, minimum = (float(rows[name][0]) for name in ("average", "minimum"))
    assert minimum < average <= 2
    assert shares == sorted(shares, reverse=True) and shares[0] > 80 and shares[-1] < shares[0]
