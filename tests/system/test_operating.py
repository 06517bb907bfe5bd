# SPDX-License-Identifier: BSD-3-Clause
"""The operator's hand on a migration that runs: status, settings, cancel, a pause before the
switchover, over the control socket."""

import json
import os
import signal
import socket
import subprocess
import time

from harness.context import Shape, wait_until
from harness.registry import check, system_test

# the fixed cost of a switchover is more than this: no round is the last
NEVER = ["--downtime-limit", "1", "--throttle", "off"]
# and with this the second one is, however slow the machine is
SOON = ["--downtime-limit", "2000000"]
PAUSE = [*SOON, "--pause-before-switchover"]


def booted(context, **shape):
    source = context.source(Shape(**shape))
    source.wait_booted()
    return source, context.destination(source.shape)


def wire_bytes(endpoint):
    return endpoint.query("query-stats")["network"]["wire-bytes"]


def rate_mbit(endpoint, seconds=2.0):
    """Of what it sent, counted by itself."""
    start, before = time.monotonic(), wire_bytes(endpoint)
    time.sleep(seconds)
    after = wire_bytes(endpoint)
    return (after - before) * 8 / (time.monotonic() - start) / 1e6


def check_source_runs_on(source, settings):
    wait_until(lambda: source.status() == "running", "the source VM runs again")
    source.wait_beats(5)
    source.verify()
    source.check_untouched()
    check(source.settings() == settings, "QEMU's settings are now %s, were %s",
          source.settings(), settings)


def check_cancelled(sender, receiver):
    result = sender.expect(2, 30)
    check(result.report["status"] == "cancelled", "status %s", result.report["status"])
    check("cancelled by the operator" in result.stderr, "no reason\n%s", sender.log())
    receiver.expect(2, 45)


