from __future__ import annotations

import contextlib
import errno
from dataclasses import replace
from types import SimpleNamespace

import pytest

import spaces
from search import api
from search.budget import Budget
from search.errors import RunError
from search.files import layout
from search.files.checked.agreement import require_agreement
from search.files.rundir import Run
from search.files.store import RunReader, RunStore
from search.night.session import Options, Session
from search.phases.fork import take_over
from search.phases.searching import Searching
from search.phases.sources import SearchSource
from search.record.configuration import configurations, ranked
from search.record.trial import Checkpoint, FailureReason, Stop, TrialKind, TrialState
from spaces.specs.plain import to_plain
from spaces.values.metrics import REGRESSION_LOSSES
from tests.search import simulation
from tests.search.listening import Listener
from tests.search.records import epoch, failed, outcome, settings, training, trial
from tests.search.test_door import DATA

SPEC = spaces.load("digits")
FACTS = {"data": DATA, "objective": {"name": "val_accuracy", "direction": "max"}}


@pytest.fixture
def old(tmp_path):
    """A run with a promoted configuration, a failed one, an unfinished one and a baseline."""
    with RunStore.create(tmp_path / "old", FACTS) as store:
        store.begin(trial("0"))
        (tmp_path / "old/trials/0").mkdir(parents=True)
        (tmp_path / "old/trials/0/best.npz").write_bytes(b"weights")
        best = Checkpoint("trials/0/best.npz", 7, "00", 1)
        store.finish("0", outcome([0.5], best=best, state=best), 1.0)
        store.begin(trial("1", configuration="0", parent="0", epochs_from=1))
        store.finish("1", outcome([0.7], first=2), 2.0)
        store.begin(trial("2"))
        store.finish("2", failed(), 3.0)
        store.begin(trial("3"))
        store.begin(trial("b", TrialKind.BASELINE, name="article"))
        store.finish("b", outcome([0.6]), 4.0)
    return Run(tmp_path / "old")


def test_finished_trials_are_evidence_with_their_curves_and_best_weights(tmp_path, old):
    with RunStore.create(tmp_path / "new", FACTS) as store:
        assert take_over(old, store, SPEC) == 2
        trials = store.trials()
        assert [(t.id, t.kind, t.state) for t in trials] == [
            ("old-0", TrialKind.EVIDENCE, TrialState.COMPLETED), ("old-1", TrialKind.EVIDENCE, TrialState.COMPLETED),
        ]  # fmt: skip
        (found,) = ranked(configurations(trials), "max")
        assert (found.id, found.score, [e.number for e in found.epochs]) == ("old-0", 0.7, [1, 2])
        copied = trials[0].outcome.best
        assert (tmp_path / "new" / copied.file).read_bytes() == b"weights"
        assert trials[0].outcome.state is None


def test_weights_of_rows_that_were_prepared_otherwise_are_left_where_they_are(tmp_path, old):
    data = {**DATA, "info": {**DATA["info"], "scale": 1 / 16}}
    with RunStore.create(tmp_path / "new", {**FACTS, "data": data}) as store:
        assert take_over(old, store, SPEC) == 2
        assert [(t.outcome.score, t.outcome.best) for t in store.trials()] == [(0.5, None), (0.7, None)]


def test_weights_of_a_run_that_noted_less_of_the_same_rows_are_taken_over(tmp_path, old):
    data = {**DATA, "info": {**DATA["info"], "label_values": [0, 1], "label_dtype": "int64", "antialias": True}}
    with RunStore.create(tmp_path / "new", {**FACTS, "data": data}) as store:
        assert take_over(old, store, SPEC) == 2
        assert (tmp_path / "new" / store.trials()[0].outcome.best.file).read_bytes() == b"weights"


@pytest.mark.parametrize(("digest", "kept"), [("0a", True), ("0b", False)])
def test_weights_are_of_the_code_that_built_their_model(tmp_path, old, digest, kept):
    with RunStore(old.directory) as store:
        store.put_meta(sources={"/mine.py": "0a"})
    with RunStore.create(tmp_path / "new", {**FACTS, "sources": {"/mine.py": digest}}) as store:
        assert take_over(old, store, SPEC) == 2
        assert (store.trials()[0].outcome.best is not None) is kept


