"""What a timeline shows, in sentences: rules that name a problem, its evidence and its repair.

The rules are in `loopviz.findings.table`: there are many modules, and the first frame does not need them.
"""

from loopviz.findings.finding import IDS, Finding
from loopviz.findings.seen import Seen

__all__ = ["IDS", "Finding", "Seen"]
