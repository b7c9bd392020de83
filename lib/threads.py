"""Work on several threads of a CPU, which ends as soon as one part fails or the user presses Ctrl-C."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, CancelledError, ThreadPoolExecutor, wait
from contextvars import ContextVar, copy_context
from threading import Event

import torch

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
                for future in wait(futures, return_when=FIRST_EXCEPTION).done:
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
