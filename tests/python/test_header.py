"""What the package says about the C interface, held against the header by a C compiler."""

import re
import shutil
import subprocess

import numpy as np
import pytest
from run import ROOT
from ecdc import _library

COMPILER = shutil.which("cc") or shutil.which("gcc")


def compile_and_run(tmp_path, source):
    assert COMPILER, "a C compiler is needed"
    (tmp_path / "check.c").write_text(source)
    built = subprocess.run([COMPILER, "-std=c11", "-Wall", "-Werror", "-I", ROOT / "include", "-o", tmp_path / "check",
                            tmp_path / "check.c"], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return subprocess.run([tmp_path / "check"], capture_output=True, text=True, check=True).stdout


def test_structs_have_the_same_layout(tmp_path):
    lines, expected = [], []
    for name, struct in _library.STRUCTS.items():
        lines.append(f'printf("{name} %zu\\n", sizeof({name}));')
        expected.append(f"{name} {_library.ctypes.sizeof(struct)}")
        for field, *_ in struct._fields_:
            lines.append(f'printf("{name}.{field} %zu %zu\\n", offsetof({name}, {field}), sizeof((({name} *)0)->{field}));')
            expected.append(f"{name}.{field} {getattr(struct, field).offset} {getattr(struct, field).size}")
    source = "#include <stdio.h>\n#include \"ecdc.h\"\nint main(void) {\n" + "\n".join(lines) + "\nreturn 0;\n}\n"
    assert compile_and_run(tmp_path, source).splitlines() == expected


def test_structs_name_every_field():
    """With equal sizes two fields of one type could have changed places, or one been added in `reserved`."""
    header = re.sub(r"/\*.*?\*/", "", (ROOT / "include" / "ecdc.h").read_text(), flags=re.S)
    for name, struct in _library.STRUCTS.items():
        body = re.search(r"typedef struct %s \{(.*?)\} %s;" % (name, name), header, flags=re.S).group(1)
        fields = []
        for declaration in body.split(";"):
            if "(*" in declaration:
                fields.append(re.search(r"\(\*(\w+)\)", declaration).group(1))
            else:
                fields += [re.search(r"(\w+)(?:\[\w+\])?\s*$", part).group(1) for part in declaration.split(",") if part.strip()]
        assert fields == [field for field, *_ in struct._fields_], name


def test_prototypes_are_those_of_the_header(tmp_path):
    """A second declaration of a function is an error for the compiler, if it differs."""
    compile_and_run(tmp_path, f'#include "ecdc.h"\n{_library.PROTOTYPES}\nint main(void) {{ return 0; }}\n')


def test_numbers_are_those_of_the_header(tmp_path):
    names = [name for name in vars(_library) if name == "OK" or name.startswith("E_")] + ["MAX_BANDWIDTHS"]
    pairs = [(f"ECDC_{name}", getattr(_library, name)) for name in names]
    pairs += [(f"ECDC_ALIGN_{name.upper()}", number) for name, number in _library.ALIGNMENTS.items()]
    pairs += [(f"ECDC_HRF_{name.upper().replace('-', '_')}", number) for name, number in _library.HRFS.items()]
    pairs += [(f"ECDC_NIFTI_{name.upper()}", number) for name, number in _library.NIFTI_TYPES.items()]
    checks = "\n".join(f'_Static_assert({name} == {number}, "{name}");' for name, number in pairs)
    assert len(pairs) >= 12
    compile_and_run(tmp_path, f'#include "ecdc.h"\n{checks}\nint main(void) {{ return 0; }}\n')


def test_read_only_arrays_are_not_written_into():
    """Behind one may be a file that is mapped read-only, where a write ends the process."""
    sound, db = np.full(4, 0.5, np.float32), np.zeros(4, np.float32)
    sound.flags.writeable = False
    _library.lib.ecdc_power_to_db(sound, 4, 1.0, 80.0, db)
    assert db == pytest.approx([-3.0103] * 4, abs=1e-4)
    with pytest.raises(ValueError, match="read-only"):
        _library.lib.ecdc_power_to_db(db, 4, 1.0, 80.0, sound)
    assert (sound == 0.5).all()


def test_an_interrupt_amid_the_arguments_stays_one():
    class Late(np.ndarray):
        @property
        def ctypes(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _library.lib.ecdc_power_to_db(np.zeros(4, np.float32).view(Late), 4, 1.0, 80.0, np.zeros(4, np.float32))
