"""Rates of an H100 by a model, not a measurement: what the simulated GPU counts, over rates of such a card.

A step takes the longer of two: its launches, one after the other, and its work: products and convolutions at their
rates, and whatever other kernels read and write at the memory's. Work grows with the size of a batch as a straight
line, so it is counted at two small sizes, on untrained networks. A margin's samples are drawn on the CPU meanwhile, by
eight threads at the rate of this machine's: where that takes longer, it counts. Left out: start-up, waits of the host,
uploads, and how well kernels fill the card. The rates are round numbers for float32 without TF32, not measured here.
"""

from collections import Counter
from time import perf_counter

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from lib.attacks import breaking_steps
from lib.ball import uniform_ball
from lib.margins import BLOCK, sampled_margins
from lib.models import CLASSES, SHAPES, build
from lib.tests.simulated_gpu import NO_KERNEL, simulated_gpu
from lib.training import train
from report.settings import objective_of

NAME = "H100"
RATES = {"products": 45e12, "convolutions": 40e12, "bytes": 2.5e12}  # operations and bytes a second
LAUNCH = 8e-6  # seconds
SMALL = (32, 64)  # sizes at which work is counted; an extrapolated margin needs 20 draws
CLASS_GRADIENTS = 9  # of a sample
DRAWING_THREADS = 8  # as rules/common.smk gives a margin job on a GPU


class Count(TorchDispatchMode):
    """Counts, inside `simulated_gpu`, launches, operations of products and of convolutions, bytes of other kernels."""

    def __init__(self):
        super().__init__()
        self.found = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs, name = kwargs or {}, func.overloadpacket
        result = func(*args, **kwargs)
        tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, torch.Tensor)]
        on_gpu = [t for t in tensors if t.is_cuda]
        if not on_gpu or func.is_view or name in NO_KERNEL:
            return result
        self.found["launches"] += 1
        if name in flop_registry:
            kind = "convolutions" if "convolution" in name.__name__ else "products"
            self.found[kind] += flop_registry[name](*args, **kwargs, out_val=result)
        else:
            self.found["bytes"] += sum(t.numel() * t.element_size() for t in on_gpu)
        return result


def counted(dataset, model_name, run):
    """Return {launches, products, convolutions, bytes} of run(model, device) for an untrained network."""
    model = build(dataset, model_name)
    with simulated_gpu(), Count() as count:
        model = model.to("cuda")
        count.found.clear()
        run(model, torch.device("cuda"))
    return count.found


def block(dataset, model_name, size, samples=None):
    """Return the counts of one block of `size` draws of a sampled margin, extrapolated to `samples` if given."""

    def margins(points):
        def run(model, device):
            x, y = _images(dataset, points, device)
            draws = {"samples": samples or size, "drawn": size, "radius": 100.0}  # no margin is so large
            draws["generator"] = torch.Generator().manual_seed(0)
            sampled_margins(model.eval().requires_grad_(False), x, y, **draws)

        return counted(dataset, model_name, run)

    return _less(margins(2), margins(1))  # what is done once for all points goes


def attack_step(dataset, model_name, size):
    """Return the counts of one step of PGD on `size` images of which none breaks."""

    def steps(number):
        def run(model, device):
            model.eval().requires_grad_(False)
            x, _ = _images(dataset, size, device)
            breaking_steps(model, x, model(x).argmax(1), eps=[1.0], step=1e-6, iterations=number)

        return counted(dataset, model_name, run)

    return _less(steps(2), steps(1))


def training_step(dataset, model_name, size, **settings):
    """Return the counts of one step of training on a batch of `size` images."""

    def batches(number):
        def run(model, device):
            x, y = _images(dataset, number * size, device)
            list(train(model, x, y, x[:1], y[:1], epochs=1, batch_size=size, **settings))

        return counted(dataset, model_name, run)

    return _less(batches(3), batches(2))  # the optimizer's first step is another


def seconds(step, size):
    """Return (seconds, launches) of a step on a batch of `size`; step(size) counts it at a small size."""
    small, large = (step(n) for n in SMALL)
    slope = (size - SMALL[1]) / (SMALL[1] - SMALL[0])
    work = sum((large[kind] + slope * (large[kind] - small[kind])) / rate for kind, rate in RATES.items())
    return max(work, LAUNCH * large["launches"]), large["launches"]


def margin_rates(cases, samples=None):
    """Return {case: class gradients a second} in blocks of 1,024, extrapolated to `samples` if given."""
    found = {}
    for case in cases:
        on_card, _ = seconds(lambda n, case=case: block(*case, n, samples), BLOCK)
        found[case] = CLASS_GRADIENTS * BLOCK / max(on_card, drawing(case[0]) / DRAWING_THREADS)
    return found


def drawing(dataset):
    """Return the seconds in which one thread of this machine draws a block of samples, the least of ten runs."""
    generator, times = torch.Generator().manual_seed(0), []
    for _ in range(10):
        start = perf_counter()
        uniform_ball(BLOCK, SHAPES[dataset], 1.0, generator, like=torch.empty(0))
        times.append(perf_counter() - start)
    return min(times)


def step_rates(cases, images):
    """Return {case: attack steps a second} where so many images are attacked at once."""
    return {case: images / seconds(lambda n, c=case: attack_step(*c, n), images)[0] for case in cases}


def training_rates(config):
    """Return {(dataset, model, method): images a second}."""
    found = {}
    for dataset, models in config["runs"].items():
        for model, methods in models.items():
            batch = config["training"]["batch_size"][model]
            for method in methods:
                settings = objective_of(config, dataset, model, method)
                spent, _ = seconds(lambda n, d=dataset, m=model, s=settings: training_step(d, m, n, **s), batch)
                found[dataset, model, method] = batch / spent
    return found


def _images(dataset, n, device):
    generator = torch.Generator().manual_seed(0)
    x = torch.rand((n, *SHAPES[dataset]), generator=generator)
    return x.to(device), torch.arange(n).remainder(CLASSES[dataset]).to(device)


def _less(more, less):
    return {kind: more[kind] - less[kind] for kind in ("launches", *RATES)}
