# SPDX-License-Identifier: BSD-3-Clause
"""The failure matrix of doc/design/states.md (section 6), read."""

import os
import re

PATH = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                     "..", "..", "..", "doc", "design", "states.md"))
MACHINES = ("source", "destination")
HEADINGS = {"source": "### 6.2 ", "destination": "### 6.3 ", None: "### 6.4 "}
OUTCOME = re.compile(r"([SDPN]) ([0-3x])/([0-3x])")


class Outcome:
    """Which VM runs afterwards (S source, D destination, P none: the source is paused, N none: the
    guest has died with its QEMU), and the exit statuses: None, it was killed."""

    def __init__(self, text):
        found = OUTCOME.fullmatch(text)
        if not found:
            raise ValueError("%r is no outcome" % text)
        self.text, self.runs = text, found.group(1)
        self.sender, self.receiver = (None if status == "x" else int(status)
                                      for status in found.groups()[1:])

    def fits(self, sender, receiver):
        return self.sender in (None, sender) and self.receiver in (None, receiver)


def outcomes(cell):
    """What a cell says: "A", or "A or B" where both are right and time decides."""
    return [Outcome(word) for word in cell.split(" or ")]


class Line:
    """A line of the matrix: a failure, tried in each state of a machine. `cells`: outcomes by
    column, in order; columns that cannot be (-) or are as the one before (=) are left out."""

    def __init__(self, name, machine, columns, cells):
        self.name, self.machine, self.all_cells = name, machine, dict(zip(columns, cells))
        self.cells = {column: outcomes(cell) for column, cell in self.all_cells.items()
                      if cell not in ("-", "=")}


def text():
    with open(PATH, encoding="utf-8") as file:
        return file.read()


def rows(document, heading):
    """The first table under a heading that begins so: [[word, ...], ...], head first."""
    at = document.find("\n" + heading)
    if at < 0:
        raise ValueError("no section %r in states.md" % heading.strip())
    table = []
    for line in document[at + 1:].splitlines()[1:]:
        if line.startswith("#"):
            break
        if line.startswith("|"):
            table.append([word.strip() for word in line.strip().strip("|").split("|")])
        elif table:
            break
    if len(table) < 3:
        raise ValueError("no table under %r in states.md" % heading.strip())
    return [table[0]] + table[2:]


def lines(machine, document=None):
    """The matrix of a machine."""
    head, *body = rows(document or text(), HEADINGS[machine])
    for row in body:
        if len(row) != len(head):
            raise ValueError("line %s has %d cells of %d" % (row[0], len(row) - 1, len(head) - 1))
    return [Line(row[0], machine, head[1:], row[1:]) for row in body]


def loose_lines(document=None):
    """[(name, the test that tries it)] of the lines that are of no state in particular."""
    return [(row[0], row[-1].strip("`") or "matrix." + row[0])
            for row in rows(document or text(), HEADINGS[None])[1:]]
