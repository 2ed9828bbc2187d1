"""Read by Python when it starts, in a program that ``loopviz run --cmd`` has started; it brings the agent.

It gives way to the program's own ``sitecustomize``, and waits until the process imports a server: then
viewers may come. Nothing of it stays in ``sys.path``; PYTHONPATH leads here only in processes that start
workers.
"""

import os
import sys
from contextlib import suppress
from importlib import import_module

_SERVERS = {"uvicorn.server", "uvicorn.workers", "uvicorn_worker", "hypercorn.asyncio", "granian.asgi"}
"""What a process that serves imports."""
_MASTERS = {"uvicorn.supervisors", "hypercorn.run", "granian.server"}
"""What a process imports that starts its workers as new programs: they have to find this file as well."""


def _bring(place: str) -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    found = os.environ.get("PYTHONPATH", "")
    others = [entry for entry in found.split(os.pathsep) if entry and os.path.abspath(entry) != here]
    if others:
        os.environ["PYTHONPATH"] = os.pathsep.join(others)
    else:
        os.environ.pop("PYTHONPATH", None)
    os.environ.pop("LOOPVIZ_WATCH", None)
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != here]
    sys.path_importer_cache.pop(here, None)

    class Finder:
        """Finds nothing: it notices what is imported."""

        @staticmethod
        def find_spec(name: str, _path: object = None, _target: object = None) -> None:
            if name in _MASTERS:
                os.environ["PYTHONPATH"] = os.pathsep.join([here, *others])
                os.environ["LOOPVIZ_WATCH"] = place
            elif name in _SERVERS:
                if Finder in sys.meta_path:
                    sys.meta_path.remove(Finder)
                with suppress(Exception):  # the program goes on without a viewer
                    _open(os.path.dirname(os.path.dirname(here)), place)

    if sys.hexversion >= 0x030B0000:  # any Python may execute this
        sys.meta_path.insert(0, Finder)


def _open(folder: str, place: str) -> None:
    """Open the door of this process, with this loopviz if the program's environment has none."""
    import importlib.util

    if importlib.util.find_spec("loopviz") is None:
        spec = importlib.util.spec_from_file_location(
            "loopviz", os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
        )
        if spec is None or spec.loader is None:
            return
        module = importlib.util.module_from_spec(spec)
        sys.modules["loopviz"] = module
        spec.loader.exec_module(module)
    import loopviz

    loopviz.watch(place)


def _give_way() -> None:
    """Execute the ``sitecustomize`` that this one hides, if there is one."""
    mine = sys.modules.pop("sitecustomize", None)
    try:
        import_module("sitecustomize")
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        if mine is not None:
            sys.modules.setdefault("sitecustomize", mine)


if "LOOPVIZ_WATCH" in os.environ:
    _bring(os.environ["LOOPVIZ_WATCH"])
    _give_way()
