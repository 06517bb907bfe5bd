# SPDX-License-Identifier: BSD-3-Clause
"""Medians of runs."""

from statistics import median

MEDIANS = ("seconds", "send-cpu-s", "recv-cpu-s", "machine-busy-s", "machine-softirq-s",
           "wire-bytes", "downtime-ms", "blackout-ms", "rounds", "dirtied-mb-s")


def middle(group, name):
    values = [run[name] for run in group if run.get(name) is not None]
    return median(values) if values else None


def make_row(head, group):
    good = [run for run in group if "error" not in run]
    row = {**head, "runs": len(group), "failed": len(group) - len(good)}
    if not good:
        return row
    # what did not converge has no time: the timeout is not one
    done = [run for run in good if run["converged"]]
    row["converged"] = len(done) == len(group)
    row["differing-pages"] = sum(run.get("differing-pages", 0) for run in good)
    for name in MEDIANS:
        row[name] = middle(good, name)
    times = [run["seconds"] for run in good]
    row["spread"] = (max(times) - min(times)) / row["seconds"]
    row["cpu-s"] = median(run["send-cpu-s"] + run["recv-cpu-s"] for run in good)
    row["gib"] = good[0]["filled-bytes"] / 2**30
    row["gbit-s"] = good[0]["filled-bytes"] * 8 / row["seconds"] / 1e9
    row["cpu-s-per-gib"] = row["cpu-s"] / row["gib"]
    for side in ("send", "recv"):
        row[side + "-cpu-percent"] = row[side + "-cpu-s"] / row["seconds"] * 100
        row[side + "-worker-percent"] = row[side + "-cpu-percent"] / row["channels"]
    return row


def place(row):
    return row["kind"], row["link-gbit"], row["dirty-mb-s"]


def summarize(runs):
    """Rows of medians, in the order in which they first ran; each with its ratio to QEMU's best at
    the same place."""
    groups = {}
    for run in runs:
        head = {k: run[k] for k in ("kind", "link-gbit", "dirty-mb-s", "method", "tool",
                                    "channels")}
        groups.setdefault(tuple(head.values()), (head, []))[1].append(run)
    rows = [make_row(*pair) for pair in groups.values()]
    for row in rows:
        peers = [r for r in rows if r["tool"] == "qemu" and place(r) == place(row)
                 and r.get("converged")]
        best = min(peers, key=lambda r: r["seconds"], default=None)
        if not best or not row.get("converged"):
            continue
        row["best"] = best["method"]
        row["to-best"] = row["seconds"] / best["seconds"]
        if best["cpu-s"]:
            row["cpu-to-best"] = row["cpu-s"] / best["cpu-s"]
    return rows
