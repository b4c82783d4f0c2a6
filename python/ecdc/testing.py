"""A synthetic study: a film, and scans of subjects whose brains respond to it in places that are known.

Analyses can be tried where the truth is known: the response is made of the film's latents, Glover's haemodynamic response and
weights that `make_study` returns. It needs the program ``ffmpeg``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

import numpy as np

from . import _arguments, fmri
from .audio_processor import AudioProcessor

__all__ = ["Study", "make_study", "synthetic_sound"]

LAYOUTS = ("giblet", "bids")
RATE_HZ = 24000
VOXEL_MM = 3.0
BASELINE, SCALE = 1000.0, 20.0  # of a brain voxel's signal, in the scanner's units; SCALE is its standard deviation
RIM_BASELINE, RIM_SCALE = 80.0, 3.0  # of tissue around the brain, which hardly varies
CONSTANT = 7.0  # one corner of the volume; the rest is 0


@dataclass(frozen=True)
class Study:
    """What `make_study` has written, and the truth about it.

    Attributes
    ----------
    path, film : Path
        The study's directory (`data_dir` of a dataset) and the film in it.
    scans : list of Path
        One file per subject, by number.
    tr : float
        In seconds.
    n_trs : int
    latents : float32 array, (n_trs, dimension)
        Of the film, after the causal haemodynamic response, each column with mean 0 and variance 1.
    weights : float32 array, (dimension, n_planted)
        The noiseless response of planted voxel v is ``latents @ weights[:, v]``, with mean 0 and variance 1.
    planted : int array, (n_planted, 3)
        Coordinates of the voxels that respond, the same in every subject.
    masks : bool array, (n_subjects, x, y, z)
        The brain of each subject: what giblet's rule for one subject finds.
    mask : bool array, (x, y, z)
        Voxels in the brains of at least half of the subjects: giblet's shared mask.
    affine : float64 array, (4, 4)
    """

    path: Path
    film: Path
    scans: list[Path]
    tr: float
    n_trs: int
    latents: np.ndarray
    weights: np.ndarray
    planted: np.ndarray
    masks: np.ndarray
    mask: np.ndarray
    affine: np.ndarray


def make_study(path: Union[str, "os.PathLike[str]"], *, n_subjects: int = 2, n_trs: int = 60, tr: float = 1.5,
               shape: tuple[int, int, int] = (10, 12, 9), n_planted: int = 20, snr: float = 3.0, layout: str = "giblet",
               sound: Union[str, "os.PathLike[str]", None] = None, bandwidth: float = 3.0, seed: int = 0,
               overwrite: bool = False) -> Study:
    """Writes a study and returns the truth about it. The same arguments give the same scans, up to the film's encoder.

    Parameters
    ----------
    path : path
        A directory; it is made if it is missing.
    n_subjects, n_trs : int
    tr : float
        Repetition time in seconds; the film lasts n_trs * tr.
    shape : (int, int, int)
        Voxels of a volume along x, y, z, at least 6 each.
    n_planted : int
        Voxels that respond.
    snr : float
        Variance of the response over that of the noise in a planted voxel; the best prediction correlates with sqrt(snr / (1 + snr)).
    layout : {'giblet', 'bids'}
        ``sherlock_nii/sherlock_movie_s1.nii.gz`` ..., or ``sub-01/func/sub-01_task-film_bold.nii.gz`` ... with sidecars. The film is
        ``stimuli_film.mp4`` in both.
    sound : path, optional
        Any file that FFmpeg reads, repeated as often as the film needs it. Default: `synthetic_sound`.
    bandwidth : float
        Of the latents, in kbps.
    seed : int
    overwrite : bool
        Whether to replace files of these names that are there; else they are a FileExistsError, and nothing is written.
    """
    n_subjects, n_trs = (_arguments.integer(name, n, 1) for name, n in (("n_subjects", n_subjects), ("n_trs", n_trs)))
    _arguments.choice("layout", layout, LAYOUTS)
    _arguments.seconds("tr", tr)
    if len(shape) != 3 or min(shape) < 6:
        raise ValueError(f"shape is {shape!r}, allowed are three sizes of 6 or more")
    rng = np.random.default_rng(seed)
    masks = _brains(rng, n_subjects, shape)
    rims = np.stack([_rim(mask) for mask in masks])
    inside = np.argwhere(masks.all(axis=0))
    n_planted = _arguments.integer("n_planted", n_planted, 0, len(inside), ", as many as the subjects' brains have in common")
    planted = inside[np.sort(rng.choice(len(inside), n_planted, replace=False))]

    path = Path(path)
    film = path / "stimuli_film.mp4"
    scans = [_scan_path(path, layout, s + 1) for s in range(n_subjects)]
    sidecars = _sidecars(path, scans, tr) if layout == "bids" else {}
    targets = [film, *scans, *sidecars]
    if not overwrite and (there := [target for target in targets if os.path.lexists(target)]):
        raise FileExistsError(f"{there[0]}: exists already, and a synthetic one would take its place; overwrite=True allows that")
    for target in targets:
        target.parent.mkdir(parents=True, exist_ok=True)
    make_film(film, n_trs * tr, sound, seed)
    processor = AudioProcessor(model="default", mode="latent", encodec_bandwidth=bandwidth, tr=tr, hrf="causal")
    latents = _standardised(processor.audio_to_features(film, max_trs=n_trs)[0])
    if len(latents) != n_trs:
        raise ValueError(f"{film}: {len(latents)} TRs of sound where {n_trs} were to be made")
    weights = rng.standard_normal((latents.shape[1], n_planted)).astype(np.float32)
    power = (latents @ weights).std(axis=0)
    weights /= np.where(power > 0, power, 1)

    affine = np.diag([VOXEL_MM, VOXEL_MM, VOXEL_MM, 1.0])
    affine[:3, 3] = -VOXEL_MM * (np.array(shape) - 1) / 2
    for sidecar, content in sidecars.items():
        sidecar.write_text(content)
    for s, scan in enumerate(scans):
        bold = _bold(np.random.default_rng([seed, s + 1]), masks[s], rims[s], planted, latents @ weights, snr)
        fmri.save(np.moveaxis(bold, 0, 3), affine, scan, tr=tr, overwrite=overwrite, level=1)
    return Study(path, film, scans, tr, n_trs, latents, weights, planted, masks,
                 masks.sum(axis=0) >= -(-n_subjects // 2), affine)


def _standardised(x: np.ndarray) -> np.ndarray:
    """Each column with mean 0 and variance 1; one that never changes is 0."""
    x = x.astype(np.float64)
    scale = x.std(axis=0)
    return ((x - x.mean(axis=0)) / np.where(scale > 0, scale, 1)).astype(np.float32)


# --------------------------------------------------------------------------------------------------------- the scans --


def _brains(rng: np.random.Generator, n_subjects: int, shape: tuple[int, int, int]) -> np.ndarray:
    """An ellipsoid; at its surface every subject has voxels more or less."""
    centre = (np.array(shape).reshape(3, 1, 1, 1) - 1) / 2
    radius = np.linalg.norm((np.indices(shape) - centre) / (0.36 * np.array(shape).reshape(3, 1, 1, 1)), axis=0)
    return np.stack([radius <= 1 + rng.uniform(-0.08, 0.08, shape) for _ in range(n_subjects)])


def _rim(mask: np.ndarray) -> np.ndarray:
    """The voxels around a brain that vary, but little. So many that giblet's threshold, the 10th percentile of all standard deviations
    above 0, parts them from the brain: it lies at place 0.1 * last of the sorted ones, counted from 0, and last - floor(0.1 * last) of
    them are above it."""
    n = int(mask.sum())
    last = n + (n - 1) // 9
    distance = np.full(mask.shape, np.inf)
    outside, brain = np.argwhere(~mask), np.argwhere(mask)
    distance[~mask] = [((brain - voxel) ** 2).sum(axis=1).min() for voxel in outside]
    rim = np.zeros(mask.shape, bool)
    rim.flat[np.argsort(distance, axis=None, kind="stable")[:last + 1 - n]] = True
    return rim


def _bold(rng: np.random.Generator, mask: np.ndarray, rim: np.ndarray, planted: np.ndarray, response: np.ndarray,
          snr: float) -> np.ndarray:
    """int16 (n_trs, x, y, z)."""
    n_trs = len(response)
    bold = np.zeros((n_trs, *mask.shape), np.int16)
    bold[(slice(None), *[slice(0, n // 4) for n in mask.shape])] = CONSTANT
    brain = rng.standard_normal((n_trs, *mask.shape), np.float32)
    at = (slice(None), *planted.T)
    brain[at] = (np.sqrt(snr) * response + brain[at]) / np.sqrt(1 + snr)
    bold[:, mask] = np.rint(BASELINE + SCALE * brain[:, mask])
    bold[:, rim] = np.rint(RIM_BASELINE + RIM_SCALE * np.clip(brain[:, rim], -3, 3))
    bold[0, rim] = RIM_BASELINE + RIM_SCALE  # it does vary, also in a study of a few TRs
    return bold


def _scan_path(study: Path, layout: str, number: int) -> Path:
    if layout == "giblet":
        return study / "sherlock_nii" / f"sherlock_movie_s{number}.nii.gz"
    return study / f"sub-{number:02d}" / "func" / f"sub-{number:02d}_task-film_bold.nii.gz"


def _sidecars(study: Path, scans: list[Path], tr: float) -> dict[Path, str]:
    """What BIDS wants beside scans, as texts."""
    facts = json.dumps({"TaskName": "film", "RepetitionTime": tr}) + "\n"
    dataset = {"Name": "Synthetic study", "BIDSVersion": "1.9.0", "DatasetType": "derivative",
               "GeneratedBy": [{"Name": "ecdc.testing.make_study"}]}
    return {study / "dataset_description.json": json.dumps(dataset, indent=1) + "\n",
            **{scan.with_name(scan.name.replace(".nii.gz", ".json")): facts for scan in scans}}


# ---------------------------------------------------------------------------------------------------------- the film --


def make_film(path: Path, seconds: float, sound: Any, seed: int) -> None:
    """A small moving picture with this sound, or else a synthetic one."""
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        raise FileNotFoundError("ffmpeg: no such program; the film is made with it")
    if sound is None:
        source = ["-f", "f32le", "-ar", str(RATE_HZ), "-ac", "1", "-i", "-"]
        samples = synthetic_sound(seconds, RATE_HZ, seed).tobytes()
    else:
        source, samples = ["-stream_loop", "-1", "-i", os.fsdecode(_arguments.input_path(sound))], b""
    done = subprocess.run([ffmpeg, "-v", "error", "-y", "-f", "lavfi", "-i", f"testsrc=size=64x48:rate=5:duration={seconds:.6f}",
                           *source, "-map", "0:v", "-map", "1:a", "-af", f"apad,atrim=duration={seconds:.6f}", "-ar", str(RATE_HZ),
                           "-ac", "1", "-c:v", "mpeg4", "-c:a", "aac", "-b:a", "96k", os.fspath(path)], input=samples,
                          capture_output=True)
    if done.returncode != 0:
        raise ValueError(f"{path}: ffmpeg made no film of it: {done.stderr.decode(errors='replace').strip()}")


def synthetic_sound(seconds: float, rate: int = RATE_HZ, seed: int = 0) -> np.ndarray:
    """Scenes of 2 to 8 s, one after another: speech-like syllables, chords, rushing, near silence.

    Returns
    -------
    float32 array, (round(seconds * rate),)
        Within -1 ... 1.
    """
    rng = np.random.default_rng(seed)
    n = round(seconds * rate)
    scenes: list[np.ndarray] = []
    while sum(map(len, scenes)) < n:
        length = int(rng.uniform(2, 8) * rate)
        scene = rng.choice([_syllables, _chord, _rushing, _near_silence], p=[0.5, 0.2, 0.2, 0.1])(rng, length, rate)
        scenes.append(scene * (10 ** (rng.uniform(-14, 0) / 20)) / max(1e-9, np.abs(scene).max()))
    return np.clip(0.7 * np.concatenate(scenes)[:n], -1, 1).astype(np.float32)


def _fade(n: int) -> np.ndarray:
    return np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 0.5


def _syllables(rng: np.random.Generator, n: int, rate: int) -> np.ndarray:
    """A voice of one pitch range: consonants of noise, vowels of pulses through three formants."""
    pitch, sound = rng.uniform(90, 240), np.zeros(n)
    at = 0
    while at < n:
        length = min(int(rng.uniform(0.12, 0.3) * rate), n - at)
        if length < rate // 50:
            break
        f0 = pitch * np.linspace(*rng.uniform(0.85, 1.2, 2), length)
        pulses = np.diff(np.floor(np.cumsum(f0) / rate), prepend=0)
        hz = np.fft.rfftfreq(length, 1 / rate)
        formants = rng.uniform((250, 800, 2200), (850, 2300, 3200))
        vowel = sum(weight / (1 + ((hz - formant) / 90) ** 2) for weight, formant in zip((1, 0.6, 0.3), formants))
        sound[at:at + length] = np.fft.irfft(np.fft.rfft(pulses) * vowel, length) * _fade(length)
        hiss = min(length, int(rng.uniform(0.02, 0.08) * rate))
        sound[at:at + hiss] += 0.02 * np.diff(rng.standard_normal(hiss + 1)) * _fade(hiss)
        at += length + int(rng.choice([0, 0.02, 0.15], p=[0.5, 0.3, 0.2]) * rate)
    return sound


def _chord(rng: np.random.Generator, n: int, rate: int) -> np.ndarray:
    """Notes with a few harmonics that die away."""
    t, sound = np.arange(n) / rate, np.zeros(n)
    for _ in range(rng.integers(1, 5)):
        f0 = 110 * 2 ** (rng.integers(0, 36) / 12)
        for k in range(1, 5):
            sound += np.sin(2 * np.pi * k * f0 * t) / k ** 1.5
    return sound * np.exp(-(t % rng.uniform(0.3, 1.5)) * rng.uniform(0.5, 3)) * _fade(n)


def _rushing(rng: np.random.Generator, n: int, rate: int) -> np.ndarray:
    """Noise in one band, like wind or water."""
    hz = np.fft.rfftfreq(n, 1 / rate)
    centre = np.exp(rng.uniform(np.log(200), np.log(6000)))
    band = np.exp(-0.5 * (np.log(np.maximum(hz, 1) / centre) / rng.uniform(0.2, 0.8)) ** 2)
    return np.fft.irfft(np.fft.rfft(rng.standard_normal(n)) * band, n) * _fade(n)


def _near_silence(rng: np.random.Generator, n: int, _rate: int) -> np.ndarray:
    """So quiet beside a single click that it counts for nothing."""
    sound = 0.003 * rng.standard_normal(n)
    sound[n // 2] = 1
    return sound
