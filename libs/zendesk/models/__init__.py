"""What we keep of Zendesk's objects: ids and routing facts, never a text or an end user's name.

Every class reads its object leniently with `of`; what is not named here is dropped on purpose (the seed's
table of data we collect).
"""

from libs.zendesk.models.groups import Group, Membership, Organization
from libs.zendesk.models.jobs import Job, JobResult
from libs.zendesk.models.json import Json, instant
from libs.zendesk.models.routing import AgentSkill, Attribute, AttributeValue, SkillChange
from libs.zendesk.models.schedules import Holiday, Schedule
from libs.zendesk.models.setup import CustomField, Installation, Trigger, Webhook
from libs.zendesk.models.tickets import Audit, DeletedTicket, FieldChange, Skip, Ticket
from libs.zendesk.models.users import ComplianceStatus, CustomRole, DeletedUser, User
from libs.zendesk.models.views import View, ViewCount

__all__ = [
    "AgentSkill",
    "Attribute",
    "AttributeValue",
    "Audit",
    "ComplianceStatus",
    "CustomField",
    "CustomRole",
    "DeletedTicket",
    "DeletedUser",
    "FieldChange",
    "Group",
    "Holiday",
    "Installation",
    "Job",
    "JobResult",
    "Json",
    "Membership",
    "Organization",
    "Schedule",
    "SkillChange",
    "Skip",
    "Ticket",
    "Trigger",
    "User",
    "View",
    "ViewCount",
    "Webhook",
    "instant",
]
