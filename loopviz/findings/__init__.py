"""What a timeline shows, in sentences: rules that name a problem, its evidence and its repair."""

from loopviz.findings.finding import IDS, Finding
from loopviz.findings.seen import Seen
from loopviz.findings.table import RULES, found, of_burst, of_time

__all__ = ["IDS", "RULES", "Finding", "Seen", "found", "of_burst", "of_time"]
