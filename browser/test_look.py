"""How the page looks to those who look only, on a telephone, at night, and with keys."""

from __future__ import annotations

from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

# What is shown in any colour but shades of red.
OTHER_COLOURS = """
    const found = new Set();
    const look = (element, pseudo) => {
      const style = getComputedStyle(element, pseudo);
      if (pseudo && style.content === "none") return;
      const names = ["color", "backgroundColor", "borderTopColor", "borderLeftColor", "outlineColor", "caretColor"];
      for (const name of names) {
        const parts = style[name].match(/[\\d.]+/g);
        if (parts && parts[3] !== "0" && (Number(parts[1]) || Number(parts[2]))) {
          found.add(`${element.tagName} ${element.id}${pseudo ?? ""} ${name} ${style[name]}`);
        }
      }
    };
    for (const element of document.querySelectorAll("html, body, body *")) {
      look(element);
      look(element, "::before");
    }
    return [...found];
"""
CANVAS_COLOURS = """
    const canvas = document.querySelector("#chart canvas");
    const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const most = [0, 0, 0];
    for (let at = 0; at < data.length; at += 4) {
      if (data[at + 3] > 40) for (const part of [0, 1, 2]) most[part] = Math.max(most[part], data[at + part]);
    }
    return most;
"""
# What lies over the number that matters, or runs out of its card.
OVERLAPS = """
    const box = (selector) => document.querySelector(selector).getBoundingClientRect();
    const number = box(".position .unit");
    const list = box("#now dl");
    const card = box("#now");
    const found = number.right > card.right ? ["the position runs out of its card"] : [];
    if (list.left < number.right && list.top < number.bottom) found.push("the position runs into the list");
    return found;
"""
# Whether a page is wider than its window, and what is.
TOO_WIDE = """
    const wide = document.documentElement.scrollWidth > innerWidth;
    return [...document.querySelectorAll("body *")].filter((element) => {
      const box = element.getBoundingClientRect();
      return (box.right > innerWidth + 0.5 || box.left < -0.5) && !element.closest(".unseen");
    }).map((element) => `${element.tagName} ${element.id}`).concat(wide ? ["the page"] : []);
"""


def test_the_page_is_at_each_of_its_addresses(page: Any, daemon: Any) -> None:
    for path in ("", "setup", "setup/v1/focuser/0/setup"):
        page.open(daemon, path).wait_for("#state", "OFFLINE").wait_for("#name", "ocuser")


def test_who_may_not_control_sees_everything_and_can_press_nothing(page: Any, make_daemon: Any) -> None:
    daemon = make_daemon(control_machines=["Elsewhere"])
    page.open(daemon).wait_for("#state", "OFFLINE")
    assert "control_machines" in page.text("main")
    pressable = page.all("button:not([data-span]), input, form, a")
    looks = ["history-before", "history-after", "history-csv"]
    assert [button.get_attribute("id") for button in pressable] == ["night", *looks]
    # And the daemon refuses anyway.
    script = """
        const done = arguments[arguments.length - 1];
        fetch("/panel/stop", {method: "GET"}).then((answer) => done(answer.status));
    """
    assert page.driver.execute_async_script(script) in (404, 405)
    page.driver.get_log("browser")
    assert daemon.post("initialize", {"resume": False}, "127.0.0.1")["code"] == "refused"
    assert daemon.status()["state"] == "disconnected"
    page.press(Keys.ESCAPE)
    assert daemon.post("initialize", {"resume": False}, "127.0.0.2")["done"] is True
    page.wait_for("#state", "IDLE").wait_for("#moves", "homed")


def test_nothing_is_wider_than_the_window(ready: Any, daemon: Any) -> None:
    def found(*scripts: str) -> list[tuple[int, str]]:
        """What is wrong at which width."""
        wrong = []
        for width in (320, 360, 412, 600, 959, 960, 1215, 1216, 1920):
            ready.emulate(width, 740, mobile=width < 600)
            wrong += [(width, one) for script in scripts for one in ready.run(script)]
        return wrong

    ready.set("1.5")
    ready.wait_for("#moves", "arrived")
    assert found(TOO_WIDE, OVERLAPS) == []
    ready.click("[data-opens=disconnect]")
    assert found(TOO_WIDE) == []
    daemon.tell("hang-up")
    ready.wait_for("#warnings", "Look at the focuser's power")
    assert found(TOO_WIDE) == []


def test_stop_is_on_the_screen_wherever_one_scrolls(ready: Any) -> None:
    for width, height in ((360, 640), (640, 360), (1280, 720)):
        ready.emulate(width, height, mobile=width < 1000)
        for where in ("0", "page.scrollHeight / 2", "page.scrollHeight"):
            place = ready.run(f"""
                const page = document.getElementById("page");
                page.scrollTo(0, {where});
                const box = document.getElementById("stop").getBoundingClientRect();
                const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
                return [box.top >= 0, box.bottom <= innerHeight, top.closest("button").id, box.height >= 48];
            """)
            assert place == [True, True, "stop", True], (width, where)


