"""Models with chunks through the command: encode, decode, info, bench, and what has no meaning for them."""

import json
import struct

import numpy as np
import pytest

import files
from run import ROOT, TINY

TINY48 = ROOT / "tests" / "data" / "tiny48"
STRIDE, CHUNK, HOP = 47520, 48000, 320
N = 99000  # three chunks, the last of 12 frames


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    samples = np.load(TINY48 / "input.npy")[:N]
    return files.write_wav(tmp_path_factory.mktemp("stereo") / "in.wav", samples, 48000)


def frames_of(n, k):
    return -(-min(CHUNK, n - k * STRIDE) // HOP)


def read_stereo(path):
    chunks = {tag: content for tag, _, content in files.wav_chunks(path.read_bytes())}
    kind, channels, rate = struct.unpack_from("<HHI", chunks[b"fmt "])
    assert (channels, rate) == (2, 48000)
    return np.frombuffer(chunks[b"data"], "<i2" if kind == 1 else "<f4").reshape(-1, 2)


def read_ecdc(data, n, codebooks):
    """[(scale, codes)] behind the header."""
    at, chunks = 9 + struct.unpack_from(">I", data, 5)[0], []
    for k in range(-(-n // STRIDE)):
        scale, = struct.unpack_from(">f", data, at)
        bits = frames_of(n, k) * codebooks * 10
        ones = np.unpackbits(np.frombuffer(data, np.uint8, -(-bits // 8), at + 4), bitorder="little")[:bits]
        chunks.append((scale, (ones.reshape(-1, 10) @ (1 << np.arange(10))).reshape(-1, codebooks).T))
        at += 4 + -(-bits // 8)
    assert at == len(data)
    return chunks


def test_stored_codes_and_sound(ecdc):
    sound = files.write_wav(ecdc.cwd / "in.wav", np.load(TINY48 / "input.npy"), 48000)
    r = ecdc("encode", sound, "-o", "out.npz", "-m", TINY48, "-b", 12)
    assert r.stderr.startswith("ecdc: out.npz: 4 chunks x 8 codebooks, 3.17 s of sound in ")
    with np.load(ecdc.cwd / "out.npz") as z:
        assert sorted(z) == ["audio_length", "codes", "scales"]
        assert z["codes"].dtype == np.int64 and np.array_equal(z["codes"], np.load(TINY48 / "codes_12kbps.npy"))
        assert z["scales"].dtype == np.float32 and np.allclose(z["scales"], np.load(TINY48 / "scales.npy"), rtol=1e-5, atol=0)
        assert z["audio_length"].dtype == np.int64 and z["audio_length"].shape == () and z["audio_length"] == 152160
    np.savez(ecdc.cwd / "stored.npz", codes=np.load(TINY48 / "codes_24kbps.npy"), scales=np.load(TINY48 / "scales.npy"),
             audio_length=152160)
    ecdc("decode", "stored.npz", "-o", "out.wav", "-m", TINY48, "--float")
    wanted = np.load(TINY48 / "decoded_24kbps.npy") / 32768
    assert np.abs(read_stereo(ecdc.cwd / "out.wav") - wanted).max() < 1e-4


def test_all_files_hold_the_same(ecdc, sound):
    for out in "out.npz", "out.ecdc":
        ecdc("encode", sound, "-o", out, "-m", TINY48)
    with np.load(ecdc.cwd / "out.npz") as z:
        codes, scales = z["codes"], z["scales"]
        np.savez_compressed(ecdc.cwd / "packed.npz", codes=codes[:, None].astype(np.int16), scales=scales[:, None],
                            audio_length=[N])
    assert codes.shape == (3, 2, 150)
    chunks = read_ecdc((ecdc.cwd / "out.ecdc").read_bytes(), N, 2)
    for k, (scale, found) in enumerate(chunks):
        assert scale == scales[k] and np.array_equal(found, codes[k, :, :frames_of(N, k)])
        assert not codes[k, :, frames_of(N, k):].any()
    for name in "out.npz", "out.ecdc", "packed.npz":
        ecdc("decode", name, "-o", f"{name}.wav", "-m", TINY48, "-r")
    sounds = [read_stereo(ecdc.cwd / f"{name}.wav") for name in ("out.npz", "out.ecdc", "packed.npz")]
    assert len(sounds[0]) == N and np.array_equal(sounds[0], sounds[1]) and np.array_equal(sounds[0], sounds[2])


@pytest.mark.parametrize("n", [1, 320, 47521, 47680, 47681, 47840, 48001, 95100])
def test_every_length(ecdc, n):
    """Also where the reference's decoder fails: 160 < n mod 47520 <= 320."""
    path = files.write_wav(ecdc.cwd / "in.wav", np.load(TINY48 / "input.npy")[:n], 48000)
    r = ecdc("encode", path, "-o", "out.ecdc", "-m", TINY48, "--json")
    assert (r.json["samples"], r.json["chunks"]) == (n, -(-n // STRIDE))
    r = ecdc("decode", "out.ecdc", "-o", "out.wav", "-m", TINY48, "--json")
    assert (r.json["samples"], r.json["sampling_rate"], r.json["channels"]) == (n, 48000, 2)
    assert len(read_stereo(ecdc.cwd / "out.wav")) == n


def test_threads_change_nothing(ecdc, sound):
    for threads in 1, 2, 3, 7:
        ecdc("encode", sound, "-o", f"{threads}.npz", "-m", TINY48, "--threads", threads)
        ecdc("decode", "1.npz", "-o", f"{threads}.wav", "-m", TINY48, "--threads", threads)
    for threads in 2, 3, 7:
        for kind in "npz", "wav":
            assert (ecdc.cwd / f"1.{kind}").read_bytes() == (ecdc.cwd / f"{threads}.{kind}").read_bytes()


def test_mono_is_heard_on_both_sides(ecdc):
    samples = np.load(TINY48 / "input.npy")[:5000]
    samples[:, 1] = samples[:, 0]
    files.write_wav(ecdc.cwd / "stereo.wav", samples, 48000)
    files.write_wav(ecdc.cwd / "mono.wav", samples[:, 0], 48000)
    for name in "stereo", "mono":
        ecdc("encode", f"{name}.wav", "-o", f"{name}.npz", "-m", TINY48)
    assert (ecdc.cwd / "stereo.npz").read_bytes() == (ecdc.cwd / "mono.npz").read_bytes()


def test_pipes(ecdc, sound):
    ecdc("encode", sound, "-o", "out.npz", "-m", TINY48)
    assert ecdc("encode", sound, "-o", "-", "--format", "npz", "-m", TINY48).stdout == (ecdc.cwd / "out.npz").read_bytes()


def test_info(ecdc, sound):
    info = ecdc("info", TINY48, "--json").json
    assert (info["channels"], info["chunk_samples"], info["chunk_stride"], info["chunk_frames"]) == (2, CHUNK, STRIDE, 150)
    ecdc("encode", sound, "-o", "out.npz", "-m", TINY48)
    assert ecdc("info", "out.npz", "--json").json == {"kind": "npz", "samples": N, "chunks": 3, "codebooks": 2, "chunk_frames": 150}


def test_generated_model(ecdc, sound):
    ecdc("encode", sound, "-o", "out.ecdc", "-m", "random:encodec_48khz")
    assert ecdc("info", "out.ecdc", "--json").json["model"] == "random:encodec_48khz"
    ecdc("decode", "out.ecdc", "-o", "out.wav", "-m", "random:encodec_48khz")
    assert len(read_stereo(ecdc.cwd / "out.wav")) == N


def test_bench(ecdc):
    r = ecdc("bench", "--seconds", "1.5", "--repeats", "1", "-m", TINY48, "--json")
    assert r.json["codebooks"] == 2 and r.json["encode_x_realtime"] > 0 and r.json["decode_x_realtime"] > 0


def test_what_has_no_meaning(ecdc, sound):
    ecdc.refuses("encode", sound, "-o", "out.npy", "-m", TINY48, status=2, says=["out.npy", "scales", ".npz or .ecdc"])
    ecdc.refuses("encode", sound, "-o", "out.npz", "-m", TINY, status=2, says=["out.npz", "chunks", ".npy or .ecdc"])
    ecdc.refuses("features", sound, "-o", "out.npy", "-m", TINY48, says=["tiny48", "no single frame grid"])
    np.save(ecdc.cwd / "codes.npy", np.zeros((2, 150), np.int64))
    ecdc.refuses("decode", "codes.npy", "-o", "out.wav", "-m", TINY48, says=["codes.npy", "scales"])
    np.save(ecdc.cwd / "rows.npy", np.zeros((2, 2, 225), np.int64))
    ecdc.refuses("reconstruct", "rows.npy", "-o", "out.wav", "-m", TINY48, "-b", 3, says=["tiny48", "no single frame grid"])


GOOD = {"codes": np.zeros((2, 2, 150), np.int64), "scales": np.ones(2, np.float32), "audio_length": np.int64(50000)}


@pytest.mark.parametrize("arrays, says", [
    ({"codes": None}, "there is no array codes in it"),
    ({"audio_length": None}, "there is no array audio_length in it"),
    ({"codes": np.zeros((2, 2, 150), np.float32)}, "codes are integers, this array is float32"),
    ({"codes": np.zeros((2, 300), np.int64)}, "2 dimensions"),
    ({"codes": np.zeros((2, 3, 2, 150), np.int64)}, "the second larger than 1"),
    ({"codes": np.asfortranarray(np.zeros((2, 2, 150), np.int64))}, "Fortran order"),
    ({"codes": np.full((2, 2, 150), 1024)}, "code 1024 at codebook 0, frame 0 of chunk 0 is outside 0 to 1023"),
    ({"codes": np.full((2, 2, 150), -1)}, "code -1"),
    ({"codes": np.zeros((2, 17, 150), np.int64)}, "17 codebooks, but tiny48 has 16"),
    ({"codes": np.zeros((2, 2, 149), np.int64)}, "149 frames per chunk"),
    ({"codes": np.zeros((2, 2, 151), np.int64)}, "151 frames per chunk"),
    ({"scales": np.ones(3, np.float32)}, "scales are 3 of type float32"),
    ({"scales": np.ones(2, np.int64)}, "of type int64"),
    ({"scales": np.array([1, np.nan], np.float32)}, "the scale of chunk 1 is nan"),
    ({"audio_length": np.int64(95041)}, "audio_length is 95041 samples, which are 3 chunks of tiny48; there are 2"),
    ({"audio_length": np.int64(-1)}, "audio_length is -1"),
    ({"audio_length": np.ones(2, np.int64)}, "audio_length is not one integer"),
    ({"codes": np.zeros((0, 2, 150), np.int64), "scales": np.ones(0, np.float32), "audio_length": np.int64(0)}, "no sound"),
])
def test_arrays_that_do_not_fit(ecdc, arrays, says):
    np.savez(ecdc.cwd / "in.npz", **{k: v for k, v in {**GOOD, **arrays}.items() if v is not None})
    ecdc.refuses("decode", "in.npz", "-o", "out.wav", "-m", TINY48, says=[says])


def test_models_that_do_not_fit(ecdc):
    np.savez(ecdc.cwd / "in.npz", **GOOD)
    ecdc("decode", "in.npz", "-o", "out.wav", "-m", TINY48)
    ecdc.refuses("decode", "in.npz", "-o", "out2.wav", says=["in.npz: a .npz holds chunks", "-m"])


@pytest.mark.parametrize("change, says", [
    ({"chunk_length_s": None}, "norm_type time_group_norm but no chunk_length_s"),
    ({"chunk_length_s": None, "norm_type": "weight_norm"}, "normalize true but no chunk_length_s"),
    ({"chunk_length_s": None, "norm_type": "weight_norm", "normalize": False}, "use_causal_conv false but no chunk_length_s"),
    ({"chunk_length_s": 3000}, "are too large"),
])
def test_models_that_need_the_whole_signal(ecdc, sound, change, says):
    (ecdc.cwd / "model").mkdir()
    (ecdc.cwd / "model" / "model.safetensors").symlink_to(TINY48 / "model.safetensors")
    config = json.loads((TINY48 / "config.json").read_text())
    (ecdc.cwd / "model" / "config.json").write_text(json.dumps({**config, **change}))
    ecdc.refuses("encode", sound, "-o", "out.ecdc", "-m", "model", says=[says])
    assert ecdc("info", "model", "--json").json["kind"] == "model"
