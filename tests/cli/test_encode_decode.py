"""ecdc encode and ecdc decode."""

import json
import math
import struct

import numpy as np
import pytest

import files
from run import SPEECH, TINY

CODEBOOKS = {1.5: 2, 3: 4, 6: 8, 12: 16, 24: 32}
N_SHORT, FRAMES_SHORT = 29999, 94
SPEED = {"seconds_audio", "seconds_wall", "x_realtime", "peak_rss_mb"}


# -------------------------------------------------------------------------------------------------- encode --


@pytest.mark.parametrize("kbps", CODEBOOKS)
def test_npy_holds_codebooks_by_frames(ecdc, sounds, kbps):
    r = ecdc("encode", sounds["short.wav"], "-o", "out.npy", "-b", kbps)
    assert r.stdout == b""
    assert r.stderr.startswith(f"ecdc: out.npy: {FRAMES_SHORT} frames x {CODEBOOKS[kbps]} codebooks, 1.25 s of sound in ")
    codes = np.load(ecdc.cwd / "out.npy")
    assert codes.dtype == np.int64 and codes.flags.f_contiguous
    assert codes.shape == (CODEBOOKS[kbps], FRAMES_SHORT)
    assert codes.min() >= 0 and codes.max() <= 1023 and len(np.unique(codes)) > 50


def test_three_kbps_is_the_default(ecdc, sounds):
    assert np.array_equal(ecdc.codes(sounds["short.wav"]), ecdc.codes(sounds["short.wav"], "-b", "3"))


def test_lower_bandwidths_are_the_first_codebooks(ecdc, sounds):
    most = ecdc.codes(sounds["short.wav"], "-b", "24")
    for kbps, n in CODEBOOKS.items():
        assert np.array_equal(ecdc.codes(sounds["short.wav"], "-b", kbps), most[:n])


def test_npy_header_is_as_numpy_writes_it(ecdc, sounds):
    ecdc("encode", sounds["short.wav"], "-o", "out.npy")
    codes = np.load(ecdc.cwd / "out.npy")
    np.save(ecdc.cwd / "again.npy", codes)
    assert (ecdc.cwd / "out.npy").read_bytes() == (ecdc.cwd / "again.npy").read_bytes()


@pytest.mark.parametrize("n", [1, 2, 319, 320, 321, 2239, 2240, 2241])
def test_every_length_has_its_frames(ecdc, n):
    path = files.write_wav(ecdc.cwd / "in.wav", np.arange(n) % 1000)
    r = ecdc("encode", path, "-o", "out.npy", "-m", TINY, "--json")
    assert (r.json["samples"], r.json["frames"]) == (n, math.ceil(n / 320))
    assert np.load(ecdc.cwd / "out.npy").shape == (4, math.ceil(n / 320))
    ecdc("encode", path, "-o", "out.ecdc", "-m", TINY)
    ecdc("decode", "out.ecdc", "-o", "out.wav", "-m", TINY)
    assert len(files.read_wav(ecdc.cwd / "out.wav")[1]) == n


@pytest.mark.parametrize("kbps", [1.5, 3, 6])
def test_stored_codes_and_sound(ecdc, kbps):
    files.write_float_wav(ecdc.cwd / "in.wav", np.load(TINY / "input.npy"))
    assert np.array_equal(ecdc.codes("in.wav", "-m", TINY, "-b", kbps), np.load(TINY / f"codes_{kbps}kbps.npy"))
    np.save(ecdc.cwd / "stored.npy", np.load(TINY / f"codes_{kbps}kbps.npy"))
    ecdc("decode", "stored.npy", "-m", TINY, "-o", "out.wav", "--float")
    stored = np.load(TINY / f"decoded_{kbps}kbps.npy").ravel()
    assert np.abs(files.read_wav(ecdc.cwd / "out.wav")[1][:len(stored)] - stored).max() < 1e-4


def test_one_of_a_thing_and_several(ecdc):
    files.write_wav(ecdc.cwd / "one.wav", np.ones(320, np.int16))
    files.write_wav(ecdc.cwd / "two.wav", np.ones(36000, np.int16))
    ecdc("encode", "one.wav", "-o", "one.ecdc", says="one.ecdc: 1 frame x 4 codebooks, ")
    ecdc("encode", "two.wav", "-o", "two.ecdc", says="two.ecdc: 113 frames x 4 codebooks, ")
    ecdc("features", "two.wav", "-o", "two.npy", "--codebooks", "1", says="two.npy: 1 TR x 1 codebook x 112 frames, ")


