"""What the comparisons share: the command, the models of transformers and encodec, and the promise that is checked."""
import os

os.environ.update(HF_HUB_OFFLINE="1", CUDA_VISIBLE_DEVICES="", TQDM_DISABLE="1")

import struct  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import types  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "data" / "tiny24"
BINARY = Path(os.environ.get("ECDC") or ROOT / "build" / "ecdc").resolve()
RATE, HOP = 24000, 320

torch.set_num_threads(min(2, os.cpu_count() or 1))
transformers.utils.logging.set_verbosity_error()


class Command:
    """ecdc(...) runs the command with a model cache of its own and expects it to succeed."""

    def __init__(self, hub):
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "XDG_CACHE"))}
        self.env.update(HF_HOME=str(hub), HF_HUB_OFFLINE="1")

    def run(self, *args):
        return subprocess.run([BINARY, *map(str, args)], env=self.env, capture_output=True, text=True, timeout=300)

    def __call__(self, *args):
        done = self.run(*args)
        assert done.returncode == 0, f"ecdc {' '.join(map(str, args))}: {done.stderr}"
        return done.stdout

    def encode(self, sound, to, *args):
        """The codes of a sound as an array (codebooks, frames), through the file `to`."""
        self("encode", sound, "-o", to, "-q", "-f", *args)
        return np.load(to)

    def decode(self, codes, to, *args):
        """The sound of an array or a file of codes, through the file `to`.wav."""
        if isinstance(codes, np.ndarray):
            np.save(to.with_suffix(".npy"), codes.astype(np.int64))
            codes = to.with_suffix(".npy")
        self("decode", codes, "-o", to.with_suffix(".wav"), "--float", "-q", "-f", *args)
        return read_wav(to.with_suffix(".wav"))


def write_wav(path, samples, rate=RATE):
    """Float32 samples, (n,) or (n, channels), bit for bit."""
    data = np.ascontiguousarray(samples, "<f4").tobytes()
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    header = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 3, channels, rate,
                         4 * channels * rate, 4 * channels, 32, b"data", len(data))
    path.write_bytes(header + data)
    return path


def read_wav(path, rate=RATE, channels=1):
    """The samples of a float32 WAV, (n,) or (n, channels)."""
    data = path.read_bytes()
    assert data[:4] == b"RIFF" and data[8:12] == b"WAVE"
    at = 12
    while data[at:at + 4] != b"data":
        if data[at:at + 4] == b"fmt ":
            kind, *found = struct.unpack_from("<HHI", data, at + 8)
            assert kind in (3, 0xFFFE) and found == [channels, rate]
        size, = struct.unpack_from("<I", data, at + 4)
        at += 8 + size + size % 2
    size, = struct.unpack_from("<I", data, at + 4)
    samples = np.frombuffer(data[at + 8:at + 8 + size], "<f4")
    return samples if channels == 1 else samples.reshape(-1, channels)


class Peer:
    """transformers' EncodecModel of a directory, in float32 whatever the file holds."""

    def __init__(self, directory):
        self.model = transformers.EncodecModel.from_pretrained(directory, dtype=torch.float32).eval()
        self.memory = {}

    @torch.no_grad()
    def encode(self, samples, kbps):
        """(codebooks, frames)"""
        key = (samples.tobytes(), kbps)
        if key not in self.memory:
            out = self.model.encode(torch.from_numpy(samples.copy())[None, None], bandwidth=kbps)
            self.memory[key] = out.audio_codes[0, 0].numpy()
        return self.memory[key]

    @torch.no_grad()
    def decode(self, codes):
        out = self.model.decode(torch.from_numpy(codes.astype(np.int64))[None, None], [None])
        return out.audio_values[0, 0].numpy()

    def gap(self, samples, codes, others):
        """At the first codebook of each frame where the codes differ: how much farther, relatively, the residual is
        from one of the two codes than from the other, in float64 (squared distances). The largest of all frames."""
        return self.gap_of(torch.from_numpy(samples.astype(np.float64))[None, None], codes, others)

    @torch.no_grad()
    def gap_of(self, sound, codes, others):
        """The same for what the network hears, (1, channels, samples) in float64."""
        frames = np.flatnonzero((codes != others).any(axis=0))
        if not len(frames):
            return 0.0
        if "double" not in self.memory:
            double = transformers.EncodecModel(self.model.config).double().eval()
            double.load_state_dict({k: v.double() for k, v in self.model.state_dict().items()})
            self.memory["double"] = double
        double = self.memory["double"]
        latents = double.encoder(sound)[0].numpy()
        books = [layer.codebook.embed.numpy() for layer in double.quantizer.layers]
        worst = 0.0
        for t in frames:
            residual = latents[:, t].copy()
            first = np.flatnonzero(codes[:, t] != others[:, t])[0]
            for k in range(first):
                residual -= books[k][codes[k, t]]
            near, far = sorted(np.sum((residual - books[first][c[first, t]]) ** 2) for c in (codes, others))
            worst = max(worst, (far - near) / near)
        return worst


def check_codes(peer, samples, kbps, codes, title):
    """Promise 1: nearly all codes are transformers', and where one is not, it is as near as makes no difference."""
    wanted = peer.encode(samples, kbps)
    assert codes.shape == wanted.shape
    equal = codes == wanted
    gap = peer.gap(samples, codes, wanted)
    print(f"{title}: {100 * equal.mean():.4f} % of {equal.size} codes equal, {100 * equal[0].mean():.4f} % of codebook 0, "
          f"{(~equal).any(axis=0).sum()} of {equal.shape[1]} frames differ, largest relative gap there {gap:.1e}")
    assert equal.mean() >= 0.999
    assert equal[0].mean() >= 0.9999
    assert gap < 1e-4


def check_sound(wanted, sound, title):
    assert sound.shape == wanted.shape
    error = np.abs(sound.astype(np.float64) - wanted).max()
    print(f"{title}: largest error {error:.1e} of full scale, peak {np.abs(wanted).max():.2f}")
    assert error < 1e-4


def published_package():
    """The package encodec, whose import of torchaudio is for resampling only and not needed here."""
    if "encodec" not in sys.modules:
        real = sys.modules.get("torchaudio")
        sys.modules["torchaudio"] = types.ModuleType("torchaudio")
        try:
            import encodec  # noqa: F401
        finally:
            del sys.modules["torchaudio"]
            if real:
                sys.modules["torchaudio"] = real
    return sys.modules["encodec"]
