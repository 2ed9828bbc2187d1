"""From a TOML file to a talk. Everything in it is checked; nothing of it is executed."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loopviz.errors import InputError
from loopviz.paths import is_file
from loopviz.scenario import builtin_folder, find, nearest
from loopviz.talk.fields import Check, FieldError, choice, lines, number, one_line, table, texts, whole
from loopviz.talk.steps import VIEWS, Question, Step, Talk

__all__ = ["builtin_talk", "read_talk"]

_MOST_BYTES = 256 * 1024
_MOST_STEPS = 99
_HEADER = re.compile(r"\s*\[\[\s*[\"']?step[\"']?\s*\]\]")


def builtin_talk() -> Path:
    """The file of the talk that comes with loopviz."""
    return builtin_folder() / "talk.toml"


def read_talk(path: Path) -> Talk:
    """Read a talk. Raises `InputError`, with the line or the step, for whatever cannot be used."""
    text = _text_of(path)
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise InputError(f"{path}: it is nested too deeply.\nWrite a title and steps: [[step]].") from None
    except ValueError as error:  # also a number of too many digits
        raise InputError(
            f"{_located(path, text, error)}\nCorrect that line; docs/talk.md has an example."
        ) from None
    try:
        talk = table(document, {"title": one_line(80), "step": _steps}, ("title", "step"))
    except FieldError as error:
        raise InputError(f"{path}{_line(text, error.field)}: {error.what}.\n{error.fix}") from None
    known = _Known(path.parent)
    found = []
    for position, given in enumerate(talk["step"], 1):
        try:
            found.append(_step(given, known))
        except FieldError as error:
            where = f"{path}{_line(text, error.field, position)}: step {position}"
            raise InputError(f"{where}: {error.what}.\n{error.fix}") from None
    return Talk(path, talk["title"], tuple(found))


def _text_of(path: Path) -> str:
    """The text of a regular file that is not too large."""
    try:
        # A pipe must not make the program wait for what is written to it.
        file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            mode, data = os.fstat(file).st_mode, b""
            while stat.S_ISREG(mode) and len(data) <= _MOST_BYTES and (read := os.read(file, _MOST_BYTES)):
                data += read
        finally:
            os.close(file)
    except FileNotFoundError:
        raise InputError(
            f"{path} does not exist.\nGive a talk's TOML file, or nothing for the built-in talk."
        ) from None
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise InputError(f"{path} cannot be read: {why}.\nGive a talk's TOML file.") from None
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise InputError(f"{path} is {what}.\nGive a talk's TOML file, or nothing for the built-in talk.")
    if len(data) > _MOST_BYTES:
        raise InputError(f"{path} is larger than {_MOST_BYTES // 1024} KiB.\nGive a talk's TOML file.")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}:{line}: it is no text in UTF-8.\nGive a talk's TOML file.") from None


def _located(path: Path, text: str, error: ValueError) -> str:
    """A syntax error, with its line in front where tomllib says it at the end."""
    if str(error).endswith("(at end of document)"):
        return f"{path}:{len(text.splitlines())}: it is no TOML: {error}."
    said = re.fullmatch(r"(.*) \(at line (\d+), column \d+\)", str(error), re.DOTALL)
    if said is None:
        return f"{path}: it is no TOML: {error}."
    return f"{path}:{said[2]}: it is no TOML: {said[1]}."


def _line(text: str, field: str, step: int = 0) -> str:
    """The line of a field of a step, or of the step: ``:12``; empty where it is not certain."""
    every = text.split("\n")
    heads = [at for at, line in enumerate(every) if _HEADER.match(line)]
    if step > len(heads):
        return ""
    first = heads[step - 1] if step else 0
    last = next((head for head in heads[step:]), len(every))
    named = re.compile(rf"\s*[\"']?{re.escape(field)}[\"']?\s*=") if field else None
    for at in range(first, last):
        if named is not None and named.match(every[at]):
            return f":{at + 1}"
    return f":{first + 1}" if step else ""


class _Known:
    """The scenarios that a talk in this folder can name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def file(self, name: str) -> Path:
        """The file of a scenario: one of the catalogue by name, or one beside the talk."""
        if name.endswith(".py") or "/" in name or "\\" in name:
            return self._beside(name)
        catalogue = {path.stem: path for path in find()}
        if name in catalogue:
            return catalogue[name]
        beside = sorted(path.name for path in self._folder.glob("*.py") if not path.name.startswith("_"))
        what, fix = nearest("scenario", name, [*catalogue, *beside]).split("\n", 1)
        raise FieldError(what[0].lower() + what[1:].removesuffix("."), fix, "scenario")

    def _beside(self, name: str) -> Path:
        folder = self._folder.resolve()
        try:
            path = (folder / name).resolve()
        except (OSError, RuntimeError):  # a loop of links
            path = folder / name
        if not path.is_relative_to(folder):
            raise FieldError(
                f"scenario {name!r} does not lie beside the talk",
                "Move it into the talk's folder, or name one of 'loopviz scenarios'.",
                "scenario",
            )
        if path.suffix != ".py" or not is_file(path):
            files = sorted(
                str(file.relative_to(folder)) for part in ("*.py", "*/*.py") for file in folder.glob(part)
            )
            raise FieldError(
                f"scenario {name!r} is no Python file beside the talk",
                nearest("file", name, files).split("\n", 1)[1] if files else "Write that file first.",
                "scenario",
            )
        return path


def _steps(value: Any) -> list[Any]:
    fix = "Write each step below a line [[step]]."
    if not isinstance(value, list) or not all(isinstance(step, dict) for step in value):
        raise FieldError("must be a list of tables", fix)
    if not 1 <= len(value) <= _MOST_STEPS:
        raise FieldError(f"has {len(value)} steps", f"Write from 1 to {_MOST_STEPS}.")
    return value


def _question(value: Any) -> Question:
    if isinstance(value, str):
        return Question(one_line(160)(value))
    if not isinstance(value, dict):
        raise FieldError("must be a text or a table", 'Write a question: predict = "How long?"')
    fields = table(value, _QUESTION, ("question",))
    choices, answer = fields.get("choices", ()), fields.get("answer")
    if choices and answer is not None and answer not in choices:
        raise FieldError("answer is none of the choices", f"Write one of {', '.join(choices)}.", "answer")
    return Question(fields["question"], choices, answer)


_QUESTION: Mapping[str, Check] = {
    "question": one_line(160), "choices": texts(2, 4, 40), "answer": one_line(40),
}  # fmt: skip
_STEP: Mapping[str, Check] = {
    "headline": one_line(60),
    "scenario": one_line(200),
    "requests": whole(1, 1_000),
    "threads": whole(1, 10_000),
    "view": choice(VIEWS),
    "window": number(0.001, 300, "seconds"),
    "predict": _question,
    "say": lines(4_000),
    "minutes": number(0.1, 600, "minutes"),
}


def _step(value: Any, known: _Known) -> Step:
    fields = table(value, _STEP, ("headline",))
    name = fields.pop("scenario", None)
    if name is None:
        for field in ("requests", "threads", "window", "view"):
            if field in fields:
                raise FieldError(f"{field} needs a scenario", f"Add a scenario, or remove {field}.", field)
        return Step(**fields)
    return Step(file=known.file(name), **fields)
