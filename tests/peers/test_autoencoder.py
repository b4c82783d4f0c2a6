"""The code autoencoder in C beside PyTorch; the examples and the scripts of its pages, small; what the page on the synthetic study says."""
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import safetensors.torch
import torch
from compare import BINARY, ROOT

sys.path[:0] = [str(ROOT / "examples"), str(ROOT / "docs")]

import code_autoencoder  # noqa: E402
import synthetic_study  # noqa: E402
import train_code_autoencoder as example  # noqa: E402

from ecdc.testing import make_study  # noqa: E402

SIZES = [  # (n_codebooks, frames, codebook_size), the rest
    ((4, 112, 1024), {}),
    ((2, 113, 1024), {"bottleneck": 17 * 8, "embedding": 20, "hidden": 37}),
    ((3, 10, 50), {"bottleneck": 15, "patch": 4, "embedding": 5, "hidden": 9}),
    ((1, 1, 7), {"bottleneck": 1, "patch": 1, "embedding": 1, "hidden": 1}),
]


def run_c(ecdc, directory, codes):
    np.save(directory / "c.npy", codes)
    ecdc("autoencoder", "run", directory / "m.safetensors", directory / "c.npy", "-o", directory / "o.npy", "-f", "-q",
         "--logits", directory / "l.npy", "--bottleneck", directory / "b.npy")
    return [np.load(directory / name) for name in ("o.npy", "l.npy", "b.npy")]


@pytest.mark.parametrize("size, settings", SIZES)
def test_logits_are_those_of_pytorch(ecdc, tmp_path, size, settings):
    torch.manual_seed(2)
    model = example.CodeAutoencoder(*size, **settings).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5)  # logits as large as after training
    example.save(model, tmp_path / "m.safetensors", {"model": "none"})
    codes = np.random.default_rng(0).integers(0, size[2], (9, *size[:2]))
    if size[1] > 1:
        codes[3, :, -1] = -1
    with torch.no_grad():
        logits, bottleneck = (x.numpy() for x in model(torch.from_numpy(codes)))
    back, logits_c, bottleneck_c = run_c(ecdc, tmp_path, codes)
    off = np.abs(logits_c - logits).max()
    print(f"{size}: logits up to {np.abs(logits).max():.1f}, off by {off:.1e}")
    assert logits_c.shape == logits.shape and off < 1e-4
    assert np.abs(bottleneck_c - bottleneck).max() < 1e-4
    best = np.take_along_axis(logits, np.maximum(back, 0)[..., None], -1)[..., 0]
    assert (best >= logits.max(-1) - 2e-4)[codes >= 0].all()  # where two are as good as equal, either may win
    assert (back == -1).sum() == (codes == -1).sum() and (back[codes == -1] == -1).all()


def test_the_exported_file_is_safetensors(tmp_path):
    model = example.CodeAutoencoder(2, 10, 50, bottleneck=10, patch=5, embedding=3, hidden=4, n_voxels=6)
    example.save(model, tmp_path / "m.safetensors", {})
    loaded = safetensors.torch.load_file(tmp_path / "m.safetensors")
    assert loaded.keys() == model.state_dict().keys()
    assert all(torch.equal(loaded[name], value) for name, value in model.state_dict().items())


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("study"), n_subjects=2, n_trs=30)


@pytest.fixture(scope="module")
def features(study, tmp_path_factory, ecdc):
    path = tmp_path_factory.mktemp("features") / "f.npy"
    ecdc("features", study.film, "-o", path, "-q")
    return path


def test_training_on_features_brings_codes_back(ecdc, features, tmp_path, capsys):
    example.main([str(features), "-o", str(tmp_path / "m.safetensors"), "--steps", "120", "--mix", "0", "--threads", "1"])
    losses = [float(x) for x in re.findall(r"loss (\d+\.\d+)", capsys.readouterr().out)]
    assert losses[-1] < 4 < np.log(1024)
    codes = np.load(features)
    back, logits, _ = run_c(ecdc, tmp_path, codes)
    right = (back == codes)[:24].mean()
    print(f"{100 * right:.1f} % of the codes it was trained on come back")
    assert right > 0.25  # chance: 0.1 %
    ecdc("autoencoder", "run", tmp_path / "m.safetensors", features, "-o", tmp_path / "back.npy", "-q")
    ecdc("reconstruct", tmp_path / "back.npy", "-o", tmp_path / "back.wav", "-q")
    assert (tmp_path / "back.wav").stat().st_size > 30 * 1.5 * 24000


