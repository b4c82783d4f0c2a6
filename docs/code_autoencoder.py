"""Measures what an autoencoder of codes gains from embedding lookup and from cross-entropy; writes the measured part of
CODE_AUTOENCODER.md.

Usage, from the repository's root, with PyTorch, the package's needs and a build (about 15 minutes on one core):
PYTHONPATH=python ECDC_LIBRARY=build/libecdc.so python3 docs/code_autoencoder.py
`--seconds S` sets the training time of each variant, `--print` writes to standard output instead of the page.
"""
import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

import ecdc
from ecdc._reader import Reader
from ecdc.testing import make_film

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent / "examples"))
from train_code_autoencoder import CodeAutoencoder, train  # noqa: E402

BEGIN, END = "<!-- measured: begin, written by docs/code_autoencoder.py -->", "<!-- measured: end -->"
TR_S, KBPS = 1.5, 3.0
BATCH, LEARNING_RATE, MIX = 16, 2e-3, 0.5
TIMED_STEPS = 15  # of each variant in turn, for the time per step

VARIANTS = {  # name: (front end, loss)
    "embedding lookup, cross-entropy": ("embedding", "cross-entropy"),
    "Conv1D on numbers, cross-entropy": ("conv", "cross-entropy"),
    "embedding lookup, squared error": ("embedding", "mse"),
    "Conv1D on numbers, squared error": ("conv", "mse"),
}


class Variant(CodeAutoencoder):
    """The autoencoder of the example with another front end, another loss, or both."""

    def __init__(self, n_codebooks, frames, front, loss, embedding=64):
        super().__init__(n_codebooks, frames, embedding=embedding)
        self.front_name, self.loss_name = front, loss
        if front == "conv":
            del self.embedding
            self.front = nn.Sequential(nn.Conv1d(n_codebooks, embedding, 7, padding=3), nn.ELU(),
                                       nn.Conv1d(embedding, embedding, 7, padding=3))
        if loss == "mse":
            del self.head_weight, self.head_bias
            self.head = nn.Linear(embedding, n_codebooks)

    def numbers(self, codes):
        """Indices as numbers in -1 ... 1."""
        return 2 * codes / (self.codebook_size - 1) - 1

    def embed(self, codes):
        return super().embed(codes) if self.front_name == "embedding" else self.front(self.numbers(codes)).transpose(1, 2)

    def decode(self, bottleneck):
        if self.loss_name == "cross-entropy":
            return super().decode(bottleneck)
        frames = self.decoder(bottleneck.reshape(len(bottleneck), self.n_patches, -1))
        return self.head(frames.reshape(len(bottleneck), self.n_patches * self.patch, -1)[:, :self.frames_per_tr]).transpose(1, 2)

    def loss(self, output, codes):
        return super().loss(output, codes) if self.loss_name == "cross-entropy" else F.mse_loss(output, self.numbers(codes))

    def codes_of(self, output):
        if self.loss_name == "cross-entropy":
            return super().codes_of(output)
        return ((output + 1) / 2 * (self.codebook_size - 1)).round().clamp(0, self.codebook_size - 1).long()


class Rows:
    """Codes per TR, their sound, and the stretches of the film that they stand for."""

    def __init__(self, model, codes, original):
        self.model, self.codes = model, codes
        self.original = original.ravel()
        self.untouched = self.decode(codes)

    def decode(self, rows):
        return self.model.decode(np.concatenate(list(rows), axis=1))

    def stoi(self, rows):
        """Against the sound of the codes that went in, and against the recording."""
        sound = self.decode(rows)
        return tuple(ecdc.metrics.stoi(reference, sound, self.model.sampling_rate) for reference in (self.untouched, self.original))

    @torch.no_grad()
    def through(self, autoencoder):
        return np.concatenate([autoencoder.codes_of(autoencoder(torch.from_numpy(self.codes[i:i + 16]))[0]).numpy()
                               for i in range(0, len(self.codes), 16)])


def read_rows(path, model):
    """(codes (n_trs, n_codebooks, frames), samples (n_trs, frames * hop))"""
    codes = ecdc.AudioProcessor(model="default", encodec_bandwidth=KBPS, tr=TR_S).audio_to_features(path)[0]
    sound, n = np.concatenate(list(Reader(path, model.sampling_rate))), codes.shape[2] * model.hop
    starts = [int(i * TR_S * model.frame_rate) * model.hop for i in range(len(codes))]
    return codes, np.stack([np.pad(sound[s:s + n], (0, max(0, s + n - len(sound)))) for s in starts])


def make_variants(shape):
    models = {}
    for name, (front, loss) in VARIANTS.items():
        torch.manual_seed(0)
        models[name] = Variant(*shape, front, loss)
    return models


def median_step_s(shape, batch):
    """Of whole steps, and of the front end alone (forwards and backwards); the variants take turns."""
    steps, fronts = {name: [] for name in VARIANTS}, {name: [] for name in VARIANTS}
    models = make_variants(shape)
    for _ in range(TIMED_STEPS):
        for name, model in models.items():
            steps[name] += train(model, [{"audio": batch}] * 3, 3, LEARNING_RATE, MIX, clock=time.process_time)[1:]
            start = time.process_time()
            model.embed(batch).sum().backward()
            fronts[name].append(time.process_time() - start)
    return {name: (float(np.median(steps[name])), float(np.median(fronts[name]))) for name in VARIANTS}


