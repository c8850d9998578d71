-- +goose Up

-- Times are microseconds since 1970 in UTC. Columns called body hold JSON, in which every key id is a handle.

-- The one place of whole access key ids.
CREATE TABLE root_key (
    account     TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    key_id      TEXT NOT NULL,
    PRIMARY KEY (account, fingerprint)
) WITHOUT ROWID;

-- The inbox and the outbox. A row is deleted when its work is done.
CREATE TABLE item (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    key          TEXT    NOT NULL UNIQUE,
    kind         TEXT    NOT NULL,
    body         BLOB    NOT NULL,
    due          INTEGER NOT NULL,
    revision     INTEGER NOT NULL DEFAULT 1, -- grows with each put
    claimed      INTEGER NOT NULL DEFAULT 0, -- the revision that the lease is for
    fence        INTEGER NOT NULL DEFAULT 0,
    attempts     INTEGER NOT NULL DEFAULT 0,
    leased_until INTEGER NOT NULL DEFAULT 0, -- by the database's clock; 0: nobody holds it
    parked_at    INTEGER NOT NULL DEFAULT 0, -- 0: not parked
    parked_why   TEXT    NOT NULL DEFAULT ''
);
CREATE INDEX item_by_due ON item (parked_at, due, id);

-- Fences never repeat, also where an item's key comes again after its row was deleted.
CREATE TABLE item_fence (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    value INTEGER NOT NULL
);
INSERT INTO item_fence (id, value) VALUES (1, 0);

CREATE TABLE request (
    id        TEXT    PRIMARY KEY,
    version   INTEGER NOT NULL,
    state     TEXT    NOT NULL,
    ended     INTEGER NOT NULL,
    source    TEXT    NOT NULL,
    account   TEXT    NOT NULL,
    key_name  TEXT    NOT NULL, -- the fingerprint, or where no id is known the time of creation
    opened_at INTEGER NOT NULL,
    body      TEXT    NOT NULL
);
CREATE UNIQUE INDEX request_open_once ON request (source, account, key_name) WHERE ended = 0;
CREATE INDEX request_by_account ON request (account, opened_at);
CREATE INDEX request_by_opening ON request (opened_at, id);

CREATE TABLE block (
    source  TEXT    NOT NULL,
    account TEXT    NOT NULL,
    version INTEGER NOT NULL,
    body    TEXT    NOT NULL,
    PRIMARY KEY (source, account)
);

CREATE TABLE pause_switch (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL,
    body    TEXT    NOT NULL
);

CREATE TABLE owner (
    source  TEXT    NOT NULL,
    account TEXT    NOT NULL,
    version INTEGER NOT NULL,
    waiting INTEGER NOT NULL,
    body    TEXT    NOT NULL,
    PRIMARY KEY (source, account)
);

CREATE TABLE mute (
    source  TEXT    NOT NULL,
    account TEXT    NOT NULL,
    control TEXT    NOT NULL,
    version INTEGER NOT NULL,
    until   INTEGER NOT NULL,
    body    TEXT    NOT NULL,
    PRIMARY KEY (source, account, control)
);

-- The audit log. raw is the truth; the other columns are an index of it.
CREATE TABLE audit_record (
    seq      INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    action   TEXT    NOT NULL,
    request  TEXT    NOT NULL,
    account  TEXT    NOT NULL,
    to_state TEXT    NOT NULL,
    raw      BLOB    NOT NULL
);
CREATE INDEX audit_by_request ON audit_record (request, seq);
CREATE INDEX audit_by_account ON audit_record (account, seq);
CREATE INDEX audit_by_action ON audit_record (action, at);

CREATE TABLE audit_hash (
    position INTEGER PRIMARY KEY, -- the stored index of RFC 6962 tiles, as golang.org/x/mod/sumdb/tlog counts
    hash     BLOB    NOT NULL
);

CREATE TABLE audit_tree (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    size    INTEGER NOT NULL,
    last_at TEXT    NOT NULL -- the time of the newest record, to the nanosecond
);
INSERT INTO audit_tree (id, size, last_at) VALUES (1, 0, '');

-- The signed heads that were published.
CREATE TABLE audit_head (
    size INTEGER NOT NULL,
    at   INTEGER NOT NULL,
    text TEXT    NOT NULL PRIMARY KEY
);

CREATE TABLE run (
    id        TEXT    PRIMARY KEY,
    started   INTEGER NOT NULL,
    finished  INTEGER NOT NULL, -- 0: not yet
    under_way INTEGER UNIQUE,   -- 1 or null: one run at a time
    body      TEXT    NOT NULL
);
CREATE INDEX run_by_end ON run (finished);

-- The last look at each account.
CREATE TABLE look (
    source   TEXT NOT NULL,
    account  TEXT NOT NULL,
    run      TEXT NOT NULL,
    evidence TEXT NOT NULL,
    findings TEXT NOT NULL,
    tracks   TEXT NOT NULL, -- what is remembered of each finding between runs
    PRIMARY KEY (source, account)
);
CREATE INDEX look_by_account ON look (account, source);

-- How the findings stood at a mark: JSON lines, compressed by gzip.
CREATE TABLE mark (
    name     TEXT    PRIMARY KEY,
    at       TEXT    NOT NULL,
    findings BLOB    NOT NULL
);

-- What was taken of what is rationed, such as messages per hour: by key, when.
CREATE TABLE allowance (
    name TEXT PRIMARY KEY,
    body TEXT NOT NULL
);

CREATE TABLE occurrence (
    schedule  TEXT    NOT NULL,
    occurs_at INTEGER NOT NULL,
    skipped   INTEGER NOT NULL,
    PRIMARY KEY (schedule, occurs_at)
) WITHOUT ROWID;

-- What stands where in Slack now, and every message that ever showed it.
CREATE TABLE message (
    key     TEXT PRIMARY KEY,
    channel TEXT NOT NULL,
    ts      TEXT NOT NULL,
    hash    TEXT NOT NULL
);
CREATE TABLE posted (
    channel TEXT NOT NULL,
    ts      TEXT NOT NULL,
    key     TEXT NOT NULL,
    PRIMARY KEY (channel, ts)
) WITHOUT ROWID;
