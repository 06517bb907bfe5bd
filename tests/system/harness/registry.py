# SPDX-License-Identifier: BSD-3-Clause
"""What a test is, and how it says that it failed or cannot be run."""

REGISTERED = []


class Failure(Exception):
    """The behaviour is not what it must be."""


class Skip(Exception):
    """This machine cannot show the behaviour; the text says what is missing."""


def check(condition, message, *values):
    if not condition:
        raise Failure(message % values if values else message)


class Test:
    def __init__(self, function, name, arguments, full, timeout, alone):
        self.function, self.name, self.arguments = function, name, arguments
        self.full, self.timeout, self.alone = full, timeout, alone

    def run(self, context):
        self.function(context, **self.arguments)


def system_test(full=False, timeout=90, alone=False, cases=None):
    """Register a function as a test, or as one test a case. A case is a dict of arguments; the
    key "full" in it overrides the decorator's. `alone`: no other test runs beside it, as it
    measures, or as it changes the machine; one with memory from hugetlbfs always does."""
    def register(function):
        for case in cases or [{}]:
            arguments = {k: v for k, v in case.items() if k != "full"}
            label = ",".join("%s=%s" % item for item in arguments.items())
            name = "%s.%s%s" % (function.__module__.replace("test_", "", 1),
                                function.__name__, "[%s]" % label if label else "")
            REGISTERED.append(Test(function, name, arguments, case.get("full", full), timeout,
                                   alone or "hugetlbfs" in arguments.values()))
        return function
    return register
