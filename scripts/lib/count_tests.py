#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Sum up a meson testlog.json: cmocka's test cases, or the program where it is no cmocka test."""

import json
import re
import sys


def count(entry):
    """(passed, failed, skipped) of one test program."""
    text = entry.get("stdout", "") + "\n" + entry.get("stderr", "")
    passed = sum(int(n) for n in re.findall(r"^\[  PASSED  \] (\d+) test", text, re.M))
    skipped = sum(int(n) for n in re.findall(r"^\[  SKIPPED \] (\d+) test", text, re.M))
    failed = sum(int(n) for n in re.findall(r"^\[  FAILED  \] (\d+) test", text, re.M))
    result = entry["result"]
    if result == "SKIP":
        return 0, 0, max(1, skipped)
    if result not in ("OK", "EXPECTEDFAIL"):
        return passed, max(1, failed), skipped
    if failed:
        return passed, failed, skipped
    return max(1, passed), 0, skipped


def main():
    totals = [0, 0, 0]
    try:
        with open(sys.argv[1], encoding="utf-8", errors="replace") as log:
            for line in log:
                for i, n in enumerate(count(json.loads(line))):
                    totals[i] += n
    except (OSError, ValueError) as error:
        print("count_tests: %s" % error, file=sys.stderr)
        totals[1] += 1
    print("%d passed, %d failed%s" % (totals[0], totals[1],
                                      ", %d skipped" % totals[2] if totals[2] else ""))


if __name__ == "__main__":
    main()
