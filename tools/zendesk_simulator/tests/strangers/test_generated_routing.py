"""The generated client does its skills, webhook, trigger and OAuth work."""

from __future__ import annotations

import pytest
from zendesk import errors

from tools.zendesk_simulator.tests.strangers.running import AGENT, ASKER, OTHER, Account, Generated


def _skills(generated: Generated) -> tuple[str, list[str]]:
    attribute = (
        generated.sending(attribute={"name": "Language"}).skill_based_routing.create_attribute().attribute
    )
    values = [
        generated.sending(attribute_value={"name": name})
        .skill_based_routing.create_attribute_value(attribute_id=attribute.id)
        .attribute_value.id
        for name in ("German", "French")
    ]
    return attribute.id, values


def test_attributes_and_their_values(generated: Generated) -> None:
    routing = generated.api.skill_based_routing
    attribute_id, (german, french) = _skills(generated)

    assert [a.name for a in routing.list_account_attributes().attributes] == ["Language"]
    assert [v.name for v in routing.list_attribute_values(attribute_id=attribute_id).attribute_values] == [
        "German",
        "French",
    ]
    renamed = generated.sending(
        attribute_value={"name": "Suisse"}
    ).skill_based_routing.update_attribute_value(attribute_id=attribute_id, attribute_value_id=french)
    assert renamed.attribute_value.name == "Suisse"
    shown = routing.show_attribute_value(attribute_id=attribute_id, attribute_value_id=german)
    assert shown.attribute_value.name == "German"
    assert routing.list_routing_attribute_definitions().definitions.conditions_all
    routing.delete_attribute_value(attribute_id=attribute_id, attribute_value_id=german)
    routing.delete_attribute(attribute_id=attribute_id)
    with pytest.raises(errors.APIError) as caught:
        routing.show_attribute(attribute_id=attribute_id)
    assert caught.value.status_code == 404


def test_agents_and_tickets_have_skills(account: Account, generated: Generated) -> None:
    api, routing = generated.api, generated.api.skill_based_routing
    _, (german, french) = _skills(generated)
    (ticket_id, easy) = account.play(create=[{"requester_id": ASKER}, {"requester_id": ASKER}])

    set_agent = generated.sending(attribute_value_ids=[german]).skill_based_routing.set_agent_attribute_values
    assert [v.id for v in set_agent(user_id=AGENT).attribute_values] == [german]
    set_ticket = generated.sending(attribute_value_ids=[german, french, "gone"]).skill_based_routing
    values = set_ticket.set_ticket_attribute_values(ticket_id=ticket_id).attribute_values
    assert {v.id for v in values} == {german, french}
    agent = account.generated("bo@example.com")
    fulfilled = agent.api.skill_based_routing.list_tickets_fullfilled_by_user
    assert fulfilled(ticket_ids=ticket_id).fulfilled_ticket_ids == []
    assert fulfilled(ticket_ids=easy).fulfilled_ticket_ids == [easy]

    upsert = {
        "action": "upsert",
        "attributes": {"attribute_values": [{"id": french}]},
        "items": [AGENT, OTHER],
    }
    job = generated.sending(job=upsert).skill_based_routing.bulk_set_agent_attribute_values_job().job_status
    account.finish_jobs()
    assert api.job_statuses.show_job_status(job_status_id=job.id).job_status.status == "completed"
    rows = routing.list_many_agents_attribute_values(
        filter_agent_ids=f"{AGENT},{OTHER}"
    ).result.instance_values
    assert {(r.agent_id, r.attribute_value_id) for r in rows} == {
        (AGENT, german),
        (AGENT, french),
        (OTHER, french),
    }
    assert fulfilled(ticket_ids=ticket_id).fulfilled_ticket_ids == [ticket_id]
    agent.close()


def test_the_routing_exports_end_with_a_count_of_none(generated: Generated) -> None:
    export = generated.api.incremental_skill_based_routing
    _, (german, _) = _skills(generated)
    generated.sending(attribute_value_ids=[german]).skill_based_routing.set_agent_attribute_values(
        user_id=AGENT
    )

    assert export.incremental_skil_based_routing_attributes_export().count == 1
    assert export.incremental_skil_based_routing_attribute_values_export().count == 2
    instances = export.incremental_skil_based_routing_instance_values_export()
    (event,) = instances.instance_values
    assert (event.type, event.instance_id, event.attribute_value_id) == (
        "associate_agent",
        str(AGENT),
        german,
    )
    assert instances.next_page


def test_webhooks_and_triggers(account: Account, generated: Generated) -> None:
    api = generated.api
    hook = api.webhooks.create_or_clone_webhook(
        webhook_create_request={
            "webhook": {
                "name": "Hook",
                "endpoint": "http://127.0.0.1:9/none",
                "http_method": "POST",
                "request_format": "json",
                "status": "active",
                "subscriptions": ["conditional_ticket_events"],
            }
        }
    ).webhook
    assert [w.id for w in api.webhooks.list_webhooks().result.webhooks] == [hook.id]
    secret = api.webhooks.show_webhook_signing_secret(webhook_id=hook.id).signing_secret
    assert (
        api.webhooks.reset_webhook_signing_secret(webhook_id=hook.id).signing_secret.secret != secret.secret
    )
    trigger = api.triggers.create_trigger(
        trigger={
            "title": "New",
            "conditions": {"all": [{"field": "update_type", "operator": "is", "value": "Create"}]},
            "actions": [{"field": "notification_webhook", "value": [hook.id, "{}"]}],
        }
    ).trigger
    account.play(create=[{"requester_id": ASKER}])
    rows = api.webhook_invocations.list_webhook_invocations(webhook_id=hook.id).result.invocations
    assert len(rows) == 1
    assert [t.id for t in api.triggers.list_active_triggers().triggers] == [trigger.id]
    api.triggers.delete_trigger(trigger_id=trigger.id)
    api.webhooks.delete_webhook(webhook_id=hook.id)


def test_organisations(generated: Generated) -> None:
    api = generated.api
    made = api.organizations.create_organization(organization={"name": "Initech"}).organization
    assert [o.id for o in api.organizations.list_organizations().result.organizations] == [made.id]
    assert api.organizations.count_organizations().count.value == 1
    assert [o.id for o in api.organizations.search_organizations(name="initech").organizations] == [made.id]
    api.organizations.delete_organization(organization_id=made.id)
    assert api.organizations.list_organizations().result.organizations == []
