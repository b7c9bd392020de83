"""Data sets, and reading them: `load` brings one from the source that the reader chooses."""

__all__ = ["load"]


def __getattr__(name):  # not at the head: reading arrays needs no download, and should not be done again for one
    if name == "load":
        from .sources import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
