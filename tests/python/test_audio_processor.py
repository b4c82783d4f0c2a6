"""AudioProcessor beside the command: the same arrays, tables, descriptions and sounds; and what it refuses."""

import copy
import json
import multiprocessing
import pickle
import os
import stat
import threading
import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

import ecdc
from files import read_wav, write_wav
from run import SECONDS, SPEECH, TINY


def processor(**parameters):
    return ecdc.AudioProcessor(**{"model": TINY, **parameters})


@pytest.fixture(scope="module")
def noise():
    """Stereo at 44.1 kHz, int16 (channels, samples), 4.1 s."""
    return (np.random.default_rng(1).standard_normal((2, 180811)) * 4000).astype(np.int16)


# ------------------------------------------------------------------------------------------- beside the command --


@pytest.mark.parametrize("tr", ["1.5", "2.0", "0.72", "2/3"])
@pytest.mark.parametrize("layout, alignment", [("codes", "giblet"), ("codes", "exact"), ("flat", "giblet"), ("flat", "exact"),
                                               ("giblet", "giblet")])
def test_features_and_sound_are_those_of_the_command(tmp_path, command, tr, layout, alignment):
    command("features", SPEECH, "-o", "f.npy", "-m", TINY, "--tr", tr, "--layout", layout, "--alignment", alignment)
    p = processor(tr=Fraction(tr) if "/" in tr else float(tr), layout=layout, alignment=alignment)
    features, metadata = p.audio_to_features(str(SPEECH))
    expected = np.load(tmp_path / "f.npy")
    assert features.dtype == expected.dtype and features.shape == expected.shape
    np.testing.assert_array_equal(features, expected)

    pd.testing.assert_frame_equal(metadata, pd.read_csv(tmp_path / "f.tsv", sep="\t", float_precision="round_trip"), check_exact=True)
    described = json.loads((tmp_path / "f.json").read_text())
    del described["npy"]
    assert metadata.attrs == described

    command("reconstruct", "f.npy", "-o", "f.wav", "-m", TINY)
    sounds = [read_wav(tmp_path / "f.wav")]
    for i, known in enumerate(({}, {"metadata": metadata}, {"metadata": described},
                               {"n_codebooks": p._rows.row_codebooks, "frames_per_tr": described["frames_per_tr"]})):
        p.features_to_audio(features, tmp_path / f"{i}.wav", **known)
        sounds.append(read_wav(tmp_path / f"{i}.wav"))
    for rate, samples in sounds[1:]:
        assert rate == 24000
        np.testing.assert_array_equal(samples, sounds[0][1])
    assert abs(len(sounds[0][1]) / 24000 - len(features) * float(Fraction(tr))) < 1 / 75


@pytest.mark.parametrize("bandwidth", [1.5, 3.0, 6.0, 12.0, 24.0])
def test_bandwidths(tmp_path, command, bandwidth):
    command("features", SPEECH, "-o", "f.npy", "-b", bandwidth, "--dtype", "int16", "--max-trs", 2)
    p = ecdc.AudioProcessor(True, bandwidth, model="default", dtype="int16")
    features, metadata = p.audio_to_features(SPEECH, max_trs=2)
    assert features.dtype == np.int16 and features.shape == (2, p.n_codebooks, 112)
    np.testing.assert_array_equal(features, np.load(tmp_path / "f.npy"))
    assert list(metadata.n_codebooks) == [p.n_codebooks] * 2 and metadata.attrs["bandwidth"] == bandwidth


def test_one_codebook_is_what_the_overview_prints(command, tmp_path):
    command("features", SPEECH, "-o", "f.npy", "-m", TINY, "--codebooks", 1)
    p = processor(n_codebooks=1)
    features, _ = p.audio_to_features(SPEECH)
    assert features.shape == (7, 1, 112)
    np.testing.assert_array_equal(features, np.load(tmp_path / "f.npy"))
    command("reconstruct", "f.npy", "-o", "f.wav", "-m", TINY)
    p.features_to_audio(features, tmp_path / "g.wav")
    np.testing.assert_array_equal(read_wav(tmp_path / "g.wav")[1], read_wav(tmp_path / "f.wav")[1])


