"""16-bit WAV files, complete or absent."""

from __future__ import annotations

import os
import tempfile
import wave
from pathlib import Path
from types import TracebackType

import numpy as np

MAX_BYTES = 2**32 - 64  # what the header can say


class WavWriter:
    """Writes mono sound beside the target and renames it at the end of the `with` block; after an exception nothing is left.
    The folder is made if it is missing."""

    def __init__(self, path: "str | os.PathLike[str]", rate: int) -> None:
        self.path = Path(os.fsdecode(path))
        self.n_clipped = 0
        self.n_samples = 0
        self._rate = rate

    def __enter__(self) -> "WavWriter":
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, self._part = tempfile.mkstemp(prefix=f".{self.path.name}.", suffix=".part", dir=self.path.parent)
        self._file = os.fdopen(descriptor, "wb")
        self._wav = wave.open(self._file, "wb")
        self._wav.setparams((1, 2, self._rate, 0, "NONE", ""))
        return self

    def write(self, samples: np.ndarray) -> None:
        """float32 in -1 ... 1: round(x * 32768) to nearest, ties to even, clipped and counted."""
        self.n_samples += len(samples)
        if self.n_samples * 2 > MAX_BYTES:
            raise ValueError(f"{self.path}: a WAV file holds {MAX_BYTES / 2 / self._rate / 3600:.0f} hours of sound")
        scaled = np.rint(samples * np.float32(32768))
        self.n_clipped += int(np.count_nonzero((scaled < -32768) | (scaled > 32767)))
        self._wav.writeframesraw(np.clip(scaled, -32768, 32767).astype("<i2").tobytes())

    def __exit__(self, kind: "type[BaseException] | None", value: "BaseException | None",
                 trace: "TracebackType | None") -> None:
        try:
            try:
                self._wav.close()
            finally:
                self._file.close()
            if kind is None:
                umask = os.umask(0)  # the file gets the mode that open() would have given it
                os.umask(umask)
                os.chmod(self._part, 0o666 & ~umask)
                os.replace(self._part, self.path)
        except OSError:
            if kind is None:
                raise
        finally:
            if os.path.exists(self._part):
                os.unlink(self._part)
