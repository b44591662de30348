"""Tests of the Zendesk client against answers as Zendesk spells them."""
