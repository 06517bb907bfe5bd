# SPDX-License-Identifier: BSD-3-Clause
"""One cell of the failure matrix after the other, with one guest: a migration is brought to a state
and held there (--inject stop=), the failure happens, and what comes of it is compared. Each try is
the next one's before: it shows that a retry works, and the last is followed by a whole migration."""

import os
import signal
import threading
import time

from .context import Shape, wait_until
from .registry import Failure, check

SMALL = Shape(mib=160, fill=24, rate=4)
HELD_SECONDS, END_SECONDS = 90, 120
# so long a cut loses a session; so long it may then be taken over
LOSING_SECONDS, RECOVER_SECONDS = 11, 40
# to converge is not what is tried here, and the machine may be busy
DOWNTIME_LIMIT = 5000


def words_of_a_sender(downtime_limit=DOWNTIME_LIMIT):
    return ["--verify", "--downtime-limit", str(downtime_limit)]


SENDER_WORDS = words_of_a_sender()


class Cell:
    """A migration under way, to be failed in `column` of `machine`."""

    def __init__(self, chain, machine, column, outcomes):
        self.chain, self.machine, self.column, self.outcomes = chain, machine, column, outcomes
        self.place = PLACES.get(column, column)
        self.source, self.settings = chain.source, chain.settings
        self.destination = None
        self.environment = None
        """Variables of the machine's own end."""
        self.sender = self.receiver = None

    def start(self, sender_words=(), receiver_words=(), hold=True, faults=(), shape=None,
              recover=0, downtime_limit=DOWNTIME_LIMIT):
        """Start both ends; `hold`: the machine's own end stops in the column's state. `recover`:
        seconds in which a lost session is taken over."""
        if self.column == "INVENTORY":
            recover = recover or RECOVER_SECONDS
        words = {"source": ["--recover-timeout", str(recover), *sender_words],
                 "destination": ["--recover-timeout", str(recover), *receiver_words]}
        where = {"port": "af_packet", "link": self.chain.link}
        faults = list(faults)
        if hold:
            faults.append("stop=" + self.place)
        if self.column == "RESUME":
            # a way into it: QEMU refuses
            faults.insert(0, "qmp-error=migrate-continue")
        if self.column == "PAUSE":
            words["source"].append("--pause-before-switchover")
        injected = {self.machine: faults}
        if self.column == "INVENTORY":
            # what is lost in a round goes on with an inventory
            injected.setdefault("source", []).insert(0, "cut=ROUND:%d" % LOSING_SECONDS)
        for machine, list_of_faults in injected.items():
            if list_of_faults:
                words[machine] += ["--inject", ",".join(list_of_faults)]
        self.destination = self.chain.context.destination(shape or self.chain.shape)
        self.receiver = self.chain.context.endpoint(
            "recv", ["--qmp", self.destination.qmp_path, *words["destination"]],
            environment=self.environment if self.machine == "destination" else None, **where)
        self.receiver.wait_listening()
        self.sender = self.chain.context.endpoint(
            "send", ["--qmp", self.source.qmp_path, *words_of_a_sender(downtime_limit),
                     *words["source"]],
            environment=self.environment if self.machine == "source" else None, **where)
        if hold:
            self.wait_held()
        if self.column == "LISTEN":
            self.sender.wait_state("CONNECT")
        return self

    @property
    def own(self):
        """The end that is held."""
        return self.sender if self.machine == "source" else self.receiver

    def wait_held(self, place=None):
        place = place or self.place
        self.own.wait_line("injected: at %s$" % place, HELD_SECONDS)
        wait_until(lambda: process_state(self.own.process.pid) == "T",
                   "%s stops in %s" % (self.own.name, place))

    def release(self):
        if self.own.process.poll() is None:
            self.own.signal(signal.SIGCONT)

    def kill(self, endpoint):
        if endpoint.process.poll() is None:
            endpoint.signal(signal.SIGKILL)
            endpoint.process.wait()

    def kill_qemu(self, vm):
        vm.process.kill()
        vm.process.wait()
        # who is held looks after QEMU ten times a second, and does so first when released
        time.sleep(0.2)

    def pause_qemu(self, vm, seconds):
        """QEMU answers late: it is stopped, the migration goes on, later so does QEMU."""
        vm.process.send_signal(signal.SIGSTOP)
        self.release()
        time.sleep(seconds)
        vm.process.send_signal(signal.SIGCONT)

    def check_outcome(self):
        ends = self.sender.finish(END_SECONDS).status, self.receiver.finish(END_SECONDS).status
        fitting = [outcome for outcome in self.outcomes if outcome.fits(*ends)]
        check(fitting, "%s: they end with %s/%s\n%s%s", self, *ends, self.sender.log(),
              self.receiver.log())
        getattr(self, "_check_" + fitting[0].runs)()

    def _is_stopped(self, vm):
        """It does not run, nor will it: what is under way in its QEMU is over."""
        for _ in range(2):
            check(vm.status() != "running", "%s: %s runs", self, vm.name)
            time.sleep(0.1)

    def _check_S(self):
        wait_until(lambda: self.source.status() == "running", "%s: the source runs" % self)
        if self.destination.process.poll() is None:
            self._is_stopped(self.destination)
        self.source.wait_beats(3)
        self.source.verify()
        self.source.check_untouched()
        if self.settings:
            wait_until(lambda: self.source.settings() == self.settings,
                       "%s: QEMU's settings are as before" % self)
        self.destination.kill()

    def _check_D(self):
        wait_until(lambda: self.destination.status() == "running",
                   "%s: the destination runs" % self)
        if self.source.process.poll() is None:
            self._is_stopped(self.source)
            self.source.check_untouched()
        self.destination.wait_beats(3)
        self.destination.verify()
        self.source.kill()
        self.chain.use(self.destination)

    def _check_P(self):
        """Nothing runs, until the operator does what status 3 says."""
        self._is_stopped(self.source)
        if self.destination.process.poll() is None:
            self._is_stopped(self.destination)
        self.destination.kill()
        self.source.check_untouched()
        self.source.qmp.command("cont")
        self.source.wait_beats(3)
        self.source.verify()

    def _check_N(self):
        check(self.source.process.poll() is not None, "%s: the source's QEMU lives", self)
        if self.destination.process.poll() is None:
            self._is_stopped(self.destination)
        self.destination.kill()
        self.chain.boot()

    def __str__(self):
        return "%s %s (%s)" % (self.machine, self.column,
                               " or ".join(outcome.text for outcome in self.outcomes))