def test_arrays_are_as_good_as_files(tmp_path, noise):
    path = write_wav(tmp_path / "noise.wav", noise.T, 44100)
    p = processor(tr=1.0)
    expected, from_file = p.audio_to_features(path)
    for array in (noise, noise / 32768, noise.astype(np.float32) / 32768):
        features, metadata = p.audio_to_features((array, 44100), from_video=False)
        np.testing.assert_array_equal(features, expected)
        pd.testing.assert_frame_equal(metadata, from_file)
    mono = noise.mean(axis=0) / 32768
    np.testing.assert_array_equal(p.audio_to_features((mono, 44100))[0], expected)
    assert p.get_audio_info((mono, 44100)) == p.get_audio_info(path)


def test_the_rest_of_a_described_part_of_a_tr(tmp_path, command):
    """The command keeps a part of a TR where it is asked to; its description tells where the sound ends."""
    command("features", SPEECH, "-o", "f.npy", "-m", TINY, "--partial")
    command("reconstruct", "f.npy", "-o", "f.wav", "-m", TINY)
    processor().features_to_audio(np.load(tmp_path / "f.npy"), tmp_path / "g.wav",
                                  metadata=json.loads((tmp_path / "f.json").read_text()))
    samples = read_wav(tmp_path / "g.wav")[1]
    assert len(samples) == 11 * 24000
    np.testing.assert_array_equal(samples, read_wav(tmp_path / "f.wav")[1])


def test_threads_change_nothing():
    a, b = (processor(threads=n).audio_to_features(SPEECH)[0] for n in (1, 3))
    np.testing.assert_array_equal(a, b)


def test_tr_length_counts_for_one_sound():
    p = processor()
    features, metadata = p.audio_to_features(SPEECH, tr_length=2.0)
    assert features.shape == (5, 4, 150) and metadata.attrs["tr"] == 2.0 and p.tr == 1.5
    np.testing.assert_array_equal(features, processor(tr=2.0).audio_to_features(SPEECH)[0])


@pytest.mark.parametrize("parameters", [{}, {"model": "default", "layout": "giblet", "tr": Fraction(3, 2)},
                                        {"mode": "latent", "hrf": "causal"}, {"mode": "mel", "n_mels": 40}])
def test_pickles_and_copies_make_the_same_features(parameters):
    p = processor(**parameters)
    features, metadata = p.audio_to_features(SPEECH)
    for again in (pickle.loads(pickle.dumps(p)), copy.deepcopy(p), copy.copy(p)):
        found, table = again.audio_to_features(SPEECH)
        np.testing.assert_array_equal(found, features)
        pd.testing.assert_frame_equal(table, metadata)
        assert table.attrs == metadata.attrs and again.encodec_processor is again.encodec_model


def test_spawned_workers_get_a_processor():
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        for features, _ in pool.map(processor().audio_to_features, [SPEECH, SPEECH]):
            np.testing.assert_array_equal(features, processor().audio_to_features(SPEECH)[0])


@pytest.mark.parametrize("parameters, shape, dtype", [
    ({}, (4, 112), np.int64), ({"dtype": "int16", "n_codebooks": 1}, (1, 112), np.int16), ({"layout": "flat"}, (448,), np.int64),
    ({"layout": "giblet"}, (896,), np.int64), ({"alignment": "exact"}, (4, 113), np.int64), ({"hrf": "giblet-doc"}, (4, 112), np.int64),
    ({"mode": "latent", "hrf": "causal"}, (16,), np.float32), ({"mode": "latent", "per_frame": True}, (16, 112), np.float32),
    ({"mode": "mel", "hrf": "giblet", "n_mels": 40}, (40, 65), np.float32)])
@pytest.mark.parametrize("n_samples", [0, 12000, 35900])
def test_less_than_one_tr_is_no_row(parameters, shape, dtype, n_samples):
    """What giblet's tests want of half a second; what the command refuses, this warns of."""
    p = processor(**parameters)
    with pytest.warns(UserWarning, match=f"audio_source: {n_samples / 24000:.3f} s of sound is shorter than one TR of 1.5 s") as caught:
        features, metadata = p.audio_to_features((np.full(n_samples, 0.1), 24000))
    assert len(caught) == 1 and caught[0].filename == __file__
    assert features.shape == (0, *shape) and features.dtype == dtype
    _, whole = p.audio_to_features((np.full(36000, 0.1), 24000))
    assert len(whole) == 1 and len(metadata) == 0 == metadata.attrs["n_trs"]
    assert list(metadata.columns) == list(whole.columns) and set(metadata.attrs) == set(whole.attrs)
    assert (metadata.dtypes.drop("encoding_mode") == whole.dtypes.drop("encoding_mode")).all()
    assert p.get_audio_info((np.full(n_samples, 0.1), 24000))["n_trs"] == 0


