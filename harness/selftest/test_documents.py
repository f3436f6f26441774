"""The documents: ladders that are current, links that lead somewhere."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from labkit.paths import REPO

DOCUMENTS = sorted(
    path for pattern in ("*.md", "docs/**/*.md", "labs/*/*.md") for path in REPO.glob(pattern)
)


@pytest.fixture(scope="module")
def refresh() -> ModuleType:
    spec = importlib.util.spec_from_file_location("refresh", REPO / "docs" / "refresh.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_some_documents_show_a_ladder(refresh: ModuleType) -> None:
    assert REPO / "README.md" in refresh.documents()
    assert REPO / "labs" / "01-tcp-echo" / "README.md" in refresh.documents()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(REPO)))
def test_every_ladder_is_current(refresh: ModuleType, path: Path) -> None:
    text = path.read_text("utf-8")
    assert refresh.drawn_anew(text) == text


def test_an_old_ladder_is_noticed(refresh: ModuleType) -> None:
    text = (REPO / "README.md").read_text("utf-8")
    old = text.replace("1/3 SYN", "1/3 SIN")
    assert old != text and refresh.drawn_anew(old) == text


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(REPO)))
def test_every_link_to_a_file_leads_there(path: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text("utf-8"))
    files = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in files if not (path.parent / link).exists()] == []