def test_training_with_scans(ecdc, study, tmp_path, capsys):
    few = [str(study.path), "--model", "default", "--steps", "20", "--hidden", "64", "--batch", "8", "--threads", "1"]
    example.main([*few, "-o", str(tmp_path / "m.safetensors"), "--fmri-weight", "0.1"])
    tensors = safetensors.torch.load_file(tmp_path / "m.safetensors")
    assert tensors["fmri_head.weight"].shape == (study.mask.sum(), 2048)
    codes = np.random.default_rng(0).integers(0, 1024, (2, 4, 112))
    assert run_c(ecdc, tmp_path, codes)[0].shape == codes.shape

    example.main([*few, "-o", str(tmp_path / "f.safetensors"), "--source", "fmri", "--lag", "2"])
    assert "embedding" not in safetensors.torch.load_file(tmp_path / "f.safetensors")
    refused = ecdc.run("autoencoder", "run", tmp_path / "f.safetensors", tmp_path / "c.npy", "-o", tmp_path / "x.npy")
    assert refused.returncode == 1 and "to make codes from scans" in refused.stderr
    assert capsys.readouterr().out.count("ms per step") == 2


def test_lagged_scans_belong_to_their_codes(study):
    import ecdc as package
    dataset = package.MultimodalDataset(study.path, model="default", as_torch=True)
    lagged = example.Lagged(dataset, 3)
    assert len(lagged) == 2 * (30 - 3)
    for i, (subject, tr) in ((0, (0, 0)), (26, (0, 26)), (27, (1, 0)), (53, (1, 26))):
        assert torch.equal(lagged[i]["audio"], dataset[subject * 30 + tr]["audio"])
        assert torch.equal(lagged[i]["fmri"], dataset[subject * 30 + tr + 3]["fmri"])


@pytest.mark.parametrize("arguments, says", [
    (["--bottleneck", "2047"], "2032 would do"),
    (["--fmri-weight", "1"], "codes alone; --source fmri and --fmri-weight need a study with scans"),
])
def test_wrong_arguments(features, tmp_path, arguments, says):
    with pytest.raises((ValueError, SystemExit)) as e:
        example.main([str(features), "-o", str(tmp_path / "m"), *arguments])
    assert says in str(e.value)


@pytest.mark.parametrize("rows, says", [
    (np.zeros((1, 2, 14), int), r"\(1, 2, 14\), two TRs or more are needed"), (np.zeros((5, 0, 14), int), "two TRs or more are needed"),
    (np.full((5, 2, 14), 1024), "1024 to 1024, codes are 0 to 1023"), (np.full((5, 2, 14), -2), "-2 to -2, codes are 0 to 1023"),
])
def test_features_that_cannot_be_trained_on(tmp_path, rows, says):
    np.save(tmp_path / "few.npy", rows)
    with pytest.raises(ValueError, match="few.npy: .*" + says):
        example.main([str(tmp_path / "few.npy"), "-o", str(tmp_path / "m"), "--bottleneck", "2", "--steps", "1"])


def test_a_missing_directory_is_said_before_the_training(features, tmp_path, monkeypatch):
    monkeypatch.setattr(example, "train", None)
    with pytest.raises(SystemExit, match="none/m: there is no directory .*none"):
        example.main([str(features), "-o", str(tmp_path / "none" / "m")])


def test_the_demonstration(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python"), "ECDC_LIBRARY": str(BINARY.parent / "libecdc.so")}
    done = subprocess.run([sys.executable, ROOT / "examples" / "encodec_audio_encoder_demo.py", "--out", tmp_path / "demo", "--ecdc", BINARY,
                           "--trs", "12", "--steps", "8"], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert re.search(r"\d+\.\d % of the codes came back through 2048 numbers per TR\nSTOI -?\d\.\d\d against the sound", done.stdout)
    assert (tmp_path / "demo" / "autoencoder.wav").is_file()


def test_the_measurements_of_the_page(study, monkeypatch):
    """Small: what it says is not the point, that it can be said is."""
    monkeypatch.setattr(code_autoencoder, "TIMED_STEPS", 1)
    monkeypatch.setattr(code_autoencoder, "BATCH", 4)
    measured = code_autoencoder.measure(0.5, study.film)
    assert [row["name"] for row in measured["rows"]] == list(code_autoencoder.VARIANTS)
    assert all(0 <= row["right"] <= 1 and row["step_ms"] > row["front_ms"] > 0 for row in measured["rows"])
    assert "random codes, for comparison" in code_autoencoder.page(measured)


def test_causal_latents_find_the_planted_voxels_and_nothing_else_does(tmp_path):
    study = make_study(tmp_path, n_subjects=1, n_trs=400, n_planted=40, seed=1)
    found, _, planted = synthetic_study.measure(study)
    means = {name: (r[:, planted].mean(), r[:, ~planted].mean()) for name, (_, r) in found.items()}
    print(means)
    inside, outside = means.pop("latents, causal response")
    assert inside > 0.55 and abs(outside) < 0.1
    assert (found["latents, causal response"][1][:, planted] > 0.5).mean() > 0.6  # 0.99 with the 920 TRs of the page
    for name, (inside, outside) in means.items():
        assert inside < 0.35 and abs(outside) < 0.1, name
    assert synthetic_study.page(study, found, planted).count("\n| ") == 7
