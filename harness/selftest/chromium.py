"""A headless Chromium, told what to do over a pipe: no port, no driver, no network.

The protocol is Chromium's own, the DevTools Protocol: one JSON object for each command,
answer and event, with a NUL behind it.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import select
import shutil
import time
from pathlib import Path
from typing import Any, Callable, Optional

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 60.0
"""Seconds for the browser to answer; on a busy machine it takes long to start."""

_OPTIONS = (
    "--headless=new", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-extensions", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--force-device-scale-factor=1", "--proxy-server=127.0.0.1:1", "--password-store=basic",
)
_KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "End": 35, "Home": 36, "ArrowLeft": 37,
         "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
_TEXTS = {"Enter": "\r", " ": " "}


class Chromium:
    """The browser with one page. close() ends it."""

    def __init__(self, folder: Path) -> None:
        """FOLDER: for all that it keeps."""
        name = _program()
        commands, self._write_to = _high_pipe()
        self._read_from, answers = _high_pipe()
        log = os.open(folder / "chromium.log", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        options = [*_OPTIONS, f"--user-data-dir={folder / 'profile'}"]
        options += ["--no-sandbox"] if os.geteuid() == 0 else []
        environment = {**os.environ, "HOME": str(folder), "TMPDIR": str(folder)}
        self._pid = os.posix_spawn(name, [name, *options], environment, file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2),
            (os.POSIX_SPAWN_DUP2, commands, 3), (os.POSIX_SPAWN_DUP2, answers, 4)])
        for fd in (commands, answers, log):
            os.close(fd)
        self._numbers = itertools.count(1)
        self._held = b""
        self.events: list[dict[str, Any]] = []
        """All that the page told by itself since open()."""
        self._session: Optional[str] = None
        target = self.do("Target.createTarget", url="about:blank")["targetId"]
        attached = self.do("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "DOM"):
            self.do(f"{domain}.enable")
        self.do("Page.setLifecycleEventsEnabled", enabled=True)

    def close(self) -> None:
        self._session = None
        with contextlib.suppress(OSError):
            self.do("Browser.close")
        os.close(self._write_to)
        os.close(self._read_from)
        os.waitpid(self._pid, 0)

    def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a command; an AssertionError where the browser refuses it."""
        number = next(self._numbers)
        command = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            command["sessionId"] = self._session
        os.write(self._write_to, json.dumps(command).encode() + b"\0")
        answer = self._until(lambda message: message.get("id") == number, method)
        assert "error" not in answer, f"{method}: {answer['error']}"
        result: dict[str, Any] = answer["result"]
        return result

    # -- The page --------------------------------------------------------------

    def open(self, address: str) -> None:
        """Opens ADDRESS anew, and returns when it is loaded."""
        self.events.clear()
        loader = self.do("Page.navigate", url=address)["loaderId"]
        loaded = {"loaderId": loader, "name": "load"}
        self._wait_for(lambda message: message.get("method") == "Page.lifecycleEvent"
                       and loaded.items() <= message["params"].items())

    def ask(self, expression: str) -> Any:
        """What EXPRESSION is in the page, after its promises."""
        answer = self.do("Runtime.evaluate", expression=expression, returnByValue=True,
                         awaitPromise=True, userGesture=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def size(self, width: int, height: int) -> None:
        self.do("Emulation.setDeviceMetricsOverride", width=width, height=height,
                deviceScaleFactor=1, mobile=False)

    def media(self, scheme: str = "light", kind: str = "") -> None:
        """SCHEME: light or dark; KIND: print, or the screen."""
        self.do("Emulation.setEmulatedMedia", media=kind,
                features=[{"name": "prefers-color-scheme", "value": scheme}])

    def press(self, *keys: str) -> None:
        """Presses and lets go each of KEYS, as someone at a keyboard does."""
        for key in keys:
            about = {"key": key, "windowsVirtualKeyCode": _KEYS[key]}
            text = {"text": _TEXTS[key]} if key in _TEXTS else {}
            self.do("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown",
                    **about, **text)
            self.do("Input.dispatchKeyEvent", type="keyUp", **about)

    def type(self, text: str) -> None:
        self.do("Input.insertText", text=text)

    def click(self, selector: str) -> None:
        """Clicks in the middle of what SELECTOR finds, wherever that is seen."""
        x, y = self.ask(f"""(() => {{
            const found = document.querySelector({json.dumps(selector)});
            found.scrollIntoView({{block: 'center', inline: 'center'}});
            const box = found.getBoundingClientRect();
            const middle = (a, b, end) => (Math.max(a, 0) + Math.min(b, end)) / 2;
            return [middle(box.left, box.right, innerWidth),
                    middle(box.top, box.bottom, innerHeight)];
        }})()""")
        for kind in ("mousePressed", "mouseReleased"):
            self.do("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def accessible(self) -> list[dict[str, Any]]:
        """Every node that assistive technology is told of: role, name, properties."""
        nodes = self.do("Accessibility.getFullAXTree")["nodes"]
        return [{"role": node["role"]["value"], "name": node.get("name", {}).get("value", ""),
                 **{p["name"]: p["value"].get("value") for p in node.get("properties", ())}}
                for node in nodes if not node["ignored"]]

    # -- The pipe --------------------------------------------------------------

    def _wait_for(self, event: Callable[[dict[str, Any]], bool]) -> None:
        if not any(map(event, self.events)):
            self._until(event, "the page is not loaded")

    def _until(self, wanted: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """The first message that is WANTED; events are kept."""
        end = time.monotonic() + PATIENCE
        while True:
            message = self._message(end, what)
            if "method" in message:
                self.events.append(message)
            if wanted(message):
                return message

    def _message(self, end: float, what: str) -> dict[str, Any]:
        while b"\0" not in self._held:
            ready = select.select([self._read_from], [], [], max(0.0, end - time.monotonic()))[0]
            assert ready, f"Chromium does not answer: {what}"
            data = os.read(self._read_from, 1 << 20)
            if not data:
                raise OSError(f"Chromium has ended: {what}")
            self._held += data
        line, _, self._held = self._held.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message


def _program() -> str:
    for name in NAMES:
        path = shutil.which(name)
        if path is not None:
            return path
    raise AssertionError("there is no Chromium here: run 'harness/setup test'")


def _high_pipe() -> tuple[int, int]:
    """A pipe whose descriptors are none of those that the browser gets."""
    ends = os.pipe()
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in ends]
    for fd in ends:
        os.close(fd)
    return high[0], high[1]
