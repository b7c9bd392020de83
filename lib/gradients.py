"""Norms of the class gradients of a classifier, for all classes of a batch at once: the heart of the margin estimate."""

import math
import warnings

import torch
import torch.nn.functional as F
from torch import nn

_CHUNK_BYTES = 16 << 20  # of backward activations at a time on a CPU: they stay in the cache
_warned = set()  # the module types that were already reported as slow


def is_fast(model):
    """Whether `model` is a Sequential of layers that the fast path knows; every other module goes through autograd."""
    return isinstance(model, nn.Sequential) and all(_known(layer) for layer in _flat(model))


def pullback(model, x):
    """Logits (n, c) at x (n, ...), and a function that maps v (n, k, c) to the gradients of sum_c v f_c, (n, k, ...)."""
    if not is_fast(model):
        return _autograd_pullback(model, x)
    steps = []
    with torch.no_grad():
        z = x
        for layer in _flat(model):
            z, back = _step(layer, z)
            steps.append(back)

    def vjp(v):
        n, k = v.shape[:2]
        with torch.no_grad():
            g = v
            for back in reversed(steps):
                g = back(g)
        return g.reshape(n, k, *x.shape[1:])

    return z, vjp


def cross_lipschitz_norms(model, x, top):
    """Norms ||grad(f_top - f_k)||_2, (n, c), at the points x (n, ...) for the classes top (n,); 0 where k = top."""
    return cross_lipschitz(model)(x, top)


def cross_lipschitz(model):
    """The function (x, top) -> norms of cross_lipschitz_norms, which pays once for what depends on the model alone."""

    def norms(x, top):
        return torch.cat([part(*rows) for rows in zip(x.split(16), top.split(16), strict=True)])

    def part(x, top):
        logits, vjp = pullback(model, x)
        n, c = logits.shape
        others = torch.arange(c - 1, device=x.device)
        others = others + (others >= top[:, None])  # (n, c - 1): every class but top
        v = F.one_hot(top, c)[:, None] - F.one_hot(others, c)  # (n, c - 1, c)
        g = vjp(v.to(logits.dtype))
        return logits.new_zeros(n, c).scatter(1, others, torch.linalg.vector_norm(g.flatten(2), dim=2))

    return norms


def _flat(model):
    for layer in model:
        if isinstance(layer, nn.Sequential):
            yield from _flat(layer)
        else:
            yield layer


def _known(layer):
    kind = type(layer)
    if kind is nn.Conv2d:
        return layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    if kind is nn.MaxPool2d:
        window = [layer.kernel_size, layer.stride]
        return all(w in (2, (2, 2)) for w in window) and layer.padding in (0, (0, 0)) and (
            layer.dilation in (1, (1, 1)) and not layer.ceil_mode and not layer.return_indices)
    if kind is nn.Flatten:
        return layer.start_dim == 1 and layer.end_dim == -1
    return kind in (nn.Linear, nn.ReLU)


def _step(layer, x):
    """The layer's output at x, and the function that maps gradients (n, k, *output) to (n, k, *input)."""
    y = layer(x)
    match layer:
        case nn.Linear():
            return y, lambda g: g @ layer.weight
        case nn.ReLU():
            mask = (y > 0).to(y.dtype)[:, None]
            return y, lambda g: g * mask
        case nn.Flatten():
            return y, lambda g: g.reshape(*g.shape[:2], *x.shape[1:])
        case nn.MaxPool2d():
            return y, _pool_back(x, y)
        case nn.Conv2d():
            return y, _conv_back(layer, x, y)


def _pool_back(x, y):
    n, c, h, w = y.shape
    windows = x[..., : 2 * h, : 2 * w].reshape(n, c, h, 2, w, 2).transpose(3, 4).reshape(n, c, h, w, 4)
    mask = F.one_hot(windows.argmax(-1), 4).to(y.dtype)
    mask = mask.reshape(n, 1, c, h, w, 2, 2).transpose(4, 5)  # (n, 1, c, h, 2, w, 2): one entry a window
    rest = (0, x.shape[3] - 2 * w, 0, x.shape[2] - 2 * h)

    def back(g):
        out = (g.reshape(n, -1, c, h, 1, w, 1) * mask).reshape(n, -1, c, 2 * h, 2 * w)
        return F.pad(out, rest) if any(rest) else out

    return back


def _conv_back(layer, x, y):
    def back(g):
        out = torch.nn.grad.conv2d_input(
            (g.shape[0] * g.shape[1], *x.shape[1:]), layer.weight, g.flatten(0, 1),
            layer.stride, layer.padding, layer.dilation, layer.groups)
        return out.unflatten(0, g.shape[:2])

    return back


def _autograd_pullback(model, x):
    if type(model) not in _warned:
        _warned.add(type(model))
        warnings.warn(f"{type(model).__name__} has layers the fast path does not know: autograd does it, slower",
                      stacklevel=3)
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        logits = model(x)

    def vjp(v):
        g = [torch.autograd.grad(logits, x, v[:, j], retain_graph=True)[0] for j in range(v.shape[1])]
        return torch.stack(g, 1)

    return logits.detach(), vjp
