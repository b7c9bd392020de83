"""Everything that takes tensors, on a simulated GPU: no mix of devices, the CPU's results, few waits of the host."""

import warnings
from collections import OrderedDict

import pytest
import torch
from torch import nn

from lib import gradients
from lib.attacks import breaking_steps, gradient_lengths, pgd_l2, robust_accuracy
from lib.ball import uniform_ball
from lib.gradients import cross_lipschitz, cross_lipschitz_norms
from lib.margins import linear_margins, margins_by_samples, sampled_margins
from lib.minimum_norm import attack_distances
from lib.models import build
from lib.parts import samples_at_once
from lib.strong_attack import withstands
from lib.training import error, train

from .simulated_gpu import simulated_gpu

pytestmark = pytest.mark.filterwarnings("ignore:GELU has no fast gradients")
NETWORKS = ("mlp", "cnn", "autograd")
METHODS = {
    "std": {},
    "lcr": {"beta": 1e-3},
    "amr": {"lam": 0.1, "beta": 1e-3, "tau": 5.0},
    "retraction": {"beta": 1e-3, "orthogonality": "retraction"},
}


@pytest.fixture
def gpu():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # tensors are small here
    with simulated_gpu(limit=4 << 30) as gpu:
        yield gpu
    torch.set_num_threads(threads)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def network(name, dtype=torch.float64):
    """A small network for images of 12 x 12, built as those of the paper; "autograd" has no fast gradients."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if name == "cnn":
            image = [nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.ReLU(), nn.MaxPool2d(2)]
            features = nn.Sequential(*image, nn.Flatten(), nn.Linear(96, 64), nn.ReLU())
        else:
            features = nn.Sequential(nn.Flatten(), nn.Linear(144, 64), nn.GELU() if name == "autograd" else nn.ReLU())
        model = nn.Sequential(OrderedDict(features=features, head=nn.Linear(64, 10)))
    return model.to(dtype).eval()


def problem(name, n, dtype=torch.float64):
    """A network, images and labels of which one is wrong: on the CPU and the same on the GPU."""
    model, x = network(name, dtype), torch.rand((n, 1, 12, 12), generator=seeded(1)).to(dtype)
    y = model(x).argmax(1)
    y[0] = (y[0] + 1) % 10
    return (model, x, y), (network(name, dtype).to("cuda"), x.to("cuda"), y.to("cuda"))


def assert_same(found, expected, **tolerance):
    assert found.is_cuda and not expected.is_cuda
    torch.testing.assert_close(found.cpu(), expected, **tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", NETWORKS)
def test_margins_and_norms(gpu, name, dtype):
    cpu, cuda = problem(name, 3, dtype)
    close = {"rtol": 1e-4 if dtype == torch.float32 else 1e-9, "atol": 0}
    counts = [5, 1024, 1100] if name == "mlp" else [5, 40]
    options = {"counts": counts, "samples": 51200, "radius": 1.0, "precision": "float32"}  # a CPU may screen else
    three = margins_by_samples(*cuda, **options, generator=seeded())
    expected = margins_by_samples(*cpu, **options, generator=seeded())
    for ours, theirs in zip(three, expected, strict=True):  # drawn, foretold, errors
        assert_same(ours.nan_to_num(-1), theirs.nan_to_num(-1), **close)
    found = three[0]
    assert torch.equal(sampled_margins(*cuda, samples=counts[-1], radius=1.0, generator=seeded()), found[-1])
    parts = sampled_margins(*cuda, samples=counts[-1], radius=1.0, generator=seeded(), batch=counts[-1] // 3)
    torch.testing.assert_close(parts, found[-1], **close)
    assert_same(cross_lipschitz_norms(*cuda), cross_lipschitz_norms(*cpu), **close)


def test_exact_margins_of_linear_models(gpu):
    (_, x, y), (_, *cuda) = problem("mlp", 5)
    weight, bias = torch.rand((10, 144), generator=seeded()), torch.rand(10, generator=seeded())
    assert_same(linear_margins(weight.to("cuda"), bias.to("cuda"), *cuda), linear_margins(weight, bias, x, y))


def test_a_seed_gives_the_same_samples_on_every_device(gpu):
    x = torch.zeros(1, 1, 4, 4)
    points = uniform_ball(50, (1, 4, 4), 2.0, seeded(), like=x.to("cuda"))
    assert points.is_cuda and torch.equal(points.cpu(), uniform_ball(50, (1, 4, 4), 2.0, seeded(), like=x))
    points = uniform_ball(50, (1, 4, 4), 2.0, torch.Generator("cuda").manual_seed(0), like=x.to("cuda"))
    assert points.is_cuda


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_draw_the_samples_of_several_points(gpu, threads):
    (model, x, y), cuda = problem("mlp", 4)
    rule, done = {"samples": 2500, "radius": 1.0}, []
    expected = sampled_margins(model, x, y, generator=seeded(), **rule)
    torch.set_num_threads(threads)
    found = sampled_margins(*cuda, generator=seeded(), progress=lambda *at: done.append(at), **rule)
    assert_same(found, expected, rtol=1e-9, atol=0)
    assert done == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("loss", ["cross_entropy", "margin"])
def test_attacks(gpu, name, loss):
    cpu, cuda = problem(name, 6)
    rule, told = {"step": 0.04, "iterations": 8, "loss": loss}, []
    assert_same(pgd_l2(*cuda, eps=0.2, **rule), pgd_l2(*cpu, eps=0.2, **rule))
    for batch in (None, 4):
        steps = breaking_steps(*cuda, eps=(0.0, 0.05, 0.3), batch=batch, progress=lambda *at: told.append(at), **rule)
        assert not steps.is_cuda and torch.equal(steps, breaking_steps(*cpu, eps=(0.0, 0.05, 0.3), batch=batch, **rule))
        assert told[-1] == (18, 18)
    shares = robust_accuracy(*cuda, eps=(0.0, 0.2), gradient_floor=1e-3, averaged_over=4, **rule)
    assert shares == robust_accuracy(*cpu, eps=(0.0, 0.2), gradient_floor=1e-3, averaged_over=4, **rule)
    assert_same(gradient_lengths(*cuda, loss=loss, batch=4), gradient_lengths(*cpu, loss=loss, batch=4))


@pytest.mark.parametrize("name", NETWORKS)
def test_brackets_and_the_strong_attack(gpu, name):
    cpu, cuda = problem(name, 6)
    for bounds in (None, (0, 1)):
        rule = {"steps": 3, "batch": 4, "bounds": bounds}
        assert_same(attack_distances(*cuda[:2], **rule), attack_distances(*cpu[:2], **rule), rtol=1e-6, atol=0)
    rule = {"eps": (0.0, 0.1, 0.3), "step": 0.05, "iterations": 6, "steps": 3}
    held = withstands(*cuda, **rule)
    assert not held.is_cuda and torch.equal(held, withstands(*cpu, **rule))


def images(device, n=96):
    x, y = torch.rand((n, 1, 12, 12), generator=seeded(2)), torch.randint(10, (n,), generator=seeded(3))
    return [t.to(device) for t in (x.double(), y, x[:40].double(), y[:40])]


def trained(name, device, **settings):
    """A network after training and the (record, state) of its epochs; the data come from the CPU, as from a file."""
    model = network(name).to(device)
    return model, list(train(model, *images("cpu"), batch_size=32, **settings))


@pytest.mark.parametrize("name", ["mlp", "cnn"])
@pytest.mark.parametrize("method", METHODS)
def test_training_and_going_on(gpu, name, method):
    model, epochs = trained(name, "cpu", epochs=2, **METHODS[method])
    on_gpu, found = trained(name, "cuda", epochs=2, **METHODS[method])
    for parameter, expected in zip(on_gpu.parameters(), model.parameters(), strict=True):
        assert_same(parameter.detach(), expected.detach(), rtol=1e-6, atol=1e-9)
    assert [r[2:4] for r, _ in found] == [r[2:4] for r, _ in epochs]
    (_, state), *_ = trained(name, "cuda", epochs=1, **METHODS[method])[1]
    state = {key: tensor.cpu().contiguous() for key, tensor in state.items()}
    resumed, _ = trained(name, "cuda", epochs=2, resume=state, **METHODS[method])
    assert all(torch.equal(a.cpu(), b.cpu()) for a, b in zip(resumed.parameters(), on_gpu.parameters(), strict=True))
    x, y = images("cuda")[:2]
    assert error(on_gpu, x, y) == error(model, *images("cpu")[:2])


def crowd(gpu, work, share):
    """Leave only a share of the memory that `work` takes, as another program might; returns what takes the rest."""
    before = gpu.peak = gpu.held
    work()
    return torch.empty(gpu.limit - before - int(share * (gpu.peak - before)), dtype=torch.uint8, device="cuda")


@pytest.mark.parametrize("name", NETWORKS)
def test_margins_where_memory_runs_out(gpu, name):
    (model, x, y), cuda = problem(name, 1)
    rule = {"samples": 2048, "radius": 1.0}
    share = 0.9 if name == "autograd" else 0.7  # which keeps few gradients beside the samples themselves
    other = crowd(gpu, lambda: sampled_margins(*cuda, generator=seeded(), **rule), share)
    with pytest.warns(UserWarning, match="out of memory: going on with") as caught:
        found = sampled_margins(*cuda, generator=seeded(), **rule)
    said = [str(warning.message) for warning in caught]
    assert len(set(said)) == len(said) and other.is_cuda, "a size that was too large was tried again"
    assert_same(found, sampled_margins(model, x, y, generator=seeded(), **rule), rtol=1e-9, atol=0)


@pytest.mark.parametrize("name", NETWORKS)
def test_attacks_where_memory_runs_out(gpu, name):
    (model, x, y), cuda = problem(name, 64)
    rule = {"eps": (0.0, 0.05, 0.3), "step": 0.05, "iterations": 6}
    other = crowd(gpu, lambda: breaking_steps(*cuda, **rule), 0.7)
    with pytest.warns(UserWarning, match="out of memory: going on with 32 samples at once"):
        steps = breaking_steps(*cuda, **rule)
    assert torch.equal(steps, breaking_steps(model, x, y, **rule)) and other.is_cuda


def test_too_little_memory_for_one_sample_is_an_error(gpu):
    _, (model, x, y) = problem("mlp", 2)
    other = crowd(gpu, lambda: cross_lipschitz_norms(model, x[:1], y[:1]), 0.5)
    with pytest.raises(torch.OutOfMemoryError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cross_lipschitz_norms(model, x, y)
    assert other.is_cuda


@pytest.mark.parametrize("dataset", ["mnist", "cifar10"])
@pytest.mark.parametrize("name", ["lr", "mlp", "cnn"])
def test_memory_is_counted_for_what_a_sample_takes(gpu, dataset, name):
    x = torch.rand((8, *((1, 28, 28) if dataset == "mnist" else (3, 32, 32))), generator=seeded()).to("cuda")
    model = build(dataset, name).requires_grad_(False).to("cuda")
    y = model(x).argmax(1)
    norms = cross_lipschitz(model)
    jobs = {None: lambda: norms(x, y), 1: lambda: breaking_steps(model, x, y, eps=[2e-4], step=1e-4, iterations=2)}
    for directions, job in jobs.items():
        before = gpu.peak = gpu.held
        job()
        taken = (gpu.peak - before) / len(x)
        assert taken * samples_at_once(model, x, directions=directions) < 0.35 * gpu.limit
        if name == "cnn":
            assert taken * samples_at_once(model, x, directions=directions) > 0.1 * gpu.limit


def waits(gpu, work):
    gpu.waits.clear()
    work()
    return sum(gpu.waits.values())


def test_margins_make_the_host_wait_only_at_the_start(gpu, monkeypatch):
    asked = []
    monkeypatch.setattr(gradients, "samples_at_once", lambda *at: asked.append(1) or samples_at_once(*at))
    for name in NETWORKS:
        _, cuda = problem(name, 1, torch.float32)
        few, many = (
            waits(gpu, lambda n=n, cuda=cuda: sampled_margins(*cuda, samples=n, generator=seeded(), batch=512))
            for n in (1024, 2048)
        )
        assert few == many <= 21  # the last: is the radius lost to the rounding of x?
    assert len(asked) == 6  # once an estimate


@pytest.mark.filterwarnings("ignore:.* cannot reach eps")
@pytest.mark.parametrize("name", NETWORKS)
def test_a_step_of_an_attack_makes_the_host_wait_once(gpu, name):
    (model, x, y), cuda = problem(name, 6)
    rule = {"step": 1e-4, "eps": (0.5, 5.0)}  # no point breaks or meets a radius
    assert waits(gpu, lambda: breaking_steps(*cuda, iterations=10, **rule)) <= 10 + 25
    assert waits(gpu, lambda: breaking_steps(*cuda, iterations=30, **rule)) <= 30 + 25
    leaving = breaking_steps(model, x, y, eps=(0.05, 0.3), step=0.02, iterations=20).unique().numel()
    assert waits(gpu, lambda: breaking_steps(*cuda, eps=(0.05, 0.3), step=0.02, iterations=20)) <= 41 + leaving + 25


def test_distances_make_the_host_wait_only_at_the_start(gpu):
    _, (model, x, _) = problem("mlp", 4)
    few, many = (waits(gpu, lambda n=n: attack_distances(model, x, steps=n, bounds=(0, 1))) for n in (3, 9))
    assert few == many <= 16


@pytest.mark.parametrize("method", METHODS)
def test_training_makes_the_host_wait_once_an_epoch(gpu, method):
    model, rule = network("mlp").to("cuda"), {"epochs": 1, **METHODS[method]}
    data = images("cuda")
    few, many = (waits(gpu, lambda n=n: list(train(model, *data, batch_size=n, **rule))) for n in (96, 8))
    assert few == many <= 12
