"""ecdc info, ecdc compare, ecdc model, and models from every place."""

import json
import math
import os
import shutil

import numpy as np
import pytest

import files
import make_stoi
from conftest import int16, voice
from run import SPEECH, TINY

# ---------------------------------------------------------------------------------------------------- info --


def test_info_of_a_sound(ecdc, sounds):
    r = ecdc("info", sounds["stereo.wav"], "--json")
    assert r.stderr == ""
    assert r.json == {"kind": "audio", "sample_rate": 48000, "channels": 2, "samples": 57601, "duration": 57601 / 48000,
                      "n_trs": 0, "tr": 1.5, "audio_start": 0, "partial": False, "track": 0,
                      "tracks": [{"track": 0, "stream": 0, "codec": "pcm_s16le", "language": "", "title": "",
                                  "sample_rate": 48000, "channels": 2, "default": False}]}
    assert ecdc("info", sounds["stereo.wav"], "--json", "--tr", "2/5").json["n_trs"] == 3
    assert ecdc("info", SPEECH, "--json").json["n_trs"] == 7


def test_info_of_a_film(ecdc, sounds):
    about = ecdc("info", sounds["film.mp4"], "--json").json
    assert (about["kind"], about["sample_rate"], about["channels"]) == ("audio", 44100, 1)
    assert about["duration"] == pytest.approx(3, abs=0.1)
    assert ecdc("info", sounds["late.mkv"], "--json").json["audio_start"] == 0.75


def test_info_of_standard_input(ecdc, sounds):
    assert ecdc("info", "-", "--json", stdin=sounds["short.wav"].read_bytes()).json["samples"] == 29999


def test_info_of_codes(ecdc, sounds):
    ecdc("encode", sounds["short.wav"], "-o", "c.ecdc", "-m", TINY)
    ecdc("encode", sounds["short.wav"], "-o", "c.npy", "-m", TINY)
    sha = ecdc("info", TINY, "--json").json["sha256"]
    assert ecdc("info", "c.ecdc", "--json").json == {
        "kind": "ecdc", "model": "tiny24", "sha": sha[:16], "samples": 29999, "codebooks": 4, "lm": False}
    assert ecdc("info", "c.npy", "--json").json == {
        "kind": "npy", "dtype": "int64", "shape": [4, 94], "fortran_order": True}
    (ecdc.cwd / "c.npy").rename(ecdc.cwd / "c.wav")  # the first bytes tell, not the name
    assert ecdc("info", "c.wav", "--json").json["kind"] == "npy"


def test_info_of_a_pipe(ecdc, sounds):
    os.mkfifo(ecdc.cwd / "pipe")
    process = ecdc.start("info", "pipe", "--json")
    (ecdc.cwd / "pipe").write_bytes(sounds["short.wav"].read_bytes())
    stdout, stderr = process.communicate(timeout=100)
    assert (process.returncode, stderr) == (0, b"") and json.loads(stdout)["samples"] == 29999


@pytest.mark.parametrize("model, bandwidth, expected", [
    ("default", "6", {"sample_rate": 24000, "frames": 94, "duration": 29999 / 24000, "bandwidth": 6, "partial": False, "surplus_bytes": 0}),
    ("tiny24", "3", {"sample_rate": 24000, "frames": 94, "duration": 29999 / 24000, "bandwidth": 3, "partial": False, "surplus_bytes": 0}),
    ("tiny48", "3", {"sample_rate": 48000, "chunks": 2, "duration": 59998 / 48000, "bandwidth": 3, "partial": False, "surplus_bytes": 0}),
])
def test_info_of_codes_whose_model_is_here(ecdc, sounds, model, bandwidth, expected):
    if model != "default":
        (ecdc.cwd / model).symlink_to(TINY.parent / model)
    ecdc("encode", sounds["short.wav"], "-o", "c.ecdc", "-m", model, "-b", bandwidth)
    r = ecdc("info", "c.ecdc", "--json")
    assert r.stderr == "" and expected.items() <= r.json.items()
    data = (ecdc.cwd / "c.ecdc").read_bytes()
    for change, partial, surplus, says in ((data[:-40], True, 0, "c.ecdc: is cut off"), (data + b"123456", False, 6, "c.ecdc: 6 bytes too many")):
        (ecdc.cwd / "c.ecdc").write_bytes(change)
        r = ecdc("info", "c.ecdc", "--json", says=[says, "; ecdc decode refuses it"])
        assert {**expected, "partial": partial, "surplus_bytes": surplus}.items() <= r.json.items()
        ecdc.refuses("decode", "c.ecdc", "-o", "c.wav", says=says)
        text = ecdc("info", "c.ecdc").text
        assert f"bandwidth      {bandwidth} kbps\n" in text and "duration       1.249958 s\n" in text


