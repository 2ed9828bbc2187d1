"""What a test changes in its process is not there for the next one: which test that is varies with -n."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def as_before(folder: Path) -> Iterator[None]:
    """Remove modules that were imported from the folder; restore the import path and the environment."""
    path, environ, modules = list(sys.path), dict(os.environ), set(sys.modules)
    try:
        yield
    finally:
        sys.path[:] = path
        for name in os.environ.keys() - environ.keys() - {"PYTEST_CURRENT_TEST"}:
            del os.environ[name]
        os.environ.update(environ)
        for name in set(sys.modules) - modules:
            if _from(name, folder):
                del sys.modules[name]


def _from(name: str, folder: Path) -> bool:
    """Whether a module, a package or a namespace package lies in a folder."""
    module = sys.modules[name]
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
    return any(place is not None and folder in Path(place).parents for place in places)
