"""The door of the package: every public function that measures a model takes model, points, labels and settings here.

What cannot be measured is refused in one line; what misleads (the usual slips) is warned about in one line, once. The
model is measured as it answers in eval mode, and left as it was.
"""

import inspect
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial, wraps
from itertools import chain
from types import CellType, ModuleType

import torch
from torch import nn

from .bounds import limits_of
from .caller import called_from, inside, warn
from .inputs import labels, points, positive, radii, whole
from .parts import is_out_of_memory, samples_at_once, shrinking
from .pullback import Model, is_fast, logits_in, logits_of, pullback
from .threads import alone

POINTS = 64  # that are looked at
LOSSES = ("cross_entropy", "margin")
CHOICES = {"loss": LOSSES, "start": ("image", "ball")}
WHOLE = ("iterations", "steps", "starts", "samples", "drawn", "batch", "averaged_over")


def door(function: Callable) -> Callable:
    """Decorate a public function (model, x, y or top, *, settings): what it gets is sound, what it gives is detached.

    Within, x is a tensor of floats, y int64 (n,) on its device, eps a list of floats, and the model is in eval mode;
    annotations are those of the caller. Settings are known by their names: see `_settings`. Functions of the package
    that call one another pass through it once.
    """
    signature = inspect.signature(function)

    @wraps(function)
    def entered(*args, **kwargs):
        if inside():
            return function(*args, **kwargs)
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given = bound.arguments
        with called_from(sys._getframe(1)), torch.inference_mode(False), torch.no_grad(), _without_compiling():
            _settings(given)
            model, networks = _model(given["model"])
            weights = [w for net in networks for w in net.parameters() if w.is_floating_point()]
            given["x"] = x = points(given["x"], *((weights[0].dtype, weights[0].device) if weights else ()))
            with _in_eval_mode(networks, partial(logits_of, model, x[:POINTS])) as changed:
                given["model"], name = model, "top" if "top" in given else "y"
                _check_weights(networks)
                classes = _tried(model, x, weights).shape[1]
                if name in given:
                    given[name] = labels(given[name], len(x), classes, x.device)
                limits = limits_of(given.get("bounds"), x)
                if changed:
                    warn("a part of the model is in training mode: it is measured in eval mode, call model.eval()")
                with _explained(x, " with gradients"):
                    warn_of_slips(model, x, pixels="radius" in given and "bounds" not in given)
                if {"eps", "step", "iterations"} <= given.keys():
                    _warn_of_short_steps(x, limits, max(given["eps"]), given["step"], given["iterations"])
                found = function(**given)
                _warn_of_rounding(x, found.median() if "starts" in given else given.get("step", given.get("radius")))
                return found

    return entered


def warn_of_slips(model: Model, x: torch.Tensor, *, pixels: bool = False) -> None:
    """Warn where `model` or its inputs x (n, ...) look as if margins and attacks would mislead.

    Outputs that are probabilities or not repeated, zero or infinite gradients, and pixels outside [0, 1], at the first
    64 points. ValueError where logits are not finite, but for -inf of some classes.
    """
    if pixels and (x.min() < 0 or x.max() > 1):
        warn(f"inputs range from {x.min():.3g} to {x.max():.3g}, not in [0, 1]: distances are in these units")
    look = shrinking(lambda size: (x[:size], *pullback(model, x[:size])))
    x, logits, vjp = look(min(POINTS, len(x), samples_at_once(model, x)))
    check_logits(logits)
    if not is_fast(model):
        half = (len(x) + 1) // 2
        if not _alike(logits_of(model, x[:half]), logits[:half]):
            warn("the model answers differently the second time, by noise or by other points: so will the results")
    if (logits >= 0).all() and (logits.sum(1) - 1).abs().max() < 1e-3:
        warn("the outputs look like probabilities: give the logits, without the softmax")
    top, next_best = logits.topk(2, dim=1).indices.T
    unit = torch.eye(logits.shape[1], dtype=x.dtype, device=x.device)
    g = vjp((unit[top] - unit[next_best])[:, None]).flatten(1)
    length, exact = g.norm(dim=1).double(), g.double().norm(dim=1)
    odd = ~exact.isfinite()
    for which, what in ((exact == 0, "all zero"), (odd, "not finite")):
        if which.any():
            warn(f"the gradients of {which.sum()} of {len(x)} points are {what}: their margins and attacks say nothing")
    off = ~odd & ~torch.isclose(length, exact, rtol=0.01, atol=0)
    if off.any():
        raise ValueError(f"gradients of length {exact[off][0]:.2g} are beyond {x.dtype}: scale the logits")


