"""How a changed copy of a scenario or of an application is made, and what may go wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from loopviz import loaded
from loopviz.copied import ChangedSinceError, Copy, NotCopiedError, is_installed
from loopviz.draw.safe import printable
from loopviz.errors import InputError
from loopviz.scenario.failing import explain, innermost
from loopviz.stream.copies import Changed
from loopviz.target.application import Application, made_of

__all__ = ["Making", "of_application", "of_scenario"]


class Making(NamedTuple):
    """What makes a copy, and what forgets it."""

    make: Callable[[], Any]
    """Returns the application. Raises `InputError` for whatever its modules raise."""
    forget: Callable[[], object]


def of_scenario(changed: Changed, file: Path) -> Making:
    """The copy of a scenario file, and of what lies beside it."""
    file = file.resolve()
    folder, names = loaded.place(file)
    copy = Copy(changed.number, [folder], changed.file, changed.text, changed.shown)

    def make() -> Any:
        loaded.use(file)  # what it imports lies beside it
        return _made(copy, lambda: copy.load(".".join(names)).app)

    return Making(make, copy.forget)


def of_application(changed: Changed, application: Application, since: float) -> Making:
    """The copy of an application: all of its own modules are imported again, and none of a library.

    A module that was saved after `since` (s, of `time.time`) is refused. Raises `InputError`.
    """
    roots = [application.app_dir]
    for file in filter(None, (application.file, changed.file)):
        if is_installed(file):
            raise InputError(f"{file} belongs to an installed package, of which no copy is served.")
        roots.append(loaded.place(Path(file).resolve())[0])
    copy = Copy(changed.number, list(dict.fromkeys(roots)), changed.file, changed.text, changed.shown, since)

    def make() -> Any:
        return _made(copy, lambda: made_of(application, copy.load(application.module)))

    return Making(make, copy.forget)


def _made(copy: Copy, make: Callable[[], Any]) -> Any:
    """What `make` returns; whatever it raises is explained."""
    name = Path(copy.file).name
    try:
        return make()
    except NotCopiedError:
        raise InputError(
            f"The repaired copy does not import {name}.\n"
            "It is imported by its name as a text, or is the main program: no copy of it is made."
        ) from None
    except ChangedSinceError as error:
        raise InputError(
            f"{Path(str(error)).name} has been saved since the application was started.\n"
            "Start the application again; then fire, and repair it."
        ) from None
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | InputError):
            raise
        file, line = innermost(error, lambda found: found == copy.shown or copy.owns(found))
        where = f"{Path(file).name}:{line}" if file else name
        why = explain(error).partition("\n")[0]
        raise InputError(
            f"The repaired copy cannot be imported: {printable(where)}: {printable(why)}.\n"
            "What a module does when it is imported is done again for the copy."
        ) from error
