"""loopviz: see live which request holds a FastAPI server's event loop, and which ones it delays."""

from __future__ import annotations

import os

__version__ = "0.1.0"


def watch(folder: str | os.PathLike[str] | None = None) -> None:
    """Let `loopviz attach` look into this process; it has a thread that sleeps until then, and no hook.

    Call it once when the application starts, before or after processes are forked off. It listens at a Unix
    socket that only this user can reach: ``<folder>/loopviz-<user id>/<process id>.sock``. Without `folder`
    that is in XDG_RUNTIME_DIR, or in the folder for temporary files. It raises nothing: if it cannot listen,
    the logger ``loopviz`` has a warning.
    """
    import importlib  # noqa: PLC0415

    # By name, because no module below the agent's layer may import it, even through this one.
    importlib.import_module("loopviz.agent.watching").watch(folder)
