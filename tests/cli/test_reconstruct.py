"""ecdc reconstruct: rows become sound, each where the scan has it."""

import json
from fractions import Fraction

import numpy as np
import pytest

import files
import grid
from run import SANITIZED, TINY

N_TALK = 158477


def features(ecdc, path, *options):
    ecdc("features", path, "-o", "f.npy", "-m", TINY, "-f", "-q", *options)


def sound_of(ecdc, *args):
    ecdc(*args, "-o", "sound-of.wav", "-m", TINY, "--float", "-f", "-q")
    return files.read_wav(ecdc.cwd / "sound-of.wav")[1]


def decoded(ecdc, codes):
    np.save(ecdc.cwd / "codes-in.npy", codes)
    return sound_of(ecdc, "decode", "codes-in.npy")


@pytest.mark.parametrize("layout", ["codes", "flat"])
@pytest.mark.parametrize("tr", ["1.5", "2.0", "0.72", "1.49", "2/3"])
def test_exact_rows_give_the_samples_of_decode(ecdc, sounds, tr, layout):
    ecdc("encode", sounds["talk.wav"], "-o", "whole.ecdc", "-m", TINY)
    whole = sound_of(ecdc, "decode", "whole.ecdc")
    assert len(whole) == N_TALK

    features(ecdc, sounds["talk.wav"], "--tr", tr, "--alignment", "exact", "--layout", layout)
    n_trs = len(np.load(ecdc.cwd / "f.npy"))
    sound = sound_of(ecdc, "reconstruct", "f.npy")
    assert len(sound) == 320 * grid.exact_first(tr, n_trs)
    assert abs(Fraction(len(sound), 24000) - n_trs * Fraction(tr)) <= Fraction(1, 75)
    assert np.array_equal(sound, whole[:len(sound)])

    features(ecdc, sounds["talk.wav"], "--tr", tr, "--alignment", "exact", "--layout", layout, "--partial")
    assert np.array_equal(sound_of(ecdc, "reconstruct", "f.npy"), whole)


def test_exact_rows_without_their_description(ecdc, sounds):
    features(ecdc, sounds["talk.wav"], "--tr", "1.49", "--alignment", "exact", "--partial")
    with_it = sound_of(ecdc, "reconstruct", "f.npy")
    (ecdc.cwd / "f.json").unlink()
    without = sound_of(ecdc, "reconstruct", "f.npy", "--tr", "1.49", "--alignment", "exact")
    assert len(without) == 496 * 320  # the rows end with a frame, not with a sample
    assert np.array_equal(without[:N_TALK], with_it)


@pytest.mark.parametrize("layout", ["codes", "flat", "giblet"])
@pytest.mark.parametrize("tr", ["1.5", "2.0", "0.72", "1.49", "2/3"])
def test_giblet_rows_stand_at_their_starts(ecdc, sounds, tr, layout):
    features(ecdc, sounds["talk.wav"], "--tr", tr, "--layout", layout)
    rows = np.load(ecdc.cwd / "f.npy")
    rows = rows.reshape(len(rows), -1, int(75 * grid.as_double(tr)))[:, :4]
    sound = sound_of(ecdc, "reconstruct", "f.npy")
    assert abs(len(sound) / 24000 - len(rows) * grid.as_double(tr)) <= 1 / 75
    assert np.array_equal(sound, decoded(ecdc, grid.giblet_frames(rows, tr)))

    (ecdc.cwd / "f.json").unlink()
    assert np.array_equal(sound, sound_of(ecdc, "reconstruct", "f.npy", "--tr", tr, "--layout", layout))


