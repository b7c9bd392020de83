import numpy as np
import pytest
import torch
from scipy.stats import kstest
from torch import nn

from lib import margins
from lib.ball import uniform_ball
from lib.margins import linear_margins, margins_by_samples, margins_with_errors, sampled_margins
from lib.models import build


def linear(c=5, d=12, seed=0):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn((c, d), generator=generator, dtype=torch.float64)
    bias = torch.randn(c, generator=generator, dtype=torch.float64)
    x = torch.randn((40, d), generator=generator, dtype=torch.float64)
    y = torch.randint(c, (40,), generator=generator)
    return weight, bias, x, y


def as_module(weight, bias):
    layer = nn.Linear(*weight.shape[::-1], dtype=weight.dtype)
    layer.load_state_dict({"weight": weight, "bias": bias})
    return nn.Sequential(nn.Flatten(), layer)


@pytest.mark.parametrize("c", [2, 5])
def test_linear_margins_are_bracketed_by_flips(c):
    weight, bias, x, y = linear(c=c)
    margins = linear_margins(weight, bias, x, y)
    logits = x @ weight.T + bias
    top = logits.argmax(1)
    assert torch.equal(margins > 0, top == y)
    for i in range(len(x)):
        normals = weight[top[i]] - weight  # (c, d), outwards the other way
        gaps, norms = logits[i, top[i]] - logits[i], normals.norm(dim=1)
        k = min((k for k in range(c) if k != top[i]), key=lambda k: (gaps[k] / norms[k]).item())
        towards = -normals[k] / norms[k]
        for factor, stays in ((0.99, True), (1.01, False)):
            moved = (x[i] + factor * margins[i].abs() * towards) @ weight.T + bias
            assert (moved.argmax() == top[i]) == stays


def test_linear_margins_do_not_lose_digits():
    weight, bias, x, y = linear(d=784)
    torch.testing.assert_close(
        linear_margins(weight.float(), bias.float(), x.float(), y),
        linear_margins(weight.float().double(), bias.float().double(), x.float().double(), y),
        rtol=1e-6, atol=0,
    )  # fmt: skip


def test_no_perturbation_shorter_than_the_margin_flips_a_linear_model():
    weight, bias, x, y = linear()
    margins = linear_margins(weight, bias, x, y)
    top = (x @ weight.T + bias).argmax(1)
    directions = torch.nn.functional.normalize(
        torch.randn((500, 12), generator=torch.Generator().manual_seed(3)).double()
    )
    for i in range(len(x)):
        moved = (x[i] + 0.999 * margins[i].abs() * directions) @ weight.T + bias
        assert (moved.argmax(1) == top[i]).all()


@pytest.mark.filterwarnings("ignore:inputs range from")
def test_sampled_margins_of_a_linear_model_are_exact():
    weight, bias, x, y = linear()
    exact = linear_margins(weight, bias, x, y)
    found = sampled_margins(as_module(weight, bias), x, y, radius=100.0, samples=3)
    torch.testing.assert_close(found, exact, rtol=1e-6, atol=0)
    capped = sampled_margins(as_module(weight, bias), x, y, radius=0.2, samples=3)
    torch.testing.assert_close(capped, exact.clamp(-0.2, 0.2), rtol=1e-6, atol=0)


@pytest.mark.filterwarnings("ignore:the gradients of 1 of 2 points")
@pytest.mark.filterwarnings("ignore:inputs range from")
def test_one_hidden_unit_meets_its_closed_form():
    """f_1 - f_0 = a * relu(w^T x + b) + c: its gradient is a * w where the unit is on, and 0 elsewhere."""
    w, b, a, c = torch.tensor([[3.0, 4.0]]), torch.tensor([1.0]), 2.0, -1.0
    model = nn.Sequential(nn.Linear(2, 1), nn.ReLU(), nn.Linear(1, 2))
    model.load_state_dict(
        {"0.weight": w, "0.bias": b, "2.weight": torch.tensor([[0.0], [a]]), "2.bias": torch.tensor([0.0, c])}
    )
    x = torch.tensor([[1.0, 1.0], [-10.0, -10.0]])
    found = sampled_margins(model, x, torch.tensor([1, 0]), radius=2.0, samples=64)
    gap = a * (3 + 4 + 1) + c  # the unit is on in the whole ball around the first point, off around the second
    assert found[0].item() == pytest.approx(gap / (a * 5), rel=1e-6)
    assert found[1].item() == 2.0  # no gradient anywhere: only the cap remains


