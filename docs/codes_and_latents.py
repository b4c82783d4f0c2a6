"""Measures what arithmetic does to codes and to latents; writes the measured part of CODES_AND_LATENTS.md, draws its picture.

Usage, from the repository's root, with the package's needs and matplotlib:
PYTHONPATH=python ECDC_LIBRARY=build/libecdc.so python3 docs/codes_and_latents.py
What stands outside the two markers in the page is written by hand and stays as it is.
"""
import json
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402

import ecdc  # noqa: E402
from ecdc._reader import Reader  # noqa: E402

BEGIN, END = "<!-- measured: begin, written by docs/codes_and_latents.py -->", "<!-- measured: end -->"
DOCS = Path(__file__).resolve().parent
MODEL = DOCS.parent / "model"  # what is embedded as "default"
KBPS = 3.0
COLOURS = {"codes": "C3", "latents": "C0"}
HISS_DB = -30  # of the second take, against the recording


def read_codebooks(directory, n):
    """float32 (n, entries, dimension), from the file that the model was opened from."""
    blob = (directory / "model.safetensors").read_bytes()
    start = 8 + int.from_bytes(blob[:8], "little")
    header = json.loads(blob[8:start])
    types = {"F16": "<f2", "F32": "<f4"}

    def tensor(name):
        t = header[name]
        begin, end = (start + offset for offset in t["data_offsets"])
        return np.frombuffer(blob[begin:end], types[t["dtype"]]).reshape(t["shape"]).astype(np.float32)

    return np.stack([tensor(f"quantizer.layers.{q}.codebook.embed") for q in range(n)])


def dequantize(books, codes):
    """(frames, dimension) from (n_codebooks, frames): a frame's latent is the sum of its entries."""
    return sum(book[row] for book, row in zip(books, codes))


def quantize(books, latents):
    """Codes again: the nearest entry, subtract it, the next codebook."""
    rest, codes = latents.astype(np.float64), []
    for book in books.astype(np.float64):
        distances = (book ** 2).sum(1) - 2 * rest @ book.T
        codes.append(distances.argmin(1))
        rest = rest - book[codes[-1]]
    return np.stack(codes)


# A treatment takes floats with time along axis 0, whatever they stand for, and those of a second take.

def nothing(x, _take):
    return x


