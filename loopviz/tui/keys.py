"""The table of keys: what each key does, and how that is called.

Derived from it are the bindings and the command palette (`loopviz.tui.bindings`), the help and the
foot line (`loopviz.tui.keymap`), and ``docs/keys.md`` (``docs/keys.py``). A test compares it with the
letters that a scenario cannot have (`loopviz.scenario.RESERVED_KEYS`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["TABLE", "Context", "Foot", "Key", "Row", "Section", "keys_of"]

Context = Literal[
    "app", "picture", "scenarios", "prompt", "filter", "output", "request", "help", "pick", "comparison",
    "claims", "talk", "notes", "prediction", "repair",
]  # fmt: skip
"""Where a key works: everywhere (``app``), or on one screen or part of it."""


@dataclass(frozen=True, slots=True)
class Key:
    """One action, and the keys that are bound to it."""

    id: str
    """Its name in a keymap: ``picture.freeze``."""
    keys: str
    """Textual's names of the keys, separated by commas; the first one is the one to show."""
    action: str
    """The name of the action with its arguments: ``pan(-0.1)``."""
    title: str
    """Its name in the command palette."""
    words: str = ""
    """What it does, if its row does not say it exactly."""
    unwritten: str = ""
    """Further keys that are bound and not shown: other names of the same keys."""
    lead: bool = True
    """Whether it is named in front of the row's words, not behind them."""
    palette: bool = True
    """Whether the command palette has it. Keys that work on one screen only are not in it."""
    priority: bool = False
    """Whether it works before the keys of what has the focus."""


@dataclass(frozen=True, slots=True)
class Foot:
    """A row's place in the foot line of the picture."""

    words: str
    """May contain the names in braces that `loopviz.tui.scene.foot` has words for, such as ``{requests}``."""
    place: Literal["side", "dead", "always", "roomy", "unanswered", "loading", "written", "pools"]
    """``side``: behind the scenarios; ``roomy``: only where the line has room; ``dead``: only when the
    server's process has ended, before the others. The rest are there while something is so, and the line has
    room: ``unanswered``, requests are; ``loading``, a load is sent; ``pools``, the application has pools of
    its own; ``written``, there is new output, and that is behind what is at the side."""
    press: int = 0
    """Which of the row's keys a click on the words presses; a click on a key presses that key."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the help: one action, or a few that belong together."""

    words: str
    keys: tuple[Key, ...] = ()
    foot: Foot | None = None
    column: str = ""
    """What to press, where a widget of Textual binds the keys and not loopviz; Markdown."""
    also: str = ""
    """What does the same without a key."""
    server: bool = False
    """Whether it needs a server: it is not offered where a recording is shown."""
    client: bool = False
    """Whether it needs loopviz's own client as well: it is not offered where a server is attached to."""
    lessons: bool = False
    """Whether it is for scenarios only: it is not offered for an application of the user's own."""


@dataclass(frozen=True, slots=True)
class Section:
    """The rows of one heading."""

    context: Context
    heading: str
    rows: tuple[Row, ...]


