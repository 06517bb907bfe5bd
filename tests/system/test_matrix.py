# SPDX-License-Identifier: BSD-3-Clause
"""The failure matrix of doc/design/states.md, section 6: each of its lines is a test of that name,
which tries all the cells of the line on real guests and compares with what the document says. What is
here is how each failure is made to happen; scripts/check-states compares the names."""

import os
import resource
import signal
import threading
import time

from harness import states_md
from harness.context import Shape
from harness.matrix import DOWNTIME_LIMIT, PLACES, RECOVER_SECONDS, SMALL, Cell, Chain, try_line
from harness.registry import Skip, check, system_test

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
DAY = 86400
# longer than the answer to a QMP command is waited for, and not so long
SILENT_SECONDS, LATE_SECONDS = 20, 2
MIB = 1 << 20

# states in which a lost session is one that can be taken over
RECOVERING = {
    "source": ("PREPARE", "INVENTORY", "ROUND", "APPLY", "SCAN"),
    "destination": ("INVENTORY", "APPLY"),
}
# QMP commands that are given in a state, and can be refused
REFUSED = {
    "PREPARE": "migrate-set-capabilities", "STOP": "migrate", "SAVE": "migrate-continue",
    "RECEIVE": "migrate-incoming", "LOAD": "query-migrate", "RUN": "cont",
    "END": "migrate-set-capabilities",
}


def nobody_comes(cell):
    """A receiver that was never connected to waits for the next sender: nothing has happened to it.
    Here there is none."""
    if cell.column in ("CONNECT", "LISTEN") and cell.receiver.process.poll() is None:
        cell.receiver.signal(signal.SIGINT)


def killed_sender(cell):
    cell.start().kill(cell.sender)
    nobody_comes(cell)
    cell.release()


def killed_receiver(cell):
    cell.start().kill(cell.receiver)
    cell.release()


def killed_source_qemu(cell):
    cell.start().kill_qemu(cell.source)
    cell.release()
    if cell.column in ("CONNECT", "LISTEN"):
        cell.sender.finish()
    nobody_comes(cell)


def killed_destination_qemu(cell):
    cell.start().kill_qemu(cell.destination)
    if cell.machine == "source":
        # before the sender goes on: else it may have said COMMIT before the receiver knows
        cell.receiver.finish()
    cell.release()


def interrupted_sender(cell):
    cell.start().sender.signal(signal.SIGINT)
    cell.release()
    nobody_comes(cell)


def interrupted_receiver(cell):
    cell.start().receiver.signal(signal.SIGINT)
    cell.release()


def closed_qmp(cell):
    cell.start(faults=["qmp-close=" + cell.place])
    # as in kill_qemu()
    time.sleep(0.2)
    cell.release()
    if cell.column == "CONNECT":
        cell.sender.finish()
        nobody_comes(cell)


def refused_qmp(cell):
    if cell.column == "RESUME":
        cell.start(hold=False, faults=["qmp-error=RESUME/migrate_cancel"])
    else:
        cell.start(hold=False, faults=["qmp-error=%s/%s" % (cell.place, REFUSED[cell.column])])


def silent_qemu(cell):
    cell.start().pause_qemu(own_qemu(cell), SILENT_SECONDS)


def network_cut_10(cell):
    network_cut(cell, 10)


def network_cut_60(cell):
    network_cut(cell, 60)


def network_cut(cell, seconds):
    recover = cell.column in RECOVERING[cell.machine]
    scan = cell.column == "SCAN"
    # slowly: a scan that finds little is the last, and the loss is noticed with the guest stopped
    cell.start(("--max-bandwidth", "100m") if scan else (), hold=False,
               faults=["cut=%s:%d" % (cell.place, seconds)],
               recover=seconds + RECOVER_SECONDS if recover else 0,
               downtime_limit=300 if scan else DOWNTIME_LIMIT)
    if cell.column in ("CONNECT", "LISTEN"):
        cell.sender.finish()
    nobody_comes(cell)


def receiver_out_of_memory(cell):
    cell.start()
    resource.prlimit(cell.receiver.process.pid, resource.RLIMIT_DATA, (4096, 4096))
    cell.release()
    if cell.column == "LISTEN":
        # it may have no memory for a connection, and wait for one
        cell.sender.finish()
        nobody_comes(cell)


def fill(directory):
    with open(os.path.join(directory, "filler"), "wb", buffering=0) as file:
        try:
            while file.write(bytes(MIB)) == MIB:
                pass
        except OSError:
            pass


