# SPDX-License-Identifier: BSD-3-Clause
"""Runs a module's tests and says how many there were in cmocka's words, which
scripts/lib/count_tests.py counts."""

import sys
import unittest


def main():
    result = unittest.main(exit=False, verbosity=1).result
    # parts of one test (subTest) count as one
    bad = len({getattr(test, "test_case", test).id()
               for test, _ in result.failures + result.errors})
    skipped = len(result.skipped)
    print("[  PASSED  ] %d test(s)." % (result.testsRun - bad - skipped))
    if skipped:
        print("[  SKIPPED ] %d test(s)." % skipped)
    if bad:
        print("[  FAILED  ] %d test(s)." % bad)
    sys.exit(1 if bad or not result.testsRun else 0)
