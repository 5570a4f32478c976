"""Which pixels of the full frame a picture shows is said in one table: whoever shows the strip agrees to the pixel."""

import numpy as np
import pytest

from wadlib.frames import FULL_SHAPE, read_label, write_label
from wadlib.preprocess import NETWORK_VIEWS, VIEWS


@pytest.fixture(scope="module")
def places():
    """A label in which no two pixels near each other have one code, so that a row too far is found out."""
    y, x = np.indices(FULL_SHAPE)
    return ((211 * y + 17 * x) % 30000 + 33000).astype(np.uint16)


@pytest.mark.parametrize("name", NETWORK_VIEWS)
def test_prepared_files_rendered_frames_and_networks_show_the_same_pixels(name, places, tmp_path):
    from wadlib.maskrcnn import Config
    from wadlib.maskrcnn.frames.views import Placement, config_for_view
    from wadlib.rendered.drawing.camera import SIZES

    view = VIEWS[name]
    wanted = view.stride(places)
    write_label(tmp_path / "a.png", places)
    np.testing.assert_array_equal(read_label(tmp_path / "a.png", window=view.window), wanted)  # `wadlib prepare`

    grid = SIZES[{"report": "network"}.get(name, name)]  # `wadlib render`
    rows, columns = (
        slice(first, first + grid.step * count, grid.step * grid.average)
        for first, count in ((grid.first_row, grid.rows), (grid.first_column, grid.columns))
    )
    np.testing.assert_array_equal(places[rows, columns], wanted)

    config = config_for_view(name, Config.report())  # Mask R-CNN
    of_full, of_prepared = (Placement.of(shape, config) for shape in (FULL_SHAPE, view.shape))
    assert config.image_shape == view.shape
    assert of_full.region == of_prepared.in_full_frame().region == view.region
    assert of_full.window == of_prepared.window == (0, 0, *view.shape)


def test_the_unet_has_a_strip_of_its_own_one_row_higher(places):
    """Stored weights were trained on it; its cells are whole pixels of prepared frames, the other's would not be."""
    from wadlib.unet.geometry import strip

    view, other = VIEWS["unet_strip"], VIEWS["strip"]
    np.testing.assert_array_equal(strip(view.factor).label(places), view.stride(places))
    for step in (1, 2, 4, 8):
        assert (strip(step).top, strip(step).left) == view.region[:2] == (1535, 28)
        assert np.multiply(strip(step).shape, step).tolist() == [768, 3328]
    assert [a - b for a, b in zip(view.region, other.region, strict=True)] == [-1, 0, -1, 0]


def test_the_unet_of_the_attempt(places):
    from wadlib.unet.geometry import ATTEMPT

    np.testing.assert_array_equal(ATTEMPT.label(places), VIEWS["unet_attempt"].stride(places))


@pytest.mark.parametrize("view", VIEWS.values(), ids=lambda view: view.name)
def test_instances_of_every_view_come_back_to_its_pixels(view):
    from wadlib.instances.instances import Instances

    mask = np.zeros(view.shape, bool)
    mask[3:20, 5:40] = mask[-4:, -9:] = True
    full = Instances.from_masks(mask[None], [33], [1.0]).to_full_frame()
    expected = view.label_to_full_frame(np.where(mask, 33000, 255).astype(np.uint16))
    np.testing.assert_array_equal(full.masks[0], expected == 33000)
