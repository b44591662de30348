"""What the tests use of zenpy, in one place because zenpy has no types.

zenpy is GPL-3: these tests run it, nothing of it is in the product or in this repository.
"""

from __future__ import annotations

from zenpy import HTTPAdapter as HTTPAdapter  # type: ignore[import-untyped]  # has no types
from zenpy import Zenpy as Zenpy
from zenpy import requests as requests
from zenpy.lib.api_objects import Comment as Comment  # type: ignore[import-untyped]  # has no types
from zenpy.lib.api_objects import CustomStatus as CustomStatus
from zenpy.lib.api_objects import Group as Group
from zenpy.lib.api_objects import GroupMembership as GroupMembership
from zenpy.lib.api_objects import Identity as Identity
from zenpy.lib.api_objects import Organization as Organization
from zenpy.lib.api_objects import OrganizationMembership as OrganizationMembership
from zenpy.lib.api_objects import Skip as Skip
from zenpy.lib.api_objects import Ticket as Ticket
from zenpy.lib.api_objects import TicketField as TicketField
from zenpy.lib.api_objects import Trigger as Trigger
from zenpy.lib.api_objects import User as User
from zenpy.lib.api_objects import UserField as UserField
from zenpy.lib.api_objects import View as View
from zenpy.lib.api_objects import Webhook as Webhook
from zenpy.lib.exception import APIException as APIException  # type: ignore[import-untyped]  # has no types
from zenpy.lib.exception import RecordNotFoundException as RecordNotFoundException
from zenpy.lib.exception import SearchResponseLimitExceeded as SearchResponseLimitExceeded
from zenpy.lib.exception import TooManyValuesException as TooManyValuesException
