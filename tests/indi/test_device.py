"""What the focuser is to INDI: its properties, and the rules of a move."""

from __future__ import annotations

import re

import pytest

from rockit.focuser.ok3z.indi.device import PROGRESS_PERIOD_S
from rockit.focuser.ok3z.indi.hold import HOLD_S
from rockit.focuser.ok3z.indi.vectors import Vector
from rockit.focuser.ok3z.version import VERSION
from tests.indi.conftest import MAX_STEPS, Bench, status
from tests.support.indi import ABORT, CONNECT, DISCONNECT, NAME, go_to, new_number, new_switch

ALWAYS = ["CONNECTION", "DRIVER_INFO", "CONFIG_PROCESS"]
CONNECTED = ["FOCUS_MOTION", "FOCUS_MAX", "REL_FOCUS_POSITION", "ABS_FOCUS_POSITION", "FOCUS_ABORT_MOTION"]
# What INDI's library has, and what would not be true here.
LEFT_OUT = r"FOCUS_(TIMER|SPEED|SYNC|REVERSE_MOTION|TEMPERATURE|BACKLASH_TOGGLE|BACKLASH_STEPS)"


def names(bench: Bench) -> list[str]:
    return [each.name for each in bench.all]


# Definitions


def test_before_connecting_three_properties_are_defined(bench: Bench) -> None:
    bench.say("<getProperties version='1.7'/>")
    assert names(bench) == ALWAYS
    assert bench.told("CONNECTION") == [("Idle", "Off")]
    info = bench.of("DRIVER_INFO")[0]
    assert info.values == {
        "DRIVER_NAME": "ASA OK3Z",
        "DRIVER_EXEC": "indi_ok3z_focus",
        "DRIVER_VERSION": VERSION,
        "DRIVER_INTERFACE": "8",
    }
    assert info.attributes["perm"] == "ro"


def test_what_is_asked_for_is_answered_and_nothing_else(focuser: Bench) -> None:
    for asked, answered in {
        "": [*ALWAYS, *CONNECTED],
        f"device='{NAME}'": [*ALWAYS, *CONNECTED],
        "device='*'": [*ALWAYS, *CONNECTED],
        f"device='{NAME}' name='FOCUS_MAX'": ["FOCUS_MAX"],
        "name='FOCUS_MAX'": ["FOCUS_MAX"],
        f"device='{NAME}' name='FOCUS_TEMPERATURE'": [],
        "device='CCD'": [],
        f"device='{NAME.lower()}'": [],
    }.items():
        for version in ("1.7", "1.0", "2.9", "x"):
            focuser.say(f"<getProperties version='{version}' {asked}/>")
            assert names(focuser) == answered


def test_every_definition_is_whole(focuser: Bench) -> None:
    focuser.say("<getProperties/>")
    assert not [name for name in names(focuser) if re.fullmatch(LEFT_OUT, name)]
    for each in focuser.all:
        attributes = each.attributes
        assert attributes["device"] == NAME
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", attributes["timestamp"])
        assert attributes["state"] in ("Idle", "Ok", "Busy", "Alert")
        assert ("rule" in attributes) is (each.tag == "defSwitchVector")
        texts = [attributes["label"], attributes["group"], *each.values]
        assert all(0 < len(text.encode()) < 64 for text in texts)
        for node in each.nodes:
            assert each.tag == f"{node.tag}Vector"
            if each.tag == "defNumberVector":
                lowest, highest, step = (float(node.get(key, "")) for key in ("min", "max", "step"))
                assert node.get("format") == "%.f"
                assert lowest <= float(node.text or "") <= highest == MAX_STEPS
                assert step > 0
    # Indi 1555: FOCUS_MAX unlike the largest position.
    assert focuser.of("FOCUS_MAX")[0].value == focuser.of("ABS_FOCUS_POSITION")[0].nodes[0].get("max")


