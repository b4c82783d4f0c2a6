"""From the checkpoint to a model that ships: config.json (float32 in use) and model.safetensors (float16 on disk), as
transformers reads them.

Usage: finish.py SETTINGS WORK OUT_DIR
"""

import json
import os
import sys
import tomllib

from safetensors.torch import save_file

import losses
import network
import quantizer
from train import Trainer

BANDWIDTHS_KBPS = [1.5, 3.0, 6.0, 12.0, 24.0]


def config(num_filters):
    return {
        "architectures": ["EncodecModel"], "model_type": "encodec", "dtype": "float32",
        "audio_channels": 1, "sampling_rate": losses.RATE_HZ, "chunk_length_s": None, "overlap": None, "normalize": False,
        "num_filters": num_filters, "hidden_size": network.DIMENSION, "codebook_dim": network.DIMENSION,
        "codebook_size": quantizer.ENTRIES, "target_bandwidths": BANDWIDTHS_KBPS, "upsampling_ratios": list(network.RATIOS),
        "kernel_size": 7, "last_kernel_size": 7, "residual_kernel_size": 3, "num_residual_layers": 1, "compress": 2,
        "dilation_growth_rate": 2, "num_lstm_layers": 2, "use_causal_conv": True, "use_conv_shortcut": True,
        "norm_type": "weight_norm", "pad_mode": "reflect", "trim_right_ratio": 1.0,
    }


def main():
    settings_path, work, out = sys.argv[1:]
    with open(settings_path, "rb") as f:
        settings = tomllib.load(f)
    trainer = Trainer(settings, work)
    if not trainer.quantizer.started:
        raise SystemExit(f"{work}/checkpoint.pt: the codebooks have not been fitted yet, train on")
    tensors = network.tensors(trainer.mean_encoder, "encoder") | network.tensors(trainer.mean_decoder, "decoder")
    for i, book in enumerate(trainer.quantizer.embed):
        tensors[f"quantizer.layers.{i}.codebook.embed"] = book
    os.makedirs(out, exist_ok=True)
    save_file({name: t.half().contiguous() for name, t in tensors.items()}, os.path.join(out, "model.safetensors"),
              metadata={"format": "pt"})
    with open(os.path.join(out, "config.json"), "w") as f:
        json.dump(config(settings["network"]["num_filters"]), f, indent=2, sort_keys=True)
        f.write("\n")
    print(f"{out}: step {trainer.step}, {os.path.getsize(os.path.join(out, 'model.safetensors')) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
