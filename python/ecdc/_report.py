"""Reports: one page, or one figure, that shows what codes keep of a sound."""

from __future__ import annotations

import numbers
import os
import warnings
from typing import Any, Iterable, Union

from . import _arguments
from ._interrupt import stoppable
from ._library import ALIGNMENTS, MAX_BANDWIDTHS, REPORT_FORMATS, EcdcError, ReportResult, byref, c_double, call, lib
from ._reader import with_remedy
from .model import Model


def report(input: Union[str, "os.PathLike[str]"], output: Union[str, "os.PathLike[str]"], *,
           bandwidth: Union[float, Iterable[float]] = 3.0, model: Union[Model, str, "os.PathLike[str]"] = "default",
           tr: float = 1.5, alignment: str = "giblet", track: int | None = None, title: str | None = None,
           overwrite: bool = False, threads: int | None = None, partial_input: bool = False) -> dict[str, Any]:
    """Writes a report of a sound: what is there, and what its codes keep of it.

    Parameters
    ----------
    input : str or path
        A film or a recording; anything that FFmpeg reads.
    output : str or path
        ``.html``: one page that needs nothing else, with waveforms, spectrograms, codes, a table of TRs, measures, and players
        that change between original and reconstruction at the same sample. ``.png``: its figure alone.
    bandwidth : float or several
        In kbps, of the model's.
    model : Model, str or path
        As for `Model`. Nothing is downloaded: see `ecdc.hub.fetch`.
    tr : float
        Repetition time in seconds.
    alignment : {'giblet', 'exact'}
        How frames are given to TRs.
    track : int, optional
        Audio track, counted from 0. Default: the one that FFmpeg holds to be the best.
    title : str, optional
        Default: the name of the input.
    overwrite : bool
        Whether to replace an output that is there; else that is an EcdcError.
    threads : int, optional
        Default: one per processor. Results do not depend on it.
    partial_input : bool
        Where the input is damaged or breaks off: report what comes before, with a UserWarning; else that is an EcdcError.

    Returns
    -------
    dict
        ``n_samples``, ``n_frames``, ``n_trs``, ``sampling_rate`` and ``n_bytes`` of the report; ``bandwidths``: for each one a
        dict with ``stoi``, ``estoi`` (NaN where there is too little speech), ``snr_db``, ``si_sdr_db`` and ``lsd_db``.

    Raises
    ------
    EcdcError, OSError
        The input is no sound or damaged; the output cannot be written; the model has chunks.
    """
    encoded_output = _arguments.path("output", output)
    ending = os.path.splitext(os.fsdecode(encoded_output))[1].lower()
    _arguments.choice("the ending of output", ending, REPORT_FORMATS)
    bandwidths = _bandwidths(bandwidth)
    settings = lib.ecdc_default_report_settings()
    settings.n_bandwidths = len(bandwidths)
    settings.bandwidths_kbps = (c_double * MAX_BANDWIDTHS)(*bandwidths)
    settings.tr = _arguments.seconds("tr", tr).encode()
    settings.alignment = ALIGNMENTS[_arguments.choice("alignment", alignment, ALIGNMENTS)]
    settings.format = REPORT_FORMATS[ending]
    settings.overwrite = bool(overwrite)
    settings.title = None if title is None else title.encode()
    settings.n_threads = 0 if threads is None else _arguments.integer("threads", threads, 1, 256)
    if track is not None:
        settings.input.choose_track, settings.input.track = 1, _arguments.integer("track", track, 0, 2**31 - 1)
    opened = model if isinstance(model, Model) else Model(model)
    settings.input.partial_input = bool(partial_input)
    result = ReportResult()
    try:
        with stoppable(settings.input):
            call(lib.ecdc_report, opened._open().pointer, _arguments.input_path(input, "input"), encoded_output, byref(settings),
                 byref(result))
    except EcdcError as e:
        raise with_remedy(e) from None
    if result.broken_off:
        warnings.warn(f"{result.broken_off.decode('utf-8', 'replace')}; what comes before is used", UserWarning, stacklevel=2)
    return _described(result)


def _bandwidths(bandwidth: Any) -> list[Any]:
    values = [bandwidth] if isinstance(bandwidth, numbers.Real) else list(bandwidth) if hasattr(bandwidth, "__iter__") else []
    if not all(isinstance(b, numbers.Real) for b in values):
        values = []
    if not 1 <= len(values) <= MAX_BANDWIDTHS:
        raise ValueError(f"bandwidth is {bandwidth!r}, allowed are one or up to {MAX_BANDWIDTHS} numbers of kbps such as 3.0")
    return values


def _described(result: ReportResult) -> dict[str, Any]:
    names = ("stoi", "estoi", "snr_db", "si_sdr_db", "lsd_db")
    measures = {result.bandwidths_kbps[i]: {name: getattr(result.metrics[i], name) for name in names}
                for i in range(result.n_bandwidths)}
    return {"n_samples": result.n_samples, "n_frames": result.n_frames, "n_trs": result.n_trs,
            "sampling_rate": result.sampling_rate_hz, "n_bytes": result.n_bytes, "bandwidths": measures}
