"""A pretrained network trains as the plain way does, however much of it is computed only once."""

from __future__ import annotations

import errno
import io
import os
from dataclasses import replace

import numpy as np
import pytest

import spaces
from search.clock import SystemClock
from search.files import checkpoint as checkpoints
from search.record.trial import Stop, TrialJob
from tests import backbones
from tests.search import small

pytestmark = pytest.mark.usefixtures("tensorflow")


def test_features_have_all_their_room_before_anything_is_written(tmp_path, monkeypatch):
    from search.training import features

    def batches():
        yield {"average": np.ones((2, 3), np.float32)}
        assert os.stat(tmp_path / "f.part").st_blocks * 512 >= 4 * 3 * 100_000
        yield {"average": np.ones((2, 3), np.float32)}

    places = {"average": tmp_path / "f.npy"}
    features._write(places, 100_000, batches())
    assert np.load(places["average"]).sum() == 12
    (tmp_path / "f.npy").unlink()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        features._write(places, 100_000, batches())
    assert list(tmp_path.iterdir()) == []


def test_features_that_are_cut_off_or_of_other_rows_are_computed_again(tmp_path):
    from search.training.features import Features

    place, computed = tmp_path / "features" / "vectors" / "train.npy", []

    def compute(_):
        computed.append(place.exists())
        yield {"average": np.ones((2, 3), np.float32)}

    def required():
        Features(tmp_path, None, None)._require({"average": place}, 2, compute, lambda: None)
        return place.read_bytes()

    whole = required()
    assert required() == whole
    assert computed == [False]
    others = io.BytesIO()
    np.save(others, np.ones((3, 3), np.float32))
    for damaged in (b"", whole[:20], whole[:-4], whole.replace(b"}", b" "), others.getvalue()):
        place.write_bytes(damaged)
        assert required() == whole
    assert computed == [False, *[True] * 5]


@pytest.fixture
def make(tmp_path):
    """Gives a trainer in a run directory, and a job."""

    def made(run="run", model=None, training=None, **changes):
        from search.training.trainer import Trainer

        spec = spaces.load(backbones.space(tmp_path, model, training=training or {}))
        settings = spaces.configure(spec, {"pooling": "average"})
        job = TrialJob(
            **{
                "trial_id": "0",
                "settings": settings.to_json(),
                "seed": 7,
                "objective": "val_accuracy",
                "direction": "max",
                "epochs_from": 0,
                "epochs_to": 4,
                "keep": ("best", "state", "last"),
                **changes,
            }
        )
        data = spaces.load_data(spec)
        return Trainer(tmp_path / run, data, SystemClock()), job, settings, data

    return made


def plainly(settings, data, seed, epochs, frozen):
    """The curve and the weights of the whole network, trained image by image: the backbone frozen, then thawed."""
    from search.training.engine import Engine, Rows
    from spaces.backbones import cutting
    from spaces.models.model import build_model, compile_model

    train, validation = Rows(data.train), Rows(data.validation)
    model = build_model(settings, data.info, seed)
    backbone = next(layer for layer in model.layers if layer.name == "small")
    count, curve = cutting.trained(backbone, settings.model["fine_tune"]), []

    def phase(thawed, rate, first, last):
        cutting.thaw(backbone, thawed)
        training = replace(settings.training, learning_rate=settings.training.learning_rate * rate)
        compile_model(model, replace(settings, training=training), data.info)
        engine = Engine(model, seed, settings.training.batch_size)
        engine.prepare(train)
        for epoch in range(first, last + 1):
            metrics = engine.train_epoch(train, epoch)
            curve.append({**metrics, **{f"val_{name}": v for name, v in engine.evaluate(validation).items()}})

    phase(0, 1.0, 1, frozen)
    phase(count, settings.training.fine_tune_rate, frozen + 1, epochs)
    return curve, model


