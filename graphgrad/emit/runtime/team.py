"""The threads that loops over tiles run on."""

import atexit
import os
import sys
import threading
import weakref
from collections import deque
from contextlib import suppress
from contextvars import copy_context
from queue import SimpleQueue

# ---- from here on, word for word ----


class _Call:
    """The shares that one call's work is divided into. Whichever thread is free takes the next one."""

    def __init__(self, share, count):
        self.share, self.left, self.done = share, deque(range(count)), [None] * count
        self.failed = []  # errors; as soon as there is one, nobody begins anything more
        self.helpers = []  # for each thread, its number and a lock that it holds as long as it is at work
        self.over = threading.Lock()  # locked as long as somebody need be waited for
        self.over.acquire()
        self.context = copy_context()  # the caller's; NumPy's handling of floating-point errors is part of it
        self.cores, self.parts = (), []  # where threads may run, and its parts that no thread has yet
        self.is_short = True  # so far
        self.blas_before = ()
        self.ended = False

    def work(self):
        """Do what nobody has taken yet."""
        while self.left and not self.failed:
            try:
                number = self.left.popleft()
            except IndexError:  # somebody was quicker
                return
            self.done[number] = self.share(number, self.failed)

    def help(self, begin):
        """What a thread of the team does: begin(call), and what nobody has taken yet."""
        busy = threading.Lock()
        with busy:
            self.helpers.append((threading.get_native_id(), busy))  # before it looks what is left, see wait
            try:
                if self.left:
                    begin(self)
                    self.context.copy().run(self.work)
            except BaseException as error:
                self.failed.append(error)
            if self.failed or None not in self.done:
                self.go_on()

    def go_on(self):
        """Nobody need be waited for any more; to be said once or more often."""
        with suppress(RuntimeError):
            self.over.release()

    def part(self, last):
        """Cores for a thread: those that it had last, if nobody else has them, or else the next."""
        try:
            self.parts.remove(last)
            return last
        except ValueError:
            return self.parts.pop() if self.parts else self.cores

    def wait(self):
        """Until nobody else is at work; nobody begins anything from here on."""
        self.left.clear()
        for _, busy in self.helpers:
            with suppress(RuntimeError), busy:  # which a fork meanwhile has released in the child
                pass

    def results(self):
        """What the shares gave, or the first error."""
        error = self.failed[0] if self.failed else None
        self.failed.clear()  # or the error would hold what holds the error
        try:
            if error is not None:
                raise error
            for number, result in enumerate(self.done):
                if result is None:  # hardly ever: it was taken by a thread that a fork has not kept
                    self.done[number] = self.share(number, self.failed)
            return self.done
        finally:  # the queue may hold this call until a thread is free
            self.share = self.context = error = None
            self.done = ()


