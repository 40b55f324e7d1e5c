"""Folders of image files, one subfolder per class.

Order and split are those of Keras's own loader: files sorted by class and name, shuffled with the seed, held-out rows
cut from the end. So `keras.utils.image_dataset_from_directory` with the same seed and `validation_split` has the same
training files.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from spaces.basics.errors import DataError
from spaces.basics.files import missing, unreadable, walked
from spaces.basics.printable import first_of, printable, some_of
from spaces.data.parts import PartName, folder_part, folder_parts
from spaces.data.readers.images import EXTENSIONS, UNREADABLE, Header, decode_all, read_header
from spaces.data.readers.source import Part, RawData
from spaces.data.stored import pictures
from spaces.data.stored.store import RowStore
from spaces.data.types import AnyRows, Array

_log = logging.getLogger(__name__)
_NAMED = 20
_EXPECTED = "expected the folders train, validation (or val) and test"
_OTHERWISE = "data.source.parts: none takes every folder for a class"
# What systems leave beside people's files, and at the root of a disk; names that begin with a dot are left out anyway.
_LEFTOVERS = frozenset((
    "__macosx", "@eadir", "desktop.ini", "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "icon\r",
    "lost+found", "$recycle.bin", "system volume information",
))  # fmt: skip


def load_folder(
    path: Path,
    seed: int,
    image_size: tuple[int, int] | None,
    color: str,
    broken: Literal["refuse", "skip"] = "refuse",
    store: RowStore | None = None,
    antialias: bool = True,
    parts: Literal["none"] | None = None,
    begun: bool = False,
) -> RawData:
    """The images of a folder.

    Args:
        path: a folder of class folders; or a folder with a training folder and, each optional, one for validation and
            one for testing, in any usual spelling (`Training`, `valid`, `testset`), every one a folder of class
            folders. A folder that holds nothing but one other folder stands for that. Files that Keras does not read as
            images are left out with a warning; hidden ones, and what systems leave behind, without.
        seed: seed of the shuffle of the training rows, 0 to 2**32 - 1.
        image_size: (height, width) to resize to; None: the images must all have one size.
        color: "rgb", "grayscale", or "auto": grayscale where every image is gray.
        broken: "skip" leaves out, with a warning, what is no readable image.
        store: decides whether the pixels stay on the disk, and keeps them.
        antialias: whether an image that becomes smaller is averaged over its pixels, as Keras's own loader does not.
        parts: "none": every folder is a class, whatever its name and what it holds.
        begun: whether a run goes on with these images: what it took for classes then is no question any more.

    Raises:
        DataError: the folder is missing, holds no class folders, or some that may be parts, a class is empty, or files
            are no readable images (all of them are counted, the first 20 named).
    """
    if os.path.exists(path) and not os.path.isdir(path):
        raise DataError(f"{path}: is a file, not a folder")
    if not os.path.isdir(path):
        raise DataError(f"{path}: {'no such folder' if missing(path) else unreadable(path)}")
    outer = _innermost(path)
    named = None if parts == "none" else _parts(outer)
    listings = {name: list_images(folder) for name, folder in (named or {"train": outer}).items()}
    if named is None and parts is None and not begun:
        _require_classes(listings["train"])
    class_names = listings["train"].class_names
    for listing in listings.values():
        if unknown := sorted(set(listing.class_names) - set(class_names)):
            raise DataError(f"{listing.folder / unknown[0]}: a class that is absent from {listings['train'].folder}")
    every = tuple(file for listing in listings.values() for file in listing.files)
    asked = _Asked(path, class_names, seed, image_size, color, broken, antialias, every)
    store = store or RowStore()
    left_out: dict[str, str] = {}
    if (found := pictures.find(store, every, asked.rows)) is not None:
        left_out = dict(found.reasons)
        _refuse(asked, left_out, listings)
        loaded = _from_pictures(asked, listings, found)
    else:
        present, loaded = listings, {}
        while not loaded:
            loaded, reasons = _read(asked, present, left_out, store)
            _refuse(asked, reasons, listings)
            left_out |= reasons
            present = {name: listing.without(reasons) for name, listing in present.items()}
    if left_out:
        _log.warning("%s; left out", _told(path, dict(sorted(left_out.items())), listings))
    return RawData(
        path.name,
        f"{path} ({', '.join(f'{name}: {len(part.x)} images' for name, part in loaded.items())})",
        loaded["train"],
        loaded.get("validation"),
        loaded.get("test"),
        tuple(map(printable, class_names)),
        white=255.0,
        shuffled=True,
        resized=True,
    )


def _refuse(asked: _Asked, reasons: Mapping[str, str], listings: Mapping[PartName, Listing]) -> None:
    if reasons and asked.broken == "refuse":
        told = _told(asked.path, dict(sorted(reasons.items())), listings)
        raise DataError(f"{told}; data.broken: skip leaves such files out")


def _told(path: Path, reasons: Mapping[str, str], listings: Mapping[PartName, Listing]) -> str:
    if len(reasons) == 1:
        ((file, reason),) = reasons.items()
        return f"{file}: {reason}"
    count = sum(len(listing.files) for listing in listings.values())
    named = [
        f"{os.path.relpath(file, path)} {reason.removeprefix(UNREADABLE).strip()}".rstrip()
        for file, reason in reasons.items()
    ]
    return f"{path}: {len(reasons)} of {count} files are no readable images: {first_of(named, _NAMED)}"


def _parts(path: Path) -> dict[PartName, Path] | None:
    """Folders of class folders by part, one of them "train"; None where the names are not those of parts."""
    folders = _subfolders(path)
    meant = folder_parts([folder.name for folder in folders])
    named = {folder: meant[folder.name] for folder in folders if folder.name in meant}
    listed = ", ".join(folder.name for folder in folders)
    if "train" not in named.values():
        if len(named) > 1 and len(named) == len(folders):
            raise DataError(f"{path}: found the folders {listed}, but none for training; {_OTHERWISE}")
        return None
    if len(named) == 1 and len(folders) > 1:
        return None
    if len(named) < len(folders) or len(set(named.values())) < len(named):
        raise DataError(f"{path}: {_EXPECTED} and no others, found {listed}; {_OTHERWISE}")
    parts = {part: _innermost(folder, part) for folder, part in named.items()}
    if "test" in parts and not _subfolders(parts["test"]) and _files(parts["test"])[0]:
        _log.warning("%s: left out, its images are in no class folders", printable(str(parts.pop("test"))))
    return parts


def _require_classes(listing: Listing) -> None:
    """Refuses what might be parts under names that nobody knows, or parts within classes: test images would train.

    Folders within classes are fine where they tell nothing apart, as where every class has its images in `images`.
    """
    within = listing.within()
    apart = {name for names in within.values() if len(names) > 1 for name in names}
    if any(folder_part(name) is not None for name in listing.class_names):
        doubtful = apart
    else:
        held_by = Counter(name for names in within.values() for name in names)
        doubtful = {name for name, count in held_by.items() if count > 1 and (name in apart or folder_part(name))}
    if doubtful:
        classes = _listed(name for name, names in within.items() if names & doubtful)
        raise DataError(
            f"{listing.folder}: taken for classes, but with folders of images in them ({_listed(doubtful)}): "
            f"{classes}; {_EXPECTED}, one folder per class in each; {_OTHERWISE}"
        )


def _listed(names: Iterable[str]) -> str:
    return some_of(sorted(names), _NAMED)


def _innermost(folder: Path, part: PartName | None = None) -> Path:
    """The folder itself, or the one that it holds and nothing else, as unpacked archives often do."""
    inside = _subfolders(folder)
    while len(inside) == 1 and folder_part(inside[0].name) in (None, part) and _subfolders(inside[0]):
        _log.warning("%s: holds only the folder %s, which is read", printable(str(folder)), printable(inside[0].name))
        folder = inside[0]
        inside = _subfolders(folder)
    return folder


@dataclass(frozen=True)
class Listing:
    """Image files of one folder of class folders, in Keras's order: by class, then by path."""

    folder: Path
    files: tuple[str, ...]
    labels: tuple[str, ...]
    class_names: tuple[str, ...]

    def within(self) -> dict[str, set[str]]:
        """The names of the folders with images that class folders hold, by class; those without any are left out."""
        start = len(os.path.join(self.folder, ""))
        found: dict[str, set[str]] = {}
        for file in self.files:
            class_name, name, *below = file[start:].split(os.sep, 2)
            if below:
                found.setdefault(class_name, set()).add(name)
        return found

    def without(self, files: Mapping[str, str]) -> Listing:
        """The same without some files.

        Raises:
            DataError: A class would be empty.
        """
        kept = [index for index, file in enumerate(self.files) if file not in files]
        labels = tuple(self.labels[index] for index in kept)
        if emptied := sorted(set(self.class_names) - set(labels)):
            raise DataError(f"{self.folder / emptied[0]}: holds no readable image")
        return Listing(self.folder, tuple(self.files[index] for index in kept), labels, self.class_names)


