"""Latents of a film as regressors of nilearn's GLM, on a scan made here: two regions, of which one follows the sound."""
import sys

import ecdc
import nibabel
import numpy as np
import pandas as pd
from nilearn.glm.first_level import FirstLevelModel

TR = 1.5
latents, _ = ecdc.AudioProcessor(mode="latent", hrf="causal", tr=TR, model="default").audio_to_features(sys.argv[1])
latents = (latents - latents.mean(0)) / (latents.std(0) + 1e-9)
left, size, _ = np.linalg.svd(latents, full_matrices=False)
design = pd.DataFrame(left[:, :3] * np.sqrt(len(left)), columns=["sound_1", "sound_2", "sound_3"])  # 128 numbers are too many for so few TRs
design["constant"] = 1.0

rng = np.random.default_rng(0)
scan = 100 + rng.normal(0, 1, (6, 6, 6, len(design)))
scan[:3] += 2 * design["sound_1"].to_numpy()  # this half hears
model = FirstLevelModel(t_r=TR, mask_img=nibabel.Nifti1Image(np.ones((6, 6, 6), np.uint8), np.eye(4)), noise_model="ols", hrf_model=None)
model.fit(nibabel.Nifti1Image(scan.astype(np.float32), np.eye(4)), design_matrices=design)
z = model.compute_contrast("sound_1", output_type="z_score").get_fdata()
print(f"{len(design)} TRs; mean z: {z[:3].mean():.0f} where the sound is heard, {abs(z[3:].mean()):.0f} elsewhere")
