"""Mel spectrograms, latents and haemodynamic responses beside the command."""

import json

import numpy as np
import pandas as pd
import pytest
from files import read_wav, write_wav
from run import SPEECH, TINY

import ecdc


def features_of_the_command(command, tmp_path, *options):
    command("features", SPEECH, "-o", "f.npy", "-f", "-q", *options)
    described = json.loads((tmp_path / "f.json").read_text())
    del described["npy"]
    return np.load(tmp_path / "f.npy"), pd.read_csv(tmp_path / "f.tsv", sep="\t", float_precision="round_trip"), described


def check(p, command, tmp_path, *options):
    features, metadata = p.audio_to_features(str(SPEECH))
    wanted, table, described = features_of_the_command(command, tmp_path, *options)
    assert features.dtype == wanted.dtype and features.shape == wanted.shape
    np.testing.assert_array_equal(features, wanted)
    pd.testing.assert_frame_equal(metadata, table, check_exact=True)
    assert metadata.attrs == described
    return features, metadata


@pytest.mark.filterwarnings("ignore:303 of 2048 mel filters")
@pytest.mark.parametrize("tr", [1.5, 0.72, 2.0])
@pytest.mark.parametrize("alignment", ["giblet", "exact"])
@pytest.mark.parametrize("hrf", ["none", "causal"])
def test_mel(command, tmp_path, tr, alignment, hrf):
    p = ecdc.AudioProcessor(use_encodec=False, tr=tr, alignment=alignment, hrf=hrf)
    assert (p.mode, p.use_encodec, p.n_codebooks) == ("mel", False, 0)
    features, metadata = check(p, command, tmp_path, "--mode", "mel", "--tr", tr, "--alignment", alignment, "--hrf", hrf)
    if hrf == "none":
        command("reconstruct", "f.npy", "-o", "f.wav")
        for name, array in ("a.wav", features), ("b.wav", features.reshape(len(features), -1)):
            p.features_to_audio(array, tmp_path / name, metadata=metadata)
            rate, samples = read_wav(tmp_path / name)
            assert rate == 22050
            np.testing.assert_array_equal(samples, read_wav(tmp_path / "f.wav")[1])


@pytest.mark.filterwarnings("ignore:303 of 2048 mel filters")
@pytest.mark.parametrize("alignment", ["giblet", "exact"])
def test_mel_of_a_last_part_of_a_tr(command, tmp_path, alignment):
    """The sound ends where it ended: 2 s, not two TRs of 1.5 s."""
    write_wav(tmp_path / "two.wav", np.random.default_rng(1).integers(-9000, 9000, 2 * 22050).astype(np.int16), 22050)
    command("features", "two.wav", "-o", "f.npy", "-q", "--mode", "mel", "--partial", "--alignment", alignment)
    command("reconstruct", "f.npy", "-o", "f.wav")
    features, described = np.load(tmp_path / "f.npy"), json.loads((tmp_path / "f.json").read_text())
    p = ecdc.AudioProcessor(use_encodec=False)
    p.features_to_audio(features, tmp_path / "a.wav", metadata=described)
    samples = read_wav(tmp_path / "a.wav")[1]
    assert len(features) == 2 and len(samples) == 44100
    np.testing.assert_array_equal(samples, read_wav(tmp_path / "f.wav")[1])
    for wrong in (0, 1000):
        with pytest.raises(ValueError, match=f"does not fit the {wrong} samples of sound" if wrong else "has no frame, no sound"):
            p.features_to_audio(features[:1] if not wrong else features, tmp_path / "b.wav", metadata={**described, "samples": wrong})


@pytest.mark.filterwarnings("ignore:303 of 2048 mel filters")
def test_tr_length_counts_for_mel_spectrograms_too():
    p = ecdc.AudioProcessor(use_encodec=False)
    features, metadata = p.audio_to_features(SPEECH, tr_length=0.5)
    assert features.shape == (22, 2048, 22) and metadata.attrs["tr"] == 0.5 and p.tr == 1.5
    np.testing.assert_array_equal(features, ecdc.AudioProcessor(use_encodec=False, tr=0.5).audio_to_features(SPEECH)[0])
    with pytest.raises(ValueError, match="tr_length is -1"):
        p.audio_to_features(SPEECH, tr_length=-1)


def test_mel_warns_of_empty_filters_once(speech):
    ecdc.audio_processor._warned.clear()
    p = ecdc.AudioProcessor(use_encodec=False)
    with pytest.warns(UserWarning, match="303 of 2048 mel filters lie between two bins") as caught:
        for _ in range(2):
            p.audio_to_features((speech, 24000), max_trs=1)
    assert len(caught) == 1 and caught[0].filename == __file__


