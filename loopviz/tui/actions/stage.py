"""Go to the stage, where a talk is held."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopviz.tui.actions.predict import Predicting

if TYPE_CHECKING:
    from loopviz.tui.screens.talk import Lecture, TalkScreen

__all__ = ["Staging"]


class Staging(Predicting):
    """The actions of a talk."""

    lecture: Lecture | None = None
    """The talk that is held, if there is one."""
    _stage: TalkScreen | None = None

    def action_talk(self, *, quiet: bool = False) -> None:
        """Go to the stage, where the talk is as it was left; unless `quiet`, say if there is no talk."""
        if self.lecture is None:
            if not quiet:
                self.say("There is no talk here: 'loopviz talk' begins one.")
            return
        if self._stage is None:
            from loopviz.tui.screens.talk import TalkScreen  # noqa: PLC0415 - not before the first frame

            self._stage = TalkScreen(self, self.lecture)
            self.install_screen(self._stage, "talk")
        if self.screen is not self._stage:
            self.push_screen(self._stage)
