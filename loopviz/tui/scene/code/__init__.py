"""The code view: the source at work, with a sign for each request at the line where it is.

`work` finds what is at work at a moment: `subject` says whose code, `places` who is where, `sections` which
functions. `CodeBody` composes it: `plan` says which of their lines have room, and `rows` draws them, with
`marks` at the left and `warm` at the right. `Beside` puts the picture of lanes at its left.
"""

from loopviz.tui.scene.code.beside import Beside
from loopviz.tui.scene.code.body import CodeBody

__all__ = ["Beside", "CodeBody"]
