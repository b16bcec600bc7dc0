from __future__ import annotations

import json

import pytest
from transformers import EarlyStoppingCallback, TrainerCallback
from transformers.trainer_callback import ExportableState

from xadapt.config.recipe import TrainSpec
from xadapt.core.errors import UserError
from xadapt.training.callbacks import Callbacks, arguments, checked


class Silent(TrainerCallback):
    pass


class Needs(TrainerCallback):
    def __init__(self, value):
        self.value = value


class Strange(TrainerCallback, ExportableState):
    def state(self):
        return {"args": {}, "attributes": {"value": {1, 2}}}


def made(*given, evaluates=True) -> Callbacks:
    return Callbacks(checked(given), arguments(TrainSpec(epochs=2), 7, "out/run", evaluates))


def test_objects_and_classes_are_callbacks() -> None:
    one = Silent()
    assert checked(one) == [one] and isinstance(checked(Silent)[0], Silent)
    assert len(checked([one, Silent])) == 2 and checked(()) == []
    for wrong, said in ((3, "int is no callback"), ([print], "is no callback"),
                        ([Needs], "Needs can't be made without arguments")):  # fmt: skip
        with pytest.raises(UserError, match=said):
            checked(wrong)


def test_arguments_have_the_names_of_transformers() -> None:
    args = arguments(TrainSpec(epochs=2, learning_rate=0.1), 7, "out/run", True)
    assert (args.num_train_epochs, args.learning_rate, args.seed) == (2, 0.1, 7)
    assert args.metric_for_best_model == "score" and args.to_dict()["output_dir"] == "out/run"
    assert not hasattr(args, "deepspeed")

    class Asks(TrainerCallback):
        def on_log(self, args, state, control, **more):
            return args.deepspeed

    with pytest.raises(UserError, match="Asks: the args of this trainer have no 'deepspeed'"):
        made(Asks).call("on_log", logs={})


def test_switches_and_what_is_not_followed() -> None:
    class Stops(TrainerCallback):
        def on_step_end(self, args, state, control, **more):
            control.should_training_stop = control.should_save = True

    class Leaves(TrainerCallback):
        def on_step_end(self, args, state, control, **more):
            control.should_epoch_stop = True

    callbacks = made(Stops)
    callbacks.call("on_step_end")
    assert callbacks.control.should_training_stop and callbacks.control.should_save
    callbacks.begin()
    assert callbacks.control.should_training_stop and not callbacks.control.should_save
    with pytest.raises(UserError, match="Leaves: should_epoch_stop can't be followed here"):
        made(Leaves).call("on_step_end")


def test_a_callback_may_refuse_the_run_and_its_other_errors_are_its_own() -> None:
    with pytest.raises(UserError, match=r"EarlyStoppingCallback: .*Hold out development data"):
        made(EarlyStoppingCallback(), evaluates=False).call("on_train_begin")

    class Fails(TrainerCallback):
        def on_step_end(self, args, state, control, **more):
            raise AssertionError("mine")

    with pytest.raises(AssertionError, match="mine"):
        made(Fails).call("on_step_end")


def test_states_are_stored_and_restored() -> None:
    before = made(EarlyStoppingCallback(3), Silent())
    before.given[0].early_stopping_patience_counter = 2
    states = json.loads(json.dumps(before.export()))
    after = made(EarlyStoppingCallback(3), Silent())
    after.restore(states)
    assert after.given[0].early_stopping_patience_counter == 2
    with pytest.raises(UserError, match="Strange: the state can't be stored"):
        made(Strange()).export()
