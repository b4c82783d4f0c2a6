"""ecdc features and reconstruct with mel spectrograms and latents; the haemodynamic response."""

import json

import numpy as np
import pytest

import files
import grid
from run import ROOT, SPEECH, TINY

DATA = ROOT / "tests" / "data" / "features"
RATE, HOP, MELS = 22050, 512, 2048
N_TALK = 158477  # samples at 24 kHz


def load(ecdc, name="f.npy"):
    return np.load(ecdc.cwd / name)


def about(ecdc, name="f.json"):
    return json.loads((ecdc.cwd / name).read_text())


def table(ecdc, name="f.tsv"):
    return [line.split("\t") for line in (ecdc.cwd / name).read_text().splitlines()[1:]]


def mel(ecdc, sound, *options):
    return ecdc("features", sound, "-o", "f.npy", "--mode", "mel", "-f", "-q", *options)


def continuous(ecdc):
    """(mels, frames) of f.npy without padding."""
    return np.concatenate([row[:, :int(line[3])] for row, line in zip(load(ecdc), table(ecdc), strict=True)], axis=1)


def sound_of(ecdc, name="f.npy", *options):
    ecdc("reconstruct", name, "-o", "s.wav", "--float", "-f", "-q", *options)
    rate, samples = files.read_wav(ecdc.cwd / "s.wav")
    assert rate == RATE
    return samples


# -------------------------------------------------------------------------------------------------------- mel --

def test_mel_is_librosas(ecdc):
    files.write_wav(ecdc.cwd / "in.wav", np.load(DATA / "speech.npy"), RATE)
    mel(ecdc, "in.wav", "--partial")
    assert load(ecdc).shape == (1, MELS, 65) and load(ecdc).dtype == np.float32
    assert table(ecdc) == [["0", "0.0", repr(22200 / RATE), "44", "0", "mel_spectrogram"]]
    wanted = np.load(DATA / "mel_db.npy").T
    assert np.abs(load(ecdc)[0][:, [0, 1, 5, 20, 42, 43]] - wanted).max() < 1e-3
    assert (load(ecdc)[0][:, 44:] == -80).all()
    assert about(ecdc)["mel"]["ref"] == pytest.approx(np.load(DATA / "mel_peak.npy")[0], rel=1e-6)