@pytest.mark.parametrize(
    "fine_tune",
    [pytest.param(0.5, id="from a cut on"), pytest.param(1.0, id="the whole backbone", marks=pytest.mark.night)],
)
def test_both_phases_give_the_numbers_of_the_plain_way(make, fine_tune):
    from spaces.models.model import build_model, set_weights

    trainer, job, settings, data = make(model={"fine_tune": fine_tune, "dropout": 0.0})
    outcome = trainer.train(job)
    assert outcome.failure is None, outcome.failure
    curve, plain = plainly(settings, data, 7, 4, 2)
    for epoch, expected in zip(outcome.epochs, curve, strict=True):
        for name, value in expected.items():
            assert epoch.metrics[name] == pytest.approx(value, abs=1e-4), (epoch.number, name)
    rebuilt = build_model(settings, data.info)
    set_weights(rebuilt, checkpoints.read(trainer._run, outcome.last)["weights"])
    for ours, theirs in zip(rebuilt.weights, plain.weights, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-3, err_msg=ours.path)


@pytest.mark.night
def test_batch_normalization_of_the_backbone_never_changes(make):
    trainer, job, settings, data = make(model={"fine_tune": 1.0})
    outcome = trainer.train(job)
    from spaces.models.model import build_model, set_weights

    fresh, trained = build_model(settings, data.info), build_model(settings, data.info)
    set_weights(trained, checkpoints.read(trainer._run, outcome.last)["weights"])
    changed = {
        before.path.split("/")[-2]
        for before, after in zip(fresh.weights, trained.weights, strict=True)
        if before.numpy().tobytes() != after.numpy().tobytes()
    }
    assert changed >= {"convolution_0", "convolution_1", "convolution_2", "dense_0", "output"}
    assert not any(name.startswith("normalization") for name in changed)


@pytest.mark.parametrize(
    "augmentation",
    [
        pytest.param(None, id="the rows as they are"),
        pytest.param({"flip": "horizontal"}, id="changed copies", marks=pytest.mark.night),
    ],
)
def test_a_training_paused_in_either_phase_goes_on_bit_for_bit(make, augmentation):
    model = {"augmentation": augmentation, "augmentation_copies": 3} if augmentation else {}
    trainer, job, *_ = make("whole", model, keep=("best", "state", "last"))
    whole = trainer.train(job)
    for pause in (1, 2, 3):
        first_trainer, first_job, *_ = make(f"first-{pause}", model, epochs_to=pause)
        first = first_trainer.train(first_job)
        rest_trainer, rest_job, *_ = make(
            f"first-{pause}",
            model,
            trial_id="1",
            epochs_from=pause,
            history=first.epochs,
            resume=first.state,
            best=first.best,
        )
        rest = rest_trainer.train(rest_job)
        assert small.curve(first) + small.curve(rest) == small.curve(whole), pause
        for kind in ("state", "last", "best"):
            small.assert_same_arrays(
                checkpoints.read(trainer._run, getattr(whole, kind)),
                checkpoints.read(rest_trainer._run, getattr(rest, kind)),
            )


def test_while_the_backbone_is_frozen_only_the_head_is_kept(make):
    trainer, job, settings, data = make(epochs_to=2)
    outcome = trainer.train(job)
    kept = checkpoints.read(trainer._run, outcome.best)["weights"]
    assert [array.shape for array in kept] == [(8, 8), (8,), (8, 3), (3,)]
    assert outcome.parameters == spaces.count_parameters(settings, data.info) > sum(array.size for array in kept)


def test_where_all_epochs_are_frozen_a_training_with_a_schedule_is_that_of_the_head_alone(make):
    trainer, job, settings, _ = make()
    frozen = replace(settings, training=replace(settings.training, schedule="linear", frozen_epochs=9))
    head = replace(frozen, model={**settings.model, "fine_tune": 0.0})
    curves = [
        small.curve(trainer.train(replace(job, trial_id=str(number), settings=one.to_json())))
        for number, one in enumerate((frozen, head))
    ]
    assert len(curves[0]) == 4
    assert curves[0] == curves[1]


def test_features_are_computed_once_for_all_trainers_of_a_run(make, monkeypatch):
    from search.training import features

    passes = []
    through = features._through
    monkeypatch.setattr(features, "_through", lambda *a: passes.append(a[1].part) or through(*a))
    for name in ("0", "1"):
        trainer, job, *_ = make(trial_id=name)
        # Both phases, of both.
        assert trainer.train(job).failure is None
        assert trainer.train(replace(job, trial_id=f"{name}-again", seed=8)).failure is None
    assert sorted(passes) == ["train", "validation"]


