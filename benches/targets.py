"""What is to hold, and why others are ahead where they are. `report.py` reads both."""

from dataclasses import dataclass
from pathlib import Path

# What `make counts` has counted; so that no number is told here that is no more so.
COUNTED = dict(line.split("\t") for line in (Path(__file__).resolve().parent.parent / "tests" / "counted" / "limits.tsv").read_text().splitlines() if "\t" in line)


def counted(case):
    return f"{round(float(COUNTED[case]), -2):,.0f}"


MPSC, BROADCAST, OURS = "tokio mpsc", "tokio broadcast", "daemon-core"
HEALTH = "daemon-health"
ROOM, ROOMY, PULLED, ALONE = "tokio broadcast, room for all", "daemon-core, room for all", "daemon-core, pulled", "daemon-core, the driver alone"
RAW, IPC = "raw, tokio", "daemon-ipc"
ACTORS = ["actix", "ractor", "kameo", "node EventEmitter", "eventemitter2"]


@dataclass
class Target:
    """A figure and its limit."""

    text: str
    value: object
    limit: float
    at_least: bool = False
    # Where it is not met: what a profile says of it.
    why: str = ""

    @property
    def limit_text(self):
        return f"{'≥' if self.at_least else '≤'} {self.limit:g}"

    def met(self, value):
        return value >= self.limit if self.at_least else value <= self.limit


def ratio(case, metric, reference, ours=OURS, reference_case=None):
    return lambda results: results.ratio(case, ours, metric, reference, reference_case)


def plain(case, metric, ours=OURS):
    return lambda results: results.value(case, ours, metric)


def scaling(topics, ours, reference):
    """What a publish takes beside seven publishers more, over what one publisher takes; relative to the same of the reference."""

    def value(results):
        mine, theirs = (results.ratio(f"publishers/{topics}/8", name, "ns", name, f"publishers/{topics}/1") for name in (ours, reference))
        return mine / theirs if mine and theirs else None

    return value


def worst(values):
    def value(results):
        found = [one for one in (each(results) for each in values) if one is not None]
        return max(found) if found else None

    return value


def beside(case, metric, names, ours=OURS):
    """Our figure over the best of theirs."""

    def value(results):
        found = [results.ratio(case, ours, metric, name) for name in names]
        found = [one for one in found if one is not None]
        return max(found) if found else None

    return value


RUNTIMES = ("ct", "mt")
BURSTS = [f"{runtime}/burst/{count}" for runtime in RUNTIMES for count in (10, 100, 1000)]
WIDE = [f"{runtime}/roundtrip/{count}" for runtime in RUNTIMES for count in (100, 1000)]
EVERY = [f"{runtime}/{shape}/{count}" for runtime in RUNTIMES for shape in ("roundtrip", "burst") for count in (10, 100, 1000)]

IN_FLIGHT = (f"A request takes some {counted('ipc-at-once')} instructions of the server, and as many of the client, none of them more than a tenth in one place: JSON, checked at the server, read and written; "
             "two allocations; to find and wake who asked, a task each.")
SLOW = ("An event a millisecond finds cold caches, so what counts is how much is touched: a round trip to one handler takes 3,900 instructions of ours and 2,900 of "
        "broadcast. Where the slow one has a dispatcher of its own it is the same, so it is not the neighbour.")
