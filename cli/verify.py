"""Compares the ecdc command with transformers' EncodecModel on the same weights; `ecdc model verify` runs it.

    python verify.py ECDC MODEL DIRECTORY WORK AUDIO JSON [OPTION ...]

ECDC encodes and decodes with MODEL and the options; transformers loads DIRECTORY, which holds the same weights; WORK is a directory
for files; AUDIO a WAV of float32 at the model's rate, or empty; JSON is 1 for one JSON object instead of a table.
Exit status: 0 the promise is kept, 1 it is not, or something failed, 77 this Python lacks a package.
The promise: of all codes at the highest bandwidth at least 99.9 % are equal, of codebook 0 at least 99.99 %; at the first codebook that
differs in a frame the two entries are equally near, (d2 - d1) / d1 < 1e-4 in float64; decoded sound differs by less than 1e-4 of full
scale.
"""
import sys

sys.path[:] = [p for p in sys.path if p]  # nothing from the directory that the user happens to be in

import importlib.util
import json
import os
import struct
import subprocess

missing = [name for name in ("numpy", "torch", "transformers") if importlib.util.find_spec(name) is None]
if missing:
    sys.exit(77)

os.environ.update(HF_HUB_OFFLINE="1", TQDM_DISABLE="1", TRANSFORMERS_VERBOSITY="error")
import numpy as np
import torch
import transformers

EQUAL, EQUAL_FIRST, GAP, SOUND = 0.999, 0.9999, 1e-4, 1e-4
SECONDS = 10  # of generated sound


# --------------------------------------------------------------------------------------------------- files --


def write_wav(path, sound, rate):
    """(channels, samples) as float32, bit for bit."""
    channels = len(sound)
    data = np.ascontiguousarray(sound.T, "<f4").tobytes()
    header = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 3, channels, rate,
                         4 * channels * rate, 4 * channels, 32, b"data", len(data))
    with open(path, "wb") as f:
        f.write(header + data)


def read_wav(path):
    """(channels, samples) of a float32 WAV."""
    with open(path, "rb") as f:
        data = f.read()
    at, channels = 12, 1
    while data[at:at + 4] != b"data":
        size, = struct.unpack_from("<I", data, at + 4)
        if data[at:at + 4] == b"fmt ":
            channels, = struct.unpack_from("<H", data, at + 10)
        at += 8 + size + size % 2
    size, = struct.unpack_from("<I", data, at + 4)
    return np.frombuffer(data[at + 8:at + 8 + size], "<f4").reshape(-1, channels).T.copy()


def generated(rate, channels):
    """A buzz with a moving pitch under a slow envelope, chirps, noise and a silence; the same every time."""
    t = np.arange(SECONDS * rate) / rate
    noise = np.random.default_rng(1).standard_normal((channels, len(t)))
    pitch = 140 + 60 * np.sin(1.3 * t) + 20 * np.sin(11 * t)
    buzz = 2 * (np.cumsum(pitch / rate) % 1) - 1
    chirp = np.sin(2 * np.pi * (200 * t + 150 * t * t)) * (np.sin(2 * np.pi * t / 4) > 0.5)
    sound = 0.25 * np.abs(np.sin(2.6 * t)) * buzz + 0.1 * chirp + 0.01 * noise
    sound[:, int(6.2 * rate):int(6.7 * rate)] = 0
    return sound.astype(np.float32)


def decodable(sound, stride):
    """Without an end at which transformers' decode fails: a last chunk of 161 to 320 samples."""
    rest = sound.shape[1] % stride if stride else 0
    return sound[:, :-rest] if 160 < rest <= 320 else sound


# ------------------------------------------------------------------------------------------------ programs --


