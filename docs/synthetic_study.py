"""Ridge regression on a study whose truth is known; writes the measured part of SYNTHETIC_STUDY.md and draws its picture.

Usage, from the repository's root, with the package's needs and matplotlib:
PYTHONPATH=python ECDC_LIBRARY=build/libecdc.so python3 docs/synthetic_study.py
`features_of` and `predict` are what tests/peers/test_autoencoder.py holds the claim with.
"""
import tempfile
from pathlib import Path

import numpy as np

import ecdc
from ecdc import fmri
from ecdc._hrf import convolve
from ecdc.testing import make_study

BEGIN, END = "<!-- measured: begin, written by docs/synthetic_study.py -->", "<!-- measured: end -->"
DOCS = Path(__file__).resolve().parent
N_TRS, N_SUBJECTS, N_PLANTED, SNR, TR_S = 920, 3, 60, 3.0, 1.5
PENALTIES = 10.0 ** np.arange(0, 6.5, 0.5)


def standardised(x):
    x = x.reshape(len(x), -1).astype(np.float64)
    scale = x.std(axis=0)
    return (x - x.mean(axis=0)) / np.where(scale > 0, scale, 1)


def counts(codes, size):
    """How often each code occurs in a TR: (n_trs, codebooks * size)."""
    n_trs, n_codebooks, _ = codes.shape
    table = np.zeros((n_trs, n_codebooks, size), np.float32)
    for tr in range(n_trs):
        for q in range(n_codebooks):
            table[tr, q] = np.bincount(codes[tr, q], minlength=size)
    return table


def features_of(film, n_trs, tr):
    """{kind: (n_trs, features)}, each column with mean 0 and variance 1."""
    def made(**arguments):
        return ecdc.AudioProcessor(model="default", tr=tr, **arguments).audio_to_features(film, max_trs=n_trs)[0]

    codes, size = made(), ecdc.Model("default").codebook_size
    kinds = {
        "latents, causal response": made(mode="latent", hrf="causal"),
        "latents, giblet's centred response": made(mode="latent", hrf="giblet"),
        "indices as numbers, as they are": codes,
        "indices as numbers, causal response": convolve("causal", tr, codes.astype(np.float32), 0.0, 0),
        "indices as numbers, giblet's documents": made(hrf="giblet-doc"),
        "counts of codes, causal response": convolve("causal", tr, counts(codes, size), 0.0, 0),
    }
    return {name: standardised(x) for name, x in kinds.items()}


def ridge(kernel, y, train, test, penalty):
    """Predictions of y[test] from features whose inner products are `kernel`."""
    weights = np.linalg.solve(kernel[np.ix_(train, train)] + penalty * np.eye(len(train)), y[train])
    return kernel[np.ix_(test, train)] @ weights


def correlation(a, b):
    a, b = standardised(a), standardised(b)
    return (a * b).mean(axis=0)


