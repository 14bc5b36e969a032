#!/usr/bin/env python3
"""Makes docs/benchmarks.md from benches/out/results.tsv; `--print` shows it and leaves the page as it is.

Every ratio is taken within a round, and the median over the rounds is shown.
"""

import argparse
import collections
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

from targets import HEALTH, IPC as IPC_OURS, NO_PEERS, NO_REASON, NOT_COMPARED, OURS, ROOM, TARGETS, WHY

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PAGE = ROOT / "docs" / "benchmarks.md"
PEERS = ["actix", "kameo", "kameo_actors", "kanal", "ractor", "task-supervisor", "tokio", "tokio-util", "tokio-cron-scheduler",
         "tokio-graceful-shutdown", "jsonrpsee", "tarpc", "tonic", "zbus", "zlink"]


class Results:
    def __init__(self, path):
        # (case, contender, metric) -> {round: value}
        self.figures = collections.defaultdict(dict)
        for line in path.read_text().splitlines()[1:]:
            number, case, contender, metric, value = line.split("\t")
            self.figures[case, contender, metric][int(number)] = float(value)
        self.rounds = len({number for rounds in self.figures.values() for number in rounds})

    def value(self, case, contender, metric):
        rounds = self.figures.get((case, contender, metric))
        return statistics.median(rounds.values()) if rounds else None

    def ratio(self, case, contender, metric, reference, reference_case=None):
        """The median over the rounds of what it took, relative to the reference in the same round."""
        mine = self.figures.get((case, contender, metric), {})
        other = self.figures.get((reference_case or case, reference, metric), {})
        ratios = [mine[number] / other[number] for number in mine if other.get(number)]
        return statistics.median(ratios) if ratios else None

    def contenders(self, case):
        return list(dict.fromkeys(contender for other, contender, _ in self.figures if other == case))


def number(value, digits=2):
    if value is None:
        return "–"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.{digits}f}" if value < 10 else f"{value:.1f}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def bold(contender, cell):
    return f"**{cell}**" if contender.startswith((OURS, IPC_OURS, HEALTH)) else cell


EVENTS = [(shape, count) for shape in ("roundtrip", "burst") for count in (1, 10, 100, 1000)] + [("topics", 100), ("topics", 1000)]


def events(results, runtime, title, metric):
    cases = [f"{runtime}/{shape}/{count}" for shape, count in EVENTS]
    names = list(dict.fromkeys(name for case in cases for name in results.contenders(case)))
    rows = []
    for name in sorted(names, key=lambda name: (name.startswith("node") or name.startswith("event"), name.startswith(OURS))):
        def ratio(case):
            mine = metric if results.value(case, name, metric) else "ns"  # node tells no other
            return results.ratio(case, name, mine, "tokio mpsc")
        rows.append([bold(name, name), *(bold(name, number(ratio(case))) for case in cases),
                     bold(name, number(results.value(f"{runtime}/burst/100", name, "allocations")))])
    reference = [number(results.value(case, "tokio mpsc", metric)) for case in cases]
    rows.append(["*tokio mpsc, ns a delivery*", *(f"*{cell}*" for cell in reference), ""])
    head = ["contender", *(f"{'rt' if shape == 'roundtrip' else shape} {count}" for shape, count in EVENTS), "allocations"]
    return f"### {title}\n\n{table(head, rows)}\n"


def beside(results, case, name, metric, reference):
    """A figure, and in brackets its ratio to the reference."""
    ratio = results.ratio(case, name, metric, reference)
    text = number(results.value(case, name, metric))
    return text if ratio is None or name == reference else f"{text} ({number(ratio)})"


def plain(results, case, metrics, reference):
    """A table of one case."""
    return several(results, [(case, metric, title, reference) for metric, title in metrics])


