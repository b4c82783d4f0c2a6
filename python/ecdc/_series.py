"""Series of rows, one per TR, from which single rows are taken: nothing is in memory that was not asked for."""

from __future__ import annotations

import os
import tokenize
from typing import Any, Union

import numpy as np

from ._hrf import convolve

Row = np.ndarray
DAMAGED = (ValueError, EOFError, AttributeError, tokenize.TokenError)  # what numpy raises where an array's header or size is wrong


class Stored:
    """A .npy file, mapped, or an array. A pickled one maps its file anew."""

    def __init__(self, name: str, source: Union[str, "os.PathLike[str]", np.ndarray]) -> None:
        self._path = None if isinstance(source, np.ndarray) else os.fspath(source)
        self._array = source if self._path is None else None
        self._name = name
        array = self.array
        if array.ndim < 2 or array.shape[0] == 0 or array.dtype.kind not in "fiu":
            raise ValueError(f"{name} has {array.dtype} of the shape {array.shape}, allowed are numbers (n_trs, ...)")
        self.shape, self.dtype = array.shape, array.dtype

    @property
    def array(self) -> np.ndarray:
        if self._array is None:
            try:
                self._array = np.load(self._path, mmap_mode="r", allow_pickle=False)
            except DAMAGED as e:
                raise ValueError(f"{self._name} is {self._path}, which is not a .npy file of numbers: {e}") from None
        return self._array

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_array": None} if self._path is not None else self.__dict__

    def __len__(self) -> int:
        return self.shape[0]

    def rows(self, begin: int, end: int) -> np.ndarray:
        return self.array[begin:end]


class Convolved:
    """Floats after the haemodynamic response, each row computed from those that it needs: the result of convolving all of them."""

    def __init__(self, source: Any, hrf: str, tr_s: float) -> None:
        self._source, self._hrf, self._tr_s = source, hrf, tr_s
        self.shape, self.dtype = source.shape, np.dtype(np.float32)
        # How far a row reaches is what a single stimulus amid many reveals: the kernel lasts 32 s.
        reach = int(np.ceil(33 / tr_s)) + 2
        stimulus = np.zeros((2 * reach + 1, 1), np.float32)
        stimulus[reach] = 1
        response = np.flatnonzero(convolve(hrf, tr_s, stimulus, 0.0, 0)[:, 0]) - reach
        self._before, self._after = (max(0, int(response.max())), max(0, -int(response.min()))) if len(response) else (0, 0)

    def __len__(self) -> int:
        return self.shape[0]

    def rows(self, begin: int, end: int) -> np.ndarray:
        first, last = max(0, begin - self._before), min(len(self), end + self._after)
        result = convolve(self._hrf, self._tr_s, np.asarray(self._source.rows(first, last)), 0.0, 0)
        return result[begin - first:end - first]


class Resampled:
    """giblet's alignment to n rows: row i is what stands at place i * (len - 1) / (n - 1): of integers the nearest, half to even, of
    floats between the two beside it. It stretches time."""

    def __init__(self, source: Any, n: int) -> None:
        self._source = source
        self._places = np.linspace(0, len(source) - 1, n)
        self.shape, self.dtype = (n, *source.shape[1:]), source.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def rows(self, begin: int, end: int) -> np.ndarray:
        places = self._places[begin:end]
        if len(places) == 0:
            return np.empty((0, *self.shape[1:]), self.dtype)
        if self.dtype.kind != "f":
            nearest = np.round(places).astype(int)
            return np.asarray(self._source.rows(nearest[0], nearest[-1] + 1))[nearest - nearest[0]]
        below = np.minimum(np.floor(places).astype(int), max(0, len(self._source) - 2))
        above = np.minimum(below + 1, len(self._source) - 1)
        rows = np.asarray(self._source.rows(below[0], above[-1] + 1))
        share = (places - below).reshape(-1, *[1] * (len(self.shape) - 1))
        lower, upper = rows[below - below[0]].astype(np.float64), rows[above - below[0]].astype(np.float64)
        return (lower + share * (upper - lower)).astype(self.dtype)
