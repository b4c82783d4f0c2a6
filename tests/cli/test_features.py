"""ecdc features: rows, table and description, against a grid computed here."""

import hashlib
import json
import math
from fractions import Fraction

import numpy as np
import pytest

import grid
from run import SPEECH, TINY

N_TALK = 158477  # samples
TRS = ["1.5", "2.0", "0.72", "1.49", "2/3"]
FORMS = [("codes", "giblet"), ("flat", "giblet"), ("giblet", "giblet"), ("codes", "exact"), ("flat", "exact")]
OPTIONS = {
    "plain": dict(),
    "partial": dict(partial=True),
    "first codebook": dict(codebooks=1),
    "short": dict(max_trs=2, partial=True, dtype="int16", codebooks=3),
    "past the end": dict(max_trs=99, partial=True, dtype="int16"),
}


@pytest.fixture(scope="session")
def talk_codes(ecdc_once, sounds):
    return ecdc_once.codes(sounds["talk.wav"], "-m", TINY)


def flags(partial=False, codebooks=None, max_trs=None, dtype=None):
    return [*(["--partial"] if partial else []), *(["--codebooks", codebooks] if codebooks else []),
            *(["--max-trs", max_trs] if max_trs else []), *(["--dtype", dtype] if dtype else [])]


def read_table(path):
    head, *lines = path.read_text().splitlines()
    assert head.split("\t") == ["tr_index", "start_time", "end_time", "n_frames", "n_codebooks", "encoding_mode"]
    return [line.split("\t") for line in lines]


CASES = [pytest.param(tr, *form, options, id=f"{tr} {' '.join(form)} {name}")
         for tr in TRS for form in FORMS for name, options in OPTIONS.items()
         if name in ("plain", "partial") or tr in ("1.5", "0.72")]


@pytest.mark.parametrize("tr, layout, alignment, options", CASES)
def test_rows(ecdc, sounds, talk_codes, tr, layout, alignment, options):
    r = ecdc("features", sounds["talk.wav"], "-o", "out.npy", "-m", TINY, "--tr", tr, "--layout", layout,
             "--alignment", alignment, *flags(**options))
    assert r.stdout == b""

    codes = talk_codes[:options.get("codebooks", 4)]
    make = grid.exact_rows if alignment == "exact" else grid.giblet_rows
    rows = make(codes, tr, N_TALK, options.get("partial", False), options.get("max_trs"))
    expected = rows.codes
    if layout == "giblet":  # codebooks that 3 kbps does not have are zero
        n = grid.GIBLET_CODEBOOKS[3]
        expected = np.concatenate([expected, np.zeros((len(expected), n - len(codes), expected.shape[2]), int)], axis=1)
    n_trs, n_codebooks, width = expected.shape
    assert n_trs >= 2
    assert r.stderr.startswith(f"ecdc: out.npy: {n_trs} TRs x {n_codebooks} codebook{'s' * (n_codebooks != 1)} x {width} frames, ")

    written = np.load(ecdc.cwd / "out.npy")
    assert written.dtype == options.get("dtype", "int64") and written.flags.c_contiguous
    assert written.shape == ((n_trs, n_codebooks, width) if layout == "codes" else (n_trs, n_codebooks * width))
    assert np.array_equal(written.reshape(expected.shape), expected)

    assert read_table(ecdc.cwd / "out.tsv") == [
        [str(i), repr(rows.starts[i]), repr(rows.ends[i]), str(rows.n_frames[i]), str(n_codebooks), "encodec"]
        for i in range(n_trs)]
    about = json.loads((ecdc.cwd / "out.json").read_text())
    assert (about["n_trs"], about["frames_per_tr"], about["row_codebooks"]) == (n_trs, width, n_codebooks)
    assert about["n_codebooks"] == len(codes)
    assert about["tr"] == grid.as_double(tr) and Fraction(about["tr_fraction"]) == Fraction(tr)


def test_hand_worked_grid(ecdc, sounds):
    """75 frames a second: 1.5 s are 112.5 frames, 0.72 s are 54, 1.49 s are 111.75, 2/3 s are 50."""
    for tr, giblet, exact, first_exact in [("1.5", 112, 113, [112, 113, 112, 113]), ("2.0", 150, 150, [150] * 3),
                                           ("0.72", 54, 54, [54] * 9), ("1.49", 111, 112, [111, 112, 112, 112]),
                                           ("2/3", 50, 50, [50] * 9)]:
        for alignment, width in ("giblet", giblet), ("exact", exact):
            ecdc("features", sounds["talk.wav"], "-o", "out.npy", "-m", TINY, "--tr", tr, "--alignment", alignment, "-f")
            assert np.load(ecdc.cwd / "out.npy").shape == (len(first_exact), 4, width)
            counts = [int(line[3]) for line in read_table(ecdc.cwd / "out.tsv")]
            assert counts == (first_exact if alignment == "exact" else [giblet] * len(first_exact))


