"""A real browser for tests: Chromium, driven over WebDriver (https://www.w3.org/TR/webdriver2/) by httpx."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")

needs_browser = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="needs chromium and chromedriver"
)

KEYS = {"up": "\ue013", "down": "\ue015", "left": "\ue012", "right": "\ue014", "enter": "\ue007",
        "escape": "\ue00c", "tab": "\ue004", "end": "\ue010", "home": "\ue011"}  # fmt: skip


class Browser:
    """One tab of a headless Chromium."""

    def __init__(self, client: httpx.Client, session: str) -> None:
        self._client, self._path = client, f"/session/{session}"

    def _post(self, path: str, **body: Any) -> Any:
        answer = self._client.post(self._path + path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["value"]

    def open(self, url: str) -> None:
        """Go to an address, and wait until the page is there."""
        self._post("/url", url=url)

    def run(self, script: str, *arguments: Any) -> Any:
        """What the body of a function returns in the page."""
        return self._post("/execute/sync", script=script, args=list(arguments))

    def run_async(self, script: str, *arguments: Any) -> Any:
        """What the body of an async function returns in the page, or raises."""
        wrapped = (
            "const done = arguments[arguments.length - 1], args = [...arguments].slice(0, -1);"
            f"(async () => {{ {script} }})().then(v => done([v, null]), e => done([null, String(e)]));"
        )
        value, error = self._post("/execute/async", script=wrapped, args=list(arguments))
        assert error is None, error
        return value

    def press(self, *keys: str) -> None:
        """Press keys one after the other, by name or as characters."""
        actions = []
        for key in keys:
            value = KEYS.get(key, key)
            actions += [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        self._post("/actions", actions=[{"type": "key", "id": "keys", "actions": actions}])
        self.settle()

    def move(self, x: int, y: int) -> None:
        """Move the mouse to a point of the viewport."""
        moves = [{"type": "pointerMove", "x": x, "y": y, "duration": 0}]
        self._post("/actions", actions=[{"type": "pointer", "id": "mouse", "actions": moves}])
        self.settle()

    def drag(self, x: int, y: int, by: int) -> None:
        """Press at a point, move sideways, release."""
        moves = [
            {"type": "pointerMove", "x": x, "y": y, "duration": 0},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerMove", "x": x + by // 2, "y": y, "duration": 20},
            {"type": "pointerMove", "x": x + by, "y": y, "duration": 20},
            {"type": "pointerUp", "button": 0},
        ]
        self._post("/actions", actions=[{"type": "pointer", "id": "mouse", "actions": moves}])
        self.settle()

    def wheel(self, x: int, y: int, by: int) -> None:
        """Turn the wheel over a point."""
        turns = [{"type": "scroll", "x": x, "y": y, "deltaX": 0, "deltaY": by, "duration": 0}]
        self._post("/actions", actions=[{"type": "wheel", "id": "wheel", "actions": turns}])
        self.settle()

    def settle(self) -> None:
        """Let movements end: none takes longer than 120 ms."""
        self.run_async("await new Promise(r => setTimeout(r, 200)); await new Promise(requestAnimationFrame)")

    def media(self, **features: str) -> None:
        """Emulate media features, such as prefers_color_scheme="light"."""
        wanted = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self._post("/goog/cdp/execute", cmd="Emulation.setEmulatedMedia", params={"features": wanted})
        self.settle()

    def size(self, width: int = 0, height: int = 0, ratio: int = 1) -> None:
        """Have the screen of a phone in CSS pixels, with `ratio` pixels for each; 0 for the window itself."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": ratio, "mobile": True}
        if width:
            self._post("/goog/cdp/execute", cmd="Emulation.setDeviceMetricsOverride", params=metrics)
        else:
            self._post("/goog/cdp/execute", cmd="Emulation.clearDeviceMetricsOverride", params={})
        self.settle()

    def accessible(self) -> list[dict[str, Any]]:
        """The accessibility tree, as a screen reader is given it."""
        nodes = self._post("/goog/cdp/execute", cmd="Accessibility.getFullAXTree", params={})["nodes"]
        return [
            {"role": n.get("role", {}).get("value"), "name": n.get("name", {}).get("value", "")}
            for n in nodes
            if not n.get("ignored")
        ]

    def log(self) -> list[str]:
        """What the console has said since it was last asked."""
        return [entry["message"] for entry in self._post("/se/log", type="browser")]


@contextmanager
def browser(width: int = 1280, height: int = 900) -> Iterator[Browser]:
    """A browser with a profile of its own, removed afterwards."""
    assert CHROMIUM is not None
    assert DRIVER is not None
    with (
        tempfile.TemporaryDirectory() as profile,
        subprocess.Popen(
            [DRIVER, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as driver,
    ):
        try:
            assert driver.stdout is not None
            found = (re.search(r"successfully on port (\d+)", line) for line in driver.stdout)
            port = next(match[1] for match in found if match)
            options = {
                "binary": CHROMIUM,
                "args": [
                    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                    "--disable-background-networking", "--disable-dev-shm-usage",
                    f"--user-data-dir={profile}", f"--window-size={width},{height}",
                ],
            }  # fmt: skip
            wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"},
                      "timeouts": {"script": 60_000}}  # fmt: skip
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=90, trust_env=False) as client:
                answer = client.post("/session", json={"capabilities": {"alwaysMatch": wanted}})
                assert answer.status_code == 200, answer.text
                session = answer.json()["value"]["sessionId"]
                try:
                    yield Browser(client, session)
                finally:
                    client.delete(f"/session/{session}")
        finally:
            driver.terminate()