def test_nothing_jumps_under_a_finger_when_a_move_begins(ready: Any) -> None:
    ready.emulate(360, 740, mobile=True)
    where = """
        const places = [...document.querySelectorAll("#controls button")].map((button) => {
          const box = button.getBoundingClientRect();
          return [box.left, box.top + scrollY];
        });
        return JSON.stringify(places);
    """
    at_rest = ready.run(where)
    ready.set("5.5")
    ready.wait_for("#detail", "s left").wait_for("#answer", "Move to 5.500 mm…")
    assert ready.run(where) == at_rest


def test_on_a_telephone_all_that_is_pressed_is_large_enough(ready: Any) -> None:
    ready.emulate(360, 740, mobile=True)
    ready.click("[data-opens=disconnect]")
    small = """
        return [...document.querySelectorAll("button")].filter((button) => {
          const box = button.getBoundingClientRect();
          return box.width && (box.width < 40 || box.height < 40);
        }).map((button) => button.textContent);
    """
    assert ready.run(small) == []
    assert ready.run("return parseFloat(getComputedStyle(document.getElementById('position')).fontSize)") > 70


def test_by_night_everything_is_red_and_that_is_remembered(ready: Any, daemon: Any) -> None:
    assert ready.find("#night").get_attribute("aria-pressed") == "false"
    ready.set("1")
    ready.wait_for("#moves", "arrived")
    ready.click("[data-opens=disconnect]")
    assert ready.run(OTHER_COLOURS) != []
    ready.click("#night")
    assert ready.find("#night").get_attribute("aria-pressed") == "true"
    assert ready.run("return document.getAnimations().forEach((one) => one.finish())") is None
    assert ready.run(OTHER_COLOURS) == []
    red, green, blue = ready.run(CANVAS_COLOURS)
    assert (red > 200, green, blue) == (True, 0, 0)
    ready.open(daemon)
    assert ready.find("#night").get_attribute("aria-pressed") == "true"
    assert ready.run(OTHER_COLOURS) == []
    ready.click("#night")
    ready.open(daemon)
    assert ready.find("#night").get_attribute("aria-pressed") == "false"


def test_the_chart_is_drawn_and_says_in_words_what_it_shows(ready: Any) -> None:
    ready.set("1.5")
    ready.wait_for("#moves", "arrived")
    assert "now 1.500 mm" in ready.find("#chart").get_attribute("aria-label")
    # The line is where the focuser was: it rises from the left to the right.
    rows = ready.run("""
        const canvas = document.querySelector("#chart canvas");
        const pen = canvas.getContext("2d");
        const line = getComputedStyle(document.documentElement).getPropertyValue("--line").trim();
        const wanted = [1, 3, 5].map((at) => parseInt(line.slice(at, at + 2), 16));
        const {data} = pen.getImageData(0, 0, canvas.width, canvas.height);
        const isLine = (x, y) => {
          const at = 4 * (y * canvas.width + x);
          return data[at + 3] > 200 && wanted.every((part, index) => Math.abs(data[at + index] - part) < 6);
        };
        const rows = [];
        for (let x = 0; x < canvas.width; x += 1) {
          for (let y = 0; y < canvas.height; y += 1) {
            if (isLine(x, y)) {
              rows.push(y);
              break;
            }
          }
        }
        return rows;
    """)
    assert len(rows) > 10
    assert min(rows) < max(rows) - 50


def test_every_key_stop_is_seen_and_none_is_missed(ready: Any) -> None:
    seen = []
    ready.wait_for("#history", "Homing")
    for _ in range(27):
        ready.press(Keys.TAB)
        name, outline = ready.run("""
            const at = document.activeElement;
            const style = getComputedStyle(at);
            const name = at.id || at.dataset.offset || at.dataset.step || at.dataset.opens || at.textContent;
            return [name, style.outlineStyle === "solid" && parseFloat(style.outlineWidth) >= 2];
        """)
        if at_body := ready.run("return document.activeElement === document.body"):
            assert at_body
            break
        assert outline, name
        seen.append(name)
    offsets = ["-1", "-0.1", "-0.01", "1", "0.1", "0.01"]
    rare = ["initialise", "audit-question", "disconnect"]
    spans = ["1 min", "5 min", "10 min"]
    nights = ["history-before", "history-after", "history-csv"]
    assert [name for name in seen if name != "page"] == [
        *("night", "set-to", "Move", *offsets, "step-by", "-1", "1", *rare, *spans, *nights, "stop")
    ]


def test_what_is_said_by_itself_is_announced(ready: Any) -> None:
    roles = {
        "state": "status",
        "daemon-link": "status",
        "answer": "status",
        "reason": "status",
        "refusal": "alert",
        "stop-says": "alert",
        "warnings": "alert",
        "lost": "alert",
    }
    for name, role in roles.items():
        assert ready.find(f"#{name}").get_attribute("role") == role
    # What changes ten times a second is not.
    assert (
        ready.run("return document.getElementById('position').closest('[role=status],[aria-live]')") is None
    )


