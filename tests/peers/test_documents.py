"""The blocks of the documents that need packages from PyPI, and all that stand before them."""
import documents
import pytest

PAGES = [page for page in documents.PAGES if any("peers" in block[3] for block in documents.blocks(page))]


@pytest.mark.parametrize("page", PAGES)
def test_page(page, tmp_path):
    documents.make_film(tmp_path / "film.mp4")
    documents.run_page(page, tmp_path / "page", tmp_path / "no-hub", tmp_path / "film.mp4", peers=True)


def test_there_are_some():
    assert PAGES
