"""What a family has to keep to."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import spaces
from spaces.families import Family
from spaces.families.layered import Layered
from spaces.families.pretrained import Pretrained
from spaces.layers.parts import Joined, layers_of

_CORES = 8
_OUTPUTS = ("probabilities", "logits")


def check_family(family: Family, section: Mapping[str, Any], info: spaces.DataInfo) -> None:
    """A family's settings, parameters and models agree, for the smallest and the largest configuration.

    Also: what it says of a space, such as threads and files, is of the kind that a run takes and writes down, and its
    layers have names where they are found by them.

    Args:
        family: A registered family.
        section: Section `model` of a space file, `family` included.
        info: Rows that its models take.
    """
    spec = spaces.SearchSpec(name="check", data={"source": "digits"}, model=dict(section), training={"epochs": 1})
    assert isinstance(spec.model, family.section), f"{family.name}: another family reads this section"
    assert spec.model.family_name == family.name, (
        f"{family.name}: its section calls the family {spec.model.family_name}; both must be the same"
    )
    assert _read_again(spec).model == spec.model, f"{family.name}: the section changes when it is read again"
    _check_said_of_space(family, spec, info)
    for values in spaces.extremes(spec):
        settings = spaces.configure(spec, values)
        again = spaces.Settings.from_json(json.loads(json.dumps(settings.to_json())))
        assert again == settings, (
            f"{family.name}: its settings are others after they were stored: {again} for {settings}"
        )
        output = family.output(settings.model)
        assert output in _OUTPUTS, f"{family.name}: its output is {output!r}, not one of {', '.join(_OUTPUTS)}"
        frozen = family.begins_frozen(settings.model)
        assert isinstance(family, Pretrained) or not frozen, (
            f"{family.name}: its trainings begin with a frozen backbone, but it is no Pretrained family"
        )
        shares = family.operations(settings.model) is not None
        assert isinstance(family, Layered) or not shares, f"{family.name}: it has operations, but is no Layered family"
        if isinstance(family, Layered):
            _check_names(family, settings, info, shares=shares)
        model = spaces.build_model(settings, info, seed=0)
        counted = spaces.count_parameters(settings, info)
        assert counted == model.count_params(), (
            f"{family.name}: {counted} parameters counted, {model.count_params()} built"
        )
        unchanged = family.frozen_parameters(settings, info)
        assert 0 <= unchanged <= counted, f"{family.name}: {unchanged} of {counted} parameters are never trained"
        assert model.input_shape[1:] == info.input_shape, f"{family.name}: the model takes {model.input_shape}"


def _check_said_of_space(family: Family, spec: spaces.SearchSpec, info: spaces.DataInfo) -> None:
    """What a run asks once, before its first training, and writes down."""
    threads = family.threads(_CORES)
    assert isinstance(threads, int), f"{family.name}: {threads!r} is no number of threads"
    assert 1 <= threads <= _CORES, f"{family.name}: one operation has {threads} threads of {_CORES} cores"
    notes, advice = family.require(spec, info), family.advice(spec)
    for name, told in (("require", notes), ("advice", advice)):
        assert isinstance(told, list), f"{family.name}: {name} gave {told!r}, no list of sentences"
    digests = family.files(spec) | family.sources(spec)
    for said in (*notes, *advice, *digests, *digests.values()):
        assert isinstance(said, str), f"{family.name}: {said!r} of its require, advice, files or sources is no text"


def _check_names(family: Layered, settings: spaces.Settings, info: spaces.DataInfo, *, shares: bool) -> None:
    """A run finds layers by their names in a model that it has made before."""
    first, again = family.parts(settings, info), family.parts(settings, info)
    if not shares and not any(isinstance(part, Joined) for part in first):
        return
    for one, other in zip(layers_of(first), layers_of(again), strict=True):
        assert one.name == other.name, (
            f"{family.name}: it shares compiled functions or joins ways, and a layer that is {one.name} in one model "
            f"is {other.name} in the next; give each a name"
        )


def _read_again(spec: spaces.SearchSpec) -> spaces.SearchSpec:
    """As a run reads the space file that it keeps."""
    with tempfile.TemporaryDirectory(prefix="check-family-") as folder:
        file = Path(folder, "space.yaml")
        file.write_text(spaces.dump(spec), encoding="utf-8")
        return spaces.load(file)