def test_names_are_written_so_that_every_parser_reads_them() -> None:
    vector = Vector("Switch", "A", "<'\"&>", "G", {"a": "é\n"}, {"a": "On"}, rule="AtMostOne")
    bench = Bench()
    bench.add(vector.defined('O\'K <3> "Z" & é', "now"))
    bench.add(vector.told("x", "now", "<&'\">"))
    assert bench.all[0].attributes["device"] == 'O\'K <3> "Z" & é'
    assert bench.all[0].attributes["label"] == "<'\"&>"
    assert bench.all[1].message == "<&'\">"


# Connecting


def test_connect_is_busy_until_the_focuser_can_be_used(bench: Bench) -> None:
    bench.say(CONNECT)
    assert [each.told for each in bench.all] == [("Busy", "On")]
    ((request, attempt),) = bench.asked
    assert request == "connect"
    bench.say(CONNECT)
    assert bench.told("CONNECTION") == [("Busy", "On")]
    assert len(bench.asked) == 1
    bench.forget()
    bench.device.connecting(attempt, "homing.")
    assert bench.messages == ["[INFO] homing."]
    bench.forget()
    bench.device.connected(attempt, MAX_STEPS, status(steps=77))
    assert names(bench) == ["CONNECTION", *CONNECTED]
    assert bench.told("CONNECTION") == [("Ok", "On")]
    # Indi 663: 0 after a reconnect.
    assert bench.abs == [("Ok", "77")]


def test_connect_when_connected_and_disconnect_when_not_define_and_delete_nothing(bench: Bench) -> None:
    bench.say(DISCONNECT)
    assert bench.tags == ["setSwitchVector CONNECTION"]
    assert bench.told("CONNECTION") == [("Idle", "Off")]
    bench.online().say(CONNECT)
    assert bench.tags == ["setSwitchVector CONNECTION"]
    assert bench.told("CONNECTION") == [("Ok", "On")]


def test_disconnect_deletes_one_by_one_and_moves_nothing(focuser: Bench) -> None:
    focuser.set_abs(7000)
    asked = list(focuser.asked)
    focuser.say(DISCONNECT)
    assert focuser.tags == ["setSwitchVector CONNECTION", *(f"delProperty {name}" for name in CONNECTED)]
    # The library carries such a move out. It is not known to clients any more, either.
    focuser.set_abs(8000)
    assert [each.tag for each in focuser.all] == ["message"]
    focuser.say(ABORT).hear(status("moving"))
    assert focuser.all == []
    assert [name for name, _ in focuser.asked if name in ("move", "stop")] == ["move"]
    assert asked[-1][0] == "move"


def test_after_a_reconnect_all_is_as_it_is(focuser: Bench) -> None:
    focuser.set_abs(7000)
    focuser.say(DISCONNECT).hear(status("moving", 6000))
    focuser.online(status(steps=7000)).say("<getProperties/>")
    assert focuser.abs == [("Ok", "7000")]
    assert focuser.rel[0][0] == "Idle"


def test_a_connect_that_failed_says_why_and_can_be_repeated(bench: Bench) -> None:
    bench.say(CONNECT)
    bench.forget()
    bench.device.not_connected(bench.asked[-1][1], "the switch was not found.")
    assert bench.told("CONNECTION") == [("Alert", "Off")]
    assert bench.messages == ["[ERROR] the switch was not found."]
    assert bench.online().device.online


def test_a_connect_that_was_given_up_ends_nowhere(bench: Bench) -> None:
    bench.say(CONNECT).say(DISCONNECT)
    bench.forget()
    bench.device.connecting(bench.asked[-1][1], "homing.")
    bench.device.connected(bench.asked[-1][1], MAX_STEPS, status())
    bench.device.not_connected(bench.asked[-1][1], "no.")
    assert bench.all == []


def test_an_abort_ends_a_homing_that_a_connect_has_begun(bench: Bench) -> None:
    bench.say(ABORT)
    assert bench.stops == 0
    bench.say(CONNECT).say(ABORT)
    assert bench.stops == 1
    bench.device.stopped("", status("unhomed"))
    bench.device.not_connected(bench.asked[0][1], "stopped by 127.0.0.1.")
    assert bench.told("CONNECTION") == [("Alert", "Off")]