def test_info_of_models(ecdc):
    about = ecdc("info", "default", "--json").json
    assert about["kind"] == "model" and about["origin"] == "embedded"
    assert (about["sampling_rate"], about["channels"], about["frame_rate"], about["codebook_size"]) == (24000, 1, 75, 1024)
    assert about["bandwidths"] == [1.5, 3, 6, 12, 24] and about["codebooks"] == 32
    assert len(about["sha256"]) == 64 and about["parameters"] > 10**6

    import hashlib
    tiny = ecdc("info", TINY, "--json").json
    assert tiny["name"] == "tiny24" and tiny["bandwidths"] == [1.5, 3, 6] and tiny["codebooks"] == 8
    assert tiny["sha256"] == hashlib.sha256((TINY / "model.safetensors").read_bytes()).hexdigest()
    header, _ = files.read_safetensors((TINY / "model.safetensors").read_bytes())
    numbers = sum(math.prod(t["shape"]) for name, t in header.items() if name != "__metadata__"
                  and not name.endswith(("original0", "embed_avg", "cluster_size", "inited")))
    assert tiny["parameters"] == numbers
    assert ecdc("info", TINY / "model.safetensors", "--json").json["sha256"] == tiny["sha256"]


def test_info_for_people(ecdc, sounds):
    assert ecdc("info", sounds["short.wav"]).text == (
        "kind           audio\n"
        "sample_rate    24000 Hz\n"
        "channels       1\n"
        "samples        29999\n"
        "duration       1.249958 s\n"
        "n_trs          0\n"
        "tr             1.5 s\n"
        "audio_start    0 s\n"
        "partial        false\n"
        "track          0\n"
        "tracks         track 0 stream 0 codec pcm_s16le sample_rate 24000 channels 1 default false\n")


# ------------------------------------------------------------------------------------------------- compare --


def metrics(ref, deg):
    """In doubles, from the definitions."""
    ref, deg = ref.astype(float), deg.astype(float)
    r, d = ref - ref.mean(), deg - deg.mean()
    target = r * (r @ d) / (r @ r)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(2048) / 2048)

    def log_spectra(x):
        frames = np.lib.stride_tricks.sliding_window_view(x, 2048)[::512]
        return 20 * np.log10(np.maximum(np.abs(np.fft.rfft(frames * window)), 1e-10))

    difference = log_spectra(ref) - log_spectra(deg)
    return {"snr_db": 10 * np.log10((ref @ ref) / ((ref - deg) @ (ref - deg))),
            "si_sdr_db": 10 * np.log10((target @ target) / ((d - target) @ (d - target))),
            "lsd_db": np.sqrt((difference ** 2).mean(axis=1)).mean()}


def test_equal_sounds(ecdc, sounds):
    about = ecdc("compare", sounds["short.wav"], sounds["short.wav"], "--json").json
    assert about.pop("stoi") == pytest.approx(1) and about.pop("estoi") == pytest.approx(1)
    assert about == {"snr_db": None, "si_sdr_db": None, "lsd_db": 0, "seconds": 29999 / 24000, "sample_rate": 24000,
                     "cut": False}
    assert ecdc("compare", sounds["short.wav"], sounds["short.wav"]).text == (
        "compared  1.250 s at 24000 Hz\n"
        "STOI      1.0000\n"
        "ESTOI     1.0000\n"
        "SNR       inf dB\n"
        "SI-SDR    inf dB\n"
        "LSD       0.00 dB\n")


