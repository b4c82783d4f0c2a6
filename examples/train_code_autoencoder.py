"""Trains an autoencoder of EnCodec codes, one TR at a time, and exports it for `ecdc autoencoder run`.

    codes (n_codebooks, frames) -> embedding lookup -> encoder -> bottleneck (2048) -> decoder -> logits over 1024 classes per code

From a study on disk (ecdc.MultimodalDataset), or from what `ecdc features FILM -o FEATURES.npy` writes:

    python examples/train_code_autoencoder.py DATA -o autoencoder.safetensors
    python examples/train_code_autoencoder.py FEATURES.npy -o autoencoder.safetensors --steps 2000
    ecdc autoencoder run autoencoder.safetensors FEATURES.npy -o CODES.npy
    ecdc reconstruct CODES.npy -o SOUND.wav

With a study, `--fmri-weight 0.1` also predicts the scans from the bottleneck, and `--source fmri` puts an encoder of scans in the
place of that of codes. It needs PyTorch and runs on a CPU.
"""
import argparse
import json
import math
import struct
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, Subset

# ---------------------------------------------------------------------------------------------------------- the model --


class CodeAutoencoder(nn.Module):
    """A TR is cut into patches of `patch` frames; encoder and decoder are the same for all of them, and what they pass on is the
    TR's bottleneck: (patches, bottleneck / patches), seen as one vector. Sharing them makes 16 examples of each TR, which matters
    where a film has 1000 TRs. ecdc's src/autoencoder/ computes the same in C."""

    def __init__(self, n_codebooks, frames_per_tr, codebook_size=1024, bottleneck=2048, patch=7, embedding=64, hidden=512, n_voxels=0,
                 source="codes"):
        super().__init__()
        self.n_codebooks, self.frames_per_tr, self.codebook_size = n_codebooks, frames_per_tr, codebook_size
        self.patch, self.bottleneck, self.source = patch, bottleneck, source
        self.n_patches = -(-frames_per_tr // patch)
        if bottleneck % self.n_patches:
            raise ValueError(f"--bottleneck is {bottleneck}, no multiple of the {self.n_patches} patches that {frames_per_tr} frames in "
                             f"patches of {patch} are; {bottleneck // self.n_patches * self.n_patches or self.n_patches} would do")
        code = bottleneck // self.n_patches
        if source == "codes":
            self.embedding = nn.Parameter(0.5 * torch.randn(n_codebooks, codebook_size, embedding))
            self.encoder = nn.Sequential(nn.Linear(patch * embedding, hidden), nn.ELU(), nn.Linear(hidden, code))
        else:
            self.fmri_encoder = nn.Sequential(nn.Linear(n_voxels, hidden), nn.ELU(), nn.Linear(hidden, bottleneck))
        self.decoder = nn.Sequential(nn.Linear(code, hidden), nn.ELU(), nn.Linear(hidden, patch * embedding), nn.ELU())
        self.head_weight = nn.Parameter(torch.randn(n_codebooks, codebook_size, embedding) / embedding ** 0.5)
        self.head_bias = nn.Parameter(torch.zeros(n_codebooks, codebook_size))
        self.fmri_head = nn.Linear(bottleneck, n_voxels) if n_voxels and source == "codes" else None

    def embed(self, codes):
        """(n, n_codebooks, frames) -> (n, frames, embedding): a frame is the sum of its entries, -1 (no frame) is 0."""
        rows = codes.clamp(min=0) + self.codebook_size * torch.arange(self.n_codebooks, device=codes.device)[:, None]
        vectors = F.embedding(rows, self.embedding.flatten(0, 1)) * (codes >= 0)[..., None]
        return vectors.sum(1)

    def encode(self, codes):
        """-> (n, bottleneck)"""
        frames = F.pad(self.embed(codes), (0, 0, 0, self.n_patches * self.patch - self.frames_per_tr))
        return self.encoder(frames.reshape(len(codes), self.n_patches, -1)).flatten(1)

    def decode(self, bottleneck):
        """-> logits (n, n_codebooks, frames, codebook_size)"""
        frames = self.decoder(bottleneck.reshape(len(bottleneck), self.n_patches, -1))
        frames = frames.reshape(len(bottleneck), self.n_patches * self.patch, -1)[:, :self.frames_per_tr]
        return torch.einsum("nfd,kcd->nkfc", frames, self.head_weight) + self.head_bias[:, None]

    def forward(self, codes, fmri=None):
        bottleneck = self.encode(codes) if self.source == "codes" else self.fmri_encoder(fmri)
        return self.decode(bottleneck), bottleneck

    def loss(self, logits, codes):
        """Cross-entropy in nats per code; frames that a TR does not have do not count."""
        return F.cross_entropy(logits.flatten(0, 2), codes.flatten(), ignore_index=-1)

    def codes_of(self, logits):
        return logits.argmax(-1)


def save(model, path, origin):
    """Writes safetensors as `ecdc autoencoder run` reads it: a header in JSON, then the numbers."""
    facts = {"format": "pt", "ecdc_autoencoder": "1", "source": model.source, "frames_per_tr": str(model.frames_per_tr),
             "patch": str(model.patch), "bottleneck": str(model.bottleneck), **origin}
    header, blobs, at = {"__metadata__": facts}, [], 0
    for name, tensor in model.state_dict().items():
        blobs.append(tensor.detach().cpu().float().contiguous().numpy().astype("<f4").tobytes())
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [at, at + len(blobs[-1])]}
        at += len(blobs[-1])
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    Path(path).write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