TARGETS = [
    Target("allocations for each publish, 100 subscribers", worst([plain(f"{r}/burst/100", "allocations") for r in RUNTIMES]), 1.01),
    Target("burst, 10 subscribers or more: of mpsc", worst([ratio(case, "ns", MPSC) for case in BURSTS]), 0.20,
           why=f"A publish for ten handlers of one daemon takes {counted('publish-10')} instructions: 100 each call (of these 31 the handler and what polls it, the rest to see that it is free, to count, and to name it as the one at work), 180 to allocate the event and to free it, 50 to read who gets it without a lock, some 400 more up to the mailbox and 250 from there. Ten share the latter by ten only: at a hundred handlers it is 198 a delivery, at ten 246, of a channel 541. Of the time, by samples, a tenth goes into the three changes of the event's count of references (a call may keep it, so there is one to spare before it is known), 5 % into reading who gets it, 4 % into the clock, by which one call in 64 is timed, 40 % into the calls."),
    Target("burst, 10 subscribers or more: of broadcast", worst([ratio(case, "ns", BROADCAST) for case in BURSTS]), 0.40,
           why="By instructions the two are alike: a delivery takes 246 of ours and 211 of broadcast with ten receivers, 198 and 177 with a hundred. Ours takes half of the time, since it locks, and counts references, once an event and not once a delivery; what is left is those instructions."),
    Target("round trip, 100 subscribers or more: of mpsc", worst([ratio(case, "ns", MPSC) for case in WIDE]), 0.30,
           why="Ten dispatchers are woken and ten times the scheduler is gone through: 331 instructions a delivery where mpsc takes 1,009, but one after the other, where a hundred tasks keep both workers busy."),
    Target("round trip, 1 subscriber: of mpsc", worst([ratio(f"{r}/roundtrip/1", "ns", MPSC) for r in RUNTIMES]), 1.10,
           why="3,900 instructions a round trip where a channel takes 3,000, and none of the difference in one place: 600 more for the publish and its one event, 160 to poll a task that is in a record and may be in a span, 150 for a call that is guarded and counted. That makes a tenth more on the current thread; what two workers add to it was not told apart."),
    Target("handlers that suspend, 100 or more: of mpsc with plain ones",
           worst([ratio(f"{r}/burst/{n}", "ns", MPSC, f"{OURS}, suspending") for r in RUNTIMES for n in (100, 1000)]), 0.70,
           why=f"A handler that suspends is polled twice and waits in between: {counted('publish-suspending-10')} instructions for ten, 1,070 a delivery in these bursts, with 13 misses of the first cache, where a channel and a handler that does not suspend take 720 and 6. Of the 1,070 tokio takes 150 to yield, 140 go into the two readings of the time that each has a share of, and their histogram, 150 into going on, 180 into the end and the wait of each. Beside handlers on channels that suspend, too, it is ahead."),
    Target("100 or 1,000 topics by name: of a map of mpsc", worst([ratio(f"{r}/topics/{n}", "ns", MPSC) for r in RUNTIMES for n in (100, 1000)]), 0.80,
           why="1,340 instructions for each event where a map and a channel take 1,520, but 29 misses of the first cache where they have 20: a table of topics, one of who gets it, a mailbox, its counts, and the seat and the counts of a handler, of each topic others. And each type of event has code of its own: a thousand of them miss the instruction cache 40 times an event, a hundred 43 times; a map and a channel of a single type almost never do."),
    Target("1,000 topics by name, each pulled at run time: of a map of mpsc",
           worst([ratio(f"{r}/topics/1000", "ns", MPSC, f"{OURS}, pulled") for r in RUNTIMES]), 0.80,
           why="2,170 instructions and 46 misses of the first cache for each event, where a map and a channel take 1,560 and 23: each subscription has a mailbox of its own, with an account and a queue that has a policy, and its task a record."),
    Target("p50 beside a slow subscriber: of broadcast", ratio("isolation", "p50 us", BROADCAST), 1.2,
           why=SLOW),
    *(Target(f"{count} on one topic: a publish, of broadcast", ratio(f"publishers/one/{number}", "ns", ROOM), 1)
      for number, count in ((1, "one publisher"), (8, "eight publishers"))),
    Target("eight publishers on one topic, room for all: a publish over one by a single publisher, of broadcast", scaling("one", ROOMY, ROOM), 1,
           why="By what one run can tell the two are alike: in nanoseconds, from one publisher to eight, in six more rounds of thirty passes in turn 198.3 to 198.9, where broadcast went from 282.7 to 279.6. A single round is off by a tenth either way. By samples, eight publishers wait for the lock of the mailbox in 9 % of the time, and take 22 % to put an event in line under it, which moves from processor to processor. Neither what changes under the lock on one cache line, nor reading the next event ahead of its call, was any faster."),
    Target("eight publishers on one topic, room for 256: a publish over one by a single publisher, of broadcast", scaling("one", OURS, ROOM), 1,
           why="By what one run can tell the two are alike, though here the publishers wait for room where a ring with room for all makes nobody wait: in six more rounds of thirty passes in turn 199.3 to 197.8, where broadcast went from 282.7 to 279.6. A publisher lets others on at the pace of the cooperative budget, before 256 events are in line, so that few have to wait; before that, waiting took 30 % of the time, in the system, and eight publishers a fifth longer."),
    Target("eight publishers on a thousand topics, pulled: a publish over one by a single publisher, of broadcast", scaling("thousand", PULLED, ROOM), 1,
           why="A subscription made at run time has a mailbox of its own, with its lock and its counts; nobody waits for room."),
    Target("10 subscribers or more: of the best of actix, ractor, kameo and node",
           worst([beside(case, "ns", ACTORS) for case in EVERY]), 1,
           why="It is node's EventEmitter, which calls its listeners in a loop: the same done here, with nothing queued, counted or isolated, takes 28 instructions a delivery, a delivery through a mailbox 198. The actors are behind on every row."),
    Target("10,000 intervals of 10 ms: ticks that came", plain("intervals/10000/10", "ticks"), 0.99, at_least=True),
    Target("10,000 intervals, the driver alone: CPU a tick, of a task each", ratio("intervals/10000/10", "cpu us", "tokio interval", ALONE), 0.25),
    Target("10,000 intervals, the driver alone: memory asked for, of a task each", ratio("intervals/10000/10", "asked B", "tokio interval", ALONE), 0.10,
           why="59 B: 40 of a place in the timetable (when it is due, its period, its policies, what runs and waits), 16 of its timer, and room that grows by the eighth. A task with tokio's interval asks for 368."),
    Target("10,000 intervals with names and results: CPU a tick, of a task each", ratio("intervals/10000/10", "cpu us", "tokio interval"), 0.25,
           why="Of a tick's 1,500 instructions and 13 misses of the first cache, the driver alone takes 490 and 1 (tokio's interval in a task: 1,240 and 10). The rest is the call, boxed, guarded and polled, with 400; its beginning, its end and two histograms with 250; and the clock, read once a tick."),
    Target("10,000 health checks that suspend once: of a bare FuturesUnordered", worst([ratio(f"health/{r}/10000", "ns", "FuturesUnordered", HEALTH) for r in RUNTIMES]), 1.3,
           why="Some 2,000 instructions a check where a bare FuturesUnordered takes 980, and 28 misses of the first cache where it has 7. The board is locked for each poll, tells what is next and books each answer; the bell for each wake. Of the 2,000, 360 are the allocator's, for the check's own future and for the report."),
    Target("100,000 units: start, of token + TaskTracker", ratio("units/100000", "start us", "token + TaskTracker"), 2),
    Target("100,000 units: memory asked for, of token + TaskTracker", ratio("units/100000", "asked B", "token + TaskTracker"), 2),
    Target("100,000 units: resident, of token + TaskTracker", ratio("units/100000", "resident B", "token + TaskTracker"), 2),
    Target("100,000 units: stop, of token + TaskTracker", ratio("units/100000", "stop us", "token + TaskTracker"), 2),
    *(Target(f"100,000 units: {what}, of the best peer",
             beside("units/100000", metric, ["task-supervisor", "tokio-graceful-shutdown", "kameo", "ractor"]), 1)
      for what, metric in (("start", "start us"), ("resident", "resident B"), ("stop", "stop us"))),
    Target("idle: resident, of the same two threads by hand", ratio("idle", "resident KiB", "tokio, two threads"), 1.15,
           why="It leaves some 430 KiB for everything. Of 1,740 KiB more, 1,400 are the program's text, 1,840 KiB beside 440, 170 are data in it that is only read, 80 are more of libc, and "
               "90 are private. A start runs through 580 functions of 0.46 MiB, in each of the blocks of 64 KiB that the text has, and the system maps no less than a block."),
    Target("idle: start, of the same two threads by hand", ratio("idle", "start ms", "tokio, two threads"), 1.25),
    Target("idle: wake-ups a second", plain("idle", "wakes"), 0),
    Target("IPC, a request in turn: p50, of raw tokio", ratio("ipc/ct/sequential/64", "p50 us", RAW, IPC), 1.10,
           why="Of some 6,300 instructions of the server, tokio takes 2,000 to carry bytes and 600 to have a deadline; the rest is JSON, checked, read and written."),
    Target("IPC, the blocking client: p50, of raw std", ratio("ipc/ct/sequential/64", "p50 us", "raw, std", f"{IPC}, blocking"), 1.35),
    *(Target(f"IPC, 64 in flight: requests a second, of {name}", ratio("ipc/ct/in-flight/64", "a second", name, IPC), least, at_least=True, why=IN_FLIGHT)
      for name, least in (("raw, tokio", 0.30), ("tarpc, bincode", 3.5), ("zlink", 7))),
    Target("IPC, 64 in flight of 1 KiB: requests a second, of raw tokio", ratio("ipc/ct/in-flight/1024", "a second", RAW, IPC), 0.30, at_least=True),
    Target("IPC, 64 KiB in turn: p50, of raw tokio", ratio("ipc/ct/sequential/65536", "p50 us", RAW, IPC), 2.2),
    Target("IPC, 1 MiB in turn: p50, of raw tokio", ratio("ipc/ct/sequential/1048576", "p50 us", RAW, IPC), 3.3),
    Target("IPC, instructions of the server for a request in turn", plain("ipc/ct/counts", "instructions", IPC), 6500),
    Target("IPC, its system calls", plain("ipc/ct/counts", "calls", IPC), 3.05),
    Target("IPC, resident KiB for an idle connection", plain("ipc/ct/idle", "KiB", IPC), 6),
    Target("IPC on two workers, 64 in flight: requests a second, of JSON by hand", ratio("ipc/mt/in-flight/64", "a second", "JSON by hand", IPC), 3, at_least=True),
]

