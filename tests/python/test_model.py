"""The codec itself: stored codes of transformers, streams however they are cut, wrong arguments."""

import copy
import os
import pickle
import json
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import ecdc
from run import TINY


@pytest.fixture(scope="module")
def tiny():
    return ecdc.Model(TINY)


def test_a_model_says_what_it_is():
    model = ecdc.Model()
    assert (model.sampling_rate, model.channels, model.hop, model.frame_rate) == (24000, 1, 320, 75)
    assert (model.n_codebooks, model.codebook_size, model.bandwidths) == (32, 1024, (1.5, 3.0, 6.0, 12.0, 24.0))
    assert [model.codebooks(b) for b in model.bandwidths] == [2, 4, 8, 16, 32]
    assert model.origin == "embedded" and len(model.sha256) == 64 and not model.chunked
    assert [model.frames(n) for n in (0, 1, 320, 321)] == [0, 1, 1, 2]
    assert model.name in repr(model)


@pytest.mark.parametrize("bandwidth", [1.5, 3.0, 6.0])
def test_codes_and_sound_are_those_of_transformers(tiny, bandwidth):
    codes = tiny.encode(np.load(TINY / "input.npy"), bandwidth)
    expected = np.load(TINY / f"codes_{bandwidth:g}kbps.npy")
    assert codes.dtype == np.int64 and codes.flags.c_contiguous
    np.testing.assert_array_equal(codes, expected)
    sound = tiny.decode(expected)
    assert sound.dtype == np.float32
    np.testing.assert_allclose(sound, np.load(TINY / f"decoded_{bandwidth:g}kbps.npy"), atol=1e-4)


def test_streams_give_the_same_however_they_are_cut(tiny, speech):
    samples = speech[:50123]
    codes = tiny.encode(samples, threads=1)
    sound = tiny.decode(codes)
    rng = np.random.default_rng(3)
    encoder, decoder = ecdc.Encoder(tiny), ecdc.Decoder(tiny, 4, threads=2)
    for _ in range(2):
        at, parts = 0, []
        while at < len(samples):
            n = int(rng.integers(0, 9000))
            encoder.push(samples[at:at + n])
            at += n
            if rng.integers(2):
                parts.append(encoder.pull())
        encoder.finish()
        parts.append(encoder.pull())
        np.testing.assert_array_equal(np.concatenate(parts, axis=1), codes)
        assert encoder.ready == 0

        at, parts = 0, []
        while at < codes.shape[1]:
            n = int(rng.integers(0, 40))
            decoder.push(codes[:, at:at + n])
            at += n
            parts.append(decoder.pull())
        decoder.finish()
        parts.append(decoder.pull())
        np.testing.assert_array_equal(np.concatenate(parts), sound)
        encoder.reset()
        decoder.reset()


def test_samples_of_other_types(tiny, speech):
    samples = np.rint(speech[:9000] * 32768).astype(np.int16)
    codes = tiny.encode(samples)
    for same in (samples / 32768, samples[None], np.stack([samples, samples])):
        np.testing.assert_array_equal(tiny.encode(same), codes)
    assert tiny.encode(np.zeros(0, np.float32)).shape == (4, 0)
    assert tiny.decode(np.zeros((4, 0), int)).shape == (0,)


def test_a_stream_outlives_its_model(speech):
    model = ecdc.Model(TINY)
    encoder = ecdc.Encoder(model)
    expected = model.encode(speech[:9000])
    model.close()
    model.close()
    encoder.push(speech[:9000])
    encoder.finish()
    np.testing.assert_array_equal(encoder.pull(), expected)
    with pytest.raises(ValueError, match="this Model is closed"):
        model.encode(speech[:9000])
    with encoder:
        pass
    with pytest.raises(ValueError, match="this Encoder is closed"):
        encoder.push(speech[:9000])


