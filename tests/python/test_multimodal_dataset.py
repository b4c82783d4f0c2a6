"""ecdc.MultimodalDataset on a synthetic study: samples, splits, alignment, caches, and what it refuses."""

import copy
import inspect
import os
import pickle
import shutil
import subprocess
import sys
import warnings
from fractions import Fraction

import numpy as np
import pytest

import ecdc
from ecdc import MultimodalDataset
from ecdc.testing import make_study

N_TRS, N_SUBJECTS = 21, 3


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("study") / "data", n_subjects=N_SUBJECTS, n_trs=N_TRS)


@pytest.fixture
def data(original, tmp_path):
    return shutil.copytree(original.path, tmp_path / "data", ignore=shutil.ignore_patterns("cache"))


@pytest.fixture(scope="module")
def built(original):
    """The study with the caches of codes and of latents, which tests must leave alone."""
    return original.path, MultimodalDataset(original.path, model="default", as_torch=False)


def dataset(data, *args, **settings):
    return MultimodalDataset(data, *args, **{"model": "default", "as_torch": False, **settings})


def zscore(series):
    deviation = series.std(axis=0)
    return (series - series.mean(axis=0)) / np.where(deviation > 0, deviation, 1)


def scan_series(study, number, mask):
    return ecdc.fmri.read(study.scans[number - 1])[mask].T.astype(np.float64)


# ---------------------------------------------------------------------------------------------------------- samples --


def test_giblets_signature():
    parameters = list(inspect.signature(MultimodalDataset).parameters.values())
    assert [(p.name, p.default) for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD] == [
        ("data_dir", inspect.Parameter.empty), ("subjects", "all"), ("split", None), ("apply_hrf", True), ("mode", "per_subject"),
        ("cache_dir", None), ("preprocess", True), ("tr", 1.5), ("max_trs", None), ("use_encodec", True), ("encodec_bandwidth", 3.0),
        ("encodec_sample_rate", 12000), ("frame_skip", 2), ("shared_data", None), ("normalize_fmri", True)]
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters[15:])


def test_giblets_attributes(built, tmp_path):
    d = dataset(built[0], [1, 3], "val", mode="per_subject", max_trs=20, encodec_bandwidth=3.0, normalize_fmri=False, apply_hrf=False,
                cache_dir=tmp_path / "cache")
    assert (d.data_dir, d.cache_dir) == (built[0], tmp_path / "cache") and isinstance(d.cache_dir, type(d.data_dir))
    assert (d.split, d.apply_hrf, d.mode, d.tr, d.max_trs) == ("val", False, "per_subject", 1.5, 20)
    assert (d.use_encodec, d.encodec_bandwidth, d.encodec_sample_rate, d.frame_skip, d.normalize_fmri) == (True, 3.0, 12000, 2, False)
    assert d.subject_ids == d.subjects == [1, 3]
    wanted = {"subject_ids": [1, 3], "n_subjects": 2, "n_trs": 4, "n_samples": 8, "feature_dims": d.feature_dims, "tr": 1.5,
              "apply_hrf": False, "mode": "per_subject"}
    assert {name: d.metadata[name] for name in wanted} == wanted
    shared = dataset(built[0], [1, 3], "train", max_trs=20, normalize_fmri=False, apply_hrf=False, shared_data=d.get_data_dict())
    assert shared.cache_dir == d.cache_dir and shared.metadata["n_samples"] == 32


