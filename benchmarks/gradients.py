"""Class gradients: ours, a loop over the classes, batched autograd, and the CLEVER score of ART.

One class gradient is the gradient of f_top - f_k at one sample for one class k != top: a sample has 9. Its
floating-point operations are counted as those of a plain backward pass of one direction: 2 x out x in for a
linear layer, 2 x (pixels out) x (channels out) x (channels in) x 9 for a 3 x 3 convolution, nothing for the
rest. The forward pass is timed and not counted; nor is it subtracted that the triangular factor of the first
linear layer does less, so that an MLP's share of the matrix product can exceed 100 %.
Ours are the largest norms as margins take them: looked for in bfloat16 where the processor is faster so, and then
float32 alone stands beside it.
"""

import torch
from torch import nn

from lib.backward import layers_of
from lib.ball import uniform_ball
from lib.gradients import cross_lipschitz
from lib.models import SHAPES, build
from lib.screen import is_screened, largest_first
from report.results import MODELS, OFFICIAL

from .timing import OURS, fastest, measure, not_installed, peer, rates

CASES = {("mnist", "mlp"): 1024, ("mnist", "cnn"): 128, ("cifar10", "mlp"): 512, ("cifar10", "cnn"): 32}
SAMPLES_ON_GPU = 1024  # the block of lib.margins; on a CPU the cases' samples for each thread
FLOAT32 = "ours, float32"
LOOP, BATCHED, ART, ART_TUNED = "loop over classes", "batched autograd", "ART clever_u", "ART clever_u, tuned"
BATCHES = (4, 16, 64, 256, 1024)  # of which each other method gets its fastest
RADIUS, TOP = 5.0, 3  # all samples around a point share the predicted class
POOL, POOL_TUNED = 10, 64  # samples that ART differentiates at once: its default, and our choice for it


def compare(dataset, model_name, device, scale, seconds, clock, products):
    """Return (rows, {OURS, FLOAT32: class gradients per second of ours with the samples drawn}), network untrained.

    The first item are gradients alone, at the same samples; the second the samples' drawing as well, as in ART.
    products: {precision: GFLOP/s} of the machine. Raises RuntimeError where the methods disagree.
    """
    name = f"{OFFICIAL[dataset]} {MODELS[model_name]}"
    model = build(dataset, model_name).to(device).eval().requires_grad_(False)
    n = CASES[dataset, model_name] * torch.get_num_threads() if device.type == "cpu" else SAMPLES_ON_GPU
    n = max(4, int(n * scale))
    generator = torch.Generator(device).manual_seed(0)
    center = torch.rand(SHAPES[dataset], generator=generator, device=device)
    x = center + uniform_ball(n, center.shape, RADIUS, generator, like=center)
    screened, top, so_far = is_screened(model, x), torch.full((n,), TOP, device=device), x.new_zeros(10)
    largest, norms_at = largest_first(model, x), cross_lipschitz(model)
    methods = {OURS: lambda: largest(x, top, so_far, [n - 1])}
    methods |= {FLOAT32: lambda: norms_at(x, top)} if screened else {}
    notes = {}
    for method, function in ((LOOP, one_by_one), (BATCHED, batched)):
        runs = {size: in_parts(function, model, x, size) for size in BATCHES if size == BATCHES[0] or size < 2 * n}
        size = fastest(runs, clock)
        methods[method], notes[method] = runs[size], f"; {size} samples at once, the fastest of {[*runs]}"
    _agree(name, methods, 1e-3 if device.type == "cpu" else 1e-2)  # a GPU convolves in TF32
    times = measure(methods, seconds, clock)
    flops, work = 1e-9 * backward_flops(model, x[:1]), dict.fromkeys(methods, 9 * n)
    targets = {LOOP: (">=", 2.5 if screened else 1.8 if model_name == "cnn" else 1.15)}
    gradients = rates(f"class gradients, {name}", times, work, "gradients/s", targets=targets)
    for found in gradients:
        found["note"] = _arithmetic(found["value"] * flops, products) + notes.get(found["method"], "")

    def samples():
        return center + uniform_ball(n, center.shape, RADIUS, generator, like=center)

    ours = {OURS: lambda: largest(samples(), top, so_far, [n - 1])}
    ours |= {FLOAT32: lambda: norms_at(samples(), top)} if screened else {}
    drawn = _beside_art(f"samples and class gradients, {name}", model, center, ours, n, seconds, clock)
    speed = {found["method"]: found["value"] for found in drawn}
    return gradients + drawn, {method: speed.get(method, speed[OURS]) for method in (OURS, FLOAT32)}


