"""giblet's AudioProcessor on the C library."""

from __future__ import annotations

import os
import re
import warnings
from fractions import Fraction
from typing import Any, Iterator, Mapping, Union

import numpy as np
import pandas as pd

from . import _arguments, hub
from ._codes import LAYOUTS, CodeRows, parameters_of, samples_of
from ._hrf import convolve
from ._library import ALIGNMENTS, HRFS, PRECISIONS, RowInfo, byref, lib
from ._mel import FLOOR_DB, MelRows
from ._sound import PathOrArray, Sound
from ._wav import WavWriter
from .model import Model

MODES = {"encodec": "encodec", "latent": "latent", "mel": "mel_spectrogram"}  # as metadata has them
HUB_MODEL = "facebook/encodec_24khz"
_warned: set[str] = set()


def _warn_once(message: str, stacklevel: int = 3) -> None:
    if message not in _warned:
        _warned.add(message)
        warnings.warn(message, UserWarning, stacklevel=stacklevel)


def _open_model(name: Union[str, "os.PathLike[str]"]) -> Model:
    """A model that is here, or else one of the hub, which is then downloaded."""
    try:
        return Model(name)
    except ValueError:
        if not re.fullmatch(r"\w[\w.-]*/[\w.-]+(@.+)?", os.fsdecode(name)) or os.path.exists(name):
            raise
    hub.fetch(os.fsdecode(name))
    return Model(name)


def _default_model() -> Model:
    """The published model from the cache, else from the hub, else the embedded one."""
    try:
        return _open_model(HUB_MODEL)
    except (ValueError, OSError) as e:  # the hub refuses, or there is no network
        model = Model("default")
        warnings.warn(f"{e}: the embedded model {model.name} takes the place of {HUB_MODEL}. Its codes are other ones; "
                      "model='default' asks for it without this warning", UserWarning, stacklevel=3)
        return model


