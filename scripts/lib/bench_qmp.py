# SPDX-License-Identifier: BSD-3-Clause
"""A QMP connection that keeps events: they say when things happened, and waiting for one costs
QEMU nothing, where asking it over and over would count as its CPU time."""

import json
import time

from bench_machine import RunFailed
from harness.qmp import Qmp


class EventQmp(Qmp):
    def __init__(self, path, alive):
        self.events, self.rest = [], b""
        super().__init__(path, alive)

    def _message(self, timeout):
        """The next one, or None; events are kept."""
        end = time.monotonic() + timeout
        while b"\n" not in self.rest:
            left = end - time.monotonic()
            if left <= 0:
                return None
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(65536)
            except TimeoutError:
                return None
            if not data:
                raise RunFailed("QEMU has gone")
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        message = json.loads(line)
        if "event" in message:
            self.events.append(message)
        return message

    def command(self, name, **arguments):
        request = {"execute": name}
        if arguments:
            request["arguments"] = {k.replace("_", "-"): v for k, v in arguments.items()}
        self.socket.settimeout(20)
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        while True:
            answer = self._message(20)
            if answer is None:
                raise RunFailed("QEMU does not answer %s" % name)
            if "error" in answer:
                raise RunFailed("QMP %s: %s" % (name, answer["error"]["desc"]))
            if "return" in answer:
                return answer["return"]

    def event(self, name, *statuses):
        """The first of that name (and data.status), or None."""
        for event in self.events:
            if event["event"] == name and (
                    not statuses or event["data"].get("status") in statuses):
                return event
        return None

    def last_event(self, name):
        """The last of that name, or None."""
        return next((event for event in reversed(self.events) if event["event"] == name), None)

    def wait_event(self, timeout, name, *statuses):
        end = time.monotonic() + timeout
        while True:
            event = self.event(name, *statuses)
            if event or time.monotonic() > end:
                return event
            self._message(max(0.001, end - time.monotonic()))


def stamp(event):
    """Seconds of the machine's clock: the same for all QEMUs on it."""
    return event["timestamp"]["seconds"] + event["timestamp"]["microseconds"] / 1e6
