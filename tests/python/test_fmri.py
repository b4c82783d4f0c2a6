"""ecdc.fmri: scans, masks and series."""

import ecdc
import numpy as np
import pytest
from ecdc import fmri

AFFINE = np.array([[-3.0, 0, 0, 90], [0, 3, 0.5, -126], [0, 0, 3.5, -72], [0, 0, 0, 1]])


@pytest.fixture
def scans(tmp_path):
    """Two subjects, (paths, arrays)."""
    arrays, paths = [], [tmp_path / "s1.nii.gz", tmp_path / "s2.nii"]
    for seed, path in enumerate(paths):
        rng = np.random.default_rng(seed)
        array = rng.normal(500, 1, (6, 5, 4, 40)) + rng.normal(0, 1, (6, 5, 4, 40)) * rng.uniform(1, 20, (6, 5, 4, 1))
        array[0] = 0
        arrays.append(array.astype(np.float32))
        fmri.save(arrays[-1], AFFINE, path, tr=0.72)
    return paths, arrays


def test_save_info_read(tmp_path, scans):
    found = fmri.info(scans[0][0])
    assert found.shape == (6, 5, 4, 40) and found.n_trs == 40 and found.tr == 0.72 and found.dtype == "float32"
    assert found.path == str(scans[0][0]) and np.array_equal(found.affine, AFFINE)
    assert np.array_equal(fmri.read(scans[0][0]), scans[1][0]) and np.array_equal(fmri.read(scans[0][1]), scans[1][1])
    volume = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    fmri.save(volume, AFFINE, tmp_path / "one.nii")
    found = fmri.info(tmp_path / "one.nii")
    assert found.shape == (2, 3, 4) and found.n_trs == 1 and found.tr == 0 and found.dtype == "int16"
    assert np.array_equal(fmri.read(tmp_path / "one.nii"), volume)


def test_mask(tmp_path, scans):
    mask = fmri.shared_mask(scans[0], max_trs=30)
    votes = 0
    for vote, scan in zip(mask.votes, scans[1]):
        deviation = scan[..., :30].astype(float).std(axis=-1)
        threshold = np.percentile(deviation[deviation > 0], 10)
        votes = votes + (deviation > threshold)
        assert vote.threshold == pytest.approx(threshold, rel=1e-12) and vote.n_trs == 30
        assert vote.n_voxels == (deviation > threshold).sum() and vote.n_constant == 20 and vote.n_not_finite == 0
    assert mask.array.dtype == bool and np.array_equal(mask.array, votes >= 1)
    assert mask.shape == (6, 5, 4) and np.array_equal(mask.affine, AFFINE) and mask.n_voxels == (votes >= 1).sum()
    assert np.array_equal(mask.coordinates, np.argwhere(mask.array))
    mask.save(tmp_path / "mask.nii.gz")
    for again in fmri.load_mask(tmp_path / "mask.nii.gz"), fmri.Mask(mask.array, AFFINE):
        assert np.array_equal(again.array, mask.array) and np.array_equal(again.affine, AFFINE)
    with pytest.raises(ecdc.EcdcError, match=r"mask.nii.gz: exists already \(overwrite=True overwrites it\)$"):
        mask.save(tmp_path / "mask.nii.gz")
    mask.save(tmp_path / "mask.nii.gz", overwrite=True)


def test_extract_and_restore(tmp_path, scans):
    mask = fmri.shared_mask(scans[0])
    series = fmri.extract(scans[0][0], mask)
    assert series.dtype == np.float32 and np.array_equal(series, scans[1][0][mask.array].T)
    report = []
    z = fmri.extract(scans[0][0], mask, zscore=True, n_trs=25, report=report)
    wanted = series[:25].astype(float)
    assert np.abs(z - (wanted - wanted.mean(axis=0)) / wanted.std(axis=0)).max() < 1e-6
    assert report == [fmri.ExtractionReport(25, 0, 0, 0)]
    out = np.memmap(tmp_path / "out", np.float32, "w+", shape=series.shape)
    assert fmri.extract(scans[0][0], mask, out=out) is out and np.array_equal(out, series)
    fmri.restore(series, mask, tmp_path / "back.nii.gz", tr=0.72)
    assert np.array_equal(fmri.read(tmp_path / "back.nii.gz"), scans[1][0] * mask.array[..., None])
    assert fmri.info(tmp_path / "back.nii.gz").tr == 0.72
    fmri.restore(series[3], mask, tmp_path / "map.nii")
    assert np.array_equal(fmri.read(tmp_path / "map.nii")[mask.array], series[3])


def test_refusals(tmp_path, scans):
    mask = fmri.shared_mask(scans[0])
    with pytest.raises(ecdc.EcdcError, match="s2.nii: has 40 TRs, 41 are asked for"):
        fmri.extract(scans[0][1], mask, n_trs=41)
    with pytest.raises(ValueError, match="allowed is a list of paths"):
        fmri.shared_mask(scans[0][0])
    with pytest.raises(FileNotFoundError, match="No such file or directory: '/.*none.nii'$"):
        fmri.info(tmp_path / "none.nii")
    for use in (lambda: fmri.extract(scans[0][0], "mask.nii.gz"), lambda: fmri.restore(np.zeros(9), "mask.nii.gz", tmp_path / "x.nii")):
        with pytest.raises(ValueError, match=r"mask is 'mask.nii.gz', allowed is a Mask: load_mask\(path\)"):
            use()
    for use in (lambda path: fmri.restore(np.zeros(mask.n_voxels), mask, path), mask.save,
                lambda path: fmri.save(np.zeros((2, 2, 2)), AFFINE, path)):
        with pytest.raises(ValueError, match="path is '.*m2.txt', allowed are names that end in .nii or .nii.gz"):
            use(tmp_path / "m2.txt")
        with pytest.raises(OSError, match="/dev/full: No space left on device"):
            use("/dev/full")
    assert not (tmp_path / "m2.txt").exists()
    with pytest.raises(ecdc.EcdcError, match="mask_percentile is 200"):
        fmri.shared_mask(scans[0], percentile=200)
    with pytest.raises(ValueError, match="1 scan or more"):
        fmri.shared_mask([])
    with pytest.raises(ValueError, match=r"out has to be a contiguous float32 array of the shape \(40, \d+\)"):
        fmri.extract(scans[0][0], mask, out=np.empty((3, 3), np.float32))
    with pytest.raises(ValueError, match="series has the shape"):
        fmri.restore(np.zeros((4, 3)), mask, tmp_path / "x.nii")
    with pytest.raises(ValueError, match=r"affine has the shape \(3, 3\)"):
        fmri.save(np.zeros((2, 2, 2)), np.eye(3), tmp_path / "x.nii")
    with pytest.raises(ecdc.EcdcError, match=r"volume 0: 70000 at voxel \(1, 0, 1\) does not fit int16"):
        fmri.save(np.where(np.arange(8).reshape(2, 2, 2) == 5, 70000, 0), AFFINE, tmp_path / "x.nii", dtype="int16")
    with pytest.raises(ValueError, match="the mask is empty"):
        fmri.Mask(np.zeros((2, 2, 2)), AFFINE)
    assert not (tmp_path / "x.nii").exists()
