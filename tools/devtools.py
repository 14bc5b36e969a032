"""A headless Chromium, spoken to over the two pipes of `--remote-debugging-pipe`. Needs the standard library alone.

A `Browser` is the process; a `Page` is one of its tabs, with what it asked the network for and what it complained of.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
import time

# How long anything may take; nothing waits for it to pass.
PATIENCE = 60


class Failed(Exception):
    """What was expected did not come."""


class Browser:
    """Chromium, until the end of the `with`."""

    def __init__(self, program):
        self.home = tempfile.mkdtemp(prefix="browser-")
        options = [
            "--headless=new", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu", "--hide-scrollbars",
            "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", f"--user-data-dir={self.home}", "--host-resolver-rules=MAP *.test 127.0.0.1",
            "about:blank",
        ]
        if os.geteuid() == 0:
            options.insert(0, "--no-sandbox")
        to_read, self.out = os.pipe()
        self.into, to_write = os.pipe()
        # Chromium reads from 3 and writes to 4, so what goes there must not be there already.
        theirs = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (to_read, to_write)]
        silent = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (1, 2)]
        moved = [(os.POSIX_SPAWN_DUP2, end, at) for end, at in zip(theirs, (3, 4))]
        self.pid = os.posix_spawn(program, [program, *options], os.environ, file_actions=silent + moved)
        for end in (to_read, to_write, *theirs):
            os.close(end)
        self.bytes, self.number, self.pages = b"", 0, {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.ask("Browser.close")
        except (Failed, OSError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        shutil.rmtree(self.home, ignore_errors=True)

    def ask(self, method, session=None, **parameters):
        """Sends a command and gives its result."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.out, data):]
        deadline, wanted = time.monotonic() + PATIENCE, self.number
        while time.monotonic() < deadline:
            answer = self.hear(deadline)
            if answer.get("id") == wanted:
                if "error" in answer:
                    raise Failed(f"{method}: {answer['error']['message']}")
                return answer["result"]
        raise Failed(f"{method}: no answer within {PATIENCE} s")

    def hear(self, deadline):
        """The next message; an event is given to its page, too."""
        while b"\0" not in self.bytes:
            if not select.select([self.into], [], [], max(0, deadline - time.monotonic()))[0]:
                raise Failed("the browser says nothing")
            more = os.read(self.into, 1 << 20)
            if not more:
                raise Failed("the browser is gone")
            self.bytes += more
        line, self.bytes = self.bytes.split(b"\0", 1)
        message = json.loads(line)
        page = self.pages.get(message.get("sessionId"))
        if page and "method" in message:
            page.told(message["method"], message["params"])
        return message

    def open(self, url, width, height, dark=False):
        """A new page that has loaded."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self.pages[session] = Page(self, target, session)
        for domain in ("Page", "Runtime", "Network", "Log"):
            page.ask(f"{domain}.enable")
        page.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        page.colours(dark)
        page.ask("Page.navigate", url=url)
        page.until("document.readyState === 'complete'")
        return page


class Page:
    """A tab: what it fetched, and what it complained of."""

    def __init__(self, browser, target, session):
        self.browser, self.target, self.session = browser, target, session
        self.fetched, self.complaints = [], []

    def ask(self, method, **parameters):
        return self.browser.ask(method, self.session, **parameters)

    def told(self, event, what):
        if event == "Network.requestWillBeSent":
            self.fetched.append(what["request"]["url"])
        elif event == "Runtime.exceptionThrown":
            details = what["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description") or details["text"])
        elif event == "Runtime.consoleAPICalled" and what["type"] in ("error", "warning", "assert"):
            self.complaints.append(" ".join(str(said.get("value", said.get("description"))) for said in what["args"]))
        elif event == "Log.entryAdded" and what["entry"]["level"] in ("error", "warning"):
            self.complaints.append(f"{what['entry']['text']} {what['entry'].get('url', '')}")

    def colours(self, dark):
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.ask("Emulation.setEmulatedMedia", features=features)

    def value(self, expression):
        """What an expression is, as data."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise Failed(f"{expression}: {answer['exceptionDetails']['exception']['description']}")
        return answer["result"].get("value")

    def until(self, expression, why=None):
        """Waits until an expression is true."""
        deadline = time.monotonic() + PATIENCE
        while not self.value(expression):
            if time.monotonic() > deadline:
                text = self.value("document.body.innerText")
                raise Failed(f"never {why or expression}; the page says:\n{text}")
            select.select([self.browser.into], [], [], 0.05)

    def picture(self, path, whole=True):
        """Takes a picture of what is seen, or of the whole page."""
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        beyond = {"captureBeyondViewport": True, "clip": clip} if whole else {}
        data = self.ask("Page.captureScreenshot", format="png", **beyond)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def close(self):
        self.browser.ask("Target.closeTarget", targetId=self.target)