# Those that do something else, or less than can be done without: they are shown, and nobody competes with them.
NO_PEERS = ["a function call", "tokio mpsc, try_send", "tokio mpsc, suspending", "raw, std", "raw, tokio"]
# Of all other metrics the least is the best. CPU time says the same as time.
NOT_COMPARED = ["delivered", "came", "ticks", "a second", "cpu ns"]


@dataclass
class Why:
    """Why others may be ahead in the rows whose names begin so; no metric is all."""

    rows: str
    metric: str | None
    text: str
    ours: str = OURS
    but: tuple = ()


NODE = ("node EventEmitter", "eventemitter2")
ONE = ("An event for a single subscriber passes a daemon's mailbox, where it is counted, bounded and found again after a restart; a channel has none of that, "
       "and with one subscriber there is nothing to share the cost with.")
CALL = "An emitter calls its listeners in a loop on the one thread there is: no queue, no bound, no order among those that wait, and no listener is kept from another."
TYPES = ("A topic here is a type, and a thousand of them are a thousand times the code of a delivery, which no cache of instructions holds: 40 misses an event. "
         "Of the others all topics are of one type.")

WHY = [
    *(Why(f"{runtime}/{shape}/1", "ns", ONE, but=NODE) for runtime in RUNTIMES for shape in ("roundtrip", "burst")),
    *(Why(f"ct/{shape}/", "ns", CALL, but=("kanal", "tokio mpsc", "tokio broadcast", "actix")) for shape in ("roundtrip", "burst", "topics")),
    *(Why(f"{runtime}/topics/100", "ns", ONE, but=NODE) for runtime in RUNTIMES),
    *(Why(f"{runtime}/topics/1000", "ns", TYPES, but=NODE) for runtime in RUNTIMES),
    Why("isolation", "p50 us", SLOW),
    Why("isolation", "p99 us", "Two of two hundred events, in each round others. That the handlers share a dispatcher is not it: where the slow one has its own, the ratio is no better. More was not found."),
    Why("publishers/one/", "ns", "Who publishes waits where a queue of 256 is full, and is woken; a ring with room for all makes nobody wait."),
    Why("publishers/thousand/", "ns", "Each event is counted against the bound of its subscription, under the lock of its daemon's mailbox, and a thousand types have code of their own."),
    Why("publishers/thousand/", "ns", "A subscription made at run time has a mailbox of its own, with its lock and its counts.", ours=f"{OURS}, pulled"),
    Why("health/", "ns", "A check here has a name, a deadline and thresholds, and a report tells its status, message and age; one that blocks or panics costs no other.", ours=HEALTH),
    Why("intervals/", "cpu us", "Each tick is timed, counted, guarded against panics and overlap, and reported by name."),
    *(Why("intervals/", metric, "An interval has a name, its results and a place in every report.") for metric in ("asked B", "resident B")),
    Why("units/100000", "start us", "A unit here has a name, a place in every report, a result and a guard against panics."),
    *(Why("units/100000", metric, "The record of each: its name, where it was spawned, how often it was polled and what it waits in.") for metric in ("asked B", "resident B")),
    Why("units/100000", "stop us", "Each end is booked by name, and a stop that hung could say in what."),
    Why("units/1000", "asked B", "Some fifty pieces, none of them large: the task that leads its life and the channel of its orders take 2.2 KB, its own `#[task]` as much, what "
        "belongs to one life 1.7 KB, its place on the board 2 KB, its dispatcher 1.4 KB, its value and its definition 1.2 KB, its mailbox 0.6 KB.", ours=f"{OURS}, whole daemons"),
    *(Why("units/1000", metric, "A daemon is more than a task or an actor: its own state machine, restart policy, mailbox, deadlines, place in the order and lines in both reports.",
          ours=f"{OURS}, whole daemons") for metric in ("start us", "resident B", "stop us")),
    Why("idle", "resident KiB", "The text of a larger program: 1.8 MiB beside 0.4, a long tail of 4,000 functions, some of which are touched in each 64 KiB that the "
        "system maps at once. Of what is resident beyond the two threads by hand, four fifths are that; 10 % are data that is only read, 5 % more of libc, 5 % are private."),
    Why("idle", "private KiB", "37 KiB are the table of spans of the subscriber that shows warnings (feature `log`), as many the addresses in tables of functions that the loader "
        "fills in, 24 the thread that writes the receipt, and 30 the host."),
    Why("ipc/ct/sequential/64", "p50 us", "Each request is checked, bounded and given a deadline, and its answer is looked for among those that are awaited.", ours=IPC),
    *(Why(f"ipc/ct/sequential/{size}", "p50 us", "Bincode and its like copy text as it is; JSON has to look at each byte for those to be escaped.", ours=IPC)
      for size in (65536, 1048576)),
    Why("ipc/ct/idle", "KiB", "What a connection has of its own: its task, its mailbox, its requests and its deadlines. No buffer is among it.", ours=IPC),
    Why("ipc/ct/counts", "calls", "It reads once more before it waits. strace stops a server at each call, so that the next request is there by then, and no wait is counted; "
        "where nothing stops it, it takes 3.55 calls a request, by the tracepoints of the kernel, and ours 3.00.", ours=IPC),
    Why("idle", "start ms", "57 page faults more, beside 108, are a good third of it: twenty for the subscriber that shows warnings (feature `log`), ten for addresses that the loader fills in, ten of the heap, the rest of "
        "text, stacks and data. The lock, the PID file and the signals take some 60 system calls, and starting and stopping 0.3 million instructions, both counted by `make counts`."),
    Why("idle", "stop ms", "Two threads are started at the end: one writes the report, one gives back the lock and drops what is the user's. The main thread waits for "
        "neither longer than the budget allows."),
    Why("idle", "threads", "The main thread runs no user code, so that blocked workers cannot keep the process from ending."),
]

# The rest is told without a reason.
NO_REASON = [
    *(Why(rows, None, "Not looked into.", ours=ours) for rows, ours in (("ipc/", IPC), ("units/1000", f"{OURS}, whole daemons"), ("", OURS))),
]
