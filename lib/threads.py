"""Work on several threads, which ends as soon as one part fails or the user presses Ctrl-C; turns of user threads."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, CancelledError, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from threading import Condition, Event

import torch
from torch import nn

_turn, _taken = Condition(), set()
_mine: ContextVar[frozenset] = ContextVar("mine", default=frozenset())
_stopped: ContextVar[Event | None] = ContextVar("stopped", default=None)


def side_by_side(function: Callable, *parts: Sequence) -> list:
    """Return the list of function(part, ...) like map's; on a CPU a thread computes each part from end to end.

    No barrier after each layer, and the parts stay in the cores' own caches. `function` may not share a tape, and
    calls `check` often where it takes long.
    """
    threads = torch.get_num_threads()
    if threads == 1 or len(parts[0]) == 1:
        return list(map(function, *parts))
    stop = Event()
    token = _stopped.set(stop)
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            try:
                futures = [pool.submit(copy_context().run, function, *part) for part in zip(*parts, strict=True)]
                left = futures
                while left:  # wakes now and then, as the signal of Ctrl-C may have reached another thread than this
                    done, left = wait(left, timeout=0.5, return_when=FIRST_EXCEPTION)
                    for future in done:
                        future.result()
                return [future.result() for future in futures]
            except BaseException:
                stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    finally:
        _stopped.reset(token)
        torch.set_num_threads(threads)


def check() -> None:
    """Raise CancelledError where other parts of the work have ended for good."""
    stop = _stopped.get()
    if stop is not None and stop.is_set():
        raise CancelledError


@contextmanager
def alone(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Hold off the user's other threads from modules in training mode, which a call changes until it ends."""
    with _turn:
        _turn.wait_for(lambda: not (_taken - _mine.get()).intersection(modules))
        taken = frozenset(modules if any(module.training for module in modules) else ())
        _taken.update(taken)
    token = _mine.set(_mine.get() | taken)  # the threads of this call, and what its progress measures, need not wait
    try:
        yield
    finally:
        _mine.reset(token)
        with _turn:
            _taken.difference_update(taken)
            _turn.notify_all()
