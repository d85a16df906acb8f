"""ONNX's operators that move elements, in terms of graphgrad; what says the result's shape is an array, not a node."""

import math
from typing import Any

import numpy as np

import graphgrad as gg


def _numbers(values: Any) -> list[int]:
    return [int(value) for value in values]


def center_crop_pad(x: Any, shape: Any, axes: Any = None) -> Any:
    wanted = dict(
        zip(range(x.ndim) if axes is None else [axis % x.ndim for axis in axes], _numbers(shape), strict=True)
    )
    for axis, size in wanted.items():
        have = x.shape[axis]
        if size < have:
            start = (have - size) // 2
            x = x[(*(slice(None),) * axis, slice(start, start + size))]
        else:
            before = (size - have) // 2
            x = gg.pad(x, {axis: (before, size - have - before)})
    return x


def constant_of_shape(shape: Any, value: Any = None) -> Any:
    fill = np.zeros((), np.float32) if value is None else np.asarray(value).reshape(())
    return gg.full(_numbers(shape), gg.const(fill))


def depth_to_space(x: Any, blocksize: int, mode: str = "DCR") -> Any:
    n, channels, height, width = x.shape
    depth = channels // blocksize**2
    if mode == "DCR":
        blocks = gg.transpose(
            gg.reshape(x, (n, blocksize, blocksize, depth, height, width)), (0, 3, 4, 1, 5, 2)
        )
    else:
        blocks = gg.transpose(
            gg.reshape(x, (n, depth, blocksize, blocksize, height, width)), (0, 1, 4, 2, 5, 3)
        )
    return gg.reshape(blocks, (n, depth, height * blocksize, width * blocksize))


