"""two_outputs: forward and backward, with planned memory.

Emitted by graphgrad from models.py, level "default", graph 7e873da4d22a. Needs NumPy only.

    outputs, grads = forward_and_backward(x, w)

    x  float64 (n, 4)  input      w  float64 (4, 2)  parameter

Memory beyond the arguments: 164 * min(n, 32768) + 48 * n + 200 B in a thread's first call, 48 * n + 72 B of
it results, and the rest is kept for its next. A further thread takes 5.37 MB at most.
"""

import atexit
import math
import os
import sys
import threading
import weakref
from collections import deque
from contextlib import suppress
from contextvars import copy_context
from queue import SimpleQueue

import numpy as np

# fmt: off


class _Tile:
    """Where so many rows of n are computed. The calling thread keeps it."""

    def __init__(self, rows, empty=np.empty):
        self.x_w = empty((rows, 2), np.float64)              # x_w, then d_code_2, d_x_w
        # code_transposed, then magnitude, negated, exps, ...
        self.code_transposed = empty((rows, 4), np.float64)
        self.above = empty((rows, 4), np.bool_)              # above
        self.larger = empty((rows, 4), np.float64)           # larger, then back, difference, d_difference
        self.total = empty((rows, 4), np.float64)            # total, then d_code_transposed_squared
        self.squared = empty((rows, 4), np.float64)          # squared
        self.d_x_w_product = empty((rows, 2), np.float64)    # d_x_w_product, then d_x_w_difference


def forward_and_backward(x, w, *, cotangent={"loss": 1.0, "code": None}):
    """Return a dict of loss, code, and the gradients by name."""
    if cotangent["loss"] is None or cotangent["code"] is not None:
        outputs, residuals = forward(x, w)
        return outputs, backward(residuals, cotangent)
    d_loss = np.float64(cotangent["loss"])                       # seed:      d loss / d loss
    n = x.shape[0]

    # forward: decoder
    transposed = w.T                                             # w.T                      models.py:58
    code = np.empty((n, 2), np.float64)
    d_x = np.empty((n, 4), np.float64)

    def tile(first, last, work, part):
        """Rows first to last of n, and their parts of the sums."""
        x_tile = x[first:last]

        # forward: encoder
        x_w = np.dot(x_tile, w, out=work.x_w)                    # x @ w                    models.py:56
        code_tile = np.tanh(x_w, out=code[first:last])           # gg.tanh(x @ w)           models.py:56

        # forward: decoder
        # code @ w.T               models.py:58
        code_transposed = np.dot(code_tile, transposed, out=work.code_transposed)
        above = np.greater(code_transposed, 0, out=work.above)   # gg.sigmoid(code @ w.T)   models.py:58
        magnitude = np.abs(code_transposed, out=code_transposed)
        negated = np.negative(magnitude, out=magnitude)
        exps = np.exp(negated, out=negated)
        larger = np.maximum(above, exps, out=work.larger)
        total = np.add(1, exps, out=work.total)
        back = np.divide(larger, total, out=larger)

        # forward
        difference = np.subtract(back, x_tile, out=back)         # back - x                 models.py:59
        squared = np.square(difference, out=work.squared)        # (back - x) ** 2          models.py:59
        total_2 = squared.sum()                                  # gg.sum((back - x) ** 2)  models.py:59

        # backward
        d_difference = np.multiply(d_loss * 2, difference, out=difference)  # square:    G 2 x

        # backward: decoder
        d_code_transposed_squared = np.square(total, out=total)  # sigmoid:   G y (1 - y)
        d_code_transposed_ratio = np.divide(exps, d_code_transposed_squared, out=exps)
        d_code_transposed = np.multiply(d_difference, d_code_transposed_ratio, out=d_code_transposed_ratio)
        d_code_2 = np.dot(d_code_transposed, w, out=work.x_w)    # matmul:    dA = G B.T
        d_w_product = d_code_transposed.T @ code_tile            # transpose: G with the axes back

        # backward: encoder
        d_x_w_product = np.multiply(code_tile, code_tile, out=work.d_x_w_product)  # tanh:      G (1 - y y)
        d_x_w_difference = np.subtract(1, d_x_w_product, out=d_x_w_product)
        d_x_w = np.multiply(d_code_2, d_x_w_difference, out=d_code_2)
        d_w_product_2 = x_tile.T @ d_x_w                         # matmul:    dB = A.T G
        d_x_product = np.dot(d_x_w, transposed, out=work.code_transposed)  # matmul:    dA = G B.T
        # sum:       x is used more than once
        d_x_tile = np.subtract(d_x_product, d_difference, out=d_x[first:last])
        return total_2, d_w_product, d_w_product_2

    # up to 32,768 rows at a time, on every core
    total_2, d_w_product, d_w_product_2 = _by_tiles(tile, n, 32768, (_Tile, None))

    # backward: encoder
    d_w = d_w_product + d_w_product_2                            # sum:       w is used more than once
    return {"loss": total_2, "code": code}, {"w": d_w, "x": d_x}


