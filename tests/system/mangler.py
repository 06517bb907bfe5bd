#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""An attacker on the wire: sees each frame that leaves this namespace, and sends some of them once
more, as they were, damaged (with the UDP checksum made right again), or cut short."""

import random
import socket
import struct
import sys

INTERFACE = "v0"
ETHERNET, IPV4, UDP = 14, 20, 8
HEADERS = ETHERNET + IPV4 + UDP


def ip_checksum(header):
    total = sum(struct.unpack("!%dH" % (len(header) // 2), header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def with_payload(frame, payload):
    """The frame with other contents, headers right. UDP checksum 0: none."""
    ip = bytearray(frame[ETHERNET:ETHERNET + IPV4])
    ip[2:4] = struct.pack("!H", IPV4 + UDP + len(payload))
    ip[10:12] = b"\0\0"
    ip[10:12] = struct.pack("!H", ip_checksum(bytes(ip)))
    udp = frame[ETHERNET + IPV4:ETHERNET + IPV4 + 4] + struct.pack("!HH", UDP + len(payload), 0)
    return frame[:ETHERNET] + bytes(ip) + udp + payload


def mangle(frame, source):
    payload = frame[HEADERS:]
    choice = source.randrange(3)
    if choice == 0:
        return frame
    if choice == 1:
        at = source.randrange(1, len(payload))
        return with_payload(frame, payload[:at] + bytes([payload[at] ^ 0x40]) + payload[at + 1:])
    return with_payload(frame, payload[:source.randrange(1, len(payload))])


def main():
    source = random.Random(1)
    sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sniffer.bind((INTERFACE, 0))
    print("ready", flush=True)
    own = set()
    while True:
        frame, address = sniffer.recvfrom(65536)
        if address[2] != socket.PACKET_OUTGOING or frame in own:
            continue
        if frame[12:14] != b"\x08\0" or frame[23] != 17 or len(frame) < HEADERS + 30:
            continue
        if source.random() < 0.1:
            made = mangle(frame, source)
            # not to take our own frames for others'
            own = {made} if len(own) > 64 else own | {made}
            sniffer.send(made)


if __name__ == "__main__":
    sys.exit(main())
