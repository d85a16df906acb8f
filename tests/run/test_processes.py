"""Calls on several threads in processes of their own: their environment, signals, forks, and how they end.

Each script imports a saved module as `m`, with tiles of 32 rows, and `e`, which has no products of matrices.
"""

import os
import subprocess
import sys
import textwrap

import pytest

import graphgrad as gg
from graphgrad.plan import rows as plan_rows

TILE = 32
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

START = """
import os, signal, sys, threading, time
import numpy as np
import m, e

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has what runs in the background ignore it

rng = np.random.default_rng(0)
x, w = rng.standard_normal((1000, 7), np.float32), rng.standard_normal((7, 5), np.float32)


def call(rows=1000):
    loss, grads = m.forward_and_backward(x[:rows], w)
    return loss, grads["w"]


def expected(rows=1000):
    part = x[:rows].astype(float)
    hidden = np.tanh(part @ w)
    return np.mean(hidden**2), part.T @ (2 * hidden * (1 - hidden**2)) / hidden.size


def right(found=None, rows=1000):
    found = call(rows) if found is None else found
    return all(np.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in zip(found, expected(rows)))


def team():
    return [one for one in threading.enumerate() if one.name == "graphgrad"]


def blas():
    from threadpoolctl import threadpool_info
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("modules")
    before, plan_rows.LARGEST = plan_rows.LARGEST, TILE
    try:
        x, w = gg.input("x", ("batch", 7)), gg.param("w", (7, 5))
        gg.compile(gg.mean(gg.tanh(x @ w) ** 2), wrt=[w], name="m").save(place / "m.py")
        gg.compile(gg.sum(gg.exp(x)), name="e").save(place / "e.py")
    finally:
        plan_rows.LARGEST = before
    return place


@pytest.fixture
def runs(folder, tmp_path):
    """Run a script that has to end by itself, say nothing to stderr, and print "right"."""

    def run(script, threads="3", prints="right"):
        path = tmp_path / "script.py"
        path.write_text(START + textwrap.dedent(script))
        environment = {**os.environ, "PYTHONPATH": str(folder), "OPENBLAS_NUM_THREADS": "2"}
        environment.pop("GRAPHGRAD_THREADS", None)
        if threads is not None:
            environment["GRAPHGRAD_THREADS"] = threads
        done = subprocess.run(
            [sys.executable, "-W", "error", str(path)],
            capture_output=True, text=True, check=False, timeout=60, env=environment,
        )  # fmt: skip
        assert (done.returncode, done.stderr, done.stdout.strip()) == (0, "", prints)

    return run


# ---- how many threads ----


@pytest.mark.parametrize("threads", ["1", "2", "3"])
def test_the_environment_says_how_many_threads_there_are(runs, threads):
    runs("assert right()\nprint(len(team()) or 1)", threads, prints=threads)


@pytest.mark.slow
def test_never_more_threads_than_asked_for_however_many_callers(runs):
    runs("""
        def work():
            for _ in range(30):
                assert right()
                assert len(team()) <= 3
        callers = [threading.Thread(target=work) for _ in range(8)]
        for one in callers: one.start()
        for one in callers: one.join()
        assert len(team()) == 3 and blas() == {2}
        print("right")
    """)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be chosen here")
def test_one_core_is_one_thread(runs):
    runs(
        """
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
        assert right() and not team() and "threadpoolctl" not in sys.modules
        print("right")
        """,
        threads=None,
    )


def test_small_work_starts_no_threads_and_loads_nothing(runs):
    runs(f"""
        for rows in (1, {TILE} - 1 if m._has_lock() else {TILE} // 4 - 1):
            call(rows)
        assert not team() and threading.active_count() == 1 and "threadpoolctl" not in sys.modules
        call({TILE})
        assert team() and "threadpoolctl" in sys.modules
        print("right")
    """)


def test_without_threadpoolctl_products_are_left_to_blas_and_the_rest_runs_on_every_core(runs):
    runs("""
        sys.modules["threadpoolctl"] = None  # importing it fails
        assert right() and not team()
        assert np.allclose(e.forward(x), np.exp(x.astype(float)).sum(), rtol=1e-5)
        assert len(team()) == 3 and right()
        print("right")
    """)


# ---- interruptions ----


@pytest.mark.slow
def test_interruptions_at_any_moment_leave_nothing_behind(runs):
    """Hundreds of them, at moments that no call expects."""
    runs("""
        assert right()
        begin, stop, interrupted = threading.Event(), threading.Event(), 0

        def storm():
            begin.wait()  # until somebody expects it
            delays = np.random.default_rng(1).exponential(0.002, 100_000)
            for delay in delays:
                if stop.wait(delay):
                    return
                signal.raise_signal(signal.SIGINT) if os.name == "nt" else os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=storm)
        end = time.monotonic() + 2.5
        thread.start()
        results = []

        def is_enough():  # on a busy machine, it takes longer
            now = time.monotonic()
            return now > end and (interrupted > 100 or now > end + 30)

        def call_on():
            global interrupted
            while not is_enough():
                try:
                    begin.set()
                    while not is_enough():
                        results.append(call())
                except KeyboardInterrupt:
                    interrupted += 1

        while not is_enough():
            try:
                call_on()
            except KeyboardInterrupt:  # while the one before was being counted
                pass
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        stop.set()
        thread.join()
        assert interrupted > 100, interrupted
        assert len(results) > 10 and all(right(one) for one in results)
        assert len(team()) <= 3 and right()
        assert blas() == {2}, blas()
        assert not m._team.calls and m._team.blas_before is None
        print("right")
    """)


@pytest.mark.parametrize(("owner", "name"), [("threading.Thread", "start"), ("threading.Event", "wait")])
def test_the_interpreter_ends_when_the_start_of_a_thread_was_interrupted(runs, owner, name):
    """Before it runs, or when it does and the caller has not noticed; then there may be one more, which is idle."""
    runs(f"""
        as_usual, left = {owner}.{name}, [1]

        def interrupted(*arguments):
            if left:
                left.pop()
                raise KeyboardInterrupt
            return as_usual(*arguments)

        {owner}.{name} = interrupted
        try:
            call()
        except KeyboardInterrupt:
            assert right() and 3 <= len(team()) <= 4 and blas() == {{2}}
            print("right")
    """)


def test_the_interpreter_ends_when_a_call_was_made_while_threads_were_being_started(runs):
    runs("""
        start = threading.Thread.start

        def calling(thread):
            start(thread)
            results.append(call())

        results = []
        threading.Thread.start = calling
        assert right() and len(results) >= 3 and all(right(one) for one in results)
        assert len(team()) == 3 and blas() == {2}
        print("right")
    """)


# ---- forks ----

AT_WORK = """
stop = threading.Event()

