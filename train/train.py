"""Trains encoder, decoder and the codebooks; goes on from WORK/checkpoint.pt where that exists.

Usage: train.py SETTINGS WORK [--minutes M] [--from MODEL_DIR]
"""

import argparse
import copy
import json
import math
import os
import time
import tomllib

import numpy as np
import torch
from safetensors.torch import load_file

import initial
import losses
import network
import quantizer
from augment import Examples


def image(x):
    """(batch, samples) as the network takes it."""
    return x[:, None, None].contiguous(memory_format=torch.channels_last)


TAIL = 12 # the encoder's layers from here on work on whole frames: a few percent of its time, most of its weights


def learning_rate(stage, step):
    if step < stage["warm_up_steps"]:
        return stage["learning_rate"] * (step + 1) / stage["warm_up_steps"]
    cosine = 0.5 + 0.5 * math.cos(math.pi * step / stage["steps"])
    return stage["final_learning_rate"] + (stage["learning_rate"] - stage["final_learning_rate"]) * cosine


class Trainer:
    def __init__(self, settings, work, model=None):
        self.settings, self.work = settings, work
        t, n = settings["training"], settings["network"]
        torch.set_num_threads(t["threads"])
        torch.manual_seed(settings["seed"])
        self.encoder, self.decoder = network.encoder(n["num_filters"]), network.decoder(n["num_filters"])
        initial.start(self.encoder, self.decoder)
        self.quantizer = quantizer.Quantizer(n["n_codebooks"], settings["codebooks"])
        self.front, self.tail = self.encoder[:TAIL], self.encoder[TAIL:]
        groups = [{"name": name, "params": list(part.parameters())}
                  for name, part in (("front", self.front), ("tail", self.tail), ("decoder", self.decoder))]
        self.parameters = [p for group in groups for p in group["params"]]
        self.optimizer = torch.optim.AdamW(groups, betas=(0.8, 0.99), weight_decay=0)
        # Moving averages of the weights, which are judged and shipped: single steps are noisy, above all at the start of a stage.
        self.mean_encoder, self.mean_decoder = copy.deepcopy(self.encoder), copy.deepcopy(self.decoder)
        self.mel, self.envelope = losses.MelLoss(), losses.EnvelopeLoss()
        self.step = 0
        self.path = os.path.join(work, "checkpoint.pt")
        if os.path.exists(self.path):
            self._resume()
        else:
            if model:
                self._begin_with(model)
            self._average(0)
        length = int(t["segment_s"] * losses.RATE_HZ) // network.HOP * network.HOP
        corpus = os.path.join(work, "corpus")
        self.rng = np.random.default_rng([settings["seed"], self.step])
        self.examples = Examples(corpus, settings["augmentation"], length, [settings["seed"], 3, self.step])
        self.held_out = Examples(corpus, settings["augmentation"], 4 * length, [settings["seed"], 4], held_out=True)
        self.held_out = torch.tensor(self.held_out.batch(12))

    def _parts(self):
        return {"encoder": self.encoder, "decoder": self.decoder, "quantizer": self.quantizer, "optimizer": self.optimizer,
                "mean_encoder": self.mean_encoder, "mean_decoder": self.mean_decoder}

    def _resume(self):
        saved = torch.load(self.path, weights_only=True)
        for name, part in self._parts().items():
            part.load_state_dict(saved[name])
        self.step = saved["step"]

    def _begin_with(self, folder):
        """Takes over a finished model, as the stages before the one with `from_model` would have made it."""
        saved = load_file(os.path.join(folder, "model.safetensors"))
        network.load(self.encoder, "encoder", saved)
        network.load(self.decoder, "decoder", saved)
        books = range(len(self.quantizer.embed))
        self.quantizer.begin_with(torch.stack([saved[f"quantizer.layers.{i}.codebook.embed"].float() for i in books]))
        for stage in self.settings["stages"]:
            if stage.get("from_model"):
                return
            self.step += stage["steps"]
        raise SystemExit("no stage of the settings has from_model = true")

    def save(self):
        state = {name: part.state_dict() for name, part in self._parts().items()}
        torch.save({**state, "step": self.step}, self.path + ".tmp")
        os.replace(self.path + ".tmp", self.path)

    def stage(self):
        """The stage that this step belongs to, and its number within it; None behind the last one."""
        step = self.step
        for stage in self.settings["stages"]:
            if step < stage["steps"]:
                return stage, step
            step -= stage["steps"]
        return None, 0

    @torch.no_grad()
    def _average(self, keep):
        for mean, now in ((self.mean_encoder, self.encoder), (self.mean_decoder, self.decoder)):
            for a, b in zip(mean.parameters(), now.parameters()):
                a.lerp_(b, 1 - keep)

    def decode(self, x, used, stage):
        """x (batch, samples), used (batch,) codebooks -> the decoded sound and the commitment loss, with gradients for what the
        stage trains."""
        trained = stage["encoder"]
        short = torch.autocast("cpu", torch.bfloat16, enabled=stage.get("bfloat16", False))
        with torch.set_grad_enabled(trained == "all"), short:
            z = self.front(image(x))
        with torch.set_grad_enabled(trained != "none"):
            z, commitment = self.tail(z.float()), torch.zeros(())
        if used.any():
            z, commitment = self.quantizer(z, used)
        with short:
            y = self.decoder(z)
        return y.float()[:, 0, 0], commitment

    def start_quantizer(self):
        books = self.settings["codebooks"]
        print(f"step {self.step}: fitting the codebooks to {books['fit_vectors']} vectors", flush=True)
        self.quantizer.start(self.vectors(self.examples, books["fit_vectors"]), books["fit_rounds"])
        self.save()

    @torch.no_grad()
    def vectors(self, examples, n):
        """n vectors of the encoder, (n, 128)."""
        out, have = [], 0
        while have < n:
            z = self.encoder(image(torch.tensor(examples.batch(8))))[:, :, 0].permute(0, 2, 1)
            out.append(z.reshape(-1, network.DIMENSION))
            have += len(out[-1])
        return torch.cat(out)[:n]

    def train_step(self):
        stage, step = self.stage()
        for group in self.optimizer.param_groups:
            share = 1 if group["name"] == "decoder" else stage.get("encoder_share", 1)
            group["lr"] = learning_rate(stage, step) * share
        if any(stage["codebooks"]) and not self.quantizer.started:
            self.start_quantizer()
        self.quantizer.train(stage["encoder"] != "none" and any(stage["codebooks"]))
        weights = self.settings["losses"] | stage.get("losses", {})
        x = torch.tensor(self.examples.batch(self.settings["training"]["batch"]))
        used = torch.tensor(self.rng.choice(stage["codebooks"], len(x)))
        y, commitment = self.decode(x, used, stage)
        parts = {"mel": self.mel(x, y), "snr_db": losses.snr_db(x, y).clamp(max=25).mean(),
                 "envelope": self.envelope(x, y), "commitment": commitment}
        loss = sum(weights[name] * (-part if name == "snr_db" else part) for name, part in parts.items())
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self._average(min(self.settings["training"]["average"], (step + 1) / (step + 10)))
        self.step += 1
        return {name: float(part.detach()) for name, part in parts.items()}

    @torch.no_grad()
    def evaluate(self):
        """Held-out losses without codebooks and at each number of them."""
        self.quantizer.eval()
        out = {}
        for n in [0, 2, 4, 8, 16, 32] if self.quantizer.started else [0]:
            z = self.mean_encoder(image(self.held_out))
            if n:
                z, _ = self.quantizer(z, torch.full((len(self.held_out),), n))
            y = self.mean_decoder(z)[:, 0, 0]
            out[n] = {"mel": round(float(self.mel(self.held_out, y)), 3),
                      "snr_db": round(float(losses.snr_db(self.held_out, y).mean()), 2),
                      "envelope": round(float(self.envelope(self.held_out, y)), 3)}
        return out

    def run(self, minutes):
        t, log = self.settings["training"], open(os.path.join(self.work, "log.jsonl"), "a", buffering=1)
        begun, mean = time.monotonic(), {}
        first, steps = self.step, sum(stage["steps"] for stage in self.settings["stages"])
        while self.step < steps and time.monotonic() - begun < minutes * 60:
            for name, value in self.train_step().items():
                mean[name] = value if name not in mean else 0.98 * mean[name] + 0.02 * value
            if self.step % 50 == 0:
                pace = (time.monotonic() - begun) / (self.step - first)
                print(f"step {self.step}/{steps}", *(f"{k} {v:.3f}" for k, v in mean.items()),
                      f"{pace:.2f} s/step, {pace * (steps - self.step) / 60:.0f} min left", flush=True)
            if self.step % t["save_every"] == 0:
                self.save()
            if self.step % t["evaluate_every"] == 0:
                record = {"step": self.step, "held_out": self.evaluate()}
                log.write(json.dumps(record) + "\n")
                print(json.dumps(record), flush=True)
        self.save()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("settings")
    parser.add_argument("work")
    parser.add_argument("--from", dest="model", help="a finished model's folder, instead of the stages before `from_model`")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop, with a checkpoint, after this time")
    arguments = parser.parse_args()
    with open(arguments.settings, "rb") as f:
        settings = tomllib.load(f)
    Trainer(settings, arguments.work, arguments.model).run(arguments.minutes)


if __name__ == "__main__":
    main()
