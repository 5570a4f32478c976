"""The U-Net: shapes and receptive field by formula and as built, options, bad sizes, other backends."""

import itertools
import json
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from tests.backends import environment
from wadlib.errors import SegmentationError
from wadlib.unet import PRESETS, Architecture, attempt, cure, layer_shapes, output_window, receptive_field, ronneberger
from wadlib.unet.architecture import fits, fitting_sizes
from wadlib.unet.shapes import receptive_interval

# --- by formula ----------------------------------------------------------------------------------

# The side lengths printed in Fig 1 of the paper, from the input to the output.
PAPER = [572, 570, 568, 284, 282, 280, 140, 138, 136, 68, 66, 64, 32, 30, 28]
PAPER += [56, 56, 56, 54, 52, 104, 104, 104, 102, 100, 200, 200, 200, 198, 196, 392, 392, 392, 390, 388, 388]


def test_the_papers_own_numbers():
    stages = layer_shapes(ronneberger())
    assert [stage.shape[0] for stage in stages] == PAPER
    assert [stage.shape[1] for stage in stages] == PAPER
    by_name = {stage.name: stage.shape[2] for stage in stages}
    assert by_name["bottom_conv2"] == 1024
    assert by_name["up3_concat"] == 1024  # 512 copied and 512 from below, Fig 1
    assert by_name["logits"] == 2
    assert [stage.level for stage in stages if stage.kind == "pool"] == [1, 2, 3, 4]


def test_the_attempts_sizes_are_those_of_the_authors_code():
    rows = {stage.name: stage.shape for stage in layer_shapes(attempt())}
    assert [rows[f"down{k}_pool"][:2] for k in range(3)] == [(45, 211), (23, 106), (12, 53)]
    assert rows["up2_upconv"] == (24, 106, 512)
    assert rows["up2_copy"] == (23, 106, 512)  # the last row of the up-convolution goes
    assert rows["up1_upconv"] == (46, 212, 256)
    assert rows["up1_concat"] == (45, 211, 512)
    assert rows["logits"] == (90, 422, 9)


@pytest.mark.parametrize(
    ("architecture", "window"),
    [
        (Architecture((32, 48, 3), widths=(4, 8)), (0, 0, 32, 48)),
        # 20 -> 16 -> 8 -> 4 -> 8 -> 4: two px to the 3x3 convolutions before the crop of 4, two after.
        (Architecture((20, 24, 3), widths=(4, 8), padding="valid"), (8, 8, 4, 8)),
        (Architecture((10, 12, 3), widths=(4,), padding="valid"), (2, 2, 6, 8)),
    ],
)
def test_output_window_lies_in_the_middle_of_the_input(architecture, window):
    assert output_window(architecture) == window
    top, left, height, width = window
    assert (top + height + top, left + width + left) == architecture.input_shape[:2]


def test_a_valid_network_without_poolings_loses_two_pixels_per_convolution():
    assert receptive_interval(Architecture((10, 12, 3), widths=(4,), padding="valid"), at=3) == (3, 3 + 4)


def test_receptive_field_of_the_papers_network():
    # Inside out, at the place where rounding helps most: 9 rows at the bottom are what 5 rows and two
    # convolutions ask for; then x2 by each pooling and +4 by each pair of convolutions.
    rows = 5 + 4
    for _ in range(4):
        rows = 2 * rows + 4
    sizes = [b - a + 1 for a, b in (receptive_interval(Architecture((64, 64, 3)), at) for at in range(16))]
    assert max(sizes) == receptive_field(Architecture((64, 64, 3))) == rows == 204
    assert min(sizes) == 188  # 4 + 4 at the bottom
    assert receptive_field(ronneberger()) == 204