def list_images(folder: Path) -> Listing:
    """Lists the images below the class folders of `folder`, without opening them.

    Raises:
        DataError: there are no class folders, or one of them holds no image.
    """
    files: list[str] = []
    labels: list[str] = []
    class_names: list[str] = []
    for class_folder in _subfolders(folder):
        found, others = _files(class_folder)
        if not found:
            raise DataError(f"{class_folder}: holds no image (of type {', '.join(EXTENSIONS)})")
        if others:
            _log.warning(
                "%s: %d files are no images that Keras reads and are left out", printable(str(class_folder)), others
            )
        files += found
        labels += [class_folder.name] * len(found)
        class_names.append(class_folder.name)
    if not class_names:
        raise DataError(f"{folder}: holds no class folders (one subfolder of images per class is expected)")
    if beside := sum(_is_image(entry.name) and not os.path.isdir(entry) for entry in _entries(folder)):
        _log.warning("%s: %d images beside the class folders are left out", printable(str(folder)), beside)
    return Listing(folder, tuple(files), tuple(labels), tuple(class_names))


def left_behind(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or left behind by a system beside people's files."""
    return name.startswith(".") or name.lower() in _LEFTOVERS


def _subfolders(folder: Path) -> list[Path]:
    entries = _entries(folder)
    for entry in entries:
        # A class may be on a disk that is not there today.
        if not entry.suffix and os.path.islink(entry) and not os.path.exists(entry):
            raise DataError(f"{entry}: {unreadable(entry)}; it may stand for a folder of images")
    return [entry for entry in entries if os.path.isdir(entry)]


def _entries(folder: Path) -> list[Path]:
    """The files and folders that people have put into a folder, by name."""
    try:
        return sorted((one for one in folder.iterdir() if not left_behind(one.name)), key=lambda one: one.name)
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror}") from error


