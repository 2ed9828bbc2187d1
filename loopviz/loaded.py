"""Scenario files as modules: ``loopviz.loaded.blocking`` is the file ``blocking.py``.

A worker process imports the function that it runs by the name of the function's module. For this,
this module is a package whose path has every folder from which a scenario was loaded. Child processes
take the folders from the environment, however they are started.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["module_name"]

_FOLDERS = "LOOPVIZ_FOLDERS"

__path__ = [folder for folder in os.environ.get(_FOLDERS, "").split(os.pathsep) if folder]


def module_name(file: Path) -> str:
    """Make `file` a module, here and in child processes; the name to import it by."""
    folder = str(file.resolve().parent)
    if folder not in __path__[:1]:
        __path__[:] = [folder, *(known for known in __path__ if known != folder)]
        os.environ[_FOLDERS] = os.pathsep.join(__path__)
    return f"{__name__}.{file.stem}"
