"""ecdc batch: many files, some broken; what is done stays done, whatever ends a run."""

import json
import os
import re
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest

import files
from run import SANITIZED, TINY, check_healthy

FIELDS = ["input", "output", "status", "seconds_audio", "seconds_wall", "reason"]


def table(ecdc, name="out/ecdc-batch.tsv"):
    head, *lines = (ecdc.cwd / name).read_text().splitlines()
    assert head.split("\t") == FIELDS
    rows = [dict(zip(FIELDS, line.split("\t"), strict=True)) for line in lines]
    return {row["output"].removeprefix("out/"): row for row in rows}


def states(ecdc, **settings):
    return {name: row["status"] for name, row in table(ecdc, **settings).items()}


@pytest.fixture
def films(ecdc, sounds):
    """Two that are whole, one of them below; one that is cut, one that is none, one of another kind, one that is hidden."""
    directory = ecdc.cwd / "films"
    (directory / "more").mkdir(parents=True)
    shutil.copy(sounds["talk.wav"], directory / "a.wav")
    shutil.copy(sounds["film.mp4"], directory / "more" / "b.MP4")
    (directory / "cut.wav").write_bytes(sounds["talk.wav"].read_bytes()[:100000])
    (directory / "none.wav").write_text("no sound")
    (directory / "notes.txt").write_text("about these films")
    (directory / ".hidden.wav").write_text("no sound")
    return directory


def run_films(ecdc, *options, status=1):
    r = ecdc.run("batch", "films", "-o", "out", "-m", TINY, *options)
    assert r.status == status, r.stderr
    return r


def test_each_output_is_that_of_the_command_for_one_file(ecdc, films):
    r = run_films(ecdc, "--jobs", "3", "--alignment", "exact")
    assert states(ecdc) == {"a.npy": "done", "more/b.npy": "done", "cut.npy": "failed", "none.npy": "failed"}
    for source, name in ("a.wav", "a"), ("more/b.MP4", "more/b"):
        ecdc("features", f"films/{source}", "-o", "one.npy", "-m", TINY, "--alignment", "exact", "-f")
        for ending in "npy", "tsv":
            assert (ecdc.cwd / f"out/{name}.{ending}").read_bytes() == (ecdc.cwd / f"one.{ending}").read_bytes()
        about, one = (json.loads((ecdc.cwd / f"{stem}.json").read_text()) for stem in (f"out/{name}", "one"))
        assert about == one
    rows = table(ecdc)
    assert float(rows["a.npy"]["seconds_audio"]) == 158477 / 24000 and float(rows["a.npy"]["seconds_wall"]) >= 0
    assert "breaks off" in rows["cut.npy"]["reason"] and "not a media file" in rows["none.npy"]["reason"]
    for text in (rows["cut.npy"]["reason"], rows["none.npy"]["reason"], "films: 1 file is no sound by name, left alone",
                 "out: 2 done, 0 kept, 2 failed", "2 of 4 files failed; out/ecdc-batch.tsv says why"):
        assert text in r.stderr
    found = sorted(str(p.relative_to(ecdc.cwd / "out")) for p in (ecdc.cwd / "out").rglob("*") if p.is_file())
    assert found == ["a.json", "a.npy", "a.tsv", "ecdc-batch.json", "ecdc-batch.tsv", "more/b.json", "more/b.npy", "more/b.tsv"]


@pytest.mark.parametrize("task", ["features", "encode"])
def test_files_that_share_passes_over_the_weights(ecdc, task):
    """Four per processor do (ecdc_group); of different lengths, so that some drop out while others go on."""
    n = 4 * len(os.sched_getaffinity(0))
    if n > 256:
        pytest.skip("more than the 256 jobs that there can be")
    rng = np.random.default_rng(0)
    (ecdc.cwd / "films").mkdir()
    for i in range(n):
        files.write_wav(ecdc.cwd / f"films/{i}.wav", rng.integers(-9999, 9999, 24000 * 2 + 3001 * (i % 7)).astype(np.int16))
    run_films(ecdc, task, "--jobs", str(n), status=0)
    for i in range(n):
        ending = {"features": "npy", "encode": "ecdc"}[task]
        ecdc(task, f"films/{i}.wav", "-o", f"one.{ending}", "-m", TINY, "-f")
        assert (ecdc.cwd / f"out/{i}.{ending}").read_bytes() == (ecdc.cwd / f"one.{ending}").read_bytes()


