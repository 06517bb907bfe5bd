# SPDX-License-Identifier: BSD-3-Clause
"""scripts/evacuate: the guests of a host, some at a time, between two namespaces that Ansible
takes for two hosts."""

import json
import os
import re
import shutil
import subprocess
import threading

from harness.context import Shape, wait_until
from harness.leaks import processes
from harness.migcomp import DESTINATION_ADDRESS, SOURCE_ADDRESS, af_packet_words, eal_words
from harness.registry import Skip, check, system_test
from harness.vm import check_continuity

HERE = os.path.dirname(os.path.abspath(__file__))
EVACUATE = os.path.join(HERE, "..", "..", "scripts", "evacuate")
# to become root is to enter the namespace: all that Ansible does on a host is done inside
HOST = """
[%(side)s]
%(side)s-host
[%(side)s:vars]
ansible_connection=local
ansible_python_interpreter=/usr/bin/python3
ansible_become=true
ansible_become_method=su
ansible_become_exe=%(inside)s su
ansible_remote_tmp=%(scratch)s/ansible
ansible_async_dir=%(scratch)s/async
migcomp_program=%(program)s
migcomp_run_directory=%(run_directory)s
migcomp_eal=%(eal)s
migcomp_ip=%(address)s/24
migcomp_psk=%(psk)s
"""
ENVIRONMENT = {"ANSIBLE_BECOME_ALLOW_SAME_USER": "1", "ANSIBLE_PIPELINING": "1"}


class Evacuation:
    """Two hosts, the guests named in `guests` (name -> words of its line), and runs over them."""

    def __init__(self, context):
        if shutil.which("ansible-playbook") is None:
            raise Skip("there is no ansible-playbook: install ansible-core")
        self.context, self.link = context, context.link()
        self.guests, self.output = {}, ""
        self.programs = {"source": context.program, "destination": context.program}
        self.run_directory = context.path("run")

    def write_inventory(self):
        path = self.context.path("inventory")
        with open(path, "w") as file:
            for side, address in (("source", SOURCE_ADDRESS),
                                  ("destination", DESTINATION_ADDRESS)):
                file.write(HOST % {
                    "side": side, "inside": " ".join(self.link.inside(side)), "address": address,
                    "scratch": self.context.scratch, "program": self.programs[side],
                    "run_directory": self.run_directory,
                    "eal": " ".join(eal_words(0) + af_packet_words(1500)),
                    "psk": self.context.psk()})
            file.write("[guests]\n")
            for name, words in self.guests.items():
                file.write("%s %s\n" % (name, words))
            file.write("[guests:vars]\nmigcomp_send_options=--verify\nmigcomp_poll_s=1\n")
        return path

    def put(self, name, source, destination):
        self.guests[name] = "migcomp_qmp=%s migcomp_destination_qmp=%s" % (
            source.qmp_path, destination.qmp_path)

    def run(self, status, *words, guests=()):
        """The summary, and what became of each guest."""
        reports = self.context.path("reports")
        done = subprocess.run(
            [EVACUATE, *words, "--reports", reports, self.write_inventory(), *guests],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **ENVIRONMENT, "HOME": self.context.scratch}, check=False)
        self.output = done.stdout + done.stderr
        check(done.returncode == status, "scripts/evacuate: status %d instead of %d\n%s",
              done.returncode, status, self.output[-6000:])
        if status == 1:
            return done.stderr, None
        with open(os.path.join(reports, "summary.json")) as file:
            return done.stdout, json.load(file)["guests"]

    def check_is(self, guests, name, status):
        check(guests[name]["status"] == status, "%s is %s instead of %s: %s\n%s", name,
              guests[name]["status"], status, guests[name].get("error"), self.output[-6000:])

    def check_keeps_secrets(self):
        with open(self.context.psk()) as file:
            key = file.read().split(":")[1].strip()
        check(key not in self.output, "the key is in what was printed")


def check_moved(source, destination):
    destination.wait_beats(5)
    check(source.status() in ("postmigrate", "paused"), "the source is %s", source.status())
    destination.verify()
    check_continuity(source, destination)


