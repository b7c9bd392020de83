"""README and docs: their links lead somewhere, and README stays one page."""

import re

import pytest

from tests.workflow import ROOT

PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "benchmarks/NOTES.md")]
PAGES += sorted((ROOT / "docs").glob("*.md"))


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if not target.startswith("http"):
            path, _, anchor = target.partition("#")
            found = page.parent / path if path else page
            assert found.exists(), target
            assert not anchor or anchor in anchors(found), target


def test_readme_is_one_page():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 130


def test_the_contents_name_every_page():
    contents = (ROOT / "docs/README.md").read_text()
    assert all(f"]({page.name})" in contents for page in (ROOT / "docs").glob("*.md") if page.name != "README.md")
