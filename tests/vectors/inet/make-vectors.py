#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Write the frames of the corpus of tests/fuzz/inet next to this script.

Made from the RFCs, not by the implementation. Each file is a byte that says which checksums the
port has checked (1: IPv4, 2: UDP), and a frame for the station 02:00:00:00:00:02, 10.0.0.2.
"""

import pathlib
import struct

HERE = pathlib.Path(__file__).resolve().parent
OWN_MAC, PEER_MAC = bytes([2, 0, 0, 0, 0, 2]), bytes([2, 0, 0, 0, 0, 1])
OWN_IP, PEER_IP = bytes([10, 0, 0, 2]), bytes([10, 0, 0, 1])
BROADCAST = b"\xff" * 6


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(protocol, payload, options=b"", fragment=0, to=OWN_IP, total=None):
    words = 5 + len(options) // 4
    total = words * 4 + len(payload) if total is None else total
    header = struct.pack(">BBHHHBBH", 0x40 | words, 0, total, 1, fragment, 64, protocol, 0)
    header += PEER_IP + to + options
    header = header[:10] + struct.pack(">H", checksum(header)) + header[12:]
    return OWN_MAC + PEER_MAC + b"\x08\x00" + header + payload


def udp(payload, length=None, with_sum=True):
    length = 8 + len(payload) if length is None else length
    head = struct.pack(">HHHH", 4433, 4444, length, 0)
    pseudo = PEER_IP + OWN_IP + struct.pack(">BBH", 0, 17, length)
    total = checksum(pseudo + head + payload) or 0xFFFF
    return head[:6] + struct.pack(">H", total if with_sum else 0) + payload


def echo(payload, kind=8):
    head = struct.pack(">BBHHH", kind, 0, 0, 7, 1)
    return head[:2] + struct.pack(">H", checksum(head + payload)) + head[4:] + payload


def arp(operation, target=OWN_IP, sender_mac=PEER_MAC, sender=PEER_IP, to=BROADCAST):
    body = struct.pack(">HHBBH", 1, 0x0800, 6, 4, operation) + sender_mac + sender
    return (to + PEER_MAC + b"\x08\x06" + body + bytes(6) + target).ljust(60, b"\0")


FRAMES = {
    "udp": ipv4(17, udp(b"hello")),
    "udp-empty": ipv4(17, udp(b"")),
    "udp-large": ipv4(17, udp(bytes(range(256)) * 35)),
    "udp-no-checksum": ipv4(17, udp(b"hello", with_sum=False)),
    "udp-padded": ipv4(17, udp(b"hello")).ljust(60, b"\xee"),
    "udp-options": ipv4(17, udp(b"hello"), options=b"\x01" * 40),
    "udp-length-short": ipv4(17, udp(b"hello", length=7)),
    "udp-length-long": ipv4(17, udp(b"hello", length=4000)),
    "ipv4-total-short": ipv4(17, udp(b"hello"), total=19),
    "ipv4-total-long": ipv4(17, udp(b"hello"), total=1500),
    "ipv4-fragment": ipv4(17, udp(b"hello"), fragment=0x2000),
    "ipv4-last-fragment": ipv4(17, udp(b"hello"), fragment=185),
    "ipv4-broadcast": ipv4(17, udp(b"hello"), to=b"\xff" * 4),
    "tcp": ipv4(6, bytes(20)),
    "echo": ipv4(1, echo(bytes(range(56)))),
    "echo-empty": ipv4(1, echo(b"")),
    "echo-reply": ipv4(1, echo(b"x", kind=0)),
    "icmp-short": ipv4(1, b"\x08\x00\x00"),
    "arp-request": arp(1),
    "arp-reply": arp(2, to=OWN_MAC),
    "arp-for-another": arp(1, target=bytes([10, 0, 0, 9])),
    "arp-our-address": arp(1, sender=OWN_IP),
    "arp-group": arp(2, sender_mac=BROADCAST),
    "arp-short": arp(1)[:41],
    "ipv6": OWN_MAC + PEER_MAC + b"\x86\xdd" + bytes(40),
    "ethernet-only": OWN_MAC + PEER_MAC + b"\x08\x00",
    "nothing": b"",
}


def main():
    directory = HERE / "frame"
    directory.mkdir(exist_ok=True)
    for name, frame in FRAMES.items():
        for flags in (0, 3):
            path = directory / ("%s-%s" % (name, "checked" if flags else "plain"))
            path.write_bytes(bytes([flags]) + frame)


if __name__ == "__main__":
    main()
