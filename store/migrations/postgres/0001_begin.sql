-- +goose Up

-- Times are microseconds since 1970 in UTC. Columns called body hold JSON, in which every key id is a handle. What is sorted
-- or looked up by is compared byte by byte, as SQLite does.

-- The one place of whole access key ids.
CREATE TABLE root_key (
    account     TEXT COLLATE "C" NOT NULL,
    fingerprint TEXT COLLATE "C" NOT NULL,
    key_id      TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (account, fingerprint)
);

-- The inbox and the outbox. A row is deleted when its work is done.
CREATE TABLE item (
    id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key          TEXT   COLLATE "C" NOT NULL UNIQUE,
    kind         TEXT   COLLATE "C" NOT NULL,
    body         BYTEA  NOT NULL,
    due          BIGINT NOT NULL,
    revision     BIGINT NOT NULL DEFAULT 1, -- grows with each put
    claimed      BIGINT NOT NULL DEFAULT 0, -- the revision that the lease is for
    fence        BIGINT NOT NULL DEFAULT 0,
    attempts     BIGINT NOT NULL DEFAULT 0,
    leased_until BIGINT NOT NULL DEFAULT 0, -- by the database's clock; 0: nobody holds it
    parked_at    BIGINT NOT NULL DEFAULT 0, -- 0: not parked
    parked_why   TEXT   NOT NULL DEFAULT ''
);
CREATE INDEX item_by_due ON item (parked_at, due, id);

-- Fences never repeat, also where an item's key comes again after its row was deleted.
CREATE SEQUENCE item_fence AS BIGINT;

CREATE TABLE request (
    id        TEXT   COLLATE "C" PRIMARY KEY,
    version   BIGINT NOT NULL,
    state     TEXT   NOT NULL,
    ended     BIGINT NOT NULL,
    source    TEXT   COLLATE "C" NOT NULL,
    account   TEXT   COLLATE "C" NOT NULL,
    key_name  TEXT   COLLATE "C" NOT NULL, -- the fingerprint, or where no id is known the time of creation
    opened_at BIGINT NOT NULL,
    body      TEXT   NOT NULL
);
CREATE UNIQUE INDEX request_open_once ON request (source, account, key_name) WHERE ended = 0;
CREATE INDEX request_by_account ON request (account, opened_at);
CREATE INDEX request_by_opening ON request (opened_at, id);

CREATE TABLE block (
    source  TEXT   COLLATE "C" NOT NULL,
    account TEXT   COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body    TEXT   NOT NULL,
    PRIMARY KEY (source, account)
);

CREATE TABLE pause_switch (
    id      BIGINT PRIMARY KEY CHECK (id = 1),
    version BIGINT NOT NULL,
    body    TEXT   NOT NULL
);

CREATE TABLE owner (
    source  TEXT   COLLATE "C" NOT NULL,
    account TEXT   COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    waiting BIGINT NOT NULL,
    body    TEXT   NOT NULL,
    PRIMARY KEY (source, account)
);

CREATE TABLE mute (
    source  TEXT   COLLATE "C" NOT NULL,
    account TEXT   COLLATE "C" NOT NULL,
    control TEXT   COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    until   BIGINT NOT NULL,
    body    TEXT   NOT NULL,
    PRIMARY KEY (source, account, control)
);

-- The audit log. raw is the truth; the other columns are an index of it.
CREATE TABLE audit_record (
    seq      BIGINT PRIMARY KEY,
    at       BIGINT NOT NULL,
    action   TEXT   COLLATE "C" NOT NULL,
    request  TEXT   COLLATE "C" NOT NULL,
    account  TEXT   COLLATE "C" NOT NULL,
    to_state TEXT   NOT NULL,
    raw      BYTEA  NOT NULL
);
CREATE INDEX audit_by_request ON audit_record (request, seq);
CREATE INDEX audit_by_account ON audit_record (account, seq);
CREATE INDEX audit_by_action ON audit_record (action, at);

CREATE TABLE audit_hash (
    position BIGINT PRIMARY KEY, -- the stored index of RFC 6962 tiles, as golang.org/x/mod/sumdb/tlog counts
    hash     BYTEA  NOT NULL
);

CREATE TABLE audit_tree (
    id      BIGINT PRIMARY KEY CHECK (id = 1),
    size    BIGINT NOT NULL,
    last_at TEXT   NOT NULL -- the time of the newest record, to the nanosecond
);
INSERT INTO audit_tree (id, size, last_at) VALUES (1, 0, '');

-- The signed heads that were published.
CREATE TABLE audit_head (
    size BIGINT NOT NULL,
    at   BIGINT NOT NULL,
    text TEXT   COLLATE "C" NOT NULL PRIMARY KEY
);

CREATE TABLE run (
    id        TEXT   COLLATE "C" PRIMARY KEY,
    started   BIGINT NOT NULL,
    finished  BIGINT NOT NULL, -- 0: not yet
    under_way BIGINT UNIQUE, -- 1 or null: one run at a time
    body      TEXT   NOT NULL
);
CREATE INDEX run_by_end ON run (finished);

-- The last look at each account.
CREATE TABLE look (
    source   TEXT COLLATE "C" NOT NULL,
    account  TEXT COLLATE "C" NOT NULL,
    run      TEXT NOT NULL,
    evidence TEXT NOT NULL,
    findings TEXT NOT NULL,
    tracks   TEXT NOT NULL, -- what is remembered of each finding between runs
    PRIMARY KEY (source, account)
);
CREATE INDEX look_by_account ON look (account, source);

-- How the findings stood at a mark: JSON lines, compressed by gzip.
CREATE TABLE mark (
    name     TEXT  COLLATE "C" PRIMARY KEY,
    at       TEXT  NOT NULL,
    findings BYTEA NOT NULL
);

-- What was taken of what is rationed, such as messages per hour: by key, when.
CREATE TABLE allowance (
    name TEXT COLLATE "C" PRIMARY KEY,
    body TEXT NOT NULL
);

CREATE TABLE occurrence (
    schedule  TEXT   COLLATE "C" NOT NULL,
    occurs_at BIGINT NOT NULL,
    skipped   BIGINT NOT NULL,
    PRIMARY KEY (schedule, occurs_at)
);

-- What stands where in Slack now, and every message that ever showed it.
CREATE TABLE message (
    key     TEXT COLLATE "C" PRIMARY KEY,
    channel TEXT COLLATE "C" NOT NULL,
    ts      TEXT COLLATE "C" NOT NULL,
    hash    TEXT NOT NULL
);
CREATE TABLE posted (
    channel TEXT COLLATE "C" NOT NULL,
    ts      TEXT COLLATE "C" NOT NULL,
    key     TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (channel, ts)
);
