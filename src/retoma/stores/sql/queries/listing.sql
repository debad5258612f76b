-- Lists of sessions, page by page: one driving index each, and filters that are put behind it.

-- fragment: page
SELECT {columns}, {at} {source}

-- fragment: count
SELECT count(*) FROM (SELECT 1 {source} LIMIT :limit) AS found

-- fragment: from_recent
FROM session s WHERE s.tenant = :tenant AND s.shelf = :shelf

-- fragment: from_keys
-- (The + keeps SQLite from walking a list's index for a few known sessions.)
FROM session s WHERE s.pk IN ({keys}) AND +s.tenant = :tenant AND +s.shelf = :shelf

-- fragment: from_name
FROM session_name n CROSS JOIN session s ON s.pk = n.session
WHERE n.tenant = :tenant AND s.tenant = :tenant AND s.shelf = :shelf

-- fragment: from_tag
FROM session_tag o CROSS JOIN session s ON s.pk = o.session
WHERE o.tenant = :tenant AND o.tag = :tag AND s.tenant = :tenant AND s.shelf = :shelf

-- fragment: from_context
FROM session_context o CROSS JOIN session s ON s.pk = o.session
WHERE o.tenant = :tenant AND o.kind = :kind AND o.ref = :ref AND s.tenant = :tenant AND s.shelf = :shelf

-- fragment: with_status
AND s.status = :status

-- fragment: with_agent
AND s.agent = :agent

-- fragment: with_flow
AND s.flow = :flow

-- fragment: with_parent
AND s.parent = :parent

-- fragment: with_expiry
AND s.expires_at IS NOT NULL

-- fragment: with_since
AND s.updated_at >= :since

-- fragment: with_before
AND s.updated_at < :before

-- fragment: with_tag
AND EXISTS (SELECT 1 FROM session_tag x WHERE x.session = s.pk AND x.tag = :tag{n})

-- fragment: with_context
AND EXISTS (SELECT 1 FROM session_context x WHERE x.session = s.pk AND x.kind = :kind{n} AND x.ref = :ref{n})

-- fragment: after
AND ({o}.pinned, {at}, {key}) < (:pinned, :at, :pk)

-- fragment: order
ORDER BY {o}.pinned DESC, {at} DESC, {key} DESC LIMIT :limit

-- fragment: after_name
AND n.id > :name

-- fragment: order_name
ORDER BY n.id LIMIT :limit
