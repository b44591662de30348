"""A typed asynchronous client of Zendesk: paging, rate limits, retries, precise errors."""

from libs.zendesk.client import ZendeskClient
from libs.zendesk.errors import ZendeskError
from libs.zendesk.tokens import Access, StaticToken, TokenSupply

__all__ = ["Access", "StaticToken", "TokenSupply", "ZendeskClient", "ZendeskError"]
