import copy
import warnings

import pytest
import torch
from torch import nn

from lib import parts
from lib import pullback as pulling
from lib.gradients import cross_lipschitz, cross_lipschitz_norms
from lib.models import build
from lib.pullback import is_fast, pullback

SHAPES = {"mnist": (1, 28, 28), "cifar10": (3, 32, 32)}


def network(dataset, model):
    torch.manual_seed(0)
    channels, height, width = SHAPES[dataset]
    a, b, c = (32, 64, 200) if dataset == "mnist" else (64, 128, 256)
    if model == "mlp":
        features = [nn.Flatten(), nn.Linear(channels * height * width, 1024), nn.ReLU()]
        return nn.Sequential(nn.Sequential(*features), nn.Linear(1024, 10))
    side = ((height - 4) // 2 - 4) // 2
    first = [nn.Conv2d(channels, a, 3), nn.ReLU(), nn.Conv2d(a, a, 3), nn.ReLU(), nn.MaxPool2d(2)]
    second = [nn.Conv2d(a, b, 3), nn.ReLU(), nn.Conv2d(b, b, 3), nn.ReLU(), nn.MaxPool2d(2)]
    dense = [nn.Flatten(), nn.Linear(b * side * side, c), nn.ReLU(), nn.Linear(c, c), nn.ReLU()]
    return nn.Sequential(nn.Sequential(*first, *second, *dense), nn.Linear(c, 10))


def jacobian(model, x):
    """All class gradients by autograd in float64: (n, c, ...)."""
    model, x = copy.deepcopy(model).double(), x.double().requires_grad_()
    logits = model(x)
    rows = [torch.autograd.grad(f.sum(), x, retain_graph=True)[0] for f in logits.unbind(1)]
    return torch.stack(rows, 1).detach()


def expected_norms(model, x, top):
    j = jacobian(model, x)
    return (j[torch.arange(len(x)), top][:, None] - j).flatten(2).norm(dim=2)


def assert_close(found, expected, relative):
    assert ((found - expected).abs() <= relative * expected.abs().clamp_min(1e-30)).all()


@pytest.mark.parametrize("dataset", ["mnist", "cifar10"])
@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_norms_of_the_papers_networks(dataset, model):
    model = network(dataset, model)
    x = torch.rand(4, *SHAPES[dataset])
    top = torch.tensor([0, 9, 4, 4])
    expected = expected_norms(model, x, top)
    for norms in (cross_lipschitz_norms(model, x, top), cross_lipschitz(model)(x, top)):
        assert norms.shape == (4, 10) and norms.dtype == torch.float32 and not norms.requires_grad
        assert_close(norms, expected, 2e-5)
        assert (norms[torch.arange(4), top] == 0).all()


SMALL = {
    "strides that leave rows out": ((2, 12, 11), lambda: [nn.Conv2d(2, 6, 3, stride=(2, 3)), nn.ReLU()]),
    "padding": ((3, 7, 7), lambda: [nn.Conv2d(3, 8, 3, padding=(2, 1)), nn.ReLU()]),
    "dilation": ((8, 9, 8), lambda: [nn.Conv2d(8, 6, (3, 2), dilation=2, padding=1), nn.ReLU()]),
    "few channels, all at once": ((1, 13, 12), lambda: [nn.Conv2d(1, 4, 3, stride=2, padding=2, dilation=2)]),
    "groups": ((6, 8, 8), lambda: [nn.Conv2d(6, 4, 3, groups=2, bias=False), nn.ReLU()]),
    "depthwise": ((3, 8, 8), lambda: [nn.Conv2d(3, 6, 3, groups=3, stride=2)]),
    "one by one": ((5, 6, 6), lambda: [nn.Conv2d(5, 7, 1), nn.ReLU(), nn.Conv2d(7, 5, 1)]),
    "pooling drops a row": ((2, 9, 11), lambda: [nn.Conv2d(2, 8, 3), nn.ReLU(), nn.MaxPool2d(2)]),
    "pooling before the ReLU": ((2, 9, 9), lambda: [nn.Conv2d(2, 8, 2), nn.MaxPool2d(3), nn.ReLU()]),
    "oblong windows": ((2, 9, 10), lambda: [nn.MaxPool2d((2, 3)), nn.Conv2d(2, 6, 2), nn.MaxPool2d(1)]),
    "two poolings": ((5, 16, 13), lambda: [nn.ReLU(), nn.MaxPool2d(2), nn.MaxPool2d(2), nn.ReLU()]),
    "several flattens": ((2, 4, 4), lambda: [nn.Flatten(), nn.Flatten(), nn.Linear(32, 9), nn.ReLU()]),
    "nested, wide": ((70,), lambda: [nn.Sequential(nn.Sequential(nn.Linear(70, 150), nn.ReLU()))]),
    "linear on rows": ((3, 5, 6), lambda: [nn.Linear(6, 4), nn.ReLU(), nn.Conv2d(3, 4, 2)]),
}


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", SMALL)
def test_gradients_and_norms_of_small_networks(name, seed):
    torch.manual_seed(seed)
    shape, layers = SMALL[name]
    body = nn.Sequential(*layers(), nn.Flatten())
    x, top = torch.randn(5, *shape), torch.randint(4, (5,))
    model = nn.Sequential(body, nn.Linear(body(x).shape[1], 4))
    assert is_fast(model)
    v = torch.randn(5, 3, 4)
    logits, vjp = pullback(model, x)
    j = jacobian(model, x)
    expected = torch.einsum("nkc,nc...->nk...", v.double(), j)
    assert torch.allclose(logits, model(x), rtol=1e-5, atol=1e-6)
    assert torch.allclose(vjp(v).double(), expected, rtol=1e-4, atol=1e-6)
    for norms in (cross_lipschitz_norms(model, x, top), cross_lipschitz(model)(x, top)):
        assert torch.allclose(norms.double(), expected_norms(model, x, top), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("width", [3, 40, 300])
def test_linear_model_has_the_closed_form(width):
    torch.manual_seed(width)
    head = nn.Linear(width, 6).double()
    x, top = torch.randn(7, width, dtype=torch.float64), torch.randint(6, (7,))
    expected = (head.weight[top][:, None] - head.weight).norm(dim=2).detach()
    for model in (head, nn.Sequential(head), nn.Sequential(nn.Flatten(), head)):
        for norms in (cross_lipschitz_norms(model, x, top), cross_lipschitz(model)(x, top)):
            assert norms.dtype == torch.float64
            assert torch.allclose(norms, expected, rtol=1e-12, atol=0)


def test_ties_in_a_window_pass_the_gradient_to_one_entry():
    model = nn.Sequential(nn.MaxPool2d(2), nn.Flatten())
    x = torch.zeros(2, 3, 4, 5)
    _, vjp = pullback(model, x)
    g = vjp(torch.ones(2, 1, 12))[:, 0]
    windows = g[..., :4].reshape(2, 3, 2, 2, 2, 2).transpose(3, 4).flatten(4)
    assert ((windows == 1).sum(-1) == 1).all() and ((windows == 0).sum(-1) == 3).all()
    assert (g[..., 4] == 0).all()


def test_flat_image_gives_a_valid_subgradient():
    model = network("mnist", "cnn")  # constant input: equal positive entries in each window
    x, top = torch.full((2, 1, 28, 28), 0.7), torch.tensor([1, 2])
    assert_close(cross_lipschitz_norms(model, x, top), expected_norms(model, x, top), 0.5)


def test_parts_do_not_change_the_result(monkeypatch):
    model = network("mnist", "cnn")
    x, top = torch.rand(7, 1, 28, 28), torch.arange(7)
    whole = cross_lipschitz_norms(model, x, top)
    monkeypatch.setattr(parts, "_CPU_BYTES", 3 * 10 * 4 * 32 * 26 * 26)  # three samples at a time
    assert torch.allclose(cross_lipschitz_norms(model, x, top), whole, rtol=1e-5)
    assert torch.allclose(cross_lipschitz_norms(model, x[:1], top[:1]), whole[:1], rtol=1e-5)


@pytest.mark.parametrize("dataset, model", [("mnist", "mlp"), ("mnist", "cnn")])
def test_threads_do_not_change_the_result(dataset, model):
    model = network(dataset, model)
    x, top = torch.rand(9, 1, 28, 28), torch.arange(9)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = cross_lipschitz(model)(x, top)
        torch.set_num_threads(2)
        assert_close(cross_lipschitz(model)(x, top), alone, 1e-5)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_vjp_can_be_called_again_and_leaves_its_argument_alone():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 4), nn.ReLU())
    x, v = torch.randn(3, 5), torch.randn(3, 2, 4)
    kept = v.clone()
    _, vjp = pullback(model, x)
    first = vjp(v)
    assert torch.equal(v, kept)
    assert torch.equal(vjp(v), first)
    assert torch.equal(vjp(v[:, :1].expand(3, 2, 4))[:, 1], vjp(v[:, :1])[:, 0])


