-- A file of schema version 1, as `.dump` wrote it. Never change it.
PRAGMA journal_mode = WAL;
PRAGMA application_id = 1097288564;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE conversations (
            id INTEGER PRIMARY KEY,
            name TEXT UNIQUE,
            parent INTEGER REFERENCES conversations (id),
            base INTEGER NOT NULL DEFAULT 0,
            version INTEGER NOT NULL DEFAULT 0,
            created REAL,
            updated REAL,
            token INTEGER NOT NULL,
            owner TEXT,
            process TEXT,
            wall REAL,
            tick REAL,
            stop INTEGER NOT NULL DEFAULT 0
        ) STRICT;
INSERT INTO "conversations" VALUES(1,'trip',NULL,0,2,1.79517025916862225532e+09,1.79517025916862225532e+09,1,NULL,'01fd38a6-53c8-49e1-84de-2dede7c37751:pid:[4026531836]/14409/280041',1.79517025916862225532e+09,2800.518767372,0);
INSERT INTO "conversations" VALUES(2,'fork',1,2,3,1.79517025916916847221e+09,1.79517025916960906977e+09,1,NULL,'01fd38a6-53c8-49e1-84de-2dede7c37751:pid:[4026531836]/14409/280041',1.79517025916960906977e+09,2800.519730778,0);
CREATE TABLE records (key INTEGER PRIMARY KEY, at REAL NOT NULL, data TEXT NOT NULL) STRICT;
INSERT INTO "records" VALUES(4294967297,1.79517025916862225532e+09,'{"type":"partial_reply","turn_id":"t","text":"hé"}');
INSERT INTO "records" VALUES(4294967298,1.79517025916862225532e+09,'{"type":"partial_reply","turn_id":"t","text":"two"}');
INSERT INTO "records" VALUES(8589934595,1.79517025916960906977e+09,'{"type":"partial_reply","turn_id":"t","text":"three"}');
CREATE TABLE tokens (floor INTEGER NOT NULL) STRICT;
INSERT INTO "tokens" VALUES(0);
CREATE TABLE waiters (
            place INTEGER PRIMARY KEY,
            name TEXT NOT NULL,
            owner TEXT NOT NULL,
            process TEXT NOT NULL,
            wall REAL NOT NULL,
            tick REAL NOT NULL,
            UNIQUE (name, owner)
        ) STRICT;
CREATE INDEX children ON conversations (parent, base) WHERE parent IS NOT NULL;
CREATE VIEW journal AS
            SELECT name, key & 0xFFFFFFFF AS version, datetime(at, 'unixepoch') AS at, data ->> 'type' AS kind, data
            FROM conversations JOIN records ON key > id << 32 AND key <= (id << 32) + version;
COMMIT;
