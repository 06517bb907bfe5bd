# SPDX-License-Identifier: BSD-3-Clause
"""The harness's own QMP connection; the program under test has another socket."""

import json
import socket
import time


class Qmp:
    def __init__(self, path, alive, timeout=20):
        end = time.monotonic() + timeout
        while True:
            self.socket = socket.socket(socket.AF_UNIX)
            try:
                self.socket.connect(path)
                break
            except OSError:
                self.socket.close()
                if time.monotonic() > end or not alive():
                    raise
                time.sleep(0.02)
        self.socket.settimeout(timeout)
        self.file = self.socket.makefile("rb")
        self.file.readline()
        self.command("qmp_capabilities")

    def command(self, name, **arguments):
        request = {"execute": name}
        if arguments:
            request["arguments"] = {k.replace("_", "-"): v for k, v in arguments.items()}
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        while True:
            line = self.file.readline()
            if not line:
                raise ConnectionError("QMP: QEMU has gone")
            answer = json.loads(line)
            if "error" in answer:
                raise RuntimeError("QMP %s: %s" % (name, answer["error"]["desc"]))
            if "return" in answer:
                return answer["return"]

    def close(self):
        self.file.close()
        self.socket.close()
