"""Models of other shapes than the published one: what config.json allows is computed as transformers computes it."""
import numpy as np
import pytest
import torch
from transformers import EncodecConfig, EncodecModel

from compare import write_wav

SMALL = dict(num_filters=8, hidden_size=32, codebook_dim=32, upsampling_ratios=[8, 5, 4, 2], target_bandwidths=[1.5, 6.0])
SHAPES = {
    "small": {},
    "even kernels": dict(kernel_size=6, last_kernel_size=4, residual_kernel_size=2),
    "kernels of one": dict(kernel_size=1, last_kernel_size=1, residual_kernel_size=1),
    "long kernels": dict(kernel_size=31, last_kernel_size=15, residual_kernel_size=9),
    "a ratio of one": dict(upsampling_ratios=[8, 5, 1, 4, 2]),
    "one ratio": dict(upsampling_ratios=[64]),
    "odd ratios": dict(upsampling_ratios=[7, 3, 5]),
    "no residual layers": dict(num_residual_layers=0),
    "dilated": dict(num_residual_layers=3, dilation_growth_rate=3, residual_kernel_size=5),
    "dilated, two channels inside": dict(num_residual_layers=2, compress=8, num_filters=16),
    "dilated, identity": dict(use_conv_shortcut=False, compress=8, num_residual_layers=3),
    "compress 3": dict(compress=3),
    "one LSTM layer": dict(num_lstm_layers=1),
    "three LSTM layers": dict(num_lstm_layers=3),
    "three filters": dict(num_filters=3),
    "odd widths": dict(num_filters=17, hidden_size=33, codebook_dim=33),
    "few entries": dict(codebook_size=64),
}
LENGTHS = [1, 2, 7, 64, 319, 321, 2240, 5001]


@pytest.fixture(scope="module", params=SHAPES.values(), ids=SHAPES.keys())
def model(request, tmp_path_factory):
    torch.manual_seed(1)
    model = EncodecModel(EncodecConfig(**{**SMALL, **request.param})).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "bias" in name:
                parameter.normal_(0, 0.1)
        scale = model.encoder(0.3 * torch.randn(1, 1, 4000)).std()
        for layer in model.quantizer.layers:  # entries of the size of what is left over
            layer.codebook.embed.copy_(scale * torch.randn_like(layer.codebook.embed))
            scale = 0.7 * scale
    directory = tmp_path_factory.mktemp("shape")
    model.save_pretrained(directory)
    return model, directory


@pytest.mark.parametrize("cpu", ["auto", "avx2", "reference"])
def test_shape(ecdc, model, cpu, tmp_path):
    model, directory = model
    torch.manual_seed(2)
    samples = 0.3 * torch.randn(LENGTHS[-1])
    sound = tmp_path / "in.wav"
    probe = ecdc.run("encode", write_wav(sound, samples[:640].numpy()), "-o", tmp_path / "probe.npy", "-m", directory, "-q",
                     "-b", 6, "--cpu", cpu)
    if "has no" in probe.stderr:
        pytest.skip(probe.stderr)
    for n in LENGTHS:
        write_wav(sound, samples[:n].numpy())
        with torch.no_grad():
            want = model.encode(samples[None, None, :n], bandwidth=6.0).audio_codes
            want_sound = model.decode(want, [None])[0][0, 0].numpy()
        options = ("-m", directory, "--cpu", cpu)
        codes = ecdc.encode(sound, tmp_path / "codes.npy", "-b", 6, *options)
        np.testing.assert_array_equal(codes, want[0, 0].numpy(), err_msg=f"{n} samples")
        decoded = ecdc.decode(want[0, 0].numpy(), tmp_path / "out", *options)
        assert decoded.shape == want_sound.shape
        assert np.abs(decoded - want_sound).max() < 1e-4 * max(1, np.abs(want_sound).max()), f"{n} samples"
