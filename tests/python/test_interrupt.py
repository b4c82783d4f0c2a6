"""Ctrl-C ends a call, wherever it is; and others work while one waits."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import ecdc
from run import SPEECH, TINY

SECONDS = 60  # until a child counts as hung


def interrupted(script, *arguments, feed=None):
    """Runs Python code that prints "ready" and then works for ever; interrupts it; what it printed after that."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.Popen([sys.executable, "-c", script, *map(str, arguments)], env=env, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True,
                             preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # the caller may ignore it
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