def test_json(ecdc, sounds):
    r = ecdc("encode", sounds["short.wav"], "-o", "out.npy", "--json")
    assert r.stderr == ""
    assert r.json.keys() >= SPEED | {"output", "samples", "frames", "codebooks"}
    assert r.json["output"] == "out.npy" and r.json["codebooks"] == 4
    assert r.json["samples"] == N_SHORT and r.json["frames"] == FRAMES_SHORT
    assert r.json["seconds_audio"] == N_SHORT / 24000
    assert r.json["x_realtime"] == pytest.approx(r.json["seconds_audio"] / r.json["seconds_wall"])
    assert r.json["peak_rss_mb"] > 1


def test_quiet(ecdc, sounds):
    for out in "out.npy", "out.ecdc":
        r = ecdc("encode", "-q", sounds["short.wav"], "-o", out)
        assert (r.stdout, r.stderr) == (b"", "")
    r = ecdc("decode", "-q", "out.ecdc", "-o", "out.wav")
    assert (r.stdout, r.stderr) == (b"", "")


# --------------------------------------------------------------------------------------------------- .ecdc --


@pytest.mark.parametrize("kbps", CODEBOOKS)
def test_ecdc_holds_the_same_codes(ecdc, sounds, kbps):
    ecdc("encode", sounds["short.wav"], "-o", "out.ecdc", "-b", kbps)
    header, codes = files.read_ecdc((ecdc.cwd / "out.ecdc").read_bytes())
    assert np.array_equal(codes, ecdc.codes(sounds["short.wav"], "-b", kbps))
    sha = ecdc("info", "default", "--json").json["sha256"][:16]
    name = ecdc("info", "default", "--json").json["name"]
    assert header == {"m": name, "al": N_SHORT, "nc": CODEBOOKS[kbps], "lm": False, "sha": sha}


def test_ecdc_header_is_as_python_writes_it(ecdc, sounds):
    ecdc("encode", sounds["short.wav"], "-o", "out.ecdc")
    data = (ecdc.cwd / "out.ecdc").read_bytes()
    assert files.write_ecdc(*files.split_ecdc(data)) == data


def test_decode_of_both_is_the_same_sound(ecdc, sounds):
    for kind in "npy", "ecdc":
        ecdc("encode", sounds["short.wav"], "-o", f"out.{kind}")
        ecdc("decode", f"out.{kind}", "-o", f"{kind}.wav", "--float")
    whole, cut = (files.read_wav(ecdc.cwd / f"{kind}.wav")[1] for kind in ("npy", "ecdc"))
    assert len(whole) == FRAMES_SHORT * 320 and len(cut) == N_SHORT  # an array does not know the length in samples
    assert np.array_equal(whole[:N_SHORT], cut)


def test_decode_finds_the_small_model_by_its_flag_only(ecdc, sounds):
    ecdc("encode", sounds["short.wav"], "-o", "out.ecdc", "-m", TINY)
    ecdc.refuses("decode", "out.ecdc", "-o", "out.wav", says=["out.ecdc was made with the model tiny24", "give it with -m MODEL"])
    ecdc("decode", "out.ecdc", "-o", "out.wav", "-m", TINY)


# ------------------------------------------------------------------------------------------ standard streams --


@pytest.mark.parametrize("kind", ["npy", "ecdc"])
def test_standard_output(ecdc, sounds, kind):
    ecdc("encode", sounds["short.wav"], "-o", f"out.{kind}")
    r = ecdc("encode", sounds["short.wav"], "-o", "-", "--format", kind, says="-: 94 frames")
    assert r.stdout == (ecdc.cwd / f"out.{kind}").read_bytes()


def test_standard_input(ecdc, sounds):
    ecdc("encode", sounds["short.wav"], "-o", "named.npy")
    ecdc("encode", "-", "-o", "piped.npy", stdin=sounds["short.wav"].read_bytes())
    assert (ecdc.cwd / "named.npy").read_bytes() == (ecdc.cwd / "piped.npy").read_bytes()


