"""The SQLite file's schema, as numbered steps that only go forward.

A step is never changed once it was released: what comes later is a further step. The file's number
(`PRAGMA user_version`) says how many it has taken.

Positions number all events of the file in the order of their commits, from 1. A projection's row stands
at the position of the event that made it, so that the rows of a run are found through `extent` and a
table needs no index for it.
"""

from __future__ import annotations

APPLICATION_ID = 0x494C4B31
"""`ILK1`: marks a SQLite file as a ledger of ours."""

_FIRST = """
CREATE TABLE mark (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO mark VALUES ('opened', 0), ('sealed', 0), ('writer', 0);

CREATE TABLE chain (no INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL) STRICT;
CREATE TABLE event (pos INTEGER PRIMARY KEY, header BLOB NOT NULL) STRICT;
CREATE TABLE payload (pos INTEGER PRIMARY KEY, salt BLOB NOT NULL, body BLOB NOT NULL) STRICT;

-- One append: events `first` to `last` of a chain stand at positions from `pos` on.
CREATE TABLE extent (
    chain INTEGER NOT NULL, last INTEGER NOT NULL, first INTEGER NOT NULL, pos INTEGER NOT NULL,
    PRIMARY KEY (chain, last)
) STRICT, WITHOUT ROWID;

-- What may stand once. The key comes first: it begins with an id that sorts by time.
CREATE TABLE once (key TEXT NOT NULL, chain INTEGER NOT NULL, PRIMARY KEY (key, chain)) STRICT, WITHOUT ROWID;

CREATE TABLE guard (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE claim (
    chain INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, worker TEXT NOT NULL, until_us INTEGER NOT NULL
) STRICT;
CREATE INDEX claim_of_worker ON claim (worker);
CREATE INDEX claim_held ON claim (until_us) WHERE until_us > 0;

CREATE VIEW unsealed AS
    SELECT pos, header FROM event WHERE pos > (SELECT value FROM mark WHERE name = 'sealed');

CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER event_is_never_deleted BEFORE DELETE ON event
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
-- INSERT OR REPLACE deletes without firing the trigger above.
CREATE TRIGGER event_is_never_replaced BEFORE INSERT ON event
    WHEN EXISTS (SELECT 1 FROM event WHERE pos = NEW.pos)
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
-- A payload may be erased, never written anew.
CREATE TRIGGER payload_is_never_changed BEFORE UPDATE ON payload
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

CREATE TABLE run (
    pos INTEGER PRIMARY KEY, run_id TEXT, tenant TEXT, principal_id TEXT, driver TEXT, title TEXT, status TEXT,
    reason TEXT, worker TEXT, epoch INTEGER, started_us INTEGER, ended_us INTEGER
) STRICT;
CREATE UNIQUE INDEX run_key ON run (run_id);

CREATE TABLE tool_call (
    pos INTEGER PRIMARY KEY, run_id TEXT, tenant TEXT, call_id TEXT, step INTEGER, parent_id TEXT, name TEXT,
    principal_id TEXT, tool TEXT, server TEXT, version TEXT, tool_hash TEXT, effect TEXT, dry_run INTEGER,
    status TEXT, outcome TEXT, code TEXT, approval_id TEXT, proposed_us INTEGER, intent_us INTEGER, ended_us INTEGER
) STRICT;
CREATE UNIQUE INDEX tool_call_key ON tool_call (call_id, run_id);
CREATE INDEX tool_call_open ON tool_call (status) WHERE status <> 'closed';

CREATE VIEW step AS
    SELECT pos, run_id, tenant, step, 'call' AS kind, call_id, tool, status, outcome,
           proposed_us AS started_us, ended_us
    FROM tool_call;

CREATE TABLE authz_decision (
    pos INTEGER PRIMARY KEY, run_id TEXT, tenant TEXT, seq INTEGER, call_id TEXT, step INTEGER, at_us INTEGER,
    principal_id TEXT, tool TEXT, effect TEXT, decision TEXT, reasons TEXT, mode TEXT, errors TEXT, gate TEXT,
    code TEXT, policy_hash TEXT
) STRICT;

CREATE TABLE tool_result (
    pos INTEGER PRIMARY KEY, run_id TEXT, tenant TEXT, seq INTEGER, call_id TEXT, step INTEGER, at_us INTEGER,
    kind TEXT, tool TEXT, outcome TEXT, code TEXT, took_us INTEGER, attempts INTEGER, "by" TEXT
) STRICT;

CREATE TABLE compensation_action (
    pos INTEGER PRIMARY KEY, run_id TEXT, tenant TEXT, seq INTEGER, call_id TEXT, step INTEGER, at_us INTEGER,
    tool TEXT, outcome TEXT
) STRICT;

CREATE TABLE approval (
    pos INTEGER PRIMARY KEY, run_id TEXT, tenant TEXT, approval_id TEXT, call_id TEXT, step INTEGER, subject TEXT,
    tool TEXT, effect TEXT, "groups" TEXT, quorum INTEGER, rules TEXT, status TEXT, approvers TEXT, decided_by TEXT,
    requested_us INTEGER, expires_us INTEGER, decided_us INTEGER
) STRICT;
CREATE UNIQUE INDEX approval_key ON approval (approval_id, run_id);

CREATE TABLE budget (
    pos INTEGER PRIMARY KEY, tenant TEXT, name TEXT, reserved INTEGER, spent INTEGER
) STRICT;

CREATE TABLE dead_letter (
    pos INTEGER PRIMARY KEY, run_id TEXT, tenant TEXT, seq INTEGER, call_id TEXT, step INTEGER, at_us INTEGER,
    tool TEXT, outcome TEXT
) STRICT;

CREATE TABLE due (
    pos INTEGER PRIMARY KEY, run_id TEXT, tenant TEXT, at_us INTEGER, why TEXT, ref TEXT
) STRICT;
CREATE UNIQUE INDEX due_key ON due (ref, run_id);
CREATE INDEX due_at ON due (at_us);
"""

