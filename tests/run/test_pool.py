"""The arrays that threads keep: nobody gets what somebody else has, whenever a call begins within another."""

import sys
import threading

from graphgrad.emit.runtime import pool
from graphgrad.emit.runtime.pool import _borrow, _give_back, _put_away


class Arrays:
    def __init__(self, size):
        self.size = size


def kept():
    """Everything that the pool would hand out."""
    last = [arrays for _, arrays in pool._pool.last.values()]
    return [*last, *(arrays for several in pool._pool.free.values() for arrays in several)]


def use():
    """A call that needs arrays of two sizes, one of them twice; each is its own as long as it has it."""
    taken = []
    for size in (1, 1, 2, 1):
        taken.append(_borrow(Arrays, size))
        assert taken[-1].size == size
    ids = [id(arrays) for arrays in (*taken, *kept())]
    assert len(set(ids)) == len(ids)
    for arrays in taken[:3]:
        _give_back(arrays, arrays.size)
    _put_away(taken[3], taken[3].size)
    ids = [id(arrays) for arrays in kept()]
    assert len(set(ids)) == len(ids)


def interrupted(at):
    """Whether there was a step `at` of a call within the pool; another call is made there."""
    steps = 0

    def trace(frame, event, argument):
        nonlocal steps
        if frame.f_code.co_filename != pool.__file__:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            if steps == at:
                steps += 1
                use()  # no tracing while this function runs
            steps += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        use()
    finally:
        sys.settrace(before)
    use()
    return steps > at


def test_a_call_from_within_at_any_step_shares_no_arrays():
    found = []

    def work():  # a thread of its own has a pool of its own
        use()
        at = 0
        while interrupted(at):
            at += 1
        found.append(at)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found and found[0] > 100


def test_the_arrays_of_the_last_call_come_back_and_others_are_kept():
    found = []

    def work():
        one = _borrow(Arrays, 1)
        _give_back(one, 1)
        other = _borrow(Arrays, 2)
        _give_back(other, 2)
        found.append(_borrow(Arrays, 2) is other and _borrow(Arrays, 1) is one)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [True]