def test_a_wrong_connection_switch_disconnects_nobody(focuser: Bench) -> None:
    for text in (
        new_switch("CONNECTION", "CONNECT", "Off"),
        new_switch("CONNECTION", "CONNECT", "Maybe"),
        new_switch("CONNECTION", "RECONNECT"),
        new_number("CONNECTION", "CONNECT", 1),
        f"<newSwitchVector device='{NAME}' name='CONNECTION'><oneSwitch name='CONNECT'>On</oneSwitch>"
        "<oneSwitch name='DISCONNECT'>On</oneSwitch></newSwitchVector>",
        f"<newSwitchVector device='{NAME}' name='CONNECTION'/>",
    ):
        focuser.say(text)
        assert focuser.told("CONNECTION") == [("Ok", "On")]
        assert focuser.messages[0].startswith("[ERROR] ")


# A move


def test_a_move_is_busy_at_once_with_the_position_as_it_is(focuser: Bench) -> None:
    focuser.set_abs(7000)
    assert focuser.abs == [("Busy", "5000")]
    assert focuser.rel == []
    assert [move.target_from(0) for move in focuser.moves] == [7000]


def test_on_the_way_it_is_busy_five_times_a_second_within_its_range(focuser: Bench) -> None:
    focuser.set_abs(30528)
    focuser.forget()
    begun_s = focuser.clock.now_s
    for number in range(1, 101):
        focuser.clock.now_s = begun_s + number * 0.07
        focuser.device.heard(status("moving", 5000 + 300 * number))
    assert {state for state, _ in focuser.abs} == {"Busy"}
    assert 7.0 / PROGRESS_PERIOD_S - 2 <= len(focuser.abs) <= 7.0 / PROGRESS_PERIOD_S + 1
    # An overshoot may lie further out than any position that can be asked for.
    assert max(int(value) for _, value in focuser.abs) == MAX_STEPS


def test_it_is_ok_only_when_it_has_arrived_and_where_it_stands_then(focuser: Bench) -> None:
    focuser.set_abs(7000)
    # Indi 1995, 1999: Ok on the way, and with an old position. The daemon is idle a moment before it answers.
    focuser.hear(status("idle", 7000))
    assert [state for state, _ in focuser.abs] == ["Busy"]
    focuser.arrive(7001)
    assert focuser.abs == [("Ok", "7001")]
    # What was under way to us then is older.
    assert focuser.hear(status("idle", 7001)).all == []


def test_a_status_that_is_older_than_the_arrival_changes_nothing(focuser: Bench) -> None:
    focuser.set_abs(7000)
    focuser.device.heard(status("moving", 6900, change=41))
    focuser.device.moved(focuser.moves[-1], "", status(steps=7000, change=43))
    assert focuser.hear(status("moving", 6990, change=42)).all == []
    assert focuser.hear(status("idle", 7000, change=43)).all == []
    # A daemon that was restarted counts anew.
    focuser.device.lost("gone.")
    assert focuser.hear(status("idle", 7000, change=1)).abs == [("Busy", "7000"), ("Ok", "7000")]


def test_a_move_of_no_length_is_busy_and_then_ok(focuser: Bench) -> None:
    focuser.set_abs(5000)
    assert focuser.abs == [("Busy", "5000")]
    assert focuser.arrive(5000).abs == [("Ok", "5000")]


@pytest.mark.parametrize(("direction", "target"), [("FOCUS_INWARD", 4900), ("FOCUS_OUTWARD", 5100)])
def test_a_relative_move_goes_in_the_direction_of_focus_motion(
    focuser: Bench, direction: str, target: int
) -> None:
    # Indi 921: counts against the direction.
    focuser.press("FOCUS_MOTION", direction)
    assert focuser.of("FOCUS_MOTION")[0].values[direction] == "On"
    assert sorted(focuser.of("FOCUS_MOTION")[0].values.values()) == ["Off", "On"]
    focuser.set_rel(100)
    assert (focuser.rel, focuser.abs) == ([("Busy", "100")], [("Busy", "5000")])
    assert focuser.moves[-1].target_from(5000) == target
    focuser.hear(status("moving", 4950))
    # Indi 2028: what is left as the position.
    assert focuser.rel == []
    focuser.arrive(target)
    assert (focuser.abs, focuser.rel) == ([("Ok", str(target))], [("Ok", "100")])


