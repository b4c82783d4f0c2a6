"""fMRI scans: NIfTI files, the mask that subjects share, the series of its voxels, and the way back. No nibabel.

>>> mask = ecdc.fmri.shared_mask(["s1.nii.gz", "s2.nii.gz"])
>>> series = ecdc.fmri.extract("s1.nii.gz", mask, zscore=True)          # float32 (n_trs, n_voxels)
>>> ecdc.fmri.restore(series.mean(axis=0), mask, "mean.nii.gz")
"""

from __future__ import annotations

import ctypes
import os
from typing import Any, NamedTuple, Sequence

import numpy as np

from . import _arguments
from ._interrupt import stoppable
from ._library import (NIFTI_TYPES, Extraction, Handle, MaskVote, NiftiInfo, NiftiSpace, byref, c_char_p,
                       c_int, call, lib, new)

__all__ = ["ExtractionReport", "Mask", "Scan", "Vote", "extract", "info", "load_mask", "read", "restore", "save", "shared_mask"]


ENDINGS = (".nii", ".nii.gz")


class Scan(NamedTuple):
    """What a NIfTI file is, from its header alone."""

    path: str
    shape: tuple[int, ...]  # (x, y, z) or (x, y, z, n_trs)
    tr: float  # repetition time in seconds; 0: not stated
    affine: np.ndarray  # float64 (4, 4): voxel indices to mm, as nibabel decides
    dtype: str  # how numbers are stored: "int16"

    @property
    def n_trs(self) -> int:
        """Volumes; 1 where the file is no series."""
        return self.shape[3] if len(self.shape) == 4 else 1


class Vote(NamedTuple):
    """What one scan brought to a shared mask."""

    n_trs: int  # TRs that counted
    threshold: float  # the percentile of the standard deviations that are not 0
    n_voxels: int  # voxels above it
    n_constant: int  # voxels that do not vary
    n_not_finite: int  # voxels with NaN or infinity: they have no vote


class ExtractionReport(NamedTuple):
    """What an extraction met."""

    n_trs: int
    n_constant: int  # voxels of the mask that do not vary
    n_not_finite: int  # numbers that were not finite; the mean of their voxel stands for them
    n_voxels_not_finite: int  # voxels that had such


def _fields(kind: Any, struct: ctypes.Structure) -> Any:
    return kind(*(getattr(struct, name) for name in kind._fields))


def _space(shape: Sequence[int], affine: Any) -> NiftiSpace:
    matrix = np.asarray(affine, np.float64)
    if matrix.shape != (4, 4):
        raise ValueError(f"affine has the shape {matrix.shape}, allowed is (4, 4)")
    space = NiftiSpace(*shape)
    space.affine[:] = matrix.ravel().tolist()
    return space


def _affine(space: NiftiSpace) -> np.ndarray:
    return np.array(space.affine).reshape(4, 4)


class Mask:
    """Which voxels of a space count. Voxels are numbered as numpy's boolean indexing numbers them: z runs fastest.

    Parameters
    ----------
    array : bool array (x, y, z)
    affine : float array (4, 4)
        Voxel indices to places in mm.
    """

    def __init__(self, array: Any, affine: Any) -> None:
        voxels = np.asarray(array)
        if voxels.ndim != 3:
            raise ValueError(f"array has {voxels.ndim} dimensions, allowed is (x, y, z)")
        voxels = np.ascontiguousarray(voxels != 0).view(np.uint8)
        self._handle = new(lib.ecdc_mask_new, lib.ecdc_mask_free, byref(_space(voxels.shape, affine)), voxels)
        self.votes: list[Vote] = []

    @classmethod
    def _of(cls, handle: Handle, votes: list[Vote]) -> Mask:
        mask = cls.__new__(cls)
        mask._handle, mask.votes = handle, votes
        return mask

    def _space(self) -> NiftiSpace:
        space = NiftiSpace()
        lib.ecdc_mask_get_space(self._handle.pointer, byref(space))
        return space

    @property
    def n_voxels(self) -> int:
        return int(lib.ecdc_mask_voxels(self._handle.pointer))

    @property
    def shape(self) -> tuple[int, int, int]:
        space = self._space()
        return space.x, space.y, space.z

    @property
    def affine(self) -> np.ndarray:
        """float64 (4, 4)"""
        return _affine(self._space())

    @property
    def array(self) -> np.ndarray:
        """bool (x, y, z)"""
        voxels = np.empty(self.shape, np.uint8)
        lib.ecdc_mask_array(self._handle.pointer, voxels)
        return voxels.view(bool)

    @property
    def coordinates(self) -> np.ndarray:
        """int64 (n_voxels, 3): the indices of each voxel, ``numpy.argwhere(mask.array)``"""
        coordinates = np.empty((self.n_voxels, 3), np.int64)
        lib.ecdc_mask_coordinates(self._handle.pointer, coordinates)
        return coordinates

    def save(self, path: Any, *, overwrite: bool = False) -> None:
        """Writes it as NIfTI of uint8: a name that ends in ``.nii`` or ``.nii.gz``."""
        call(lib.ecdc_mask_save, self._handle.pointer, _arguments.output_path("path", path, *ENDINGS), int(overwrite))

    def __repr__(self) -> str:
        return f"<ecdc.fmri.Mask: {self.n_voxels} voxels of {self.shape}>"