def test_narrow_floats_mean_what_they_print():
    np.testing.assert_array_equal(processor(tr=np.float32(0.72), alignment="exact").audio_to_features(SPEECH)[0],
                                  processor(tr=0.72, alignment="exact").audio_to_features(SPEECH)[0])


def test_get_audio_info():
    assert processor().get_audio_info(SPEECH) == {"sample_rate": 22050, "duration": 11.0, "samples": 242550, "n_trs": 7}
    for from_video in (True, False):
        assert processor().get_audio_info(SPEECH, from_video) == processor().get_audio_info(SPEECH)


def test_giblets_rows_are_decoded_without_the_codebooks_that_do_not_exist(tmp_path):
    p = processor(layout="giblet")
    features, _ = p.audio_to_features(SPEECH)
    assert features.shape == (7, 896) and not features[:, 448:].any()
    p.features_to_audio(features, tmp_path / "a.wav")
    features[:, 448:] = 77  # what a trained model says of them is not heard
    p.features_to_audio(features, tmp_path / "b.wav")
    processor().features_to_audio(features[:, :448], tmp_path / "c.wav")
    for other in "bc":
        np.testing.assert_array_equal(read_wav(tmp_path / f"{other}.wav")[1], read_wav(tmp_path / "a.wav")[1])


@pytest.mark.parametrize("bandwidth, in_row", [(1.5, 2), (3.0, 8), (6.0, 16), (12.0, 32), (24.0, 32)])
@pytest.mark.parametrize("tr, width", [(1.5, 112), (0.72, 54)])
def test_giblets_own_arrays_are_known_by_themselves(tmp_path, bandwidth, in_row, tr, width):
    """The call that giblet's tests make: 8 codebooks at 3 kbps, of which 4 exist."""
    p = ecdc.AudioProcessor(True, bandwidth, tr=tr, model="default")
    codes, metadata = p.audio_to_features(SPEECH, max_trs=2)
    own = np.zeros((2, in_row, width), np.int64)
    own[:, :codes.shape[1]] = codes
    p.features_to_audio(codes, tmp_path / "wanted.wav")
    wanted = read_wav(tmp_path / "wanted.wav")[1]
    for features, told in (own.reshape(2, -1), {"n_codebooks": in_row, "frames_per_tr": width}), (own.reshape(2, -1), {}), (own, {}):
        p.features_to_audio(features, tmp_path / "a.wav", **told)
        np.testing.assert_array_equal(read_wav(tmp_path / "a.wav")[1], wanted)
    if in_row == codes.shape[1]:
        return
    own[1, -1, -1] = 1
    says = f"features has {in_row} codebooks per row, allowed at {bandwidth:g} kbps are 1 to {codes.shape[1]}"
    for features, q, known in (own, p, {}), (own * 0, p, {"metadata": metadata}), \
            (own * 0, ecdc.AudioProcessor(True, bandwidth, tr=1.0, model="default", alignment="exact"), {}):
        features = features if q is p else np.zeros((2, in_row, 75), int)
        with pytest.raises(ValueError, match=says):
            q.features_to_audio(features, tmp_path / "b.wav", **known)


def test_clipping_is_reported(tmp_path, loud_model):
    p = processor(model=loud_model)
    square = np.sign(np.sin(np.arange(72000) / 40)) * 2
    features, _ = p.audio_to_features((square, 24000))
    with pytest.warns(UserWarning, match=r"a.wav: \d+ of 72000 samples were clipped") as caught:
        p.features_to_audio(features, tmp_path / "a.wav")
    assert len(caught) == 1 and caught[0].filename == __file__
    assert np.abs(read_wav(tmp_path / "a.wav")[1].astype(int)).max() == 32768


# -------------------------------------------------------------------------------------------------- which model --


def test_without_the_published_model_the_embedded_one_takes_its_place():
    with pytest.warns(UserWarning) as caught:
        p = ecdc.AudioProcessor()
    embedded = ecdc.Model("default")
    assert len(caught) == 1 and caught[0].filename == __file__
    assert "facebook/encodec_24khz" in str(caught[0].message) and embedded.name in str(caught[0].message)
    assert p.encodec_model.sha256 == embedded.sha256