def test_mlp_against_brute_force_in_float64():
    model = build("mnist", "mlp", seed=3).requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    x, y = torch.rand((3, 1, 28, 28), generator=generator), torch.tensor([1, 2, 3])
    found = sampled_margins(model, x, y, radius=1.0, samples=20, generator=torch.Generator().manual_seed(7))
    seeds = torch.randint(2**62, (3,), generator=torch.Generator().manual_seed(7)).tolist()
    model.double()
    for i, _, deltas in margins._drawn(x.float(), seeds, 1.0, 20):
        logits = model(x[i : i + 1].double())[0]
        top = logits.argmax().item()
        lipschitz = torch.zeros(10, dtype=torch.float64)
        for delta in deltas:
            jacobian = torch.autograd.functional.jacobian(lambda z: model(z[None])[0], (x[i] + delta).double())
            norms = (jacobian[top] - jacobian).flatten(1).norm(dim=1)
            lipschitz = torch.maximum(lipschitz, norms)
        expected = min((logits[top] - logits[k]) / lipschitz[k] for k in range(10) if k != top)
        assert found[i].abs().item() == pytest.approx(expected.item(), rel=1e-4)


def test_samples_do_not_depend_on_the_batch():
    model = build("mnist", "cnn").requires_grad_(False)
    x, y = torch.rand((2, 1, 28, 28), generator=torch.Generator().manual_seed(1)), torch.tensor([0, 1])
    margins = [
        sampled_margins(model, x, y, radius=50.0, samples=45, batch=batch, generator=torch.Generator().manual_seed(2))
        for batch in (None, 45, 7, 1)
    ]
    for other in margins[1:]:
        torch.testing.assert_close(other, margins[0], rtol=1e-5, atol=0)
    again = sampled_margins(model, x, y, radius=50.0, samples=45, generator=torch.Generator().manual_seed(2))
    assert torch.equal(again, margins[0])


def test_more_samples_never_raise_the_estimate():
    model = build("mnist", "mlp").requires_grad_(False)
    x, y = torch.rand((4, 1, 28, 28), generator=torch.Generator().manual_seed(1)), torch.tensor([0, 1, 2, 3])
    few, more = (
        sampled_margins(model, x, y, samples=n, generator=torch.Generator().manual_seed(5)).abs() for n in (16, 256)
    )
    assert (more <= few * (1 + 1e-6)).all()


@pytest.mark.parametrize("batch", [None, 100])
def test_margins_by_samples_are_those_of_separate_runs(batch):
    model = build("mnist", "mlp").requires_grad_(False)
    x, y = torch.rand((3, 1, 28, 28), generator=torch.Generator().manual_seed(1)), torch.tensor([0, 1, 2])
    counts = [1, 7, 1024, 1025, 1500]
    options = {"samples": counts[-1], "generator": torch.Generator().manual_seed(5), "batch": batch}
    found, *_ = margins_by_samples(model, x, y, counts=counts, **options)
    assert found.shape == (5, 3) and (found.abs().diff(dim=0) <= 0).all()
    for row, count in zip(found, counts, strict=True):
        alone = sampled_margins(model, x, y, samples=count, generator=torch.Generator().manual_seed(5), batch=batch)
        torch.testing.assert_close(row, alone, rtol=1e-5, atol=0)
    assert torch.equal(row, alone)


@pytest.mark.parametrize("counts", [[], [4, 2], [2, 2]])
def test_counts_must_ascend(counts):
    with pytest.raises(ValueError, match="ascending"):
        margins_by_samples(
            build("mnist", "lr"), torch.rand(2, 1, 28, 28), torch.tensor([0, 1]), counts=counts, samples=9
        )


@pytest.mark.parametrize("d", [1, 3, 784])
def test_ball_is_uniform(d):
    points = uniform_ball(4000, (d,), 5.0, torch.Generator().manual_seed(0), like=torch.zeros(1, dtype=torch.float64))
    radius = points.norm(dim=1)
    assert radius.max() <= 5.0
    assert kstest((radius / 5) ** d, "uniform").pvalue > 0.01
    assert points.mean(0).norm() < 5 * 3 / 4000**0.5


