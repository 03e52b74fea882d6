"""Tables and statements of the access process at the hub, and of approvals that a node keeps."""

from __future__ import annotations

from sqlalchemy import MetaData, Table, bindparam, delete, func, select, text

from xinglin.stores.columns import number, octets, words
from xinglin.stores.database import insert_or

SCHEMA_VERSION = 1
SCHEMA = "xinglin_access"
"""Where the tables lie in PostgreSQL, unless the URL or the role sets a search path."""
NODE_SCHEMA = "xinglin_node_approvals"

meta, node_meta = MetaData(), MetaData()

access_draft = Table(
    "access_draft",
    meta,
    words("draft", key=True),
    words("owner", index=True),
    number("changed"),
    octets("form"),
)
access_act = Table(
    "access_act",
    meta,
    words("application", key=True),
    number("number", key=True),
    number("at"),
    octets("signed"),
)
access_motion = Table(
    "access_motion",
    meta,
    words("motion", key=True),
    words("application", index=True),
    words("study"),
    words("state"),
    octets("signed"),
    octets("resolution"),
)
access_vote = Table(
    "access_vote",
    meta,
    words("motion", key=True),
    words("member", key=True),
    words("kind"),
    octets("signed"),
    octets("sealed"),
)
"""One row a member and motion, vote or recusal alike; rows are added, and never changed or deleted."""
approval_document = Table(
    "approval_document",
    node_meta,
    words("approval", key=True),
    words("study", index=True),
    octets("signed"),
)

approval_signer = Table(
    "approval_signer",
    node_meta,
    words("approval", key=True),
    words("signer", index=True),
)
"""Who signed a document, so that one member's are counted."""

PUT_DRAFT = insert_or(access_draft, "draft", replace=True)
DRAFT = select(access_draft).where(access_draft.c.draft == bindparam("key"))
DRAFTS = (
    select(access_draft)
    .where(access_draft.c.owner == bindparam("of"))
    .order_by(access_draft.c.changed.desc(), access_draft.c.draft)
)
DROP_DRAFT = delete(access_draft).where(access_draft.c.draft == bindparam("key"))
ADD_ACT = text(
    "INSERT INTO access_act (application, number, at, signed) VALUES (:application, :number, :at, :signed) "
    "ON CONFLICT (application, number) DO NOTHING"
)
ACTS = select(access_act).order_by(access_act.c.application, access_act.c.number)
ACTS_OF = ACTS.where(access_act.c.application == bindparam("of"))
PUT_MOTION = insert_or(access_motion, "motion", replace=True)
MOTION = select(access_motion).where(access_motion.c.motion == bindparam("key"))
MOTIONS = select(access_motion).order_by(access_motion.c.application, access_motion.c.motion)
MOTIONS_OF = MOTIONS.where(access_motion.c.application == bindparam("of"))
ADD_VOTE = text(
    "INSERT INTO access_vote (motion, member, kind, signed, sealed) "
    "VALUES (:motion, :member, :kind, :signed, :sealed) ON CONFLICT (motion, member) DO NOTHING"
)
VOTES = select(access_vote).where(access_vote.c.motion == bindparam("of")).order_by(access_vote.c.member)
KEEP_APPROVAL = insert_or(approval_document, "approval", replace=False)
KEEP_SIGNER = insert_or(approval_signer, "approval", replace=False)
SIGNED_BY = select(func.count().label("count")).where(approval_signer.c.signer == bindparam("who"))
APPROVALS_OF = (
    select(approval_document).where(approval_document.c.study == bindparam("of")).order_by(approval_document.c.approval)
)
APPROVALS = select(approval_document.c.approval)