def test_wav_on_standard_output_has_open_sizes(ecdc, sounds):
    ecdc("encode", sounds["short.wav"], "-o", "in.ecdc")
    for options, width in ((), 2), (("--float",), 4):
        ecdc("decode", "in.ecdc", "-o", "out.wav", "-f", *options)
        data = ecdc("decode", "in.ecdc", "-o", "-", "--format", "wav", *options).stdout
        assert struct.unpack_from("<I", data, 4)[0] == 0xFFFFFFFF
        tag, size, content = files.wav_chunks(data)[-1]
        assert (tag, size, len(content)) == (b"data", 0xFFFFFFFF, N_SHORT * width)
        assert content == files.wav_chunks((ecdc.cwd / "out.wav").read_bytes())[-1][2]


@pytest.mark.parametrize("kind", ["ecdc", "npy"])
def test_codes_from_standard_input(ecdc, sounds, kind):
    """A pipe or a file, told apart by their first bytes."""
    ecdc("encode", sounds["short.wav"], "-o", f"in.{kind}", "-m", TINY)
    ecdc("decode", f"in.{kind}", "-o", "named.wav", "-m", TINY)
    data = (ecdc.cwd / f"in.{kind}").read_bytes()
    ecdc("decode", "-", "-o", "piped.wav", "-m", TINY, stdin=data)
    with open(ecdc.cwd / f"in.{kind}", "rb") as file:
        p = ecdc.start("decode", "-", "-o", "file.wav", "-m", TINY, stdin=file)
        assert p.wait(100) == 0, p.stderr.read()
    (ecdc.cwd / f"in.{kind}").rename(ecdc.cwd / "in.codes")
    ecdc("decode", "in.codes", "-o", "renamed.wav", "-m", TINY)
    for name in "piped", "file", "renamed":
        assert (ecdc.cwd / f"{name}.wav").read_bytes() == (ecdc.cwd / "named.wav").read_bytes()
    ecdc.refuses("decode", "-", "-o", "cut.wav", "-m", TINY, stdin=data[:-5], says=["standard input: ", "is cut off"])


@pytest.mark.parametrize("data, says", [
    (b"", "neither an .ecdc file nor a .npy"), (b"RIFF" + bytes(99), "neither an .ecdc file nor a .npy"),
    (b"PK\3\4" + bytes(99), "a .npz is read by its name, not from standard input"),
])
def test_standard_input_that_holds_no_codes(ecdc, data, says):
    ecdc.refuses("decode", "-", "-o", "out.wav", stdin=data, says=["standard input: ", says])


def test_data_and_json_do_not_mix(ecdc, sounds):
    ecdc.refuses("encode", sounds["short.wav"], "-o", "-", "--format", "npy", "--json", status=2, says=["-o -", "--json"])


@pytest.mark.parametrize("args, says", [
    (("encode", "in.wav", "-o", "-"), ["-o -", "--format ecdc|npy"]),
    (("encode", "in.wav", "-o", "out.wav"), ["-o out.wav", ".ecdc or .npy"]),
    (("encode", "in.wav", "-o", "-", "--format", "wav"), ["-o -", "--format ecdc|npy"]),
    (("encode", "in.wav", "-o", "out.npz"), ["out.npz", "chunks"]),
    (("decode", "in.npy", "-o", "-"), ["-o -", "--format wav"]),
    (("decode", "in.npy", "-o", "out.mp3"), ["-o out.mp3", ".wav"]),
    (("decode", "in.npy", "-o", "out.wav", "--format", "npy"), ["-o out.wav", "--format wav"]),
    (("features", "in.wav", "-o", "-"), ["-o -", "--format npy"]),
    (("features", "in.wav", "-o", "out.npy", "--format", "wav"), ["-o out.npy", "--format npy"]),
    (("reconstruct", "in.npy", "-o", "out.npy"), ["-o out.npy", "--format wav"]),
])
def test_output_that_the_command_does_not_write(ecdc, args, says):
    ecdc.refuses(*args, status=2, says=says)