def several(results, columns):
    """A table of some cases: for each column a case, a metric, a title and a reference. Who takes part is told by the first."""
    rows = []
    for name in results.contenders(columns[0][0]):
        cells = [beside(results, case, name, metric, reference) for case, metric, _, reference in columns]
        rows.append([bold(name, name), *(bold(name, cell) for cell in cells)])
    if not rows:
        return "Not measured in this run."
    return table(["contender", *(title for _, _, title, _ in columns)], rows)


HEALTHS = [
    ("health/ct/10000", "ns", "on the current thread, ns a check", "FuturesUnordered"),
    ("health/mt/10000", "ns", "on two workers, ns a check", "FuturesUnordered"),
]
IPC = [
    ("ipc/ct/sequential/64", "p50 us", "64 B, p50 µs", "raw, tokio"),
    ("ipc/ct/sequential/65536", "p50 us", "64 KiB, p50 µs", "raw, tokio"),
    ("ipc/ct/sequential/1048576", "p50 us", "1 MiB, p50 µs", "raw, tokio"),
    ("ipc/ct/in-flight/64", "a second", "64 at once of 64 B, a second", "raw, tokio"),
    ("ipc/ct/in-flight/1024", "a second", "64 at once of 1 KiB, a second", "raw, tokio"),
    ("ipc/mt/in-flight/64", "a second", "two workers, 64 at once of 64 B, a second", "raw, tokio"),
    ("ipc/ct/idle", "KiB", "KiB an idle connection", None),
    ("ipc/ct/counts", "instructions", "instructions a request", None),
    ("ipc/ct/counts", "calls", "system calls a request", None),
]


PUBLISHERS = (1, 2, 4, 8)


def publishers(results, topics):
    """A publish by one, two, four and eight publishers, and what each of the seven more adds to it."""
    cases = [f"publishers/{topics}/{count}" for count in PUBLISHERS]
    rows = []
    for name in results.contenders(cases[0]):
        cells = [beside(results, case, name, "ns", ROOM) for case in cases]
        alone, all_of_them = (results.figures[case, name, "ns"] for case in (cases[0], cases[-1]))
        more = [(all_of_them[at] - alone[at]) / (PUBLISHERS[-1] - 1) for at in alone if at in all_of_them]
        cells.append(f"{statistics.median(more):+.1f}" if more else "–")
        cells.append(number(results.value(cases[-1], name, "cpu ns")))
        rows.append([bold(name, name), *(bold(name, cell) for cell in cells)])
    if not rows:
        return "Not measured in this run."
    return table(["contender", *map(str, PUBLISHERS), "each more adds, ns", "CPU by eight, ns"], rows)


def not_first(results):
    """Where somebody else was faster or smaller, and why; also where no reason is known."""
    lines, told = {}, set()
    for why in [*WHY, *NO_REASON]:
        cases = {(case, metric) for case, _, metric in results.figures if case.startswith(why.rows) and why.metric in (metric, None)}
        for case, metric in sorted(cases, key=lambda case_metric: (order(case_metric[0]), case_metric[1])):
            if metric in NOT_COMPARED:
                continue
            ahead = []
            for name in results.contenders(case):
                ratio = results.ratio(case, name, metric, why.ours)
                if ratio is None or ratio >= 0.97 or name.startswith((OURS, IPC_OURS, HEALTH)) or name in (*NO_PEERS, *why.but) or (case, metric, name) in told:
                    continue
                told.add((case, metric, name))
                ahead.append((ratio, name))
            if ahead:
                names = ", ".join(f"{name} ({number(ratio)})" for ratio, name in sorted(ahead))
                lines.setdefault(why.text, []).append(f"`{case}` {metric}: {names}")
    if not lines:
        return "Nowhere, in this run.\n"
    rows = [[why, "<br>".join(where)] for why, where in lines.items()]
    return "In brackets, what they take of what we take.\n\n" + table(["why", "where, and who"], rows) + "\n"


def order(case):
    return [int(part) if part.isdigit() else 0 for part in case.split("/")], case


