"""Turns the samples of bench-peers.sh into tables (Markdown) on standard output.

usage: report.py FOLDER [--strict]

FOLDER holds samples.tsv, startup.tsv and missing.tsv. A figure is the median of its runs. A ratio is the median
of the runs' own ratios, because runs are interleaved and what disturbs the machine disturbs neighbours alike;
its spread is the smallest and the largest of them. With --strict, a missed bar makes the exit status 1.
"""

import statistics
import sys
from collections import defaultdict
from pathlib import Path

COLUMNS = (
    "row subject run requests seconds p50 p99 failed cpu rss sink_bytes recorded sent dropped queued"
).split()

# Per row: what it is, then its bars as (measure, subject, against, limit, binding). A bar that does not bind
# is printed for information.
ROWS = {
    "keepalive": (
        "64 keep-alive connections, 4-byte body; tracing at 0.1 %",
        [
            ("cpu/request", "ringspan", "nginx", 0.95, True),
            ("cpu/request", "ringspan", "haproxy", 0.90, True),
            ("cpu/request", "ringspan", "envoy-0.1%", 0.27, True),
        ],
    ),
    "sampled": (
        "the same, every request recorded and posted to a sink that reads every batch",
        [
            ("cpu/request", "ringspan-rate1", "ringspan-rate0", 1.20, True),
            ("cpu/request", "ringspan-rate1", "envoy-100%", 0.16, True),
        ],
    ),
    "unsampled": (
        "sampleRate 0 against no telemeter at all",
        [("cpu/request", "ringspan-rate0", "ringspan-none", 1.02, True)],
    ),
    "chain": (
        "three hops in one process",
        [
            ("cpu/request", "ringspan-3", "ringspan-1", 3.00, True),
            ("cpu/request", "ringspan-3", "nginx-3", 1.00, False),
        ],
    ),
    "one-connection": ("one keep-alive connection", [("p50", "ringspan", "nginx", 1.00, False)]),
    "new-connection": (
        "a new connection per request",
        [("cpu/request", "ringspan", "nginx", 1.00, False)],
    ),
    "dead-collector": (
        "every request recorded, the collector's port closed",
        [("p99", "ringspan-dead", "ringspan-live", 1.20, True)],
    ),
}

STARTUP = [
    ("first_response_ms", "exec to first response, ms", 150.0),
    ("idle_rss_mb", "resident memory idle, MB", 20.0),
    ("idle_cpu_percent", "CPU idle, % of a core per shard", 0.5),
]
SHAPES = {"one": "one router", "tutorial": "three routers, telemeter, collector"}

MEASURES = {
    "cpu/request": lambda sample: sample["cpu"] / sample["requests"],
    "requests/s": lambda sample: sample["requests"] / sample["seconds"],
    "p50": lambda sample: sample["p50"],
    "p99": lambda sample: sample["p99"],
    "rss": lambda sample: sample["rss"] * 1024 / 1e6,
}


def read_lines(path):
    return [line.split("\t") for line in path.read_text().splitlines()] if path.exists() else []


def read_samples(path):
    """Row -> subject -> run -> sample, numbers as numbers and None where the subject had nothing to tell."""
    rows = defaultdict(lambda: defaultdict(dict))
    for cells in read_lines(path):
        sample = dict(zip(COLUMNS, cells))
        for column in COLUMNS[3:]:
            sample[column] = None if sample[column] == "-" else float(sample[column])
        rows[sample["row"]][sample["subject"]][int(sample["run"])] = sample
    return rows


def table(header, lines):
    print("| " + " | ".join(header) + " |")
    print("|" + "|".join("---" if i == 0 else "---:" for i in range(len(header))) + "|")
    for line in lines:
        print("| " + " | ".join(str(cell) for cell in line) + " |")
    print()


def spread(values):
    return f"{min(values):.3f} to {max(values):.3f}"


class Verdicts:
    """What was said about the bars, for the exit status."""

    def __init__(self):
        self.missed = 0

    def say(self, met, binding=True):
        if binding and not met:
            self.missed += 1
        return ("pass" if met else "MISS") if binding else f"info ({'within' if met else 'beyond'})"