def test_every_size_either_fits_or_has_neighbours_that_do():
    small = Architecture((32, 32, 3), widths=(4, 8, 16))
    assert [n for n in range(1, 20) if fits(n, small)] == [4, 8, 12, 16]
    assert fitting_sizes(90, small) == (88, 92)
    assert fitting_sizes(2, small) == (4,)
    valid = ronneberger()
    assert fits(572, valid)
    assert fitting_sizes(573, valid) == (572, 588)
    assert fitting_sizes(10, valid) == (188,)  # 4 px come out
    assert output_window(ronneberger((188, 188, 1)))[2:] == (4, 4)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Architecture((90, 420, 3), widths=(4, 8, 16, 32)), ["divisible by 2^3 = 8", "got 90", "88 or 96"]),
        (lambda: Architecture((96, 422, 3), widths=(4, 8, 16, 32)), ["width", "got 422", "416 or 424"]),
        (lambda: ronneberger((571, 572, 1)), ["even before each of the 4 poolings", "got 571", "556 or 572"]),
        (lambda: Architecture((64, 64)), ["input_shape", "(64, 64)"]),
        (lambda: Architecture((64, None, 3)), ["input_shape", "None"]),
        (lambda: Architecture((64, 64, 3), classes=0), ["classes"]),
        (lambda: Architecture((64, 64, 3), widths=(4.5, 8)), ["widths", "4.5"]),
        (lambda: Architecture((64, 64, 3), widths=()), ["widths"]),
        (lambda: Architecture((64, 64, 3), padding="reflect"), ["padding", "'reflect'", "same, valid"]),
        (lambda: Architecture((64, 64, 3), normalisation="layer"), ["normalisation"]),
        (lambda: Architecture((64, 64, 3), dropout=50), ["dropout", "50", "share"]),
    ],
)
def test_bad_architectures_say_what_would_fit(make, words):
    with pytest.raises(SegmentationError) as caught:
        make()
    for word in words:
        assert word in str(caught.value)
    assert "Fix:" in str(caught.value)


@pytest.mark.parametrize("name", PRESETS)
def test_architectures_travel_through_json(name):
    architecture = PRESETS[name]()
    assert Architecture(**json.loads(json.dumps(architecture.to_dict()))) == architecture


def test_importing_the_package_does_not_import_keras():
    code = "import sys, wadlib.unet; sys.exit('keras' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# --- as built ------------------------------------------------------------------------------------

SMALL = {
    "same": Architecture((24, 32, 3), 8, (4, 6, 8)),
    "valid": Architecture((44, 52, 3), 8, (4, 6, 8), padding="valid"),
    "odd": attempt((22, 37, 3), widths=(4, 6, 8, 10)),
    "odd valid": Architecture((47, 53, 3), 2, (4, 6, 8), padding="valid", odd_sizes="crop"),
    "flat": Architecture((7, 9, 3), 2, (4,)),
    "all extras": cure((16, 32, 3), widths=(8, 16), dropout=0.5, activation="elu", normalisation="group"),
}


@pytest.mark.parametrize("architecture", SMALL.values(), ids=list(SMALL))
def test_the_built_model_has_the_shapes_of_the_formula(architecture):
    from wadlib.unet import build_unet, stages

    model = build_unet(architecture)
    expected = layer_shapes(architecture)
    assert {stage.name: stage for stage in stages(model)} == {stage.name: stage for stage in expected}
    image = np.zeros((2, *architecture.input_shape), np.uint8)
    assert model(image).shape == (2, *expected[-1].shape)


def test_parameters_of_the_papers_network():
    from wadlib.unet import build_unet

    def convolution(k, inputs, outputs):
        return k * k * inputs * outputs + outputs

    c = [1, 64, 128, 256, 512, 1024]
    expected = sum(convolution(3, c[i], c[i + 1]) + convolution(3, c[i + 1], c[i + 1]) for i in range(5))
    for low, high in itertools.pairwise(c[1:]):
        expected += convolution(2, high, low) + convolution(3, high, low) + convolution(3, low, low)
    expected += convolution(1, 64, 2)
    assert build_unet(ronneberger()).count_params() == expected == 31_030_658


def test_layers_of_the_attempt():
    from wadlib.unet import build_unet

    model = build_unet(attempt((16, 16, 3), widths=(4, 8)))
    assert model.get_layer("rescale").scale == 1 / 1000
    assert model.get_layer("up0_upconv").kernel_size == (3, 3)
    assert [layer.name for layer in model.layers if "elu" in layer.name][:2] == ["down0_elu1", "down0_elu2"]
    assert not any("norm" in layer.name for layer in model.layers)
    for layer in model.layers:
        if layer.weights:
            np.testing.assert_allclose(np.asarray(layer.bias), 0.1)
            kernel = np.asarray(layer.kernel)
            limit = np.sqrt(6 / (kernel.shape[0] * kernel.shape[1] * (kernel.shape[2] + kernel.shape[3])))
            assert np.abs(kernel).max() <= limit  # Glorot and Bengio 2010, eq 16