def are_sound(logits: torch.Tensor) -> torch.Tensor:
    """Return whether logits (n, c) are finite at each point; -inf marks a class that is masked, if others are not."""
    return (logits < torch.inf).all(1) & (logits > -torch.inf).any(1)


def check_logits(logits: torch.Tensor) -> None:
    """Raise ValueError for logits (n, c) that are not finite but for masked classes."""
    odd = (~are_sound(logits)).sum().item()
    if odd:
        raise ValueError(f"the logits of {odd} of {len(logits)} points are not finite: nothing can be measured there")


def _settings(given):
    for name in WHOLE:
        if name in given and not (given[name] is None and name in ("drawn", "batch")):
            given[name] = whole(name, given[name])
    if "seed" in given:
        given["seed"] = whole("seed", given["seed"], 0)
    for name, zero in {"radius": False, "step": False, "gradient_floor": True}.items():
        if name in given:
            given[name] = positive(name, given[name], zero)
    if "eps" in given:
        given["eps"] = radii(given["eps"])
    if not isinstance(given.get("generator"), torch.Generator | None):
        raise ValueError(f"generator is {given['generator']}: give a torch.Generator on the CPU, or None")
    if callable(progress := given.get("progress")):
        given["progress"] = called_from(None)(progress)  # what it measures enters by the door, too
    elif not (progress is None or {"radius", "bounds"} <= given.keys()):
        raise ValueError(f"progress is {progress}: give a function of (done, total), or None")
    for name, values in CHOICES.items():
        if given.get(name, values[0]) not in values:
            raise ValueError(f"{name} is {given[name]!r}: choose {' or '.join(values)}")


def _model(model):
    """The model as the package calls it, and the modules that it is made of."""
    model = getattr(model, "_orig_mod", model)  # of a compiled one
    if not callable(model):
        raise ValueError(f"model is a {type(model).__name__}: give a module, or a function of a batch (n, ...)")
    networks = list(dict.fromkeys(_networks(model)))
    tensors = {name: t for net in networks[:1] for name, t in chain(net.named_parameters(), net.named_buffers())}
    if networks == [model] and any(t.is_inference() for t in tensors.values()) and not is_fast(model):
        copies = {name: t.clone() for name, t in tensors.items()}  # autograd does not take those of inference mode
        model = partial(torch.func.functional_call, model, copies)
    return model, networks


def _networks(holder, depth=3):
    """The modules in a callable: itself, those of a partial, a method or an object, those that a function refers to."""
    parts = ()
    if isinstance(holder, nn.Module):
        return [holder]
    if isinstance(holder, list | tuple | dict):
        parts = holder.values() if isinstance(holder, dict) else holder
    elif inspect.isfunction(holder) and (holder.__module__ or "").split(".")[0] != "torch":
        cells = [cell.cell_contents for cell in holder.__closure__ or () if cell != CellType()]  # an empty one has none
        parts = [*cells, *(holder.__defaults__ or ()), *(holder.__kwdefaults__ or {}).values()]
        parts += [holder.__globals__.get(name) for name in holder.__code__.co_names]
    elif not isinstance(holder, type | ModuleType):
        names = ("__self__", "func", "args", "keywords") if callable(holder) else ()
        parts = [getattr(holder, name, None) for name in (*names, *getattr(type(holder), "__slots__", ()))]
        parts += vars(holder).values() if hasattr(holder, "__dict__") else ()
    return [module for part in parts if depth for module in _networks(part, depth - 1)]


