"""Writes tests/data/stoi.tsv: STOI and ESTOI as pystoi computes them, for speech in noise at several rates and levels.

The signals are made from audio/jfk.flac by arithmetic that tests/c/test_stoi.c repeats bit by bit: linear interpolation to
the rate, half a second of digital silence, noise from a linear congruential generator.

    ~/.cache/ecdc/peers/bin/python tests/tools/make_stoi.py
"""
import subprocess
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "tests" / "data" / "stoi.tsv"
RATES = (8000, 10000, 16000, 22050, 24000, 44100, 48000)
SNRS_DB = (-5, 0, 5, 10, 20)
SECONDS = 4


def recording():
    """Mono as the mean of the channels in float32, as ecdc_reader_read gives it; 44.1 kHz, full scale 1."""
    done = subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-i", ROOT / "audio" / "jfk.flac", "-f", "f32le", "-"],
                          capture_output=True, check=True)
    left, right = np.frombuffer(done.stdout, "<f4").reshape(-1, 2).T
    return ((left + right) / 2).astype(float)


def speech(recorded, rate):
    """Its first seconds at a rate, with silence from 1.0 to 1.5 s."""
    n = SECONDS * rate
    place = np.arange(n) * 44100
    whole, part = place // rate, (place % rate) / rate
    x = recorded[whole] + part * (recorded[whole + 1] - recorded[whole])
    x[rate:rate + rate // 2] = 0
    return x.astype(np.float32)


def noise(n, seed=1):
    """-1 ... 1, as random_float of tests/c/golden.h."""
    factors = np.cumprod(np.full(n, 1664525, np.uint32), dtype=np.uint32)
    sums = np.cumsum(np.concatenate([[1], factors[:-1]]).astype(np.uint32), dtype=np.uint32)
    states = factors * np.uint32(seed) + sums * np.uint32(1013904223)
    return (states >> 8) / 2.0 ** 23 - 1


def degrade(clean, gain):
    return (clean + gain * noise(len(clean))).astype(np.float32)


def gain_for(clean, snr_db):
    """A round number, for it stands in the table."""
    power = np.mean(clean.astype(float) ** 2) / np.mean(noise(len(clean)) ** 2)
    return float(f"{np.sqrt(power / 10 ** (snr_db / 10)):.5g}")


def rows():
    import pystoi  # here, so that tests without it can make the signals
    recorded = recording()
    for rate in RATES:
        clean = speech(recorded, rate)
        for snr_db in SNRS_DB:
            gain = gain_for(clean, snr_db)
            signals = clean.astype(float), degrade(clean, gain).astype(float)
            yield rate, snr_db, gain, pystoi.stoi(*signals, rate), pystoi.stoi(*signals, rate, extended=True)


if __name__ == "__main__":
    lines = ["rate_hz\tsnr_db\tnoise_gain\tstoi\testoi"]
    lines += [f"{rate}\t{snr}\t{gain:g}\t{stoi:.10f}\t{estoi:.10f}" for rate, snr, gain, stoi, estoi in rows()]
    TABLE.write_text("\n".join(lines) + "\n")
