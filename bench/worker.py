"""One peer in a process of its own: loads a model, then measures what it is told.

Usage: worker.py PEER MODEL_DIR THREADS PRECISION SOUND.wav WORK_DIR
Reads one request a line from standard input, answers each with one JSON object a line on standard output:
    reference        encode with this peer (transformers) and keep codes.npy, vectors.npy and sound.npy in WORK_DIR: what the others
                     decode and are compared with
    load             read from there what to decode
    encode, decode   once; {"seconds": S}
    save NAME        this peer's codes and sound as NAME-codes.npy, NAME-sound.npy
    memory           {"peak_mb": M}
The peers' encoder and decoder as exported have no quantizer: it is not in their times, and `save` finds the codes with the
model's codebooks.
"""
import os

os.environ.update(HF_HUB_OFFLINE="1", CUDA_VISIBLE_DEVICES="", TQDM_DISABLE="1", OPENVINO_TELEMETRY="0")

import json  # noqa: E402
import resource  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
import types  # noqa: E402
import wave  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402


def read_wav(path):
    """Float32 samples (channels, n)."""
    with wave.open(str(path)) as w:
        data = np.frombuffer(w.readframes(w.getnframes()), "<i2").reshape(-1, w.getnchannels())
    return np.ascontiguousarray(data.T, dtype=np.float32) / np.float32(32768)


class Transformers:
    """As its users call it: encoder, quantizer and decoder."""

    def __init__(self, model, threads, precision, sound, kbps):
        import torch
        import transformers
        transformers.utils.logging.set_verbosity_error()
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        self.torch, self.kbps = torch, kbps
        self.model = transformers.EncodecModel.from_pretrained(model, dtype=torch.float32).eval()
        self.x = torch.from_numpy(sound)[None]
        self.out = None

    def encode(self):
        self.out = self.model.encode(self.x, bandwidth=self.kbps)

    def decode(self):
        last = {"last_frame_pad_length": self.out.last_frame_pad_length} if self.model.config.chunk_length_s else {}
        self.decoded = self.model.decode(self.out.audio_codes, self.out.audio_scales, **last).audio_values

    def reference(self, work):
        self.encode()
        self.decode()
        codes = self.out.audio_codes[0]
        np.save(work / "codes.npy", codes[0].numpy())
        np.save(work / "vectors.npy", self.model.quantizer.decode(codes.transpose(0, 1)).numpy())
        np.save(work / "sound.npy", self.decoded[0].numpy())

    def load(self, work):
        if self.out is None:  # what to decode, without encoding in this process
            codes = self.torch.from_numpy(np.load(work / "codes.npy"))
            self.out = types.SimpleNamespace(audio_codes=codes[None, None], audio_scales=[None])

    def save(self, work, name):
        np.save(work / f"{name}-codes.npy", self.out.audio_codes[0, 0].numpy())
        np.save(work / f"{name}-sound.npy", self.decoded[0].numpy())


def quantize(vectors, model, n_codebooks):
    """Codes (codebooks, frames) of encoder output (1, dimension, frames): the nearest entry, codebook after codebook."""
    from safetensors.numpy import load_file
    weights = load_file(Path(model) / "model.safetensors")
    residual, codes = vectors[0].T.astype(np.float64), []
    for k in range(n_codebooks):
        book = weights[f"quantizer.layers.{k}.codebook.embed"].astype(np.float64)
        nearest = np.argmin((book ** 2).sum(1) - 2 * residual @ book.T, axis=1)
        residual = residual - book[nearest]
        codes.append(nearest)
    return np.array(codes)


class Exported:
    """What the peers that run an exported encoder and decoder have in common."""

    def __init__(self, model, threads, precision, sound, kbps):
        self.directory, self.x, self.n_codebooks = model, sound[None], round(kbps * 1000 / 750)
        onnx = Path(os.environ["ECDC_BENCH_ONNX"])
        self.encoder = self.compile(onnx / "encoder.onnx", threads, precision)
        self.decoder = self.compile(onnx / "decoder.onnx", threads, precision)

    def load(self, work):
        self.vectors = np.load(work / "vectors.npy")

    def encode(self):
        self.latents = self.encoder(self.x)

    def decode(self):
        self.decoded = self.decoder(self.vectors)

    def save(self, work, name):
        np.save(work / f"{name}-codes.npy", quantize(self.latents, self.directory, self.n_codebooks))
        np.save(work / f"{name}-sound.npy", self.decoded[0])


class OnnxRuntime(Exported):
    def compile(self, path, threads, precision):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return lambda x: session.run(None, {"x": x})[0]


class OpenVino(Exported):
    def compile(self, path, threads, precision):
        import openvino
        compiled = openvino.Core().compile_model(str(path), "CPU", {
            "INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1})
        return lambda x: compiled(x)[0].copy()


PEERS = {"transformers": Transformers, "onnxruntime": OnnxRuntime, "openvino": OpenVino}


def timed(action):
    start = time.perf_counter()
    action()
    return {"seconds": time.perf_counter() - start}


def main():
    answers = os.fdopen(os.dup(1), "w")  # what the packages print goes to standard error
    os.dup2(2, 1)
    name, model, threads, precision, sound, work = sys.argv[1:]
    work = Path(work)
    peer = PEERS[name](model, int(threads), precision, read_wav(sound), float(os.environ["ECDC_BENCH_KBPS"]))
    print("{}", file=answers, flush=True)
    for line in sys.stdin:
        request, *args = line.split()
        answer = {}
        if request in ("encode", "decode"):
            answer = timed(getattr(peer, request))
        elif request == "memory":
            answer = {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
        else:
            getattr(peer, request)(work, *args)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