def test_encode(ecdc, films):
    run_films(ecdc, "encode", "-b", "6")
    ecdc("encode", "films/a.wav", "-o", "one.ecdc", "-m", TINY, "-b", "6")
    assert (ecdc.cwd / "out/a.ecdc").read_bytes() == (ecdc.cwd / "one.ecdc").read_bytes()
    r = ecdc.run("batch", "films", "encode", "-o", "arrays", "-m", TINY, "--format", "npy", "--partial-input", "-q", "--json")
    assert r.status == 1
    assert {k: r.json[k] for k in ("files", "done", "kept", "failed", "open")} == dict(files=4, done=3, kept=0, failed=1, open=0)
    assert np.load(ecdc.cwd / "arrays/cut.npy").shape[0] == 4
    assert "breaks off" in {row["input"]: row["reason"] for row in table(ecdc, "arrays/ecdc-batch.tsv").values()}["films/cut.wav"]


@pytest.mark.parametrize("options", [("--mode", "mel"), ("--mode", "latent", "--per-frame", "-m", TINY)])
def test_other_modes(ecdc, sounds, options):
    (ecdc.cwd / "list").write_text(f"{sounds['talk.wav']}\n\n{sounds['stereo.mp3']}\tsub/other\r\n")
    ecdc("batch", "list", "-o", "out", "--partial", *options)
    ecdc("features", sounds["stereo.mp3"], "-o", "one.npy", "--partial", *options)
    assert (ecdc.cwd / "out/sub/other.npy").read_bytes() == (ecdc.cwd / "one.npy").read_bytes()
    assert states(ecdc) == {"talk.npy": "done", "sub/other.npy": "done"}


def test_the_same_command_again_makes_what_is_missing_and_nothing_else(ecdc, films, sounds):
    run_films(ecdc)
    before = {p: p.stat().st_ino for p in (ecdc.cwd / "out").glob("*.npy")}
    (films / "none.wav").write_bytes(sounds["talk.wav"].read_bytes())
    run_films(ecdc)
    assert states(ecdc) == {"a.npy": "kept", "more/b.npy": "kept", "cut.npy": "failed", "none.npy": "done"}
    assert all(p.stat().st_ino == ino for p, ino in before.items())


def damage(ecdc, films, how):
    """Something happens to the input or the outputs of a.wav."""
    out, about = ecdc.cwd / "out/a.npy", ecdc.cwd / "out/a.json"
    later = time.time() + 5
    if how == "input newer":
        os.utime(films / "a.wav", (later, later))
    elif how == "another input of the same age":
        s = (films / "a.wav").stat()
        files.write_wav(films / "a.wav", np.zeros(99999, np.int16))
        os.utime(films / "a.wav", ns=(s.st_atime_ns, s.st_mtime_ns))
    elif how == "array cut":
        out.write_bytes(out.read_bytes()[:-8])
    elif how == "no array":
        out.unlink()
    elif how == "no table":
        (ecdc.cwd / "out/a.tsv").unlink()
    elif how == "description cut":
        about.write_text(about.read_text()[:-9])
    elif how == "not by this batch":
        os.utime(out, (1, 1))


@pytest.mark.parametrize("how", ["input newer", "another input of the same age", "array cut", "no array", "no table",
                                 "description cut", "not by this batch"])