# ----------------------------------------------------------------------------------------------------------- the data --


class Features(Dataset):
    """The rows of FEATURES.npy: codes without scans. The first 80 % train, the rest validates."""

    def __init__(self, path, split):
        rows = np.load(path, mmap_mode="r")
        if rows.ndim != 3 or rows.dtype.kind != "i":
            raise ValueError(f"{path}: {rows.dtype} {rows.shape}, codes are integers (n_trs, n_codebooks, frames); ecdc features "
                             "writes them with --layout codes")
        if len(rows) < 2 or rows.size == 0:
            raise ValueError(f"{path}: {rows.shape}, two TRs or more are needed, of which the last fifth validates")
        least, most = rows.min(), rows.max()
        if least < -1 or most > 1023:
            raise ValueError(f"{path}: {least} to {most}, codes are 0 to 1023, and -1 where a TR has no frame")
        n = int(0.8 * len(rows))
        self.rows = rows[:n] if split == "train" else rows[n:]

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        return {"audio": torch.from_numpy(self.rows[i].astype(np.int64))}


class Lagged(Dataset):
    """Codes of a TR with the scan `lag` TRs later, where the brain's response to them is."""

    def __init__(self, dataset, lag):
        self.dataset, self.lag = dataset, lag
        self.starts = [i for i in range(len(dataset)) if i % dataset.n_trs + lag < dataset.n_trs]  # subject by subject

    def __len__(self):
        return len(self.starts)

    def __getitem__(self, i):
        now = self.starts[i]
        return {"audio": self.dataset[now]["audio"], "fmri": self.dataset[now + self.lag]["fmri"]}


