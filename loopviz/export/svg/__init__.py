"""A picture of a window of time as SVG, for slides: no script, no network, no font of its own.

It is as exact as the eye: each row has 2,400 columns, drawn as runs, so the size of the file depends
on the number of rows and not on the length of the recording.
"""

from loopviz.export.svg.layout import MOST_LANES, MOST_REQUESTS
from loopviz.export.svg.picture import picture

__all__ = ["MOST_LANES", "MOST_REQUESTS", "picture"]
