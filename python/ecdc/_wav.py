"""16-bit WAV files, complete or absent."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import struct
from pathlib import Path
from types import TracebackType

import numpy as np

HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
UNKNOWN = 2**32 - 1  # the size where none can be put in afterwards
MAX_BYTES = UNKNOWN - HEADER.size  # what the header can say


class WavWriter:
    """Writes mono sound beside the target and renames it at the end of the `with` block; after an exception nothing is left.
    The folder is made if it is missing. As with the command, a link leads to the file that is replaced, a file keeps its rights, and
    what is no regular file (a device, a pipe) is written to."""

    def __init__(self, path: "str | os.PathLike[str]", rate: int) -> None:
        self.path = Path(os.fsdecode(path))
        self.n_clipped = 0
        self.n_samples = 0
        self._rate = rate

    def __enter__(self) -> "WavWriter":
        if self.path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(self.path))
        self._part: Path | None = None
        self._target = self.path.resolve() if self.path.exists() else self.path
        if not self.path.exists() or self.path.is_file():
            self._target.parent.mkdir(parents=True, exist_ok=True)
            self._part = self._target.with_name(f".{self._target.name[:60]}.{secrets.token_hex(4)}.part")
        self._file = open(self.path if self._part is None else self._part, "wb" if self._part is None else "xb")
        if self._part is not None and self._target.exists():
            with contextlib.suppress(OSError):  # file systems without rights
                os.chmod(self._part, self._target.stat().st_mode & 0o777)
        self._file.write(self._header(UNKNOWN))
        return self

    def _header(self, n_bytes: int) -> bytes:
        return HEADER.pack(b"RIFF", min(n_bytes + HEADER.size - 8, UNKNOWN), b"WAVE", b"fmt ", 16, 1, 1, self._rate, 2 * self._rate,
                           2, 16, b"data", n_bytes)

    def write(self, samples: np.ndarray) -> None:
        """float32 in -1 ... 1: round(x * 32768) to nearest, ties to even, clipped and counted."""
        self.n_samples += len(samples)
        if self._part is not None and self.n_samples * 2 > MAX_BYTES:
            raise ValueError(f"{self.path}: a WAV file holds {MAX_BYTES / 2 / self._rate / 3600:.0f} hours of sound")
        scaled = np.rint(samples * np.float32(32768))
        self.n_clipped += int(np.count_nonzero((scaled < -32768) | (scaled > 32767)))
        self._file.write(np.clip(scaled, -32768, 32767).astype("<i2").tobytes())

    def __exit__(self, kind: "type[BaseException] | None", value: "BaseException | None",
                 trace: "TracebackType | None") -> None:
        if isinstance(value, OSError) and value.errno is not None and value.filename is None:
            value.filename = str(self.path)
        try:
            with self._file:
                if kind is None and self._part is not None:
                    self._file.seek(0)
                    self._file.write(self._header(2 * self.n_samples))
            if kind is None and self._part is not None:
                os.replace(self._part, self._target)
        except OSError as e:
            if kind is None:
                e.filename, e.filename2 = str(self.path), None
                raise
        finally:
            if self._part is not None:
                self._part.unlink(missing_ok=True)
