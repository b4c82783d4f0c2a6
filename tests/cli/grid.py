"""The rows of `ecdc features`, computed from the codes of `ecdc encode` with fractions and with giblet's doubles."""

import dataclasses
import math
from fractions import Fraction

import numpy as np

FRAME_RATE, SAMPLING_RATE, HOP = 75, 24000, 320
GIBLET_CODEBOOKS = {1.5: 2, 3: 8, 6: 16, 12: 32, 24: 32}


@dataclasses.dataclass
class Rows:
    codes: np.ndarray  # (n_trs, codebooks, frames_per_tr)
    starts: list
    ends: list
    n_frames: list


def as_double(tr):
    """What a program that reads this text gets."""
    top, _, bottom = tr.partition("/")
    return float(top) / float(bottom) if bottom else float(tr)


def exact_first(tr, i):
    """The first frame of TR i."""
    return math.floor(i * FRAME_RATE * Fraction(tr))


def exact_rows(codes, tr, n_samples, partial=False, max_trs=None):
    t, duration = Fraction(tr), Fraction(n_samples, SAMPLING_RATE)
    whole = math.floor(duration / t)
    n = whole + (partial and whole * t < duration)
    n = n if max_trs is None else min(n, max_trs)
    rows = Rows(np.full((n, len(codes), math.ceil(FRAME_RATE * t)), -1), [], [], [])
    for i in range(n):
        part = codes[:, exact_first(tr, i):exact_first(tr, i + 1)]
        rows.codes[i, :, :part.shape[1]] = part
        rows.starts.append(float(i * t))
        rows.ends.append(float((i + 1) * t if i < whole else duration))
        rows.n_frames.append(part.shape[1])
    return rows


def giblet_rows(codes, tr, n_samples, partial=False, max_trs=None):
    t, duration = as_double(tr), n_samples / SAMPLING_RATE
    whole = math.floor(duration / t)
    n = whole + (partial and whole * t < duration)
    n = n if max_trs is None else min(n, max_trs)
    width = int(FRAME_RATE * t)
    rows = Rows(np.zeros((n, len(codes), width), int), [], [], [])
    for i in range(n):
        start = i * t
        end = start + t
        part = codes[:, int(start * FRAME_RATE):int(end * FRAME_RATE)][:, :width]
        rows.codes[i, :, :part.shape[1]] = part
        rows.starts.append(start)
        rows.ends.append(end if i < whole else duration)
        rows.n_frames.append(width if i < whole else part.shape[1])
    return rows


def giblet_frames(rows, tr):
    """The frames that rows of giblet's stand for, each row at its start: where its next one starts later than it ends
    its last frame is repeated, and what lies past that start is dropped."""
    t = as_double(tr)
    frames = []
    for i, row in enumerate(rows):
        first, next_first = int(i * t * FRAME_RATE), int((i + 1) * t * FRAME_RATE)
        start = i * t
        real = min(int((start + t) * FRAME_RATE) - first, row.shape[1])
        kept = row[:, :min(real, next_first - first)]
        frames.append(np.concatenate([kept, np.repeat(kept[:, -1:], next_first - first - kept.shape[1], axis=1)], axis=1))
    return np.concatenate(frames, axis=1)
