"""zenpy does its user, group, membership, organisation and deletion work."""

from __future__ import annotations

import pytest

from tools.zendesk_simulator.tests.strangers.running import (
    ADMIN,
    AGENT,
    ASKER,
    BILLING,
    OTHER,
    SECOND_ASKER,
    SUPPORT,
    Account,
)
from tools.zendesk_simulator.tests.strangers.the_zenpy import (
    APIException,
    Group,
    GroupMembership,
    Identity,
    Organization,
    OrganizationMembership,
    RecordNotFoundException,
    Ticket,
    User,
    UserField,
    Zenpy,
)


def test_users_are_listed_by_role_shown_and_searched(zenpy: Zenpy) -> None:
    assert [u.id for u in zenpy.users(role=["agent", "admin"])] == [ADMIN, AGENT, OTHER]
    assert [u.id for u in zenpy.users(role="end-user")] == [ASKER, SECOND_ASKER]
    assert zenpy.users(id=AGENT).default_group_id == SUPPORT
    assert [u.id for u in zenpy.users(ids=[AGENT, ASKER])] == [AGENT, ASKER]
    assert [u.id for u in zenpy.users.search(query="asker")] == [ASKER, SECOND_ASKER]
    assert [u.id for u in zenpy.users.search(query="email:bo@example.com")] == [AGENT]
    assert zenpy.users.me().role == "admin"
    assert [g.id for g in zenpy.users.groups(AGENT)] == [SUPPORT]


def test_a_user_is_made_changed_and_tagged(zenpy: Zenpy) -> None:
    user = zenpy.users.create(User(name="Fay", email="fay@example.com", external_id="x-1"))
    user.user_fields = {"shift": "late", "unknown": 1}
    user.phone = "123"

    changed = zenpy.users.update(user)

    assert (changed.phone, changed.user_fields) == ("123", {"shift": "late"})
    assert zenpy.users.set_tags(user.id, ["vip"]) == ["vip"] or zenpy.users(id=user.id).tags == ["vip"]
    again = zenpy.users.create_or_update(User(name="Fay B", email="fay@example.com"))
    assert (again.id, again.name) == (user.id, "Fay B")
    with pytest.raises(APIException) as caught:
        zenpy.users.create(User(name="Copy", email="fay@example.com"))
    details = caught.value.response.json()["details"]
    assert details["email"][0]["error"] == "DuplicateValue"


def test_many_users_are_jobs(account: Account, zenpy: Zenpy) -> None:
    job = zenpy.users.create([User(name=f"U{n}", email=f"u{n}@example.com") for n in range(3)])
    account.finish_jobs()
    rows = zenpy.job_status(id=job.id).results
    assert [r.status for r in rows] == ["Created"] * 3
    ids = [r.id for r in rows]

    job = zenpy.users.create_or_update([User(name="New name", email="u0@example.com")])
    account.finish_jobs()
    assert zenpy.job_status(id=job.id).results[0].status == "Updated"
    job = zenpy.users.update([User(id=i, notes="n") for i in ids])
    account.finish_jobs()
    assert all(r.success for r in zenpy.job_status(id=job.id).results)
    job = zenpy.users.delete([User(id=i) for i in ids])
    account.finish_jobs()
    assert all(r.success for r in zenpy.job_status(id=job.id).results)
    assert not {u.id for u in zenpy.users()} & set(ids)


def test_identities(zenpy: Zenpy) -> None:
    made = zenpy.users.identities.create(ASKER, Identity(type="email", value="second@example.com"))
    assert (made.primary, made.verified) == (False, False)

    zenpy.users.identities.verify(ASKER, made)
    zenpy.users.identities.make_primary(ASKER, made)

    assert {i.value: i.primary for i in zenpy.users.identities(id=ASKER)} == {
        "cy@example.com": False,
        "second@example.com": True,
    }
    assert zenpy.users(id=ASKER).email == "second@example.com"
    first = next(i for i in zenpy.users.identities(id=ASKER) if not i.primary)
    zenpy.users.identities.delete(ASKER, first)
    assert len(list(zenpy.users.identities(id=ASKER))) == 1


