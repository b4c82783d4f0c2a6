"""EnCodec features of sound: the tests that the overview of giblet-responses names, on this package.

    pytest tests/data/test_audio_encodec.py -v

They run in the source tree with build/libecdc.so, or with the installed package, and need the ffmpeg command.
"""

import math
import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest

import ecdc
import ecdc.giblet
from giblet.data.audio import ENCODEC_AVAILABLE, AudioProcessor

SPEECH = Path(__file__).resolve().parents[2] / "audio" / "jfk.flac"


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """30 s of pictures with sound."""
    path = tmp_path_factory.mktemp("film") / "film.m4v"
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=s=64x48:r=5:d=30", "-stream_loop", "-1",
                    "-i", SPEECH, "-t", "30", "-c:v", "mpeg4", "-c:a", "aac", "-ar", "44100", "-ac", "2", "-f", "mp4", path],
                   check=True)
    return path


@pytest.fixture(scope="module")
def processor():
    return AudioProcessor(model="default")


def sound_of(path):
    with wave.open(str(path), "rb") as w:
        return w.getframerate(), np.frombuffer(w.readframes(w.getnframes()), "<i2") / 32768


def test_encodec_is_available():
    assert ENCODEC_AVAILABLE is True and AudioProcessor is ecdc.AudioProcessor


def test_defaults(processor):
    assert (processor.use_encodec, processor.encodec_bandwidth, processor.tr, processor.device) == (True, 3.0, 1.5, "cpu")
    assert (processor.sample_rate, processor.n_mels, processor.n_fft, processor.hop_length) == (22050, 2048, 4096, 512)
    assert (processor.n_features, processor.encodec_sample_rate) == (2048, 24000)
    assert processor.encodec_processor is processor.encodec_model and isinstance(processor.encodec_model, ecdc.Model)


def test_parameters_by_position():
    p = AudioProcessor(True, 6.0, 22050, 2048, 4096, 512, 2.0, "cpu", model="default")
    assert (p.encodec_bandwidth, p.tr) == (6.0, 2.0)


def test_features_of_a_film(processor, film):
    features, metadata = processor.audio_to_features(str(film), from_video=True)
    assert features.shape == (20, 4, 112) and features.dtype == np.int64
    assert features.min() >= 0 and features.max() <= 1023 and len(np.unique(features)) > 50
    assert list(metadata.columns) == ["tr_index", "start_time", "end_time", "n_frames", "n_codebooks", "encoding_mode"]
    assert list(metadata.tr_index) == list(range(20)) and (metadata.n_frames == 112).all()
    np.testing.assert_allclose(metadata.start_time, np.arange(20) * 1.5)
    np.testing.assert_allclose(metadata.end_time, np.arange(1, 21) * 1.5)
    assert (metadata.encoding_mode == "encodec").all()


@pytest.mark.parametrize("n", [1, 7, 20, 1000])
def test_max_trs(processor, film, n):
    features, metadata = processor.audio_to_features(film, max_trs=n)
    assert len(features) == len(metadata) == min(n, 20)
    np.testing.assert_array_equal(features, processor.audio_to_features(film)[0][:n])


@pytest.mark.parametrize("bandwidth, codebooks", [(1.5, 2), (3.0, 4), (6.0, 8), (12.0, 16), (24.0, 32)])
def test_bandwidths(bandwidth, codebooks):
    features, _ = AudioProcessor(encodec_bandwidth=bandwidth, model="default").audio_to_features(SPEECH, from_video=False)
    assert features.shape == (7, codebooks, 112)


@pytest.mark.parametrize("tr", [0.72, 1.0, 1.5, 2.0])
def test_frames_per_tr(tr):
    features, _ = AudioProcessor(tr=tr, model="default").audio_to_features(SPEECH)
    assert features.shape == (math.floor(11 / tr), 4, int(75 * tr))


@pytest.mark.parametrize("layout, n_codebooks, shape", [("codes", 1, (7, 1, 112)), ("flat", None, (7, 448)), ("giblet", None, (7, 896))])
def test_shapes_that_giblet_knows(layout, n_codebooks, shape):
    p = AudioProcessor(model="default", layout=layout, n_codebooks=n_codebooks)
    assert p.audio_to_features(SPEECH)[0].shape == shape


def test_same_input_same_features(processor):
    np.testing.assert_array_equal(processor.audio_to_features(SPEECH)[0], processor.audio_to_features(SPEECH)[0])


def test_round_trip_is_intelligible(tmp_path, film):
    """The sound comes back at its length, and more codebooks bring it nearer."""
    p = AudioProcessor(model="default")
    p.features_to_audio(p.audio_to_features(film)[0], tmp_path / "a.wav")
    rate, samples = sound_of(tmp_path / "a.wav")
    assert rate == 24000 and len(samples) == 30 * 24000
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-i", film, "-ac", "1", "-ar", "24000", tmp_path / "ref.wav"], check=True)
    reference = sound_of(tmp_path / "ref.wav")[1][:len(samples)]
    best = AudioProcessor(encodec_bandwidth=24.0, model="default")
    best.features_to_audio(best.audio_to_features(film)[0], tmp_path / "b.wav")
    few, many = (ecdc.metrics.stoi(reference, sound_of(tmp_path / name)[1][:len(reference)], 24000) for name in ("a.wav", "b.wav"))
    assert 0.5 < few < many


def test_flat_and_three_dimensional_features_are_told_apart(processor, tmp_path):
    features, _ = processor.audio_to_features(SPEECH)
    processor.features_to_audio(features, tmp_path / "three.wav")
    processor.features_to_audio(features.reshape(7, -1), tmp_path / "two.wav")
    processor.features_to_audio(features.reshape(7, -1).astype(np.int16), tmp_path / "named.wav", n_codebooks=4, frames_per_tr=112)
    for name in ("two.wav", "named.wav"):
        np.testing.assert_array_equal(sound_of(tmp_path / name)[1], sound_of(tmp_path / "three.wav")[1])


def test_get_audio_info(processor, film):
    info = processor.get_audio_info(film, from_video=True)
    assert info["sample_rate"] == 22050 and info["n_trs"] == 20
    assert info["duration"] == pytest.approx(30, abs=0.1) and info["samples"] == pytest.approx(30 * 22050, abs=2000)


def test_missing_file(processor):
    with pytest.raises(FileNotFoundError):
        processor.audio_to_features("no/such/film.m4v")
