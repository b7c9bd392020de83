"""Backward passes of plain Sequential networks for several directions at once, without autograd.

A step maps an input x (n, ...) to (output, back); back maps gradients (n, k, *output) to (n, k, *input) and
may overwrite its argument. The k directions of a sample share its masks, which are floats and multiplied in
place: the least traffic to memory. Images on a CPU are channels-last, as its convolutions want them.
Outputs and masks have the precision of x. Gradients may have another one, say bfloat16.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

Step = Callable[[torch.Tensor], tuple[torch.Tensor, Callable]]


def layers_of(model: Callable) -> list[Callable]:
    """The layers of `model` in order, plain nested Sequentials unpacked, each pooling before its ReLU."""
    layers = _unpacked(model)
    for i in range(len(layers) - 1):  # the two commute, and a pooled image is cheaper to rectify and to mask
        if type(layers[i]) is nn.ReLU and type(layers[i + 1]) is nn.MaxPool2d:
            layers[i], layers[i + 1] = layers[i + 1], layers[i]
    return layers


def has_step(layer: Callable) -> bool:
    """Whether `step_of` serves the layer, with the options that it has, and nothing else changes what it does."""
    if not _is_plain(layer):
        return False
    if type(layer) is nn.Conv2d:
        return layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    if type(layer) is nn.MaxPool2d:
        window = _pair(layer.kernel_size)
        plain = _pair(layer.padding) == (0, 0) and _pair(layer.dilation) == (1, 1)
        return plain and _pair(layer.stride) == window and not (layer.ceil_mode or layer.return_indices)
    if type(layer) is nn.Flatten:
        return layer.start_dim == 1 and layer.end_dim == -1
    return type(layer) in _STEPS


def step_of(layer: nn.Module, precision: torch.dtype | None = None) -> Step:
    """The step of a layer; it reads the layer's weights once, now. precision: of the gradients, default that of x."""
    return _STEPS[type(layer)](layer, precision)


def _unpacked(model):
    if type(model) is not nn.Sequential or not _is_plain(model):
        return [model]
    return [layer for part in model for layer in _unpacked(part)]


def _is_plain(module):
    """Whether a call of the module is its class's forward, as torch wrote it: no hooks, no other methods or weights."""
    if not (own := _METHODS.get(type(module))):
        return False
    kept = all(getattr(type(module), name) is own[name] for name in own) and not vars(module).keys() & own.keys()
    plain = {type(weight) for weight in module._parameters.values()} <= _WEIGHTS
    return kept and plain and not any(getattr(module, hooks, ()) for hooks in _HOOKS)


def _linear(layer, precision):
    weight, bias = layer.weight.detach(), layer.bias
    pulling = weight.to(precision or weight.dtype)

    def step(x):
        return F.linear(x, weight, bias), lambda g: g @ pulling

    return step


def _relu(layer, precision):
    def step(x):
        y = F.relu(x)
        mask = y.to(precision or y.dtype).sign()[:, None]  # 0 or 1
        return y, lambda g: g.mul_(mask)

    return step


def _flatten(layer, precision):
    def step(x):
        def back(g):
            n, k = g.shape[:2]
            return _images(g.reshape(n * k, *x.shape[1:])).unflatten(0, (n, k))

        return x.flatten(1), back

    return step


def _max_pool(layer, precision):
    window = _pair(layer.kernel_size)

    def step(x):
        y, index = F.max_pool2d(x, window, return_indices=True)
        grown = [part * along for part, along in zip(y.shape[-2:], window, strict=True)]
        size = x.shape[-2:]

        def enlarge(t):  # (n, h, w) too
            t = F.interpolate(t if t.ndim == 4 else t[None], scale_factor=window).view(*t.shape[:-2], *grown)
            rest = [whole - part for whole, part in zip(size, grown, strict=True)]
            return F.pad(t, (0, rest[1], 0, rest[0])) if any(rest) else t  # what the pooling dropped

        place = torch.arange(size.numel(), device=x.device, dtype=torch.float32).reshape(size)
        mask = (enlarge(index.float()) == place).to(precision or x.dtype)[:, None]  # one entry of each window
        return y, lambda g: enlarge(g.flatten(0, 1)).unflatten(0, g.shape[:2]).mul_(mask)

    return step


def _conv(layer, precision):
    weight, bias = _images(layer.weight.detach()), layer.bias
    kernel, stride, padding, dilation = layer.kernel_size, layer.stride, layer.padding, layer.dilation
    pulling = weight.to(precision or weight.dtype)
    plain = layer.groups == 1 and weight.device.type == "cpu" and pulling.dtype != torch.bfloat16
    few = weight.shape[1] <= 4 and plain  # in bfloat16 the processor's own way is the faster one

    def step(x):
        y = _images(F.conv2d(_images(x), weight, bias, stride, padding, dilation, layer.groups))
        size = x.shape[2:]
        room = [size[i] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1 for i in (0, 1)]
        rest = [room[i] % stride[i] for i in (0, 1)]  # rows and columns that the stride left out

        def back(g):
            lead, g = g.shape[:2], g.flatten(0, 1)
            if few:
                g = _to_few_channels(g, pulling, size, stride, padding, dilation)
            else:
                g = F.conv_transpose2d(g, pulling, None, stride, padding, rest, layer.groups, dilation)
            return g.unflatten(0, lead)

        return y, back

    return step


def _to_few_channels(g, weight, size, stride, padding, dilation):
    """A transposed convolution to a few channels as a product and shifted sums, which a CPU does faster."""
    n, out, h, w = g.shape
    c, kh, kw = weight.shape[1:]
    taps = weight.permute(1, 2, 3, 0).reshape(-1, out) @ g.permute(0, 2, 3, 1).reshape(-1, out).T
    taps = taps.view(c, kh, kw, n, h, w)
    x = g.new_zeros(c, n, size[0] + 2 * padding[0], size[1] + 2 * padding[1])
    for i in range(kh):
        rows = slice(i * dilation[0], i * dilation[0] + stride[0] * (h - 1) + 1, stride[0])
        for j in range(kw):
            columns = slice(j * dilation[1], j * dilation[1] + stride[1] * (w - 1) + 1, stride[1])
            x[:, :, rows, columns] += taps[:, i, j]
    return x[:, :, padding[0] : padding[0] + size[0], padding[1] : padding[1] + size[1]].transpose(0, 1)


def _images(x):
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 and x.device.type == "cpu" else x


def _pair(value):
    return tuple(value) if isinstance(value, (tuple, list)) else (value, value)


_STEPS = {nn.Linear: _linear, nn.ReLU: _relu, nn.Flatten: _flatten, nn.MaxPool2d: _max_pool, nn.Conv2d: _conv}
_WEIGHTS = {nn.Parameter, torch.Tensor, type(None)}  # other classes may mean anything by a product
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_CALLED = ("__call__", "_wrapped_call_impl", "_call_impl", "__getattr__", "__iter__", "forward", "_conv_forward")
_METHODS = {  # as torch has them
    kind: {name: getattr(kind, name) for name in _CALLED if hasattr(kind, name)} for kind in (nn.Sequential, *_STEPS)
}