def test_nothing_is_recorded_and_no_parameter_is_touched():
    model = network("mnist", "mlp")
    x = torch.rand(2, 1, 28, 28, requires_grad=True)
    logits, vjp = pullback(model, x)
    gradients_of_x = vjp(torch.ones(2, 1, 10))
    norms = cross_lipschitz(model)(x, torch.tensor([0, 1]))
    assert not (logits.requires_grad or gradients_of_x.requires_grad or norms.requires_grad)
    assert x.grad is None and all(p.grad is None and p.requires_grad for p in model.parameters())


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inner = nn.Linear(width, width)

    def forward(self, x):
        return x + torch.relu(self.inner(x))


SLOW = {
    "gelu": lambda: nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 4)),
    "batch norm": lambda: nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 4)).eval(),
    "residual": lambda: nn.Sequential(Residual(6), nn.Linear(6, 4)),
    "no sequential": lambda: Residual(6),
    "overlapping windows": lambda: nn.Sequential(
        nn.Unflatten(1, (1, 2, 3)), nn.MaxPool2d(2, stride=1), nn.Flatten(), nn.Linear(2, 4)
    ),
}


@pytest.mark.parametrize("name", SLOW)
def test_other_modules_go_through_autograd_and_say_so_once(name, monkeypatch):
    monkeypatch.setattr(pulling, "_warned", set())
    torch.manual_seed(1)
    model, x, top = SLOW[name](), torch.randn(5, 6), torch.tensor([0, 1, 2, 3, 3])
    assert not is_fast(model)
    with pytest.warns(UserWarning, match="autograd") as caught:
        norms = cross_lipschitz_norms(model, x, top)
    assert len(caught) == 1
    assert torch.allclose(norms.double(), expected_norms(model, x, top), rtol=1e-5, atol=1e-7)
    assert (norms[torch.arange(5), top] == 0).all() and not norms.requires_grad
    v = torch.randn(5, 3, norms.shape[1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        logits, vjp = pullback(model, x)
        assert torch.equal(vjp(v), vjp(v))
    expected = torch.einsum("nkc,nc...->nk...", v.double(), jacobian(model, x))
    assert torch.allclose(vjp(v).double(), expected, atol=1e-5)
    assert not logits.requires_grad and all(p.grad is None for p in model.parameters())


OTHER_OPTIONS = [
    nn.Conv2d(1, 2, 3, padding="same"),
    nn.Conv2d(1, 2, 3, padding_mode="circular", padding=1),
    nn.MaxPool2d(2, padding=1),
    nn.MaxPool2d(2, ceil_mode=True),
    nn.Flatten(2),
]


@pytest.mark.parametrize("layer", OTHER_OPTIONS)
def test_options_without_a_fast_path_are_known(layer):
    assert not is_fast(nn.Sequential(layer))


def test_fallback_equals_the_fast_path(monkeypatch):
    model, x, top = network("mnist", "cnn"), torch.rand(2, 1, 28, 28), torch.tensor([3, 5])
    fast = cross_lipschitz_norms(model, x, top)
    monkeypatch.setattr(pulling, "has_step", lambda layer: False)
    monkeypatch.setattr(pulling, "_warned", {"Conv2d"})
    assert torch.allclose(cross_lipschitz_norms(model, x, top), fast, rtol=1e-5)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError(), RuntimeError("DefaultCPUAllocator: no memory")])
