"""Codes and sound of ecdc against transformers' EncodecModel on the same weights."""
import json

import numpy as np
import pytest
import safetensors.torch
import torch
from compare import HOP, RATE, ROOT, TINY, Peer, check_codes, check_sound, write_wav

KERNELS = ["auto", "avx512", "avx2", "neon", "reference"]


def seconds_for(ecdc, cpu):
    """How much of the 20 s to compare with these kernels; skips those that `auto` covers or that are not here."""
    best = ecdc("--version").split("(")[1].split(")")[0]
    if cpu == best:
        pytest.skip("the same as auto")
    done = ecdc.run("bench", "--seconds", "0.5", "--repeats", "1", "--cpu", cpu, "-m", TINY, "-b", "1.5")
    if done.returncode:
        pytest.skip(done.stderr.strip())
    return 4 if "reference" in (cpu, best if cpu == "auto" else cpu) else 20


# ---------------------------------------------------------------------------------- full size, generated weights

@pytest.mark.parametrize("cpu", KERNELS)
def test_full_size_codes(ecdc, random_model, random_peer, speech, tmp_path, cpu):
    samples = speech[0][:seconds_for(ecdc, cpu) * RATE]
    wav = write_wav(tmp_path / "in.wav", samples)
    codes = ecdc.encode(wav, tmp_path / "codes.npy", "-m", random_model, "-b", 24, "--cpu", cpu)
    check_codes(random_peer, samples, 24.0, codes, f"full size, 24 kbps, {len(samples) // RATE} s, {cpu}")


@pytest.mark.parametrize("kbps", [24, 3])
@pytest.mark.parametrize("cpu", KERNELS)
def test_full_size_sound(ecdc, random_model, random_peer, speech, tmp_path, cpu, kbps):
    samples = speech[0][:seconds_for(ecdc, cpu) * RATE]
    codes = random_peer.encode(samples, float(kbps))
    sound = ecdc.decode(codes, tmp_path / "out", "-m", random_model, "--cpu", cpu)
    check_sound(random_peer.decode(codes), sound, f"full size, {kbps} kbps, {len(samples) // RATE} s, {cpu}")


# ------------------------------------------------------------------------------------------------- default model

@pytest.fixture(scope="module")
def default_peer():
    return Peer(ROOT / "model")


@pytest.mark.parametrize("kbps", [1.5, 3, 6, 12, 24])
def test_default_model(ecdc, default_peer, speech, tmp_path, kbps):
    samples = speech[0][:11 * RATE]
    wav = write_wav(tmp_path / "in.wav", samples)
    codes = ecdc.encode(wav, tmp_path / "codes.npy", "-b", kbps)
    check_codes(default_peer, samples, float(kbps), codes, f"default model, {kbps} kbps")
    codes = default_peer.encode(samples, float(kbps))
    check_sound(default_peer.decode(codes), ecdc.decode(codes, tmp_path / "out"), f"default model, {kbps} kbps")


# ---------------------------------------------------------------------------------------------------- tiny model

@pytest.mark.parametrize("kbps", [1.5, 3, 6])
def test_tiny_model(ecdc, tiny_peer, tmp_path, kbps):
    samples = np.load(TINY / "input.npy").reshape(-1)
    wav = write_wav(tmp_path / "in.wav", samples)
    codes = ecdc.encode(wav, tmp_path / "codes.npy", "-m", TINY, "-b", kbps)
    wanted = tiny_peer.encode(samples, float(kbps))
    assert np.array_equal(codes, wanted)
    assert codes.shape[1] == -(-len(samples) // HOP)
    check_sound(tiny_peer.decode(wanted), ecdc.decode(wanted, tmp_path / "out", "-m", TINY), f"tiny model, {kbps} kbps")


def as_stored(tensors, form):
    """The tensors of a model with parametrized weight norm, in another form that files have."""
    if form in ("F16", "BF16"):
        dtype = {"F16": torch.float16, "BF16": torch.bfloat16}[form]
        return {k: v.to(dtype) if v.is_floating_point() else v for k, v in tensors.items()}
    out = {}
    for name, tensor in tensors.items():
        stem, _, last = name.rpartition(".parametrizations.weight.")
        if not stem:
            out[name] = tensor
        elif form == "weight_g, weight_v":
            out[f"{stem}.weight_{'g' if last == 'original0' else 'v'}"] = tensor
        elif last == "original1":
            g = tensors[f"{stem}.parametrizations.weight.original0"]
            out[f"{stem}.weight"] = torch._weight_norm(tensor, g, 0)
    return out


def folded_peer(tensors):
    """transformers reads no folded files, but the model without its weight norms takes their tensors."""
    peer = Peer(TINY)
    for module in peer.model.modules():
        if torch.nn.utils.parametrize.is_parametrized(module, "weight"):
            torch.nn.utils.parametrize.remove_parametrizations(module, "weight")
    missing, unexpected = peer.model.load_state_dict(tensors, strict=False)
    assert not unexpected and not [name for name in missing if "conv" in name]
    return peer


@pytest.mark.parametrize("form", ["F16", "BF16", "weight_g, weight_v", "folded"])
def test_forms_of_files(ecdc, tiny_peer, tmp_path, form):
    tensors = as_stored(safetensors.torch.load_file(TINY / "model.safetensors"), form)
    config = json.loads((TINY / "config.json").read_text())
    config["dtype"] = {"F16": "float16", "BF16": "bfloat16"}.get(form, "float32")
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text(json.dumps(config))
    safetensors.torch.save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})
    peer = folded_peer(tensors) if form == "folded" else Peer(model)

    samples = np.load(TINY / "input.npy").reshape(-1)
    wav = write_wav(tmp_path / "in.wav", samples)
    codes = ecdc.encode(wav, tmp_path / "codes.npy", "-m", model, "-b", 6)
    wanted = peer.encode(samples, 6.0)
    print(f"{form}: {100 * (codes == wanted).mean():.3f} % of {wanted.size} codes equal to this form's, "
          f"{100 * (codes == tiny_peer.encode(samples, 6.0)).mean():.3f} % to the F32 form's")
    assert np.array_equal(codes, wanted)
    check_sound(peer.decode(wanted), ecdc.decode(wanted, tmp_path / "out", "-m", model), form)