def test_exact_pads_with_minus_one_and_loses_no_frame(ecdc, sounds, talk_codes):
    ecdc("features", sounds["talk.wav"], "-o", "out.npy", "-m", TINY, "--alignment", "exact", "--partial")
    rows = np.load(ecdc.cwd / "out.npy")
    assert (rows[0, :, 112] == -1).all() and (rows[1] >= 0).all()
    joined = np.concatenate([row[:, row[0] >= 0] for row in rows], axis=1)
    assert np.array_equal(joined, talk_codes)


def test_partial_row_ends_with_the_sound(ecdc, sounds):
    for alignment, padding in ("exact", -1), ("giblet", 0):
        ecdc("features", sounds["talk.wav"], "-o", "out.npy", "-m", TINY, "--tr", "2.0", "--partial", "--alignment", alignment,
             "-f")
        assert read_table(ecdc.cwd / "out.tsv")[-1] == ["3", "6.0", repr(N_TALK / 24000), "46", "4", "encodec"]
        rows = np.load(ecdc.cwd / "out.npy")
        assert rows.shape == (4, 4, 150) and (rows[3, :, 46:] == padding).all()


def test_a_sound_of_less_than_one_tr(ecdc, sounds):
    ecdc.refuses("features", sounds["short.wav"], "-o", "out.npy",
                 says=["short.wav: 1.250 s of sound is shorter than one TR of 1.5 s; --partial keeps it"])
    ecdc("features", sounds["short.wav"], "-o", "out.npy", "--partial")
    rows = np.load(ecdc.cwd / "out.npy")
    assert rows.shape == (1, 4, 112)
    assert np.array_equal(rows[0, :, :94], ecdc.codes(sounds["short.wav"])) and not rows[0, :, 94:].any()


@pytest.mark.parametrize("kbps, codebooks, giblet", [(1.5, 2, 2), (3, 4, 8), (6, 8, 16), (12, 16, 32), (24, 32, 32)])
def test_codebooks_of_each_bandwidth(ecdc, sounds, kbps, codebooks, giblet):
    """The shapes that the default model gives; giblet's table promises more codebooks than some bandwidths have."""
    codes = ecdc.codes(sounds["talk.wav"], "-b", kbps)
    ecdc("features", sounds["talk.wav"], "-o", "codes.npy", "-b", kbps, "--max-trs", "1")
    ecdc("features", sounds["talk.wav"], "-o", "flat.npy", "-b", kbps, "--max-trs", "1", "--layout", "flat")
    ecdc("features", sounds["talk.wav"], "-o", "giblet.npy", "-b", kbps, "--max-trs", "1", "--layout", "giblet")
    first = codes[:, :112]
    assert np.array_equal(np.load(ecdc.cwd / "codes.npy"), first[None])
    assert np.array_equal(np.load(ecdc.cwd / "flat.npy"), first.reshape(1, -1))
    row = np.load(ecdc.cwd / "giblet.npy")
    assert row.shape == (1, giblet * 112)
    assert np.array_equal(row[0, :codebooks * 112], first.ravel()) and not row[0, codebooks * 112:].any()


def test_description(ecdc, sounds):
    path = sounds["talk.wav"]
    ecdc("features", path, "-o", "out.npy", "--tr", "0.72", "--alignment", "exact", "-b", "6", "--codebooks", "5")
    about = json.loads((ecdc.cwd / "out.json").read_text())
    model = ecdc("info", "default", "--json").json
    data = (ecdc.cwd / "out.npy").read_bytes()
    given = about.pop("input")
    assert given.pop("gaps")["count"] == 0 and given.pop("overlaps")["count"] == 0
    assert given == {"path": str(path), "size": path.stat().st_size, "mtime": int(path.stat().st_mtime), "audio_start": 0,
                     "track": 0, "partial": False}
    expected = {
        "version": ecdc("--version").text.split()[1], "model": {"name": model["name"], "sha256": model["sha256"]},
        "mode": "encodec", "layout": "codes", "alignment": "exact", "tr": 0.72, "bandwidth": 6, "n_codebooks": 5,
        "frames_per_tr": 54, "n_trs": 9, "frame_rate": 75, "sampling_rate": 24000, "hrf": "none", "precision": "f32",
        "samples": N_TALK, "npy": {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()},
        "partial": False, "dtype": "int64", "tr_fraction": "18/25", "row_codebooks": 5,
    }
    assert about == expected
    assert '"tr":\t0.72,' in (ecdc.cwd / "out.json").read_text()


def test_a_name_that_is_not_utf_8(ecdc, sounds):
    name = b"caf\xe9.wav".decode(errors="surrogateescape")
    (ecdc.cwd / name).write_bytes(sounds["talk.wav"].read_bytes())
    ecdc("features", name, "-o", "f.npy", "-m", TINY)
    assert json.loads((ecdc.cwd / "f.json").read_text("utf-8"))["input"]["path"].endswith("caf\ufffd.wav")
    ecdc("reconstruct", "f.npy", "-o", "back.wav", "-m", TINY)


