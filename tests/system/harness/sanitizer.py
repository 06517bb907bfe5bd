# SPDX-License-Identifier: BSD-3-Clause
"""Builds with AddressSanitizer and UndefinedBehaviorSanitizer: what they report, of whichever
process and whatever its exit status, fails the test."""

import glob
import json
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))
SUPPRESSIONS = os.path.join(HERE, "..", "leaks.supp")
# a status that is none of the program's
EXIT_STATUS = 86
# gcc's libubsan, beside libasan, writes to stderr whatever its log_path says
REPORT = re.compile(r"runtime error: |ERROR: (Address|Leak)Sanitizer")


def is_sanitized(build):
    """Was this directory set up with -Db_sanitize?"""
    with open(os.path.join(build, "meson-info", "intro-buildoptions.json"),
              encoding="utf-8") as file:
        values = {option["name"]: option["value"] for option in json.load(file)}
    return values["b_sanitize"] != "none"


def environment(scratch):
    """Of all processes of a test."""
    common = "log_path=%s:halt_on_error=1:exitcode=%d:print_stacktrace=1" % (
        os.path.join(scratch, "sanitizer"), EXIT_STATUS)
    return {"ASAN_OPTIONS": common + ":detect_leaks=1:detect_stack_use_after_return=1",
            "UBSAN_OPTIONS": common,
            "LSAN_OPTIONS": "suppressions=%s:print_suppressions=0" % SUPPRESSIONS}


def said(endpoints):
    """What they report in their output, and the lines after it."""
    text = ""
    for endpoint in endpoints:
        for i, line in enumerate(endpoint.err):
            if REPORT.search(line):
                text += "--- %s\n%s\n" % (endpoint.name, "\n".join(endpoint.err[i:i + 30]))
                break
    return text


def reports(scratch):
    """Text of all reports so far."""
    text = ""
    for path in sorted(glob.glob(os.path.join(scratch, "sanitizer.*"))):
        with open(path, encoding="utf-8", errors="replace") as file:
            text += "--- %s\n%s\n" % (os.path.basename(path), file.read()[:8000])
    return text
