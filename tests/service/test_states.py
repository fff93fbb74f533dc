"""The state machine, and the table of what follows a failure: each by itself."""

from __future__ import annotations

import inspect
import itertools

import pytest

from rockit.focuser.ok3z import errors
from rockit.focuser.ok3z.service.failures import Halt, consequence_of
from rockit.focuser.ok3z.service.states import FOLLOWS, Event, State, StateMachine

DRIVEN = [state for state in State if state is not State.FAULT]


def machine_in(state, motion_unproven=False):
    machine = StateMachine()
    machine.state, machine.motion_unproven = state, motion_unproven
    return machine


@pytest.mark.parametrize(("state", "event"), list(itertools.product(DRIVEN, Event)))
def test_an_event_leads_where_the_table_says_or_is_a_mistake(state, event):
    sources, target = FOLLOWS[event]
    machine = machine_in(state)
    if state in sources:
        machine.on(event)
        assert machine.state is target
        return
    with pytest.raises(errors.InternalError, match=rf"^in the state {state.value} it cannot be that "):
        machine.on(event)
    assert machine.state is state


def test_what_must_never_be():
    """Written by hand, beside the table: a move begins from a known position only, and nothing moves in the dark."""
    for event in (Event.MOVE, Event.HAND):
        assert FOLLOWS[event][0] == (State.IDLE,)
    for state in (State.DISCONNECTED, State.RECONNECTING, State.UNHOMED, State.STOPPING, State.MOVING):
        with pytest.raises(errors.InternalError):
            machine_in(state).on(Event.HOME)
    for state in (State.DISCONNECTED, State.UNHOMED):
        with pytest.raises(errors.InternalError):
            machine_in(state).on(Event.STAND)
    for event, state in itertools.product((Event.HALT, Event.LET_GO, Event.LOSE_LINK), DRIVEN):
        machine_in(state).on(event)


def test_every_state_but_the_published_fault_is_reached():
    assert {State.DISCONNECTED, *(target for _, target in FOLLOWS.values())} == set(DRIVEN)


@pytest.mark.parametrize("state", [State.HOMING, State.MOVING, State.STOPPING])
@pytest.mark.parametrize("event", [Event.LOSE_LINK, Event.LET_GO])
def test_a_motor_that_goes_out_of_sight_may_run_until_it_is_seen_standing(state, event):
    machine = machine_in(state)
    machine.on(event)
    assert machine.motor_may_run
    machine.on(Event.CONNECT)
    assert machine.motor_may_run
    machine.on(Event.STAND)
    assert not machine.motor_may_run


@pytest.mark.parametrize("state", [State.IDLE, State.UNHOMED])
def test_a_motor_that_stood_when_it_went_out_of_sight_stands(state):
    machine = machine_in(state)
    machine.on(Event.LOSE_LINK)
    assert not machine.motor_may_run
    machine.suppose_motion()
    machine.on(Event.LOSE_LINK)
    assert machine.motor_may_run
    machine.on(Event.STAND_SOMEWHERE)
    machine.on(Event.LET_GO)
    assert not machine.motor_may_run


def test_every_error_has_a_consequence():
    kinds = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.FocuserError)
    ]
    forgets = {kind for kind in kinds if consequence_of(kind("it happened.")).forgets}
    assert forgets == {errors.PositionLostError, errors.SettingsLostError, errors.InternalError}
    loses_link = {kind for kind in kinds if consequence_of(kind("it happened.")).loses_link}
    assert loses_link == {kind for kind in kinds if issubclass(kind, errors.LinkError)}
    not_halted = {kind for kind in kinds if consequence_of(kind("it happened.")).halt is not Halt.ALWAYS}
    refused = {kind for kind in kinds if issubclass(kind, errors.RequestError)}
    assert not_halted == {*loses_link, *refused, errors.HaltFailedError}
    assert {kind for kind in kinds if consequence_of(kind("it happened.")).halt is Halt.NEVER} == refused
    wanted = {kind for kind in kinds if not consequence_of(kind("it happened.")).is_fault}
    assert wanted == {*refused, errors.StoppedError}
