"""Training examples from the dry corpus: cut, mixed, put into rooms, equalised, band-limited, made noisy, levelled; anew each
time."""

import glob
import os

import numpy as np

RATE_HZ = 24000
LEAD = 12000 # samples before an example that its room may still echo


class Examples:
    """Endless random examples. `settings` is the table [augmentation]; kinds of shards are drawn in proportion to their number."""

    def __init__(self, folder, settings, length, seed, held_out=False):
        self.folder, self.settings, self.length, self.held_out = folder, settings, length, held_out
        self.rng = np.random.default_rng(seed)
        self.shards, self.drawn = [], 0
        self.rescan()

    def rescan(self):
        """Takes in shards that were made since."""
        names = sorted(glob.glob(os.path.join(self.folder, "*.npy")))
        names = [n for n in names if not n.endswith(".tmp.npy")
                 and os.path.basename(n).startswith("held_out") == self.held_out]
        if len(names) != len(self.shards):
            self.shards = [np.load(n, mmap_mode="r") for n in names]
        if not self.shards:
            raise SystemExit(f"{self.folder} has no corpus yet: run corpus.py first")

    def batch(self, n):
        """float32 (n, length)."""
        self.drawn += 1
        if self.drawn % 500 == 0:
            self.rescan()
        return np.stack([self.example() for _ in range(n)])

    def _dry(self):
        while True:
            shard = self.shards[self.rng.integers(len(self.shards))]
            start = self.rng.integers(0, len(shard) - self.length - LEAD)
            x = shard[start : start + self.length + LEAD].astype(np.float32) / 32768
            if np.abs(x[LEAD:]).max() > 0.01 or self.rng.random() < 0.02:
                return x

    def example(self):
        rng, p = self.rng, self.settings
        x = self._dry()
        if rng.random() < p["mixture"]:
            x = x + self._dry() * 10 ** rng.uniform(-1.3, 0)
        x = self._filtered(x)[LEAD:]
        if rng.random() < p["noise"]:
            x = x + self._noise(len(x)) * np.sqrt(np.mean(x**2) + 1e-9) * 10 ** (-rng.uniform(3, 40) / 20)
        rms_db = rng.uniform(*p["rms_db"])
        x = x / (np.sqrt(np.mean(x**2)) + 1e-5) * 10 ** (rms_db / 20)
        if rng.random() < p["clipping"]:
            limit = np.abs(x).max() * rng.uniform(0.2, 0.8)
            x = np.clip(x, -limit, limit)
        peak = np.abs(x).max()
        return (x if peak < 0.98 else x * (0.98 / peak)).astype(np.float32)

    def _filtered(self, x):
        """Room, equaliser and band limits as one product of spectra."""
        rng, p = self.rng, self.settings
        n = len(x) + LEAD
        f = np.fft.rfftfreq(n, 1 / RATE_HZ)
        gain = None
        if rng.random() < p["equalizer"]: # a smooth curve over octaves
            octaves = np.log2(np.maximum(f, 30) / 30)
            gain = 10 ** (np.interp(octaves, np.arange(10), rng.uniform(-9, 9, 10)) / 20)
        if rng.random() < p["band_limit"]: # steep, as of a telephone, an old recording, a lossy codec
            low, high = rng.choice([20, 80, 150, 300]), np.exp(rng.uniform(np.log(2800), np.log(11500)))
            band = 1 / (1 + (f / high) ** 24) / (1 + (low / np.maximum(f, 1)) ** 8)
            gain = band if gain is None else gain * band
        room = self._room() if rng.random() < p["room"] else None
        if gain is None and room is None:
            return x
        spectrum = np.fft.rfft(x, n)
        if gain is not None:
            spectrum *= gain
        if room is not None:
            spectrum *= np.fft.rfft(room, n)
        return np.fft.irfft(spectrum, n)[: len(x)]

    def _room(self):
        """An impulse response: the direct sound, a few early echoes, an exponential tail of noise that darkens with time."""
        rng = self.rng
        t60_s, n = rng.uniform(0.1, 0.9), LEAD
        t = np.arange(n) / RATE_HZ
        tail = rng.standard_normal(n) * 10 ** (-3 * t / t60_s)
        dark = np.cumsum(tail) * 0.05 * np.exp(-t / 0.2)
        tail = tail * np.exp(-t / (0.3 * t60_s)) + (dark - dark.mean()) * 0.2
        h = tail / (np.sqrt(np.sum(tail**2)) + 1e-9) * 10 ** (-rng.uniform(0, 18) / 20)
        h[: int(0.002 * RATE_HZ)] = 0
        h[rng.integers(50, 1500, 5)] += rng.uniform(-0.4, 0.4, 5)
        h[0] = 1
        return h

    def _noise(self, n):
        """Of unit power, with a slope between white and brown, sometimes the corpus itself (babble)."""
        rng = self.rng
        if rng.random() < 0.2:
            x = sum(self._dry() for _ in range(4))[LEAD:]
        else:
            f = np.maximum(np.fft.rfftfreq(n, 1 / RATE_HZ), 30)
            x = np.fft.irfft(np.fft.rfft(rng.standard_normal(n)) * f ** -rng.uniform(0, 1), n)
        return x / (np.sqrt(np.mean(x**2)) + 1e-9)
