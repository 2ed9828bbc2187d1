"""Scenario files as modules: ``loopviz.loaded.blocking`` is the file ``blocking.py``.

A worker process finds a function that it shall run by the name of the function's module. So this
module is a package that lies in every folder from which a scenario was loaded, and the environment
hands the folders down to child processes, however those are started.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["module_name"]

_FOLDERS = "LOOPVIZ_FOLDERS"

__path__ = [folder for folder in os.environ.get(_FOLDERS, "").split(os.pathsep) if folder]


def module_name(file: Path) -> str:
    """The name under which `file` can be imported from now on, here and in child processes."""
    folder = str(file.resolve().parent)
    if folder not in __path__[:1]:
        __path__[:] = [folder, *(known for known in __path__ if known != folder)]
        os.environ[_FOLDERS] = os.pathsep.join(__path__)
    return f"{__name__}.{file.stem}"