def test_what_is_not_whole_is_made_again(ecdc, films, how):
    run_films(ecdc)
    damage(ecdc, films, how)
    run_films(ecdc)
    assert states(ecdc) == {"a.npy": "done", "more/b.npy": "kept", "cut.npy": "failed", "none.npy": "failed"}
    if how == "input newer":
        return  # and stays newer than what is made from it now
    run_films(ecdc)
    assert states(ecdc)["a.npy"] == "kept"


def test_an_input_that_is_gone_needs_none(ecdc, films):
    (ecdc.cwd / "list").write_text("films/a.wav\n")
    ecdc("batch", "list", "-o", "out")
    (films / "a.wav").unlink()
    ecdc("batch", "list", "-o", "out")
    assert states(ecdc) == {"a.npy": "kept"}


@pytest.mark.parametrize("whole", [True, False])
def test_links_to_nowhere_have_rows(ecdc, sounds, whole):
    """What git-annex and DataLad leave of a film that was not fetched."""
    (ecdc.cwd / "films").mkdir()
    for name in "a.mp4", "b.wav", "notes.txt", ".hidden.mp4":
        (ecdc.cwd / "films" / name).symlink_to("../.git/annex/objects/" + name)
    (ecdc.cwd / "films" / "round.wav").symlink_to("round.wav")
    if whole:
        (ecdc.cwd / "films" / "c.wav").symlink_to(sounds["talk.wav"])
    run_films(ecdc)
    expected = {"a.npy": "failed", "b.npy": "failed", "round.npy": "failed", **({"c.npy": "done"} if whole else {})}
    assert states(ecdc) == expected
    assert ("films/a.mp4: No such file or directory: it is a link to ../.git/annex/objects/a.mp4, which is not there; fetch the file "
            "first (git-annex") in table(ecdc)["a.npy"]["reason"]
    assert "films/round.wav: " in table(ecdc)["round.npy"]["reason"]


@pytest.mark.parametrize("options, says", [
    (("-b", "6"), "bandwidth is 3 there, 6 now"), (("--tr", "2"), 'tr is 1.5 there, 2 now'),
    (("--mode", "latent"), 'mode is "encodec" there, "latent" now'), (("-m", "default"), "model is"),
    (("--partial-input",), "partial_input is false there, true now"), (("encode",), 'task is "features" there, "encode" now'),
])
def test_a_directory_has_outputs_of_one_kind(ecdc, films, options, says):
    run_films(ecdc, "--tr", "1.50")
    model = () if "-m" in options else ("-m", TINY)
    ecdc.refuses("batch", "films", "-o", "out", "-q", *model, *options, says=["out/ecdc-batch.json: ", says, "-f"])
    r = ecdc.run("batch", "films", "-o", "out", "-f", *model, *options)
    assert r.status == 1 and set(states(ecdc).values()) <= {"done", "failed"}


def test_files_of_others_are_left_alone(ecdc, films):
    (ecdc.cwd / "out").mkdir()
    (ecdc.cwd / "out/a.npy").write_text("mine")
    ecdc.refuses("batch", "films", "-o", "out", "-q", says="out/a.npy: exists already, and no ecdc-batch.json says how it was made")
    run_films(ecdc, "-f")
    assert states(ecdc)["a.npy"] == "done" and np.load(ecdc.cwd / "out/a.npy").shape[1] == 4


@pytest.mark.parametrize("extension", ["tsv", "json"])
def test_what_stands_beside_an_output_is_somebody_elses_too(ecdc, films, extension):
    (films / f"a.{extension}").write_text("mine")
    ecdc.refuses("batch", "films", "-o", "films", "-q", says=f"films/a.{extension}: exists already, and no ecdc-batch.json says how it")
    assert (films / f"a.{extension}").read_text() == "mine"


