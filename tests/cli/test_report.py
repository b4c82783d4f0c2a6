"""ecdc report: the page and the figure, what they hold, and what is refused. (A browser shows the page in tests/peers.)"""

import base64
import html.parser
import json
import re
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from run import SANITIZED, SPEECH, TINY

import files


class Page(html.parser.HTMLParser):
    """Elements as (tag, attributes), and the text of those that have an id."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self._open = [], {}, None
        self.rows, self._cell = [], None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.elements.append((tag, attributes))
        if tag == "script":
            self._open = attributes.get("id", "")
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")
            self._cell = True

    def handle_endtag(self, tag):
        if tag == "script":
            self._open = None
        if tag in ("th", "td"):
            self._cell = None

    def handle_data(self, data):
        if self._open is not None:
            self.texts[self._open] = self.texts.get(self._open, "") + data
        elif self._cell:
            self.rows[-1][-1] += data

    def data(self, name, dtype):
        return np.frombuffer(base64.b64decode(self.texts[name]), dtype)

    @property
    def about(self):
        return json.loads(self.texts["report"])


@pytest.fixture(scope="module")
def page(ecdc_once):
    ecdc_once("report", SPEECH, "-b", "6,1.5", "--alignment", "exact", "-o", "speech.html", says="speech.html: 7 TRs, 11.00 s")
    return Page((ecdc_once.cwd / "speech.html").read_text("utf-8"))


def test_the_page_needs_nothing_else(page):
    for tag, attributes in page.elements:
        assert tag not in ("iframe", "object", "embed", "img", "base")
        for name, value in attributes.items():
            if name in ("src", "href", "srcset", "data", "action", "poster"):
                assert value == "data:,", (tag, name, value)
    code = page.texts[""]
    assert not re.search(r"https?:|//\w+\.\w|\bfetch\(|XMLHttpRequest|\bimport\b|WebSocket", code)
    policy, = [a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none';") and "http" not in policy


def test_its_parts(page):
    tags = [tag for tag, _ in page.elements]
    assert ("html", {"lang": "en"}) in page.elements
    for tag in "header", "main", "footer", "h1", "table":
        assert tag in tags
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    for tag, attributes in page.elements:  # everything one can press has a name
        if tag == "button" and attributes.get("id") not in ("loop", "all"):
            assert attributes["aria-label"]
        for name in attributes.get("aria-labelledby", "").split():
            assert name in ids
    assert not re.search(r"\{\{\w+\}\}", str(page.texts[""]))


def test_measures_are_those_of_compare(page, ecdc_once):
    ecdc_once("encode", SPEECH, "-b", "6", "-o", "six.npy", "-q")
    ecdc_once("decode", "six.npy", "-o", "six.wav", "--float", "-q")
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", SPEECH, "-ac", "1", "-af", "aresample=24000:resampler=soxr:rematrix_maxval=1",
                    "-c:a", "pcm_f32le", ecdc_once.cwd / "mono.wav"], check=True, stdin=subprocess.DEVNULL)
    m = ecdc_once("compare", "mono.wav", "six.wav", "--json").json
    six = next(row for row in page.rows if row[0] == "6 kbps")
    assert six[1] == "8"
    for text, name, tolerance in zip(six[2:], ("stoi", "estoi", "snr_db", "si_sdr_db", "lsd_db"), (.002, .002, .02, .02, .1)):
        assert float(text.replace("\N{MINUS SIGN}", "-")) == pytest.approx(m[name], abs=tolerance)


def test_trs_are_those_of_features(page, ecdc_once):
    ecdc_once("features", SPEECH, "--alignment", "exact", "-o", "f.npy", "-q")
    table = [line.split("\t") for line in (ecdc_once.cwd / "f.tsv").read_text().splitlines()[1:]]
    rows = [row for row in page.rows if re.fullmatch(r"\d+", row[0])]
    assert [(int(r[0]), float(r[1]), float(r[2]), int(r[3])) for r in rows] == [
        (int(t[0]), float(t[1]), float(t[2]), int(t[3])) for t in table]
    assert all(len(row) == 7 for row in rows)


def test_codes_are_those_of_encode(page, ecdc_once):
    about = page.about
    assert about["bandwidths_kbps"] == [6, 1.5] and about["codebooks"] == [8, 2] and about["n_codebooks"] == 8
    codes = page.data("codes", "<u2").reshape(-1, 8).T
    assert np.array_equal(codes, ecdc_once.codes(SPEECH, "-b", "6"))
    assert about["n_frames"] == codes.shape[1] and about["n_trs"] == 7 and about["tr_s"] == 1.5


def test_pictures(page):
    about = page.about
    assert about["column_s"] * about["n_columns"] == pytest.approx(about["duration_s"], abs=about["column_s"])
    for i in range(3):
        envelope = page.data(f"envelope-{i}", "i1").reshape(-1, 2)
        assert len(envelope) == about["n_columns"] and (envelope[:, 0] <= envelope[:, 1]).all()
        levels = page.data(f"levels-{i}", "u1").reshape(-1, about["n_bands"])
        assert len(levels) == about["n_columns"] and levels.max() > 150
    assert "envelope-3" not in page.texts


def test_sound_plays_at_its_place(page, ecdc_once):
    """Left the original, right the reconstruction, both from sample 0 on: AAC keeps no bits, but it keeps time."""
    (ecdc_once.cwd / "pair.mp4").write_bytes(page.data("sound-1", "u1").tobytes())
    done = subprocess.run(["ffmpeg", "-v", "error", "-i", ecdc_once.cwd / "pair.mp4", "-f", "f32le", "-"], capture_output=True, check=True,
                          stdin=subprocess.DEVNULL)
    pair = np.frombuffer(done.stdout, "<f4").reshape(-1, 2)
    ecdc_once("encode", SPEECH, "-b", "6", "-o", "six.npy", "-q", "-f")
    ecdc_once("decode", "six.npy", "-o", "six.wav", "--float", "-q", "-f")
    _, decoded = files.read_wav(ecdc_once.cwd / "six.wav")
    n = round(page.about["duration_s"] * 24000)
    assert n <= len(pair) < n + 2048
    for channel, lag in ((1, 0), (1, 5), (1, -5), (0, 0)):
        heard, true = pair[100:n - 100, channel], decoded[100 - lag:n - 100 - lag]
        snr = 10 * np.log10(np.sum(true**2) / np.sum((heard - true)**2))
        if (channel, lag) == (1, 0):
            best = snr
            assert snr > 12
        else:
            assert snr < best - 5


def test_the_same_bytes_for_any_threads(ecdc, sounds):
    pages = []
    for threads in 1, 3:
        ecdc("report", sounds["talk.wav"], "-m", TINY, "--threads", threads, "-f", "-o", "x.html", "-q")
        pages.append((ecdc.cwd / "x.html").read_bytes())
    assert pages[0] == pages[1]
    assert ecdc("report", sounds["talk.wav"], "-m", TINY, "-o", "-", "--format", "html").stdout == pages[0]


def test_json(ecdc, sounds):
    r = ecdc("report", sounds["talk.wav"], "-b", "1.5,3", "-m", TINY, "-o", "x.html", "--json")
    assert [b["bandwidth"] for b in r.json["bandwidths"]] == [1.5, 3] and r.json["samples"] == 158477 and r.json["n_trs"] == 4
    assert r.json["bytes"] == (ecdc.cwd / "x.html").stat().st_size and r.json["partial"] is False
    assert set(r.json["bandwidths"][0]) == {"bandwidth", "stoi", "estoi", "snr_db", "si_sdr_db", "lsd_db"}


def test_names_are_shown_as_they_are(ecdc, sounds):
    name = "<b>Tom & \"Jerry\"</b>.wav"
    (ecdc.cwd / "d").mkdir()
    (ecdc.cwd / "d" / name.replace("/", "|")).write_bytes(sounds["short.wav"].read_bytes())
    ecdc("report", "d/" + name.replace("/", "|"), "-m", TINY, "-o", "x.html")
    text = (ecdc.cwd / "x.html").read_text("utf-8")
    assert "<h1>&lt;b&gt;Tom &amp; &quot;Jerry&quot;&lt;|b&gt;.wav</h1>" in text
    odd = b"\xff\xe4.wav"
    (ecdc.cwd / "d").joinpath(odd.decode(errors="surrogateescape")).write_bytes(sounds["short.wav"].read_bytes())
    ecdc("report", "d/" + odd.decode(errors="surrogateescape"), "-m", TINY, "-o", "y.html", "-q")
    assert "<h1>&#xfffd;&#xfffd;.wav</h1>" in (ecdc.cwd / "y.html").read_text("utf-8")


def test_short_and_silent_sound(ecdc, sounds):
    files.write_wav(ecdc.cwd / "one.wav", np.array([1000], np.int16))
    files.write_wav(ecdc.cwd / "silence.wav", np.zeros(48000, np.int16))
    for name, trs in ("one", 0), ("silence", 1):
        ecdc("report", f"{name}.wav", "-m", TINY, "-o", f"{name}.html")
        ecdc("report", f"{name}.wav", "-m", TINY, "-o", f"{name}.png")
        page = Page((ecdc.cwd / f"{name}.html").read_text("utf-8"))
        assert page.about["n_trs"] == trs
        measures = next(row for row in page.rows if row[0] == "3 kbps")
        assert measures[2] == "\N{EN DASH}"
    r = ecdc("report", "silence.wav", "-m", TINY, "-o", "silence.html", "-f", says="silence.html: 1 TR, 2.00 s of sound")
    size, unit = r.stderr.split()[-2:]
    assert float(size) * {"kB": 1e3, "MB": 1e6}[unit] == pytest.approx((ecdc.cwd / "silence.html").stat().st_size, abs=5e4)
    assert float(size) > 0


def test_what_was_mended_is_said(ecdc, sounds):
    ecdc("report", sounds["late.mkv"], "-m", TINY, "-o", "x.html", says="the sound starts at 0.750 s")
    assert "The sound starts at 0.750 s; silence stands before it." in (ecdc.cwd / "x.html").read_text()
    cut = ecdc.cwd / "cut.wav"
    cut.write_bytes(sounds["talk.wav"].read_bytes()[:150000])
    ecdc.refuses("report", cut, "-m", TINY, "-o", "y.html", says=["cut.wav", "--partial-input takes what comes before"])
    ecdc("report", cut, "-m", TINY, "-o", "y.html", "--partial-input", says="what comes before is used")


def test_what_comes_before_is_offered_only_where_there_is_something(ecdc, sounds):
    hint = "--partial-input takes what comes before"
    broken = np.zeros(48000, np.float32)
    broken[0] = np.nan
    files.write_float_wav(ecdc.cwd / "nan.wav", broken)
    files.write_wav(ecdc.cwd / "nosamples.wav", [])
    (ecdc.cwd / "empty.wav").touch()
    np.save(ecdc.cwd / "f.npy", np.zeros((3, 4, 112), int))
    for name in sounds["mute.mp4"], "nan.wav", "nosamples.wav", "empty.wav", "f.npy":
        r = ecdc.refuses("report", name, "-m", TINY, "-o", "x.html", says=Path(name).name)
        assert hint not in r.stderr, r.stderr
    broken[0], broken[30000] = 0, np.nan
    files.write_float_wav(ecdc.cwd / "late.wav", broken)
    ecdc.refuses("report", "late.wav", "-m", TINY, "-o", "x.html", says=["late.wav: the sample at 1.250000 s", hint])
    ecdc("report", "late.wav", "-m", TINY, "-o", "x.html", "-q", "--partial-input")


def read_png(data):
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height, depth, kind = struct.unpack(">IIBB", data[16:26])
    assert (depth, kind) == (8, 2)
    done = subprocess.run(["ffmpeg", "-v", "error", "-f", "png_pipe", "-i", "-", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], input=data,
                          capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.uint8).reshape(height, width, 3)


def test_figure(ecdc):
    ecdc("report", SPEECH, "-o", "x.png", says="x.png: 7 TRs")
    picture = read_png((ecdc.cwd / "x.png").read_bytes())
    assert picture.shape[1] == 1600 and 900 < picture.shape[0] < 1200
    assert (picture[:8] == 255).all()  # paper
    dark = (picture.astype(int).sum(axis=2) < 300)
    assert dark[20:60, 92:300].sum() > 200  # the title
    labels = picture.astype(int).sum(axis=2) < 400
    assert labels[:, 20:80].sum() > 100     # of the axes
    ecdc("report", SPEECH, "-b", "3,24", "-o", "y.png", "-q")
    assert read_png((ecdc.cwd / "y.png").read_bytes()).shape[0] > picture.shape[0]


def test_size_of_ten_minutes(ecdc):
    """Real speech, at the default bandwidth: what a mail takes. Memory does not grow with the sound but by the codes."""
    subprocess.run(["ffmpeg", "-v", "error", "-stream_loop", "-1", "-i", SPEECH, "-t", "600", "-ac", "1", "-ar", "24000", ecdc.cwd / "ten.wav"],
                   check=True, stdin=subprocess.DEVNULL)
    long = ecdc("report", "ten.wav", "-m", TINY, "-o", "x.html", "--json").json
    assert long["bytes"] < 25e6
    about = Page((ecdc.cwd / "x.html").read_text("utf-8")).about
    assert about["n_columns"] <= 40960 and about["duration_s"] == 600
    short = ecdc("report", SPEECH, "-m", TINY, "-o", "y.html", "--json").json
    if not SANITIZED:
        assert long["peak_rss_mb"] < short["peak_rss_mb"] + 8


@pytest.mark.parametrize("args, says, status", [
    (("-o", "x.txt"), "-o x.txt: a name that ends in .html or .png is needed, or --format html|png", 2),
    (("-o", "x.html", "-b", "3,3"), "bandwidth 3 kbps is named twice", 1),
    (("-o", "x.html", "-b", "3,4"), "4", 1),
    (("-o", "no/x.html",), "no", 1),
    (("-o", "x.html", "--track", "3"), "track 3", 1),
])
def test_refusals(ecdc, sounds, args, says, status):
    ecdc.refuses("report", sounds["short.wav"], *args, status=status, says=says)


def test_bad_input(ecdc, sounds):
    (ecdc.cwd / "text.wav").write_text("no sound at all")
    ecdc.refuses("report", "text.wav", "-o", "x.html", says="text.wav")
    ecdc.refuses("report", "missing.wav", "-o", "x.html", says="missing.wav")
    files.write_wav(ecdc.cwd / "empty.wav", np.zeros(0, np.int16))
    ecdc.refuses("report", "empty.wav", "-o", "x.html", says="empty.wav: no sound")
    ecdc.refuses("report", sounds["mute.mp4"], "-o", "x.html", says="mute.mp4")
    (ecdc.cwd / "here.html").write_text("mine")
    ecdc.refuses("report", sounds["short.wav"], "-o", "here.html", says=["here.html", "-f"])
    assert (ecdc.cwd / "here.html").read_text() == "mine"
    ecdc.refuses("report", sounds["short.wav"], "-m", TINY.parent / "tiny48", "-o", "x.html", says="encodes chunks with scales")
    ecdc.refuses("report", sounds["short.wav"], "-o", "x.html", env={"TMPDIR": "/nowhere"}, says="/nowhere")
