# SPDX-License-Identifier: BSD-3-Clause
"""Medians of runs, as the table of QEMU's QATzip series and as a picture."""

from statistics import median


def link_text(gbit):
    return "%g Gbit/s" % gbit if gbit else "unlimited"


def summarize(runs):
    """Rows of medians, in the order in which they first ran."""
    groups = {}
    for run in runs:
        key = (run["link-gbit"] or 0, run["tool"], run["method"], run["channels"])
        groups.setdefault(key, []).append(run)
    rows = []
    for (gbit, tool, method, channels), group in groups.items():
        row = {"link-gbit": gbit, "tool": tool, "method": method, "channels": channels,
               "runs": len(group), "bad": sum(r["differing-pages"] for r in group)}
        for name in ("seconds", "send-cpu-s", "recv-cpu-s", "wire-bytes"):
            row[name] = median(r[name] for r in group)
        row["spread"] = (max(r["seconds"] for r in group) -
                         min(r["seconds"] for r in group)) / row["seconds"]
        row["cpu-s"] = median(r["send-cpu-s"] + r["recv-cpu-s"] for r in group)
        row["gbit-s"] = group[0]["filled-bytes"] * 8 / row["seconds"] / 1e9
        row["gib"] = group[0]["filled-bytes"] / 2**30
        rows.append(row)
    for row in rows:
        peers = [r for r in rows if r["tool"] == "qemu" and r["link-gbit"] == row["link-gbit"]]
        best = min(peers, key=lambda r: r["seconds"], default=None)
        row["to-best"] = row["seconds"] / best["seconds"] if best else None
        row["cpu-to-best"] = row["cpu-s"] / best["cpu-s"] if best else None
    return rows


HEAD = ("| method | ch | time s | throughput Gbit/s | send CPU % | recv CPU % | CPU s/GiB "
        "| wire MB | time to QEMU's best | CPU to it |")


def print_table(rows):
    for gbit in dict.fromkeys(r["link-gbit"] for r in rows):
        print("\n%s\n%s\n%s" % (link_text(gbit), HEAD, "|" + "---|" * 10))
        for r in rows:
            if r["link-gbit"] != gbit:
                continue
            ratio = ["%.2f" % r[k] if r[k] else "-" for k in ("to-best", "cpu-to-best")]
            print("| %s %s | %d | %.2f (+-%.0f %%) | %.2f | %.0f | %.0f | %.2f | %.0f | %s | %s |%s"
                  % (r["tool"], r["method"], r["channels"], r["seconds"], r["spread"] * 50,
                     r["gbit-s"], r["send-cpu-s"] / r["seconds"] * 100,
                     r["recv-cpu-s"] / r["seconds"] * 100, r["cpu-s"] / r["gib"],
                     r["wire-bytes"] / 1e6, *ratio, " MEMORY DIFFERS" if r["bad"] else ""))


def draw(rows, path):
    """@return whether a picture was made: without matplotlib there is none."""
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot
    links = list(dict.fromkeys(r["link-gbit"] for r in rows))
    names = list(dict.fromkeys((r["tool"], r["method"], r["channels"]) for r in rows))
    figure, axes = pyplot.subplots(2, 1, figsize=(10, 9), sharex=True)
    width = 0.8 / len(names)
    for i, name in enumerate(names):
        for axis, field in zip(axes, ("seconds", "cpu-s")):
            values = [next((r[field] for r in rows if r["link-gbit"] == link and
                            (r["tool"], r["method"], r["channels"]) == name), 0)
                      for link in links]
            axis.bar([x + i * width for x in range(len(links))], values, width,
                     label="%s %s x%d" % name)
    axes[0].set_ylabel("total time, s")
    axes[1].set_ylabel("CPU seconds, both ends")
    axes[1].set_xticks([x + 0.4 - width / 2 for x in range(len(links))],
                       [link_text(link) for link in links])
    axes[0].legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    return True