@pytest.mark.parametrize("calm", [False, True])
def test_who_asked_for_less_motion_gets_less(ready: Any, daemon: Any, calm: bool) -> None:
    wanted = "reduce" if calm else "no-preference"
    features = [{"name": "prefers-reduced-motion", "value": wanted}]
    ready.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    ready.open(daemon)
    duration = ready.run("return getComputedStyle(document.querySelector('button')).transitionDuration")
    assert all(part.strip() == "0s" for part in duration.split(",")) == calm
    ready.run("Object.assign(window.watched, {drawn: 0, resized: 0, since: performance.now()})")
    ready.set("5.5")
    ready.wait_for("#moves", "arrived")
    drawn, elapsed_s = ready.run(
        "const {drawn, resized, since} = window.watched; return [drawn - resized, (performance.now() - since) / 1000]"
    )
    if calm:
        # The first may have been due.
        assert drawn <= elapsed_s + 1
    else:
        assert drawn > elapsed_s + 1


SHOWN = """
    const inside = document.querySelector("#chart .u-over").getBoundingClientRect();
    const legend = [...document.querySelectorAll("#chart .u-value")].map((value) => value.textContent);
    return {left: inside.left, top: inside.top, width: inside.width, height: inside.height, legend};
"""
VALUE_LABELS = "return document.getElementById('chart').getAttribute('aria-label')"


def test_the_chart_says_what_is_under_the_pointer_and_looks_closer(ready: Any) -> None:
    ready.set("5")
    ready.wait_for("#answer", "Move to 5.000 mm: done.")
    # The chart is drawn with the next frame, and the answer is there at once.
    ready.wait_until(lambda: ready.run(SHOWN)["legend"] == ["now", "5.000 mm", "5.000 mm"], "the arrival")
    shown = ready.run(SHOWN)
    over = ready.find("#chart .u-over")
    # Where nothing was yet.
    actions = webdriver.ActionChains(ready.driver)
    actions.move_to_element_with_offset(over, -int(shown["width"] * 0.45), 0).perform()
    ready.wait_until(lambda: ready.run(SHOWN)["legend"][0].startswith("\u2212"), "a time under the pointer")
    # A stretch that is dragged over.
    actions.move_to_element_with_offset(over, int(shown["width"] * 0.3), 0).click_and_hold()
    actions.move_by_offset(int(shown["width"] * 0.19), 0).release().perform()
    ready.wait_until(lambda: "Position over the last" not in ready.run(VALUE_LABELS), "a stretch")
    assert ready.all("[data-span][aria-pressed=true]") == []
    ready.click("[data-span='60']")
    assert "Position over the last 60 seconds" in ready.run(VALUE_LABELS)
    assert ready.find("[data-span='60']").get_attribute("aria-pressed") == "true"


def test_ten_micrometres_are_seen_after_a_long_move(page: Any, daemon: Any) -> None:
    """In the last minute, once the move is further back, the scale is that of what is there."""
    page.open(daemon).wait_for("#state", "OFFLINE")
    axis = page.driver.execute_async_script("""
        const done = arguments[arguments.length - 1];
        import("/panel/scale.js").then(({atEdge, extent}) => {
          const points = [[0, 0, 0], [10, 5, 5], [400, 5, 5], [400, 5, 5.01], [400.5, 5.01, 5.01], [430, 5.01, 5.01]];
          done({near: extent(atEdge(points, 370, 430, true), 6), far: extent(atEdge(points, 0, 430, true), 6)});
        });
    """)
    assert axis["far"][1] - axis["far"][0] > 5
    assert axis["near"][1] - axis["near"][0] < 0.03
    assert axis["near"][0] < 5 < 5.01 < axis["near"][1]


def test_the_bar_shows_position_and_target_within_the_range(ready: Any) -> None:
    place = """
        const travel = document.getElementById("travel").getBoundingClientRect();
        return ["travel-at", "travel-to"].map((id) => {
          const box = document.getElementById(id).getBoundingClientRect();
          return (box.left + box.width / 2 - travel.left) / travel.width;
        });
    """
    assert ready.run(place) == [pytest.approx(0, abs=0.01)] * 2
    ready.set("3")
    ready.wait_for("#answer", "Move to 3.000 mm: done.")
    assert ready.run(place) == [pytest.approx(0.5, abs=0.01)] * 2
    assert ready.text("#travel-end") == "6"


@pytest.mark.parametrize(("width", "height"), [(1280, 880), (360, 780), (844, 390)])
def test_stop_covers_nothing(ready: Any, width: int, height: int) -> None:
    ready.emulate(width, height, mobile=width < 1000)
    page, bar = ready.run("""
        return ["page", "stop"].map((id) => {
          const box = document.getElementById(id).getBoundingClientRect();
          return [box.top, box.bottom];
        });
    """)
    assert page[1] <= bar[0]
    hidden = "return getComputedStyle(document.querySelector('#stop kbd')).display === 'none'"
    assert ready.run(hidden) == (width < 1000)


def test_the_page_advises_nothing_that_is_typed_on_a_terminal(ready: Any, daemon: Any) -> None:
    daemon.tell("power-cut 1")
    ready.wait_for("#state", "OFFLINE: unhomed")
    ready.wait_for("#reason", "Home the focuser.")
    assert "focus init" not in ready.text("body")
    assert "UTC" in ready.text("#moves-title").upper()