def test_focus_motion_moves_nothing_and_is_ok_on_the_way_too(focuser: Bench) -> None:
    focuser.set_abs(7000)
    focuser.press("FOCUS_MOTION", "FOCUS_OUTWARD")
    assert [each.state for each in focuser.all] == ["Ok"]
    assert len(focuser.moves) == 1


def test_settings_are_ok_and_off_and_move_nothing(focuser: Bench) -> None:
    for name in ("CONFIG_LOAD", "CONFIG_SAVE", "CONFIG_DEFAULT", "CONFIG_PURGE"):
        focuser.press("CONFIG_PROCESS", name)
        assert [each.state for each in focuser.all] == ["Ok"]
        assert set(focuser.all[0].values.values()) == {"Off"}
    assert focuser.moves == []


NO_STEPS = (
    *("50000,5", "--5", "+-5", "nan", "NaN", "inf", "-inf", "1e999", "", "abc", "12:30", "12 30", "12:30:00"),
    *("0x10", "1_000", "5f", "٣", "1e", "e5", ".", "-", "True", "5;6", "9" * 50, "-1", "30529", "-0.4"),
)


@pytest.mark.parametrize("text", NO_STEPS)
def test_what_is_no_number_of_steps_in_the_range_is_refused(focuser: Bench, text: str) -> None:
    focuser.set_abs(text)
    assert focuser.abs == [("Busy", "5000"), ("Alert", "5000")]
    assert focuser.messages[0].startswith("[ERROR] ")
    assert focuser.set_rel(text).rel[-1][0] == "Alert"
    assert focuser.moves == []


@pytest.mark.parametrize(
    ("text", "steps"),
    [("7e3", 7000), ("+7000", 7000), ("7000.0", 7000), ("6999.6", 7000), (".0", 0), ("30528", 30528)],
)
def test_whole_steps_may_be_written_in_many_ways(focuser: Bench, text: str, steps: int) -> None:
    focuser.set_abs(text)
    assert focuser.moves[-1].steps == steps


def test_relative_moves_stay_in_the_range_and_have_a_length(focuser: Bench) -> None:
    for value in (0, -5, 5001, 40000):
        assert focuser.set_rel(value).rel[-1][0] == "Alert", value
    focuser.press("FOCUS_MOTION", "FOCUS_OUTWARD")
    assert focuser.set_rel(MAX_STEPS - 4999).rel[-1][0] == "Alert"
    assert focuser.moves == []
    assert focuser.set_rel(MAX_STEPS - 5000).moves[-1].target_from(5000) == MAX_STEPS


@pytest.mark.parametrize(
    "text",
    [
        new_number("ABS_FOCUS_POSITION", "FOCUS_POSITION", 7000),
        new_number("ABS_FOCUS_POSITION", "", 7000),
        f"<newNumberVector device='{NAME}' name='ABS_FOCUS_POSITION'/>",
        f"<newNumberVector device='{NAME}' name='ABS_FOCUS_POSITION'>"
        "<oneNumber name='FOCUS_ABSOLUTE_POSITION'>7</oneNumber>"
        "<oneNumber name='FOCUS_ABSOLUTE_POSITION'>8</oneNumber></newNumberVector>",
        new_switch("ABS_FOCUS_POSITION", "FOCUS_ABSOLUTE_POSITION"),
        new_number("FOCUS_MAX", "FOCUS_MAX_VALUE", 99999),
        new_switch("FOCUS_MOTION", "FOCUS_SIDEWARD"),
        new_switch("FOCUS_MOTION", "FOCUS_INWARD", "Off"),
        new_switch("FOCUS_MOTION", "FOCUS_INWARD", "on"),
        new_switch("FOCUS_ABORT_MOTION", "ABORT", "1"),
    ],
)
def test_what_does_not_belong_is_refused(focuser: Bench, text: str) -> None:
    before = focuser.say("<getProperties/>").all
    focuser.say(text)
    assert [each.state for each in focuser.all] == ["Busy", "Alert"]
    assert focuser.messages[0].startswith("[ERROR] ")
    assert [name for name, _ in focuser.asked] == ["connect"]
    after = focuser.say("<getProperties/>").all
    assert [each.values for each in after] == [each.values for each in before]


