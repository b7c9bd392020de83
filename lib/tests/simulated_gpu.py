"""A CUDA device that lives on the CPU: code for a GPU is tested where there is none.

    with simulated_gpu() as gpu:
        margins = sampled_margins(model.to("cuda"), x.to("cuda"), y.to("cuda"))
    print(gpu.launches, gpu.waits, gpu.peak)

A tensor on the GPU wraps one of the CPU, so that every operation on it comes to `SimulatedGPU`. It computes on the CPU
and raises what CUDA would raise: for two devices in one operation, a generator of the other device, `numpy` of a
tensor on the GPU, more memory than there is. It counts kernels (one an operation that is no view: a lower bound), and
the places where the host waits for the GPU. Not simulated: CUDA's rounding and random numbers, its speed, streams, a
second GPU, operations that CUDA lacks.
"""

import sys
import weakref
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from lib import backward

aten = torch.ops.aten
CUDA, CPU = torch.device("cuda", 0), torch.device("cpu")
COPIES = {aten._to_copy, aten.copy_, aten.copy, aten._copy_from}
INDEXING = {aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_, aten._unsafe_index}
WAITING = {aten._local_scalar_dense, aten.nonzero, aten.masked_select, aten._unique2, aten.equal, aten.is_nonzero}
TAKE_SCALARS = {aten.where, aten.masked_fill, aten.masked_fill_, aten.fill, aten.fill_} | INDEXING  # and pointwise ones
NO_KERNEL = {aten.detach, aten.lift_fresh, aten._unsafe_view, aten._local_scalar_dense}
MEMORY_UNIT = 512  # bytes
_Generator, _generators_on_gpu = torch.Generator, set()


@contextmanager
def simulated_gpu(limit=80 << 30):
    """Let torch find one GPU with `limit` bytes of memory; yields the device, which counts."""
    gpu = SimulatedGPU(limit)
    properties = SimpleNamespace(total_memory=limit, uuid="simulated", name="simulated GPU")
    fakes = {
        "is_available": lambda: True,
        "is_initialized": lambda: True,
        "_lazy_init": lambda: None,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "set_device": lambda device: None,
        "synchronize": lambda device=None: None,
        "mem_get_info": lambda device=None: (limit - gpu.held, limit),
        "get_device_properties": lambda device=None: properties,
        "get_device_name": lambda device=None: properties.name,
        "get_rng_state": lambda device=None: torch.empty(0),  # nothing is drawn there but by generators of its own
        "set_rng_state": lambda state, device=None: None,
        "manual_seed_all": lambda seed: None,
    }
    with ExitStack() as stack:
        for name, fake in fakes.items():
            stack.enter_context(patch.object(torch.cuda, name, fake))
        stack.enter_context(patch.object(torch, "Generator", Generator))
        stack.enter_context(patch.object(torch.Tensor, "pin_memory", _pinned))
        stack.enter_context(
            patch.object(backward, "_WEIGHTS", backward._WEIGHTS | {OnGPU})
        )  # as torch has no such class
        stack.enter_context(patch.object(torch.overrides, "_get_current_function_mode_stack", list))  # nor this mode
        stack.callback(
            torch.__future__.set_overwrite_module_params_on_conversion,
            torch.__future__.get_overwrite_module_params_on_conversion(),
        )
        torch.__future__.set_overwrite_module_params_on_conversion(True)  # module.to makes parameters of another class
        stack.enter_context(gpu)
        stack.enter_context(_Moves())
        yield gpu


class OnGPU(torch.Tensor):
    """A tensor that says it is on cuda:0; `inner`, on the CPU, has its values."""

    @staticmethod
    def __new__(cls, inner, requires_grad=False):
        layout = {"strides": inner.stride(), "storage_offset": inner.storage_offset()}
        kind = {"dtype": inner.dtype, "device": CPU, "requires_grad": requires_grad}  # C++ without CUDA wants the CPU
        return torch.Tensor._make_wrapper_subclass(cls, inner.size(), **layout, **kind)

    def __init__(self, inner, requires_grad=False):
        self.inner = inner

    device = property(lambda self: CUDA)
    is_cuda = property(lambda self: True)
    is_cpu = property(lambda self: False)

    def __repr__(self, **_):
        return f"OnGPU({self.inner})"

    def __format__(self, spec):
        return self.item().__format__(spec) if self.dim() == 0 else repr(self)

    def numpy(self, *_, **__):
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy it first.")

    def __array__(self, *_, **__):
        self.numpy()

    def untyped_storage(self):
        return self.inner.untyped_storage()

    def tolist(self):
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        raise RuntimeError(f"{func}: the tensor is on a simulated GPU that has gone, or belongs to another thread")


class Generator(_Generator):
    """torch.Generator that takes "cuda"."""

    def __new__(cls, device="cpu"):
        self = super().__new__(cls, "cpu")
        self.place = _placed(device)
        (_generators_on_gpu.add if self.place == CUDA else _generators_on_gpu.discard)(self._cdata)
        return self

    device = property(lambda self: self.place)


