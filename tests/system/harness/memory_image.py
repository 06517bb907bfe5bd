# SPDX-License-Identifier: BSD-3-Clause
"""Plain memory images for --mem: real data between holes, and their comparison."""

import os
import random
import zipfile

PAGE = 4096
CHUNK = 1 << 20


def corpus_directory():
    """The Silesia files, where they are beside the checkout; else None."""
    here = os.path.dirname(os.path.abspath(__file__))
    root = os.path.normpath(os.path.join(here, "..", "..", ".."))
    for path in (os.environ.get("MIGC_CORPUS", ""),
                 os.path.join(root, "..", "shared", "data", "silesia"),
                 os.path.join(root, "shared", "data", "silesia")):
        if path and os.path.isdir(path):
            return path
    return None


def silesia(directory):
    """The corpus as pieces of bytes, each padded to whole pages."""
    for name in sorted(os.listdir(directory)):
        path = os.path.join(directory, name)
        if name.endswith(".zip"):
            with zipfile.ZipFile(path) as archive:
                for member in archive.namelist():
                    yield pad(archive.read(member))
        else:
            with open(path, "rb") as file:
                yield pad(file.read())


def made_up(seed=1):
    """Something to move where there is no corpus: half text, half noise."""
    source = random.Random(seed)
    words = [("word%d " % source.randrange(4000)).encode() for _ in range(4000)]
    for _ in range(8):
        yield pad(b"".join(source.choices(words, k=400000)))
        yield pad(source.randbytes(1 << 20))


def pad(data):
    return data + bytes(-len(data) % PAGE)


def make_image(path, mib, pieces, data_mib, zero_mib=8, seed=2):
    """A sparse file of `mib` MiB: the pieces over and over up to `data_mib`, in 1 MiB chunks that
    lie all over it, some explicit zeros, holes between. Returns bytes of data."""
    data = b"".join(pieces)
    chunks = mib * (1 << 20) // CHUNK
    wanted = min(data_mib, chunks - zero_mib)
    places = random.Random(seed).sample(range(chunks), wanted + zero_mib)
    order = sorted(places[:wanted])
    with open(path, "wb") as file:
        file.truncate(mib << 20)
        position = 0
        for place in order:
            file.seek(place * CHUNK)
            piece = data[position:position + CHUNK]
            piece += data[:CHUNK - len(piece)]
            file.write(piece)
            position = (position + CHUNK) % len(data)
        for place in places[wanted:]:
            file.seek(place * CHUNK)
            file.write(bytes(CHUNK))
    return wanted * CHUNK


def first_difference(one, other):
    """Offset of the first page that differs, or None."""
    if os.path.getsize(one) != os.path.getsize(other):
        return min(os.path.getsize(one), os.path.getsize(other))
    with open(one, "rb") as left, open(other, "rb") as right:
        offset = 0
        while True:
            a, b = left.read(CHUNK), right.read(CHUNK)
            if a != b:
                for page in range(0, len(a), PAGE):
                    if a[page:page + PAGE] != b[page:page + PAGE]:
                        return offset + page
            if not a:
                return None
            offset += len(a)


def data_bytes(path):
    """Bytes of the file that are not holes, as SEEK_DATA and SEEK_HOLE have it."""
    total, offset = 0, 0
    with open(path, "rb") as file:
        end = os.fstat(file.fileno()).st_size
        while offset < end:
            try:
                start = os.lseek(file.fileno(), offset, os.SEEK_DATA)
            except OSError:
                break
            offset = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            total += offset - start
    return total
