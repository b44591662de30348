"""What the servicer is given in tests."""

from __future__ import annotations

from libs.rpc.pages import PageTokens
from services.auth.rpc.servicer import UseCases
from services.auth.tests.house import House


def use_cases(house: House) -> UseCases:
    """Return every use case of a house."""
    return UseCases(
        open_session=house.open_session,
        authorize=house.authorize,
        complete=house.complete,
        exchange=house.exchange,
        access=house.access,
        revoke=house.revoke,
        verify=house.verify,
        keys=house.keys,
        keep_keys=house.keep_keys,
        watch=house.watch,
        store=house.store,
        pages=PageTokens(bytes(32)),
        rotate_data_keys=house.keeper(),
        shred=house.shred,
    )