def test_the_published_model_is_found_in_the_cache(tmp_path):
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "no-hub" / "hub" / "models--facebook--encodec_24khz"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    (repository / "snapshots").mkdir()
    (repository / "snapshots" / commit).symlink_to(TINY)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        p = ecdc.AudioProcessor()
    assert p.encodec_model.sha256 == ecdc.Model(TINY).sha256


def test_codes_of_another_model_are_refused(tmp_path):
    features, metadata = processor().audio_to_features(SPEECH)
    other = ecdc.AudioProcessor(model="default")
    with pytest.raises(ValueError, match="features was made with the model tiny24 .* other weights turn its codes into noise"):
        other.features_to_audio(features, tmp_path / "a.wav", metadata=metadata)
    assert not list(tmp_path.glob("*.wav"))


def test_cuda_warns_once_and_computes_the_same():
    ecdc.audio_processor._warned.clear()
    with pytest.warns(UserWarning, match="no CUDA backend") as caught:
        p = [processor(device="cuda") for _ in range(3)]
    assert len(caught) == 1 and caught[0].filename == __file__ and p[2].device == "cuda"
    np.testing.assert_array_equal(p[0].audio_to_features(SPEECH)[0], processor().audio_to_features(SPEECH)[0])


def test_devices_as_pytorch_has_them():
    class Device:  # torch.device
        def __str__(self):
            return "cuda:1"

    device = Device()
    ecdc.audio_processor._warned.clear()
    with pytest.warns(UserWarning, match="no CUDA backend") as caught:
        assert [processor(device=d).device for d in ("cuda:0", device)] == ["cuda:0", device]
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert processor(device="cpu:0").device == "cpu:0"


# ------------------------------------------------------------------------------------------------------ refusals --


@pytest.mark.parametrize("parameters, says", [
    ({"encodec_bandwidth": 5.0}, "encodec_bandwidth is 5.0, allowed for tiny24 are 1.5, 3.0, 6.0 (kbps)"),
    ({"encodec_bandwidth": "3"}, "encodec_bandwidth is '3', allowed for tiny24 are"),
    ({"tr": 0}, "tr is 0, allowed is a positive number of seconds"),
    ({"tr": -1.5}, "tr is -1.5, allowed is a positive number of seconds"),
    ({"tr": float("nan")}, "tr is nan, allowed is a positive number"),
    ({"tr": "1.5"}, "tr is '1.5', allowed is a positive number"),
    ({"tr": True}, "tr is True, allowed is a positive number"),
    ({"tr": 0.001}, "tr is 0.001: TR '0.001' is outside one frame (1/75 s) to 3600 s"),
    ({"tr": 1e-9}, "tr is 1e-09: TR '0.000000001' is outside one frame"),
    ({"device": "gpu"}, "device is 'gpu', allowed are 'cpu', 'cuda'"),
    ({"device": "cuda:"}, "device is 'cuda:', allowed are 'cpu', 'cuda'"),
    ({"device": None}, "device is None, allowed are 'cpu', 'cuda'"),
    ({"layout": "rows"}, "layout is 'rows', allowed are 'codes', 'flat', 'giblet'"),
    ({"alignment": None}, "alignment is None, allowed are 'giblet', 'exact'"),
    ({"layout": "giblet", "alignment": "exact"}, "alignment is 'exact', but layout='giblet' has giblet's alignment only"),
    ({"dtype": "float32"}, "dtype is 'float32', allowed are 'int64', 'int16'"),
    ({"n_codebooks": 5}, "n_codebooks is 5, allowed are whole numbers from 1 to 4, as many as 3 kbps has"),
    ({"threads": 0}, "threads is 0, allowed are whole numbers from 1 to 256"),
    ({"precision": "f16"}, "precision is 'f16', allowed are 'f32', 'bf16'"),
    ({"mode": "mfcc"}, "mode is 'mfcc', allowed are 'encodec', 'latent', 'mel'"),
    ({"hrf": "spm"}, "hrf is 'spm', allowed are 'none', 'causal', 'giblet', 'giblet-doc'"),
    ({"hrf": "causal"}, "hrf is 'causal', which has no meaning for codes"),
    ({"hrf": "giblet-doc", "mode": "latent"}, "hrf is 'giblet-doc', which rounds to codes"),
    ({"hrf": "giblet-doc", "alignment": "exact"}, "hrf is 'giblet-doc', which would take the -1"),
    ({"fallback": "none"}, "fallback is 'none', allowed are 'mel', 'raise'"),
    ({"mode": "mel", "n_fft": 4095}, "n_fft"),
    ({"mode": "mel", "tr": 4000}, "tr is 4000: TR '4000.0' is outside"),
    ({"sample_rate": 22050.5}, "sample_rate is 22050.5, allowed are whole numbers"),
    ({"hop_length": 0}, "hop_length is 0, allowed are whole numbers from 1 to 65536"),
    ({"model": "no/such", "fallback": "raise"}, "no/such is not in the Hugging Face cache"),
    ({"model": b"no/such", "fallback": "raise"}, "no/such is not in the Hugging Face cache"),
])
def test_wrong_parameters(parameters, says):
    with pytest.raises(ValueError) as e:
        processor(**parameters)
    assert says in str(e.value)