def _check_mask(mask: Any) -> None:
    if not isinstance(mask, Mask):
        raise ValueError(f"mask is {mask!r}, allowed is a Mask: load_mask(path) reads one from a file, shared_mask(paths) finds one in scans")


def _open(path: Any) -> Handle:
    return new(lib.ecdc_nifti_open, lib.ecdc_nifti_close, _arguments.input_path(path))


def _info(handle: Handle) -> tuple[Scan, NiftiSpace]:
    facts = NiftiInfo()
    lib.ecdc_nifti_get_info(handle.pointer, byref(facts))
    shape = (facts.space.x, facts.space.y, facts.space.z) + ((facts.n_trs,) if facts.n_dims == 4 else ())
    scan = Scan(os.fsdecode(facts.path), shape, facts.tr_s, _affine(facts.space), facts.type_name.decode())
    return scan, facts.space


def info(path: Any) -> Scan:
    """Shape, repetition time, affine and data type of a NIfTI file."""
    return _info(_open(path))[0]


def read(path: Any) -> np.ndarray:
    """The whole of a NIfTI file: float32 (x, y, z) or (x, y, z, n_trs), scaled; nibabel's ``get_fdata()`` rounded."""
    handle = _open(path)
    shape = _info(handle)[0].shape
    data = np.empty(shape[3:] + shape[2::-1], np.float32)  # as the file has it: x fastest
    more = c_int()
    for volume in data if len(shape) == 4 else [data]:
        call(lib.ecdc_nifti_read, handle.pointer, volume, byref(more))
    return data.T


def load_mask(path: Any) -> Mask:
    """A mask from a NIfTI file of one volume: voxels that are not 0."""
    return Mask._of(new(lib.ecdc_mask_open, lib.ecdc_mask_free, _arguments.input_path(path)), [])


def shared_mask(paths: Sequence[Any], *, max_trs: int = 200, percentile: float = 10.0, threads: int = 0) -> Mask:
    """The mask that scans share, by giblet's rule: of each scan the voxels whose standard deviation over the first `max_trs` TRs
    is above the `percentile` of those that are not 0; of these, the ones that at least half of the scans have.

    Parameters
    ----------
    paths : list of paths
        Scans of one shape and affine. A single path is refused: give a list.
    threads : int
        Scans that are read at once; 0: one per processor.

    Returns
    -------
    Mask
        Its ``votes`` say what each scan brought.
    """
    if isinstance(paths, (str, bytes, os.PathLike)):
        raise ValueError(f"paths is {paths!r}, allowed is a list of paths")
    names = [_arguments.input_path(path) for path in paths]
    settings = lib.ecdc_default_scan_settings()
    settings.mask_trs = _arguments.integer("max_trs", max_trs, 1, 2**31 - 1)
    settings.mask_percentile = percentile
    settings.n_threads = _arguments.integer("threads", threads, 0, 256)
    votes = (MaskVote * len(names))()
    pointer = ctypes.c_void_p()
    with stoppable(settings):
        call(lib.ecdc_mask_share, (c_char_p * len(names))(*names), len(names), byref(settings), byref(pointer), votes)
    return Mask._of(Handle(pointer, lib.ecdc_mask_free), [_fields(Vote, vote) for vote in votes])


