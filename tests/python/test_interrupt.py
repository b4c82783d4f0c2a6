"""Ctrl-C ends a call, wherever it is; and others work while one waits."""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import ecdc
import hub_server
from ecdc import _interrupt
from run import SPEECH, TINY

SECONDS = 60  # until a child counts as hung


def interrupted(script, *arguments, feed=None):
    """Runs Python code that prints "ready" and then works for ever; interrupts it; what it printed after that."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.Popen([sys.executable, "-c", script, *map(str, arguments)], env=env, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == "ready\n", child.stderr.read()
        if feed:
            feed()
        time.sleep(0.5)  # into the call
        child.send_signal(signal.SIGINT)
        stdout, stderr = child.communicate(timeout=SECONDS)
    finally:
        child.kill()
        child.wait()
    said = [line for line in stderr.splitlines() if not line.startswith("[wav @")]  # FFmpeg's own words
    assert not said and child.returncode == 0, stderr
    return stdout


WORK = """
import sys, numpy as np, ecdc
model = ecdc.Model("random:encodec_24khz")
model.encode(np.zeros(24000), threads=1)
print("ready", flush=True)
try:
    {call}
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("call", [
    "model.encode(np.zeros(24000 * 36000, np.float32), threads=1)",
    "model.decode(np.zeros((4, 75 * 36000), int), threads=1)",
    "ecdc.AudioProcessor(model='random:encodec_24khz', threads=1).audio_to_features((np.zeros(24000 * 36000, np.float32), 24000))",
])
def test_long_calls(call):
    assert interrupted(WORK.format(call=call)) == "interrupted\n"


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    path = tmp_path_factory.mktemp("scan") / "scan.nii"
    ecdc.fmri.save(np.ones((4, 4, 4, 3000), np.float32), np.eye(4), path)
    return path


@pytest.mark.parametrize("_", range(3))
def test_a_call_that_tells_its_progress(scan, _):
    """An interrupt that is pending when the library calls, or comes while Python shows what it was told, is as good as any."""
    script = """
import sys, numpy as np, ecdc
from ecdc import _interrupt, _library
from ecdc._library import byref, call, lib
mask = ecdc.fmri.Mask(np.ones((4, 4, 4)), np.eye(4))
out, told = np.empty((3000, 64), np.float32), []
print("ready", flush=True)
try:
    while True:
        handle, settings = ecdc.fmri._open(sys.argv[1]), lib.ecdc_default_scan_settings()
        with _interrupt.stoppable(settings) as caught:
            settings.progress = _interrupt.callback(_library.SHARE_FUNCTION, lambda _, share: told.append(share), caught)
            call(lib.ecdc_nifti_extract, handle.pointer, mask._handle.pointer, byref(settings), out, byref(_library.Extraction()))
except KeyboardInterrupt:
    assert told[:3000] == sorted(told[:3000]) and told[0] > 0 and (len(told) < 3000 or told[2999] == 1)
    print("interrupted")
"""
    assert interrupted(script, scan) == "interrupted\n"


def hit(_signal, _frame):
    raise KeyboardInterrupt


@pytest.mark.parametrize("listener", [_interrupt._listen, lambda caught: _interrupt._hear(max, 2, caught)], ids=["stop", "callback"])
def test_no_moment_is_unguarded(listener):
    """Interrupts between any two steps of what the library calls: a generator that one gets out of is over, and no Ctrl-C after it
    would be heard. 2 000 of them; of a loop around `try` instead of inside, one in ten escaped."""
    before = signal.signal(signal.SIGALRM, hit)
    n_caught = 0
    try:
        for i in range(2000):
            caught = []
            generator = listener(caught)
            next(generator)
            try:
                signal.setitimer(signal.ITIMER_REAL, (30 + i % 50) * 1e-6)
                any(map(generator.send, itertools.repeat(0, 20_000)))  # any: of a stop function until it says 1
            except KeyboardInterrupt:
                pass  # before the loop had begun, or out of the generator
            assert generator.gi_frame is not None, f"interrupt {i} got out"
            n_caught += len(caught)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert n_caught > 1000


class Broken:
    """A terminal where Ctrl-C is typed when it is first written to."""

    def __init__(self, n_before=0):
        self.n_before = n_before

    def isatty(self):
        return True

    def write(self, text):
        if self.n_before == 0:
            signal.raise_signal(signal.SIGINT)
        self.n_before -= 1

    def flush(self):
        pass


@pytest.fixture
def default_interrupt():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("n_before", [0, 2])
def test_a_download_that_is_announced(monkeypatch, default_interrupt, capsys, n_before):
    """In the announcement, and in the progress (print writes twice)."""
    hub = hub_server.Hub()
    hub.add("some-lab/tiny", {name: (TINY / name).read_bytes() for name in ("config.json", "model.safetensors")})
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr("sys.stderr", Broken(n_before))
    try:
        with pytest.raises(KeyboardInterrupt):
            ecdc.hub.fetch("some-lab/tiny")
    finally:
        hub.close()
    with pytest.raises(ecdc.EcdcError, match="some-lab/tiny"):
        ecdc.Model("some-lab/tiny")


def test_a_study_that_is_built(tmp_path, monkeypatch, default_interrupt):
    folder = tmp_path / "sherlock_nii"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for i in (1, 2):
        ecdc.fmri.save(rng.normal(100, 5, (4, 4, 4, 6)), np.eye(4), folder / f"sherlock_movie_s{i}.nii.gz", tr=1.5)
    (tmp_path / "stimuli_film.mp4").write_bytes(SPEECH.read_bytes())
    monkeypatch.setattr("sys.stderr", Broken())
    with pytest.raises(KeyboardInterrupt):
        ecdc.MultimodalDataset(tmp_path, model=TINY, encodec_bandwidth=6.0, as_torch=False)


@pytest.mark.parametrize("call", ["get_audio_info", "audio_to_features"])
@pytest.mark.parametrize("begun", [False, True])
def test_a_pipe_that_is_silent(tmp_path, call, begun):
    """The library waits in the middle of a read, or already for the first bytes."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    script = f"""
import sys, ecdc
p = ecdc.AudioProcessor(model=sys.argv[2])
print("ready", flush=True)
try:
    p.{call}(sys.argv[1])
except KeyboardInterrupt:
    print("interrupted")
"""
    writer = os.open(pipe, os.O_RDWR)
    try:
        raw = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\1\0\1\0\xc0\x5d\0\0\x80\xbb\0\0\2\0\x10\0data\xff\xff\xff\xff" + bytes(50000)
        assert interrupted(script, pipe, TINY, feed=(lambda: os.write(writer, raw)) if begun else None) == "interrupted\n"
    finally:
        os.close(writer)


def test_other_threads_go_on_while_one_reads(tmp_path):
    """The reader waits for a pipe that is filled by another thread of the same interpreter: it must have given up the GIL."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    p = ecdc.AudioProcessor(model=TINY)
    found = []
    reader = threading.Thread(target=lambda: found.append(p.audio_to_features(pipe)[0]), daemon=True)
    reader.start()
    with open(pipe, "wb") as f:
        f.write(SPEECH.read_bytes())
    reader.join(SECONDS)
    assert not reader.is_alive()
    np.testing.assert_array_equal(found[0], p.audio_to_features(SPEECH)[0])
