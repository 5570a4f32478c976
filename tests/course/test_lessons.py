"""The lesson frames show what their names say: judged from the label maps, by hand first."""

from __future__ import annotations

import numpy as np
import pytest

from wadlib.course import lesson, lesson_frames, lessons
from wadlib.course import lesson_measures as measures
from wadlib.course.lessons import LARGE_PX, LESSONS, RARE, VIDEOS, WALL, at_network_size, class_shown
from wadlib.dataset import Frame
from wadlib.errors import WadError
from wadlib.frames import write_image, write_label


def street(shape=(40, 60)):
    return np.full(shape, 255, np.uint16)


def test_a_border_is_counted_pixel_by_pixel():
    label = street()
    label[5:25, 5:25], label[5:25, 25:45] = 33000, 33001  # twenty rows touch
    label[25:30, 5:25] = 36000
    assert measures.touching_cars(label) == 20
    label[5:25, 25] = 255
    assert measures.touching_cars(label) == 0


def test_cars_of_few_pixels_touch_unseen():
    label = street()
    label[:2, :2], label[:2, 2:4] = 33000, 33001
    assert measures.touching_cars(label) == 0


def test_a_person_divides_a_car_in_some_rows():
    label = street()
    label[10:30, 10:50] = 33000
    label[5:25, 20:23] = 36000  # rows 10 to 24 of the car
    label[10:30, 55:58] = 36001  # beside it
    assert measures.person_before_car(label) == 15
    label[10:30, 23:] = 33001  # another car on the right
    assert measures.person_before_car(label) == 0


def test_pieces_of_a_car():
    label = street()
    label[10:30, 0:60] = 33000
    label[:, 20:22] = label[:, 40:42] = 255
    assert measures.car_pieces(label) == 3
    label[0, 0] = 33000  # a pixel is no piece
    assert measures.car_pieces(label) == 3


def test_areas():
    label = street()
    label[:20, :20], label[30, :4], label[30:40, 40:50] = 33000, 33001, 39000
    assert measures.far_from_near(label) == 400 / 4
    assert measures.classes_shown(label) == 2
    assert measures.class_area(39)(label) == 100
    assert measures.largest_share(label) == 400 / 2400
    assert measures.darkness(np.full((8, 8, 3), 55, np.uint8)) == 200
    assert [m(street()) for m in (measures.far_from_near, measures.car_pieces, measures.classes_shown)] == [0, 0, 0]


@pytest.mark.slow
@pytest.mark.parametrize("name", LESSONS)
def test_a_named_frame_shows_what_it_says(name, rendered_data):
    chosen = LESSONS[name]
    assert chosen.frame in VIDEOS[chosen.video]
    frame = lesson(name, "network")
    assert chosen.shown_by(frame) >= chosen.least
    assert measures.largest_share(at_network_size(frame)) < WALL


@pytest.mark.slow
def test_only_dusk_is_dark(rendered_data):
    dark = [name for name in LESSONS if measures.darkness(lesson(name, "network").read_image()) > 180]
    assert dark == ["dusk"]


@pytest.mark.slow
def test_each_rare_class_is_in_several_frames_of_several_videos(rendered_data):
    frames = lesson_frames()
    assert len(frames) == sum(map(len, VIDEOS.values()))
    assert 60 <= len(frames) <= 100
    assert len({frame.name for frame in frames}) == len(frames)
    assert max(measures.largest_share(at_network_size(frame)) for frame in frames) < WALL
    for what, chosen in RARE.items():
        assert all(frame in VIDEOS[video] for video, frame in chosen), what
        found = lesson_frames(what)
        assert len(set(found)) >= 3, what
        assert len({frame.video for frame in found}) >= 2, what
        assert set(found) <= set(frames), what
        assert min(class_shown(what)(at_network_size(frame)) for frame in found) >= LARGE_PX, what


def test_lessons_are_in_no_video_of_the_course():
    from wadlib.course.classroom import PROFILES

    assert min(VIDEOS) >= max(profile["videos"] for profile in PROFILES.values())


@pytest.fixture
def rendered_data(monkeypatch):
    monkeypatch.delenv("WAD_ROOT", raising=False)


def test_a_typing_slip_is_named():
    with pytest.raises(WadError, match="two touching cars"):
        lesson("two touching car")
    with pytest.raises(WadError, match="a tricycle"):
        lesson_frames("a trycicle")


def own(folder, name, label):
    image = folder / f"{name}.jpg"
    write_image(image, np.full((*label.shape, 3), 100, np.uint8))
    write_label(folder / f"{name}.png", label)
    return Frame(name, "v", image, folder / f"{name}.png")


def test_own_data_shows_it_best(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("WAD_ROOT", str(tmp_path))
    wall, far, cars = street((400, 600)), street((400, 600)), street((400, 600))
    wall[:, :300], wall[:, 300:] = 33000, 33001
    far[:20, :20] = 33000
    cars[:110, :110], cars[:110, 110:220] = 33000, 33001
    frames = [own(tmp_path, *pair) for pair in (("a", wall), ("b", far), ("c", cars))]
    assert lesson("two touching cars", among=frames).name == "c"
    assert not capsys.readouterr().out
    assert lesson("two touching cars", among=frames[1:2]).name == "b"
    assert "No frame of yours shows two touching cars; b comes nearest." in capsys.readouterr().out


def test_it_says_what_it_draws(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("WADLIB_CACHE", str(tmp_path))
    monkeypatch.delenv("WAD_ROOT", raising=False)
    drawn = []
    monkeypatch.setattr(lessons, "render_job", lambda job: (drawn.append(job), job.label.write_bytes(b"x")))
    frame = lesson("dusk", "network")
    assert "Drawing the frame that shows dusk." in capsys.readouterr().out
    assert [(job.name, job.image, job.label) for job in drawn] == [(frame.name, frame.image_path, frame.label_path)]
    assert frame.image_path.is_relative_to(tmp_path)
    assert lesson("dusk", "network") == frame
    assert len(drawn) == 1
    assert not capsys.readouterr().out