@pytest.mark.parametrize("n", [2048, 2559, 2560, 30000, 50000])
@pytest.mark.parametrize("gain", [1, 0.5, -1])
def test_known_differences(ecdc, n, gain):
    rng = np.random.default_rng(n)
    ref = int16(voice(n) + 0.01 * rng.standard_normal(n) + 0.02)  # with an offset, which SI-SDR leaves out
    deg = int16(gain * ref / 32768 + 0.02 * rng.standard_normal(n) - 0.01)
    files.write_wav(ecdc.cwd / "ref.wav", ref)
    files.write_wav(ecdc.cwd / "deg.wav", deg)
    r = ecdc("compare", "ref.wav", "deg.wav", "--json")
    assert (r.stderr == "") == (n >= 30000) == (r.json["stoi"] is not None)  # what is short has no STOI
    for name, value in metrics(ref / 32768, deg / 32768).items():
        assert r.json[name] == pytest.approx(value, abs=1e-3), name


def test_the_longer_sound_is_cut(ecdc):
    ref, deg = int16(voice(30000)), int16(voice(40000) + 0.01)
    files.write_wav(ecdc.cwd / "ref.wav", ref)
    files.write_wav(ecdc.cwd / "deg.wav", deg)
    expected = metrics(ref / 32768, deg[:30000] / 32768)
    for args in ("ref.wav", "deg.wav"), ("deg.wav", "ref.wav"):
        r = ecdc("compare", *args, "--json")
        assert r.json["seconds"] == 1.25 and r.json["cut"] is True
        assert r.stderr == "ecdc: ref.wav ends at 1.250 s; what deg.wav has behind that, to 1.667 s or so, is not compared\n"
        assert ecdc("compare", *args, "-q").stderr == ""
    assert ecdc("compare", "ref.wav", "deg.wav", "--json").json["lsd_db"] == pytest.approx(expected["lsd_db"], abs=1e-3)


@pytest.mark.parametrize("more, cut", [(1, False), (1199, False), (1201, True), (20000, True)])
@pytest.mark.parametrize("n", [16384, 30000, 32767])
def test_a_cut_is_told_from_20th_of_a_second_on(ecdc, n, more, cut):
    files.write_wav(ecdc.cwd / "ref.wav", int16(voice(n)))
    files.write_wav(ecdc.cwd / "deg.wav", int16(voice(n + more)))
    r = ecdc("compare", "ref.wav", "deg.wav", "--json")
    assert r.json["cut"] is cut and ("is not compared" in r.stderr) is cut


def test_the_second_sound_is_resampled(ecdc):
    t = np.arange(48000)
    tone = [np.sin(2 * np.pi * 300 * t / rate) + 0.5 * np.sin(2 * np.pi * 1700 * t / rate) for rate in (24000, 48000)]
    files.write_wav(ecdc.cwd / "24.wav", int16(0.5 * tone[0][:24000]))
    files.write_wav(ecdc.cwd / "48.wav", int16(0.5 * tone[1]), 48000)
    for ref, deg, rate in ("24.wav", "48.wav", 24000), ("48.wav", "24.wav", 48000):
        about = ecdc("compare", ref, deg, "--json").json
        assert about["sample_rate"] == rate and about["seconds"] == 1
        assert about["snr_db"] > 30


def test_channels_are_mixed_by_their_mean(ecdc):
    x = int16(voice(24000)) // 2
    files.write_wav(ecdc.cwd / "mono.wav", x)
    files.write_wav(ecdc.cwd / "stereo.wav", np.stack([x + 77, x - 77], axis=1))
    assert ecdc("compare", "mono.wav", "stereo.wav", "--json").json["snr_db"] is None


def test_less_than_one_window(ecdc):
    files.write_wav(ecdc.cwd / "ref.wav", int16(voice(1000)))
    files.write_wav(ecdc.cwd / "deg.wav", int16(0.5 * voice(1000)))
    padded = [np.concatenate([int16(g * voice(1000)) / 32768, np.zeros(1048)]) for g in (1, 0.5)]
    about = ecdc("compare", "ref.wav", "deg.wav", "--json").json
    assert about["lsd_db"] == pytest.approx(metrics(*padded)["lsd_db"], abs=1e-3)


