"""Plans of training: the report's, ours, and what can be changed about them."""

import json

import pytest

from wadlib.course.facts import cite
from wadlib.errors import TrainingError
from wadlib.maskrcnn.learning.plan import Plan, TrainStage


def test_the_reports_plan_is_the_published_one():
    plan = Plan.report()
    assert plan.epochs == cite("epochs").value
    assert plan.steps == cite("steps_per_epoch").value
    assert plan.validation_frames == cite("validation_steps").value * cite("images_per_step").value
    (stage,) = plan.stages
    assert stage.layers == cite("layers_code").value
    assert stage.learning_rate == cite("learning_rate_code").value


def test_stages_have_names_of_their_own():
    plan = Plan((TrainStage("heads", 1, 0.1), TrainStage("all", 2, 0.1), TrainStage("all", 3, 0.01)))
    assert plan.stage_names == ("heads", "all 1", "all 2")
    assert plan.epochs == 6


@pytest.mark.parametrize(("epochs", "expected"), [(1, [1]), (2, [1, 1]), (3, [1, 2]), (4, [1, 2, 1]), (9, [1, 2, 6])])
def test_shortened(epochs, expected):
    plan = Plan((TrainStage("heads", 1, 0.1), TrainStage("4+", 2, 0.1), TrainStage("all", 3, 0.01)))
    assert [stage.epochs for stage in plan.shortened(epochs).stages] == expected


def test_a_plan_is_the_same_run_whatever_its_length():
    plan = Plan.classroom()
    assert json.loads(json.dumps(plan.to_dict())) == json.loads(json.dumps(plan.shortened(30).to_dict()))
    assert plan.to_dict() != plan.replace(copy_paste=2.0).to_dict()


@pytest.mark.parametrize(
    "text", ["heads", "heads:1", "heads:x:0.1", "heads:0:0.1", ":1:0.1", "heads:1:-1", "all:1:nan"]
)
def test_a_stage_that_cannot_be_read(text):
    with pytest.raises(TrainingError, match="expected LAYERS:EPOCHS:RATE") as error:
        TrainStage.parse(text)
    assert "heads:2:0.001" in str(error.value)


def test_a_regular_expression_may_hold_a_colon():
    assert TrainStage.parse("(?:mrcnn|rpn)_.*:3:1e-4") == TrainStage("(?:mrcnn|rpn)_.*", 3, 1e-4)


def test_changes_that_are_none_change_nothing():
    plan = Plan.classroom()
    assert plan.with_options({"steps": None, "window": 512}).window == 512
    assert plan.with_options({"steps": None}) == plan
    assert plan.with_options({}, ["all:1:0.1"]).stages == (TrainStage("all", 1, 0.1),)


def test_bad_plans():
    with pytest.raises(TrainingError, match="at least one stage"):
        Plan(())
    with pytest.raises(TrainingError, match="0 or more"):
        Plan.classroom().replace(copy_paste=-1.0)
