"""Backbones: which are known, what is refused and how it is said, and what the layers before them do."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest

import spaces
from spaces import DataError, DataInfo, SpaceError
from spaces.backbones.names import APPLICATIONS, NAMES
from spaces.families import FAMILIES
from tests import backbones


def problems(folder, model=None, **sections):
    with pytest.raises(SpaceError) as found:
        spaces.load(backbones.space(folder, model, **sections))
    return str(found.value)


def info(shape=(16, 16, 3), **changes):
    fields = {"kind": "image", "input_shape": shape, "dtype": "uint8", "task": "classification", "labels": "integer",
              "outputs": 3, "scale": 1 / 255, "white": 255.0}  # fmt: skip
    return DataInfo(**{**fields, **changes})


@pytest.fixture
def folder(tmp_path, tensorflow):
    backbones.photographs(tmp_path)
    backbones.saved(tmp_path)
    return tmp_path


class TestNames:
    def test_every_classification_network_of_keras_has_a_name(self, tensorflow):
        import keras

        functions = {name for name in dir(keras.applications) if name[0].isupper()}
        assert {application.function for application in APPLICATIONS.values()} == functions

    def test_an_unknown_name_is_answered_with_the_nearest_known_one(self, folder):
        assert "did you mean 'efficientnet-b0'?" in problems(folder, {"backbone": "efficient-net-b0"})
        assert "or a path ending in .keras" in problems(folder, {"backbone": "backbone.h5"})

    def test_a_path_is_meant_from_the_space_file(self, folder, monkeypatch):
        space = backbones.space(folder, {"backbone": ["small.keras", "mobilenet"]})
        (folder / "space.yaml").write_text(json.dumps(space), encoding="utf-8")
        monkeypatch.chdir("/")
        spec = spaces.load(folder / "space.yaml")
        assert spec.model.backbone.values == (str(folder / "small.keras"), "mobilenet")


class TestWhatHasNoEffect:
    def test_phases_of_other_families(self):
        with pytest.raises(SpaceError, match=r"frozen_epochs: has no effect: it needs family pretrained"):
            spaces.load("digits", ["training.frozen_epochs=2"])

    def test_fine_tuning_of_a_network_that_trains_from_scratch(self, folder):
        assert "needs weights other than none" in problems(folder, {"weights": "none"})

    def test_phases_without_fine_tuning(self, folder):
        assert "frozen_epochs: has no effect: it needs fine_tune above 0" in problems(folder, {"fine_tune": 0.0})

    @pytest.mark.parametrize(
        ("augmentation", "changes"),
        [
            ({}, False),
            ({"flip": "none"}, False),
            ({"flip": "none", "shift": 0, "rotation": 0.0}, False),
            ({"flip": ["none", "horizontal"]}, True),
            ({"flip": "none", "shift": {"min": 0, "max": 0.1}}, True),
            ({"cutout": {"value": 0.2, "when": {"dropout": 0.2}}}, True),
        ],
    )
    def test_copies_of_what_nothing_changes(self, augmentation, changes):
        section = {"family": "pretrained", "backbone": "mobilenet", "dropout": [0.1, 0.2]}
        model = {**section, "augmentation": augmentation, "augmentation_copies": 2}
        space = {"name": "x", "data": {"source": "flowers"}, "model": model, "training": {"epochs": 1}}
        if changes:
            assert spaces.load(space).model.augmentation_copies.value == 2
            return
        with pytest.raises(SpaceError, match="augmentation_copies: has no effect: it needs augmentation"):
            spaces.load(space)

    @pytest.mark.parametrize(
        ("epochs", "frozen", "said"),
        [
            (3, None, "all 3 epochs are frozen"),
            (1, 1, "the only epoch is frozen"),
            ([2, 4], {"min": 4, "max": 6}, "all 4 epochs are frozen"),
        ],
    )
    def test_fine_tuning_that_no_epoch_is_left_for(self, folder, epochs, frozen, said):
        for fine_tune in (0.5, [0.0, 0.5]):
            found = problems(folder, {"fine_tune": fine_tune}, training={"epochs": epochs, "frozen_epochs": frozen})
            assert found == f"model.fine_tune: has no effect: {said}"

    @pytest.mark.parametrize(
        ("epochs", "frozen"),
        [(4, None), ([2, 4], 3), (4, {"min": 3, "max": 9}), (4, {"value": 9, "when": {"pooling": "max"}})],
    )
    def test_fine_tuning_that_some_configuration_has_an_epoch_for_is_taken(self, folder, epochs, frozen):
        sections = {"epochs": epochs, "frozen_epochs": frozen}
        assert spaces.load(backbones.space(folder, training=sections)).model.fine_tune.value == 0.5

    @pytest.mark.parametrize("weights", ["imagenet", "none"])
    def test_numbers_that_a_backbone_does_not_compute_in(self, folder, weights, monkeypatch):
        message = "precision: has no effect: the backbone computes in float32"
        model = {"weights": weights, **({} if weights == "imagenet" else {"fine_tune": None})}
        phases = {} if weights == "imagenet" else {"frozen_epochs": None, "fine_tune_rate": None}
        for precision in ("bfloat16", ["float32", "bfloat16"]):
            found = problems(folder, model, training={**phases, "precision": precision})
            assert found == f"training.{message}"
        values = {"pooling": "max", "precision": "bfloat16"}
        made = backbones.space(folder, model, training=phases)
        with pytest.raises(SpaceError, match=rf"baselines\.0\.values\.{message}"):
            spaces.load({**made, "baselines": [{"name": "b", "values": values}]})
        monkeypatch.setattr("spaces.sections.training_section.fast_precision", lambda: "bfloat16")
        for precision in ("float32", "auto"):
            spec = spaces.load(backbones.space(folder, model, training={**phases, "precision": precision}))
            assert spec.training.precision.value == "float32"
        assert spaces.load("digits", ["training.precision=auto"]).training.precision.value == "bfloat16"


class TestFiles:
    def refused(self, path, size=(16, 16)):
        from spaces.backbones import loading

        with pytest.raises(DataError) as found:
            loading.load(str(path), "imagenet", size)
        assert str(found.value).startswith(str(path))
        return str(found.value)

    def test_a_text_file(self, folder):
        path = folder / "text.keras"
        path.write_text("a backbone, honestly", encoding="utf-8")
        assert "is no Keras model: it is no zip archive" in self.refused(path)

    def test_no_file(self, folder):
        assert "cannot be read" in self.refused(folder / "missing.keras")

    def test_an_archive_of_something_else(self, folder):
        path = folder / "other.keras"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("notes.txt", "nothing")
        assert "it holds no config.json" in self.refused(path)

    def test_a_network_with_its_head_on(self, folder):
        path = folder / "headed.keras"
        backbones.network(head=10).save(path)
        said = self.refused(path)
        assert "its head is still on: it ends with 'predictions', 10 units wide" in said
        assert "model.get_layer('dropped').output" in said

    def test_a_network_that_ends_with_global_pooling_is_taken_without_it(self, folder):
        import keras

        from spaces.backbones import loading

        bare = backbones.network()
        pooled = keras.Model(bare.input, keras.layers.GlobalAveragePooling2D()(bare.output))
        pooled.save(folder / "pooled.keras")
        assert loading.load(str(folder / "pooled.keras"), "imagenet", (16, 16)).output_shape == (None, 4, 4, 8)

    def test_a_lambda_layer_is_code_and_is_not_run(self, folder):
        import keras

        inputs = keras.Input((None, None, 3))
        x = keras.layers.Lambda(lambda pixels: pixels / 255, name="halved")(inputs)
        keras.Model(inputs, keras.layers.Conv2D(4, 3)(x)).save(folder / "code.keras")
        assert "its layer 'halved' is a Lambda, which is code" in self.refused(folder / "code.keras")

    def test_images_that_the_network_shrinks_to_nothing(self, folder):
        assert "takes images from 4×4 pixels, these have 3×16" in self.refused(folder / "small.keras", (3, 16))

    def test_images_of_another_size_than_the_only_one(self, folder):
        path = folder / "fixed.keras"
        backbones.network(side=20).save(path)
        assert "takes images of 20×20 pixels, these have 16×16; set data.image_size" in self.refused(path)


def test_images_that_are_too_small_for_a_network_of_keras_are_refused(tensorflow):
    from spaces.backbones import loading

    with pytest.raises(DataError, match="xception: takes images from 71×71 pixels, these have 64×80"):
        loading.load("xception", "none", (64, 80))


def test_weights_that_cannot_be_downloaded_are_missed_in_one_sentence(tensorflow, monkeypatch, tmp_path):
    import keras

    from spaces.backbones import loading

    def no_network(**options):
        assert options["weights"] == "imagenet"
        raise Exception("URL fetch failure on https://somewhere: None -- Name or service not known")

    monkeypatch.setattr(keras.applications, "MobileNetV2", no_network)
    with pytest.raises(DataError, match=r"mobilenet-v2: its ImageNet weights are not in Keras's cache and cannot be"):
        loading.load("mobilenet-v2", "imagenet", (32, 32))


@pytest.mark.night
def test_imagenet_weights_are_found_in_the_cache_of_keras(tensorflow, monkeypatch, tmp_path):
    import h5py
    import keras
    from keras.src.legacy.saving import legacy_h5_format

    from spaces.backbones import loading

    made = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(32, 32, 3))
    file = tmp_path / "models" / "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
    file.parent.mkdir()
    # The published files are in the format of Keras 2, and only such a one is read under this name.
    with h5py.File(
        tmp_path / "models" / "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5", "w"
    ) as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, made)
    monkeypatch.setattr("keras.src.backend.config.keras_home", lambda: str(tmp_path))
    found = loading.load("mobilenet-v2", "imagenet", (32, 32))
    for one, other in zip(found.get_weights(), made.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


class TestLayersBeforeTheBackbone:
    def settings(self, folder, **model):
        spec = spaces.load(backbones.space(folder, {"pooling": "average", **model}))
        return spaces.configure(spec, {})

    def test_grey_images_become_colours_and_it_is_said(self, folder):
        spec = spaces.load(backbones.space(folder, {"pooling": "average"}))
        grey = info((16, 16))
        (note,) = FAMILIES["pretrained"].require(spec, grey)
        assert "the grey channel is repeated to three" in note
        model = spaces.build_model(self.settings(folder), grey, seed=1)
        coloured = spaces.build_model(self.settings(folder), info(), seed=1)
        rows = np.random.default_rng(1).integers(0, 255, (4, 16, 16)).astype(np.uint8)
        expected = coloured.predict(np.repeat(rows[..., None], 3, axis=-1), verbose=0)
        np.testing.assert_allclose(model.predict(rows, verbose=0), expected, atol=1e-6)
        assert model.count_params() == spaces.count_parameters(self.settings(folder), grey)

    def test_colours_are_refused_by_a_network_for_grey_images(self, folder):
        backbones.network(channels=1).save(folder / "grey.keras")
        spec = spaces.load(backbones.space(folder, {"backbone": str(folder / "grey.keras")}))
        with pytest.raises(DataError, match="takes images with 1 channels, these have 3"):
            FAMILIES["pretrained"].require(spec, info())

    def test_pixels_of_any_white_look_the_same_to_the_backbone(self, folder):
        rows = np.random.default_rng(1).integers(0, 255, (4, 16, 16, 3))
        full = spaces.build_model(self.settings(folder), info(), seed=1).predict(rows.astype(np.uint8), verbose=0)
        fractions = info(dtype="float32", white=1.0, scale=None)
        share = spaces.build_model(self.settings(folder), fractions, seed=1).predict(rows / 255.0, verbose=0)
        np.testing.assert_allclose(share, full, atol=1e-5)

    @pytest.mark.parametrize("pixels", ["tf", "torch", "caffe"])
    def test_pixels_are_prepared_as_keras_does(self, pixels, tensorflow):
        from keras.applications.imagenet_utils import preprocess_input

        from spaces.families.pretrained_parts import _pixel_layers
        from spaces.layers.parts import connected

        rows = np.random.default_rng(1).integers(0, 256, (2, 5, 5, 3)).astype(np.float32)
        expected = preprocess_input(rows.copy(), mode=pixels, data_format="channels_last")
        np.testing.assert_allclose(connected(_pixel_layers(pixels, 255.0), rows), expected, rtol=1e-5, atol=1e-4)

    def test_tables_are_refused(self, folder):
        with pytest.raises(ValueError, match="family pretrained needs images"):
            spaces.build_model(self.settings(folder), info((4,), kind="tabular", white=None))


def test_a_standardization_whose_numbers_are_weights_is_copied_with_them(folder):
    from spaces.backbones import loading
    from spaces.backbones.folding import folded

    network = backbones.network(measured=True)
    network.save(folder / "measured.keras")
    rows = np.random.default_rng(1).uniform(0, 255, (2, 16, 16, 3)).astype(np.float32)
    expected = network(rows, training=False)
    loaded = loading.load(str(folder / "measured.keras"), "imagenet", (16, 16))
    for one in (loaded, loading.copy(loaded), folded(loaded)):
        np.testing.assert_allclose(one(rows, training=False), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("pixels", ["itself", "caffe"])
@pytest.mark.parametrize("fine_tune", [0.5, 1.0])
def test_what_never_trains_is_counted_as_keras_does(folder, monkeypatch, pixels, fine_tune):
    monkeypatch.setattr("spaces.backbones.loading.pixels", lambda backbone: pixels)
    backbones.network(measured=True).save(folder / "measured.keras")
    model = {"backbone": str(folder / "measured.keras"), "pooling": "average", "fine_tune": fine_tune}
    settings = spaces.configure(spaces.load(backbones.space(folder, model)), {})
    built = spaces.build_model(settings, info(), seed=1)
    frozen = sum(int(np.prod(weight.shape)) for weight in built.non_trainable_weights)
    assert FAMILIES["pretrained"].frozen_parameters(settings, info()) == frozen
    assert built.count_params() == spaces.count_parameters(settings, info())


def test_what_never_trains_in_folds_follows_from_their_epochs(folder):
    family, parts = FAMILIES["pretrained"], ({}, {"validation": {"folds": 3}})
    specs = [spaces.load(backbones.space(folder, {"pooling": "average"}, data=data)) for data in parts]
    once, folded = (spaces.configure(spec, {}) for spec in specs)
    # After the first fold.
    assert family.frozen_parameters(folded, info(), 1) == family.frozen_parameters(once, info())


def test_fresh_weights_train_as_a_whole_and_differ_from_seed_to_seed(folder):
    spec = spaces.load(
        backbones.space(
            folder,
            {"weights": "none", "fine_tune": None, "pooling": "average"},
            training={"frozen_epochs": None, "fine_tune_rate": None},
        )
    )
    made = [spaces.build_model(spaces.configure(spec, {}), info(), seed) for seed in (1, 1, 2)]
    first, again, other = (model.get_weights()[0] for model in made)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len(made[0].trainable_weights) == 6 + 6 + 4


def test_known_names_are_in_the_schema():
    text = json.dumps(spaces.json_schema())
    assert all(json.dumps(name) in text for name in NAMES)
