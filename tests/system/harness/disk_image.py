# SPDX-License-Identifier: BSD-3-Clause
"""A disk each of whose 4 KiB blocks says its number (guest_disk.c checks it)."""

import array

MASK = (1 << 64) - 1


def make_disk(path, mib):
    words = int.from_bytes(b"".join(i.to_bytes(8, "little") for i in range(512)), "little")
    with open(path, "wb") as file:
        for block in range(mib * 256):
            first = (block + 1) * 0x9E3779B97F4A7C15 & MASK
            repeated = int.from_bytes(array.array("Q", [first]).tobytes() * 512, "little")
            file.write((repeated ^ words).to_bytes(4096, "little"))
