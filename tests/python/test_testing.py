"""ecdc.testing: the study that it writes is as it says."""

import json

import numpy as np
import pytest

import ecdc
from ecdc import fmri
from ecdc._reader import Reader
from ecdc.testing import make_study, synthetic_sound
from run import SPEECH, snapshot


def read_scan(path):
    """float32 (n_trs, x, y, z)"""
    return np.moveaxis(fmri.read(path), 3, 0)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("study"), n_subjects=3, n_trs=24, n_planted=12)


def test_scans_are_there_and_last_as_long_as_the_film(study, command):
    assert [s.name for s in study.scans] == [f"sherlock_movie_s{i}.nii.gz" for i in (1, 2, 3)]
    assert all(s.parent == study.path / "sherlock_nii" for s in study.scans)
    for scan in study.scans:
        facts = fmri.info(scan)
        assert facts.shape == (*study.mask.shape, 24) and facts.tr == 1.5 and facts.dtype == "int16"
        np.testing.assert_array_equal(facts.affine, study.affine)
    found = command("info", study.film, "--json").json
    assert found["n_trs"] == 24 and found["duration"] == pytest.approx(36, abs=1024 / 24000)  # a frame of AAC


def test_the_masks_are_those_of_giblets_rule(study):
    for scan, mask in zip(study.scans, study.masks):
        np.testing.assert_array_equal(fmri.shared_mask([scan]).array, mask)
        deviation = read_scan(scan)[:200].std(axis=0, dtype=float)
        np.testing.assert_array_equal(deviation > np.percentile(deviation[deviation > 0], 10), mask)
    np.testing.assert_array_equal(fmri.shared_mask(study.scans).array, study.mask)
    np.testing.assert_array_equal(study.mask, study.masks.sum(axis=0) >= 2)
    assert not (study.masks == study.masks[0]).all(), "subjects differ at the surface"


def test_planted_voxels_follow_the_films_latents(study):
    processor = ecdc.AudioProcessor(model="default", mode="latent", hrf="causal")
    latents = processor.audio_to_features(study.film)[0].astype(float)
    np.testing.assert_allclose(study.latents, (latents - latents.mean(0)) / latents.std(0), atol=1e-4)
    response = study.latents @ study.weights
    np.testing.assert_allclose(response.std(axis=0), 1, atol=1e-4)
    assert study.planted.shape == (12, 3) and study.masks[(slice(None), *study.planted.T)].all()
    data = np.mean([read_scan(scan) for scan in study.scans], axis=0)
    planted = np.zeros(study.mask.shape, bool)
    planted[tuple(study.planted.T)] = True
    found = [np.corrcoef(response[:, i], data[(slice(None), *voxel)])[0, 1] for i, voxel in enumerate(study.planted)]
    assert min(found) > 0.7  # three subjects at 3 : 1 have 0.95 on average
    elsewhere = data[:, study.masks.all(axis=0) & ~planted]
    assert abs(np.corrcoef(response.T, elsewhere.T)[:12, 12:].mean()) < 0.1


def test_outside_the_brain_nothing_changes(study):
    data = read_scan(study.scans[0])
    still = (data == data[0]).all(axis=0)
    assert not (still & study.masks[0]).any()
    assert set(np.unique(data[:, still])) == {0, 7}


def test_the_same_arguments_give_the_same_scans(study, tmp_path):
    again = make_study(tmp_path, n_subjects=1, n_trs=24, n_planted=12)
    other = make_study(tmp_path / "other", n_subjects=1, n_trs=24, n_planted=12, seed=1)
    assert not np.array_equal(read_scan(again.scans[0]), read_scan(other.scans[0]))
    same = make_study(tmp_path / "same", n_subjects=1, n_trs=24, n_planted=12)
    assert again.scans[0].read_bytes() == same.scans[0].read_bytes()


def test_bids_with_a_recording_that_is_repeated(tmp_path):
    study = make_study(tmp_path, layout="bids", n_subjects=1, n_trs=10, tr=2.0, sound=SPEECH)
    assert study.scans == [tmp_path / "sub-01" / "func" / "sub-01_task-film_bold.nii.gz"]
    sidecar = json.loads((tmp_path / "sub-01" / "func" / "sub-01_task-film_bold.json").read_text())
    assert sidecar["RepetitionTime"] == 2.0
    assert json.loads((tmp_path / "dataset_description.json").read_text())["DatasetType"] == "derivative"
    sound = np.concatenate(list(Reader(study.film, 24000)))
    assert len(sound) == pytest.approx(20 * 24000, abs=1024)
    first, second = sound[24000:72000], sound[24000 + 264000:72000 + 264000]  # the recording lasts 11 s
    assert np.corrcoef(first, second)[0, 1] > 0.9


@pytest.mark.parametrize("layout, names", [
    ("giblet", ["stimuli_film.mp4", "sherlock_nii/sherlock_movie_s2.nii.gz"]),
    ("bids", ["dataset_description.json", "sub-02/func/sub-02_task-film_bold.nii.gz", "sub-02/func/sub-02_task-film_bold.json"]),
])
def test_a_real_study_is_not_overwritten(tmp_path, layout, names):
    for name in names:
        study, real = tmp_path / name.replace("/", "-"), tmp_path / name.replace("/", "-") / name
        real.parent.mkdir(parents=True)
        real.write_bytes(b"years of work")
        before = snapshot(study)
        with pytest.raises(FileExistsError, match="exists already.*overwrite=True") as e:
            make_study(study, n_subjects=2, n_trs=4, layout=layout)
        assert str(real) in str(e.value) and snapshot(study) == before and real.read_bytes() == b"years of work"
    made = make_study(study, n_subjects=2, n_trs=4, layout=layout, overwrite=True)  # the last of them
    assert fmri.info(made.scans[1]).n_trs == 4 and real.read_bytes() != b"years of work"


def test_a_link_to_nowhere_is_not_overwritten_either(tmp_path):
    (tmp_path / "stimuli_film.mp4").symlink_to(tmp_path / "annex" / "key")  # content that was not fetched
    with pytest.raises(FileExistsError, match="stimuli_film.mp4: exists already"):
        make_study(tmp_path, n_trs=4)


def test_synthetic_sound():
    sound = synthetic_sound(30, 24000, seed=2)
    assert sound.shape == (720000,) and sound.dtype == np.float32 and np.abs(sound).max() <= 1
    loudness = sound.reshape(30, -1).std(axis=1)
    assert loudness.max() > 4 * loudness.min()


@pytest.mark.parametrize("arguments, says", [
    ({"layout": "flat"}, "layout is 'flat', allowed are 'giblet', 'bids'"),
    ({"n_trs": 0}, "n_trs is 0, allowed are whole numbers from 1 on"),
    ({"tr": -1}, "tr is -1"),
    ({"shape": (3, 9, 9)}, "shape is (3, 9, 9), allowed are three sizes of 6 or more"),
    ({"n_planted": 5000}, "n_planted is 5000, allowed are whole numbers from 0 to"),
    ({"sound": "no-such-file.wav"}, "no-such-file.wav"),
])
def test_wrong_arguments(tmp_path, arguments, says):
    with pytest.raises((ValueError, OSError)) as e:
        make_study(tmp_path, **{"n_subjects": 1, "n_trs": 4, **arguments})
    assert says in str(e.value)


def test_without_ffmpeg_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="ffmpeg: no such program; the film is made with it"):
        make_study(tmp_path, n_trs=2)
