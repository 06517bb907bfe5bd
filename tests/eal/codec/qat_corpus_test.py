#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Gives qat_corpus_test its corpus: the Silesia files where they are beside the checkout, else
made-up data.
usage: qat_corpus_test.py PROGRAM"""

import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "system"))

from harness import memory_image  # noqa: E402


def main():
    directory = memory_image.corpus_directory()
    pieces = memory_image.silesia(directory) if directory else memory_image.made_up()
    print("corpus: %s" % (directory or "made up"), flush=True)
    with tempfile.NamedTemporaryFile(prefix="corpus-test-") as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        return subprocess.run([sys.argv[1], file.name], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
