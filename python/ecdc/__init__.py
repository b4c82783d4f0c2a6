"""EnCodec codes of sound on the time grid of an fMRI scan, and back. No PyTorch.

`AudioProcessor` turns films and recordings into features per TR; `Model`, `Encoder` and `Decoder` are the codec itself;
`ecdc.metrics` measures what came back, `report` shows it. ``import ecdc.giblet`` lets programs written for giblet-responses find it there.
"""

from . import hub, metrics
from ._hrf import glover_hrf
from ._library import EcdcError, lib as _lib
from ._report import report
from .audio_processor import AudioProcessor
from .model import Decoder, Encoder, Model

__all__ = ["ENCODEC_AVAILABLE", "AudioProcessor", "Decoder", "EcdcError", "Encoder", "Model", "glover_hrf", "hub", "metrics",
           "report"]
__version__: str = _lib.ecdc_version().decode()

ENCODEC_AVAILABLE = True  # giblet's flag: whether codes can be made at all
