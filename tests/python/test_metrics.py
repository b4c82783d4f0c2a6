"""ecdc.metrics beside `ecdc compare` and by hand."""

import sys
import types

import numpy as np
import pytest

from ecdc import metrics
from files import write_wav


@pytest.fixture(scope="module")
def pair():
    """Two seconds at 24 kHz, and the same with noise, int16."""
    rng = np.random.default_rng(5)
    tone = np.sin(np.arange(48000) / 9) * (1 + np.sin(np.arange(48000) / 3000)) * 5000
    return tone.astype(np.int16), (tone + rng.standard_normal(48000) * 900).astype(np.int16)


def test_numbers_are_those_of_the_command(tmp_path, command, pair):
    for name, samples in zip("ab", pair):
        write_wav(tmp_path / f"{name}.wav", samples, 24000)
    said = command("compare", "a.wav", "b.wav", "--json").json
    found = metrics.compare(*pair, 24000)
    for name, value in found._asdict().items():
        assert value == pytest.approx(said[name], rel=1e-12), name
    assert metrics.stoi(*pair, 24000) == found.stoi and metrics.estoi(*pair, 24000) == found.estoi
    assert metrics.stoi(*pair, 24000, extended=True) == metrics.stoi(*pair, 24000, True) == found.estoi != found.stoi
    assert metrics.stoi(*pair, 24000, extended=False) == found.stoi
    assert (metrics.snr_db(*pair), metrics.si_sdr_db(*pair), metrics.lsd_db(*pair)) == found[2:]


def test_snr_by_hand():
    reference = np.array([0.5, -0.5, 0.5, -0.5])
    assert metrics.snr_db(reference, reference * 0.9) == pytest.approx(20, abs=1e-4)
    assert metrics.snr_db(reference, reference) == np.inf


def test_resampling(pair):
    there = metrics.resample(pair[0], 24000, 44100)
    assert there.dtype == np.float32 and len(there) == 88200
    back = metrics.resample(there, 44100, 24000)
    assert metrics.snr_db(pair[0][2000:-2000] / 32768, back[2000:-2000]) > 60
    np.testing.assert_array_equal(metrics.resample(pair[0], 24000, 24000), pair[0] / 32768)
    assert [len(metrics.resample(np.zeros(n), 24000, 16000)) for n in (0, 1, 3, 4)] == [0, 1, 2, 3]


@pytest.mark.parametrize("call, says", [
    (lambda: metrics.stoi(np.zeros(9), np.zeros(8), 16000), "degraded has 8 samples, allowed are as many as reference has: 9"),
    (lambda: metrics.snr_db([], []), "reference has 0 samples, allowed are 1 or more"),
    (lambda: metrics.stoi(np.ones(9), np.ones(9), 0), "rate is 0, allowed are whole numbers"),
    (lambda: metrics.lsd_db(np.ones(9), ["a"] * 9), "degraded holds <U1, allowed are floating-point numbers"),
    (lambda: metrics.snr_db(np.ones(9), np.full(9, np.nan)), "nan"),
    (lambda: metrics.resample(np.ones(9), 24000, 0), "new_rate is 0, allowed are whole numbers from 1000 to 384000 of Hz"),
])
def test_wrong_arguments(call, says):
    with pytest.raises(ValueError) as e:
        call()
    assert says in str(e.value)


def test_pesq_says_what_it_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, "pesq", None)
    with pytest.raises(ImportError, match=r"needs the package pesq: pip install 'ecdc\[metrics\]'"):
        metrics.pesq(np.ones(9), np.ones(9), 16000)


@pytest.mark.parametrize("reference, degraded, says", [
    (np.ones(16000), np.zeros(16000), "degraded is silent throughout"),
    (np.zeros(16000), np.ones(16000), "reference is silent throughout"),
    (np.where(np.arange(16000) == 500, np.nan, 1), np.ones(16000), "sample 500 of the reference signal is nan"),
])
def test_pesq_of_what_has_none(monkeypatch, reference, degraded, says):
    """The package makes "cannot convert float NaN to integer" of them, or "no utterances"."""
    monkeypatch.setitem(sys.modules, "pesq", types.SimpleNamespace(pesq=lambda *_: 4.64))
    with pytest.raises(ValueError, match=says):
        metrics.pesq(reference, degraded, 16000)
    assert metrics.pesq(np.ones(16000), np.ones(16000), 16000) == 4.64
