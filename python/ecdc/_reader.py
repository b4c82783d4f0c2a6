"""Sound from files, block by block."""

from __future__ import annotations

import re
from typing import Any, Iterator

import numpy as np

from . import _arguments
from ._interrupt import stop_function
from ._library import E_FORMAT, E_STOPPED, EcdcError, ReaderInfo, byref, c_size_t, call, lib, new

BLOCK = 15360  # samples: 48 frames, as the encoder likes them
BROKEN_OFF = re.compile(r": (breaks off|is damaged) at (?!0\.000 s)")  # in a message: something comes before


def with_remedy(error: EcdcError) -> EcdcError:
    """The error of a file that breaks off, which also says that what comes before can be used; any other as it is."""
    if error.status == lib.ecdc_status_name(E_FORMAT).decode() and BROKEN_OFF.search(str(error)):
        return EcdcError(f"{error}; partial_input=True takes what comes before", error.status)
    return error


class Reader:
    """The sound of a file, mono, at a rate in Hz. Iterating yields float32 arrays. With `partial_input`, what comes before the place
    where a file is damaged or breaks off."""

    def __init__(self, path: Any, rate: int, partial_input: bool = False) -> None:
        self._caught: list[BaseException] = []
        settings = lib.ecdc_default_reader_settings()
        settings.rate_hz = rate
        settings.partial_input = bool(partial_input)
        settings.stop = self._stop = stop_function(self._caught)
        encoded = _arguments.input_path(path)
        try:
            self._handle = new(lib.ecdc_reader_open, lib.ecdc_reader_close, encoded, byref(settings), keeps=(self._stop,))
        except EcdcError as e:
            self._raise(e)

    def _raise(self, error: EcdcError) -> None:
        if error.status == lib.ecdc_status_name(E_STOPPED).decode() and self._caught:
            raise self._caught[0]
        raise with_remedy(error)

    def __iter__(self) -> Iterator[np.ndarray]:
        n = c_size_t(1)
        while True:
            samples = np.empty(BLOCK, np.float32)
            try:
                call(lib.ecdc_reader_read, self._handle.pointer, samples, BLOCK, byref(n))
            except EcdcError as e:
                self._raise(e)
            if self._caught:  # the last block was there before the library asked
                raise self._caught[0]
            if n.value == 0:
                if self.broken_off and self.info.samples == 0:
                    raise EcdcError(self.broken_off, lib.ecdc_status_name(E_FORMAT).decode())
                return
            yield samples[:n.value]

    @property
    def info(self) -> ReaderInfo:
        info = ReaderInfo()
        lib.ecdc_reader_get_info(self._handle.pointer, byref(info))
        return info

    @property
    def broken_off(self) -> str | None:
        """With `partial_input`: how the file broke off, as soon as that place is reached."""
        text = self.info.broken_off
        return None if text is None else text.decode("utf-8", "replace")