def test_samples(original, built):
    d = built[1]
    assert (len(d), d.n_samples, d.n_subjects, d.n_trs) == (63, 63, 3, 21)
    assert d.subjects == [1, 2, 3] and d.feature_dims == {"audio": (4, 112), "fmri": int(original.mask.sum())}
    codes, _ = ecdc.AudioProcessor(model="default").audio_to_features(original.film)
    for index in 0, 20, 21, 50, -1:
        subject, tr = divmod(index % 63, 21)
        sample = d[index]
        assert set(sample) == {"audio", "fmri", "tr_index", "tr_index_abs", "subject_id"}
        assert (sample["subject_id"], sample["tr_index"], sample["tr_index_abs"]) == (subject + 1, tr, tr)
        assert sample["audio"].dtype == np.int64 and np.array_equal(sample["audio"], codes[tr])
        assert sample["fmri"].dtype == np.float32
        wanted = zscore(scan_series(original, subject + 1, original.mask))[tr]
        assert np.abs(sample["fmri"] - wanted).max() < 1e-5
    for index in 63, -64:
        with pytest.raises(IndexError):
            d[index]
    assert len(list(d)) == 63
    sample = d[0]
    sample["audio"][:] = 0  # a sample is the caller's
    assert np.array_equal(d[0]["audio"], codes[0])


def test_splits(built):
    whole = built[1]
    train, val = (dataset(built[0], split=s) for s in ("train", "val"))
    assert (train.n_trs, val.n_trs) == (16, 5)  # int(0.8 * 21)
    assert (len(train), len(val)) == (48, 15)
    for split, first in (train, 0), (val, 16):
        for i in range(len(split)):
            s = split[i]
            same = whole[(s["subject_id"] - 1) * 21 + s["tr_index"] + first]
            assert s["tr_index"] == i % split.n_trs and s["tr_index_abs"] == s["tr_index"] + first
            assert np.array_equal(s["audio"], same["audio"]) and np.array_equal(s["fmri"], same["fmri"])
    assert val.metadata["first_tr"] == 16


def test_cross_subject(built):
    d = dataset(built[0], mode="cross_subject", split="val")
    assert len(d) == 5 and set(d[0]) == {"audio", "fmri", "tr_index", "tr_index_abs"}
    mean = np.mean([built[1][s * 21 + 18]["fmri"] for s in range(3)], axis=0, dtype=np.float64)
    assert d[2]["fmri"].dtype == np.float32 and np.abs(d[2]["fmri"] - mean).max() < 1e-6


@pytest.mark.parametrize("subjects, ids", [("all", [1, 2, 3]), (2, [2]), ("2", [2]), ([3, 1], [1, 3]), (["sub-3"], [3]), ((1, 1), [1])])
def test_subjects(data, subjects, ids):
    d = dataset(data, subjects)
    assert d.subjects == ids and {d[i]["subject_id"] for i in range(len(d))} == set(ids)


def test_bids(tmp_path):
    study = make_study(tmp_path / "bids", n_trs=6, layout="bids")
    d = dataset(study.path, "01")
    assert d.subjects == [1] and d.metadata["layout"] == "bids"
    assert dataset(study.path, cache_dir=tmp_path / "c").subjects == [1, 2] and (tmp_path / "c").is_dir()
    with pytest.raises(ValueError, match=r"RepetitionTime|the TR in its header is 1.5 s, but the TR asked for is 2 s"):
        dataset(study.path, tr=2)


def test_one_codebook_as_in_the_overview(data):
    d = dataset(data, n_codebooks=1, apply_hrf=False)
    assert d[0]["audio"].shape == (1, 112) and d.feature_dims["audio"] == (1, 112)


