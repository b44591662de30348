"""The generated client does its user, group, view, search, export, deletion and compliance work."""

from __future__ import annotations

from typing import Any

import pytest
from zendesk import errors

from tools.zendesk_simulator.tests.strangers.running import (
    ADMIN,
    AGENT,
    ASKER,
    BILLING,
    OTHER,
    SECOND_ASKER,
    SUPPORT,
    Account,
    Generated,
)


def test_users_are_listed_made_changed_and_searched(account: Account, api: Any) -> None:
    assert [u.id for u in api.users.list_users().result.users] == [ADMIN, AGENT, OTHER, ASKER, SECOND_ASKER]
    assert [u.id for u in api.users.list_users(role_query_parameter="agent").result.users] == [AGENT, OTHER]
    assert api.users.show_current_user().user.id == ADMIN
    assert api.users.count_users().count.value == 5
    made = api.users.create_user(user={"name": "Fay", "email": "fay@example.com"}).user
    assert api.users.update_user(user_id=made.id, user={"name": "Fay B"}).user.name == "Fay B"
    assert (
        api.users.create_or_update_user(user={"name": "Fay C", "email": "fay@example.com"}).user.id == made.id
    )
    assert [u.id for u in api.users.search_users(query="fay").users] == [made.id]
    assert [u.id for u in api.users.autocomplete_users(name="Fay").users] == [made.id]
    assert len(api.users.show_many_users(ids=f"{AGENT},{ASKER}").users) == 2
    assert api.users.show_user_related(user_id=AGENT).user_related.assigned_tickets == 0

    job = api.users.create_many_users(users=[{"name": "U", "email": "u@example.com"}]).job_status
    account.finish_jobs()
    assert api.job_statuses.show_job_status(job_status_id=job.id).job_status.results[0].index == 0
    job = api.users.update_many_users(ids=str(made.id), request_body={"user": {"name": "Fay D"}}).job_status
    account.finish_jobs()
    assert api.users.show_user(user_id=made.id).user.name == "Fay D"


def test_deletion_ends_with_compliance_statuses(account: Account, generated: Generated) -> None:
    (ticket_id,) = account.play(create=[{"requester_id": ASKER}])
    api = generated.api
    organization = api.organizations.create_organization(organization={"name": "Initech"}).organization
    member = {"user_id": ASKER, "organization_id": organization.id, "default": True}
    generated.sending(
        organization_membership=member
    ).organization_memberships.create_organization_membership()
    with pytest.raises(errors.APIError) as caught:
        api.users.delete_user(user_id=ASKER)
    assert caught.value.status_code == 422
    with pytest.raises(errors.APIError) as caught:
        api.users.show_user_compliance_deletion_statuses(user_id=ASKER)
    assert caught.value.status_code == 404

    api.tickets.delete_ticket(ticket_id=ticket_id)
    assert api.users.delete_user(user_id=ASKER).user.active is False
    assert api.users.show_deleted_user(deleted_user_id=ASKER).deleted_user.name == "Cy Asker"
    assert api.users.count_deleted_users().count.value == 1
    assert api.users.permanently_delete_user(deleted_user_id=ASKER).deleted_user.id == ASKER

    asked = api.users.show_user_compliance_deletion_statuses(
        user_id=ASKER
    ).result.compliance_deletion_statuses
    assert (asked[0].action, asked[0].application, asked[0].executer_id) == ("request_deletion", "all", ADMIN)
    assert {s.action for s in asked[1:]} == {"started"}
    for _ in range(3):
        account.finish_jobs()
    done = api.users.show_user_compliance_deletion_statuses(user_id=ASKER).result.compliance_deletion_statuses
    started = {s.application for s in done if s.action == "started"}
    assert {s.application for s in done if s.action == "complete"} == started
    with pytest.raises(
        errors.ResponseValidationError
    ) as unread:  # it takes no null e-mail, which tombstones have
        api.users.list_deleted_users()
    assert "Permanently Deleted User" in unread.value.body


def test_identities_and_tags(api: Any, generated: Generated) -> None:
    identities = generated.sending(identity={"type": "email", "value": "two@example.com"}).user_identities
    made = identities.create_user_identity(user_id=ASKER).identity
    assert (
        api.user_identities.verify_user_identity(user_id=ASKER, user_identity_id=made.id).identity.id
        == made.id
    )
    rows = api.user_identities.make_user_identity_primary(user_id=ASKER, user_identity_id=made.id).identities
    assert {i.value: i.primary for i in rows} == {"cy@example.com": False, "two@example.com": True}
    assert len(api.user_identities.list_user_identities(user_id=ASKER).result.identities) == 2
    assert api.tags.set_user_tags(user_id=ASKER, tags=["vip"]).tags == ["vip"]


