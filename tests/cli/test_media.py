"""Sound and films as other programs write them: formats, tracks, pipes, cut files, and each sound at its time."""

import json
import shutil

import numpy as np
import pytest

import files
from conftest import ffmpeg, int16, voice

FRAME_S = 1 / 75

# ------------------------------------------------------------------------------------------------- formats --

LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}


@pytest.fixture(scope="session")
def media(tmp_path_factory):
    """A second of sound by channels and rate, as WAV."""
    directory = tmp_path_factory.mktemp("media")

    def wav(channels, rate):
        path = directory / f"{channels}-{rate}.wav"
        if not path.exists():
            sound = np.stack([int16(voice(rate, rate, seed=1 + c)) for c in range(channels)], axis=1)
            files.write_wav(path, sound[:, 0] if channels == 1 else sound, rate)
        return path

    return wav


@pytest.mark.parametrize("name, codec, channels, rate, slack", [
    ("a.wav", "pcm_u8", 1, 8000, 0), ("a.wav", "pcm_s16le", 2, 44100, 0), ("a.wav", "pcm_s24le", 6, 48000, 0),
    ("a.wav", "pcm_s32le", 2, 96000, 0), ("a.wav", "pcm_f32le", 1, 22050, 0), ("a.flac", "flac", 6, 96000, 0),
    ("a.flac", "flac", 1, 11025, 0), ("a.mp3", "libmp3lame", 2, 32000, 0), ("a.mp3", "libmp3lame", 1, 8000, 0),
    ("a.ogg", "libvorbis", 2, 44100, 0), ("a.ogg", "libvorbis", 6, 48000, 0), ("a.opus", "libopus", 1, 16000, 0),
    ("a.opus", "libopus", 6, 48000, 0), ("a.m4a", "aac", 2, 44100, 0.03), ("a.m4a", "alac", 2, 48000, 0),
    ("a.mp4", "aac", 6, 48000, 0.03), ("a.mkv", "ac3", 6, 48000, 0.05), ("a.mkv", "pcm_s16le", 1, 12000, 0),
    ("a.webm", "libopus", 2, 48000, 0), ("a.webm", "libvorbis", 1, 24000, 0.03),
])
def test_formats(ecdc, media, name, codec, channels, rate, slack):
    ffmpeg("-i", media(channels, rate), "-c:a", codec, *(["-sample_fmt", "s16"] if codec == "flac" else []), ecdc.cwd / name)
    info = ecdc("info", name, "--json").json
    decoded = 48000 if codec == "libopus" else rate
    assert (info["kind"], info["sample_rate"], info["channels"], info["track"]) == ("audio", decoded, channels, 0)
    assert 0 <= info["duration"] - 1 <= slack and info["partial"] is False
    assert [(t["track"], t["channels"]) for t in info["tracks"]] == [(0, channels)]
    codes = ecdc.codes(name)
    assert codes.shape[0] == 4 and 75 <= codes.shape[1] <= 75 + 75 * slack + 1


# ---------------------------------------------------------------------------------------------------- time --

CLICKS = [0.4, 1.1, 2.3, 2.9]


def write_clicks(path, times=CLICKS, seconds=3.6, rate=44100):
    """Short bursts around these times."""
    t = np.arange(round(seconds * rate)) / rate
    x = sum(np.exp(-((t - at) / 0.004) ** 2) * np.cos(2 * np.pi * 1000 * (t - at)) for at in times)
    return files.write_wav(path, int16(0.8 * x), rate)


def center_of_energy(x, rate, at, width=0.15):
    first, last = max(0, round((at - width) * rate)), round((at + width) * rate)
    energy = x[first:last].astype(float) ** 2
    energy[energy < 0.05 * energy.max()] = 0
    return (first + np.average(np.arange(len(energy)), weights=energy)) / rate


@pytest.fixture(scope="session")
def films(tmp_path_factory):
    directory = tmp_path_factory.mktemp("films")
    clicks = write_clicks(directory / "clicks.wav")
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x48:rate=25:duration=4", "-c:v", "mpeg4", "-g", "12", directory / "v.mkv")
    for container, codec in ("mp4", "aac"), ("mkv", "flac"):
        def film(name, *options, before=()):
            ffmpeg("-i", directory / "v.mkv", *before, "-i", clicks, "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", codec,
                   *options, directory / f"{name}.{container}")
        film("late", before=("-itsoffset", "0.5"))
        film("hole", "-af", "aselect='lt(t,1.5)+gte(t,1.8)'")
        film("plain")
    ffmpeg("-ss", "0.2", "-i", directory / "plain.mp4", "-c", "copy", directory / "edited.mp4")
    return directory


@pytest.mark.parametrize("name, delay", [("late.mp4", 0.5), ("late.mkv", 0.5), ("hole.mp4", 0), ("hole.mkv", 0),
                                         ("edited.mp4", -0.2)])
