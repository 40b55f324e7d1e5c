import json
import subprocess
import sys

from spaces.data import DataInfo

FULL = DataInfo(
    kind="tabular",
    input_shape=(3,),
    dtype="float32",
    task="classification",
    labels="integer",
    outputs=2,
    class_names=("no", "yes"),
    scale=0.5,
    mean=(0.1, 0.0, 0.0),
    std=(1.5, 1.0, 1.0),
    image_size=(4, 5),
    resized=True,
    white=255.0,
    columns=("age", "town"),
    categories={"town": ("Bonn", "Köln")},
)
PLAIN = DataInfo("image", (8, 8), "uint8", "regression", "number", 1)


def test_json_round_trip_gives_equal_info() -> None:
    for info in (FULL, PLAIN):
        assert DataInfo.from_json(json.loads(json.dumps(info.to_json()))) == info


def test_import_needs_neither_tensorflow_nor_pandas() -> None:
    check = "import sys, spaces.data, spaces.data.inputs; print({'tensorflow', 'keras', 'pandas'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
