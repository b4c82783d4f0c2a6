"""Codes on the TR grid: sound into rows, rows into sound."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Callable, Iterator, Mapping

import numpy as np

from . import _arguments
from ._library import ALIGNMENTS, RowInfo, RowShape, byref, call, lib
from ._rows import RowMaker, RowPlacer
from ._sound import Sound
from .model import Decoder, Encoder, Model

LAYOUTS = ("codes", "flat", "giblet")


class CodeRows:
    """How rows of codes are made: model, bandwidth in kbps, codebooks, layout, alignment.

    Rows are (row_codebooks, frames_per_tr); `n_codebooks` of them exist, the rest is 0 (giblet's layout).
    """

    def __init__(self, model: Model, bandwidth: float, n_codebooks: int | None, layout: str, alignment: str,
                 threads: int | None, precision: str) -> None:
        if model.chunked:
            raise ValueError(f"model is {model.name}, which encodes normalised chunks that overlap: it has no single frame grid "
                             "for TRs; use a 24 kHz model")
        if bandwidth not in model.bandwidths:
            raise ValueError(f"encodec_bandwidth is {bandwidth!r}, allowed for {model.name} are "
                             f"{', '.join(map(repr, model.bandwidths))} (kbps)")
        if layout == "giblet" and alignment == "exact":
            raise ValueError("alignment is 'exact', but layout='giblet' has giblet's alignment only; exact rows come as 'codes' or "
                             "'flat'")
        self.model, self.bandwidth, self.layout, self.alignment = model, bandwidth, layout, alignment
        self.threads, self.precision = threads, precision
        most = model.codebooks(bandwidth)
        self.n_codebooks = most if n_codebooks is None else _arguments.integer(
            "n_codebooks", n_codebooks, 1, most, f", as many as {bandwidth:g} kbps has")
        self.row_codebooks = lib.ecdc_giblet_codebooks(bandwidth) if layout == "giblet" else self.n_codebooks
        if self.row_codebooks < self.n_codebooks:
            raise ValueError(f"layout is 'giblet', which has no place for {self.n_codebooks} codebooks at {bandwidth:g} kbps")

    def shape(self, name: str, tr: Any) -> RowShape:
        """`name` is the argument that `tr` comes from."""
        grid = _arguments.tr_grid(name, tr, self.model.frame_rate, self.alignment)
        return RowShape(grid, self.n_codebooks, self.row_codebooks)

    def latent(self, row: np.ndarray, info: RowInfo, shape: RowShape, per_frame: bool) -> np.ndarray:
        """The vectors behind a row's codes: their mean (dimension,) or all, (dimension, frames_per_tr)."""
        latent = np.empty((self.model.dimension, shape.grid.frames_per_tr) if per_frame else self.model.dimension, np.float32)
        call(lib.ecdc_row_latent, self.model._open().pointer, byref(shape), row, info.n_real_frames, per_frame, latent)
        return latent

    def make(self, sound: Sound, shape: RowShape, max_trs: int | None,
             finish: Callable[[np.ndarray, RowInfo], np.ndarray]) -> tuple[np.ndarray, list[RowInfo], int]:
        """(rows, their times, samples that were read). `finish` makes of a row of codes what is wanted."""
        rows: list[np.ndarray] = []
        infos: list[RowInfo] = []
        n_samples = 0
        maker = RowMaker(shape, self.model.sampling_rate)

        def collect() -> bool:
            for row, info in maker:
                rows.append(finish(row, info))
                infos.append(info)
                if len(rows) == max_trs:
                    return True
            return False

        with Encoder(self.model, self.bandwidth, n_codebooks=self.n_codebooks, threads=self.threads,
                     precision=self.precision) as encoder:
            for block in sound.blocks():
                encoder.push(block)
                n_samples += len(block)
                maker.push(encoder.pull_frames(), n_samples)
                if collect():
                    break
            else:
                encoder.finish()
                maker.push(encoder.pull_frames(), n_samples)
                maker.finish()
                collect()
        if not rows:
            sound.warn_of_no_tr(n_samples / self.model.sampling_rate, shape.grid.tr_s, stacklevel=4)
            blank = finish(np.zeros((self.row_codebooks, shape.grid.frames_per_tr), np.int64), RowInfo())
            return np.empty((0, *blank.shape), blank.dtype), infos, n_samples
        return np.stack(rows), infos, n_samples

    def arrange(self, rows: np.ndarray) -> np.ndarray:
        """Rows in the layout that was asked for."""
        return rows if self.layout == "codes" else rows.reshape(len(rows), rows.shape[1] * rows.shape[2])

    def description(self, shape: RowShape) -> dict[str, Any]:
        """As in the OUT.json of the command."""
        grid = shape.grid
        return {"layout": self.layout, "alignment": self.alignment, "tr": grid.tr_s,
                "tr_fraction": f"{grid.tr_num}/{grid.tr_den}", "bandwidth": self.bandwidth, "n_codebooks": self.n_codebooks,
                "row_codebooks": self.row_codebooks, "frames_per_tr": grid.frames_per_tr, "frame_rate": self.model.frame_rate}

    # ------------------------------------------------------------------------------------------------- the way back --

    def fit(self, features: np.ndarray, shape: RowShape, n_codebooks: int | None, frames_per_tr: int | None,
            described: bool) -> RowShape:
        """The shape of these features' rows: theirs decide about codebooks, the grid about frames. `described`: what this object
        says is theirs; else rows that giblet made are known by themselves."""
        width = shape.grid.frames_per_tr
        if frames_per_tr is not None and frames_per_tr != width:
            raise ValueError(f"frames_per_tr is {frames_per_tr!r}, but a TR of {shape.grid.tr_s:g} s has {width} frames in the alignment "
                             f"{self.alignment!r}")
        if features.ndim == 3 and features.shape[2] == width:
            in_row = features.shape[1]
        elif features.ndim == 2 and features.shape[1] > 0 and features.shape[1] % width == 0:
            in_row = features.shape[1] // width
        elif features.ndim in (2, 3):
            raise ValueError(f"features has the shape {features.shape}, but its rows do not divide into the {width} frames of a TR of "
                             f"{shape.grid.tr_s:g} s in the alignment {self.alignment!r}: allowed are (n_trs, codebooks, {width}) and "
                             f"(n_trs, codebooks * {width})")
        else:
            raise ValueError(f"features has {features.ndim} dimensions, allowed are (n_trs, codebooks, {width}) and "
                             f"(n_trs, codebooks * {width})")
        if n_codebooks is not None and n_codebooks != in_row:
            raise ValueError(f"n_codebooks is {n_codebooks!r}, but features of the shape {features.shape} has {in_row}")
        exist = self.n_codebooks if self.layout == "giblet" else self.model.codebooks(self.bandwidth)
        giblets = self.layout == "giblet" or (not described and self._are_giblets(features.reshape(len(features), in_row, width), exist))
        if in_row < 1 or (in_row > exist and not giblets):
            raise ValueError(f"features has {in_row} codebooks per row, allowed at {self.bandwidth:g} kbps are 1 to {exist}; codes of "
                             "another bandwidth need its encodec_bandwidth, giblet's own arrays layout='giblet'")
        return RowShape(shape.grid, min(in_row, exist), in_row)

    def _are_giblets(self, rows: np.ndarray, exist: int) -> bool:
        """Whether rows have the codebooks of giblet's table at this bandwidth, and those that do not exist are 0."""
        return (self.alignment == "giblet" and rows.shape[1] == lib.ecdc_giblet_codebooks(self.bandwidth)
                and not rows[:, exist:].any())

    def sound(self, features: np.ndarray, shape: RowShape, n_frames: int) -> Iterator[np.ndarray]:
        """Blocks of the sound of features that `fit` their shape; n_frames: of the signal, -1: the rows tell."""
        rows = _arguments.codes("features", features).reshape(len(features), -1)
        placer = RowPlacer(shape, self.model.codebook_size, len(rows), n_frames)
        with Decoder(self.model, shape.n_codebooks, threads=self.threads, precision=self.precision) as decoder:
            for row in rows:
                decoder.push_frames(placer.place(row))
                yield decoder.pull()
            decoder.finish()
            yield decoder.pull()


def parameters_of(description: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """What decides about the way back, from metadata.attrs or an OUT.json; and the samples of the sound, -1: as the rows tell."""
    with _arguments.described("features"):
        return {"tr": Fraction(description["tr_fraction"]), "bandwidth": float(description["bandwidth"]),
                "n_codebooks": int(description["n_codebooks"]),
                "layout": _arguments.choice("layout", description["layout"], LAYOUTS),
                "alignment": _arguments.choice("alignment", description["alignment"], ALIGNMENTS)}, samples_of(description)


def samples_of(description: Mapping[str, Any]) -> int:
    """Of the sound, where its last row may reach beyond its end; -1: the rows tell."""
    return _arguments.integer("samples", description["samples"], 0, 2**63 - 1) if description.get("partial") else -1