def test_the_seed_fixes_the_weights_and_nothing_else_does():
    import keras

    from wadlib.unet import build_unet

    keras.utils.set_random_seed(1)
    first = build_unet((8, 8, 3), width=2, depth=1, seed=3)
    keras.utils.set_random_seed(2)
    again, other = (build_unet((8, 8, 3), width=2, depth=1, seed=seed) for seed in (3, 4))
    for a, b in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(first.get_weights(), other.get_weights(), strict=True))
    kernels = [w for w in first.get_weights() if w.shape == (3, 3, 4, 2)]
    assert len({kernel.tobytes() for kernel in kernels}) == len(kernels), "layers of one shape start differently"


def test_first_kernels_have_the_variance_of_their_papers():
    from wadlib.unet.model import FirstKernel

    for kind, transposed, shape, variance in [
        ("he", False, (3, 3, 64, 32), 2 / (9 * 64)),
        ("he", True, (2, 2, 64, 128), 2 / 128),  # one entry of the 2x2 kernel meets an output pixel
        ("glorot", False, (3, 3, 64, 32), 2 / (9 * (64 + 32))),
        ("glorot", True, (3, 3, 64, 128), 2 / (9 * (64 + 128))),
    ]:
        values = np.asarray(FirstKernel(kind, (0, 1), transposed)(shape))
        assert values.shape == shape
        assert values.var() == pytest.approx(variance, rel=0.05)
        assert abs(values.mean()) < 0.05 * variance**0.5


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # of Keras with numpy 2
def test_a_saved_model_is_the_same_model(tmp_path):
    import keras

    from wadlib.unet import build_unet
    from wadlib.unet.losses import cure_loss

    model = build_unet(cure((16, 32, 3), widths=(4, 6), dropout=0.5), seed=1)
    model.compile(loss=cure_loss(), jit_compile=False)
    image = np.full((1, 16, 32, 3), 77, np.uint8)
    model.train_on_batch(image, np.ones((1, 16, 32), np.uint8))
    model.save(tmp_path / "unet.keras")
    again = keras.saving.load_model(tmp_path / "unet.keras")
    np.testing.assert_array_equal(np.asarray(again(image)), np.asarray(model(image)))
    assert again.loss.options == cure_loss().options


def see_everything(model):
    """Set every kernel to a positive constant: each layer then grows with each pixel that it sees."""
    for layer in model.layers:
        if layer.weights:
            layer.set_weights([np.full(layer.kernel.shape, 1.0), np.zeros(layer.bias.shape)])


