"""Models from the Hugging Face hub, in the cache that `huggingface_hub` uses."""

from __future__ import annotations

import os
import sys
from typing import Any

from . import _arguments
from ._interrupt import stoppable
from ._library import ANNOUNCE_FUNCTION, PROGRESS_FUNCTION, byref, call, lib


def fetch(name: str = "facebook/encodec_24khz", *, quiet: bool = False) -> None:
    """Downloads a model into the local cache, or brings it up to date there; then `Model` finds it without a network.

    Parameters
    ----------
    name : str
        ``"organisation/name"`` or ``"organisation/name@revision"``.
    quiet : bool
        False: before it starts, a line on standard error says what is fetched, how large, where to and under which licence; on a
        terminal progress follows.

    Raises
    ------
    EcdcError
        The hub does not have it, ``HF_HUB_OFFLINE`` is set and the cache lacks it, a checksum is wrong. The message says what to
        do, as it does for OSError:
    OSError
        The hub cannot be reached, the disk is full.

    Notes
    -----
    The variables of `huggingface_hub` count: ``HF_HOME``, ``HF_HUB_CACHE``, ``HF_ENDPOINT``, ``HF_TOKEN``, ``HF_HUB_OFFLINE``.
    """
    settings = lib.ecdc_default_hub_settings()
    announce, progress = ANNOUNCE_FUNCTION(_announce), PROGRESS_FUNCTION(_progress)
    if not quiet:
        settings.announce = announce
        if sys.stderr.isatty():
            settings.progress = progress
    with stoppable(settings):
        call(lib.ecdc_hub_fetch, _arguments.path("name", name), byref(settings))


def _announce(_: Any, plan: Any) -> None:
    p = plan.contents
    licence = p.licence.decode() or "none stated"
    print(f"ecdc: downloading {p.repository.decode()} ({p.files.decode()}; {p.n_bytes / 1e6:.1f} MB, licence: {licence}) from "
          f"{p.endpoint.decode()} to {os.fsdecode(p.directory)}", file=sys.stderr)


def _progress(_: Any, done: int, whole: int) -> None:
    print(f"\recdc: {done / 1e6:.1f} of {whole / 1e6:.1f} MB", end="\n" if done == whole else "", file=sys.stderr, flush=True)