@pytest.mark.parametrize(("change", "match"), [({"radius": 0}, "radius"), ({"samples": 0}, "samples")])
def test_bad_arguments(change, match):
    with pytest.raises(ValueError, match=match):
        sampled_margins(build("mnist", "lr"), torch.rand(2, 1, 28, 28), torch.tensor([0, 1]), **change)
    with pytest.raises(ValueError, match="2 points and y 3 labels"):
        sampled_margins(build("mnist", "lr"), torch.rand(2, 1, 28, 28), torch.tensor([0, 1, 2]))


def test_few_draws_foretell_the_margin_of_many_with_an_error_that_tells_how_well():
    model = build("mnist", "mlp").requires_grad_(False)
    x = torch.rand((12, 1, 28, 28), generator=torch.Generator().manual_seed(1))
    y, seeds = model(x).argmax(1), list(range(12))
    whole = sampled_margins(model, x, y, samples=8192, seeds=seeds)
    few = sampled_margins(model, x, y, samples=512, seeds=seeds)
    foretold, errors = margins_with_errors(model, x, y, samples=8192, drawn=512, seeds=seeds)
    assert (foretold <= few).all() and (errors > 0).all()  # never above what the draws alone say
    assert (foretold / whole - 1).mean().abs() < 0.7 * (few / whole - 1).mean()
    assert ((foretold - whole).abs() < 4 * errors + 0.01 * whole).all()
    assert torch.equal(foretold, sampled_margins(model, x, y, samples=8192, drawn=512, seeds=seeds))


def test_all_drawn_have_no_error_and_linear_models_neither():
    x, y, seeds = torch.rand((3, 1, 28, 28)), torch.tensor([0, 1, 2]), [5, 6, 7]
    model = build("mnist", "mlp").requires_grad_(False)
    margins, errors = margins_with_errors(model, x, y, samples=64, drawn=64, seeds=seeds)
    assert torch.equal(margins, sampled_margins(model, x, y, samples=64, seeds=seeds)) and not errors.any()
    linear = build("mnist", "lr").requires_grad_(False)
    margins, errors = margins_with_errors(linear, x, y, samples=51200, drawn=32, seeds=seeds)
    exact = linear_margins(linear.head.weight, linear.head.bias, x, y)
    torch.testing.assert_close(margins.double(), exact, rtol=1e-5, atol=1e-6)  # logits of either sign, in float32
    assert errors.max() < 1e-5
    with pytest.warns(UserWarning, match="every margin is at the cap"):
        capped = margins_with_errors(linear, x, y, radius=1e-4, samples=51200, drawn=32, seeds=seeds)
    assert (capped[0].abs() == torch.tensor(1e-4)).all() and not capped[1].any()


def test_what_is_foretold_from_each_count_is_what_it_alone_foretells():
    model = build("mnist", "mlp").requires_grad_(False)
    x, y, seeds = torch.rand((2, 1, 28, 28)), torch.tensor([0, 1]), [3, 4]
    options = {"samples": 4096, "seeds": seeds, "precision": "float32"}
    drawn, foretold, errors = margins_by_samples(model, x, y, counts=[8, 40, 1500], **options)
    assert foretold[0].isnan().all() and errors[0].isnan().all() and not drawn.isnan().any()
    for j, count in ((1, 40), (2, 1500)):
        alone = margins_with_errors(model, x, y, drawn=count, **options)
        assert torch.equal(foretold[j], alone[0]) and torch.equal(errors[j], alone[1])


def test_too_few_draws_are_refused():
    with pytest.raises(ValueError, match="8 of 4096 samples are drawn: draw at least 20 of them, or all"):
        sampled_margins(build("mnist", "lr"), torch.rand(1, 1, 28, 28), torch.tensor([0]), samples=4096, drawn=8)


def test_seeds_are_one_a_point_and_share_no_draws():
    model, x, y = build("mnist", "mlp").requires_grad_(False), torch.rand(2, 1, 28, 28), torch.tensor([0, 1])
    for seeds in ([1], [1, 2, 3], [1, -1], [1, 2**62]):
        with pytest.raises(ValueError, match="seeds for 2 points: give each one of its own"):
            sampled_margins(model, x, y, samples=4, seeds=seeds)
    expected = sampled_margins(model, x, y, samples=4, seeds=[1, 2])
    for seeds in (np.array([1, 2]), torch.tensor([1, 2])):
        assert torch.equal(sampled_margins(model, x, y, samples=4, seeds=seeds), expected)
    blocks = [block for *_, block in margins._drawn(x, [0, 1024], 1.0, 2048)]
    assert len({tuple(block[0].flatten()[:3].tolist()) for block in blocks}) == 4