@pytest.mark.filterwarnings("ignore:.*samples were clipped")
@pytest.mark.parametrize("n_fft, hop", [(2048, 512), (1024, 441), (1024, 512), (512, 512)])
@pytest.mark.parametrize("alignment", ["giblet", "exact"])
@pytest.mark.parametrize("n_trs", [1, 3, 7])
def test_mel_of_wide_hops_comes_back(command, tmp_path, speech, n_fft, hop, alignment, n_trs):
    """A TR's last frame begins up to two hops before its end, which with hops of n_fft / 4 and more is further than it reaches."""
    p = ecdc.AudioProcessor(use_encodec=False, n_mels=32, n_fft=n_fft, hop_length=hop, alignment=alignment)
    features, metadata = p.audio_to_features((speech, 24000), max_trs=n_trs)
    p.features_to_audio(features, tmp_path / "a.wav", metadata=metadata)
    samples = read_wav(tmp_path / "a.wav")[1]
    assert len(features) == n_trs and len(samples) == 33075 * n_trs
    level = [np.sqrt(np.mean(np.square(part.astype(float)))) for part in (samples[:-2 * hop], samples[-2 * hop:-hop])]
    assert level[1] > level[0] / 50  # no silence before the last hop
    np.save(tmp_path / "f.npy", features)
    (tmp_path / "f.json").write_text(json.dumps(metadata.attrs))
    command("reconstruct", "f.npy", "-o", "f.wav")
    np.testing.assert_array_equal(samples, read_wav(tmp_path / "f.wav")[1])


@pytest.mark.parametrize("change, says", [
    ({"alignment": "other"}, "alignment is 'other'"), ({"sampling_rate": 2**32 + 8000}, "sampling_rate is 4294975296"),
    ({"mel": {"n_fft": 2**32 + 512}}, "n_fft is 4294967808"), ({"mel": {"hop": 2**32 + 128}}, "hop is 4294967424"),
    ({"partial": True, "samples": 2**64}, "samples is 18446744073709551616"),
])
def test_descriptions_of_no_mel_spectrogram(tmp_path, change, says):
    p = ecdc.AudioProcessor(use_encodec=False, sample_rate=8000, n_mels=32, n_fft=512, hop_length=128)
    features, metadata = p.audio_to_features((np.sin(np.arange(16000) / 9), 8000))
    changed = {**metadata.attrs, **change, "mel": {**metadata.attrs["mel"], **change.get("mel", {})}}
    with pytest.raises(ValueError, match="metadata does not describe a mel spectrogram") as e:
        p.features_to_audio(features, tmp_path / "a.wav", metadata=changed)
    assert says in str(e.value) and not (tmp_path / "a.wav").exists()


def test_one_spectrum_per_tr(command, tmp_path):
    """The old format: (n_trs, n_mels)."""
    rows = np.random.default_rng(1).uniform(-60, -20, (3, 2048)).astype(np.float32)
    np.save(tmp_path / "old.npy", rows)
    command("reconstruct", "old.npy", "-o", "f.wav")
    ecdc.AudioProcessor(use_encodec=False).features_to_audio(rows, tmp_path / "a.wav")
    np.testing.assert_array_equal(read_wav(tmp_path / "a.wav")[1], read_wav(tmp_path / "f.wav")[1])


@pytest.mark.parametrize("hrf", ["none", "causal", "giblet"])
@pytest.mark.parametrize("per_frame, alignment", [(False, "giblet"), (True, "giblet"), (False, "exact")])
def test_latents(command, tmp_path, hrf, per_frame, alignment):
    p = ecdc.AudioProcessor(model=TINY, mode="latent", per_frame=per_frame, hrf=hrf, alignment=alignment)
    check(p, command, tmp_path, "-m", TINY, "--mode", "latent", "--hrf", hrf, "--alignment", alignment,
          *["--per-frame"] * per_frame)


@pytest.mark.parametrize("tr", [1.5, 0.72])
@pytest.mark.parametrize("hrf, dtype", [("giblet", "int64"), ("giblet-doc", "int64"), ("giblet-doc", "int16")])
def test_codes(command, tmp_path, tr, hrf, dtype):
    p = ecdc.AudioProcessor(model=TINY, tr=tr, hrf=hrf, dtype=dtype)
    check(p, command, tmp_path, "-m", TINY, "--tr", tr, "--hrf", hrf, "--dtype", dtype)


def test_without_any_model_mel_takes_the_place_of_encodec(tmp_path):
    with pytest.warns(UserWarning, match="no/such is not in the Hugging Face cache.*mel spectrograms take the place") as caught:
        p = ecdc.AudioProcessor(model="no/such")
    assert len(caught) == 1 and caught[0].filename == __file__
    assert (p.mode, p.use_encodec) == ("mel", False)
    with pytest.raises(ValueError, match="features holds int64, which are codes, but this processor has mode='mel'"):
        p.features_to_audio(np.zeros((2, 4, 112), int), tmp_path / "a.wav")


def test_glover_hrf():
    kernel = ecdc.glover_hrf(2.0)
    assert kernel.shape == (800,) and kernel.sum() == pytest.approx(1)
    assert np.linspace(0, 32, 800)[kernel.argmax()] == pytest.approx(5.0, abs=0.1)
    coarse = ecdc.glover_hrf(1.5, oversampling=1)
    assert coarse.shape == (21,) and np.linspace(0, 32, 21)[coarse.argmax()] == pytest.approx(4.8, abs=1.7)
    for arguments, says in (({"tr": 0}, "tr is 0"), ({"tr": 1.5, "oversampling": 0}, "oversampling is 0"),
                            ({"tr": 1.5, "time_length": -1}, "time_length is -1")):
        with pytest.raises(ValueError, match=says):
            ecdc.glover_hrf(**arguments)
