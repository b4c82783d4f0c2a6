"""Scans against nibabel and numpy, live: headers, numbers, the shared mask, z-scores, and files that go the other way."""
import math
import os
import sys

import nibabel
import numpy as np
import pytest
from compare import ROOT
from nilearn.masking import apply_mask

os.environ.setdefault("ECDC_LIBRARY", str(ROOT / "build" / "libecdc.so"))
sys.path.insert(0, str(ROOT / "python"))
from ecdc import fmri  # noqa: E402

TYPES = [np.uint8, np.int8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64, np.float32, np.float64]
TURNED = np.array([[2.9, 0.3, -0.2, -80], [-0.25, 2.95, 0.4, -110], [0.3, -0.35, 3.4, -60], [0, 0, 0, 1]])


def bold(seed, shape=(11, 12, 9, 215)):
    rng = np.random.default_rng(seed)
    slow = np.cumsum(rng.normal(0, 1, shape[3:])) * rng.normal(0, 1, shape[:3] + (1,))
    data = 2000 + slow + rng.normal(0, 1, shape) * rng.uniform(5, 60, shape[:3] + (1,))
    data[0] = data[:, 0] = 0
    return data


def write(path, data, affine=TURNED, order="<", make=nibabel.Nifti1Image, edit=None):
    header = make.header_class(endianness=order)
    header.set_data_dtype(data.dtype.newbyteorder(order))
    image = make(data, None if edit else affine, header)  # with an affine, saving would overrule the edited header
    image.header.set_zooms(image.header.get_zooms()[:3] + (1.5,) * (data.ndim - 3))
    image.header.set_xyzt_units("mm", "sec")
    if edit:
        edit(image.header)
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize("make", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("dtype", TYPES)
def test_numbers(tmp_path, dtype, order, make):
    rng = np.random.default_rng(1)
    limits = np.iinfo(dtype) if np.dtype(dtype).kind in "iu" else None
    shape = (4, 5, 6, 3)
    data = rng.integers(limits.min, limits.max, shape, dtype, endpoint=True) if limits else rng.normal(0, 1e5, shape).astype(dtype)
    path = write(tmp_path / "scan.nii.gz", data, order=order, make=make)
    peer, found = nibabel.load(path), fmri.info(path)
    assert np.array_equal(fmri.read(path), peer.get_fdata().astype(np.float32))
    assert found.shape == peer.shape and found.dtype == np.dtype(dtype).name and found.tr == 1.5
    assert np.array_equal(found.affine, peer.affine)


@pytest.mark.parametrize("slope, intercept", [(0.37, -5.5), (-2, 100), (1e-3, 0), (1, 7)])
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_scaling(tmp_path, dtype, slope, intercept):
    """Written into the header afterwards: nibabel divides by it on the way out."""
    path = write(tmp_path / "scan.nii", bold(2)[..., :4].astype(dtype))
    content = bytearray(path.read_bytes())
    content[112:120] = np.array([slope, intercept], "<f4").tobytes()
    path.write_bytes(content)
    peer = nibabel.load(path).get_fdata()
    assert np.abs(peer).max() != np.abs(bold(2)[..., :4]).max()
    assert np.array_equal(fmri.read(path), peer.astype(np.float32))


@pytest.mark.parametrize("seed", range(8))
def test_affine_of_the_qform(tmp_path, seed):
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = rotation * rng.uniform(1, 4, 3), rng.uniform(-100, 100, 3)

    def edit(header):
        header.set_qform(affine, code=1)
        header.set_sform(None, code=0)

    path = write(tmp_path / "scan.nii", bold(0)[..., :2].astype(np.float32), edit=edit)
    assert nibabel.load(path).header["sform_code"] == 0
    assert np.abs(fmri.info(path).affine - nibabel.load(path).affine).max() < 1e-5


def test_affine_of_the_sizes(tmp_path):
    def edit(header):
        header.set_qform(None, code=0)
        header.set_sform(None, code=0)

    path = write(tmp_path / "scan.nii", bold(0)[..., :2].astype(np.float32), edit=edit)
    assert nibabel.load(path).header["sform_code"] == nibabel.load(path).header["qform_code"] == 0
    assert np.array_equal(fmri.info(path).affine, nibabel.load(path).affine)


@pytest.mark.parametrize("unit, per_second", [("sec", 1), ("msec", 1e3), ("usec", 1e6)])
def test_repetition_time(tmp_path, unit, per_second):
    def edit(header):
        header.set_zooms(header.get_zooms()[:3] + (0.72 * per_second,))
        header.set_xyzt_units("mm", unit)

    assert fmri.info(write(tmp_path / "scan.nii", bold(0)[..., :2].astype(np.float32), edit=edit)).tr == pytest.approx(0.72, rel=1e-12)


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_shared_mask(tmp_path, dtype, n):
    """giblet's rule in numpy, on nibabel's numbers."""
    paths = [write(tmp_path / f"s{i}.nii.gz", bold(10 * n + i).astype(dtype)) for i in range(n)]
    mask, votes = fmri.shared_mask(paths), 0
    for path, vote in zip(paths, mask.votes):
        deviation = nibabel.load(path).get_fdata()[..., :200].std(axis=-1)
        threshold = np.percentile(deviation[deviation > 0], 10)
        votes = votes + (deviation > threshold)
        assert vote.threshold == pytest.approx(threshold, rel=1e-12) and vote.n_voxels == (deviation > threshold).sum()
    assert np.array_equal(mask.array, votes >= math.ceil(n / 2))


@pytest.mark.parametrize("dtype, level", [(np.int16, 0), (np.float32, 0), (np.float64, 0), (np.float64, 1e6)])
def test_series(tmp_path, dtype, level):
    path = write(tmp_path / "s.nii.gz", (bold(5) + level).astype(dtype))
    mask = fmri.Mask(np.random.default_rng(0).random((11, 12, 9)) < 0.5, TURNED.astype(np.float32))
    peer = nibabel.load(path).get_fdata()[mask.array].T
    series = fmri.extract(path, mask)
    assert np.array_equal(series, peer.astype(np.float32))
    deviation = peer.std(axis=0)
    wanted = (peer - peer.mean(axis=0)) / np.where(deviation == 0, 1, deviation)
    constant = np.ptp(peer, axis=0) == 0
    z = fmri.extract(path, mask, zscore=True)
    assert constant.any() and not z[:, constant].any()
    print("largest difference of z-scores:", np.abs(z - wanted)[:, ~constant].max())
    assert np.abs(z - wanted)[:, ~constant].max() < 2e-6
    mask.save(tmp_path / "mask.nii.gz")  # nilearn has the same order of voxels
    assert np.array_equal(apply_mask(str(path), str(tmp_path / "mask.nii.gz"), dtype="f8").astype(np.float32), series)


@pytest.mark.parametrize("name", ["out.nii", "out.nii.gz"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
def test_nibabel_reads_what_is_written(tmp_path, dtype, name):
    data = np.random.default_rng(3).integers(0, 256, (5, 6, 7, 3)).astype(dtype)
    fmri.save(data, TURNED, tmp_path / name, tr=0.72)
    peer = nibabel.load(tmp_path / name)
    assert peer.get_data_dtype() == np.dtype(dtype) and np.array_equal(peer.get_fdata(), data)
    assert np.array_equal(peer.affine, TURNED.astype(np.float32)) and peer.header.get_zooms()[3] == np.float32(0.72)
    assert peer.header.get_xyzt_units() == ("mm", "sec")


def test_restored(tmp_path):
    template = write(tmp_path / "s.nii.gz", bold(6).astype(np.float32))
    mask = fmri.shared_mask([template])
    series = fmri.extract(template, mask, zscore=True)
    fmri.restore(series, mask, tmp_path / "back.nii.gz", tr=1.5)
    fmri.restore(series[7], mask, tmp_path / "map.nii.gz")
    back, one = nibabel.load(tmp_path / "back.nii.gz"), nibabel.load(tmp_path / "map.nii.gz")
    assert np.array_equal(back.affine, nibabel.load(template).affine) and np.array_equal(one.affine, back.affine)
    assert np.array_equal(back.get_fdata()[mask.array].T, series) and not back.get_fdata()[~mask.array].any()
    assert one.shape == (11, 12, 9) and np.array_equal(one.get_fdata()[mask.array], series[7])