@pytest.mark.parametrize("tr, n_trs", [("0.72", 300), ("1.5", 41), ("1.49", 41), ("2/3", 100)])
@pytest.mark.parametrize("alignment", ["giblet", "exact"])
def test_many_rows_do_not_drift(ecdc, tr, n_trs, alignment):
    rng = np.random.default_rng(1)
    if alignment == "giblet":
        rows = rng.integers(0, 1024, (n_trs, 2, int(75 * grid.as_double(tr))))
        frames = grid.giblet_frames(rows, tr)
    else:
        frames = rng.integers(0, 1024, (2, grid.exact_first(tr, n_trs)))
        rows = grid.exact_rows(frames, tr, 10**9, max_trs=n_trs).codes
    np.save(ecdc.cwd / "f.npy", rows)
    sound = sound_of(ecdc, "reconstruct", "f.npy", "--tr", tr, "--alignment", alignment)
    assert abs(len(sound) / 24000 - n_trs * float(Fraction(tr))) <= 1 / 75 + 1e-9
    assert np.array_equal(sound, decoded(ecdc, frames))


@pytest.mark.skipif(SANITIZED, reason="takes a minute with sanitizers")
def test_a_whole_film_lasts_as_long_as_its_scan(ecdc):
    """1 976 TRs of 1.5 s, 49.4 minutes, from rows that hold 112 of 112.5 frames."""
    rows = np.random.default_rng(2).integers(0, 1024, (8, 1, 112), dtype=np.int16)
    np.save(ecdc.cwd / "f.npy", np.tile(rows, (247, 1, 1)))
    r = ecdc("reconstruct", "f.npy", "-o", "/dev/null", "--format", "wav", "-m", TINY, "--json")
    assert abs(r.json["samples"] / 24000 - 49.4 * 60) <= 1 / 75


def test_int16_rows(ecdc, sounds):
    features(ecdc, sounds["talk.wav"])
    sound = sound_of(ecdc, "reconstruct", "f.npy")
    features(ecdc, sounds["talk.wav"], "--dtype", "int16")
    assert np.load(ecdc.cwd / "f.npy").dtype == np.int16
    assert np.array_equal(sound, sound_of(ecdc, "reconstruct", "f.npy"))


def test_giblet_layout_decodes_the_codebooks_that_exist(ecdc, sounds):
    features(ecdc, sounds["talk.wav"])
    sound = sound_of(ecdc, "reconstruct", "f.npy")
    features(ecdc, sounds["talk.wav"], "--layout", "giblet")
    assert np.array_equal(sound, sound_of(ecdc, "reconstruct", "f.npy"))
    (ecdc.cwd / "f.json").unlink()
    assert np.array_equal(sound, sound_of(ecdc, "reconstruct", "f.npy", "--layout", "giblet", "-b", "3"))


def test_giblets_own_arrays_are_known_by_their_zeros(ecdc, sounds):
    for kbps, codebooks in ("3", 8), ("6", 16):
        features(ecdc, sounds["talk.wav"], "-b", kbps)
        sound = sound_of(ecdc, "reconstruct", "f.npy")
        features(ecdc, sounds["talk.wav"], "-b", kbps, "--layout", "giblet")
        (ecdc.cwd / "f.json").unlink()
        assert np.load(ecdc.cwd / "f.npy").shape[1] == codebooks * 112
        for options in (), ("-b", kbps), ("--layout", "giblet", "-b", kbps):
            assert np.array_equal(sound, sound_of(ecdc, "reconstruct", "f.npy", *options))
    ecdc("reconstruct", "f.npy", "-o", "out.wav", "-m", TINY, "-f",
         says="f.npy: in giblet's layout; of its 16 codebooks per row the 8 of 6 kbps are decoded, the others are 0")
    features(ecdc, sounds["talk.wav"], "--layout", "giblet")
    (ecdc.cwd / "f.json").unlink()
    rows = np.load(ecdc.cwd / "f.npy")
    rows[-1, -1] = 7  # all eight are codes
    np.save(ecdc.cwd / "f.npy", rows)
    ecdc.refuses("reconstruct", "f.npy", "-o", "new.wav", "-m", TINY, "-b", "3",
                 says=["8 codebooks per row where 4 are expected", "--layout giblet"])
    assert "giblet" not in ecdc("reconstruct", "f.npy", "-o", "out.wav", "-m", TINY, "-f").stderr


