"""Something happens at every step of a call: it is interrupted, the process forks, or another call is made there.

A step is one of Python's instructions, of those that the caller executes within the team (and within `threading`, for
threads that are being started). Each time the team has no threads yet, so that all there is to do is done.
"""

import dis
import os
import signal
import sys
import threading

import pytest
from threadpoolctl import threadpool_limits

from graphgrad.emit.runtime import team
from graphgrad.emit.runtime.team import _team
from tests.run.test_team import blas_threads

EXPECTED = [[0], [1], [2]]


@pytest.fixture(autouse=True)
def three_threads_and_two_for_blas(monkeypatch):
    monkeypatch.setenv("GRAPHGRAD_THREADS", "3")
    _team.controls_blas()
    with threadpool_limits(2, user_api="blas"):
        # Python 3.12 tells of steps from the second time on
        call_with(None, float("inf"), (team, threading), anywhere=True)
        yield


def call():
    return _team.run(lambda number, failed: [number], 3, True)


def may_be_interrupted(before):
    """Python looks for signals after calls, where a function begins, and where a loop begins again."""
    return before is None or before.startswith(("CALL", "RESUME", "JUMP_BACKWARD"))


def call_with(happening, at, modules, anywhere):
    """What a call gives during which something happens at one of its steps, and whether there is such a step."""
    files, steps, last = [module.__file__ for module in modules], 0, {}

    def trace(frame, event, argument):
        nonlocal steps
        if frame.f_code.co_filename not in files:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            counts = anywhere or may_be_interrupted(last.get(frame))
            last[frame] = dis.opname[frame.f_code.co_code[frame.f_lasti]]
            steps += counts
            if counts and steps == at + 1:
                happening()  # no tracing while this function runs
        return trace

    _team.tasks.put(None)  # whoever waits there ends
    _team.start()
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        return call(), steps > at
    finally:
        sys.settrace(before)
        last.clear()


def what_is_left():
    """What is not as it was before a call, in words."""
    problems = [name for name in ("calls", "calls_with_blas", "starting") if getattr(_team, name)]
    if (found := blas_threads()) != {2}:
        problems.append(f"BLAS has {found} threads")
    if call() != EXPECTED or (found := blas_threads()) != {2}:
        problems.append(f"the next call is wrong, or leaves BLAS {found} threads")
    return problems


@pytest.mark.slow
def test_a_call_within_a_call():
    at, is_step, nested = 0, True, []
    while is_step:
        nested.clear()
        found, is_step = call_with(lambda: nested.append(call()), at, (team, threading), anywhere=True)
        assert found == EXPECTED and nested == [EXPECTED] * is_step
        assert not what_is_left(), f"at step {at}"
        at += 3  # what goes wrong does so for some steps
    assert at > 1_000


@pytest.mark.slow
def test_an_interruption():
    def interrupt():
        raise KeyboardInterrupt("stop")

    at, interrupted, is_step = 0, 0, True
    while is_step:
        try:
            found, is_step = call_with(interrupt, at, (team, threading), anywhere=False)
            assert found == EXPECTED
        except KeyboardInterrupt:
            interrupted += 1
        assert not what_is_left(), f"at step {at}"
        at += 1
    assert interrupted > 100


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.slow
def test_a_fork():
    """The child goes on with the call, without the threads that work at it."""
    children = []

    def fork():
        children.append(os.fork())
        if children[-1] == 0:  # pragma: no cover
            signal.alarm(20)

    at, is_step = 0, True
    while is_step:
        right = False
        try:
            found, is_step = call_with(fork, at, (team,), anywhere=True)
            right = found == EXPECTED and not what_is_left()
        finally:
            if children and children[-1] == 0:  # pragma: no cover
                os._exit(not right)
        assert right, f"at step {at}"
        at += 7
    assert len(children) > 100
    ends = [os.waitpid(child, 0)[1] for child in children]
    assert not any(ends), f"at step {7 * next(number for number, end in enumerate(ends) if end)}"