def results(output):
    """(task, guest) in the order in which Ansible shows them."""
    task = None
    for line in output.splitlines():
        heading = re.match(r"TASK \[migcomp : (.*)\]", line)
        result = re.match(r"(?:ok|changed): \[(\w+)", line)
        if heading:
            task = heading.group(1)
        elif result:
            yield task, result.group(1)


def check_two_at_a_time(output):
    """The third receiver is started after a guest has been done with, not after both."""
    order = [task for task, _ in results(output)
             if task in ("Start the receiver", "Note what has become of it")]
    check(order[:3] == ["Start the receiver"] * 2 + ["Note what has become of it"] and
          order[3:].count("Start the receiver") == 1, "not two at a time: %s", order)


def start_when_wanted(context, shape, path):
    wait_until(lambda: os.path.exists(path), "the destination's QEMU is wanted", 60)
    return context.destination(shape)


@system_test(full=True, timeout=300)
def guests_move_two_at_a_time_and_a_failing_one_stops_none(context):
    evacuation = Evacuation(context)
    shape, other = Shape(fill=64), Shape(mib=192, fill=64)
    names = ("one", "two", "three")
    sources = {name: context.source(shape) for name in names}
    destinations = {name: context.destination(other if name == "two" else shape)
                    for name in names}
    for name in names:
        sources[name].wait_booted(150)
        evacuation.put(name, sources[name], destinations[name])

    summary, guests = evacuation.run(2, "-n", "2")
    check_two_at_a_time(evacuation.output)
    evacuation.check_is(guests, "two", "failed")
    check("MiB" in guests["two"]["error"], "the error is %s", guests["two"]["error"])
    check(guests["two"]["error"] in summary, "the summary does not say why:\n%s", summary)
    for name in ("one", "three"):
        evacuation.check_is(guests, name, "moved")
        check(guests[name]["report"]["verified"], "%s: RAM was not compared", name)
        check_moved(sources[name], destinations[name])
    check(sources["two"].status() == "running", "the guest that failed does not run")
    sources["two"].wait_beats(5)
    sources["two"].check_untouched()
    evacuation.check_keeps_secrets()

    # mended: the next run has the destination started, and moves what is left and only that
    destinations["two"].kill()
    wanted = context.path("wanted")
    evacuation.guests["two"] = (
        "migcomp_qmp=%s migcomp_destination_qmp=%s migcomp_destination_command='touch %s'" % (
            sources["two"].qmp_path, context.path("destination4.qmp"), wanted))
    starter = threading.Thread(target=lambda: destinations.update(
        two=start_when_wanted(context, shape, wanted)))
    starter.start()
    _, guests = evacuation.run(0)
    starter.join()
    evacuation.check_is(guests, "two", "moved")
    check_moved(sources["two"], destinations["two"])
    for name in ("one", "three"):
        evacuation.check_is(guests, name, "already moved")
        check(destinations[name].status() == "running", "%s was touched", name)
    # of the run that failed only
    check(len(os.listdir(context.path("run"))) == 2, "logs: %s", os.listdir(context.path("run")))
    # Ansible's watchers of background jobs look every five seconds whether they have ended
    wait_until(lambda: not any("async_wrapper" in command
                               for command in processes(context.token).values()),
               "no job is left")