@pytest.mark.parametrize("settings, mode", [({"use_encodec": False}, "mel"), ({"features": "latent"}, "latent")])
def test_floats_take_the_response(original, data, settings, mode):
    if mode == "mel":
        with pytest.warns(UserWarning, match="mel filters"):
            d = dataset(data, **settings)
    else:
        d = dataset(data, **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted, _ = ecdc.AudioProcessor(model="default", mode=mode, hrf="causal").audio_to_features(original.film)
        plain, _ = ecdc.AudioProcessor(model="default", mode=mode).audio_to_features(original.film)
        unconvolved = dataset(data, apply_hrf=False, **settings)
    got = np.stack([d[i]["audio"] for i in range(21)])
    assert got.dtype == np.float32 and np.array_equal(got, wanted)
    assert np.array_equal(unconvolved[20]["audio"], plain[20])


def test_limits(data):
    d = dataset(data, max_trs=10)
    assert d.n_trs == 10 and len(d) == 30
    path, = (data / "cache").glob("audio*.npy")
    assert path.name == "audio_features_encodec_bw3.0_tr1.5_10trs_hrf.npy"
    raw = dataset(data, normalize_fmri=False)
    assert raw[0]["fmri"].mean() > 100


# ---------------------------------------------------------------------------------------------------- other series --


def test_video_and_text(data):
    rng = np.random.default_rng(0)
    video, text = rng.normal(size=(23, 2, 3)).astype(np.float32), rng.normal(size=(19, 4)).astype(np.float32)
    tokens = rng.integers(0, 9, (30, 2))
    np.save(data / "video_features.npy", video)
    np.save(data.parent / "text.npy", text)
    d = dataset(data, text_features=data.parent / "text.npy")
    assert d.n_trs == 19 and d.feature_dims["video"] == (2, 3) and d.feature_dims["text"] == 4
    assert list(d.feature_dims) == ["video", "audio", "text", "fmri"]
    convolved = ecdc._hrf.convolve("causal", 1.5, video, 0.0, 0)
    for tr in 0, 7, 18:
        assert np.abs(d[tr]["video"] - convolved[tr]).max() < 1e-6
    plain = dataset(data, apply_hrf=False, video_features=video[:20], text_features=tokens)
    assert plain.n_trs == 20 and np.array_equal(plain[3]["video"], video[3])
    labels = dataset(data, text_features=tokens)
    assert labels[5]["text"].dtype.kind == "i" and np.array_equal(labels[5]["text"], tokens[5])  # integers are left alone
    centred = dataset(data, features="latent", hrf="giblet")
    convolved = ecdc._hrf.convolve("giblet", 1.5, video, 0.0, 0)
    assert np.abs(np.stack([centred[i]["video"] for i in range(21)]) - convolved[:21]).max() < 1e-5


def test_video_at_a_tr_that_is_a_fraction(tmp_path):
    study = make_study(tmp_path / "data", n_subjects=1, n_trs=12, tr=2 / 3)
    video = np.random.default_rng(2).normal(size=(12, 3)).astype(np.float32)
    d = dataset(study.path, tr=Fraction(2, 3), video_features=video)
    assert d.n_trs == 12
    assert np.array_equal(d.get_subject_data(1)["video"], ecdc._hrf.convolve("causal", 2 / 3, video, 0.0, 0))


def test_alignment(data):
    video = np.random.default_rng(1).normal(size=(33, 5)).astype(np.float32)
    tokens = np.arange(29).reshape(29, 1)
    d = dataset(data, apply_hrf=False, align="giblet", video_features=video, text_features=tokens)
    assert d.n_trs == 21  # the scans and the codes are cut or as they are
    places = np.linspace(0, 32, 21)
    wanted = np.stack([np.interp(places, np.arange(33), video[:, k]) for k in range(5)], axis=1)
    got = np.stack([d[i]["video"] for i in range(21)])
    assert got.dtype == np.float32 and np.abs(got - wanted).max() < 1e-6
    assert [int(d[i]["text"][0]) for i in range(21)] == np.round(np.linspace(0, 28, 21)).astype(int).tolist()
    whole = d.get_subject_data(1)
    assert np.array_equal(whole["video"], got)
    short = dataset(data, apply_hrf=False, align="giblet", text_features=tokens[:11], video_features=video)
    assert short.n_trs == 11  # codes are stretched to the shortest, too
    codes = dataset(data, apply_hrf=False)
    at = np.round(np.linspace(0, 20, 11)).astype(int)
    assert all(np.array_equal(short[i]["audio"], codes[int(at[i])]["audio"]) for i in range(11))
    assert all(np.array_equal(short[i]["fmri"], codes[i]["fmri"]) for i in range(11))  # scans are cut


# ---------------------------------------------------------------------------------------------------------- methods --


def test_methods(built):
    d = dataset(built[0], split="val")
    batch = d.get_batch([0, 7, 7])
    assert batch["audio"].shape == (3, 4, 112) and batch["fmri"].shape[0] == 3
    assert batch["subject_id"].tolist() == [1, 2, 2] and batch["tr_index"].tolist() == [0, 2, 2] and batch["tr_index_abs"].tolist() == [16, 18, 18]
    one = d.get_subject_data(2)
    assert one["subject_id"] == 2 and one["n_trs"] == 5 and one["tr_index_abs"].tolist() == [16, 17, 18, 19, 20]
    assert one["subject_id"] == 2 and one["audio"].shape == (5, 4, 112) and np.array_equal(one["fmri"][2], d[7]["fmri"])
    assert np.array_equal(one["fmri"], d.get_subject_data("2")["fmri"])
    assert all(type(one[name]) is np.ndarray and one[name].flags.writeable for name in ("audio", "fmri"))  # the caller's
    stats = d.get_feature_stats()
    rows = np.stack([d[i]["fmri"] for i in range(len(d))]).astype(np.float64)
    assert abs(stats["fmri"]["mean"] - rows.mean()) < 1e-9 and abs(stats["fmri"]["std"] - rows.std()) < 1e-9
    assert stats["audio"]["min"] >= 0 and stats["audio"]["max"] <= 1023 and stats["audio"]["shape"] == (4, 112)
    assert d.metadata["audio"]["model"] == {"name": ecdc.Model("default").name, "sha256": ecdc.Model("default").sha256}
    assert d.mask.n_voxels == d.feature_dims["fmri"]
    with pytest.raises(ValueError, match="subject_id is 9, this dataset has 1, 2, 3"):
        d.get_subject_data(9)
    with pytest.raises(ValueError, match="indices is empty"):
        d.get_batch([])


def test_shared_data(data, built):
    train = dataset(data, split="train")
    shutil.rmtree(data / "sherlock_nii")  # nothing is looked for again
    val = dataset(data, split="val", shared_data=train.get_data_dict())
    assert np.array_equal(val[0]["fmri"], built[1][16]["fmri"])
    for settings, words in ({"tr": 2.0}, "tr='1.5', this dataset has '2.0'"), ({"encodec_bandwidth": 6.0}, "encodec_bandwidth=3.0"), \
            ({"subjects": [1]}, "subjects='all'"), ({"model": "random:encodec_24khz"}, "the model ecdc-mini-24khz"):
        with pytest.raises(ValueError, match="shared_data was made with .*" + words):
            dataset(data, shared_data=train.get_data_dict(), **settings)


def test_pickled(built):
    d = built[1]
    content = pickle.dumps(d)
    assert len(content) < 20000  # files are mapped anew
    again = pickle.loads(content)
    assert len(again) == len(d) and np.array_equal(again[30]["fmri"], d[30]["fmri"])
    assert np.array_equal(again[30]["audio"], d[30]["audio"]) and again.mask.n_voxels == d.mask.n_voxels
    twin = copy.deepcopy(d)
    assert np.array_equal(twin[30]["audio"], d[30]["audio"]) and np.array_equal(twin[30]["fmri"], d[30]["fmri"])
    d[0]
    assert len(pickle.dumps(d)) < 20000


def test_maps_not_copies(built):
    assert isinstance(built[1]._fmri[1].array, np.memmap) and isinstance(built[1]._series["audio"].array, np.memmap)


def test_torch_is_imported_for_samples_alone(built):
    script = (f"import sys, ecdc\nd = ecdc.MultimodalDataset({str(built[0])!r}, model='default', as_torch=False)\nd[0]\n"
              "assert 'torch' not in sys.modules\n")
    subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})