def test_other_devices_and_unknown_properties_are_nobodys(focuser: Bench) -> None:
    for text in (
        go_to(7000).replace(NAME, "CCD"),
        go_to(7000).replace(f"device='{NAME}'", ""),
        new_number("FOCUS_TIMER", "FOCUS_TIMER_VALUE", 100),
        new_number("FOCUS_SYNC", "FOCUS_SYNC_VALUE", 100),  # Indi 2279: a synchronisation moves.
        "<enableBLOB device='x'>Never</enableBLOB>",
        f"<setNumberVector device='{NAME}' name='ABS_FOCUS_POSITION'/>",
        f"<delProperty device='{NAME}' name='ABS_FOCUS_POSITION'/>",
        f"<defNumberVector device='{NAME}' name='ABS_FOCUS_POSITION'/>",
        "<message message='x'/>",
        "<pingReply uid='1'/>",
    ):
        assert focuser.say(text).all == [], text
    assert focuser.moves == []


# Two targets, and stops


def test_a_second_target_takes_the_place_of_the_first(focuser: Bench) -> None:
    focuser.set_abs(7000)
    first = focuser.moves[-1]
    focuser.hear(status("moving", 6000)).set_abs(2000)
    assert focuser.abs == [("Busy", "6000")]
    assert [name for name, _ in focuser.asked[1:]] == ["move", "stop", "move"]
    focuser.forget()
    assert not focuser.device.wants(first)
    # The first ends as it must, and that is no failure; nor is the stop somebody else's.
    focuser.device.moved(first, "stopped by 127.0.0.1.", status(steps=6010, reason="stopped by 127.0.0.1."))
    focuser.device.stopped("", status(steps=6010, reason="stopped by 127.0.0.1."))
    focuser.hear(status("moving", 4000))
    assert {state for state, _ in focuser.abs} == {"Busy"}
    assert focuser.arrive(2000).abs == [("Ok", "2000")]
    assert focuser.set_abs(3000).abs == [("Busy", "2000")]


def test_a_relative_move_that_is_replaced_does_not_stay_busy(focuser: Bench) -> None:
    focuser.set_rel(1000)
    focuser.set_abs(7000)
    assert focuser.rel == [("Idle", "1000")]
    assert focuser.arrive(7000).rel == []


def test_a_second_relative_move_counts_from_where_it_stands_then(focuser: Bench) -> None:
    focuser.set_abs(7000)
    focuser.hear(status("moving", 6000)).set_rel(500)
    assert focuser.moves[-1].target_from(6010) == 5510


def test_a_second_target_that_is_wrong_leaves_the_first_busy(focuser: Bench) -> None:
    focuser.set_abs(7000)
    for value in ("nan", 99999, "50000,5"):
        focuser.set_abs(value)
        assert focuser.abs == [("Busy", "5000")]
        assert focuser.messages[0].startswith("[ERROR] ")
    assert (len(focuser.moves), focuser.stops) == (1, 0)
    assert focuser.arrive(7000).abs == [("Ok", "7000")]