def test_sound_that_starts_late(ecdc, sounds):
    r = ecdc("features", sounds["late.mkv"], "-o", "out.npy", "-m", TINY,
             says="late.mkv: the sound starts at 0.750 s; silence stands before it")
    about = json.loads((ecdc.cwd / "out.json").read_text())
    assert about["input"]["audio_start"] == 0.75
    assert about["samples"] == 18000 + 29999
    assert "starts at" not in ecdc("features", sounds["late.mkv"], "-o", "out.npy", "-m", TINY, "-f", "-q").stderr


def test_film(ecdc, sounds):
    ecdc("features", sounds["film.mp4"], "-o", "out.npy")
    assert np.load(ecdc.cwd / "out.npy").shape == (2, 4, 112)


def test_speech_has_the_shapes_of_the_page(ecdc):
    """11 s at TR 1.5 are 7 TRs; 3 kbps are 4 codebooks; 1.5 s are 112 whole frames."""
    for options, shape in ((), (7, 4, 112)), (("--codebooks", 1), (7, 1, 112)), (("--layout", "flat"), (7, 448)), \
            (("--layout", "giblet"), (7, 896)):
        ecdc("features", SPEECH, "-o", "out.npy", "-f", *options)
        assert np.load(ecdc.cwd / "out.npy").shape == shape


def test_json(ecdc, sounds):
    r = ecdc("features", sounds["talk.wav"], "-o", "out.npy", "-m", TINY, "--json")
    assert r.stderr == ""
    assert r.json.keys() >= {"seconds_audio", "seconds_wall", "x_realtime", "peak_rss_mb"}
    assert (r.json["output"], r.json["n_trs"], r.json["n_codebooks"], r.json["frames_per_tr"]) == ("out.npy", 4, 4, 112)
    assert r.json["seconds_audio"] == N_TALK / 24000


def test_quiet(ecdc, sounds):
    r = ecdc("features", sounds["talk.wav"], "-o", "out.npy", "-m", TINY, "-q")
    assert (r.stdout, r.stderr) == (b"", "")


def test_standard_output_has_the_array_alone(ecdc, sounds):
    ecdc("features", sounds["talk.wav"], "-o", "out.npy", "-m", TINY)
    data = (ecdc.cwd / "out.npy").read_bytes()
    for name in "out.npy", "out.tsv", "out.json":
        (ecdc.cwd / name).unlink()
    assert ecdc("features", sounds["talk.wav"], "-o", "-", "--format", "npy", "-m", TINY).stdout == data
    assert not list(ecdc.cwd.iterdir())


def test_max_trs_reads_no_further_than_it_must(ecdc, sounds):
    ecdc("features", sounds["talk.wav"], "-o", "all.npy", "-m", TINY, "--alignment", "exact")
    ecdc("features", sounds["talk.wav"], "-o", "two.npy", "-m", TINY, "--alignment", "exact", "--max-trs", "2")
    assert np.array_equal(np.load(ecdc.cwd / "two.npy"), np.load(ecdc.cwd / "all.npy")[:2])
    assert json.loads((ecdc.cwd / "two.json").read_text())["samples"] < N_TALK


def test_threads_change_nothing(ecdc, sounds):
    outputs = set()
    for threads in 1, 2, 5:
        ecdc("features", sounds["talk.wav"], "-o", "out.npy", "--threads", threads, "-f")
        outputs.add((ecdc.cwd / "out.npy").read_bytes())
    assert len(outputs) == 1


def test_long_tr_fractions_do_not_drift(ecdc, talk_codes, sounds):
    """A third of a frame per TR: 0.04 s is three frames, 1/30 s two and a half."""
    ecdc("features", sounds["talk.wav"], "-o", "out.npy", "-m", TINY, "--tr", "1/30", "--alignment", "exact")
    counts = [int(line[3]) for line in read_table(ecdc.cwd / "out.tsv")]
    assert counts == ([2, 3] * len(counts))[:len(counts)] and len(counts) == math.floor(N_TALK / 24000 * 30)


def test_giblet_layout_has_one_alignment(ecdc, sounds):
    ecdc.refuses("features", sounds["talk.wav"], "-o", "out.npy", "--layout", "giblet", "--alignment", "exact", status=2,
                 says=["--layout giblet", "giblet's alignment only"])


def test_more_codebooks_than_the_bandwidth_has(ecdc, sounds):
    ecdc.refuses("features", sounds["talk.wav"], "-o", "out.npy", "--codebooks", "5", says="--codebooks 5: 3 kbps has 4")


def test_model_without_a_frame_grid(ecdc, sounds):
    ecdc.refuses("features", sounds["talk.wav"], "-o", "out.npy", "-m", "random:encodec_48khz",
                 says=["random:encodec_48khz", "chunks", "no single frame grid"])
