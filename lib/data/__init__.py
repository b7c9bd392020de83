"""Data sets, and reading them: `load` brings one from the source that the reader chooses."""

from .sources import load

__all__ = ["load"]
