import pytest
import torch
from torch.nn.functional import cross_entropy

from lib.models import build, weights
from lib.objectives import add_penalty_gradient, batch_loss, feature_margin, orthogonality, penalty, retract


def batch(n=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand((n, 1, 28, 28), generator=generator), torch.randint(10, (n,), generator=generator)


def test_feature_margin_is_that_of_the_formula():
    model = build("mnist", "mlp").double()
    x, y = batch()
    x = x.double()
    phi, w = model.features(x), model.head.weight
    expected = [min((w[y[i]] - w[k]) @ phi[i] for k in range(10) if k != y[i]).item() for i in range(len(x))]
    found = feature_margin(model(x), model.head.bias, y)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("shape", [(3, 8), (8, 3), (5, 5), (64, 1)])
def test_orthogonality_on_both_gram_sides(shape):
    weight = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    expected = torch.linalg.matrix_norm(weight @ weight.T - torch.eye(len(weight), dtype=torch.float64)) ** 2
    torch.testing.assert_close(orthogonality(weight), expected)


def test_penalty_vanishes_for_orthonormal_rows_only():
    model = build("mnist", "lr")
    with torch.no_grad():
        model.head.weight.copy_(torch.linalg.qr(model.head.weight.T).Q.T)
    assert penalty(model).item() == pytest.approx(0, abs=1e-9)
    with torch.no_grad():
        model.head.weight.mul_(2)
    assert penalty(model).item() == pytest.approx(10 * 9, rel=1e-5)  # ||4 I - I||^2 for ten rows


def test_the_penalty_of_linear_layers_leaves_the_convolutions_out():
    model = build("mnist", "cnn").double()
    of_linear = sum(orthogonality(layer.weight) for layer in model.modules() if isinstance(layer, torch.nn.Linear))
    torch.testing.assert_close(penalty(model, "linear"), of_linear)
    before = [weight.clone() for weight in weights(model)]
    retract(model, 1e-3, "linear")
    changed = [not torch.equal(a, b) for a, b in zip(weights(model), before, strict=True)]
    assert changed == [False] * 4 + [True] * 3


def test_batch_loss_is_eq_4():
    model = build("mnist", "mlp")
    x, y = batch()
    with torch.no_grad():
        model.head.weight.mul_(40)  # margins on both sides of 0 and of tau
    margins = feature_margin(model(x), model.head.bias, y).detach()
    tau = margins.max().item() / 2
    assert margins.min() < 0 < tau < margins.max()
    loss, entropy, logits = batch_loss(model, x, y, lam=0.1, tau=tau)
    expected = cross_entropy(logits, y) - 0.1 * sum(min(max(m, 0), tau) for m in margins.tolist()) / len(x)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert entropy.item() == pytest.approx(cross_entropy(logits, y).item())


def test_bias_of_the_head_stays_out_of_the_margin():
    model = build("mnist", "lr")
    x, y = batch()
    before = feature_margin(model(x), model.head.bias, y)
    with torch.no_grad():
        model.head.bias += 100 * torch.rand(10)
    torch.testing.assert_close(feature_margin(model(x), model.head.bias, y), before, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_retraction_is_a_gradient_step_on_the_penalty(layout):
    model = build("mnist", "cnn").double()
    penalty(model).backward()
    expected = [w.detach() - 0.25e-3 * w.grad for w in weights(model)]
    model = build("mnist", "cnn").double().to(memory_format=layout)
    retract(model, 1e-3)
    for found, wanted in zip(weights(model), expected, strict=True):
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("layers", ["all", "linear"])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("dataset", "name"), [("mnist", "mlp"), ("cifar10", "mlp"), ("mnist", "cnn")])
def test_gradient_of_the_penalty_is_that_of_autograd(dataset, name, layout, layers):
    ours, theirs = build(dataset, name).double().to(memory_format=layout), build(dataset, name).double()
    for parameter in [*ours.parameters(), *theirs.parameters()]:
        parameter.grad = torch.ones_like(parameter)
    add_penalty_gradient(ours, 0.5, layers)
    (0.5 * penalty(theirs, layers)).backward()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad)


@pytest.mark.parametrize("shape", [(300, 700), (700, 300)])
def test_the_penalty_in_bfloat16_is_as_near_as_its_eight_bits(shape):
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(0)) / 20
    model = torch.nn.Linear(*shape[::-1])
    model.weight.data, model.weight.grad = weight, torch.zeros(shape)
    add_penalty_gradient(model, 0.25, precision="bfloat16")
    exact = weight.double() @ weight.double().T @ weight.double() - weight.double()
    error = ((model.weight.grad - exact).norm() / exact.norm()).item()
    assert 2**-14 < error < 2**-7  # and is not float32's
    model.weight.grad.zero_()
    add_penalty_gradient(model, 0.25)
    assert ((model.weight.grad - exact).norm() / exact.norm()).item() < 2**-20


@pytest.mark.parametrize("shape", [(300, 700), (700, 300)])
def test_the_length_of_rows_is_not_rounded_to_bfloat16(shape):
    """Squared norms of 1.1025 would be rounded to 1.1016: 0.9 % of the pull would be lost."""
    before = 1.05 * torch.nn.init.orthogonal_(torch.empty(shape), generator=torch.Generator().manual_seed(0))
    model = torch.nn.Linear(*shape[::-1])
    model.weight.data = before.clone()
    retract(model, 0.5, precision="bfloat16")
    pull = (before - model.weight.detach()) / 0.5
    assert ((pull * before).sum() / before.square().sum()).item() == pytest.approx(1.05**2 - 1, rel=1e-3)


@pytest.mark.parametrize("act", [add_penalty_gradient, retract])
@pytest.mark.parametrize("slip", [{"precision": "bf16"}, {"layers": "linaer"}])
def test_a_misspelt_choice_is_not_taken_for_another(act, slip):
    model = torch.nn.Linear(3, 2)
    before = model.weight.detach().clone()
    with pytest.raises(KeyError, match=next(iter(slip.values()))):
        act(model, 0.5, **slip)
    assert torch.equal(before, model.weight)
