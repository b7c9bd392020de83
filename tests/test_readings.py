"""The study of docs/readings.md: AdverTorch's attack is the one written out; nothing is attacked twice."""

import pandas as pd
import torch
from torch.nn.functional import cross_entropy

from benchmarks import readings
from lib.attacks import HELD
from lib.models import build
from tests.workflow import ROOT
from workflow_scripts.common.checkpoints import save


def network(n=6):
    model = build("mnist", "mlp").double().eval().requires_grad_(False)
    x = torch.rand((n, 1, 28, 28), generator=torch.Generator().manual_seed(1)).double()
    y = model(x).argmax(1)
    y[0] = (y[0] + 1) % 10
    return model, x, y


def test_the_librarys_way_is_the_one_written_out():
    """By autograd, one point at a time: a random image brought into the ball, clipped first, projected then."""
    model, x, y = network()
    eps, floor, noise = 0.5, 0.3, torch.rand(x.shape, generator=torch.Generator().manual_seed(0))
    expected = []
    for origin, label, image in zip(x.split(1), y.split(1), noise.double().split(1), strict=True):
        delta, broken = image - origin, 0 if model(origin).argmax(1) != label else HELD
        delta = delta * min(1, eps / delta.norm().item())
        for number in range(1, 42):
            z = (origin + delta).requires_grad_()
            logits = model(z)
            if broken == HELD and logits.argmax(1) != label:
                broken = number
            g = torch.autograd.grad(cross_entropy(logits, label), z)[0]
            delta = (origin + delta + 0.02 * g / max(g.norm().item(), floor)).clamp(0, 1) - origin
            delta = delta * min(1, eps / delta.norm().item())
        expected.append(broken)
    found = readings.library_steps(model, x, y, eps=eps, floor=floor, step=0.02, iterations=40)
    assert found.tolist() == expected and len(set(expected)) > 3


def test_what_holds_is_kept_and_beside_the_published(tmp_path, capsys):
    for method in ("lcr", "amr"):
        path = tmp_path / "train/mnist/mlp" / method / "seed0/checkpoints.safetensors"
        path.parent.mkdir(parents=True)
        save(path, {1: build("mnist", "mlp").state_dict()}, {})
    command = ["--weights", f"stated={tmp_path / 'train'}", "--points", "4", "--iterations", "200"]
    command += [
        "--starts",
        "image",
        "library",
        "--floors",
        "1e-7",
        "--source",
        "embedded",
        "--kept",
        f"{tmp_path}/kept",
    ]
    readings.main([*command, "--output", f"{tmp_path}/a.csv"])
    first = capsys.readouterr().out
    table = pd.read_csv(tmp_path / "a.csv")
    assert len(table) == 2 * 2 * 4 and set(table["floor"]) == {1e-7}
    line = table.query("method == 'amr' and eps == 2.0").iloc[0]
    assert line["published"] == 38.44 and "stated/mlp/amr/0/library/1e-07: " in first
    error = (0.3844 * 0.6156 * (1 / 4 + 1 / 10000)) ** 0.5
    assert abs(line["errors"] - (line["robust"] - 38.44) / 100 / error) < 1e-3
    assert "| stated, mlp, seed 0 | image, 1e-07 | 4 | +0.0 |" in first  # the same network twice
    readings.main([*command, "--output", f"{tmp_path}/b.csv"])
    assert (
        "stated/mlp" not in capsys.readouterr().out
        and (tmp_path / "b.csv").read_bytes() == (tmp_path / "a.csv").read_bytes()
    )


def test_the_docs_tell_the_committed_rows():
    table = pd.read_csv(ROOT / "benchmarks/results/readings.csv").query("points == 200")
    docs = (ROOT / "docs/attack.md").read_text()
    section = docs[docs.index("## Where the attack starts") :]
    sizes = table.groupby(["reading", "model"]).size().to_dict()
    stated = {("stated", "mlp"): 3 * 12 * 4, ("stated", "cnn"): (11 + 3) * 4}
    assert sizes == stated | {("tau10", "mlp"): 4, ("tau20", "cnn"): 2 * 4, ("linear", "cnn"): 2 * 4}
    for (*_, start, _), rows in table.groupby(["reading", "model", "method", "start", "floor"]):
        met = " **met**" if (rows["errors"].abs() <= readings.ERRORS).all() else ""
        shares = ", ".join(f"{share:.1f}" for share in rows.sort_values("eps")["robust"]) + met
        assert any(line.startswith(f"| {start}") and f"| {shares} |" in line for line in section.splitlines())
