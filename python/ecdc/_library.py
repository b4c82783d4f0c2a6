"""The C library through ctypes: structs, prototypes, errors. ctypes gives up the GIL during every call.

Structs and prototypes repeat ``include/ecdc.h``; ``tests/python/test_header.py`` has a C compiler hold them against it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import threading
from ctypes import POINTER, byref, c_char, c_char_p, c_double, c_int, c_int32, c_int64, c_size_t, c_uint64, c_void_p
from pathlib import Path
from typing import Any, Callable, Iterator

import numpy as np

MAX_BANDWIDTHS = 16
OK, E_ARGUMENT, E_MEMORY, E_IO, E_FORMAT, E_MODEL, E_UNSUPPORTED, E_EXISTS, E_STOPPED = range(9)
ALIGNMENTS = {"giblet": 0, "exact": 1}  # ecdc_alignment
PRECISIONS = {"f32": 0, "bf16": 1}  # ecdc_precision
MODES = {"encodec": 0, "mel": 1, "latent": 2}  # ecdc_mode
PART_FILM, PART_MASK, PART_SCAN = range(3)
PART_FRESH, PART_MISSING, PART_STALE, PART_DAMAGED = range(4)
BUILD_FILM, BUILD_SCANS = 1, 2
NIFTI_TYPES = {"uint8": 2, "int16": 4, "float32": 16, "float64": 64}  # ecdc_nifti_type, those that are written
REPORT_FORMATS = {".html": 0, ".png": 1}  # ecdc_report_format, by the name's ending
AV_LOG_QUIET, AV_LOG_INFO = -8, 32  # libavutil/log.h
HRFS = {"none": 0, "causal": 1, "giblet": 2, "giblet-doc": 3}  # ecdc_hrf

STOP_FUNCTION = ctypes.CFUNCTYPE(c_int, c_void_p)
PROGRESS_FUNCTION = ctypes.CFUNCTYPE(None, c_void_p, c_uint64, c_uint64)
SHARE_FUNCTION = ctypes.CFUNCTYPE(None, c_void_p, c_double)
REPORT_PROGRESS_FUNCTION = ctypes.CFUNCTYPE(None, c_void_p, c_double, c_double)
WAITING_FUNCTION = ctypes.CFUNCTYPE(None, c_void_p, c_char_p, c_double)
NOTE_FUNCTION = ctypes.CFUNCTYPE(None, c_void_p, c_char_p)
WORK_FUNCTION = ctypes.CFUNCTYPE(None, c_void_p, c_char_p, c_double, c_double)


class Error(ctypes.Structure):
    _fields_ = [("status", c_int), ("message", c_char * 1000)]


class ModelInfo(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("origin", c_char_p), ("sampling_rate_hz", c_int), ("channels", c_int), ("hop", c_int),
                ("frame_rate_hz", c_int), ("dimension", c_int), ("n_codebooks", c_int), ("codebook_size", c_int),
                ("n_bandwidths", c_int), ("bandwidths_kbps", c_double * MAX_BANDWIDTHS), ("n_parameters", c_uint64),
                ("chunked", c_int), ("chunk_samples", c_int), ("chunk_stride", c_int), ("chunk_frames", c_int),
                ("reserved", c_int * 5)]


class Settings(ctypes.Structure):
    _fields_ = [("bandwidth_kbps", c_double), ("n_codebooks", c_int), ("n_threads", c_int), ("cpu", c_int),
                ("group", c_void_p), ("precision", c_int), ("reserved", c_int * 5)]


class ReaderInfo(ctypes.Structure):
    _fields_ = [("source_rate_hz", c_int), ("source_channels", c_int), ("audio_start_s", c_double),
                ("source_samples", c_int64), ("samples", c_int64), ("duration_hint_s", c_double), ("n_gaps", c_int64),
                ("gap_s", c_double), ("n_overlaps", c_int64), ("overlap_s", c_double), ("n_tracks", c_int), ("track", c_int),
                ("broken_off", c_char_p), ("reserved", c_int * 8)]


class ReaderSettings(ctypes.Structure):
    _fields_ = [("rate_hz", c_int), ("stop", STOP_FUNCTION), ("stop_context", c_void_p), ("channels", c_int),
                ("choose_track", c_int), ("track", c_int), ("partial_input", c_int), ("reserved", c_int * 4)]


class TrGrid(ctypes.Structure):
    _fields_ = [("tr_s", c_double), ("tr_num", c_int64), ("tr_den", c_int64), ("frame_rate_hz", c_int), ("alignment", c_int),
                ("frames_per_tr", c_int64)]


class RowShape(ctypes.Structure):
    _fields_ = [("grid", TrGrid), ("n_codebooks", c_int), ("row_codebooks", c_int)]


class RowInfo(ctypes.Structure):
    _fields_ = [("tr_index", c_int64), ("start_s", c_double), ("end_s", c_double), ("n_frames", c_int64),
                ("n_real_frames", c_int64)]


class MelSettings(ctypes.Structure):
    _fields_ = [("sampling_rate_hz", c_int), ("n_fft", c_int), ("hop", c_int), ("n_mels", c_int), ("iterations", c_int),
                ("momentum", c_double), ("seed", c_uint64), ("reserved", c_int * 8)]


class MelGrid(ctypes.Structure):
    _fields_ = [("samples", TrGrid), ("hop", c_int), ("n_mels", c_int), ("width", c_int64)]


class HubPlan(ctypes.Structure):
    _fields_ = [(name, c_char_p) for name in ("repository", "revision", "commit", "endpoint", "directory", "files", "licence")]
    _fields_ += [("n_bytes", c_uint64), ("n_bytes_here", c_uint64), ("reserved", c_int * 8)]


ANNOUNCE_FUNCTION = ctypes.CFUNCTYPE(None, c_void_p, POINTER(HubPlan))


class HubSettings(ctypes.Structure):
    _fields_ = [("announce", ANNOUNCE_FUNCTION), ("progress", PROGRESS_FUNCTION), ("waiting", WAITING_FUNCTION),
                ("stop", STOP_FUNCTION), ("context", c_void_p), ("reserved", c_int * 8)]


class Metrics(ctypes.Structure):
    _fields_ = [("stoi", c_double), ("estoi", c_double), ("snr_db", c_double), ("si_sdr_db", c_double), ("lsd_db", c_double)]


class NiftiSpace(ctypes.Structure):
    _fields_ = [("x", c_int64), ("y", c_int64), ("z", c_int64), ("affine", c_double * 16), ("code", c_int)]


class NiftiInfo(ctypes.Structure):
    _fields_ = [("path", c_char_p), ("space", NiftiSpace), ("n_dims", c_int), ("n_trs", c_int64), ("tr_s", c_double),
                ("type", c_int), ("type_name", c_char_p), ("slope", c_double), ("intercept", c_double), ("big_endian", c_int),
                ("compressed", c_int), ("version", c_int), ("reserved", c_int * 8)]


class ScanSettings(ctypes.Structure):
    _fields_ = [("mask_trs", c_int64), ("mask_percentile", c_double), ("n_trs", c_int64), ("zscore", c_int), ("n_threads", c_int),
                ("progress", SHARE_FUNCTION), ("stop", STOP_FUNCTION), ("context", c_void_p), ("reserved", c_int * 8)]


class MaskVote(ctypes.Structure):
    _fields_ = [("n_trs", c_int64), ("threshold", c_double), ("n_voxels", c_int64), ("n_constant", c_int64),
                ("n_not_finite", c_int64), ("reserved", c_int * 8)]


class Extraction(ctypes.Structure):
    _fields_ = [("n_trs", c_int64), ("n_constant", c_int64), ("n_not_finite", c_int64), ("n_voxels_not_finite", c_int64),
                ("reserved", c_int * 8)]


class NiftiSettings(ctypes.Structure):
    _fields_ = [("space", NiftiSpace), ("n_trs", c_int64), ("tr_s", c_double), ("type", c_int), ("overwrite", c_int),
                ("level", c_int), ("reserved", c_int * 8)]


class Listener(ctypes.Structure):
    _fields_ = [("note", NOTE_FUNCTION), ("progress", WORK_FUNCTION), ("stop", STOP_FUNCTION), ("context", c_void_p),
                ("reserved", c_int * 4)]


class StudySettings(ctypes.Structure):
    _fields_ = [("cache", c_char_p), ("film", c_char_p), ("subjects", c_char_p), ("scans", c_char_p), ("tr", c_char_p),
                ("max_trs", c_int64), ("mode", c_int), ("bandwidth_kbps", c_double), ("n_codebooks", c_int), ("hrf", c_int),
                ("zscore", c_int), ("n_threads", c_int), ("cpu", c_int), ("listener", Listener),
                ("precision", c_int), ("reserved", c_int * 7)]


class StudyInfo(ctypes.Structure):
    _fields_ = [("data", c_char_p), ("cache", c_char_p), ("film", c_char_p), ("layout", c_char_p), ("tr_s", c_double),
                ("n_subjects", c_int64), ("film_trs_hint", c_int64), ("reserved", c_int * 8)]


class StudySubject(ctypes.Structure):
    _fields_ = [("label", c_char_p), ("scan", c_char_p), ("number", c_int64), ("n_trs", c_int64), ("tr_s", c_double),
                ("reserved", c_int * 8)]


class PartInfo(ctypes.Structure):
    _fields_ = [("state", c_int), ("path", c_char * 4096), ("why", c_char * 600), ("n_trs", c_int64), ("n_voxels", c_int64),
                ("reserved", c_int * 8)]


class ReportSettings(ctypes.Structure):
    _fields_ = [("n_bandwidths", c_int), ("bandwidths_kbps", c_double * MAX_BANDWIDTHS), ("tr", c_char_p), ("alignment", c_int),
                ("format", c_int), ("overwrite", c_int), ("title", c_char_p), ("n_threads", c_int), ("cpu", c_int),
                ("input", ReaderSettings), ("progress", REPORT_PROGRESS_FUNCTION), ("precision", c_int), ("reserved", c_int * 7)]


class ReportResult(ctypes.Structure):
    _fields_ = [("n_samples", c_int64), ("n_frames", c_int64), ("n_trs", c_int64), ("sampling_rate_hz", c_int),
                ("n_bandwidths", c_int), ("bandwidths_kbps", c_double * MAX_BANDWIDTHS), ("metrics", Metrics * MAX_BANDWIDTHS),
                ("input", ReaderInfo), ("broken_off", c_char * 1000), ("n_bytes", c_uint64), ("reserved", c_int * 8)]


STRUCTS: dict[str, type[ctypes.Structure]] = {
    "ecdc_error": Error, "ecdc_model_info": ModelInfo, "ecdc_settings": Settings, "ecdc_reader_info": ReaderInfo,
    "ecdc_reader_settings": ReaderSettings, "ecdc_tr_grid": TrGrid, "ecdc_row_shape": RowShape, "ecdc_row_info": RowInfo,
    "ecdc_mel_settings": MelSettings, "ecdc_mel_grid": MelGrid, "ecdc_metrics": Metrics,
    "ecdc_hub_plan": HubPlan, "ecdc_hub_settings": HubSettings,
    "ecdc_nifti_space": NiftiSpace, "ecdc_nifti_info": NiftiInfo, "ecdc_scan_settings": ScanSettings, "ecdc_mask_vote": MaskVote,
    "ecdc_extraction": Extraction, "ecdc_nifti_settings": NiftiSettings,
    "ecdc_listener": Listener, "ecdc_study_settings": StudySettings, "ecdc_study_info": StudyInfo,
    "ecdc_study_subject": StudySubject, "ecdc_part_info": PartInfo,
    "ecdc_report_settings": ReportSettings, "ecdc_report_result": ReportResult,
}
HANDLES = ("ecdc_model", "ecdc_encoder", "ecdc_decoder", "ecdc_reader", "ecdc_row_maker", "ecdc_row_placer", "ecdc_mel", "ecdc_mel_inverse",
           "ecdc_nifti", "ecdc_mask", "ecdc_nifti_writer", "ecdc_study")

PROTOTYPES = """
const char *ecdc_version(void);
const char *ecdc_status_name(ecdc_status status);
ecdc_status ecdc_model_open(const char *name, ecdc_model **model, ecdc_error *err);
void ecdc_model_close(ecdc_model *model);
void ecdc_model_get_info(const ecdc_model *model, ecdc_model_info *info);
const char *ecdc_model_sha256(const ecdc_model *model);
ecdc_status ecdc_model_codebooks(const ecdc_model *model, double bandwidth_kbps, int *n_codebooks, ecdc_error *err);
int64_t ecdc_model_frames(const ecdc_model *model, int64_t n_samples);
ecdc_hub_settings ecdc_default_hub_settings(void);
ecdc_status ecdc_hub_fetch(const char *name, const ecdc_hub_settings *settings, ecdc_error *err);
ecdc_settings ecdc_default_settings(void);
ecdc_status ecdc_encoder_new(const ecdc_model *model, const ecdc_settings *settings, ecdc_encoder **encoder, ecdc_error *err);
void ecdc_encoder_free(ecdc_encoder *encoder);
int ecdc_encoder_codebooks(const ecdc_encoder *encoder);
ecdc_status ecdc_encoder_push(ecdc_encoder *encoder, const float *samples, size_t n_samples, ecdc_error *err);
ecdc_status ecdc_encoder_finish(ecdc_encoder *encoder, ecdc_error *err);
size_t ecdc_encoder_ready(const ecdc_encoder *encoder);
size_t ecdc_encoder_pull(ecdc_encoder *encoder, int32_t *codes, size_t max_frames);
void ecdc_encoder_reset(ecdc_encoder *encoder);
ecdc_status ecdc_decoder_new(const ecdc_model *model, const ecdc_settings *settings, ecdc_decoder **decoder, ecdc_error *err);
void ecdc_decoder_free(ecdc_decoder *decoder);
int ecdc_decoder_codebooks(const ecdc_decoder *decoder);
ecdc_status ecdc_decoder_push(ecdc_decoder *decoder, const int32_t *codes, size_t n_frames, ecdc_error *err);
ecdc_status ecdc_decoder_finish(ecdc_decoder *decoder, ecdc_error *err);
size_t ecdc_decoder_ready(const ecdc_decoder *decoder);
size_t ecdc_decoder_pull(ecdc_decoder *decoder, float *samples, size_t max_samples);
void ecdc_decoder_reset(ecdc_decoder *decoder);
ecdc_reader_settings ecdc_default_reader_settings(void);
ecdc_status ecdc_reader_open(const char *path, const ecdc_reader_settings *settings, ecdc_reader **reader, ecdc_error *err);
void ecdc_reader_close(ecdc_reader *reader);
ecdc_status ecdc_reader_read(ecdc_reader *reader, float *samples, size_t max_samples, size_t *n_read, ecdc_error *err);
void ecdc_reader_get_info(const ecdc_reader *reader, ecdc_reader_info *info);
int64_t ecdc_resampled_length(int64_t n_samples, int in_hz, int out_hz);
ecdc_status ecdc_resample(const float *samples, size_t n_samples, int in_hz, int out_hz, float *out, ecdc_error *err);
ecdc_status ecdc_tr_grid_init(ecdc_tr_grid *grid, const char *tr, int frame_rate_hz, ecdc_alignment alignment, ecdc_error *err);
int64_t ecdc_tr_grid_count(const ecdc_tr_grid *grid, int64_t n_samples, int sampling_rate_hz, int with_partial);
double ecdc_tr_grid_start_s(const ecdc_tr_grid *grid, int64_t i);
void ecdc_tr_grid_frames(const ecdc_tr_grid *grid, int64_t i, int64_t *first, int64_t *count);
int ecdc_giblet_codebooks(double bandwidth_kbps);
ecdc_status ecdc_row_maker_new(const ecdc_row_shape *shape, int sampling_rate_hz, int with_partial, ecdc_row_maker **maker, ecdc_error *err);
void ecdc_row_maker_free(ecdc_row_maker *maker);
ecdc_status ecdc_row_maker_push(ecdc_row_maker *maker, const int32_t *codes, size_t n_frames, int64_t n_samples, ecdc_error *err);
void ecdc_row_maker_finish(ecdc_row_maker *maker);
int ecdc_row_maker_pull(ecdc_row_maker *maker, int64_t *row, ecdc_row_info *info);
ecdc_status ecdc_row_placer_new(const ecdc_row_shape *shape, int codebook_size, int64_t n_trs, int64_t n_frames, ecdc_row_placer **placer, ecdc_error *err);
void ecdc_row_placer_free(ecdc_row_placer *placer);
ecdc_status ecdc_row_placer_push(ecdc_row_placer *placer, const int64_t *row, ecdc_error *err);
size_t ecdc_row_placer_ready(const ecdc_row_placer *placer);
size_t ecdc_row_placer_pull(ecdc_row_placer *placer, int32_t *codes, size_t max_frames);
ecdc_mel_settings ecdc_default_mel_settings(void);
ecdc_status ecdc_mel_new(const ecdc_mel_settings *settings, ecdc_mel **mel, ecdc_error *err);
void ecdc_mel_free(ecdc_mel *mel);
int ecdc_mel_empty_filters(const ecdc_mel *mel);
ecdc_status ecdc_mel_push(ecdc_mel *mel, const float *samples, size_t n_samples, ecdc_error *err);
ecdc_status ecdc_mel_finish(ecdc_mel *mel, ecdc_error *err);
size_t ecdc_mel_ready(const ecdc_mel *mel);
size_t ecdc_mel_pull(ecdc_mel *mel, float *power, size_t max_frames);
double ecdc_mel_peak(const ecdc_mel *mel);
void ecdc_power_to_db(const float *power, size_t n, double ref, double top_db, float *db);
void ecdc_db_to_power(const float *db, size_t n, double ref, float *power);
ecdc_status ecdc_mel_inverse_new(const ecdc_mel_settings *settings, ecdc_mel_inverse **inverse, ecdc_error *err);
void ecdc_mel_inverse_free(ecdc_mel_inverse *inverse);
ecdc_status ecdc_mel_inverse_push(ecdc_mel_inverse *inverse, const float *power, size_t n_frames, ecdc_error *err);
ecdc_status ecdc_mel_inverse_finish(ecdc_mel_inverse *inverse, int64_t n_samples, ecdc_error *err);
size_t ecdc_mel_inverse_ready(const ecdc_mel_inverse *inverse);
size_t ecdc_mel_inverse_pull(ecdc_mel_inverse *inverse, float *samples, size_t max_samples);
ecdc_status ecdc_mel_grid_init(ecdc_mel_grid *grid, const ecdc_mel_settings *settings, const char *tr, ecdc_alignment alignment, ecdc_error *err);
void ecdc_mel_grid_frames(const ecdc_mel_grid *grid, int64_t i, int64_t *first, int64_t *count);
ecdc_status ecdc_row_latent(const ecdc_model *model, const ecdc_row_shape *shape, const int64_t *row, int64_t n_frames, int per_frame, float *latent, ecdc_error *err);
size_t ecdc_glover_hrf_length(double tr_s, int oversampling, double time_length_s);
ecdc_status ecdc_glover_hrf(double tr_s, int oversampling, double time_length_s, double onset_s, double *kernel, ecdc_error *err);
ecdc_status ecdc_hrf_convolve(ecdc_hrf hrf, double tr_s, const float *series, size_t n_trs, size_t n_features, double outside, float *result, ecdc_error *err);
ecdc_status ecdc_compare(const float *reference, const float *degraded, size_t n_samples, int sampling_rate_hz, ecdc_metrics *metrics, ecdc_error *err);
ecdc_status ecdc_stoi(const float *reference, const float *degraded, size_t n_samples, int sampling_rate_hz, double *stoi, double *estoi, ecdc_error *err);
ecdc_status ecdc_nifti_open(const char *path, ecdc_nifti **nifti, ecdc_error *err);
void ecdc_nifti_close(ecdc_nifti *nifti);
void ecdc_nifti_get_info(const ecdc_nifti *nifti, ecdc_nifti_info *info);
ecdc_status ecdc_nifti_read(ecdc_nifti *nifti, float *volume, int *more, ecdc_error *err);
ecdc_scan_settings ecdc_default_scan_settings(void);
ecdc_status ecdc_mask_new(const ecdc_nifti_space *space, const uint8_t *voxels, ecdc_mask **mask, ecdc_error *err);
ecdc_status ecdc_mask_open(const char *path, ecdc_mask **mask, ecdc_error *err);
void ecdc_mask_free(ecdc_mask *mask);
ecdc_status ecdc_mask_share(const char *const *paths, size_t n_paths, const ecdc_scan_settings *settings, ecdc_mask **mask, ecdc_mask_vote *votes, ecdc_error *err);
int64_t ecdc_mask_voxels(const ecdc_mask *mask);
void ecdc_mask_get_space(const ecdc_mask *mask, ecdc_nifti_space *space);
void ecdc_mask_coordinates(const ecdc_mask *mask, int64_t *coordinates);
void ecdc_mask_array(const ecdc_mask *mask, uint8_t *voxels);
ecdc_status ecdc_mask_save(const ecdc_mask *mask, const char *path, int overwrite, ecdc_error *err);
ecdc_status ecdc_nifti_extract(ecdc_nifti *nifti, const ecdc_mask *mask, const ecdc_scan_settings *settings, float *series, ecdc_extraction *report, ecdc_error *err);
ecdc_nifti_settings ecdc_default_nifti_settings(void);
ecdc_status ecdc_nifti_writer_new(const char *path, const ecdc_nifti_settings *settings, ecdc_nifti_writer **writer, ecdc_error *err);
void ecdc_nifti_writer_free(ecdc_nifti_writer *writer);
ecdc_status ecdc_nifti_write(ecdc_nifti_writer *writer, const float *volume, ecdc_error *err);
ecdc_status ecdc_nifti_write_masked(ecdc_nifti_writer *writer, const ecdc_mask *mask, const float *row, ecdc_error *err);
ecdc_status ecdc_nifti_writer_finish(ecdc_nifti_writer *writer, ecdc_error *err);
ecdc_study_settings ecdc_default_study_settings(void);
ecdc_status ecdc_study_open(const char *data, const ecdc_study_settings *settings, const ecdc_model *model, ecdc_study **study, ecdc_error *err);
void ecdc_study_close(ecdc_study *study);
void ecdc_study_get_info(const ecdc_study *study, ecdc_study_info *info);
ecdc_status ecdc_study_get_subject(const ecdc_study *study, int64_t index, ecdc_study_subject *subject, ecdc_error *err);
ecdc_status ecdc_study_look(const ecdc_study *study, ecdc_part part, int64_t subject, ecdc_part_info *info, ecdc_error *err);
ecdc_status ecdc_study_build(const ecdc_study *study, int parts, int *n_made, ecdc_error *err);
ecdc_report_settings ecdc_default_report_settings(void);
ecdc_status ecdc_report(const ecdc_model *model, const char *input, const char *output, const ecdc_report_settings *settings, ecdc_report_result *result, ecdc_error *err);
"""


# ------------------------------------------------------------------------------------------------------- loading --


def _pointer_to(scalar: Any, dtype: type) -> type:
    """An argument `scalar *`: a contiguous numpy array of that type, a reference to one number, or None."""
    pointer = POINTER(scalar)

    class Argument:
        @classmethod
        def from_param(cls, value: Any) -> Any:
            if not isinstance(value, np.ndarray):
                return pointer.from_param(value)
            if value.dtype != dtype or not value.flags.c_contiguous:
                raise TypeError(f"a contiguous array of {np.dtype(dtype)} is needed, not of {value.dtype}")
            return value.ctypes.data_as(pointer)

    return Argument


_TYPES: dict[str, Any] = {
    "void": None, "int": c_int, "double": c_double, "size_t": c_size_t, "int64_t": c_int64, "char *": c_char_p,
    "ecdc_status": c_int, "ecdc_alignment": c_int, "ecdc_hrf": c_int, "ecdc_part": c_int,
    "int *": POINTER(c_int), "size_t *": POINTER(c_size_t), "double *": _pointer_to(c_double, np.float64),
    "float *": _pointer_to(ctypes.c_float, np.float32), "int32_t *": _pointer_to(c_int32, np.int32),
    "int64_t *": _pointer_to(c_int64, np.int64), "uint8_t *": _pointer_to(ctypes.c_uint8, np.uint8),
    "char *const *": POINTER(c_char_p),
    **{name: struct for name, struct in STRUCTS.items()},
    **{f"{name} *": POINTER(struct) for name, struct in STRUCTS.items()},
    **{f"{name} *": c_void_p for name in HANDLES},
    **{f"{name} **": POINTER(c_void_p) for name in HANDLES},
}


def _type_of(declaration: str) -> Any:
    """The ctypes type of "const float *samples"; the name at the end may be missing."""
    base, stars = re.fullmatch(r"(?:const )?(\w+) ?(\*const \*|\**)\w*", declaration.strip()).groups()  # type: ignore[union-attr]
    return _TYPES[f"{base} {stars}" if stars else base]


def prototypes() -> Iterator[tuple[str, Any, list[Any]]]:
    """(name, type of the result, types of the arguments) of each function."""
    for line in PROTOTYPES.strip().splitlines():
        result, name, arguments = re.fullmatch(r"(.+?)(ecdc_\w+)\((.*)\);", line).groups()  # type: ignore[union-attr]
        yield name, _type_of(result), [] if arguments == "void" else [_type_of(a) for a in arguments.split(",")]


def _load() -> ctypes.CDLL:
    path = os.environ.get("ECDC_LIBRARY") or str(Path(__file__).parent / "libecdc.so")
    try:
        library = ctypes.CDLL(path)
    except OSError as e:
        raise ImportError(f"the library of ecdc cannot be loaded: {e}; `pip install .` builds it, or the environment "
                          "variable ECDC_LIBRARY names a libecdc.so") from e
    for name, result, arguments in prototypes():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    _quieten_ffmpeg(library)
    return library


def _quieten_ffmpeg(library: ctypes.CDLL) -> None:
    """FFmpeg says on standard error what it thinks of a damaged file; here that is an exception's. The level is the process's: one
    that the program has set before stays, and it may set another one afterwards."""
    with contextlib.suppress(AttributeError):  # a library that FFmpeg is part of does not show its functions
        if library.av_log_get_level() == AV_LOG_INFO:  # FFmpeg's default
            library.av_log_set_level(AV_LOG_QUIET)


lib = _load()


# -------------------------------------------------------------------------------------------------------- errors --


class EcdcError(ValueError):
    """What the library refused: a wrong argument, a damaged file, a model that is not there.

    Attributes
    ----------
    status : str
        The library's name for it, such as ``"ECDC_E_FORMAT"``.
    """

    def __init__(self, message: str, status: str) -> None:
        super().__init__(message)
        self.status = status


# Where the library's messages name options of the command, and what these are called here.
_WORDS = ((re.compile(r"overwriting was not asked for"), "overwrite=True overwrites it"),
          (re.compile(r"; (--partial-input takes what comes before|--partial keeps it)"), ""),  # a study has neither; Reader says its own
          (re.compile(r"use -m default"), "use model='default'"),
          (re.compile(r"\(--tr\)"), "(tr)"),
          (re.compile(r"--(film|scans) "), r"\1="),
          (re.compile(r"--codebooks (?=\d)"), "n_codebooks="))


def _message_of(error: Error) -> str:
    text = error.message.decode("utf-8", "replace")
    for option, argument in _WORDS:
        text = option.sub(argument, text)
    return text


def call(function: Callable[..., int], *arguments: Any) -> None:
    """Calls a function that ends in `ecdc_error *err`; its failure becomes an exception."""
    error = Error()
    status = function(*arguments, byref(error))
    if status == OK:
        return
    message = _message_of(error)
    if status == E_MEMORY:
        raise MemoryError(message)
    if status == E_IO:
        raise OSError(message)
    raise EcdcError(message, lib.ecdc_status_name(status).decode())


class Handle:
    """An object of the library, freed with the last reference to it. One thread at a time holds its lock."""

    def __init__(self, pointer: c_void_p, free: Callable[[c_void_p], None], *keeps: Any) -> None:
        self.pointer = pointer
        self.lock = threading.Lock()
        self._free = free
        self._keeps = keeps  # what must outlive it

    def __del__(self) -> None:
        self._free(self.pointer)


def new(make: Callable[..., int], free: Callable[[c_void_p], None], *arguments: Any, keeps: tuple[Any, ...] = ()) -> Handle:
    """Calls a function that ends in `handle **, ecdc_error *err`."""
    pointer = c_void_p()
    call(make, *arguments, byref(pointer))
    return Handle(pointer, free, *keeps)