@pytest.mark.night
def test_copies_take_turns_and_differ(make):
    trainer, job, settings, _ = make(model={"augmentation": {"flip": "horizontal"}, "augmentation_copies": 2})
    assert trainer.train(replace(job, epochs_to=1)).failure is None
    rows = trainer._part("train")
    copies = trainer._features.copies(settings, rows, lambda: None)
    plain = trainer._features.pooled(settings, rows, lambda: None)
    values = [copy.x.numpy() for copy in (*copies, plain)]
    assert len(values) == 3
    assert not np.array_equal(values[0], values[1])
    assert not np.array_equal(values[0], values[2])


def test_somebody_who_asks_to_stop_need_not_wait_for_the_features(make):
    trainer, job, *_ = make()
    outcome = trainer.train(job, should_stop=lambda: Stop.INTERRUPTED)
    assert outcome.stopped is Stop.INTERRUPTED
    assert outcome.epochs == ()
    assert trainer.train(replace(job, trial_id="1")).failure is None


def test_what_is_stopped_before_its_second_phase_goes_on_from_there(make, monkeypatch):
    from search.training import features

    trainer, job, settings, _ = make()
    # What the head sees is there by then; what passes the cut is not.
    head = replace(settings, model={**settings.model, "fine_tune": 0.0})
    assert trainer.train(replace(job, trial_id="head", settings=head.to_json(), epochs_to=1)).failure is None
    computing, through = [], features._through
    monkeypatch.setattr(features, "_through", lambda *a: computing.append(a) or through(*a))
    first = trainer.train(job, should_stop=lambda: Stop.INTERRUPTED if computing else None)
    assert (first.stopped, len(first.epochs)) == (Stop.INTERRUPTED, 2)
    assert first.state is not None
    assert first.state.epoch == 2
    onwards = {"epochs_from": 2, "history": first.epochs, "resume": first.state, "best": first.best}
    rest = trainer.train(replace(job, trial_id="1", **onwards))
    whole = trainer.train(replace(job, trial_id="2"))
    assert small.curve(first) + small.curve(rest) == small.curve(whole)


def test_a_policy_that_is_set_for_all_layers_is_none_of_what_is_timed(make, monkeypatch):
    import keras

    from search.executors import timing
    from spaces.outside.backend import policy_kept

    _, _, settings, data = make()
    monkeypatch.setattr(timing, "_of_both_phases", lambda *_: keras.config.dtype_policy().name)
    with policy_kept():
        keras.config.set_dtype_policy("mixed_float16")
        assert timing.measure(settings, data) == "float32"
        assert keras.config.dtype_policy().name == "mixed_float16"


@pytest.mark.night
def test_a_winner_trained_on_all_rows_takes_up_the_features_of_the_parts(make, monkeypatch):
    trainer, job, *_ = make(epochs_to=2)
    assert trainer.train(job).failure is None
    from search.training import features

    monkeypatch.setattr(features, "_through", lambda *_: pytest.fail("computed again"))
    outcome = trainer.train(replace(job, trial_id="winner", data="train+validation", keep=("last",)))
    assert outcome.failure is None, outcome.failure


def test_a_final_model_is_measured_in_one_pass_with_the_numbers_of_evaluating_it(make):
    from search.phases.evaluation import _measured
    from search.training.engines import engines

    *_, settings, data = make(model={"l2": 0.01}, training={"label_smoothing": 0.1})
    rows = engines().rows(data.test)
    engine = engines().fresh(settings.trained(), data.info, seed=1)
    engine.prepare(rows)
    found = _measured(engine, rows, engine.predict(rows), settings.trained(), data.info)
    expected = engine.evaluate(rows)
    assert found == pytest.approx(expected, rel=1e-4)


def test_every_fold_has_features_of_its_own(tmp_path):
    from search.training.feature_files import expected_bytes

    once = spaces.load(backbones.space(tmp_path))
    folded = spaces.load(backbones.space(tmp_path, data={"validation": {"folds": 3}}))
    data = spaces.load_data(once)
    assert expected_bytes(folded, data) == (3 + 1) * expected_bytes(once, data) > 0
