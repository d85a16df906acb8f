"""The threads that loops over tiles run on."""

import atexit
import os
import sys
import threading
import weakref
from collections import deque
from contextvars import copy_context
from queue import SimpleQueue

# ---- from here on, word for word ----


class _Call:
    """The shares that one call's work is divided into. Whoever is free takes the next one."""

    def __init__(self, share, count):
        self.share, self.left, self.done = share, deque(range(count)), [None] * count
        self.failed = []  # errors; as soon as there is one, nobody begins anything more
        self.helpers = []  # a lock for each other thread, which holds it as long as it is at work
        self.context = copy_context()  # the caller's; NumPy's handling of floating-point errors is part of it
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

    def help(self):
        """What another thread does."""
        busy = threading.Lock()
        with busy:
            self.helpers.append(busy)  # first of all: who sees that nothing is left also sees who is at work
            try:
                if self.left:
                    self.context.copy().run(self.work)
            except BaseException as error:
                self.failed.append(error)

    def wait(self):
        """Until nobody else is at work; nobody begins anything from here on."""
        self.left.clear()
        for busy in self.helpers:
            with busy:
                pass

    def results(self):
        """What the shares gave, or the first error."""
        error = self.failed[0] if self.failed else None
        self.failed.clear()  # or the error would hold what holds the error
        try:
            if error is not None:
                raise error
            self.left.extend(number for number, result in enumerate(self.done) if result is None)
            self.work()  # nearly always nothing: what was taken by threads that a fork has not kept
            return self.done
        finally:
            self.share = self.context = error = None  # the queue may hold this call until a thread is free


class _Team:
    """The threads that all modules of a process share, and the one owner of how many of them BLAS may use.

    Callers do themselves what nobody else has begun, so nobody ever waits for a free thread. Anything here
    may be interrupted, by the exception of a signal or by a call within the call, and is then done once more.
    """

    def __init__(self):
        self.calls = self.blas_before = self.blas = None
        self.start()
        atexit.register(self.stop)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.start)

    def start(self):
        """As in a new process: threads do not survive a fork, and their locks stay locked."""
        under_way = self.calls or ()
        self.lock, self.tasks, self.threads = threading.RLock(), SimpleQueue(), []
        self.calls, self.calls_with_blas = weakref.WeakSet(), weakref.WeakSet()
        self.ended = False
        for busy in [busy for call in under_way for busy in call.helpers if busy.locked()]:
            busy.release()
        self.limit_blas()

    def stop(self):
        """Before the interpreter ends: threads that still compute would read memory that is gone."""
        with self.lock:
            self.ended, threads, self.threads = True, self.threads, []
        for _ in threads:
            self.tasks.put(None)
        for thread in threads:
            if thread.is_alive():
                thread.join()

    def cores(self):
        """How many threads may work at once: GRAPHGRAD_THREADS, or the cores that this process may use."""
        given = os.environ.get("GRAPHGRAD_THREADS", "").strip()
        if not given:
            return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        if not given.isdecimal() or not int(given):
            raise ValueError(f"GRAPHGRAD_THREADS is how many threads may work, from 1 on, not {given[:40]!r}")
        return int(given)

    def shares(self, tiles, uses_blas, threads):
        """Into how many shares to divide so many tiles. Threads of BLAS would be in the way of ours."""
        if tiles < 2 or threads == 1:
            return 1
        shares = min(tiles, threads or self.cores())
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
            if self.calls_with_blas:
                if self.blas_before is None:  # noted before anything changes, forgotten when all is as it was
                    found = [(one, one.num_threads) for one in self.blas if not self.is_per_thread(one)]
                    self.blas_before = self.blas_before or found
                self.set_blas([(library, 1) for library in self.blas])
            elif self.blas_before is not None:
                self.set_blas(self.blas_before)
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

    def ask(self, work, count):
        """Have up to so many other threads do work, as soon as they are free."""
        others = min(count, self.cores() - 1)
        with self.lock:
            self.threads = [thread for thread in self.threads if thread.is_alive()]
            while len(self.threads) < others and not self.ended:
                thread = threading.Thread(
                    target=self.serve, args=(self.tasks,), name="graphgrad", daemon=True
                )
                self.threads.append(thread)
                try:
                    thread.start()
                except RuntimeError:  # no more can be started
                    self.threads.remove(thread)
                    break
            others = min(others, len(self.threads))
        for _ in range(others):
            self.tasks.put(work)

    def serve(self, tasks):
        """What a thread does as long as it lives."""
        while (work := tasks.get()) is not None:
            self.set_blas([(library, 1) for library in self.blas or () if self.is_per_thread(library)])
            work()
            del work  # and what it holds

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
            self.ask(call.help, count - 1)
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