@pytest.mark.parametrize("arguments, says", [
    ({"max_trs": 0}, "max_trs is 0, allowed are whole numbers from 1 on"),
    ({"max_trs": 2.5}, "max_trs is 2.5, allowed are whole numbers from 1 on"),
    ({"tr_length": -1}, "tr_length is -1, allowed is a positive number of seconds"),
    ({"tr_length": 4000}, "tr_length is 4000: TR '4000.0' is outside one frame (1/75 s) to 3600 s"),
    ({"audio_source": 7}, "audio_source is of the type int, allowed are a path and (array, rate)"),
    ({"audio_source": (np.zeros(9), 0)}, "audio_source[1] is 0, allowed are whole numbers from 1000 to 384000 of Hz"),
    ({"audio_source": (np.zeros((9000, 2)), 24000)}, "audio_source[0] has the shape (9000, 2)"),
    ({"audio_source": (np.zeros(9, "U1"), 24000)}, "audio_source[0] holds <U1, allowed are floating-point numbers"),
    ({"audio_source": (np.full(48000, np.inf), 24000)}, "sample 0 is inf, not a finite number"),
    ({"audio_source": (np.where(np.arange(96000) == 70000, np.nan, 0), 48000)}, "audio_source[0]: sample 70000 is nan, not a"),
    ({"audio_source": __file__}, "test_audio_processor.py"),
])
def test_wrong_arguments_of_audio_to_features(arguments, says):
    with pytest.raises(ValueError) as e:
        processor().audio_to_features(**{"audio_source": SPEECH, **arguments})
    assert says in str(e.value)


MEL = {"mel": {"n_fft": 4096, "hop": 512, "n_mels": 2048, "ref": 1.0}, "sampling_rate": 22050, "alignment": "giblet",
       "tr_fraction": "3/2", "partial": False}
CODES = {"tr_fraction": "3/2", "bandwidth": 3.0, "n_codebooks": 4, "layout": "codes", "alignment": "giblet", "partial": False}


