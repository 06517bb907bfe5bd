#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Write the vectors of doc/design/wire-format.md next to this script.

Made from the document, not by the implementation: each file is one block header or one message.
block-good and message-good must decode, block-bad and message-bad must not. The blocks are of a
session with regions of 1000 and 2^32 pages and blocks of at most 16 pages. All four directories are
also the corpora of the fuzz targets.
"""

import pathlib
import struct

HERE = pathlib.Path(__file__).resolve().parent
PAGE = 4096
PAGES, ZERO = 1, 2
RAW, DEFLATE, LZ4, ZSTD = range(4)
DELTA = 1


def fixed(kind, codec, region, count, payload, round_number, flags=0):
    return struct.pack(">BBHHHII", kind, codec, region, count, flags, payload, round_number)


def pages(page_list, codec=RAW, region=0, payload=None, round_number=1, count=None, **other):
    if payload is None:
        payload = len(page_list) * PAGE if codec == RAW else 100
    count = len(page_list) if count is None else count
    return fixed(PAGES, codec, region, count, payload, round_number, **other) + b"".join(
        struct.pack(">I", p) for p in page_list
    )


def zero(ranges, region=0, payload=0, round_number=1, codec=RAW, count=None, **other):
    count = len(ranges) if count is None else count
    return fixed(ZERO, codec, region, count, payload, round_number, **other) + b"".join(
        struct.pack(">II", *r) for r in ranges
    )


LAST = 2**32 - 1

BLOCK_GOOD = {
    "raw-one-page": pages([0]),
    "raw-16-pages": pages(list(range(16))),
    "raw-last-page": pages([999]),
    "raw-last-page-of-2^32": pages([LAST], region=1),
    "deflate-smallest": pages([1, 5, 7], DEFLATE, payload=1),
    "deflate-largest": pages([1, 5, 7], DEFLATE, payload=3 * PAGE - 1),
    "lz4": pages([2], LZ4),
    "zstd": pages([2], ZSTD),
    "delta-deflate": pages([1, 5, 7], DEFLATE, payload=40, round_number=2, flags=DELTA),
    "delta-lz4": pages([999], LZ4, round_number=2, flags=DELTA),
    "delta-zstd-16-pages": pages(list(range(16)), ZSTD, round_number=9, flags=DELTA),
    "delta-round-1": pages([2], ZSTD, flags=DELTA),
    "round-last": pages([3], round_number=LAST),
    "zero-one": zero([(0, 1)]),
    "zero-whole-region": zero([(0, 1000)]),
    "zero-touching": zero([(0, 5), (5, 5)]),
    "zero-end-of-2^32": zero([(LAST, 1)], region=1),
    "zero-256-ranges": zero([(3 * i, 2) for i in range(256)]),
}

BLOCK_BAD = {
    "empty": b"",
    "fixed-part-cut": pages([0])[:15],
    "entries-cut": pages([0, 1])[:-1],
    "entries-missing": pages([0, 1])[:16],
    "byte-behind": pages([0]) + b"\0",
    "type-0": b"\0" + pages([0])[1:],
    "type-3": b"\3" + pages([0])[1:],
    "codec-4": pages([0], 4),
    "delta-raw": pages([0], round_number=2, flags=DELTA),
    "delta-zero": zero([(0, 1)], round_number=2, flags=DELTA),
    "delta-not-shrunk": pages([0], ZSTD, payload=PAGE, round_number=2, flags=DELTA),
    "flag-1": pages([0], LZ4, flags=2),
    "flag-1-and-delta": pages([0], LZ4, flags=2 | DELTA),
    "flag-15": pages([0], flags=1 << 15),
    "flag-zero": zero([(0, 1)], flags=2),
    "flag-swapped": pages([0], LZ4, flags=1 << 8),
    "round-0": pages([0], round_number=0),
    "region-2": pages([0], region=2),
    "region-64": pages([0], region=64),
    "pages-none": pages([], payload=0),
    "pages-17-of-16": pages(list(range(17))),
    "pages-65": pages(list(range(65))),
    "page-twice": pages([4, 4]),
    "page-descending": pages([5, 4]),
    "page-outside": pages([1000]),
    "page-far-outside": pages([0, LAST]),
    "raw-short": pages([0], payload=PAGE - 1),
    "raw-long": pages([0], payload=PAGE + 1),
    "raw-none": pages([0], payload=0),
    "deflate-none": pages([0], DEFLATE, payload=0),
    "deflate-not-shrunk": pages([0], DEFLATE, payload=PAGE),
    "deflate-huge": pages([0], DEFLATE, payload=LAST),
    "zero-none": zero([]),
    "zero-257-ranges": zero([(2 * i, 1) for i in range(257)]),
    "zero-empty-range": zero([(0, 0)]),
    "zero-overlap": zero([(0, 5), (4, 5)]),
    "zero-descending": zero([(10, 1), (4, 1)]),
    "zero-outside": zero([(999, 2)]),
    "zero-past-2^32": zero([(LAST, 2)], region=1),
    "zero-wraps": zero([(2, LAST)], region=1),
    "zero-payload": zero([(0, 1)], payload=1),
    "zero-codec": zero([(0, 1)], codec=DEFLATE),
}


def message(kind, body=b"", reserved=0, length=None):
    return struct.pack(">HHI", kind, reserved, len(body) if length is None else length) + body


def string(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack(">H", len(data)) + data


def region(name="pc.ram", page_count=262144, backing=4096):
    return string(name) + struct.pack(">QI", page_count, backing)


def hello(low=1, high=1, page=4096, workers=1, block_pages=16, codecs=3, device=1, verify=0,
          guest="QEMU 7.2.22", machine="pc-q35-7.2", data=1000, regions=None, count=None,
          behind=b""):
    regions = [region()] if regions is None else regions
    count = len(regions) if count is None else count
    return message(1, struct.pack(">IIIHHIBB", low, high, page, workers, block_pages, codecs,
                                  device, verify)
                   + string(guest) + string(machine) + struct.pack(">QH", data, count)
                   + b"".join(regions) + behind)


SESSION = bytes(range(16))


def ack(version=1, block_pages=16, deflate_pages=16, codecs=1, workers=1):
    return message(2, struct.pack(">I16sHHIH", version, SESSION, block_pages, deflate_pages,
                                  codecs, workers))


def attach(worker=1):
    return message(3, struct.pack(">16sH", SESSION, worker))


def round_end(number=1, final=0, blocks=7):
    return message(5, struct.pack(">IBQ", number, final, blocks))


def failed(page_list, number=1, region_index=0, count=None):
    count = len(page_list) if count is None else count
    return message(7, struct.pack(">IHH", number, region_index, count)
                   + b"".join(struct.pack(">I", p) for p in page_list))


def punch(ranges, region_index=0, count=None):
    count = len(ranges) if count is None else count
    return message(8, struct.pack(">HH", region_index, count)
                   + b"".join(struct.pack(">II", *r) for r in ranges))


def digests(count, present=None):
    present = count if present is None else present
    return message(10, struct.pack(">H", count) + bytes(range(16)) * present)


def error(reason=1, text="no space left"):
    return message(16, struct.pack(">H", reason) + string(text))


def holdings(bits, first=0, count=None, region_index=0, held=None):
    count = len(bits) if count is None else count
    data = bytearray((len(bits) + 7) // 8)
    for i, bit in enumerate(bits):
        data[i // 8] |= bit << i % 8
    held = sum(bits) if held is None else held
    return message(18, struct.pack(">HIH", region_index, first, count) + bytes(data)
                   + bytes(i % 253 for i in range(16 * held)))


MESSAGE_GOOD = {
    "hello": hello(),
    "hello-plain-memory": hello(device=0, verify=1, guest="", machine=""),
    "hello-64-regions": hello(guest="g" * 127, machine="m" * 127, regions=[
        region(f"{i:02}" + "n" * 125, 2**32, 2**30) for i in range(64)]),
    "hello-unknown-codecs": hello(codecs=0xFFFFFFFF),
    "hello-versions-1-to-9": hello(high=9),
    "hello-later-version": hello(low=2, high=3),
    "hello-later-version-short": message(1, struct.pack(">II", 2, 2)),
    "hello-delta": hello(codecs=0x8000000F),
    "hello-resume": hello(codecs=0xC000000F),
    "hello-ack": ack(),
    "hello-ack-resume": ack(codecs=0x40000001),
    "hello-ack-delta": ack(codecs=0x80000009),
    "hello-ack-most": ack(block_pages=64, codecs=0xFFFFFFFF, workers=65535),
    "attach": attach(),
    "attach-ack": message(4),
    "round-end": round_end(),
    "round-end-final": round_end(LAST, 1, 2**64 - 1),
    "round-done": message(6, struct.pack(">I", 1)),
    "block-failed": failed([0, 7, LAST]),
    "block-failed-64": failed(list(range(64)), region_index=63),
    "punch": punch([(0, 1), (1, 1), (100, 400)]),
    "punch-2048": punch([(2 * i, 1) for i in range(2048)]),
    "punch-all": punch([(0, LAST), (LAST, 1)]),
    "verify": message(9),
    "digests-1": digests(1),
    "digests-64": digests(64),
    "device-state-1": message(11, b"Q"),
    "device-state-32000": message(11, bytes(i % 251 for i in range(32000))),
    "device-end": message(12, struct.pack(">Q", 65536)),
    "ready": message(13),
    "commit": message(14),
    "committed": message(15),
    "error": error(),
    "error-no-text": error(6, ""),
    "error-255": error(2, "~ " * 127 + "x"),
    "inventory": message(17, struct.pack(">H", 0)),
    "inventory-63": message(17, struct.pack(">H", 63)),
    "holdings-one": holdings([1]),
    "holdings-hole": holdings([0]),
    "holdings-9": holdings([1, 0, 1, 1, 0, 0, 0, 1, 1], first=77, region_index=63),
    "holdings-64": holdings([0] * 63 + [1]),
    "holdings-1024": holdings([1] * 1024),
    "holdings-1024-holes": holdings([0] * 1024, first=2**32 - 1024),
    "holdings-end-of-2^32": holdings([1], first=LAST),
}

MESSAGE_BAD = {
    "empty": b"",
    "header-cut": message(9)[:7],
    "type-0": message(0),
    "type-19": message(19),
    "reserved": message(9, reserved=1),
    "body-cut": attach()[:-1],
    "body-behind": attach() + b"\0",
    "length-huge": message(9, length=LAST),
    "verify-with-body": message(9, b"\0"),
    "commit-with-body": message(14, b"\0"),
    "hello-version-0": hello(low=0),
    "hello-versions-reversed": hello(low=2, high=1),
    "hello-page-size": hello(page=65536),
    "hello-workers-0": hello(workers=0),
    "hello-block-pages-0": hello(block_pages=0),
    "hello-block-pages-65": hello(block_pages=65),
    "hello-no-raw": hello(codecs=2),
    "hello-boolean-2": hello(device=2),
    "hello-verify-255": hello(verify=255),
    "hello-guest-128": hello(guest="g" * 128),
    "hello-guest-escape": hello(guest="\x1b[2J"),
    "hello-guest-newline": hello(guest="a\nb"),
    "hello-guest-nul": hello(guest="a\0b"),
    "hello-guest-utf8": hello(guest="\u00e4".encode()),
    "hello-machine-delete": hello(machine="\x7f"),
    "hello-data-pages": hello(data=262145),
    "hello-regions-0": hello(regions=[], data=0),
    "hello-regions-65": hello(regions=[region(f"r{i}") for i in range(65)]),
    "hello-regions-65-of-64": hello(regions=[region(f"r{i}") for i in range(64)], count=65),
    "hello-regions-missing": hello(count=2),
    "hello-region-unnamed": hello(regions=[region("")]),
    "hello-region-twice": hello(regions=[region(), region()]),
    "hello-region-no-pages": hello(regions=[region(page_count=0)], data=0),
    "hello-region-pages": hello(regions=[region(page_count=2**32 + 1)]),
    "hello-region-backing-small": hello(regions=[region(backing=2048)]),
    "hello-region-backing-odd": hello(regions=[region(backing=4097)]),
    "hello-region-backing-large": hello(regions=[region(backing=2**31)]),
    "hello-behind": hello(behind=b"\0"),
    "hello-versions-cut": message(1, struct.pack(">IH", 2, 0)),
    "hello-ack-version-2": ack(version=2),
    "hello-ack-block-pages-0": ack(block_pages=0),
    "hello-ack-block-pages-65": ack(block_pages=65),
    "hello-ack-deflate-pages-0": ack(deflate_pages=0),
    "hello-ack-deflate-pages-many": ack(deflate_pages=17),
    "hello-ack-no-raw": ack(codecs=2),
    "hello-ack-workers-0": ack(workers=0),
    "attach-worker-0": attach(0),
    "round-end-0": round_end(0),
    "round-end-boolean": round_end(final=2),
    "round-end-short": message(5, b"\0" * 12),
    "round-done-0": message(6, struct.pack(">I", 0)),
    "round-done-long": message(6, struct.pack(">IB", 1, 0)),
    "block-failed-round-0": failed([1], number=0),
    "block-failed-region": failed([1], region_index=64),
    "block-failed-none": failed([]),
    "block-failed-65": failed(list(range(65))),
    "block-failed-count": failed([1, 2], count=3),
    "block-failed-twice": failed([1, 1]),
    "punch-region": punch([(0, 1)], region_index=64),
    "punch-none": punch([]),
    "punch-2049": punch([(2 * i, 1) for i in range(2049)]),
    "punch-count": punch([(0, 1)], count=2),
    "punch-count-huge": punch([(0, 1)], count=65535),
    "punch-empty-range": punch([(5, 0)]),
    "punch-overlap": punch([(0, 2), (1, 2)]),
    "punch-past-2^32": punch([(LAST, 2)]),
    "digests-0": digests(0),
    "digests-65": digests(65),
    "digests-missing": digests(2, present=1),
    "digests-behind": digests(1, present=2),
    "device-state-empty": message(11),
    "device-state-32001": message(11, b"\0" * 32001),
    "device-end-short": message(12, b"\0" * 7),
    "error-reason-0": error(0),
    "error-reason-7": error(7),
    "error-text-256": error(text="x" * 256),
    "error-text-bell": error(text="\a"),
    "error-text-high": error(text=b"\x9b2J"),
    "error-text-cut": error(text="abc")[:-1],
    "inventory-region": message(17, struct.pack(">H", 64)),
    "inventory-short": message(17, b"\0"),
    "inventory-long": message(17, b"\0" * 3),
    "holdings-region": holdings([1], region_index=64),
    "holdings-none": holdings([], count=0),
    "holdings-1025": holdings([0] * 1025),
    "holdings-65535": holdings([0] * 8, count=65535),
    "holdings-bits-missing": holdings([1] * 8, count=9),
    "holdings-bits-behind": holdings([0, 0, 0, 1], count=3, held=0),
    "holdings-bits-behind-held": holdings([0, 0, 0, 1], count=3),
    "holdings-byte-behind": holdings([0] * 9, count=8),
    "holdings-digest-missing": holdings([1, 1], held=1),
    "holdings-digest-cut": holdings([1])[:-1],
    "holdings-digest-behind": holdings([1, 0], held=2),
    "holdings-past-2^32": holdings([1, 1], first=LAST),
    "holdings-short": message(18, b"\0" * 8),
}


def main():
    for folder, vectors in (("block-good", BLOCK_GOOD), ("block-bad", BLOCK_BAD),
                            ("message-good", MESSAGE_GOOD), ("message-bad", MESSAGE_BAD)):
        where = HERE / folder
        where.mkdir(exist_ok=True)
        for old in where.glob("*.bin"):
            old.unlink()
        for name, data in vectors.items():
            (where / (name.replace("^", "-to-") + ".bin")).write_bytes(data)


if __name__ == "__main__":
    main()
