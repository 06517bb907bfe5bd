#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Ansible module: what state the QEMU behind a QMP socket is in. Changes nothing."""

import json
import socket

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: migcomp_qemu
short_description: What state is the QEMU behind a QMP socket in?
options:
  qmp:
    description: The QMP socket.
    type: path
    required: true
  timeout:
    description: How long to wait for each of QEMU's answers, in seconds.
    type: int
    default: 5
"""

RETURN = """
state:
  description: >
    QEMU's run state (running, paused, inmigrate, postmigrate, ...); absent when there is no QEMU,
    busy when it does not answer, as it does not while another client has the socket.
  returned: always
  type: str
"""


def ask(file, connection, command):
    connection.sendall(json.dumps({"execute": command}).encode() + b"\n")
    while True:
        line = file.readline()
        if not line:
            raise ConnectionError("QEMU closed its QMP socket")
        answer = json.loads(line)
        if "error" in answer:
            raise ConnectionError("%s: %s" % (command, answer["error"].get("desc")))
        # what is neither is an event
        if "return" in answer:
            return answer["return"]


def look(path, timeout):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return "absent"
        except (BlockingIOError, socket.timeout):
            # more than one client waits for its turn
            return "busy"
        try:
            with connection.makefile("rb") as file:
                if "QMP" not in json.loads(file.readline() or b"{}"):
                    raise ConnectionError("that is not a QMP socket")
                ask(file, connection, "qmp_capabilities")
                return ask(file, connection, "query-status")["status"]
        except socket.timeout:
            return "busy"


def main():
    module = AnsibleModule(argument_spec={"qmp": {"type": "path", "required": True},
                                          "timeout": {"type": "int", "default": 5}},
                           supports_check_mode=True)
    path = module.params["qmp"]
    try:
        module.exit_json(changed=False, state=look(path, module.params["timeout"]))
    except (OSError, ValueError, KeyError) as error:
        module.fail_json(msg="%s: %s" % (path, error))


if __name__ == "__main__":
    main()