@pytest.mark.parametrize(
    ("theirs", "ours", "alike"),
    [("mse", "mae", False), ("auto", "mae", False), ("auto", "mse", True), ("auto", "categorical_crossentropy", True)],
)
def test_a_loss_says_nothing_of_another_one(tmp_path, theirs, ours, alike):
    facts = {**FACTS, "objective": {"name": "val_loss", "direction": "min"}}
    with RunStore.create(tmp_path / "old", facts) as store:
        store.begin(trial("0", settings=settings(loss=theirs)))
        store.finish("0", replace(outcome([0.5]), epochs=(epoch(1, val_loss=0.5),)), 1.0)
    metric = "mae" if ours in REGRESSION_LOSSES else "accuracy"
    asked = ["search.objective=val_loss", f"training.loss={ours}", f"training.metrics=[{metric}]"]
    with RunStore.create(tmp_path / "new", facts) as store:
        refused = pytest.raises(RunError, match="old: has another loss; its val_loss says nothing about that of this")
        with contextlib.nullcontext() if alike else refused:
            assert take_over(Run(tmp_path / "old"), store, spaces.load(SPEC, asked)) == 1
    warm = spaces.load(simulation.space("freeze-thaw"), [*asked, f"search.warm_start=[{tmp_path / 'old'}]"])
    taught, observer = [], Listener()
    with RunStore.create(tmp_path / "warm", facts) as store:
        learner = SimpleNamespace(learn=lambda values, epochs: taught.append(len(epochs)))
        Searching(warm, store, Budget(), observer)._teach(learner)
    assert taught == [1] * alike
    left_out = "the search learns nothing from 1 of 1 configurations of other runs: their val_loss is another loss"
    assert observer.texts == [left_out] * (not alike)


def test_what_had_no_epoch_before_the_time_was_up_is_no_evidence(tmp_path, old):
    with RunStore(tmp_path / "old") as store:
        store.begin(trial("4"))
        store.finish("4", outcome([], stopped=Stop.DEADLINE), 5.0)
        store.begin(trial("5", configuration="0", parent="1", epochs_from=2))
        store.finish("5", outcome([], stopped=Stop.DEADLINE), 6.0)
    with RunStore.create(tmp_path / "new", FACTS) as store:
        assert take_over(old, store, SPEC) == 3
        assert [t.id for t in store.trials()] == ["old-0", "old-1", "old-5"]


def test_the_old_run_stays_as_it_is(tmp_path, old):
    with old.read() as reader:
        before = reader.trials()
    with RunStore.create(tmp_path / "new", FACTS) as store:
        take_over(old, store, SPEC)
    with old.read() as reader:
        assert reader.trials() == before


@pytest.mark.parametrize(
    ("fact", "value"),
    [("data", {**DATA, "fingerprint": "xyz"}), ("objective", {"name": "val_loss", "direction": "min"})],
)
def test_scores_that_cannot_be_compared_are_refused(tmp_path, old, fact, value):
    with RunStore.create(tmp_path / "new", {**FACTS, fact: value}) as store:
        with pytest.raises(RunError, match=f"has another {fact}"):
            take_over(old, store, SPEC)
        assert store.trials() == []


def test_a_fork_of_a_fork_keeps_both_runs_apart(tmp_path, old):
    with RunStore.create(tmp_path / "new", FACTS) as store:
        take_over(old, store, SPEC)
        store.begin(trial("0"))
        store.finish("0", outcome([0.9]), 5.0)
    with RunStore.create(tmp_path / "third", FACTS) as store:
        assert take_over(Run(tmp_path / "new"), store, SPEC) == 3
        found = ranked(configurations(store.trials()), "max")
        assert [(c.id, c.score, len(c.epochs)) for c in found] == [("old-0", 0.9, 1), ("old-old-0", 0.7, 2)]
        copied = store.trial("old-old-0").outcome.best
        assert (tmp_path / "third" / copied.file).read_bytes() == b"weights"


def test_weights_that_a_search_deletes_meanwhile_are_not_taken_over(tmp_path, old, monkeypatch):
    def deleted(source, target):
        source.unlink()
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(source))

    monkeypatch.setattr("search.phases.fork.shutil.copyfile", deleted)
    with RunStore.create(tmp_path / "new", FACTS) as store:
        assert take_over(old, store, SPEC) == 2
        assert [(t.outcome.score, t.outcome.best) for t in store.trials()] == [(0.5, None), (0.7, None)]


