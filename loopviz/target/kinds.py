"""What is an application: the classes of frameworks, and the usual names."""

from __future__ import annotations

from typing import Final

__all__ = ["CLASSES", "MAKERS", "OTHERS", "PREFERRED", "is_application"]

PREFERRED: Final = ("app", "api", "application")
"""The usual names of an application in its module, the most usual first; Django's is the last."""

CLASSES: Final = {
    "blacksheep": ("Application",),
    "connexion": ("AsyncApp", "FlaskApp"),  # codespell:ignore connexion
    "django": ("ASGIHandler",),
    "engineio": ("ASGIApp",),
    "falcon": ("App",),
    "fastapi": ("FastAPI",),
    "litestar": ("Litestar",),
    "quart": ("Quart",),
    "sanic": ("Sanic",),
    "socketio": ("ASGIApp",),
    "starlette": ("Starlette",),
}
"""The classes of applications, by the package that has them."""

MAKERS: Final = {"django": ("get_asgi_application",)}
"""Functions that return an application."""

OTHERS: Final = frozenset(
    {
        "bottle",
        "celery",
        "click",
        "cyclopts",
        "dash",
        "flask",
        "gradio",
        "kivy",
        "textual",
        "tkinter",
        "typer",
    }
)
"""Packages in which what is called an application is none for ASGI."""


def is_application(thing: object) -> bool:
    """Whether it is an instance of a framework's application. No framework is imported for that."""
    return any(
        kind.__name__ in CLASSES.get(kind.__module__.partition(".")[0], ()) for kind in type(thing).__mro__
    )