def test_abort_is_idle_at_standstill(focuser: Bench) -> None:
    focuser.set_rel(1000)
    focuser.say(ABORT)
    assert focuser.told("FOCUS_ABORT_MOTION") == [("Busy", "Off")]
    assert focuser.stops == 1
    assert {state for state, _ in focuser.hear(status("stopping", 4500)).abs} == {"Busy"}
    focuser.forget()
    focuser.device.moved(focuser.moves[0], "stopped by 127.0.0.1.", status(steps=4400))
    assert focuser.all == []
    focuser.device.stopped("", status(steps=4400, reason="stopped by 127.0.0.1."))
    assert focuser.abs == [("Idle", "4400")]
    assert focuser.rel == [("Idle", "1000")]
    assert focuser.told("FOCUS_ABORT_MOTION") == [("Ok", "Off")]
    # It was our own stop.
    assert focuser.hear(status(steps=4400, reason="stopped by 127.0.0.1.")).all == []
    assert focuser.set_abs(5000).abs == [("Busy", "4400")]


def test_abort_at_rest_is_ok_and_nothing_else(focuser: Bench) -> None:
    focuser.say(ABORT)
    assert focuser.all == []
    # Its halt is seen, and is nobody else's.
    assert focuser.hear(status("stopping")).all == []
    focuser.device.stopped("", status())
    assert focuser.tags == ["setSwitchVector FOCUS_ABORT_MOTION"]
    assert focuser.told("FOCUS_ABORT_MOTION") == [("Ok", "Off")]
    assert focuser.set_abs(7000).abs == [("Busy", "5000")]


def test_abort_pressed_twice_ends_as_once(focuser: Bench) -> None:
    focuser.set_rel(1000)
    focuser.say(ABORT + ABORT)
    focuser.device.stopped("", status(steps=4400))
    assert (focuser.abs, focuser.rel) == ([("Idle", "4400")], [("Idle", "1000")])
    assert focuser.told("FOCUS_ABORT_MOTION") == [("Busy", "Off"), ("Busy", "Off"), ("Ok", "Off")]


def test_abort_without_proof_is_alert(focuser: Bench) -> None:
    focuser.set_abs(7000)
    focuser.say(ABORT)
    focuser.forget()
    focuser.device.stopped("no answer.", None)
    assert focuser.abs == [("Alert", "5000")]
    assert focuser.told("FOCUS_ABORT_MOTION") == [("Alert", "Off")]
    assert "THE STOP FAILED" in focuser.messages[0]


def test_abort_stops_somebody_elses_move_too(focuser: Bench) -> None:
    focuser.hear(status("moving", 6000)).say(ABORT)
    assert focuser.stops == 1
    focuser.device.stopped("", status(steps=6100))
    assert focuser.abs == [("Idle", "6100")]


def test_a_move_right_after_an_abort_is_carried_out(focuser: Bench) -> None:
    focuser.set_abs(7000)
    focuser.say(ABORT + go_to(4000))
    focuser.device.stopped("", status(steps=5100))
    assert {state for state, _ in focuser.abs} == {"Busy"}
    assert focuser.told("FOCUS_ABORT_MOTION")[-1] == ("Ok", "Off")
    assert focuser.arrive(4000).abs == [("Ok", "4000")]


def test_a_retarget_whose_stop_fails_ends_as_alert(focuser: Bench) -> None:
    focuser.set_abs(7000)
    focuser.set_rel(1000)
    focuser.forget()
    focuser.device.stopped("no answer.", status("stopping", 6000))
    assert ("Alert", "6000") in focuser.abs
    assert focuser.rel[-1][0] == "Alert"
    assert focuser.asked[-1][0] == "drop"


def test_somebody_elses_stop_is_alert_and_holds_moves_back(focuser: Bench) -> None:
    focuser.set_abs(7000)
    focuser.hear(status("moving", 6000)).arrive(6100, "stopped by 10.2.5.1.")
    # Indi 1233: Idle would make Ekos repeat the move.
    assert focuser.abs == [("Alert", "6100")]
    assert "stopped by 10.2.5.1" in focuser.messages[0]
    # Ekos returns to where its autofocus began.
    focuser.wait_s(HOLD_S - 1).set_abs(5000)
    assert focuser.abs == [("Busy", "6100"), ("Alert", "6100")]
    assert "stopped by somebody else" in focuser.messages[0]
    assert focuser.set_rel(10).rel[-1][0] == "Alert"
    assert len(focuser.moves) == 1
    assert focuser.wait_s(1.1).set_abs(5000).abs == [("Busy", "6100")]


