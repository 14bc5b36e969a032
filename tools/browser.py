#!/usr/bin/env python3
"""Looks at the status page as a person does: a real Chromium, wide and narrow, dark and light.

    tools/browser.py [--pictures DIR]

It runs a chatroom and a host of a hundred daemons, checks what their pages show and do, and keeps pictures of them
[target/browser]. Needs chromium; $CHROMIUM names another one.
"""

import argparse
import http.server
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading

from devtools import PATIENCE, Browser, Failed

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WIDE, NARROW = (1280, 900), (390, 844)
NODES = "[...document.querySelectorAll('.node')]"


def check(holds, why):
    if not holds:
        raise Failed(why)


def built(package, name):
    """Where a program of this workspace is, once it is up to date."""
    cargo = os.environ.get("CARGO", "cargo")
    subprocess.run([cargo, "build", "--quiet", "--locked", "-p", package, "--bin", name], cwd=ROOT, check=True)
    return os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")), "debug", name)


class Program:
    """A program with a status page, until the end of the `with`."""

    def __init__(self, command, runtime):
        self.command = command
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": runtime}
        self.start()

    def start(self):
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            self.command, cwd=ROOT, env=self.environment, stdin=pipe, stdout=subprocess.DEVNULL, stderr=pipe, text=True
        )
        self.says = []
        there = threading.Event()
        threading.Thread(target=self.listen, args=(there,), daemon=True).start()
        check(there.wait(PATIENCE), "the program shows no page:\n" + "".join(self.says))

    def listen(self, there):
        for line in self.process.stderr:
            self.says.append(line)
            # The line comes in any case: the host's receipt is the last of its start.
            if " started: " in line:
                there.set()
        there.set()

    def write(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Stranger(http.server.ThreadingHTTPServer):
    """A site of somebody else, with one empty page."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>stranger</title><link rel=icon href=data:,>")

        def log_message(self, *_):
            pass

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Page)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Tour:
    """What is looked at, in order."""

    def __init__(self, browser, daemonctl, pictures):
        self.browser, self.daemonctl, self.pictures = browser, daemonctl, pictures

    def operate(self, room, *arguments):
        """Steers the chatroom as its operators do."""
        command = [self.daemonctl, "chatroom", *arguments]
        asked = subprocess.run(command, env=room.environment, capture_output=True, text=True)
        check(asked.returncode == 0, f"daemonctl {' '.join(arguments)}: {asked.stdout}{asked.stderr}")

    def picture(self, page, name, whole=True):
        page.picture(os.path.join(self.pictures, f"{name}.png"), whole)

    def is_quiet(self, page, origin):
        """Nothing came from elsewhere, and nothing went wrong."""
        elsewhere = [url for url in page.fetched if not url.startswith((origin, "data:"))]
        check(not elsewhere, f"it fetches from elsewhere: {elsewhere}")
        check(any(url == origin + "events" for url in page.fetched), f"it is not live: {page.fetched}")
        check(not page.complaints, "it complains:\n" + "\n".join(page.complaints))

    def fits(self, page, what):
        width = page.value("innerWidth")
        check(page.value("document.documentElement.scrollWidth") <= width, f"{what} is wider than {width} pixels")
        cut = page.value("""[...document.querySelectorAll('main .card, .tile, .node, .probe')]
            .filter((el) => el.offsetParent && (el.getBoundingClientRect().right > innerWidth + 1 || el.getBoundingClientRect().left < -1))
            .map((el) => el.className + ' ' + el.textContent.slice(0, 40))""")
        check(not cut, f"{what}: beyond the edge at {width} pixels: {cut}")

    def reads(self, page, what):
        """Text can be told from what is behind it: contrast as WCAG measures it, of all that is shown."""
        faint = page.value(CONTRAST)
        check(not faint, f"{what}: hard to read: {faint[:8]}")

    def chatroom(self, room, url):
        backgrounds = {}
        for name, (width, height) in {"wide": WIDE, "narrow": NARROW}.items():
            page = self.browser.open(url, width, height)
            page.until(f"{NODES}.length === 17", "17 daemons")
            page.until("document.getElementById('state').textContent === 'running'")
            page.until("document.querySelectorAll('#checks li').length >= 8", "8 checks")
            page.until("document.querySelectorAll('#intervals tr').length >= 5", "5 intervals")
            self.live(page, room, f"from {name}")
            for theme in ("light", "dark"):
                page.colours(theme == "dark")
                self.picture(page, f"chatroom-{name}-{theme}")
                backgrounds[theme] = page.value("getComputedStyle(document.body).backgroundColor")
                self.fits(page, theme)
                self.reads(page, f"{name} and {theme}")
            page.colours(False)
            self.touch(page)
            self.picture(page, f"chatroom-{name}-one")
            self.is_quiet(page, url)
            page.close()
        check(backgrounds["light"] != backgrounds["dark"], f"dark is light: {backgrounds}")

    def live(self, page, room, words):
        """An event, a log line and a change of state are seen without a reload."""
        page.value("window.same = true")
        room.write(f"attic: {words}")
        page.until(f"document.getElementById('tail').textContent.includes({words!r})", "the event")
        room.write("@ada health ping")
        page.until("document.getElementById('lines').textContent.includes('ada says')", "the log line")
        widget = f"{NODES}.find((node) => node.textContent.includes('widget'))"
        for verb, state in (("stop", "stopped"), ("start", "running")):
            self.operate(room, "daemon", verb, "widget")
            page.until(f"{widget}.dataset.state === {state!r}", f"`widget` {state}")
        page.until("document.getElementById('journal').textContent.includes('widget')", "the change")
        check(page.value("window.same"), "the page was loaded anew")

    def touch(self, page):
        """What hands do: one daemon alone, all of them, a filter, the other theme."""
        shown = "document.querySelectorAll('#subs tr').length"
        everything = page.value(shown)
        page.value(f"{NODES}.find((node) => node.textContent.includes('room-membership')).click()")
        page.until("!document.getElementById('detail').hidden", "the daemon alone")
        check(page.value(shown) < everything, "the subscriptions of others are still there")
        self.fits(page, "one daemon")
        page.value("document.getElementById('d-close').click()")
        page.until(f"{shown} === {everything}", "all daemons again")
        page.value("document.getElementById('theme').click()")
        check(page.value("getComputedStyle(document.documentElement).colorScheme") == "dark", "the button does nothing")
        # It is remembered, also by the next page.
        page.value("localStorage.clear(); delete document.documentElement.dataset.theme")
        page.value(f"{NODES}.find((node) => node.textContent.includes('data')).click()")
        page.until("!document.getElementById('detail').hidden", "the daemon alone")

    def comes_back(self, room, url):
        """A page that is left open says that the host is gone, and goes on with the next one."""
        page = self.browser.open(url, *WIDE)
        page.until(f"{NODES}.length === 17", "17 daemons")
        page.value("window.same = true")
        first = page.value("world.host.process")
        check(room.stop() == 0, "the chatroom did not end well")
        page.until("document.body.classList.contains('lost')", "that it is gone")
        self.picture(page, "chatroom-gone", whole=False)
        room.start()
        page.until(f"!document.body.classList.contains('lost') && world.host.process !== {first}", "the next one")
        room.write("attic: back again")
        page.until("document.getElementById('tail').textContent.includes('back again')", "the event")
        check(page.value("window.same"), "the page was loaded anew")
        page.close()

    def a_day(self, url):
        """A page that is left open keeps no more of what goes by than it shows."""
        page = self.browser.open(url, *WIDE)
        page.until(f"{NODES}.length === 17", "17 daemons")

        def flood(times):
            page.value(FLOOD % times)
            page.ask("HeapProfiler.collectGarbage")
            return page.value("document.querySelectorAll('*').length"), page.ask("Runtime.getHeapUsage")["usedSize"]

        flood(1_000)
        (elements, heap), (later, grown) = flood(1_000), flood(50_000)
        check(later <= elements + 20, f"from {elements} to {later} elements")
        check(grown <= heap + 2_000_000, f"from {heap} to {grown} bytes")
        print(f"browser: after 50,000 events and lines the page has {(grown - heap) / 1024:+.0f} KiB")
        page.close()

    def strangers(self, url):
        """A page of another site, or one under a name that stands for this machine, sees nothing."""
        port = url.rstrip("/").rsplit(":", 1)[1]
        page = self.browser.open(f"http://rebound.test:{port}/", *WIDE)
        check("answers to localhost" in page.value("document.body.innerText"), "it answers to names of others")
        page.close()
        with Stranger() as other:
            for host in ("stranger.test", "127.0.0.1", "localhost"):
                page = self.browser.open(f"http://{host}:{other.port}/", *WIDE)
                for way in (f"fetch('{url}status.json')", f"fetch('{url}status.json', {{ mode: 'no-cors' }})"):
                    got = page.value(f"{way}.then((answer) => 'an answer of type ' + answer.type, () => 'refused')")
                    check(got == "refused", f"{host} may {way}: {got}")
                heard = page.value(f"""new Promise((told) => {{ const source = new EventSource('{url}events');
                    source.onopen = () => told('open'); source.onerror = () => told('refused'); }})""")
                check(heard == "refused", f"{host} may hear the events")
                page.value(f"""new Promise((done) => {{ const frame = document.createElement('iframe');
                    frame.src = '{url}'; frame.onload = () => done(); document.body.append(frame); }})""")
                frames = page.ask("Page.getFrameTree")["frameTree"].get("childFrames", [])
                shown = [frame["frame"]["url"] for frame in frames if not frame["frame"].get("unreachableUrl")]
                check(not shown, f"{host} may frame it: {shown}")
                page.close()

    def hundred(self, url):
        for name, (width, height) in {"wide": WIDE, "narrow": NARROW}.items():
            page = self.browser.open(url, width, height)
            page.until(f"{NODES}.length === 102", "102 daemons")
            page.until("document.querySelectorAll('#checks li').length >= 100", "100 checks")
            page.until("document.getElementById('tail').children.length > 20", "events")
            self.fits(page, "a hundred")
            self.picture(page, f"hundred-{name}")
            self.legible(page)
            page.value("""(() => { const filter = document.getElementById('filter');
                filter.value = 'gateway-1'; filter.dispatchEvent(new Event('input')); })()""")
            page.until(f"{NODES}.filter((node) => node.offsetParent).length === 10", "10 gateways")
            check(page.value("document.querySelectorAll('.wave:not([hidden])').length") == 1, "empty waves are shown")
            self.picture(page, f"hundred-{name}-filtered", whole=False)
            self.is_quiet(page, url)
            page.close()

    def legible(self, page):
        """Of a hundred daemons none is cut or lies on another, and each can be scrolled to."""
        boxes = page.value(f"""{NODES}.map((node) => {{ const box = node.getBoundingClientRect();
            return [box.left, box.top, box.right, box.bottom, node.scrollWidth > node.clientWidth + 1 ? node.textContent : '']; }})""")
        check(not [box for box in boxes if box[4]], f"cut: {[box[4] for box in boxes if box[4]]}")
        boxes.sort(key=lambda box: box[1])
        for at, one in enumerate(boxes):
            for other in boxes[at + 1:]:
                if other[1] >= one[3]:
                    break
                check(other[0] >= one[2] or other[2] <= one[0], f"one lies on another: {one} {other}")
        check(min(box[3] - box[1] for box in boxes) >= 24, "too small for a finger")
        check(page.value("(() => { const map = document.getElementById('map'); return map.scrollWidth <= map.clientWidth + 1; })()"),
              "the graph goes off to the side")
        # A frame on which all is drawn anew, as it is at each refresh.
        took = page.value("(() => { const began = performance.now(); for (let i = 0; i < 5; i++) { dirty = true; render(); } return (performance.now() - began) / 5; })()")
        print(f"browser: a hundred daemons are drawn in {took:.0f} ms")


# As many events and lines of the log as come in a long time.
FLOOD = """(() => {
  const at = Date.now(), batch = [...Array(25).keys()];
  for (let i = 0; i < %d; i += batch.length) {
    take(["events", batch.map((n) => ({ at, topic: "day:" + i, publisher: "data", payload: "x".repeat(300) + i + n, missed: n %% 2 }))]);
    take(["logs", batch.map((n) => ({ at, level: "INFO", daemon: "data", message: "x".repeat(300) + i + n }))]);
  }
  render();
})()"""

# What is shown, and cannot be told from what is behind it: text of less than 4.5 to 1.
CONTRAST = """(() => {
  const numbers = (colour) => { const c = document.createElement('canvas').getContext('2d', { willReadFrequently: true }); c.fillStyle = colour; c.fillRect(0, 0, 1, 1); return [...c.getImageData(0, 0, 1, 1).data]; };
  const seen = new Map(), parse = (colour) => seen.get(colour) ?? seen.set(colour, numbers(colour)).get(colour);
  const luminance = ([r, g, b]) => { const f = (v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }; return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b); };
  const behind = (el) => { for (; el; el = el.parentElement) { const c = parse(getComputedStyle(el).backgroundColor); if (c[3] > 200) return c; } return [255, 255, 255]; };
  const faint = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walk.nextNode());) {
    const el = node.parentElement;
    if (!node.data.trim() || !el.checkVisibility() || el.closest('script, style, noscript, .skip')) continue;
    const [a, b] = [luminance(parse(getComputedStyle(el).color)), luminance(behind(el))].sort((x, y) => y - x), ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.45) faint.push(`${ratio.toFixed(2)} ${el.className || el.tagName}: ${node.data.trim().slice(0, 30)}`);
  }
  return [...new Set(faint)];
})()"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", default=os.path.join(ROOT, "target", "browser"))
    pictures = parser.parse_args().pictures
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium or not shutil.which(chromium):
        sys.exit("browser: needs chromium; try: apt-get install chromium, or name one in $CHROMIUM")
    os.makedirs(pictures, exist_ok=True)
    daemonctl, chatroom, hundred = built("daemon-cli", "daemonctl"), built("chatroom", "chatroom"), built("tests", "hundred")
    runtime = tempfile.mkdtemp(prefix="browser-run-")
    try:
        with Browser(chromium) as browser:
            tour, port = Tour(browser, daemonctl, pictures), free_port()
            arguments = ["--http", str(port), "--watch", "docs", "--db", os.path.join(runtime, "chat.db")]
            with Program([chatroom, *arguments], runtime) as room:
                tour.chatroom(room, f"http://127.0.0.1:{port}/")
                tour.a_day(f"http://127.0.0.1:{port}/")
                tour.strangers(f"http://127.0.0.1:{port}/")
                tour.comes_back(room, f"http://127.0.0.1:{port}/")
            port = free_port()
            with Program([hundred, str(port)], runtime):
                tour.hundred(f"http://127.0.0.1:{port}/")
    except Failed as why:
        sys.exit(f"browser: {why}")
    finally:
        shutil.rmtree(runtime, ignore_errors=True)
    print(f"browser: the page is as it should be; pictures are in {os.path.relpath(pictures)}")


if __name__ == "__main__":
    main()