def guest_memory_full(cell):
    directory = cell.chain.context.tmpfs(cell.chain.shape.mib + 1)
    cell.start(shape=Shape(**{**vars(SMALL), "memory": directory}))
    fill(directory)
    cell.release()


# ---- failures that change nothing: all states of a line in one migration

def places_of(line):
    return [PLACES.get(column, column) for column, cell in line.all_cells.items() if cell != "-"]


def pausing(places):
    return ["--pause-before-switchover"] if "PAUSE" in places else []


def go_on(cell):
    """The operator's word in PAUSE. Who takes it may be held in the next state before answering."""
    cell.sender.wait_state("PAUSE")
    thread = threading.Thread(target=cell.sender.operate, args=("continue",))
    thread.start()
    cell.chain.context.on_exit(thread.join)


def each_held(cell, line, happen):
    """Stopped in each state of the line in turn; `happen` lets it go on."""
    places = places_of(line)
    cell.start(pausing(places), hold=False, faults=["stop=" + p for p in places])
    for place in places:
        cell.wait_held(place)
        happen()
        if place == "PAUSE":
            go_on(cell)


def own_qemu(cell):
    return cell.source if cell.machine == "source" else cell.destination


def late_qemu(cell, line):
    each_held(cell, line, lambda: cell.pause_qemu(own_qemu(cell), LATE_SECONDS))


def network_cut_1(cell, line):
    places = places_of(line)
    cell.start(pausing(places), hold=False, faults=["cut=%s:1" % p for p in places])
    if "PAUSE" in places:
        go_on(cell)


def jumping_clock(cell, line):
    """CLOCK_REALTIME of one process (libfaketime) is a day ahead, then a day behind, and so on."""
    if not os.path.exists(FAKETIME):
        raise Skip("no libfaketime")
    path = cell.chain.context.path("clock")
    jumps = [DAY]

    def jump():
        jumps[0] = -jumps[0]
        with open(path + ".new", "w", encoding="ascii") as file:
            file.write("%+d\n" % jumps[0])
        os.rename(path + ".new", path)
        if cell.own:
            cell.release()

    def tidy():
        for name in ("faketime_shm_%d", "sem.faketime_sem_%d"):
            path = "/dev/shm/" + name % cell.own.process.pid
            if os.path.exists(path):
                os.unlink(path)

    jump()
    cell.chain.context.on_exit(tidy)
    cell.environment = {"LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": path,
                        "FAKETIME_NO_CACHE": "1", "DONT_FAKE_MONOTONIC": "1"}
    each_held(cell, line, jump)


class Strike:
    """How a line's failure happens: `function(cell)`, or with `together` once for all states, by
    `function(cell, line)`. `chains`: so many at once, for most of the time is waiting. `short`: cells
    that are tried without --full too."""

    def __init__(self, function, machines, chains=2, short=(), together=False):
        self.function, self.machines, self.chains = function, machines, chains
        self.short, self.together = short, together


SOURCE, DESTINATION = states_md.MACHINES
BOTH = states_md.MACHINES
STRIKES = {
    "killed_sender": Strike(killed_sender, BOTH, 4),
    "killed_receiver": Strike(killed_receiver, BOTH, 4),
    "killed_source_qemu": Strike(killed_source_qemu, BOTH),
    "killed_destination_qemu": Strike(killed_destination_qemu, BOTH, short=("COMMIT", "RUN")),
    "interrupted_sender": Strike(interrupted_sender, (SOURCE,)),
    "interrupted_receiver": Strike(interrupted_receiver, (DESTINATION,), short=("READY",)),
    "closed_source_qmp": Strike(closed_qmp, (SOURCE,), short=("PUNCH",)),
    "closed_destination_qmp": Strike(closed_qmp, (DESTINATION,)),
    "refusing_source_qemu": Strike(refused_qmp, (SOURCE,)),
    "refusing_destination_qemu": Strike(refused_qmp, (DESTINATION,)),
    "late_source_qemu": Strike(late_qemu, (SOURCE,), together=True),
    "late_destination_qemu": Strike(late_qemu, (DESTINATION,), together=True),
    "silent_source_qemu": Strike(silent_qemu, (SOURCE,), 4),
    "silent_destination_qemu": Strike(silent_qemu, (DESTINATION,), 4),
    "network_cut_1": Strike(network_cut_1, BOTH, together=True),
    "network_cut_10": Strike(network_cut_10, BOTH, 4),
    "network_cut_60": Strike(network_cut_60, BOTH, 4),
    "receiver_out_of_memory": Strike(receiver_out_of_memory, (DESTINATION,)),
    "guest_memory_full": Strike(guest_memory_full, (DESTINATION,)),
    "clock_of_the_sender_jumps": Strike(jumping_clock, (SOURCE,), together=True),
    "clock_of_the_receiver_jumps": Strike(jumping_clock, (DESTINATION,), together=True),
}


