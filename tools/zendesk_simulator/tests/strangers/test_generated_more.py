"""The generated client tries the rest of what the simulator serves: every answer fits Zendesk's description."""

from __future__ import annotations

from typing import Any

import pytest
from zendesk import errors

from tools.zendesk_simulator.tests.strangers.running import (
    AGENT,
    ASKER,
    BILLING,
    OTHER,
    SECOND_ASKER,
    SUPPORT,
    Account,
    Generated,
)


def test_around_a_ticket(account: Account, api: Any) -> None:
    (problem,) = account.play(create=[{"requester_id": ASKER, "type": "problem"}])
    (incident, other) = account.play(
        create=[
            {"requester_id": ASKER, "type": "incident", "problem_id": problem, "follower_ids": [AGENT]},
            {"requester_id": ASKER, "assignee_id": AGENT},
        ]
    )

    assert [t["id"] for t in api.tickets.list_ticket_problems().result["tickets"]] == [problem]
    assert [t["id"] for t in api.tickets.list_ticket_incidents(ticket_id=problem).result["tickets"]] == [
        incident
    ]
    assert [u["id"] for u in api.tickets.list_ticket_followers(ticket_id=incident)["users"]] == [AGENT]
    assert api.tickets.list_ticket_collaborators(ticket_id=incident)["users"] == []
    assert api.tickets.list_ticket_email_c_cs(ticket_id=incident)["users"] == []
    assert api.tickets.ticket_related_information(ticket_id=incident).from_archive is False
    job = api.tickets.merge_tickets_into_target_ticket(
        ticket_id=problem, ids=[other], target_comment="merged", source_comment="closed"
    ).job_status
    account.finish_jobs()
    assert api.job_statuses.show_job_status(job_status_id=job.id).job_status.results[0].success
    assert api.tickets.show_ticket(ticket_id=other).ticket.status == "closed"
    job = api.tickets.mark_many_tickets_as_spam(ids=str(incident)).job_status
    account.finish_jobs()
    assert api.users.show_user(user_id=ASKER).user.suspended
    assert [t.id for t in api.tickets.list_deleted_tickets().result.deleted_tickets] == [incident]


def test_tags_of_the_account(account: Account, api: Any) -> None:
    account.play(
        create=[{"requester_id": ASKER, "tags": ["hot", "hint"]}, {"requester_id": ASKER, "tags": ["hot"]}]
    )

    assert api.tags.count_tags().count.value == 2
    assert api.tags.autocomplete_tags(name="hi").tags == ["hint"]
    with pytest.raises(errors.ResponseValidationError):  # objects with counts live, texts in its description
        api.tags.list_tags()


def test_the_rest_of_users(account: Account, generated: Generated) -> None:
    api = generated.api
    job = api.users.create_or_update_many_users(
        users=[{"name": "Bo B", "email": "bo@example.com"}, {"name": "New", "email": "new@example.com"}]
    ).job_status
    account.finish_jobs()
    rows = api.job_statuses.show_job_status(job_status_id=job.id).job_status.results
    assert rows[0].id == AGENT
    job = api.users.destroy_many_users(ids=f"{rows[1].id},{OTHER}").job_status
    account.finish_jobs()
    results = api.job_statuses.show_job_status(job_status_id=job.id).job_status.results
    assert [r.success for r in results] == [True, True]
    merged = generated.sending(user={"id": SECOND_ASKER}).users.merge_end_users(
        user_id=ASKER, user={"name": "ignored"}
    )
    assert merged.user.id == SECOND_ASKER
    field = generated.sending(user_field={"type": "text", "title": "Desk", "key": "desk"}).user_fields
    made = field.create_user_field().user_field
    assert {f.key for f in api.user_fields.list_user_fields().result.user_fields} == {"shift", "desk"}
    assert made.active


def test_the_rest_of_groups(api: Any) -> None:
    made = api.groups.create_group(group={"name": "Night", "is_public": False}).group
    assert api.groups.show_group_by_id(group_id=made.id).group.is_public is False
    with pytest.raises(errors.APIError) as caught:
        api.groups.update_group(group_id=made.id, group={"name": "Night", "is_public": True})
    assert caught.value.status_code == 422
    api.groups.delete_group(group_id=made.id)
    assert [g.id for g in api.groups.list_groups().result.groups] == [SUPPORT, BILLING]
    assert len(api.group_memberships.list_assignable_group_memberships().result.group_memberships) == 3


def test_the_rest_of_views_and_triggers(account: Account, generated: Generated) -> None:
    api = generated.api
    body = {"title": "Waiting", "all": [{"field": "status", "operator": "is", "value": "new"}]}
    with pytest.raises(errors.APIError):  # 201 on the live service, 200 in its description
        generated.sending(view=body).views.create_view()
    (view,) = api.views.list_compact_views().views
    assert api.views.show_view(view_id=view.id).view.title == "Waiting"
    assert [v.id for v in api.views.list_views_by_id(ids=str(view.id)).views] == [view.id]
    off = {"views": [{"id": view.id, "active": False}]}
    assert generated.sending(**off).views.update_many_views().views[0].active is False
    assert api.views.export_view(view_id=view.id).export.view_id == view.id

    conditions = {"all": [{"field": "status", "operator": "is", "value": "new"}], "any": []}
    trigger = {"title": "New", "conditions": conditions, "actions": [{"field": "priority", "value": "low"}]}
    made = generated.sending(trigger=trigger).triggers.create_trigger().trigger
    assert api.triggers.get_trigger(trigger_id=made.id).trigger.title == "New"
    assert [t.id for t in api.triggers.search_triggers(query="new").triggers] == [made.id]
    assert api.triggers.list_trigger_action_condition_definitions().definitions.conditions_all
    changed = generated.sending(trigger={"title": "Newer"}).triggers.update_trigger(trigger_id=made.id)
    assert changed.trigger.title == "Newer"
    many = {"triggers": [{"id": made.id, "active": False}]}
    assert generated.sending(**many).triggers.update_many_triggers().triggers[0].active is False
    api.triggers.delete_many_triggers(ids=str(made.id))
    assert api.triggers.list_triggers().result.triggers == []