def _is_image(name: str) -> bool:
    return name.lower().endswith(EXTENSIONS)


def _files(class_folder: Path) -> tuple[list[str], int]:
    """Image files below a class folder in order, and the number of other files that people have put there."""
    every = [os.path.join(root, name) for root, names in walked(class_folder, left_behind) for name in names]
    images = list(filter(_is_image, every))
    return images, len(every) - len(images)


@dataclass(frozen=True)
class _Asked:
    """How image files become rows."""

    path: Path
    class_names: tuple[str, ...]
    seed: int
    image_size: tuple[int, int] | None
    color: str
    broken: Literal["refuse", "skip"]
    antialias: bool
    every: tuple[str, ...]

    @property
    def rows(self) -> dict[str, Any]:
        """What the pixels of a file follow from."""
        return {"size": self.image_size, "color": self.color, "antialias": self.antialias}

    def decode(self, files: Sequence[str], pixels: Any) -> dict[str, str]:
        return decode_all(files, pixels, np.arange(len(files)), smooth=self.antialias)


def _read(
    asked: _Asked, listings: Mapping[PartName, Listing], left_out: Mapping[str, str], store: RowStore
) -> tuple[dict[PartName, Part], dict[str, str]]:
    """The parts, unless they have to be read again without some files; and why files are no readable images."""
    headers: dict[str, Header] = {}
    reasons: dict[str, str] = {}
    for file in (file for listing in listings.values() for file in listing.files):
        try:
            headers[file] = read_header(file)
        except DataError as error:
            reasons[file] = str(error).removeprefix(f"{file}: ")
    if reasons:
        if asked.broken == "refuse":
            # One message names all of them: also those that are found by decoding only.
            reasons |= asked.decode(list(headers), np.empty((len(headers), 1, 1, 1), np.uint8))
        return {}, reasons
    height, width = asked.image_size or _common_size(list(headers.values()), asked.path)
    channels = _channels(asked.color, headers.values())
    if not store.streams(len(headers) * height * width * channels, str(asked.path)):
        parts = {}
        for name, listing in listings.items():
            place = np.empty(len(listing.files), np.intp)
            place[_order(name, listing, asked.seed)] = np.arange(len(place))
            # Each image goes straight to its place in the shuffled order.
            pixels = np.empty((len(place), height, width, channels), np.uint8)
            reasons |= decode_all(listing.files, pixels, place, smooth=asked.antialias)
            parts[name] = _part(asked, name, listing, pixels)
        return {} if reasons else parts, reasons
    shape = (height, width, channels)
    made = pictures.make(store, asked.every, list(headers), shape, asked.rows, asked.decode, left_out, str(asked.path))
    reasons = {file: reason for file, reason in made.reasons.items() if file in headers}
    if reasons and (asked.broken == "refuse" or channels != _channels(asked.color, _without(headers, reasons))):
        return {}, reasons
    return _from_pictures(asked, listings, made), reasons


