"""`model_card.md`: what the exported model is, how it came about, how good it is, and how to use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from results.ranked.formats import markdown_escape
from results.text import plural
from spaces import DataInfo
from spaces.basics.figures import deviation, score

_WRITTEN = {"number": "decimal sign '{}'", "date": "written as {}"}
"""How the cells of a column are written, by its kind and `ColumnEncoding.form`."""


def model_card(described: Mapping[str, Any]) -> str:
    """Markdown text.

    Args:
        described: The content of `metadata.json`.
    """
    sections = [
        _title(described),
        _section("Data", _data(described)),
        _section("Architecture", _architecture(described)),
        _section("How it was chosen", _chosen(described)),
        _section("Scores", _scores(described)),
        _section("Limits", _limits(described)),
        _section("Files", _files(described)),
        _section("Loading it", _loading(described)),
    ]
    if described.get("serve") is not None:
        sections.append(_section("Serving it", _serving(described["serve"])))
    return "\n".join(sections)


def _title(described: Mapping[str, Any]) -> str:
    run, data, output = described["run"], described["data"], described["output"]
    kind = "predicts values"
    if output["kind"] != "values":
        kind = f"tells {len(output['classes']) or 'several'} classes apart"
    if described["input"]["labels"] == "multi-label":
        kind = f"says which of {len(output['classes'])} labels a row has"
    return (
        f"# {_text(run['name'])}: {_text(run['baseline'] or run['configuration'])}\n\n"
        f"A Keras model that {kind}, trained on {_text(data['name'])} by Nightshift.\n"
    )


def _section(title: str, lines: Sequence[str]) -> str:
    return f"## {title}\n\n" + "\n".join(lines) + "\n"


def _data(described: Mapping[str, Any]) -> list[str]:
    data, output = described["data"], described["output"]
    rows = data["rows"] or {}
    counts = ", ".join(f"{count:,} {part}" for part, count in rows.items() if count)
    lines = [
        f"- {_text(data['name'])}; rows: {counts or 'not recorded'}.",
        f"- Fingerprint: `{_text(data['fingerprint'])}`.",
    ]
    if output["classes"]:
        several = described["input"]["labels"] == "multi-label"
        what = "Labels, of which a row may have several or none" if several else "Classes"
        lines.append(f"- {what}, in the order of the outputs: {', '.join(map(_text, output['classes']))}.")
        lines += _decision(described)
    understood = data.get("understood") or {}
    lines += [f"- {part.capitalize()} rows: {_text(how)}." for part, how in understood.get("parts", {}).items()]
    lines += [f"- Target: {_text(how)}." for how in understood.get("targets", ())]
    lines += [f"- {_text(note)}" for note in described["preprocessing"]]
    return lines + _columns(described)


def _decision(described: Mapping[str, Any]) -> list[str]:
    """From which probability on a class or label is given."""
    if described["input"]["labels"] == "multi-label":
        return ["- A row has the labels with a probability of at least 0.5; their probabilities are independent."]
    chosen = described["output"].get("threshold")
    if chosen is None:
        return []
    return [
        f"- A row is of class {_text(chosen['class'])} from a probability of {chosen['value']:.4g} on: chosen for "
        f"{_text(chosen['measure'])} on {chosen['rows']:,} validation rows, {score(chosen['score'])} there, against "
        f"{score(chosen['plain'])} at 0.5. run-search predict uses it; whoever serves the model has to. The scores "
        "below are at 0.5."
    ]


def _columns(described: Mapping[str, Any]) -> list[str]:
    """The columns of a table: which numbers of a row each becomes, and how."""
    understood = described["data"].get("understood") or {}
    told = {column["name"]: column for column in understood.get("columns", ())}
    lines, start = ["", "| values of a row | column | kind | how |", "|---|---|---|---|"], 0
    for encoding in DataInfo.from_json(described["input"]).encodings:
        end = start + len(encoding.inputs)
        span = {start: "none", start + 1: str(start)}.get(end, f"{start} to {end - 1}")
        column = told.get(encoding.name, {})
        how = column.get("how", "")
        if encoding.kind in ("category", "text") and encoding.inputs:
            how = f"in this order: {', '.join(encoding.inputs)}"
        written = _WRITTEN.get(encoding.kind, "").format(encoding.form) if encoding.form else ""
        told_of_it = "; ".join(filter(None, (how, written, *column.get("notes", ()))))
        lines.append(f"| {span} | {_text(encoding.name)} | {encoding.kind} | {_text(told_of_it)} |")
        start = end
    named = {"target": "Target", "weight": "Weight"}
    targets = [
        f"- {named[c['role']]}: {_text(c['name'])}, {_text(c['how'])}." for c in told.values() if c["role"] in named
    ]
    targets += [f"- {_text(note[:1].upper() + note[1:])}." for note in understood.get("notes", ())]
    left_out = [f"{c['name']} ({c['how']})" for c in told.values() if c["role"] == "dropped"]
    targets += [f"- Columns left out: {_text(', '.join(left_out))}."] if left_out else []
    return targets + (lines if start else [])


def _architecture(described: Mapping[str, Any]) -> list[str]:
    model = described["model"]
    returned = {"probabilities": "class probabilities", "logits": "logits (before the softmax)", "values": "values"}
    frozen = model.get("frozen_parameters")
    kept = f", {frozen:,} of them as they were before this training" if frozen else ""
    lines = [
        f"Family {_text(model['family'])}, {model['parameters']:,} parameters{kept}; returns "
        f"{returned[described['output']['kind']]}.",
        "",
    ]
    if model["tta"] == "flip":
        lines += ["Every answer is the average of those to the image and to its mirror image.", ""]
    if (together := model["ensemble"]) is not None:
        lines += [*_together(together), ""]
    if model["hyperparameters"]:
        if together is not None:
            lines += [f"The hyperparameters of the first, {_text(together['members'][0]['configuration'])}:", ""]
        lines += ["| hyperparameter | value |", "|---|---|"]
        lines += [f"| {_text(name)} | {_text(value)} |" for name, value in model["hyperparameters"].items()]
    if fixed := described["fixed"]:
        lines += ["", "Settings that the search did not choose, as far as they are not the defaults:", ""]
        lines += ["| setting | value |", "|---|---|"]
        lines += [f"| {_text(name)} | {_text(_listed(value))} |" for name, value in fixed.items()]
    return lines


def _listed(value: Any) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _together(together: Mapping[str, Any]) -> list[str]:
    members = together["members"]
    names = ", ".join(_text(member["configuration"]) for member in members)
    reached = f"{_text(together['measure'])} {score(together['together'])} together"
    first = together["rival"] == members[0]["configuration"]
    best = "the first" if first else _text(together["rival"])
    lines = [
        f"Every answer is the average of those of {len(members)} models, configurations {names}, which takes "
        f"{together['times']:.1f} times as long as {'one' if first else best}. On the {together['rows']:,} validation "
        f"rows they reach {reached}, {best} alone {score(together['alone'])}.",
    ]
    turned = [_text(member["configuration"]) for member in members if member["tta"] == "flip"]
    if 0 < len(turned) < len(members):
        lines[0] += f" Of these models {', '.join(turned)} average what they answer to the image and its mirror image."
    return lines


def _chosen(described: Mapping[str, Any]) -> list[str]:
    run, model, metrics = described["run"], described["model"], described["metrics"]
    objective = _text(metrics["objective"]["name"])
    how = f"{_text(run['algorithm'])}, seed {_text(run['seed'])}"
    search = f"a search of {plural(run['trials'], 'trial')} ({how}) for {objective}"
    seeds = metrics["retrained"] and metrics["retrained"]["seeds"]
    again = f", after being trained again with {plural(seeds, 'fresh seed')}" if seeds else ""
    after = f"its weights are those after epoch {model['epochs']}"
    if run["role"] == "winner":
        last = {
            "winner": f"then trained once more, and {after}",
            "candidate": f"trained with {'that seed' if seeds == 1 else 'one of these seeds'}, and {after}",
        }.get(run["trained"], f"trained in the search itself, and {after}")
        lines = [f"The winner of {search}{again}; {last}."]
        if run["baseline"]:
            lines += [
                "",
                f"It is the baseline {_text(run['baseline'])}, which the space file names.",
            ]
        return lines
    said = {
        "best so far": f"The best so far of {search} that has no winner yet; {after}.",
        "baseline": f"A baseline named in the space file, trained under its own protocol beside {search}; {after}.",
        "configuration": f"Picked by hand from {search}; {after}.",
        "candidate": f"One fresh seed of a configuration found by {search}; {after}.",
    }
    return [said[run["role"]]]


def _scores(described: Mapping[str, Any]) -> list[str]:
    metrics, role = described["metrics"], described["run"]["role"]
    objective = _text(metrics["objective"]["name"])
    lines = _guesses(described)
    if metrics["search"] is not None:
        where = f"on the {'validation' if objective.startswith('val_') else 'training'} rows"
        if folds := metrics["search"].get("folds"):
            spread = metrics["search"]["spread"]
            where = f"as the mean over {folds} folds" + (f" (standard deviation {deviation(spread)})" if spread else "")
        told = f"- In the search: {objective} {score(metrics['search']['score'])} {where}."
        if role in ("winner", "best so far"):
            # Where fresh seeds have chosen, another one may have been first in the search.
            one = "the best" if metrics["retrained"] is None else "one of the best"
            told += f" That made it {one} of many noisy scores: expect less on new data."
        lines.append(told)
    if (again := metrics["retrained"]) is not None:
        spread = f" ± {deviation(again['spread'])} (standard deviation)" if again["spread"] is not None else ""
        seeds = plural(again["seeds"], "fresh seed")
        lines.append(f"- Trained again: {objective} {score(again['mean'])}{spread} over {seeds}.")
    if (final := metrics["final"]) is not None:
        measured = {name: value for name, value in final["metrics"].items() if value is not None}
        values = ", ".join(f"{_text(name)} {score(value)}" for name, value in measured.items())
        if final["part"] == "test":
            rows = f"{final['rows']:,} rows that nothing was chosen by"
            lines.append(f"- On the test part, {rows}, measured once: {values}.")
        else:
            lines.append(
                f"- On the {_text(final['part'])} rows ({final['rows']:,}), which also chose it: {values}. "
                "There is no test part, so the score on new data is unknown."
            )
    else:
        lines.append("- These weights have not been measured on the test part.")
    return lines


def _guesses(described: Mapping[str, Any]) -> list[str]:
    """What a model that knows no inputs reaches."""
    guess = (described["data"].get("understood") or {}).get("guess") or {"scores": {}}
    return [
        f"- Without a model: {_text(guess['what'])} scores "
        f"{', '.join(f'{name} {score(value)}' for name, value in scores.items())} on the {_text(part)} rows."
        for part, scores in guess["scores"].items()
    ]


def _limits(described: Mapping[str, Any]) -> list[str]:
    lines = [
        "- The scores hold for rows like those of the data above; nothing is known about others.",
        "- It carries no optimizer and no loss: compile it before training on.",
    ]
    if described["output"]["kind"] != "values":
        lines.append(
            "- The confidence is the model's own and not calibrated; every input gets one of its classes, "
            "whatever it shows."
        )
    return lines


def _files(described: Mapping[str, Any]) -> list[str]:
    lines = ["| file | bytes | largest difference to the model in memory | SHA-256 |", "|---|---:|---:|---|"]
    for file in described["files"]:
        check = file["verification"]
        lines.append(f"| {file['file']} | {file['bytes']:,} | {check['difference']:.2g} | `{file['sha256']}` |")
    lost = [
        f"- {_text(file['file'])} is rounded: {_text(cost['measure'])} {score(cost['file'])} on {cost['rows']:,} "
        f"{_text(cost['part'])} rows, that of the model in memory is {score(cost['model'])}."
        for file in described["files"]
        if (cost := file.get("rounding")) is not None
    ]
    failed = [f"- {failure['format']} is not here: {_text(failure['reason'])}" for failure in described["failed"]]
    checked = described["verification"]
    return [
        f"Each file was loaded again in a fresh process and predicted {checked['rows']} {_text(checked['source'])}.",
        "",
        *lines,
        *(["", *lost] if lost else []),
        *(["", *failed] if failed else []),
    ]


def _loading(described: Mapping[str, Any]) -> list[str]:
    shape = ", ".join(map(str, described["input"]["input_shape"]))
    several = described["input"].get("inputs")
    named = [
        f"{_text(piece['name'])} ({', '.join(map(str, ('n', *piece['shape'])))}) {piece['dtype']}"
        for piece in (several or {"pieces": ()})["pieces"]
    ]
    by_name = [
        "named = rows" if several and several["named"] else 'named = {f"input_{i}": x for i, x in enumerate(rows)}'
    ]
    lines = [
        f"`rows` is a {'dict' if several['named'] else 'list'} of NumPy arrays: {', '.join(named)}."
        if several
        else f"`rows` is a NumPy array of shape (n, {shape}), raw values as {described['input']['dtype']}.",
        f"With Nightshift installed, `run-search predict {described['files'][0]['file']} FILE...` reads "
        + (".npz files with these arrays." if several else "images and tables by itself."),
    ]
    dtype = described["dtypes"][0]
    answers = len(described["output"].get("parts") or ())
    for file in described["files"]:
        kind = file["format"]
        code = [line.replace("float32", dtype) for line in _CODE[kind]]
        if several and kind in _OF_SEVERAL:
            code = [*by_name, *_OF_SEVERAL[kind]]
        elif answers > 1 and kind in _OF_SEVERAL:
            code = [line.replace("named[name]", "rows") for line in _OF_SEVERAL[kind]]
        lines += ["", "```python", *code, "```"]
    return lines


def _serving(bundle: Mapping[str, Any]) -> list[str]:
    taken = {
        "image": "`image`: the bytes of JPEG or PNG files, of any size, as strings of shape (n,)",
        "columns": "the columns of the table, each of shape (n,): numbers as float32, NaN where there is none; all "
        "others as strings, empty where there is none, dates as 2027-01-31 or 2027-01-31 12:30:00",
        "rows": "`rows`: raw rows as float32",
    }[bundle["takes"]]
    lines = [
        f"The folder `serve` is a SavedModel; `serving_default` takes {taken}. It answers "
        f"{', '.join(f'`{name}`' for name in bundle['outputs'])}.",
        "",
    ]
    if bundle["takes"] == "columns":
        lines += ["| input | type | column |", "|---|---|---|"]
        lines += [f"| {i['name']} | {i['type']} | {_text(i['column'])} |" for i in bundle["inputs"]]
        lines += [""]
    lines += [
        "TensorFlow Serving takes it as version 1 of a model: "
        '`docker run -p 8501:8501 -v "$PWD/serve:/models/model/1" tensorflow/serving`.',
        "",
        "Plain scripts without Nightshift, which read the files beside the folder; each was run on "
        f"{bundle['verification']['rows']} rows and said what the model says:",
        "",
        *(f"- `python serve/{_text(name)} FILE...` ({_text(format)})" for format, name in bundle["scripts"].items()),
    ]
    if bundle["takes"] == "columns":
        lines += ["", "They read plain CSV: commas, decimal points, dates as above."]
    return lines


# Files that know inputs and outputs by name; what is not here takes `rows` and answers as Keras does.
_OF_SEVERAL = {
    "savedmodel": [
        "import tensorflow as tf",
        'model = tf.saved_model.load("savedmodel")',
        'serve = model.signatures["serving_default"]',
        "specs = serve.structured_input_signature[1]",
        "serve(**{name: tf.cast(named[name], specs[name].dtype) for name in specs})",
    ],
    "onnx": [
        "import onnxruntime",
        'session = onnxruntime.InferenceSession("model.onnx")',
        "types = {one.name: one.type[7:-1] for one in session.get_inputs()}",
        'types = {name: "float32" if kind == "float" else kind for name, kind in types.items()}',
        "session.run(None, {name: named[name].astype(types[name]) for name in types})",
    ],
    "tflite": [
        "from ai_edge_litert.interpreter import Interpreter  # or tf.lite.Interpreter",
        'run = Interpreter("model.tflite").get_signature_runner()',
        "given = run.get_input_details()",
        'run(**{name: named[name].astype(given[name]["dtype"]) for name in given})',
    ],
}
_CODE: dict[str, list[str]] = {
    "keras": ["import keras", 'keras.saving.load_model("model.keras").predict(rows)'],
    "h5": ["import keras", 'keras.saving.load_model("model.h5").predict(rows)'],
    "savedmodel": [
        "import tensorflow as tf",
        'model = tf.saved_model.load("savedmodel")',
        "model.serve(tf.cast(rows, tf.float32)).numpy()",
    ],
    "onnx": [
        "import onnxruntime",
        'session = onnxruntime.InferenceSession("model.onnx")',
        'session.run(None, {session.get_inputs()[0].name: rows.astype("float32")})[0]',
    ],
    "tflite": [
        "from ai_edge_litert.interpreter import Interpreter  # or tf.lite.Interpreter",
        'interpreter = Interpreter("model.tflite")',
        "given, taken = interpreter.get_input_details()[0], interpreter.get_output_details()[0]",
        'interpreter.resize_tensor_input(given["index"], rows.shape)',
        "interpreter.allocate_tensors()",
        'interpreter.set_tensor(given["index"], rows.astype("float32"))',
        "interpreter.invoke()",
        'interpreter.get_tensor(taken["index"])',
    ],
}


for _rounded in ("float16", "int8"):
    _CODE[f"tflite-{_rounded}"] = [line.replace("model.tflite", f"model-{_rounded}.tflite") for line in _CODE["tflite"]]


def _text(value: Any) -> str:
    return markdown_escape(str(value))
