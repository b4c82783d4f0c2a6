"""Weight files between the programs: what ecdc writes, torch, encodec and transformers load; what torch writes, ecdc reads; and
`ecdc model verify` with the real transformers."""
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from compare import BINARY, ROOT, TINY, published_package
from transformers import EncodecModel


@pytest.mark.parametrize("name", ["encodec_24khz", "encodec_48khz"])
def test_encodec_loads_what_is_written(ecdc, tmp_path, name):
    """At full size, strictly; and the same state saved by torch again is the same model."""
    encodec = published_package()
    ecdc("model", "convert", f"random:{name}", tmp_path / "th", "--format", "th", "-q")
    state = torch.load(tmp_path / "th" / "checkpoint.th", weights_only=True)
    model = getattr(encodec.EncodecModel, "encodec_model_" + name.removeprefix("encodec_"))(pretrained=False)
    model.load_state_dict(state)
    torch.save(model.state_dict(), tmp_path / "again.th")
    about = json.loads(ecdc("info", tmp_path / "again.th", "--json"))
    assert (about["sampling_rate"], about["channels"]) == (model.sample_rate, model.channels)
    assert about["bandwidths"] == model.target_bandwidths
    wanted = json.loads(ecdc("info", f"random:{name}", "--json"))
    assert about["parameters"] == wanted["parameters"]
    ecdc("model", "convert", tmp_path / "again.th", tmp_path / "back", "--format", "th", "-q")
    back = torch.load(tmp_path / "back" / "checkpoint.th", weights_only=True)
    assert state.keys() == back.keys() and all(torch.equal(state[k], back[k]) for k in state)


def test_transformers_loads_what_is_written(ecdc, tmp_path):
    ecdc("model", "convert", TINY, tmp_path / "th", "--format", "th", "-q")
    ecdc("model", "convert", tmp_path / "th" / "checkpoint.th", tmp_path / "st", "-q")
    ecdc("model", "convert", TINY, tmp_path / "half", "--dtype", "float16", "-q")
    wanted = EncodecModel.from_pretrained(TINY).state_dict()
    for directory, dtype in ("st", torch.float32), ("half", torch.float16):
        model, info = EncodecModel.from_pretrained(tmp_path / directory, output_loading_info=True)
        assert not info["missing_keys"] and not info["mismatched_keys"]
        state = model.state_dict()
        assert state.keys() == wanted.keys()
        assert all(torch.equal(state[k], wanted[k].to(dtype).to(torch.float32)) for k in state if "cluster" not in k
                   and "avg" not in k)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_what_torch_writes(ecdc, tmp_path, speech, dtype):
    """In each dtype, wrapped and not, deflated or not: the codes of the same tensors as safetensors."""
    from safetensors.torch import load_file, save_file
    tensors = {k: v.to(dtype) for k, v in load_file(TINY / "model.safetensors").items()}
    directory = tmp_path / "st"
    directory.mkdir()
    shutil.copy(TINY / "config.json", directory)
    save_file(tensors, directory / "model.safetensors", {"format": "pt"})
    torch.save({"state_dict": tensors}, tmp_path / "wrapped.th")
    codes = [ecdc.encode(speech[1], tmp_path / "c.npy", "-m", model, "-b", "6")
             for model in (directory, tmp_path / "wrapped.th")]
    assert np.array_equal(*codes)


def test_verify(ecdc, random_model):
    report = json.loads(ecdc("model", "verify", random_model, "--python", sys.executable, "--json"))
    assert report["pass"] is True
    rows = report["comparisons"]
    assert [row["bandwidth"] for row in rows] == [1.5, 3, 6, 12, 24]
    for row in rows:
        print(row)
        assert row["equal_codebook_0"] >= 0.9999 and row["gap"] < 1e-4 and row["sound_error"] < 1e-4
    assert rows[-1]["codes"] == 32 * 750 and rows[-1]["equal"] >= 0.999


@pytest.mark.parametrize("name", ["decoder.layers.15.conv.bias", "encoder.layers.15.conv.bias"])
def test_verify_fails_where_the_weights_differ(tmp_path, name):
    """One number of the weights that transformers gets is another: of the decoder, the sound differs; of the encoder, the codes."""
    from safetensors.torch import load_file, save_file
    directory, work = tmp_path / "other", tmp_path / "work"
    directory.mkdir(), work.mkdir()
    shutil.copy(TINY / "config.json", directory)
    tensors = load_file(TINY / "model.safetensors")
    tensors[name][0] += 0.05
    save_file(tensors, directory / "model.safetensors", {"format": "pt"})
    done = subprocess.run([sys.executable, ROOT / "cli" / "verify.py", BINARY, TINY, directory, work, "", "1"], capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert report["pass"] is False and not any(row["pass"] for row in report["comparisons"])
    for row in report["comparisons"]:
        codes_differ = row["equal"] < 1
        assert codes_differ == name.startswith("encoder")
        assert codes_differ or row["sound_error"] > 0.01
