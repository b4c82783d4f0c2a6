"""packaging/wheel/licences.py WHEEL LICENCES DIRECTORY: the wheel with the licences of what it carries, in DIRECTORY.

Every library that auditwheel put into the wheel must stand in LICENCES/libraries.tsv (libraries.sh), under a licence that asks for no
more than the LGPL does. Prints the list.
"""

import csv
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ACCEPTED = {"LGPL-2.1-or-later", "BSD-3-Clause", "MIT", "curl", "Apache-2.0"}


def listed(libraries: "list[Path]", table: Path) -> "list[dict[str, str]]":
    """The table's rows with the names that the files have in the wheel."""
    with table.open(newline="") as file:
        known = {row["file"]: row for row in csv.DictReader(file, delimiter="\t")}
    rows = []
    for library in libraries:
        name = re.fullmatch(r"(lib\w+)-[0-9a-f]{8}\.so[.0-9]*", library.name)  # auditwheel's hash keeps it apart from the system's
        if not name or name[1] not in known:
            sys.exit(f"{library.name} is in the wheel, but not in {table}")
        row = {**known[name[1]], "file": library.name}
        if row["licence"] not in ACCEPTED:
            sys.exit(f"{library.name} is under {row['licence']}; a wheel takes {', '.join(sorted(ACCEPTED))}")
        rows.append(row)
    return rows


def main(wheel: Path, licences: Path, directory: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        subprocess.run([sys.executable, "-m", "wheel", "unpack", "-d", temporary, str(wheel)], check=True, stdout=subprocess.DEVNULL)
        tree = next(Path(temporary).iterdir())
        rows = listed(sorted((tree / "ecdc.libs").iterdir()), licences / "libraries.tsv")
        target = next(tree.glob("*.dist-info")) / "licenses" / "libraries"
        shutil.copytree(licences, target)
        with (target / "libraries.tsv").open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys(), delimiter="\t", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        subprocess.run([sys.executable, "-m", "wheel", "pack", "-d", str(directory), str(tree)], check=True, stdout=subprocess.DEVNULL)
    for row in rows:
        print(f"{row['file']:<42} {row['licence']:<18} {row['library']} {row['version']}")
    made = directory / wheel.name
    print(f"{made}: {made.stat().st_size / 1e6:.1f} MB")


main(*map(Path, sys.argv[1:]))