def test_a_fork_is_told_of_files_that_are_others_by_now(tmp_path, old):
    (tmp_path / "mine.py").write_text("def build(hp): ...\n")
    reference = f"{tmp_path / 'mine.py'}:build"
    spec = spaces.load({**to_plain(SPEC), "model": {"family": {"python": reference}}, "baselines": []})
    with RunStore(old.directory) as store:
        store.put_meta(files={"/b/net.keras": "0a"}, sources={str(tmp_path / "mine.py"): "0a", "/elsewhere.py": "0a"})
    with RunStore.create(tmp_path / "new", {**FACTS, "files": {"/b/net.keras": "0b"}}) as store:
        with pytest.raises(RunError, match=r"old: /b/net\.keras: is not the file that its models are made of"):
            take_over(old, store, SPEC)
        store.put_meta(files={"/b/net.keras": "0a"})
        take_over(old, store, SPEC)
        told = Listener()
        Session(tmp_path / "new", spec, Options(fork=old))._tell_origin(store, told)
    assert told.texts[0] == f"2 finished trials taken over from {old.directory}"
    assert [text.split(": ")[1].split(" since")[0] for text in told.warnings] == [f"{tmp_path / 'mine.py'} has changed"]


def test_a_kill_in_the_middle_of_a_fork_leaves_no_run(tmp_path, old, monkeypatch):
    class Killed(BaseException):
        pass

    finish, count = RunStore.finish, []

    def die_at_the_second(store, *arguments):
        count.append(None)
        if len(count) == 2:
            raise Killed
        finish(store, *arguments)

    monkeypatch.setattr(RunStore, "finish", die_at_the_second)
    with pytest.raises(Killed):
        RunStore.create(tmp_path / "new", FACTS, lambda store: take_over(old, store, SPEC))
    assert not layout.is_run(tmp_path / "new")
    assert layout.in_the_way(tmp_path / "new") == [], "it can be begun again"
    monkeypatch.undo()
    with RunStore.create(tmp_path / "new", FACTS, lambda store: take_over(old, store, SPEC)) as store:
        assert [t.id for t in store.trials()] == ["old-0", "old-1"]
    assert not list((tmp_path / "new").glob("run.making*"))


@pytest.mark.parametrize("there", ["nothing", "its fork", "its fork without trials", "another run"])
def test_the_command_of_a_fork_goes_on_with_that_fork_and_no_other_run(tmp_path, old, monkeypatch, there):
    monkeypatch.setattr(api, "_go", lambda directory, *_: directory)
    if there != "nothing":
        with RunStore.create(tmp_path / "new", {**FACTS, "phase": "search"}) as store:
            if there == "its fork":
                take_over(old, store, SPEC)
            elif there == "its fork without trials":
                # As of a run in which none has come to its end yet.
                with monkeypatch.context() as patch:
                    patch.setattr(RunReader, "trials", lambda *_: [])
                    assert take_over(old, store, SPEC) == 0
            store.begin(trial("0"))
    refused = pytest.raises(
        RunError, match=r"new: holds a run already, which has taken over nothing from .*old; choose"
    )
    with refused if there == "another run" else contextlib.nullcontext():
        assert api.run(SPEC, run_dir=old.directory, fork=tmp_path / "new", workers=0) == tmp_path / "new"


def watched_by(callbacks: str | None, *metrics: str) -> spaces.SearchSpec:
    space = to_plain(SPEC)
    return spaces.load({**space, "training": {**space["training"], "callbacks": callbacks, "metrics": list(metrics)}})


@pytest.mark.parametrize("callbacks", [None, "new:callbacks", "__given__:callbacks_1"])
def test_a_fork_whose_callbacks_and_measures_are_others_can_be_gone_on_with(tmp_path, callbacks):
    metrics = ["accuracy", "old:cost", "both:gain"]
    before = {**settings(), "training": training(metrics=metrics, callbacks="old:callbacks")}
    with RunStore.create(tmp_path / "old", FACTS) as store:
        store.begin(trial("0", settings=before))
        store.finish("0", outcome([0.5]), 1.0)
    spec = watched_by(callbacks, "accuracy", "both:gain", "new:loss_of_a_day")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / layout.SPACE).write_text(spaces.dump(spec), encoding="utf-8")
    with RunStore.create(tmp_path / "new", FACTS) as store:
        assert take_over(Run(tmp_path / "old"), store, spec) == 1
        (found,) = store.trials()
    assert found.settings["training"]["callbacks"] == (callbacks or "")
    assert found.settings["training"]["metrics"] == ["accuracy", "both:gain"]
    require_agreement(Run(tmp_path / "new"), [found])