@pytest.mark.parametrize("made, said", [("codes", "flat"), ("codes", "giblet"), ("flat", "codes"), ("giblet", "codes")])
def test_a_layout_that_the_array_has_not(ecdc, sounds, made, said):
    features(ecdc, sounds["talk.wav"], "--layout", made)
    for remove in False, True:
        if remove:
            (ecdc.cwd / "f.json").unlink()
        ecdc.refuses("reconstruct", "f.npy", "-o", "out.wav", "-m", TINY, "--layout", said,
                     says=[f"f.npy: --layout {said} has ", "leave --layout away"])


def test_first_codebooks_only(ecdc, sounds):
    features(ecdc, sounds["talk.wav"])
    rows = np.load(ecdc.cwd / "f.npy")
    sound = sound_of(ecdc, "reconstruct", "f.npy", "--codebooks", "1")
    assert np.array_equal(sound, decoded(ecdc, grid.giblet_frames(rows[:, :1], "1.5")))


def test_predicted_codes_in_place_of_the_real_ones(ecdc, sounds):
    """A model's output saved over the features keeps their description."""
    features(ecdc, sounds["talk.wav"], "--tr", "0.72")
    rows = 1023 - np.load(ecdc.cwd / "f.npy")
    np.save(ecdc.cwd / "f.npy", rows)
    assert np.array_equal(sound_of(ecdc, "reconstruct", "f.npy"), decoded(ecdc, grid.giblet_frames(rows, "0.72")))


def test_model_of_the_description_is_found(ecdc, sounds):
    """No -m: the embedded model by its name and SHA-256."""
    ecdc("features", sounds["talk.wav"], "-o", "f.npy", "--max-trs", "1")
    r = ecdc("reconstruct", "f.npy", "-o", "out.wav")
    assert r.stdout == b"" and r.stderr.startswith("ecdc: out.wav: 1.49 s of sound in ")


def test_json(ecdc, sounds):
    features(ecdc, sounds["talk.wav"])
    r = ecdc("reconstruct", "f.npy", "-o", "out.wav", "-m", TINY, "--json")
    assert r.stderr == ""
    assert r.json["samples"] == 450 * 320 and r.json["sampling_rate"] == 24000
    assert r.json.keys() >= {"seconds_audio", "seconds_wall", "x_realtime", "peak_rss_mb", "clipped"}
    assert len(files.read_wav(ecdc.cwd / "out.wav")[1]) == 450 * 320


def test_rescaling(ecdc, sounds, loud_model):
    ecdc("features", sounds["talk.wav"], "-o", "f.npy", "-m", loud_model)
    assert ecdc("reconstruct", "f.npy", "-o", "clipped.wav", "-m", loud_model, "--json").json["clipped"] > 0
    r = ecdc("reconstruct", "f.npy", "-o", "scaled.wav", "-m", loud_model, "-r", "--json")
    assert r.json["clipped"] == 0 and r.json["gain"] < 1
    assert np.abs(files.read_wav(ecdc.cwd / "scaled.wav")[1]).max() == round(0.99 * 32768)


def test_codes_of_other_weights(ecdc, sounds):
    features(ecdc, sounds["talk.wav"])
    sound = sound_of(ecdc, "reconstruct", "f.npy")
    about = json.loads((ecdc.cwd / "f.json").read_text())
    about["model"]["sha256"] = "0123456789abcdef" * 4
    (ecdc.cwd / "f.json").write_text(json.dumps(about))
    ecdc.refuses("reconstruct", "f.npy", "-o", "out.wav", "-m", TINY,
                 says=["f.npy was made with the model tiny24 (SHA-256 0123456789abcdef...)", "noise", "--force"])
    assert np.array_equal(sound_of(ecdc, "reconstruct", "f.npy", "--force"), sound)


def test_model_that_is_not_here(ecdc, sounds):
    features(ecdc, sounds["talk.wav"])
    ecdc.refuses("reconstruct", "f.npy", "-o", "out.wav", says=["made with the model tiny24", "not here", "-m MODEL"])