@pytest.mark.parametrize("alignment", ["giblet", "exact"])
def test_each_click_keeps_its_time(ecdc, films, name, delay, alignment):
    """... to a frame, in the rows of features and in the sound that they become."""
    times = [at + delay for at in CLICKS]
    reference = write_clicks(ecdc.cwd / "reference.wav", times, 4.2)
    options = ["--tr", "0.72", "--alignment", alignment, "--partial", "-q"]
    sounds = []
    for source in films / name, reference:
        ecdc("features", source, "-o", "f.npy", "-f", *options)
        ecdc("reconstruct", "f.npy", "-o", "f.wav", "-f", "-q")
        sounds.append(files.read_wav(ecdc.cwd / "f.wav"))
    (rate, heard), (_, expected) = sounds
    for at in times:
        found = center_of_energy(heard, rate, at)
        assert abs(found - at) <= FRAME_S, (at, found)
        assert abs(found - center_of_energy(expected, rate, at)) <= FRAME_S
    if name == "late.mkv":  # lossless: every row is that of the same sound without a film around it
        codes, plain = ecdc.codes(films / name), ecdc.codes(reference)
        n = int(75 * (3.6 + 0.5)) - 20
        assert (codes[:, :n] == plain[:, :n]).mean() > 0.999


def test_what_features_say_about_time(ecdc, films):
    ecdc("features", films / "late.mkv", "-o", "a.npy", says="the sound starts at 0.500 s; silence stands before it")
    assert json.loads((ecdc.cwd / "a.json").read_text())["input"]["audio_start"] == 0.5
    ecdc("features", films / "hole.mkv", "-o", "b.npy", says="1 gap in the sound")
    said = json.loads((ecdc.cwd / "b.json").read_text())["input"]
    assert said["gaps"]["count"] == 1 and abs(said["gaps"]["seconds"] - 0.3) < 0.03
    assert said["overlaps"]["count"] == 0 and said["partial"] is False and said["track"] == 0


# -------------------------------------------------------------------------------------------------- tracks --


@pytest.fixture(scope="session")
def two_tracks(tmp_path_factory, media):
    path = tmp_path_factory.mktemp("tracks") / "two.mkv"
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x48:rate=10:duration=1", "-i", media(1, 8000), "-i", media(2, 44100), "-map", "0",
           "-map", "1", "-map", "2", "-c:v", "mpeg4", "-c:a", "flac", "-metadata:s:a:0", "language=eng", "-metadata:s:a:1",
           "language=fra", "-metadata:s:a:1", "title=Commentaire", path)
    return path


def test_a_track_is_chosen(ecdc, media, two_tracks):
    wanted = [ecdc.codes(media(1, 8000)), ecdc.codes(media(2, 44100))]
    assert not np.array_equal(*wanted)
    for track in 0, 1:
        assert np.array_equal(ecdc.codes(two_tracks, "--track", track), wanted[track])
    ecdc("features", two_tracks, "--track", 1, "--tr", "0.5", "-o", "f.npy")
    assert json.loads((ecdc.cwd / "f.json").read_text())["input"]["track"] == 1
    same = ecdc("compare", two_tracks, media(2, 44100), "--track", 1, "--json").json
    assert same["snr_db"] is None and same["sample_rate"] == 44100  # infinite


def test_info_lists_tracks(ecdc, two_tracks):
    info = ecdc("info", two_tracks, "--track", 0, "--json").json
    assert (info["track"], info["sample_rate"], info["channels"]) == (0, 8000, 1)
    keys = "track", "stream", "codec", "language", "title", "sample_rate", "channels"
    assert [tuple(t[k] for k in keys) for t in info["tracks"]] == [
        (0, 1, "flac", "eng", "", 8000, 1), (1, 2, "flac", "fra", "Commentaire", 44100, 2)]
    text = ecdc("info", two_tracks).text
    assert "tracks         track 1 stream 2 codec flac language fra title Commentaire sample_rate 44100" in text


def test_a_title_only_shows(ecdc, two_tracks):
    title = "\x1b[2JT\nkind model\x07"
    ffmpeg("-i", two_tracks, "-map", "0:a:0", "-c", "copy", "-metadata:s:a:0", f"title={title}", ecdc.cwd / "t.mkv")
    assert ecdc("info", "t.mkv", "--json").json["tracks"][0]["title"] == title
    text = ecdc("info", "t.mkv").text
    assert "title ?[2JT?kind model? sample_rate" in text and "\x1b" not in text and "\x07" not in text


def test_no_such_track(ecdc, two_tracks, sounds):
    says = "two.mkv: has no audio track 2; its audio tracks, counted from 0: 0 flac eng, 1 flac fra"
    for command in ["encode", two_tracks, "-o", "a.npy"], ["features", two_tracks, "-o", "a.npy"], ["info", two_tracks], \
                   ["compare", two_tracks, sounds["mono.wav"]]:
        ecdc.refuses(*command, "--track", 2, says=says)
    ecdc.refuses("info", sounds["mute.mp4"], "--track", 0, says="mute.mp4: has no audio track (found: video")
    for value in "-1", "x", "", "1.5", "99999999999":
        ecdc.refuses("info", two_tracks, f"--track={value}", status=2,
                     says=f"--track {value}: allowed is the number of an audio track, counted from 0")
    ecdc.refuses("decode", "a.npy", "-o", "b.wav", "--track", 1, status=2, says="decode: no option --track")


