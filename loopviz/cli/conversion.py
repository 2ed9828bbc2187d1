"""Reading a recording and writing it in the format of another tool."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from loopviz.cli.destination import require_replaceable, save
from loopviz.clock import NS
from loopviz.draw.safe import printable
from loopviz.draw.themes import DARK, theme_named
from loopviz.errors import InputError
from loopviz.export import FORMATS, SHAPED, WINDOWED, Caption, Framing, Material, Window
from loopviz.export.material import extent
from loopviz.model import Timeline
from loopviz.model.limits import EXPORTED
from loopviz.recording import ScenarioSnapshot
from loopviz.recording.carried import carry
from loopviz.recording.read import Recording, open_recording
from loopviz.recording.whole import free_name

__all__ = ["convert"]

_COMPRESSED = frozenset({".gz", ".zst", ".xz", ".bz2"})
_PATIENCE = 1.0
"""Seconds of silence before progress is shown."""
_MOST_REQUESTS = 400_000
"""Requests that are exported: each takes at least 2.6 kB of memory."""
_MOST_OUTPUT = 1 << 31
"""Characters of an export: twice as many as 400,000 usual requests have."""
_PIECE = 1 << 16
"""Characters that are encoded at once."""


def convert(
    file: str,
    form: str,
    output: str | None,
    start: float | None,
    until: float | None,
    *,
    theme: str | None = None,
    ratio: tuple[int, int] | None = None,
    force: bool = False,
) -> int:
    """Write the recording in this format; the exit code.

    Without an output file it goes to standard output, or, if that is a terminal, to a new file with the
    recording's name and the format's suffix. `start` and `until` are in seconds, `theme` is a name, and
    `ratio` is width to height. With `force`, any file but the recording and its scenarios is overwritten.
    """
    if form not in WINDOWED and not (start is None and until is None):
        raise InputError(
            f"--from and --until are for {' and '.join(sorted(WINDOWED))}; {form} always has everything."
        )
    if form not in SHAPED and not (theme is None and ratio is None):
        raise InputError(f"--theme and --ratio are for {' and '.join(sorted(SHAPED))}; {form} has neither.")
    suffix, make = FORMATS[form]
    with open_recording(file) as recording:
        target = _target(Path(file), suffix, output)
        if target is not None and output is not None:
            inputs = {Path(found.file): "a scenario of the recording" for found in recording.header.scenarios}
            inputs[Path(file)] = "the recording itself"
            require_replaceable(target, form, inputs, force=force)
        material, complete = _read(recording)
    framing = Framing(
        _window(material.timeline, start, until), DARK if theme is None else theme_named(theme), ratio
    )
    pieces = _bounded(make(material, framing))
    if target is None:
        sys.stdout.buffer.writelines(_pieces(pieces))
        sys.stdout.buffer.flush()
    else:
        size = save(target, _pieces(pieces), replace=output is not None)
        _report(f"{target}: {size:,} bytes")
    if not complete:
        _report(f"loopviz: {file} has too many requests; the first {_MOST_REQUESTS:,} were exported.")
    if recording.damage is not None:
        _report(f"loopviz: {file} is damaged; it was exported up to there: {recording.damage}")
    return 0


def _report(text: str) -> None:
    print(printable(text, 1_000), file=sys.stderr)


def _target(file: Path, suffix: str, output: str | None) -> Path | None:
    """Where to write; None for standard output."""
    if output == "-" or (output is None and not sys.stdout.isatty()):
        return None
    if output is not None:
        return Path(output)
    stem = file.with_suffix("") if file.suffix in _COMPRESSED else file
    return free_name(stem.with_name(stem.stem), suffix)


def _read(recording: Recording) -> tuple[Material, bool]:
    """The recording as a timeline, and whether all of it is there."""
    timeline = Timeline(whole=True, limits=EXPORTED)
    carry(timeline, recording.header)
    began, shown, complete = time.monotonic(), False, True
    for batch in recording.batches():
        timeline.feed(batch)
        complete = len(timeline.requests) <= _MOST_REQUESTS
        if not complete:
            break
        if sys.stderr.isatty() and time.monotonic() - began > _PATIENCE:
            sys.stderr.write(f"\r\x1b[K{timeline.events:,} events read")
            sys.stderr.flush()
            shown = True
    if shown:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
    header = recording.header
    known = _shown(header.scenarios, timeline)
    scenario = header.scenarios[0].name if len(header.scenarios) == 1 else None
    material = Material(
        timeline,
        recording.path.name if known is None else known.name,
        asdict(header.environment),
        header.threads,
        recording.dropped,
        recording.blind,
        scenario,
        None
        if known is None
        else Caption(known.title, known.expect, known.file, _path(known), known.source, known.repaired),
    )
    return material, complete


def _shown(scenarios: Sequence[ScenarioSnapshot], timeline: Timeline) -> ScenarioSnapshot | None:
    """The scenario that the recording shows; None for several, and for none that it knows."""
    if len(scenarios) == 1:
        return scenarios[0]
    asked = {request.path.partition("?")[0] for request in timeline.requests.values()}
    found = [scenario for scenario in scenarios if _path(scenario) in asked]
    return found[0] if len(found) == len(asked) == 1 else None


def _path(scenario: ScenarioSnapshot) -> str:
    return scenario.path.partition("?")[0]


def _window(timeline: Timeline, start: float | None, until: float | None) -> Window | None:
    """The window in nanoseconds since the first request."""
    if start is None and until is None:
        return None
    zero, end = extent(timeline)
    first = 0 if start is None else round(start * NS)
    last = end - zero if until is None else round(until * NS)
    if first >= last or first >= end - zero:
        raise InputError(
            f"There is nothing from {first / NS:g} s to {last / NS:g} s.\n"
            f"The recording lasts {(end - zero) / NS:g} s; give --from and --until within it."
        )
    return first, last


def _pieces(texts: Iterable[str]) -> Iterator[bytes]:
    """Many small texts as fewer larger ones, encoded."""
    waiting: list[str] = []
    size = 0
    for text in texts:
        waiting.append(text)
        size += len(text)
        if size >= _PIECE:
            yield "".join(waiting).encode()
            waiting, size = [], 0
    yield "".join(waiting).encode()


def _bounded(texts: Iterable[str]) -> Iterator[str]:
    """The same texts. Raises `InputError` when there are too many: a small file may repeat long names."""
    size = 0
    for text in texts:
        size += len(text)
        if size > _MOST_OUTPUT:
            raise InputError(
                f"The export would have more than {_MOST_OUTPUT >> 30} GiB.\nChoose svg, which is small."
            )
        yield text