def test_agents_may_not_write_other_agents(account: Account) -> None:
    agent = account.zenpy("bo@example.com")

    with pytest.raises(APIException) as caught:
        agent.users.update(User(id=OTHER, notes="x"))

    assert caught.value.response.status_code == 403
    assert agent.users.update(User(id=ASKER, notes="ok")).notes == "ok"


def test_groups_and_memberships_with_the_unassign_job(account: Account, zenpy: Zenpy) -> None:
    group = zenpy.groups.create(Group(name="Night"))
    membership = zenpy.group_memberships.create(GroupMembership(user_id=AGENT, group_id=group.id))
    ids = account.play(create=[{"requester_id": ASKER, "group_id": group.id, "assignee_id": AGENT}])
    assert {m.group_id for m in zenpy.users.group_memberships(AGENT)} == {SUPPORT, group.id}
    assert [u.id for u in zenpy.groups.users(group)] == [AGENT]
    zenpy.group_memberships.make_default(AGENT, membership.id)
    assert zenpy.users(id=AGENT).default_group_id == group.id

    zenpy.group_memberships.delete(membership)
    assert zenpy.tickets(id=ids[0]).assignee_id == AGENT
    account.finish_jobs()

    ticket = zenpy.tickets(id=ids[0])
    assert (ticket.assignee_id, ticket.group_id) == (None, group.id)
    assert zenpy.users(id=AGENT).default_group_id == SUPPORT
    group.name = "Nights"
    assert zenpy.groups.update(group).name == "Nights"
    zenpy.groups.delete(group)
    assert {g.id for g in zenpy.groups()} == {SUPPORT, BILLING}


def test_organisations(account: Account, zenpy: Zenpy) -> None:
    made = zenpy.organizations.create(Organization(name="Initech", external_id="i-1"))
    membership = zenpy.organization_memberships.create(
        OrganizationMembership(user_id=ASKER, organization_id=made.id)
    )
    assert zenpy.users(id=ASKER).organization.name == "Initech"
    assert [u.id for u in zenpy.organizations.users(made)] == [ASKER]
    assert [o.id for o in zenpy.users.organizations(ASKER)] == [made.id]
    assert [o.external_id for o in zenpy.organizations(ids=[made.id])] == ["i-1"]

    zenpy.organization_memberships.delete(membership)
    assert zenpy.users(id=ASKER).organization_id is None
    zenpy.organizations.delete(made)
    assert list(zenpy.organizations()) == []


def test_user_fields(zenpy: Zenpy) -> None:
    made = zenpy.user_fields.create(UserField(type="text", title="Colour", key="colour"))

    assert {f.key for f in zenpy.user_fields()} == {"shift", "colour"}
    zenpy.user_fields.delete(made)
    assert {f.key for f in zenpy.user_fields()} == {"shift"}


def test_deletion_goes_tickets_first_then_for_good(account: Account, zenpy: Zenpy) -> None:
    (ticket_id,) = account.play(create=[{"requester_id": ASKER}])
    with pytest.raises(APIException) as caught:
        zenpy.users.delete(User(id=ASKER))
    assert caught.value.response.status_code == 422

    zenpy.tickets.delete(Ticket(id=ticket_id))
    assert zenpy.users.delete(User(id=ASKER)).active is False
    assert [u.id for u in zenpy.users.deleted()] == [ASKER]
    gone = zenpy.users.permanently_delete(ASKER)

    assert (gone.id, gone.name) == (ASKER, "Cy Asker")
    with pytest.raises(RecordNotFoundException):
        zenpy.users(id=ASKER)
    assert [u.name for u in zenpy.users.deleted()] == ["Permanently Deleted User"]


def test_merging_users_moves_their_tickets(account: Account, zenpy: Zenpy) -> None:
    (ticket_id,) = account.play(create=[{"requester_id": ASKER}])

    winner = zenpy.users.merge(User(id=ASKER), User(id=SECOND_ASKER))

    assert winner.id == SECOND_ASKER
    assert zenpy.tickets(id=ticket_id).requester_id == SECOND_ASKER
    assert [t.id for t in zenpy.users.requested(SECOND_ASKER)] == [ticket_id]
