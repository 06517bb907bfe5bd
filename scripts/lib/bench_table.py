# SPDX-License-Identifier: BSD-3-Clause
"""Rows as text: the table of QEMU's QATzip series and more columns, and the targets."""

from bench_link import link_text


def number(value, form="%.2f"):
    return "-" if value is None else form % value


def print_lines(head, lines):
    print("| %s |\n|%s" % (" | ".join(head), "---|" * len(head)))
    for cells in lines:
        print("| %s |" % " | ".join(cells))


def label(row):
    text = "%s x%d" % (row["method"], row["channels"])
    if row["failed"]:
        text += " (%d of %d FAILED)" % (row["failed"], row["runs"])
    if row.get("differing-pages"):
        text += " MEMORY DIFFERS"
    return text


def seconds(row):
    if not row.get("converged"):
        return "-"
    return "%.2f (+-%.0f %%)" % (row["seconds"], row["spread"] * 50)


HEAD = ("method", "total time s", "throughput Gbit/s", "send CPU %", "recv CPU %", "CPU s/GiB",
        "machine CPU s", "wire MB", "downtime ms", "time to QEMU's best", "CPU to it")


def copy_cells(row):
    wire = row.get("wire-bytes")
    return (label(row), seconds(row), number(row.get("gbit-s")),
            number(row.get("send-cpu-percent"), "%.0f"),
            number(row.get("recv-cpu-percent"), "%.0f"), number(row.get("cpu-s-per-gib")),
            number(row.get("machine-busy-s"), "%.1f"), number(wire and wire / 1e6, "%.0f"),
            number(row.get("downtime-ms"), "%.0f"), number(row.get("to-best")),
            number(row.get("cpu-to-best")))


LIVE_HEAD = ("method", "total time s", "converged", "blackout ms", "own downtime ms", "rounds",
             "send CPU s", "recv CPU s", "machine CPU s", "wire MB", "dirtied MB/s",
             "time to QEMU's best", "CPU to it")


def live_cells(row):
    wire = row.get("wire-bytes")
    return (label(row), seconds(row), "yes" if row.get("converged") else "NO",
            number(row.get("blackout-ms"), "%.0f"), number(row.get("downtime-ms"), "%.0f"),
            number(row.get("rounds"), "%.0f"), number(row.get("send-cpu-s"), "%.1f"),
            number(row.get("recv-cpu-s"), "%.1f"), number(row.get("machine-busy-s"), "%.1f"),
            number(wire and wire / 1e6, "%.0f"), number(row.get("dirtied-mb-s"), "%.0f"),
            number(row.get("to-best")), number(row.get("cpu-to-best")))


def print_table(rows):
    copies = [row for row in rows if row["kind"] == "copy"]
    for gbit in dict.fromkeys(row["link-gbit"] for row in copies):
        print("\n%s: copies" % link_text(gbit))
        print_lines(HEAD, [copy_cells(row) for row in copies if row["link-gbit"] == gbit])


def print_live_table(rows):
    live = [row for row in rows if row["kind"] == "live"]
    for gbit, rate in dict.fromkeys((row["link-gbit"], row["dirty-mb-s"]) for row in live):
        print("\n%s: live, %d MB/s dirtied" % (link_text(gbit), rate))
        print_lines(LIVE_HEAD, [live_cells(row) for row in live
                                if (row["link-gbit"], row["dirty-mb-s"]) == (gbit, rate)])


def place_text(target):
    link = target["link"]
    text = link if link == "unlimited" else "%g Gbit/s" % link
    return text + (", live %d MB/s" % target["dirty"] if "dirty" in target else "")


def verdict_text(verdict):
    if verdict["met"] is None:
        return "not measured"
    return "met" if verdict["met"] else "NOT MET"


def print_targets(verdicts, departures):
    print("\nTargets")
    lines = []
    for v in verdicts:
        limit = "<= %.2f" % v["at-most"] if "at-most" in v else ">= %.2f" % v["at-least"]
        lines.append((place_text(v), v["method"], v["text"], limit, number(v["value"]),
                      v["compared-with"] or "-", verdict_text(v)))
    print_lines(("link", "method", "what", "limit", "measured", "against", ""), lines)
    met = [v["met"] for v in verdicts]
    print("%d met, %d not met, %d not measured" % (met.count(True), met.count(False),
                                                  met.count(None)))
    if departures:
        print("These targets are for other conditions: " + "; ".join(departures))
