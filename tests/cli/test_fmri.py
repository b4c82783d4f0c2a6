"""ecdc fmri: masks, series and the way back, against numpy on scans written here."""

import gzip
import json

import numpy as np
import pytest

from scans import AFFINE, read_nifti, shared, subject, write_nifti

@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Three subjects: plain, compressed, big-endian."""
    folder, scans = tmp_path_factory.mktemp("study"), [subject(i) for i in range(3)]
    paths = [write_nifti(folder / "s1.nii", scans[0]), write_nifti(folder / "s2.nii.gz", scans[1]),
             write_nifti(folder / "s3.nii.gz", scans[2], order=">")]
    return paths, scans


@pytest.fixture
def mask(ecdc, study):
    ecdc("fmri", "mask", *study[0], "-o", "mask.nii.gz", "-q")
    return ecdc.cwd / "mask.nii.gz"


def zscore(series):
    deviation = series.std(axis=0)
    return (series - series.mean(axis=0)) / np.where(deviation == 0, 1, deviation)


def test_mask(ecdc, study):
    paths, scans = study
    done = ecdc("fmri", "mask", *paths, "-o", "mask.nii.gz", "--json").json
    mask, affine, _ = read_nifti(ecdc.cwd / "mask.nii.gz")
    assert mask.dtype == np.uint8 and np.array_equal(mask, shared(scans)) and np.array_equal(affine, AFFINE)
    assert done["n_voxels"] == mask.sum() and done["n_subjects"] == 3 and done["n_subjects_needed"] == 2
    for found, scan, path in zip(done["subjects"], scans, paths):
        deviation = scan[..., :200].astype(float).std(axis=-1)
        assert found["threshold"] == pytest.approx(np.percentile(deviation[deviation > 0], 10), rel=1e-12)
        assert found["path"] == str(path) and found["n_trs"] == 200
        assert found["n_constant"] == (deviation == 0).sum() == 61


def test_info(ecdc, study):
    found = ecdc("info", study[0][2], "--json").json
    assert found["kind"] == "nifti" and found["shape"] == [7, 6, 5, 220] and found["n_trs"] == 220 and found["tr"] == 1.5
    assert found["dtype"] == "int16" and found["slope"] == 1 and found["intercept"] == 0 and np.array_equal(found["affine"], AFFINE)
    assert "affine         [[-3,0,0,90]," in ecdc("info", study[0][2]).text
    (ecdc.cwd / "none.nii").write_bytes(b"sound?")
    ecdc.refuses("info", "none.nii", says="none.nii: not a NIfTI file (it has only 6 bytes)")


def test_threads_change_nothing(ecdc, study):
    for threads in 1, 2, 3:
        ecdc("fmri", "mask", *study[0], "-o", f"{threads}.nii", "--threads", threads, "-q")
    assert len({(ecdc.cwd / f"{threads}.nii").read_bytes() for threads in (1, 2, 3)}) == 1


@pytest.mark.parametrize("number", range(3))
def test_extract(ecdc, study, mask, number):
    path, scan, where = study[0][number], study[1][number], shared(study[1])
    r = ecdc("fmri", "extract", path, "--mask", mask, "-o", "raw.npy", says=f"220 TRs x {where.sum()} voxels")
    assert r.stdout == b""
    raw = np.load(ecdc.cwd / "raw.npy")
    assert raw.dtype == np.float32 and raw.flags.c_contiguous and np.array_equal(raw, scan[where].T)
    assert np.array_equal(np.load(ecdc.cwd / "raw_coordinates.npy"), np.argwhere(where))
    ecdc("fmri", "extract", path, "--mask", mask, "-o", "z.npy", "--zscore", "--max-trs", 150, "-q")
    z = np.load(ecdc.cwd / "z.npy")
    assert z.shape == (150, where.sum()) and np.abs(z - zscore(scan[where].T[:150].astype(float))).max() < 1e-6


def test_description(ecdc, study, mask):
    done = ecdc("fmri", "extract", study[0][2], "--mask", mask, "-o", "s.npy", "--zscore", "--json").json
    described = json.loads((ecdc.cwd / "s.json").read_text())
    assert described["tr"] == done["tr"] == 1.5 and described["zscore"] is True and described["n_trs"] == done["n_trs"] == 220
    assert described["input"]["path"] == str(study[0][2]) and described["input"]["dtype"] == "int16"
    assert described["shape"] == [7, 6, 5] and np.array_equal(described["affine"], AFFINE)
    assert described["npy"]["bytes"] == (ecdc.cwd / "s.npy").stat().st_size


def test_scaling_and_floats(ecdc, study, mask):
    where = shared(study[1])
    write_nifti(ecdc.cwd / "scaled.nii.gz", study[1][0], slope=0.25, intercept=-3)
    ecdc("fmri", "extract", "scaled.nii.gz", "--mask", mask, "-o", "a.npy", "-q")
    assert np.array_equal(np.load(ecdc.cwd / "a.npy"), study[1][0][where].T * 0.25 - 3)
    floats = study[1][0] * 1.1 + 1e6  # a level that would cost float32 its digits
    write_nifti(ecdc.cwd / "high.nii", floats)
    ecdc("fmri", "extract", "high.nii", "--mask", mask, "-o", "b.npy", "--zscore", "-q")
    assert np.abs(np.load(ecdc.cwd / "b.npy") - zscore(floats[where].T)).max() < 1e-6


def test_there_and_back(ecdc, study, mask):
    where = shared(study[1])
    ecdc("fmri", "extract", study[0][0], "--mask", mask, "-o", "s.npy", "-q")
    for name, options, tr in ("a.nii.gz", [], 1.5), ("b.nii", ["--tr", "0.72"], np.float32(0.72)):
        ecdc("fmri", "restore", "s.npy", "--mask", mask, "-o", name, *options, says="220 volumes")
        data, affine, found = read_nifti(ecdc.cwd / name)
        assert np.array_equal(data, study[1][0] * where[..., None]) and np.array_equal(affine, AFFINE) and found == tr
    np.save(ecdc.cwd / "map.npy", np.arange(where.sum()) / 2)
    ecdc("fmri", "restore", "map.npy", "--mask", mask, "-o", "map.nii.gz", "-q")
    data, _, _ = read_nifti(ecdc.cwd / "map.nii.gz")
    assert data.shape == (7, 6, 5) and np.array_equal(data[where], np.arange(where.sum()) / 2) and not data[~where].any()


def test_numbers_that_are_not_finite(ecdc, study, mask):
    """They are counted, and touch neither other TRs nor other voxels."""
    where, scan = shared(study[1]), study[1][0].astype(np.float32)
    (i, j, k), clean = np.argwhere(where)[5], scan[where].T.astype(float)
    scan[i, j, k, 3], scan[i, j, k, 7], scan[0, 0, 0, 0] = np.nan, np.inf, np.nan
    write_nifti(ecdc.cwd / "bad.nii.gz", scan)
    r = ecdc("fmri", "mask", "bad.nii.gz", study[0][1], study[0][2], "-o", "m.nii", "--json",
             says="2 voxels have numbers that are not finite")
    assert r.json["subjects"][0]["n_not_finite"] == 2 and r.json["n_voxels"] > 100
    r = ecdc("fmri", "extract", "bad.nii.gz", "--mask", mask, "-o", "z.npy", "--zscore", "--json",
             says="2 numbers in 1 voxel are not finite")
    assert r.json["n_not_finite"] == 2 and r.json["n_voxels_not_finite"] == 1
    z, rest = np.load(ecdc.cwd / "z.npy"), np.setdiff1d(np.arange(220), [3, 7])
    wanted = zscore(clean)
    wanted[rest, 5], wanted[[3, 7], 5] = zscore(clean[rest, 5]), 0
    assert np.abs(z - wanted).max() < 1e-6
    ecdc("fmri", "extract", "bad.nii.gz", "--mask", mask, "-o", "raw.npy", "-q")
    raw = np.load(ecdc.cwd / "raw.npy")
    assert np.allclose(raw[[3, 7], 5], clean[rest, 5].mean(), rtol=1e-7) and np.array_equal(np.delete(raw, 5, 1), np.delete(clean, 5, 1))


def test_differences_beyond_float32(ecdc, study, mask):
    """Numbers that a float32 holds have z-scores, also where the difference of two of them is more than it holds."""
    where, scan = shared(study[1]), study[1][0].astype(np.float32)
    places, n = np.argwhere(where)[:3], scan.shape[3]
    for voxel, series in zip(places, (np.tile([3e38, -3e38], n // 2), np.r_[1e29, np.tile([3.4e38, -3.4e38], n)][:n],
                                      np.r_[np.nan, -2e38, np.full(n - 2, 2e38)])):
        scan[tuple(voxel)] = series
    write_nifti(ecdc.cwd / "large.nii", scan)
    r = ecdc("fmri", "extract", "large.nii", "--mask", mask, "-o", "z.npy", "--zscore", "--json", says="1 number in 1 voxel is not finite")
    assert r.json["n_not_finite"] == 1
    z, raw = np.load(ecdc.cwd / "z.npy"), scan[where].T.astype(float)
    wanted = zscore(raw)
    wanted[1:, 2], wanted[0, 2] = zscore(raw[1:, 2]), 0
    assert np.abs(z - wanted).max() < 1e-6


def test_constant_voxels(ecdc, study):
    write_nifti(ecdc.cwd / "all.nii", np.ones((7, 6, 5), np.uint8))
    r = ecdc("fmri", "extract", study[0][0], "--mask", "all.nii", "-o", "z.npy", "--zscore", says="61 of 210 voxels are constant")
    assert r.stdout == b""
    z = np.load(ecdc.cwd / "z.npy").reshape(220, 7, 6, 5)
    assert not z[:, :2].any() and not z[:, 3, 3, 3].any() and np.isfinite(z).all()


def test_scans_that_do_not_fit(ecdc, study):
    path, scan = study[0][0], study[1][0]
    other = write_nifti(ecdc.cwd / "other.nii", scan[:, :5])
    ecdc.refuses("fmri", "mask", path, other, "-o", "m.nii", says=["other.nii: has 7 x 5 x 5 voxels", "has 7 x 6 x 5"])
    moved = AFFINE.copy()
    moved[0, 3] += 3
    other = write_nifti(ecdc.cwd / "other.nii", scan, affine=moved)
    ecdc.refuses("fmri", "mask", path, other, "-o", "m.nii", says=["other.nii: the affine differs", "lies at (93,", "there at (90,"])
    other = write_nifti(ecdc.cwd / "other.nii", scan[..., 0])
    ecdc.refuses("fmri", "mask", other, path, "-o", "m.nii", says="other.nii: holds one volume (3 dimensions); a series of volumes")
    other = write_nifti(ecdc.cwd / "other.nii", scan * 0)
    ecdc.refuses("fmri", "mask", other, "-o", "m.nii", says="no voxel varies over the first 200 TRs (210 are constant")
    ecdc.refuses("fmri", "mask", "none.nii", "-o", "m.nii", says="none.nii: No such file")


def test_a_mask_that_nobody_shares(ecdc):
    """Three subjects that vary in different places."""
    scans = []
    for number in range(3):
        scan = np.zeros((4, 4, 4, 20), np.int16)
        scan[number, ..., ::2] = np.arange(1, 17).reshape(4, 4, 1)
        scans.append(write_nifti(ecdc.cwd / f"{number}.nii", scan))
    ecdc.refuses("fmri", "mask", *scans, "-o", "m.nii", says="0.nii and 2 more: the mask is empty, no voxel of 64 counts")


def test_series_that_do_not_fit(ecdc, study, mask):
    path, scan = study[0][0], study[1][0]
    extract = "fmri", "extract"
    ecdc.refuses(*extract, path, "--mask", mask, "-o", "s.npy", "--max-trs", 221, says="s1.nii: has 220 TRs, 221 are asked for")
    ecdc.refuses(*extract, path, "--mask", path, "-o", "s.npy", says="holds 220 volumes, a mask is one")
    empty = write_nifti(ecdc.cwd / "empty.nii", np.zeros((7, 6, 5), np.uint8))
    ecdc.refuses(*extract, path, "--mask", empty, "-o", "s.npy", says="empty.nii: the mask is empty, no voxel of 210 counts")
    small = write_nifti(ecdc.cwd / "small.nii", np.ones((7, 6, 4), np.uint8))
    ecdc.refuses(*extract, path, "--mask", small, "-o", "s.npy", says=["has 7 x 6 x 5 voxels", "the mask has 7 x 6 x 4"])
    bad = write_nifti(ecdc.cwd / "bad.nii", np.full((7, 6, 5), np.nan, np.float32))
    ecdc.refuses(*extract, path, "--mask", bad, "-o", "s.npy", says="a mask is made of finite numbers")
    np.save(ecdc.cwd / "wide.npy", np.zeros((3, 5), np.float32))
    ecdc.refuses("fmri", "restore", "wide.npy", "--mask", mask, "-o", "r.nii", says="wide.npy: has 5 voxels, the mask")
    np.save(ecdc.cwd / "deep.npy", np.zeros((3, 5, 2), np.float32))
    ecdc.refuses("fmri", "restore", "deep.npy", "--mask", mask, "-o", "r.nii", says="has 3 dimensions; a series is (n_trs, n_voxels)")


def test_damaged_files(ecdc, study, mask):
    content = study[0][1].read_bytes()
    cut = ecdc.cwd / "cut.nii.gz"
    cut.write_bytes(content[:len(content) // 2])
    ecdc.refuses("fmri", "mask", cut, "-o", "m.nii", says="cut.nii.gz: the gzip data break off")
    cut.write_bytes(content[:-5])  # in the first 200 TRs nothing is wrong
    ecdc.refuses("fmri", "extract", cut, "--mask", mask, "-o", "s.npy", says="cut.nii.gz: the gzip data break off")
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 0xff
    cut.write_bytes(damaged)
    ecdc.refuses("fmri", "extract", cut, "--mask", mask, "-o", "s.npy", says="cut.nii.gz: the gzip data are damaged")
    plain = ecdc.cwd / "plain.nii"
    plain.write_bytes(study[0][0].read_bytes()[:5000])
    ecdc.refuses("fmri", "mask", plain, "-o", "m.nii", says="plain.nii: is cut off: 7 x 6 x 5 voxels x 220 volumes of int16")
    plain.write_bytes(b"not a scan" * 100)
    ecdc.refuses("fmri", "mask", plain, "-o", "m.nii", says="plain.nii: not a NIfTI file")


def test_members(ecdc, study, mask):
    """Several gzip files one behind the other are one."""
    content = gzip.decompress(study[0][1].read_bytes())
    joined = ecdc.cwd / "joined.nii.gz"
    joined.write_bytes(b"".join(gzip.compress(content[i:i + 10000]) for i in range(0, len(content), 10000)))
    for name, path in ("a.npy", joined), ("b.npy", study[0][1]):
        ecdc("fmri", "extract", path, "--mask", mask, "-o", name, "-q")
    assert (ecdc.cwd / "a.npy").read_bytes() == (ecdc.cwd / "b.npy").read_bytes()


def test_outputs_are_kept(ecdc, study, mask):
    ecdc.refuses("fmri", "mask", study[0][0], "-o", mask, says="mask.nii.gz: exists already (-f overwrites it)")
    for name in "s.npy", "s_coordinates.npy", "s.json":
        (ecdc.cwd / name).write_text("mine")
        ecdc.refuses("fmri", "extract", study[0][0], "--mask", mask, "-o", "s.npy", says=[name, "-f"])
        (ecdc.cwd / name).unlink()
    (ecdc.cwd / "s.npy").write_text("mine")
    ecdc("fmri", "extract", study[0][0], "--mask", mask, "-o", "s.npy", "-f", "-q")
    (ecdc.cwd / "r.nii").write_text("mine")
    ecdc.refuses("fmri", "restore", "s.npy", "--mask", mask, "-o", "r.nii", says=["r.nii", "-f"])


def test_usage(ecdc, study, mask):
    scan = study[0][0]
    for args, says in (
        (["look", scan, "-o", "m.nii"], "usage: ecdc fmri mask SCAN ... -o MASK.nii.gz"),
        (["mask", "-o", "m.nii"], "usage: ecdc fmri"),
        (["mask", scan], "-o FILE is missing"),
        (["mask", scan, "-o", "m.img"], "a name that ends in .nii or .nii.gz is needed"),
        (["mask", scan, "-o", "m.nii", "--zscore"], "--zscore means nothing with mask"),
        (["mask", scan, "-o", "m.nii", "--tr", "2"], "--tr means nothing with mask"),
        (["mask", scan, mask, "-o", mask, "-f"], "is the input: give the output another name"),
        (["extract", scan, "-o", "s.npy"], "fmri extract: --mask FILE is missing"),
        (["extract", scan, "--mask", mask, "-o", "s.txt"], "a name that ends in .npy is needed"),
        (["extract", scan, scan, "--mask", mask, "-o", "s.npy"], "usage: ecdc fmri"),
        (["restore", "s.npy", "--mask", mask, "-o", "r.npy"], "a name that ends in .nii or .nii.gz is needed"),
        (["restore", "s.npy", "--mask", mask, "-o", "r.nii", "--max-trs", "3"], "--max-trs means nothing with restore"),
    ):
        ecdc.refuses("fmri", *args, says=says, status=2)
