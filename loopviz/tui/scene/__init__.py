"""The picture at one moment, as lines of text. Nothing in this package knows Textual.

`Scene` composes a frame of its parts, one module each: header, lesson, picture, story and foot. The parts
of the picture are axis, overview (the map of all that is kept), loop, workers, groups, requests and tasks.
`frame` says what is shown, `pen` draws the pieces. `Stage` composes the picture of a talk.
"""

from loopviz.tui.scene.axis import from_zero
from loopviz.tui.scene.composer import Scene
from loopviz.tui.scene.frame import Facts
from loopviz.tui.scene.pen import Hit, Line, fitted
from loopviz.tui.scene.stage import Poster, Stage

__all__ = ["Facts", "Hit", "Line", "Poster", "Scene", "Stage", "fitted", "from_zero"]