def stoi_table():
    lines = make_stoi.TABLE.read_text().splitlines()
    return [tuple(map(float, line.split())) for line in lines[1:]]


@pytest.mark.parametrize("rate, snr_db, gain, stoi, estoi", [row for row in stoi_table() if row[0] in (24000, 44100)])
def test_stoi_is_that_of_pystoi(ecdc, rate, snr_db, gain, stoi, estoi):
    clean = make_stoi.speech(make_stoi.recording(), int(rate))
    files.write_float_wav(ecdc.cwd / "ref.wav", clean, int(rate))
    files.write_float_wav(ecdc.cwd / "deg.wav", make_stoi.degrade(clean, gain), int(rate))
    r = ecdc("compare", "ref.wav", "deg.wav", "--json")
    assert r.stderr == ""
    assert r.json["stoi"] == pytest.approx(stoi, abs=1e-9) and r.json["estoi"] == pytest.approx(estoi, abs=1e-9)
    assert f"STOI      {stoi:.4f}\nESTOI     {estoi:.4f}\n" in ecdc("compare", "ref.wav", "deg.wav").text


def test_too_short_or_silent_for_stoi(ecdc):
    files.write_wav(ecdc.cwd / "short.wav", int16(voice(9600)))  # 0.4 s
    silence = np.zeros(48000, np.int16)
    files.write_wav(ecdc.cwd / "silence.wav", silence)
    files.write_wav(ecdc.cwd / "sound.wav", int16(voice(48000)))
    for ref, deg in ("short.wav", "sound.wav"), ("silence.wav", "sound.wav"), ("silence.wav", "silence.wav"):
        cut = "ecdc: short.wav ends at 0.400 s; what sound.wav has behind that, to 2.000 s or so, is not compared\n"
        note = (cut if ref == "short.wav" else "") + f"ecdc: no STOI: less than 0.41 s of {ref} are speech (within 40 dB of its loudest frame)\n"
        r = ecdc("compare", ref, deg, "--json")
        assert r.stderr == note and r.json["stoi"] is None and r.json["estoi"] is None
        r = ecdc("compare", ref, deg)
        assert r.stderr == note and "\nSTOI      -\nESTOI     -\n" in r.text
    r = ecdc("compare", "sound.wav", "silence.wav", "--json")
    assert r.stderr == "" and r.json["stoi"] == 0 and r.json["estoi"] == 0 and r.json["snr_db"] == 0


def test_compare_reads_a_pipe(ecdc, sounds):
    wav = sounds["short.wav"]
    for args in (wav, "-"), ("-", wav):
        assert ecdc("compare", *args, "--json", stdin=wav.read_bytes()).json["stoi"] == pytest.approx(1)


def test_compare_refuses_what_it_cannot_measure(ecdc):
    x = voice(24000).astype(np.float32)
    files.write_float_wav(ecdc.cwd / "good.wav", x)
    x[2400] = np.nan
    files.write_float_wav(ecdc.cwd / "nan.wav", x)
    for args in ("nan.wav", "good.wav"), ("good.wav", "nan.wav"):
        ecdc.refuses("compare", *args, says="nan.wav: the sample at 0.100000 s is not a finite number")
    files.write_float_wav(ecdc.cwd / "odd.wav", np.abs(x[:2000]), 191999)
    ecdc.refuses("compare", "odd.wav", "odd.wav", says="STOI at 191999 Hz needs a filter of")
    ecdc.refuses("compare", "good.wav", "good.wav", env={"TMPDIR": "nowhere"}, says="a temporary file in nowhere for STOI")


def test_compare_reads_standard_input_once(ecdc, sounds):
    ecdc.refuses("compare", "-", "-", status=2, says="standard input can be only one of the two sounds",
                 stdin=sounds["short.wav"].read_bytes())


def test_compare_needs_two_sounds(ecdc, sounds):
    ecdc.refuses("compare", sounds["short.wav"], status=2, says="usage: ecdc compare")
    ecdc.refuses("compare", sounds["short.wav"], "none.wav", says="none.wav: No such file")
    files.write_wav(ecdc.cwd / "zero.wav", [])
    ecdc.refuses("compare", "zero.wav", sounds["short.wav"], says="no sound")


# --------------------------------------------------------------------------------------------------- model --


