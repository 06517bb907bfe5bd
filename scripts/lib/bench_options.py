# SPDX-License-Identifier: BSD-3-Clause
"""The command line of scripts/bench."""

import argparse
import shlex

from bench_machine import IMAGE_START_MIB
from bench_methods import LIVE, METHODS, Method, default_methods

RATE_MAX = 800  # the guest counts in 32 bits


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(1, "bench: %s\nbench: --help lists the options\n" % message)


def build_parser():
    p = Parser(prog="bench", formatter_class=argparse.ArgumentDefaultsHelpFormatter,
               description="Side by side: dpdk-migcomp and QEMU's own multifd, on the same image, "
               "link and counters, in turns. Exit status: 0 all runs done, 1 usage or a machine "
               "that cannot, 2 a run failed or memory differed.")
    p.add_argument("--program", default="build/app/migcomp/dpdk-migcomp")
    p.add_argument("--links", default="1,2.5,5,10,unlimited",
                   help="of the copies, Gbit/s, or none; ours on an unlimited link is memif")
    p.add_argument("--methods", help="at each link, of: %s; default: all with two channels, "
                   "qemu-zlib only at 1 and unlimited" % ", ".join(METHODS))
    p.add_argument("--methods-at", action="append", default=[], metavar="LINK=LIST",
                   help="at this link instead, repeatable")
    p.add_argument("--method", action="append", default=[], metavar="NAME=WORDS",
                   help="a method of your own: options of dpdk-migcomp send, repeatable")
    p.add_argument("--live", default="", metavar="RATES",
                   help="also live runs: MB/s that the guest dirties, e.g. 50,200")
    p.add_argument("--live-links", default="1", help="Gbit/s")
    p.add_argument("--live-methods", default=",".join(LIVE))
    p.add_argument("--live-timeout", type=float, default=75, help="s; then not converged")
    p.add_argument("--set", type=int, default=512, help="MiB that the guest dirties over")
    p.add_argument("--downtime-limit", type=int, default=300, help="ms, of both tools")
    p.add_argument("--repeat", type=int, default=3, help="turns")
    p.add_argument("--ram", type=int, default=4096, help="MiB of guest memory")
    p.add_argument("--fill", type=int, default=3584, help="MiB of it with the corpus")
    p.add_argument("--corpus", help="a file or a directory; default: the Silesia files in "
                   "../shared/data/silesia")
    p.add_argument("--cold", action="store_true",
                   help="the destination's file is absent before a run (default: warm, it is "
                   "there, zeroed and allocated)")
    p.add_argument("--mtu", type=int, default=9000)
    p.add_argument("--workers", type=int, default=2, help="of dpdk-migcomp, a side")
    p.add_argument("--timeout", type=float, default=300, help="s, of a copy")
    for role, text in (("send", "sender"), ("recv", "receiver")):
        p.add_argument("--%s-eal" % role, default="", metavar="WORDS",
                       help="EAL's words of the %s for cores, memory and devices" % text)
        p.add_argument("--%s-port" % role, default="", metavar="WORDS",
                       help="EAL's words of the %s for its port; both or none" % text)
    p.add_argument("--out", default="bench-results", help="directory")
    p.add_argument("--plan", action="store_true", help="print the estimate and stop")
    return p


def link_number(p, word):
    try:
        gbit = None if word == "unlimited" else float(word)
    except ValueError:
        p.error("%r is not a link: a number of Gbit/s, or unlimited" % word)
    if gbit is not None and gbit <= 0:
        p.error("a link of %g Gbit/s" % gbit)
    return gbit


def known(p, methods, text):
    words = text.split(",")
    for word in words:
        if word not in methods:
            p.error("no method %r; there are: %s" % (word, ", ".join(methods)))
    return words


def own_methods(p, pairs):
    methods = dict(METHODS)
    for pair in pairs:
        name, equals, words = pair.partition("=")
        if not name or not equals or name in METHODS:
            p.error("--method %r: NAME=WORDS with a name that is not taken" % pair)
        methods[name] = Method("migcomp", 0.5, 3.0, words=shlex.split(words))
    return methods


def take_methods(p, bench):
    methods = own_methods(p, bench.method)
    for_all = known(p, methods, bench.methods) if bench.methods else None
    own = [name for name in methods if name not in METHODS]
    bench.methods_at = {gbit: for_all or default_methods(gbit) + own for gbit in bench.links}
    for pair in bench.methods_at_words:
        word, _, words = pair.partition("=")
        gbit = link_number(p, word)
        if gbit not in bench.methods_at:
            p.error("--methods-at %s: %s is not among the links" % (pair, word))
        bench.methods_at[gbit] = known(p, methods, words)
    bench.live_methods = known(p, methods, bench.live_methods)
    bench.methods = methods


def take_live(p, bench):
    try:
        rates = [int(word) for word in bench.live.split(",") if word]
    except ValueError:
        p.error("--live %s: whole MB/s" % bench.live)
    if any(rate < 1 or rate > RATE_MAX for rate in rates):
        p.error("--live: from 1 to %d MB/s" % RATE_MAX)
    bench.live = [(link_number(p, word), rate) for word in bench.live_links.split(",")
                  for rate in rates]
    if rates and not 1 <= bench.set <= bench.fill:
        p.error("--set must lie within --fill")


def parse(arguments=None):
    p = build_parser()
    bench = p.parse_args(arguments)
    bench.methods_at_words = bench.methods_at
    words = [] if bench.links == "none" else bench.links.split(",")
    bench.links = [link_number(p, word) for word in words]
    take_methods(p, bench)
    take_live(p, bench)
    if not bench.links and not bench.live:
        p.error("neither --links nor --live: nothing to do")
    if bench.fill < 1 or bench.fill + IMAGE_START_MIB > bench.ram:
        p.error("--fill and %d MiB do not fit --ram" % IMAGE_START_MIB)
    if bench.repeat < 1 or bench.workers < 1:
        p.error("--repeat and --workers start at 1")
    if bool(bench.send_port) != bool(bench.recv_port):
        p.error("--send-port and --recv-port go together")
    bench.eal = {"send": shlex.split(bench.send_eal), "recv": shlex.split(bench.recv_eal)}
    bench.port = {"send": shlex.split(bench.send_port), "recv": shlex.split(bench.recv_port)}
    return bench