@pytest.mark.parametrize("name, text", [("later.json", '{"TaskName": "film"}'), ("later.tsv", "onset\tduration\n0\t1\n")])
def test_what_stands_beside_a_film_that_came_later_is_left_alone(ecdc, films, name, text):
    ecdc.run("batch", "films", "-o", "films", "-m", TINY)
    shutil.copy(films / "a.wav", films / "later.wav")
    (films / name).write_text(text)
    r = ecdc.run("batch", "films", "-o", "films", "-m", TINY)
    assert r.status == 1 and f"films/{name}: exists already, and no batch has made it (-f overwrites it)\n" in r.stderr
    state = {row["input"]: row["status"] for row in table(ecdc, "films/ecdc-batch.tsv").values()}
    assert state == {"films/a.wav": "kept", "films/more/b.MP4": "kept", "films/later.wav": "failed", "films/cut.wav": "failed",
                     "films/none.wav": "failed"}
    assert (films / name).read_text() == text and not (films / "later.npy").exists()
    ecdc.run("batch", "films", "-o", "films", "-m", TINY, "-f")
    assert (films / name).read_text() != text and (films / "later.npy").exists()


def test_shards_divide_the_list(ecdc, films):
    for i in 2, 1, 3:
        ecdc.run("batch", "films", "-o", "out", "-m", TINY, "--shard", f"{i}/3")
    shards = [states(ecdc, name=f"out/ecdc-batch.{i}-of-3.tsv") for i in (1, 2, 3)]
    assert [len(s) for s in shards] == [2, 1, 1]
    together = {name: state for s in shards for name, state in s.items()}
    assert together == {"a.npy": "done", "more/b.npy": "done", "cut.npy": "failed", "none.npy": "failed"}
    run_films(ecdc)
    assert states(ecdc) == {"a.npy": "kept", "more/b.npy": "kept", "cut.npy": "failed", "none.npy": "failed"}
    (ecdc.cwd / "list").write_text("films/a.wav\n")
    ecdc("batch", "list", "-o", "out", "-m", TINY, "--shard", "2/2")  # more tasks than files


def test_two_inputs_of_one_output(ecdc, films):
    shutil.copy(films / "a.wav", films / "a.mp3")
    ecdc.refuses("batch", "films", "-o", "out", "-q", status=2,
                 says=["films/a.mp3 and films/a.wav would both become out/a.npy", "a tab and a name"])
    ecdc.refuses("batch", "films", "-o", "out", "-q", "--shard", "2/2", status=2, says="would both become")
    (ecdc.cwd / "list").write_text("films/a.wav\nfilms/a.mp3\tb\n")
    ecdc("batch", "list", "-o", "out", "-m", TINY)
    assert set(states(ecdc)) == {"a.npy", "b.npy"}


@pytest.mark.parametrize("text, says", [
    (b"", "list: an empty list"), (b"\n\n", "list: an empty list"), (b"a.wav\nfilms/\n", "list: line 2: films/ is a directory"),
    (b"a\0.wav\n", "list: line 1 holds a zero byte"), (b"a.wav\t../b\n", "'../b' is none"), (b"a.wav\t/b\n", "'/b' is none"),
    (b"a.wav\tb/..\n", "'b/..' is none"), (b"a.wav\t\n", "'' is none"), (b"\tb\n", "'b' is none"), (b"a.wav\tb/\n", "'b/' is none"),
    (b"\na.wav\tb\tc\n", "list: line 2 has more than one tab"), (b"\xef\xbb\xbf\n", "list: an empty list"),
])
def test_bad_lists(ecdc, text, says):
    (ecdc.cwd / "list").write_bytes(text)
    ecdc.refuses("batch", "list", "-o", "out", says=says)


def test_lists_as_editors_and_people_write_them(ecdc, sounds):
    """A mark of UTF-8 at the start, ends of lines with two characters, names that have their ending already."""
    text = f"{sounds['talk.wav']}\r\n{sounds['talk.wav']}\tsub-01/film.npy\r\n{sounds['talk.wav']}\tsub-02/.npy\nhello\n"
    (ecdc.cwd / "list").write_bytes(b"\xef\xbb\xbf" + text.encode())
    r = ecdc.run("batch", "list", "-o", "out", "-m", TINY)
    assert r.status == 1 and "ecdc: list: line 4: hello: No such file or directory\n" in r.stderr
    assert "1 of 4 files failed" in r.stderr
    assert states(ecdc) == {"talk.npy": "done", "sub-01/film.npy": "done", "sub-02/.npy.npy": "done", "hello.npy": "failed"}
    (ecdc.cwd / "one").write_text("hello\n")
    assert "1 of 1 file failed" in ecdc.run("batch", "one", "-o", "more", "-m", TINY).stderr


