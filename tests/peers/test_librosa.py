"""Mel mode against librosa, live: the spectrogram, the whole chain from a file, the way back."""
import json
import time
import warnings

import librosa
import make_features
import make_stoi
import numpy as np
import pystoi
import pytest
from compare import ROOT
from library import Library

RATE, HOP = make_features.RATE, make_features.HOP
pytestmark = pytest.mark.filterwarnings("ignore:Empty filters")


@pytest.fixture(scope="module")
def library():
    return Library()


def recorded(rate):
    """audio/jfk.flac, resampled by soxr HQ from the mean of its channels."""
    return librosa.resample(make_stoi.recording().astype(np.float32), orig_sr=44100, target_sr=rate, res_type="soxr_hq")


@pytest.fixture(scope="module")
def speech():
    return recorded(RATE)


SOUNDS = {
    "speech": lambda: recorded(RATE),
    "noise": lambda: make_stoi.noise(50000).astype(np.float32),
    "tone in silence": lambda: (np.sin(np.arange(60000) / 7) * (np.arange(60000) > 30000)).astype(np.float32),
    "click": lambda: np.eye(1, 30000, 12345, dtype=np.float32)[0],
    "silence": lambda: np.zeros(5000, np.float32),
    "one sample": lambda: np.ones(1, np.float32),
}


@pytest.mark.parametrize("name", SOUNDS)
def test_spectrogram(library, name):
    samples = SOUNDS[name]()
    wanted = make_features.mel_power(samples)
    got = library.mel(samples).T
    assert got.shape == wanted.shape
    with np.errstate(all="ignore"):
        difference = np.abs(librosa.power_to_db(got, ref=np.max) - librosa.power_to_db(wanted, ref=np.max)).max()
    print(f"{name}: {difference:.1e} dB")
    assert difference < 1e-3


@pytest.mark.parametrize("settings", [dict(n_fft=1024, hop=256, n_mels=80), dict(n_fft=2048, hop=300, n_mels=128),
                                      dict(n_fft=512, hop=512, n_mels=1), dict(n_fft=4096, hop=512, n_mels=5000)])
def test_other_settings(library, speech, settings):
    wanted = librosa.feature.melspectrogram(y=speech, sr=RATE, n_fft=settings["n_fft"], hop_length=settings["hop"],
                                            n_mels=settings["n_mels"])
    got = library.mel(speech, **settings).T
    difference = np.abs(librosa.power_to_db(got, ref=np.max) - librosa.power_to_db(wanted, ref=np.max)).max()
    print(f"{settings}: {difference:.1e} dB")
    assert difference < 1e-3


def giblet_rows(samples, tr):
    """REFERENCE arithmetic of giblet's mel mode: (n_trs, mels, frames), and the frames before padding."""
    db = make_features.mel_db(make_features.mel_power(samples))
    width = int(np.ceil(int(tr * RATE) / HOP))
    rows, counts = [], []
    for i in range(int(np.floor(len(samples) / RATE / tr))):
        start = i * tr
        part = db[:, int(start * RATE) // HOP:int((start + tr) * RATE) // HOP]
        counts.append(part.shape[1])
        rows.append(np.pad(part, ((0, 0), (0, width - part.shape[1])), constant_values=-80))
    return np.stack(rows), counts


@pytest.mark.parametrize("tr", [1.5, 2.0, 0.72])
def test_whole_chain(ecdc, tmp_path, tr):
    """From a file at 44.1 kHz in two channels: both sides resample with soxr HQ."""
    ecdc("features", ROOT / "audio" / "jfk.flac", "-o", tmp_path / "f.npy", "--mode", "mel", "--tr", tr, "-q")
    got = np.load(tmp_path / "f.npy")
    wanted, counts = giblet_rows(recorded(RATE), tr)
    assert got.shape == wanted.shape and got.dtype == np.float32
    assert [int(line.split("\t")[3]) for line in (tmp_path / "f.tsv").read_text().splitlines()[1:]] == counts
    difference = np.abs(got - wanted)
    print(f"TR {tr}: {100 * (difference < 0.1).mean():.4f} % within 0.1 dB, largest difference {difference.max():.4f} dB")
    assert (difference < 0.1).mean() >= 0.999
    reference = json.loads((tmp_path / "f.json").read_text())["mel"]["ref"]
    assert reference == pytest.approx(make_features.mel_power(recorded(RATE)).max(), rel=1e-3)


class Phases(np.random.RandomState):
    """The phases that ecdc starts with: splitmix64, frame by frame."""

    def random(self, size):
        bins, frames = size
        step = np.arange(1, bins * frames + 1, dtype=np.uint64) * np.uint64(0x9e3779b97f4a7c15)
        z = (step ^ (step >> np.uint64(30))) * np.uint64(0xbf58476d1ce4e5b9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94d049bb133111eb)
        return ((z ^ (z >> np.uint64(31))) >> np.uint64(11)).reshape(frames, bins).T * 2.0 ** -53


def test_way_back(library, speech):
    """STOI of the sound from the same spectrogram in dB and the same phases to start with; with librosa's own, which are random, it
    is 0.857 +- 0.009, with our seeds 0.858 +- 0.008."""
    power = make_features.mel_power(speech)
    power = librosa.db_to_power(librosa.power_to_db(power, ref=np.max), ref=power.max()).astype(np.float32)
    n = (power.shape[1] - 1) * HOP
    clean = speech[:n].astype(float)
    began = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        magnitudes = librosa.feature.inverse.mel_to_stft(power, sr=RATE, n_fft=make_features.N_FFT)  # as mel_to_audio does it
        theirs = librosa.griffinlim(magnitudes, n_fft=make_features.N_FFT, hop_length=HOP, random_state=Phases(0))
    their_s, began = time.monotonic() - began, time.monotonic()
    ours = library.mel_to_audio(power.T, n)
    our_s = time.monotonic() - began
    their_stoi, our_stoi = (pystoi.stoi(clean, sound.astype(float), RATE) for sound in (theirs, ours))
    print(f"STOI {our_stoi:.4f} in {our_s:.2f} s, librosa's {their_stoi:.4f} in {their_s:.2f} s: {their_s / our_s:.0f} times as fast")
    assert our_stoi > their_stoi - 0.005


def test_griffin_lim(library):
    """The same phases to start with give librosa's sound. A filter per bin, so that the solver has one answer: 64-point
    frames at 2 kHz, whose filters of 31.25 Hz in the linear part stand on the bins."""
    settings = dict(sampling_rate_hz=2000, n_fft=64, hop=16, n_mels=31, iterations=6)
    basis = librosa.filters.mel(sr=2000, n_fft=64, n_mels=31)
    assert ((basis > 1e-6).sum(1) == 1).all()
    magnitudes = np.random.default_rng(1).uniform(0.1, 1, (33, 40)).astype(np.float32)
    magnitudes[[0, -1]] = 0  # in no filter
    ours = library.mel_to_audio((basis @ magnitudes ** 2).T, 39 * 16, **settings)
    theirs = librosa.griffinlim(magnitudes, n_iter=6, hop_length=16, n_fft=64, random_state=Phases(0))
    print(f"largest difference {np.abs(ours - theirs).max():.1e} of {np.abs(theirs).max():.2f}")
    assert np.abs(ours - theirs).max() < 1e-4
