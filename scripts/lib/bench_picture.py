# SPDX-License-Identifier: BSD-3-Clause
"""Rows as a picture: total time and CPU seconds, a group of bars for each link or live rate."""

from bench_link import link_text
from bench_summary import place


def place_text(row):
    text = link_text(row["link-gbit"])
    return text + ("\n%d MB/s dirtied" % row["dirty-mb-s"] if row["kind"] == "live" else "")


def draw(rows, path):
    """@return None, or why there is no picture."""
    try:
        import matplotlib
    except ImportError:
        return "python3-matplotlib is not there"
    rows = [row for row in rows if row.get("converged")]
    if not rows:
        return "no run ended well"
    matplotlib.use("Agg")
    from matplotlib import pyplot
    places = {place(row): place_text(row) for row in rows}
    names = list(dict.fromkeys((row["method"], row["channels"]) for row in rows))
    figure, axes = pyplot.subplots(2, 1, figsize=(12, 9), sharex=True)
    width = 0.8 / len(names)
    for i, name in enumerate(names):
        mine = {place(row): row for row in rows if (row["method"], row["channels"]) == name}
        for axis, field in zip(axes, ("seconds", "cpu-s")):
            axis.bar([x + i * width for x in range(len(places))],
                     [mine[p][field] if p in mine else 0 for p in places], width,
                     label="%s x%d" % name)
    axes[0].set_ylabel("total time, s")
    axes[1].set_ylabel("CPU seconds, both ends")
    axes[1].set_xticks([x + 0.4 - width / 2 for x in range(len(places))], list(places.values()))
    axes[0].legend(fontsize="small", ncols=2)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
    return None
