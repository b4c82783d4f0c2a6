"""The library's functions, called through ctypes."""
import ctypes

import numpy as np
from compare import BINARY


class MelSettings(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in ("sampling_rate_hz", "n_fft", "hop", "n_mels", "iterations")] + [
        ("momentum", ctypes.c_double), ("seed", ctypes.c_uint64), ("reserved", ctypes.c_int * 8)]


class Error(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("message", ctypes.c_char * 1000)]


class Library:
    def __init__(self):
        self.lib = ctypes.CDLL(str(BINARY.parent / "libecdc.so"))
        self.lib.ecdc_default_mel_settings.restype = MelSettings
        self.lib.ecdc_glover_hrf_length.restype = ctypes.c_size_t

    def call(self, name, *args):
        error = Error()
        converted = [a.ctypes.data_as(ctypes.c_void_p) if isinstance(a, np.ndarray) else
                     ctypes.c_double(a) if isinstance(a, float) else ctypes.byref(a) if isinstance(a, ctypes.Structure) else a
                     for a in args]
        status = getattr(self.lib, name)(*converted, ctypes.byref(error))
        assert status == 0, error.message

    def settings(self, **changes):
        settings = self.lib.ecdc_default_mel_settings()
        for name, value in changes.items():
            setattr(settings, name, value)
        return settings

    def mel(self, samples, **changes):
        """(frames, mels)"""
        settings = self.settings(**changes)
        samples = np.ascontiguousarray(samples, np.float32)
        power = np.empty((1 + len(samples) // settings.hop, settings.n_mels), np.float32)
        self.call("ecdc_mel_spectrogram", settings, samples, ctypes.c_size_t(len(samples)), power)
        return power

    def mel_to_audio(self, power, n_samples, **changes):
        power = np.ascontiguousarray(power, np.float32)
        samples = np.empty(n_samples, np.float32)
        self.call("ecdc_mel_to_audio", self.settings(**changes), power, ctypes.c_size_t(len(power)), samples,
                  ctypes.c_size_t(n_samples))
        return samples

    def glover_hrf(self, tr, oversampling=50, time_length=32.0, onset=0.0):
        n = self.lib.ecdc_glover_hrf_length(ctypes.c_double(tr), oversampling, ctypes.c_double(time_length))
        kernel = np.empty(n)
        self.call("ecdc_glover_hrf", float(tr), oversampling, float(time_length), float(onset), kernel)
        return kernel

    def convolve(self, hrf, tr, series, outside=0.0):
        series = np.ascontiguousarray(series, np.float32)
        result = np.empty_like(series)
        self.call("ecdc_hrf_convolve", {"causal": 1, "giblet": 2}[hrf], float(tr), series, ctypes.c_size_t(len(series)),
                  ctypes.c_size_t(series[0].size), float(outside), result)
        return result
