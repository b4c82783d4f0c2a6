"""ecdc fmri beside zlib alone: what masks and series cost more than decompressing the scans."""
import os
import sys
import tempfile
from pathlib import Path

from common import ROOT, TOOLS, ecdc, run, spread

MASK_TRS = 200
VOLUME_BYTES = 58 * 64 * 48 * 2
STUDY = 17


def extract(folder, scan, mask, *options):
    return ecdc("fmri", "extract", scan, "--mask", mask, "-o", folder / "series.npy", "-f", "-q", *options)


def both_passes(folder, scans, options):
    """Processor and wall seconds and peak memory of a mask and the series of its scans."""
    mask = folder / "mask.nii.gz"
    done = [ecdc("fmri", "mask", *scans, "-o", mask, "-f", "-q"), *(extract(folder, scan, mask, *options) for scan in scans)]
    return sum(d.cpu_s for d in done), sum(d.wall_s for d in done), max(d.peak_mb for d in done)


def measure(r):
    """In memory (/dev/shm), so that no disk is measured; processor time, on which neighbours count little, and wall time."""
    n_trs, n_subjects = r.pick(920, 60), 2
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="ecdc-bench-", dir=shm if shm.is_dir() else None) as work:
        folder = Path(work)
        r.say("    making two subjects")
        run(sys.executable, ROOT / "bench" / "scans.py", folder, n_subjects, n_trs)
        scans = sorted(folder.glob("*.nii.gz"))
        rows = {"zlib": [], "series": [], "zscore": []}
        walls = {name: [] for name in rows}
        peak_mb = 0
        for i in range(r.repeats):
            first = 352 + min(MASK_TRS, n_trs) * VOLUME_BYTES
            alone = [run(TOOLS / "inflate", n, *scans) for n in (0, first)]
            rows["zlib"].append(sum(d.cpu_s for d in alone))
            walls["zlib"].append(sum(d.wall_s for d in alone))
            for name, options in ("series", []), ("zscore", ["--zscore"]):
                cpu_s, wall_s, peak = both_passes(folder, scans, options)
                rows[name].append(cpu_s)
                walls[name].append(wall_s)
                peak_mb = max(peak_mb, peak)
            r.say(f"    round {i + 1} of {r.repeats}")
        found = {"n_trs": n_trs, "n_subjects": n_subjects, "bytes": scans[0].stat().st_size,
                 "gzip_ratio": (352 + n_trs * VOLUME_BYTES) / scans[0].stat().st_size,
                 "n_voxels": ecdc("fmri", "mask", *scans, "-o", folder / "mask.nii.gz", "-f", "--json").json["n_voxels"],
                 "peak_mb": peak_mb, "cpu_s": {name: spread(values) for name, values in rows.items()},
                 "wall_s": {name: spread(values) for name, values in walls.items()},
                 "wall_ratio": {name: spread([a / b for a, b in zip(walls[name], walls["zlib"])]) for name in ("series", "zscore")},
                 "ratio": {name: spread([a / b for a, b in zip(rows[name], rows["zlib"])]) for name in ("series", "zscore")}}
        found["study"] = study(folder, scans)
    return found


def study(folder, scans):
    """A study of 17 subjects, as a user runs it. Its files are two, under 17 names."""
    names = []
    for i in range(STUDY):
        names.append(folder / f"subject{i + 1}.nii.gz")
        os.link(scans[i % len(scans)], names[-1])
    mask = ecdc("fmri", "mask", *names, "-o", folder / "mask.nii.gz", "-f", "-q")
    series = [extract(folder, name, folder / "mask.nii.gz", "--zscore") for name in names]
    return {"n_subjects": STUDY, "mask_s": mask.wall_s, "series_s": sum(s.wall_s for s in series),
            "cpu_s": mask.cpu_s + sum(s.cpu_s for s in series), "series_mb": max(s.peak_mb for s in series)}
