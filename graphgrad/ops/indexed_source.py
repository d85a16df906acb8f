"""Indexing by arrays of integers in NumPy source, where there is an array for the result.

``x[index]`` always makes a new array, and on the way counting numbers as long as the index. Here both stay short: a
few rows are taken at a time. NumPy itself refuses a number that is out of range.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphgrad.core.form import ATOM, Destination, Form, Helper, Lines, Speller
from graphgrad.core.node import Node
from graphgrad.core.spec import Shape, size_of
from graphgrad.ops.layout import axis_along, axis_taken, spell_places
from graphgrad.ops.subscript import ARRAY, Index, each

_TAKE = Helper(
    "_take",
    '''
def _take(values, index, axis, out):
    """np.take(values, index, axis) into out, which np.take copies if it checks the index: little, or not."""
    if out.size <= 1024:
        return values.take(index, axis, out)
    size = values.shape[axis]
    if index.size and not -size <= index.min() <= index.max() < size:
        np.take(values, index, axis=axis)  # raises the IndexError
    return np.take(values, index, axis=axis, out=out, mode="wrap")
''',
)

_PICK = Helper(
    "_pick",
    '''
def _pick(rows, index, out):
    """rows[i, index[i]] into out, one or several of each row; a few rows at a time take little memory."""
    count = max(1, min(len(index), 4096 // max(1, index[:1].size)))
    at = np.arange(count) if index.ndim == 1 else np.arange(count)[:, None]
    for first in range(0, len(index), count):
        some = index[first:first + count]
        out[first:first + count] = rows[first:first + count][at[:len(some)], some]
    return out
''',
)

_PUT = Helper(
    "_put",
    '''
def _put(rows, index, values):
    """rows[i, index[i]] = values[i], or the one value; a few rows at a time take little memory."""
    count = max(1, min(len(index), 4096 // max(1, index[:1].size)))
    at = np.arange(count) if index.ndim == 1 else np.arange(count)[:, None]
    for first in range(0, len(index), count):
        some = index[first:first + count]
        chosen = values[first:first + count] if np.ndim(values) else values
        rows[first:first + count][at[:len(some)], some] = chosen
''',
)

_ADD = Helper(
    "_add",
    '''
def _add(rows, index, values):
    """rows[i, index[i]] += values[i], or the one value; a few rows at a time take little memory."""
    count = max(1, min(len(index), 4096 // max(1, index[:1].size)))
    at = np.arange(count) if index.ndim == 1 else np.arange(count)[:, None]
    for first in range(0, len(index), count):
        some = index[first:first + count]
        chosen = values[first:first + count] if np.ndim(values) else values
        rows[first:first + count][at[:len(some)], some] += chosen
''',
)

_TAKE_ALONG = Helper(
    "_take_along",
    '''
def _take_along(values, index, axis, out):
    """np.take_along_axis(values, index, axis) into out; a few rows at a time take little memory."""
    count = max(1, 4096 // max(1, index[:1].size))
    for first in range(0, len(index), count):
        rows = values if axis == 0 else values[first:first + count]
        out[first:first + count] = np.take_along_axis(rows, index[first:first + count], axis)
    return out
''',
)

_PUT_ALONG = Helper(
    "_put_along",
    '''
def _put_along(out, index, values, axis):
    """np.put_along_axis(out, index, values, axis); a few rows at a time take little memory."""
    count = max(1, 4096 // max(1, index[:1].size))
    for first in range(0, len(index), count):
        rows = out if axis == 0 else out[first:first + count]
        np.put_along_axis(rows, index[first:first + count], values[first:first + count], axis)
''',
)


def _axis_picked(index: Index, arrays: Sequence[Node]) -> int | None:
    """The axis, if one array says which element is taken of each line along it."""
    if index.count(ARRAY) != 1 or len(arrays) != 1 or arrays[0].ndim != len(index) - 1:
        return None
    axis = index.index(ARRAY)
    others = tuple(each(at) for at in range(len(index) - 1))
    return axis if others and (*index[:axis], *index[axis + 1 :]) == others else None


def _with_axis(form: Form, axis: int) -> str:
    return f"{form.at(ATOM)}[{':, ' * axis}None]"


def _rows(speller: Speller, form: Form, shape: Shape, lead: int) -> str:
    """An array whose first `lead` axes are one; as sizes may be 0, NumPy is left none to find."""
    if lead == 1:
        return form.text
    last = [
        speller.size(size).text if isinstance(size, int) else f"{form.at(ATOM)}.shape[-1]"
        for size in shape[lead:]
    ]
    return f"{form.at(ATOM)}.reshape({', '.join([speller.size(size_of(shape[:lead])).text, *last])})"


def taken_into(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Form | Lines | None:
    """``x[index]``, written into an array."""
    if to.out is None:
        return None
    x, *arrays = parts
    index, nodes = node.attrs["index"], node.inputs[1:]
    axis = axis_taken(index)
    if axis is not None:
        return Form(f"{speller.helper(_TAKE)}({x.text}, {arrays[0].text}, {axis}, out={to.out})")
    along, picked, lead = axis_along(index, nodes), _axis_picked(index, nodes), len(index) - 1
    if lead in (along, picked):
        pick, rows = speller.helper(_PICK), _rows(speller, x, node.inputs[0].shape, lead)
        own = _rows(speller, arrays[0], nodes[0].shape, lead)
        if lead == 1:
            return Form(f"{pick}({rows}, {own}, out={to.out})")
        return Lines((f"{pick}({rows}, {own}, {_rows(speller, Form('{out}'), node.shape, lead)})",))
    if along is not None:
        return Form(f"{speller.helper(_TAKE_ALONG)}({x.text}, {arrays[0].text}, {along}, out={to.out})")
    if picked is not None:
        own, out = _with_axis(arrays[0], picked), _with_axis(Form("{out}"), picked)
        return Lines((f"{speller.helper(_TAKE_ALONG)}({x.text}, {own}, {picked}, {out})",))
    ndim = max(array.ndim for array in nodes)
    return Lines((f"{{out}}[...] = {x.at(ATOM)}[{spell_places(speller, index, arrays, x.text, ndim)}]",))


def put_rows(
    speller: Speller, node: Node, array: Form, shape: Shape, values: Form, helper: Helper = _PUT
) -> str:
    """``out[..., index] = values``, with an index for each row, or several; `values` has its shape, or is 1."""
    lead = node.ndim - 1
    own, given = _rows(speller, array, shape, lead), values.text
    if not given.isdecimal():
        given = _rows(speller, values, shape, lead)
    return f"{speller.helper(helper)}({_rows(speller, Form('{out}'), node.shape, lead)}, {own}, {given})"


def add_rows(
    speller: Speller, node: Node, v: Form, arrays: Sequence[Form], nodes: Sequence[Node]
) -> str | None:
    """``out[index] += v`` where the index has an element of every row, or several; None for other indices."""
    index: Index = node.attrs["index"]
    lead = len(index) - 1
    if lead > 0 and lead in (axis_along(index, nodes), _axis_picked(index, nodes)):
        return put_rows(speller, node, arrays[0], nodes[0].shape, v, _ADD)
    return None


def put_into(
    speller: Speller, node: Node, v: Form, arrays: Sequence[Form], nodes: Sequence[Node]
) -> str | None:
    """``out[index] = v`` where the index has an element of every row, or several; None for other indices."""
    index: Index = node.attrs["index"]
    along, picked, lead = axis_along(index, nodes), _axis_picked(index, nodes), len(index) - 1
    if lead > 0 and lead in (along, picked):
        return put_rows(speller, node, arrays[0], nodes[0].shape, v)
    if along is not None and lead > 0:
        return f"{speller.helper(_PUT_ALONG)}({{out}}, {arrays[0].text}, {v.text}, {along})"
    if picked is not None:
        own, given = _with_axis(arrays[0], picked), _with_axis(v, picked)
        return f"{speller.helper(_PUT_ALONG)}({{out}}, {own}, {given}, {picked})"
    return None
