"""What auth stores about people: one verdict for every column (facts: privacy §3)."""

from __future__ import annotations

from libs.participant.data_map import Column, DataMap, Strategy, not_personal

DATA_MAP = DataMap(
    "auth",
    (
        Column("installations", "admin_user_id", Strategy.NULL, "who authorised the app", "admin_user_id"),
        Column("installations", "contact_name", Strategy.NULL, "first contact", "admin_user_id"),
        Column("installations", "contact_email", Strategy.NULL, "first contact", "admin_user_id"),
        *not_personal(
            "installations",
            "account app_id installation_id subdomain state enabled group_restrictions role_restrictions scopes "
            "generation authorized_at created_at checked_at gone_since",
            "state of the installation",
        ),
        *not_personal(
            "grants",
            "account version access refresh issued_at access_expires_at refresh_expires_at state intent "
            "lease_owner lease_until",
            "the account's grant, sealed",
        ),
        Column("authorizations", "user_id", Strategy.DELETE_ROW, "who must confirm", "user_id"),
        *not_personal(
            "authorizations",
            "account id ticket_hash state_hash cookie_hash verifier generation expires_at used",
            "an authorisation under way",
        ),
        *not_personal("used_signed_urls", "key expires_at", "single use of signed URLs, hashed"),
        Column("sessions", "user_id", Strategy.DELETE_ROW, "whose session it is", "user_id"),
        *not_personal(
            "sessions", "account token_hash installation_id generation opened_at seen_at", "a session, hashed"
        ),
        *not_personal(
            "signing_keys",
            "kind kid sealed phase created_at public algorithm activated_at ended_at",
            "our own keys",
        ),
        *not_personal("key_rings", "kind version requested", "our own keys"),
        *not_personal("revocations", "position account generation kid at", "the feed of revocations"),
        *not_personal(
            "app_tokens", "account token_id kid issued_at seen_at claimed_until", "ids of the app's tokens"
        ),
        *not_personal("data_keys", "account id purpose wrapped current writes created_at", "our own keys"),
        *not_personal(
            "key_rotations",
            "id actor started_at finished_at renewed resealed dropped",
            "rotations of our own keys; the actor is a service",
        ),
        *not_personal("leases", "name holder fence expires_at", "which replica works"),
        Column("audit_events", "actor", Strategy.KEEP, "proof of who did what (Art. 17(3)(e))", "actor"),
        *not_personal("audit_events", "account sequence at action outcome facts hash", "the audit chain"),
        *not_personal("erasures", "account request node attempt counts", "what was answered to an erasure"),
    ),
)
