#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Makes what fuzzing began with: inputs that go deep, and ones that are refused. What fuzzing found
of its own lies beside them, named by its hash (scripts/fuzz --keep). Needs certtool (gnutls-bin),
lz4 and zstd.
usage: make-seeds.py"""

import importlib.util
import os
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
SPEC = importlib.util.spec_from_file_location(
    "vectors", os.path.join(HERE, "wire", "make-vectors.py"))
wire = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(wire)


def write(directory, name, data):
    path = os.path.join(HERE, directory)
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, name), "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode("latin1"))


# ---- transport

def make_frames():
    frames = {
        "ack": "02 40 c8 05 02 03 01 02 00 04", "ack-ecn": "03 05 00 00 05 01 02 03",
        "crypto": "06 00 03 616263", "token": "07 04 01020304", "reset": "04 04 00 40 64",
        "stop": "05 04 00", "stream": "0a 04 05 68656c6c6f", "stream-offset": "0e 04 40 80 02 6869",
        "stream-to-end": "08 04 746f2074686520656e64", "max": "10 7f ff 11 04 41 00 12 10",
        "blocked": "14 05 15 04 05 16 03 17 03", "ids": "18 01 00 04 aabbccdd" + "55" * 16 + "19 00",
        "path": "1a 0102030405060708 1b 0102030405060708", "done": "1e 01 00 00",
        "close": "1c 0a 06 02 6e6f", "close-app": "1d 05 03 627965",
        "ack-too-many": "02 05 00 c000000000100000 01", "crypto-too-long": "06 00 7f ff 61",
        "unknown": "21 00", "stream-overflow": "0a 04 ff ff ff ff ff ff ff ff",
    }
    for name, text in frames.items():
        write("transport/frames", name, bytes.fromhex(text.replace(" ", "")))


def make_psk():
    key = "00112233445566778899aabbccddeeff"
    files = {
        "one": "alice:%s\n" % key, "two": "alice:%s\nbob:%s%s\n" % (key, key, key),
        "no-newline": "alice:" + key, "dos": "alice:%s\r\n\r\nbob:%s\r\n" % (key, key.upper()),
        "longest": "%s:%s\n" % ("u" * 127, key * 4), "empty": "", "only-lines": "\n\n\n",
        "no-colon": key + "\n", "no-user": ":%s\n" % key, "odd": "alice:%sa\n" % key,
        "short": "alice:0011\n", "long-key": "alice:%s00\n" % (key * 4),
        "long-user": "%s:%s\n" % ("u" * 128, key), "no-hex": "alice:%sxx\n" % key[2:],
        "hex-user": "#616c:%s\n" % key, "too-long-line": "alice:%s\n" % ("0" * 400),
        "nul": "alice\0:%s\n" % key, "second-bad": "alice:%s\nbob\n" % key,
    }
    for name, text in files.items():
        write("transport/psk", name, text)


def certtool(directory, name, *words, template=None):
    words = ["certtool", *words, "--outfile", os.path.join(directory, name)]
    if template:
        with open(os.path.join(directory, "template"), "w", encoding="ascii") as f:
            f.write(template)
        words += ["--template", os.path.join(directory, "template")]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_x509():
    dates = 'activation_date="2025-01-01 00:00:00"\nexpiration_date="2035-01-01 00:00:00"\n'
    with tempfile.TemporaryDirectory() as d:
        def path(name):
            return os.path.join(d, name)

        def read(name):
            with open(path(name), "rb") as f:
                data = f.read()
            return data[data.index(b"-----BEGIN"):]

        for name in ("ca", "client", "server"):
            certtool(d, name + "-key", "--generate-privkey", "--key-type", "ecdsa", "--curve",
                     "secp256r1")
        certtool(d, "ca", "--generate-self-signed", "--load-privkey", path("ca-key"),
                 template="cn=ca\nca\ncert_signing_key\ncrl_signing_key\n" + dates)
        for name, use in (("client", "tls_www_client\n"), ("server", "tls_www_server\n")):
            certtool(d, name, "--generate-certificate", "--load-privkey", path(name + "-key"),
                     "--load-ca-certificate", path("ca"), "--load-ca-privkey", path("ca-key"),
                     template="cn=%s\nsigning_key\n%s%s" % (name, use, dates))
        certtool(d, "crl", "--generate-crl", "--load-ca-certificate", path("ca"),
                 "--load-ca-privkey", path("ca-key"), "--load-certificate", path("server"),
                 template='crl_number=1\ncrl_this_update_date="2025-06-01 00:00:00"\n'
                 'crl_next_update_date="2034-01-01 00:00:00"\n')
        ca, crl, client, key = (read(n) for n in ("ca", "crl", "client", "client-key"))
        server, server_key = read("server"), read("server-key")
    sets = {
        "good": (ca, None, client, key), "with-crl": (ca, crl, client, key),
        "two-authorities": (ca + server, None, client, key), "chain": (ca, None, client + ca, key),
        "other-key": (ca, None, client, server_key), "for-a-server": (ca, None, server, server_key),
        "self-signed": (client, None, client, key), "no-key": (ca, None, client, None),
        "no-certificate": (ca, None, b"", key), "not-pem": (b"ca", b"crl", b"cert", b"key"),
        "cut": (ca, None, client[:200], key), "bad-crl": (ca, client, client, key),
    }
    for name, files in sets.items():
        write("transport/x509", name, b"".join(
            b"\xff\xff" if data is None else struct.pack(">H", len(data)) + data
            for data in files))


# ---- QEMU

MTREE = ("FlatView #0\r\n AS \"memory\", root: system\r\n Root memory region: system\r\n"
         "  0000000000000000-000000000009ffff (prio 0, ram): mem\r\n"
         "  00000000000a0000-00000000000affff (prio 1, i/o): vga-lowmem\r\n"
         "  00000000000c0000-00000000000dffff (prio 1, rom): pc.rom @0000000000010000 KVM\r\n"
         "  0000000000100000-000000000fffffff (prio 0, ram): /objects/mem @0000000000100000\r\n"
         "  0000000100000000-0000000107ffffff (prio -1, nv-ram): dimm0 KVM\r\n\r\n")


def make_mtree():
    write("qemu/mtree", "pc", MTREE)
    write("qemu/mtree", "no-name", "  0000000000000000-0000000000000fff (prio 0, ram): \r\n")
    write("qemu/mtree", "no-kind", "  0000000000000000-0000000000000fff (prio 0, ): mem\r\n")
    write("qemu/mtree", "long-name", "  0-f (prio 0, ram): %s\n" % ("n" * 128))
    write("qemu/mtree", "longest-name", "  0-f (prio 0, ram): %s\n" % ("n" * 127))
    write("qemu/mtree", "long-line", "  0-f (prio 0, ram): mem %s\n" % ("x" * 600))
    write("qemu/mtree", "long-kind", "  0-f (prio 0, %s): mem\n" % ("k" * 40))
    write("qemu/mtree", "overflow", "  fffffffffffffffff-0 (prio 99999999999, ram): m @zz\n")
    write("qemu/mtree", "no-end", "0-1 (prio 0, ram): mem")


def answer(value):
    return '{"return": %s, "id": @}' % value


GREETING = ('{"QMP": {"version": {"qemu": {"micro": 2, "minor": 2, "major": 7}, "package": ""}, '
            '"capabilities": ["oob"]}}')
MOVED = '{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "MIGRATION"}'
EVENT = '{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "STOP"}'
ERROR = '{"id": @, "error": {"class": "GenericError", "desc": "not now"}}'
CAPABILITIES = answer('[{"capability": "events", "state": false}, {"capability": '
                      '"x-ignore-shared", "state": false}, {"capability": '
                      '"pause-before-switchover", "state": false}]')
MEM = '[{"name": "mem", "type": "child<memory-backend-file>"}, {"name": "type", "type": "string"}]'


def opened(machine="pc-q35-7.2-machine", status="running", migrate="{}"):
    return [GREETING, answer("{}"),
            answer('{"qemu": {"micro": 2, "minor": 2, "major": 7}, "package": "Debian"}'),
            answer('"%s"' % machine), answer('{"name": "guest"}'),
            answer('{"status": "%s", "running": true}' % status), answer(migrate),
            answer('{"status": "%s"}' % status)]


def found(hva="0x200000000000", size=1 << 20, share="true", network='""', objects=MEM):
    mtree = MTREE.replace("\r\n", "\\r\\n").replace('"', '\\"')
    backend = [answer(str(size)), answer(share)]
    return [CAPABILITIES, answer("{}"), answer('[{"name": "d", "type": "child<e1000>"}]'),
            answer("[]"), answer(network), answer(objects), answer('"%s"' % mtree), *backend,
            answer('"Host virtual address for 0x0 (mem) is %s\\r\\n"' % hva),
            answer(objects), *backend, answer(objects), *backend,
            answer("[]"), answer('[{"name": "b", "type": "child<virtio-balloon>"}]')]


def make_qmp():
    prepared = [CAPABILITIES, answer("{}"),
                answer('{"max-bandwidth": 1, "tls-creds": "tls0"}'), answer("{}")]
    # QEMU is asked when an event has come
    moving = [answer('{"max-bandwidth": 134217728}'), answer("{}"), answer('{"status": "running"}'),
              MOVED, answer("{}"), MOVED, answer('{"status": "active"}'), EVENT, MOVED,
              answer('{"status": "pre-switchover"}')]
    scripts = {
        "moves": opened() + found() + prepared + moving + [MOVED, answer("{}"), MOVED] +
        [answer('{"status": "device"}'), answer('{"status": "completed"}'), answer("{}"),
         answer('{"status": "completed"}'), answer('{"status": "postmigrate"}'), answer("{}"),
         answer('{"status": "running"}')],
        "fails": opened() + found() + prepared + moving[:5] +
        [answer('{"status": "failed", "error-desc": "no room"}'), ERROR,
         answer('{"status": "failed"}'), answer('{"status": "running"}')],
        "events": [line for one in opened() for line in (EVENT, one)],
        "late": opened()[:3] + ['{"return": {}, "id": 1}'] + opened()[3:],
        "busy": opened(migrate='{"status": "active"}'), "incoming": opened(status="inmigrate"),
        "no-machine": opened()[:3] + [ERROR] + opened()[4:],
        "private": opened() + found(share="false"), "nowhere": opened() + found(hva="0x10"),
        "too-large": opened() + found(size=1 << 62), "none": opened() + found(objects="[]"),
        "negative": opened() + found(size=-4096), "odd-size": opened() + found(size=4097),
        "end-of-memory": opened() + found(hva="0xfffffffffffff000"),
        "vhost-user": opened() + found(network='"n0: type=vhost-user"'),
        "blocked": opened() + [CAPABILITIES, answer('{"blocked-reasons": ["vfio"]}')],
        "not-json": ["220 mail.example ESMTP"], "array": ["[]"], "hello": ['{"hello": 1}'],
        "no-result": [GREETING, '{"id": @}'], "error": [GREETING, ERROR],
        "odd-error": [GREETING, '{"id": @, "error": 7}'], "nothing": [],
        "types": opened()[:2] + [answer('{"qemu": []}'), answer("7"), answer('{"name": 7}'),
                                 answer('{"status": {}}'), answer("[]"), answer("null")],
        "deep": ["[" * 3000], "not-utf-8": ['{"QMP": "\xff"}'],
        "large-number": opened()[:2] + [answer('{"qemu": {"major": 1e400}}')],
    }
    for name, lines in scripts.items():
        write("qemu/qmp", name, "\n".join(lines))


# ---- words

def make_words():
    ends = "send\n--connect\n10.0.0.2:4433\n--ip\n10.0.0.1/24\n--psk\nkeys\n"
    files = {
        "send": ends + "--qmp\n/run/q\n--codec\nauto\n--level=3\n--huffman\nfixed\n"
        "--block-pages\n12\n--dirty\nhash\n--downtime-limit\n100\n--max-bandwidth\n2g\n"
        "--timeout\n60\n--timeout-action\nsuspend\n--verify\n--progress\nplain\n--report\n-\n"
        "--inject\nloss=0.01,reorder=.5,dup=1,corrupt=0,codec-error=1e-3,seed=0x7",
        "mem": ends + "--mem\na=/f@0x1000+4K\n--mem\nb=/g@x\n--mem\nc=/h@1G+2M\n"
        "--gateway\n10.0.0.254\n--mtu\n9000\n--delta-cache\n0\n--compressdev\ncompress_isal",
        "recv": "recv\n--ip\n10.0.0.2/8\n--port\n5000\n--insecure\n--qmp\nq\n--ethdev\nnet0",
        "help": "--help", "version": "send\n--version", "nothing": "", "mode": "sendd",
        "twice": ends + "--qmp\na\n--qmp\nb", "left-over": ends + "--qmp\na\nb",
        "short": ends + "--qm\na", "no-value": ends + "--qmp", "empty-value": ends + "--qmp\n\n",
        "extra-value": ends + "--qmp\na\n--verify=1", "ipv6": "send\n--connect\n[::1]:1",
        "numbers": ends + "--mtu\n1279\n", "overflow": ends + "--max-bandwidth\n99999999999g",
        "mem-overflow": ends + "--mem\na=/f@0xfffffffffffff000+4096",
        "inject-bad": ends + "--qmp\na\n--inject\nloss=2,=,nan=nan,seed",
        "inject-nan": ends + "--qmp\na\n--inject\nloss=nan",
    }
    for name, text in files.items():
        write("options/options", name, text)
    files = {
        "throughput": "--driver-name\ncompress_isal\n--input-file\nf\n--compress-level\n1:1:9\n"
        "--seg-sz\n4096\n--huffman-enc\ndynamic\n--operation\ncomp_and_decomp\n--num-iter\n7",
        "codec": "--ptest\nlatency\n--codec\nlz4\n--input-file\nf\n--compress-level\n1,2,3\n"
        "--page-mix\nzero=0.3,same=.1,random=0.6\n--json\n-",
        "pipeline": "--ptest\npipeline\n--codec\nauto\n--input-file\nf\n--mtu\n9000\n"
        "--receiver-eal\n--no-huge",
        "help": "-h", "nothing": "", "levels": "--compress-level\n0:0:19",
        "many": "--compress-level\n" + ",".join(["1"] * 33), "mix": "--page-mix\nzero=1,same=1",
        "mix-bad": "--page-mix\nzero=0.0000001,x", "range": "--compress-level\n5:1:2",
    }
    for name, text in files.items():
        write("options/perf_options", name, text)


# ---- blocks

def pack(program, data):
    return subprocess.run(program, input=data, stdout=subprocess.PIPE, check=True).stdout


def make_payload():
    text = b"".join(b"page %d of a guest " % n for n in range(400))[:4096]
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "in")
        for name, pages in (("text", text), ("zeros", bytes(4096)), ("two", text + text[::-1])):
            count = bytes([len(pages) // 4096 - 1])
            with open(path, "wb") as f:
                f.write(pages)
            # frame: magic, FLG BD HC, block size, block
            lz4 = pack(["lz4", "-c", "--no-frame-crc", "-q", path], b"")[7:]
            size = struct.unpack("<I", lz4[:4])[0] & 0x7fffffff
            write("codec/payload", "lz4-" + name, count + lz4[4:4 + size])
            zstd = pack(["zstd", "-c", "-q", "--no-check", path], b"")
            count = bytes([count[0] | 0x80])
            write("codec/payload", "zstd-" + name, count + zstd)
            write("codec/payload", "zstd-%s-cut" % name, count + zstd[:-5])
    write("codec/payload", "zstd-skippable", b"\x80\x50\x2a\x4d\x18\x04\x00\x00\x00abcd")
    write("codec/payload", "zstd-old", b"\x80\x25\xb5\x2f\xfd\x00\x00\x00")
    write("codec/payload", "zstd-dictionary", b"\x80\x28\xb5\x2f\xfd\x01\x58\x07\x01\x00\x00a")
    write("codec/payload", "zstd-wide", b"\x80\x28\xb5\x2f\xfd\x00\xff\x01\x00\x00")
    write("codec/payload", "lz4-far", b"\x00\x1fa\xff\xff\x50abcde")
    write("codec/payload", "lz4-long", b"\x00\xf0" + b"\xff" * 40)


def make_blocks():
    raw, zero = wire.pages([3, 47]), wire.zero([(0, 48)])
    packed = wire.pages([0, 1, 2], wire.LZ4, region=1, payload=5) + b"\x02abcd"
    delta = wire.pages([9], wire.LZ4, payload=5, flags=wire.DELTA) + b"\x04abcd"

    def some(stream, data):
        return b"".join(bytes([stream, len(data[i:i + 255])]) + data[i:i + 255]
                        for i in range(0, len(data), 255))

    files = {
        "raw": some(0, raw) + b"\x20\x20\x00", "zero": some(3, zero),
        "raw-then-zero": some(0, raw) + b"\x20\x20\x00" + some(0, zero),
        "packed": some(1, packed) + b"\x10",
        "packed-bad": some(1, packed[:-5] + b"\x01abcd") + b"\x10",
        "in-pieces": b"".join(some(2, bytes([b])) for b in packed) + b"\x10",
        "delta": some(4, delta) * 9 + b"\x10\x10",
        "delta-raw": some(4, wire.pages([9], flags=wire.DELTA)),
        "two-streams": some(0, raw) + some(1, packed[:-4]) + b"\x20\x10\x00" +
        some(1, packed[-4:]) + b"\x20\x10\x00",
        "many": b"".join(some(s, packed) for s in range(16)) * 3,
        "outside": some(0, wire.pages([48])),
        "other-round": some(0, wire.pages([4], round_number=2)),
        "other-codec": some(0, wire.pages([4], wire.ZSTD)),
        "deflate": some(0, wire.pages(range(12), wire.DEFLATE, payload=5) + b"\x02abcd"),
        "deflate-long": some(0, wire.pages(range(13), wire.DEFLATE, payload=5)),
        "other-region": some(0, wire.pages([4], region=2)),
        "zero-outside": some(0, wire.zero([(40, 9)])),
    }
    for name, data in files.items():
        write("engine/blocks", name, data)


# ---- sessions

# places in session_fuzz.c's list of events
(CONNECTED, MSG, DISCONNECTED, FAILED, CANCEL, TIMEOUT, TICK, ATTACHED, PREPARED, ROUND_SENT,
 SCANNED, GUEST_STOPPED, PUNCHED, HASHED, DEVICES_SAVED, RESUMED, CHECKED, BLOCK_FAILED, APPLIED,
 LOADED, RUNNING, RUN_FAILED) = range(22)
DESTINATION, PLAIN, VERIFY, STOPPED = 1, 2, 4, 8


def steps(how, *events):
    """An event, or a message that comes."""
    return bytes([how]) + b"".join(bytes([e]) if isinstance(e, int) else bytes([MSG]) + e
                                   for e in events)


def make_sessions():
    def done(number):
        return wire.message(6, struct.pack(">I", number))

    ready, commit, committed = (wire.message(kind) for kind in (13, 14, 15))
    device, end = wire.message(11, b"x"), wire.message(12, struct.pack(">Q", 1))
    hashed = wire.digests(1)
    first = [CONNECTED, wire.ack(codecs=3), ATTACHED, PREPARED]
    stopped = [GUEST_STOPPED, ROUND_SENT]
    live = [*first, ROUND_SENT, done(1), SCANNED, *stopped, done(2), PUNCHED]
    got = [CONNECTED, wire.hello(), CHECKED, wire.round_end(1), APPLIED, wire.round_end(2, 1),
           APPLIED, wire.punch([(0, 9)])]
    loaded = [*got, device, end, LOADED]
    checked = [CONNECTED, wire.hello(verify=1), CHECKED, wire.round_end(1, 1), APPLIED,
               wire.message(9), HASHED]
    files = {
        "source": steps(0, *live, DEVICES_SAVED, ready, committed),
        "source-not-run": steps(0, *live, DEVICES_SAVED, ready, wire.error(6), RESUMED),
        "source-no-answer": steps(0, *live, DEVICES_SAVED, ready, *[TICK] * 9),
        "source-lost": steps(0, *live, DEVICES_SAVED, ready, DISCONNECTED, RESUMED),
        "source-verify": steps(VERIFY, *live, HASHED, hashed, DEVICES_SAVED, ready, committed),
        "source-plain": steps(PLAIN | STOPPED, *first, *stopped, done(1), PUNCHED, ready,
                              committed),
        "source-cancel": steps(0, *live, CANCEL, RESUMED),
        "source-fails": steps(0, *live[:-2], FAILED, FAILED, *[TICK] * 9),
        "source-retry": steps(STOPPED, *first, *stopped, wire.failed([1, 2]), done(1), ROUND_SENT,
                              done(2), PUNCHED, DEVICES_SAVED, ready, committed),
        "source-twice-failed": steps(STOPPED, *first, *stopped, wire.failed([1]), done(1),
                                     ROUND_SENT, wire.failed([1], 2), done(2), RESUMED),
        "destination": steps(DESTINATION, *loaded, commit, RUNNING, DISCONNECTED),
        "destination-refused": steps(DESTINATION, *loaded, commit, RUN_FAILED | 0x80),
        "destination-unknown": steps(DESTINATION, *loaded, commit, RUN_FAILED),
        "destination-early": steps(DESTINATION, *got, commit),
        "destination-cancel": steps(DESTINATION, *loaded, CANCEL),
        "destination-verify": steps(DESTINATION, *checked, device, end, LOADED, commit, RUNNING),
        "destination-failed-block": steps(DESTINATION, *got[:4], BLOCK_FAILED, APPLIED),
        "destination-mismatch": steps(DESTINATION, *got[:2], CHECKED | 0x40),
        "destination-late": steps(DESTINATION, *loaded, commit, *[TICK] * 9),
        "destination-error": steps(DESTINATION, *loaded, wire.error()),
    }
    for name, data in files.items():
        write("session", name, data)


make_frames()
make_psk()
make_x509()
make_mtree()
make_qmp()
make_words()
make_payload()
make_blocks()
make_sessions()
