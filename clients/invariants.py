"""What would be half done, as queries of the tables: whatever a server, its machine or its database did, each finds nothing.

Whoever calls gives resources whose name begins with `tagged` TAGS tags when they are made, and no others any.
"""

import sqlite3

TAGS = 3

INVARIANTS = {
    "a connection without the event of its order": """
        SELECT id FROM connection c WHERE NOT EXISTS
            (SELECT 1 FROM event e WHERE e.subject = c.id AND e.what = 'connection ordered')""",
    "an order's event without the connection": """
        SELECT subject FROM event WHERE what = 'connection ordered' AND subject NOT IN (SELECT id FROM connection)""",
    "an interface without the event of its creation": """
        SELECT id FROM interface i WHERE NOT EXISTS
            (SELECT 1 FROM event e WHERE e.subject = i.id AND e.what = 'interface created')""",
    "an interface's event without the interface": """
        SELECT subject FROM event WHERE what = 'interface created' AND subject NOT IN (SELECT id FROM interface)""",
    "some of the tags that were ordered together": f"""
        SELECT id FROM (SELECT id, name FROM connection UNION ALL SELECT id, name FROM interface) r
        WHERE (SELECT count(*) FROM line_tag t WHERE t.resource = r.id) <> CASE WHEN r.name LIKE 'tagged%' THEN {TAGS} ELSE 0 END""",
    "a rejection without its event, or its event without it": """
        SELECT id FROM interface i WHERE (rejected_us IS NOT NULL) <> EXISTS
            (SELECT 1 FROM event e WHERE e.subject = i.id AND e.what = 'interface deletion asked')""",
    "an interface that is neither planned nor about to be": """
        SELECT i.id FROM interface i JOIN connection c ON c.id = i.connection
        WHERE i.gateway IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM plan p WHERE p.router = c.router AND p.document LIKE '%' || i.id || '%')
            AND NOT EXISTS (SELECT 1 FROM dirty_port d WHERE d.router = c.router AND d.port = c.port)""",
    "a Net without its main route table or its default group": """
        SELECT id FROM net n
        WHERE (SELECT count(*) FROM route_table t JOIN route_table_link l ON l.route_table = t.id
               WHERE t.net = n.id AND l.subnet IS NULL) <> 1
            OR NOT EXISTS (SELECT 1 FROM security_group g WHERE g.net = n.id AND g.name = 'default')
            OR NOT EXISTS (SELECT 1 FROM security_group_rule r JOIN security_group g ON g.id = r.security_group
                           WHERE g.net = n.id)""",
    "a Net that its events do not tell of": """
        SELECT n.id FROM net n WHERE (SELECT count(*) FROM event e WHERE e.subject = n.id AND e.what LIKE 'Net %') <> 1
            OR NOT EXISTS (SELECT 1 FROM event e WHERE e.subject = n.id AND e.what = 'Net created')""",
    "a Net gone without the event of its deletion": """
        SELECT subject FROM event c WHERE what = 'Net created' AND subject NOT IN (SELECT id FROM net) AND NOT EXISTS
            (SELECT 1 FROM event d WHERE d.subject = c.subject AND d.what = 'Net deleted')""",
    "some of the tags of one call": f"""
        SELECT account FROM tag GROUP BY account HAVING count(*) <> {2 * TAGS} OR min(value) <> max(value)""",
}
# PostgreSQL says so of itself.
OF_A_FILE = {"a row that refers to nothing": "PRAGMA foreign_key_check"}


def half_done(db) -> dict:
    invariants = INVARIANTS | OF_A_FILE if isinstance(db, sqlite3.Connection) else INVARIANTS
    found = {name: db.execute(query).fetchall() for name, query in invariants.items()}
    return {name: rows for name, rows in found.items() if rows}
