"""ecdc dataset: from a film and its scans to caches, and what check has to say of them."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest

import files
from run import TINY
from scans import AFFINE, read_nifti, shared, write_nifti

N_TRS = 12
FILM = "audio_features_encodec_bw3.0_tr1.5_12trs_hrf.npy"
SHAPE = (6, 5, 4)


def scan(seed, n_trs=N_TRS, shape=SHAPE):
    rng = np.random.default_rng(seed)
    data = rng.normal(0, 1, (*shape, n_trs)) * rng.uniform(5, 80, (*shape, 1)) + 1000
    data[0] = 0
    return np.rint(data).astype(np.int16)


def make_film(path, seconds):
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", f"testsrc=size=64x48:rate=5:duration={seconds}",
                    "-f", "lavfi", "-i", f"sine=frequency=330:sample_rate=24000:duration={seconds}", "-c:v", "mpeg4", "-c:a", "aac", path],
                   check=True)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """Two subjects of giblet's layout and a film of 12 TRs."""
    data = tmp_path_factory.mktemp("study") / "data"
    (data / "sherlock_nii").mkdir(parents=True)
    for number in (2, 10):
        write_nifti(data / "sherlock_nii" / f"sherlock_movie_s{number}.nii.gz", scan(number))
    make_film(data / "stimuli_film.mp4", 18.2)
    return data


@pytest.fixture
def data(ecdc, original):
    shutil.copytree(original, ecdc.cwd / "data")
    return ecdc.cwd / "data"


@pytest.fixture
def bids(ecdc, original):
    data = ecdc.cwd / "bids"
    for i, number in enumerate(("01", "02")):
        func = data / f"sub-{number}" / "func"
        func.mkdir(parents=True)
        write_nifti(func / f"sub-{number}_task-film_bold.nii.gz", scan(i), tr=0)
        (func / f"sub-{number}_task-film_bold.json").write_text('{"RepetitionTime": 1.5}')
    shutil.copy(original / "stimuli_film.mp4", data)
    return data


def build(ecdc, *args, data="data", **settings):
    return ecdc("dataset", "build", data, "-m", TINY, "--json", "-q", *args, **settings).json


def check(ecdc, *args, data="data", status=1):
    r = ecdc.run("dataset", "check", data, "-m", TINY, "--json", *args)
    assert r.status == status, (r.stdout, r.stderr)
    return r.json


def states(report):
    return {part["name"]: part["state"] for part in report["parts"]}


def zscore(series):
    deviation = series.std(axis=0)
    return (series - series.mean(axis=0)) / np.where(deviation > 0, deviation, 1)


# ---------------------------------------------------------------------------------------------------- what is made --


def test_build(ecdc, data):
    report = build(ecdc)
    assert (report["layout"], report["n_subjects"], report["n_made"], report["tr"]) == ("giblet", 2, 4, 1.5)
    assert states(report) == {"film": "fresh", "mask": "fresh", "sub-2": "fresh", "sub-10": "fresh"}
    assert {"data", "cache", "film", "seconds_wall", "peak_rss_mb"} <= set(report)

    ecdc("features", "data/stimuli_film.mp4", "-o", "f.npy", "-m", TINY, "-q")
    cached = np.load(data / "cache" / FILM)
    assert cached.dtype == np.int64 and np.array_equal(cached, np.load(ecdc.cwd / "f.npy"))
    assert (data / "cache" / FILM.replace(".npy", ".tsv")).read_bytes() == (ecdc.cwd / "f.tsv").read_bytes()
    ecdc("reconstruct", data / "cache" / FILM, "-o", "back.wav", "-m", TINY, "-q")  # its description is that of ecdc features

    scans = {number: scan(number) for number in (2, 10)}
    mask = shared(list(scans.values()))
    parts = {part["name"]: part for part in report["parts"]}
    assert np.array_equal(read_nifti(ecdc.cwd / parts["mask"]["path"])[0], mask)
    for number in (2, 10):
        series = np.load(ecdc.cwd / parts[f"sub-{number}"]["path"])
        assert series.dtype == np.float32 and series.shape == (N_TRS, mask.sum())
        assert np.abs(series - zscore(scans[number][mask].T.astype(float))).max() < 1e-5
    assert not [name for name in os.listdir(data / "cache") if "making" in name or name.endswith(".part")]
    assert check(ecdc, status=0)["good"]


