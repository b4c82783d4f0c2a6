"""Files that break off: what is said, what is kept quiet, what may be used of them."""

import os
import subprocess
import sys

import ecdc
import pytest
from run import SPEECH

READS = """
import ctypes, importlib.util, os, sys
beside = importlib.util.find_spec("ecdc").submodule_search_locations[0]
library = ctypes.CDLL(os.environ.get("ECDC_LIBRARY") or beside + "/libecdc.so")
if sys.argv[2]:
    library.av_log_set_level(int(sys.argv[2]))
import ecdc
assert library.av_log_get_level() == int(sys.argv[2] or -8)
try:
    ecdc.AudioProcessor(use_encodec=False).audio_to_features(sys.argv[1])
except ecdc.EcdcError as e:
    print(e)
"""


@pytest.fixture(scope="module")
def cut(tmp_path_factory):
    """Speech that ends within a frame."""
    path = tmp_path_factory.mktemp("cut") / "cut.flac"
    path.write_bytes(SPEECH.read_bytes()[:300000])
    return path


@pytest.mark.parametrize("level", ["", "16"])
def test_ffmpeg_is_quiet_unless_the_program_has_set_a_level(cut, level):
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", READS, cut, level], capture_output=True, text=True, env=environment, check=True)
    assert "cut.flac" in done.stdout and ("[flac @" in done.stderr) == (level != ""), done.stderr
