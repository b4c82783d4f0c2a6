"""Where sound comes from: a file, or an array with its rate."""

from __future__ import annotations

import os
import warnings
from typing import Any, Iterator

import numpy as np

from . import _arguments
from ._reader import BLOCK, Reader
from .metrics import resample

PathOrArray = Any  # str, os.PathLike, or (array, rate in Hz)


class Sound:
    """Blocks of a sound at a rate, mono float32, and at the end what is to be said of it."""

    def __init__(self, source: PathOrArray, rate: int, partial_input: bool = False) -> None:
        self.name = "audio_source"
        self._reader: Reader | None = None
        self._origin: dict[str, Any] = {}
        if isinstance(source, (str, bytes, os.PathLike)):
            self.name = os.fsdecode(source)
            self._reader = Reader(source, rate, partial_input)
            status = os.stat(source)
            self._origin = {"path": self.name, "size": status.st_size, "mtime": int(status.st_mtime)}
        elif isinstance(source, tuple) and len(source) == 2:
            own_rate = _arguments.integer("audio_source[1]", source[1], 1000, 384000, " of Hz")
            samples = _arguments.samples("audio_source[0]", source[0])
            wrong = np.flatnonzero(~np.isfinite(samples))
            if len(wrong):  # before its number is another one
                raise ValueError(f"audio_source[0]: sample {wrong[0]} is {samples[wrong[0]]}, not a finite number")
            self._samples = resample(samples, own_rate, rate)
            self._origin = {"size": len(samples), "sampling_rate": own_rate}
        else:
            raise ValueError(f"audio_source is of the type {type(source).__name__}, allowed are a path and (array, rate)")

    def blocks(self) -> Iterator[np.ndarray]:
        if self._reader is not None:
            yield from self._reader
        else:
            for i in range(0, len(self._samples), BLOCK):
                yield self._samples[i:i + BLOCK]

    def warn_of_no_tr(self, seconds: float, tr_s: float, stacklevel: int) -> None:
        warnings.warn(f"{self.name}: {seconds:.3f} s of sound is shorter than one TR of {tr_s:g} s: no row comes of it", UserWarning,
                      stacklevel)

    def warn_of_break(self, stacklevel: int) -> None:
        """Says how the file broke off, if it did, to who called the caller."""
        if self._reader is not None and self._reader.broken_off:
            warnings.warn(f"{self._reader.broken_off}; what comes before is used", UserWarning, stacklevel=stacklevel + 1)

    def description(self) -> dict[str, Any]:
        """As in the OUT.json of the command."""
        if self._reader is None:
            return self._origin
        info, broken_off = self._reader.info, self._reader.broken_off
        return {**self._origin, "track": info.track, "partial": broken_off is not None,
                **({"broken_off": broken_off} if broken_off else {}), "audio_start": info.audio_start_s,
                "gaps": {"count": info.n_gaps, "seconds": info.gap_s},
                "overlaps": {"count": info.n_overlaps, "seconds": info.overlap_s}}
