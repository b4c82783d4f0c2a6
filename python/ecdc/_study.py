"""A study on disk and its caches: the library's, as the command `ecdc dataset` has them."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Any, Callable, NamedTuple, Union

from . import _arguments
from ._interrupt import stop_function
from ._library import (BUILD_FILM, BUILD_SCANS, E_STOPPED, HRFS, MODES, NOTE_FUNCTION, PART_FILM, PART_FRESH, PART_MASK, PART_SCAN,
                       WORK_FUNCTION, EcdcError, PartInfo, StudyInfo, StudySubject, byref, c_int, call, lib, new)
from .model import Model


class Subject(NamedTuple):
    id: Union[int, str]  # its number, or the label where that is none
    label: str
    scan: str
    n_trs: int


class Study:
    """What `ecdc_study` knows. `model` is None for mel spectrograms."""

    def __init__(self, data_dir: Any, *, cache: Any, film: Any, subjects: str, scans: str | None, tr: Any, max_trs: int | None,
                 mode: str, bandwidth: float, n_codebooks: int | None, hrf: str, zscore: bool, threads: int | None,
                 model: Model | None) -> None:
        settings = lib.ecdc_default_study_settings()
        settings.cache = None if cache is None else _arguments.path("cache_dir", cache)
        settings.film = None if film is None else _arguments.path("film", film)
        settings.subjects, settings.scans = subjects.encode(), None if scans is None else scans.encode()
        settings.tr, settings.max_trs = _arguments.seconds("tr", tr).encode(), max_trs or 0
        settings.mode, settings.bandwidth_kbps, settings.n_codebooks = MODES[mode], bandwidth, n_codebooks or 0
        settings.hrf, settings.zscore, settings.n_threads = HRFS[hrf], zscore, threads or 0
        self._notes: list[str] = []
        self._caught: list[BaseException] = []
        self._bar = ""
        note, progress, stop = NOTE_FUNCTION(self._note), WORK_FUNCTION(self._show), stop_function(self._caught)
        settings.listener.note, settings.listener.stop = note, stop
        if sys.stderr.isatty():
            settings.listener.progress = progress
        handle = None if model is None else model._open()
        self._handle = new(lib.ecdc_study_open, lib.ecdc_study_close, _arguments.path("data_dir", data_dir), byref(settings),
                           handle.pointer if handle else None, keeps=(note, progress, stop, handle))
        info = StudyInfo()
        lib.ecdc_study_get_info(self._handle.pointer, byref(info))
        self.data, self.cache, self.film = (os.fsdecode(path) for path in (info.data, info.cache, info.film))
        self.layout: str = info.layout.decode()
        self.subjects = [self._subject(i) for i in range(info.n_subjects)]

    def _subject(self, index: int) -> Subject:
        s = StudySubject()
        call(lib.ecdc_study_get_subject, self._handle.pointer, index, byref(s))
        label = os.fsdecode(s.label)
        return Subject(label if s.number < 0 else s.number, label, os.fsdecode(s.scan), s.n_trs)

    def _note(self, _: Any, text: bytes) -> None:
        self._notes.append(text.decode("utf-8", "replace"))

    def _show(self, _: Any, what: bytes, done: float, whole: float) -> None:
        text = f"\recdc: {what.decode()} {100 * done / whole:3.0f} %"
        if text != self._bar:
            print(text, end="\n" if done >= whole else "", file=sys.stderr, flush=True)
        self._bar = text

    def _call(self, function: Callable[..., int], *arguments: Any) -> None:
        """A call that listens; what it noted becomes warnings afterwards."""
        try:
            call(function, self._handle.pointer, *arguments)
        except EcdcError as e:
            if self._caught and e.status == lib.ecdc_status_name(E_STOPPED).decode():
                raise self._caught[0] from None
            raise
        finally:
            notes, self._notes[:] = list(self._notes), []
            for text in notes:
                warnings.warn(text, UserWarning, stacklevel=5)

    def build(self, *, film: bool) -> int:
        """Makes what is not fresh; how many files that were. Without `film` only the scans' part."""
        made = c_int()
        self._call(lib.ecdc_study_build, (BUILD_FILM if film else 0) | BUILD_SCANS, byref(made))
        return made.value

    def _look(self, part: int, subject: int = 0) -> PartInfo:
        info = PartInfo()
        self._call(lib.ecdc_study_look, part, subject, byref(info))
        return info

    def _path(self, part: int, subject: int = 0) -> str:
        info = self._look(part, subject)
        if info.state != PART_FRESH:
            raise FileNotFoundError(f"{info.why.decode('utf-8', 'replace')}; preprocess=True, or `ecdc dataset build`, makes it")
        return os.fsdecode(info.path)

    def film_is_fresh(self) -> bool:
        return self._look(PART_FILM).state == PART_FRESH

    def film_features(self) -> str:
        """The path of the features. FileNotFoundError where they are missing, stale or damaged, as for the next two."""
        return self._path(PART_FILM)

    def mask(self) -> str:
        return self._path(PART_MASK)

    def series(self, subject: int) -> str:
        return self._path(PART_SCAN, subject)
