"""Tests of the RPC chain, its client and its certificates, over real connections."""