@pytest.mark.parametrize("args, says", [
    (("encode", "in.wav", "-o", "x.npy", "--format", "ecdc"), "encode: -o x.npy --format ecdc: the name says npy"),
    (("encode", "in.wav", "-o", "x.ECDC", "--format", "npy"), "encode: -o x.ECDC --format npy: the name says ecdc"),
    (("encode", "in.wav", "-o", "x.wav", "--format", "npy"), "let the name end in .npy"),
    (("decode", "in.ecdc", "-o", "x.npy", "--format", "wav"), "the name says npy"),
    (("features", "in.wav", "-o", "x.ecdc", "--format", "npy"), "the name says ecdc"),
    (("report", "in.wav", "-o", "x.png", "--format", "html"), "the name says png"),
])
def test_format_and_name_that_contradict_each_other(ecdc, args, says):
    ecdc.refuses(*args, status=2, says=[says, "leave --format away"])


@pytest.mark.parametrize("name", ["x.npy", "x.codes", "npy"])
def test_format_beside_names_that_say_the_same_or_nothing(ecdc, sounds, name):
    ecdc("encode", sounds["short.wav"], "-o", name, "--format", "npy", "-m", TINY, "-q")
    assert np.load(ecdc.cwd / name).shape == (4, 94)


# ------------------------------------------------------------------------------------------------- formats --


def test_lossless_formats_give_equal_codes(ecdc, sounds):
    codes = ecdc.codes(sounds["mono.wav"])
    assert codes.shape == (4, 75)
    assert np.array_equal(codes, ecdc.codes(sounds["mono.flac"]))