def test_a_folder_named_torch_is_not_pytorch(built, tmp_path):
    (tmp_path / "torch").mkdir()
    script = (f"import ecdc, numpy\nd = ecdc.MultimodalDataset({str(built[0])!r}, model='default')\n"
              "assert isinstance(d[0]['audio'], numpy.ndarray)\n")
    path = os.pathsep.join([str(tmp_path), *(p for p in sys.path if "site-packages" not in p)])
    subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ, "PYTHONPATH": path})


# ----------------------------------------------------------------------------------------------------------- caches --


def test_the_command_and_the_package_share_a_cache(data, command):
    made = command("dataset", "build", data, "--json").json
    assert made["n_made"] == 5
    inodes = {p.name: p.stat().st_ino for p in (data / "cache").iterdir()}
    dataset(data)
    assert {p.name: p.stat().st_ino for p in (data / "cache").iterdir()} == inodes
    assert command("dataset", "check", data, "--json").json["good"]


def test_no_preprocessing(data):
    with pytest.raises(FileNotFoundError, match=r"audio_features_encodec_bw3.0_tr1.5_NNNtrs_hrf.npy: not there; preprocess=True, or"):
        dataset(data, preprocess=False)
    dataset(data)
    assert len(dataset(data, preprocess=False)) == 63
    with open(data / "stimuli_film.mp4", "ab") as film:
        film.write(b"x")
    with pytest.raises(FileNotFoundError, match=r"film \(.*stimuli_film.mp4\) has \d+ bytes, the cache was made when it had"):
        dataset(data, preprocess=False)
    with pytest.raises(FileNotFoundError, match="model is "):
        dataset(data, preprocess=False, model="random:encodec_24khz", film=data / "stimuli_film.mp4")