def forward(x, w):
    """Return a dict of loss, code, and the residuals that backward needs (arguments among them are not
    copied).
    """
    n = x.shape[0]

    # decoder
    transposed = w.T                                            # w.T                      models.py:58
    code = np.empty((n, 2), np.float64)
    exps = np.empty((n, 4), np.float64)
    total = np.empty((n, 4), np.float64)
    difference = np.empty((n, 4), np.float64)

    def tile(first, last, work, part):
        """Rows first to last of n, and their parts of the sums."""
        x_tile = x[first:last]

        # encoder
        x_w = np.dot(x_tile, w, out=work.x_w)                   # x @ w                    models.py:56
        code_tile = np.tanh(x_w, out=code[first:last])          # gg.tanh(x @ w)           models.py:56

        # decoder
        # code @ w.T               models.py:58
        code_transposed = np.dot(code_tile, transposed, out=work.code_transposed)
        above = np.greater(code_transposed, 0, out=work.above)  # gg.sigmoid(code @ w.T)   models.py:58
        magnitude = np.abs(code_transposed, out=code_transposed)
        negated = np.negative(magnitude, out=magnitude)
        exps_tile = np.exp(negated, out=exps[first:last])
        larger = np.maximum(above, exps_tile, out=work.code_transposed)
        total_tile = np.add(1, exps_tile, out=total[first:last])
        back = np.divide(larger, total_tile, out=larger)
        # back - x                 models.py:59
        difference_tile = np.subtract(back, x_tile, out=difference[first:last])
        # (back - x) ** 2          models.py:59
        squared = np.square(difference_tile, out=work.code_transposed)
        total_2 = squared.sum()                                 # gg.sum((back - x) ** 2)  models.py:59
        return total_2,

    (total_2,) = _by_tiles(tile, n, 32768, (_Tile, None))       # up to 32,768 rows at a time, on every core
    return {"loss": total_2, "code": code.copy()}, (x, w, code, transposed, exps, total, difference)


def _backward_from_loss(residuals, cotangent):
    """Return the gradient of cotangent * loss by each of w, x."""
    x, w, code, transposed, exps, total, difference = residuals
    d_loss = np.float64(cotangent)                                # seed:      d loss / d loss
    n = x.shape[0]
    d_x = np.empty((n, 4), np.float64)

    def tile(first, last, work, part):
        """Rows first to last of n, and their parts of the sums."""
        difference_tile = difference[first:last]
        total_tile = total[first:last]
        exps_tile = exps[first:last]
        code_tile = code[first:last]
        x_tile = x[first:last]
        d_difference = np.multiply(d_loss * 2, difference_tile, out=work.code_transposed)  # square:    G 2 x

        # decoder
        d_code_transposed_squared = np.square(total_tile, out=work.larger)  # sigmoid:   G y (1 - y)
        d_code_transposed_ratio = np.divide(exps_tile, d_code_transposed_squared,
            out=d_code_transposed_squared)
        d_code_transposed = np.multiply(d_difference, d_code_transposed_ratio, out=d_code_transposed_ratio)
        d_code_2 = np.dot(d_code_transposed, w, out=work.x_w)     # matmul:    dA = G B.T
        d_w_product = d_code_transposed.T @ code_tile             # transpose: G with the axes back

        # encoder
        d_x_w_product = np.multiply(code_tile, code_tile, out=work.d_x_w_product)  # tanh:      G (1 - y y)
        d_x_w_difference = np.subtract(1, d_x_w_product, out=d_x_w_product)
        d_x_w = np.multiply(d_code_2, d_x_w_difference, out=d_code_2)
        d_w_product_2 = x_tile.T @ d_x_w                          # matmul:    dB = A.T G
        d_x_product = np.dot(d_x_w, transposed, out=work.larger)  # matmul:    dA = G B.T
        # sum:       x is used more than once
        d_x_tile = np.subtract(d_x_product, d_difference, out=d_x[first:last])
        return d_w_product, d_w_product_2

    # up to 32,768 rows at a time, on every core
    d_w_product, d_w_product_2 = _by_tiles(tile, n, 32768, (_Tile, None))

    # encoder
    d_w = d_w_product + d_w_product_2                             # sum:       w is used more than once
    return {"w": d_w, "x": d_x}