def test_a_speed_is_told_only_of_work(ecdc, films):
    (ecdc.cwd / "list").write_text("films/a.wav\n")
    assert " x realtime; out/ecdc-batch.tsv\n" in ecdc("batch", "list", "-o", "out", "-m", TINY).stderr
    assert ecdc("batch", "list", "-o", "out", "-m", TINY).stderr == "ecdc: out: 0 done, 1 kept, 0 failed; out/ecdc-batch.tsv\n"


@pytest.mark.parametrize("args, status, says", [
    (("films", "decode", "-o", "out"), 2, "batch: decode: files become features (the default) or encode"),
    (("films", "encode", "-o", "out", "--tr", "2"), 2, "batch: encode takes no --tr"),
    (("films", "encode", "-o", "out", "--format", "wav"), 2, "batch: --format wav: encode makes ecdc, npy or npz"),
    (("films", "-o", "out", "--format", "ecdc"), 2, "batch: --format ecdc: features makes npy"),
    (("films", "-o", "out", "--mode", "mel", "-b", "3"), 2, "-b means nothing with --mode mel"),
    (("films", "-o", "-"), 2, "-o names a directory"), (("nothing", "-o", ""), 2, "-o names a directory, not nothing"),
    (("films", "-o", "out", "-f", "--shard", "1/2"), 2, "-f starts all over, which a shard cannot do"),
    (("films", "-o", "out", "--shard", "3/2"), 2, "--shard 3/2: allowed is I/N"), (("films", "-o", "out", "--shard", "0/2"), 2, "--shard"),
    (("films", "-o", "out", "--shard", "1"), 2, "--shard 1"), (("films", "-o", "out", "--shard", "/2"), 2, "--shard /2"),
    (("films", "-o", "out", "--jobs", "0"), 2, "--jobs 0: allowed is 1 to 256"),
    (("nothing", "-o", "out"), 1, "nothing: No such file or directory"),
    (("empty", "-o", "out"), 1, "empty: no file in it is sound or a film by its name"),
    (("films", "-q", "-o", "films/a.wav"), 1, "films/a.wav is not a directory"),
    (("films", "-q", "-o", "out", "-b", "5"), 1, "5"),
    (("films", "-q", "-o", "out", "-m", "random:encodec_48khz"), 1, "it has no single frame grid"),
    (("films", "-q", "encode", "-o", "out", "--format", "npz"), 2, ".npz is for models that encode in chunks"),
])
def test_refusals_before_the_run(ecdc, films, args, status, says):
    (ecdc.cwd / "empty").mkdir()
    ecdc.refuses("batch", *args, status=status, says=says)


def test_own_names(ecdc, films):
    shutil.copy(films / "a.wav", films / "ecdc-batch.wav")
    ecdc.refuses("batch", "films", "-o", "out", "-q", status=2, says="films/ecdc-batch.wav: names in out that begin with ecdc-batch")


@pytest.fixture
def long_films(ecdc):
    """Twelve of 100 s: time for a signal. With sanitizers everything takes ten times as long."""
    directory = ecdc.cwd / "films"
    directory.mkdir()
    sound = np.random.default_rng(0).integers(-9999, 9999, 24000 * (10 if SANITIZED else 100)).astype(np.int16)
    for i in range(12):
        files.write_wav(directory / f"{i:02}.wav", sound)
    return directory