class Ecdc:
    def __init__(self, binary, model, work, options):
        self.binary, self.model, self.work, self.options = binary, model, work, options

    def run(self, *args):
        done = subprocess.run([self.binary, *args, "-q", "-f", *self.options], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(done.stderr.strip() or f"ecdc: {args[0]} ended with status {done.returncode}")

    def encode(self, sound, kbps, chunked):
        """codes (chunks, codebooks, frames), scales (chunks,) or None, and the file that holds them"""
        path = os.path.join(self.work, "codes.npz" if chunked else "codes.npy")
        self.run("encode", sound, "-o", path, "-m", self.model, "-b", repr(kbps))
        codes = np.load(path)
        if chunked:
            return codes["codes"], codes["scales"], path
        return codes[None], None, path

    def decode(self, codes):
        path = os.path.join(self.work, "decoded.wav")
        self.run("decode", codes, "-o", path, "-m", self.model, "--float")
        return read_wav(path)


class Peer:
    """transformers' model, in float32 whatever the file holds."""

    def __init__(self, directory):
        self.model = transformers.EncodecModel.from_pretrained(directory, dtype=torch.float32).eval()
        self.config = self.model.config
        self.chunk = self.config.chunk_length or 0
        self.double = None

    @torch.no_grad()
    def encode(self, sound, kbps):
        """codes (chunks, codebooks, frames), the last chunk filled up with zeros; scales; the frames of each chunk"""
        out = self.model.encode(torch.from_numpy(sound)[None], bandwidth=kbps)
        codes = out.audio_codes[:, 0].numpy()
        padding = int(getattr(out, "last_frame_pad_length", 0) or 0)
        frames = [codes.shape[2]] * (len(codes) - 1) + [codes.shape[2] - padding]
        return codes, list(out.audio_scales), frames, out

    @torch.no_grad()
    def decode(self, out):
        padding = getattr(out, "last_frame_pad_length", 0)
        decoded = self.model.decode(out.audio_codes, out.audio_scales, **({"last_frame_pad_length": padding} if padding else {}))
        return decoded.audio_values[0].numpy()

    @torch.no_grad()
    def gap(self, sound, codes, others, frames):
        """At the first codebook of each frame where the codes differ: how much farther, relatively, the residual is from one of the
        two entries than from the other, in float64 (squared distances). The largest of all frames."""
        worst = 0.0
        for chunk in range(len(codes)):
            differ = np.flatnonzero((codes[chunk] != others[chunk]).any(axis=0)[:frames[chunk]])
            if not len(differ):
                continue
            latents, books = self.latents(sound, chunk)
            for t in differ:
                residual = latents[:, t].copy()
                first = np.flatnonzero(codes[chunk, :, t] != others[chunk, :, t])[0]
                for k in range(first):
                    residual -= books[k][codes[chunk, k, t]]
                near, far = sorted(np.sum((residual - books[first][c[chunk, first, t]]) ** 2) for c in (codes, others))
                worst = max(worst, (far - near) / near)
        return float(worst)

    def latents(self, sound, chunk):
        if self.double is None:
            self.double = transformers.EncodecModel(self.config).double().eval()
            self.double.load_state_dict({k: v.double() for k, v in self.model.state_dict().items()})
        x = sound.astype(np.float64)
        if self.chunk:
            x = x[:, chunk * self.config.chunk_stride:][:, :self.chunk]
        if self.config.normalize:
            x = x / (np.sqrt(np.mean(x.mean(axis=0) ** 2)) + 1e-8)
        books = [layer.codebook.embed.numpy() for layer in self.double.quantizer.layers]
        return self.double.encoder(torch.from_numpy(x)[None])[0].numpy(), books


# ---------------------------------------------------------------------------------------------- comparison --


def compare(ecdc, peer, name, sound, rate):
    """One row per bandwidth."""
    path = os.path.join(ecdc.work, "sound.wav")
    write_wav(path, sound, rate)
    rows = []
    for kbps in peer.config.target_bandwidths:
        codes, scales, file = ecdc.encode(path, kbps, peer.chunk > 0 or peer.config.normalize)
        wanted, wanted_scales, frames, out = peer.encode(sound, kbps)
        if codes.shape != wanted.shape:
            sys.exit(f"ecdc: {name} at {kbps} kbps: codes are {codes.shape}, those of transformers {wanted.shape}")
        real = np.zeros(codes.shape, bool)
        for chunk, n in enumerate(frames):
            real[chunk, :, :n] = True
        equal = (codes == wanted) | ~real
        row = {"sound": name, "bandwidth": kbps, "codes": int(real.sum()),
               "equal": float(equal[real].mean()), "equal_codebook_0": float(equal[:, 0][real[:, 0]].mean()),
               "gap": peer.gap(sound, codes, wanted, frames)}
        if scales is not None:
            pairs = zip(scales, (float(s) for s in wanted_scales))
            row["scale_error"] = max(abs(float(a) - b) / b for a, b in pairs)
        mine = ecdc.decode(file)
        out.audio_codes = out.audio_codes.new_tensor(codes)[:, None]  # of the same codes: it is the decoders that are compared
        theirs = peer.decode(out)
        n = min(mine.shape[1], theirs.shape[1], sound.shape[1])
        row["sound_error"] = float(np.abs(mine[:, :n].astype(np.float64) - theirs[:, :n]).max())
        last = kbps == peer.config.target_bandwidths[-1]
        row["pass"] = bool((not last or row["equal"] >= EQUAL) and row["equal_codebook_0"] >= EQUAL_FIRST and row["gap"] < GAP
                           and row["sound_error"] < SOUND and row.get("scale_error", 0) < 1e-5)
        rows.append(row)
    return rows


def print_table(report):
    print(f"transformers {report['transformers']}, torch {report['torch']}, {report['python']}")
    print("sound       kbps    codes     equal  codebook 0  largest gap  sound error")
    for row in report["comparisons"]:
        print(f"{row['sound']:<10} {row['bandwidth']:>5g} {row['codes']:>8} {100 * row['equal']:>8.4f}% {100 * row['equal_codebook_0']:>10.4f}%"
              f" {row['gap']:>12.1e} {row['sound_error']:>12.1e}{'' if row['pass'] else '  FAIL'}")
    print("PASS" if report["pass"] else "FAIL")


def main():
    binary, model, directory, work, audio, as_json, *options = sys.argv[1:]
    torch.set_num_threads(min(4, os.cpu_count() or 1))
    transformers.utils.logging.set_verbosity_error()
    peer = Peer(directory)
    ecdc = Ecdc(binary, model, work, options)
    rate, channels = peer.config.sampling_rate, peer.config.audio_channels
    rows = compare(ecdc, peer, "generated", generated(rate, channels), rate)
    if audio:
        rows += compare(ecdc, peer, "audio", decodable(read_wav(audio), peer.config.chunk_stride if peer.chunk else 0), rate)
    report = {"pass": all(row["pass"] for row in rows), "model": model, "transformers": transformers.__version__,
              "torch": torch.__version__, "python": sys.executable, "comparisons": rows}
    if as_json == "1":
        print(json.dumps(report, indent=2))
    else:
        print_table(report)
    return 0 if report["pass"] else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # which the command reports
        sys.exit(1)
    except Exception as problem:  # of transformers, mostly: one line instead of a stack
        sys.exit(f"ecdc: verify: {type(problem).__name__}: {problem}")