@pytest.mark.parametrize("features, arguments, says", [
    (np.zeros((2, 4, 112), bool), {}, "features holds bool, allowed are integers (codes)"),
    (np.zeros((2, 4, 112), complex), {}, "features holds complex128, allowed are integers (codes)"),
    (np.zeros(448, int), {}, "features has 1 dimensions, allowed are (n_trs, codebooks, 112) and (n_trs, codebooks * 112)"),
    (np.zeros((1, 2, 4, 112), int), {}, "features has 4 dimensions"),
    (np.zeros((2, 4, 113), int), {}, "features has the shape (2, 4, 113), but its rows do not divide into the 112 frames"),
    (np.zeros((2, 449), int), {}, "features has the shape (2, 449), but its rows do not divide into the 112 frames"),
    (np.zeros((2, 0), int), {}, "features has the shape (2, 0)"),
    (np.ones((2, 896), int), {}, "features has 8 codebooks per row, allowed at 3 kbps are 1 to 4"),
    (np.zeros((0, 896), int), {}, "features has the shape (0, 896): no TR, no sound"),
    (np.zeros((0, 4, 112), int), {}, "features has the shape (0, 4, 112): no TR, no sound"),
    (np.zeros((2, 4, 112), int), {"n_codebooks": 8}, "n_codebooks is 8, but features of the shape (2, 4, 112) has 4"),
    (np.zeros((2, 4, 112), int), {"frames_per_tr": 113}, "frames_per_tr is 113, but a TR of 1.5 s has 112 frames"),
    (np.full((2, 4, 112), 1024), {}, "code 1024 in row 0, codebook 0, frame 0 is outside 0 to 1023"),
    (np.zeros((2, 4, 112)), {}, "features holds float64 and has the shape (2, 4, 112); a mel spectrogram at a TR of 1.5 s has"),
    (np.ones((2, 4, 112)), {}, "or (n_trs, 2048); codes, which can have this shape, are integers: features.astype('int64')"),
    (np.ones((2, 448)), {}, "or (n_trs, 2048); codes, which can have this shape, are integers: features.astype('int64')"),
    (np.full((2, 4, 112), 0.5), {}, "(n_trs, 133120) or (n_trs, 2048)"),
    (np.zeros((7, 16), np.float32), {}, "this is the shape of latents (16 numbers per vector), which are not decoded"),
    (np.zeros((7, 16, 112), np.float32), {}, "this is the shape of latents (16 numbers per vector), which are not decoded"),
    (np.zeros((7, 16), np.float32), {"metadata": {"mode": "latent"}}, "metadata describes latents, which are not decoded; allowed are codes"),
    (np.zeros((2, 4, 112)), {"metadata": {"mode": "encodec"}}, "features holds float64, but metadata describes codes, which are integers"),
    (np.zeros((2, 2048), int), {"metadata": {"mode": "mel"}}, "features holds int64, but metadata describes a mel spectrogram"),
    (np.zeros((0, 2048, 65)), {}, "features has the shape (0, 2048, 65): no TR, no sound"),
    (np.full((2, 2048), np.nan), {}, "features has a number that is not a level in dB"),
    (np.zeros((2, 2048)), {"metadata": {}}, "metadata does not describe a mel spectrogram of ecdc: KeyError('mel')"),
    (np.full((2, 4, 112), -1), {}, "rows with -1 are of the alignment exact"),
    (np.zeros((2, 4, 112), int), {"metadata": {}}, "metadata does not describe features of ecdc: KeyError('tr_fraction')"),
    (np.zeros((2, 4, 112), int), {"metadata": {"tr_fraction": "1/0"}}, "metadata does not describe features of ecdc: ZeroDivisionError"),
    (np.zeros((2, 2048)), {"metadata": {**MEL, "tr_fraction": "1/0"}}, "does not describe a mel spectrogram of ecdc: ZeroDivisionError"),
    (np.zeros((2, 2048)), {"metadata": {**MEL, "tr_fraction": "x"}}, "metadata does not describe a mel spectrogram of ecdc: ValueError"),
    (np.zeros((2, 2048)), {"metadata": {**MEL, "partial": True}}, "does not describe a mel spectrogram of ecdc: KeyError('samples')"),
    (np.zeros((2, 4, 112), int), {"metadata": pd.DataFrame({"tr_index": [0]})}, "metadata does not describe features of ecdc"),
    (np.zeros((2, 4, 112), int), {"metadata": {**CODES, "alignment": "other"}}, "alignment is 'other', allowed are 'giblet', 'exact'"),
    (np.zeros((2, 4, 112), int), {"metadata": {**CODES, "layout": "other"}}, "layout is 'other', allowed are 'codes', 'flat', 'giblet'"),
    (np.zeros((2, 4, 112), int), {"metadata": {**CODES, "model": None}}, "features was made with the model None"),
    (np.zeros((2, 4, 112), int), {"metadata": {**CODES, "model": "tiny24"}}, "features was made with the model None"),
    (np.zeros((2, 4, 112), int), {"metadata": "f.json"}, "metadata is of the type str, allowed are what audio_to_features returned"),
    (np.zeros((2, 2048)), {"metadata": [MEL]}, "metadata is of the type list, allowed are what audio_to_features returned"),
])
def test_wrong_features(tmp_path, features, arguments, says):
    (tmp_path / "kept.wav").write_text("as it was")
    with pytest.raises(ValueError) as e:
        processor().features_to_audio(features, tmp_path / "kept.wav", **arguments)
    assert says in str(e.value)
    assert [p.name for p in tmp_path.iterdir()] == ["kept.wav"] and (tmp_path / "kept.wav").read_text() == "as it was"


def test_what_the_processor_made_is_known_by_its_metadata(tmp_path):
    """The refusals above, with the descriptions that there are."""
    for mode, says in ("latent", "metadata describes latents"), ("encodec", "features holds float64, but metadata describes codes"):
        p = processor(mode=mode)
        features, metadata = p.audio_to_features(SPEECH, max_trs=2)
        with pytest.raises(ValueError, match=says):
            p.features_to_audio(features.astype(float), tmp_path / "a.wav", metadata=metadata)


