#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Write the lines of the control socket next to this script: `request-good` must be taken,
`request-bad` must be refused (doc/guide/operating.md)."""

import json
import pathlib

HERE = pathlib.Path(__file__).resolve().parent


def line(execute, arguments=None, **more):
    request = {"execute": execute, **more}
    if arguments is not None:
        request["arguments"] = arguments
    return json.dumps(request).encode()


def set_to(**arguments):
    return line("migrate-set-parameters", {k.replace("_", "-"): v for k, v in arguments.items()})


GOOD = {
    "status": line("query-status"),
    "status-empty-arguments": line("query-status", {}),
    "status-of-a-guest": line("query-status", {"guest": "vm1"}),
    "stats": line("query-stats"),
    "config": line("query-config", {"guest": "x" * 63}),
    "commands": line("query-commands"),
    "cancel": line("migrate-cancel"),
    "cancel-as-qemu": line("migrate_cancel"),
    "cancel-a-guest": line("migrate-cancel", {"guest": "vm1"}),
    "continue": line("migrate-continue"),
    "continue-as-qemu": line("migrate-continue", {"state": "pre-switchover"}),
    "set-one": set_to(downtime_limit=1),
    "set-most": set_to(downtime_limit=2000000, max_bandwidth=2**60 - 1, timeout=4294967),
    "set-none": set_to(max_bandwidth=0, timeout=0),
    "set-all": set_to(guest="vm1", downtime_limit=300, max_bandwidth=12500000, timeout=60,
                      timeout_action="suspend", pause_before_switchover=True),
    "throttle-auto": set_to(throttle="auto"),
    "throttle-off": set_to(throttle="off"),
    "id-number": line("query-status", id=7),
    "id-object": line("query-status", id={"a": [1, None]}),
    "id-null": line("query-status", id=None),
    "blanks": b"  " + line("query-status") + b" \t\r",
    "escapes": b'{"execute":"query-\\u0073tatus"}',
    "utf-8": line("query-status", {"guest": "ü"}),
}
BAD = {
    "empty": b"",
    "no-json": b"status",
    "array": b"[]",
    "number": b"1",
    "cut": line("query-status")[:-1],
    "two-values": line("query-status") + line("query-status"),
    "no-execute": b"{}",
    "execute-number": b'{"execute":1}',
    "execute-null": b'{"execute":null}',
    "unknown-command": line("system_reset"),
    "unknown-member": line("query-status", also=1),
    "unknown-member-null": b'{"execute":"query-status","id":null,"also":null}',
    "arguments-array": line("query-status", []),
    "arguments-null": b'{"execute":"query-status","arguments":null}',
    "unknown-argument": line("query-status", {"what": 1}),
    "guest-of-commands": line("query-commands", {"guest": "vm1"}),
    "guest-empty": line("query-status", {"guest": ""}),
    "guest-number": line("query-status", {"guest": 1}),
    "guest-long": line("query-status", {"guest": "x" * 64}),
    "twice": b'{"execute":"query-status","execute":"migrate-cancel"}',
    "nul": b'{"execute":"query-status\\u0000"}',
    "nul-byte": b'{"execute":"query-status"\0}',
    "no-utf-8": b'{"execute":"query-\xff"}',
    "surrogate": b'{"execute":"\\ud800"}',
    "continue-state": line("migrate-continue", {"state": "active"}),
    "continue-state-number": line("migrate-continue", {"state": 1}),
    "cancel-state": line("migrate-cancel", {"state": "pre-switchover"}),
    "set-nothing": set_to(),
    "set-only-guest": set_to(guest="vm1"),
    "set-unknown": set_to(downtime_limit=300, cpu_throttle_initial=20),
    "downtime-zero": set_to(downtime_limit=0),
    "downtime-negative": set_to(downtime_limit=-1),
    "downtime-large": set_to(downtime_limit=2000001),
    "downtime-real": set_to(downtime_limit=1.5),
    "downtime-string": set_to(downtime_limit="300"),
    "downtime-null": set_to(downtime_limit=None),
    "bandwidth-negative": set_to(max_bandwidth=-1),
    "bandwidth-large": set_to(max_bandwidth=2**60),
    "bandwidth-larger": b'{"execute":"migrate-set-parameters","arguments":{"max-bandwidth":'
                        b"99999999999999999999}}",
    "timeout-large": set_to(timeout=4294968),
    "timeout-negative": set_to(timeout=-1),
    "action-unknown": set_to(timeout_action="resume"),
    "action-bool": set_to(timeout_action=True),
    "throttle-unknown": set_to(throttle="on"),
    "throttle-bool": set_to(throttle=True),
    "pause-number": set_to(pause_before_switchover=1),
    "pause-string": set_to(pause_before_switchover="on"),
}

for folder, vectors in (("request-good", GOOD), ("request-bad", BAD)):
    (HERE / folder).mkdir(exist_ok=True)
    for name, data in vectors.items():
        (HERE / folder / name).write_bytes(data)
