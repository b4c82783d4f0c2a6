import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path[:0] = [str(Path(__file__).parent / "cli"), str(Path(__file__).parent / "tools")]

import files  # noqa: E402
import run  # noqa: E402

# A script that starts the tests in the background (./check &) has them ignore SIGINT, and so would every run that they interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The package of the source tree with the library of the build under test; where there is none, the installed package.
LIBRARY = run.BINARY.parent / "libecdc.so"
if LIBRARY.is_file():
    os.environ.setdefault("ECDC_LIBRARY", str(LIBRARY))
    sys.path.insert(0, str(run.ROOT / "python"))


@pytest.fixture(scope="session")
def empty_hub(tmp_path_factory):
    """No model is cached, whatever this machine has."""
    if not run.BINARY.is_file():
        pytest.exit(f"{run.BINARY} is not there: build it, or name another one with ECDC=FILE", returncode=2)
    return tmp_path_factory.mktemp("hub")


@pytest.fixture
def ecdc(tmp_path, empty_hub):
    """The command, in a directory of its own."""
    command = run.Ecdc(tmp_path, empty_hub)
    yield command
    command.end_what_runs()


@pytest.fixture(scope="session")
def ecdc_once(tmp_path_factory, empty_hub):
    """The command for what a whole session shares."""
    return run.Ecdc(tmp_path_factory.mktemp("shared"), empty_hub)


def voice(n, rate=24000, seed=1):
    """Something like speech: a buzz with a moving pitch under a slow envelope, and noise. -1 ... 1."""
    t = np.arange(n) / rate
    pitch = 120 + 40 * np.sin(2.1 * t) + seed
    buzz = 1 - 2 * (np.cumsum(pitch / rate) % 1)
    noise = np.random.default_rng(seed).uniform(-1, 1, n)
    return (0.6 + 0.4 * np.sin(9 * t)) * 0.2 * buzz + 0.02 * noise


def int16(x):
    return np.rint(32767 * x).astype(np.int16)


def ffmpeg(*args):
    done = subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, args)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


class Sounds:
    """Files with sound, made when they are first asked for. Each name with a point is a file."""

    def __init__(self, directory):
        self.directory = directory

    def __getitem__(self, name):
        path = self.directory / name
        if not path.exists():
            make = getattr(self, "make_" + name.replace(".", "_"))
            make(path)
        return path

    # mono, 24 kHz: the model's own rate, so that sample counts are exact
    def make_short_wav(self, path):
        files.write_wav(path, int16(voice(29999)))

    def make_talk_wav(self, path):
        files.write_wav(path, int16(voice(158477)))  # 6.6032 s, 495.24 frames

    # the same sound in several files
    def make_mono_wav(self, path):
        files.write_wav(path, int16(voice(44100, 44100)), 44100)

    def make_mono_flac(self, path):
        ffmpeg("-i", self["mono.wav"], path)

    def make_twin_wav(self, path):
        one = int16(voice(44100, 44100))
        files.write_wav(path, np.stack([one, one], axis=1), 44100)

    def make_stereo_wav(self, path):
        left, right = int16(voice(57601, 48000)), int16(voice(57601, 48000, seed=2))
        files.write_wav(path, np.stack([left, right], axis=1), 48000)

    def make_stereo_mp3(self, path):
        ffmpeg("-i", self["stereo.wav"], "-b:a", "128k", path)

    def make_film_mp4(self, path):
        encoders = subprocess.run(["ffmpeg", "-v", "quiet", "-encoders"], capture_output=True, text=True).stdout
        video = ["libx264", "-preset", "ultrafast"] if "libx264" in encoders else ["mpeg4"]
        ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x48:rate=10:duration=3",
               "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100:duration=3",
               "-c:v", *video, "-pix_fmt", "yuv420p", "-c:a", "aac", "-shortest", path)

    def make_mute_mp4(self, path):
        ffmpeg("-i", self["film.mp4"], "-an", "-c:v", "copy", path)

    def make_late_mkv(self, path):
        ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x48:rate=10:duration=3", "-itsoffset", "0.75",
               "-i", self["short.wav"], "-map", "0:v", "-map", "1:a", "-c:v", "mpeg4", "-c:a", "flac", path)


@pytest.fixture(scope="session")
def sounds(tmp_path_factory):
    if not shutil.which("ffmpeg"):
        pytest.fail("the ffmpeg command is needed to make films and compressed sound")
    return Sounds(tmp_path_factory.mktemp("sounds"))


@pytest.fixture(scope="session")
def default_model(ecdc_once):
    """The embedded model as a directory."""
    ecdc_once("model", "convert", "default", "default-model", "-q")
    return ecdc_once.cwd / "default-model"


@pytest.fixture(scope="session")
def loud_model(tmp_path_factory):
    """The small model with a last layer that is ten times as strong."""
    directory = tmp_path_factory.mktemp("loud-model")
    shutil.copy(run.TINY / "config.json", directory)
    header, tensors = files.read_safetensors((run.TINY / "model.safetensors").read_bytes())
    tensors = bytearray(tensors)
    names = [n for n in header if n.startswith("decoder.layers.15.conv.") and n.endswith(("original0", "bias"))]
    assert len(names) == 2
    for name in names:
        assert header[name]["dtype"] == "F32"
        begin, end = header[name]["data_offsets"]
        tensors[begin:end] = (10 * np.frombuffer(bytes(tensors[begin:end]), "<f4")).astype("<f4").tobytes()
    (directory / "model.safetensors").write_bytes(files.write_safetensors(header, bytes(tensors)))
    return directory