@pytest.mark.parametrize("name", ["default", TINY, "random:encodec_24khz", "./tiny", "maker/model"])
def test_a_pickle_opens_the_same_weights(name, speech, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").symlink_to(TINY)
    cached = tmp_path / "no-hub" / "hub" / "models--maker--model"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("0" * 40)
    (cached / "snapshots").mkdir()
    (cached / "snapshots" / ("0" * 40)).symlink_to(TINY)
    model = ecdc.Model(name)
    content = pickle.dumps(model)
    assert len(content) < 1000
    (tmp_path / "else").mkdir()
    monkeypatch.chdir(tmp_path / "else")
    again = pickle.loads(content)
    assert (again.name, again.origin.split("/")[-2:], again.sha256) == (model.name, model.origin.split("/")[-2:], model.sha256)
    np.testing.assert_array_equal(again.encode(speech[:9000]), model.encode(speech[:9000]))


def test_a_pickle_does_not_take_other_weights(tmp_path):
    shutil.copytree(TINY, tmp_path / "model")
    model = ecdc.Model(tmp_path / "model" / "model.safetensors")
    content = pickle.dumps(model)
    weights = bytearray((tmp_path / "model" / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (tmp_path / "model" / "new").write_bytes(weights)
    os.replace(tmp_path / "model" / "new", tmp_path / "model" / "model.safetensors")
    with pytest.raises(ValueError, match="model.safetensors has other weights .* than the model that was pickled"):
        pickle.loads(content)
    model.close()
    with pytest.raises(ValueError, match="this Model is closed"):
        pickle.dumps(model)


def test_copies_share_the_weights(tiny, speech):
    expected = tiny.encode(speech[:9000])
    for twin in (copy.copy(tiny), copy.deepcopy([tiny])[0]):
        assert twin is not tiny and twin._handle is tiny._handle
        twin.close()
    np.testing.assert_array_equal(tiny.encode(speech[:9000]), expected)


def test_streams_are_not_copied(tiny):
    code = ("import copy, pickle, ecdc\nencoder = ecdc.Encoder(ecdc.Model())\nfor call in (pickle.dumps, copy.deepcopy, copy.copy):\n"
            "    try:\n        call(encoder)\n    except TypeError as e:\n        print(e)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.stdout.count("can be neither pickled nor copied") == 3 and done.stderr == ""


def test_what_a_stream_refuses_it_does_not_take(tiny, speech):
    """However long it is: what is wrong may stand near the end."""
    samples, codes = speech[:80000], tiny.encode(speech[:80000])
    encoder, decoder = ecdc.Encoder(tiny), ecdc.Decoder(tiny, 4)
    for value in np.nan, np.inf, -np.inf:
        wrong = samples.copy()
        wrong[79000] = value
        with pytest.raises(ValueError, match=f"sample 79000 is {value}"):
            encoder.push(wrong)
        assert encoder.ready == 0
    for value in 1024, -1:
        wrong = np.ascontiguousarray(codes.T, np.int32)
        wrong[200, 1] = value
        with pytest.raises(ValueError, match=f"code {value} at frame 200, codebook 1"):
            decoder.push_frames(wrong)
        assert decoder.ready == 0
    for stream, signal_ in (encoder, samples), (decoder, codes):
        stream.push(signal_)
        stream.finish()
    np.testing.assert_array_equal(encoder.pull(), codes)
    np.testing.assert_array_equal(decoder.pull(), tiny.decode(codes))


@pytest.mark.parametrize("shape", [(90, 2), (360,), (90, 4, 1), (0, 2)])
def test_frames_of_another_shape_are_not_read_beyond_their_end(tiny, shape):
    with pytest.raises(ValueError) as e:
        ecdc.Decoder(tiny, 4).push_frames(np.zeros(shape, np.int32))
    assert str(e.value) == f"codes has the shape {shape}, allowed is (frames, 4)"


@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<f4", ">f4", "<f8", ">f8"])
def test_samples_in_either_byte_order(tiny, speech, dtype):
    samples = np.rint(speech[:9000] * 32768)
    given = samples.astype(dtype) if "i" in dtype else (samples / 32768).astype(dtype)
    np.testing.assert_array_equal(tiny.encode(given), tiny.encode(samples.astype(np.int16)))


def test_one_model_in_many_threads(tiny, speech):
    expected, found = tiny.encode(speech), []
    threads = [threading.Thread(target=lambda: found.append(tiny.encode(speech, threads=1))) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(found) == 4 and all(np.array_equal(f, expected) for f in found)


def test_one_stream_in_many_threads_does_no_harm(tiny, speech):
    encoder = ecdc.Encoder(tiny)
    threads = [threading.Thread(target=encoder.push, args=(speech,)) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    encoder.finish()
    assert encoder.pull().shape == (4, tiny.frames(4 * len(speech)))


@pytest.mark.parametrize("waits_s", [0, 0.05])  # threads that look for work, and threads that sleep
def test_a_forked_process_goes_on_with_its_copy_of_a_stream_and_closes_it(tiny, waits_s):
    noise = np.random.default_rng(8).standard_normal(24000).astype(np.float32) * np.float32(0.1)
    whole = tiny.encode(noise)
    encoder = ecdc.Encoder(tiny, threads=4)
    encoder.push(noise[:5000])
    time.sleep(waits_s)
    child = os.fork()
    if child == 0:
        signal.alarm(60)  # instead of waiting for ever
        try:
            encoder.push(noise[5000:])
            encoder.finish()
            same = np.array_equal(encoder.pull(), whole)
            encoder.close()
            os._exit(0 if same else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    encoder.push(noise[5000:])
    encoder.finish()
    assert np.array_equal(encoder.pull(), whole)


@pytest.mark.parametrize("call, says", [
    (lambda m: ecdc.Model("no/such/model"), "no model `no/such/model`"),
    (lambda m: m.encode(np.zeros(9), 5.0), "bandwidth 5 kbps is not supported"),
    (lambda m: m.encode(np.zeros(9), n_codebooks=0), "n_codebooks is 0, allowed are whole numbers from 1 to 8"),
    (lambda m: m.encode(np.zeros(9), threads=1.5), "threads is 1.5, allowed are whole numbers from 1 to 256"),
    (lambda m: m.encode(np.zeros(9, int)), "samples holds int64, allowed are floating-point numbers"),
    (lambda m: m.encode(np.zeros((9000, 2))), "samples has the shape (9000, 2), which would be 9000 channels"),
    (lambda m: m.encode(np.zeros((1, 1, 9))), "samples has 3 dimensions"),
    (lambda m: m.encode(np.array([0, 0, np.nan])), "sample 2 is nan, not a finite number"),
    (lambda m: m.decode(np.zeros((4, 9))), "codes holds float64, codes are integers"),
    (lambda m: m.decode(np.zeros(9, int)), "codes has the shape (9,), allowed is (n_codebooks, frames)"),
    (lambda m: m.decode(np.zeros((9, 2), int)), "n_codebooks is 9, allowed are whole numbers from 1 to 8"),
    (lambda m: m.decode(np.full((4, 9), 1024)), "codes has 1024, allowed are 0 to 1023"),
    (lambda m: m.decode(np.full((4, 9), -1)), "codes has -1, allowed are 0 to 1023"),
    (lambda m: m.decode(np.full((4, 9), 2**40)), f"codes has {2**40}, allowed are 0 to 1023"),
    (lambda m: m.frames(2**64 + 5), "n_samples is 18446744073709551621, allowed are whole numbers from 0 to"),
    (lambda m: ecdc.Decoder(m, 2).push(np.zeros((4, 9), int)), "codes has the shape (4, 9), allowed is (2, frames)"),
])
def test_wrong_arguments(tiny, call, says):
    with pytest.raises(ValueError) as e:
        call(tiny)
    assert says in str(e.value)


@pytest.mark.parametrize("call, says", [
    (lambda m: ecdc.Model(None), "name is None, allowed are str, bytes and os.PathLike"),
    (lambda m: ecdc.Model(3), "name is 3, allowed are str"),
    (lambda m: ecdc.hub.fetch(None), "name is None, allowed are str"),
    (lambda m: ecdc.AudioProcessor(model=3), "name is 3, allowed are str"),
    (lambda m: ecdc.Model("a\0b"), r"name is 'a\\x00b', which holds a null character"),
    (lambda m: m.encode(np.zeros(9), "3"), "bandwidth is '3', allowed is a number of kbps such as 3.0"),
    (lambda m: m.encode(np.zeros(9), None), "bandwidth is None, allowed is a number of kbps"),
    (lambda m: m.codebooks("3"), "bandwidth is '3', allowed is a number of kbps"),
])
def test_arguments_of_a_wrong_type_are_named(tiny, call, says):
    with pytest.raises((TypeError, ValueError), match=says):
        call(tiny)


def refusals(model):
    """What Python does not do with such a model, each as a status and a message."""
    for use in (lambda: model.encode(np.zeros(48000, np.float32)), lambda: model.encode(np.zeros((2, 48000), np.float32)),
                lambda: model.decode(np.zeros((4, 150), int)), lambda: ecdc.Encoder(model), lambda: ecdc.Decoder(model, 4)):
        with pytest.raises(ecdc.EcdcError) as e:
            use()
        yield e.value.status, str(e.value)


def test_a_model_with_chunks_is_left_to_the_command():
    model = ecdc.Model(TINY.parent / "tiny48")
    assert model.chunked and model.channels == 2
    for status, message in refusals(model):
        assert status == "ECDC_E_UNSUPPORTED" and "has chunks with scales" in message and "`ecdc encode IN -m MODEL -o OUT.npz`" in message


def test_a_model_with_two_channels_is_not_given_mono_samples(tmp_path):
    config = json.loads((TINY / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "audio_channels": 2}))
    weights = (TINY / "model.safetensors").read_bytes()
    size = int.from_bytes(weights[:8], "little")
    header, data, at = json.loads(weights[8:8 + size]), b"", 0
    header.pop("__metadata__", None)
    for name, tensor in header.items():
        part = weights[8 + size:][slice(*tensor["data_offsets"])]
        if name.startswith(("encoder.layers.0.conv.parametrizations.weight.original1", "decoder.layers.15.conv")):
            tensor["shape"][1 if name.startswith("encoder") else 0] = 2
            part *= 2
        tensor["data_offsets"] = [at, at := at + len(part)]
        data += part
    text = json.dumps(header).encode()
    (tmp_path / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data)
    model = ecdc.Model(tmp_path)
    assert model.channels == 2 and not model.chunked
    for status, message in refusals(model):
        assert status == "ECDC_E_UNSUPPORTED" and "has 2 channels;" in message


def test_errors_of_the_library_carry_their_status(tmp_path):
    shutil.copy(TINY / "config.json", tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(ecdc.EcdcError) as e:
        ecdc.Model(tmp_path)
    assert e.value.status == "ECDC_E_FORMAT" and "model.safetensors" in str(e.value)
    with pytest.raises(ecdc.EcdcError) as e:
        ecdc.Model("no/such/model")
    assert e.value.status == "ECDC_E_MODEL"
    again = pickle.loads(pickle.dumps(e.value))
    assert (type(again), str(again), again.status) == (ecdc.EcdcError, str(e.value), "ECDC_E_MODEL")
