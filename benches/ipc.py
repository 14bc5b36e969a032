"""The suite `ipc`: a server and a client of each contender, as processes of their own. `run.py` runs it."""

import os
import re
import resource
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
INTEROP = HERE.parent / "tests" / "interop" / "node_modules"

SEQUENTIAL = ["sequential/64", "sequential/65536", "sequential/1048576"]
LOADS = [*SEQUENTIAL, "in-flight/64", "in-flight/1024"]
# Its server truncates what is longer than one buffer of the kernel, and whoever waits for the rest waits for ever.
OUTFITTER = ("@outfitter/daemon", [load for load in LOADS if load != "sequential/1048576"], False)
# Those of which many calls at once on two workers are measured, too.
MANY_WORKERS = [("raw, tokio", True), ("JSON by hand", True), ("tarpc, bincode", False), ("tonic", False), ("daemon-ipc", True)]
CONTENDERS = [
    ("raw, std", LOADS, True),
    ("raw, tokio", LOADS, True),
    ("JSON by hand", LOADS, True),
    ("tarpc, bincode", LOADS, False),
    ("tarpc, JSON", LOADS, False),
    ("zlink", LOADS, False),
    ("zbus", LOADS, False),
    ("tonic", LOADS, False),
    ("jsonrpsee", LOADS, False),
    OUTFITTER,
    ("daemon-ipc", LOADS, True),
    ("daemon-ipc, blocking", SEQUENTIAL, True),
]
SECONDS = 0.15
# How many calls are counted: what the second takes more is divided by the difference.
CALLS = (500, 1500)


class Ipc:
    def __init__(self, bench):
        self.bench = bench
        descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
        self.bun = next(iter(INTEROP.glob("@oven/*/bin/bun")), None)
        self.place = Path(tempfile.mkdtemp(prefix="ipc-")) / "socket"

    def run(self, number):
        for contender, loads, _ in self.bench.in_order(number, CONTENDERS):
            self.pair(number, contender, 0, loads)
            if "in-flight/64" in loads:
                # Of a server that has served nobody before, and has no memory to give to them.
                self.pair(number, contender, 0, ["idle"])
            if number == 0 and contender != OUTFITTER[0]:
                self.count(contender)
        for contender, _ in self.bench.in_order(number, MANY_WORKERS):
            self.pair(number, contender, 2, ["in-flight/64"])

    def command(self, what, contender, workers, *more):
        """None, if there is no such contender here."""
        if contender != OUTFITTER[0]:
            return [self.bench.program("ipc"), what, contender, workers, self.place, *more]
        if not self.bun:
            return self.bench.skip("Bun is not installed: no figures of @outfitter/daemon")
        return [self.bun, HERE / "node" / "outfitter.ts", what, self.place, *more]

    def serve(self, contender, workers, under=()):
        """A server that is ready."""
        self.place.unlink(missing_ok=True)
        command = self.command("serve", contender, workers)
        if not command:
            return None
        server = start([*under, *command], workers)
        if "READY" not in server.stdout.readline():
            server.kill()
            return self.bench.skip(f"{contender} did not start")
        return server

    def ask(self, contender, workers, *more):
        """What a client prints."""
        client = start(self.command("call", contender, workers, *more), workers)
        try:
            printed, _ = client.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            client.kill()
            client.communicate()
            printed = ""
        if client.returncode != 0:
            self.bench.skip(f"the client of {contender} failed: {more}")
        return printed

    def pair(self, number, contender, workers, loads):
        if server := self.serve(contender, workers):
            self.bench.book(number, self.ask(contender, workers, server.pid, SECONDS, *loads))
            end(server)

    def count(self, contender):
        """What no clock can move: instructions and system calls of the server, for each of several requests in turn."""
        figures = {"instructions": self.counted(contender, instructions), "calls": self.counted(contender, system_calls)}
        for metric, figure in figures.items():
            if figure is not None:
                self.bench.book(0, f"ipc/ct/counts\t{contender}\t{metric}\t{figure}")

    def counted(self, contender, tool):
        program = tool.command("FILE")[0]
        if not shutil.which(program):
            return self.bench.skip(f"{program} is not installed: no {tool.__name__.replace('_', ' ')} of requests")
        totals = []
        for calls in CALLS:
            with tempfile.NamedTemporaryFile("r") as told:
                server = self.serve(contender, 0, tool.command(told.name))
                if not server:
                    return None
                self.ask(contender, 0, 0, 0, f"calls/{calls}")
                end(server)
                found = tool.total.search(told.read())
            if not found:
                return self.bench.skip(f"{program} tells nothing of {contender}: it may not be used here")
            totals.append(int(found[1]))
        return (totals[1] - totals[0]) / (CALLS[1] - CALLS[0])


class instructions:
    total = re.compile(r"^(?:summary|totals): (\d+)", re.MULTILINE)

    @staticmethod
    def command(told):
        return ["valgrind", "--tool=callgrind", f"--callgrind-out-file={told}"]


class system_calls:
    total = re.compile(r"^100\.00\s+\S+\s+(?:\d+\s+)?(\d+).* total$", re.MULTILINE)

    @staticmethod
    def command(told):
        return ["strace", "-f", "-c", "-o", told]


def start(command, workers):
    """Both ends on one processor if they have one thread: what it takes to wake another is not theirs to change."""
    one = {min(os.sched_getaffinity(0))}
    pin = (lambda: os.sched_setaffinity(0, one)) if workers == 0 else None
    return subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                            preexec_fn=pin, env=os.environ | {"NODE_PATH": str(INTEROP)})


def end(server):
    """Servers end with their input."""
    server.stdin.close()
    try:
        server.wait(30)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    server.stdout.close()
