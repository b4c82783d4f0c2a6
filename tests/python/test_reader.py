"""Files that break off: what is said, what is kept quiet, what may be used of them."""

import json
import os
import subprocess
import sys

import ecdc
import numpy as np
import pytest
from files import write_wav
from run import SPEECH, TINY

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


def test_a_file_that_breaks_off_is_an_error_with_a_remedy(cut, tmp_path):
    processor = ecdc.AudioProcessor(model=TINY)
    for use in (processor.audio_to_features, processor.get_audio_info, ecdc.AudioProcessor(use_encodec=False).audio_to_features,
                lambda path: ecdc.report(path, tmp_path / "r.html", model=TINY)):
        with pytest.raises(ecdc.EcdcError, match=r"cut.flac: (breaks off|is damaged) at .*; partial_input=True takes what comes "
                                                 "before$") as e:
            use(cut)
        assert e.value.status == "ECDC_E_FORMAT"
    assert not (tmp_path / "r.html").exists()


def test_what_comes_before_a_break_is_the_commands(cut, command):
    said = command("features", cut, "-o", "f.npy", "-m", TINY, "--partial-input").stderr
    for mode in "encodec", "latent":
        with pytest.warns(UserWarning, match="cut.flac: .*; what comes before is used$") as caught:
            features, metadata = ecdc.AudioProcessor(model=TINY, mode=mode).audio_to_features(cut, partial_input=True)
        assert len(caught) == 1 and caught[0].filename == __file__
        assert str(caught[0].message).partition(";")[0] in said and len(features) == len(np.load(command.cwd / "f.npy"))
        assert metadata.attrs["input"] == json.loads((command.cwd / "f.json").read_text())["input"]
        assert metadata.attrs["input"]["partial"] is True and "cut.flac" in metadata.attrs["input"]["broken_off"]


def test_the_other_functions_take_what_comes_before(cut, tmp_path):
    for use in (lambda: ecdc.AudioProcessor(model=TINY).get_audio_info(cut, partial_input=True)["n_trs"],
                lambda: len(ecdc.AudioProcessor(use_encodec=False).audio_to_features(cut, partial_input=True)[0]),
                lambda: ecdc.report(cut, tmp_path / "r.html", model=TINY, partial_input=True)["n_trs"]):
        with pytest.warns(UserWarning, match="cut.flac: .*; what comes before is used$") as caught:
            assert 0 < use() < 7
        said = [w.filename for w in caught if "what comes before" in str(w.message)]
        assert said == [__file__]


def test_partial_input_of_a_whole_file(recwarn):
    processor = ecdc.AudioProcessor(model=TINY)
    features, metadata = processor.audio_to_features(SPEECH, partial_input=True)
    np.testing.assert_array_equal(features, processor.audio_to_features(SPEECH)[0])
    assert metadata.attrs["input"]["partial"] is False and "broken_off" not in metadata.attrs["input"] and not recwarn.list


def test_nothing_comes_before(tmp_path):
    write_wav(tmp_path / "head.wav", np.zeros(24000, np.int16), 24000)
    os.truncate(tmp_path / "head.wav", 44)
    (tmp_path / "text.wav").write_text("no sound at all")
    for partial_input in False, True:
        for name in "head.wav", "text.wav":
            with pytest.raises(ecdc.EcdcError, match=name) as e:
                ecdc.AudioProcessor(model=TINY).audio_to_features(tmp_path / name, partial_input=partial_input)
            assert "partial_input" not in str(e.value)
