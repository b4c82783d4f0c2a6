"""ecdc.report beside the command."""

import math

import numpy as np
import pytest
from run import SPEECH, TINY

import ecdc


def test_the_page_of_the_command(command, tmp_path, sounds):
    command("report", sounds["talk.wav"], "-m", TINY, "-b", "1.5,3", "--alignment", "exact", "--tr", "0.72", "-o", "command.html", "-q")
    r = ecdc.report(sounds["talk.wav"], tmp_path / "package.html", model=TINY, bandwidth=[1.5, 3], alignment="exact", tr=0.72)
    assert (tmp_path / "package.html").read_bytes() == (tmp_path / "command.html").read_bytes()
    j = command("report", sounds["talk.wav"], "-m", TINY, "-b", "1.5,3", "--tr", "0.72", "--alignment", "exact", "-o", "x.html", "--json").json
    assert r["n_samples"] == 158477 and r["n_frames"] == 496 and r["n_trs"] == 9 and r["sampling_rate"] == 24000
    assert r["n_bytes"] == (tmp_path / "package.html").stat().st_size
    for one in j["bandwidths"]:
        assert r["bandwidths"][one.pop("bandwidth")] == one


def test_figure_title_model(tmp_path, sounds):
    model = ecdc.Model(TINY)
    ecdc.report(SPEECH, tmp_path / "a.png", model=model, title="A name")
    ecdc.report(SPEECH, tmp_path / "b.png", model=model)
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG" and (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()
    ecdc.report(sounds["short.wav"], tmp_path / "a.html", model=model, title="<A & B>")
    assert "<h1>&lt;A &amp; B&gt;</h1>" in (tmp_path / "a.html").read_text()
    r = ecdc.report(sounds["short.wav"], tmp_path / "a.html", model=model, overwrite=True, threads=1)
    assert "<h1>short.wav</h1>" in (tmp_path / "a.html").read_text() and list(r["bandwidths"]) == [3.0]
    assert not math.isnan(r["bandwidths"][3.0]["snr_db"])


@pytest.mark.parametrize("arguments, says", [
    ({"bandwidth": "3"}, "bandwidth is '3', allowed are one or up to 16 numbers of kbps"),
    ({"bandwidth": []}, r"bandwidth is \[\]"), ({"bandwidth": None}, "bandwidth is None"),
    ({"bandwidth": (3, 3)}, "bandwidth 3 kbps is named twice"), ({"bandwidth": 4}, "4"),
    ({"tr": 0}, "tr is 0"), ({"alignment": "left"}, "alignment is 'left'"), ({"threads": 0}, "threads is 0"), ({"track": -1}, "track is -1"),
    ({"track": 5}, "track 5"), ({"model": "nowhere"}, "nowhere"),
])
def test_refusals(tmp_path, sounds, arguments, says):
    with pytest.raises(ValueError, match=says):
        ecdc.report(sounds["short.wav"], tmp_path / "x.html", **{"model": TINY, **arguments})
    assert list(tmp_path.glob("x*")) == []


def test_names_of_files(tmp_path, sounds):
    with pytest.raises(ValueError, match="the ending of output is '.txt', allowed are '.html', '.png'"):
        ecdc.report(sounds["short.wav"], tmp_path / "x.txt", model=TINY)
    with pytest.raises(FileNotFoundError, match="missing.wav"):
        ecdc.report(tmp_path / "missing.wav", tmp_path / "x.html", model=TINY)
    with pytest.raises(OSError, match="nowhere"):
        ecdc.report(sounds["short.wav"], tmp_path / "nowhere" / "x.html", model=TINY)
    (tmp_path / "here.html").write_text("mine")
    with pytest.raises(ecdc.EcdcError, match=r"here.html: exists already \(overwrite=True overwrites it\)$") as refused:
        ecdc.report(sounds["short.wav"], tmp_path / "here.html", model=TINY)
    assert refused.value.status == "ECDC_E_EXISTS" and (tmp_path / "here.html").read_text() == "mine"


def test_arrays_of_bandwidths(tmp_path, sounds):
    r = ecdc.report(sounds["short.wav"], tmp_path / "x.html", model=TINY, bandwidth=np.array([1.5, 3]))
    assert list(r["bandwidths"]) == [1.5, 3.0]
