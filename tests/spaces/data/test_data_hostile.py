"""Data files of strangers: pipes, devices, and small files that stand for much. None of them is opened or unpacked."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from spaces.basics.errors import DataError
from spaces.data.inputs import read_rows
from spaces.data.readers import images
from spaces.data.readers.folder import load_folder
from spaces.data.readers.idx import load_idx
from spaces.data.readers.images import read_header
from spaces.data.readers.npz import load_npz
from spaces.data.tables.loading import TableOptions, load_table
from spaces.data.types import DataInfo

TABLE = DataInfo("tabular", (3,), "float32", "classification", "integer", 2)

READERS: dict[str, Callable[[Path], Any]] = {
    "x.csv": lambda path: load_table(path, TableOptions()),
    "x.npz": load_npz,
    "x.npy": lambda path: read_rows(path, TABLE),
    "train-images-idx3-ubyte": load_idx,
    "x.png": read_header,
}


@pytest.mark.parametrize("name", READERS)
def test_what_is_no_file_is_not_opened(name: str, tmp_path: Path) -> None:
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(b"")
    path = tmp_path / name
    os.mkfifo(path)
    with pytest.raises(DataError, match=f"{name}: .*is not a file but a pipe"):
        READERS[name](path)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(DataError, match=f"{name}: .*is not a file but a device"):
        READERS[name](path)


def folder(tmp_path: Path) -> Path:
    for name in ("a", "b\x1b[2J"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (4, 4)).save(tmp_path / name / "0.png")
    return tmp_path


def test_a_pipe_among_pictures_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(folder(tmp_path) / "a" / "x.png")
    with pytest.raises(DataError, match=r"a/x.png: is not a readable image \(is not a file but a pipe\)"):
        load_folder(tmp_path, 1, None, "auto")


def test_names_of_classes_and_columns_cannot_steer_the_terminal(tmp_path: Path) -> None:
    assert load_folder(folder(tmp_path), 1, None, "auto").class_names == ("a", "b\\x1b[2J")
    (tmp_path / "x.csv").write_text("a\x1b[2J,b\n1,2\n3,4\n")
    table = load_table(tmp_path / "x.csv", TableOptions()).table
    assert table is not None
    assert table.columns[0].name == "a\\x1b[2J"


def png(path: Path, width: int, height: int) -> Path:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    return path


def test_pictures_that_unpack_to_far_more_than_their_file_are_refused(tmp_path: Path, monkeypatch: Any) -> None:
    assert read_header(png(tmp_path / "large.png", 9000, 9000)).width == 9000
    for side in (10_000, 100_000):
        with pytest.raises(DataError, match=r"bomb.png: (unpacks to 100,000,000 pixels|is not a readable image)"):
            read_header(png(tmp_path / "bomb.png", side, side))
    frames = [Image.new("L", (30, 30), shade) for shade in range(20)]
    frames[0].save(tmp_path / "many.gif", save_all=True, append_images=frames[1:])
    assert read_header(tmp_path / "many.gif").height == 30
    monkeypatch.setattr(images, "_FREE", 10_000)
    monkeypatch.setattr(images, "_TIMES", 1)
    with pytest.raises(DataError, match=r"many.gif: unpacks to 18,000 pixels"):
        read_header(tmp_path / "many.gif")


def test_a_picture_is_not_handed_to_other_programs(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")
    with pytest.raises(DataError, match=r"x.png: is not a readable image$"):
        read_header(tmp_path / "x.png")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n" + b"1," * 600_000, "line 2 is longer than 1 MiB"),
        (b"a," * 600_000, "line 1 is longer than 1 MiB"),
        (b"a,b\n1,2\n" + b"x" * (3 * 2**20), "line 3 is longer than 1 MiB"),
        (b"a," * 60_000 + b"b\n", "has more than 50,000 columns"),
    ],
)
def test_tables_with_endless_lines_are_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(DataError, match=f"x.csv: {message}"):
        load_table(tmp_path / "x.csv", TableOptions())


def test_a_file_with_a_hole_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "train-images-idx3-ubyte").open("wb") as stream:
        stream.truncate(10**13)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(b"")
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte: holds 9313.2 GiB of data"):
        load_idx(tmp_path)


@pytest.mark.parametrize(
    ("shape", "kind", "message"),
    [
        ("(1000000000000, 3)", "<f4", "needs 12000000000000 bytes"),
        ("(-1, 3)", "<f4", "impossible shape"),
        ("(1000000000000, 3)", "V0", "impossible shape"),
        ("(" * 9000, "<f4", "damaged, or no .npy file"),
        ("(2, 3)", "O", "holds Python objects"),
    ],
)
def test_arrays_that_claim_too_much_are_refused(shape: str, kind: str, message: str, tmp_path: Path) -> None:
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}}}".encode()
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
    with pytest.raises(DataError, match=f"x.npy: .*{message}"):
        read_rows(tmp_path / "x.npy", TABLE)
    np.save(tmp_path / "x.npy", np.zeros((2, 3)))
    assert read_rows(tmp_path / "x.npy", TABLE).shape == (2, 3)
