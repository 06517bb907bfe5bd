# SPDX-License-Identifier: BSD-3-Clause
"""Compares rows with the targets of bench_targets.json: numbers that must be seen.

A target is a measure of a method at a link (and at a rate that a guest dirties, if it is a live
run), as it is, or divided by that of the fastest of the methods "against". "at-most" or "at-least"
is the limit. The numbers are for the "conditions" of the file; under others they show the direction
only, and `departures` says so."""

import json
import os


def load():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bench_targets.json")
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def find(rows, target, method):
    gbit = None if target["link"] == "unlimited" else target["link"]
    for row in rows:
        if (row["method"], row["link-gbit"], row["dirty-mb-s"]) == (
                method, gbit, target.get("dirty", 0)):
            return row
    return None


def value_of(rows, target):
    """(value, method compared with). The value is None when a run that it needs is not there or
    has no such measure."""
    row = find(rows, target, target["method"])
    value = row.get(target["measure"]) if row else None
    if value is None or row["failed"]:
        return None, None
    if target["measure"] == "converged":
        return int(value), None
    if not row["converged"]:
        return float("inf"), None
    if "against" not in target:
        return value, None
    others = [find(rows, target, method) for method in target["against"]]
    if any(other is None or other["failed"] for other in others):
        return None, None
    others = [other for other in others if other["converged"]]
    if not others:
        return 0.0, None  # the other never arrives
    best = min(others, key=lambda other: other["seconds"])
    return (value / best[target["measure"]] if best.get(target["measure"]) else None,
            best["method"])


def departures(targets, conditions, turns):
    """In what this measurement is another one than the targets mean: a list of texts."""
    texts = ["%s %s instead of %s" % (name, conditions[name], value)
             for name, value in targets["conditions"].items() if conditions[name] != value]
    if turns < targets["turns"]:
        texts.append("%d turns instead of %d" % (turns, targets["turns"]))
    return texts


def evaluate(rows, targets):
    """The targets with "value", "compared-with" and "met": None when it was not measured."""
    verdicts = []
    for target in targets["targets"]:
        value, method = value_of(rows, target)
        met = None
        if value is not None:
            met = value <= target["at-most"] if "at-most" in target else (
                value >= target["at-least"])
        verdicts.append({**target, "value": None if value == float("inf") else value,
                         "compared-with": method, "met": met})
    return verdicts
