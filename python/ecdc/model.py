"""EnCodec as objects: a model, and streams of sound in and out of it."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any, Union

import numpy as np

from . import _arguments
from ._library import (E_UNSUPPORTED, MAX_BANDWIDTHS, PRECISIONS, EcdcError, Handle, ModelInfo, Settings, byref, c_int, call, lib,
                       new)

PIECE_SAMPLES = 1 << 15  # between two of them Python hears an interrupt
PIECE_FRAMES = 96


class _Closable:
    """What holds an object of the library until it is closed."""

    _handle: Handle | None

    def _open(self) -> Handle:
        if self._handle is None:
            raise ValueError(f"this {type(self).__name__} is closed")
        return self._handle

    def close(self) -> None:
        """Frees the memory. May be called again; everything else then raises ValueError."""
        self._handle = None

    def __enter__(self: Any) -> Any:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class Model(_Closable):
    """Weights and configuration of one EnCodec model. Immutable; any number of threads may use it at once. Copies share the
    weights; a pickle holds where they come from and their SHA-256, and opens them there again.

    Parameters
    ----------
    name : str or path
        ``"default"`` (embedded in the library); a directory with ``config.json`` and ``model.safetensors`` or ``checkpoint.th``; a
        ``.safetensors`` or ``.th`` file (where no ``config.json`` lies beside it, the tensors' shapes tell the architecture; nothing
        in a ``.th`` is executed); the name of a Hugging Face model in the local cache, such as ``"facebook/encodec_24khz"``;
        ``"random:encodec_24khz"``, generated weights of full size.

    Attributes
    ----------
    name, origin : str
        What it is called, and the path that it was read from (``"embedded"``, ``"generated"``).
    sampling_rate : int
        In Hz: 24000.
    channels, hop, frame_rate : int
        1; samples per frame: 320; frames per second: 75.
    dimension : int
        Length of a frame's vector: 128.
    n_codebooks, codebook_size : int
        At the highest bandwidth: 32; entries of one: 1024.
    bandwidths : tuple of float
        In kbps, ascending.
    n_parameters : int
    chunked : bool
        Whether it encodes chunks with scales (48 kHz) instead of one sequence of frames. Such models are the command's:
        ``ecdc encode`` and ``decode`` with an ``.npz``; `encode`, `decode`, `Encoder` and `Decoder` refuse them.

    Raises
    ------
    EcdcError
        No such model, or its files are damaged or do not fit together.
    """

    def __init__(self, name: Union[str, "os.PathLike[str]"] = "default") -> None:
        self._handle = new(lib.ecdc_model_open, lib.ecdc_model_close, _arguments.path("name", name))
        info = ModelInfo()
        lib.ecdc_model_get_info(self._handle.pointer, byref(info))
        self.name: str = os.fsdecode(info.name)
        self.origin: str = os.fsdecode(info.origin)
        self.sampling_rate: int = info.sampling_rate_hz
        self.channels: int = info.channels
        self.hop: int = info.hop
        self.frame_rate: int = info.frame_rate_hz
        self.dimension: int = info.dimension
        self.n_codebooks: int = info.n_codebooks
        self.codebook_size: int = info.codebook_size
        self.bandwidths: tuple[float, ...] = tuple(info.bandwidths_kbps[:min(info.n_bandwidths, MAX_BANDWIDTHS)])
        self.n_parameters: int = info.n_parameters
        self.chunked: bool = bool(info.chunked)
        is_file = self.origin not in ("embedded", "generated") and os.path.exists(name)
        self._source = os.path.abspath(name) if is_file else name  # what a pickle opens again

    def __repr__(self) -> str:
        return f"<ecdc.Model {self.name!r}, {self.sampling_rate} Hz, {'/'.join(f'{b:g}' for b in self.bandwidths)} kbps>"

    def __copy__(self) -> Model:
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Model:
        return self.__copy__()

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (type(self), self._source, self.sha256)

    @property
    def sha256(self) -> str:
        """SHA-256 of the weight file in hexadecimal: what identifies the weights. The first time the file is read."""
        return lib.ecdc_model_sha256(self._open().pointer).decode()

    def codebooks(self, bandwidth: float) -> int:
        """Codebooks at a bandwidth in kbps: 4 at 3.0. ValueError where the model does not offer it."""
        n = c_int()
        call(lib.ecdc_model_codebooks, self._open().pointer, _arguments.kbps("bandwidth", bandwidth), byref(n))
        return n.value

    def frames(self, n_samples: int) -> int:
        """Frames that so many samples become: ceil(n_samples / hop)."""
        return lib.ecdc_model_frames(self._open().pointer, _arguments.integer("n_samples", n_samples, 0, 2**63 - 1))

    def encode(self, samples: Any, bandwidth: float = 3.0, *, n_codebooks: int | None = None,
               threads: int | None = None, precision: str = "f32") -> np.ndarray:
        """Encodes a whole signal.

        Parameters
        ----------
        samples : array, (samples,) or (channels, samples)
            At the model's rate; floating-point in -1 ... 1, or int16. Channels are mixed by their mean.
        bandwidth : float
            In kbps, one of `bandwidths`.
        n_codebooks, threads, precision : optional
            As for `Encoder`.

        Returns
        -------
        int64 array, (n_codebooks, frames)
        """
        with Encoder(self, bandwidth, n_codebooks=n_codebooks, threads=threads, precision=precision) as encoder:
            encoder.push(samples)
            encoder.finish()
            return encoder.pull()

    def decode(self, codes: Any, *, threads: int | None = None, precision: str = "f32") -> np.ndarray:
        """Decodes a whole signal.

        Parameters
        ----------
        codes : integer array, (n_codebooks, frames)
            0 ... codebook_size - 1.

        Returns
        -------
        float32 array, (frames * hop,)
            May exceed -1 ... 1: clip before storing as integers.
        """
        codes = _arguments.codes("codes", codes)
        if codes.ndim != 2:
            raise ValueError(f"codes has the shape {codes.shape}, allowed is (n_codebooks, frames)")
        with Decoder(self, len(codes), threads=threads, precision=precision) as decoder:
            decoder.push(codes)
            decoder.finish()
            return decoder.pull()


def _reopen(kind: type[Model], source: Union[str, "os.PathLike[str]"], sha256: str) -> Model:
    """The model of a pickle."""
    model = kind(source)
    if model.sha256 != sha256:
        raise ValueError(f"{os.fspath(source)} has other weights (SHA-256 {model.sha256[:16]}...) than the model that was pickled "
                         f"({sha256[:16]}...)")
    return model


class _Stream(_Closable):
    def __init__(self, kind: str, model: Model, settings: Settings) -> None:
        if model.chunked or model.channels != 1:
            what, file = ("chunks with scales", "OUT.npz") if model.chunked else (f"{model.channels} channels", "OUT.npy")
            raise EcdcError(f"model is {model.name}, which has {what}; Python takes models with one channel and no chunks. The command "
                            f"takes this one, too: `ecdc encode IN -m MODEL -o {file}`, `ecdc decode {file} -m MODEL -o OUT.wav`",
                            lib.ecdc_status_name(E_UNSUPPORTED).decode())
        self.model = model
        handle = model._open()
        self._handle = new(getattr(lib, f"ecdc_{kind}_new"), getattr(lib, f"ecdc_{kind}_free"), handle.pointer,
                           byref(settings), keeps=(handle,))
        self.n_codebooks: int = getattr(lib, f"ecdc_{kind}_codebooks")(self._handle.pointer)

    def __reduce__(self) -> Any:  # also asked for a copy, which would share the one signal with this
        raise TypeError(f"this {type(self).__name__} can be neither pickled nor copied: it is in the middle of a signal; a Model can")


def _settings(threads: int | None, precision: str) -> Settings:
    settings = lib.ecdc_default_settings()
    settings.precision = PRECISIONS[_arguments.choice("precision", precision, PRECISIONS)]
    settings.n_threads = 0 if threads is None else _arguments.integer("threads", threads, 1, 256)
    return settings


class Encoder(_Stream):
    """One signal on its way into codes. Push any number of samples, pull what is complete; finish at the end.

    Parameters
    ----------
    model : Model
    bandwidth : float
        In kbps, one of the model's.
    n_codebooks : int, optional
        1 ... the model's, instead of what the bandwidth gives.
    threads : int, optional
        1 ... 256; default: one per processor. The codes do not depend on it.
    precision : {'f32', 'bf16'}
        bf16 is about twice as fast, its codes differ here and there (docs/PERFORMANCE.md), and it needs a processor with AMX:
        `EcdcError` elsewhere, with the status ``"ECDC_E_UNSUPPORTED"``.
    """

    def __init__(self, model: Model, bandwidth: float = 3.0, *, n_codebooks: int | None = None,
                 threads: int | None = None, precision: str = "f32") -> None:
        settings = _settings(threads, precision)
        settings.bandwidth_kbps = _arguments.kbps("bandwidth", bandwidth)
        if n_codebooks is not None:
            settings.n_codebooks = _arguments.integer("n_codebooks", n_codebooks, 1, model.n_codebooks)
        super().__init__("encoder", model, settings)

    def push(self, samples: Any) -> None:
        """Takes the next samples, (samples,) or (channels, samples), at the model's rate, and computes every frame that is
        complete. After an interrupt a part of them may have been taken; of samples that are refused none is."""
        samples = _arguments.samples("samples", samples)
        handle = self._open()
        at_once = PIECE_SAMPLES if np.isfinite(samples).all() else len(samples)  # the library refuses all of what it is given
        with handle.lock:
            for i in range(0, len(samples), at_once):
                piece = samples[i:i + at_once]
                call(lib.ecdc_encoder_push, handle.pointer, piece, len(piece))

    def finish(self) -> None:
        """Says that the signal ends here: the remaining frames become available."""
        handle = self._open()
        with handle.lock:
            call(lib.ecdc_encoder_finish, handle.pointer)

    @property
    def ready(self) -> int:
        """Frames that can be pulled."""
        return lib.ecdc_encoder_ready(self._open().pointer)

    def pull_frames(self) -> np.ndarray:
        """All frames that are ready as the library has them: int32 (frames, n_codebooks)."""
        handle = self._open()
        with handle.lock:
            codes = np.empty((lib.ecdc_encoder_ready(handle.pointer), self.n_codebooks), np.int32)
            lib.ecdc_encoder_pull(handle.pointer, codes, len(codes))
        return codes

    def pull(self) -> np.ndarray:
        """All frames that are ready: int64 (n_codebooks, frames)."""
        return self.pull_frames().T.astype(np.int64, order="C")

    def reset(self) -> None:
        """Back to the start of a new signal."""
        handle = self._open()
        with handle.lock:
            lib.ecdc_encoder_reset(handle.pointer)


class Decoder(_Stream):
    """Codes on their way into one signal. Push any number of frames, pull the samples that are complete; finish at the end.

    Parameters
    ----------
    model : Model
    n_codebooks : int
        Codes per frame: 1 ... the model's.
    threads, precision : optional
        As for `Encoder`.
    """

    def __init__(self, model: Model, n_codebooks: int, *, threads: int | None = None, precision: str = "f32") -> None:
        settings = _settings(threads, precision)
        settings.n_codebooks = _arguments.integer("n_codebooks", n_codebooks, 1, model.n_codebooks,
                                                  f", as many as {model.name} has")
        super().__init__("decoder", model, settings)

    def push(self, codes: Any) -> None:
        """Takes the next frames, integers (n_codebooks, frames), and computes every sample that is complete."""
        codes = _arguments.codes("codes", codes)
        if codes.ndim != 2 or codes.shape[0] != self.n_codebooks:
            raise ValueError(f"codes has the shape {codes.shape}, allowed is ({self.n_codebooks}, frames)")
        if codes.size and (codes.min() < 0 or codes.max() >= self.model.codebook_size):
            wrong = codes.min() if codes.min() < 0 else codes.max()
            raise ValueError(f"codes has {wrong}, allowed are 0 to {self.model.codebook_size - 1}")
        self.push_frames(np.ascontiguousarray(codes.T, dtype=np.int32))

    def push_frames(self, codes: np.ndarray) -> None:
        """Takes frames as the library has them: contiguous int32 (frames, n_codebooks)."""
        shape = np.shape(codes)
        if len(shape) != 2 or shape[1] != self.n_codebooks:  # the library would read what lies behind the array
            raise ValueError(f"codes has the shape {shape}, allowed is (frames, {self.n_codebooks})")
        handle = self._open()
        good = codes.size == 0 or (codes.min() >= 0 and codes.max() < self.model.codebook_size)
        at_once = PIECE_FRAMES if good else len(codes)  # the library refuses all of what it is given
        with handle.lock:
            for i in range(0, len(codes), at_once):
                piece = codes[i:i + at_once]
                call(lib.ecdc_decoder_push, handle.pointer, piece, len(piece))

    def finish(self) -> None:
        """Says that the signal ends here: the remaining samples become available."""
        handle = self._open()
        with handle.lock:
            call(lib.ecdc_decoder_finish, handle.pointer)

    @property
    def ready(self) -> int:
        """Samples that can be pulled."""
        return lib.ecdc_decoder_ready(self._open().pointer)

    def pull(self) -> np.ndarray:
        """All samples that are ready: float32 (samples,)."""
        handle = self._open()
        with handle.lock:
            samples = np.empty(lib.ecdc_decoder_ready(handle.pointer), np.float32)
            lib.ecdc_decoder_pull(handle.pointer, samples, len(samples))
        return samples

    def reset(self) -> None:
        """Back to the start of a new signal."""
        handle = self._open()
        with handle.lock:
            lib.ecdc_decoder_reset(handle.pointer)
