"""Networks that were written elsewhere, such as timm's, are measured and kept, too."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    kind = sa.Column("kind", sa.String(16), nullable=False, server_default="model")
    op.add_column("architectures", kind)
    op.add_column("architectures", sa.Column("label", sa.String(200), nullable=True))
