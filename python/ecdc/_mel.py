"""giblet's mel spectrogram on the TR grid, and back."""

from __future__ import annotations

from typing import Any, Iterator

import numpy as np

from . import _arguments
from ._library import ALIGNMENTS, EcdcError, MelGrid, MelSettings, RowInfo, byref, c_int64, call, lib, new
from ._sound import Sound

FLOOR_DB = -80.0  # of the spectrogram, and what stands where a row has no frame
LOUDEST_DB = 200.0  # nothing that was sound is louder
FRAMES = 32  # pulled at once


class MelRows:
    """Rows (n_mels, width) in dB relative to the loudest value of the sound."""

    def __init__(self, sample_rate: int, n_fft: int, hop_length: int, n_mels: int, alignment: str) -> None:
        self.settings: MelSettings = lib.ecdc_default_mel_settings()
        self.settings.sampling_rate_hz, self.settings.n_fft = sample_rate, n_fft
        self.settings.hop, self.settings.n_mels = hop_length, n_mels
        self.alignment = alignment
        self.n_empty: int = lib.ecdc_mel_empty_filters(self._new().pointer)

    def _new(self) -> Any:
        return new(lib.ecdc_mel_new, lib.ecdc_mel_free, byref(self.settings))

    def grid(self, name: str, tr: Any) -> MelGrid:
        grid = MelGrid()
        try:
            call(lib.ecdc_mel_grid_init, byref(grid), byref(self.settings), _arguments.seconds(name, tr).encode(),
                 ALIGNMENTS[self.alignment])
        except EcdcError as e:
            raise ValueError(f"{name} is {tr!r}: {e}") from None
        return grid

    def _frames(self, mel: Any, blocks: Any) -> Iterator[np.ndarray]:
        """Powers (frames, n_mels) of the sound, as they come."""
        power = np.empty((FRAMES, self.settings.n_mels), np.float32)

        def ready() -> Iterator[np.ndarray]:
            while n := lib.ecdc_mel_pull(mel.pointer, power, FRAMES):
                yield power[:n]

        for block in blocks:
            call(lib.ecdc_mel_push, mel.pointer, block, len(block))
            yield from ready()
        call(lib.ecdc_mel_finish, mel.pointer)
        yield from ready()

    def make(self, sound: Sound, grid: MelGrid, max_trs: int | None) -> tuple[np.ndarray, list[RowInfo], int, float]:
        """(rows (n_trs, n_mels, width) float32, their times, samples that were read, the level that dB refer to)."""
        mel, blocks = self._new(), list(sound.blocks())
        for _ in self._frames(mel, blocks):  # only the peak counts
            pass
        n_samples, ref, rate = sum(map(len, blocks)), lib.ecdc_mel_peak(mel.pointer), self.settings.sampling_rate_hz
        n_trs = lib.ecdc_tr_grid_count(byref(grid.samples), n_samples, rate, 0)
        if n_trs == 0:
            sound.warn_of_no_tr(n_samples / rate, grid.samples.tr_s, stacklevel=5)
        n_trs = n_trs if max_trs is None else min(n_trs, max_trs)
        places = [self._place(grid, i) for i in range(n_trs)]
        rows = np.full((n_trs, self.settings.n_mels, grid.width), FLOOR_DB, np.float32)
        infos = [self._times(grid, i) for i in range(n_trs)]
        at, begin = 0, 0  # the frame at hand; the first row that may still want it
        for power in self._frames(self._new(), blocks):
            db = np.empty_like(power)
            lib.ecdc_power_to_db(power, power.size, ref, -FLOOR_DB, db)
            for frame in db:
                while begin < n_trs and at >= sum(places[begin]):
                    begin += 1
                i = begin
                while i < n_trs and places[i][0] <= at:
                    if at < sum(places[i]):
                        rows[i, :, at - places[i][0]] = frame
                        infos[i].n_frames += 1
                    i += 1
                at += 1
            if begin == n_trs:
                break
        return rows, infos, n_samples, ref

    @staticmethod
    def _place(grid: MelGrid, i: int) -> tuple[int, int]:
        first, count = c_int64(), c_int64()
        lib.ecdc_mel_grid_frames(byref(grid), i, byref(first), byref(count))
        return first.value, count.value

    @staticmethod
    def _times(grid: MelGrid, i: int) -> RowInfo:
        start_s, end_s = (lib.ecdc_tr_grid_start_s(byref(grid.samples), k) for k in (i, i + 1))
        if grid.samples.alignment == ALIGNMENTS["giblet"]:
            end_s = start_s + grid.samples.tr_s
        return RowInfo(i, start_s, end_s, 0, 0)

    def description(self, grid: MelGrid, ref: float) -> dict[str, Any]:
        """As in the OUT.json of the command."""
        s, samples = self.settings, grid.samples
        return {"alignment": self.alignment, "tr": samples.tr_s, "tr_fraction": f"{samples.tr_num}/{samples.tr_den}",
                "frames_per_tr": grid.width, "frame_rate": s.sampling_rate_hz / s.hop,
                "mel": {"n_mels": s.n_mels, "n_fft": s.n_fft, "hop": s.hop, "top_db": -FLOOR_DB, "ref": ref}}

    # ------------------------------------------------------------------------------------------------- the way back --

    def fit(self, features: np.ndarray, grid: MelGrid, rather: str) -> np.ndarray:
        """Features as (n_trs, n_mels, width), or (n_trs, n_mels, 1) where they are one spectrum per TR. `rather`: what is to be said of a
        shape that does not fit."""
        n_mels, width = self.settings.n_mels, grid.width
        if features.shape[1:] == (n_mels, width):
            rows = features
        elif features.ndim == 2 and features.shape[1] in (n_mels * width, n_mels):
            rows = features.reshape(len(features), n_mels, -1)
        else:
            raise ValueError(f"features holds {features.dtype} and has the shape {features.shape}; a mel spectrogram at a TR of "
                             f"{grid.samples.tr_s:g} s has (n_trs, {n_mels}, {width}), (n_trs, {n_mels * width}) or (n_trs, {n_mels}){rather}")
        if len(features) == 0:
            raise ValueError(f"features has the shape {features.shape}: no TR, no sound")
        if not (rows <= LOUDEST_DB).all() or np.isinf(rows).any():
            raise ValueError("features has a number that is not a level in dB (not finite, or above 200)")
        return np.ascontiguousarray(rows, np.float32)

    def sound(self, rows: np.ndarray, grid: MelGrid, ref: float, n_samples: int) -> Iterator[np.ndarray]:
        """Blocks of the sound: each frame where it belongs, the padding left out. n_samples: of the sound, -1: the rows tell."""
        total = lib.ecdc_mel_frames(byref(self.settings), n_samples) if n_samples >= 0 else 2**62
        places = [self._place(grid, i) for i in range(len(rows))]
        places = [(first, max(0, min(count, total - first))) for first, count in places]
        n_samples = self._length(len(rows), grid, n_samples, sum(places[-1]))
        inverse = new(lib.ecdc_mel_inverse_new, lib.ecdc_mel_inverse_free, byref(self.settings))

        def ready() -> np.ndarray:
            samples = np.empty(lib.ecdc_mel_inverse_ready(inverse.pointer), np.float32)
            lib.ecdc_mel_inverse_pull(inverse.pointer, samples, len(samples))
            return samples

        next_frame = 0
        for row, (first, count) in zip(rows, places):
            for t in range(count):
                frame = np.array(row[:, t if row.shape[1] > 1 else 0])
                lib.ecdc_db_to_power(frame, len(frame), ref, frame)
                while next_frame <= first + t:  # doubles can leave a frame out between two TRs, or give one to both
                    call(lib.ecdc_mel_inverse_push, inverse.pointer, frame, 1)
                    next_frame += 1
            yield ready()
        hop, reach = self.settings.hop, self.settings.n_fft // 4  # how far the sound of a frame reaches beyond its place
        while (next_frame - 1) * hop + reach < n_samples and next_frame * hop <= n_samples:  # a TR leaves its last, cut frame out
            call(lib.ecdc_mel_inverse_push, inverse.pointer, frame, 1)
            next_frame += 1
        end = min(n_samples, (next_frame - 1) * hop + reach)
        call(lib.ecdc_mel_inverse_finish, inverse.pointer, end)
        yield ready()
        yield np.zeros(n_samples - end, np.float32)  # hops of more than n_fft / 4

    def _length(self, n_trs: int, grid: MelGrid, n_samples: int, n_frames: int) -> int:
        """Samples of the sound of so many rows and frames, no more than n_samples where that is known."""
        first, count = c_int64(), c_int64()
        lib.ecdc_tr_grid_frames(byref(grid.samples), n_trs - 1, byref(first), byref(count))
        length = first.value + count.value if n_samples < 0 else min(n_samples, first.value + count.value)
        if n_frames == 0 or length < (n_frames - 1) * self.settings.hop:
            raise ValueError(f"features has {n_trs} TRs, whose last one does not fit the {n_samples} samples of sound in metadata" if n_frames
                             else "features has no frame, no sound")
        return length
