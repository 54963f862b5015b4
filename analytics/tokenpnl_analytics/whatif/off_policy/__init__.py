"""Off-policy evaluation: what another router would have brought, from what the present one did."""
