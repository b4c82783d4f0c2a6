"""Arguments as they come, turned into what the library takes, or refused by name."""

from __future__ import annotations

import fractions
import numbers
import operator
import os
from contextlib import contextmanager
from typing import Any, Iterable, Iterator

import numpy as np

from ._library import ALIGNMENTS, EcdcError, TrGrid, byref, call, lib


def choice(name: str, value: Any, allowed: Iterable[str]) -> str:
    allowed = list(allowed)
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} is {value!r}, allowed are {', '.join(map(repr, allowed))}")
    return value


def integer(name: str, value: Any, minimum: int, maximum: int | None = None, why: str = "") -> int:
    try:
        number = None if isinstance(value, (bool, np.bool_)) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < minimum or (maximum is not None and number > maximum):
        allowed = f"from {minimum} on" if maximum is None else f"from {minimum} to {maximum}"
        raise ValueError(f"{name} is {value!r}, allowed are whole numbers {allowed}{why}")
    return number


def seconds(name: str, value: Any) -> str:
    """A positive time as the text that the library takes exactly: 0.72 is 18/25, not the double next to it."""
    if isinstance(value, fractions.Fraction) and value > 0:
        return f"{value.numerator}/{value.denominator}"
    if isinstance(value, (numbers.Real, np.floating)) and not isinstance(value, bool) and 0 < value < float("inf"):
        value = value if isinstance(value, np.floating) else float(value)
        return np.format_float_positional(value, trim="0")
    raise ValueError(f"{name} is {value!r}, allowed is a positive number of seconds such as 1.5")


def tr_grid(name: str, tr: Any, frame_rate_hz: int, alignment: str) -> TrGrid:
    grid = TrGrid()
    text = seconds(name, tr)
    try:
        call(lib.ecdc_tr_grid_init, byref(grid), text.encode(), frame_rate_hz, ALIGNMENTS[alignment])
    except EcdcError as e:
        raise ValueError(f"{name} is {tr!r}: {e}") from None
    return grid


def samples(name: str, value: Any) -> np.ndarray:
    """Mono sound as float32 (samples,); of several channels the mean."""
    array = np.asarray(value)
    if array.ndim not in (1, 2):
        raise ValueError(f"{name} has {array.ndim} dimensions, allowed are (samples,) and (channels, samples)")
    if array.ndim == 2 and array.shape[0] > 64:
        raise ValueError(f"{name} has the shape {array.shape}, which would be {array.shape[0]} channels: two dimensions are "
                         "(channels, samples); transpose it")
    if array.ndim == 2 and array.shape[0] == 0:
        raise ValueError(f"{name} has no channel (shape {array.shape})")
    if array.dtype == np.int16:
        array = array.astype(np.float32) / np.float32(32768)
    elif array.dtype.kind != "f":
        raise ValueError(f"{name} holds {array.dtype}, allowed are floating-point numbers in -1 ... 1 and int16")
    if array.ndim == 2:
        array = array[0] if array.shape[0] == 1 else array.mean(axis=0, dtype=np.float64)
    return np.ascontiguousarray(array, dtype=np.float32)


def codes(name: str, value: Any) -> np.ndarray:
    """Integers of any width as int64."""
    array = np.asarray(value)
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name} holds {array.dtype}, codes are integers")
    return np.ascontiguousarray(array, dtype=np.int64)


@contextmanager
def described(what: str) -> Iterator[None]:
    """Around reading a description that comes from outside: whatever is missing or wrong in it becomes a ValueError."""
    try:
        yield
    except (KeyError, TypeError, ValueError, ArithmeticError) as e:
        raise ValueError(f"metadata does not describe {what} of ecdc: {e!r} in its attrs") from e


def input_path(path: Any) -> bytes:
    """The path of a file that must be there."""
    encoded = os.fsencode(path)
    os.stat(encoded)  # FileNotFoundError, with its name
    return encoded