@pytest.mark.parametrize("options, name, command", [
    (["--mode", "latent"], "audio_features_latent_bw3.0_tr1.5_12trs_hrf.npy", ["--mode", "latent", "--hrf", "causal"]),
    (["--mode", "mel", "--hrf", "giblet"], "audio_features_mel_tr1.5_12trs_hrf-giblet.npy", ["--mode", "mel", "--hrf", "giblet"]),
    (["--mode", "mel"], "audio_features_mel_tr1.5_12trs_hrf.npy", ["--mode", "mel", "--hrf", "causal"]),
    (["--hrf", "none", "--max-trs", "5"], "audio_features_encodec_bw3.0_tr1.5_5trs.npy", ["--max-trs", "5"]),
    (["--codebooks", "1"], "audio_features_encodec_bw3.0_k1_tr1.5_12trs_hrf.npy", ["--codebooks", "1"]),
    (["--codebooks", "4"], FILM, []),
])
def test_features(ecdc, data, options, name, command):
    model = [] if "mel" in options else ["-m", TINY]
    ecdc("dataset", "build", "data", "--out", "c", *options, *model, "-q")
    ecdc("features", "data/stimuli_film.mp4", "-o", "f.npy", *command, *model, "-q")
    assert (ecdc.cwd / "c" / name).read_bytes() == (ecdc.cwd / "f.npy").read_bytes()
    ecdc("dataset", "check", "data", "--out", "c", *options, *model, "-q")


def test_raw_series_and_fewer_trs(ecdc, data):
    report = build(ecdc, "--no-zscore", "--max-trs", "7", "--subjects", "10")
    paths = {part["name"]: part["path"] for part in report["parts"]}
    assert list(paths) == ["film", "mask", "sub-10"] and paths["sub-10"].endswith(
        f"_7trs_{hashlib.sha256(b'10' + bytes(1)).hexdigest()[:8]}.npy")
    mask = shared([scan(10)])
    assert np.array_equal(np.load(ecdc.cwd / paths["sub-10"]), scan(10)[mask].T[:7].astype(np.float32))


def test_a_limit_beyond_what_there_is(ecdc, data):
    """All TRs are one cache, whatever limit they are below; a limit that cuts is another."""
    assert build(ecdc, "--max-trs", "500")["n_made"] == 4
    for limit in (), ("--max-trs", "500"), ("--max-trs", "12"):
        assert build(ecdc, *limit)["n_made"] == 0 and check(ecdc, *limit, status=0)["good"]
    for command in "build", "check":
        r = ecdc("dataset", command, "data", "-m", TINY, "--max-trs", "500")
        assert r.stderr.startswith("ecdc: data/sherlock_nii/sherlock_movie_s2.nii.gz: 12 TRs, fewer than --max-trs 500: all are taken\n")
        assert "sherlock_movie_s10.nii.gz: 12 TRs, fewer than" in r.stderr
    assert states(check(ecdc, "--max-trs", "11"))["film"] == "stale"
    build(ecdc, "--max-trs", "11")
    assert check(ecdc, "--max-trs", "11", status=0)["good"] and check(ecdc, status=0)["good"]
    (data / "cache" / FILM).unlink()
    (data / "cache" / FILM.replace(".npy", ".json")).unlink()
    for limit in (), ("--max-trs", "12"), ("--max-trs", "500"):
        assert states(check(ecdc, *limit))["film"] == "stale"


def test_bids(ecdc, bids):
    report = build(ecdc, "--out", "c", data="bids")
    assert (report["layout"], report["n_made"]) == ("bids", 4)
    assert states(report) == {"film": "fresh", "mask": "fresh", "sub-01": "fresh", "sub-02": "fresh"}
    assert not (bids / "cache").exists()
    (bids / "sub-01" / "func" / "sub-01_task-rest_bold.nii.gz").write_bytes(b"")
    ecdc.refuses("dataset", "check", "bids", says=["subject 01 has two scans", "--scans PATTERN"])
    assert check(ecdc, "--out", "c", "--scans", "*task-film*", data="bids", status=0)["good"]


# ------------------------------------------------------------------------------------------------ going on, staleness --


def test_only_what_is_missing_is_made(ecdc, data):
    report = build(ecdc)
    path = ecdc.cwd / {part["name"]: part["path"] for part in report["parts"]}["sub-2"]
    before = {p: p.stat().st_ino for p in (data / "cache").iterdir() if p != path and p.suffix != ".json"}
    path.unlink()
    assert states(check(ecdc)) == {"film": "fresh", "mask": "fresh", "sub-2": "missing", "sub-10": "fresh"}
    assert build(ecdc)["n_made"] == 1
    assert all(p.stat().st_ino == inode for p, inode in before.items())
    assert build(ecdc)["n_made"] == 0