@system_test(timeout=240)
def a_file_that_cannot_be_meant_is_refused(context):
    evacuation = Evacuation(context)
    evacuation.guests = {
        "one": "migcomp_qmp=/run/one.qmp migcomp_port=5000",
        "two": "migcomp_qmp=/run/one.qmp migcomp_port=5000 migcomp_destination_qmp=two.qmp",
        "three": "migcomp_port=70000"}
    said, _ = evacuation.run(1)
    for line in ("one: QMP socket /run/one.qmp is given to another guest too",
                 "two: port 5000 is given to another guest too",
                 "two: QMP sockets are given with their whole path",
                 "three: migcomp_qmp is missing", "three: port 70000 is not a number"):
        check("evacuate: " + line in said, "it does not say: %s\n%s", line, said)
    said, _ = evacuation.run(1, guests=("one", "four"))
    check("evacuate: four: no such guest in the file" in said, "said:\n%s", said)
    evacuation.guests = {"one": "migcomp_qmp=/run/one.qmp migcomp_send_option=--verify"}
    said, _ = evacuation.run(1)
    check("migcomp_send_option is no variable" in said, "said:\n%s", said)
    evacuation.guests = {"a/b": "migcomp_qmp=/run/one.qmp"}
    said, _ = evacuation.run(1)
    check("a/b: its name is to be of letters" in said, "said:\n%s", said)
    done = subprocess.run([EVACUATE, "--reports", context.path('a"b'), context.path("inventory")],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    check(done.returncode == 1 and "--reports: " in done.stdout, "%d: %s", done.returncode,
          done.stdout)


@system_test(timeout=240)
def what_is_not_ready_is_said_before_anything_is_touched(context):
    evacuation = Evacuation(context)
    source, destination = context.source(Shape()), context.destination(Shape())
    evacuation.put("here", source, destination)
    evacuation.guests["absent"] = "migcomp_qmp=%s" % context.path("absent.qmp")
    said, _ = evacuation.run(1)
    check("absent: no QEMU at %s" % context.path("absent.qmp") in said, "said:\n%s", said)
    check("here: " not in said, "said:\n%s", said)
    check(source.status() == "running" and destination.status() == "inmigrate", "touched")
    check(not os.path.exists(context.path("run")), "something was started")
    # no place for logs: still nothing was
    del evacuation.guests["absent"]
    evacuation.run_directory = "/proc/nowhere"
    said, _ = evacuation.run(1)
    check("its messages above" in said and "nothing was touched" in said, "said:\n%s", said)
    check(source.status() == "running" and destination.status() == "inmigrate", "touched")


KILLED = """#!/bin/sh
case "$*" in
*" send "*killed*) kill -KILL $$ ;;
esac
exec %s "$@"
"""


@system_test(full=True, timeout=240)
def guests_that_fail_leave_nothing_behind(context):
    evacuation = Evacuation(context)
    shape = Shape(mib=128, fill=32)
    names = ("sender", "receiver", "killed")
    sources = {name: context.source(shape) for name in names}
    destinations = {name: context.destination(shape) for name in names}
    sources["killed"].wait_booted(150)
    for name in names:
        # a path of which a shell makes two
        for side, vm in (("source", sources[name]), ("destination", destinations[name])):
            os.symlink(vm.qmp_path, context.path("%s %s.qmp" % (name, side)))
        evacuation.guests[name] = "migcomp_qmp='%s' migcomp_destination_qmp='%s'" % (
            context.path(name + " source.qmp"), context.path(name + " destination.qmp"))
    evacuation.guests["sender"] += " migcomp_send_options=--nonsense"
    evacuation.guests["receiver"] += " migcomp_receive_options=--nonsense"
    evacuation.programs["source"] = context.path("program")
    with open(evacuation.programs["source"], "w") as file:
        file.write(KILLED % context.program)
    os.chmod(evacuation.programs["source"], 0o755)

    summary, guests = evacuation.run(2, "-n", "3")
    for name in names:
        evacuation.check_is(guests, name, "failed")
        check(sources[name].status() == "running", "%s: the source is %s", name,
              sources[name].status())
        check(destinations[name].status() == "inmigrate", "%s: the destination is %s", name,
              destinations[name].status())
        check("\n" not in guests[name]["error"], "%s: %s", name, guests[name]["error"])
        check(guests[name]["error"] in summary, "it does not say why:\n%s", summary)
    for name in ("sender", "receiver"):
        check("--nonsense" in guests[name]["error"] and "cat:" not in guests[name]["error"],
              "%s: %s", name, guests[name]["error"])
    left = [command for command in processes(context.token).values() if " recv " in command]
    check(not left, "a receiver is left: %s", left)

    evacuation.programs["source"] = context.program
    _, guests = evacuation.run(0, guests=("killed",))
    evacuation.check_is(guests, "killed", "moved")
    check_moved(sources["killed"], destinations["killed"])


@system_test(timeout=240)
def a_guest_that_may_run_at_both_ends_is_for_a_person(context):
    evacuation = Evacuation(context)
    source, destination = context.source(Shape()), context.source(Shape())
    source.qmp.command("stop")
    evacuation.put("both", source, destination)
    summary, guests = evacuation.run(3)
    evacuation.check_is(guests, "both", "unconfirmed")
    check("both: " in summary and "query-status" in summary, "it does not say what to do:\n%s",
          summary)
    check(source.status() == "paused" and destination.status() == "running", "touched")