@pytest.mark.parametrize("tr, width", [("1.5", 65), ("2.0", 87), ("0.72", 32), ("1.49", 65)])
@pytest.mark.parametrize("alignment", ["giblet", "exact"])
def test_mel_rows(ecdc, sounds, tr, width, alignment):
    """Windows start // hop ... end // hop in samples, padded with -80 dB to ceil(int(tr * sr) / hop)."""
    mel(ecdc, sounds["talk.wav"], "--tr", tr, "--alignment", alignment)
    t, rows = float(tr), load(ecdc)
    n_trs = int(N_TALK / 24000 / t)
    assert rows.shape == (n_trs, MELS, width) and rows.max() == 0 and rows.min() == -80
    starts = [int(i * t * RATE) // HOP for i in range(n_trs)]
    ends = [int((i * t + t) * RATE) // HOP for i in range(n_trs)]
    assert [int(line[3]) for line in table(ecdc)] == [b - a for a, b in zip(starts, ends, strict=True)]
    for row, a, b in zip(rows, starts, ends, strict=True):
        assert (row[:, b - a:] == -80).all() and row[:, b - a - 1].max() > -80
    # the spectrogram has no seams: one long TR holds the same frames
    frames = continuous(ecdc)
    mel(ecdc, sounds["talk.wav"], "--tr", "100", "--partial")
    assert np.array_equal(frames, load(ecdc)[0][:, :frames.shape[1]])


def test_mel_description(ecdc, sounds):
    r = ecdc("features", sounds["talk.wav"], "-o", "f.npy", "--mode", "mel",
             says="303 of 2048 mel filters lie between two bins of the spectrum and stay empty, as in librosa")
    assert r.stderr.count("mel filters") == 1
    assert "f.npy: 4 TRs x 2048 mels x 65 frames, " in r.stderr
    a = about(ecdc)
    assert (a["mode"], a["alignment"], a["tr"], a["n_trs"], a["frames_per_tr"]) == ("mel", "giblet", 1.5, 4, 65)
    assert (a["sampling_rate"], a["frame_rate"], a["hrf"], a["dtype"]) == (RATE, RATE / HOP, "none", "float32")
    assert (a["mel"]["n_fft"], a["mel"]["hop"], a["mel"]["n_mels"], a["mel"]["top_db"]) == (4096, 512, 2048, 80)
    assert a["mel"]["ref"] > 0 and "model" not in a
    assert a["samples"] == -(-N_TALK * RATE // 24000)  # the resampler's
    r = ecdc("features", sounds["talk.wav"], "-o", "f.npy", "--mode", "mel", "--json", "-f")
    assert (r.json["n_trs"], r.json["n_mels"], r.json["frames_per_tr"], r.json["ref"]) == (4, 2048, 65, a["mel"]["ref"])


def test_mel_of_the_first_trs_refers_to_the_whole_sound(ecdc, sounds):
    """giblet's reference level is that of the whole file."""
    quiet_then_loud = np.concatenate([0.01 * np.sin(np.arange(RATE * 2) / 9), 0.9 * np.sin(np.arange(RATE) / 9)])
    files.write_float_wav(ecdc.cwd / "in.wav", quiet_then_loud.astype(np.float32), RATE)
    mel(ecdc, "in.wav")
    rows = load(ecdc)
    mel(ecdc, "in.wav", "--max-trs", "1")
    assert np.array_equal(load(ecdc), rows[:1]) and -45 < load(ecdc).max() < -35  # 39.1 dB below


def test_mel_from_a_pipe_and_into_one(ecdc, sounds):
    mel(ecdc, sounds["talk.wav"])
    data = (ecdc.cwd / "f.npy").read_bytes()
    out = ecdc("features", "-", "-o", "-", "--format", "npy", "--mode", "mel", "-q", stdin=sounds["talk.wav"].read_bytes())
    assert out.stdout == data


def test_mel_needs_its_temporary_file(ecdc, sounds):
    ecdc.refuses("features", sounds["talk.wav"], "-o", "f.npy", "--mode", "mel", env={"TMPDIR": "/does/not/exist"},
                 says="a temporary file in /does/not/exist for the samples: No such file")


def test_silence_in_mel_mode(ecdc):
    """librosa gives 0 dB everywhere, for nothing is below the loudest; the way back is silent all the same."""
    files.write_wav(ecdc.cwd / "in.wav", np.zeros(2 * RATE, np.int16), RATE)
    mel(ecdc, "in.wav")
    assert (load(ecdc)[0][:, :64] == 0).all() and about(ecdc)["mel"]["ref"] == 0
    assert not sound_of(ecdc).any()


# ---------------------------------------------------------------------------------------------- mel, and back --

@pytest.mark.parametrize("tr, alignment", [("1.5", "giblet"), ("0.72", "exact"), ("2/3", "giblet")])
def test_the_sound_lasts_as_long_as_its_trs(ecdc, sounds, tr, alignment):
    mel(ecdc, sounds["talk.wav"], "--tr", tr, "--alignment", alignment)
    t = grid.as_double(tr)
    assert abs(len(sound_of(ecdc)) - len(load(ecdc)) * t * RATE) <= 1
    mel(ecdc, sounds["talk.wav"], "--tr", tr, "--alignment", alignment, "--partial")
    assert len(sound_of(ecdc)) == about(ecdc)["samples"]


def test_speech_through_a_mel_spectrogram(ecdc):
    """Intelligible, at its level; the padded rows one after the other are not (what giblet's features_to_audio does)."""
    mel(ecdc, SPEECH)
    sound = sound_of(ecdc)
    assert len(sound) == 7 * 1.5 * RATE
    assert ecdc("compare", SPEECH, "s.wav", "--json").json["stoi"] > 0.84  # librosa's mel_to_audio: 0.85
    joined = sound_of(ecdc, "f.npy", "--as-giblet")
    assert len(joined) == (7 * 65 - 1) * HOP
    assert ecdc("compare", SPEECH, "s.wav", "--json").json["stoi"] < 0.6
    (ecdc.cwd / "f.json").unlink()  # without its description the level is lost
    lost = sound_of(ecdc)
    assert len(lost) == len(sound)
    scale = (lost.astype(float) @ sound) / (sound.astype(float) @ sound)
    assert np.abs(lost - scale * sound).max() < 1e-3 * np.abs(lost).max() and scale < 0.1


def test_old_and_flat_arrays(ecdc, sounds):
    mel(ecdc, sounds["talk.wav"])
    whole = sound_of(ecdc)
    rows = load(ecdc)
    np.save(ecdc.cwd / "f.npy", rows.reshape(len(rows), -1))
    assert np.array_equal(sound_of(ecdc), whole)
    np.save(ecdc.cwd / "f.npy", rows.astype(float))
    assert np.array_equal(sound_of(ecdc), whole)
    one = np.stack([row[:, 10] for row in rows])  # one spectrum per TR
    np.save(ecdc.cwd / "f.npy", one)
    held = sound_of(ecdc)
    assert len(held) == len(whole)
    np.save(ecdc.cwd / "f.npy", np.repeat(one[:, :, None], 65, axis=2))
    assert np.array_equal(sound_of(ecdc), held)
    np.save(ecdc.cwd / "f.npy", one)
    assert len(sound_of(ecdc, "f.npy", "--as-giblet")) == 3 * HOP


def test_rescaling_and_clipping(ecdc, sounds):
    mel(ecdc, sounds["talk.wav"])
    a = about(ecdc)
    a["mel"]["ref"] *= 1000
    (ecdc.cwd / "f.json").write_text(json.dumps(a))
    r = ecdc("reconstruct", "f.npy", "-o", "s.wav", says="samples were clipped (peak ")
    assert "-r rescales instead" in r.stderr
    r = ecdc("reconstruct", "f.npy", "-o", "s.wav", "-r", "-f", "--json").json
    assert r["clipped"] == 0 and r["gain"] < 1 and r["samples"] == 4 * 1.5 * RATE and r["sampling_rate"] == RATE
    assert np.abs(files.read_wav(ecdc.cwd / "s.wav")[1].astype(int)).max() == pytest.approx(0.99 * 32768, abs=2)


def test_bad_mel_arrays(ecdc):
    def refused(array, says, *options):
        np.save(ecdc.cwd / "f.npy", array)
        ecdc.refuses("reconstruct", "f.npy", "-o", "s.wav", *options, says=says)

    good = np.full((2, MELS, 65), -20, np.float32)
    for value, text in (np.nan, "nan"), (np.inf, "inf"), (201, "201"):
        bad = good.copy()
        bad[1, 5, 7] = value
        refused(bad, f"f.npy: {text} in row 1, mel 5, frame 7 is not a level in dB")
    refused(good, "a mel spectrogram at a TR of 2 s has the shape (n_trs, 2048, 87)", "--tr", "2")
    refused(good[:, :100], ["(n_trs, 133120)", "or, from before, (n_trs, 2048)", "3 dimensions, the last of 65"])
    refused(good[0, 0], "1 dimensions, the last of 65")
    refused(good[:0], "f.npy: no sound (0 TRs)")
    refused(np.asfortranarray(good), "is in Fortran order")
    for option in ["-b", "6"], ["-m", "default"], ["--codebooks", "1"], ["--layout", "flat"], ["--precision", "bf16"], ["--cpu", "neon"], \
            ["--force"]:
        refused(good, f"f.npy: {option[0]} is about codes, this array is float32", *option)
    refused(np.zeros((3, 4, 112), np.int64), "--as-giblet is about mel spectrograms, this array is int64", "--as-giblet")


@pytest.mark.parametrize("change", [("ref", -1), ("ref", None), ("n_fft", 0), ("hop", "x"), ("n_mels", 1e9)])
def test_broken_mel_descriptions(ecdc, sounds, change):
    mel(ecdc, sounds["talk.wav"], "--max-trs", "1")
    a = about(ecdc)
    a["mel"][change[0]] = change[1]
    (ecdc.cwd / "f.json").write_text(json.dumps(a))
    ecdc.refuses("reconstruct", "f.npy", "-o", "s.wav", says=["f.json: mel is missing or wrong"])


def test_a_description_of_something_else(ecdc, sounds):
    mel(ecdc, sounds["talk.wav"], "--max-trs", "1")
    np.save(ecdc.cwd / "f.npy", np.zeros((1, 4, 112), np.int64))
    ecdc.refuses("reconstruct", "f.npy", "-o", "s.wav", says="its description says --mode mel, but the array is int64")
    ecdc("features", sounds["talk.wav"], "-o", "f.npy", "-m", TINY, "-f")
    np.save(ecdc.cwd / "f.npy", np.zeros((1, MELS, 65), np.float32))
    ecdc.refuses("reconstruct", "f.npy", "-o", "s.wav", says="its description says --mode encodec, but the array is float32")


# ---------------------------------------------------------------------------------------------------- latents --

@pytest.fixture(scope="session")
def codebooks():
    """(codebooks, entries, dimension) of the small model."""
    header, tensors = files.read_safetensors((TINY / "model.safetensors").read_bytes())
    books = []
    for q in range(8):
        entry = header[f"quantizer.layers.{q}.codebook.embed"]
        begin, end = entry["data_offsets"]
        books.append(np.frombuffer(bytes(tensors[begin:end]), "<f4").reshape(entry["shape"]))
    return np.stack(books)


def vectors(codebooks, codes):
    """(dimension, frames) of (codebooks, frames)"""
    return sum(codebooks[q][codes[q]].astype(float) for q in range(len(codes))).T


@pytest.mark.parametrize("tr, alignment", [("1.5", "giblet"), ("1.5", "exact"), ("0.72", "giblet")])
@pytest.mark.parametrize("codes_kept", [None, 2])
def test_latents(ecdc, sounds, codebooks, tr, alignment, codes_kept):
    codes = ecdc.codes(sounds["talk.wav"], "-m", TINY)[:codes_kept]
    rows = (grid.exact_rows if alignment == "exact" else grid.giblet_rows)(codes, tr, N_TALK, True)
    options = ["-m", TINY, "--mode", "latent", "--tr", tr, "--alignment", alignment, "--partial", "-f",
               *(["--codebooks", codes_kept] if codes_kept else [])]
    r = ecdc("features", sounds["talk.wav"], "-o", "f.npy", *options)
    got = load(ecdc)
    dimension = codebooks.shape[2]
    assert got.dtype == np.float32 and got.shape == (len(rows.codes), dimension)
    assert f"TRs x {dimension} dimensions, " in r.stderr
    ecdc("features", sounds["talk.wav"], "-o", "p.npy", *options, "--per-frame")
    frames = load(ecdc, "p.npy")
    assert frames.dtype == np.float32 and frames.shape == (len(rows.codes), dimension, rows.codes.shape[2])
    t = grid.as_double(tr)
    for i, row in enumerate(rows.codes):
        n = (row[0] >= 0).sum() if alignment == "exact" else min(
            int((i * t + t) * 75) - int(i * t * 75), codes.shape[1] - int(i * t * 75), row.shape[1])
        wanted = vectors(codebooks, row[:, :n])
        assert np.allclose(frames[i][:, :n], wanted, atol=1e-5) and not frames[i][:, n:].any()
        assert np.allclose(got[i], wanted.mean(1), atol=1e-5)
    assert [line[5] for line in table(ecdc)] == ["latent"] * len(rows.codes)
    assert [line[4] for line in table(ecdc)] == [str(len(codes))] * len(rows.codes)
    a = about(ecdc)
    assert (a["mode"], a["per_frame"], a["dimension"], a["n_codebooks"]) == ("latent", False, dimension, len(codes))
    assert about(ecdc, "p.json")["per_frame"] is True


def test_latents_are_not_decoded(ecdc, sounds):
    ecdc("features", sounds["talk.wav"], "-o", "f.npy", "-m", TINY, "--mode", "latent")
    ecdc.refuses("reconstruct", "f.npy", "-o", "s.wav", says="f.npy: latents are not decoded by this command")


# ----------------------------------------------------------------------------------- the haemodynamic response --

def giblet_kernel(tr):
    kernel = np.load(DATA / f"hrf_{tr}_1.npy")
    return kernel / kernel.max()


def causal_weights(tr):
    """Rows that hold for a TR each, heard at the start of each TR, with 50 points per TR."""
    kernel = np.load(DATA / f"hrf_{tr}_50.npy")
    return [kernel[0], *(kernel[i:i + 50].sum() for i in range(1, len(kernel), 50))]


def along_time(rows, weights, first=0):
    """full[first:first + n] of the convolution of each feature."""
    flat = rows.reshape(len(rows), -1).astype(float)
    full = np.apply_along_axis(np.convolve, 0, flat, weights)
    full = np.concatenate([np.zeros((1, flat.shape[1])), full, np.zeros((len(weights), flat.shape[1]))])
    return full[first + 1:first + 1 + len(rows)].reshape(rows.shape)


@pytest.mark.parametrize("tr", ["0.72", "1.5", "2.0"])
@pytest.mark.parametrize("mode", ["latent", "mel"])
def test_hrf_of_floats(ecdc, sounds, mode, tr):
    options = ["--tr", tr, "--mode", mode, *(["-m", TINY] if mode == "latent" else []), "-f", "-q"]
    ecdc("features", sounds["talk.wav"], "-o", "f.npy", *options)
    ecdc("features", sounds["talk.wav"], "-o", "c.npy", *options, "--hrf", "causal")
    ecdc("features", sounds["talk.wav"], "-o", "g.npy", *options, "--hrf", "giblet")
    rows = load(ecdc)
    silence = -80 if mode == "mel" else 0  # before the sound
    assert np.allclose(load(ecdc, "c.npy"), along_time(rows - silence, causal_weights(tr)) + silence, atol=1e-3)
    kernel = giblet_kernel(tr)
    first = (len(kernel) - 1) // 2 - (len(kernel) % 2 == 0)
    assert np.allclose(load(ecdc, "g.npy"), along_time(rows, kernel, first), atol=1e-3, rtol=1e-5)
    assert (about(ecdc, "c.json")["hrf"], about(ecdc, "g.json")["hrf"]) == ("causal", "giblet")
    assert table(ecdc, "c.tsv") == table(ecdc)


def test_a_click_peaks_five_seconds_later(ecdc):
    """30 s of silence with a click at 12.2 s, in TR 8 (12.0 to 13.5 s). The response to what is heard in a TR peaks 5 s after
    its middle, at 17.8 s, which is TR 12 (18.0 s)."""
    sound = np.zeros(30 * RATE, np.int16)
    sound[int(12.2 * RATE)] = 30000
    files.write_wav(ecdc.cwd / "in.wav", sound, RATE)
    mel(ecdc, "in.wav")
    assert load(ecdc).mean((1, 2)).argmax() == 8
    mel(ecdc, "in.wav", "--hrf", "causal")
    level = load(ecdc).mean((1, 2))
    assert level.argmax() == 12 and np.allclose(level[:9], -80, atol=1e-3)


@pytest.mark.parametrize("dtype", ["int64", "int16"])
@pytest.mark.parametrize("layout", ["codes", "flat", "giblet"])
def test_hrf_of_codes(ecdc, sounds, layout, dtype):
    options = ["-m", TINY, "--layout", layout, "--dtype", dtype, "-f", "-q"]
    ecdc("features", sounds["talk.wav"], "-o", "f.npy", *options)
    ecdc("features", sounds["talk.wav"], "-o", "g.npy", *options, "--hrf", "giblet")
    ecdc("features", sounds["talk.wav"], "-o", "d.npy", *options, "--hrf", "giblet-doc")
    rows = load(ecdc)
    assert np.array_equal(load(ecdc, "g.npy"), rows)
    kernel = giblet_kernel("1.5")
    wanted = np.clip(np.round(along_time(rows, kernel, (len(kernel) - 1) // 2)), 0, 1023)
    documented = load(ecdc, "d.npy")
    assert documented.dtype == dtype and np.array_equal(documented, wanted)
    assert not np.array_equal(documented, rows)
    assert about(ecdc, "d.json")["hrf"] == "giblet-doc"


@pytest.mark.parametrize("options, says", [
    (["--mode", "sounds"], "--mode sounds: allowed is encodec, mel or latent"),
    (["--hrf", "other"], "--hrf other: allowed is none, causal, giblet or giblet-doc"),
    (["--hrf", "causal"], "--hrf causal has no meaning for codes, which are labels; use --mode latent or mel"),
    (["--mode", "mel", "--hrf", "giblet-doc"], "--hrf giblet-doc rounds to codes; --mode mel has --hrf causal or giblet"),
    (["--mode", "latent", "--hrf", "giblet-doc"], "--mode latent has --hrf causal or giblet"),
    (["--hrf", "giblet-doc", "--alignment", "exact"], "--hrf giblet-doc has giblet's alignment only"),
    (["--per-frame"], "--per-frame means nothing with --mode encodec"),
    (["--mode", "mel", "--per-frame"], "--per-frame means nothing with --mode mel"),
    (["--mode", "mel", "-b", "6"], "-b means nothing with --mode mel"),
    (["--mode", "mel", "-m", "default"], "-m means nothing with --mode mel"),
    (["--mode", "mel", "--codebooks", "1"], "--codebooks means nothing with --mode mel"),
    (["--mode", "mel", "--precision", "bf16"], "--precision means nothing with --mode mel"),
    (["--mode", "mel", "--cpu", "neon"], "--cpu means nothing with --mode mel"),
    (["--mode", "mel", "--dtype", "int16"], "--dtype means nothing with --mode mel"),
    (["--mode", "mel", "--layout", "flat"], "--layout means nothing with --mode mel"),
    (["--mode", "latent", "--layout", "codes"], "--layout means nothing with --mode latent"),
    (["--mode", "latent", "--dtype", "int64"], "--dtype means nothing with --mode latent"),
])
def test_options_that_mean_nothing(ecdc, sounds, options, says):
    ecdc.refuses("features", sounds["talk.wav"], "-o", "out.npy", *options, status=2, says=says)


def test_a_kernel_without_a_response(ecdc, sounds):
    """A TR of 30 s leaves giblet's kernel one point, which is 0."""
    ecdc.refuses("features", sounds["talk.wav"], "-o", "out.npy", "--mode", "mel", "--tr", "30", "--partial", "--hrf", "giblet",
                 says="1 points from 0 to 32 s miss the response")