def targets(results):
    found = [(target, target.value(results)) for target in TARGETS]
    met = {None: "–", True: "yes", False: "**no**"}
    is_met = [value if value is None else target.met(value) for target, value in found]
    rows = [[target.text, target.limit_text, number(value), met[is_so]] for (target, value), is_so in zip(found, is_met)]
    why = [f"* *{target.text}.* {target.why}" for (target, _), is_so in zip(found, is_met) if is_so is False and target.why]
    told = ["", "Why not, by profiles:", "", *why] if why else []
    return "\n".join([table(["what", "is to be", "is", "met"], rows), *told]) + "\n"


def machine():
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    memory = int(Path("/proc/meminfo").read_text().split()[1]) // 1024 // 1024
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout.split(" (")[0]
    return f"{os.cpu_count()} × {model}, {memory} GiB, {platform.system()} {platform.release().split('-')[0]}, {rustc}"


def versions():
    lock = (HERE / "Cargo.lock").read_text().split("[[package]]")
    found = {}
    for package in lock:
        fields = dict(line.split(" = ", 1) for line in package.splitlines() if " = " in line)
        found.setdefault(fields.get("name", "").strip('"'), fields.get("version", "").strip('"'))
    text = [f"{name} {found[name]}" for name in PEERS if name in found]
    try:
        node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip().lstrip("v")
        text.append(f"node {node}")
        packages = json.loads((HERE / "node" / "package.json").read_text())["dependencies"]
        interop = json.loads((ROOT / "tests" / "interop" / "package.json").read_text())["dependencies"]
        text += [f"{name} {version}" for name, version in (packages | interop).items()]
    except (OSError, subprocess.CalledProcessError):
        pass
    return ", ".join(text)


SECTIONS = HERE / "page.md"


def page(results, cpu):
    skipped = (HERE / "out" / "skipped.txt").read_text().splitlines()
    units = [("start us", "start, µs"), ("asked B", "memory asked for, B"), ("resident B", "resident, B"), ("stop us", "stop, µs")]
    ticks = [("ticks", "ticks that came"), ("cpu us", "CPU a tick, µs"), ("asked B", "memory asked for, B"), ("resident B", "resident, B")]
    idle = [("start ms", "start, ms"), ("resident KiB", "resident, KiB"), ("private KiB", "of it private"), ("threads", "threads"),
            ("wakes", "wake-ups a second"), ("stop ms", "stop, ms")]
    parts = {
        "machine": machine(),
        "versions": versions(),
        "rounds": str(results.rounds),
        "skipped": "".join(f"* Not measured: {line}.\n" for line in skipped),
        "events_ct": events(results, "ct", "On the current thread", "cpu ns" if cpu else "ns"),
        "events_mt": events(results, "mt", "On two workers", "ns"),
        "isolation": plain(results, "isolation", [("p50 us", "p50, µs"), ("p99 us", "p99, µs")], "tokio broadcast"),
        "publishers_one": publishers(results, "one"),
        "publishers_thousand": publishers(results, "thousand"),
        "intervals": plain(results, "intervals/10000/10", ticks, "tokio interval"),
        "intervals_slow": plain(results, "intervals/1000/1000", ticks, "tokio interval"),
        "health": several(results, HEALTHS),
        "units": plain(results, "units/100000", units, "token + TaskTracker"),
        "daemons": plain(results, "units/1000", units, "token + TaskTracker"),
        "idle": plain(results, "idle", idle, "tokio, two threads"),
        "ipc": several(results, IPC),
        "not_first": not_first(results),
        "targets": targets(results),
    }
    text = SECTIONS.read_text()
    for name, part in parts.items():
        text = text.replace("{{" + name + "}}", part.rstrip("\n"))
    return text


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--print", action="store_true", help="show the page and leave the file as it is")
    options.add_argument("--cpu", action="store_true", help="on the current thread compare CPU time, for a busy machine; shows")
    asked = options.parse_args()
    text = page(Results(HERE / "out" / "results.tsv"), asked.cpu)
    if asked.print or asked.cpu:
        print(text)
    else:
        PAGE.write_text(text)
        print(f"wrote {PAGE.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