def start_and_wait_for_one(ecdc, *options):
    p = ecdc.start("batch", "films", "-o", "out", "--jobs", "2", *options)
    while p.poll() is None and not list((ecdc.cwd / "out").glob("*.npy")):
        time.sleep(0.02)
    return p


def parts(ecdc):
    return list((ecdc.cwd / "out").glob(".*.part"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_tidily(ecdc, long_films, number):
    p = start_and_wait_for_one(ecdc)
    p.send_signal(number)
    _, stderr = p.communicate(timeout=100)
    check_healthy(p.returncode, stderr.decode())
    assert p.returncode == 1 and b" of 12 files are open; the same command goes on" in stderr, stderr
    found = states(ecdc)
    made = {p.name for p in (ecdc.cwd / "out").glob("*.npy")}
    assert len(found) == 12 and {n for n, s in found.items() if s == "done"} == made and 1 <= len(made) < 12
    assert set(found.values()) == {"done", "open"} and not parts(ecdc)
    ecdc("batch", "films", "-o", "out")
    assert {n for n, s in states(ecdc).items() if s == "kept"} == made and set(states(ecdc).values()) == {"done", "kept"}


def test_a_killed_run_leaves_whole_files_and_its_remains_are_cleared(ecdc, long_films):
    p = start_and_wait_for_one(ecdc)
    while not (left := parts(ecdc)):
        time.sleep(0.001)
        assert p.poll() is None
    p.kill()
    p.communicate()
    made = {p.name: p.stat().st_ino for p in (ecdc.cwd / "out").glob("*.npy")}
    assert parts(ecdc)
    other = ecdc.cwd / "out" / ".elsewhere.npy.abc123.part"
    other.write_text("of somebody else")
    (ecdc.cwd / "out" / ".ecdc-batch.tsv.abc123.part").write_text("of a killed run")
    ecdc("batch", "films", "-o", "out")
    assert parts(ecdc) == [other]
    kept = {n for n, s in states(ecdc).items() if s == "kept"}
    assert kept == set(made) and all((ecdc.cwd / "out" / n).stat().st_ino == made[n] for n in kept)
    first = np.load(ecdc.cwd / "out/00.npy")
    assert all(np.array_equal(np.load(ecdc.cwd / f"out/{i:02}.npy"), first) for i in range(12))


def test_two_runs_at_once_do_not_remove_each_others_files(ecdc, long_films):
    """What the second one finds half done is in use, by its lock."""
    p = start_and_wait_for_one(ecdc)
    r = ecdc.run("batch", "films", "-o", "out", "-q", "--jobs", "1")
    p.communicate()
    assert p.returncode == 0 and r.status == 0
    assert not parts(ecdc) and len(list((ecdc.cwd / "out").glob("*.npy"))) == 12


def test_the_progress_line(ecdc, films):
    controller, terminal = os.openpty()
    p = subprocess.Popen(ecdc.command(["batch", "films", "-o", "out", "-m", TINY]), cwd=ecdc.cwd, env=ecdc.env, stderr=terminal,
                         stdin=subprocess.DEVNULL)
    assert p.wait(100) == 1
    text = os.read(controller, 1 << 16).decode()
    os.close(controller), os.close(terminal)
    assert "0 of 4 files" in text and re.search(r"\r4 of 4 files, 2 failed, \d+ x realtime, 0:00 left\x1b", text)


def test_what_would_be_standard_input_is_a_file(ecdc, sounds):
    """A line of a list is a path, whatever it looks like."""
    (ecdc.cwd / "list").write_text("-\n-\tother\n")
    sound = sounds["talk.wav"].read_bytes()
    r = ecdc.run("batch", "list", "-o", "out", "--mode", "mel", stdin=sound)
    assert r.status == 1 and set(states(ecdc).values()) == {"failed"}
    (ecdc.cwd / "-").write_bytes(sound)
    ecdc("batch", "list", "-o", "out", "--mode", "mel")
    assert states(ecdc) == {"-.npy": "done", "other.npy": "done"}


@pytest.mark.parametrize("name", ["a//b", "a/./b", "./a/b", ".//a/././/b.npy"])
def test_two_spellings_of_one_output(ecdc, sounds, name):
    (ecdc.cwd / "list").write_text(f"{sounds['talk.wav']}\t{name}\n{sounds['stereo.mp3']}\ta/b\n")
    ecdc.refuses("batch", "list", "-o", "out", "--mode", "mel", status=2, says="would both become out/a/b.npy")


@pytest.mark.parametrize("name", ["./ecdc-batch", ".//ecdc-batch.x"])
def test_own_names_in_other_spellings(ecdc, sounds, name):
    (ecdc.cwd / "list").write_text(f"{sounds['talk.wav']}\t{name}\n")
    ecdc.refuses("batch", "list", "-o", "out", "--mode", "mel", status=2, says="names in out that begin with ecdc-batch")


def test_names_that_begin_with_points_are_no_other_spellings(ecdc, sounds):
    (ecdc.cwd / "list").write_text("".join(f"{sounds['talk.wav']}\t{name}\n" for name in ("a./b", ".a/b", "a/.b", "a/b", "...")))
    ecdc("batch", "list", "-o", "out", "--mode", "mel")
    assert states(ecdc) == {f"{name}.npy": "done" for name in ("a./b", ".a/b", "a/.b", "a/b", "...")}


def test_a_pipe_without_a_writer_does_not_hold_the_others(ecdc, sounds):
    os.mkfifo(ecdc.cwd / "pipe")
    (ecdc.cwd / "list").write_text(f"pipe\n{sounds['talk.wav']}\n/dev/null\n")
    r = ecdc.run("batch", "list", "-o", "out", "--mode", "mel")
    assert r.status == 1 and states(ecdc) == {"pipe.npy": "failed", "talk.npy": "done", "null.npy": "failed"}
    assert "list: line 1: pipe: is a pipe or a device" in r.stderr


def test_a_name_too_long_leaves_nothing(ecdc, films):
    """x.npy and x.tsv may be as long as a name can be, x.json may not."""
    (films / "a.wav").rename(films / ("x" * 251 + ".wav"))
    r = run_films(ecdc)
    assert "x" * 251 + ".json: File name too long" in r.stderr
    assert not [p for p in (ecdc.cwd / "out").iterdir() if p.name.startswith(("x", ".x"))]


def test_a_folder_that_may_not_be_read_is_a_row_and_the_others_go_on(ecdc, films):
    (films / "lost+found").mkdir(mode=0)
    as_others = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []  # root reads everything
    command = [*as_others, *ecdc.command(["batch", "films", "-o", "out", "-m", TINY])]
    for done, kept in ((2, 0), (0, 2)):
        p = subprocess.run(command, cwd=ecdc.cwd, env=ecdc.env, capture_output=True, text=True)
        check_healthy(p.returncode, p.stderr)
        assert p.returncode == 1 and "ecdc: films/lost+found: Permission denied\n" in p.stderr, p.stderr
        assert f"out: {done} done, {kept} kept, 3 failed" in p.stderr and "3 of 5 files failed" in p.stderr
        assert table(ecdc)[""]["reason"] == "films/lost+found: Permission denied"
    films.chmod(0)
    p = subprocess.run(command, cwd=ecdc.cwd, env=ecdc.env, capture_output=True, text=True)
    films.chmod(0o755)
    assert (p.returncode, p.stderr) == (1, "ecdc: films: Permission denied\n")


def test_a_folder_that_cannot_be_made_fails_its_own_files(ecdc, films):
    (ecdc.cwd / "out").mkdir()
    (ecdc.cwd / "out" / "more").write_text("a file of somebody else's")
    r = run_films(ecdc)
    assert states(ecdc)["a.npy"] == "done" and states(ecdc)["more/b.npy"] == "failed"
    assert "films/more/b.MP4: out/more is not a directory\n" in r.stderr