class _Team:
    """The threads that all modules of a process share, and the one owner of how many of them BLAS may use.

    They have cores of their own while they work, which a caller's thread might keep, so the caller waits; but
    it does what nobody else has begun where not enough of them are free. Anything here may be interrupted, by
    the exception of a signal or by a call within the call.
    """

    def __init__(self):
        self.calls = self.blas_before = self.blas = None
        self.moment = 0.1  # seconds for which a call's threads have cores of their own
        self.own = threading.local()  # what a thread of ours knows
        self.lock = threading.RLock()
        self.start()
        atexit.register(self.stop)
        if hasattr(os, "register_at_fork"):
            # with the lock, as nobody must be telling BLAS anything: its own would stay locked in the child
            os.register_at_fork(
                before=self.lock.acquire, after_in_parent=self.lock.release, after_in_child=self.start
            )
            os.register_at_fork(after_in_child=self.lock.release)

    def start(self):
        """As in a new process: threads do not survive a fork, and what they had locked stays locked."""
        under_way = self.calls or ()
        self.tasks, self.threads, self.starting, self.at_work = SimpleQueue(), {}, set(), set()
        self.calls, self.calls_with_blas = weakref.WeakSet(), weakref.WeakSet()
        self.ended = False
        for call in under_way:
            call.go_on()
            for _, busy in call.helpers:
                if busy.locked():
                    busy.release()
        self.limit_blas()

    def stop(self):
        """Before the interpreter ends: threads that still compute would read memory that is gone."""
        with self.lock:
            self.ended, threads, self.threads = True, self.threads, {}
        self.tasks.put(None)
        for thread in list(threads):
            thread.join()

    def cores(self):
        """How many threads may work at once: GRAPHGRAD_THREADS, or the cores that this process may use."""
        given = os.environ.get("GRAPHGRAD_THREADS", "").strip()
        if not given:
            return len(self.allowed()) or os.cpu_count() or 1
        if not given.isdecimal() or not int(given):
            raise ValueError(f"GRAPHGRAD_THREADS is how many threads may work, from 1 on, not {given[:40]!r}")
        return int(given)

    def allowed(self):
        """The cores that the calling thread may use, where the system tells; for ours, the caller's."""
        if hasattr(self.own, "cores"):
            return self.own.cores
        return tuple(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else ()

    def shares(self, most, uses_blas, threads):
        """Into how many shares to divide what is worth so many. BLAS must not have threads meanwhile."""
        if most < 2 or threads == 1:
            return 1
        shares = min(most, threads or self.cores())
        return shares if shares == 1 or not uses_blas or self.controls_blas() else 1

    def controls_blas(self):
        """Whether BLAS can be told how many threads to use; with threadpoolctl it can."""
        if self.blas is None:
            try:
                from threadpoolctl import ThreadpoolController  # only now: it takes some milliseconds
            except ImportError:
                self.blas = ()
            else:
                self.blas = tuple(ThreadpoolController().select(user_api="blas").lib_controllers)
        return bool(self.blas)

    def limit_blas(self):
        """BLAS has one thread while a call is under way that uses it, and afterwards what it had before."""
        with self.lock:
            before = self.blas_before  # a call within the call may forget it meanwhile, or note it
            if self.calls_with_blas:
                if before is None:  # noted before anything changes, forgotten when all is as it was
                    found = [(one, one.num_threads) for one in self.blas if not self.is_per_thread(one)]
                    before = self.blas_before = self.blas_before or found
                self.set_blas([(library, 1) for library in self.blas])
                if self.blas_before is None:  # in the child of a fork meanwhile, where no call is under way
                    self.set_blas(before)
            elif before is not None:
                self.set_blas(before)
                self.blas_before = None

    def is_per_thread(self, library):
        """Whether each thread has its own number of threads that a library of BLAS uses for it."""
        return getattr(library, "threading_layer", None) == "openmp"

    def set_blas(self, pairs):
        """Tell libraries how many threads to use.

        Since threadpoolctl 3.8, libraries obey only the first thread that tells them, until that is cleared.
        """
        for library, threads in pairs:
            clear = getattr(library, "clear_controlling_thread", lambda force: None)
            clear(force=True)
            library.set_num_threads(threads)
            clear(force=True)

    def ask(self, call, count):
        """Have up to so many threads work at a call. Whether there is a free one for each of them."""
        count = min(count, self.cores())
        with self.lock:
            threads, starting = self.threads, self.starting  # a fork gives the child new ones
            while len(threads) + len(starting) < count and not self.ended:
                thread = threading.Thread(
                    target=self.serve, args=(self.tasks, threads), name="graphgrad", daemon=True
                )
                try:
                    starting.add(thread)
                    thread.start()
                except RuntimeError:  # no more can be started
                    break
                finally:
                    starting.discard(thread)
                threads[thread] = None
            call.cores = self.allowed()
            free = len([thread for thread in list(threads) if thread.ident not in self.at_work])
            are_free = free - self.tasks.qsize() >= count
            if are_free and len(call.cores) >= count:
                ends = [len(call.cores) * at // count for at in range(count + 1)]
                call.parts = [call.cores[first:last] for first, last in zip(ends, ends[1:])]
            for _ in list(threads)[:count]:
                self.tasks.put(call)
        return are_free

    def serve(self, tasks, threads):
        """What a thread does as long as it lives."""
        thread, part = threading.current_thread(), ()
        threads[thread] = None  # who has started it may have been interrupted

        def begin(call):
            nonlocal part
            self.own.cores, part = call.cores, call.part(part)
            self.hold(0, part)
            if not call.is_short:  # since a moment ago
                self.hold(0, call.cores)
            self.set_blas([(library, 1) for library in self.blas or () if self.is_per_thread(library)])

        while (call := tasks.get()) is not None:
            self.at_work.add(thread.ident)
            call.help(begin)
            self.at_work.discard(thread.ident)
            del call  # and what it holds
        tasks.put(None)  # for the others

    def hold(self, thread, cores):
        """Have a thread of ours run on these cores only, if the system lets us."""
        if cores and hasattr(os, "sched_setaffinity"):
            with suppress(OSError):
                os.sched_setaffinity(thread, cores)

    def wait(self, call):
        """Until all is done, something has failed, or all has been begun at least.

        Where a process has rested, Linux has threads that wait for each other share a core for some 50 ms.
        So they have cores of their own at first, and then any: somebody else may need those.
        """
        if not call.over.acquire(timeout=self.moment):
            call.is_short = False
            for thread, _ in call.helpers:
                self.hold(thread, call.cores)
            call.work()  # nearly always nothing: what threads would have taken that are not free after all

    def run(self, share, count, uses_blas):
        """share(number, failed) for each number below count; their results in order.

        As soon as one fails, failed is no longer empty, and the others had better stop.
        """
        call = _Call(share, count)
        try:
            self.calls.add(call)
            if uses_blas:
                call.blas_before = [(one, one.num_threads) for one in self.blas if self.is_per_thread(one)]
                self.calls_with_blas.add(call)
                self.limit_blas()
            # within the lock, as in a profiler, threads that want it as well could not be waited for
            if not self.lock._is_owned() and self.ask(call, count):
                self.wait(call)
            else:
                call.work()
        except BaseException as error:
            call.failed.append(error)
        finally:
            while not call.ended:
                try:
                    self.end(call)
                except BaseException as error:  # an interruption: it waits until all is as it was before
                    call.failed[:] = [error]
        return call.results()

    def end(self, call):
        """Leave nothing of a call under way."""
        call.wait()
        with self.lock:
            self.calls.discard(call)
            self.calls_with_blas.discard(call)
            self.limit_blas()
            self.set_blas(call.blas_before)
        call.ended = True


_team = sys.modules.get("_graphgrad_team_1") or sys.modules.setdefault("_graphgrad_team_1", _Team())
