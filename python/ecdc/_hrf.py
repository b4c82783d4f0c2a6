"""Haemodynamic responses."""

from __future__ import annotations

import numpy as np

from . import _arguments
from ._library import HRFS, call, lib


def glover_hrf(tr: float, oversampling: int = 50, time_length: float = 32.0, onset: float = 0.0) -> np.ndarray:
    """Glover's haemodynamic response function, the numbers of nilearn's ``glover_hrf``.

    Parameters
    ----------
    tr : float
        Repetition time in seconds.
    oversampling : int
        Points per TR.
    time_length, onset : float
        In seconds.

    Returns
    -------
    float64 array, (round(time_length * oversampling / tr),)
        At ``linspace(0, time_length, n)`` seconds; its sum is 1.
    """
    oversampling = _arguments.integer("oversampling", oversampling, 1, 10000)
    for name, value in (("tr", tr), ("time_length", time_length)):
        _arguments.seconds(name, value)
    kernel = np.empty(lib.ecdc_glover_hrf_length(tr, oversampling, time_length), np.float64)
    call(lib.ecdc_glover_hrf, tr, oversampling, time_length, onset, kernel)
    return kernel


def convolve(hrf: str, tr_s: float, rows: np.ndarray, outside: float, largest: int) -> np.ndarray:
    """Rows (n_trs, ...) convolved over time; integers, where they are convolved at all, are rounded to 0 ... largest.
    `outside`: what a series is before its first row (giblet pads with zeros whatever it convolves)."""
    codes = rows.dtype.kind == "i"
    if hrf == "none" or (codes and hrf == "giblet") or len(rows) == 0:
        return rows
    series = np.ascontiguousarray(rows, np.float32)
    result = np.empty_like(series)
    call(lib.ecdc_hrf_convolve, HRFS[hrf], tr_s, series, len(series), series[0].size, outside if hrf == "causal" else 0.0, result)
    return np.clip(result, 0, largest).astype(rows.dtype) if codes else result
