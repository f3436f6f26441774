"""The folders that programs work in: what they save, and what they serve."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Mapping

from labkit.folders import Folder
from labkit.sandbox import Shown
from labkit.scenario.world import World

ROOM = 64 * 1024 * 1024
"""Bytes that a folder can take where a test does not say otherwise: it lies in memory."""


class Files(World):
    """Folders that are made for one test and gone with it."""

    def __init__(self, *args: Any, **how: Any) -> None:
        """As World has it."""
        super().__init__(*args, **how)
        self._folders: list[Folder] = []

    def folder(
        self, files: Mapping[str, bytes] = {}, *, read_only: bool = False, size: int = 0
    ) -> Folder:
        """A new folder with FILES in it, to start programs in: each name a path and its bytes.

        read_only: for programs, not for the test. size: bytes until its disk is full, in whole
        pages (4,096 bytes; a file takes whole pages, a name none); 0 for more than enough.
        """
        path = Path(tempfile.mkdtemp(prefix="folder-", dir=self._work))
        folder = Folder(self.network.folder(path, size or ROOM), Shown(path, read_only))
        self._folders.append(folder)
        for name, data in files.items():
            folder.write(name, data)
        return folder

    def close(self) -> None:
        """As World has it; then nobody has the folders any more."""
        try:
            super().close()
        finally:
            for folder in self._folders:
                folder.close()