def space_to_depth(x: Any, blocksize: int, mode: str = "DCR") -> Any:
    n, depth, height, width = x.shape
    blocks = gg.reshape(x, (n, depth, height // blocksize, blocksize, width // blocksize, blocksize))
    order = (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4)
    return gg.reshape(
        gg.transpose(blocks, order), (n, depth * blocksize**2, height // blocksize, width // blocksize)
    )


def expand(x: Any, shape: Any) -> Any:
    return gg.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(_numbers(shape))))


def eye_like(x: Any, dtype: int | None = None, k: int = 0) -> Any:
    from onnx import helper

    wanted = x.dtype if dtype is None else helper.tensor_dtype_to_np_dtype(dtype)
    return gg.eye(*x.shape, k=k, dtype=wanted)


def flatten(x: Any, axis: int = 1) -> Any:
    at = axis % x.ndim if axis < 0 else axis
    return gg.reshape(x, (math.prod(x.shape[:at]), math.prod(x.shape[at:])))


def _place(indices: Any) -> tuple[Any, ...]:
    """The last axis of the indices says where along each axis."""
    return tuple(indices[..., at] for at in range(indices.shape[-1]))


def gather_nd(x: Any, indices: Any, batch_dims: int = 0) -> Any:
    batch = np.indices(indices.shape[:batch_dims], sparse=True)
    rest = (1,) * (indices.ndim - 1 - batch_dims)
    return x[(*(axis.reshape(axis.shape + rest) for axis in batch), *_place(indices))]


def one_hot(indices: Any, depth: Any, values: Any, axis: int = -1) -> Any:
    count = int(depth.item())
    whole = gg.cast(indices, "int64")
    at = axis % (indices.ndim + 1)
    wanted = gg.expand_dims(gg.where(whole < 0, whole + count, whole), at)
    numbers = np.arange(count).reshape([-1 if own == at else 1 for own in range(indices.ndim + 1)])
    return gg.where(gg.equal(wanted, numbers), values[1], values[0])


def pad(x: Any, pads: Any, value: Any = None, axes: Any = None, mode: str = "constant") -> Any:
    chosen = range(x.ndim) if axes is None else [int(axis) % x.ndim for axis in axes]
    before, after = np.reshape(pads, (2, -1)).tolist()
    for axis, low, high in zip(chosen, before, after, strict=True):
        cut = slice(max(-low, 0), x.shape[axis] - max(-high, 0))
        x = x[(*(slice(None),) * axis, cut)]
    widths = {
        axis: (max(low, 0), max(high, 0)) for axis, low, high in zip(chosen, before, after, strict=True)
    }
    more = {} if value is None else {"constant_values": value.item()}
    return gg.pad(x, widths, mode=mode, **more)


def reshape(x: Any, shape: Any, allowzero: int = 0) -> Any:
    wanted = [x.shape[at] if size == 0 and not allowzero else size for at, size in enumerate(_numbers(shape))]
    return gg.reshape(x, wanted)


def reverse_sequence(x: Any, lengths: Any, batch_axis: int = 1, time_axis: int = 0) -> Any:
    steps = np.arange(x.shape[time_axis])
    long = gg.expand_dims(lengths, 1)
    order = gg.where(steps < long, long - 1 - steps, steps)  # by batch and time
    full = order if batch_axis < time_axis else gg.transpose(order)
    wide = gg.reshape(full, (*full.shape, *(1,) * (x.ndim - 2)))
    return gg.take_along_axis(x, gg.broadcast_to(wide, x.shape), axis=time_axis)


def _write(x: Any, place: Any, updates: Any, reduction: str) -> Any:
    method = {"none": "set", "mul": "multiply"}.get(reduction, reduction)
    return getattr(gg.at(x, place), method)(updates)


def scatter_elements(x: Any, indices: Any, updates: Any, axis: int = 0, reduction: str = "none") -> Any:
    place: list[Any] = list(np.indices(indices.shape))
    place[axis] = indices
    return _write(x, tuple(place), updates, reduction)


def scatter_nd(x: Any, indices: Any, updates: Any, reduction: str = "none") -> Any:
    return _write(x, _place(indices), updates, reduction)


def slices(x: Any, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Any:
    chosen = range(len(starts)) if axes is None else [axis % x.ndim for axis in _numbers(axes)]
    strides = [1] * len(starts) if steps is None else _numbers(steps)
    item = [slice(None)] * x.ndim
    for axis, start, end, step in zip(chosen, _numbers(starts), _numbers(ends), strides, strict=True):
        item[axis] = slice(start, end, step)
    return x[tuple(item)]


def split(x: Any, sizes: Any = None, axis: int = 0, num_outputs: int = 1) -> Any:
    if sizes is None:  # all alike but for the last, which may be shorter
        each = -(-x.shape[axis] // num_outputs)
        return gg.split(x, [each * at for at in range(1, num_outputs)], axis)
    return gg.split(x, np.cumsum(sizes)[:-1].tolist(), axis)


def tensor_scatter(x: Any, update: Any, start: Any, mode: str = "linear", axis: int = -2) -> Any:
    at = axis % x.ndim
    length = update.shape[at]
    row = gg.expand_dims(start, 1) + np.arange(length)
    if mode == "circular":
        row = gg.mod(row, x.shape[at])
    place: list[Any] = list(np.indices(update.shape, sparse=True))
    place[at] = gg.reshape(row, tuple(size if own in (0, at) else 1 for own, size in enumerate(update.shape)))
    return gg.at(x, tuple(place)).set(update)


def top_k(x: Any, k: Any, axis: int = -1, largest: int = 1, sorted: int = 1) -> Any:
    return gg.topk(x, int(k.item()), axis, bool(largest))


def trilu(x: Any, k: Any = None, upper: int = 1) -> Any:
    number = 0 if k is None else int(k.item())
    return gg.triu(x, number) if upper else gg.tril(x, number)


def upsample(x: Any, scales: Any, mode: str = "nearest") -> Any:
    for axis, scale in enumerate(scales):
        x = gg.repeat(x, int(scale), axis)
    return x