def mean_of_neighbours(n):
    def treat(x, _take):
        padded = np.pad(x, ((n // 2, n // 2), (0, 0)), mode="edge")
        return np.mean([padded[i:i + len(x)] for i in range(n)], axis=0)
    return treat


def interpolate(x, n):
    at = np.linspace(0, len(x) - 1, n)
    return np.stack([np.interp(at, np.arange(len(x)), column) for column in x.T], axis=1)


def to_90_percent_and_back(x, _take):
    return interpolate(interpolate(x, round(0.9 * len(x))), len(x))


def mean_of_takes(x, take):
    return (x + take) / 2


def plus_or_minus_1(x, _take):
    return x + np.random.default_rng(0).choice([-1, 1], x.shape)


def noise(level_db):
    """White noise; its level is relative to the variance of x over time."""
    def treat(x, _take):
        scale = np.sqrt(10 ** (level_db / 10) * x.var(axis=0).mean())
        return x + np.random.default_rng(0).normal(0, scale, x.shape)
    return treat


class Recording:
    """The recording, its codes, and what becomes of them."""

    def __init__(self, path, model, books):
        self.model, self.books, self.rate = model, books, model.sampling_rate
        self.sound = np.concatenate(list(Reader(path, self.rate)))
        self.codes = model.encode(self.sound, KBPS)
        self.untreated = self.decode(self.codes)

    def decode(self, codes):
        return self.model.decode(codes)[:len(self.sound)]

    def takes(self):
        """Codes of the same sound with hiss, and half a frame later."""
        hiss = np.random.default_rng(1).normal(0, self.sound.std() * 10 ** (HISS_DB / 20), len(self.sound))
        late = np.concatenate([np.zeros(self.model.hop // 2), self.sound])[:len(self.sound)]
        return [self.model.encode(take.astype(np.float32), KBPS) for take in (self.sound + hiss, late)]

    def stoi(self, codes):
        """Against the recording, and against the sound of the untreated codes."""
        sound = self.decode(codes)
        return tuple(ecdc.metrics.stoi(reference, sound, self.rate) for reference in (self.sound, self.untreated))

    def treated_codes(self, treat, take):
        numbers = treat(self.codes.T.astype(float), take.T.astype(float))
        return self.stoi(np.clip(np.rint(numbers), 0, self.books.shape[1] - 1).astype(np.int64).T)

    def treated_latents(self, treat, take):
        latents = treat(dequantize(self.books, self.codes), dequantize(self.books, take))
        return self.stoi(quantize(self.books, latents))


def minus(text):
    return text.replace("-", "−")


def measure(recording):
    """[(treatment in words, STOIs of codes, STOIs of latents)], and the STOIs of random codes."""
    hiss, late = recording.takes()
    same_power_db = 10 * np.log10(1 / recording.codes.var(axis=1).mean())  # 1: that of plus or minus 1
    half_a_frame_ms = 500 / recording.model.frame_rate
    rows = [("nothing", nothing, nothing, hiss),
            ("mean of 3 frames", *2 * [mean_of_neighbours(3)], hiss),
            ("mean of 7 frames", *2 * [mean_of_neighbours(7)], hiss),
            ("resampled to 90 % and back", *2 * [to_90_percent_and_back], hiss),
            (minus(f"mean with a take with hiss at {HISS_DB} dB"), *2 * [mean_of_takes], hiss),
            (f"mean with a take {half_a_frame_ms:.1f} ms later", *2 * [mean_of_takes], late),
            (minus(f"±1 on codes; noise at {same_power_db:.0f} dB on latents"), plus_or_minus_1,
             noise(same_power_db), hiss),
            ("noise at −10 dB", *2 * [noise(-10)], hiss)]
    random = np.random.default_rng(2).integers(0, recording.books.shape[1], recording.codes.shape)
    return [(name, recording.treated_codes(of_codes, take), recording.treated_latents(of_latents, take))
            for name, of_codes, of_latents, take in rows], recording.stoi(random)


def pairs(book):
    """Of every two entries: how far apart their indices are, and they themselves. Then the distance of each to its nearest."""
    book = book.astype(np.float64)
    power = (book ** 2).sum(1)
    distance = np.sqrt(np.maximum(0, power[:, None] + power - 2 * book @ book.T))
    i, j = np.triu_indices(len(book), 1)
    np.fill_diagonal(distance, np.inf)
    return j - i, distance[i, j], distance.min(1)


def halfway(book, codes):
    """Distances to the mean of two successive frames' entries: of the entry at the codes' mean, of any, of the nearest."""
    a, b = codes[:-1][codes[:-1] != codes[1:]], codes[1:][codes[:-1] != codes[1:]]
    all_of_them = np.linalg.norm(book - ((book[a] + book[b]) / 2)[:, None], axis=2)
    at_mean = all_of_them[np.arange(len(a)), np.rint((a + b) / 2).astype(int)]
    return at_mean.mean(), all_of_them.mean(), all_of_them.min(1).mean()


def cells(stois):
    return f"{stois[0]:.2f} ({stois[1]:.2f})"


def page(recording, rows, random):
    books, codes = recording.books, recording.codes
    apart, distance, nearest = pairs(books[0])
    beside, correlation = distance[apart == 1].mean(), np.corrcoef(apart, distance)[0, 1]
    at_mean, any_entry, best = halfway(books[0], codes[0])
    same = (quantize(books, dequantize(books, codes)) == codes).mean()
    hiss, late = (100 * (take == codes).mean() for take in recording.takes())
    table = "\n".join(f"| {name} | {cells(of_codes)} | {cells(of_latents)} |" for name, of_codes, of_latents in rows)
    return f"""\
The default model (SHA-256 `{recording.model.sha256[:12]}…`) at {KBPS:g} kbps: {len(codes)} codebooks of {len(books[0])} entries.
`audio/jfk.flac`, {len(recording.sound) / recording.rate:.0f} s of speech.

![Distance of entries against distance of indices; STOI after each treatment](codes_and_latents.svg)

**The first codebook.** Over all pairs of entries, how far apart two indices are and how far apart the entries are correlate with
r = {minus(f"{correlation:.3f}")}. On average, entries with successive indices are {beside:.1f} apart, any two {distance.mean():.1f},
an entry and its nearest {nearest.mean():.1f}.
Between two successive frames of the recording, the entry at the mean of their codes misses the mean of their entries by {at_mean:.1f}, one
at random by {any_entry:.1f}, the nearest by {best:.1f}.

**The sound.** STOI against the recording; in brackets against the sound of the untreated codes. Levels of noise are
relative to the variance over time of what it is added to, that of hiss to the recording.

| treatment | of codes | of latents |
|---|---:|---:|
{table}
| random codes, for comparison | {cells(random)} | |

Where nothing was done to the latents, the way back into codes finds {100 * same:.0f} % of them again: the quantizer goes from codebook to
codebook and need not return to the entries whose sum it was given. That costs the difference in the first row.
The take with hiss has {hiss:.0f} % of the codes in common with the first one, the later take {late:.0f} %."""


def plot(recording, rows, random):
    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "ecdc", "font.size": 8})
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained", width_ratios=(1, 1.35))
    apart, distance, nearest = pairs(recording.books[0])
    step = len(recording.books[0]) // 32
    centres = np.arange(step // 2, len(recording.books[0]) - step, step)
    low, q1, middle, q3, high = np.transpose([np.percentile(distance[abs(apart - centre) <= step // 2], (5, 25, 50, 75, 95))
                                              for centre in centres])
    left.fill_between(centres, low, high, color="C3", alpha=0.15, linewidth=0, label="5 to 95 % of the pairs")
    left.fill_between(centres, q1, q3, color="C3", alpha=0.3, linewidth=0, label="25 to 75 %")
    left.plot(centres, middle, color="C3", label="median")
    left.axhline(nearest.mean(), color="0.3", linestyle="--", linewidth=1, label="nearest entry, mean")
    left.set(title="Pairs of entries of the first codebook", xlabel="distance of two indices", ylabel="distance of their entries",
             xlim=(0, len(recording.books[0]) - 1))
    left.set_ylim(bottom=0)
    left.grid(alpha=0.3)
    left.legend(fontsize=7, loc="lower right")

    y = np.arange(len(rows))
    for what, offset, column in (("codes", -0.2, 1), ("latents", 0.2, 2)):
        values = [row[column][0] for row in rows]
        right.barh(y + offset, values, 0.38, color=COLOURS[what], label=f"treated as {what}")
        for at, value in zip(y + offset, values):
            right.text(value + 0.01, at, f"{value:.2f}", va="center", fontsize=6.5, bbox={"color": "white", "pad": 0.5})
    right.axvline(random[0], color="0.3", linestyle="--", linewidth=1, label="random codes")
    right.set_yticks(y, [row[0].replace("; ", ";\n") for row in rows])
    right.invert_yaxis()
    right.set(title="STOI against the recording", xlim=(0, 1))
    right.grid(alpha=0.3, axis="x")
    right.set_axisbelow(True)
    right.legend(fontsize=7, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.08))
    figure.savefig(DOCS / "codes_and_latents.svg", metadata={"Date": None, "Creator": "ecdc docs/codes_and_latents.py"})


def main():
    model = ecdc.Model(MODEL)
    recording = Recording(DOCS.parent / "audio" / "jfk.flac", model, read_codebooks(MODEL, model.codebooks(KBPS)))
    rows, random = measure(recording)
    path = DOCS / "CODES_AND_LATENTS.md"
    before, rest = path.read_text().split(BEGIN)
    path.write_text(f"{before}{BEGIN}\n\n{page(recording, rows, random)}\n\n{END}{rest.split(END)[1]}")
    plot(recording, rows, random)


if __name__ == "__main__":
    main()