def predict(x, y):
    """(predictions, correlations by voxel) on the last 20 % of the TRs; the penalty is the one that predicts the last fifth of the others
    best from those before it."""
    kernel, n = x @ x.T, int(0.8 * len(x))
    inner = np.arange(int(0.8 * n)), np.arange(int(0.8 * n), n)
    penalty = max(PENALTIES, key=lambda p: np.nanmean(np.sort(correlation(ridge(kernel, y, *inner, p), y[inner[1]]))[-len(y.T) // 10:]))
    test = np.arange(n, len(x))
    predictions = ridge(kernel, y, np.arange(n), test, penalty)
    return predictions, correlation(predictions, y[test])


def voxels_of(study):
    """(mask that all subjects share and in which all voxels vary, which of its columns are planted)"""
    mask = fmri.Mask(study.masks.all(axis=0), study.affine)
    return mask, (mask.coordinates[:, None] == study.planted).all(axis=2).any(axis=1)


def measure(study):
    """{kind: (predictions of the first subject, r (n_subjects, n_voxels))}, scans of the first subject, planted columns"""
    mask, planted = voxels_of(study)
    scans = [fmri.extract(scan, mask, zscore=True).astype(np.float64) for scan in study.scans]
    found = {}
    for name, x in features_of(study.film, study.n_trs, study.tr).items():
        results = [predict(x, y) for y in scans]
        found[name] = results[0][0], np.stack([r for _, r in results])
    return found, scans[0], planted


def signed(value):
    return f"{value:+.2f}".replace("-", "−")


def page(study, found, planted):
    rows = "\n".join(
        f"| {name} | {signed(r[:, planted].mean())} | {signed(r[:, planted].min())} | {100 * (r[:, planted] > 0.5).mean():.0f} % | "
        f"{signed(r[:, ~planted].mean())} ± {r[:, ~planted].std():.2f} | {100 * (r[:, ~planted] > 0.5).mean():.1f} % |"
        for name, (_, r) in found.items())
    n_test = study.n_trs - int(0.8 * study.n_trs)
    return f"""\
{len(study.scans)} subjects, {study.n_trs} TRs of {study.tr:g} s ({study.n_trs * study.tr / 60:.0f} min), {len(planted)} brain voxels that all
subjects have, {planted.sum()} of them planted, in which the response has {SNR:g} times the variance of the noise: no prediction can correlate with
them by more than {np.sqrt(SNR / (1 + SNR)):.2f}. Trained on the first 80 %; r is the correlation of prediction and scan over the last {n_test} TRs, by
subject and voxel. By chance alone it is 0 ± {1 / np.sqrt(n_test):.2f}, more where series are smooth.

![Correlation of prediction and scan for each kind of features; one planted voxel](synthetic_study.svg)

| features | planted: mean r | lowest r | share with r > 0.5 | elsewhere: mean r ± deviation | share with r > 0.5 |
|---|---:|---:|---:|---:|---:|
{rows}"""


def plot(study, found, scan, planted):
    import matplotlib
    matplotlib.use("svg")
    import matplotlib.pyplot as plt
    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "ecdc", "font.size": 8})
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained", width_ratios=(1.25, 1))
    y = np.arange(len(found))
    for what, columns, offset, colour in (("planted", planted, -0.2, "C0"), ("elsewhere", ~planted, 0.2, "0.6")):
        boxes = left.boxplot([r[:, columns].ravel() for _, r in found.values()], positions=y + offset, widths=0.34, orientation="horizontal",
                             whis=(5, 95), showfliers=False, patch_artist=True, medianprops={"color": "k"}, manage_ticks=False)
        for box in boxes["boxes"]:
            box.set_facecolor(colour)
        boxes["boxes"][0].set_label(f"{what} voxels: quartiles, 5 to 95 %")
    left.axvline(np.sqrt(SNR / (1 + SNR)), color="C0", linestyle="--", linewidth=1, label="the most that the noise allows")
    left.axvline(0, color="k", linewidth=0.5)
    left.set_yticks(y, [name.replace(", ", ",\n") for name in found])
    left.invert_yaxis()
    left.set(title="Correlation of prediction and scan", xlim=(-0.5, 1))
    left.grid(alpha=0.3, axis="x")
    left.legend(fontsize=7, ncols=1, loc="upper center", bbox_to_anchor=(0.5, -0.08))

    voxel = np.flatnonzero(planted)[np.argsort(found["latents, causal response"][1][0, planted])[planted.sum() // 2]]
    seconds = study.tr * np.arange(int(0.8 * study.n_trs), study.n_trs)
    right.plot(seconds, scan[-len(seconds):, voxel], ".", markersize=3, color="0.5", label="scan")
    for name, colour in (("latents, causal response", "C0"), ("latents, giblet's centred response", "C3")):
        prediction = found[name][0][:, voxel]
        right.plot(seconds, prediction, color=colour, linewidth=1, label=f"{name} (r = {signed(found[name][1][0, voxel])})")
    right.set(title="A planted voxel, held-out part of the film", xlabel="seconds", ylabel="standard deviations")
    right.grid(alpha=0.3)
    right.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.14))
    figure.savefig(DOCS / "synthetic_study.svg", metadata={"Date": None, "Creator": "ecdc docs/synthetic_study.py"})


def main():
    with tempfile.TemporaryDirectory() as directory:
        study = make_study(directory, n_subjects=N_SUBJECTS, n_trs=N_TRS, tr=TR_S, n_planted=N_PLANTED, snr=SNR)
        found, scan, planted = measure(study)
    path = DOCS / "SYNTHETIC_STUDY.md"
    before, rest = path.read_text().split(BEGIN)
    path.write_text(f"{before}{BEGIN}\n\n{page(study, found, planted)}\n\n{END}{rest.split(END)[1]}")
    plot(study, found, scan, planted)


if __name__ == "__main__":
    main()
