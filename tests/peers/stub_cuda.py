"""Makes torch load without NVIDIA's libraries.

The x86-64 wheel of torch on PyPI is linked against about 2 GB of CUDA libraries, which must be there when torch is
imported although nothing of them runs on a CPU. This writes a small library for each that is missing, beside torch's own
libraries: it has the same name and the functions that torch asks for, and each of them only stops the process.
Libraries that are installed in the same environment are left alone, and win.

Usage: python stub_cuda.py, with the Python of the environment that has torch. Needs a C compiler and readelf.
"""
import glob
import os
import re
import subprocess
import sys
import sysconfig
import tempfile


def readelf(option, path):
    return subprocess.run(["readelf", "-W", option, path], check=True, capture_output=True, text=True).stdout


def missing_libraries(libraries, packages):
    """The CUDA libraries that torch's are linked against and that are not installed as packages."""
    needed = set()
    for path in libraries:
        needed |= set(re.findall(r"NEEDED.*\[(lib(?:cu|nccl|nv)[^\]]*)\]", readelf("-d", path)))
    installed = {os.path.basename(p) for p in glob.glob(os.path.join(packages, "nvidia", "*", "lib", "*"))}
    return needed - installed


def wanted_symbols(libraries, missing):
    """{library: {version or "": symbols}} of what torch imports from the missing ones."""
    wanted = {name: {} for name in missing}
    stems = sorted(((re.match(r"lib([A-Za-z]+)", name)[1].lower(), name) for name in missing), reverse=True)
    for path in libraries:
        owner, library = {}, None  # of a version's name
        for kind, name in re.findall(r"(File|Name): (\S+)", readelf("-V", path)):
            library = name if kind == "File" else library
            owner.setdefault(name, library)
        for symbol, version in re.findall(r" UND ([A-Za-z_]\w*)(?:@(\S+))?", readelf("--dyn-syms", path)):
            library = owner.get(version)
            if not version:  # found by its prefix: cusparseLt before cusparse
                library = next((name for stem, name in stems if symbol.lower().startswith(stem)), None)
            if library in wanted:
                wanted[library].setdefault(version, set()).add(symbol)
    return wanted


def write_stub(path, versions):
    with tempfile.TemporaryDirectory() as folder:
        source, script = os.path.join(folder, "stub.c"), os.path.join(folder, "stub.map")
        with open(source, "w") as f:
            for symbol in sorted(set().union(*versions.values())):
                f.write(f"void {symbol}(void) {{ __builtin_trap(); }}\n")
        with open(script, "w") as f:
            for version, symbols in sorted(versions.items()):
                if version:
                    f.write(f"{version} {{ {' '.join(s + ';' for s in sorted(symbols))} }};\n")
        command = ["cc", "-shared", "-fPIC", "-fno-builtin", "-w", "-nostdlib", "-o", path, source,
                   "-Wl,-soname," + os.path.basename(path)]
        if os.path.getsize(script):
            command.append("-Wl,--version-script," + script)
        subprocess.run(command, check=True)


def main():
    packages = sysconfig.get_path("platlib")
    folder = os.path.join(packages, "torch", "lib")
    libraries = [p for p in glob.glob(os.path.join(folder, "*.so*")) if os.path.basename(p).startswith(("libtorch", "libc10"))]
    if not libraries:
        sys.exit("stub_cuda.py: torch is not installed in " + packages)
    missing = missing_libraries(libraries, packages)
    for name, versions in sorted(wanted_symbols(libraries, missing).items()):
        write_stub(os.path.join(folder, name), versions)
    if missing:
        print(f"stub_cuda.py: {len(missing)} small stand-ins for CUDA libraries: {', '.join(sorted(missing))}")


if __name__ == "__main__":
    main()