def print_row(name, subjects, verdicts):
    title, bars = ROWS[name]
    print(f"## {name}: {title}\n")
    lines = []
    for subject in sorted(subjects):
        samples = list(subjects[subject].values())
        median = {key: statistics.median(map(measure, samples)) for key, measure in MEASURES.items()}
        cpu = list(map(MEASURES["cpu/request"], samples))
        lines.append([
            subject,
            f"{median['cpu/request']:.2f}",
            f"{min(cpu):.2f} to {max(cpu):.2f}",
            f"{median['requests/s']:,.0f}",
            f"{median['p50']:.0f}",
            f"{median['p99']:.0f}",
            f"{median['rss']:.1f}",
            f"{sum(sample['failed'] for sample in samples):.0f}",
            len(samples),
        ])
    table(["subject", "CPU us/request", "spread", "requests/s", "p50 us", "p99 us", "RSS MB", "failed", "runs"], lines)

    lines = []
    for measure, subject, against, limit, binding in bars:
        left, right = subjects.get(subject, {}), subjects.get(against, {})
        runs = [run for run in left if run in right and MEASURES[measure](right[run])]
        text = f"{measure}: {subject} / {against}"
        if not runs:
            lines.append([text, "-", "-", f"{limit:.2f}", "not measured"])
            continue
        ratios = [MEASURES[measure](left[run]) / MEASURES[measure](right[run]) for run in runs]
        ratio = statistics.median(ratios)
        lines.append([text, f"{ratio:.3f}", spread(ratios), f"{limit:.2f}", verdicts.say(ratio <= limit, binding)])
    table(["ratio", "median", "spread", "bar", "verdict"], lines)

    failed = sum(sample["failed"] for runs in subjects.values() for sample in runs.values())
    if failed:
        print(f"{failed:.0f} requests failed in this row: its figures are not to be trusted.\n")
    if name == "sampled":
        print_spans(subjects, verdicts)


def print_spans(subjects, verdicts):
    """The accounting of the sampled row, and the proof that the sink read what was posted."""
    lines = []
    for subject in sorted(subjects):
        samples = list(subjects[subject].values())
        posted = sum(sample["sink_bytes"] for sample in samples) / sum(sample["requests"] for sample in samples)
        counts = {}
        for key in ("recorded", "sent", "dropped", "queued"):
            known = [sample[key] for sample in samples if sample[key] is not None]
            counts[key] = sum(known) if known else None
        verdict = "-"
        if subject == "ringspan-rate1":
            # Two spans per request; warm-up requests count as well, so there are more.
            all_recorded = counts["recorded"] is not None and counts["recorded"] >= 2 * sum(
                sample["requests"] for sample in samples
            )
            verdict = verdicts.say(all_recorded and counts["dropped"] == 0 and counts["sent"] == counts["recorded"])
        lines.append(
            [subject, *("-" if count is None else f"{count:,.0f}" for count in counts.values()), f"{posted:.0f}", verdict]
        )
    print("Spans since each start, warm-up included; none may be dropped.\n")
    table(["subject", "recorded", "sent", "dropped", "queued", "bytes read by the sink per request", "verdict"], lines)


def print_startup(lines, verdicts):
    print("## startup: two shards\n")
    values = defaultdict(list)
    for measure, shape, value in lines:
        values[measure, shape].append(float(value))
    out = []
    for measure, title, limit in STARTUP:
        for shape, shape_title in SHAPES.items():
            known = values.get((measure, shape))
            if known:
                median = statistics.median(known)
                out.append([f"{title}: {shape_title}", f"{median:g}", spread(known), f"{limit:g}", verdicts.say(median <= limit)])
    table(["what", "median", "spread", "bar", "verdict"], out)


def main():
    folder, strict = Path(sys.argv[1]), "--strict" in sys.argv[2:]
    verdicts = Verdicts()
    rows = read_samples(folder / "samples.tsv")
    for name in ROWS:
        if name in rows:
            print_row(name, rows[name], verdicts)
    startup = read_lines(folder / "startup.tsv")
    if startup:
        print_startup(startup, verdicts)
    missing = read_lines(folder / "missing.tsv")
    for subject, reason in missing:
        print(f"Not measured: {subject} ({reason.strip()})")
    if verdicts.missed:
        print(f"Bars missed: {verdicts.missed}")
    sys.exit(1 if strict and (verdicts.missed or missing) else 0)


if __name__ == "__main__":
    main()