@pytest.mark.parametrize(
    "architecture",
    [
        Architecture((48, 8, 1), 1, (1, 1, 1), scale=1.0, offset=0.0),
        Architecture((48, 8, 1), 1, (1, 1, 1), up_kernel=3, scale=1.0, offset=0.0),
        Architecture((47, 8, 1), 1, (1, 1, 1), odd_sizes="crop", scale=1.0, offset=0.0),
        Architecture((68, 44, 1), 1, (1, 1, 1), padding="valid", scale=1.0, offset=0.0),
        Architecture((67, 44, 1), 1, (1, 1, 1), padding="valid", odd_sizes="crop", scale=1.0, offset=0.0),
        Architecture((20, 20, 1), 1, (1,), padding="valid", scale=1.0, offset=0.0),
    ],
    ids=["same", "up3", "odd", "valid", "odd valid", "flat"],
)
def test_receptive_interval_as_measured_by_brightening_one_row_at_a_time(architecture):
    from wadlib.unet import build_unet

    model = build_unet(architecture)
    see_everything(model)
    height, width, _ = architecture.input_shape
    images = np.ones((height + 1, height, width, 1), np.float32)
    images[np.arange(height), np.arange(height)] = 2  # image r has row r brighter, the last has none
    logits = np.asarray(model(images))[:, :, model.output_shape[2] // 2, 0].astype(float)  # (height + 1, h)
    for at in range(logits.shape[1]):
        rows = np.flatnonzero(logits[:-1, at] > logits[-1, at])
        first, last = receptive_interval(architecture, at)
        assert (rows[0], rows[-1]) == (max(first, 0), min(last, height - 1)), f"output row {at}"
        assert len(rows) == rows[-1] - rows[0] + 1, "no row in between is left out"


def test_the_copy_is_the_middle_of_the_skip_and_the_output_stands_for_its_window():
    """Kernels that pass the central pixel on: the output is the input, cropped to the window."""
    from wadlib.unet import build_unet

    architecture = Architecture((44, 52, 1), 1, (1, 1, 1), padding="valid", scale=1.0, offset=0.0)
    model = build_unet(architecture)
    for layer in model.layers:
        if layer.weights:
            kernel = np.zeros(layer.kernel.shape, np.float32)
            kernel[kernel.shape[0] // 2, kernel.shape[1] // 2, 0, 0] = 1  # channel 0 of the concat is the copy
            layer.set_weights([kernel, np.zeros(layer.bias.shape)])
    image = np.random.default_rng(0).integers(0, 255, (1, *architecture.input_shape)).astype(np.float32)
    top, left, height, width = output_window(architecture)
    np.testing.assert_array_equal(np.asarray(model(image)), image[:, top : top + height, left : left + width])


# --- slow ----------------------------------------------------------------------------------------


def two_pictures(height=32, width=48):
    """A bright car on grey, and a dark person beside a car; targets with an ignored corner."""
    rng = np.random.default_rng(0)
    images = rng.integers(90, 110, (2, height, width, 3)).astype(np.uint8)
    targets = np.zeros((2, height, width), np.uint8)
    for i, (rows, columns, colour, index) in enumerate(
        [((8, 20), (6, 24), (220, 60, 60), 1), ((14, 26), (20, 44), (60, 60, 220), 1)]
    ):
        images[i, slice(*rows), slice(*columns)] = colour
        targets[i, slice(*rows), slice(*columns)] = index
    images[1, 6:28, 6:11], targets[1, 6:28, 6:11] = (20, 160, 30), 4
    targets[:, :2, :2] = 255
    return images, targets


@pytest.mark.slow
def test_two_pictures_are_learnt_by_heart():
    import keras

    from wadlib.unet import build_unet
    from wadlib.unet.losses import cure_loss

    images, targets = two_pictures()
    model = build_unet(cure((32, 48, 3), widths=(8, 16, 32)), seed=1)
    model.compile(optimizer=keras.optimizers.Adam(1e-2), loss=cure_loss(), jit_compile=False)
    model.fit(images, targets, batch_size=2, epochs=80, verbose=0, shuffle=False)
    found = np.argmax(model.predict(images, verbose=0), axis=-1)
    counted = targets != 255
    for index in (0, 1, 4):
        a, b = (found == index) & counted, (targets == index) & counted
        assert (a & b).sum() / (a | b).sum() > 0.95, f"IoU of channel {index}"


BACKEND_SCRIPT = """
import sys
import numpy as np
from keras import ops
from wadlib.unet import Architecture, attempt, build_unet, cure
from wadlib.unet.losses import attempt_loss, cure_loss
given = np.load(sys.argv[1])
found = {}
architectures = {
    "attempt": attempt((22, 37, 3), widths=(4, 4, 4, 4)),  # like widths: JAX compiles every shape anew
    "cure": cure((16, 32, 3), widths=(4, 4, 4)),
    "valid": Architecture((36, 44, 3), 8, (8, 8), padding="valid", normalisation="group"),
}
for name, architecture in architectures.items():
    model = build_unet(architecture, seed=7)  # the same weights on every backend
    height, width, _ = architecture.input_shape
    found[name] = logits = model.predict_on_batch(given["images"][:, :height, :width])
    target = given["targets"][:, : logits.shape[1], : logits.shape[2]]
    for loss in (attempt_loss(), cure_loss()):
        found[f"{name} {loss.name}"] = ops.convert_to_numpy(loss(target, logits))
np.savez(sys.argv[2], **found)
"""


@pytest.fixture(scope="module")
def backend_results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("backends")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 64, 64, 3)).astype(np.uint8)
    targets = np.where(rng.random((2, 64, 64)) < 0.1, 255, rng.integers(0, 7, (2, 64, 64))).astype(np.uint8)
    np.savez(folder / "given.npz", images=images, targets=targets)
    results = {}

    def of(backend):
        if backend not in results:
            out = folder / f"{backend}.npz"
            command = [sys.executable, "-c", BACKEND_SCRIPT, str(folder / "given.npz"), str(out)]
            variables = environment(backend, TF_CPP_MIN_LOG_LEVEL="3")
            done = subprocess.run(command, env=variables, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            results[backend] = dict(np.load(out))
        return results[backend]

    return of


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_give_the_same_logits_and_losses(backend, backend_results):
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    expected, found = backend_results("tensorflow"), backend_results(backend)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        scale = np.abs(value).max()
        np.testing.assert_allclose(found[name], value, atol=1e-4 * scale, rtol=1e-4, err_msg=name)
