"""Writes tests/data/features/: what librosa makes of a second of speech, and nilearn's haemodynamic responses.

    ~/.cache/ecdc/peers/bin/python tests/tools/make_features.py
"""
import subprocess
import warnings
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data" / "features"
RATE, N_FFT, HOP, N_MELS = 22050, 4096, 512, 2048
FRAMES = (0, 1, 5, 20, 42, 43)  # of the 44 of the fixture
TRS, OVERSAMPLINGS = (0.72, 1.5, 2.0), (1, 50)
REGRESSOR_TRS = (1.5, 2.0)  # 24 s, where nilearn's fine grid begins, are whole points of it


def speech():
    """The first second with sound of audio/jfk.flac at 22.05 kHz, int16."""
    done = subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-ss", "0.3", "-t", "1.01", "-i", ROOT / "audio" / "jfk.flac",
                           "-ac", "1", "-ar", str(RATE), "-f", "s16le", "-"], capture_output=True, check=True)
    return np.frombuffer(done.stdout, "<i2")[:22200]


def mel_power(samples):
    """(mels, frames), float32"""
    import librosa
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Empty filters", UserWarning)
        return librosa.feature.melspectrogram(y=samples.astype(np.float32), sr=RATE, n_fft=N_FFT, hop_length=HOP,
                                              n_mels=N_MELS)


def mel_db(power):
    import librosa
    return librosa.power_to_db(power, ref=np.max)


def stimulus():
    """40 rows of something."""
    return np.random.default_rng(7).uniform(-1, 1, 40).astype(np.float32)


def regressor(values, tr):
    """nilearn's prediction at the start of each TR, for values that hold for a TR each."""
    from nilearn.glm.first_level.hemodynamic_models import compute_regressor
    onsets = np.arange(len(values)) * tr
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compute_regressor((onsets, np.full(len(values), tr), values), "glover", onsets, oversampling=50)[0][:, 0]


def main():
    from nilearn.glm.first_level import glover_hrf
    DATA.mkdir(exist_ok=True)
    samples = speech()
    np.save(DATA / "speech.npy", samples)
    power = mel_power(samples / np.float32(32768))
    np.save(DATA / "mel_peak.npy", np.array([power.max()], np.float64))
    np.save(DATA / "mel_db.npy", np.ascontiguousarray(mel_db(power).T[list(FRAMES)], np.float32))
    for tr in TRS:
        for oversampling in OVERSAMPLINGS:
            np.save(DATA / f"hrf_{tr}_{oversampling}.npy", glover_hrf(tr, oversampling))
    np.save(DATA / "stimulus.npy", stimulus())
    for tr in REGRESSOR_TRS:
        np.save(DATA / f"regressor_{tr}.npy", regressor(stimulus(), tr))


if __name__ == "__main__":
    main()
