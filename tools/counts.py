#!/usr/bin/env python3
"""Counts the instructions and system calls of what must stay cheap, and fails if they are more than tests/counted/limits.tsv allows.

Runs the program `counted` under callgrind and strace for two numbers of times, and divides what the second takes more. The clock
cannot move such a count: the same program gives the same to a tenth of a per cent. Another compiler does not. Of a whole program it
counts what that takes more than one that has the same threads.

Where there is no valgrind or no strace, says NOT RUN of what it would have counted, and does not fail for that.
"""

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
LIMITS = ROOT / "tests" / "counted" / "limits.tsv"
HEAD = "# Instructions and system calls for once, counted by `make counts`, rewritten by `make counts-update`."
SLACK = 0.03
# Of system calls: what is more comes at random, and seldom.
SELDOM = 0.05
TIMES = (640, 1920)
CALLS = " calls"
CASES = {
    "publish-1": "a publish to one handler, and its call",
    "roundtrip-1": "the same, waited for each time",
    "publish-10": "a publish to ten handlers of one daemon, and their calls",
    "publish-100": "a publish to ten handlers of each of ten daemons, and their calls",
    "publish-suspending": "a publish to a handler that suspends once, and its call",
    "publish-suspending-10": "a publish to ten handlers of one daemon that suspend once, and their calls",
    "publish-pulled": "a publish by name on one of many topics, and its event pulled from a subscription made at run time",
    "tick": "a tick of an interval",
    "tick-64": "a tick of one of 64 intervals that tick at the same times",
    "unit": "a piece of work that a daemon spawns, from its start to its end with the host",
    "ipc-request": "a request of 64 bytes over IPC, at the server, with what waits for it",
    "ipc-at-once": "one of 64 such requests that come at once",
    "ipc-command": "such a request as a typed command of a host",
    "hello": "a program whose one daemon does nothing, from its first instruction to its last",
}
# Of these, system calls too.
SYSTEM = {
    f"ipc-request{CALLS}": "system calls of a request, at the server",
    f"ipc-command{CALLS}": "system calls of a typed command, at the server",
    f"ipc-at-once{CALLS}": "system calls of 64 requests that come at once, for each",
    f"hello{CALLS}": "system calls of such a program",
    f"idle{CALLS}": "system calls a millisecond of a host with 10,000 intervals that sleep and 1,000 subscriptions",
    f"idle-tick{CALLS}": "the same, where one interval more ticks every ten milliseconds",
}
# Whole programs, each with what it is counted beside. Their threads race by chance: the middle one of so many runs counts.
BESIDE = {"hello": "bare"}
RUNS = 5
# What a thread does to wait for another, as often as it happens to, what its allocator asks for, and what it does at its own start and
# end, which the end of the program may forestall.
BY_CHANCE = "epoll_wait,futex,write,brk,mmap,munmap,mprotect,madvise,sigaltstack,rt_sigprocmask,close"


def compiler(cargo):
    done = subprocess.run([cargo.replace("cargo", "rustc"), "--version"], capture_output=True, text=True, check=True)
    return " ".join(done.stdout.split()[:2])


def build(cargo):
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    command = [cargo, "build", "--quiet", "--locked", "--profile", "counted", "--package", "counted", "--target-dir", str(target)]
    subprocess.run(command, cwd=ROOT, check=True)
    return target / "counted" / "counted"


