"""numpy reads what ecdc writes, and finds in it what transformers computes."""
import csv
import math
from fractions import Fraction

import numpy as np
import pytest
from compare import RATE, TINY

FRAME_RATE = 75
GIBLET_CODEBOOKS = {1.5: 2, 3: 8, 6: 16}


def rows_of(codes, tr, alignment, n_samples):
    """(TRs, codebooks, frames per TR) by the rules of the two alignments."""
    n_trs = math.floor(n_samples / RATE / float(tr))
    if alignment == "giblet":
        width = int(FRAME_RATE * float(tr))
        bounds = [(int(i * float(tr) * FRAME_RATE), int((i * float(tr) + float(tr)) * FRAME_RATE)) for i in range(n_trs)]
        rows = np.zeros((n_trs, len(codes), width), np.int64)
    else:
        exact = Fraction(tr) * FRAME_RATE
        width = math.ceil(exact)
        bounds = [(math.floor(i * exact), math.floor((i + 1) * exact)) for i in range(n_trs)]
        rows = np.full((n_trs, len(codes), width), -1, np.int64)
    for i, (first, end) in enumerate(bounds):
        part = codes[:, first:min(end, first + width)]
        rows[i, :, :part.shape[1]] = part
    return rows


@pytest.fixture(scope="module")
def sound(speech, tiny_peer):
    """The codes of 20 s at each bandwidth of the small model, and the WAV."""
    samples, wav = speech
    return {kbps: tiny_peer.encode(samples, float(kbps)) for kbps in (1.5, 3, 6)}, wav, len(samples)


@pytest.mark.parametrize("kbps", [1.5, 3, 6])
def test_codes(ecdc, sound, tmp_path, kbps):
    codes, wav, _ = sound
    found = ecdc.encode(wav, tmp_path / "codes.npy", "-m", TINY, "-b", kbps)
    assert found.dtype == np.int64 and found.flags.f_contiguous
    assert np.array_equal(found, codes[kbps])
    mapped = np.load(tmp_path / "codes.npy", mmap_mode="r")
    assert np.array_equal(mapped, codes[kbps])


@pytest.mark.parametrize("alignment", ["giblet", "exact"])
@pytest.mark.parametrize("tr", ["1.5", "0.72", "2"])
@pytest.mark.parametrize("kbps", [1.5, 3, 6])
def test_features(ecdc, sound, tmp_path, kbps, tr, alignment):
    codes, wav, n_samples = sound
    wanted = rows_of(codes[kbps], tr, alignment, n_samples)
    options = ["-m", TINY, "-b", kbps, "--tr", tr, "--alignment", alignment, "-q", "-f"]
    out = tmp_path / "out.npy"

    ecdc("features", wav, "-o", out, *options)
    found = np.load(out)
    assert found.dtype == np.int64 and np.array_equal(found, wanted)
    with open(tmp_path / "out.tsv", newline="") as f:
        table = list(csv.DictReader(f, delimiter="\t"))
    assert [int(row["tr_index"]) for row in table] == list(range(len(wanted)))
    starts = [i * float(tr) if alignment == "giblet" else float(i * Fraction(tr)) for i in range(len(wanted))]
    assert [float(row["start_time"]) for row in table] == starts

    ecdc("features", wav, "-o", out, *options, "--dtype", "int16")
    assert np.load(out).dtype == np.int16 and np.array_equal(np.load(out), wanted)

    ecdc("features", wav, "-o", out, *options, "--codebooks", 1)
    assert np.array_equal(np.load(out), wanted[:, :1])

    ecdc("features", wav, "-o", out, *options, "--layout", "flat")
    assert np.array_equal(np.load(out), wanted.reshape(len(wanted), -1))

    if alignment == "giblet":
        ecdc("features", wav, "-o", out, *options, "--layout", "giblet")
        padded = np.zeros((len(wanted), GIBLET_CODEBOOKS[kbps], wanted.shape[2]), np.int64)
        padded[:, :wanted.shape[1]] = wanted
        assert np.array_equal(np.load(out), padded.reshape(len(wanted), -1))