def test_what_makes_a_film_stale(ecdc, data):
    build(ecdc)
    film = data / "stimuli_film.mp4"
    os.utime(film, (1000, 1000))  # the contents count
    assert check(ecdc, status=0)["good"]
    make_film(film, 16.7)
    part = check(ecdc)["parts"][0]
    assert part["state"] == "stale" and "film (data/stimuli_film.mp4) has " in part["why"]
    assert build(ecdc)["n_made"] == 1 and states(check(ecdc, status=0))["film"] == "fresh"
    assert len(np.load(data / "cache" / FILM.replace("12", "11"))) == 11


def test_a_copied_study_is_read_once_more_and_then_known(ecdc, data):
    build(ecdc)
    scan_file = data / "sherlock_nii" / "sherlock_movie_s2.nii.gz"
    os.utime(scan_file, (1000, 1000))
    descriptions = {p: json.loads(p.read_text()) for p in (data / "cache").glob("*.json")}
    assert check(ecdc, status=0)["good"]
    assert all(json.loads(p.read_text()) == old for p, old in descriptions.items())  # who only looks writes nothing
    assert build(ecdc)["n_made"] == 0
    renewed = {p.name for p, old in descriptions.items() if json.loads(p.read_text()) != old}
    assert len(renewed) == 2 and sum(name.startswith("fmri_sub-2_") for name in renewed) == 1  # the mask's and the scan's own
    assert all('"1000.000000000"' in (data / "cache" / name).read_text() for name in renewed)
    assert check(ecdc, status=0)["good"]


def test_a_foreign_film_is_refused_before_the_work(ecdc, data):
    (data / "cache").mkdir()
    np.save(data / "cache" / FILM, np.zeros((12, 4, 112), np.int64))
    before = (data / "cache" / FILM).stat()
    r = ecdc.run("dataset", "build", "data", "-m", TINY, "-q")
    assert r.status == 1 and f"{FILM}: is there without a description beside it" in r.stderr
    after = (data / "cache" / FILM).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_another_model_is_never_mixed(ecdc, data, default_model):
    build(ecdc)
    before = np.load(data / "cache" / FILM)
    r = ecdc.run("dataset", "check", "data", "-m", default_model)
    assert r.status == 1 and "film         stale" in r.text and "model is " in r.text
    ecdc("dataset", "build", "data", "-m", default_model, "-q")
    assert not np.array_equal(np.load(data / "cache" / FILM), before)
    sha = json.loads((data / "cache" / FILM.replace(".npy", ".json")).read_text())["model"]["sha256"]
    assert sha == ecdc("info", default_model, "--json").json["sha256"]
    assert states(check(ecdc))["film"] == "stale"  # for the first one


def test_a_changed_scan(ecdc, data):
    build(ecdc)
    path = data / "sherlock_nii" / "sherlock_movie_s2.nii.gz"
    write_nifti(path, scan(99))
    assert states(check(ecdc)) == {"film": "fresh", "mask": "stale", "sub-2": "stale", "sub-10": "fresh"}
    assert build(ecdc)["n_made"] == 2  # the mask is the same one after all
    wider = scan(99)
    wider[0] = wider[1]
    write_nifti(path, wider)
    made = build(ecdc)
    mask = shared([wider, scan(10)])
    assert made["n_made"] == 3  # another mask is another series of everyone
    assert {part["n_voxels"] for part in made["parts"][1:]} == {mask.sum()}


@pytest.mark.parametrize("harm", ["cut", "description", "no description"])
def test_damaged_caches(ecdc, data, harm):
    build(ecdc)
    path = data / "cache" / FILM
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:-8])
    else:
        path.with_suffix(".json").write_text("{") if harm == "description" else path.with_suffix(".json").unlink()
    part = check(ecdc)["parts"][0]
    assert part["state"] == "damaged" and FILM.replace(".npy", "") in part["why"]
    if harm != "no description":
        whole = build(ecdc)
        assert whole["n_made"] == 1 and check(ecdc, status=0)["good"]
    else:  # perhaps not ours
        before = path.read_bytes()
        ecdc.refuses("dataset", "build", "data", "-m", TINY, says=["is there without a description beside it", "move it away"])
        assert path.read_bytes() == before


