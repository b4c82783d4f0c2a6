"""bench/quality.py's document, from measures made up: which claims hold follows from the figures, and models are named."""

import sys
import types

import pytest
from run import ROOT

MEASURES = {"STOI": 0.5, "ESTOI": 0.4, "PESQ": 1.5, "SNR, dB": 3.0, "SI-SDR, dB": 2.0}
DEFAULT = {"name": "small", "sha256": "ab" * 32}
KBPS = [1.5, 3, 6, 12, 24]


@pytest.fixture
def quality(monkeypatch):
    """The module without the packages that measure."""
    for name in ("numpy", "pesq", "pystoi", "soundfile", "soxr"):
        try:
            __import__(name)
        except ImportError:
            monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    for name in ("quality", "evaluate", "report"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import quality
    yield quality
    for name in ("quality", "evaluate", "report"):
        sys.modules.pop(name, None)


def found(quality, models, stoi, mel=0.86, joined=0.36):
    measures = {(m, k): {**MEASURES, "STOI": stoi} for m in models for k in KBPS}
    measures.update({("Opus", k): {**MEASURES, "STOI": 0.7} for k in (6, 12)})
    return {**measures, (quality.MEL, None): {**MEASURES, "STOI": mel}, (quality.MEL_AS_GIBLET, None): {**MEASURES, "STOI": joined}}


def sizes():
    one = 1976 * 112
    made = {(k, d): round(one * k / 0.75 * width) for k in KBPS for d, width in (("int16", 2), ("int64", 8))}
    return {**made, ("mel", "float32"): 1976 * 2048 * 65 * 4}


def test_without_the_published_model(quality):
    text = quality.document(["a.flac"], [found(quality, ["default"], 0.60)], sizes(), {"default": DEFAULT})
    assert "## a.flac" in text and "| ecdc, `small` (the default model) | 1.5 | 0.60 | 0.40 | 1.50 | 3.0 | 2.0 |" in text
    assert "no row is made by it" in text and "Not checked: its weights are not on this machine" in text
    assert "0.60 / 0.60 / 0.60 / 0.60 / 0.60 on these recordings, as much or more at no bandwidth" in text
    assert "1052.18 MB" in text and "Does not hold" in text and "| 1.5 | 0.65 | 0.60 |  |" in text
    assert "The claim is one about the padding" in text


def test_with_the_published_model(quality):
    models = {"default": DEFAULT, quality.PUBLISHED: {"name": "encodec_24khz", "sha256": "cd" * 32}}
    runs = [found(quality, models, 0.80, mel=0.45), found(quality, models, 0.90, mel=0.45)]
    text = quality.document(["a.flac", "b.flac"], runs, sizes(), models)
    assert "## Mean of the 2" in text and "| ecdc, `encodec_24khz` (the published model) | 3 | 0.85 |" in text
    assert "Measured with it here; the published model has" in text and "as much or more at 1.5, 3, 6 kbps" in text
    assert "padding, not about mel" not in text and "It holds" in text


def test_the_page_in_the_repository_is_one_of_its_own(quality):
    """Its headings and the claims are those that the tool writes today, and its sizes are true."""
    text = (ROOT / "docs" / "QUALITY.md").read_text()
    made = quality.document(["jfk.flac"], [found(quality, ["default"], 0.60)], sizes(), {"default": DEFAULT})
    for line in made.splitlines():
        if line.startswith("#") or line.startswith("| the overview") or line.startswith("| codes at") or line.startswith("| mel,"):
            assert line in text, line
