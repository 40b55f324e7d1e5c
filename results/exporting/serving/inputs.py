"""What the signature of a serving bundle takes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from spaces import DataInfo

ROWS, IMAGE, COLUMNS = "rows", "image", "columns"
_DECODED_CHANNELS = (1, 3)


@dataclass(frozen=True)
class Input:
    """One named tensor of shape (n,), or (n, *input_shape) for bare rows.

    Attributes:
        name: As the signature has it.
        dtype: `string` or `float32`.
        column: The column of the table that it is; "" for images and bare rows.
    """

    name: str
    dtype: Literal["string", "float32"]
    column: str = ""


def takes(info: DataInfo) -> str:
    """What a bundle is asked with: encoded images, the columns of a table, or bare rows where there is neither.

    Pixels of a file say nothing to a model whose rows have no known black and white.
    """
    if info.kind == "image":
        return IMAGE if info.channels in _DECODED_CHANNELS and info.white is not None else ROWS
    return COLUMNS if info.encodings else ROWS


def served_inputs(info: DataInfo) -> tuple[Input, ...]:
    """The inputs of the signature, in the order of the columns.

    TensorFlow takes letters, digits and underscores in their names, and does not tell `a` from `A`.
    """
    match takes(info):
        case "image":
            return (Input("image", "string"),)
        case "rows":
            return (Input("rows", "float32"),)
    found: list[Input] = []
    taken: set[str] = set()
    for encoding in info.encodings:
        plain = re.sub(r"[^A-Za-z0-9_]", "_", encoding.name)
        plain = plain if plain[:1].isalpha() else f"column_{plain}"
        name, count = plain, 1
        while name.lower() in taken:
            count += 1
            name = f"{plain}_{count}"
        taken.add(name.lower())
        found.append(Input(name, "float32" if encoding.kind == "number" else "string", encoding.name))
    return tuple(found)