@contextmanager
def _in_eval_mode(networks: list[nn.Module], answer: Callable[[], torch.Tensor]) -> Iterator[bool]:
    """Put networks in eval mode, yield whether this changes the answer, and restore their modes and buffers."""
    modules = list(dict.fromkeys(module for net in networks for module in net.modules() if hasattr(module, "training")))
    with alone(modules):
        modes = [module.training for module in modules]
        kept = [(m, name, b, b.clone()) for m in modules for name, b in m.named_buffers(recurse=False)]
        try:
            asked = any(modes) and not all(map(is_fast, networks))
            as_given = _answer_or_none(answer) if asked else None
            for module in modules:
                module.training = False
            found = _answer_or_none(answer) if asked else None
            _restore(kept)
            yield found is not None and (as_given is None or not _alike(as_given, found))
        finally:
            for module, mode in zip(modules, modes, strict=True):
                module.training = mode
            _restore(kept)


def _answer_or_none(answer):
    with torch.random.fork_rng(devices=[]):
        try:
            return answer()
        except Exception:  # batch norm refuses to be trained on one point, and what is wrong else is told later
            return None


def _restore(kept):
    for module, name, buffer, values in kept:
        if getattr(module, name) is not buffer:
            setattr(module, name, buffer)
        if not torch.equal(buffer, values):
            buffer.copy_(values)


def _alike(a, b):
    """Whether logits are the same but for rounding, which is coarser where they are of half precision."""
    size = b.masked_fill(b.isinf(), 0).abs().max()
    rough = b.element_size() == 2 or any(map(torch.is_autocast_enabled, ("cpu", "cuda")))
    return bool((a - b).nan_to_num(0).abs().max() <= (0.05 if rough else 1e-3) * size)  # nan: of two infinite ones


def _check_weights(networks):
    for name, weight in chain.from_iterable(net.named_parameters() for net in networks):
        if not weight.sum().isfinite() and (weight.isnan() | (weight == torch.inf)).any():
            raise ValueError(f"the model's weight {name} is not finite: load another checkpoint")


def _tried(model, x, weights):
    """The logits (1, c) of the first point; ValueError where the model does not take it, or gives no logits."""
    kinds = {(w.dtype, w.device) for w in weights}
    way = "" if len(kinds) != 1 or (x.dtype, x.device) in kinds else "; take x.to('{1}', {0})".format(*kinds.pop())
    with _explained(x, way=way):
        found = model(x[:1].clone())
    return logits_in(found, x[:1])


@contextmanager
def _explained(x, where="", way=""):
    """Make one line of what a model raises at x."""
    try:
        yield
    except Exception as error:
        if is_out_of_memory(error) or isinstance(error, Warning) or (where and isinstance(error, ValueError)):
            raise
        came, told = f"x {tuple(x.shape)} of {x.dtype} on {x.device}", (str(error) or repr(error)).splitlines()[0]
        raise ValueError(f"the model fails at {came}{where}: {told}{way}") from error


def _warn_of_short_steps(x, limits, eps, step, iterations):
    reach = step * iterations
    if reach < eps * (1 - 1e-6) and reach < torch.maximum(x - limits[0], limits[1] - x).flatten(1).norm(dim=1).max():
        warn(f"{iterations} steps of {step:g} cannot reach eps {eps:g}: take {math.ceil(eps / step)}, or longer ones")


def _warn_of_rounding(x, moved):
    """Warn where moves so long, shared among the features, are about as small as the rounding of x."""
    size = x.abs().max()
    if moved is not None and moved < x[0].numel() ** 0.5 * torch.finfo(x.dtype).eps * size:
        warn(f"moves of {moved:.2g} are lost to rounding, x is {x.dtype} up to {size:.2g}: take x and model.double()")


def _without_compiling() -> AbstractContextManager:
    """A context in which compiled modules run as they are written: compiled backward passes run only once."""
    if "torch._dynamo" in sys.modules and hasattr(torch.compiler, "set_stance"):  # torch 2.6
        return torch.compiler.set_stance("force_eager")
    return nullcontext()
