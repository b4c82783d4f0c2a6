"""Live comparisons of the ecdc command with the Python packages that define EnCodec: transformers and encodec.

ECDC names the command (default: build/ecdc of this repository). `pytest -rA` or `-s` shows the figures of each test.
"""
import shutil
import subprocess

import numpy as np
import pytest
from compare import BINARY, RATE, ROOT, TINY, Command, Peer, write_wav


@pytest.fixture(scope="session")
def workplace(tmp_path_factory):
    return tmp_path_factory.mktemp("peers")


@pytest.fixture(scope="session")
def random_model(workplace):
    """The published architecture at full size with generated weights, as a directory."""
    directory = workplace / "random"
    Command(workplace / "no-hub")("model", "convert", "random:encodec_24khz", directory, "-q")
    return directory


@pytest.fixture(scope="session")
def hub(workplace, random_model):
    """A model cache in which the generated weights stand under the published name."""
    repository = workplace / "hub" / "hub" / "models--facebook--encodec_24khz"
    commit = "0123456789abcdef0123456789abcdef01234567"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    shutil.copytree(random_model, repository / "snapshots" / commit)
    return workplace / "hub"


@pytest.fixture(scope="session")
def ecdc(hub):
    if not BINARY.is_file():
        pytest.fail(f"{BINARY} is not there: build it, or name another one with ECDC=FILE")
    return Command(hub)


@pytest.fixture(scope="session")
def speech(workplace):
    """20 s of real sound: (samples, the same as a WAV file). The recording of 11 s is followed by itself."""
    if not shutil.which("ffmpeg"):
        pytest.fail("the ffmpeg command is needed to read the recording")
    done = subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-stream_loop", "1", "-i", ROOT / "audio" / "jfk.flac",
                           "-t", "20", "-ac", "1", "-ar", str(RATE), "-f", "f32le", "-"], capture_output=True, check=True)
    samples = np.frombuffer(done.stdout, "<f4")[:20 * RATE]
    assert len(samples) == 20 * RATE
    return samples, write_wav(workplace / "speech.wav", samples)


@pytest.fixture(scope="session")
def short_speech(workplace, speech):
    """2.01 s: the last frame is not complete, and 2 codebooks fill no whole number of bytes."""
    samples = speech[0][12345:12345 + 48311]
    return samples, write_wav(workplace / "short.wav", samples)


@pytest.fixture(scope="session")
def random_peer(random_model):
    return Peer(random_model)


@pytest.fixture(scope="session")
def tiny_peer():
    return Peer(TINY)