def test_out_of_memory_halves_the_batch_and_says_so(error):
    sizes = []

    def compute(size, *rest):
        sizes.append(size)
        if size > 5:
            raise error
        return size, *rest

    run = parts.shrinking(compute)
    with pytest.warns(UserWarning, match=r"out of memory: going on with \d samples at once"):
        assert run(17, "x") == (4, "x")
    assert run(17) == (4,) and run(3) == (3,) and run(5) == (4,), "what did not serve is not tried again"
    assert sizes == [17, 8, 4, 4, 3, 4]
    with pytest.raises(type(error)):
        parts.shrinking(lambda size: compute(9))(1)


def test_other_errors_pass():
    def compute(size):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1"):
        parts.shrinking(compute)(8)


def test_a_cpu_without_memory_halves_the_batch_too():
    run = parts.shrinking(lambda size: torch.empty(2**58 if size > 2 else 1, dtype=torch.uint8))
    with pytest.warns(UserWarning, match="going on with 2 samples at once"):
        assert run(4).numel() == 1


def test_batches_follow_from_the_size_of_the_network():
    x = torch.rand(1, 1, 28, 28)
    mlp, cnn = build("mnist", "mlp"), build("mnist", "cnn")
    assert parts.samples_at_once(mlp, x) > parts.samples_at_once(cnn, x) >= 1
    assert parts.samples_at_once(cnn, x, directions=1) > 5 * parts.samples_at_once(cnn, x)