def one_by_one(model, x):
    """Norms (n, 9) by one forward pass and a backward pass for each class."""
    x = x.detach().requires_grad_()
    logits = model(x)
    others = [k for k in range(logits.shape[1]) if k != TOP]
    columns = []
    for k in others:
        gap = (logits[:, TOP] - logits[:, k]).sum()
        (g,) = torch.autograd.grad(gap, x, retain_graph=k != others[-1])
        columns.append(g.flatten(1).norm(dim=1))
    return torch.stack(columns, 1)


def batched(model, x):
    """Norms (n, 9) by one forward pass and one backward pass that is vectorised over the classes."""
    x = x.detach().requires_grad_()
    logits = model(x)
    unit = torch.eye(logits.shape[1], device=x.device)
    v = torch.stack([unit[TOP] - unit[k] for k in range(len(unit)) if k != TOP])  # (9, c)
    v = v[:, None].expand(-1, len(x), -1)
    (g,) = torch.autograd.grad(logits, x, v, is_grads_batched=True)
    return g.flatten(2).norm(dim=2).T


def in_parts(function, model, x, size):
    return lambda: torch.cat([function(model, part) for part in x.split(size)])


@torch.no_grad()
def backward_flops(model, x):
    """Return the floating-point operations of one class gradient; x (1, ...) gives the shapes."""
    total = 0
    for layer in layers_of(model):
        x = layer(x)
        if isinstance(layer, nn.Linear):
            total += 2 * layer.weight.numel()
        elif isinstance(layer, nn.Conv2d):
            total += 2 * layer.weight.numel() * x.shape[2] * x.shape[3]
    return total


def _beside_art(item, model, center, ours, n, seconds, clock):
    """Rows of ours, {name: function}, and of ART's clever_u at one point, in class gradients a second, samples drawn.

    Ours leaves out the triangular factor (below a second), which is computed once for all points of a network.
    For each of the 9 classes ART draws pool_factor x batch_size samples of its own and computes the gradients of
    f_top and of f_k at each: two backward passes and two forward passes, which count as one class gradient, since
    one norm comes of them. Its Weibull fits are timed too: about a tenth at this size, nothing at 51,200 samples.
    """
    targets = {ART: (">=", 15), ART_TUNED: (">=", 15)}
    methods, work, notes = dict(ours), dict.fromkeys(ours, 9 * n), {}
    if not peer("art"):
        times = measure(methods, seconds, clock)
        left_out = [not_installed(item, method, "adversarial-robustness-toolbox", targets) for method in targets]
        return rates(item, times, work, "gradients/s") + left_out
    from art.estimators.classification import PyTorchClassifier
    from art.metrics import clever_u

    kind = "gpu" if center.is_cuda else "cpu"
    classifier = PyTorchClassifier(model, nn.CrossEntropyLoss(), tuple(center.shape), 10, device_type=kind)
    point = center.cpu().numpy()
    for method, pool in ((ART, POOL), (ART_TUNED, POOL_TUNED)):
        count = max(1, n // pool)

        def score(count=count, pool=pool):
            return clever_u(classifier, point, 10, count, RADIUS, norm=2, pool_factor=pool, verbose=False)

        methods[method], work[method] = score, 9 * count * pool
        notes[method] = f"pool_factor {pool}, {count * pool} samples for each class"
    return rates(item, measure(methods, seconds, clock), work, "gradients/s", targets=targets, notes=notes)


def _agree(name, methods, tolerance):
    """In the largest norm of each class: of those that are screened the others are only about right."""
    largest = {}
    for method, run in methods.items():
        norms = run()
        largest[method] = norms.amax(0)[[k for k in range(10) if k != TOP] if norms.shape[1] == 10 else slice(None)]
    ours = largest.pop(OURS)
    for method, found in largest.items():
        error = ((found - ours).abs() / ours).max().item()
        if not error < tolerance:
            raise RuntimeError(f"{name}: {method} differs from ours by {error:.1e}, one of them is wrong")


def _arithmetic(gflops, products):
    shares = [f"{100 * gflops / rate:.0f} % of the {kind} matrix product" for kind, rate in products.items()]
    return f"{gflops:.3g} GFLOP/s, {', '.join(shares)}"
