#!/usr/bin/env python3
"""Counts the instructions of what must stay cheap, and fails if they are more than tests/counted/limits.tsv allows.

Runs the program `counted` under callgrind for two numbers of times, and divides what the second takes more. The clock cannot
move such a count: the same program gives the same to a tenth of a per cent. Another compiler does not.
"""

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMITS = ROOT / "tests" / "counted" / "limits.tsv"
HEAD = "# Instructions for once, counted by `make counts`, rewritten by `make counts-update`."
SLACK = 0.03
TIMES = (640, 1920)
CASES = {
    "publish-1": "a publish to one handler, and its call",
    "roundtrip-1": "the same, waited for each time",
    "publish-10": "a publish to ten handlers of one daemon, and their calls",
    "publish-100": "a publish to ten handlers of each of ten daemons, and their calls",
    "publish-suspending": "a publish to a handler that suspends once, and its call",
    "tick": "a tick of an interval",
    "tick-64": "a tick of one of 64 intervals that tick at the same times",
    "unit": "a piece of work that a daemon spawns, from its start to its end with the host",
}


def compiler(cargo):
    done = subprocess.run([cargo.replace("cargo", "rustc"), "--version"], capture_output=True, text=True, check=True)
    return " ".join(done.stdout.split()[:2])


def build(cargo):
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    command = [cargo, "build", "--quiet", "--locked", "--profile", "counted", "--package", "counted", "--target-dir", str(target)]
    subprocess.run(command, cwd=ROOT, check=True)
    return target / "counted" / "counted"


def count(program, case, times):
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", str(program), case, str(times)]
    done = subprocess.run(command, capture_output=True, text=True)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not found:
        raise SystemExit(f"`counted {case} {times}` failed:\n{done.stdout}{done.stderr}")
    return int(found[1])


def measure(program):
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = {(case, times): pool.submit(count, program, case, times) for case in CASES for times in TIMES}
        few, many = TIMES
        return {case: round((runs[case, many].result() - runs[case, few].result()) / (many - few)) for case in CASES}


def read():
    lines = [line.split("\t") for line in LIMITS.read_text().splitlines() if line and not line.startswith("#")]
    return {case: int(limit) for case, limit in lines}


def write(counted, cargo):
    lines = [HEAD, f"# {compiler(cargo)}, {platform.machine()}", *(f"{case}\t{number}" for case, number in counted.items())]
    LIMITS.write_text("\n".join(lines) + "\n")


def compare(counted, limits):
    """Shows all, and returns what is over its limit."""
    over = []
    for case, number in counted.items():
        limit = limits.get(case)
        change = f"{number / limit - 1:+.1%}" if limit else "no limit"
        print(f"{case:20} {number:8} {change:>9}  {CASES[case]}")
        if not limit or number > limit * (1 + SLACK):
            over.append(case)
    return over


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--update", action="store_true", help="make what is counted the limits")
    update = options.parse_args().update
    cargo = os.environ.get("CARGO", "cargo")
    if not shutil.which("valgrind"):
        print("instructions are not counted: valgrind is not installed")
        return 0
    if platform.machine() != "x86_64":
        print(f"instructions are not counted: the limits are those of x86_64, and this is {platform.machine()}")
        return 0
    counted = measure(build(cargo))
    if update:
        write(counted, cargo)
        print(LIMITS.read_text(), end="")
        return 0
    over = compare(counted, read())
    if over:
        by = LIMITS.read_text().splitlines()[1].lstrip("# ")
        print(f"\nmore than {SLACK:.0%} over the limit: {', '.join(over)}. The limits are those of {by}; this is {compiler(cargo)}.\n"
              "Make it cheaper, or say in the commit why it costs more and run `make counts-update`.", file=sys.stderr)
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
