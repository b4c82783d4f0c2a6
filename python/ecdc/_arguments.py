"""Arguments as they come, turned into what the library takes, or refused by name."""

from __future__ import annotations

import fractions
import numbers
import operator
import os
import re
from contextlib import contextmanager
from typing import Any, Iterable, Iterator

import numpy as np

from ._library import ALIGNMENTS, EcdcError, TrGrid, byref, call, lib


def choice(name: str, value: Any, allowed: Iterable[str]) -> str:
    allowed = list(allowed)
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} is {value!r}, allowed are {', '.join(map(repr, allowed))}")
    return value


def device(name: str, value: Any) -> str:
    """'cpu' or 'cuda', from what PyTorch has for devices, without their numbers."""
    match = re.fullmatch("(cpu|cuda)(:[0-9]+)?", str(value))
    if not match:
        raise ValueError(f"{name} is {value!r}, allowed are 'cpu', 'cuda' and with a number, such as 'cuda:0'")
    return match[1]


def integer(name: str, value: Any, minimum: int, maximum: int | None = None, why: str = "") -> int:
    try:
        number = None if isinstance(value, (bool, np.bool_)) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < minimum or (maximum is not None and number > maximum):
        allowed = f"from {minimum} on" if maximum is None else f"from {minimum} to {maximum}"
        raise ValueError(f"{name} is {value!r}, allowed are whole numbers {allowed}{why}")
    return number


def kbps(name: str, value: Any) -> float:
    """A bandwidth; whether a model has it is the library's to say."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}, allowed is a number of kbps such as 3.0")
    return float(value)


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
    if array.dtype.kind == "i" and array.dtype.itemsize == 2:  # in either byte order
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


def path(name: str, value: Any) -> bytes:
    """A path, or a name that may be one, as the library takes it."""
    if not isinstance(value, (str, bytes, os.PathLike)):
        raise TypeError(f"{name} is {value!r}, allowed are str, bytes and os.PathLike")
    encoded = os.fsencode(value)
    if b"\0" in encoded:
        raise ValueError(f"{name} is {value!r}, which holds a null character: no file has such a name")
    return encoded


def input_path(value: Any, name: str = "path") -> bytes:
    """The path of a file that must be there."""
    encoded = path(name, value)
    os.stat(os.fsdecode(encoded))  # FileNotFoundError, with its name
    return encoded


def output_path(name: str, value: Any, *endings: str) -> bytes:
    """The path of a file that may be made: its name says what will be in it. A device or a pipe has the name that it has."""
    encoded = path(name, value)
    text = os.fsdecode(encoded)
    if not text.lower().endswith(endings) and (os.path.isfile(text) or not os.path.exists(text)):
        raise ValueError(f"{name} is {text!r}, allowed are names that end in {' or '.join(endings)}")
    return encoded