def test_groups_memberships_and_roles(account: Account, generated: Generated) -> None:
    api = generated.api
    group = api.groups.create_group(group={"name": "Night"}).group
    assert api.groups.count_groups().count.value == 3
    assert {g.name for g in api.groups.list_assignable_groups().result.groups} == {
        "Support",
        "Billing",
        "Night",
    }
    made = generated.sending(group_membership={"user_id": AGENT, "group_id": group.id}).group_memberships
    membership = made.create_group_membership(group_membership={"user_id": AGENT, "group_id": group.id})
    membership_id = membership.group_membership.id
    rows = api.group_memberships.group_membership_set_default(
        user_id=AGENT, group_membership_id=membership_id
    )
    assert {m.group_id: m.default for m in rows.group_memberships} == {SUPPORT: False, group.id: True}
    many: dict[str, Any] = {
        "group_memberships": [
            {"user_id": OTHER, "group_id": SUPPORT},
            {"user_id": ASKER, "group_id": SUPPORT},
        ]
    }
    job = generated.sending(**many).group_memberships.group_membership_bulk_create().job_status
    account.finish_jobs()
    results = api.job_statuses.show_job_status(job_status_id=job.id).job_status.results
    assert results[0].index == 0
    assert results[1].error == "RecordInvalid"
    api.group_memberships.delete_group_membership(group_membership_id=membership_id)
    assert len(api.group_memberships.list_group_memberships().result.group_memberships) == 4
    job = api.group_memberships.group_membership_bulk_delete(ids=str(results[0].id)).job_status
    account.finish_jobs()
    assert api.job_statuses.show_job_status(job_status_id=job.id).job_status.results[0].success
    assert {m.group_id for m in api.group_memberships.list_group_memberships().result.group_memberships} == {
        SUPPORT,
        BILLING,
    }
    role = generated.sending(custom_role={"name": "Lead"}).custom_roles.create_custom_role().custom_role
    assert {r.name for r in api.custom_roles.list_custom_roles().custom_roles} == {"Advisor", "Lead"}
    api.custom_roles.delete_custom_role_by_id(custom_role_id=role.id)


def test_views(account: Account, generated: Generated) -> None:
    api = generated.api
    body = {"title": "Waiting", "all": [{"field": "status", "operator": "is", "value": "new"}]}
    with pytest.raises(errors.APIError) as caught:  # 201 on the live service, 200 in its description
        generated.sending(view=body).views.create_view()
    assert caught.value.status_code == 201
    (view,) = api.views.list_views().result.views
    ids = account.play(create=[{"requester_id": ASKER} for _ in range(12)])

    first = api.views.list_tickets_from_view(view_id=view.id, page_size=10)
    second = first.next()
    assert [t.id for t in [*first.result.tickets, *second.result.tickets]] == ids
    assert second.next() is None
    rows = api.views.execute_view(view_id=view.id).result.rows
    assert len(rows) == 12
    assert api.views.get_view_count(view_id=view.id).view_count.value is None
    account.advance(hours=11)
    assert api.views.get_view_counts(ids=str(view.id)).view_counts[0].value == 12
    assert generated.sending(view=body).views.preview_count().view_count.value == 12
    assert len(generated.sending(view=body).views.preview_views().result.rows) == 12
    assert [v.id for v in api.views.search_views(query="wait").views] == [view.id]
    assert api.views.count_views().count.value == 1
    assert generated.sending(view={"title": "New"}).views.update_view(view_id=view.id).view.title == "New"
    api.views.bulk_delete_views(ids=str(view.id))
    assert api.views.list_active_views().views == []


def test_search_and_its_export(account: Account, api: Any) -> None:
    ids = account.play(create=[{"requester_id": ASKER, "subject": f"many {n}"} for n in range(12)])

    found = api.search.list_search_results(query="type:ticket many", sort_by="created_at", sort_order="asc")
    assert [r.id for r in found.result.results] == ids
    assert api.search.count_search_results(query="many").count == 12
    page = api.search.export_search_results(query="many", filter_type="ticket", page_size=5)
    assert [len(p) for p in (page.result.results, page.next().result.results)] == [5, 5]


def test_exports(account: Account, api: Any) -> None:
    begin = int(account.now.timestamp()) - 3600
    ids = account.play(create=[{"requester_id": ASKER} for _ in range(3)])
    account.advance(minutes=2)

    by_cursor = api.incremental_export.incremental_ticket_export_cursor(start_time=begin)
    assert [t.id for t in by_cursor.tickets] == ids
    assert by_cursor.end_of_stream
    by_time = api.incremental_export.incremental_ticket_export_time(start_time=begin)
    assert {t.id for t in by_time.tickets} == set(ids)
    assert len(api.incremental_export.incremental_user_export_cursor(start_time=begin).users) == 5
    assert api.incremental_export.incremental_organization_export(start_time=begin).count == 0
    events = api.incremental_export.incremental_ticket_events(start_time=begin)
    assert events.count == 3
    sample = api.incremental_export.incremental_sample_export(
        start_time=begin, incremental_resource="tickets"
    )
    assert sample.count == 3
