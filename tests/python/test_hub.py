"""The package and the Hugging Face hub, played by a server on the loopback address."""

import warnings

import pytest

import ecdc
import hub_server
from run import TINY

FILES = {"config.json": (TINY / "config.json").read_bytes(), "model.safetensors": (TINY / "model.safetensors").read_bytes(),
         "README.md": b"---\nlicense: mit\n---\n"}


@pytest.fixture
def hub(monkeypatch):
    hub = hub_server.Hub()
    hub.add("facebook/encodec_24khz", FILES)
    hub.add("some-lab/tiny", FILES)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    yield hub
    hub.close()


def test_the_default_is_downloaded_once(hub, monkeypatch, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        processor = ecdc.AudioProcessor(encodec_bandwidth=6.0)
    assert processor.encodec_model.name == "encodec_24khz"
    said = capfd.readouterr().err
    assert "downloading facebook/encodec_24khz (" in said and "licence: mit" in said and hub.url in said
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert ecdc.AudioProcessor(encodec_bandwidth=6.0).encodec_model.sha256 == processor.encodec_model.sha256
    assert capfd.readouterr().err == ""


def test_a_named_model_is_downloaded(hub):
    assert ecdc.AudioProcessor(encodec_bandwidth=6.0, model="some-lab/tiny").encodec_model.name == "some-lab/tiny"
    assert ecdc.Model("some-lab/tiny").n_codebooks == 8


def test_model_itself_stays_offline(hub):
    with pytest.raises(ecdc.EcdcError, match="some-lab/tiny"):
        ecdc.Model("some-lab/tiny")


def test_offline_the_embedded_model_takes_its_place(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.warns(UserWarning, match=r"HF_HUB_OFFLINE(?s:.*)or use model='default': the embedded model .* takes the place of "
                                         "facebook/encodec_24khz"):
        processor = ecdc.AudioProcessor()
    assert processor.encodec_model.origin == "embedded"


def test_without_a_network_too(hub, monkeypatch):
    hub.close()
    with pytest.warns(UserWarning, match=r"no connection to(?s:.*)or use model='default': the embedded model .* takes the place of "
                                         "facebook/encodec_24khz"):
        processor = ecdc.AudioProcessor()
    assert processor.encodec_model.origin == "embedded" and processor.use_encodec


def test_what_the_hub_does_not_have(hub):
    with pytest.raises(ecdc.EcdcError, match="some-lab/absent"):
        ecdc.hub.fetch("some-lab/absent", quiet=True)
    with pytest.raises(ecdc.EcdcError, match="some-lab/absent"):
        ecdc.AudioProcessor(model="some-lab/absent", fallback="raise")
    with pytest.warns(UserWarning, match="mel spectrograms take the place"):
        assert not ecdc.AudioProcessor(model="some-lab/absent").use_encodec