def _backward_from_code(residuals, cotangent):
    """Return the gradient of cotangent * code by each of w, x."""
    x, w, code, transposed, exps, total, difference = residuals
    d_code = cotangent                                             # seed:      d code / d code
    n = x.shape[0]
    d_x = np.empty((n, 4), np.float64)

    def tile(first, last, work, part):
        """Rows first to last of n, and their parts of the sums."""
        code_tile = code[first:last]
        d_code_tile = d_code[first:last]
        x_tile = x[first:last]

        # encoder
        d_x_w_product = np.multiply(code_tile, code_tile, out=work.x_w)  # tanh:      G (1 - y y)
        d_x_w_difference = np.subtract(1, d_x_w_product, out=d_x_w_product)
        d_x_w = np.multiply(d_code_tile, d_x_w_difference, out=d_x_w_difference)
        d_x_tile = np.dot(d_x_w, transposed, out=d_x[first:last])  # matmul:    dA = G B.T
        d_w = x_tile.T @ d_x_w                                     # matmul:    dB = A.T G
        return d_w,

    # up to 32,768 rows at a time, on every core
    (d_w,) = _by_tiles(tile, n, 32768, (_Tile, None))
    return {"w": d_w, "x": d_x}


def backward(residuals, cotangent={"loss": 1.0, "code": None}):
    """Return the gradients; cotangent has the outputs' structure, None is zero."""
    grads = None
    for pull_back, given in ((_backward_from_loss, cotangent["loss"]),
            (_backward_from_code, cotangent["code"])):
        if given is not None:
            more = pull_back(residuals, given)
            grads = more if grads is None else {key: grads[key] + more[key] for key in more}
    if grads is None:
        n = residuals[0].shape[0]
        grads = {"w": np.zeros((4, 2), np.float64), "x": np.zeros((n, 4), np.float64)}
    return grads


def _reference(x, w):
    """The model as it was written, which selfcheck compares with."""
    # encoder
    x_w = x @ w                      # x @ w                    models.py:56
    code = np.tanh(x_w)              # gg.tanh(x @ w)           models.py:56

    # decoder
    code_transposed = code @ w.T     # code @ w.T               models.py:58
    # gg.sigmoid(code @ w.T)   models.py:58
    back = np.exp(np.minimum(code_transposed, 0)) / (1 + np.exp(-np.abs(code_transposed)))
    difference = back - x            # back - x                 models.py:59
    squared = np.square(difference)  # (back - x) ** 2          models.py:59
    total_2 = np.sum(squared)        # gg.sum((back - x) ** 2)  models.py:59
    return {"loss": total_2, "code": code}


