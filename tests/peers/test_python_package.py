"""The Python package beside giblet's arithmetic on transformers, pystoi and pesq; and its wheel in a fresh environment."""
import os
import re
import subprocess
import sys

import make_stoi
import numpy as np
import pesq
import pystoi
import pytest
from compare import ROOT, Peer, check_codes

import ecdc

GIBLET_CODEBOOKS = {1.5: 2, 3.0: 8, 6.0: 16, 12.0: 32, 24.0: 32}


def giblet_features(codes, n_samples, bandwidth, tr):
    """As giblet.data.audio computes them from the codes (codebooks, frames) of the whole sound: in doubles."""
    n_trs = int(np.floor(n_samples / 24000 / tr))
    frames_per_tr = int(75 * tr)
    rows = []
    for i in range(n_trs):
        start_time = i * tr
        end_time = start_time + tr
        part = codes[:, int(start_time * 75):int(end_time * 75)]
        if part.shape[1] > frames_per_tr:
            part = part[:, :frames_per_tr]
        elif part.shape[1] < frames_per_tr:
            part = np.pad(part, ((0, 0), (0, frames_per_tr - part.shape[1])))
        wanted = GIBLET_CODEBOOKS[bandwidth]
        if len(part) < wanted:
            part = np.pad(part, ((0, wanted - len(part)), (0, 0)))
        rows.append(part[:wanted].reshape(-1))
    return np.array(rows, dtype=np.int64)


@pytest.fixture(scope="module")
def default_peer():
    return Peer(ROOT / "model")


@pytest.mark.parametrize("bandwidth", [1.5, 3.0, 6.0, 12.0, 24.0])
def test_giblets_arrays(default_peer, speech, bandwidth):
    samples, path = speech
    codes = default_peer.encode(samples, bandwidth)
    for tr in 1.5, 2.0, 0.72:
        wanted = giblet_features(codes, len(samples), bandwidth, tr)
        p = ecdc.AudioProcessor(encodec_bandwidth=bandwidth, tr=tr, model="default", layout="giblet", alignment="giblet")
        features, metadata = p.audio_to_features(path)
        print(f"{bandwidth} kbps, TR {tr} s: {features.shape}, {(features != wanted).sum()} of {features.size} numbers differ")
        np.testing.assert_array_equal(features, wanted)
        np.testing.assert_array_equal(p.audio_to_features((samples, 24000))[0], wanted)
        assert list(metadata.start_time) == [i * tr for i in range(len(wanted))]
        assert list(metadata.end_time) == [i * tr + tr for i in range(len(wanted))]
        assert set(metadata.n_frames) == {int(75 * tr)}


def test_model_encodes_as_transformers(default_peer, short_speech):
    check_codes(default_peer, short_speech[0], 24.0, ecdc.Model("default").encode(short_speech[0], 24.0), "ecdc.Model")


@pytest.mark.parametrize("rate", [16000, 44100])
def test_stoi_is_pystois(rate):
    clean = make_stoi.speech(make_stoi.recording(), rate)
    spoilt = make_stoi.degrade(clean, 0.05).astype(np.float32)
    for extended, measure in (False, ecdc.metrics.stoi), (True, ecdc.metrics.estoi):
        assert measure(clean, spoilt, rate) == pytest.approx(pystoi.stoi(clean.astype(float), spoilt.astype(float), rate, extended), abs=1e-9)


def test_pesq_is_wide_band_at_16_khz(speech):
    samples = speech[0]
    spoilt = (samples + np.random.default_rng(1).standard_normal(len(samples)) * 0.01).astype(np.float32)
    at_16k = [ecdc.metrics.resample(x, 24000, 16000) for x in (samples, spoilt)]
    wanted = pesq.pesq(16000, *at_16k, "wb")
    print(f"PESQ {wanted:.3f}")
    assert 1.04 < wanted < 4.64
    assert ecdc.metrics.pesq(samples, spoilt, 24000) == pytest.approx(wanted, abs=1e-6)
    assert ecdc.metrics.pesq(*at_16k, 16000) == pytest.approx(wanted, abs=1e-6)
    assert ecdc.metrics.pesq(samples, samples, 24000) > 4.6


def test_pip_install_in_a_fresh_environment(tmp_path):
    """The wheel holds all that it needs, and the quick start of the README runs on it."""
    venv, work = tmp_path / "venv", tmp_path / "work"
    (work / "data").mkdir(parents=True)
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    env = {k: v for k, v in os.environ.items() if not k.startswith(("ECDC", "HF_", "PYTHON"))}
    env.update(HF_HOME=str(tmp_path / "no-hub"), HF_HUB_OFFLINE="1", PIP_DISABLE_PIP_VERSION_CHECK="1")

    def run(*args):
        done = subprocess.run([str(a) for a in args], cwd=work, env=env, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(venv / "bin" / "python", "-m", "pip", "install", "--quiet", ROOT)
    files = run(venv / "bin" / "python", "-m", "pip", "show", "--files", "ecdc")
    assert "ecdc/libecdc.so" in files and "ecdc/py.typed" in files
    assert re.search(r"^Requires: numpy, pandas$", files, flags=re.M)
    run("ffmpeg", "-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=s=64x48:r=5:d=160", "-stream_loop", "-1", "-i",
        ROOT / "audio" / "jfk.flac", "-t", "160", "-c:v", "mpeg4", "-c:a", "aac", "-f", "mp4", "data/stimuli_Sherlock.m4v")
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), flags=re.S | re.M)
    quick_start, = [b for b in blocks if "from giblet.data.audio import AudioProcessor" in b]
    assert run(venv / "bin" / "python", "-c", quick_start).startswith("Shape: (100, 4, 112)\nDtype: int64\n")
    assert (work / "output" / "decoded_audio.wav").stat().st_size == 44 + 150 * 24000 * 2
    where = run(venv / "bin" / "python", "-c", "import ecdc; print(ecdc.__file__)")
    assert where.startswith(str(venv))
