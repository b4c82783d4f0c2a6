"""Frames of codes into one row per TR and back: the library's arithmetic, that of the command."""

from __future__ import annotations

from typing import Iterator

import numpy as np

from ._library import RowInfo, RowShape, byref, call, lib, new


class RowMaker:
    """Takes frames, yields (row, its times); a row is int64 (row_codebooks, frames_per_tr)."""

    def __init__(self, shape: RowShape, sampling_rate: int) -> None:
        self._shape = shape
        self._handle = new(lib.ecdc_row_maker_new, lib.ecdc_row_maker_free, byref(shape), sampling_rate, 0)

    def push(self, codes: np.ndarray, n_samples: int) -> None:
        """codes: int32 (frames, n_codebooks); n_samples: of the signal so far."""
        call(lib.ecdc_row_maker_push, self._handle.pointer, codes, len(codes), n_samples)

    def finish(self) -> None:
        lib.ecdc_row_maker_finish(self._handle.pointer)

    def __iter__(self) -> Iterator[tuple[np.ndarray, RowInfo]]:
        while True:
            row, info = np.empty((self._shape.row_codebooks, self._shape.grid.frames_per_tr), np.int64), RowInfo()
            if not lib.ecdc_row_maker_pull(self._handle.pointer, row, byref(info)):
                return
            yield row, info


class RowPlacer:
    """Takes rows, gives frames, each TR where the scan has it."""

    def __init__(self, shape: RowShape, codebook_size: int, n_trs: int, n_frames: int) -> None:
        self._shape = shape
        self._handle = new(lib.ecdc_row_placer_new, lib.ecdc_row_placer_free, byref(shape), codebook_size, n_trs,
                           n_frames)

    def place(self, row: np.ndarray) -> np.ndarray:
        """int64 (row_codebooks * frames_per_tr,) -> int32 (frames, n_codebooks)."""
        call(lib.ecdc_row_placer_push, self._handle.pointer, row)
        codes = np.empty((lib.ecdc_row_placer_ready(self._handle.pointer), self._shape.n_codebooks), np.int32)
        lib.ecdc_row_placer_pull(self._handle.pointer, codes, len(codes))
        return codes
