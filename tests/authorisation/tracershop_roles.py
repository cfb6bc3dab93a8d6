"""Who is who in Tracershop, for its rows of the table."""

from __future__ import annotations

EXTERNAL = frozenset({"tracershop.shop_external"})
SUPERUSER = frozenset({"tracershop.shop_superuser"})
INTERNAL = SUPERUSER | {"tracershop.shop_internal"}
SHOP = EXTERNAL | INTERNAL
SITE = frozenset({"tracershop.site_admin"})
ADMIN = SITE | {"tracershop.production_admin"}
PRODUCTION = ADMIN | {"tracershop.production_user"}
EVERYBODY = SHOP | PRODUCTION
MAPPERS = SUPERUSER | SITE
