"""Sound from files, block by block."""

from __future__ import annotations

from typing import Any, Iterator

import numpy as np

from . import _arguments
from ._interrupt import stop_function
from ._library import E_STOPPED, EcdcError, ReaderInfo, byref, c_size_t, call, lib, new

BLOCK = 15360  # samples: 48 frames, as the encoder likes them


class Reader:
    """The sound of a file, mono, at a rate in Hz. Iterating yields float32 arrays."""

    def __init__(self, path: Any, rate: int) -> None:
        self._caught: list[BaseException] = []
        settings = lib.ecdc_default_reader_settings()
        settings.rate_hz = rate
        settings.stop = self._stop = stop_function(self._caught)
        encoded = _arguments.input_path(path)
        try:
            self._handle = new(lib.ecdc_reader_open, lib.ecdc_reader_close, encoded, byref(settings), keeps=(self._stop,))
        except EcdcError as e:
            self._raise(e)

    def _raise(self, error: EcdcError) -> None:
        if error.status == lib.ecdc_status_name(E_STOPPED).decode() and self._caught:
            raise self._caught[0]
        raise error

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
                return
            yield samples[:n.value]

    @property
    def info(self) -> ReaderInfo:
        info = ReaderInfo()
        lib.ecdc_reader_get_info(self._handle.pointer, byref(info))
        return info