class _Moves(TorchFunctionMode):
    """Serves moves between the devices: torch's C++ code would do nothing, as it takes all tensors for the CPU's."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func in (torch.tensor, torch.as_tensor) and (device := kwargs.pop("device", None)) is not None:
            return _moved(func(*args, **kwargs), _placed(device))
        if func is torch.Tensor.cpu:
            return _moved(args[0], CPU)
        if func is torch.Tensor.cuda:
            return _moved(args[0], CUDA)
        if func is not torch.Tensor.to:
            return func(*args, **kwargs)
        x, *rest = args
        copy = kwargs.pop("copy", False)
        rest = [rest[0].device, rest[0].dtype] if rest and isinstance(rest[0], torch.Tensor) else rest
        device, dtype, non_blocking, layout = torch._C._nn._parse_to(*rest, **kwargs)
        x = x if device is None else _moved(x, _placed(device), non_blocking)
        same = {} if layout is None else {"memory_format": layout}
        return func(x, dtype=x.dtype if dtype is None else dtype, copy=copy, **same)


class SimulatedGPU(TorchDispatchMode):
    """What `simulated_gpu` yields.

    launches {operation: number}; waits {(file and line of the caller, why): number}; held and peak, in bytes.
    """

    def __init__(self, limit):
        super().__init__()
        self.limit, self.held, self.peak, self._storages = limit, 0, 0, {}
        self.launches, self.waits = Counter(), Counter()

    def waits_in(self, *files):
        """How often the host has waited at lines of these files: "lib/margins.py"."""
        return sum(n for (line, _), n in self.waits.items() if line.rpartition(":")[0] in files)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs, name = dict(kwargs or {}), func.overloadpacket
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        ours, wanted = [t for t in tensors if isinstance(t, OnGPU)], kwargs.get("device")
        to_gpu = bool(ours) if wanted is None else _placed(wanted) == CUDA
        if name is aten.copy_:
            to_gpu = isinstance(args[0], OnGPU)
        _check_generator(args, kwargs, CUDA if to_gpu else CPU)
        if not (ours or to_gpu):
            return func(*args, **kwargs)
        if name not in COPIES:
            _check_devices(func, args, tensors)
        self._count(func, args, kwargs, tensors, to_gpu)
        result = _computed(func, args, kwargs)
        if name is aten._local_scalar_dense or not to_gpu:
            return result
        known = {id(t.inner): t for t in ours}  # an operation in place gives back the same tensor
        return tree_map(lambda t: self._wrapped(t, known), result)

    def _count(self, func, args, kwargs, tensors, to_gpu):
        name, line = func.overloadpacket, _line()
        if not func.is_view and name not in NO_KERNEL:
            self.launches[name.__name__] += 1
        if name in COPIES:
            up = to_gpu and not all(isinstance(t, OnGPU) for t in tensors)
            free = kwargs.get("non_blocking") and getattr(args[0], "is_pinned_here", False)
            if (up and not free) or not to_gpu:
                self.waits[line, "upload" if up else "download"] += 1
        elif name in WAITING:
            self.waits[line, name.__name__] += 1
        elif name in INDEXING and _by_mask(*args[1:3]):
            self.waits[line, "mask"] += 1

    def _wrapped(self, t, known):
        if not isinstance(t, torch.Tensor):
            return t
        if id(t) in known:
            return known[id(t)]
        self._hold(t.untyped_storage())
        return OnGPU(t)

    def _hold(self, storage):
        """Count the memory of a storage until its last tensor goes."""
        if (place := storage._cdata) in self._storages:
            return
        size = -(-storage.nbytes() // MEMORY_UNIT) * MEMORY_UNIT
        if self.held + size > self.limit:
            raise torch.OutOfMemoryError(f"CUDA out of memory. Tried to allocate {size} bytes.")
        self._storages[place] = size
        self.held += size
        self.peak = max(self.peak, self.held)
        weakref.finalize(storage, self._release, place)

    def _release(self, place):
        self.held -= self._storages.pop(place)


def _computed(func, args, kwargs):
    """The operation on the CPU's tensors inside those of the GPU."""
    kwargs = {name: value for name, value in kwargs.items() if name not in ("pin_memory", "non_blocking")}
    if "device" in kwargs:
        kwargs["device"] = CPU
    try:
        return func(*tree_map(_inner, args), **tree_map(_inner, kwargs))
    except RuntimeError as error:
        if "DefaultCPUAllocator" in str(error):
            raise torch.OutOfMemoryError("CUDA out of memory.") from error
        raise


def _check_devices(func, args, tensors):
    name = func.overloadpacket
    for t in tensors:
        if isinstance(t, OnGPU):
            continue
        if name in INDEXING and isinstance(args[0], OnGPU) and any(t is index for index in args[1]):
            continue  # CUDA takes indices of the CPU
        takes_scalars = torch.Tag.pointwise in func.tags or name in TAKE_SCALARS
        if t.dim() == 0 and takes_scalars and not (func._schema.is_mutable and t is args[0]):
            continue
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu! ({func})"
        )


def _check_generator(args, kwargs, device):
    generator = kwargs.get("generator") or next((a for a in args if isinstance(a, _Generator)), None)
    found = device if generator is None else CUDA if generator._cdata in _generators_on_gpu else CPU
    if found != device:
        raise RuntimeError(f"Expected a '{device.type}' device type for generator but found '{found.type}'")


def _by_mask(indices, values=None):
    masked = any(t is not None and t.dtype is torch.bool for t in indices)
    return masked and not (values is not None and values.numel() == len(indices) == 1)  # then it is a masked_fill


def _moved(x, device, non_blocking=False):
    return x if x.device == device else aten._to_copy(x, device=device, non_blocking=non_blocking)


def _pinned(x):
    x = x.clone()
    x.is_pinned_here = True
    return x


def _placed(device):
    device = torch.device(device)
    return CUDA if device.type == "cuda" else device


def _inner(value):
    return value.inner if isinstance(value, OnGPU) else value


def _line():
    """Folder, file and line of the nearest caller outside torch and this file."""
    frame = sys._getframe(1)
    while frame and (frame.f_code.co_filename == __file__ or "/torch/" in frame.f_code.co_filename):
        frame = frame.f_back
    return f"{'/'.join(Path(frame.f_code.co_filename).parts[-2:])}:{frame.f_lineno}" if frame else "backward"