def _from_pictures(
    asked: _Asked, listings: Mapping[PartName, Listing], found: pictures.Pictures
) -> dict[PartName, Part]:
    kept = {name: listing.without(found.reasons) for name, listing in listings.items()}
    return {
        name: _part(asked, name, listing, found.of([listing.files[i] for i in _order(name, listing, asked.seed)]))
        for name, listing in kept.items()
    }


def _part(asked: _Asked, name: PartName, listing: Listing, pixels: AnyRows) -> Part:
    numbers = {label: number for number, label in enumerate(asked.class_names)}
    labels = np.array([numbers[label] for label in listing.labels], np.int32)
    return Part(pixels, labels[_order(name, listing, asked.seed)], str(listing.folder))


def _order(name: PartName, listing: Listing, seed: int) -> Array:
    order = np.arange(len(listing.files))
    if name == "train":
        np.random.RandomState(seed).shuffle(order)
    return order


def _without(headers: Mapping[str, Header], reasons: Mapping[str, str]) -> list[Header]:
    return [header for file, header in headers.items() if file not in reasons]


def _channels(color: str, headers: Iterable[Header]) -> int:
    return 1 if color == "grayscale" or (color == "auto" and all(header.gray for header in headers)) else 3


def _common_size(headers: Sequence[Header], path: Path) -> tuple[int, int]:
    sizes = sorted({(header.height, header.width) for header in headers})
    if len(sizes) > 1:
        (low, high) = (f"{height}x{width}" for height, width in (sizes[0], sizes[-1]))
        raise DataError(
            f"{path}: the images have {len(sizes)} different sizes ({low} to {high}); set data.image_size, "
            "such as image_size: 180"
        )
    return sizes[0]
