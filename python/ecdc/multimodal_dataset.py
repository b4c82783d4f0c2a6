"""giblet's MultimodalDataset on the C library: a film's features beside the scans of those who saw it."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import operator
import os
import warnings
import zipfile
import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any, Iterable, Iterator, Mapping, Sequence, Union

import numpy as np

from . import _arguments, fmri
from ._library import HRFS, MODES
from ._series import DAMAGED, Convolved, Resampled, Stored
from ._study import Study, Subject
from .audio_processor import HUB_MODEL, _default_model, _open_model
from .model import Model

PathOrArray = Union[str, "os.PathLike[str]", np.ndarray]
MODALITIES = ("video", "audio", "text", "fmri")
BLOCK_TRS = 64  # that statistics look at together
TRAINING_SHARE = 0.8
UNUSED = {"encodec_sample_rate": 12000, "frame_skip": 2}  # giblet's defaults
_warned: set[str] = set()


def _torch_is_installed() -> bool:
    """A folder of that name, which Python would import as an empty package, is not PyTorch."""
    spec = importlib.util.find_spec("torch")
    return spec is not None and spec.origin is not None


def _warn_of_unused(given: Mapping[str, Any]) -> None:
    names = ", ".join(f"{name}={given[name]!r}" for name in UNUSED if given[name] != UNUSED[name])
    if names and "unused" not in _warned:
        _warned.add("unused")
        warnings.warn(f"{names}: codes are made at the model's rate and no frames of the film are read; the argument changes nothing",
                      UserWarning, stacklevel=4)


def _subjects_text(subjects: Any) -> str:
    """'all', a number or label, or several of them, as the library takes them."""
    if isinstance(subjects, (str, int, np.integer)) and not isinstance(subjects, bool):
        subjects = [subjects]
    if not isinstance(subjects, Iterable) or not (words := [str(s) for s in subjects]):
        raise ValueError(f"subjects is {subjects!r}, allowed are 'all', a number or label, or a list of them")
    return ",".join(words)


def _giblet_codes(path: Path, n_codebooks: int, frames_per_tr: int) -> np.ndarray:
    """The codes in a cache that giblet wrote, (n_trs, n_codebooks, frames_per_tr) int64: the codebooks that exist of those that it
    fills up with zeros. Pickled objects are not opened."""
    arrays: dict[str, np.ndarray] = {}
    try:
        with np.load(path, allow_pickle=False) as archive:
            for name in archive.files:
                with contextlib.suppress(ValueError):  # a pickled object, which stays closed
                    arrays[name] = archive[name]
    except (*DAMAGED, OSError, zipfile.BadZipFile, zlib.error, RuntimeError) as e:  # the last: encrypted, or of a kind zipfile has not
        raise ValueError(f"{path}: not an .npz of arrays: {e}; giblet_cache=False leaves it alone") from None
    fitting = [a for a in arrays.values() if a.dtype.kind in "iu" and a.ndim in (2, 3) and a.size
               and (a.shape[-1] == frames_per_tr if a.ndim == 3 else a.shape[1] % frames_per_tr == 0)]
    if len(fitting) != 1:
        held = ", ".join(f"{name} {a.dtype} {a.shape}" for name, a in arrays.items())
        raise ValueError(f"{path}: has {len(fitting)} arrays of codes with {frames_per_tr} frames per TR, one is needed; it holds {held}")
    codes = fitting[0].reshape(len(fitting[0]), -1, frames_per_tr).astype(np.int64)
    if codes.shape[1] < n_codebooks or codes.min() < 0 or codes.max() > 1023:
        raise ValueError(f"{path}: {codes.shape[1]} codebooks with codes {codes.min()} to {codes.max()}; {n_codebooks} codebooks with "
                         "codes 0 to 1023 are needed")
    return np.ascontiguousarray(codes[:, :n_codebooks])


class MultimodalDataset:
    """One sample per TR and subject: the film's features and the scan, as PyTorch's map-style datasets are.

    The first fourteen parameters, in this order, and their defaults are those of ``giblet.data.MultimodalDataset``. What is made
    from film and scans is kept in `cache_dir` and mapped into memory from there; ``ecdc dataset build`` makes it, too. PyTorch is
    imported when the first sample is made, where it is installed. Works with the workers of ``torch.utils.data.DataLoader``; what
    insists on a ``torch.utils.data.Dataset`` takes ``torch.utils.data.Subset(dataset, range(len(dataset)))``.

    Parameters
    ----------
    data_dir : path
        Holds ``sherlock_nii/sherlock_movie_s*.nii.gz``, or BIDS derivatives ``sub-*/func/*_bold.nii.gz``; the film
        ``stimuli_*.m4v`` or ``.mp4``; where there are any, ``video_features.npy`` and ``text_features.npy``, (n_trs, ...).
    subjects : 'all', int, str, or list of them
        Numbers, or labels where they are no numbers. Their order does not matter: subjects are sorted.
    split : {None, 'train', 'val'}
        All TRs, the first 80 % of them, the rest.
    apply_hrf : bool
        Haemodynamic response on the film's features, see `hrf`. Codes are labels: it leaves them, and all integers, as they are.
    mode : {'per_subject', 'cross_subject'}
        A sample per subject and TR, subject by subject; or per TR, with the mean of the subjects' scans.
    cache_dir : path, optional
        Default: ``cache`` in `data_dir`.
    preprocess : bool
        Make what the cache lacks; False: FileNotFoundError says what is missing or stale.
    tr : float
        Repetition time in seconds. The scans' headers and sidecars must agree.
    max_trs : int, optional
        Only the first so many TRs of everything.
    use_encodec : bool
        Codes, int64 (n_codebooks, 112) per TR at 1.5 s; False: mel spectrograms in dB, float32 (2048, 65).
    encodec_bandwidth : float
        In kbps: 3.0 are 4 codebooks.
    encodec_sample_rate : int
        Part of the name of giblet's own caches, no more: codes are made at the model's rate.
    frame_skip : int
        Without a meaning here.
    shared_data : dict, optional
        `get_data_dict()` of another dataset of the same study and settings: nothing is looked for or made again. The split may be
        another one.
    normalize_fmri : bool
        Each voxel minus its mean, divided by its standard deviation (population; 1 where it is constant).
    align : {'shortest', 'giblet'}
        Where lengths differ: cut all to the shortest, so that row i stays TR i; or, as giblet does, cut the scans and stretch
        what belongs to the film to the same length.
    model : str, path or Model, optional
        As for `AudioProcessor`. Caches are keyed by the SHA-256 of its weights.
    n_codebooks : int, optional
        Fewer than the bandwidth has. With 1, a TR's codes are (1, 112), as in giblet's overview.
    features : {'encodec', 'mel', 'latent'}, optional
        Default: what `use_encodec` says. 'latent': the vectors behind the codes, their mean, float32 (128,).
    hrf : {'causal', 'giblet', 'giblet-doc'}, optional
        Which response `apply_hrf` means, as in `AudioProcessor`. Default: 'causal' for floats; codes stay as they are.
    film, scans : path and str, optional
        The film's file; a shell pattern for names of BIDS scans, where subjects have several.
    video_features, text_features : path or array, optional
        (n_trs, ...), instead of the files in `data_dir`.
    giblet_cache : {'auto', True, False}
        Whether ``encodec_12khz_3.0kbps/<film>_encodec.npz`` in the cache, which giblet wrote, takes the place of features where there
        are none of ecdc's. 'auto': where the model is the published one, whose codes they are. They are never written.
    as_torch : bool, optional
        Samples of tensors or of numpy arrays. Default: tensors where PyTorch is installed.
    threads : int, optional

    Attributes
    ----------
    data_dir, cache_dir : pathlib.Path
    split, apply_hrf, mode, tr, max_trs, use_encodec, encodec_bandwidth, encodec_sample_rate, frame_skip, normalize_fmri
        As given.
    n_samples, n_subjects, n_trs : int
        Of this split.
    subjects, subject_ids : list
        Their numbers, or labels; one list under two names, of which giblet has the second.
    feature_dims : dict
        Shape of a row of each modality: an int for vectors, else a tuple.
    metadata : dict
        giblet's subject_ids, n_subjects, n_trs, n_samples, feature_dims, tr, apply_hrf, mode, all of this split; and where everything
        comes from: data_dir, cache_dir, film, layout, hrf, align, first_tr, the scans, and under 'audio' the description of the
        features, with the model's name and SHA-256.

    Raises
    ------
    ValueError, FileNotFoundError
        The message names file or argument, and what would be right.

    Examples
    --------
    >>> train = MultimodalDataset("data", split="train")
    >>> val = MultimodalDataset("data", split="val", shared_data=train.get_data_dict())
    >>> train[0]["audio"].shape, train[0]["fmri"].shape
    (torch.Size([4, 112]), torch.Size([79234]))
    """

    def __init__(self, data_dir: Union[str, "os.PathLike[str]"], subjects: Any = "all", split: str | None = None,
                 apply_hrf: bool = True, mode: str = "per_subject", cache_dir: Union[str, "os.PathLike[str]", None] = None,
                 preprocess: bool = True, tr: float = 1.5, max_trs: int | None = None, use_encodec: bool = True,
                 encodec_bandwidth: float = 3.0, encodec_sample_rate: int = 12000, frame_skip: int = 2,
                 shared_data: Mapping[str, Any] | None = None, normalize_fmri: bool = True, *, align: str = "shortest",
                 model: Union[str, "os.PathLike[str]", Model, None] = None, n_codebooks: int | None = None,
                 features: str | None = None, hrf: str | None = None, film: Union[str, "os.PathLike[str]", None] = None,
                 scans: str | None = None, video_features: PathOrArray | None = None, text_features: PathOrArray | None = None,
                 giblet_cache: Union[bool, str] = "auto", as_torch: bool | None = None, threads: int | None = None) -> None:
        if split is not None:
            _arguments.choice("split", split, ("train", "val"))
        self.mode = _arguments.choice("mode", mode, ("per_subject", "cross_subject"))
        _arguments.choice("align", align, ("shortest", "giblet"))
        self.features = _arguments.choice("features", ("encodec" if use_encodec else "mel") if features is None else features, MODES)
        if giblet_cache not in (True, False, "auto"):
            raise ValueError(f"giblet_cache is {giblet_cache!r}, allowed are 'auto', True, False")
        if max_trs is not None:
            max_trs = _arguments.integer("max_trs", max_trs, 1, 2**63 - 1)
        n_codebooks = None if n_codebooks is None else _arguments.integer("n_codebooks", n_codebooks, 1, 2**31 - 1)
        threads = None if threads is None else _arguments.integer("threads", threads, 1, 256)
        _arguments.kbps("encodec_bandwidth", encodec_bandwidth)
        if not isinstance(scans, (str, type(None))):
            raise ValueError(f"scans is {scans!r}, allowed is a shell pattern such as '*_task-film_*'")
        if as_torch and not _torch_is_installed():
            raise ValueError("as_torch is True, but PyTorch is not installed; allowed are False and None")
        self.split, self.tr, self.apply_hrf, self.align, self.as_torch = split, tr, bool(apply_hrf), align, as_torch
        self.max_trs, self.encodec_bandwidth, self.normalize_fmri = max_trs, encodec_bandwidth, bool(normalize_fmri)
        self.use_encodec = self.features != "mel"
        self.encodec_sample_rate, self.frame_skip = encodec_sample_rate, frame_skip
        giblet_npz = f"encodec_{encodec_sample_rate // 1000}khz_{float(encodec_bandwidth)}kbps"
        settings = {
            "data_dir": os.path.abspath(data_dir), "subjects": _subjects_text(subjects), "tr": _arguments.seconds("tr", tr),
            "max_trs": max_trs, "features": self.features, "hrf": self._hrf_of(hrf), "normalize_fmri": bool(normalize_fmri),
            "encodec_bandwidth": None if self.features == "mel" else float(encodec_bandwidth), "n_codebooks": n_codebooks,
            "film": None if film is None else os.path.abspath(film), "scans": scans, "align": align}
        if shared_data is not None:
            if not isinstance(shared_data, Mapping) or not {"settings", "description", "series", "fmri"} <= shared_data.keys():
                raise ValueError("shared_data is not what get_data_dict() of another dataset returns")
            self._check_model(model, shared_data)
        else:
            _warn_of_unused({"encodec_sample_rate": encodec_sample_rate, "frame_skip": frame_skip})
            shared_data = self._find(settings, cache_dir, bool(preprocess), model, threads, giblet_npz, giblet_cache,
                                     {"video": video_features, "text": text_features})
        self._take(settings, shared_data)

    # ---------------------------------------------------------------------------------------------------- preparing --

    @staticmethod
    def _check_model(model: Any, shared: Mapping[str, Any]) -> None:
        made_with = shared["description"].get("model")
        if model is not None and made_with is not None:
            codec = model if isinstance(model, Model) else _open_model(model)
            if codec.sha256 != made_with["sha256"]:
                raise ValueError(f"shared_data was made with the model {made_with['name']} ({made_with['sha256'][:16]}), this dataset has "
                                 f"{codec.name} ({codec.sha256[:16]})")

    def _hrf_of(self, hrf: str | None) -> str:
        """The response of the film's features."""
        codes = self.features == "encodec"
        if hrf is not None:
            _arguments.choice("hrf", hrf, [name for name in HRFS if name != "none"])
            if codes and hrf == "causal":
                raise ValueError("hrf is 'causal', which has no meaning for codes, which are labels: allowed with features='latent' and 'mel'")
            if not codes and hrf == "giblet-doc":
                raise ValueError(f"hrf is 'giblet-doc', which rounds to codes: allowed with features={self.features!r} are 'causal', 'giblet'")
        return "none" if not self.apply_hrf else hrf or ("giblet" if codes else "causal")

    def _find(self, settings: Mapping[str, Any], cache_dir: Any, preprocess: bool, model: Any, threads: int | None, giblet_npz: str,
              giblet_cache: Union[bool, str], others: Mapping[str, Any]) -> dict[str, Any]:
        """Everything that datasets of one study share; what is missing is made."""
        codec = model if isinstance(model, Model) and self.features != "mel" else None
        known: dict[str, Any] = dict(cache=cache_dir, film=settings["film"], subjects=settings["subjects"], scans=settings["scans"],
                                     tr=self.tr, max_trs=settings["max_trs"], zscore=settings["normalize_fmri"], threads=threads)
        if codec is None and self.features != "mel":  # what is wrong with the study is said before a model is opened or downloaded
            Study(settings["data_dir"], **known, mode="mel", bandwidth=3.0, n_codebooks=None, hrf="none", model=None)
            codec = _default_model() if model is None else _open_model(model)
        study = Study(settings["data_dir"], **known, mode=self.features, bandwidth=settings["encodec_bandwidth"] or 3.0,
                      n_codebooks=settings["n_codebooks"], hrf=settings["hrf"], model=codec)
        npz = self._giblet_cache(study, codec, giblet_npz, giblet_cache)
        if preprocess:
            study.build(film=npz is None)
        series: dict[str, Any] = {}
        for name in ("video", "text"):
            source = others[name] if others[name] is not None else self._beside(settings["data_dir"], name)
            if source is not None:
                series[name] = self._other_series(name, source, settings)
        description: dict[str, Any]
        if npz is None:
            path = study.film_features()
            series["audio"] = Stored("audio", path)
            description = json.loads(Path(path).with_suffix(".json").read_text(encoding="utf-8"))
        else:
            assert codec is not None
            codes = _giblet_codes(npz, self._codebooks(codec, settings), int(codec.frame_rate * self.tr))
            series["audio"] = Stored("audio", codes[:settings["max_trs"]])
            description = {"origin": "giblet", "path": str(npz), "mode": "encodec"}
        scans = {s.id: Stored("fmri", study.series(i)) for i, s in enumerate(study.subjects)}
        return {"settings": dict(settings), "series": series, "fmri": scans, "description": description, "subjects": study.subjects,
                "mask": study.mask(), "film": study.film, "layout": study.layout, "cache_dir": study.cache}

    @staticmethod
    def _codebooks(model: Model, settings: Mapping[str, Any]) -> int:
        return settings["n_codebooks"] or model.codebooks(settings["encodec_bandwidth"])

    def _giblet_cache(self, study: Study, model: Model | None, folder: str, wanted: Union[bool, str]) -> Path | None:
        """giblet's own cache of the film's codes, where it is to be used."""
        path = Path(study.cache, folder, Path(study.film).stem + "_encodec.npz")
        if model is None or self.features != "encodec" or not wanted or not path.is_file():
            return None
        if wanted == "auto" and model.name != HUB_MODEL.split("/")[1]:
            warnings.warn(f"{path} holds codes of {HUB_MODEL}, not of {model.name}: it is not used; giblet_cache=False silences this",
                          UserWarning, stacklevel=4)
            return None
        if wanted == "auto" and study.film_is_fresh():
            return None
        warnings.warn(f"{path} was made by giblet: which film and which model its codes are of cannot be checked", UserWarning,
                      stacklevel=4)
        return path

    @staticmethod
    def _beside(data_dir: str, name: str) -> str | None:
        path = os.path.join(data_dir, f"{name}_features.npy")
        return path if os.path.exists(path) else None

    @staticmethod
    def _other_series(name: str, source: Any, settings: Mapping[str, Any]) -> Any:
        series: Any = Stored(f"{name}_features", source)
        if settings["hrf"] != "none" and series.dtype.kind == "f":
            hrf = settings["hrf"] if settings["features"] != "encodec" else "causal"
            series = Convolved(series, hrf, float(Fraction(settings["tr"])))  # "2/3", too
        return series

    def _take(self, settings: Mapping[str, Any], shared: Mapping[str, Any]) -> None:
        """The split of what is shared."""
        for name, value in settings.items():
            if shared["settings"].get(name) != value:
                raise ValueError(f"shared_data was made with {name}={shared['settings'].get(name)!r}, this dataset has {value!r}")
        self._shared = dict(shared)
        self.data_dir, self.cache_dir = Path(settings["data_dir"]), Path(shared["cache_dir"])
        self._subjects: Sequence[Subject] = shared["subjects"]
        self._fmri: Mapping[Any, Stored] = shared["fmri"]
        lengths = [len(series) for series in (*shared["series"].values(), *self._fmri.values())]
        whole = min([*lengths, *([settings["max_trs"]] if settings["max_trs"] else [])])
        stretched = self.align == "giblet"
        self._series = {name: Resampled(series, whole) if stretched and len(series) != whole else series
                        for name, series in shared["series"].items()}
        border = int(TRAINING_SHARE * whole)
        self._first, end = {None: (0, whole), "train": (0, border), "val": (border, whole)}[self.split]
        self.n_trs = end - self._first
        self.subjects = self.subject_ids = [s.id for s in self._subjects]
        self.n_subjects = len(self._subjects)
        self.n_samples = self.n_trs * (self.n_subjects if self.mode == "per_subject" else 1)
        if self.n_trs == 0:
            raise ValueError(f"{self._shared['settings']['data_dir']}: {whole} TRs are too few for split={self.split!r}")
        shapes = {**{name: series.shape[1:] for name, series in self._series.items()},
                  "fmri": next(iter(self._fmri.values())).shape[1:]}
        self.feature_dims = {name: shapes[name][0] if len(shapes[name]) == 1 else shapes[name] for name in MODALITIES if name in shapes}
        self.metadata = {
            "subject_ids": self.subject_ids, "n_subjects": self.n_subjects, "n_samples": self.n_samples,
            "feature_dims": self.feature_dims, "apply_hrf": self.apply_hrf,
            "data_dir": settings["data_dir"], "cache_dir": shared["cache_dir"], "layout": shared["layout"], "film": shared["film"],
            "scans": {s.id: s.scan for s in self._subjects}, "tr": self.tr, "hrf": settings["hrf"], "align": self.align,
            "split": self.split, "mode": self.mode, "first_tr": self._first, "n_trs": self.n_trs,
            "lengths": dict(zip([*shared["series"], *(f"fmri {s}" for s in self._fmri)], lengths)), "audio": shared["description"]}

    # ------------------------------------------------------------------------------------------------------ samples --

    def __repr__(self) -> str:
        return (f"<ecdc.MultimodalDataset of {self.n_samples} samples, {self.mode}, split={self.split!r}: {self.n_subjects} subjects, "
                f"{self.n_trs} TRs, {self.feature_dims}>")

    def __len__(self) -> int:
        return self.n_samples

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int) -> dict[str, Any]:
        """A dict: audio, fmri (float32), where there are any video and text, tr_index (from 0 in each split), tr_index_abs (of the
        scan), and per subject subject_id."""
        try:
            index = operator.index(index)
        except TypeError:
            raise TypeError(f"index is {index!r}, allowed are whole numbers; get_batch takes several, such as range(0, 2)") from None
        i = index + self.n_samples if index < 0 else index
        if not 0 <= i < self.n_samples:
            raise IndexError(f"sample {index} of {self.n_samples}")
        subject, tr = divmod(i, self.n_trs)
        at = self._first + tr
        sample = {name: self._finish(series.rows(at, at + 1)[0]) for name, series in self._series.items()}
        chosen = [self.subjects[subject]] if self.mode == "per_subject" else self.subjects
        sample["fmri"] = self._finish(self._scan_rows(chosen, at, at + 1)[0])
        sample.update(tr_index=tr, tr_index_abs=at)
        if self.mode == "per_subject":
            sample["subject_id"] = self.subjects[subject]
        return sample

    def _scan_rows(self, subjects: Sequence[Any], begin: int, end: int) -> np.ndarray:
        """One subject's rows, or the mean of several subjects'."""
        if len(subjects) == 1:
            return self._fmri[subjects[0]].rows(begin, end)
        total = np.zeros((end - begin, *next(iter(self._fmri.values())).shape[1:]), np.float64)
        for subject in subjects:
            total += self._fmri[subject].rows(begin, end)
        return (total / len(subjects)).astype(np.float32)

    def _finish(self, rows: np.ndarray) -> Any:
        """An array of its own, or a tensor."""
        own = np.array(rows)
        if self.as_torch is None:
            self.as_torch = _torch_is_installed()
        if not self.as_torch:
            return own
        import torch
        return torch.from_numpy(own)

    def get_batch(self, indices: Iterable[int]) -> dict[str, Any]:
        """Samples stacked: each modality (n, ...), tr_index and the like int64 (n,); subject_id a list where labels are no numbers."""
        samples = [self[i] for i in indices]
        if not samples:
            raise ValueError("indices is empty, a batch has one sample or more")
        batch: dict[str, Any] = {}
        for name in samples[0]:
            values = [s[name] for s in samples]
            if name in MODALITIES:
                if isinstance(values[0], np.ndarray):
                    batch[name] = np.stack(values)
                else:
                    import torch
                    batch[name] = torch.stack(values)
            else:
                batch[name] = values if any(isinstance(v, str) for v in values) else self._finish(np.array(values, np.int64))
        return batch

    def _subject_id(self, subject_id: Any) -> Any:
        for s in self._subjects:
            if subject_id == s.id or str(subject_id) == s.label:
                return s.id
        raise ValueError(f"subject_id is {subject_id!r}, this dataset has {', '.join(map(repr, self.subjects))}")

    def get_subject_data(self, subject_id: Any) -> dict[str, Any]:
        """All TRs of this split of one subject, numpy arrays as in giblet: each modality (n_trs, ...), tr_index, tr_index_abs (n_trs,);
        and subject_id, n_trs."""
        subject = self._subject_id(subject_id)
        begin, end = self._first, self._first + self.n_trs
        data = {name: np.array(series.rows(begin, end)) for name, series in self._series.items()}
        data["fmri"] = np.array(self._fmri[subject].rows(begin, end))
        trs = np.arange(self.n_trs)
        return {**data, "subject_id": subject, "n_trs": self.n_trs, "tr_index": trs, "tr_index_abs": trs + begin}

    def _blocks(self, name: str) -> Iterator[np.ndarray]:
        sources = list(self._fmri.values()) if name == "fmri" else [self._series[name]]
        for source in sources:
            for begin in range(self._first, self._first + self.n_trs, BLOCK_TRS):
                yield np.asarray(source.rows(begin, min(begin + BLOCK_TRS, self._first + self.n_trs)))

    def get_feature_stats(self) -> dict[str, dict[str, Any]]:
        """Of each modality in this split (of all subjects' scans): mean, std (population), min, max, and the shape of a row."""
        stats = {}
        for name in self.feature_dims:
            n, total, squares, least, most = 0, 0.0, 0.0, np.inf, -np.inf
            mean = None
            for block in self._blocks(name):
                x = block.astype(np.float64)
                mean = x.mean() if mean is None else mean  # near enough for the differences to be small
                n, total, squares = n + x.size, total + (x - mean).sum(), squares + ((x - mean) ** 2).sum()
                least, most = min(least, x.min()), max(most, x.max())
            offset = total / n
            stats[name] = {"mean": float(mean + offset), "std": float(np.sqrt(max(0.0, squares / n - offset ** 2))),
                           "min": float(least), "max": float(most), "shape": self.feature_dims[name]}
        return stats

    def get_data_dict(self) -> dict[str, Any]:
        """What another dataset of this study takes as `shared_data`. Arrays in it are mapped files."""
        return dict(self._shared)

    @property
    def mask(self) -> fmri.Mask:
        """The voxels of the columns of fmri: `coordinates`, `affine`, and the way back to NIfTI by `ecdc.fmri.restore`."""
        return fmri.load_mask(self._shared["mask"])