def test_curves_of_schedules_of_another_length_are_ranked_and_say_nothing_to_the_search(tmp_path):
    """After 12 epochs the rate is at its end in a schedule of 12, and not in one of 40."""
    lengths = {"short": 12, "same": 40, "long": 60}
    earlier = {name: settings(schedule="cosine", epochs=epochs) for name, epochs in lengths.items()}
    earlier["constant"] = settings(epochs=12)
    earlier["folded"] = settings(schedule="linear", epochs=5, folds=5, fold_epochs=12)
    earlier["folded same"] = settings(schedule="linear", epochs=5, folds=5, fold_epochs=40)
    spec = simulation.space("freeze-thaw", epochs={"min": 1, "max": 40})
    learns_nothing = "the search learns nothing from {} of 6 configurations of other runs: {}".format
    length = "their learning rates went to their ends over other numbers of epochs"
    taught, observer = [], Listener()
    with RunStore.create(tmp_path / "new", FACTS) as store:
        for name, made in earlier.items():
            store.begin(trial(f"old-{name}", TrialKind.EVIDENCE, values={"layers": name}, settings=made))
            store.finish(f"old-{name}", outcome([0.5]), 1.0)
        searching = Searching(spec, store, Budget(), observer)
        searching._teach(SimpleNamespace(learn=lambda values, _: taught.append(values["layers"])))
        assert {c.id for c in searching.scored} == {f"old-{name}" for name in earlier}
        assert taught == ["same", "constant"]
        assert observer.texts == [learns_nothing(2, "they were cross-validated"), learns_nothing(2, length)]
        # An epoch of a curve is another thing than a fold.
        folded = spaces.load(spec, ["data.validation.folds=5"])
        Searching(folded, store, Budget(), observer)._teach(
            SimpleNamespace(learn=lambda values, _: taught.append(values["layers"]))
        )
    assert taught[2:] == ["folded same"]
    assert observer.texts[2:] == [learns_nothing(4, "they were not cross-validated"), learns_nothing(1, length)]


def test_what_an_earlier_run_had_fixed_is_learnt_where_it_is_searched_now(tmp_path):
    spec = simulation.space("freeze-thaw")
    fixed = {"model.units": {"shared": [16, 32]}, "model.dropout": 0.2, "training.optimizer": "sgd"}
    earlier = spaces.load(spec, {**fixed, "training.momentum": 0.9})
    found = spaces.configure(earlier, {"layers": 2, "units": 32})
    taught = []
    with RunStore.create(tmp_path / "new", FACTS) as store:
        store.begin(trial("old-0", TrialKind.EVIDENCE, values=found.values, settings=found.to_json()))
        store.finish("old-0", outcome([0.5]), 1.0)
        learner = SimpleNamespace(learn=lambda values, _: taught.append(values))
        Searching(spec, store, Budget(), Listener())._teach(learner)
    fixed_there = {"units_0": 32, "units_1": 32, "dropout": 0.2, "optimizer": "sgd", "momentum": 0.9}
    assert taught == [{"layers": 2, "units": 32, **fixed_there}]


def test_a_search_says_that_it_learns_nothing_from_runs_without_its_objective(tmp_path):
    with RunStore.create(tmp_path / "old", FACTS) as store:
        store.begin(trial("0"))
        store.finish("0", outcome([0.5]), 1.0)
        store.begin(trial("1"))
        store.finish("1", failed(), 2.0)
    wanted = [f"search.warm_start=[{tmp_path / 'old'}]", "search.objective=val_f1", "training.metrics=[f1]"]
    spec = spaces.load(simulation.space("freeze-thaw"), wanted)
    taught, observer = [], Listener()
    with RunStore.create(tmp_path / "new", FACTS) as store:
        learner = SimpleNamespace(learn=lambda values, epochs: taught.append(len(epochs)))
        Searching(spec, store, Budget(), observer)._teach(learner)
    assert taught == [0]
    assert observer.texts == [
        "the search learns nothing from 1 of 2 configurations of other runs: they were trained without val_f1"
    ]


