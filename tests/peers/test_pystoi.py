"""STOI and ESTOI of `ecdc compare` are those of pystoi, on speech that was spoilt in many ways."""
import json

import make_stoi
import numpy as np
import pystoi
import pytest
from compare import write_wav

SAME = 1e-9  # both compute in doubles

RATES = [8000, 11025, 16000, 22050, 32000, 44100, 47952, 48000, 96000]


def echo(x, rate):
    late = np.zeros_like(x)
    for delay, gain in (0.031, 0.7), (0.083, 0.5), (0.19, 0.3):
        late[int(delay * rate):] += gain * x[:len(x) - int(delay * rate)]
    return x + late


SPOILT = {
    "noise": lambda x, rate: make_stoi.degrade(x, 0.05),
    "clipped": lambda x, rate: np.clip(x, -0.05, 0.05),
    "echo": echo,
    "coarse": lambda x, rate: np.round(x * 64) / 64,
    "muffled": lambda x, rate: np.convolve(x, np.ones(rate // 1000) / (rate // 1000), "same"),
    "backwards": lambda x, rate: make_stoi.degrade(x[::-1], 1e-6),
    "inverted and quiet": lambda x, rate: -1e-4 * x,
}


def measured(ecdc, directory, clean, spoilt, rate):
    ref = write_wav(directory / "ref.wav", clean, rate)
    deg = write_wav(directory / "deg.wav", spoilt, rate)
    about = json.loads(ecdc("compare", ref, deg, "--json"))
    return about["stoi"], about["estoi"]


@pytest.mark.parametrize("rate", RATES)
def test_spoilt_speech(ecdc, tmp_path, rate):
    clean, worst = make_stoi.speech(make_stoi.recording(), rate), 0
    for name, spoil in SPOILT.items():
        spoilt = spoil(clean, rate).astype(np.float32)
        got = measured(ecdc, tmp_path, clean, spoilt, rate)
        signals = clean.astype(float), spoilt.astype(float)
        wanted = [pystoi.stoi(*signals, rate, extended=extended) for extended in (False, True)]
        difference = max(abs(g - w) for g, w in zip(got, wanted))
        print(f"{rate} Hz, {name}: STOI {got[0]:.4f}, ESTOI {got[1]:.4f}, from pystoi {difference:.0e}")
        worst = max(worst, difference)
    assert worst < SAME


def test_digital_silence_in_the_degraded_sound(ecdc, tmp_path):
    """Where the degraded sound is 0 for a whole segment, pystoi's ESTOI is a matter of chance: it adds noise of 1e-16, which
    then correlates with speech as it happens to. Such segments count 0 here, which is the mean of that."""
    rate = 16000
    clean = make_stoi.speech(make_stoi.recording(), rate)
    spoilt = clean[::-1]
    signals = clean.astype(float), spoilt.astype(float)
    stoi, estoi = measured(ecdc, tmp_path, clean, spoilt, rate)
    chance = [pystoi.stoi(*signals, rate, extended=True) for _ in range(20)]
    print(f"ESTOI {estoi:.6f}, from pystoi {np.mean(chance):.6f} with a standard deviation of {np.std(chance):.1e}")
    assert stoi == pytest.approx(pystoi.stoi(*signals, rate), abs=SAME)
    assert 1e-9 < np.std(chance) < 2e-3
    assert estoi == pytest.approx(np.mean(chance), abs=np.std(chance))


def test_table():
    """The numbers that the C tests use are what pystoi computes now."""
    lines = make_stoi.TABLE.read_text().splitlines()[1:]
    for line, row in zip(lines, make_stoi.rows(), strict=True):
        assert [float(x) for x in line.split()] == pytest.approx(row, abs=1e-9)
