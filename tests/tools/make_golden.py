"""Writes tests/data/tiny24 and tests/data/tiny48 from folders of golden vectors.

A folder holds what transformers 5.23 / torch 2.15 (EncodecModel, float32, CPU) computed on a model with random,
well-conditioned weights: input.npy, codes_*kbps.npy, scales_*kbps.npy, decoded_*kbps.npy, layers.npz (the output of every layer
for the first 9 600 samples) and lengths.npz (codes and sound for the first n samples). Here each array becomes one .npy file
that the C tests can read; where there is one chunk only, codes lose the axis for chunks.

    python3 tests/tools/make_golden.py GOLDEN/tiny24 GOLDEN/tiny48       (needs numpy and safetensors)
"""
import pathlib
import shutil
import sys

import numpy as np
import safetensors.numpy

DATA = pathlib.Path(__file__).resolve().parents[1] / "data"


def save(target, name, array):
    path = target / (name + ".npy")
    path.parent.mkdir(exist_ok=True)
    np.save(path, np.ascontiguousarray(array))


def tiny24(source, target):
    shutil.copyfile(source / "model.safetensors", target / "model.safetensors")
    save(target, "input", np.load(source / "input.npy")[0])
    for kbps in ("1.5", "3", "6"):
        save(target, f"codes_{kbps}kbps", np.load(source / f"codes_{kbps}kbps.npy")[0])
        save(target, f"decoded_{kbps}kbps", np.load(source / f"decoded_{kbps}kbps.npy")[0])
    with np.load(source / "layers.npz") as layers:
        for name in layers:
            save(target, f"layers/{name}", layers[name].T)  # rows are time steps, as in the code
    with np.load(source / "lengths.npz") as lengths:
        for name in lengths:
            if name.startswith(("codes_", "decoded_")):
                save(target, f"lengths/{name}", lengths[name][0])


def int16(sound):
    assert np.abs(sound).max() < 1
    return np.round(sound * 32768).astype(np.int16).T  # rows are time steps


def some_rows(n):
    """Both ends, where the padding is, and now and then one in between."""
    return np.unique(np.concatenate([np.arange(min(n, 24)), np.arange(max(0, n - 24), n), np.arange(0, n, max(1, n // 40))]))


def tiny48(source, target):
    tensors = safetensors.numpy.load_file(source / "model.safetensors")
    needless = ("embed_avg", "cluster_size", "inited")  # of training only
    safetensors.numpy.save_file({k: v for k, v in tensors.items() if not k.endswith(needless)}, target / "model.safetensors",
                                metadata={"format": "pt"})
    sound = np.load(source / "input.npy")
    assert np.array_equal(int16(sound), sound.T * 32768)  # it came from 16 bits
    save(target, "input", int16(sound))
    for kbps in ("3", "6", "12", "24"):
        save(target, f"codes_{kbps}kbps", np.load(source / f"codes_{kbps}kbps.npy"))
    save(target, "scales", np.load(source / "scales_24kbps.npy"))  # the same at every bandwidth
    save(target, "decoded_24kbps", int16(np.load(source / "decoded_24kbps.npy")))
    with np.load(source / "layers.npz") as layers:
        for name in layers:
            rows = layers[name].T
            if name == "quantized":
                save(target, f"layers/{name}", rows)
            elif name != "input":  # that is input.npy over the first scale
                save(target, f"layers/{name}_rows", some_rows(len(rows)).astype(np.int32))
                save(target, f"layers/{name}", rows[some_rows(len(rows))])
    with np.load(source / "lengths.npz") as lengths:
        for name in lengths:
            if name.startswith("codes_"):
                save(target, f"lengths/{name}", lengths[name])
            elif name.startswith("decoded_"):
                save(target, f"lengths/{name}", int16(lengths[name])[-1000:])


for folder in map(pathlib.Path, sys.argv[1:]):
    target = DATA / folder.name
    target.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / "config.json", target / "config.json")
    {"tiny24": tiny24, "tiny48": tiny48}[folder.name](folder, target)
