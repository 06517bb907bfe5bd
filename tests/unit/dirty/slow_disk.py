#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A file system with one file, read-only, whose reads take so long. The reader's pages are pinned
when it asks, and written when the answer comes: by O_DIRECT, and without it too (direct_io).
usage: slow_disk.py FILE DIRECTORY MS"""

import errno
import os
import stat
import sys
import time

import fusepy


class SlowDisk(fusepy.Operations):
    def __init__(self, path, seconds):
        self.fd, self.seconds = os.open(path, os.O_RDONLY), seconds
        self.name = "/" + os.path.basename(path)

    def init(self, path):
        print("ready", flush=True)

    def getattr(self, path, fh=None):
        if path == "/":
            return {"st_mode": stat.S_IFDIR | 0o555, "st_nlink": 2}
        if path != self.name:
            raise fusepy.FuseOSError(errno.ENOENT)
        return {"st_mode": stat.S_IFREG | 0o444, "st_nlink": 1,
                "st_size": os.fstat(self.fd).st_size}

    def read(self, path, size, offset, fh):
        time.sleep(self.seconds)
        return os.pread(self.fd, size, offset)


def main():
    path, directory, milliseconds = sys.argv[1:]
    fusepy.FUSE(SlowDisk(path, int(milliseconds) / 1000), directory, foreground=True, ro=True,
                direct_io=True)


main()
