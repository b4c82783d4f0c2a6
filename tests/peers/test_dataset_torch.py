"""ecdc.MultimodalDataset in PyTorch's loaders, and beside giblet's arithmetic in scipy, nilearn and nibabel."""
import nibabel
import numpy as np
import pytest
import scipy.interpolate
import scipy.signal
import torch
from nilearn.glm.first_level.hemodynamic_models import glover_hrf
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset, random_split

import ecdc
from ecdc.testing import make_study

N_TRS = 24


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("study") / "data", n_subjects=3, n_trs=N_TRS)


@pytest.fixture(scope="module")
def dataset(study):
    return ecdc.MultimodalDataset(study.path, model="default")


def test_samples_are_tensors(dataset):
    sample = dataset[0]
    assert {name: (tuple(v.shape), v.dtype) for name, v in sample.items() if torch.is_tensor(v)} == {
        "audio": ((4, 112), torch.int64), "fmri": ((dataset.feature_dims["fmri"],), torch.float32)}
    assert type(sample["tr_index"]) is int and type(sample["subject_id"]) is int
    batch = dataset.get_batch([0, 30])
    assert batch["audio"].shape == (2, 4, 112) and batch["subject_id"].tolist() == [1, 2]
    whole = dataset.get_subject_data(2)
    assert type(whole["fmri"]) is type(whole["audio"]) is np.ndarray  # as in giblet
    assert np.array_equal(whole["fmri"][6], dataset[30]["fmri"].numpy())
    sample["fmri"] += 1  # memory of its own: neither a warning nor a change
    assert not torch.equal(sample["fmri"], dataset[0]["fmri"])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("workers, method", [(0, None), (2, "fork"), (2, "spawn"), (2, "forkserver")])
def test_loader(dataset, workers, method):
    loader = DataLoader(dataset, batch_size=10, num_workers=workers, multiprocessing_context=method)
    batches = list(loader)
    assert [len(b["tr_index"]) for b in batches] == [10] * 7 + [2]
    for name in ("audio", "fmri"):
        assert torch.equal(torch.cat([b[name] for b in batches]), torch.stack([dataset[i][name] for i in range(len(dataset))]))
    assert torch.cat([b["subject_id"] for b in batches]).tolist() == [s for s in (1, 2, 3) for _ in range(N_TRS)]
    assert torch.cat([b["tr_index_abs"] for b in batches]).tolist() == 3 * list(range(N_TRS))


def test_shuffled_epochs_see_every_sample(dataset):
    loader = DataLoader(dataset, batch_size=7, shuffle=True, generator=torch.Generator().manual_seed(0))
    seen = [(s, t) for b in loader for s, t in zip(b["subject_id"].tolist(), b["tr_index"].tolist())]
    assert sorted(seen) == [(s, t) for s in (1, 2, 3) for t in range(N_TRS)]


def test_what_insists_on_a_dataset(dataset):
    wrapped = Subset(dataset, range(len(dataset)))
    assert isinstance(wrapped, Dataset) and len(wrapped) == len(dataset)
    assert torch.equal(next(iter(DataLoader(wrapped, batch_size=7)))["audio"], dataset.get_batch(range(7))["audio"])
    train, rest = random_split(dataset, [0.5, 0.5])
    assert len(train) + len(rest) == len(ConcatDataset([train, rest])) == len(dataset)


def test_devices():
    for device in (torch.device("cpu"), "cpu"):
        assert ecdc.AudioProcessor(model="default", device=device).device == device
    ecdc.audio_processor._warned.clear()
    with pytest.warns(UserWarning, match="no CUDA backend"):
        ecdc.AudioProcessor(model="default", device=torch.device("cuda:0"))


def test_scans_as_nibabel_has_them(study, dataset):
    """giblet's mask and z-score in float64."""
    votes, scans = 0, [nibabel.load(path).get_fdata() for path in study.scans]
    for data in scans:
        deviation = data[..., :200].std(axis=-1)
        votes = votes + (deviation > np.percentile(deviation[deviation > 0], 10))
    mask = votes >= np.ceil(len(scans) / 2)
    for number, data in enumerate(scans, 1):
        series = data[mask].T
        deviation = series.std(axis=0)
        wanted = (series - series.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
        assert np.abs(dataset.get_subject_data(number)["fmri"] - wanted).max() < 1e-5


@pytest.mark.parametrize("n", [11, 24, 33, 50])
def test_alignment_as_scipy_has_it(study, n):
    """giblet: interp1d over linspace for floats, rounded places for integers; the scans are cut."""
    rng = np.random.default_rng(n)
    video, tokens = rng.normal(size=(n, 3)).astype(np.float32), rng.integers(0, 1000, (n, 2))
    d = ecdc.MultimodalDataset(study.path, model="default", apply_hrf=False, align="giblet", video_features=video, text_features=tokens,
                               as_torch=False)
    target = min(n, N_TRS)
    assert d.n_trs == target
    old, new = np.arange(n), np.linspace(0, n - 1, target)
    one = d.get_subject_data(1)
    assert np.abs(one["video"] - scipy.interpolate.interp1d(old, video, axis=0)(new)).max() < 1e-6
    assert np.array_equal(one["text"], tokens[np.round(new).astype(int)])
    plain = ecdc.MultimodalDataset(study.path, model="default", apply_hrf=False, as_torch=False)
    at = np.round(np.linspace(0, N_TRS - 1, target)).astype(int)
    assert np.array_equal(one["audio"], plain.get_subject_data(1)["audio"][at])
    assert np.array_equal(one["fmri"], plain.get_subject_data(1)["fmri"][:target])


def test_response_as_scipy_has_it(study):
    """giblet's centred convolution, and codes that it leaves alone."""
    video = np.random.default_rng(3).normal(size=(N_TRS, 2)).astype(np.float32)
    d = ecdc.MultimodalDataset(study.path, model="default", features="latent", hrf="giblet", video_features=video, as_torch=False)
    kernel = glover_hrf(1.5, oversampling=1, time_length=32)
    kernel = kernel / kernel.max()
    plain = ecdc.MultimodalDataset(study.path, model="default", features="latent", apply_hrf=False, as_torch=False)
    for got, series in (d.get_subject_data(1)["video"], video), (d.get_subject_data(1)["audio"], plain.get_subject_data(1)["audio"]):
        for k in range(2):
            same = scipy.signal.convolve(np.pad(series[:, k].astype(float), len(kernel)), kernel, mode="same")[len(kernel):-len(kernel)]
            assert np.abs(got[:, k] - same).max() < 1e-4 * max(1, np.abs(same).max())
    codes, convolved = (ecdc.MultimodalDataset(study.path, model="default", apply_hrf=a, as_torch=False) for a in (False, True))
    assert np.array_equal(codes[5]["audio"], convolved[5]["audio"])
