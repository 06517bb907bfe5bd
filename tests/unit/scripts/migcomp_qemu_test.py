#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Ansible's module that asks a QEMU for its state, against sockets of the test's own."""

import os
import socket
import sys
import tempfile
import threading
import unittest

try:
    import ansible.module_utils.basic  # noqa: F401
except ImportError:
    print("there is no Ansible here")
    sys.exit(77)
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "..", "scripts", "ansible", "roles", "migcomp",
                                "library"))
sys.dont_write_bytecode = True
from migcomp_qemu import look  # noqa: E402

GREETING = b'{"QMP": {"version": {}}}\n'
# a test that is broken must not wait for ever
LONG, SHORT = 20, 0.2


class Look(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.directory.name, "guest.qmp")
        self.open = []

    def tearDown(self):
        for one in self.open:
            one.close()
        self.directory.cleanup()

    def listen(self, backlog=1):
        listener = socket.socket(socket.AF_UNIX)
        self.open.append(listener)
        listener.bind(self.path)
        listener.listen(backlog)
        return listener

    def answer(self, *answers):
        """A QEMU that says so: first at once, then to each line."""
        listener = self.listen()

        def serve():
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as lines:
                for text in answers:
                    connection.sendall(text)
                    lines.readline()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        self.addCleanup(thread.join, LONG)

    def test_what_it_says_is_its_state_whatever_happens_meanwhile(self):
        self.answer(GREETING, b'{"return": {}}\n',
                    b'{"event": "STOP", "data": {}}\n{"return": {"status": "paused"}}\n')
        self.assertEqual(look(self.path, LONG), "paused")

    def test_a_qemu_that_is_not_there_is_absent(self):
        self.assertEqual(look(self.path, LONG), "absent")
        self.listen().close()
        self.assertEqual(look(self.path, LONG), "absent")

    def test_a_qemu_that_serves_another_client_is_busy(self):
        self.listen()
        self.assertEqual(look(self.path, SHORT), "busy")

    def test_a_qemu_at_which_clients_queue_up_is_busy(self):
        self.listen(backlog=0)
        waiting = socket.socket(socket.AF_UNIX)
        self.open.append(waiting)
        waiting.connect(self.path)
        self.assertEqual(look(self.path, SHORT), "busy")

    def test_what_is_no_qemu_is_an_error(self):
        self.answer(b'{"hello": 1}\n')
        with self.assertRaises(ConnectionError):
            look(self.path, LONG)

    def test_a_qemu_that_refuses_is_an_error(self):
        self.answer(GREETING, b'{"error": {"class": "GenericError", "desc": "no"}}\n')
        with self.assertRaisesRegex(ConnectionError, "qmp_capabilities: no"):
            look(self.path, LONG)


if __name__ == "__main__":
    unittest.main()