# columns that are another way into a state than the first one, and the way
PLACES = {"ROUND final": "STOP/ROUND", "APPLY final": "STOP/APPLY"}


def process_state(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return None


class Chain:
    """A guest, a link, and tries one after the other."""

    def __init__(self, context, index, shape=SMALL):
        self.context, self.shape = context, shape
        self.link = context.link(name="-%d" % index)
        self.boot()

    def boot(self):
        source = self.context.source(self.shape)
        source.wait_booted()
        self.use(source)

    def use(self, source):
        self.source, self.settings = source, source.settings()

    def move(self):
        """What must always work in the end."""
        destination = self.context.destination(self.shape)
        pair = self.context.start_migration(self.source, destination, SENDER_WORDS,
                                            port="af_packet", link=self.link)
        self.context.finish_migration(*pair, self.source, destination)


def in_parallel(functions):
    """Most of the time is waiting for a silent peer: do several at once. The first failure is
    raised when all have ended."""
    failures = []

    def guarded(function):
        try:
            function()
        except BaseException as failure:  # pylint: disable=broad-except
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(f,)) for f in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise Failure("\n".join(str(f) if isinstance(f, Failure) else repr(f) for f in failures))


def try_line(context, line, columns, strike, chains=1):
    """All the cells of a line, or those of `columns`, by `strike(cell)`, in `chains` chains."""
    cells = [(c, o) for c, o in line.cells.items() if columns is None or c in columns]
    chains = min(chains, len(cells))

    def chain_of(index):
        chain = Chain(context, index)
        for column, outcomes in cells[index::chains]:
            cell = Cell(chain, line.machine, column, outcomes)
            try:
                strike(cell)
                cell.check_outcome()
            except Failure as failure:
                raise Failure("%s in %s: %s" % (line.name, cell, failure)) from failure
        chain.move()

    in_parallel([lambda i=i: chain_of(i) for i in range(chains)])