def test_channels_are_mixed_by_their_mean(ecdc, sounds):
    assert np.array_equal(ecdc.codes(sounds["twin.wav"]), ecdc.codes(sounds["mono.wav"]))
    left = 2 * (np.arange(24000) % 999)
    files.write_wav(ecdc.cwd / "left.wav", np.stack([left, 0 * left], axis=1))
    files.write_wav(ecdc.cwd / "half.wav", left // 2)
    assert np.array_equal(ecdc.codes("left.wav"), ecdc.codes("half.wav"))


@pytest.mark.parametrize("name, samples", [
    ("mono.wav", math.ceil(44100 * 24000 / 44100)), ("stereo.wav", math.ceil(57601 / 2)),
    ("stereo.mp3", math.ceil(57601 / 2)), ("film.mp4", 72000),
])
def test_every_container_and_rate(ecdc, sounds, name, samples):
    r = ecdc("encode", sounds[name], "-o", "out.npy", "--json")
    assert r.json["frames"] == math.ceil(r.json["samples"] / 320)
    if name.endswith(".wav"):
        assert r.json["samples"] == samples
    else:  # whole packets; the sound still begins at 0 and ends where it should
        assert abs(r.json["samples"] - samples) < 0.1 * 24000


def test_compressed_sound_is_in_its_place(ecdc, sounds):
    """A late or early start by one frame would lose most of this agreement."""
    r = ecdc("compare", sounds["stereo.wav"], sounds["stereo.mp3"], "--json")
    assert r.json["snr_db"] > 10


def test_speech(ecdc):
    r = ecdc("encode", SPEECH, "-o", "speech.npy", "--json")
    assert (r.json["samples"], r.json["frames"]) == (264000, 825)
    ecdc("decode", "speech.npy", "-o", "speech.wav")
    assert ecdc("compare", SPEECH, "speech.wav", "--json").json["snr_db"] > 3


# -------------------------------------------------------------------------------------------------- decode --


def test_wav_header(ecdc, sounds):
    import wave
    ecdc("encode", sounds["short.wav"], "-o", "in.ecdc")
    r = ecdc("decode", "in.ecdc", "-o", "out.wav")
    assert r.stderr.startswith("ecdc: out.wav: 1.25 s of sound in ")
    with wave.open(str(ecdc.cwd / "out.wav")) as w:
        assert w.getparams()[:4] == (1, 2, 24000, N_SHORT)
    data = (ecdc.cwd / "out.wav").read_bytes()
    assert struct.unpack_from("<I", data, 4)[0] == len(data) - 8


def test_float_samples(ecdc, sounds):
    ecdc("encode", sounds["short.wav"], "-o", "in.ecdc")
    ecdc("decode", "in.ecdc", "-o", "int.wav")
    ecdc("decode", "in.ecdc", "-o", "float.wav", "--float")
    rate, floats = files.read_wav(ecdc.cwd / "float.wav")
    assert rate == 24000 and floats.dtype == np.float32
    assert np.array_equal(np.clip(np.rint(floats * 32768.0), -32768, 32767), files.read_wav(ecdc.cwd / "int.wav")[1])
    data = (ecdc.cwd / "float.wav").read_bytes()
    assert struct.unpack_from("<I", data, 4)[0] == len(data) - 8


def test_decode_json(ecdc, sounds):
    ecdc("encode", sounds["short.wav"], "-o", "in.ecdc")
    r = ecdc("decode", "in.ecdc", "-o", "out.wav", "--json")
    assert r.stderr == "" and r.json.keys() >= SPEED
    peak = np.abs(files.read_wav(ecdc.cwd / "out.wav")[1]).max() / 32768
    assert r.json["output"] == "out.wav" and r.json["samples"] == N_SHORT and r.json["sampling_rate"] == 24000
    assert r.json["clipped"] == 0 and r.json["gain"] == 1 and r.json["peak"] == pytest.approx(peak, abs=1e-4)
    assert r.json["seconds_audio"] == N_SHORT / 24000


@pytest.mark.parametrize("change", [
    np.ascontiguousarray, lambda c: np.ascontiguousarray(c)[None, None], lambda c: np.asfortranarray(c[None, None]),
    lambda c: c.astype(np.int16), lambda c: np.ascontiguousarray(c.astype(np.int32))[None],
], ids=["C order", "chunk and batch", "chunk and batch in Fortran order", "int16", "int32 with batch"])
def test_arrays_of_other_forms(ecdc, sounds, change):
    ecdc("encode", sounds["short.wav"], "-o", "in.npy")
    ecdc("decode", "in.npy", "-o", "in.wav", "--float")
    codes = np.load(ecdc.cwd / "in.npy")
    np.save(ecdc.cwd / "other.npy", change(codes))
    ecdc("decode", "other.npy", "-o", "other.wav", "--float")
    assert (ecdc.cwd / "in.wav").read_bytes() == (ecdc.cwd / "other.wav").read_bytes()


def test_clipping_is_counted(ecdc, sounds, loud_model):
    ecdc("encode", sounds["short.wav"], "-o", "in.npy", "-m", loud_model)
    ecdc("decode", "in.npy", "-m", loud_model, "-o", "float.wav", "--float", "-q")
    floats = files.read_wav(ecdc.cwd / "float.wav")[1].astype(float)
    rounded = np.rint(floats * 32768)
    clipped = int(((rounded > 32767) | (rounded < -32768)).sum())
    peak = np.abs(floats).max()
    assert clipped > 100

    r = ecdc("decode", "in.npy", "-m", loud_model, "-o", "int.wav",
             says=f"ecdc: int.wav: {clipped} of {len(floats)} samples were clipped (peak {peak:.2f}); -r rescales instead")
    assert np.array_equal(files.read_wav(ecdc.cwd / "int.wav")[1], np.clip(rounded, -32768, 32767))
    r = ecdc("decode", "in.npy", "-m", loud_model, "-o", "again.wav", "--json")
    assert r.json["clipped"] == clipped and r.json["peak"] == pytest.approx(peak)
    r = ecdc("decode", "in.npy", "-m", loud_model, "-o", "quiet.wav", "-q")
    assert r.stderr == ""
    assert "clipped" not in ecdc("decode", "in.npy", "-m", loud_model, "-o", "float.wav", "--float", "-f").stderr


def test_rescaling(ecdc, sounds, loud_model):
    ecdc("encode", sounds["short.wav"], "-o", "in.npy", "-m", loud_model)
    ecdc("decode", "in.npy", "-m", loud_model, "-o", "float.wav", "--float", "-q")
    floats = files.read_wav(ecdc.cwd / "float.wav")[1]
    r = ecdc("decode", "in.npy", "-m", loud_model, "-o", "int.wav", "-r", "--json")
    assert r.json["clipped"] == 0
    assert r.json["gain"] == pytest.approx(0.99 / np.abs(floats).max(), rel=1e-6)
    samples = files.read_wav(ecdc.cwd / "int.wav")[1]
    assert np.abs(samples - floats * r.json["gain"] * 32768).max() < 0.6
    assert np.abs(samples).max() == round(0.99 * 32768)


def test_rescaling_leaves_a_soft_sound_alone(ecdc, sounds):
    ecdc("encode", sounds["short.wav"], "-o", "in.npy", "-m", TINY)
    ecdc("decode", "in.npy", "-m", TINY, "-o", "plain.wav")
    assert ecdc("decode", "in.npy", "-m", TINY, "-o", "scaled.wav", "-r", "--json").json["gain"] == 1
    assert (ecdc.cwd / "plain.wav").read_bytes() == (ecdc.cwd / "scaled.wav").read_bytes()


# --------------------------------------------------------------------------------------- threads and kernels --


@pytest.mark.parametrize("model", ["default", TINY], ids=["default", "tiny"])
def test_threads_change_nothing(ecdc, sounds, model):
    outputs = set()
    for threads in 1, 2, 3, 7:
        ecdc("encode", sounds["talk.wav"], "-o", "codes.ecdc", "-f", "-m", model, "--threads", threads)
        ecdc("decode", "codes.ecdc", "-o", "sound.wav", "-f", "-m", model, "--float", "--threads", threads)
        outputs.add((ecdc.cwd / "codes.ecdc").read_bytes() + (ecdc.cwd / "sound.wav").read_bytes())
    assert len(outputs) == 1


def test_bf16(ecdc, sounds):
    r = ecdc.run("encode", sounds["talk.wav"], "-o", "codes.npy", "-b", "24", "--precision", "bf16", "--threads", "1")
    if r.status == 1:
        assert r.stderr == ("ecdc: bf16 needs a processor with AMX (amx_bf16 in /proc/cpuinfo), Linux 5.16 or newer and a build for "
                            "them; f32 runs here\n")
        pytest.skip("no AMX here")
    assert r.status == 0
    ecdc("encode", sounds["talk.wav"], "-o", "codes-2.npy", "-b", "24", "--precision", "bf16", "--threads", "2")
    assert (ecdc.cwd / "codes.npy").read_bytes() == (ecdc.cwd / "codes-2.npy").read_bytes()
    codes, exact = np.load(ecdc.cwd / "codes.npy"), ecdc.codes(sounds["talk.wav"], "-b", "24")
    assert not (codes == exact).all() and (codes[0] == exact[0]).mean() > 0.8
    ecdc("features", sounds["talk.wav"], "-o", "f.npy", "--tr", "0.1", "--precision", "bf16")
    assert json.loads((ecdc.cwd / "f.json").read_text())["precision"] == "bf16"
    for precision in "bf16", "f32":
        ecdc("decode", "codes.npy", "-o", f"{precision}.wav", "--float", "--precision", precision)
    rounded, full = (files.read_wav(ecdc.cwd / f"{precision}.wav")[1] for precision in ("bf16", "f32"))
    assert 0 < np.abs(rounded - full).max() < 0.05 * np.abs(full).max()
    r = ecdc.run("encode", sounds["talk.wav"], "-o", "x.npy", "--precision", "bf16", "--cpu", "avx512")
    assert r.status == 1 and "leave the choice of avx512 kernels out" in r.stderr


@pytest.mark.parametrize("cpu", ["reference", "avx2", "avx512", "neon"])
def test_kernels_agree(ecdc, sounds, cpu):
    r = ecdc.run("encode", sounds["short.wav"], "-o", "codes.npy", "--cpu", cpu, "--threads", "1")
    if r.status == 1:
        assert cpu != "reference" and f"no {cpu} kernels; the best here are" in r.stderr
        pytest.skip(f"no {cpu} here")
    assert r.status == 0
    codes = np.load(ecdc.cwd / "codes.npy")
    ecdc("encode", sounds["short.wav"], "-o", "codes-2.npy", "--cpu", cpu, "--threads", "2")
    assert (ecdc.cwd / "codes.npy").read_bytes() == (ecdc.cwd / "codes-2.npy").read_bytes()
    assert (codes == ecdc.codes(sounds["short.wav"])).mean() >= 0.99

    for name, kernels in ("one.wav", cpu), ("auto.wav", "auto"):
        ecdc("decode", "codes.npy", "-o", name, "--float", "--cpu", kernels)
    one, auto = (files.read_wav(ecdc.cwd / name)[1] for name in ("one.wav", "auto.wav"))
    assert np.abs(one - auto).max() < 1e-4
