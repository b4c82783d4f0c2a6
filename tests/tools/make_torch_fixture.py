"""Writes tests/data/torch: a checkpoint by torch.save of a small model of the package encodec, and the codes that encodec computes.

    python tests/tools/make_torch_fixture.py tests/data/torch

Needs tests/peers/requirements.txt. The checkpoint has what files in the wild have: it is wrapped ({"best_state": ...}), one weight is a
transposed view, two biases are views of one storage, one weight is float64, one is a Parameter.
"""
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))

import numpy as np
from compare import published_package, torch

published_package()
import encodec.modules
import encodec.quantization

torch.manual_seed(3)
shape = {"channels": 1, "dimension": 4, "n_filters": 2, "ratios": [2, 2], "norm": "weight_norm", "causal": True, "lstm": 1}
encoder, decoder = encodec.modules.SEANetEncoder(**shape), encodec.modules.SEANetDecoder(**shape)
quantizer = encodec.quantization.ResidualVectorQuantizer(dimension=4, n_q=2, bins=16)
sound = (0.5 * np.sin(np.arange(1001) * 0.1) + 0.2 * np.sin(np.arange(1001) ** 2 * 0.0007)).astype(np.float32)
with torch.no_grad():
    residual = encoder(torch.from_numpy(sound)[None, None])[0].T  # what the codebooks have to cover
    for layer in quantizer.vq.layers:
        book = layer._codebook
        book.embed.copy_(residual[torch.randperm(len(residual))[:16]])
        book.embed_avg.copy_(book.embed)
        book.inited.fill_(1)
        residual = residual - book.embed[torch.cdist(residual, book.embed).argmin(1)]
model = torch.nn.ModuleDict({"encoder": encoder, "decoder": decoder, "quantizer": quantizer}).eval()
state = model.state_dict()

weight = state["encoder.model.7.lstm.weight_ih_l0"]
state["encoder.model.7.lstm.weight_ih_l0"] = weight.T.contiguous().T
both = torch.cat([state["encoder.model.7.lstm.bias_ih_l0"], state["encoder.model.7.lstm.bias_hh_l0"]])
state["encoder.model.7.lstm.bias_ih_l0"], state["encoder.model.7.lstm.bias_hh_l0"] = both[:32], both[32:]
state["encoder.model.0.conv.conv.weight_v"] = state["encoder.model.0.conv.conv.weight_v"].double()
state["encoder.model.0.conv.conv.bias"] = torch.nn.Parameter(state["encoder.model.0.conv.conv.bias"])

with torch.no_grad():
    codes = quantizer.vq.encode(encoder(torch.from_numpy(sound)[None, None]), n_q=2)[:, 0].numpy()

config = {"model_type": "encodec", "sampling_rate": 1000, "num_filters": 2, "hidden_size": 4, "codebook_size": 16, "codebook_dim": 4,
          "num_lstm_layers": 1, "upsampling_ratios": [2, 2], "target_bandwidths": [1.0, 2.0]}
out = Path(sys.argv[1])
out.mkdir(exist_ok=True)
torch.save({"best_state": state, "epoch": 7, "loss": 0.25, "history": [], "name": None}, out / "checkpoint.th")
(out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
np.save(out / "input.npy", sound)
np.save(out / "codes.npy", codes.astype(np.int16))