def test_what_failed_because_of_its_values_is_no_good_example(tmp_path):
    diverged = replace(failed(), epochs=outcome([0.9]).epochs)
    crashed = replace(failed(FailureReason.CRASHED), epochs=outcome([0.8, 0.8]).epochs)
    with RunStore.create(tmp_path / "old", FACTS) as store:
        for name, made in (("0", outcome([0.5])), ("1", diverged), ("2", crashed)):
            store.begin(trial(name))
            store.finish(name, made, 1.0)
    spec = spaces.load(simulation.space("freeze-thaw"), [f"search.warm_start=[{tmp_path / 'old'}]"])
    taught = []
    learner = SimpleNamespace(learn=lambda values, epochs: taught.append(len(epochs)), state=lambda: None)
    with RunStore.create(tmp_path / "new", FACTS) as store:
        Searching(spec, store, Budget(), Listener())._teach(learner)
        source = SearchSource(spec, learner, store, simulation.SimulatedClock(), lambda: None, None)
        for made in (diverged, crashed):
            source._learnt(trial("baseline", TrialKind.BASELINE, name="baseline"), made)
    assert taught == [1, 0, 2, 0, 2]


def test_a_training_that_several_runs_have_is_learnt_once_and_as_far_as_it_came(tmp_path, old):
    spec = spaces.load(simulation.space("freeze-thaw"), [f"search.warm_start=[{old.directory}, {old.directory}]"])
    taught = []
    learner = SimpleNamespace(learn=lambda values, epochs: taught.append([e.metrics["val_accuracy"] for e in epochs]))
    with RunStore.create(tmp_path / "new", FACTS) as store:
        take_over(old, store, SPEC)
        with RunStore(old.directory) as earlier:
            earlier.begin(trial("4", configuration="0", parent="1", epochs_from=2))
            earlier.finish("4", outcome([0.8], first=3), 5.0)
            earlier.begin(trial("5", settings=settings(batch_size=17)))
            earlier.finish("5", outcome([0.5]), 6.0)
        Searching(spec, store, Budget(), Listener())._teach(learner)
    # What began alike may be another model.
    assert [curve for curve in taught if curve] == [[0.5, 0.7, 0.8], [0.6], [0.5]]


def damage(run):
    with RunStore.create(run, FACTS) as store:
        for name, made in (("0", settings()), ("1", {**settings(), "training": {}}), ("2", {})):
            store.begin(trial(name, settings=made))
            store.finish(name, outcome([0.5]), 1.0)


def test_a_trial_with_damaged_settings_is_no_evidence(tmp_path):
    damage(tmp_path / "old")
    with RunStore.create(tmp_path / "new", FACTS) as store:
        with pytest.raises(RunError, match=r"old: trial 1: its settings are not complete"):
            take_over(Run(tmp_path / "old"), store, SPEC)
        assert store.trials() == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"family": "python:/tmp/evil.py:build"}, r"/tmp/evil\.py:build"),
        ({"training": training(loss="evil:loss")}, "evil:loss"),
    ],
)
def test_code_that_only_another_run_names_is_not_taken_over(tmp_path, changes, code):
    with RunStore.create(tmp_path / "old", FACTS) as store:
        store.begin(trial("0"))
        store.finish("0", outcome([0.5]), 1.0)
        store.begin(trial("1", settings={**settings(), **changes}))
        store.finish("1", outcome([0.9]), 2.0)
    with RunStore.create(tmp_path / "new", FACTS) as store:
        with pytest.raises(RunError, match=f"old: trial 1: it runs {code}, which the space file does not name"):
            take_over(Run(tmp_path / "old"), store, SPEC)
        assert store.trials() == []


def test_a_search_learns_nothing_from_damaged_settings(tmp_path):
    damage(tmp_path / "old")
    spec = spaces.load(simulation.space("freeze-thaw"), [f"search.warm_start=[{tmp_path / 'old'}]"])
    taught, observer = [], Listener()
    with RunStore.create(tmp_path / "new", FACTS) as store:
        learner = SimpleNamespace(learn=lambda values, epochs: taught.append(values))
        Searching(spec, store, Budget(), observer)._teach(learner)
    assert len(taught) == 1
    assert observer.texts == [
        "the search learns nothing from 2 of 3 configurations of other runs: their settings cannot be read here"
    ]