def extract(path: Any, mask: Mask, *, zscore: bool = False, n_trs: int | None = None, out: np.ndarray | None = None,
            report: list[ExtractionReport] | None = None) -> np.ndarray:
    """The series of a mask's voxels.

    Parameters
    ----------
    path : path
        A series of volumes in the mask's space.
    zscore : bool
        Each voxel minus its mean, divided by its standard deviation (population; 1 where it is constant).
    n_trs : int
        Exactly so many TRs from the first; a scan with fewer is refused. None: all.
    out : float32 array (n_trs, n_voxels)
        Where to put it, such as a memory-mapped file.
    report : list
        An `ExtractionReport` is appended.

    Returns
    -------
    float32 array (n_trs, n_voxels)
        Column v is voxel ``mask.coordinates[v]``. Where a number is not finite, the mean of its voxel stands for it.
    """
    _check_mask(mask)
    handle = _open(path)
    settings = lib.ecdc_default_scan_settings()
    settings.zscore = bool(zscore)
    available = _info(handle)[0].n_trs
    if n_trs is not None:
        settings.n_trs = _arguments.integer("n_trs", n_trs, 1, 2**63 - 1)
    rows = available if n_trs is None else min(settings.n_trs, available)
    if out is None:
        out = np.empty((rows, mask.n_voxels), np.float32)
    elif not isinstance(out, np.ndarray) or out.shape != (rows, mask.n_voxels) or out.dtype != np.float32 or not out.flags.c_contiguous:
        raise ValueError(f"out has to be a contiguous float32 array of the shape {(rows, mask.n_voxels)}")
    found = Extraction()
    with stoppable(settings):
        call(lib.ecdc_nifti_extract, handle.pointer, mask._handle.pointer, byref(settings), out, byref(found))
    if report is not None:
        report.append(_fields(ExtractionReport, found))
    return out


def _writer(path: Any, space: NiftiSpace, n_trs: int, tr: float | None, dtype: str, overwrite: bool, level: int) -> Handle:
    settings = lib.ecdc_default_nifti_settings()
    settings.space = space
    settings.n_trs = n_trs
    settings.tr_s = tr or 0.0
    settings.type = NIFTI_TYPES[_arguments.choice("dtype", dtype, NIFTI_TYPES)]
    settings.overwrite = int(overwrite)
    settings.level = level
    return new(lib.ecdc_nifti_writer_new, lib.ecdc_nifti_writer_free, _arguments.output_path("path", path, *ENDINGS), byref(settings))


def restore(series: Any, mask: Mask, path: Any, *, tr: float | None = None, overwrite: bool = False) -> None:
    """A series (n_trs, n_voxels), or one map (n_voxels,), as NIfTI of float32 in the mask's space; 0 outside the mask.

    Parameters
    ----------
    path : path
        A name that ends in ``.nii`` or ``.nii.gz``.
    tr : float
        Repetition time in seconds, for a series.
    """
    _check_mask(mask)
    rows = np.ascontiguousarray(series, np.float32)
    if rows.ndim not in (1, 2) or rows.shape[-1] != mask.n_voxels:
        raise ValueError(f"series has the shape {rows.shape}, allowed are (n_trs, {mask.n_voxels}) and ({mask.n_voxels},)")
    if rows.ndim == 2 and len(rows) == 0:
        raise ValueError("series has no TR")
    writer = _writer(path, mask._space(), len(rows) if rows.ndim == 2 else 0, tr if rows.ndim == 2 else None, "float32", overwrite, 0)
    for row in np.atleast_2d(rows):
        call(lib.ecdc_nifti_write_masked, writer.pointer, mask._handle.pointer, row)
    call(lib.ecdc_nifti_writer_finish, writer.pointer)


def save(array: Any, affine: Any, path: Any, *, tr: float | None = None, dtype: str | None = None, overwrite: bool = False,
         level: int = 6) -> None:
    """Writes an array (x, y, z) or (x, y, z, n_trs) as NIfTI, gzip where the name ends in ``.gz``.

    Parameters
    ----------
    affine : float array (4, 4)
        Voxel indices to places in mm.
    path : path
        A name that ends in ``.nii`` or ``.nii.gz``.
    tr : float
        Repetition time in seconds, for a series.
    dtype : str
        ``"uint8"``, ``"int16"``, ``"float32"`` or ``"float64"``; None: the array's, where it is one of these, else float32.
        Numbers pass through float32, and for integers are rounded.
    level : int
        Of gzip, 1 (fast) ... 9.
    """
    data = np.asarray(array)
    if data.ndim not in (3, 4):
        raise ValueError(f"array has {data.ndim} dimensions, allowed are (x, y, z) and (x, y, z, n_trs)")
    if dtype is None:
        dtype = data.dtype.name if data.dtype.name in NIFTI_TYPES else "float32"
    n_trs = data.shape[3] if data.ndim == 4 else 0
    if data.ndim == 4 and n_trs == 0:
        raise ValueError("array has no TR")
    writer = _writer(path, _space(data.shape[:3], affine), n_trs, tr if n_trs else None, dtype, overwrite,
                     _arguments.integer("level", level, 1, 9))
    for volume in np.moveaxis(data, 3, 0) if n_trs else [data]:
        call(lib.ecdc_nifti_write, writer.pointer, np.ascontiguousarray(volume.T, np.float32))
    call(lib.ecdc_nifti_writer_finish, writer.pointer)
