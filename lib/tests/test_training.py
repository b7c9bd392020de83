import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from lib.models import build
from lib.objectives import batch_loss, penalty
from lib.training import error, train


def digits(n=300, classes=10, seed=0):
    """Noisy copies of one random image a class: easy to learn."""
    generator = torch.Generator().manual_seed(seed)
    prototypes = torch.rand((classes, 1, 28, 28), generator=torch.Generator().manual_seed(99))
    y = torch.arange(n) % classes
    x = (prototypes[y] + 0.1 * torch.randn((n, 1, 28, 28), generator=generator)).clamp(0, 1)
    return x, y


def run(model, epochs, *, resume=None, **settings):
    dtype = next(model.parameters()).dtype
    (x, y), (x_test, y_test) = digits(), digits(100, seed=1)
    images = x.to(dtype), y, x_test.to(dtype), y_test
    return list(train(model, *images, epochs=epochs, resume=resume, batch_size=32, **settings))


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


AMR = {"lam": 0.1, "beta": 1e-3, "tau": 5.0}
EIGHT_BITS = {"beta": 1e-2, "precision": "bfloat16"}


@pytest.mark.parametrize(("name", "settings"), [("mlp", {}), ("mlp", {"beta": 1e-3}), ("mlp", AMR), ("cnn", AMR)])
def test_loop_is_the_textbook_one(name, settings):
    """The same steps, written with a plain loop, agree to rounding (in float64: a CNN amplifies it)."""
    x, y = digits()
    x, ours, plain = x.double(), build("mnist", name, seed=1).double(), build("mnist", name, seed=1).double()
    records = run(ours, 2, seed=4, **settings)
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.01, momentum=0.9, nesterov=True)
    order = torch.Generator().manual_seed(4)
    for _ in range(2):
        sampler = torch.randperm(len(x), generator=order).tolist()
        for a, b in DataLoader(TensorDataset(x, y), batch_size=32, sampler=sampler):
            loss, _, _ = batch_loss(plain, a, b, lam=settings.get("lam", 0), tau=settings.get("tau", 5.0))
            loss = loss + settings.get("beta", 0) * penalty(plain)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    torch.testing.assert_close(weights(ours), weights(plain), rtol=1e-9, atol=1e-12)
    a, b = digits(100, seed=1)
    assert records[-1][0].test_error == pytest.approx(100 * (plain(a.double()).argmax(1) != b).float().mean().item())


def test_learns_and_reports():
    records = [record for record, _ in run(build("mnist", "mlp"), 5)]
    assert [r.epoch for r in records] == [1, 2, 3, 4, 5]
    assert records[-1].train_loss < records[0].train_loss
    assert records[-1].train_error < 5 and records[-1].test_error < 5


def test_same_seed_same_bits_other_seed_other_order():
    one, same, other = (build("mnist", "cnn") for _ in range(3))
    for model, seed in ((one, 1), (same, 1), (other, 2)):
        run(model, 1, seed=seed)
    assert torch.equal(weights(one), weights(same))
    assert not torch.equal(weights(one), weights(other))


@pytest.mark.parametrize(("name", "method"), [("mlp", {}), ("mlp", AMR), ("cnn", AMR), ("mlp", EIGHT_BITS)])
def test_resumed_run_has_the_same_bits(name, method):
    whole, parts = build("mnist", name), build("mnist", name)
    expected = run(whole, 3, **method)
    state = {key: tensor.contiguous().clone() for key, tensor in run(parts, 2, **method)[-1][1].items()}
    fresh = build("mnist", name, seed=9)
    found = run(fresh, 3, resume=state, **method)
    assert torch.equal(weights(whole), weights(fresh))
    assert [r[:4] for r, _ in found] == [r[:4] for r, _ in expected[2:]]


def test_methods_differ_as_they_should():
    std, lcr, retracted = (build("mnist", "mlp") for _ in range(3))
    run(std, 3)
    run(lcr, 3, beta=0.1)
    run(retracted, 3, beta=1e-2, orthogonality="retraction")
    assert penalty(lcr) < 0.9 * penalty(std)
    assert penalty(retracted) < 0.9 * penalty(std)