# --------------------------------------------------------------------------------------------------- pipes --


@pytest.mark.parametrize("name, options", [
    ("a.wav", []), ("a.flac", []), ("a.mp3", []), ("a.ogg", ["-c:a", "libvorbis"]), ("a.opus", []), ("a.mkv", ["-c:a", "aac"]),
    ("a.webm", ["-c:a", "libopus"]), ("a.ts", ["-c:a", "mp2"]), ("a.aac", []),
    ("a.mp4", ["-c:a", "aac", "-movflags", "frag_keyframe+empty_moov"]), ("b.mp4", ["-c:a", "aac", "-movflags", "faststart"]),
])
def test_standard_input(ecdc, media, name, options):
    ffmpeg("-i", media(2, 44100), *options, ecdc.cwd / name)
    whole, piped = ecdc.codes(name), None
    ecdc("encode", "-", "-o", "piped.npy", stdin=(ecdc.cwd / name).read_bytes())
    piped = np.load(ecdc.cwd / "piped.npy")
    if name == "a.mp3":  # the padding at its end is only known to who has seen it
        whole, piped = whole[:, :70], piped[:, :70]
    assert np.array_equal(whole, piped)


def test_a_pipe_with_its_index_at_the_end(ecdc):
    """An MP4 that cannot be read as a stream: more sound than a buffer holds, then the index."""
    rng = np.random.default_rng(1)
    files.write_wav(ecdc.cwd / "noise.wav", rng.integers(-9000, 9000, 10 * 48000), 48000)
    ffmpeg("-i", ecdc.cwd / "noise.wav", "-c:a", "aac", "-b:a", "256k", ecdc.cwd / "end.m4a")
    data = (ecdc.cwd / "end.m4a").read_bytes()
    ecdc("info", "end.m4a")
    ecdc.refuses("info", "-", stdin=data,
                 says=["standard input: its index (moov) stands behind the sound", "-movflags +faststart"])


# ----------------------------------------------------------------------------------------------- cut files --


@pytest.mark.parametrize("name, options", [("a.wav", []), ("a.flac", []), ("a.mp3", []), ("a.ogg", ["-c:a", "libvorbis"]),
                                           ("a.mp4", ["-c:a", "aac", "-movflags", "faststart"]), ("a.mkv", ["-c:a", "aac"])])
def test_cut_file(ecdc, sounds, name, options):
    ffmpeg("-i", sounds["talk.wav"], *options, ecdc.cwd / name)
    data, whole = (ecdc.cwd / name).read_bytes(), ecdc.codes(name)
    (ecdc.cwd / name).write_bytes(data[:len(data) * 7 // 10])
    for command in ["encode", name, "-o", "c.npy"], ["features", name, "-o", "c.npy"], ["info", name], \
                   ["compare", name, sounds["talk.wav"]]:
        ecdc.refuses(*command, says=[f"{name}: breaks off at ", " s", "; --partial-input takes what comes before"])
    note = "what comes before is used (--partial-input)"
    made = ecdc("encode", name, "-o", "c.npy", "--partial-input", "--json", says=[f"{name}: breaks off at ", note]).json
    part = np.load(ecdc.cwd / "c.npy")
    assert made["partial"] is True and 200 < part.shape[1] < 400
    n = part.shape[1] - 20
    assert (part[:, :n] == whole[:, :n]).mean() > 0.99  # the end of a sound is seen a few frames ahead, in the padding
    ecdc("features", name, "-o", "f.npy", "--partial-input", "-q")
    said = json.loads((ecdc.cwd / "f.json").read_text())["input"]
    assert said["partial"] is True and f"{name}: breaks off at " in said["broken_off"]
    assert ecdc("info", name, "--partial-input", "--json", says=note).json["partial"] is True
    ecdc("compare", name, sounds["talk.wav"], "--partial-input", says=note)


def test_partial_input_of_a_whole_file(ecdc, sounds):
    r = ecdc("encode", sounds["short.wav"], "-o", "a.npy", "--partial-input", "--json")
    assert r.json["partial"] is False and r.stderr == ""
    assert np.array_equal(np.load(ecdc.cwd / "a.npy"), ecdc.codes(sounds["short.wav"]))


def test_nothing_readable_before_the_cut(ecdc, sounds):
    shutil.copy(sounds["film.mp4"], ecdc.cwd / "cut.mp4")
    with open(ecdc.cwd / "cut.mp4", "r+b") as f:
        f.truncate(sounds["film.mp4"].stat().st_size - 1)
    for options in [], ["--partial-input"]:
        ecdc.refuses("encode", "cut.mp4", "-o", "a.npy", *options, says="cut.mp4: has no index (moov), or a part of one")
    (ecdc.cwd / "head.wav").write_bytes(sounds["short.wav"].read_bytes()[:44])
    for options in [], ["--partial-input"]:
        ecdc.refuses("encode", "head.wav", "-o", "a.npy", *options, says="head.wav: breaks off at 0.000 s of 1.250 s")
