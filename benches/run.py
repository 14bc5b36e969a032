#!/usr/bin/env python3
"""Runs every measurement and writes docs/benchmarks.md; `--quick` is for development: few rounds, ourselves and tokio only.

Each program prints one line for each figure: case, contender, metric, value. A round is every contender once; odd rounds go
backwards. What was measured is kept in benches/out/results.tsv, from which `report.py` makes the page.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from ipc import Ipc

HERE = Path(__file__).resolve().parent
OUT = HERE / "out"
NODE = HERE / "node"

UNITS = [
    ("token + TaskTracker", 100_000, True),
    ("child token + TaskTracker", 100_000, False),
    ("task-supervisor", 100_000, False),
    ("tokio-graceful-shutdown", 100_000, False),
    ("kameo", 100_000, False),
    ("ractor", 100_000, False),
    ("daemon-core", 100_000, True),
    ("token + TaskTracker", 1_000, True),
    ("tokio-graceful-shutdown", 1_000, False),
    ("kameo", 1_000, False),
    ("ractor", 1_000, False),
    ("daemon-core, whole daemons", 1_000, True),
]
INTERVALS = [
    ("tokio interval", 10_000, 10, True),
    ("a loop with sleep", 10_000, 10, False),
    ("daemon-core", 10_000, 10, True),
    ("daemon-core, the driver alone", 10_000, 10, True),
    ("node setInterval", 10_000, 10, False),
    ("tokio interval", 1_000, 1_000, True),
    ("tokio-cron-scheduler", 1_000, 1_000, False),
    ("daemon-core", 1_000, 1_000, True),
]
IDLE = [
    ("tokio, two threads", "idle-tokio", True),
    ("daemon-core", "idle-daemon-core", True),
    ("tokio-graceful-shutdown", "idle-graceful-shutdown", False),
    ("kameo", "idle-kameo", False),
    ("ractor", "idle-ractor", False),
    ("actix", "idle-actix", False),
    ("node", "idle.mjs", False),
]


class Bench:
    def __init__(self, programs, quick):
        self.programs, self.quick = programs, quick
        self.node = shutil.which("node")
        self.lines = []
        self.skipped = []

    def skip(self, what):
        if what not in self.skipped:
            print(f"skipped: {what}", file=sys.stderr)
            self.skipped.append(what)

    def book(self, number, text):
        for line in text.splitlines():
            parts = line.split("\t")
            if len(parts) == 4:
                self.lines.append("\t".join([str(number), *parts]))

    def run(self, number, *command, name=None):
        """Runs one program; what it prints is booked, what it lacks is said."""
        name = name or " ".join(map(str, command[1:]))
        try:
            done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=180)
        except subprocess.TimeoutExpired:
            return self.skip(f"{name} did not end within three minutes")
        if done.returncode != 0:
            self.skip(f"{name} failed: {''.join(done.stderr.strip().splitlines()[-1:])}")
        self.book(number, done.stdout)

    def program(self, name):
        return self.programs / name

    def with_node(self):
        if self.quick:
            return False
        if not self.node:
            self.skip("node is not installed: no figures of its event emitters and timers")
        return bool(self.node)

    def events(self, number):
        quick = ["quick"] if self.quick else []
        for what in ["ct", "mt", "contended"]:
            self.run(number, self.program("events"), number, what, *quick)
        if self.with_node():
            self.run(number, self.node, NODE / "events.mjs", number)
        self.run(number, self.program("isolation"), number)

    def in_order(self, number, rows):
        rows = [row for row in rows if row[-1] or not self.quick]
        return rows[::-1] if number % 2 else rows

    def intervals(self, number):
        for contender, count, period, _ in self.in_order(number, INTERVALS):
            seconds = max(2, period * 4 // 1000)
            if contender.startswith("node"):
                if self.with_node():
                    self.run(number, self.node, NODE / "intervals.mjs", count, period, seconds)
            else:
                self.run(number, self.program("intervals"), contender, count, period, seconds)

    def health(self, number):
        self.run(number, self.program("health"), number)

    def units(self, number):
        for contender, count, _ in self.in_order(number, UNITS):
            self.run(number, self.program("units"), contender, count)
            if number == 0:
                self.run(number, self.program("units"), contender, count, "count")

    def idle(self, number):
        for contender, program, _ in self.in_order(number, IDLE):
            if program.endswith(".mjs"):
                if self.with_node():
                    self.one_idle(number, contender, [self.node, str(NODE / program)])
            else:
                self.one_idle(number, contender, [str(self.program(program))])

    def ipc(self, number):
        if number == 0:
            self.ipc_suite = Ipc(self)
        self.ipc_suite.run(number)

    def one_idle(self, number, contender, command):
        begun = time.perf_counter()
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if "READY" not in child.stdout.readline():
            child.wait()
            return self.skip(f"{contender} did not start")
        up = time.perf_counter() - begun
        time.sleep(2)  # a host looks after its workers until they have slept for a second
        before = wakes(child.pid)
        time.sleep(1)
        woken = wakes(child.pid) - before
        status = dict(line.split(":", 1) for line in Path(f"/proc/{child.pid}/status").read_text().splitlines())
        begun = time.perf_counter()
        child.send_signal(signal.SIGTERM)
        child.wait(30)
        figures = {
            "start ms": up * 1e3,
            "resident KiB": int(status["VmRSS"].split()[0]),
            "private KiB": int(status["RssAnon"].split()[0]),
            "threads": int(status["Threads"]),
            "wakes": woken,
            "stop ms": (time.perf_counter() - begun) * 1e3,
        }
        for metric, value in figures.items():
            self.book(number, f"idle\t{contender}\t{metric}\t{value}")


def wakes(pid):
    """How often any thread of a process went to sleep by itself so far."""
    total = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        text = status.read_text()
        total += int(text.split("voluntary_ctxt_switches:")[1].split()[0])
    return total


SUITES = ["events", "intervals", "health", "units", "idle", "ipc"]


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--programs", type=Path, required=True, help="where the built programs are")
    options.add_argument("--rounds", type=int, help="how often each contender runs [7; quick: 3]")
    options.add_argument("--quick", action="store_true", help="ourselves and tokio only")
    options.add_argument("suites", nargs="*", default=SUITES, metavar="suite", help=f"which of {', '.join(SUITES)} [all]; the page is written only of all")
    asked = options.parse_args()
    rounds = asked.rounds or (3 if asked.quick else 7)
    bench = Bench(asked.programs, asked.quick)
    if not asked.quick and bench.node and not (NODE / "node_modules").exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=NODE, check=True)
    for number in range(rounds):
        for suite in asked.suites:
            print(f"round {number + 1} of {rounds}: {suite}", file=sys.stderr, flush=True)
            getattr(bench, suite)(number)
    OUT.mkdir(exist_ok=True)
    (OUT / "results.tsv").write_text("\n".join(["round\tcase\tcontender\tmetric\tvalue", *bench.lines]) + "\n")
    (OUT / "skipped.txt").write_text("".join(f"{line}\n" for line in bench.skipped))
    whole = not asked.quick and set(asked.suites) == set(SUITES)
    report = [sys.executable, str(HERE / "report.py"), *([] if whole else ["--print"])]
    sys.exit(subprocess.run(report, env=os.environ).returncode)


if __name__ == "__main__":
    main()