def try_together(context, line, strike):
    chain = Chain(context, 0)
    column, outcomes = next(iter(line.cells.items()))
    cell = Cell(chain, line.machine, column, outcomes)
    strike(cell, line)
    cell.check_outcome()
    chain.move()


def register(line, strike):
    if strike.together:
        def whole(context):
            try_together(context, line, strike.function)
    else:
        def whole(context, state=None):
            try_line(context, line, state and [state], strike.function, strike.chains)
    whole.__name__, whole.__module__ = "%s_%s" % (line.machine, line.name), __name__
    cases = [{"state": state} for state in strike.short if state in line.cells]
    system_test(timeout=900, cases=cases + [{"full": True}])(whole)


# a line that nothing is known to strike, and the reverse, is check-states' to tell
for each_machine in states_md.MACHINES:
    for each_line in states_md.lines(each_machine):
        if each_line.name in STRIKES and each_machine in STRIKES[each_line.name].machines:
            register(each_line, STRIKES[each_line.name])


# ---- lines that are of no state in particular: section 6.4

def cell_of(context, machine, place, outcome):
    return Cell(Chain(context, 0), machine, place, states_md.outcomes(outcome))


def finish(cell):
    cell.check_outcome()
    cell.chain.move()


@system_test(timeout=120)
def commit_lost(context):
    cell = cell_of(context, "source", "COMMIT", "P 3/2")
    cell.start(hold=False, faults=["cut=COMMIT"])
    finish(cell)


@system_test(timeout=120, full=True)
def committed_lost(context):
    cell = cell_of(context, "destination", "COMMITTED", "D 3/0")
    cell.start(hold=False, faults=["cut=COMMITTED"])
    finish(cell)


@system_test(timeout=120, full=True)
def not_run_lost(context):
    cell = cell_of(context, "destination", "RUN", "P 3/2")
    cell.start(hold=False, faults=["qmp-error=RUN/cont", "cut=END"])
    finish(cell)


@system_test(timeout=120, full=True)
def commit_lost_and_sender_killed(context):
    cell = cell_of(context, "source", "COMMIT", "P x/2")
    cell.start(hold=False, faults=["cut=COMMIT"])
    cell.sender.wait_state("COMMIT")
    cell.kill(cell.sender)
    finish(cell)


@system_test(timeout=120, full=True)
def sender_killed_after_not_run(context):
    cell = cell_of(context, "source", "COMMIT/RESUME", "P x/2")
    cell.start(receiver_words=["--inject", "qmp-error=RUN/cont"])
    cell.kill(cell.sender)
    finish(cell)


@system_test(timeout=120, full=True)
def sender_and_guardian_killed(context):
    """Nobody is left to continue the guest, and nobody else may run it."""
    cell = cell_of(context, "source", "PUNCH", "P x/2").start()
    with open("/proc/%d/task/%d/children" % ((cell.sender.process.pid,) * 2),
              encoding="ascii") as file:
        guardian = int(file.read().split()[0])
    os.kill(guardian, signal.SIGKILL)
    cell.kill(cell.sender)
    check(cell.source.status() != "running", "somebody continues the source")
    cell.source.qmp.command("migrate_cancel")
    cell.outcomes = states_md.outcomes("S x/2")
    cell.settings = None
    finish(cell)


def report_full(context, role):
    """A report that finds no room changes no outcome, and is not left there in part."""
    directory = context.tmpfs(1)
    fill(directory)
    path = os.path.join(directory, "report")
    words = ["--report", path]
    cell = cell_of(context, "source", "END", "D 0/0")
    cell.start(words if role == "send" else (), words if role == "recv" else (), hold=False)
    cell.check_outcome()
    endpoint = cell.sender if role == "send" else cell.receiver
    check(any("report was not written" in line for line in endpoint.err), "%s says nothing\n%s",
          endpoint.name, endpoint.log())
    check(not os.path.exists(path), "a part of a report is left")
    cell.chain.move()


@system_test(timeout=120, full=True)
def report_disk_of_the_sender_full(context):
    report_full(context, "send")


@system_test(timeout=120, full=True)
def report_disk_of_the_receiver_full(context):
    report_full(context, "recv")
