"""Encodes the sound of a film on the grid of a scan: encode_film.py FILM [TR]."""
import sys

import ecdc

processor = ecdc.AudioProcessor(tr=float(sys.argv[2]) if len(sys.argv) > 2 else 1.5, model="default", alignment="exact")
features, metadata = processor.audio_to_features(sys.argv[1])
print(f"{features.shape[0]} TRs x {features.shape[1]} codebooks x {features.shape[2]} frames, {features.dtype}")
print(metadata.tail(1).to_string(index=False))