def work():
    while not stop.is_set():
        assert right()

callers = [threading.Thread(target=work) for _ in range(2)]
for one in callers: one.start()
time.sleep(0.05)
"""


@needs_fork
@pytest.mark.slow
def test_a_child_of_a_fork_amid_calls_has_its_own_threads_and_all_of_blas(runs):
    runs(
        f"import warnings; warnings.simplefilter('ignore')\n{AT_WORK}"
        + textwrap.dedent("""
        for _ in range(30):
            time.sleep(0.003)
            child = os.fork()
            if child == 0:
                signal.alarm(20)
                good = not team() and blas() == {2} and right() and len(team()) == 3 and blas() == {2}
                os._exit(0 if good else 1)
            assert os.waitpid(child, 0)[1] == 0
        stop.set()
        for one in callers: one.join()
        assert blas() == {2}
        print("right")
        """)
    )


@needs_fork
@pytest.mark.slow
def test_a_fork_waits_until_nobody_tells_blas_anything(runs):
    """Who tells it holds locks of its libraries, which the child would have locked for good."""
    runs("""
        import warnings; warnings.simplefilter("ignore")

        class Slow:
            lock, threads, threading_layer = threading.Lock(), 2, "pthreads"

            @property
            def num_threads(self):
                return self.threads

            def set_num_threads(self, threads):
                with self.lock:
                    time.sleep(0.001)
                    self.threads = threads

        library = Slow()
        m._team.blas = (library,)
        stop = threading.Event()

        def work():
            while not stop.is_set():
                call()

        callers = [threading.Thread(target=work) for _ in range(2)]
        for one in callers: one.start()
        for _ in range(30):
            time.sleep(0.0007)
            child = os.fork()
            if child == 0:
                signal.alarm(20)
                os._exit(0 if right() and library.threads == 2 else 1)
            assert os.waitpid(child, 0)[1] == 0
        stop.set()
        for one in callers: one.join()
        assert library.threads == 2
        print("right")
    """)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_pools_of_processes(runs, method):
    if method == "fork" and not hasattr(os, "fork"):
        pytest.skip("no fork here")
    runs(f"""
        import multiprocessing, warnings

        def works(rows):
            return right(None, rows) and len(team()) == 3 and blas() == {{2}}

        if __name__ == "__main__":
            warnings.simplefilter("ignore")
            assert right()
            with multiprocessing.get_context({method!r}).Pool(2) as pool:
                assert pool.map(works, [1000, 500, 77, 999]) == [True] * 4
            assert right()
            print("right")
    """)


# ---- the end ----


@pytest.mark.parametrize("delay", [0, 0.01, 0.05])
def test_the_interpreter_may_end_while_a_daemon_thread_calls(runs, delay):
    runs(f"""
        def work():
            while True:
                call()

        for _ in range(3):
            threading.Thread(target=work, daemon=True).start()
        assert right()
        time.sleep({delay})
        print("right")
    """)


def test_the_interpreter_may_end_right_after_a_call(runs):
    runs("assert right()\nprint('right')\nsys.exit()")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_call_when_the_interpreter_ends(folder, when):
    """Registered before the module's own handler, it runs after that, when the team's threads have ended."""
    done_before = "not team()" if when == "before" else "team()"
    register = (
        f"import atexit; atexit.register(lambda: print({done_before} and right() and right() and 'right'))\n"
    )
    script = register + START if when == "before" else START + register
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script + "\nassert right() and team()\n"],
        capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "PYTHONPATH": str(folder), "GRAPHGRAD_THREADS": "3"},
    )  # fmt: skip
    assert (done.returncode, done.stderr, done.stdout.strip()) == (0, "", "right")