def check_same_ram(source, destination):
    """Byte for byte, while the guest stands still."""
    check(source.status() not in ("running",), "the source is %s", source.status())
    for backend, path in source.files.items():
        done = subprocess.run(["cmp", path, destination.files[backend]], check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        check(done.returncode == 0, "%s differs: %s", backend, done.stdout)


def end_pause(context, sender, receiver, source, destination):
    """All RAM is there, and the operator's word is what is left to come."""
    check_same_ram(source, destination)
    sender.told("continue")
    return context.finish_migration(sender, receiver, source, destination)[0]


@system_test(timeout=120)
def settings_take_effect_while_it_runs(context):
    source, destination = booted(context, rate=20)
    sender, receiver = context.start_migration(
        source, destination, [*NEVER, "--max-bandwidth", "40m", "--codec", "raw"])
    sender.wait_state("ROUND")
    time.sleep(0.5)
    status = sender.query()
    check(status["status"] == "active" and status["role"] == "source", "status is %s", status)
    check(0 < status["ram"]["remaining"] <= status["ram"]["round-bytes"], "status is %s", status)
    slow = rate_mbit(sender)
    check(slow < 60, "%.1f Mbit/s with a limit of 40", slow)
    sender.told("set", "max-bandwidth=400m")
    fast = rate_mbit(sender)
    check(2 * slow < fast < 480, "%.1f Mbit/s with a limit of 400, %.1f with 40", fast, slow)
    sender.told("set", "max-bandwidth=none")
    sender.wait_round(4)
    text = sender.told("status")
    check("max-bandwidth none" in text and "downtime-limit 1 ms" in text, "status: %s", text)
    sender.told("set", "downtime-limit=2000000")
    context.finish_migration(sender, receiver, source, destination)


@system_test(timeout=120)
def a_pause_has_all_ram_there_and_continue_completes_it(context):
    source, destination = booted(context, rate=20)
    sender, receiver = context.start_migration(source, destination, [*PAUSE, "--verify"])
    sender.wait_state("CONNECT", "HELLO")
    status, _, err = sender.operate("continue")
    check(status == 1 and "not in expected state" in err, "continue too soon: %d, %s", status, err)
    sender.wait_state("PAUSE")
    check(sender.query()["status"] == "pre-switchover", "status is %s", sender.query())
    check("continue or cancel" in sender.told("status"), "no hint what to do")
    check(destination.status() == "inmigrate", "the destination is %s", destination.status())
    result = end_pause(context, sender, receiver, source, destination)
    check(result.report["verified"], "not verified")


@system_test(full=True, timeout=180)
def a_pause_of_a_minute_keeps_the_connection(context):
    source, destination = booted(context, rate=20)
    sender, receiver = context.start_migration(source, destination, PAUSE)
    sender.wait_state("PAUSE")
    time.sleep(60)
    end_pause(context, sender, receiver, source, destination)


@system_test(full=True, timeout=120)
def a_pause_can_be_asked_for_while_it_runs_and_suspend_does_not_end_it(context):
    source, destination = booted(context, rate=20)
    sender, receiver = context.start_migration(
        source, destination, [*NEVER, "--timeout", "1000", "--timeout-action", "suspend"])
    sender.wait_round(2)
    sender.told("set", "pause-before-switchover=on", "timeout=1")
    sender.wait_state("PAUSE")
    sender.told("set", "pause-before-switchover=off")
    time.sleep(2)
    check(sender.query()["session-state"] == "PAUSE", "it is %s", sender.query())
    end_pause(context, sender, receiver, source, destination)


@system_test(full=True, timeout=120)
def a_timeout_cancels_a_pause(context):
    source, destination = booted(context, rate=20)
    settings = source.settings()
    sender, receiver = context.start_migration(source, destination, PAUSE)
    sender.wait_state("PAUSE")
    sender.told("set", "timeout=1")
    sender.expect(2, 30)
    receiver.expect(2, 45)
    check_source_runs_on(source, settings)


@system_test(timeout=120, cases=[dict(state="ROUND", full=True), dict(state="SCAN", full=True),
                                 dict(state="PAUSE"), dict(state="READY", full=True)])
def cancel_lets_the_source_run_on(context, state):
    source, destination = booted(context, rate=20)
    settings = source.settings()
    words = PAUSE if state == "PAUSE" else SOON
    if state in ("ROUND", "SCAN"):
        words = [*NEVER, "--max-bandwidth", "200m"]
    sender, receiver = context.start_migration(source, destination, words)
    if state == "READY":
        # a destination QEMU that does not answer holds everything there
        sender.wait_state("ROUND")
        destination.process.send_signal(signal.SIGSTOP)
    sender.wait_state(state)
    sender.told("cancel")
    if state == "READY":
        destination.process.send_signal(signal.SIGCONT)
    check_cancelled(sender, receiver)
    check_source_runs_on(source, settings)


@system_test(timeout=120)
def cancel_after_commit_is_refused_and_says_to_wait(context):
    source, destination = booted(context, rate=20)
    # a destination QEMU that does not answer is what the sender waits for
    sender, receiver = context.start_migration(source, destination,
                                               [*SOON, "--inject", "stop=COMMIT"])
    sender.wait_line("injected: at COMMIT$")
    destination.process.send_signal(signal.SIGSTOP)
    sender.signal(signal.SIGCONT)
    sender.wait_state("COMMIT")
    status, _, err = sender.operate("cancel")
    check(status == 1 and "too late" in err and "wait" in err, "cancel: %d, %s", status, err)
    destination.process.send_signal(signal.SIGCONT)
    context.finish_migration(sender, receiver, source, destination)


@system_test(full=True, timeout=120)
def a_receiver_can_be_cancelled_and_takes_no_settings(context):
    source, destination = booted(context, rate=20)
    settings = source.settings()
    sender, receiver = context.start_migration(source, destination,
                                               [*NEVER, "--max-bandwidth", "200m"])
    sender.wait_round(1)
    check(receiver.query()["role"] == "destination", "%s", receiver.query())
    status, _, err = receiver.operate("set", "downtime-limit=100")
    check(status == 1 and "the sender decides" in err, "set: %d, %s", status, err)
    receiver.told("cancel")
    result = receiver.expect(2, 30)
    check(result.report["status"] == "cancelled", "status %s", result.report["status"])
    sender.expect(2, 45)
    check_source_runs_on(source, settings)


@system_test(full=True, timeout=120, cases=[dict(who="sender"), dict(who="receiver")])
def a_death_in_a_pause_lets_the_source_run_on(context, who):
    source, destination = booted(context, rate=20)
    settings = source.settings()
    sender, receiver = context.start_migration(source, destination, PAUSE)
    sender.wait_state("PAUSE")
    dead, other = (sender, receiver) if who == "sender" else (receiver, sender)
    dead.signal(signal.SIGKILL)
    dead.finish(10)
    other.expect(2, 45)
    check_source_runs_on(source, settings)


@system_test()
def another_user_is_refused(context):
    receiver = context.endpoint("recv", ["--mem", "ram=%s" % context.shm("image")])
    receiver.wait_listening()
    mode = os.stat(receiver.control).st_mode & 0o777
    check(mode == 0o600, "the socket's mode is %o", mode)
    # the way to it is open, so that it is the socket that refuses
    os.chmod(context.scratch, 0o711)
    nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    for mode in (0o600, 0o666):
        os.chmod(receiver.control, mode)
        for command in ("status", "cancel"):
            status, out, err = receiver.operate(command, prefix=nobody)
            check(status == 2 and not out and err, "%s: %d %s%s", command, status, out, err)
    receiver.told("cancel")
    receiver.expect(2, 30)


@system_test()
def the_usual_socket_is_found_and_one_of_the_dead_is_removed(context):
    def run(*words):
        done = subprocess.run([receiver.program, *words], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    receiver = context.endpoint("recv", ["--mem", "ram=" + context.shm("image")],
                                usual_control=True)
    receiver.wait_listening()
    status, out, err = run("status", "--json")
    found = [guest for guest in json.loads(out) if guest["control"] == receiver.control]
    check(status == 0 and len(found) == 1 and found[0]["guest"] == "ram", "status: %d %s%s",
          status, out, err)
    receiver.signal(signal.SIGKILL)
    receiver.finish(10)
    check(os.path.exists(receiver.control), "the test proves nothing: no socket was left")
    status, out, _ = run("status")
    check(receiver.control not in out, "a dead process is listed: %s", out)
    check(not os.path.exists(receiver.control), "the socket of the dead is still there")


def telemetry(prefix, *commands):
    """What dpdk-telemetry.py, which not every DPDK comes with, shows of commands: {command: answer}."""
    answers = {}
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(60)
        connection.connect("/var/run/dpdk/%s/dpdk_telemetry.v2" % prefix)
        length = json.loads(connection.recv(1024))["max_output_len"]
        for command in commands:
            connection.sendall(command.encode())
            answers.update(json.loads(connection.recv(length)))
    return answers


@system_test()
def telemetry_tells_of_a_migration_that_runs(context):
    size = 128 << 20
    path = context.shm("image")
    with open(path, "wb") as file:
        file.write(os.urandom(size))
    receiver = context.endpoint("recv", ["--mem", "ram=" + context.shm("copy")],
                                telemetry=context.token + "recv")
    receiver.wait_listening()
    sender = context.endpoint("send", ["--mem", "ram=" + path, "--max-bandwidth", "40m",
                                       "--codec", "raw"], telemetry=context.token + "send")
    sender.wait_state("ROUND")
    time.sleep(1)
    seen = telemetry(context.token + "send", "/migcomp/list", "/migcomp/status",
                     "/migcomp/stats,ram", "/migcomp/config", "/migcomp/status,other")
    check(seen["/migcomp/list"] == ["ram"], "list: %s", seen)
    status, stats = seen["/migcomp/status"], seen["/migcomp/stats"]
    # the last answer to the command was of a guest that is not there
    check(status is None, "another guest: %s", status)
    check(stats["session_state"] == "ROUND" and stats["ram_total"] == size, "stats: %s", stats)
    check(0 < stats["ram_remaining"] < size and stats["network_wire_bytes"] > 0, "stats: %s", stats)
    check(seen["/migcomp/config"]["max_bandwidth"] == 5000000, "config: %s", seen)
    time.sleep(0.5)
    again = telemetry(context.token + "send", "/migcomp/status", "/migcomp/stats")
    check(again["/migcomp/status"]["status"] == "active", "status: %s", again)
    check(again["/migcomp/stats"]["network_wire_bytes"] > stats["network_wire_bytes"],
          "it stands still: %s", again)
    there = telemetry(context.token + "recv", "/migcomp/status")["/migcomp/status"]
    check(there["role"] == "destination" and there["ram_normal"] > 0, "receiver: %s", there)
    sender.told("set", "max-bandwidth=none")
    sender.expect(0)
    receiver.expect(0)
