"""Backup and restore: what is needed to go on after the machine, or everything on it, is lost.

A backup set is a folder: a manifest that everybody may read, and files that are encrypted (`encryption`) to
keys whose private halves are kept elsewhere. The database comes as PostgreSQL's own base backup (`postgres`)
or through SQLite's online backup (`sqlite`), the key folder with it (`key_copy`). PostgreSQL's archived
write-ahead log (`wal`, `wal_archive`) leads from a set to any later point. `restoring` puts it back,
`aftermath` judges what came back and has the log go on honestly. It MUST NOT write a key, or a person's data,
unencrypted anywhere but where they are restored to.
"""
