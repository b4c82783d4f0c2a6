"""The package beside the command, with an empty cache of models."""

import subprocess

import numpy as np
import pytest
from run import SPEECH


@pytest.fixture(autouse=True)
def no_hub(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "no-hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)


@pytest.fixture
def command(ecdc):
    """The fixture of the command under a name that is not the package's."""
    return ecdc


@pytest.fixture(scope="session")
def speech():
    """11 s of speech at 24 kHz, float32."""
    done = subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-i", SPEECH, "-ac", "1", "-ar", "24000", "-f", "f32le", "-"],
                          capture_output=True, check=True)
    return np.frombuffer(done.stdout, "<f4")
