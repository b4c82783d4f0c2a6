"""Exports encoder and decoder of a model to ONNX with its weight norm folded, for sounds of one length.

Usage: export.py MODEL_DIR SECONDS OUT_DIR
"""
import os

os.environ.update(HF_HUB_OFFLINE="1", CUDA_VISIBLE_DEVICES="", TQDM_DISABLE="1")

import sys  # noqa: E402
import warnings  # noqa: E402
from pathlib import Path  # noqa: E402

import torch  # noqa: E402
import transformers  # noqa: E402
from torch.nn.utils import parametrize  # noqa: E402


def main():
    directory, seconds, out = sys.argv[1], float(sys.argv[2]), Path(sys.argv[3])
    warnings.simplefilter("ignore")  # the tracer's, on shapes that are constants here
    transformers.utils.logging.set_verbosity_error()
    model = transformers.EncodecModel.from_pretrained(directory, dtype=torch.float32).eval()
    for module in model.modules():
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
    with torch.no_grad():
        sound = torch.zeros(1, model.config.audio_channels, int(seconds * model.config.sampling_rate))
        vectors = model.encoder(sound)
        out.mkdir(parents=True, exist_ok=True)
        for name, part, example in (("encoder", model.encoder, sound), ("decoder", model.decoder, vectors)):
            torch.onnx.export(part, (example,), str(out / f"{name}.tmp"), dynamo=False, input_names=["x"], output_names=["y"],
                              opset_version=17)
            (out / f"{name}.tmp").rename(out / f"{name}.onnx")


if __name__ == "__main__":
    main()