def test_a_program_that_insists_is_held_back_as_long_as_it_insists(focuser: Bench) -> None:
    """Ekos takes each Alert for one more failure of its autofocus, and asks for its return again at once."""
    focuser.set_abs(7000)
    focuser.arrive(6100, "stopped by 10.2.5.1.")
    begun_s, asked = focuser.clock.now_s, 0
    while focuser.clock.now_s < begun_s + 120:
        told = focuser.wait_s(0.01).set_abs(5000).abs
        asked += 1
        while told[-1][0] == "Busy":
            # The daemon is asked every five seconds.
            told += focuser.wait_s(4.0).hear(status(steps=6100)).abs
        assert told == [("Busy", "6100"), ("Alert", "6100")]
    assert len(focuser.moves) == 1
    assert asked < 4 + 120 / HOLD_S
    # It gives up; and a person may move the focuser when the hold is over.
    focuser.say(ABORT)
    focuser.device.stopped("", status(steps=6100))
    assert focuser.told("FOCUS_ABORT_MOTION")[-1] == ("Ok", "Off")
    assert focuser.wait_s(HOLD_S + 0.1).set_abs(5000).abs == [("Busy", "6100")]
    assert len(focuser.moves) == 2


def test_who_asks_for_something_else_is_answered_at_once(focuser: Bench) -> None:
    focuser.set_abs(7000)
    focuser.arrive(6100, "stopped by 10.2.5.1.")
    for steps in range(100, 120):
        assert focuser.set_abs(steps).abs[-1][0] == "Alert"
    for _ in range(10):
        assert focuser.wait_s(0.6).set_abs(100).abs[-1][0] == "Alert"


def test_somebody_elses_stop_at_rest_holds_moves_back_too(focuser: Bench) -> None:
    """An autofocus rests while it takes its pictures."""
    focuser.hear(status("stopping"))
    assert focuser.hear(status()).abs == [("Alert", "5000")]
    assert "stopped by somebody else" in focuser.messages[0]
    assert focuser.set_abs(7000).abs[-1] == ("Alert", "5000")


def test_a_stop_of_somebody_elses_move_is_one_too(focuser: Bench) -> None:
    focuser.hear(status("moving", 6000)).hear(status("stopping", 6010))
    assert focuser.hear(status(steps=6020, reason="stopped by 10.2.5.1.")).abs == [("Alert", "6020")]
    assert focuser.set_abs(7000).abs[-1][0] == "Alert"


def test_a_move_that_failed_is_alert_and_another_may_follow(focuser: Bench) -> None:
    focuser.set_rel(1000)
    focuser.arrive(4700, "the motor did not start.")
    assert focuser.abs == [("Alert", "4700")]
    assert focuser.rel == [("Alert", "1000")]
    assert focuser.messages == ["[ERROR] the motor did not start."]
    assert focuser.set_abs(7000).abs == [("Busy", "4700")]


# Others, and trouble


def test_somebody_elses_move_is_busy_and_ok(focuser: Bench) -> None:
    assert focuser.hear(status("moving", 5100)).abs == [("Busy", "5100")]
    assert focuser.set_abs(7000).abs == [("Alert", "5100")]
    assert focuser.hear(status("moving", 5200)).abs == [("Busy", "5200")]
    assert focuser.hear(status(steps=5300)).abs == [("Ok", "5300")]
    assert focuser.moves == []


def test_at_rest_only_what_is_new_is_told(focuser: Bench) -> None:
    for _ in range(3):
        assert focuser.hear(status()).all == []
    assert focuser.hear(status(steps=5003)).abs == [("Busy", "5003"), ("Ok", "5003")]


