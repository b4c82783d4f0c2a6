"""The package on sounds made here, beside the command, with an empty cache of models."""

import json
import subprocess

import numpy as np
import pytest

from places import BINARY, SPEECH


@pytest.fixture(autouse=True)
def no_hub(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "no-hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)


@pytest.fixture
def command(tmp_path):
    """command(...) runs ecdc in tmp_path."""
    def run(*args):
        done = subprocess.run([BINARY, *map(str, args)], cwd=tmp_path, capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if "--json" in args else done.stdout
    return run


@pytest.fixture(scope="session")
def speech():
    """11 s of speech at 24 kHz, float32."""
    done = subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-i", SPEECH, "-ac", "1", "-ar", "24000", "-f", "f32le", "-"],
                          capture_output=True, check=True)
    return np.frombuffer(done.stdout, "<f4")
