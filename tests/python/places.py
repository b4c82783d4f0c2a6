"""Where things are, and WAV files by the standard library."""

import os
import wave
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("ECDC", ROOT / "build" / "ecdc")).resolve()
SPEECH = ROOT / "audio" / "jfk.flac"
TINY = ROOT / "tests" / "data" / "tiny24"


def write_wav(path, samples, rate):
    """int16 (samples,) or (samples, channels)."""
    samples = np.asarray(samples, "<i2")
    with wave.open(str(path), "wb") as w:
        w.setparams((1 if samples.ndim == 1 else samples.shape[1], 2, rate, 0, "NONE", ""))
        w.writeframes(samples.tobytes())
    return path


def read_wav(path):
    """(rate, int16 samples)."""
    with wave.open(str(path), "rb") as w:
        return w.getframerate(), np.frombuffer(w.readframes(w.getnframes()), "<i2")