def measure(seconds, path):
    codec = ecdc.Model("default")
    codes, original = read_rows(path, codec)
    n = int(0.8 * len(codes))
    training, held_out = codes[:n], Rows(codec, codes[n:], original[n:])
    speech = Rows(codec, *read_rows(DOCS.parent / "audio" / "jfk.flac", codec))
    shape = codes.shape[1:]
    rows = [{"audio": torch.from_numpy(row)} for row in training]
    times = median_step_s(shape, torch.from_numpy(training[:BATCH]))
    found = []
    for name, model in make_variants(shape).items():
        n_steps = max(1, int(seconds / times[name][0]))
        torch.manual_seed(1)
        train(model, DataLoader(rows, BATCH, shuffle=True, drop_last=True), n_steps, LEARNING_RATE, MIX)
        model.eval()
        back, said = held_out.through(model), speech.through(model)
        found.append({"name": name, "step_ms": 1000 * times[name][0], "front_ms": 1000 * times[name][1], "steps": n_steps,
                      "parameters": sum(p.numel() for p in model.parameters()),
                      "right": (back == held_out.codes).mean(), "first": (back == held_out.codes)[:, 0].mean(),
                      "off": np.abs(back - held_out.codes).mean(), "stoi": held_out.stoi(back),
                      "speech_right": (said == speech.codes).mean(), "speech_stoi": speech.stoi(said)})
        print(found[-1], file=sys.stderr)
    random = np.random.default_rng(0).integers(0, codec.codebook_size, held_out.codes.shape)
    return {"rows": found, "n_train": n, "n_held_out": len(held_out.codes), "sha": codec.sha256,
            "random": held_out.stoi(random), "best": held_out.stoi(held_out.codes)[1], "best_speech": speech.stoi(speech.codes)[1],
            "random_off": np.abs(random - held_out.codes).mean(), "seconds": seconds}


def compared(a, b):
    """How much less time a takes than b, in words."""
    share = 100 * (1 - a / b)
    return f"{share:.0f} % less" if share >= 0.5 else f"{-share:.0f} % more" if share <= -0.5 else "as much"


def page(m):
    table = "\n".join(f"| {r['name']} | {r['step_ms']:.0f} | {r['steps']} | {100 * r['first']:.1f} % | {100 * r['right']:.1f} % | "
                      f"{r['off']:.0f} | {r['stoi'][0]:.2f} ({r['stoi'][1]:.2f}) | {100 * r['speech_right']:.1f} % | "
                      f"{r['speech_stoi'][0]:.2f} ({r['speech_stoi'][1]:.2f}) |" for r in m["rows"])
    lookup, conv, lookup_mse, conv_mse = m["rows"]
    return f"""\
A synthetic film of {(m['n_train'] + m['n_held_out']) * TR_S / 60:.0f} min (`ecdc.testing.make_film`), its codes by the default model
(SHA-256 `{m['sha'][:12]}…`) at {KBPS:g} kbps: {m['n_train']} TRs to train, the {m['n_held_out']} behind them held out. Each variant had
{m['seconds']:.0f} s of processor time to train, on one thread (PyTorch {torch.__version__.split('+')[0]}), batches of {BATCH} TRs.
“Off by” is the mean distance of indices. STOI is against the sound of the codes that went in; in brackets against the film itself,
where the untouched codes have {m['best']:.2f}. Speech is `audio/jfk.flac`, 11 s that no variant has seen anything like; its
untouched codes have {m['best_speech']:.2f} in brackets.

| | CPU ms per step | steps | first codebook right | all codes right | off by | STOI | speech: codes right | speech: STOI |
|---|---:|---:|---:|---:|---:|---:|---:|---:|
{table}
| random codes, for comparison | | | 0.1 % | 0.1 % | {m['random_off']:.0f} | {m['random'][0]:.2f} ({m['random'][1]:.2f}) | | |

**Does embedding lookup train 20–30 % faster per step?** With cross-entropy a step takes {compared(lookup['step_ms'], conv['step_ms'])}
time with lookup than with the Conv1D front end, with squared error {compared(lookup_mse['step_ms'], conv_mse['step_ms'])}. The front end
alone, forwards and backwards, takes {lookup['front_ms']:.1f} ms with lookup and {conv['front_ms']:.1f} ms with Conv1D: how much of a step that
is depends on what stands behind it. With cross-entropy most of a step goes into the logits.

**Does the squared error of indices suffice?** It is {lookup['step_ms'] / lookup_mse['step_ms']:.0f} times as fast per step and brings back
{100 * lookup_mse['right']:.1f} % of the codes where cross-entropy in the same time brings back {100 * lookup['right']:.1f} %; STOI
{lookup_mse['stoi'][0]:.2f} against {lookup['stoi'][0]:.2f}."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=100, help="of processor time to train, for each variant")
    parser.add_argument("--trs", type=int, default=600)
    parser.add_argument("--print", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as directory:
        film = Path(directory) / "film.mp4"
        make_film(film, args.trs * TR_S, None, 0)
        text = page(measure(args.seconds, film))
    if args.print:
        print(text)
        return
    path = DOCS / "CODE_AUTOENCODER.md"
    before, rest = path.read_text().split(BEGIN)
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