_SECOND = """
-- The tree over all events: leaf 0 is the event at position 1. Tile `no` of level n has the hashes of the complete
-- subtrees of 256^n leaves from 256 * no on, one after the other; the last of a level grows.
CREATE TABLE tile (level INTEGER NOT NULL, no INTEGER NOT NULL, hashes BLOB NOT NULL, PRIMARY KEY (level, no)) STRICT;

-- Signed heads of the tree. Whoever seals inserts the next one, in one transaction with the tiles: that only one can.
CREATE TABLE checkpoint (size INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, note TEXT NOT NULL) STRICT;
CREATE TRIGGER checkpoint_is_never_changed BEFORE UPDATE ON checkpoint
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER checkpoint_is_never_deleted BEFORE DELETE ON checkpoint
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER checkpoint_is_never_replaced BEFORE INSERT ON checkpoint
    WHEN EXISTS (SELECT 1 FROM checkpoint WHERE size = NEW.size)
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

DROP VIEW unsealed;
DELETE FROM mark WHERE name = 'sealed';
CREATE VIEW unsealed AS
    SELECT pos, header FROM event WHERE pos > (SELECT ifnull(max(size), 0) FROM checkpoint);

-- 1 from the first opening to the last clean close.
INSERT INTO mark VALUES ('unclean', 0);
"""

_THIRD = """
ALTER TABLE dead_letter ADD COLUMN code TEXT;
ALTER TABLE dead_letter ADD COLUMN attempts INTEGER;
"""

_FOURTH = """
CREATE TABLE "grant" (
    pos INTEGER PRIMARY KEY, tenant TEXT, grant_id TEXT, server TEXT, tool TEXT, tool_hash TEXT, subject TEXT,
    uses INTEGER, status TEXT, issued_by TEXT, "groups" TEXT, endorsed_by TEXT, reason TEXT, issued_us INTEGER,
    expires_us INTEGER, revoked_by TEXT, revoked_us INTEGER
) STRICT;
CREATE UNIQUE INDEX grant_key ON "grant" (grant_id, tenant);
ALTER TABLE tool_call ADD COLUMN grant_id TEXT;
"""

_FIFTH = """
CREATE TABLE notice (
    pos INTEGER PRIMARY KEY, notice_id TEXT, tenant TEXT, channel TEXT, kind TEXT, about TEXT, ref TEXT, status TEXT,
    why TEXT, attempts INTEGER, at_us INTEGER
) STRICT;
CREATE UNIQUE INDEX notice_key ON notice (notice_id);
CREATE INDEX approval_pending ON approval (status) WHERE status = 'pending';
"""

_SIXTH = """
ALTER TABLE tool_call ADD COLUMN charges TEXT;

-- One event may be about several budgets: here alone a position stands more than once.
DROP TABLE budget;
CREATE TABLE budget (
    pos INTEGER, run_id TEXT, tenant TEXT, name TEXT, unit TEXT, reserved INTEGER, spent INTEGER, at_us INTEGER,
    PRIMARY KEY (pos, name)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX budget_key ON budget (name, run_id);
"""

_SEVENTH = """
ALTER TABLE run ADD COLUMN waits INTEGER;
CREATE INDEX run_driven ON run (status) WHERE status = 'open' AND driver <> 'calls' AND waits = 0;
"""

_EIGHTH = """
-- What a request asks for, so that equal ones are found without reading their runs.
ALTER TABLE approval ADD COLUMN digest TEXT;
UPDATE approval SET digest = (
    SELECT json_extract(body, '$.digest')
    FROM (SELECT CAST(payload.body AS TEXT) AS body FROM payload WHERE payload.pos = approval.pos)
    WHERE json_valid(body)
);

CREATE TABLE retry (
    pos INTEGER PRIMARY KEY, run_id TEXT, tenant TEXT, seq INTEGER, call_id TEXT, step INTEGER, at_us INTEGER,
    principal_id TEXT
) STRICT;
INSERT INTO retry
SELECT pos, run_id, tenant, seq, json_extract(said, '$.call_id'), ifnull(json_extract(said, '$.step'), 0),
       json_extract(said, '$.at'), json_extract(said, '$.principal_id')
FROM (
    SELECT event.pos, chain.name AS run_id, chain.tenant, event.pos - extent.pos + extent.first AS seq,
           CAST(event.header AS TEXT) AS said
    FROM chain
    JOIN extent ON extent.chain = chain.no
    JOIN event ON event.pos BETWEEN extent.pos AND extent.pos + extent.last - extent.first
    WHERE chain.no IN (SELECT chain FROM once WHERE key >= 'retried/' AND key < 'retried0')
)
WHERE json_valid(said) AND json_extract(said, '$.kind') = 'operator' AND json_extract(said, '$.call_id') <> '';

CREATE INDEX run_resting ON run (driver) WHERE status = 'open' AND waits = 1;
"""

_NINTH = """
CREATE TABLE eval (
    pos INTEGER PRIMARY KEY, tenant TEXT, eval_id TEXT, seq INTEGER, at_us INTEGER, principal_id TEXT, suite TEXT,
    suite_digest TEXT, how TEXT, cases INTEGER, trials INTEGER, passed INTEGER, met INTEGER
) STRICT;
"""

MIGRATIONS: tuple[str, ...] = (_FIRST, _SECOND, _THIRD, _FOURTH, _FIFTH, _SIXTH, _SEVENTH, _EIGHTH, _NINTH)
"""Step n takes a file from number n to n + 1, in one transaction."""
