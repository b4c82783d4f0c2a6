"""What each mode keeps of a sound: compare_modes.py SOUND. STOI after the way back, and numbers per TR of 1.5 s."""
import os
import subprocess
import sys
import tempfile

import ecdc
import numpy as np


def load(path, rate=24000):
    done = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-ac", "1", "-ar", str(rate), "-f", "f32le", "-"], capture_output=True, check=True)
    return np.frombuffer(done.stdout, "<f4")


original = load(sys.argv[1])
print("mode     kbps  numbers per TR  STOI")
with tempfile.TemporaryDirectory() as folder:
    for mode, bandwidth in [("encodec", 1.5), ("encodec", 6.0), ("encodec", 24.0), ("mel", 3.0)]:
        processor = ecdc.AudioProcessor(mode=mode, encodec_bandwidth=bandwidth, model="default")
        features, metadata = processor.audio_to_features(sys.argv[1])
        wav = os.path.join(folder, "sound.wav")
        processor.features_to_audio(features, wav, metadata=metadata)
        sound = load(wav)
        n = min(len(sound), len(original))
        rate = "" if mode == "mel" else f"{bandwidth:g}"
        print(f"{mode:8} {rate:>4}  {features[0].size:14}  {ecdc.metrics.stoi(original[:n], sound[:n], 24000):.2f}")
latents, _ = ecdc.AudioProcessor(mode="latent", model="default").audio_to_features(sys.argv[1])
print(f"latent      3  {latents[0].size:14}  (for analysis: no way back from a mean)")
