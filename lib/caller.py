"""Warnings at the line that called the package, wherever in the package and in whatever thread they arise."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType

_frame: ContextVar[FrameType | None] = ContextVar("frame", default=None)


@contextmanager
def called_from(frame: FrameType | None) -> Iterator[None]:
    """Let warnings point at the line where `frame` is, until the context ends."""
    token = _frame.set(frame)
    try:
        yield
    finally:
        _frame.reset(token)


def inside() -> bool:
    """Whether a public function is at work, so that another one is called by the package itself."""
    return _frame.get() is not None


def warn(text: str) -> None:
    """Warn in one line, at the caller's."""
    frame = _frame.get()
    if frame is None:
        return warnings.warn(text, stacklevel=3)
    known, name = frame.f_globals.setdefault("__warningregistry__", {}), frame.f_globals.get("__name__")
    warnings.warn_explicit(text, UserWarning, frame.f_code.co_filename, frame.f_lineno, name, known)
