"""Terms: several programs' corrections add up, and programs that know none see what they always saw."""

from __future__ import annotations

from rockit.focuser.ok3z.service.terms import unwanted, wanted


def set_term(rig, name, mm, owner="me", ttl_s=None):
    return rig.carry_out(lambda: rig.commands.terms.change(wanted(name, owner, mm, ttl_s)))


def test_a(rig):
    assert rig.move(2.0) is None
    assert set_term(rig, "filter", 0.12) is None
    rig.assert_stands_at(2.12)
    assert rig.commands.snapshot.base_mm == 2.0
    assert rig.carry_out(lambda: rig.commands.terms.change(unwanted("filter", "me"))) is None
    rig.assert_stands_at(2.0)
