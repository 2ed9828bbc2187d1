"""The arguments for an application of the user's own, with uvicorn's names, and the target they belong to."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loopviz.cli.arguments import number
from loopviz.errors import InputError

if TYPE_CHECKING:
    from loopviz.live.session import Session
    from loopviz.scenario import ScenarioFile
    from loopviz.target import Application
    from loopviz.target.changes import Changes

__all__ = ["add_application", "changes_of", "files_of", "notice", "session_for", "target_of"]

_MOST_WORKERS = 26
"""Each has a letter."""
_SETTINGS = {
    "--root-path": "root_path",
    "--http": "http",
    "--ws": "ws",
    "--lifespan": "lifespan",
    "--log-config": "log_config",
    "--log-level": "log_level",
    "--no-access-log": "access_log",
    "--no-proxy-headers": "proxy_headers",
    "--forwarded-allow-ips": "forwarded_allow_ips",
}
"""What is passed on to uvicorn: each option, and its argument of ``uvicorn.Config``."""


def add_application(parser: argparse.ArgumentParser) -> None:
    """The options of an application of the user's own."""
    group = parser.add_argument_group("an application of your own (names as uvicorn's)")
    add = group.add_argument
    place = group.add_mutually_exclusive_group()
    place.add_argument(
        "--isolate",
        action="store_true",
        default=None,
        help="serve in a process of its own (default for an application)",
    )
    place.add_argument(
        "--in-thread",
        action="store_false",
        dest="isolate",
        default=None,
        help="serve in a thread of this process (default for scenarios)",
    )
    add("--workers", type=number(1, _MOST_WORKERS), default=1, metavar="N", help="how many worker processes")
    add("--app-dir", metavar="FOLDER", help="look for the module there (default: the working folder)")
    add("--factory", action="store_true", help="the attribute is a function that makes the application")
    add("--env-file", metavar="FILE", help="environment variables, read before the application is imported")
    add(
        "--host", metavar="ADDRESS", default=None, help="listen there (default: 127.0.0.1, this machine only)"
    )
    add("--root-path", metavar="PATH", help="ASGI's root_path, for an application behind a proxy")
    add("--http", choices=("auto", "h11", "httptools"), help="what reads HTTP")
    add(
        "--ws",
        choices=("auto", "none", "websockets", "websockets-sansio", "wsproto"),
        help="what reads WebSockets",
    )
    add("--lifespan", choices=("auto", "on", "off"), help="whether the lifespan is run")
    add("--log-config", metavar="FILE", help="a logging configuration: .ini, .json, .yaml")
    add("--log-level", choices=("critical", "error", "warning", "info", "debug", "trace"), help="uvicorn's")
    add(
        "--no-access-log", action="store_false", dest="access_log", default=None, help="no line for a request"
    )
    add(
        "--no-proxy-headers",
        action="store_false",
        dest="proxy_headers",
        default=None,
        help="leave X-Forwarded-Proto and X-Forwarded-For alone",
    )
    add("--forwarded-allow-ips", metavar="LIST", help="whose proxy headers are trusted")


def target_of(target: str | None, options: argparse.Namespace) -> Application | list[Path]:
    """The application of a target with its options, or its scenario files. Raises `InputError`."""
    from loopviz.target import Application, find

    found = find(
        target,
        app_dir=options.app_dir,
        factory=options.factory,
        builtin=getattr(options, "builtin", False),
    )
    given = {name: getattr(options, name) for name in _SETTINGS.values()}
    settings = {name: value for name, value in given.items() if value is not None}
    if not isinstance(found, Application):
        _refuse(options, settings)
        return found
    env_file = _absolute(options.env_file, "--env-file")
    if "log_config" in settings:
        settings["log_config"] = _absolute(settings["log_config"], "--log-config")
    if options.workers > 1 and options.isolate is False:
        raise InputError("--workers needs processes of their own.\nLeave out --in-thread.")
    reload = getattr(options, "reload", False)
    if reload and options.isolate is False:
        raise InputError("--reload starts a process again.\nLeave out --in-thread.")
    return replace(
        found, reload=reload, host=options.host or "127.0.0.1", env_file=env_file, settings=settings
    )


def files_of(found: Application | list[Path]) -> list[Path]:
    """The files that must not be overwritten by a recording."""
    if isinstance(found, list):
        return found
    return [] if found.file is None else [Path(found.file)]


def changes_of(found: Application | None) -> Changes | None:
    """What looks at the files of an application that is started again when they are saved."""
    from loopviz.target.changes import Changes

    if found is None or not found.reload:
        return None
    return Changes([found.folder, found.app_dir])


def notice(found: Application) -> str | None:
    """What is said of an application when it is run: what is wrong, or how it was found."""
    from loopviz.target.remembering import read

    try:
        read(found.folder)
    except InputError as error:
        return f"{error}. Its requests are not used, and none is remembered."
    if found.found is None:
        return None
    return f"{found.name}, by {found.found}. 'loopviz run --builtin' shows the built-in scenarios."


def session_for(
    found: Application | None, files: list[ScenarioFile], options: argparse.Namespace, *, lazily: bool = False
) -> Session:
    """A session with the application, or with scenarios, where the options say."""
    from importlib.util import find_spec

    from loopviz.live.session import Session

    common: dict[str, Any] = {"port": options.port, "threads": options.threads, "lazily": lazily}
    common |= {
        name: getattr(options, name) for name in ("health", "health_timeout") if hasattr(options, name)
    }
    if found is None:
        if getattr(options, "isolate", None):
            common["isolate"] = True
        return Session(files, loop="asyncio" if options.loop in {None, "auto"} else options.loop, **common)
    loop = options.loop or "asyncio"  # of uvloop, less is visible
    if loop == "auto":  # as uvicorn
        loop = "uvloop" if find_spec("uvloop") is not None else "asyncio"
    isolate = options.isolate is not False
    if options.workers > 1:
        common["workers"] = options.workers
    return Session(files, loop=loop, application=found, isolate=isolate, **common)


def _refuse(options: argparse.Namespace, settings: dict[str, Any]) -> None:
    """Refuse options that only an application has."""
    given = [option for option, name in _SETTINGS.items() if name in settings]
    given += ["--env-file"] if options.env_file is not None else []
    given += ["--host"] if options.host is not None else []
    given += ["--reload"] if getattr(options, "reload", False) else []
    given += ["--workers"] if options.workers > 1 else []
    if given:
        raise InputError(
            f"{given[0]} is for an application of your own, and scenarios are meant.\n"
            "Leave it out, or name the application: module:attribute."
        )


def _absolute(file: str | None, option: str) -> str | None:
    """The file's path, which the child process needs from another working folder."""
    if file is None:
        return None
    path = Path(file).absolute()
    if not path.is_file():
        raise InputError(f"{option}: {file} does not exist.\nGive a file.")
    return str(path)
