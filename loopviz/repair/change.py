"""What a kind of repair wants changed, before anything is changed."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loopviz.repair.rewrite import Rewrite  # LibCST is loaded when something is changed, not before

__all__ = ["Change"]


@dataclass(frozen=True, slots=True)
class Change:
    """A change that is possible. Planning it costs little; making it needs LibCST."""

    summary: str
    """What is changed, in a sentence or two."""
    make: Callable[[Rewrite], None]
    imports: tuple[str, ...] = ()
    """Statements that the module needs: ``import asyncio``."""
    unused: tuple[str, ...] = ()
    """Names whose imports may not be needed any more."""
    setup: tuple[str, ...] = ()
    """Lines of the module's own, below its imports."""
    needs_setup: ast.AST | None = None
    """A node in the first statement of the module that needs those lines."""