def run(command, program, case, times):
    with tempfile.TemporaryDirectory() as place:  # for the lock
        environment = os.environ | {"RUNTIME_DIRECTORY": place}
        done = subprocess.run([*command, str(program), case, str(times)], capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        raise SystemExit(f"`counted {case} {times}` failed:\n{done.stdout}{done.stderr}")
    return done.stderr


def instructions(program, case, times):
    told = run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"], program, case, times)
    return int(re.search(r"Collected : (\d+)", told)[1])


def system_calls(program, case, times):
    """Of its first thread, which does all that is counted; of one that is idle, of all its threads; of a whole program, those of all that
    do not come by chance."""
    case = case.removesuffix(CALLS)
    follow = ["-f"] if case.startswith("idle") else []
    if case in BESIDE or case in BESIDE.values():
        follow = ["-f", "-e", f"trace=!{BY_CHANCE}"]
    with tempfile.NamedTemporaryFile("r") as told:
        run(["strace", "-c", *follow, "-o", told.name], program, case, times)
        return int(re.search(r"^100\.00\s+\S+\s+(?:\d+\s+)?(\d+).* total$", told.read(), re.MULTILINE)[1])


def ends(case):
    """The two runs that a count is the difference of, each a case and how often: the same more often, or more than beside it."""
    name = case.removesuffix(CALLS)
    if name in BESIDE:
        return (case, 1), (case.replace(name, BESIDE[name]), 1)
    few, many = TIMES
    return (case, many), (case, few)


def measure(program, cases):
    """All of them, one on each processor at once.

    A server and its client share theirs: otherwise it is chance whether the one has gone on when the other answers.
    """
    processors = sorted(os.sched_getaffinity(0))
    free = iter(processors)
    with ThreadPoolExecutor(len(processors), initializer=lambda: os.sched_setaffinity(0, {next(free)})) as pool:
        def begin(case, count):
            more, less = ends(case)
            whole = more[1] == less[1]
            submit = lambda end: [pool.submit(count, program, *end) for _ in range(RUNS if whole else 1)]
            return submit(more), submit(less), 1 if whole else more[1] - less[1]

        def middle(runs):
            return median(run.result() for run in runs)

        begun = {case: begin(case, count) for case, count in cases.items()}
        once = {case: (middle(more) - middle(less)) / times for case, (more, less, times) in begun.items()}
    return {case: round(number, 2 if case in SYSTEM else None) for case, number in once.items()}


def cannot_count():
    """Why instructions cannot be counted here, if so."""
    if not shutil.which("valgrind"):
        return "valgrind is not installed"
    if platform.machine() != "x86_64":
        return f"the limits are those of x86_64, and this is {platform.machine()}"
    return None


def may_trace():
    """Whether there is strace, and whoever runs this may use it."""
    return bool(shutil.which("strace")) and subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True).returncode == 0


def read():
    lines = [line.split("\t") for line in LIMITS.read_text().splitlines() if line and not line.startswith("#")]
    return {case: float(limit) for case, limit in lines}


def write(counted, cargo):
    lines = [HEAD, f"# {compiler(cargo)}, {platform.machine()}", *(f"{case}\t{number:g}" for case, number in counted.items())]
    LIMITS.write_text("\n".join(lines) + "\n")


def compare(counted, limits):
    """Shows all, and returns what is over its limit."""
    over = []
    for case, number in counted.items():
        limit = limits.get(case)
        change = "no limit" if limit is None else f"{number / limit - 1:+.1%}" if limit else f"{number:+g}"
        print(f"{case:20} {number:8g} {change:>9}  {(CASES | SYSTEM)[case]}")
        slack = SELDOM if case in SYSTEM else (limit or 0) * SLACK
        if limit is None or number > limit + slack:
            over.append(case)
    return over


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--update", action="store_true", help="make what is counted the limits")
    update = options.parse_args().update
    cargo = os.environ.get("CARGO", "cargo")
    if lack := cannot_count():
        print(f"counts: NOT RUN: {lack}", file=sys.stderr)
        return 1 if update else 0  # a machine that cannot count is no fault of what is counted, but updates nothing
    cases = dict.fromkeys(CASES, instructions)
    if may_trace():
        cases |= dict.fromkeys(SYSTEM, system_calls)
    else:
        print("counts: system calls NOT RUN: strace is not installed, or may not be used here", file=sys.stderr)
    counted = measure(build(cargo), cases)
    if update:
        write(read() | counted, cargo)  # what could not be counted here stays
        print(LIMITS.read_text(), end="")
        return 0
    over = compare(counted, read())
    if over:
        by = LIMITS.read_text().splitlines()[1].lstrip("# ")
        print(f"\nover the limit, and not by chance: {', '.join(over)}. The limits are those of {by}; this is {compiler(cargo)}.\n"
              "Make it cheaper, or say in the commit why it costs more and run `make counts-update`.", file=sys.stderr)
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