def test_interrupted(ecdc, data):
    files.write_wav(ecdc.cwd / "long.wav", np.zeros(24000 * 1200, np.int16))
    make = ["dataset", "build", "data", "--film", "long.wav", "--max-trs", "790"]
    process = ecdc.start(*make, "-m", "random:encodec_24khz", "--threads", "1")
    deadline = time.monotonic() + 60
    while not list((data / "cache").glob(".*.part")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 1 and stdout == b""
    assert b"interrupted; what is complete stays in data/cache" in stderr
    assert [p.name for p in (data / "cache").iterdir()] == [".film.lock"]
    assert build(ecdc)["n_made"] == 4


def test_what_a_killed_build_left_is_cleared(ecdc, data):
    files.write_wav(ecdc.cwd / "long.wav", np.zeros(24000 * 1200, np.int16))
    process = ecdc.start("dataset", "build", "data", "--film", "long.wav", "--max-trs", "790", "-m", "random:encodec_24khz",
                         "--threads", "1")
    while not (left := list((data / "cache").glob(".*.part"))):
        time.sleep(0.01)
        assert process.poll() is None
    process.kill()
    process.communicate()
    theirs = [".making-film-7.npy", "..making-film-7.json.abc123.part", ".making-sub-10-7.npy", ".making-mask-123.nii.gz"]
    others = [".making-film-7.npy.txt", ".making-films-7.npy", ".making-film-.npy", ".elsewhere.npy.abc123.part"]
    for name in theirs + others:
        (data / "cache" / name).write_text("left")
    assert build(ecdc)["n_made"] == 4
    hidden = {p.name for p in (data / "cache").glob(".*") if not p.name.endswith(".lock")}
    assert left and hidden == set(others)


def test_two_at_once(ecdc, data):
    processes = [ecdc.start("dataset", "build", "data", "-m", TINY, "--json", "-q") for _ in range(3)]
    outputs = [p.communicate(timeout=100) for p in processes]
    assert [p.returncode for p in processes] == [0, 0, 0], outputs
    assert sum(json.loads(out)["n_made"] for out, _ in outputs) == 4  # each file once
    assert check(ecdc, status=0)["good"]


# ------------------------------------------------------------------------------------------------------ what is wrong --


def test_out_of_step(ecdc, data):
    write_nifti(data / "sherlock_nii" / "sherlock_movie_s2.nii.gz", scan(2, N_TRS - 2))
    write_nifti(data / "sherlock_nii" / "sherlock_movie_s10.nii.gz", scan(10, N_TRS + 3))
    r = ecdc("dataset", "build", "data", "-m", TINY)
    assert "sherlock_movie_s2.nii.gz: 10 TRs are fewer than the film's 12" in r.stderr and "s10.nii.gz" not in r.stderr
    report = check(ecdc)
    assert set(states(report).values()) == {"fresh"} and not report["good"]
    assert report["out_of_step"] == [{"subject": "2", "scan_trs": 10, "film_trs": 12}, {"subject": "10", "scan_trs": 15, "film_trs": 12}]
    r = ecdc.run("dataset", "check", "data", "-m", TINY)
    assert r.status == 1 and "the film's end was not scanned" in r.text and "what is behind the film is not used" in r.text
    build(ecdc, "--max-trs", "10")
    assert check(ecdc, "--max-trs", "10", status=0)["out_of_step"] == []


def test_tr_that_contradicts(ecdc, data, bids):
    for command in "build", "check":
        ecdc.refuses("dataset", command, "data", "-m", TINY, "--tr", "2",
                     says=["sherlock_movie_s2.nii.gz: the TR in its header is 1.5 s", "the TR asked for is 2 s"])
    ecdc.refuses("dataset", "build", "bids", "-m", TINY, "--tr", "2",
                 says=["sub-01_task-film_bold.json: RepetitionTime is 1.5 s", "the TR asked for is 2 s"])
    (bids / "sub-02" / "func" / "sub-02_task-film_bold.json").unlink()
    (bids / "task-film_bold.json").write_text('{"RepetitionTime": 0.72}')
    ecdc.refuses("dataset", "build", "bids", "-m", TINY, says=["task-film_bold.json: RepetitionTime is 0.72 s", "is 1.5 s"])
    for text, words in ('{"RepetitionTime": "1.5"}', 'RepetitionTime is "1.5"'), ('{"RepetitionTime": -1}', "RepetitionTime is -1"), \
            ("[", "not valid JSON"):
        (bids / "task-film_bold.json").write_text(text)
        ecdc.refuses("dataset", "build", "bids", "-m", TINY, says=["task-film_bold.json: ", words])


@pytest.mark.parametrize("change, words", [
    (lambda d: (d / "stimuli_film.mp4").unlink(), "data: no film: neither stimuli_*.m4v nor stimuli_*.mp4"),
    (lambda d: shutil.copy(d / "stimuli_film.mp4", d / "stimuli_b.m4v"), "two films, stimuli_b.m4v and stimuli_film.mp4; --film FILE"),
    (lambda d: (d / "stimuli_film.mp4").write_bytes(b"no film"), "stimuli_film.mp4"),
    (lambda d: shutil.rmtree(d / "sherlock_nii"), "data: no scans: neither sherlock_nii/"),
    (lambda d: write_nifti(d / "sherlock_nii" / "sherlock_movie_s3.nii.gz", scan(3, shape=(6, 5, 5))),
     "sherlock_movie_s3.nii.gz: has the shape (6, 5, 5), but data/sherlock_nii/sherlock_movie_s2.nii.gz has (6, 5, 4)"),
    (lambda d: write_nifti(d / "sherlock_nii" / "sherlock_movie_s3.nii.gz", scan(3)[..., 0]), "s3.nii.gz: is a single volume"),
    (lambda d: (d / "sherlock_nii" / "sherlock_movie_s3.nii.gz").write_bytes(b"x"), "sherlock_movie_s3.nii.gz: "),
])
def test_studies_that_are_not_whole(ecdc, data, change, words):
    change(data)
    for command in "build", "check":
        ecdc.refuses("dataset", command, "data", "-m", TINY, says=words)


def test_a_film_whose_name_is_not_utf_8(ecdc, data):
    film = data / "stimuli_film.mp4"
    os.rename(film, os.fsencode(film).replace(b"film.mp4", b"caf\xe9.mp4"))
    process = ecdc.start("dataset", "build", "data", "-m", TINY, "-q")
    stdout, stderr = process.communicate(timeout=100)
    assert (process.returncode, stdout) == (1, b"")
    assert b"stimuli_caf\xe9.mp4: a file of a study needs a name in UTF-8; rename it\n" in stderr


def test_another_affine(ecdc, data):
    moved = AFFINE.copy()
    moved[0, 3] += 3
    write_nifti(data / "sherlock_nii" / "sherlock_movie_s10.nii.gz", scan(10), affine=moved)
    r = ecdc.run("dataset", "build", "data", "-m", TINY, "-q")
    assert r.status == 1 and "sherlock_movie_s10.nii.gz" in r.stderr and r.stderr.count("\n") == 1


def test_numbers_that_are_not_finite(ecdc, data):
    values = scan(10).astype(np.float32)
    values[3, 3, 3, 5] = np.nan
    write_nifti(data / "sherlock_nii" / "sherlock_movie_s10.nii.gz", values)
    r = ecdc("dataset", "build", "data", "-m", TINY)
    assert "s10.nii.gz: 1 voxels have numbers that are not finite; they have no vote" in r.stderr
    for path in (data / "cache").glob("fmri_sub*.npy"):
        assert np.isfinite(np.load(path)).all()


def test_a_scan_that_breaks_off(ecdc, data):
    path = data / "sherlock_nii" / "sherlock_movie_s10.nii.gz"
    path.write_bytes(path.read_bytes()[:-200])
    r = ecdc.run("dataset", "build", "data", "-m", TINY, "-q")
    assert r.status == 1 and "sherlock_movie_s10.nii.gz: " in r.stderr
    assert states(check(ecdc)) == {"film": "fresh", "mask": "missing", "sub-2": "missing", "sub-10": "missing"}


def test_usage(ecdc, data):
    for args, words in (["erase", "data"], "usage: ecdc dataset"), (["build"], "usage: ecdc dataset"), \
            (["build", "data", "--hrf", "causal"], "--hrf causal has no meaning for codes"), \
            (["build", "data", "--mode", "mel", "--hrf", "giblet-doc"], "--hrf giblet-doc rounds to codes"), \
            *((["build", "data", "--mode", "mel", *option], f"dataset: {option[0]} means nothing with --mode mel") for option in (
                ["-m", "nomodel"], ["-b", "7"], ["--codebooks", "3"], ["--precision", "bf16"], ["--cpu", "neon"])):
        ecdc.refuses("dataset", *args, says=words, status=2)
    ecdc.refuses("dataset", "check", "nowhere", says="nowhere: no such directory")
    ecdc.refuses("dataset", "build", "data", "--subjects", "2,7", says="subject '7': the study has none of that name; it has 2, 10")
    ecdc.refuses("dataset", "build", "data", "-b", "6", "--codebooks", "9", says="--codebooks 9: 6 kbps has 8")
    ecdc.refuses("dataset", "build", "data", "-b", "7", says="7 kbps")
    ecdc.refuses("dataset", "build", "data", "--scans", "nothing",
                 says="data: --scans nothing chooses among scans of BIDS derivatives; sherlock_nii/sherlock_movie_s*.nii.gz are all taken")
    (ecdc.cwd / "taken").write_text("")
    ecdc.refuses("dataset", "build", "data", "--out", "taken/c", says="taken")