def selfcheck(**arrays):
    """Compare the gradients with finite differences of the model as it was written; return the errors.

    On standard normals (zeros for integers) or arrays given by name; along random directions, in float64.
    """
    def wide(value):
        array = np.asarray(value)
        return array.astype(np.float64) if array.dtype.kind == "f" else value

    def first(outputs):
        listed = list(outputs.values()) if isinstance(outputs, dict) else outputs
        return np.asarray(listed[0] if isinstance(listed, (list, tuple)) else listed)

    rng = np.random.default_rng(0)
    n = np.shape(arrays["x"])[0] if "x" in arrays else 7
    values = {
        "x": rng.standard_normal((n, 4)),
        "w": rng.standard_normal((4, 2)),
    }
    values.update(arrays)
    exact = {name: wide(value) for name, value in values.items()}
    cotangent = np.ones_like(first(forward(**values)[0]))
    outputs, grads = forward_and_backward(**values, cotangent={"loss": cotangent, "code": None})
    errors = {}
    got, want = np.asarray(first(outputs), np.float64), np.asarray(first(_reference(**exact)), np.float64)
    finite = np.isfinite(want)
    scale = np.max(np.abs(want), initial=1.0, where=finite)
    errors["value"] = float(np.max(np.abs(got - want), initial=0.0, where=finite) / scale)
    if not errors["value"] <= 1e-9:
        raise AssertionError(f"the value is off by {errors['value']:.1e} of its size")
    for key, name in (("w", "w"), ("x", "x")):
        direction = rng.standard_normal(np.shape(values[name]))
        expected = float(np.sum(grads[key] * direction))
        ends = [
            np.sum(first(_reference(**{**exact, name: exact[name] + move * direction})))
            for move in (1e-6, -1e-6)
        ]
        found = float(ends[0] - ends[1]) / (2 * 1e-6)
        size = float(np.linalg.norm(grads[key])) + 1e-9
        errors[key] = abs(found - expected) / size
        if np.isfinite(found) and not errors[key] <= 1e-6:
            raise AssertionError(f"the gradient by {key} is off by {errors[key]:.1e} of its size")
    return errors


class _Pool(threading.local):
    """Each thread's own arrays to compute into, by class and sizes, but for those that a call is using.

    A call may begin while another call of the thread is anywhere in here: at worst, arrays are dropped.
    """

    def __init__(self):
        self.last = {}  # by class: the sizes of those that were used last, and the arrays
        self.free = {}  # by class and sizes: those that were used before
        self.small = {}  # by class of a tile's arrays: those for a few rows that were used last


_pool = _Pool()


def _borrow(kind, *sizes):
    """Arrays for one call: what an earlier call of this thread gave back, else new ones."""
    last = _pool.last.pop(kind, None)
    if last:
        if last[0] == sizes:
            return last[1]
        _put_away(last[1], *last[0])
    try:
        return _pool.free[kind, sizes].pop()
    except LookupError:  # there are none
        return kind(*sizes)


def _give_back(work, *sizes):
    """Keep arrays for the next call."""
    other = _pool.last.pop(type(work), None)  # out of reach of a call from within, or both might put it away
    _pool.last[type(work)] = sizes, work
    if other:
        _put_away(other[1], *other[0])


def _put_away(work, *sizes):
    """Keep arrays for a later call. A thread keeps those of the eight kinds and sizes that it used last."""
    free, key = _pool.free, (type(work), sizes)
    kept = free.pop(key, [])
    kept.append(work)
    free[key] = kept
    if len(free) > 8:
        free.pop(list(free)[0], None)


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


_none = {}


def _new(kind, sizes):
    """In place of arrays: None for each, since out=None has NumPy's functions make new ones."""
    if kind not in _none:
        _none[kind] = kind(*sizes, lambda shape, dtype: None)
    return _none[kind]


class _Held:
    """Arrays for tiles of up to so many rows."""

    def __init__(self, kind, rows, sizes):
        self.kind, self.rows, self.sizes = kind, rows, sizes
        self.work = None if kind is None else kind(rows, *sizes)
        self.in_use = False

    def cut(self, rows):
        """The arrays for so many rows: the beginning of each."""
        if self.work is None or rows == self.rows:
            return self.work
        arrays = iter(vars(self.work).values())
        return self.kind(
            rows,
            *self.sizes,
            lambda shape, dtype: next(arrays).reshape(-1)[: math.prod(shape)].reshape(shape),
        )


def _hold(kind, rows, sizes):
    """Arrays for tiles of so many rows: the lowest that this thread keeps and that will do, else new ones."""
    key = _Held, (kind, *sizes)
    kept = sorted(_pool.free.pop(key, ()), key=lambda held: held.rows)
    fitting = [held for held in kept if held.rows >= rows]
    if kept:
        kept.remove(fitting[0] if fitting else kept[0])  # new ones take its place, or ever more would be kept
        _pool.free[key] = kept
    return fitting[0] if fitting else _Held(kind, rows, sizes)