def test_a_scan_that_is_too_short_is_noted(tmp_path):
    study = make_study(tmp_path / "d", n_trs=8)
    brain = ecdc.fmri.read(study.scans[0])
    ecdc.fmri.save(brain[..., :6], study.affine, study.scans[0], tr=1.5, overwrite=True)
    with pytest.warns(UserWarning, match="s1.nii.gz: 6 TRs are fewer than the film's 8"):
        d = dataset(study.path)
    assert d.n_trs == 6 and d.metadata["lengths"] == {"audio": 8, "fmri 1": 6, "fmri 2": 8}


def giblet_npz(data, features, **more):
    folder = data / "cache" / "encodec_12khz_3.0kbps"
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / "stimuli_film_encodec.npz", features=features, **more)
    return folder / "stimuli_film_encodec.npz"


def test_giblets_own_caches(data):
    rng = np.random.default_rng(2)
    codes = rng.integers(0, 1024, (20, 8, 112))
    codes[:, 4:] = 0  # its layout at 3 kbps
    path = giblet_npz(data, codes.reshape(20, 896), metadata=np.array([{"pickled": True}], dtype=object))
    before = path.read_bytes()
    with pytest.warns(UserWarning, match="holds codes of facebook/encodec_24khz, not of ecdc-mini-24khz: it is not used"):
        d = dataset(data)
    assert not np.array_equal(d[0]["audio"], codes[0, :4])
    with pytest.warns(UserWarning, match="was made by giblet: which film and which model"):
        d = dataset(data, giblet_cache=True)
    assert d.n_trs == 20 and d[3]["audio"].dtype == np.int64 and np.array_equal(d[3]["audio"], codes[3, :4])
    assert d.metadata["audio"] == {"origin": "giblet", "path": str(path), "mode": "encodec"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset(data, giblet_cache=False)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content, words", [
    (np.zeros((5, 100), int), "has 0 arrays of codes with 112 frames per TR"),
    (np.full((5, 448), 2000), "4 codebooks with codes 2000 to 2000"),
    (np.zeros((5, 112), int), "1 codebooks with codes 0 to 0; 4 codebooks"),
    (np.zeros((5, 448)), "has 0 arrays of codes"),
    (np.array([[1]], dtype=object), "has 0 arrays of codes"),
])
def test_giblets_caches_that_do_not_fit(data, content, words):
    giblet_npz(data, content)
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="stimuli_film_encodec.npz: .*" + words):
        dataset(data, giblet_cache=True)


