"""The haemodynamic response against nilearn and scipy, live."""
import make_features
import numpy as np
import pytest
import scipy.signal
from library import Library
from nilearn.glm.first_level.hemodynamic_models import glover_hrf


@pytest.fixture(scope="module")
def library():
    return Library()


@pytest.mark.parametrize("tr", [0.72, 1.5, 2.0, 0.8, 3.0])
@pytest.mark.parametrize("oversampling", [1, 16, 50])
@pytest.mark.parametrize("time_length, onset", [(32.0, 0.0), (24.5, 0.0), (32.0, 1.25), (32.0, -2.0)])
def test_glover_hrf(library, tr, oversampling, time_length, onset):
    wanted = glover_hrf(tr, oversampling, time_length, onset)
    got = library.glover_hrf(tr, oversampling, time_length, onset)
    assert got.shape == wanted.shape
    assert np.abs(got - wanted).max() < 1e-6


@pytest.mark.parametrize("tr", make_features.REGRESSOR_TRS)
def test_causal_convolution(library, tr):
    """Rows that hold for a TR each are what compute_regressor expects of blocks."""
    values = make_features.stimulus()
    assert np.abs(library.convolve("causal", tr, values) - make_features.regressor(values, tr)).max() < 1e-6


@pytest.mark.parametrize("tr", [0.8, 2.2, 2.5])
def test_causal_convolution_beside_the_grid_of_nilearn(library, tr):
    """24 s are no whole number of points there: nilearn's grid lies beside the TRs."""
    values = make_features.stimulus()
    wanted = make_features.regressor(values, tr)
    assert 1e-3 < np.abs(library.convolve("causal", tr, values) - wanted).max() / np.abs(wanted).max() < 0.03


@pytest.mark.parametrize("tr, later", [(1.5, 0), (0.72, 1), (2.0, 1)])
def test_giblet_convolution(library, tr, later):
    """scipy's mode='same' with giblet's kernel; one row later where the kernel has an even number of points."""
    kernel = glover_hrf(tr, oversampling=1, time_length=32)
    assert len(kernel) % 2 == 1 - later
    values = np.random.default_rng(3).uniform(-1, 1, (80, 3)).astype(np.float32)
    got = library.convolve("giblet", tr, values)
    for i in range(3):
        same = scipy.signal.convolve(values[:, i].astype(float), kernel / kernel.max(), mode="same")
        assert np.abs(got[later:, i] - same[:len(same) - later]).max() < 1e-5


def test_fixtures_are_current():
    for tr in make_features.TRS:
        for oversampling in make_features.OVERSAMPLINGS:
            stored = np.load(make_features.DATA / f"hrf_{tr}_{oversampling}.npy")
            assert np.abs(stored - glover_hrf(tr, oversampling)).max() < 1e-12
