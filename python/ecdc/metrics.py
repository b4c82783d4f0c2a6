"""Measures of a degraded sound against its reference.

Both are mono, at one rate, of one length, and neither is shifted against the other: float arrays (samples,), or int16, or
(channels, samples), which are mixed by their mean.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from . import _arguments
from ._library import Metrics, byref, c_double, call, lib

__all__ = ["Comparison", "compare", "estoi", "lsd_db", "pesq", "resample", "si_sdr_db", "snr_db", "stoi"]

_ANY_RATE = 10000  # for measures that do not depend on it


class Comparison(NamedTuple):
    """All measures that the library has."""

    stoi: float
    estoi: float
    snr_db: float
    si_sdr_db: float
    lsd_db: float


def _pair(reference: Any, degraded: Any) -> tuple[np.ndarray, np.ndarray]:
    reference, degraded = _arguments.samples("reference", reference), _arguments.samples("degraded", degraded)
    if len(reference) != len(degraded):
        raise ValueError(f"degraded has {len(degraded)} samples, allowed are as many as reference has: {len(reference)}")
    if len(reference) == 0:
        raise ValueError("reference has 0 samples, allowed are 1 or more")
    return reference, degraded


def _rate(rate: Any) -> int:
    return _arguments.integer("rate", rate, 1, 2**31 - 1, " of Hz")


def compare(reference: Any, degraded: Any, rate: int) -> Comparison:
    """STOI, ESTOI, SNR, SI-SDR and log-spectral distance at once; `rate` in Hz."""
    reference, degraded = _pair(reference, degraded)
    metrics = Metrics()
    call(lib.ecdc_compare, reference, degraded, len(reference), _rate(rate), byref(metrics))
    return Comparison(*(getattr(metrics, name) for name in Comparison._fields))


def _stoi(reference: Any, degraded: Any, rate: int) -> tuple[float, float]:
    reference, degraded = _pair(reference, degraded)
    stoi, estoi = c_double(), c_double()
    call(lib.ecdc_stoi, reference, degraded, len(reference), _rate(rate), byref(stoi), byref(estoi))
    return stoi.value, estoi.value


def stoi(reference: Any, degraded: Any, rate: int, extended: bool = False) -> float:
    """Short-time objective intelligibility (Taal et al. 2011), up to 1; pystoi's arguments and numbers. `rate` in Hz.

    NaN where there is too little to measure: less than 0.41 s of the reference within 40 dB of its loudest frame. With `extended`
    the same as `estoi`.
    """
    return _stoi(reference, degraded, rate)[1 if extended else 0]


def estoi(reference: Any, degraded: Any, rate: int) -> float:
    """Extended STOI (Jensen and Taal 2016), as `stoi`."""
    return _stoi(reference, degraded, rate)[1]


def snr_db(reference: Any, degraded: Any) -> float:
    """10 log10(sum reference² / sum (reference - degraded)²); +inf for equal signals."""
    return compare(reference, degraded, _ANY_RATE).snr_db


def si_sdr_db(reference: Any, degraded: Any) -> float:
    """Scale-invariant signal-to-distortion ratio, means removed (Le Roux et al. 2019)."""
    return compare(reference, degraded, _ANY_RATE).si_sdr_db


def lsd_db(reference: Any, degraded: Any) -> float:
    """Log-spectral distance: 2048-point Hann window, hop 512, 20 log10 with floor 1e-10."""
    return compare(reference, degraded, _ANY_RATE).lsd_db


def resample(samples: Any, rate: int, new_rate: int) -> np.ndarray:
    """Converts a sound from `rate` to `new_rate` Hz (libsoxr, HQ): float32 (ceil(n * new_rate / rate),)."""
    samples = _arguments.samples("samples", samples)
    rate, new_rate = (_arguments.integer(name, hz, 1000, 384000, " of Hz") for name, hz in (("rate", rate), ("new_rate", new_rate)))
    out = np.empty(lib.ecdc_resampled_length(len(samples), rate, new_rate), np.float32)
    call(lib.ecdc_resample, samples, len(samples), rate, new_rate, out)
    return out


def pesq(reference: Any, degraded: Any, rate: int) -> float:
    """Wide-band PESQ (ITU-T P.862.2), 1.04 ... 4.64, at 16 kHz, to which other rates are converted.

    Needs the package ``pesq``: ``pip install ecdc[metrics]``. ValueError where a signal is silent throughout; the package's own
    ``pesq.PesqError`` where it finds no speech, or less than 0.25 s of sound.
    """
    try:
        import pesq as package
    except ImportError as e:
        raise ImportError("ecdc.metrics.pesq needs the package pesq: pip install 'ecdc[metrics]'") from e
    reference, degraded = _pair(reference, degraded)
    for name, x in (("reference", reference), ("degraded", degraded)):
        if not np.isfinite(x).all():
            wrong = int(np.flatnonzero(~np.isfinite(x))[0])
            raise ValueError(f"sample {wrong} of the {name} signal is {x[wrong]}, not a finite number")
        if not x.any():
            raise ValueError(f"{name} is silent throughout: PESQ has no number for it")
    reference, degraded = (resample(x, rate, 16000) for x in (reference, degraded))
    return float(package.pesq(16000, reference, degraded, "wb"))