def test_giblets_pickles_stay_closed(data):
    path = giblet_npz(data, np.zeros((5, 448), int))
    path.write_bytes(pickle.dumps({"features": 1}))
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="not an .npz of arrays"):
        dataset(data, giblet_cache=True)


def _damaged(content, place, new):
    at = content.index(place) if isinstance(place, bytes) else place
    return content[:at] + new + content[at + len(new):]


@pytest.mark.parametrize("place, new", [
    (50, b"\xff" * 60),                        # no deflated data: zlib.error
    (b"PK\1\2", b"PK\1\2\0\0\xff"),          # a version of ZIP that there is not: NotImplementedError
    (b"PK\1\2", b"PK\1\2\x14\0\x14\0\1"),  # encrypted, it says: RuntimeError
])
def test_giblets_damaged_caches_are_named(data, place, new):
    path = giblet_npz(data, np.zeros((5, 448), int))
    np.savez_compressed(path, features=np.random.default_rng(4).integers(0, 1024, (5, 448)))
    path.write_bytes(_damaged(path.read_bytes(), place, new))
    words = "stimuli_film_encodec.npz: not an .npz of arrays: .*giblet_cache=False"
    with pytest.warns(UserWarning), pytest.raises(ValueError, match=words):
        dataset(data, giblet_cache=True)


@pytest.mark.parametrize("place, new", [(b"}", b" "), (0, b"\0"), (b"'descr'", b"'other'")])
def test_damaged_features_are_named(data, tmp_path, place, new):
    np.save(tmp_path / "v.npy", np.zeros((21, 3)))
    (tmp_path / "v.npy").write_bytes(_damaged((tmp_path / "v.npy").read_bytes(), place, new))
    for content in (tmp_path / "v.npy").read_bytes(), b"":
        (tmp_path / "v.npy").write_bytes(content)
        with pytest.raises(ValueError, match="video_features is .*v.npy, which is not a .npy file of numbers"):
            dataset(data, video_features=tmp_path / "v.npy")


# ------------------------------------------------------------------------------------------------------- what is wrong --


def test_arguments_without_a_meaning_warn_once(built, monkeypatch):
    monkeypatch.setattr(ecdc.multimodal_dataset, "_warned", set())
    with pytest.warns(UserWarning) as caught:
        dataset(built[0], frame_skip=4, encodec_sample_rate=24000)
        dataset(built[0], frame_skip=5)
    text, = [str(w.message) for w in caught]
    assert text.startswith("encodec_sample_rate=24000, frame_skip=4: ")