def test_one_row_alone_is_asked_about(tmp_path):
    p = processor()
    features, metadata = p.audio_to_features(SPEECH)
    for described in {}, {"metadata": metadata}:
        with pytest.warns(UserWarning, match=r"features of the shape \(4, 112\) is taken for 4 TRs of one codebook.*features\[None\]") as caught:
            p.features_to_audio(features[0], tmp_path / "row.wav", **described)
        assert [w.filename for w in caught] == [__file__]
    assert len(read_wav(tmp_path / "row.wav")[1]) == 6 * 24000
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        p.features_to_audio(features[:4, 0], tmp_path / "a.wav", n_codebooks=1)
        p.features_to_audio(features[0][None], tmp_path / "b.wav")
        p.features_to_audio(features[:, 0], tmp_path / "c.wav")
        p.features_to_audio(features[:4, 0], tmp_path / "d.wav", metadata={**metadata.attrs, "n_trs": 4})
        processor(layout="flat").features_to_audio(features[:4, 0], tmp_path / "e.wav")


def test_missing_files(tmp_path):
    for call in (processor().audio_to_features, processor().get_audio_info):
        with pytest.raises(FileNotFoundError, match="No such file or directory: '/.*film.mp4'$"):
            call(tmp_path / "film.mp4")


def test_a_missing_folder_is_made(tmp_path):
    processor().features_to_audio(np.zeros((2, 4, 112), int), tmp_path / "a" / "b" / "c.wav")
    assert [p.name for p in (tmp_path / "a" / "b").iterdir()] == ["c.wav"]
    assert len(read_wav(tmp_path / "a" / "b" / "c.wav")[1]) == 225 * 320


def test_what_is_no_regular_file_is_written_to(tmp_path):
    features = np.random.default_rng(5).integers(0, 1024, (2, 4, 112))
    processor().features_to_audio(features, tmp_path / "a.wav")
    expected = read_wav(tmp_path / "a.wav")[1]
    os.mkfifo(tmp_path / "pipe.wav")
    got = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe.wav").read_bytes()), daemon=True)
    reader.start()
    processor().features_to_audio(features, tmp_path / "pipe.wav")
    reader.join(SECONDS)
    assert stat.S_ISFIFO((tmp_path / "pipe.wav").stat().st_mode) and got[0][:4] == b"RIFF"
    np.testing.assert_array_equal(np.frombuffer(got[0][44:], "<i2"), expected)
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):  # only here: whoever renames has failed above
        processor().features_to_audio(features, "/dev/full")
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


def test_links_stay_and_files_keep_their_rights(tmp_path):
    features = np.zeros((2, 4, 112), int)
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "b.wav").write_bytes(b"old")
    (tmp_path / "there" / "b.wav").chmod(0o640)
    (tmp_path / "a.wav").symlink_to("there/b.wav")
    processor().features_to_audio(features, tmp_path / "a.wav")
    assert (tmp_path / "a.wav").is_symlink() and [p.name for p in (tmp_path / "there").iterdir()] == ["b.wav"]
    assert len(read_wav(tmp_path / "there" / "b.wav")[1]) == 225 * 320
    assert stat.S_IMODE((tmp_path / "there" / "b.wav").stat().st_mode) == 0o640


def test_a_folder_is_no_output(tmp_path, monkeypatch):
    (tmp_path / "a.wav").mkdir()
    monkeypatch.setattr("ecdc._codes.Decoder", None)  # it says so before it decodes
    with pytest.raises(IsADirectoryError, match="Is a directory: .*/a.wav'$"):
        processor().features_to_audio(np.zeros((2, 4, 112), int), tmp_path / "a.wav")
    assert [p.name for p in tmp_path.rglob("*")] == ["a.wav"]


@pytest.mark.parametrize("name", ["a.mp3", "a", "a.wav.txt"])
def test_names_that_promise_something_else(tmp_path, name):
    with pytest.raises(ValueError, match=f"output_path is '.*{name}', allowed are names that end in .wav"):
        processor().features_to_audio(np.zeros((2, 4, 112), int), tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    processor().features_to_audio(np.zeros((2, 4, 112), int), tmp_path / "A.WAV")