def test_model_list(ecdc):
    r = ecdc("model", "list")
    assert [line.split()[0] for line in r.text.splitlines()] == ["default", "random:encodec_24khz"]
    model, = ecdc("model", "list", "--json").json["models"]
    assert model["name"] == "default" and model["where"] == "embedded" and model["complete"] is True
    assert model["bytes"] > 10**6


def test_model_path(ecdc):
    assert ecdc("model", "path", "default").text == "embedded\n"
    assert ecdc("model", "path", TINY).text == f"{TINY}/model.safetensors\n"
    ecdc.refuses("model", "path", "nowhere", says="no model `nowhere`")


def test_model_convert(ecdc, sounds):
    r = ecdc("model", "convert", "default", "copy")
    assert r.stdout == b"" and r.stderr.startswith("ecdc: copy: config.json and model.safetensors (")
    assert sorted(p.name for p in (ecdc.cwd / "copy").iterdir()) == ["config.json", "model.safetensors"]
    config = json.loads((ecdc.cwd / "copy" / "config.json").read_text())
    assert config["model_type"] == "encodec" and config["target_bandwidths"] == [1.5, 3, 6, 12, 24]
    one, copy = (ecdc("info", name, "--json").json for name in ("default", "copy"))
    assert one["sha256"] == copy["sha256"] and copy["name"] == "copy"
    codes = ecdc.codes(sounds["short.wav"])
    for name in "copy", "./copy/", "copy/model.safetensors":
        assert np.array_equal(codes, ecdc.codes(sounds["short.wav"], "-m", name))

    ecdc.refuses("model", "convert", TINY, "copy", says="exists already (-f overwrites it)")
    ecdc("model", "convert", TINY, "copy", "-f", "-q")
    assert ecdc("info", "copy", "--json").json["sha256"] == ecdc("info", TINY, "--json").json["sha256"]
    (ecdc.cwd / "file").write_text("x")
    ecdc.refuses("model", "convert", TINY, "file", says="it exists and is not a directory")
    ecdc.refuses("model", "convert", TINY, "no/where", says="its parent does not exist")


def test_same_weights_under_another_name(ecdc, sounds, default_model):
    """The hash in the file decides, not the name."""
    ecdc("encode", sounds["short.wav"], "-o", "c.ecdc", "-m", default_model)
    ecdc("decode", "c.ecdc", "-o", "default.wav", "-m", "default")
    ecdc("decode", "c.ecdc", "-o", "copy.wav", "-m", default_model)
    assert (ecdc.cwd / "default.wav").read_bytes() == (ecdc.cwd / "copy.wav").read_bytes()


