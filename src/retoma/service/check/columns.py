"""Every column of a store, by whether `store check` compares it: a new one must be put on one side or the other."""

from __future__ import annotations

from typing import Final

from retoma.model.session import PROPERTIES

COMPARED: Final[dict[str, str]] = {
    "migration": "version name checksum",
    "store": "only_row",
    "tenant": "pk",
    "operation": "tenant id request result at",
    "session_name": "tenant id session",
    "session": "pk tenant id uid status shelf pinned epoch epoch_seq head_seq head_hash base_seq base_hash messages "
    f"labels created_at updated_at listed_at expires_at warned_for trashed_at {' '.join(PROPERTIES)} reason "
    "parent fork_of fork_seq tokens_in tokens_out tokens_cached cost_micros flow flow_path flow_version flow_node "
    "flow_status flow_visits template",
    "session_about": "session description metadata",
    "session_tag": "tenant tag pinned listed_at session",
    "session_context": "tenant kind ref pinned listed_at session",
    "epoch": "session epoch uid first_seq began_at reused",
    "event": "k type at actor cause operation request salt data blob digest hash",
    "blob": "hash codec size_bytes stored inline",
    "state": "session key value seq",
    "pending": "session id kind what",
    "visit": "session position node",
    "flow_version": "tenant hash codec files",
    "session_note": "session seq",
    "flow_use": "tenant hash session",
    "erasing": "tenant session last_seq",
    "quarantine": "session id",
    "segment": "session first_seq last_seq source",
    "search_index": "tokens next_doc",
    "search_session": "session indexed_seq",
    "search_doc": "doc k at terms",
    "store_log": "pk tenant at actor deed why count session id digest mark",
    "second_copy": "session uid shelf created_at expires_at parent fork_of fork_seq flow_path has_files "
    "epoch epoch_uid reused made_under",
}
"""What is compared with a journal, with another row that must agree with it, or with a hash over it."""

UNTOLD: Final = frozenset(
    {
        *(f"session.{name}" for name in PROPERTIES), "session.reason",
        "session.pinned", "session.template", "session.tokens_in", "session.tokens_out", "session.tokens_cached",
        "session_about.description", "session_about.metadata", "session_about.*", "session_tag.tag", "session_tag.*",
        "session_context.kind", "session_context.ref", "session_context.*", "state.*",
    }
)  # fmt: skip
"""Columns that events set, and that nothing else says once those are erased or cut off."""

_LEASE: Final = "no journal has it; it has a second copy in an index, which SQLite's own check compares"
_NAMES: Final = "a name that was let go is a digest alone; it has a second copy in an index"
_WITNESS: Final = "the witness beside the file is compared with it, and may lag"
_UNREAD: Final = "nothing that is read depends on it"
_OWN: Final = "the index's own standing: what it says wrong is indexed again"

UNSEEN: Final[dict[str, str]] = {
    "lease.session": _LEASE, "lease.token": _LEASE, "lease.holder": _LEASE, "lease.acquired_at": _LEASE,
    "lease.expires_at": _LEASE, "lease.*": _LEASE, "name_used.*": _NAMES, "session.fence": _LEASE,
    "name_used.tenant": _NAMES, "name_used.digest": _NAMES, "store.name_salt": _NAMES,
    "store.counter": _WITNESS, "store.rolling": _WITNESS, "store.id": _WITNESS,
    "store.created_at": _UNREAD, "migration.applied_at": _UNREAD, "tenant.name": _UNREAD, "blob.place": _UNREAD,
    "flow_version.name": _UNREAD, "flow_version.at": _UNREAD, "quarantine.at": _UNREAD, "quarantine.why": _UNREAD,
    "snapshot.session": _UNREAD, "snapshot.seq": _UNREAD, "snapshot.state": "a hash is in it",
    "due.tenant": _UNREAD, "due.name": _UNREAD, "due.at": _UNREAD, "due.key": _UNREAD,
    "search_index.tenant": _OWN, "search_index.listed_to": _OWN,
    "search_index.looked_to": _OWN,
    "search_due.tenant": _OWN, "search_due.session": _OWN,
}  # fmt: skip
"""Columns that are not compared, each with the reason."""