class AudioProcessor:
    """The sound of films and recordings as features on the time grid of an fMRI scan, and back.

    The first eight parameters, their defaults and the attributes of the same names are those of
    ``giblet.data.audio.AudioProcessor``. It can be pickled, and so be handed to workers in other processes, which open its model
    again.

    Parameters
    ----------
    use_encodec : bool
        EnCodec codes; False: mel spectrograms in dB, (n_trs, 2048, 65) float32 at 1.5 s.
    encodec_bandwidth : float
        In kbps, one of the model's: 1.5, 3.0, 6.0, 12.0, 24.0 are 2, 4, 8, 16, 32 codebooks.
    sample_rate : int
        In Hz; of `get_audio_info` and mel spectrograms. Codes have the model's rate.
    n_mels, n_fft, hop_length : int
        Of mel spectrograms.
    tr : float or fractions.Fraction
        Repetition time in seconds, taken as the decimal that it is written as. Thirds are ``Fraction(5, 3)``: the float 5/3 is a
        little more, so that six of it do not fit into 10 s with alignment='exact'.
    device : str or torch.device
        'cpu' or 'cuda', also with a number, as in 'cuda:0'. There is no CUDA backend: 'cuda' warns once and computes equal codes
        on the CPU.
    model : str or path, optional
        As for `Model`. Default: ``facebook/encodec_24khz`` from the local cache or, once, from the hub (`ecdc.hub.fetch`);
        where that fails, with a UserWarning that names both, the embedded model.
    n_codebooks : int, optional
        1 ... what the bandwidth gives (the default).
    layout : {'codes', 'flat', 'giblet'}
        Shape of the features, at 3 kbps and 1.5 s: (n_trs, 4, 112), (n_trs, 448), or giblet's (n_trs, 896), whose table has 8
        codebooks at 3 kbps: those that do not exist are 0.
    alignment : {'giblet', 'exact'}
        'giblet': int(75 * tr) frames per TR, cut or zero-padded. 'exact': each frame belongs to one TR and nothing drifts;
        ceil(75 * tr) places, -1 where a TR has no frame.
    mode : {'encodec', 'mel', 'latent'}, optional
        Default: what `use_encodec` says. 'latent': the vectors behind the codes, float32, their mean per TR (n_trs, 128): unlike
        codes, which are labels, they can be averaged, resampled and convolved.
    per_frame : bool
        Latents: every frame's vector, (n_trs, 128, 112), instead of their mean.
    hrf : {'none', 'causal', 'giblet', 'giblet-doc'}
        Haemodynamic response. 'causal': Glover's kernel, for latents and mel spectrograms. 'giblet': its centred convolution,
        which begins before the stimulus; it leaves codes as they are. 'giblet-doc': what its documents describe for codes:
        convolved and rounded, which makes noise of labels.
    dtype : {'int64', 'int16'}
        Of codes.
    fallback : {'mel', 'raise'}
        What happens where `model` cannot be loaded: mel spectrograms, with a UserWarning, or the error.
    threads : int, optional
        1 ... 256; default: one per processor. The features do not depend on it.
    precision : {'f32', 'bf16'}
        As for `Encoder`.

    Attributes
    ----------
    n_features : int
        n_mels, as in giblet.
    encodec_sample_rate : int
        The model's rate in Hz: 24000.
    encodec_model : Model
    encodec_processor : Model
        The same. giblet has a feature extractor of transformers there; this model takes samples as they are.

    Raises
    ------
    ValueError
        An argument is wrong; the message names it, its value and what would be right.
    """

    def __init__(self, use_encodec: bool = True, encodec_bandwidth: float = 3.0, sample_rate: int = 22050, n_mels: int = 2048,
                 n_fft: int = 4096, hop_length: int = 512, tr: float = 1.5, device: Any = "cpu", *,
                 model: Union[str, "os.PathLike[str]", None] = None, n_codebooks: int | None = None, layout: str = "codes",
                 alignment: str = "giblet", mode: str | None = None, per_frame: bool = False, hrf: str = "none",
                 dtype: str = "int64", fallback: str = "mel", threads: int | None = None, precision: str = "f32") -> None:
        if _arguments.device("device", device) == "cuda":
            _warn_once("device='cuda': this build has no CUDA backend; the CPU computes equal codes")
        _arguments.seconds("tr", tr)
        _arguments.choice("precision", precision, PRECISIONS)
        self.mode = _arguments.choice("mode", ("encodec" if use_encodec else "mel") if mode is None else mode, MODES)
        self.encodec_bandwidth = encodec_bandwidth
        self.sample_rate = _arguments.integer("sample_rate", sample_rate, 1000, 384000, " of Hz")
        self.n_mels = _arguments.integer("n_mels", n_mels, 1, 65536)
        self.n_fft = _arguments.integer("n_fft", n_fft, 64, 65536)
        self.hop_length = _arguments.integer("hop_length", hop_length, 1, 65536)
        self.tr = tr
        self.device = device
        self.n_features = self.n_mels
        self.layout = _arguments.choice("layout", layout, LAYOUTS)
        self.alignment = _arguments.choice("alignment", alignment, ALIGNMENTS)
        self.dtype = _arguments.choice("dtype", dtype, ("int64", "int16"))
        self.per_frame = bool(per_frame)
        self.hrf = _arguments.choice("hrf", hrf, HRFS)
        self.threads = None if threads is None else _arguments.integer("threads", threads, 1, 256)
        self.precision = precision
        _arguments.choice("fallback", fallback, ("mel", "raise"))
        self.encodec_model: Model | None = None
        if self.mode != "mel":
            try:
                self.encodec_model = _default_model() if model is None else _open_model(model)
            except (ValueError, OSError) as e:
                if fallback == "raise":
                    raise
                warnings.warn(f"{e}: mel spectrograms take the place of EnCodec; fallback='raise' makes this an error", UserWarning,
                              stacklevel=2)
                self.mode = "mel"
        self.use_encodec = self.mode != "mel"
        self.encodec_sample_rate = self.encodec_model.sampling_rate if self.encodec_model else 24000
        self._check_hrf()
        if self.encodec_model:
            self._rows = CodeRows(self.encodec_model, encodec_bandwidth, n_codebooks, layout, alignment, self.threads,
                                  precision)
            self._rows.shape("tr", tr)
            if dtype == "int16" and self.encodec_model.codebook_size > 2**15:
                raise ValueError(f"dtype is 'int16', which does not hold codes up to {self.encodec_model.codebook_size - 1}")
        else:
            self._mel_rows().grid("tr", tr)

    def _check_hrf(self) -> None:
        if self.mode == "encodec" and self.hrf == "causal":
            raise ValueError("hrf is 'causal', which has no meaning for codes, which are labels: allowed with mode='latent' and 'mel'")
        if self.mode != "encodec" and self.hrf == "giblet-doc":
            raise ValueError(f"hrf is 'giblet-doc', which rounds to codes: allowed with mode={self.mode!r} are 'none', 'causal', 'giblet'")
        if self.hrf == "giblet-doc" and self.alignment == "exact":
            raise ValueError("hrf is 'giblet-doc', which would take the -1 of alignment='exact' for codes: allowed with 'giblet'")

    def _mel_rows(self) -> MelRows:
        return MelRows(self.sample_rate, self.n_fft, self.hop_length, self.n_mels, self.alignment)

    def __repr__(self) -> str:
        name = self.encodec_model.name if self.encodec_model else None
        return (f"AudioProcessor(mode={self.mode!r}, encodec_bandwidth={self.encodec_bandwidth!r}, tr={self.tr!r}, model={name!r}, "
                f"layout={self.layout!r}, alignment={self.alignment!r})")

    @property
    def n_codebooks(self) -> int:
        """Codebooks that the features hold, without those that giblet's layout fills with zeros; 0 in mel mode."""
        return self._rows.n_codebooks if self.encodec_model else 0

    @property
    def encodec_processor(self) -> Model | None:
        return self.encodec_model

    def audio_to_features(self, audio_source: PathOrArray, max_trs: int | None = None, from_video: bool = True,
                          tr_length: float | None = None, *, partial_input: bool = False) -> tuple[np.ndarray, pd.DataFrame]:
        """Turns a sound into one row of codes per TR.

        Parameters
        ----------
        audio_source : path, or (array, rate)
            Any audio or video that FFmpeg reads; or samples, (samples,) or (channels, samples), floating-point in -1 ... 1 or
            int16, with their rate in Hz. Time 0 is that of the file. Channels are mixed by their mean.
        max_trs : int, optional
            Stop after so many.
        from_video : bool
            For giblet's sake: FFmpeg sees for itself what a file is.
        tr_length : float, optional
            Repetition time in seconds for this sound, instead of `tr`; in every mode (giblet ignores it for mel spectrograms).
        partial_input : bool
            Where a file is damaged or breaks off: use what comes before, with a UserWarning, and say so in
            ``metadata.attrs["input"]``; else that is an EcdcError.

        Returns
        -------
        features : array
            Codes: (n_trs, codebooks, frames per TR) or, in the layouts 'flat' and 'giblet', (n_trs, codebooks * frames per TR);
            n_trs = floor(duration / tr), with a UserWarning where that is 0. Codes are 0 ... 1023.
        metadata : pandas.DataFrame
            One line per TR: tr_index, start_time and end_time in seconds, n_frames, n_codebooks, encoding_mode. What the
            features are made from and with stands in ``metadata.attrs``, as in the OUT.json of ``ecdc features``: model (name,
            sha256), bandwidth, layout, alignment, tr and more.

        Raises
        ------
        FileNotFoundError, ValueError, KeyboardInterrupt
        """
        if max_trs is not None:
            max_trs = _arguments.integer("max_trs", max_trs, 1)
        name, tr = ("tr", self.tr) if tr_length is None else ("tr_length", tr_length)
        if self.mode == "mel":
            return self._mel_features(audio_source, max_trs, name, tr, partial_input)
        model, rows = self._rows.model, self._rows
        shape = rows.shape(name, tr)
        sound = Sound(audio_source, model.sampling_rate, partial_input)
        latent = self.mode == "latent"

        def finish(row: np.ndarray, info: RowInfo) -> np.ndarray:
            return rows.latent(row, info, shape, self.per_frame) if latent else row.astype(self.dtype, copy=False)

        features, infos, n_samples = rows.make(sound, shape, max_trs, finish)
        sound.warn_of_break(stacklevel=2)
        features = convolve(self.hrf, shape.grid.tr_s, features, 0.0, model.codebook_size - 1)
        description = rows.description(shape)
        if latent:
            del description["layout"], description["row_codebooks"]
            description.update(per_frame=self.per_frame, dimension=model.dimension)
        metadata = self._metadata(infos, rows.row_codebooks, sound, n_samples, model.sampling_rate,
                                  {**description, "model": {"name": model.name, "sha256": model.sha256}, "precision": self.precision,
                                   "dtype": "float32" if latent else self.dtype})
        return features if latent else rows.arrange(features), metadata

    def _mel_features(self, audio_source: PathOrArray, max_trs: int | None, name: str, tr: Any,
                      partial_input: bool) -> tuple[np.ndarray, pd.DataFrame]:
        mel = self._mel_rows()
        if mel.n_empty:
            _warn_once(f"{mel.n_empty} of {self.n_mels} mel filters lie between two bins of the spectrum and stay empty, as in librosa",
                       stacklevel=4)
        grid = mel.grid(name, tr)
        sound = Sound(audio_source, self.sample_rate, partial_input)
        rows, infos, n_samples, ref = mel.make(sound, grid, max_trs)
        sound.warn_of_break(stacklevel=3)
        rows = convolve(self.hrf, grid.samples.tr_s, rows, FLOOR_DB, 0)
        return rows, self._metadata(infos, 0, sound, n_samples, self.sample_rate,
                                    {**mel.description(grid, ref), "dtype": "float32"})

    def _metadata(self, infos: list[RowInfo], n_codebooks: int, sound: Sound, n_samples: int, rate: int,
                  description: dict[str, Any]) -> pd.DataFrame:
        metadata = pd.DataFrame({
            "tr_index": np.array([i.tr_index for i in infos], np.int64), "start_time": np.array([i.start_s for i in infos], np.float64),
            "end_time": np.array([i.end_s for i in infos], np.float64), "n_frames": np.array([i.n_frames for i in infos], np.int64),
            "n_codebooks": np.full(len(infos), n_codebooks, np.int64), "encoding_mode": MODES[self.mode]})
        metadata.attrs.update({"version": lib.ecdc_version().decode(), "input": sound.description(), "mode": self.mode,
                               **description, "n_trs": len(infos), "sampling_rate": rate, "hrf": self.hrf, "samples": n_samples,
                               "partial": False})
        return metadata

    def features_to_audio(self, features: Any, output_path: Union[str, "os.PathLike[str]"], n_codebooks: int | None = None,
                          frames_per_tr: int | None = None, *,
                          metadata: Union[pd.DataFrame, Mapping[str, Any], None] = None) -> None:
        """Turns features back into sound and writes it as a 16-bit WAV file.

        Each TR stands where the scan has it: the sound lasts n_trs * tr within one frame. The file is replaced if it is there,
        and appears when it is complete; a missing folder is made.

        Parameters
        ----------
        features : integer array
            (n_trs, codebooks, frames per TR) or (n_trs, codebooks * frames per TR). Of giblet's layout only the codebooks that
            exist at the bandwidth are decoded; its own arrays, (n_trs, 896) at 3 kbps, need no layout='giblet' if those that do not
            exist are 0. One row alone is ``features[i][None]``.
        output_path : path
            A name that ends in ``.wav``; or a device or a pipe, which is written to.
        n_codebooks, frames_per_tr : int, optional
            Of a row. They are told by the shape and the processor; given ones must agree.
        metadata : pandas.DataFrame or mapping, optional
            What `audio_to_features` returned, or the contents of an OUT.json: then its tr, bandwidth, layout and alignment count,
            and features of another model than the processor's are refused.

        Raises
        ------
        ValueError
            The features do not fit; a code is out of range; they were made with another model.
        """
        _arguments.output_path("output_path", output_path, ".wav")
        features = np.asarray(features)
        if metadata is not None:
            _check_mode(features, _attributes(metadata).get("mode"))
        if features.dtype.kind == "f":
            rate, blocks = self._mel_sound(features, metadata)
        elif features.dtype.kind in "iu":
            rate, blocks = self._codes_sound(features, n_codebooks, frames_per_tr, metadata)
        else:
            raise ValueError(f"features holds {features.dtype}, allowed are integers (codes) and floating-point numbers (mel spectrograms)")
        with WavWriter(output_path, rate) as wav:
            for block in blocks:
                wav.write(block)
            if wav.n_samples == 0:
                raise ValueError("features has no frame, no sound")
        if wav.n_clipped:
            warnings.warn(f"{os.fsdecode(output_path)}: {wav.n_clipped} of {wav.n_samples} samples were clipped", UserWarning,
                          stacklevel=2)

    def _codes_sound(self, features: np.ndarray, n_codebooks: int | None, frames_per_tr: int | None,
                     metadata: Any) -> tuple[int, Iterator[np.ndarray]]:
        if self.encodec_model is None:
            raise ValueError(f"features holds {features.dtype}, which are codes, but this processor has mode='mel': allowed are "
                             "floating-point numbers")
        rows, tr, samples = self._rows, self.tr, -1
        if metadata is not None:
            rows, tr, samples = self._described(_attributes(metadata))
        shape = rows.fit(features, rows.shape("tr", tr), n_codebooks, frames_per_tr, metadata is not None)
        if len(features) == 0:
            raise ValueError(f"features has the shape {features.shape}: no TR, no sound")
        in_all = None if metadata is None else _attributes(metadata).get("n_trs")
        if (features.ndim == 2 and shape.row_codebooks == 1 and n_codebooks is None and rows.layout == "codes"
                and len(features) == rows.n_codebooks > 1 and in_all != len(features)):
            warnings.warn(f"features of the shape {features.shape} is taken for {len(features)} TRs of one codebook, which n_codebooks=1 "
                          f"confirms; one TR of {len(features)} codebooks is features[None]", UserWarning, stacklevel=3)
        blocks = rows.sound(features, shape, -1 if samples < 0 else rows.model.frames(samples))
        return rows.model.sampling_rate, blocks if samples < 0 else _cut(blocks, samples)

    def _mel_sound(self, features: np.ndarray, metadata: Any) -> tuple[int, Iterator[np.ndarray]]:
        mel, tr, ref, samples = self._mel_rows(), self.tr, 1.0, -1
        if metadata is not None:
            mel, tr, ref, samples = _described_mel(_attributes(metadata))
        grid = mel.grid("tr", tr)
        return mel.settings.sampling_rate_hz, mel.sound(mel.fit(features, grid, self._rather(features, tr)), grid, ref, samples)

    def _rather(self, features: np.ndarray, tr: Any) -> str:
        """What floats are whose shape is that of codes or of latents."""
        frame_rate, dimension = (self.encodec_model.frame_rate, self.encodec_model.dimension) if self.encodec_model else (75, 128)
        width = _arguments.tr_grid("tr", tr, frame_rate, self.alignment).frames_per_tr
        if features.shape[1:] in ((dimension,), (dimension, width)):
            return f"; this is the shape of latents ({dimension} numbers per vector), which are not decoded"
        like_codes = features.shape[2:] == (width,) or (features.ndim == 2 and features.shape[1] % width == 0)
        if like_codes and features.size and (features == np.rint(features)).all():
            return "; codes, which can have this shape, are integers: features.astype('int64')"
        return ""

    def _described(self, description: Mapping[str, Any]) -> tuple[CodeRows, Any, int]:
        """(rows, tr, samples; -1: as the rows tell) of features with this description."""
        assert self.encodec_model is not None
        parameters, samples = parameters_of(description)
        tr = parameters.pop("tr")
        made_with = description.get("model")
        made_with = made_with if isinstance(made_with, Mapping) else {}
        if made_with.get("sha256") != self.encodec_model.sha256:
            raise ValueError(f"features was made with the model {made_with.get('name')} (SHA-256 {str(made_with.get('sha256'))[:16]}...), "
                             f"allowed is this processor's {self.encodec_model.name} ({self.encodec_model.sha256[:16]}...): other weights "
                             "turn its codes into noise; give the right model=")
        return CodeRows(self.encodec_model, threads=self.threads, precision=self.precision, **parameters), tr, samples

    def get_audio_info(self, audio_source: PathOrArray, from_video: bool = True, *, partial_input: bool = False) -> dict[str, Any]:
        """Facts of a sound: sample_rate (this processor's, as in giblet), duration in seconds, samples (at that rate), n_trs.

        All of the sound is read: containers claim lengths that are not true. `from_video` is for giblet's sake, `partial_input` as for
        `audio_to_features`.
        """
        sound = Sound(audio_source, self.sample_rate, partial_input)
        samples = sum(len(block) for block in sound.blocks())
        sound.warn_of_break(stacklevel=2)
        grid = _arguments.tr_grid("tr", self.tr, self.sample_rate, self.alignment)
        return {"sample_rate": self.sample_rate, "duration": samples / self.sample_rate, "samples": samples,
                "n_trs": lib.ecdc_tr_grid_count(byref(grid), samples, self.sample_rate, 0)}