@pytest.mark.parametrize("settings, words", [
    ({"split": "test"}, "split is 'test', allowed are 'train', 'val'"), ({"mode": "x"}, "mode is 'x'"), ({"align": "x"}, "align is 'x'"),
    ({"features": "x"}, "features is 'x'"), ({"hrf": "causal"}, "hrf is 'causal', which has no meaning for codes"),
    ({"hrf": "giblet-doc", "features": "latent"}, "rounds to codes"), ({"hrf": "x"}, "hrf is 'x'"),
    ({"subjects": [9]}, "subject '9': the study has none of that name; it has 1, 2, 3"), ({"subjects": []}, r"subjects is \[\]"),
    ({"subjects": None}, "subjects is None"), ({"max_trs": 0}, "max_trs is 0"),
    ({"tr": 2}, r"header is 1.5 s, but the TR asked for is 2 s \(tr\)$"), ({"tr": 0}, "tr is 0"), ({"encodec_bandwidth": 7}, "7 kbps"),
    ({"n_codebooks": 5}, "^n_codebooks=5: 3 kbps has 4"), ({"giblet_cache": "x"}, "giblet_cache"),
    ({"max_trs": 1, "split": "train"}, "1 TRs are too few for split='train'"),
    ({"video_features": np.zeros(3)}, r"video_features has float64 of the shape \(3,\)"),
    ({"text_features": np.zeros((3, 1), "U1")}, "text_features has <U1"), ({"model": "random:encodec_48khz"}, "chunks"),
    ({"n_codebooks": 0}, "n_codebooks is 0, allowed are whole numbers from 1"), ({"n_codebooks": "x"}, "n_codebooks is 'x'"),
    ({"threads": 0}, "threads is 0, allowed are whole numbers from 1 to 256"), ({"threads": "x"}, "threads is 'x'"),
    ({"encodec_bandwidth": "x"}, "encodec_bandwidth is 'x'"), ({"max_trs": 2**64 + 5}, "max_trs is 18446744073709551621"),
    ({"scans": 5}, "scans is 5, allowed is a shell pattern"), ({"shared_data": {}}, "shared_data is not what get_data_dict"),
    ({"shared_data": 5}, "shared_data is not what get_data_dict"),
])
def test_wrong_arguments(built, settings, words):
    with pytest.raises(ValueError, match=words):
        dataset(built[0], **settings)


@pytest.mark.parametrize("index", [slice(0, 2), "0", 1.0, None])
def test_indices_that_are_no_whole_numbers(built, index):
    with pytest.raises(TypeError, match=r"index is .*, allowed are whole numbers; get_batch takes several"):
        built[1][index]
    with pytest.raises(TypeError, match=r"index is .*, allowed are whole numbers"):
        built[1].get_batch([0, index])
    np.testing.assert_array_equal(built[1][np.int64(1)]["audio"], built[1][1]["audio"])


def test_a_study_that_is_not_there_is_noticed_before_a_model_is_opened(tmp_path, data, monkeypatch):
    for name in "_default_model", "_open_model":
        monkeypatch.setattr(ecdc.multimodal_dataset, name, lambda *_: pytest.fail("opens a model"))
    (data / "stimuli_film.mp4").unlink()
    for model in None, "default":
        with pytest.raises(OSError, match="nowhere: no such directory"):
            MultimodalDataset(tmp_path / "nowhere", model=model)
        with pytest.raises(ValueError, match="no film: neither .*; film=FILE names one"):
            MultimodalDataset(data, model=model)


def test_missing_files(tmp_path, data):
    with pytest.raises(FileNotFoundError, match="nowhere: no such directory"):
        dataset(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="nofilm.mp4: No such file"):
        dataset(data, film=tmp_path / "nofilm.mp4")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="empty: no scans: neither"):
        dataset(tmp_path / "empty")
    with pytest.raises(FileNotFoundError):
        dataset(data, video_features=tmp_path / "video.npy")
    (tmp_path / "video.npy").write_bytes(b"not an array")
    with pytest.raises(ValueError, match="video_features is .*video.npy"):
        dataset(data, video_features=tmp_path / "video.npy")
    with pytest.raises(FileNotFoundError, match="no film: neither") as e:
        (data / "stimuli_film.mp4").unlink()
        dataset(data)
    assert isinstance(e.value, ecdc.EcdcError) and e.value.status == "ECDC_E_FORMAT"


def test_a_film_that_breaks_off(data):
    """There is no partial_input here, and no word of an option."""
    film = data / "stimuli_film.mp4"
    broken = film.with_suffix(".mkv")
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-i", film, "-c", "copy", broken], check=True)
    broken.write_bytes(broken.read_bytes()[:broken.stat().st_size // 2])
    with pytest.raises(ecdc.EcdcError, match=r"stimuli_film.mkv: breaks off at [0-9.]+ s of [0-9.]+ s$"):
        dataset(data, film=broken)
