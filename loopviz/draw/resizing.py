"""Sentences on the size of a pool that was changed, or that cannot be."""

from __future__ import annotations

from loopviz.draw.words import count

__all__ = ["changed", "fixed", "gone", "pool", "unlimited"]


def pool(name: str, size: int) -> str:
    """A pool and its size: ``images (4 threads)``."""
    return f"{name} ({count(size, 'thread')})" if size >= 0 else f"{name} (no limit)"


def changed(kind: str, name: str, before: int, size: int) -> str:
    """What a change does, and when."""
    said = f"{name}: {count(size, 'thread')} at most, {before} before."
    if size >= before:
        return said
    ends = "threads in use stay so" if kind == "limiter" else "those that work end after their call"
    return f"{said[:-1]}; {ends}."


def fixed(name: str, size: int) -> str:
    """A pool of processes."""
    has = f"{count(size, 'process', 'processes')}" if size >= 0 else "its processes"
    return f"{name} keeps {has}: the size of a process pool is fixed when it is made."


def unlimited(name: str) -> str:
    """A limiter that gives as many threads as are asked for."""
    return f"{name} has no limit that could be changed."


def gone(name: str) -> str:
    """A pool of a server that has ended, or a worker that was started again."""
    return f"{name} is gone: the server that had it has ended."
