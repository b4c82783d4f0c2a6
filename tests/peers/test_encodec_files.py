"""`.ecdc` files of ecdc against those of the published tool (the package encodec)."""
import importlib
import io
import json
import warnings

import numpy as np
import pytest
import safetensors.torch
import torch
from compare import HOP, TINY, check_sound, published_package, write_wav

NAME = "facebook/encodec_24khz"
encodec = published_package()
tool_files = importlib.import_module("encodec.compress")  # the package has a function of that name, too


class Written:
    """Stands for a model that has encoded to the codes given: the tool's writer asks it for nothing else."""
    name, bits_per_codebook = "encodec_24khz", 10

    def __init__(self, codes):
        self.codes = torch.from_numpy(codes.astype(np.int64))[None]

    def encode(self, wav):
        return [(self.codes, None)]


def write(codes, n_samples):
    return tool_files.compress(Written(codes), torch.zeros(1, n_samples), use_lm=False)


def read(data):
    """(header, codes) as the tool's reader finds them."""
    stream = io.BytesIO(data)
    header = encodec.binary.read_ecdc_header(stream)
    unpacker = encodec.binary.BitUnpacker(10, stream)
    frames = -(-header["al"] // HOP)
    codes = [[unpacker.pull() for _ in range(header["nc"])] for _ in range(frames)]
    assert not stream.read() and None not in codes[-1]
    return header, np.array(codes).T


@pytest.fixture(scope="module")
def tool(random_model):
    """The package's own 24 kHz model with the generated weights."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces the end of the weight norm that the package uses
        model = encodec.EncodecModel.encodec_model_24khz(pretrained=False)
    model.name = "encodec_24khz"  # without its own weights it is "unset"
    tensors = {}
    for name, tensor in safetensors.torch.load_file(random_model / "model.safetensors").items():
        name = name.replace(".layers.", ".model.", 1)
        name = name.replace("parametrizations.weight.original0", "weight_g")
        name = name.replace("parametrizations.weight.original1", "weight_v")
        if name.startswith("quantizer."):
            name = name.replace("quantizer.model.", "quantizer.vq.layers.").replace(".codebook.", "._codebook.")
        elif ".lstm." not in name:
            stem, last = name.split(".conv.")
            transposed = f"{stem}.convtr.convtr.{last}"
            name = transposed if transposed in model.state_dict() else f"{stem}.conv.conv.{last}"
        tensors[name] = tensor
    missing, unexpected = model.load_state_dict(tensors, strict=False)
    assert not unexpected
    assert all(name.endswith(("embed_avg", "cluster_size", "inited")) for name in missing)
    return model.eval()


@pytest.fixture
def published(tool, monkeypatch):
    """The tool finds that model under the published name."""
    monkeypatch.setitem(tool_files.MODELS, "encodec_24khz", lambda: tool)
    return tool


@pytest.mark.parametrize("kbps", [1.5, 3, 6, 12, 24])
def test_bytes(ecdc, short_speech, tmp_path, kbps):
    samples, wav = short_speech
    codes = ecdc.encode(wav, tmp_path / "codes.npy", "-m", NAME, "-b", kbps)
    ecdc("encode", wav, "-o", tmp_path / "out.ecdc", "-q", "-m", NAME, "-b", kbps)
    data = (tmp_path / "out.ecdc").read_bytes()
    assert data == write(codes, len(samples))
    header, found = read(data)
    assert header == {"m": "encodec_24khz", "al": len(samples), "nc": len(codes), "lm": False}
    assert np.array_equal(found, codes)


@pytest.mark.parametrize("n_samples", [1, 319, 320, 321, 1600])
def test_bytes_of_short_sounds(ecdc, short_speech, tmp_path, n_samples):
    wav = write_wav(tmp_path / "in.wav", short_speech[0][:n_samples])
    codes = ecdc.encode(wav, tmp_path / "codes.npy", "-m", NAME, "-b", 1.5)
    ecdc("encode", wav, "-o", tmp_path / "out.ecdc", "-q", "-m", NAME, "-b", 1.5)
    assert (tmp_path / "out.ecdc").read_bytes() == write(codes, n_samples)


def test_whole_tool(ecdc, published, short_speech, tmp_path):
    """The tool's own compress and decompress on the same sound and weights."""
    samples, wav = short_speech
    published.set_target_bandwidth(24.0)
    theirs = tool_files.compress(published, torch.from_numpy(samples.copy())[None], use_lm=False)
    ecdc("encode", wav, "-o", tmp_path / "out.ecdc", "-q", "-m", NAME, "-b", 24)
    ours = (tmp_path / "out.ecdc").read_bytes()
    equal = read(ours)[1] == read(theirs)[1]
    print(f"the tool's codes at 24 kbps: {100 * equal.mean():.3f} % of {equal.size} equal, files "
          f"{'equal' if ours == theirs else 'not equal'}")
    assert equal.mean() >= 0.999 and len(ours) == len(theirs)

    (tmp_path / "theirs.ecdc").write_bytes(theirs)
    sound, rate = tool_files.decompress(theirs)
    assert rate == 24000
    check_sound(sound[0].numpy(), ecdc.decode(tmp_path / "theirs.ecdc", tmp_path / "theirs"), "the tool's file, by ecdc")
    sound, rate = tool_files.decompress(ours)
    check_sound(sound[0].numpy(), ecdc.decode(tmp_path / "out.ecdc", tmp_path / "ours"), "ecdc's file, by the tool")


@pytest.mark.parametrize("n_codebooks", [2, 4, 8, 16, 32])
def test_any_codes(ecdc, published, tmp_path, n_codebooks):
    """ecdc decodes what the tool's writer made of arbitrary codes, all values and the last frame cut."""
    rng = np.random.default_rng(n_codebooks)
    codes, n_samples = rng.integers(0, 1024, (n_codebooks, 77)), 76 * HOP + 5
    data = write(codes, n_samples)
    (tmp_path / "in.ecdc").write_bytes(data)
    info = json.loads(ecdc("info", "--json", tmp_path / "in.ecdc"))
    assert (info["samples"], info["codebooks"], info["lm"]) == (n_samples, n_codebooks, False)
    sound, _ = tool_files.decompress(data)
    check_sound(sound[0].numpy(), ecdc.decode(tmp_path / "in.ecdc", tmp_path / "out"), f"{n_codebooks} codebooks")


@pytest.mark.parametrize("model", ["default", TINY], ids=["default", "directory"])
def test_other_models(ecdc, short_speech, tmp_path, model):
    """A model with another name adds a key to the header, which the tool's reader lets pass."""
    samples, wav = short_speech
    codes = ecdc.encode(wav, tmp_path / "codes.npy", "-m", model)
    ecdc("encode", wav, "-o", tmp_path / "out.ecdc", "-q", "-m", model)
    data = (tmp_path / "out.ecdc").read_bytes()
    header, found = read(data)
    info = json.loads(ecdc("info", "--json", model))
    assert header == {"m": info["name"], "al": len(samples), "nc": 4, "lm": False, "sha": info["sha256"][:16]}
    assert np.array_equal(found, codes)
    stream = io.BytesIO()
    encodec.binary.write_ecdc_header(stream, header)
    assert data.startswith(stream.getvalue())
    with pytest.raises(ValueError, match="unsupported model"):  # it knows its own two models only
        tool_files.decompress(data)
