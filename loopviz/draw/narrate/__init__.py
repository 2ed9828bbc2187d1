"""The picture in plain sentences with times: for screen readers, logs and slides.

`narrator` decides what is said, and when; `pace` how often. The words: `arrivals`, `ends`, `situation`,
`blocks`, `outcome`; `spoken` has what they share.
"""

from loopviz.draw.narrate.narrator import Narrator
from loopviz.draw.narrate.sentence import Sentence

__all__ = ["Narrator", "Sentence"]
