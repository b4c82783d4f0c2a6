"""The page of `ecdc report` in Chromium: it shows, it plays, it can be used with a keyboard. ECDC_SCREENSHOTS=DIR keeps pictures."""
import os
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from browser import Browser
from compare import ROOT

SPEECH = ROOT / "audio" / "jfk.flac"
SIZES = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]
PLAYING = "files[player.file].audio"


@pytest.fixture(scope="module")
def page(ecdc, workplace):
    path = workplace / "speech.html"
    ecdc("report", SPEECH, "-m", "default", "-b", "1.5,6", "-o", path, "-q")
    return path


@pytest.fixture
def browser(tmp_path):
    b = Browser(tmp_path)
    yield b
    b.close()
    assert b.complaints == []
    assert all(url.startswith((b.home, "data:", "blob:", "about:")) for url in b.requests), b.requests


@pytest.mark.parametrize("width, scheme", SIZES)
def test_it_shows(browser, page, width, scheme):
    browser.open(page, width, 900, scheme)
    browser.js("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert browser.js("document.documentElement.scrollWidth") <= width  # nothing makes a phone scroll sideways
    light = browser.js("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (min(light) > 200) if scheme == "light" else (max(light) < 60)
    # each picture has ink of more than one colour
    inks = browser.js("canvases.map(c => new Set(new Uint32Array(c.canvas.getContext('2d')"
                      ".getImageData(0, 0, c.canvas.width, c.canvas.height).data.buffer)).size)")
    kinds = browser.js("canvases.map(c => c.kind)")
    assert kinds == ["wave", "levels"] * 3 + ["codes", "axis"]
    assert all(n > 40 for n, kind in zip(inks, kinds) if kind in ("levels", "codes")) and min(inks) > 1
    # what one can press is large enough for a finger, and has a name
    for name, size in browser.js("[...document.querySelectorAll('button')].filter(b => b.offsetParent)"
                                 ".map(b => [b.getAttribute('aria-label') || b.textContent.trim(), Math.min(b.offsetWidth, b.offsetHeight)])"):
        assert name and size >= 32, (name, size)
    if os.environ.get("ECDC_SCREENSHOTS"):
        Path(os.environ["ECDC_SCREENSHOTS"], f"report-{width}-{scheme}.png").write_bytes(browser.screenshot())


def test_it_plays_from_a_tr(browser, page):
    browser.open(page, 1280, 900, "light")
    browser.click("tr[data-tr='3'] button")
    browser.wait(f"!{PLAYING}.paused && {PLAYING}.currentTime > 4.6")
    assert browser.js(f"{PLAYING}.currentTime") < 8
    assert browser.js("document.querySelector('tr.now').dataset.tr") == "3"
    browser.click("#play")
    browser.wait(f"{PLAYING}.paused")
    for tr in 5, 0, 2:  # to the very start
        browser.js(f"toTr({tr})")
        browser.wait(f"!{PLAYING}.seeking")
        assert browser.js(f"{PLAYING}.currentTime") == pytest.approx(1.5 * tr, abs=1e-6)


def test_original_and_reconstruction_at_the_same_place(browser, page):
    browser.open(page, 1280, 900, "light")
    assert browser.js("player.source") == 1
    browser.click("#play")
    browser.wait(f"{PLAYING}.currentTime > 0.3")
    before = browser.js(f"{PLAYING}.currentTime")
    browser.press("x")
    assert browser.js("player.source") == 0
    browser.wait("files[0].gains[0].value > 0.98 && files[0].gains[1].value < 0.02")
    browser.press("2")  # another file: it goes on where the first one was
    assert browser.js("[player.source, player.file]") == [2, 1]
    browser.wait(f"{PLAYING}.currentTime > {before} + 0.3 && files[0].audio.paused && !{PLAYING}.paused")
    assert browser.js("[...document.querySelectorAll('#sources input')].findIndex(i => i.checked)") == 2
    browser.press("0")
    assert browser.js("[player.source, player.file]") == [0, 1]


def test_pictures_are_a_way_to_a_place(browser, page):
    browser.open(page, 1280, 900, "light")
    browser.click(".track[data-sound='2'] canvas", x=0.5)
    browser.wait(f"player.source === 2 && {PLAYING}.currentTime > 5")
    assert browser.js(f"{PLAYING}.currentTime") < 7.5
    browser.click("#in")
    browser.click("#in")
    browser.wait("!document.querySelector('#pan').hidden && view.length < 3")
    browser.click("#all")
    browser.wait("view.length === about.duration_s")


def test_keyboard(browser, page):
    browser.open(page, 1280, 900, "dark")
    browser.press(" ")
    browser.wait(f"!{PLAYING}.paused")
    browser.press(" ")
    browser.wait(f"{PLAYING}.paused")
    browser.js("seek(0)")
    for expected in 1.5, 3.0:
        browser.press("ArrowRight")
        browser.wait(f"!{PLAYING}.seeking && {PLAYING}.currentTime === {expected}")
    browser.press("ArrowLeft")
    browser.wait(f"!{PLAYING}.seeking && {PLAYING}.currentTime === 1.5")
    browser.press("l")
    assert browser.js("document.querySelector('#loop').getAttribute('aria-pressed')") == "true"
    browser.press(" ")
    browser.wait(f"{PLAYING}.currentTime > 2.5")
    browser.wait(f"{PLAYING}.currentTime < 2 && {PLAYING}.currentTime >= 1.45")  # again
    names, seen = [], browser.js("document.activeElement.tagName")
    for _ in range(14):  # everything can be reached, one after the other
        browser.press("Tab")
        names.append(browser.js("document.activeElement.id || document.activeElement.name || document.activeElement.tagName"))
    assert seen == "BODY" and {"previous", "play", "next", "loop", "source", "out", "in", "all", "stage", "trs-box"} <= set(names)
    assert browser.js("document.querySelector('#stage').getAttribute('aria-valuetext')").startswith("0:0")


def test_what_is_heard_is_the_sound_of_that_place(browser, page, tmp_path):
    """After a jump to a TR the first sample that comes out is that TR's first: recorded from the player's own graph, held against
    the recording. An AudioWorklet records, since it runs where the sound is made and loses nothing on a busy machine; Chromium
    loads its script from a server only, and where the page's policy allows it."""
    policy, text = "script-src 'unsafe-inline'", page.read_text()
    assert policy in text
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "page.html").write_text(text.replace(policy, policy + " 'self'"))
    (folder / "recorder.js").write_text(
        "registerProcessor('recorder', class extends AudioWorkletProcessor {"
        "  process(inputs) { if (inputs[0].length) this.port.postMessage(inputs[0][0].slice()); return true; } });")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser.open("http://127.0.0.1:%d/page.html" % server.server_port, 1280, 900, "light")
        browser.js("(async () => { window.heard = []; const context = player.context = new AudioContext();"
                   "await context.audioWorklet.addModule('recorder.js'); const recorder = new AudioWorkletNode(context, 'recorder');"
                   "recorder.port.onmessage = e => heard.push(...e.data); recorder.connect(context.destination);"
                   "const make = context.createMediaElementSource;"
                   "context.createMediaElementSource = function (element) {"
                   "  const source = make.call(this, element); source.connect(recorder); return source; }; })()")
        server.shutdown()
    browser.js("toTr(2)")
    browser.wait(f"!{PLAYING}.seeking")
    browser.click("#play")
    browser.wait(f"{PLAYING}.currentTime > 4.7")
    rate = browser.js("player.context.sampleRate")
    heard = np.array(browser.js("heard"), np.float64)
    first = np.flatnonzero(np.abs(heard) > 1e-6)[0]
    heard = heard[first:first + round(rate)]
    done = subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-i", SPEECH, "-af", "aresample=%d:rematrix_maxval=1" % rate, "-ac", "1",
                           "-f", "f32le", "-"], capture_output=True, check=True)
    sound = np.frombuffer(done.stdout, "<f4").astype(np.float64)
    start, lags = round(3 * rate), range(-round(0.05 * rate), round(0.05 * rate))
    match = [heard @ sound[start + lag:start + lag + len(heard)] for lag in lags]
    late_s = lags[int(np.argmax(match))] / rate
    print(f"sound of {late_s * 1000:+.2f} ms after the TR's start comes first")
    assert abs(late_s) < 0.0015