def make_hub(root, repository, model):
    """A cache as the hub's own tools make it: blobs, and links to them."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    base = root / "hub" / ("models--" + repository.replace("/", "--"))
    snapshot = base / "snapshots" / commit
    for folder in base / "blobs", base / "refs", snapshot:
        folder.mkdir(parents=True)
    (base / "refs" / "main").write_text(commit)
    for i, name in enumerate(("config.json", "model.safetensors")):
        shutil.copy(model / name, base / "blobs" / f"{i:040x}")
        os.symlink(f"../../blobs/{i:040x}", snapshot / name)
    return snapshot


def test_model_of_the_hub_cache(ecdc, sounds):
    snapshot = make_hub(ecdc.cwd / "home", "some-lab/tiny", TINY)
    ecdc.env["HF_HOME"] = str(ecdc.cwd / "home")
    codes = ecdc.codes(sounds["short.wav"], "-m", TINY)
    assert np.array_equal(codes, ecdc.codes(sounds["short.wav"], "-m", "some-lab/tiny"))
    assert ecdc("model", "path", "some-lab/tiny").text == f"{snapshot}/model.safetensors\n"
    assert ecdc("info", "some-lab/tiny", "--json").json["sha256"] == ecdc("info", TINY, "--json").json["sha256"]
    listed = {m["name"]: m for m in ecdc("model", "list", "--json").json["models"]}
    assert listed["some-lab/tiny"]["where"] == str(snapshot) and listed["some-lab/tiny"]["complete"] is True

    ecdc("encode", sounds["short.wav"], "-o", "c.ecdc", "-m", "some-lab/tiny")
    header, _ = files.split_ecdc((ecdc.cwd / "c.ecdc").read_bytes())
    assert header["m"] == "some-lab/tiny" and len(header["sha"]) == 16
    ecdc("decode", "c.ecdc", "-o", "c.wav")  # found by the name in the file

    (snapshot / "model.safetensors").unlink()
    ecdc.refuses("info", "some-lab/tiny", says=["not complete", "model.safetensors does not exist"])


@pytest.mark.parametrize("variable, below", [("HF_HUB_CACHE", "hub"), ("XDG_CACHE_HOME", None), ("HOME", None)])
def test_places_of_the_hub_cache(ecdc, variable, below):
    if variable == "HOME":
        make_hub(ecdc.cwd / ".cache" / "huggingface", "some-lab/tiny", TINY)
    else:
        make_hub(ecdc.cwd if below else ecdc.cwd / "huggingface", "some-lab/tiny", TINY)
    del ecdc.env["HF_HOME"]
    ecdc.env[variable] = str(ecdc.cwd / below if below else ecdc.cwd)
    assert ecdc("info", "some-lab/tiny", "--json").json["codebooks"] == 8


def test_published_model(ecdc, sounds):
    """Published weights carry their name alone, so that the published tool reads the file."""
    make_hub(ecdc.cwd / "home", "facebook/encodec_24khz", TINY)
    ecdc.env["HF_HOME"] = str(ecdc.cwd / "home")
    ecdc("encode", sounds["short.wav"], "-o", "c.ecdc", "-m", "facebook/encodec_24khz")
    data = (ecdc.cwd / "c.ecdc").read_bytes()
    text = b'{"m": "encodec_24khz", "al": 29999, "nc": 4, "lm": false}'
    assert data[:9 + len(text)] == b"ECDC\0\0\0\0" + bytes([len(text)]) + text
    ecdc("decode", "c.ecdc", "-o", "c.wav")
    ecdc.refuses("decode", "c.ecdc", "-o", "d.wav", "-m", TINY, says=["made with the model encodec_24khz", "not with tiny24"])
    ecdc("decode", "c.ecdc", "-o", "d.wav", "-m", TINY, "--force")
    assert (ecdc.cwd / "c.wav").read_bytes() == (ecdc.cwd / "d.wav").read_bytes()


def test_published_model_that_is_not_cached(ecdc, sounds):
    (ecdc.cwd / "c.ecdc").write_bytes(files.write_ecdc({"m": "encodec_24khz", "al": 320, "nc": 2, "lm": False}, b"\0\0\0"))
    ecdc.refuses("decode", "c.ecdc", "-o", "c.wav", says="c.ecdc was made with the model encodec_24khz, which is not here")
    ecdc.refuses("encode", sounds["short.wav"], "-o", "d.npy", "-m", "facebook/encodec_24khz",
                 says=["facebook/encodec_24khz is not in the Hugging Face cache", "HF_HUB_OFFLINE=1 forbids to download it"])
    ecdc.refuses("info", "facebook/encodec_24khz", says=["is not in the Hugging Face cache", "possible are `default`"])


@pytest.mark.parametrize("args", [(), ("list", "x"), ("path",), ("convert", "default"), ("melt",), ("path", "a", "b"), ("fetch",),
                                  ("fetch", "a/b", "c")])
def test_model_usage(ecdc, args):
    ecdc.refuses("model", *args, status=2, says="usage: ecdc model")


@pytest.mark.parametrize("args, option", [(("list",), "--threads"), (("path", "default"), "--cpu"), (("fetch", "a/b"), "--python"),
                                          (("convert", "default", "copy"), "--audio"), (("list",), "--overwrite"),
                                          (("verify", "default"), "--dtype")])
def test_each_action_of_model_has_its_own_options(ecdc, args, option):
    value = {"--threads": ["2"], "--cpu": ["auto"], "--python": ["python3"], "--audio": ["x.wav"], "--overwrite": [], "--dtype": ["float16"]}
    ecdc.refuses("model", *args, option, *value[option], status=2, says=f"model {args[0]}: no option {option}; ecdc model --help")