@pytest.mark.parametrize("field, value", [
    ("mode", "mel_spectrogram"), ("layout", "other"), ("alignment", 3), ("tr_fraction", None), 
    ("n_codebooks", 0), ("samples", -1), ("model", {"name": "x"}), ("model", {"name": "x", "sha256": "12"}),
])
def test_broken_description(ecdc, sounds, field, value):
    features(ecdc, sounds["talk.wav"], "--max-trs", "1")
    about = json.loads((ecdc.cwd / "f.json").read_text())
    about[field] = value
    (ecdc.cwd / "f.json").write_text(json.dumps(about))
    ecdc.refuses("reconstruct", "f.npy", "-o", "out.wav", "-m", TINY, says=f"f.json: {field} is missing or wrong")


def test_description_that_is_no_json(ecdc, sounds):
    features(ecdc, sounds["talk.wav"], "--max-trs", "1")
    text = (ecdc.cwd / "f.json").read_text()
    for broken in "", text[:len(text) // 2], "[1, 2", "\0" * 40:
        (ecdc.cwd / "f.json").write_text(broken)
        ecdc.refuses("reconstruct", "f.npy", "-o", "out.wav", "-m", TINY, says="f.json: not ")
    (ecdc.cwd / "f.json").write_text("[1, 2]")
    ecdc.refuses("reconstruct", "f.npy", "-o", "out.wav", "-m", TINY, says="f.json: the JSON is a list, not an object")
    (ecdc.cwd / "f.json").write_text(json.dumps({**json.loads(text), "tr_fraction": "3/0"}))
    ecdc.refuses("reconstruct", "f.npy", "-o", "out.wav", "-m", TINY, says="TR '3/0' is not a positive number")


def test_wrong_tr(ecdc, sounds):
    features(ecdc, sounds["talk.wav"])
    for remove in False, True:
        if remove:
            (ecdc.cwd / "f.json").unlink()
        ecdc.refuses("reconstruct", "f.npy", "-o", "out.wav", "-m", TINY, "--tr", "2.0",
                     says=["f.npy: rows of 112 numbers do not fit 150 frames per TR of 2.0 s (giblet)", "--tr and --alignment"])
        ecdc.refuses("reconstruct", "f.npy", "-o", "out.wav", "-m", TINY, "--alignment", "exact",
                     says="rows of 112 numbers do not fit 113 frames")


def test_one_row_without_its_axis(ecdc, sounds):
    features(ecdc, sounds["talk.wav"])
    row = np.load(ecdc.cwd / "f.npy")[0]
    np.save(ecdc.cwd / "f.npy", row)
    ecdc.refuses("reconstruct", "f.npy", "-o", "out.wav", "-m", TINY, says=["f.npy: 1 codebook per row where 4 are expected", "codes[None]"])
    (ecdc.cwd / "f.json").unlink()
    note = "f.npy: taken for 4 TRs of one codebook"
    ecdc("reconstruct", "f.npy", "-o", "out.wav", "-m", TINY, says=[note, "codes[None]"])
    assert note not in ecdc("reconstruct", "f.npy", "-o", "out.wav", "-m", TINY, "-f", "--layout", "flat").stderr
    np.save(ecdc.cwd / "f.npy", row[None])
    assert note not in ecdc("reconstruct", "f.npy", "-o", "out.wav", "-m", TINY, "-f").stderr


def test_codes_that_have_become_floats(ecdc, sounds):
    features(ecdc, sounds["talk.wav"])
    np.save(ecdc.cwd / "f.npy", np.load(ecdc.cwd / "f.npy").astype(np.float32))
    ecdc.refuses("reconstruct", "f.npy", "-o", "out.wav", "-m", TINY, says=["f.npy: its description says --mode encodec", "astype('int64')"])


def test_a_tr_is_told_as_people_write_it(ecdc, sounds):
    for tr, told in ("1.50", "1.5"), ("2/3", "2/3"), ("0.72", "0.72"):
        features(ecdc, sounds["talk.wav"], "--tr", tr)
        np.save(ecdc.cwd / "f.npy", np.zeros((3, 4, 7), int))
        ecdc.refuses("reconstruct", "f.npy", "-o", "out.wav", "-m", TINY, says=f"frames per TR of {told} s (giblet)")


def test_a_bandwidth_that_the_rows_have_not(ecdc, sounds):
    features(ecdc, sounds["talk.wav"])
    wrong = "f.npy: 4 codebooks per row where 8 are expected; "
    ecdc.refuses("reconstruct", "f.npy", "-o", "out.wav", "-m", TINY, "-b", "6", says=[wrong, "leave -b away: the description beside it"])
    ecdc.refuses("reconstruct", "f.npy", "-o", "out.wav", "-m", TINY, "--codebooks", "8", says=[wrong, "--codebooks takes the first"])
    (ecdc.cwd / "f.json").unlink()
    ecdc.refuses("reconstruct", "f.npy", "-o", "out.wav", "-m", TINY, "-b", "6", says=[wrong, "leave -b away, or give a lower one"])


def save(ecdc, rows, order="C"):
    np.save(ecdc.cwd / "f.npy", np.asarray(rows, order=order))


@pytest.mark.parametrize("rows, says", [
    (np.zeros(448, int), "this array has 1 dimensions"),
    (np.zeros((1, 3, 4, 112), int), "this array has 4 dimensions"),
    (np.zeros((3, 9, 112), int), "9 codebooks per row, tiny24 has 1 to 8"),
    (np.zeros((3, 0, 112), int), "0 codebooks per row"),
    (np.zeros((3, 447), int), "rows of 447 numbers do not fit 112 frames"),
    (np.zeros((0, 4, 112), int), "no sound (0 TRs)"),
    (np.full((3, 4, 112), 1024), "code 1024 in row 0, codebook 0, frame 0 is outside 0 to 1023"),
    (np.full((3, 4, 112), -1), "rows with -1 are of the alignment exact"),
    (np.full((3, 4, 112), -7), "code -7 in row 0"),
], ids=lambda x: x if isinstance(x, str) else "")
def test_arrays_that_are_no_features(ecdc, rows, says):
    save(ecdc, rows)
    ecdc.refuses("reconstruct", "f.npy", "-o", "out.wav", "-m", TINY, says=["f.npy", says])


def test_floats_that_are_no_spectrogram(ecdc):
    save(ecdc, np.zeros((3, 4, 112), np.float32))
    ecdc.refuses("reconstruct", "f.npy", "-o", "out.wav",
                 says=["f.npy", "a mel spectrogram at a TR of 1.5 s has the shape (n_trs, 2048, 65)"])


@pytest.mark.parametrize("shape, says", [
    ((3, 4, 112), "codes of this shape are integers: numpy.save(PATH, codes.astype('int64'))"), ((3, 4, 113), "codes of this shape"),
    ((3, 448), "codes of this shape"), ((3, 896), "codes of this shape"), ((3, 128), "vectors of 128 numbers are latents"),
    ((3, 128, 112), "vectors of 128 numbers are latents"), ((3, 2048, 66), "give the right --tr"), ((3, 100), "give the right --tr"),
])
def test_what_other_floats_may_be(ecdc, shape, says):
    save(ecdc, np.zeros(shape, np.float32))
    ecdc.refuses("reconstruct", "f.npy", "-o", "out.wav", says=["f.npy: a mel spectrogram", says])


def test_fortran_order(ecdc):
    save(ecdc, np.zeros((3, 4, 112), int), "F")
    ecdc.refuses("reconstruct", "f.npy", "-o", "out.wav", "-m", TINY, says="Fortran order")


def test_bad_code_in_the_middle(ecdc, sounds):
    features(ecdc, sounds["talk.wav"])
    rows = np.load(ecdc.cwd / "f.npy")
    rows[2, 1, 7] = 5000
    save(ecdc, rows)
    ecdc.refuses("reconstruct", "f.npy", "-o", "out.wav", "-m", TINY,
                 says="code 5000 in row 2, codebook 1, frame 7 is outside 0 to 1023")