def test_the_rest_of_organisations(account: Account, generated: Generated) -> None:
    api = generated.api
    many = {"organizations": [{"name": "Initech"}, {"name": "Hooli", "external_id": "h"}]}
    job = generated.sending(**many).organizations.create_many_organizations().job_status
    account.finish_jobs()
    rows = api.job_statuses.show_job_status(job_status_id=job.id).job_status.results
    ids = [r.id for r in rows]
    assert [
        o.id for o in api.organizations.show_many_organizations(ids=f"{ids[0]},{ids[1]}").organizations
    ] == ids
    assert [o.id for o in api.organizations.autocomplete_organizations(name="hoo").organizations] == [ids[1]]
    assert (
        api.organizations.organization_related(organization_id=ids[0]).organization_related.users_count == 0
    )
    assert api.tags.set_organization_tags(organization_id=ids[0], tags=["big"]).tags == ["big"]
    job = api.organizations.delete_many_organizations(ids=",".join(map(str, ids))).job_status
    account.finish_jobs()
    assert api.organizations.count_organizations().count.value == 0


def test_custom_objects_and_deletion_schedules(generated: Generated) -> None:
    api = generated.api
    asset = {"key": "asset", "title": "Asset", "title_pluralized": "Assets", "include_in_list_view": True}
    assert (
        generated.sending(custom_object=asset).custom_objects.create_custom_object().custom_object.key
        == "asset"
    )
    assert [o.key for o in api.custom_objects.list_custom_objects().custom_objects] == ["asset"]
    api.custom_objects.delete_custom_object(custom_object_key="asset")

    made = api.deletion_schedules.create_deletion_schedule(
        deletion_schedule={
            "title": "A year",
            "active": False,
            "conditions": {
                "all": [{"field": "duration_since_last_update", "operator": "greater_than", "value": "P1Y"}]
            },
        }
    ).deletion_schedule
    assert [s.id for s in api.deletion_schedules.list_deletion_schedules().deletion_schedules] == [made.id]
    api.deletion_schedules.delete_deletion_schedule(deletion_schedule_id=made.id)


def test_statuses_and_roles(generated: Generated) -> None:
    api = generated.api
    made = api.custom_ticket_statuses.create_custom_status(
        request={"custom_status": {"status_category": "open", "agent_label": "Urgent"}}
    ).custom_status
    changed = api.custom_ticket_statuses.update_custom_status(
        custom_status_id=made.id, custom_status={"agent_label": "Very urgent"}
    )
    assert changed.custom_status.agent_label == "Very urgent"
    generated.sending(ids=str(made.id)).custom_ticket_statuses.bulk_update_default_custom_status()
    shown = api.custom_ticket_statuses.show_custom_status(custom_status_id=made.id)
    assert shown.custom_status.default
    role = generated.sending(
        custom_role={"name": "Lead", "configuration": {"view_access": "playonly"}}
    ).custom_roles
    made_role = role.create_custom_role().custom_role
    renamed = generated.sending(custom_role={"name": "Leads"}).custom_roles
    assert renamed.update_custom_role_by_id(custom_role_id=made_role.id).custom_role.name == "Leads"


def test_tokens_and_clients(generated: Generated) -> None:
    api = generated.api
    ours = {"name": "Ours", "identifier": "ours", "user_id": 1, "redirect_uri": ["https://example.com/back"]}
    client = generated.sending(client=ours).o_auth_clients.create_o_auth_client().client
    assert client.secret
    assert [c.identifier for c in api.o_auth_clients.list_o_auth_clients().result.clients] == ["ours"]
    token = (
        generated.sending(token={"client_id": client.id, "scopes": ["read"]})
        .o_auth_tokens.create_o_auth_token()
        .token
    )
    assert [t.id for t in api.o_auth_tokens.list_o_auth_tokens().result.tokens] == [token.id]
    api.o_auth_tokens.revoke_o_auth_token(oauth_token_id=token.id)
    api.o_auth_clients.delete_client(oauth_client_id=client.id)


def test_service_levels(account: Account, generated: Generated) -> None:
    api = generated.api
    body = {
        "title": "High",
        "filter": {"all": [{"field": "priority", "operator": "is", "value": "high"}], "any": []},
        "policy_metrics": [{"priority": "high", "metric": "first_reply_time", "target": 30}],
    }
    made = generated.sending(sla_policy=body).sla_policies.create_sla_policy().sla_policy
    begin = int(account.now.timestamp()) - 3600
    account.play(create=[{"requester_id": ASKER, "priority": "high"}])
    account.advance(hours=1)

    assert [p.id for p in api.sla_policies.list_sla_policies().sla_policies] == [made.id]
    events = api.ticket_metric_events.list_ticket_metric_events(start_time=begin).result.ticket_metric_events
    assert [(e.metric, e.type) for e in events] == [
        ("reply_time", "activate"),
        ("reply_time", "apply_sla"),
        ("reply_time", "breach"),
    ]
    api.sla_policies.delete_sla_policy(sla_policy_id=made.id)