@pytest.mark.parametrize("orthogonality", ["penalty", "retraction"])
def test_bfloat16_trains_nearly_the_same_network(orthogonality):
    one, other, none = (build("mnist", "mlp") for _ in range(3))
    run(one, 2, beta=1e-2, orthogonality=orthogonality)
    run(other, 2, orthogonality=orthogonality, **EIGHT_BITS)
    run(none, 2)
    rounding, effect = ((weights(one) - weights(model)).norm() for model in (other, none))
    assert 1e-4 * effect < rounding < 1e-2 * effect


def test_divergence_names_the_epoch():
    with pytest.raises(FloatingPointError, match=r"diverged.*epoch \d"):
        run(build("mnist", "mlp"), 3, learning_rate=1e6)


def test_a_last_step_that_leaves_no_finite_weights_is_named():
    x, y = digits()
    with pytest.raises(FloatingPointError, match=r"diverged: in epoch 1 the loss \(2\..*\) or a weight"):
        list(train(build("mnist", "lr"), x, y, x, y, epochs=1, batch_size=len(x), learning_rate=1e39))


def test_error_counts_in_percent():
    model = build("mnist", "lr")
    x, _ = digits(50)
    assert error(model, x, model(x).argmax(1)) == 0.0
    assert error(model, x, (model(x).argmax(1) + 1) % 10) == 100.0


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("orthogonality", "choose penalty or retraction"),
        ("layers", "choose all or linear"),
        ("precision", "choose float32 or bfloat16"),
        ("gradient", "choose batch or all"),
    ],
)
def test_unknown_choices(name, match):
    with pytest.raises(ValueError, match=f"{name} is 'both': {match}"):
        run(build("mnist", "lr"), 1, **{name: "both"})


def test_a_gradient_of_all_images_is_gradient_descent_with_as_many_steps():
    x, y = digits(100, classes=2)
    x, ours, plain = x.double(), build("mnist01", "lr").double(), build("mnist01", "lr").double()
    settings = {"batch_size": 32, "momentum": 0.0, "learning_rate": 0.02, "gradient": "all"}
    epochs = [epoch for epoch, _ in train(ours, x, y, x, y, epochs=3, **settings)]
    losses = []
    for _ in range(3 * 4):  # 100 images make four batches of at most 32
        loss = cross_entropy(plain(x), y)
        loss.backward()
        losses.append(loss.item())
        with torch.no_grad():
            for parameter in plain.parameters():
                parameter -= 0.02 * parameter.grad
                parameter.grad = None
    torch.testing.assert_close(weights(ours), weights(plain), rtol=1e-10, atol=1e-12)
    assert [epoch.train_loss for epoch in epochs] == pytest.approx([sum(losses[i : i + 4]) / 4 for i in (0, 4, 8)])


def test_one_logit_is_two_at_half_the_step():
    """Logistic regression with one logit w = w_1 - w_0, by hand: two logits at half the learning rate move w alike."""
    x, y = digits(100, classes=2)
    x, two = x.double(), build("mnist01", "lr").double()
    settings = {"momentum": 0.9, "gradient": "all", "batch_size": 10}
    w = (two.head.weight[1] - two.head.weight[0]).detach().requires_grad_()
    b = (two.head.bias[1] - two.head.bias[0]).detach().requires_grad_()
    list(train(two, x, y, x, y, epochs=2, learning_rate=0.01, **settings))
    optimizer = torch.optim.SGD([w, b], lr=0.02, momentum=0.9, nesterov=True)
    for _ in range(20):
        optimizer.zero_grad()
        binary_cross_entropy_with_logits(x.flatten(1) @ w + b, y.double()).backward()
        optimizer.step()
    torch.testing.assert_close(w, two.head.weight[1] - two.head.weight[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("resumed", [False, True])
def test_dropout_follows_the_seed_and_the_epoch_and_leaves_the_random_state(resumed):
    one, other = (build("mnist", "cnn", dropout=0.5) for _ in range(2))
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    first = run(one, 2, seed=5)
    assert torch.equal(torch.rand(3), expected)
    if resumed:
        state = {key: tensor.contiguous().clone() for key, tensor in run(other, 1, seed=5)[-1][1].items()}
        other = build("mnist", "cnn", dropout=0.5, seed=3)
        run(other, 2, seed=5, resume=state)
    else:
        run(other, 2, seed=5)
    assert torch.equal(weights(one), weights(other))
    assert first[0][0].train_loss != run(build("mnist", "cnn"), 1, seed=5)[0][0].train_loss
