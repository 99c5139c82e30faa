"""The first tables, and the index that finds names by any three letters in a row.

SQLite: sqlite.org/fts5.html, "The Trigram Tokenizer"; it holds the numbers of paths alone. PostgreSQL: its manual,
"pg_trgm"; `encode` makes text of any bytes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime().with_variant(sa.DateTime(timezone=True), "postgresql")


def upgrade() -> None:
    """Make everything."""
    _catalog()
    _members()
    if op.get_context().dialect.name == "sqlite":
        op.execute(
            "CREATE VIRTUAL TABLE names USING fts5(name, content='', tokenize='trigram', detail=none, columnsize=0)"
        )
    else:
        op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        op.execute("CREATE INDEX ix_paths_name_trigrams ON paths USING gin (encode(name, 'escape') gin_trgm_ops)")


def _catalog() -> None:
    op.create_table(
        "sites",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sites")),
        sa.UniqueConstraint("name", name=op.f("uq_sites_name")),
    )
    op.create_table(
        "archives",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("archive", sa.String(), nullable=False),
        sa.Column("segment", sa.Integer(), server_default="0", nullable=False),
        sa.Column("job", sa.String(), nullable=False),
        sa.Column("night", sa.Date(), nullable=False),
        sa.Column("started", MOMENT, nullable=False),
        sa.Column("members", sa.BigInteger(), nullable=False),
        sa.Column("first_offset", sa.BigInteger(), nullable=False),
        sa.Column("is_ordered", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_archives_site_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_archives")),
        sa.UniqueConstraint("site_id", "archive", "segment", name=op.f("uq_archives_site_id_archive_segment")),
    )
    op.create_table(
        "cartridges",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("pool", sa.String(), nullable=True),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("is_locked", sa.Boolean(), nullable=False),
        sa.Column("is_write_protected", sa.Boolean(), nullable=False),
        sa.Column("is_worm", sa.Boolean(), nullable=False),
        sa.Column("capacity_bytes", sa.BigInteger(), nullable=True),
        sa.Column("remaining_bytes", sa.BigInteger(), nullable=True),
        sa.Column("loads", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("written_bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("read_bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("errors", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_cartridges_site_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cartridges")),
        sa.UniqueConstraint("site_id", "name", name=op.f("uq_cartridges_site_id_name")),
    )
    op.create_table(
        "events",
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_events_site_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("site_id", "sequence", name=op.f("pk_events")),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("job", sa.String(), nullable=False),
        sa.Column("night", sa.Date(), nullable=False),
        sa.Column("begun", MOMENT, nullable=False),
        sa.Column("ended", MOMENT, nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("report", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_runs_site_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    op.create_index(op.f("ix_runs_site_id_job_begun"), "runs", ["site_id", "job", "begun"], unique=False)
    op.create_table(
        "settings",
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_settings_site_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("site_id", "name", name=op.f("pk_settings")),
    )
    op.create_table(
        "history",
        sa.Column("id", BIG, nullable=False),
        sa.Column("cartridge_id", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cartridge_id"], ["cartridges.id"], name=op.f("fk_history_cartridge_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_history")),
    )
    op.create_index(op.f("ix_history_cartridge_id"), "history", ["cartridge_id"], unique=False)
    op.create_table(
        "labels",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("cartridge_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("labelled", MOMENT, nullable=True),
        sa.Column("replaced", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["cartridge_id"], ["cartridges.id"], name=op.f("fk_labels_cartridge_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_labels")),
        sa.UniqueConstraint("cartridge_id", "label", name=op.f("uq_labels_cartridge_id_label")),
    )
    op.create_index(op.f("ix_labels_label"), "labels", ["label"], unique=False)
    op.create_table(
        "sizes",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_sizes_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "source", name=op.f("pk_sizes")),
    )
    op.create_table(
        "copies",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("label_id", sa.Integer(), nullable=False),
        sa.Column("archive_id", sa.Integer(), nullable=False),
        sa.Column("file", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("finished", MOMENT, nullable=True),
        sa.Column("members", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("problems", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("source_bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("stored_bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("failed", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["archive_id"], ["archives.id"], name=op.f("fk_copies_archive_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["label_id"], ["labels.id"], name=op.f("fk_copies_label_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_copies")),
        sa.UniqueConstraint("label_id", "archive_id", name=op.f("uq_copies_label_id_archive_id")),
    )
    op.create_index(op.f("ix_copies_archive_id"), "copies", ["archive_id"], unique=False)
    op.create_table(
        "evidence",
        sa.Column("copy_id", sa.Integer(), nullable=False),
        sa.Column("rung", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["copy_id"], ["copies.id"], name=op.f("fk_evidence_copy_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("copy_id", "rung", name=op.f("pk_evidence")),
    )


def _members() -> None:
    op.create_table(
        "attributes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("type", sa.LargeBinary(), nullable=False),
        sa.Column("flags", sa.Integer(), nullable=False),
        sa.Column("mode", sa.BigInteger(), nullable=False),
        sa.Column("uid", sa.BigInteger(), nullable=False),
        sa.Column("gid", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.LargeBinary(), nullable=False),
        sa.Column("group", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("base", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attributes")),
        sa.UniqueConstraint("digest", name=op.f("uq_attributes_digest")),
    )
    op.create_table(
        "directories",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("path", sa.LargeBinary(), nullable=False),
        sa.Column("sort_key", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_directories_site_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_directories")),
        sa.UniqueConstraint("site_id", "path", name=op.f("uq_directories_site_id_path")),
    )
    op.create_table(
        "chunks",
        sa.Column("chunk", BIG, autoincrement=False, nullable=False),
        sa.Column("archive_id", sa.Integer(), nullable=False),
        sa.Column("bitmap", sa.LargeBinary(), nullable=False),
        sa.Column("places", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["archive_id"], ["archives.id"], name=op.f("fk_chunks_archive_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("chunk", "archive_id", name=op.f("pk_chunks")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_chunks_archive_id"), "chunks", ["archive_id"], unique=False)
    op.create_table(
        "links",
        sa.Column("archive_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("offsets", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["archive_id"], ["archives.id"], name=op.f("fk_links_archive_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("archive_id", "number", name=op.f("pk_links")),
    )
    op.create_table(
        "paths",
        sa.Column("id", BIG, nullable=False),
        sa.Column("directory_id", BIG, nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["directory_id"], ["directories.id"], name=op.f("fk_paths_directory_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_paths")),
        sa.UniqueConstraint("directory_id", "name", name=op.f("uq_paths_directory_id_name")),
    )
    op.create_table(
        "versions",
        sa.Column("id", BIG, nullable=False),
        sa.Column("path_id", BIG, nullable=False),
        sa.Column("attributes_id", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("valid", sa.BigInteger(), nullable=True),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("ctime_ns", sa.BigInteger(), nullable=False),
        sa.Column("inode", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.BigInteger(), nullable=True),
        sa.Column("span", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.LargeBinary(), nullable=True),
        sa.Column("link", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["attributes_id"], ["attributes.id"], name=op.f("fk_versions_attributes_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["path_id"], ["paths.id"], name=op.f("fk_versions_path_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_versions")),
    )
    op.create_index(op.f("ix_versions_path_id"), "versions", ["path_id"], unique=False)
