#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""scripts/check-states is silent about the states.md there is, and tells what is taken out of it,
added to it, or changed in it."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")
SCRIPT = os.path.join(ROOT, "scripts", "check-states")
with open(os.path.join(ROOT, "doc", "design", "states.md"), encoding="utf-8") as states:
    DOCUMENT = states.read()


def run(document):
    with tempfile.NamedTemporaryFile("w", suffix=".md", encoding="utf-8") as file:
        file.write(document)
        file.flush()
        return subprocess.run([sys.executable, SCRIPT, "--states", file.name],
                              stderr=subprocess.PIPE, text=True, check=False)


def section(heading):
    """(before, the section, after)"""
    start = DOCUMENT.index("\n" + heading) + 1
    end = DOCUMENT.find("\n#", start) % (len(DOCUMENT) + 1)
    return DOCUMENT[:start], DOCUMENT[start:end], DOCUMENT[end:]


def changed(heading, pattern, new):
    before, text, after = section(heading)
    replaced, count = re.subn(pattern, new, text, count=1, flags=re.M)
    assert count == 1, (heading, pattern)
    return before + replaced + after


def without_column(heading, name):
    before, text, after = section(heading)
    lines = text.splitlines()
    head = next(line for line in lines if line.startswith("|"))
    place = [word.strip() for word in head.split("|")].index(name)
    lines = ["|".join(w for i, w in enumerate(line.split("|")) if i != place)
             if line.startswith("|") else line for line in lines]
    return before + "\n".join(lines) + after


class CheckStates(unittest.TestCase):
    def tells(self, document, text):
        done = run(document)
        self.assertEqual(done.returncode, 1, "nothing is told")
        self.assertIn(text, done.stderr)

    def test_what_is_there_is_right(self):
        done = run(DOCUMENT)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_line_taken_out_is_told(self):
        for heading, machine in (("### 6.2 ", "source"), ("### 6.3 ", "destination")):
            self.tells(changed(heading, r"^\| killed_sender \|.*\n", ""),
                       "test matrix.%s_killed_sender has no line" % machine)
        self.tells(changed("### 6.4 ", r"^\| commit_lost \|.*\n", ""),
                   "test matrix.commit_lost has no line")

    def test_a_line_without_a_test_is_told(self):
        self.tells(changed("### 6.2 ", r"^\| killed_sender \|", "| struck_by_lightning |"),
                   "source line struck_by_lightning has no test")
        self.tells(changed("### 6.4 ", r"^\| commit_lost \|", "| commit_found |"),
                   "there is no test matrix.commit_found")

    def test_a_state_taken_out_is_told(self):
        for heading, what in (("### 6.2 ", "source, matrix: SAVE"), ("## 3. ", "source, events: SAVE")):
            self.tells(without_column(heading, "SAVE"), what + " is missing")
        self.tells(without_column("### 6.3 ", "LOAD"), "destination, matrix: LOAD is missing")
        self.tells(changed("### 2.1 ", r"^\| SAVE \|.*\n", ""), "transitions: SAVE is missing")

    def test_a_state_that_is_none_is_told(self):
        self.tells(changed("### 6.2 ", r"\| SAVE \|", "| STORE |"), "there is no STORE")

    def test_a_cell_that_cannot_be_is_told(self):
        self.tells(changed("### 6.2 ", r"^(\| killed_receiver \|) S 2/x", r"\1 S 0/x"),
                   "S 0/x in CONNECT cannot be true")
        self.tells(changed("### 6.2 ", r"^(\| killed_receiver \|) S 2/x", r"\1 runs"),
                   "'runs' is no outcome")
        self.tells(changed("### 6.2 ", r"^(\| killed_receiver \|) S 2/x \|", r"\1"), "cells")


if __name__ == "__main__":
    unittest.main()