class CodesOf(Dataset):
    """The codes of a study's TRs without its scans, each TR once."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __len__(self):
        return self.dataset.n_trs

    def __getitem__(self, i):
        return {"audio": self.dataset[i]["audio"]}


def open_data(args, split):
    if Path(args.data).is_file():
        return Features(args.data, split)
    from ecdc import MultimodalDataset
    dataset = MultimodalDataset(args.data, args.subjects, split, cache_dir=args.cache, tr=args.tr, encodec_bandwidth=args.bandwidth,
                                model=args.model, as_torch=True)
    return Lagged(dataset, args.lag) if args.source == "fmri" or args.fmri_weight else CodesOf(dataset)


def origin_of(args, data):
    """What made the codes, for the exported file: `ecdc autoencoder run` refuses codes of another model."""
    if isinstance(data, Features):
        path = Path(args.data).with_suffix(".json")
        description = json.loads(path.read_text()) if path.is_file() else {}
    else:
        description = data.dataset.metadata["audio"]
    model = description.get("model")
    return {"model": model["name"], "model_sha256": model["sha256"]} if model else {}


# ------------------------------------------------------------------------------------------------------- the training --


@torch.no_grad()
def evaluate(model, loader):
    """(cross-entropy, share of codes that come back, by codebook)"""
    model.eval()
    loss, right, n = 0.0, torch.zeros(model.n_codebooks), 0
    for batch in loader:
        codes = batch["audio"]
        logits, _ = model(codes, batch.get("fmri"))
        there = codes >= 0
        loss += model.loss(logits, codes).item() * int(there.sum())
        right += ((model.codes_of(logits) == codes) & there).sum((0, 2))
        n += int(there.sum())
    model.train()
    return loss / n, right / (n / model.n_codebooks)


def mixed(codes, share):
    """Codes of which a share is replaced by others of the same codebook: a film has few of all combinations, and what is to come back
    is whatever went in."""
    others = codes.transpose(0, 1).flatten(1)
    others = torch.stack([row[torch.randperm(len(row))] for row in others]).reshape(codes.transpose(0, 1).shape).transpose(0, 1)
    return torch.where((torch.rand(codes.shape) < share) & (codes >= 0) & (others >= 0), others, codes)


def learning_rate_at(step, steps, peak):
    """Up to the peak over the first twentieth of the steps, then down to 0 along a cosine."""
    warm_up = max(1, steps // 20)
    return peak * min((step + 1) / warm_up, 0.5 + 0.5 * math.cos(math.pi * max(0, step - warm_up) / max(1, steps - warm_up)))


def train(model, loader, steps, learning_rate, mix=0.0, fmri_weight=0.0, report=None, report_every=100,
          clock=time.perf_counter):
    """Trains with AdamW; returns the seconds of each step."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, betas=(0.9, 0.95), weight_decay=0.01)
    batches, seconds = iter(()), []
    for step in range(steps):
        batch = next(batches, None)
        if batch is None:
            batches = iter(loader)
            batch = next(batches)
        start = clock()
        codes = mixed(batch["audio"], mix) if mix else batch["audio"]
        logits, bottleneck = model(codes, batch.get("fmri"))
        loss = model.loss(logits, codes)
        if fmri_weight:
            loss = loss + fmri_weight * F.mse_loss(model.fmri_head(bottleneck), batch["fmri"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.param_groups[0]["lr"] = learning_rate_at(step, steps, learning_rate)
        optimizer.step()
        seconds.append(clock() - start)
        if report and ((step + 1) % report_every == 0 or step + 1 == steps):
            report(step + 1, loss.item())
    return seconds


def parse_arguments(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="a study's directory, or FEATURES.npy of ecdc features")
    parser.add_argument("-o", "--output", required=True, help="the safetensors file to write")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=16, help="TRs per step")
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--mix", type=float, default=0.5, help="share of a batch's codes that others replace; with scans none is")
    parser.add_argument("--bottleneck", type=int, default=2048, help="numbers per TR")
    parser.add_argument("--patch", type=int, default=7, help="frames per patch")
    parser.add_argument("--embedding", type=int, default=64, help="numbers per frame")
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--source", choices=("codes", "fmri"), default="codes", help="what the bottleneck is made from")
    parser.add_argument("--fmri-weight", type=float, default=0.0, help="of the scans' mean squared error, predicted from the bottleneck")
    parser.add_argument("--lag", type=int, default=3, help="TRs from the sound to the scan, for --source fmri and --fmri-weight")
    parser.add_argument("--subjects", default="all", help="of the study")
    parser.add_argument("--bandwidth", type=float, default=3.0, help="kbps, of a study's codes")
    parser.add_argument("--model", help="of a study's codes (default: as ecdc.AudioProcessor)")
    parser.add_argument("--tr", type=float, default=1.5, help="seconds, of a study")
    parser.add_argument("--cache", help="where a study's caches go")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="of PyTorch")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_arguments(argv)
    if not Path(args.output).absolute().parent.is_dir():  # before the hours that it takes
        raise SystemExit(f"{args.output}: there is no directory {Path(args.output).absolute().parent}")
    torch.manual_seed(args.seed)
    if args.threads:
        torch.set_num_threads(args.threads)
    training, validation = open_data(args, "train"), open_data(args, "val")
    first = training[0]
    n_voxels = len(first["fmri"]) if "fmri" in first else 0
    if n_voxels == 0 and (args.source == "fmri" or args.fmri_weight):
        raise SystemExit(f"{args.data}: codes alone; --source fmri and --fmri-weight need a study with scans")
    model = CodeAutoencoder(*first["audio"].shape, bottleneck=args.bottleneck, patch=args.patch, embedding=args.embedding,
                            hidden=args.hidden, n_voxels=n_voxels if args.source == "fmri" or args.fmri_weight else 0,
                            source=args.source)
    print(f"{len(training)} TRs to train, {len(validation)} to validate; {sum(p.numel() for p in model.parameters()) / 1e6:.1f} M parameters")
    loader = DataLoader(training, args.batch, shuffle=True, drop_last=len(training) > args.batch)
    held_out = DataLoader(validation, args.batch)

    def report(step, loss):
        value, right = evaluate(model, held_out)
        print(f"step {step:5d}  loss {loss:.3f}  held out {value:.3f}, codes right " + " ".join(f"{100 * r:.1f} %" for r in right),
              flush=True)

    seconds = train(model, loader, args.steps, args.learning_rate, 0 if n_voxels else args.mix, args.fmri_weight, report)
    save(model, args.output, origin_of(args, training))
    print(f"{args.output}: {1000 * np.median(seconds):.0f} ms per step")


if __name__ == "__main__":
    main()