def test_a_daemon_that_is_away_is_alert_until_it_is_back(focuser: Bench) -> None:
    focuser.device.lost("Nothing listens at 127.0.0.1:9000.")
    assert focuser.abs == [("Busy", "5000"), ("Alert", "5000")]
    assert "Nothing listens" in focuser.messages[0]
    focuser.forget()
    focuser.device.lost("Nothing listens at 127.0.0.1:9000.")
    assert focuser.all == []
    assert focuser.set_abs(7000).abs[-1] == ("Alert", "5000")
    assert focuser.moves == []
    assert focuser.hear(status(steps=5000)).abs == [("Busy", "5000"), ("Ok", "5000")]
    assert focuser.set_abs(7000).abs == [("Busy", "5000")]


def test_a_daemon_that_goes_away_on_the_way_leaves_nothing_busy(focuser: Bench) -> None:
    # Indi 712: Busy for ever.
    focuser.set_rel(1000)
    focuser.forget()
    focuser.device.lost("gone.")
    assert (focuser.abs[-1][0], focuser.rel[-1][0]) == ("Alert", "Alert")
    focuser.forget()
    focuser.device.moved(focuser.moves[-1], "gone.", None)
    assert focuser.all == []


@pytest.mark.parametrize("state", ["reconnecting", "unhomed", "disconnected", "fault"])
def test_a_focuser_that_cannot_be_used_is_alert_and_connect_mends_it(focuser: Bench, state: str) -> None:
    focuser.hear(status(state, reason="the cable is out (1 s)."))
    assert focuser.abs == [("Busy", "5000"), ("Alert", "5000")]
    assert "the cable is out" in focuser.messages[0]
    # What only counts on is no news.
    assert focuser.hear(status(state, reason="the cable is out (2 s).")).all == []
    assert focuser.set_abs(7000).abs[-1][0] == "Alert"
    assert focuser.say(CONNECT).told("CONNECTION") == [("Busy", "On")]
    assert focuser.asked[-1][0] == "connect"
    focuser.forget()
    focuser.device.connected(focuser.asked[-1][1], MAX_STEPS, status(steps=0))
    assert focuser.tags == ["setSwitchVector CONNECTION", *2 * ["setNumberVector ABS_FOCUS_POSITION"]]
    assert focuser.abs == [("Busy", "0"), ("Ok", "0")]


def test_a_focuser_that_somebody_homes_is_not_called_to_be_homed(focuser: Bench) -> None:
    focuser.hear(status("homing"))
    assert focuser.abs[-1][0] == "Alert"
    assert "somebody has it connected and homed" in focuser.messages[0]
    assert focuser.hear(status(steps=0)).abs == [("Busy", "0"), ("Ok", "0")]


def test_a_connect_again_that_fails_keeps_clients_connected(focuser: Bench) -> None:
    focuser.hear(status("unhomed", reason="home it.")).say(CONNECT)
    focuser.forget()
    focuser.device.not_connected(focuser.asked[-1][1], "the switch was not found.")
    assert focuser.told("CONNECTION") == [("Ok", "On")]
    assert focuser.messages == ["[ERROR] the switch was not found."]


def test_a_focuser_that_moves_when_it_is_connected_is_busy(bench: Bench) -> None:
    bench.online(status("moving", 6000)).say("<getProperties/>")
    assert bench.abs == [("Busy", "6000")]
    assert bench.hear(status(steps=7000)).abs == [("Ok", "7000")]


def test_what_clients_have_missed_is_told_anew(focuser: Bench) -> None:
    focuser.set_abs(7000)
    focuser.forget()
    focuser.device.tell_all()
    assert focuser.abs == [("Busy", "5000")] * 2
    focuser.arrive(7000)
    focuser.forget()
    focuser.device.tell_all()
    # Ekos would drop an Ok of a value that it has, and wait for ever.
    assert focuser.abs == [("Ok", "7000"), ("Busy", "7000"), ("Ok", "7000")]
    focuser.say(DISCONNECT)
    focuser.forget()
    focuser.device.tell_all()
    assert [each.name for each in focuser.all if each.tag == "delProperty"] == CONNECTED
