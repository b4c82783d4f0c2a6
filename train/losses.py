"""What training minimises. All take signals as float32 (batch, samples) at 24 kHz: the original x and the decoded y."""

import math

import torch
import torch.nn.functional as F

RATE_HZ = 24000


def mel_filters(n_fft, n_mels):
    """Triangular filters of unit height, evenly spaced on the mel scale (HTK), (mels, n_fft / 2 + 1)."""
    def mel(f):
        return 2595 * math.log10(1 + f / 700)
    points = torch.linspace(mel(0), mel(RATE_HZ / 2), n_mels + 2)
    edges = 700 * (10 ** (points / 2595) - 1)
    f = torch.arange(n_fft // 2 + 1) * RATE_HZ / n_fft
    rising = (f - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - f) / (edges[2:] - edges[1:-1])[:, None]
    return torch.minimum(rising, falling).clamp_min(0)


class MelLoss:
    """Distance of mel spectrograms at several resolutions, relative in amplitude and absolute in logarithm."""

    SIZES = {256: 24, 512: 40, 1024: 64, 2048: 80}

    def __init__(self):
        self.filters = {n: mel_filters(n, mels) for n, mels in self.SIZES.items()}
        self.windows = {n: torch.hann_window(n) for n in self.SIZES}

    def _mel(self, x, n):
        s = torch.stft(x, n, n // 4, n, self.windows[n], return_complex=True)
        return torch.matmul(self.filters[n], torch.sqrt(s.real**2 + s.imag**2 + 1e-9))

    def __call__(self, x, y):
        loss = 0
        for n in self.SIZES:
            a, b = self._mel(x, n), self._mel(y, n)
            loss = loss + (a - b).abs().mean() / (a.mean() + 1e-3)
            loss = loss + (torch.log(a + 1e-3) - torch.log(b + 1e-3)).abs().mean()
        return loss / len(self.SIZES)


def snr_db(x, y):
    """(batch,). A floor on the error keeps silence from ruling the mean."""
    signal, error = (x**2).sum(-1), ((x - y) ** 2).sum(-1)
    return 10 * torch.log10((signal + 1e-4) / (error + 1e-6 * x.shape[-1] / RATE_HZ + 1e-6))


class EnvelopeLoss:
    """1 - correlation of short-time envelopes in third-octave bands over 0.4 s: what intelligibility measures such as STOI
    (Taal et al. 2011) reward. Quiet stretches do not count."""

    N_FFT, HOP, BANDS, SPAN = 614, 307, 15, 30 # 25.6 ms, half of it, from 150 Hz on, frames

    def __init__(self):
        f = torch.arange(self.N_FFT // 2 + 1) * RATE_HZ / self.N_FFT
        centres = 150 * 2 ** (torch.arange(self.BANDS) / 3)
        self.bands = ((f >= centres[:, None] * 2 ** (-1 / 6)) & (f < centres[:, None] * 2 ** (1 / 6))).float()
        self.window = torch.hann_window(self.N_FFT)

    def _envelopes(self, x):
        s = torch.stft(x, self.N_FFT, self.HOP, self.N_FFT, self.window, center=False, return_complex=True)
        e = torch.sqrt(torch.matmul(self.bands, s.real**2 + s.imag**2) + 1e-8)
        return e.unfold(-1, self.SPAN, 8) # (batch, bands, segments, frames)

    def __call__(self, x, y):
        a, b = self._envelopes(x), self._envelopes(y)
        weight = (a.pow(2).mean((1, 3), keepdim=True) > 1e-4).float()
        a, b = a - a.mean(-1, keepdim=True), b - b.mean(-1, keepdim=True)
        r = F.cosine_similarity(a, b, dim=-1, eps=1e-4)[..., None]
        return ((1 - r) * weight).sum() / (weight.expand_as(r).sum() + 1e-3)
