"""Makes the README's picture: ``python docs/picture.py`` fires the blocking scenario and saves an SVG."""

import asyncio
import re
from pathlib import Path

from loopviz.draw.look import Palette
from loopviz.live.session import Session
from loopviz.scenario import find, read
from loopviz.tui import LoopvizApp


async def picture() -> str:
    """Run the real program for a few seconds, without a terminal: what it shows, as an SVG."""
    session = Session(read(find()))
    app = LoopvizApp(session, Palette())
    async with app.run_test(size=(110, 24)) as pilot:
        await pilot.pause(0.7)
        await pilot.press("a")
        await pilot.pause(0.3)
        await pilot.press("b")
        await pilot.pause(3.6)
        svg = app.export_screenshot(title="loopviz")
    session.stop()
    # No font from the network: a viewer takes its own monospaced one.
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


if __name__ == "__main__":
    Path(__file__).with_name("blocking.svg").write_text(asyncio.run(picture()), encoding="utf-8")
