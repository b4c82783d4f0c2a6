"""Everything that the documents tell readers to type, typed; the site, built."""
import re
import subprocess

import documents
import pytest
from run import ROOT


@pytest.fixture(scope="session")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    documents.make_film(path)
    return path


@pytest.mark.parametrize("page", documents.PAGES)
def test_page(page, tmp_path, empty_hub, film):
    documents.run_page(page, tmp_path / "page", empty_hub, film)


@pytest.mark.parametrize("page", documents.PAGES)
def test_no_block_escapes(page):
    """Blocks are fenced: an indented one would be shown and not run."""
    text = re.sub(r"^```.*?^```$", "", (ROOT / page).read_text(), flags=re.M | re.S)
    assert not re.search(r"\n\n {4,}\S", text)


def test_a_wrong_output_is_seen(tmp_path, empty_hub, film, monkeypatch):
    monkeypatch.setattr(documents, "blocks", lambda page: [(1, "sh", "echo 2 s\n", {"varies": ["[0-9]+ s"]}), (4, "text", "3 s\n", {}),
                                                           (7, "sh", "echo 3\n", {}), (9, "text", "4\n", {})])
    with pytest.raises(AssertionError, match="page:9\nprinted:\n3"):
        documents.run_page("page", tmp_path / "page", empty_hub, film)


def test_site(tmp_path):
    done = subprocess.run(["/usr/bin/python3", ROOT / "docs" / "build", tmp_path / "site"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "" and "index.html" in done.stdout, done.stderr
    c, python = (tmp_path / "site" / f"{p}.html" for p in ("include/ecdc.h", "python/ecdc/__init__.py"))
    assert 'id="ecdc_encoder_push"' in c.read_text() and 'id="ecdc.AudioProcessor"' in python.read_text()
