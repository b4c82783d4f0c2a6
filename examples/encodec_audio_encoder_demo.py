"""The whole loop on a small film, in less than three minutes on two cores:

    film -> features -> dataset -> training -> export -> ecdc autoencoder run -> ecdc reconstruct -> comparison

    python examples/encodec_audio_encoder_demo.py --out demo-out

The film and the scans are synthetic (ecdc.testing.make_study), the model of the codes is the embedded one: nothing is downloaded. It
needs PyTorch, the package, the command and the program ffmpeg. The sounds to listen to are codes.wav (what the codes hold) and
autoencoder.wav (what came back through the bottleneck).
"""
import argparse
import json
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np

import train_code_autoencoder
from ecdc import MultimodalDataset
from ecdc.testing import make_study

ROOT = Path(__file__).resolve().parents[1]


def parse_arguments(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("demo-out"), help="where everything goes (default: demo-out)")
    parser.add_argument("--trs", type=int, default=60, help="length of the film, in TRs of 1.5 s")
    parser.add_argument("--steps", type=int, default=500, help="of training")
    parser.add_argument("--ecdc", default=shutil.which("ecdc") or ROOT / "build" / "ecdc", help="the command")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_arguments(argv)
    out, start = args.out, time.perf_counter()

    def step(text):
        print(f"\n[{time.perf_counter() - start:5.1f} s] {text}", flush=True)

    def ecdc(*arguments):
        print("$ ecdc", *arguments, flush=True)
        done = subprocess.run([str(args.ecdc), *map(str, arguments)], stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout

    step("A film, and the scans of two people who see it")
    study = make_study(out / "synthetic-study", n_subjects=2, n_trs=args.trs, overwrite=True)

    step("Codes on the grid of the scans")
    ecdc("features", study.film, "-o", out / "features.npy", "-f")
    features = np.load(out / "features.npy")
    print(f"features: {features.dtype} {features.shape}, {features.min()} to {features.max()}")

    step("The same with the scans, as a dataset")
    dataset = MultimodalDataset(study.path, split="train", model="default", as_torch=False)
    sample = dataset[0]
    print(dataset)
    print("a sample:", {name: getattr(value, "shape", value) for name, value in sample.items()})
    if not np.array_equal(sample["audio"], features[0]):
        raise SystemExit("the dataset's codes are not those of ecdc features")

    step("Training")
    model = out / "autoencoder.safetensors"
    train_code_autoencoder.main([str(study.path), "-o", str(model), "--model", "default", "--steps", str(args.steps),
                                 "--threads", "1"])  # more of them win little and wait busily where others work

    step("Through the bottleneck and back, in C")
    ran = json.loads(ecdc("autoencoder", "run", model, out / "features.npy", "-o", out / "codes.npy", "-f", "--json"))

    step("Sound again")
    ecdc("reconstruct", out / "features.npy", "-o", out / "codes.wav", "-f", "-q")
    ecdc("reconstruct", out / "codes.npy", "-o", out / "autoencoder.wav", "-f", "-q")

    step("Comparison")
    against_codes = json.loads(ecdc("compare", out / "codes.wav", out / "autoencoder.wav", "--json"))
    against_film = json.loads(ecdc("compare", study.film, out / "autoencoder.wav", "--json"))
    codes_alone = json.loads(ecdc("compare", study.film, out / "codes.wav", "--json"))
    print(f"{100 * ran['codes_equal']:.1f} % of the codes came back through {ran['bottleneck']} numbers per TR")
    print(f"STOI {against_codes['stoi']:.2f} against the sound of the codes that went in; {against_film['stoi']:.2f} against the film, where "
          f"the codes themselves have {codes_alone['stoi']:.2f}")
    step("Done")
    return ran["codes_equal"], against_codes["stoi"]


if __name__ == "__main__":
    main()