TABLE: tuple[Section, ...] = (
    Section("picture", "Fire", (
        Row("fire the scenario with that letter", column="a letter", server=True, client=True, lessons=True),
        Row("repair what was fired last: look at the change, then measure it", (
            Key(
                "picture.repaired", "F", "repaired", "Repair", "show the repair of what was fired last",
                unwritten="upper_f",
            ),
        ), server=True, client=True),
        Row("more or fewer requests at once: steps from each scenario's own number, and back to it", (
            Key(
                "picture.more-requests", "plus", "more_requests", "More requests",
                "fire more requests at once", unwritten="equals_sign",
            ),
            Key(
                "picture.fewer-requests", "minus", "fewer_requests", "Fewer requests",
                "fire fewer requests at once",
            ),
        ), foot=Foot("{requests}", "always"), server=True, client=True),
        Row("steady load of the selected or last scenario: + and - change how many a second; again ends it", (
            Key("picture.load", "l", "load", "Load", "so many requests a second, or no more"),
        ), foot=Foot("{load}", "loading"), server=True, client=True),
        Row("give up what is running: its requests are not waited for, and what has not begun is not begun", (
            Key("picture.give-up", "g", "give_up", "Give up", "what is running"),
        ), foot=Foot("give up", "unanswered"), server=True, client=True),
        Row("predict first: the picture of what is fired next is hidden until you have answered", (
            Key("picture.predict", "p", "predict", "Predict first", "hide the next picture at first"),
        ), server=True, client=True),
        Row("the list of scenarios: type to filter, enter fires", (
            Key("picture.scenarios", "tab", "catalogue", "Scenarios", priority=True),
        ), foot=Foot("{scenarios}", "side"), server=True, client=True),
    )),
    Section("picture", "Views", (
        Row("the views of the same moment: the timeline, the code at work, the event loop as a machine, and"
            " the reasons", (
            Key("picture.timeline", "1", "look('timeline')", "Timeline", "the view of time"),
            Key("picture.code", "2", "look('code')", "Code", "the view of the code at work"),
            Key("picture.machine", "3", "look('machine')", "Machine", "the view of the event loop and pools"),
            Key("picture.reasons", "4", "look('reasons')", "Reasons", "the view of what was found, and why"),
        )),
        Row("the code: with the lines of libraries inside of each line, or without them; scroll it", (
            Key(
                "picture.expand", "X", "expand", "Expand the code",
                "with the lines of libraries, or without them", unwritten="upper_x",
            ),
            Key("picture.code-up", "shift+up", "scroll_code(-3)", "Scroll the code up"),
            Key("picture.code-down", "shift+down", "scroll_code(3)", "Scroll the code down"),
        )),
    )),
    Section("picture", "The server", (
        Row("health probes as of a load balancer: ten a second at a trivial endpoint; again ends them", (
            Key(
                "picture.health", "H", "health", "Health probes", "send health probes, or no more",
                unwritten="upper_h",
            ),
        ), server=True, client=True),
        Row("lower or raise the thread limit, or the pool that is chosen; takes effect at once", (
            Key(
                "picture.lower-thread-limit", "left_square_bracket", "lower_thread_limit",
                "Lower the thread limit", "fewer worker threads",
            ),
            Key(
                "picture.raise-thread-limit", "right_square_bracket", "raise_thread_limit",
                "Raise the thread limit", "more worker threads",
            ),
        ), foot=Foot("{threads}", "always", press=1), server=True, client=True),
        Row("choose what that changes: the thread limit, or one of the application's own pools", (
            Key(
                "picture.previous-knob", "left_curly_bracket", "previous_knob", "Previous pool",
                "the pool before",
            ),
            Key(
                "picture.next-knob", "right_curly_bracket", "next_knob", "Next pool",
                "the next pool",
            ),
        ), foot=Foot("{knobs}", "pools", press=1), server=True, client=True),
        Row("move the server to a process of its own, or back into a thread of this program", (
            Key("picture.move", "i", "move", "Move the server", "to a process of its own, or back"),
        ), foot=Foot("{move}", "roomy"), server=True, client=True),
        Row("start the server's process again, when it has ended", (
            Key(
                "picture.restart", "R", "restart", "Restart", "start the server's process again",
                unwritten="upper_r",
            ),
        ), foot=Foot("restart", "dead"), server=True, client=True),
    )),
    Section("picture", "Time", (
        Row("pause or go on, whatever moves; events are still collected", (
            Key("picture.freeze", "space", "freeze", "Freeze"),
        ), foot=Foot("{freeze}", "always")),
        Row("move in time by a tenth of the picture; with shift by all of it", (
            Key("picture.back", "left", "pan(-0.1)", "Back in time", "by a tenth of the picture"),
            Key("picture.forward", "right", "pan(0.1)", "Forward in time", "by a tenth of the picture"),
            Key(
                "picture.page-back", "shift+left", "pan(-1)", "Page back",
                "back in time by the width of the picture", lead=False,
            ),
            Key(
                "picture.page-forward", "shift+right", "pan(1)", "Page forward",
                "forward in time by the width of the picture", lead=False,
            ),
        )),
        Row("zoom, from 1 ms to 5 min", (
            Key("picture.zoom-in", "z", "zoom(1)", "Zoom in", "show less time"),
            Key("picture.zoom-out", "Z", "zoom(-1)", "Zoom out", "show more time", unwritten="upper_z"),
        ), also="ctrl and the mouse wheel"),
        Row("fit the selected request, or the last burst", (Key("picture.fit", "f", "fit", "Fit"),)),
        Row("the first event; the present", (
            Key("picture.first", "home", "first", "First event", "go to the beginning"),
            Key("picture.present", "end", "live", "Present", "follow what happens now"),
        )),
        Row("next or previous block, wait for a thread, error or late frame", (
            Key("picture.next-place", "n", "jump(1)", "Next place"),
            Key("picture.previous-place", "N", "jump(-1)", "Previous place", unwritten="upper_n"),
        )),
        Row("step to the next or previous change of state", (
            Key(
                "picture.next-change", "full_stop", "change(1)", "Next change",
                "step to the next change of state",
            ),
            Key(
                "picture.previous-change", "comma", "change(-1)", "Previous change",
                "step to the previous change of state",
            ),
        )),
        Row("move the time cursor; set a second one: the sums of the time between both are shown", (
            Key(
                "picture.cursor-back", "less_than_sign", "cursor(-1)", "Cursor back",
                "move the time cursor back by a column",
            ),
            Key(
                "picture.cursor-forward", "greater_than_sign", "cursor(1)", "Cursor forward",
                "move the time cursor forward by a column",
            ),
            Key(
                "picture.mark", "apostrophe", "mark", "Mark",
                "set a second time cursor, to measure an interval",
            ),
        ), also="a click into a lane; dragging selects a part of the time"),
        Row("play the selected request, or the last burst, in slow motion: 1/100, 1/10, 1/4, 1, 4 times", (
            Key("picture.play", "r", "play", "Play back", "in slow motion; again for faster"),
        )),
        Row("undo the last navigation", (Key("picture.undo", "backspace", "undo", "Undo"),)),
    )),
    Section("picture", "Requests", (
        Row("select a request; in the reasons view, open another finding", (
            Key("picture.previous-request", "up,k", "point(-1)", "Previous request", palette=False),
            Key("picture.next-request", "down,j", "point(1)", "Next request", palette=False),
            Key("picture.page-up", "pageup", "point(-10)", "Ten requests back", lead=False, palette=False),
            Key(
                "picture.page-down", "pagedown", "point(10)", "Ten requests forward", lead=False,
                palette=False,
            ),
        ), also="the mouse wheel"),
        Row("open the selected request: its segments, their source lines and their sum; for an application,"
            " the list of routes while none is selected", (
            Key("picture.open", "enter", "detail", "Detail"),
        ), foot=Foot("detail", "roomy"), also="a click on its name"),
        Row("open in $VISUAL or $EDITOR the line of the selection, of a finding, of a block, or of what was"
            " fired last", (
            Key("picture.edit", "e", "edit", "Edit", "the line of source code"),
        )),
        Row("filter the rows by path, status, state or #number", (
            Key("picture.filter", "slash", "filter", "Filter", priority=True),
        )),
        Row("sort the rows by arrival, latency or time lost", (Key("picture.sort", "t", "sort", "Sort"),)),
        Row("take back, one at a time: the filter, the selection, the mark, the way to the present", (
            Key("picture.take-back", "escape", "take_back", "Take back", palette=False),
        )),
        Row("clear the requests that have ended", (
            Key("picture.clear", "x", "clear", "Clear"),
        ), foot=Foot("clear", "roomy")),
        Row("write the last minutes to a file, for loopviz replay and loopviz export", (
            Key("picture.write", "w", "write", "Write", "the last minutes to a file"),
        ), server=True),
    )),
    Section("picture", "Other screens", (
        Row("what the application writes to its standard output and error", (
            Key("picture.output", "o", "output", "Output", "what the application writes"),
        ), foot=Foot("{output}", "written"), server=True),
        Row("compare scenarios: the same load on each, side by side", (
            Key("picture.compare", "v", "compare", "Compare", priority=True),
        ), foot=Foot("compare", "side"), server=True, client=True),
        Row("the claims quiz: predict, then run it", (
            Key("picture.claims", "m", "claims", "Claims", priority=True),
        ), foot=Foot("claims", "side"), server=True),
    )),
    Section("app", "Everywhere", (
        Row("all commands by name", (
            Key("app.commands", "ctrl+p", "command_palette", "Commands", palette=False, priority=True),
        )),
        Row("the next theme: dark, light, high contrast, two for colour blindness", (
            Key("app.theme", "T", "next_theme", "Next theme", unwritten="upper_t"),
        )),
        Row("legend and keys", (
            Key("app.help", "question_mark", "help", "Help"),
        ), foot=Foot("help", "always")),
        Row("back to the stage, where a talk is held", (
            Key("app.talk", "ctrl+t", "talk", "Talk", "go back to the stage"),
        )),
        Row("stop the program, as other programs of the shell; fg continues it", (
            Key("app.stop", "ctrl+z", "stop", "Stop the program", palette=False, priority=True),
        )),
        Row("quit", (
            Key("app.quit", "q", "quit", "Quit", "end the program"),
            Key(
                "app.quit-at-once", "ctrl+c,ctrl+q", "quit", "Quit at once", "from any screen", lead=False,
                palette=False, priority=True,
            ),
        ), foot=Foot("quit", "always")),
    )),
    Section("scenarios", "The list of scenarios", (
        Row("filter the list: every word must occur in a name, group or title", column="letters"),
        Row("fire the highlighted scenario", (
            Key("scenarios.choose", "enter", "choose", "Fire"),
        ), also="a click"),
        Row("edit the request of the highlighted route of an application, and fire it", (
            Key("scenarios.edit", "ctrl+e", "edit", "Edit the request", priority=True),
        )),
        Row("highlight another scenario", (
            Key("scenarios.up", "up", "move(-1)", "Up"),
            Key("scenarios.down", "down", "move(1)", "Down"),
            Key("scenarios.page-up", "pageup", "move(-10)", "Page up", lead=False),
            Key("scenarios.page-down", "pagedown", "move(10)", "Page down", lead=False),
        )),
        Row("close", (Key("scenarios.close", "escape", "close", "Close"),), also="`tab`"),
    )),
    Section("prompt", "The request of a route", (
        Row("edit the request in one line: method, path and, if it has one, its body", column="letters"),
        Row("fire it, and remember it in the project", column="`enter`"),
        Row("close; nothing is fired", (Key("prompt.close", "escape", "dismiss(None)", "Close"),)),
    )),
    Section("filter", "The filter of rows", (
        Row("show only rows in which every word occurs", column="letters"),
        Row("keep the filter", column="`enter`"),
        Row("show all rows", column="`esc`"),
    )),
    Section("output", "The output of the application", (
        Row("scroll; the end follows what is written", (
            Key("output.up", "up,k", "scroll_by(-1)", "Up"),
            Key("output.down", "down,j", "scroll_by(1)", "Down"),
            Key("output.page-up", "pageup", "scroll_page(-1)", "Page up", lead=False),
            Key("output.page-down", "pagedown", "scroll_page(1)", "Page down", lead=False),
            Key("output.first", "home", "go(-1)", "First line", lead=False),
            Key("output.last", "end", "go(1)", "Last line", lead=False),
        ), also="the mouse wheel"),
        Row("close", (Key("output.close", "escape,o", "close", "Close"),)),
    )),
    Section("request", "An opened request", (
        Row("scroll", (
            Key("request.up", "up,k", "scroll_by(-1)", "Up"),
            Key("request.down", "down,j", "scroll_by(1)", "Down"),
        )),
        Row("open the line where it was longest in $VISUAL or $EDITOR", (
            Key("request.edit", "e", "edit", "Edit"),
        )),
        Row("legend and keys", (Key("request.help", "question_mark", "help", "Help"),)),
        Row("close", (Key("request.close", "escape,enter,q", "dismiss", "Close"),)),
    )),
    Section("help", "The help", (
        Row("scroll", (
            Key("help.up", "up,k", "scroll_by(-1)", "Up"),
            Key("help.down", "down,j", "scroll_by(1)", "Down"),
        ), also="pageup pagedown home end"),
        Row("scroll to the next or previous section", (
            Key("help.next-section", "tab", "section(1)", "Next section", priority=True),
            Key("help.previous-section", "shift+tab", "section(-1)", "Previous section", priority=True),
        )),
        Row("close", (Key("help.close", "escape,question_mark,q,enter", "dismiss", "Close"),)),
    )),
    Section("pick", "Scenarios to compare", (
        Row("filter the list: every word must occur in a name, group or title", column="letters"),
        Row("tick a scenario or a pair, or remove the tick", (
            Key("pick.tick", "space", "tick", "Tick", priority=True),
        ), also="a click"),
        Row("compare what is ticked, or the highlighted pair", (
            Key("pick.compare", "enter", "go", "Compare", priority=True),
        )),
        Row("highlight another one", (
            Key("pick.up", "up", "move(-1)", "Up"),
            Key("pick.down", "down", "move(1)", "Down"),
            Key("pick.page-up", "pageup", "move(-10)", "Page up", lead=False),
            Key("pick.page-down", "pagedown", "move(10)", "Page down", lead=False),
        )),
        Row("close", (Key("pick.close", "escape", "dismiss([])", "Close", priority=True),)),
    )),
    Section("comparison", "The comparison", (
        Row("compare others", (Key("comparison.again", "v", "again", "Others"),)),
        Row("close", (Key("comparison.close", "escape,q", "dismiss", "Close"),)),
    )),
    Section("repair", "A repair", (
        Row("fire it beside the original, with the same load; once more when it is over", (
            Key("repair.fire", "enter", "fire", "Fire"),
        )),
        Row("show the next or previous repair, where there are several", (
            Key("repair.next", "tab,right", "turn(1)", "Next repair", priority=True),
            Key("repair.previous", "shift+tab,left", "turn(-1)", "Previous repair", priority=True),
        )),
        Row("scroll the change", (
            Key("repair.up", "up,k", "scroll_by(-1)", "Up"),
            Key("repair.down", "down,j", "scroll_by(1)", "Down"),
            Key("repair.page-up", "pageup", "scroll_page(-1)", "Page up", lead=False),
            Key("repair.page-down", "pagedown", "scroll_page(1)", "Page down", lead=False),
        )),
        Row("write the change as a patch, to a new file in the project", (
            Key("repair.write", "w", "write", "Write a patch"),
        )),
        Row("give up what is fired", (Key("repair.give-up", "g", "give_up", "Give up"),)),
        Row("back to the change, or to the picture; what is fired is given up", (
            Key("repair.close", "escape,q", "back", "Back"),
        )),
    )),
    Section("claims", "The claims quiz", (
        Row("predict: true, false, or it depends", (
            Key("claims.true", "t", "predict('t')", "True"),
            Key("claims.false", "f", "predict('f')", "False"),
            Key("claims.depends", "d", "predict('d')", "It depends"),
        )),
        Row("open the claim; run it; go to the next one", (Key("claims.go", "enter", "go", "Open, run"),)),
        Row("see it live: fire one of the scenarios that show the claim, in the picture", (
            Key("claims.live-1", "1", "live(1)", "First scenario"),
            Key("claims.live-2", "2", "live(2)", "Second scenario"),
            Key("claims.live-3", "3", "live(3)", "Third scenario"),
            Key("claims.live-4", "4", "live(4)", "Fourth scenario"),
        ), also="a click on its name"),
        Row("choose another claim", (
            Key("claims.previous", "left,h,p", "turn(-1)", "Previous claim"),
            Key("claims.next", "right,l,n", "turn(1)", "Next claim"),
            Key("claims.up", "up,k", "turn(-1)", "Previous claim", lead=False),
            Key("claims.down", "down,j", "turn(1)", "Next claim", lead=False),
            Key("claims.page-up", "pageup", "turn(-10)", "Ten claims back", lead=False),
            Key("claims.page-down", "pagedown", "turn(10)", "Ten claims forward", lead=False),
        )),
        Row("back to the list, or to the picture; a run is cancelled", (
            Key("claims.back", "escape,q", "back", "Back"),
        )),
    )),
    Section("talk", "A talk on the stage", (
        Row("what comes next: ask the room, fire, or go to the next step", (
            Key("talk.next", "space", "next", "Next"),
            Key("talk.next-remote", "enter,pagedown", "next", "Next", lead=False),
        )),
        Row("back to the beginning of the step, or to the previous one", (
            Key("talk.back", "backspace", "back", "Back"),
            Key("talk.back-remote", "pageup", "back", "Back", lead=False),
        )),
        Row("the previous or next step, whatever is running", (
            Key("talk.previous-step", "left", "step(-1)", "Previous step"),
            Key("talk.next-step", "right", "step(1)", "Next step"),
        )),
        Row("while a question is shown, what the room says; otherwise go to that step", column="`1`–`9`"),
        Row("predict first, at a step that asks nothing", (
            Key("talk.predict", "p", "predict", "Predict first"),
        )),
        Row("fire the step again", (Key("talk.again", "r", "again", "Again"),)),
        Row("leave the stage, for the picture of the same server", (
            Key("talk.close", "escape", "dismiss", "Leave the stage"),
        )),
    )),
    Section("notes", "The speaker's notes", (
        Row("end the notes; the talk goes on", (
            Key("notes.quit", "q,escape", "quit", "Quit"),
            Key("notes.quit-at-once", "ctrl+c,ctrl+q", "quit", "Quit", lead=False, priority=True),
        )),
    )),
    Section("prediction", "Predict first", (
        Row("answer, and show the picture", column="`1`–`4`"),
        Row("show the picture without an answer", (
            Key("prediction.show", "enter,escape,p", "show", "Show"),
        )),
    )),
)  # fmt: skip


def keys_of(context: Context) -> list[Key]:
    """The keys that work there, in the order of the table."""
    return [
        key for section in TABLE if section.context == context for row in section.rows for key in row.keys
    ]