def _attributes(metadata: Union[pd.DataFrame, Mapping[str, Any]]) -> Mapping[str, Any]:
    attributes = metadata.attrs if isinstance(metadata, pd.DataFrame) else metadata
    if not isinstance(attributes, Mapping):
        raise ValueError(f"metadata is of the type {type(metadata).__name__}, allowed are what audio_to_features returned and the contents "
                         "of an OUT.json")
    return attributes


def _cut(blocks: Iterator[np.ndarray], n_samples: int) -> Iterator[np.ndarray]:
    """The first n_samples of a sound."""
    for block in blocks:
        yield block[:n_samples]
        n_samples -= min(len(block), n_samples)


def _check_mode(features: np.ndarray, mode: Any) -> None:
    """Whether the numbers can be what their description says; None: it says nothing."""
    if mode == "latent":
        raise ValueError("metadata describes latents, which are not decoded; allowed are codes and mel spectrograms")
    if mode == "encodec" and features.dtype.kind == "f":
        raise ValueError(f"features holds {features.dtype}, but metadata describes codes, which are integers: features.astype('int64') where "
                         "they are whole numbers")
    if mode == "mel" and features.dtype.kind in "iu":
        raise ValueError(f"features holds {features.dtype}, but metadata describes a mel spectrogram, which is floating-point numbers")


def _described_mel(description: Mapping[str, Any]) -> tuple[MelRows, Fraction, float, int]:
    """(rows, tr, level that dB refer to, samples; -1: as the rows tell) of a mel spectrogram with this description."""
    with _arguments.described("a mel spectrogram"):
        mel = {**description["mel"], "sampling_rate": description["sampling_rate"]}
        sizes = (_arguments.integer(name, int(mel[name]), 1, 2**31 - 1) for name in ("sampling_rate", "n_fft", "hop", "n_mels"))
        rows = MelRows(*sizes, _arguments.choice("alignment", description["alignment"], ALIGNMENTS))
        return rows, Fraction(description["tr_fraction"]), float(mel["ref"]), samples_of(description)