def _wide(part):
    """A small sum in float64, so that it does not matter how many tiles are added to it."""
    return part.astype(np.float64) if part.size <= 4096 and part.dtype in (np.float32, np.float16) else part


def _combined(totals, parts, how):
    """The totals with one more part each."""
    return [
        combine(total, part, out=total) if total.size > 4096 else combine(total, part.astype(total.dtype))
        for total, part, combine in zip(totals, parts, how or [np.add] * len(totals))
    ]


class _Share:
    """The tiles from row first to row last, one after the other, and the arrays to compute them into.

    The arrays are those of the thread that makes this, whoever computes: they wait for its next call.
    """

    def __init__(self, tile, first, last, most, kinds, sizes, how, sums=None):
        self.tile, self.first, self.last, self.how = tile, first, last, how
        self.rows, self.kinds, self.sizes = min(most, last - first), kinds, sizes
        self.held = _hold(kinds[0], self.rows, sizes[0])
        self.part = None if kinds[1] is None else _borrow(kinds[1], *sizes[1])
        self.own_sums = None if kinds[1] is None or sums else _borrow(kinds[1], *sizes[1])
        self.sums = sums or self.own_sums

    def compute(self, failed=()):
        """What is combined of all tiles; or nothing, if another share fails meanwhile."""
        totals, whole = None, self.held.cut(self.rows)
        for first in range(self.first, self.last, self.rows):
            if failed:
                return None
            last = min(first + self.rows, self.last)
            work = whole if last - first == self.rows else self.held.cut(last - first)
            found = self.tile(first, last, work, self.sums if totals is None else self.part)
            if totals is None:
                self.dtypes = [one.dtype for one in found]
                totals = [_wide(one) for one in found]
            else:
                totals = _combined(totals, found, self.how)
        return totals

    def give_back(self):
        """Keep the arrays for the next call."""
        _put_away(self.held, self.kinds[0], *self.sizes[0])
        for part in (self.part, self.own_sums):
            if part is not None:
                _give_back(part, *self.sizes[1])


_has_lock = getattr(sys, "_is_gil_enabled", lambda: True)  # the interpreter's; an import may switch it on


def _least(most):
    """How many rows are worth a thread. Without the lock, short statements do not queue."""
    return max(most // (2 if _has_lock() else 8), 1)


def _in_shares(number, uses_blas, count, tile, most, kinds, sizes, how, new):
    """tile for all rows below count, in so many shares side by side; results combined."""
    ends = [count * at // number for at in range(number + 1)]
    shares = [
        _Share(tile, first, last, most, kinds, sizes, how, None if first else new)
        for first, last in zip(ends, ends[1:])
    ]
    if number == 1:
        totals = shares[0].compute()
    else:
        totals, *others = _team.run(lambda at, failed: shares[at].compute(failed), number, uses_blas)
        for other in others:
            totals = _combined(totals, other, how)
    for share in shares:
        share.give_back()
    return tuple(
        total.astype(dtype) if total.dtype != dtype else total
        for total, dtype in zip(totals, shares[0].dtypes)
    )


def _by_tiles(
    tile,
    count,
    most,
    kinds=(None, None),
    sizes=((), ()),
    how=None,
    uses_blas=True,
    threads=None,
    at_most=None,
):
    """tile(first, last, work, part) for all rows below count, at most so many at a time; results combined.

    A tile computes into work, and what is to be combined into part, or into new arrays where that has None.
    kinds are their classes, sizes what their arrays depend on besides the number of rows.
    """
    new = None if kinds[1] is None else _new(kinds[1], sizes[1])
    if count <= most // 8:  # so little that what is around it counts
        held = _pool.small.get(kinds[0])
        if held is None or held.in_use or held.rows != count or held.sizes != sizes[0]:
            held = _pool.small[kinds[0]] = _Held(kinds[0], count, sizes[0])
        held.in_use = True
        results = tile(0, count, held.work, new)
        held.in_use = False
        return results
    number = min(_team.shares(count // _least(most), uses_blas, threads), at_most or count)
    if number == 1 and count <= most:
        held = _hold(kinds[0], count, sizes[0])
        results = tile(0, count, held.cut(count), new)
        _put_away(held, kinds[0], *sizes[0])
        return results
    return _in_shares(number, uses_blas, count, tile, most, kinds, sizes, how, new)
